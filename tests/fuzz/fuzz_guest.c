/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz_env.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Calls of the surroundings that one entry point may make.  A descriptor leads
 * to five at most: fetch, delivery, status, log, interrupt.
 */
#define QUEUE_CALLS (5 * FUZZ_FETCHES + 16)
/* Five first-stage levels, each behind a walk of five levels; a mark that is
 * tried eight times; the second stage of the result; configuration, MSI. */
#define TRANSLATE_CALLS (5 * (5 + 16) + 5 + 8)
#define INTERRUPT_CALLS 4
/* Runs after which the largest queue is empty. */
#define RUNS (32768 / 4096 + 1)

VtdOptions fuzz_options;

static bool any_registers;
static bool unit_exists;
static uint64_t last_head;

_Noreturn void tap_fail(const char *file, int line, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s:%d: ", file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    abort();
}

/* Start --------------------------------------------------------------- */

static VtdOptions chosen_options(void)
{
    unsigned kind = input_bytes(1);
    unsigned flags = input_bytes(1);
    static const uint8_t widths[] = { 48, 57, 39, 48 };
    VtdOptions o = options_legacy();

    if (kind & 3) {
        o = (kind & 3) == 1 ? options_scalable() : options_nested();
        o.nested = (kind & 3) == 2;
    }
    if (!o.first_stage || widths[kind >> 2 & 3] >= 48) {
        o.aw_bits = widths[kind >> 2 & 3];
    }
    o.dma_translation = !(kind & 16) || o.scalable_mode;
    o.interrupt_remap = !(kind & 32);
    o.eim = o.interrupt_remap && (kind & 64);
    o.drain = !(kind & 128) || o.scalable_mode;
    o.fs1gp = flags & 1;
    o.device_tlb = flags & 2;
    o.stale_tm = flags & 4;
    o.snoop_control = flags & 8;
    o.caching_mode = flags & 16;
    o.pass_through = !(flags & 32);
    if (flags & 128) {
        o.supervisor_requests = o.first_stage;
        o.extended_accessed = o.first_stage;
        o.ss_accessed_dirty = o.scalable_mode && (o.nested || !o.first_stage);
        o.coherent_walks = o.scalable_mode;
        o.fault_records = VTD_MAX_FAULT_RECORDS;
        o.page_requests = o.scalable_mode && o.device_tlb;
        o.no_write_flag = o.device_tlb;
        o.mask_order = o.aw_bits - VTD_PAGE_SHIFT;
    }
    o.pasid_bits = flags & 64 && o.pasid_bits ? 4 : o.pasid_bits;
    o.virtual_commands = flags & 128 && o.pasid_bits;
    return o;
}

static uint64_t load(void *opaque, uint64_t gpa)
{
    (void)opaque;
    return fuzz_peek(gpa);
}

static void store(void *opaque, uint64_t gpa, uint64_t value)
{
    (void)opaque;
    fuzz_poke(gpa, value);
}

static void clear_page(void *opaque, uint64_t gpa)
{
    (void)opaque;
    memset(guest.env.ram + gpa, 0, VTD_PAGE_SIZE);
}

static void start_memory(void)
{
    if (!guest.env.ram) {
        fake_env_init(&guest.env, FUZZ_RAM);
        CHECK(guest.env.ram);
    }
    memset(guest.env.ram, 0, FUZZ_RAM);
    fake_env_forget(&guest.env);
    guest.tables = (Tables){
        .load = load,
        .store = store,
        .clear_page = clear_page,
        .next = GUEST_TABLES,
        .end = FUZZ_RAM,
    };
}

/* The unit of the last case serves again: to clear the cache of a new one
 * costs more than all the rest of a case. */
static const char *start_unit(void)
{
    VtdUnit *u = &guest.unit;
    VtdEnv env = fuzz_env_interface();
    const char *why;

    if (!unit_exists) {
        why = vtd_init(u, &env, &fuzz_options);
        unit_exists = !why;
        return why;
    }
    why = vtd_caps_compose(&fuzz_options, &u->caps);
    if (!why) {
        vtd_reset(u);
    }
    return why;
}

void fuzz_start(void)
{
    const char *why;

    fuzz_options = chosen_options();
    any_registers = false;
    start_memory();
    fuzz_env_start();
    guest.interface = fuzz_env_interface();
    guest.root = guest.pasid_dir = guest.queue = 0;
    guest.queue_bytes = guest.tail = 0;
    vtd_source_init(&guest.source, (VtdRequester){ .sid = GUEST_SID });
    why = start_unit();
    if (why) {
        tap_fail(__FILE__, __LINE__, "options refused: %s", why);
    }
    last_head = 0;
}

