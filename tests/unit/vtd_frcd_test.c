/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_frcd.h"

#include "guest.h"
#include "tap.h"

enum { PFO = 1, PPF = 2, IQE = 0x10, ITE = 0x40 };

static void start(void)
{
    guest_start(options_nested());
    write32(VTD_REG_FEDATA, 0x61);
    write32(VTD_REG_FEADDR, 0xfee00000);
    write32(VTD_REG_FECTL, 0);
    fake_env_forget(&guest.env);
}

static void record(const VtdFaultRecord *r)
{
    VtdWork work = { 0 };

    vtd_frcd_record(&guest.unit, r, &work);
    vtd_work_send(&guest.unit, &work);
}

static void record_of(uint16_t sid, uint64_t info)
{
    record(&(VtdFaultRecord){
        .fault = VTD_FAULT_READ,
        .req = { .sid = sid },
        .access = { .perm = VTD_PERM_READ },
        .info = info,
    });
}

static uint64_t lower(void)
{
    return reg64(VTD_REG_FRCD);
}

static uint64_t upper(void)
{
    return reg64(VTD_REG_FRCD + 8);
}

static uint32_t fsts(void)
{
    return reg32(VTD_REG_FSTS);
}

static void queue_error(uint32_t status)
{
    VtdWork work = { 0 };

    vtd_frcd_queue_error(&guest.unit, status, &work);
    vtd_work_send(&guest.unit, &work);
}

TEST(a_fault_is_recorded)
{
    start();
    record_of(0x1234, 0xabcde000);
    CHECK_EQ(lower(), 0xabcde000);
    /* F, T1 (read), reason 6, source */
    CHECK_EQ(upper(), 0xc000000600001234);
    CHECK_EQ(fsts(), PPF);
    CHECK_EQ(guest.env.msis, 1);
    CHECK_EQ(guest.env.msi_data[0], 0x61);
}

TEST(a_write_is_told_from_a_read)
{
    start();
    record(&(VtdFaultRecord){
        .fault = VTD_FAULT_WRITE,
        .access = { .perm = VTD_PERM_WRITE | VTD_PERM_READ },
    });
    CHECK_EQ(upper(), 0x8000000500000000);
}

TEST(a_pasid_is_recorded)
{
    start();
    record(&(VtdFaultRecord){
        .fault = VTD_FAULT_FS_NOT_PRESENT,
        .req = { .sid = 1, .has_pasid = true, .pasid = 0xabcde },
        .access = { .perm = VTD_PERM_READ },
    });
    CHECK_EQ(upper(), 0xcabcde7180000001);
}

TEST(privilege_and_execution_are_recorded)
{
    start();
    record(&(VtdFaultRecord){
        .fault = VTD_FAULT_SM_NO_EXECUTE,
        .req = { .sid = 1, .has_pasid = true, .pasid = 1 },
        .access = { .perm = VTD_PERM_EXEC, .supervisor = true },
    });
    CHECK_EQ(upper(), 0xc0000182e0000001);
}

TEST(without_pasid_privilege_and_execution_are_not_recorded)
{
    start();
    record(&(VtdFaultRecord){
        .fault = VTD_FAULT_SM_READ,
        .access = { .perm = VTD_PERM_EXEC, .supervisor = true },
    });
    CHECK_EQ(upper(), 0xc000008600000000);
}

TEST(faults_of_one_source_collapse)
{
    start();
    record_of(1, 0x1000);
    record_of(1, 0x2000);
    CHECK_EQ(lower(), 0x1000);
    CHECK_EQ(fsts(), PPF);
    CHECK_EQ(guest.env.msis, 1);
}

TEST(a_fault_of_another_source_overflows)
{
    start();
    record_of(1, 0x1000);
    record_of(2, 0x2000);
    CHECK_EQ(lower(), 0x1000);
    CHECK_EQ(fsts(), PFO | PPF);
    /* One interrupt tells both. */
    CHECK_EQ(guest.env.msis, 1);
}

TEST(nothing_is_recorded_until_the_overflow_is_cleared)
{
    start();
    record_of(1, 0x1000);
    record_of(2, 0x2000);
    write32(VTD_REG_FRCD + 12, 0x80000000);
    CHECK_EQ(fsts(), PFO);
    record_of(3, 0x3000);
    CHECK_EQ(upper() >> 63, 0);
    CHECK_EQ(fsts(), PFO);
    write32(VTD_REG_FSTS, PFO);
    CHECK_EQ(fsts(), 0);
    record_of(3, 0x3000);
    CHECK_EQ(lower(), 0x3000);
    CHECK_EQ(fsts(), PPF);
    CHECK_EQ(guest.env.msis, 2);
}

TEST(clearing_the_record_clears_PPF)
{
    start();
    record_of(1, 0x1000);
    write32(VTD_REG_FRCD + 12, 0x80000000);
    CHECK_EQ(fsts(), 0);
    CHECK_EQ(upper() >> 63, 0);
    record_of(1, 0x2000);
    CHECK_EQ(lower(), 0x2000);
    CHECK_EQ(guest.env.msis, 2);
}

TEST(clearing_the_record_with_an_8_byte_write)
{
    start();
    record_of(1, 0x1000);
    write64(VTD_REG_FRCD + 8, 0x8000000000000000);
    CHECK_EQ(fsts(), 0);
}

