/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_quick.h"

#include "guest.h"
#include "tap.h"

#define IOVA 0x40000000ull
#define DID 3
#define PASID 0x55

enum { R = VTD_PERM_READ, W = VTD_PERM_WRITE, X = VTD_PERM_EXEC };

static PageTable table;
static VtdMapping out;
static VtdSource with_pasid;
static uint64_t pasid_entry;

/* Legacy mode, second stage, one page at IOVA. */
static void legacy(void)
{
    guest_start(options_legacy());
    set_root(0);
    table = tables_page_table(&guest.tables, STAGE_SECOND, 4, 0);
    tables_map(&guest.tables, &table, IOVA, 0x5000, 12, MAP_RW);
    tables_legacy_context(&guest.tables, guest.root, GUEST_SID,
                          &(LegacyContext){
                              .levels = 4, .did = DID, .ss_table = table.root,
                          });
    enable_translation();
    start_queue(false, 0);
    fake_env_forget(&guest.env);
}

/* Scalable mode, first stage for PASID and for RID_PASID 0, page at IOVA. */
static void first_stage(void)
{
    PasidEntry e = { .pgtt = TABLES_PGTT_FIRST_STAGE, .did = DID,
                     .fs_levels = 4 };

    guest_start(options_nested());
    guest_scalable();
    table = tables_page_table(&guest.tables, STAGE_FIRST, 4, 0);
    tables_map(&guest.tables, &table, IOVA, 0x5000, 12, MAP_RW);
    e.fs_table = table.root;
    tables_pasid(&guest.tables, guest.pasid_dir, 0, &e);
    pasid_entry = tables_pasid(&guest.tables, guest.pasid_dir, PASID, &e);
    vtd_source_init(&with_pasid, (VtdRequester){ GUEST_SID, true, PASID });
    start_queue(true, 0);
    fake_env_forget(&guest.env);
}

static VtdFault translate_pasid(uint64_t iova, unsigned perm)
{
    return vtd_translate(&guest.unit, &with_pasid, iova,
                         (VtdAccess){ .perm = perm }, false, &out);
}

static void remap(uint64_t pa)
{
    tables_map(&guest.tables, &table, IOVA, pa, 12, MAP_RW | MAP_MARKED);
}

static unsigned reads(void)
{
    unsigned count = fake_env_reads(&guest.env);

    fake_env_forget(&guest.env);
    return count;
}

/* The cache ----------------------------------------------------------- */

TEST(a_miss_reads_context_and_page_tables)
{
    legacy();
    CHECK_EQ(translate(IOVA + 0x123, R, &out), VTD_FAULT_NONE);
    CHECK_EQ(out.iova, IOVA);
    CHECK_EQ(out.pa, 0x5000);
    CHECK_EQ(out.shift, 12);
    CHECK_EQ(reads(), 2 + 4);
}

TEST(a_hit_reads_no_memory)
{
    legacy();
    CHECK_EQ(translate(IOVA, R, &out), VTD_FAULT_NONE);
    reads();
    CHECK_EQ(translate(IOVA + 0xfff, R | W, &out), VTD_FAULT_NONE);
    CHECK_EQ(out.pa, 0x5000);
    CHECK_EQ(reads(), 0);
}

TEST(a_hit_of_a_pasid_reads_no_memory)
{
    first_stage();
    CHECK_EQ(translate_pasid(IOVA, W), VTD_FAULT_NONE);
    CHECK_EQ(reads(), 4 + 4);
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
    CHECK_EQ(reads(), 0);
    CHECK_EQ(out.pa, 0x5000);
}

TEST(another_page_reads_page_tables_only)
{
    legacy();
    tables_map(&guest.tables, &table, IOVA + 0x200000, 0x6000, 12, MAP_RW);
    CHECK_EQ(translate(IOVA, R, &out), VTD_FAULT_NONE);
    reads();
    CHECK_EQ(translate(IOVA + 0x200000, R, &out), VTD_FAULT_NONE);
    CHECK_EQ(reads(), 4);
}

TEST(another_page_of_the_same_table_reads_that_only)
{
    legacy();
    tables_map(&guest.tables, &table, IOVA + 0x1000, 0x6000, 12, MAP_RW);
    CHECK_EQ(translate(IOVA, R, &out), VTD_FAULT_NONE);
    reads();
    CHECK_EQ(translate(IOVA + 0x1000, R, &out), VTD_FAULT_NONE);
    CHECK_EQ(out.pa, 0x6000);
    CHECK_EQ(reads(), 1);
}