void fuzz_any_registers(void)
{
    any_registers = true;
    last_head = reg64(VTD_REG_IQH);
}

/* What holds between entry points -------------------------------------- */

static void check_queue(void)
{
    uint64_t bytes = VTD_PAGE_SIZE
                     << vtd_get(reg64(VTD_REG_IQA), VTD_IQA_QS);
    uint64_t head = reg64(VTD_REG_IQH);

    CHECK_EQ(head & ~VTD_IQ_POINTER, 0);
    if (head != last_head && !fuzz_env_meddled()) {
        CHECK(head < bytes);
    }
    last_head = head;
    CHECK(!guest.unit.queue_running);
}

/* After a write of the tail that left nothing to be continued, while nobody
 * wrote registers meanwhile. */
static void check_idle_queue(void)
{
    uint64_t iqa = reg64(VTD_REG_IQA);
    uint64_t head = reg64(VTD_REG_IQH);

    if ((reg32(VTD_REG_GSTS) & VTD_GCMD_QIE) &&
        !(reg32(VTD_REG_FSTS) & VTD_FSTS_QUEUE_ERRORS)) {
        CHECK_EQ(head, reg64(VTD_REG_IQT));
        CHECK(head < VTD_PAGE_SIZE << vtd_get(iqa, VTD_IQA_QS));
        CHECK_EQ(head % (iqa & VTD_IQA_DW ? 32 : 16), 0);
    }
}

static void check_unit(void)
{
    const VtdCaps *caps = &guest.unit.caps;
    uint32_t fsts = reg32(VTD_REG_FSTS);
    uint32_t gsts = reg32(VTD_REG_GSTS);
    bool pending = false;

    for (unsigned i = 0; i < vtd_caps_fault_records(caps); i++) {
        pending |= reg64(VTD_REG_FRCD + i * VTD_FAULT_RECORD_BYTES + 8) >> 63;
    }
    CHECK(fuzz_lock_is_free());
    check_queue();
    CHECK(!(gsts & VTD_GCMD_TE) || (caps->cap & VTD_CAP_SAGAW));
    CHECK(!(gsts & VTD_GCMD_IRE) || (caps->ecap & VTD_ECAP_IR));
    if (!any_registers) {
        CHECK(!(reg64(VTD_REG_CCMD) & VTD_CCMD_ICC));
        CHECK(!(reg64(VTD_REG_IOTLB) & VTD_IOTLB_IVT));
        CHECK_EQ(!!(fsts & VTD_FSTS_PPF), pending);
        CHECK(vtd_get(fsts, VTD_FSTS_FRI) < vtd_caps_fault_records(caps));
    }
}

FuzzCall fuzz_call_begin(uint64_t limit)
{
    return fuzz_env_enter(limit);
}

void fuzz_call_end(FuzzCall outer)
{
    fuzz_env_leave(outer);
    if (!fuzz_env_within()) {
        check_unit();
    }
}

/* Entry points -------------------------------------------------------- */

uint64_t fuzz_read(unsigned offset, unsigned size)
{
    FuzzCall outer = fuzz_call_begin(0);
    uint64_t value = vtd_mmio_read(&guest.unit, offset, size);

    fuzz_call_end(outer);
    if (size < 8) {
        CHECK_EQ(value >> (8 * size), 0);
    }
    return value;
}

static bool run_once(void)
{
    FuzzCall outer = fuzz_call_begin(QUEUE_CALLS);
    bool more = vtd_continue(&guest.unit);

    fuzz_call_end(outer);
    return more;
}

void fuzz_write(unsigned offset, uint64_t value, unsigned size)
{
    FuzzCall outer = fuzz_call_begin(QUEUE_CALLS);
    bool more = vtd_mmio_write(&guest.unit, offset, value, size);
    bool busy = fuzz_env_meddled();

    fuzz_call_end(outer);
    if (fuzz_env_within()) {
        return; /* from within another call, which will see to the rest */
    }
    for (unsigned i = 0; more && i < RUNS; i++) {
        more = run_once();
        busy = busy || fuzz_env_meddled();
    }
    CHECK(!more || busy);
    if (!more && !busy && offset == VTD_REG_IQT && (size == 4 || size == 8)) {
        check_idle_queue();
    }
}