TEST(PPF_cannot_be_cleared_in_FSTS)
{
    start();
    record_of(1, 0x1000);
    write32(VTD_REG_FSTS, 0xffffffff);
    CHECK_EQ(fsts(), PPF);
}

TEST(the_record_cannot_be_changed_otherwise)
{
    start();
    record_of(1, 0x1000);
    write64(VTD_REG_FRCD, 0xffffffffffffffff);
    write64(VTD_REG_FRCD + 8, 0x7fffffffffffffff);
    CHECK_EQ(lower(), 0x1000);
    CHECK_EQ(upper(), 0xc000000600000001);
}

TEST(a_masked_fault_is_pending_and_sent_when_unmasked)
{
    start();
    write32(VTD_REG_FECTL, 0x80000000);
    record_of(1, 0x1000);
    CHECK_EQ(guest.env.msis, 0);
    CHECK_EQ(reg32(VTD_REG_FECTL), 0xc0000000);
    write32(VTD_REG_FECTL, 0);
    CHECK_EQ(guest.env.msis, 1);
    CHECK_EQ(reg32(VTD_REG_FECTL), 0);
}

TEST(a_pending_interrupt_goes_away_with_the_last_condition)
{
    start();
    write32(VTD_REG_FECTL, 0x80000000);
    record_of(1, 0x1000);
    record_of(2, 0x1000);
    queue_error(IQE);
    write32(VTD_REG_FRCD + 12, 0x80000000);
    CHECK_EQ(reg32(VTD_REG_FECTL), 0xc0000000);
    write32(VTD_REG_FSTS, PFO);
    CHECK_EQ(reg32(VTD_REG_FECTL), 0xc0000000);
    write32(VTD_REG_FSTS, IQE);
    CHECK_EQ(reg32(VTD_REG_FECTL), 0x80000000);
    write32(VTD_REG_FECTL, 0);
    CHECK_EQ(guest.env.msis, 0);
}

TEST(a_queue_error_raises_the_event)
{
    start();
    queue_error(ITE);
    CHECK_EQ(fsts(), ITE);
    CHECK_EQ(guest.env.msis, 1);
}

TEST(a_fault_beside_a_queue_error_is_recorded_without_another_interrupt)
{
    start();
    queue_error(IQE);
    record_of(1, 0x1000);
    CHECK_EQ(fsts(), IQE | PPF);
    CHECK_EQ(lower(), 0x1000);
    CHECK_EQ(guest.env.msis, 1);
}

/* Several records ----------------------------------------------------- */

static void start_full(void)
{
    guest_start(options_full());
    write32(VTD_REG_FEDATA, 0x61);
    write32(VTD_REG_FEADDR, 0xfee00000);
    write32(VTD_REG_FECTL, 0);
    fake_env_forget(&guest.env);
}

static uint64_t lower_of(unsigned index)
{
    return reg64(VTD_REG_FRCD + index * 16);
}

static void clear_record(unsigned index)
{
    write32(VTD_REG_FRCD + index * 16 + 12, 0x80000000);
}

TEST(records_are_used_in_turn_and_overflow_after_the_last)
{
    start_full();
    for (unsigned i = 0; i < 8; i++) {
        record_of(i, (i + 1) << 12);
    }
    for (unsigned i = 0; i < 8; i++) {
        tap_context("record %u", i);
        CHECK_EQ(lower_of(i), (i + 1) << 12);
        CHECK_EQ(reg64(VTD_REG_FRCD + i * 16 + 8), 0xc000000600000000 | i);
    }
    CHECK_EQ(fsts(), PPF);
    CHECK_EQ(guest.env.msis, 1);
    record_of(8, 0x9000);
    CHECK_EQ(fsts(), PFO | PPF);
}

TEST(a_source_that_is_pending_in_any_record_is_collapsed)
{
    start_full();
    record_of(1, 0x1000);
    record_of(2, 0x2000);
    record_of(1, 0x3000);
    CHECK_EQ(lower_of(1), 0x2000);
    CHECK_EQ(lower_of(2), 0);
}

TEST(the_first_pending_record_is_named_and_the_ring_goes_round)
{
    start_full();
    for (unsigned i = 0; i < 7; i++) {
        record_of(i, 0x1000);
        clear_record(i);
        CHECK_EQ(fsts() & PPF, 0);
    }
    record_of(0x10, 0xa000);
    CHECK_EQ(fsts(), PPF | 7 << 8);
    record_of(0x11, 0xb000);
    CHECK_EQ(fsts(), PPF | 7 << 8);
    CHECK_EQ(lower_of(7), 0xa000);
    CHECK_EQ(lower_of(0), 0xb000);
    clear_record(7);
    CHECK_EQ(fsts() & PPF, PPF);
    clear_record(0);
    CHECK_EQ(fsts() & PPF, 0);
}

TEST(what_lies_behind_the_only_record_is_no_register)
{
    start();
    write64(VTD_REG_FRCD + 16, ~0ull);
    write64(VTD_REG_FRCD + 24, ~0ull);
    CHECK_EQ(reg64(VTD_REG_FRCD + 16), 0);
    CHECK_EQ(reg64(VTD_REG_FRCD + 24), 0);
}