/* A source looks for the sizes that it has met. */
TEST(pages_of_each_size_are_found_whichever_came_last)
{
    static const uint64_t at[] = { IOVA, 0x80200000, 0x100000000 };
    static const unsigned shift[] = { 12, 21, 30 };

    legacy();
    for (unsigned i = 1; i < 3; i++) {
        tables_map(&guest.tables, &table, at[i], at[i], shift[i], MAP_RW);
    }
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQ(translate(at[i], R, &out), VTD_FAULT_NONE);
    }
    reads();
    for (unsigned i = 0; i < 9; i++) {
        CHECK_EQ(translate(at[i * i % 3], R, &out), VTD_FAULT_NONE);
        CHECK_EQ(out.shift, shift[i * i % 3]);
        CHECK_EQ(translate(at[i % 3], R, &out), VTD_FAULT_NONE);
        CHECK_EQ(out.shift, shift[i % 3]);
    }
    CHECK_EQ(reads(), 0);
}

TEST(a_size_that_only_another_source_has_met_is_walked_to_once)
{
    VtdSource other;

    legacy();
    tables_map(&guest.tables, &table, 0x80200000, 0x40000000, 21, MAP_RW);
    tables_legacy_context(&guest.tables, guest.root, GUEST_SID + 1,
                          &(LegacyContext){
                              .levels = 4, .did = DID, .ss_table = table.root,
                          });
    vtd_source_init(&other, (VtdRequester){ .sid = GUEST_SID + 1 });
    CHECK_EQ(translate(IOVA, R, &out), VTD_FAULT_NONE);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(vtd_translate(&guest.unit, &other, 0x80200000,
                               (VtdAccess){ .perm = R }, false, &out),
                 VTD_FAULT_NONE);
    }
    for (unsigned i = 0; i < 2; i++) {
        reads();
        CHECK_EQ(translate(0x80200000, R, &out), VTD_FAULT_NONE);
        CHECK_EQ(out.pa, 0x40000000);
        CHECK_EQ(reads(), i ? 0 : 3);
    }
}

/* Read in place, a miss is translated where hits are. */
TEST(a_plain_miss_needs_no_more_than_the_quick_way)
{
    VtdAccess access = { .perm = R };

    first_stage();
    fake_env_read_in_place(&guest.env, &guest.unit.env);
    CHECK_EQ(translate_pasid(IOVA, W), VTD_FAULT_NONE);
    vtd_iotlb_drop_all(&guest.unit.iotlb);
    CHECK(vtd_translate_quick(&guest.unit, &with_pasid, IOVA, access, &out));
    CHECK_EQ(out.pa, 0x5000);
    CHECK_EQ(atomic_load(&guest.unit.counters.table_walks), 2);
    CHECK(vtd_translate_quick(&guest.unit, &with_pasid, IOVA, access, &out));
    CHECK_EQ(atomic_load(&guest.unit.counters.table_walks), 2);
    /* Whatever is more than that. */
    CHECK(!vtd_translate_quick(&guest.unit, &with_pasid, IOVA + 0x1000,
                               access, &out));
    access.supervisor = true;
    CHECK(!vtd_translate_quick(&guest.unit, &with_pasid, IOVA, access, &out));
    vtd_iotlb_drop_all(&guest.unit.iotlb);
    access = (VtdAccess){ .perm = X };
    CHECK(!vtd_translate_quick(&guest.unit, &with_pasid, IOVA, access, &out));
    access = (VtdAccess){ .perm = 0 };
    CHECK(!vtd_translate_quick(&guest.unit, &with_pasid, IOVA, access, &out));
    CHECK_EQ(atomic_load(&guest.unit.counters.table_walks), 2);
}

/* What comes between the beginning of a request and its walk. */
TEST(a_plain_walk_that_something_came_before_is_not_kept)
{
    const VtdTag tag = { .did = DID, .pasid = PASID, .first_stage = true };
    VtdAccess access = { .perm = R };
    VtdUnit *u = &guest.unit;

    for (unsigned i = 0; i < 3; i++) {
        VtdKnown known;

        first_stage();
        fake_env_read_in_place(&guest.env, &u->env);
        CHECK_EQ(translate_pasid(IOVA, W), VTD_FAULT_NONE);
        vtd_iotlb_drop_all(&u->iotlb);
        known = vtd_source_known(u, &with_pasid);
        CHECK(known.hit);
        if (i == 1) {
            vtd_forget_configurations(u);
        } else if (i == 2) {
            vtd_iotlb_drop_pasid(&u->iotlb, DID, PASID);
        }
        CHECK(walk_quickly(u, &with_pasid, &known, IOVA, access, &out));
        CHECK_EQ(vtd_iotlb_lookup(&u->iotlb, vtd_iotlb_key(tag), IOVA, &out),
                 !i);
    }
}

