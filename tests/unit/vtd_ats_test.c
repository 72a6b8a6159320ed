/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_ats.h"

#include "guest.h"
#include "tap.h"

#define IOVA 0x40000000ull
#define DID 3

enum { R = VTD_PERM_READ, W = VTD_PERM_WRITE, X = VTD_PERM_EXEC };

static PageTable table;
static VtdMapping out;
static uint64_t pasid_entry;

static void context(bool device_tlb)
{
    tables_scalable_context(&guest.tables, guest.root, GUEST_SID,
                            &(ScalableContext){
                                .pasid_dir = guest.pasid_dir,
                                .device_tlb = device_tlb,
                            });
    invalidate(qi_context(QI_GLOBAL, 0, 0), 0);
}

/* A device with ATS, first stage, one page at IOVA with @rights. */
static void start(unsigned rights)
{
    PasidEntry e = { .pgtt = TABLES_PGTT_FIRST_STAGE, .did = DID,
                     .fs_levels = 4, .execute = true, .no_execute = true };

    guest_start(options_full());
    guest_scalable();
    start_queue(true, 0);
    context(true);
    table = tables_page_table(&guest.tables, STAGE_FIRST, 4, 0);
    tables_map(&guest.tables, &table, IOVA, 0x5000, 12, rights);
    e.fs_table = table.root;
    pasid_entry = tables_pasid(&guest.tables, guest.pasid_dir, 0, &e);
    write32(VTD_REG_FECTL, 0);
    fake_env_forget(&guest.env);
}

static VtdFault request(uint64_t iova, unsigned perm)
{
    out = (VtdMapping){ .pa = ~0ull, .perm = 0xff };
    return vtd_translation_request(&guest.unit, &guest.source, iova,
                                   (VtdAccess){ .perm = perm }, &out);
}

static void check_granted(unsigned want, unsigned granted)
{
    tap_context("want %x", want);
    CHECK_EQ(request(IOVA + 0x123, want), VTD_FAULT_NONE);
    CHECK_EQ(out.perm, granted);
    CHECK_EQ(out.pa, 0x5000);
    CHECK_EQ(out.iova, IOVA);
    CHECK_EQ(out.shift, 12);
}

static void check_nothing_granted(uint64_t iova, unsigned want)
{
    CHECK_EQ(request(iova, want), VTD_FAULT_NONE);
    CHECK_EQ(out.perm, 0);
    CHECK_EQ(out.pa, 0);
    CHECK_EQ(reg32(VTD_REG_FSTS), 0);
}

static uint64_t leaf(void)
{
    return fake_load64(&guest.env,
                       tables_entry(&guest.tables, &table, IOVA, 1));
}

TEST(what_is_wanted_is_granted_if_the_page_allows_it)
{
    start(MAP_RW);
    check_granted(R, R);
    check_granted(R | W, R | W);
    check_granted(R | X, R | X);
}

TEST(only_a_request_that_may_write_makes_the_page_dirty)
{
    start(MAP_RW);
    check_granted(R, R);
    CHECK_EQ(leaf() & (FS_ACCESSED | FS_DIRTY), FS_ACCESSED);
    check_granted(R | W, R | W);
    CHECK_EQ(leaf() & FS_DIRTY, FS_DIRTY);
}

TEST(a_read_only_page_is_granted_for_reading)
{
    start(MAP_READ | MAP_USER | MAP_NO_EXECUTE);
    check_granted(R | W, R);
    check_granted(R | W | X, R);
    CHECK_EQ(leaf() & FS_DIRTY, 0);
    CHECK_EQ(reg32(VTD_REG_FSTS), 0);
}

TEST(a_page_that_is_not_there_is_no_fault)
{
    start(MAP_RW);
    check_nothing_granted(IOVA + 0x1000, R | W);
    check_nothing_granted(IOVA + 0x1000, R);
    CHECK_EQ(guest.env.msis, 0);
}

TEST(a_supervisor_page_is_not_granted_to_a_user)
{
    start(MAP_READ | MAP_WRITE);
    check_nothing_granted(IOVA, R | W);
}

