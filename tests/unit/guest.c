/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest.h"

#include <string.h>

#include "tap.h"

Guest guest;

static bool unit_is_up;

VtdOptions options_legacy(void)
{
    return (VtdOptions){
        .aw_bits = 48,
        .pass_through = true,
        .dma_translation = true,
        .interrupt_remap = true,
        .drain = true,
        .fault_records = 1,
        .mask_order = 18,
    };
}

VtdOptions options_scalable(void)
{
    VtdOptions options = options_legacy();

    options.scalable_mode = true;
    options.pasid_bits = 20;
    return options;
}

VtdOptions options_nested(void)
{
    VtdOptions options = options_scalable();

    options.first_stage = true;
    options.nested = true;
    options.fs1gp = true;
    options.device_tlb = true;
    return options;
}

VtdOptions options_full(void)
{
    VtdOptions options = options_nested();

    options.supervisor_requests = true;
    options.extended_accessed = true;
    options.ss_accessed_dirty = true;
    options.coherent_walks = true;
    options.rid_pasid = true;
    options.page_requests = true;
    options.no_write_flag = true;
    options.fault_records = VTD_MAX_FAULT_RECORDS;
    options.mask_order = options.aw_bits - VTD_PAGE_SHIFT;
    return options;
}

static uint64_t load(void *opaque, uint64_t gpa)
{
    return fake_load64(opaque, gpa);
}

static void store(void *opaque, uint64_t gpa, uint64_t value)
{
    fake_store64(opaque, gpa, value);
}

static void clear_page(void *opaque, uint64_t gpa)
{
    FakeEnv *env = opaque;

    memset(env->ram + gpa, 0, 4096);
}

/* A new guest, with the memory of the last one: pages of a new allocation cost
 * more than all the rest of a test. */
static void clear_memory(void)
{
    uint8_t *ram = guest.env.ram;
    uint64_t used = guest.tables.next;

    memset(&guest, 0, sizeof(guest));
    if (!ram) {
        fake_env_init(&guest.env, GUEST_RAM);
        CHECK(guest.env.ram);
        return;
    }
    memset(ram, 0, used);
    guest.env.ram = ram;
    guest.env.ram_size = GUEST_RAM;
}

void guest_memory(void)
{
    if (unit_is_up) {
        vtd_destroy(&guest.unit);
        unit_is_up = false;
    }
    clear_memory();
    guest.interface = fake_env_interface(&guest.env);
    guest.tables = (Tables){
        .opaque = &guest.env,
        .load = load,
        .store = store,
        .clear_page = clear_page,
        .next = GUEST_TABLES,
        .end = GUEST_RAM,
    };
    vtd_source_init(&guest.source, (VtdRequester){ .sid = GUEST_SID });
}

void guest_start(VtdOptions options)
{
    const char *why;

    guest_memory();
    why = vtd_init(&guest.unit, &guest.interface, &options);
    if (why) {
        tap_fail(__FILE__, __LINE__, "options refused: %s", why);
    }
    unit_is_up = true;
}

uint32_t reg32(unsigned offset)
{
    return vtd_mmio_read(&guest.unit, offset, 4);
}

uint64_t reg64(unsigned offset)
{
    return vtd_mmio_read(&guest.unit, offset, 8);
}

static void finish_queue(bool more)
{
    while (more) {
        more = vtd_continue(&guest.unit);
    }
}

void write32(unsigned offset, uint32_t value)
{
    finish_queue(vtd_mmio_write(&guest.unit, offset, value, 4));
}

void write64(unsigned offset, uint64_t value)
{
    finish_queue(vtd_mmio_write(&guest.unit, offset, value, 8));
}

void command(uint32_t set, uint32_t clear)
{
    /* Pointers are latched once; all else keeps its state. */
    uint32_t keep = reg32(VTD_REG_GSTS) & ~(VTD_GCMD_SRTP | VTD_GCMD_SIRTP);

    write32(VTD_REG_GCMD, (keep | set) & ~clear);
}

void set_root(unsigned ttm)
{
    guest.root = tables_alloc(&guest.tables, 1);
    write64(VTD_REG_RTADDR, guest.root | (uint64_t)ttm << 10);
    command(VTD_GCMD_SRTP, 0);
}

void enable_translation(void)
{
    command(VTD_GCMD_TE, 0);
}

void guest_scalable(void)
{
    set_root(1);
    guest.pasid_dir = tables_pasid_directory(&guest.tables, 7);
    tables_scalable_context(&guest.tables, guest.root, GUEST_SID,
                            &(ScalableContext){
                                .pasid_dir = guest.pasid_dir,
                                .pdts = 7,
                                .pasid_enable = true,
                            });
    enable_translation();
}

void start_queue(bool wide, unsigned qs)
{
    guest.queue = tables_alloc(&guest.tables, 1u << qs);
    guest.queue_bytes = 4096ull << qs;
    guest.wide = wide;
    guest.tail = 0;
    write64(VTD_REG_IQT, 0);
    write64(VTD_REG_IQA, guest.queue | (uint64_t)wide << 11 | qs);
    command(VTD_GCMD_QIE, 0);
}

void queue_descriptor(uint64_t qw0, uint64_t qw1)
{
    uint64_t place = guest.queue + guest.tail;
    unsigned size = guest.wide ? 32 : 16;

    fake_store64(&guest.env, place, qw0);
    fake_store64(&guest.env, place + 8, qw1);
    if (guest.wide) {
        fake_store64(&guest.env, place + 16, 0);
        fake_store64(&guest.env, place + 24, 0);
    }
    guest.tail = (guest.tail + size) % guest.queue_bytes;
}

void kick(void)
{
    write64(VTD_REG_IQT, guest.tail);
}

void invalidate(uint64_t qw0, uint64_t qw1)
{
    queue_descriptor(qw0, qw1);
    kick();
}

uint64_t qi_context(unsigned g, uint16_t did, uint16_t sid)
{
    return 1 | g << 4 | (uint64_t)did << 16 | (uint64_t)sid << 32;
}

uint64_t qi_iotlb(unsigned g, uint16_t did)
{
    return 2 | g << 4 | (uint64_t)did << 16;
}

uint64_t qi_wait_status(uint32_t data)
{
    return 5 | 1 << 5 | (uint64_t)data << 32;
}

uint64_t qi_wait_interrupt(void)
{
    return 5 | 1 << 4;
}

uint64_t qi_pasid_iotlb(unsigned g, uint16_t did, uint32_t pasid)
{
    return 6 | g << 4 | (uint64_t)did << 16 | (uint64_t)pasid << 32;
}

uint64_t qi_pasid_cache(unsigned g, uint16_t did, uint32_t pasid)
{
    return 7 | g << 4 | (uint64_t)did << 16 | (uint64_t)pasid << 32;
}

VtdFault translate(uint64_t iova, unsigned perm, VtdMapping *out)
{
    return vtd_translate(&guest.unit, &guest.source, iova,
                         (VtdAccess){ .perm = perm }, false, out);
}
