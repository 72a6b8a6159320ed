/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SLOT 5
#define UNIT_PATH "/machine/peripheral/viommu"
#define LOG_TIMEOUT_MS 20000
#define FAULT_ADDR "fault addr "

static Machine the_machine;

static uint64_t load(void *opaque, uint64_t gpa)
{
    return *vm_qword(opaque, gpa);
}

static void store(void *opaque, uint64_t gpa, uint64_t value)
{
    *vm_qword(opaque, gpa) = value;
}

static void clear_page(void *opaque, uint64_t gpa)
{
    Vm *vm = opaque;

    memset(vm->ram + gpa, 0, PAGE);
}

static const char *environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value ? value : otherwise;
}

static void start_vm(Machine *m)
{
    const char *second_host = environment("RIG_SECOND", "");
    const char *backend = environment("RIG_BACKEND", ",iommufd=iommufd0");
    char iommu[256];
    char device[256];
    char second[256];
    const char *arguments[] = {
        "-object", "iommufd,id=iommufd0",
        "-device", iommu,
        "-trace", "iommufd_backend_map_dma",
        "-trace", "iommufd_backend_unmap_dma",
        "-trace", "iommufd_backend_free_id",
        "-trace", "vtd_host_*",
        "-trace", "vtd_shadow_*",
        "-D", VM_TRACE_FILE,
        "-device", device,
        *second_host ? "-device" : NULL, second,
        NULL,
    };

    snprintf(iommu, sizeof(iommu),
             "intel-iommu,id=viommu,intremap=off,x-scalable-mode=on,x-flts=on,"
             "nested=on%s",
             environment("RIG_IOMMU", ""));
    snprintf(device, sizeof(device),
             "vfio-pci,id=endpoint,host=%s,addr=%d%s",
             environment("RIG_DEVICE", "0000:00:05.0"), SLOT, backend);
    snprintf(second, sizeof(second), "vfio-pci,id=second,host=%s,addr=%d%s",
             second_host, SLOT + 1, backend);
    vm_start(&m->vm, arguments);
}

/* The context entry of a device of the guest; returns its PASID directory. */
static uint64_t build_context(Machine *m, uint16_t sid)
{
    uint64_t dir = tables_pasid_directory(&m->tables, 0);

    tables_scalable_context(&m->tables, m->root, sid,
                            &(ScalableContext){ .pasid_dir = dir });
    tables_pasid_place(&m->tables, dir, PASID);
    return dir;
}

static void build_tables(Machine *m)
{
    m->tables = (Tables){
        .opaque = &m->vm,
        .load = load,
        .store = store,
        .clear_page = clear_page,
        .next = 0x100000,
        .end = LARGE_AREA,
    };
    m->root = tables_alloc(&m->tables, 1);
    m->pasid_dir = build_context(m, SLOT << 3);
    m->second_pasid_dir = build_context(m, (SLOT + 1) << 3);
    m->unit.vm = &m->vm;
    m->unit.queue = tables_alloc(&m->tables, UNIT_QUEUE_PAGES);
    m->unit.status = tables_alloc(&m->tables, 1);
    m->scratch = m->tables.next;
}

void machine_start_unit(Machine *m)
{
    unit_start(&m->unit, m->root);
    unit_context_global(&m->unit);
    unit_pasid_cache_global(&m->unit);
    unit_iotlb_global(&m->unit);
    unit_wait(&m->unit);
}

void machine_start_devices(Machine *m)
{
    endpoint_start(&m->endpoint);
    if (getenv("RIG_SECOND")) {
        endpoint_start(&m->second);
    }
}

Machine *machine(void)
{
    Machine *m = &the_machine;

    if (!m->vm.pid) {
        CHECK(!m->vm.ram); /* it has ended */
        m->kernel_log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
        CHECK(m->kernel_log >= 0);
        start_vm(m);
        build_tables(m);
        m->endpoint = (Endpoint){
            .vm = &m->vm,
            .devfn = SLOT << 3,
            .bar = ENDPOINT_BAR,
        };
        m->second = (Endpoint){
            .vm = &m->vm,
            .devfn = (SLOT + 1) << 3,
            .bar = ENDPOINT_BAR + 2 * SVA_EP_BAR_SIZE,
        };
        machine_start_devices(m);
        machine_start_unit(m);
    }
    return m;
}