void fuzz_continue(void)
{
    if (!run_once()) {
        check_idle_queue();
    }
}

static void check_mapping(VtdSource *source, uint64_t iova, VtdAccess access,
                          const VtdMapping *m)
{
    uint64_t within = (1ull << m->shift) - 1;
    uint64_t pa = m->pa | (iova & within);
    VtdConfig config;

    CHECK(m->shift == 12 || m->shift == 21 || m->shift == 30);
    CHECK_EQ(m->iova, iova & ~within);
    CHECK_EQ(m->pa & within, 0);
    CHECK_EQ(access.perm & ~m->perm, 0);
    CHECK_EQ(m->perm & ~7, 0);
    CHECK(pa < VTD_MSI_RANGE_FIRST || pa > VTD_MSI_RANGE_LAST);
    if (vtd_configuration(&guest.unit, source, &config)) {
        return; /* the tables changed under the walk */
    }
    if (config.kind == VTD_PASS_THROUGH) {
        CHECK_EQ(pa, iova);
    } else {
        CHECK_EQ(pa >> guest.unit.caps.haw_bits, 0);
    }
}

VtdFault fuzz_translate(VtdSource *source, uint64_t iova, VtdAccess access,
                        bool quiet, VtdMapping *out)
{
    uint32_t fsts = reg32(VTD_REG_FSTS);
    FuzzCall outer = fuzz_call_begin(TRANSLATE_CALLS);
    VtdFault fault;

    memset(out, 0xa5, sizeof(*out));
    fault = vtd_translate(&guest.unit, source, iova, access, quiet, out);
    fuzz_call_end(outer);
    CHECK(fault < VTD_FAULT_COUNT);
    if (!fault) {
        check_mapping(source, iova, access, out);
    }
    if (quiet || !fault) {
        CHECK_EQ(reg32(VTD_REG_FSTS), fsts);
    } else if (!vtd_fault_qualified(fault) && !fuzz_env_meddled() && !any_registers) {
        CHECK(reg32(VTD_REG_FSTS) & (VTD_FSTS_PPF | VTD_FSTS_PFO));
    }
    return fault;
}

/* The table's entry for the request, looked up with the spec's numbers. */
static void check_interrupt(uint16_t sid, uint64_t addr, uint32_t data,
                            const VtdInterrupt *out)
{
    uint64_t irta = guest.unit.irta;
    uint64_t index = (addr >> 5 & 0x7fff) | (addr >> 2 & 1) << 15;
    uint64_t low;
    uint64_t high;

    if (addr & 8) {
        index += data & 0xffff;
    }
    CHECK(index < 2ull << (irta & 15));
    low = fuzz_peek((irta & ~0xfffull) + index * 16);
    high = fuzz_peek((irta & ~0xfffull) + index * 16 + 8);
    CHECK(low & 1);
    CHECK_EQ(out->vector, low >> 16 & 0xff);
    CHECK_EQ(out->delivery_mode, low >> 5 & 7);
    if ((high >> 16 & 15) == 4) { /* the whole source id is verified */
        CHECK_EQ(high & 0xffff, sid);
    }
}

void fuzz_interrupt(uint16_t sid, uint64_t addr, uint32_t data, bool quiet)
{
    uint32_t fsts = reg32(VTD_REG_FSTS);
    FuzzCall outer = fuzz_call_begin(INTERRUPT_CALLS);
    VtdInterrupt out;
    VtdFault fault;

    fault = vtd_remap_interrupt(&guest.unit, sid, addr, data, quiet, &out);
    fuzz_call_end(outer);
    CHECK(fault < VTD_FAULT_COUNT);
    if (quiet || !fault) {
        CHECK_EQ(reg32(VTD_REG_FSTS), fsts);
    }
    if (!fault && out.kind != VTD_INTERRUPT_UNCHANGED) {
        CHECK_EQ(out.kind, VTD_INTERRUPT_REMAPPED);
        CHECK(reg32(VTD_REG_GSTS) & VTD_GCMD_IRE);
        check_interrupt(sid, addr, data, &out);
    }
}

void fuzz_poke(uint64_t gpa, uint64_t value)
{
    if (gpa % 8 == 0 && gpa < FUZZ_RAM) {
        fake_store64(&guest.env, gpa, value);
    }
}

uint64_t fuzz_peek(uint64_t gpa)
{
    return gpa % 8 == 0 && gpa < FUZZ_RAM ? fake_load64(&guest.env, gpa) : 0;
}
