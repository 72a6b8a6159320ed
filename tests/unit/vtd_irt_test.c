/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_irt.h"

#include "guest.h"
#include "tap.h"

#define SID 0x1234

static uint64_t table;
static VtdInterrupt out;

/* Interrupt remapping on, with a table of 2^(@size + 1) entries. */
static void start_with(bool x2apic, unsigned size)
{
    VtdOptions o = options_legacy();

    o.eim = x2apic;
    guest_start(o);
    table = tables_alloc(&guest.tables, ((32u << size) + 4095) / 4096);
    write64(VTD_REG_IRTA, table | (uint64_t)x2apic << 11 | size);
    command(VTD_GCMD_SIRTP, 0);
    command(VTD_GCMD_IRE, 0);
}

static void start(void)
{
    start_with(false, 7);
}

static void put_entry(unsigned index, uint64_t qw0, uint64_t qw1)
{
    fake_store64(&guest.env, table + index * 16, qw0);
    fake_store64(&guest.env, table + index * 16 + 8, qw1);
}

static uint64_t msi_addr(uint32_t handle)
{
    return 0xfee00010 | (handle & 0x7fff) << 5 | (handle >> 15 & 1) << 2;
}

static VtdFault remap_at(uint64_t addr, uint32_t data)
{
    return vtd_remap_interrupt(&guest.unit, SID, addr, data, false, &out);
}

static VtdFault remap(uint32_t handle)
{
    return remap_at(msi_addr(handle), 0);
}

#define PRESENT 1ull
#define VECTOR(v) ((uint64_t)(v) << 16)
#define XAPIC(id) ((uint64_t)(id) << 40)
#define GOOD (PRESENT | VECTOR(0x31) | XAPIC(3))

TEST(without_IRE_requests_pass_unchanged)
{
    guest_start(options_legacy());
    CHECK_EQ(remap_at(0xfee00000, 0x41), VTD_FAULT_NONE);
    CHECK_EQ(out.kind, VTD_INTERRUPT_UNCHANGED);
    CHECK_EQ(remap_at(msi_addr(1), 0x41), VTD_FAULT_NONE);
    CHECK_EQ(out.kind, VTD_INTERRUPT_UNCHANGED);
}

TEST(an_entry_becomes_an_interrupt)
{
    start();
    put_entry(5, GOOD, 0);
    CHECK_EQ(remap(5), VTD_FAULT_NONE);
    CHECK_EQ(out.kind, VTD_INTERRUPT_REMAPPED);
    CHECK_EQ(out.vector, 0x31);
    CHECK_EQ(out.destination, 3);
    CHECK_EQ(out.delivery_mode, 0);
    CHECK(!out.logical);
    CHECK(!out.redirection_hint);
    CHECK(!out.level);
}

TEST(each_field_of_an_entry)
{
    start();
    put_entry(0, GOOD | 1 << 2, 0);
    CHECK_EQ(remap(0), VTD_FAULT_NONE);
    CHECK(out.logical);
    put_entry(0, GOOD | 1 << 3, 0);
    CHECK_EQ(remap(0), VTD_FAULT_NONE);
    CHECK(out.redirection_hint);
    put_entry(0, GOOD | 1 << 4, 0);
    CHECK_EQ(remap(0), VTD_FAULT_NONE);
    CHECK(out.level);
    put_entry(0, GOOD | 5 << 5, 0);
    CHECK_EQ(remap(0), VTD_FAULT_NONE);
    CHECK_EQ(out.delivery_mode, 5);
    /* bits 11:8 are the guest's */
    put_entry(0, GOOD | 0xf00, 0);
    CHECK_EQ(remap(0), VTD_FAULT_NONE);
}

TEST(x2apic_destinations_have_32_bits)
{
    start_with(true, 7);
    put_entry(1, PRESENT | 0x89abcdefull << 32, 0);
    CHECK_EQ(remap(1), VTD_FAULT_NONE);
    CHECK_EQ(out.destination, 0x89abcdef);
}