TEST(a_plain_word_of_another_configuration_is_not_used)
{
    VtdAccess access = { .perm = R };
    VtdKnown known;

    first_stage();
    fake_env_read_in_place(&guest.env, &guest.unit.env);
    CHECK_EQ(translate_pasid(IOVA, W), VTD_FAULT_NONE);
    known = vtd_source_known(&guest.unit, &with_pasid);
    vtd_forget_configurations(&guest.unit);
    CHECK_EQ(translate_pasid(IOVA, W), VTD_FAULT_NONE); /* decoded anew */
    CHECK(!walk_quickly(&guest.unit, &with_pasid, &known, IOVA, access,
                        &out));
}

TEST(a_plain_miss_after_its_configuration_has_changed_is_none)
{
    VtdAccess access = { .perm = R };

    first_stage();
    fake_env_read_in_place(&guest.env, &guest.unit.env);
    CHECK_EQ(translate_pasid(IOVA, W), VTD_FAULT_NONE);
    vtd_forget_configurations(&guest.unit);
    CHECK(!vtd_translate_quick(&guest.unit, &with_pasid, IOVA, access, &out));
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
    CHECK(vtd_translate_quick(&guest.unit, &with_pasid, IOVA, access, &out));
}

/* The guest makes IOVA's last table another one, with IOVA + 0x1000 in it. */
static void replace_last_table(void)
{
    uint64_t above = tables_entry(&guest.tables, &table, IOVA, 2);
    uint64_t old = fake_load64(&guest.env, above);

    fake_store64(&guest.env, above, 0);
    tables_map(&guest.tables, &table, IOVA + 0x1000, 0x7000, 12,
               MAP_RW | MAP_MARKED);
    CHECK(fake_load64(&guest.env, above) != old);
}

/* What an invalidation does to the last table: kept, a page in it is what the
 * old one said. */
static void check_last_table(bool scalable, uint64_t qw0, uint64_t qw1,
                             bool kept)
{
    scalable ? first_stage() : legacy();
    tables_map(&guest.tables, &table, IOVA + 0x1000, 0x6000, 12, MAP_RW);
    CHECK_EQ(scalable ? translate_pasid(IOVA, R) : translate(IOVA, R, &out),
             VTD_FAULT_NONE);
    replace_last_table();
    invalidate(qw0, qw1);
    tap_context("descriptor 0x%" PRIx64 " 0x%" PRIx64, qw0, qw1);
    CHECK_EQ(scalable ? translate_pasid(IOVA + 0x1000, R)
                      : translate(IOVA + 0x1000, R, &out),
             VTD_FAULT_NONE);
    CHECK_EQ(out.pa, kept ? 0x6000 : 0x7000);
}

TEST(a_last_table_is_dropped_by_what_covers_a_page_of_it)
{
    const uint64_t end = IOVA + 0x1ff000;
    const uint64_t only_leaves = 1 << 6; /* IH */

    check_last_table(false, qi_iotlb(QI_GLOBAL, 0), 0, false);
    check_last_table(false, qi_iotlb(QI_DOMAIN, DID), 0, false);
    check_last_table(false, qi_iotlb(QI_DOMAIN, DID + 1), 0, true);
    check_last_table(false, qi_iotlb(QI_NARROW, DID), end, false);
    check_last_table(false, qi_iotlb(QI_NARROW, DID), IOVA | 9, false);
    check_last_table(false, qi_iotlb(QI_NARROW, DID), IOVA - 0x1000, true);
    check_last_table(false, qi_iotlb(QI_NARROW, DID), end | only_leaves, true);
    check_last_table(true, qi_iotlb(QI_NARROW, DID), end, false);
    check_last_table(true, qi_pasid_iotlb(QI_PIOTLB_PASID, DID, PASID), 0,
                     false);
    check_last_table(true, qi_pasid_iotlb(QI_PIOTLB_PASID, DID, PASID + 1), 0,
                     true);
    check_last_table(true, qi_pasid_iotlb(QI_PIOTLB_PAGE, DID, PASID), end,
                     false);
    check_last_table(true, qi_pasid_iotlb(QI_PIOTLB_PAGE, DID, PASID),
                     end | only_leaves, true);
}

/* Nothing that was kept is a reason for a fault. */
TEST(a_fault_is_what_all_tables_say)
{
    legacy();
    CHECK_EQ(translate(IOVA, R, &out), VTD_FAULT_NONE);
    replace_last_table();
    CHECK_EQ(translate(IOVA + 0x1000, R, &out), VTD_FAULT_NONE);
    CHECK_EQ(out.pa, 0x7000);
    reads();
    CHECK_EQ(translate(IOVA + 0x1000, R, &out), VTD_FAULT_NONE);
    CHECK_EQ(translate(IOVA + 0x2000, R, &out), VTD_FAULT_READ);
    CHECK_EQ(reads(), 1 + 4);
}