TEST(a_broken_table_is_a_fault_that_is_recorded)
{
    start(MAP_RW);
    fake_store64(&guest.env, tables_entry(&guest.tables, &table, IOVA, 2),
                 1ull << 51 | 7);
    CHECK_EQ(request(IOVA, R), VTD_FAULT_FS_RESERVED);
    CHECK_EQ(reg64(VTD_REG_FRCD), IOVA);
    CHECK_EQ(reg64(VTD_REG_FRCD + 8) >> 32 & 0xff, 0x72);
    CHECK_EQ(guest.env.msis, 1);
}

TEST(a_missing_pasid_entry_is_a_fault_that_is_recorded)
{
    start(MAP_RW);
    fake_store64(&guest.env, pasid_entry, 0);
    CHECK_EQ(request(IOVA, R), VTD_FAULT_SM_PASID_NOT_PRESENT);
    CHECK_EQ(reg64(VTD_REG_FRCD + 8) >> 32 & 0xff, 0x59);
}

TEST(fault_disable_hides_it)
{
    start(MAP_RW);
    fake_store64(&guest.env, pasid_entry, 2);
    CHECK_EQ(request(IOVA, R), VTD_FAULT_SM_PASID_NOT_PRESENT);
    CHECK_EQ(reg32(VTD_REG_FSTS), 0);
}

TEST(a_device_without_DTE_gets_no_translations)
{
    start(MAP_RW);
    context(false);
    CHECK_EQ(request(IOVA, R), VTD_FAULT_SM_CONTEXT_BLOCKS_ATS);
    CHECK_EQ(reg64(VTD_REG_FRCD + 8) >> 32 & 0xff, 0x44);
}

static VtdFault translated(uint64_t pa)
{
    return vtd_translated_request(&guest.unit, &guest.source, pa,
                                  (VtdAccess){ .perm = W });
}

TEST(translated_requests_pass)
{
    start(MAP_RW);
    CHECK_EQ(translated(0x5000), VTD_FAULT_NONE);
}

TEST(translated_requests_do_not_pass_without_DTE)
{
    start(MAP_RW);
    context(false);
    CHECK_EQ(translated(0x5000), VTD_FAULT_SM_CONTEXT_BLOCKS_ATS);
    CHECK_EQ(reg64(VTD_REG_FRCD), 0x5000);
}

TEST(translated_requests_do_not_reach_the_interrupt_range)
{
    start(MAP_RW);
    CHECK_EQ(translated(0xfee00000), VTD_FAULT_SM_INTERRUPT_ADDRESS);
    CHECK_EQ(translated(0xfeefffff), VTD_FAULT_SM_INTERRUPT_ADDRESS);
    CHECK_EQ(translated(0xfedfffff), VTD_FAULT_NONE);
    CHECK_EQ(translated(0xfef00000), VTD_FAULT_NONE);
}

/* Legacy mode */

static void start_legacy(unsigned tt)
{
    VtdOptions o = options_legacy();

    o.device_tlb = true;
    guest_start(o);
    set_root(0);
    table = tables_page_table(&guest.tables, STAGE_SECOND, 4, 0);
    tables_map(&guest.tables, &table, IOVA, 0x5000, 12, MAP_READ);
    tables_legacy_context(&guest.tables, guest.root, GUEST_SID,
                          &(LegacyContext){
                              .tt = tt, .levels = 4, .ss_table = table.root,
                          });
    enable_translation();
}

TEST(legacy_translation_type_1_grants)
{
    start_legacy(TABLES_TT_DEVICE_TLB);
    check_granted(R | W, R);
    check_nothing_granted(IOVA + 0x1000, R | W);
    CHECK_EQ(translated(0x5000), VTD_FAULT_NONE);
}

TEST(legacy_translation_type_0_refuses)
{
    start_legacy(TABLES_TT_UNTRANSLATED);
    CHECK_EQ(request(IOVA, R), VTD_FAULT_CONTEXT_BLOCKS_ATS);
    CHECK_EQ(translated(0x5000), VTD_FAULT_CONTEXT_BLOCKS_ATS);
}