TEST(EIME_without_EIM_is_xapic)
{
    guest_start(options_legacy());
    table = tables_alloc(&guest.tables, 1);
    write64(VTD_REG_IRTA, table | 1 << 11 | 7);
    command(VTD_GCMD_SIRTP, 0);
    command(VTD_GCMD_IRE, 0);
    put_entry(1, GOOD, 0);
    CHECK_EQ(remap(1), VTD_FAULT_NONE);
    CHECK_EQ(out.destination, 3);
}

TEST(subhandle_is_added)
{
    start();
    put_entry(7, GOOD | VECTOR(2), 0);
    CHECK_EQ(remap_at(msi_addr(5) | 8, 2), VTD_FAULT_NONE);
    CHECK_EQ(out.vector, 0x33);
    /* Without SHV the data says nothing. */
    put_entry(5, PRESENT | VECTOR(0x77), 0);
    CHECK_EQ(remap_at(msi_addr(5), 2), VTD_FAULT_NONE);
    CHECK_EQ(out.vector, 0x77);
}

TEST(the_sixteenth_bit_of_the_handle)
{
    start_with(false, 15);
    put_entry(0x8003, GOOD, 0);
    CHECK_EQ(remap(0x8003), VTD_FAULT_NONE);
    CHECK_EQ(remap(0x0003), VTD_FAULT_IR_NOT_PRESENT);
}

TEST(reserved_bits_of_the_subhandle)
{
    start();
    put_entry(5, GOOD, 0);
    CHECK_EQ(remap_at(msi_addr(5) | 8, 0x10000),
             VTD_FAULT_IR_REQUEST_RESERVED);
}

TEST(reserved_bits_of_the_address)
{
    start();
    put_entry(5, GOOD, 0);
    CHECK_EQ(remap_at(msi_addr(5) | 1, 0), VTD_FAULT_IR_REQUEST_RESERVED);
    CHECK_EQ(remap_at(msi_addr(5) | 2, 0), VTD_FAULT_IR_REQUEST_RESERVED);
}

TEST(index_beyond_the_table)
{
    start_with(false, 0);
    put_entry(0, GOOD, 0);
    put_entry(1, GOOD, 0);
    CHECK_EQ(remap(1), VTD_FAULT_NONE);
    CHECK_EQ(remap(2), VTD_FAULT_IR_INDEX);
    start_with(false, 15);
    CHECK_EQ(remap(0xffff), VTD_FAULT_IR_NOT_PRESENT);
    CHECK_EQ(remap_at(msi_addr(0xffff) | 8, 1), VTD_FAULT_IR_INDEX);
}

TEST(entry_not_present)
{
    start();
    CHECK_EQ(remap(3), VTD_FAULT_IR_NOT_PRESENT);
}

TEST(entry_not_in_memory)
{
    start();
    put_entry(1, GOOD, 0);
    guest.env.fail_at[FAKE_READ] = guest.env.calls[FAKE_READ] + 1;
    CHECK_EQ(remap(1), VTD_FAULT_IR_ACCESS);
}

TEST(reserved_bits_of_an_entry)
{
    start();
    for (unsigned bit = 5; bit < 128; bit++) {
        uint64_t flip = 1ull << bit % 64;

        if ((bit >= 5 && bit <= 11) || (bit >= 16 && bit < 24) ||
            (bit >= 40 && bit < 48) || (bit >= 64 && bit < 84)) {
            continue;
        }
        put_entry(1, bit < 64 ? GOOD | flip : GOOD, bit < 64 ? 0 : flip);
        tap_context("bit %u", bit);
        CHECK_EQ(remap(1), VTD_FAULT_IR_RESERVED);
    }
}

TEST(reserved_validation_type)
{
    start();
    put_entry(1, GOOD, 3 << 18);
    CHECK_EQ(remap(1), VTD_FAULT_IR_RESERVED);
}

TEST(source_is_checked)
{
    start();
    put_entry(1, GOOD, 1 << 18 | SID);
    CHECK_EQ(remap(1), VTD_FAULT_NONE);
    put_entry(1, GOOD, 1 << 18 | (SID ^ 1));
    CHECK_EQ(remap(1), VTD_FAULT_IR_SOURCE);
    put_entry(1, GOOD, SID ^ 1); /* SVT 0: no check */
    CHECK_EQ(remap(1), VTD_FAULT_NONE);
}