TEST(rights_above_a_last_table_count)
{
    uint64_t above;

    first_stage();
    above = tables_entry(&guest.tables, &table, IOVA, 3);
    tables_map(&guest.tables, &table, IOVA + 0x1000, 0x6000, 12,
               MAP_RW | MAP_MARKED);
    fake_store64(&guest.env, above,
                 fake_load64(&guest.env, above) & ~FS_WRITE);
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
    reads();
    CHECK_EQ(translate_pasid(IOVA + 0x1000, R), VTD_FAULT_NONE);
    CHECK_EQ(reads(), 1);
    CHECK_EQ(out.perm, R);
    CHECK_EQ(translate_pasid(IOVA + 0x1000, W), VTD_FAULT_SM_WRITE);
}

TEST(a_translation_is_stale_until_it_is_invalidated)
{
    legacy();
    CHECK_EQ(translate(IOVA, R, &out), VTD_FAULT_NONE);
    remap(0x6000);
    CHECK_EQ(translate(IOVA, R, &out), VTD_FAULT_NONE);
    CHECK_EQ(out.pa, 0x5000);
    invalidate(qi_iotlb(QI_NARROW, DID), IOVA);
    CHECK_EQ(translate(IOVA, R, &out), VTD_FAULT_NONE);
    CHECK_EQ(out.pa, 0x6000);
}

TEST(a_pasids_translation_is_stale_until_it_is_invalidated)
{
    first_stage();
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
    remap(0x6000);
    invalidate(qi_pasid_iotlb(QI_PIOTLB_PAGE, DID, PASID + 1), IOVA);
    invalidate(qi_pasid_iotlb(QI_PIOTLB_PAGE, DID + 1, PASID), IOVA);
    invalidate(qi_pasid_iotlb(QI_PIOTLB_PAGE, DID, PASID), IOVA + 0x1000);
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
    CHECK_EQ(out.pa, 0x5000);
    invalidate(qi_pasid_iotlb(QI_PIOTLB_PAGE, DID, PASID), IOVA);
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
    CHECK_EQ(out.pa, 0x6000);
}

TEST(a_configuration_is_stale_until_it_is_invalidated)
{
    first_stage();
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
    fake_store64(&guest.env, pasid_entry, 0);
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
    invalidate(qi_pasid_cache(QI_PC_PASID, DID, PASID), 0);
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_SM_PASID_NOT_PRESENT);
}

TEST(a_configuration_is_dropped_by_a_context_invalidation)
{
    legacy();
    CHECK_EQ(translate(IOVA, R, &out), VTD_FAULT_NONE);
    fake_store64(&guest.env,
                 tables_legacy_context_place(&guest.tables, guest.root,
                                             GUEST_SID),
                 0);
    CHECK_EQ(translate(IOVA, R, &out), VTD_FAULT_NONE);
    invalidate(qi_context(QI_NARROW, DID, GUEST_SID), 0);
    CHECK_EQ(translate(IOVA, R, &out), VTD_FAULT_CONTEXT_NOT_PRESENT);
}

TEST(a_fault_is_not_cached)
{
    legacy();
    CHECK_EQ(translate(IOVA + 0x1000, R, &out), VTD_FAULT_READ);
    tables_map(&guest.tables, &table, IOVA + 0x1000, 0x7000, 12, MAP_RW);
    CHECK_EQ(translate(IOVA + 0x1000, R, &out), VTD_FAULT_NONE);
    CHECK_EQ(out.pa, 0x7000);
}

static uint64_t source_hit(void)
{
    return vtd_source_known(&guest.unit, &guest.source).hit;
}

/* A hit does not ask whether translation is on. */
TEST(there_are_no_hits_while_nothing_is_translated)
{
    VtdConfig config;

    legacy();
    CHECK_EQ(translate(IOVA, R, &out), VTD_FAULT_NONE);
    CHECK(source_hit());
    command(0, VTD_GCMD_TE);
    CHECK(!source_hit());
    CHECK_EQ(vtd_configuration(&guest.unit, &guest.source, &config),
             VTD_FAULT_NONE);
    CHECK(!source_hit());
    command(VTD_GCMD_TE, 0);
    CHECK_EQ(translate(IOVA, R, &out), VTD_FAULT_NONE);
    CHECK(source_hit());
    vtd_reset(&guest.unit);
    CHECK(!source_hit());
}

TEST(pages_that_interrupts_are_in_are_not_kept)
{
    const uint64_t behind = 0x80100000; /* their 1 MiB */

    legacy();
    tables_map(&guest.tables, &table, 0x80000000, 0xfee00000, 21, MAP_RW);
    CHECK_EQ(translate(behind, R, &out), VTD_FAULT_NONE);
    CHECK_EQ(out.shift, 21);
    reads();
    CHECK_EQ(translate(behind, R, &out), VTD_FAULT_NONE);
    CHECK(reads() > 0);
    CHECK_EQ(translate(behind - 1, R, &out), VTD_FAULT_INTERRUPT_ADDRESS);
}