Machine *first_stage_machine(void)
{
    Machine *m = machine();

    check_no_fault(m);
    m->tables.next = m->scratch;
    m->pages = tables_page_table(&m->tables, STAGE_FIRST, 4, 0);
    use_first_stage(m, &m->pages);
    flush_entry(m);
    unit_translate(&m->unit, true);
    return m;
}

void fill(Machine *m, uint64_t gpa, uint64_t pattern, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i += 8) {
        *vm_qword(&m->vm, gpa + i) = pattern;
    }
}

uint64_t page_of(Machine *m, uint64_t pattern)
{
    uint64_t gpa = tables_alloc(&m->tables, 1);

    CHECK(gpa);
    fill(m, gpa, pattern, PAGE);
    return gpa;
}

void map(Machine *m, uint64_t iova, uint64_t gpa, unsigned shift)
{
    tables_map(&m->tables, &m->pages, iova, gpa, shift, MAP_RW);
}

void unmap(Machine *m, uint64_t iova)
{
    *vm_qword(&m->vm, tables_entry(&m->tables, &m->pages, iova, 1)) = 0;
}

void put_first_stage(Machine *m, uint64_t pasid_dir, uint16_t did,
                     const PageTable *table)
{
    *vm_qword(&m->vm, tables_pasid_place(&m->tables, pasid_dir, PASID)) = 0;
    tables_pasid(&m->tables, pasid_dir, PASID,
                 &(PasidEntry){
                     .pgtt = TABLES_PGTT_FIRST_STAGE,
                     .did = did,
                     .fs_levels = 4,
                     .fs_table = table->root,
                 });
}

void use_first_stage(Machine *m, const PageTable *table)
{
    put_first_stage(m, m->pasid_dir, DID, table);
}

void use_pass_through(Machine *m)
{
    use_nothing(m);
    tables_pasid(&m->tables, m->pasid_dir, PASID,
                 &(PasidEntry){
                     .pgtt = TABLES_PGTT_PASS_THROUGH,
                     .did = DID,
                     .ss_levels = 4,
                 });
}

void use_nothing(Machine *m)
{
    *vm_qword(&m->vm, tables_pasid_place(&m->tables, m->pasid_dir, PASID)) =
        0;
}

void flush_entry(Machine *m)
{
    unit_pasid_cache(&m->unit, DID, PASID);
    unit_pasid_iotlb(&m->unit, DID, PASID);
    unit_wait(&m->unit);
}

uint64_t counter(Machine *m, const char *name)
{
    return vm_property(&m->vm, UNIT_PATH, name);
}

/* The next record; false when there is none for now. */
static bool kernel_log_record(Machine *m, char *record, size_t size)
{
    ssize_t length;

    do {
        length = read(m->kernel_log, record, size - 1);
    } while (length < 0 && errno == EPIPE); /* overwritten: go on behind */
    if (length < 0) {
        return false;
    }
    record[length] = '\0';
    return true;
}

bool kernel_log_shows(Machine *m, const char *text)
{
    struct pollfd p = { .fd = m->kernel_log, .events = POLLIN };
    char record[8192];

    do {
        while (kernel_log_record(m, record, sizeof(record))) {
            if (strstr(record, text)) {
                return true;
            }
        }
    } while (poll(&p, 1, LOG_TIMEOUT_MS) > 0);
    return false;
}

/* Of a line about a fault; no other line has such an address. */
static bool fault_is_known(Machine *m, const char *record)
{
    const char *addr = strstr(record, FAULT_ADDR);
    uint64_t page = addr ? strtoull(addr + strlen(FAULT_ADDR), NULL, 0) : 0;

    return endpoint_was_refused(&m->endpoint, page) ||
           endpoint_was_refused(&m->second, page);
}

void check_no_fault(Machine *m)
{
    char record[8192];
    unsigned faults = 0;

    while (kernel_log_record(m, record, sizeof(record))) {
        if ((strstr(record, FAULT_READ) || strstr(record, FAULT_WRITE)) &&
            !fault_is_known(m, record)) {
            tap_note("unexpected: %s", record);
            faults++;
        }
    }
    CHECK_EQ(faults, 0);
}