TEST(functions_that_do_not_count)
{
    /* SQ: function bits that are ignored */
    static const uint16_t ignored[] = { 0, 4, 6, 7 };

    start();
    for (uint64_t sq = 0; sq < 4; sq++) {
        for (unsigned flip = 0; flip < 8; flip++) {
            put_entry(1, GOOD, 1 << 18 | sq << 16 | (SID ^ flip));
            tap_context("SQ %u, flipped %u", (unsigned)sq, flip);
            CHECK_EQ(remap(1), flip & ~ignored[sq] ? VTD_FAULT_IR_SOURCE :
                                                     VTD_FAULT_NONE);
        }
    }
}

TEST(bus_range_is_checked)
{
    static const struct {
        unsigned first;
        unsigned last;
        bool allowed;
    } ranges[] = {
        { 0x12, 0x12, true },  { 0x00, 0xff, true },  { 0x12, 0x20, true },
        { 0x10, 0x12, true },  { 0x13, 0x20, false }, { 0x00, 0x11, false },
        { 0x20, 0x10, false },
    };

    start();
    for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        put_entry(1, GOOD, 2 << 18 | ranges[i].first << 8 | ranges[i].last);
        tap_context("range %u", i);
        CHECK_EQ(remap(1),
                 ranges[i].allowed ? VTD_FAULT_NONE : VTD_FAULT_IR_SOURCE);
    }
}

TEST(compatibility_format_is_blocked)
{
    start();
    CHECK_EQ(remap_at(0xfee00000, 0x41), VTD_FAULT_IR_COMPATIBILITY);
}

TEST(compatibility_format_passes_with_CFI)
{
    start();
    command(VTD_GCMD_CFI, 0);
    CHECK_EQ(remap_at(0xfee00000, 0x41), VTD_FAULT_NONE);
    CHECK_EQ(out.kind, VTD_INTERRUPT_UNCHANGED);
    command(0, VTD_GCMD_CFI);
    CHECK_EQ(remap_at(0xfee00000, 0x41), VTD_FAULT_IR_COMPATIBILITY);
}

TEST(compatibility_format_is_blocked_with_x2apic)
{
    start_with(true, 7);
    command(VTD_GCMD_CFI, 0);
    CHECK_EQ(remap_at(0xfee00000, 0x41), VTD_FAULT_IR_COMPATIBILITY);
}

TEST(a_blocked_request_is_recorded)
{
    start();
    CHECK_EQ(remap(0x43), VTD_FAULT_IR_NOT_PRESENT);
    CHECK_EQ(reg64(VTD_REG_FRCD), 0x43ull << 48);
    CHECK_EQ(reg64(VTD_REG_FRCD + 8), 0x8000002200000000 | SID);
}

TEST(a_quiet_look_is_not_recorded)
{
    start();
    CHECK_EQ(vtd_remap_interrupt(&guest.unit, SID, msi_addr(1), 0, true, &out),
             VTD_FAULT_IR_NOT_PRESENT);
    CHECK_EQ(reg32(VTD_REG_FSTS), 0);
}

TEST(fault_disable_suppresses_qualified_faults)
{
    start();
    put_entry(1, 2, 0);
    CHECK_EQ(remap(1), VTD_FAULT_IR_NOT_PRESENT);
    put_entry(1, GOOD | 2 | 1ull << 24, 0);
    CHECK_EQ(remap(1), VTD_FAULT_IR_RESERVED);
    put_entry(1, GOOD | 2, 1 << 18 | (SID ^ 1));
    CHECK_EQ(remap(1), VTD_FAULT_IR_SOURCE);
    CHECK_EQ(reg32(VTD_REG_FSTS), 0);
}

TEST(the_table_is_the_one_that_was_latched)
{
    start();
    put_entry(1, GOOD, 0);
    write64(VTD_REG_IRTA, GUEST_RAM | 7);
    CHECK_EQ(remap(1), VTD_FAULT_NONE);
    command(VTD_GCMD_SIRTP, 0);
    CHECK_EQ(remap(1), VTD_FAULT_IR_ACCESS);
}