TEST(a_source_without_configuration_is_not_cached)
{
    first_stage();
    fake_store64(&guest.env, pasid_entry, 0);
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_SM_PASID_NOT_PRESENT);
    first_stage();
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
}

TEST(more_rights_than_cached_walk_again)
{
    first_stage();
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
    CHECK_EQ(out.perm, R);
    reads();
    CHECK_EQ(translate_pasid(IOVA, W), VTD_FAULT_NONE);
    CHECK_EQ(reads(), 1);
    CHECK(fake_load64(&guest.env,
                      tables_entry(&guest.tables, &table, IOVA, 1)) &
          FS_DIRTY);
    CHECK_EQ(translate_pasid(IOVA, W), VTD_FAULT_NONE);
    CHECK_EQ(reads(), 0);
}

TEST(execution_is_checked_on_a_hit)
{
    first_stage();
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
    CHECK_EQ(translate_pasid(IOVA, X), VTD_FAULT_SM_EXECUTE_DISABLED);
}

TEST(sources_of_one_domain_share_translations)
{
    VtdSource other;

    legacy();
    tables_legacy_context(&guest.tables, guest.root, GUEST_SID + 8,
                          &(LegacyContext){
                              .levels = 4, .did = DID, .ss_table = table.root,
                          });
    vtd_source_init(&other, (VtdRequester){ .sid = GUEST_SID + 8 });
    CHECK_EQ(translate(IOVA, R, &out), VTD_FAULT_NONE);
    reads();
    CHECK_EQ(vtd_translate(&guest.unit, &other, IOVA, (VtdAccess){ .perm = R },
                           false, &out),
             VTD_FAULT_NONE);
    CHECK_EQ(reads(), 2); /* its configuration only */
}

TEST(a_request_without_pasid_is_tagged_with_RID_PASID)
{
    first_stage();
    CHECK_EQ(translate(IOVA, R, &out), VTD_FAULT_NONE);
    remap(0x6000);
    invalidate(qi_pasid_iotlb(QI_PIOTLB_PASID, DID, PASID), 0);
    CHECK_EQ(translate(IOVA, R, &out), VTD_FAULT_NONE);
    CHECK_EQ(out.pa, 0x5000);
    invalidate(qi_pasid_iotlb(QI_PIOTLB_PASID, DID, 0), 0);
    CHECK_EQ(translate(IOVA, R, &out), VTD_FAULT_NONE);
    CHECK_EQ(out.pa, 0x6000);
}

/* What the guest does while a walk is on its way ---------------------- */

/* The guest changes the page and invalidates it, at one moment of the walk. */
static uint64_t descriptor[2];

static void change_and_invalidate(FakeEnv *env, void *opaque)
{
    (void)env;
    (void)opaque;
    remap(0x6000);
    invalidate(descriptor[0], descriptor[1]);
}

typedef struct Moment {
    bool behind; /* the call, not before */
    FakeCall call;
    unsigned number;
} Moment;

static void hook_at(Moment m, FakeHook function)
{
    fake_env_forget(&guest.env);
    guest.env.hook = function;
    if (m.behind) {
        guest.env.hook_behind[m.call] = m.number;
    } else {
        guest.env.hook_at[m.call] = m.number;
    }
}

static VtdFault translate_in_mode(bool scalable)
{
    return scalable ? translate_pasid(IOVA, R) : translate(IOVA, R, &out);
}

/* The walk may see either page, but nothing old stays in the cache. */
static void check_race(bool scalable, uint64_t qw0, uint64_t qw1, Moment m)
{
    scalable ? first_stage() : legacy();
    /* Marked: the last entry is not looked at again. */
    remap(0x5000);
    descriptor[0] = qw0;
    descriptor[1] = qw1;
    hook_at(m, change_and_invalidate);
    tap_context("descriptor 0x%" PRIx64 " %s call %u", qw0,
                m.behind ? "behind" : "before", m.number);
    CHECK_EQ(translate_in_mode(scalable), VTD_FAULT_NONE);
    CHECK_EQ(guest.env.calls[FAKE_DELIVER], 1);
    if (m.behind && m.number == 4) {
        CHECK_EQ(out.pa, 0x5000);
    }
    CHECK_EQ(translate_in_mode(scalable), VTD_FAULT_NONE);
    CHECK_EQ(out.pa, 0x6000);
}

TEST(an_invalidation_during_a_second_stage_walk)
{
    for (unsigned n = 0; n < 8; n++) {
        Moment m = { n % 2, FAKE_LOAD64, n / 2 + 1 };

        check_race(false, qi_iotlb(QI_GLOBAL, 0), 0, m);
        check_race(false, qi_iotlb(QI_DOMAIN, DID), 0, m);
        check_race(false, qi_iotlb(QI_NARROW, DID), IOVA, m);
        check_race(false, qi_iotlb(QI_NARROW, DID), IOVA | 9, m);
    }
}

TEST(an_invalidation_during_a_first_stage_walk)
{
    for (unsigned n = 0; n < 8; n++) {
        Moment m = { n % 2, FAKE_LOAD64, n / 2 + 1 };

        check_race(true, qi_iotlb(QI_GLOBAL, 0), 0, m);
        check_race(true, qi_iotlb(QI_DOMAIN, DID), 0, m);
        check_race(true, qi_iotlb(QI_NARROW, DID), IOVA, m);
        check_race(true, qi_pasid_iotlb(QI_PIOTLB_PASID, DID, PASID), 0, m);
        check_race(true, qi_pasid_iotlb(QI_PIOTLB_PAGE, DID, PASID), IOVA, m);
        check_race(true, qi_pasid_iotlb(QI_PIOTLB_PAGE, DID, PASID), IOVA | 9,
                   m);
    }
}

static void replace_table_and_invalidate(FakeEnv *env, void *opaque)
{
    (void)env;
    (void)opaque;
    replace_last_table();
    invalidate(descriptor[0], descriptor[1]);
}

/* The walk may have gone through either, but the old one is not kept. */
static void check_table_race(bool scalable, uint64_t qw0, uint64_t qw1)
{
    scalable ? first_stage() : legacy();
    tables_map(&guest.tables, &table, IOVA + 0x1000, 0x6000, 12, MAP_RW);
    remap(0x5000);
    descriptor[0] = qw0;
    descriptor[1] = qw1;
    hook_at((Moment){ true, FAKE_LOAD64, 4 }, replace_table_and_invalidate);
    tap_context("descriptor 0x%" PRIx64, qw0);
    CHECK_EQ(translate_in_mode(scalable), VTD_FAULT_NONE);
    CHECK_EQ(guest.env.calls[FAKE_DELIVER], 1);
    CHECK_EQ(scalable ? translate_pasid(IOVA + 0x1000, R)
                      : translate(IOVA + 0x1000, R, &out),
             VTD_FAULT_NONE);
    CHECK_EQ(out.pa, 0x7000);
}

TEST(a_last_table_is_replaced_during_a_walk)
{
    check_table_race(false, qi_iotlb(QI_GLOBAL, 0), 0);
    check_table_race(false, qi_iotlb(QI_DOMAIN, DID), 0);
    check_table_race(false, qi_iotlb(QI_NARROW, DID), IOVA + 0x1000);
    check_table_race(false, qi_iotlb(QI_NARROW, DID), IOVA | 9);
    check_table_race(true, qi_iotlb(QI_NARROW, DID), IOVA + 0x1000);
    check_table_race(true, qi_pasid_iotlb(QI_PIOTLB_PASID, DID, PASID), 0);
    check_table_race(true, qi_pasid_iotlb(QI_PIOTLB_PAGE, DID, PASID),
                     IOVA + 0x1000);
}

static uint64_t other_root;

/* The guest gives the PASID another page table and invalidates both caches. */
static void switch_tables(FakeEnv *env, void *opaque)
{
    PasidEntry e = { .pgtt = TABLES_PGTT_FIRST_STAGE, .did = DID,
                     .fs_levels = 4, .fs_table = other_root };

    (void)env;
    (void)opaque;
    tables_pasid(&guest.tables, guest.pasid_dir, PASID, &e);
    invalidate(qi_pasid_cache(QI_PC_PASID, DID, PASID), 0);
    invalidate(qi_pasid_iotlb(QI_PIOTLB_PASID, DID, PASID), 0);
}

static void check_switch(Moment m)
{
    PageTable other;

    first_stage();
    remap(0x5000);
    other = tables_page_table(&guest.tables, STAGE_FIRST, 4, 0);
    tables_map(&guest.tables, &other, IOVA, 0x9000, 12, MAP_RW | MAP_MARKED);
    other_root = other.root;
    hook_at(m, switch_tables);
    tap_context("%s call %u of kind %u", m.behind ? "behind" : "before",
                m.number, m.call);
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
    CHECK_EQ(guest.env.calls[FAKE_DELIVER], 2);
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
    CHECK_EQ(out.pa, 0x9000);
}

TEST(a_change_of_configuration_during_a_translation)
{
    for (unsigned n = 1; n <= 4; n++) {
        check_switch((Moment){ false, FAKE_READ, n });
        check_switch((Moment){ true, FAKE_READ, n });
        check_switch((Moment){ false, FAKE_LOAD64, n });
        check_switch((Moment){ true, FAKE_LOAD64, n });
    }
}

/* Other kinds --------------------------------------------------------- */

TEST(pass_through_in_legacy_mode)
{
    legacy();
    tables_legacy_context(&guest.tables, guest.root, GUEST_SID,
                          &(LegacyContext){
                              .tt = TABLES_TT_PASS_THROUGH, .levels = 4,
                          });
    CHECK_EQ(translate(0x12345678, R | W, &out), VTD_FAULT_NONE);
    CHECK_EQ(out.pa, 0x12345000);
    CHECK_EQ(out.iova, 0x12345000);
    CHECK_EQ(out.perm, R | W | X);
}

TEST(pass_through_in_scalable_mode)
{
    first_stage();
    tables_pasid(&guest.tables, guest.pasid_dir, PASID,
                 &(PasidEntry){ .pgtt = TABLES_PGTT_PASS_THROUGH });
    CHECK_EQ(translate_pasid(0x12345678, R | W), VTD_FAULT_NONE);
    CHECK_EQ(out.pa, 0x12345000);
    reads();
    CHECK_EQ(translate_pasid(0x999999, R | W), VTD_FAULT_NONE);
    CHECK_EQ(reads(), 0);
}

TEST(pass_through_of_a_supervisor_request)
{
    PasidEntry entry = { .pgtt = TABLES_PGTT_PASS_THROUGH };
    VtdAccess access = { .perm = R, .supervisor = true };

    first_stage();
    tables_pasid(&guest.tables, guest.pasid_dir, PASID, &entry);
    CHECK_EQ(vtd_translate(&guest.unit, &with_pasid, IOVA, access, false,
                           &out),
             VTD_FAULT_SM_SUPERVISOR_DISABLED);
    entry.supervisor = true;
    tables_pasid(&guest.tables, guest.pasid_dir, PASID, &entry);
    invalidate(qi_pasid_cache(QI_PC_GLOBAL, 0, 0), 0);
    CHECK_EQ(vtd_translate(&guest.unit, &with_pasid, IOVA, access, false,
                           &out),
             VTD_FAULT_NONE);
}

TEST(output_in_the_interrupt_range_in_legacy_mode)
{
    legacy();
    remap(0xfee00000);
    CHECK_EQ(translate(IOVA, R, &out), VTD_FAULT_INTERRUPT_ADDRESS);
    remap(0xfedff000);
    CHECK_EQ(translate(IOVA, R, &out), VTD_FAULT_NONE);
}

TEST(output_in_the_interrupt_range_in_scalable_mode)
{
    first_stage();
    remap(0xfeeff000);
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_SM_INTERRUPT_ADDRESS);
}

TEST(output_in_the_interrupt_range_of_a_large_page)
{
    legacy();
    tables_map(&guest.tables, &table, 0x80000000, 0xfee00000, 21, MAP_RW);
    CHECK_EQ(translate(0x80100000, R, &out), VTD_FAULT_NONE);
    CHECK_EQ(translate(0x800fffff, R, &out), VTD_FAULT_INTERRUPT_ADDRESS);
    CHECK_EQ(translate(0x80100000, R, &out), VTD_FAULT_NONE);
}

TEST(supervisor_requests_do_not_fill_the_cache)
{
    first_stage();
    CHECK_EQ(vtd_translate(&guest.unit, &with_pasid, IOVA,
                           (VtdAccess){ .perm = R, .supervisor = true }, false,
                           &out),
             VTD_FAULT_SM_SUPERVISOR_DISABLED);
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
    CHECK_EQ(vtd_translate(&guest.unit, &with_pasid, IOVA,
                           (VtdAccess){ .perm = R, .supervisor = true }, false,
                           &out),
             VTD_FAULT_SM_SUPERVISOR_DISABLED);
}

/* Faults -------------------------------------------------------------- */

TEST(a_fault_is_recorded_with_its_page)
{
    legacy();
    CHECK_EQ(translate(IOVA + 0x1234, W, &out), VTD_FAULT_WRITE);
    CHECK_EQ(reg64(VTD_REG_FRCD), IOVA + 0x1000);
    CHECK_EQ(reg64(VTD_REG_FRCD + 8), 0x8000000500000000 | GUEST_SID);
    CHECK_EQ(guest.unit.counters.faults, 1);
}

TEST(a_fault_of_a_pasid_is_recorded_with_it)
{
    first_stage();
    CHECK_EQ(translate_pasid(IOVA + 0x1000, R), VTD_FAULT_FS_NOT_PRESENT);
    CHECK_EQ(reg64(VTD_REG_FRCD + 8),
             0xc000007180000000 | (uint64_t)PASID << 40 | GUEST_SID);
}

TEST(a_quiet_look_records_nothing)
{
    legacy();
    CHECK_EQ(vtd_translate(&guest.unit, &guest.source, IOVA + 0x1000,
                           (VtdAccess){ .perm = R }, true, &out),
             VTD_FAULT_READ);
    CHECK_EQ(reg32(VTD_REG_FSTS), 0);
}

TEST(fault_disable_suppresses_the_record)
{
    legacy();
    tables_legacy_context(&guest.tables, guest.root, GUEST_SID,
                          &(LegacyContext){
                              .levels = 4, .did = DID, .ss_table = table.root,
                              .fault_disable = true,
                          });
    CHECK_EQ(translate(IOVA + 0x1000, R, &out), VTD_FAULT_READ);
    CHECK_EQ(reg32(VTD_REG_FSTS), 0);
}

TEST(fault_disable_of_an_entry_that_is_not_present_suppresses_the_record)
{
    first_stage();
    fake_store64(&guest.env, pasid_entry, 2);
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_SM_PASID_NOT_PRESENT);
    CHECK_EQ(reg32(VTD_REG_FSTS), 0);
}

TEST(fault_disable_counts_for_a_cached_configuration)
{
    first_stage();
    fake_store64(&guest.env, pasid_entry,
                 fake_load64(&guest.env, pasid_entry) | 2);
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
    CHECK_EQ(translate_pasid(IOVA + 0x1000, R), VTD_FAULT_FS_NOT_PRESENT);
    CHECK_EQ(reg32(VTD_REG_FSTS), 0);
}

TEST(unqualified_faults_are_recorded_whatever_comes_behind)
{
    legacy();
    fake_store64(&guest.env, guest.root, 0);
    CHECK_EQ(translate(IOVA, R, &out), VTD_FAULT_ROOT_NOT_PRESENT);
    CHECK_EQ(reg32(VTD_REG_FSTS), 2);
}

TEST(walks_are_counted)
{
    first_stage();
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
    CHECK_EQ(guest.unit.counters.table_walks, 1);
    CHECK_EQ(guest.unit.counters.nested_walks, 0);
}

/* Configurations ------------------------------------------------------ */

TEST(every_field_of_a_configuration_survives_the_cache)
{
    VtdConfig fresh;
    VtdConfig cached;

    first_stage();
    tables_pasid(&guest.tables, guest.pasid_dir, PASID,
                 &(PasidEntry){
                     .pgtt = TABLES_PGTT_NESTED, .did = 0xfedc,
                     .ss_levels = 3, .ss_table = 0x123456789000,
                     .fs_levels = 4, .fs_table = 0xfedcba987000,
                     .execute = true, .write_protect = true,
                     .no_execute = true, .fault_disable = true,
                 });
    tables_scalable_context(&guest.tables, guest.root, GUEST_SID,
                            &(ScalableContext){
                                .pasid_dir = guest.pasid_dir, .pdts = 7,
                                .pasid_enable = true, .device_tlb = true,
                            });
    CHECK_EQ(vtd_configuration(&guest.unit, &with_pasid, &fresh),
             VTD_FAULT_NONE);
    reads();
    CHECK_EQ(vtd_configuration(&guest.unit, &with_pasid, &cached),
             VTD_FAULT_NONE);
    CHECK_EQ(reads(), 0);
    CHECK_EQ(cached.kind, VTD_NESTED);
    CHECK_EQ(cached.did, 0xfedc);
    CHECK_EQ(cached.pasid, PASID);
    CHECK_EQ(cached.fs_table, 0xfedcba987000);
    CHECK_EQ(cached.ss_table, 0x123456789000);
    CHECK_EQ(cached.fs_levels, 4);
    CHECK_EQ(cached.ss_levels, 3);
    CHECK(cached.scalable && cached.has_pasid && cached.device_tlb);
    CHECK(cached.fault_disable && cached.execute_enable);
    CHECK(cached.write_protect && cached.no_execute);
    CHECK_EQ(cached.supervisor_enable, fresh.supervisor_enable);
    CHECK_EQ(cached.extended_accessed, fresh.extended_accessed);
    CHECK_EQ(cached.supervisor, fresh.supervisor);
}

TEST(a_configuration_in_the_making_is_not_used)
{
    first_stage();
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
    reads();
    atomic_fetch_add(&with_pasid.seq, 1); /* another thread is at work */
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
    CHECK_EQ(reads(), 4);
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
    CHECK_EQ(reads(), 4);
    atomic_fetch_add(&with_pasid.seq, 1);
    CHECK_EQ(translate_pasid(IOVA, R), VTD_FAULT_NONE);
    CHECK_EQ(reads(), 0);
}
