/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_walk.h"

#include "guest.h"
#include "tap.h"

/* Where first-stage tables appear to the first stage when nested. */
#define BIAS 0x4000000000ull
#define IOVA 0x123456789abcull
#define PAGE_OF(a) ((a) & ~0xfffull)
#define TARGET 0x00770000ull
#define BELOW 0x00330000ull /* what the second stage makes of TARGET */

enum { R = VTD_PERM_READ, W = VTD_PERM_WRITE, X = VTD_PERM_EXEC };

static VtdCaps caps;
static VtdConfig config;
static VtdMapping out;
static PageTable fs;
static PageTable ss;

static void compose(VtdOptions o)
{
    CHECK(!vtd_caps_compose(&o, &caps));
}

static VtdFault walk_as(uint64_t iova, VtdAccess access)
{
    out = (VtdMapping){ 0 };
    return vtd_walk(&(VtdWalk){
                        .env = &guest.interface,
                        .caps = &caps,
                        .config = &config,
                        .access = access,
                    },
                    iova, &out);
}

static VtdFault walk(uint64_t iova, unsigned perm)
{
    return walk_as(iova, (VtdAccess){ .perm = perm });
}

static uint64_t load(uint64_t place)
{
    CHECK(place);
    return fake_load64(&guest.env, place);
}

static void change(uint64_t place, uint64_t set, uint64_t clear)
{
    fake_store64(&guest.env, place, (load(place) & ~clear) | set);
}

static uint64_t fs_entry(unsigned level)
{
    return tables_entry(&guest.tables, &fs, IOVA, level);
}

static uint64_t ss_entry(unsigned level)
{
    return tables_entry(&guest.tables, &ss, IOVA, level);
}

/* A walk of @perm that leads to @pa with @rights. */
static void check_walk(unsigned perm, uint64_t pa, unsigned shift,
                       unsigned rights)
{
    uint64_t within = (1ull << shift) - 1;

    CHECK_EQ(walk(IOVA, perm), VTD_FAULT_NONE);
    CHECK_EQ(out.shift, shift);
    CHECK_EQ(out.iova, IOVA & ~within);
    CHECK_EQ(out.pa, pa);
    CHECK_EQ(out.perm, rights);
}

/* Second stage -------------------------------------------------------- */

static void second_stage(bool scalable, unsigned levels)
{
    guest_memory();
    compose(scalable ? options_nested() : options_legacy());
    ss = tables_page_table(&guest.tables, STAGE_SECOND, levels, 0);
    config = (VtdConfig){
        .kind = VTD_SECOND_STAGE,
        .scalable = scalable,
        .ss_levels = levels,
        .ss_table = ss.root,
    };
}

static void second_stage_page(bool scalable, unsigned rights)
{
    second_stage(scalable, 4);
    tables_map(&guest.tables, &ss, PAGE_OF(IOVA), TARGET, 12, rights);
}

TEST(second_stage_4k_page)
{
    second_stage_page(true, MAP_RW);
    check_walk(R, TARGET, 12, R | W | X);
    check_walk(R | W, TARGET, 12, R | W | X);
}

TEST(second_stage_three_levels)
{
    const uint64_t iova = 0x5a5a5a5000;

    second_stage(true, 3);
    tables_map(&guest.tables, &ss, iova, TARGET, 12, MAP_RW);
    CHECK_EQ(walk(iova + 5, R), VTD_FAULT_NONE);
    CHECK_EQ(out.pa, TARGET);
    CHECK_EQ(out.iova, iova);
}

static VtdOptions options_57(void)
{
    VtdOptions o = options_nested();

    o.aw_bits = 57;
    return o;
}

TEST(second_stage_five_levels)
{
    const uint64_t iova = 0x15a5a5a5a5a5000;

    second_stage(true, 5);
    compose(options_57());
    tables_map(&guest.tables, &ss, iova, TARGET, 12, MAP_RW);
    CHECK_EQ(walk(iova + 5, R), VTD_FAULT_NONE);
    CHECK_EQ(out.pa, TARGET);
    CHECK_EQ(out.iova, iova);
    CHECK_EQ(walk(iova & ~(1ull << 56), R), VTD_FAULT_SS_NOT_PRESENT);
    CHECK_EQ(walk(1ull << 57, R), VTD_FAULT_SM_BEYOND_MGAW);
}

TEST(second_stage_2m_page)
{
    second_stage(true, 4);
    tables_map(&guest.tables, &ss, IOVA & ~0x1fffffull, 0xffe00000, 21,
               MAP_RW);
    check_walk(R, 0xffe00000, 21, R | W | X);
}

TEST(second_stage_1g_page)
{
    second_stage(true, 4);
    tables_map(&guest.tables, &ss, IOVA & ~0x3fffffffull, 0xc0000000, 30,
               MAP_RW);
    check_walk(R, 0xc0000000, 30, R | W | X);
}

TEST(second_stage_no_page_of_512g)
{
    second_stage_page(true, MAP_RW);
    change(ss_entry(4), SS_PAGE_SIZE, 0);
    CHECK_EQ(walk(IOVA, R), VTD_FAULT_SS_RESERVED);
}

TEST(second_stage_page_size_bit_is_ignored_in_a_4k_page)
{
    second_stage_page(true, MAP_RW);
    change(ss_entry(1), SS_PAGE_SIZE, 0);
    check_walk(R, TARGET, 12, R | W | X);
}

TEST(second_stage_read_only)
{
    second_stage_page(true, MAP_READ);
    check_walk(R, TARGET, 12, R | X);
    CHECK_EQ(walk(IOVA, W), VTD_FAULT_SM_WRITE);
    CHECK_EQ(walk(IOVA, R | W), VTD_FAULT_SM_WRITE);
}

TEST(second_stage_write_only)
{
    second_stage_page(true, MAP_WRITE);
    check_walk(W, TARGET, 12, W);
    CHECK_EQ(walk(IOVA, R), VTD_FAULT_SM_READ);
}

TEST(second_stage_rights_are_those_of_all_levels)
{
    for (unsigned level = 2; level <= 4; level++) {
        second_stage_page(true, MAP_RW);
        change(ss_entry(level), 0, SS_WRITE);
        tap_context("level %u", level);
        check_walk(R, TARGET, 12, R | X);
        CHECK_EQ(walk(IOVA, W), VTD_FAULT_SM_WRITE);
    }
}

TEST(second_stage_not_present)
{
    for (unsigned level = 1; level <= 4; level++) {
        second_stage_page(true, MAP_RW);
        change(ss_entry(level), 0, SS_READ | SS_WRITE);
        tap_context("level %u", level);
        CHECK_EQ(walk(IOVA, R), VTD_FAULT_SS_NOT_PRESENT);
    }
}

TEST(second_stage_not_present_in_legacy_mode_is_a_lack_of_rights)
{
    second_stage_page(false, MAP_RW);
    change(ss_entry(1), 0, SS_READ | SS_WRITE);
    CHECK_EQ(walk(IOVA, R), VTD_FAULT_READ);
    CHECK_EQ(walk(IOVA, W), VTD_FAULT_WRITE);
    CHECK_EQ(walk(IOVA, R | W), VTD_FAULT_WRITE);
}

TEST(second_stage_rights_in_legacy_mode)
{
    second_stage_page(false, MAP_READ);
    CHECK_EQ(walk(IOVA, W), VTD_FAULT_WRITE);
    second_stage_page(false, MAP_WRITE);
    CHECK_EQ(walk(IOVA, R), VTD_FAULT_READ);
}

TEST(second_stage_reserved_bits_of_tables)
{
    for (unsigned level = 2; level <= 4; level++) {
        for (unsigned bit = 48; bit < 52; bit++) {
            second_stage_page(true, MAP_RW);
            change(ss_entry(level), 1ull << bit, 0);
            CHECK_EQ(walk(IOVA, R), VTD_FAULT_SS_RESERVED);
        }
        second_stage_page(true, MAP_RW);
        change(ss_entry(level), SS_SNOOP, 0);
        CHECK_EQ(walk(IOVA, R), VTD_FAULT_SS_RESERVED);
    }
}

TEST(second_stage_reserved_bits_of_large_pages)
{
    for (unsigned shift = 21; shift <= 30; shift += 9) {
        for (unsigned bit = 12; bit < shift; bit++) {
            second_stage(true, 4);
            tables_map(&guest.tables, &ss, IOVA >> shift << shift,
                       1ull << 30 | 1ull << bit, shift, MAP_RW);
            tap_context("bit %u of a page of 1 << %u", bit, shift);
            CHECK_EQ(walk(IOVA, R), VTD_FAULT_SS_RESERVED);
        }
    }
}

TEST(second_stage_reserved_bits_in_legacy_mode)
{
    second_stage_page(false, MAP_RW);
    change(ss_entry(1), SS_TRANSIENT, 0);
    CHECK_EQ(walk(IOVA, R), VTD_FAULT_PAGING_ENTRY_RESERVED);
}

TEST(second_stage_ignored_bits_are_ignored)
{
    second_stage_page(true, MAP_RW);
    /* bits 6:2, 10:7, 61:52 and 63 of a page */
    change(ss_entry(1), 0xbff00000000007fcull & ~SS_TRANSIENT, 0);
    check_walk(R, TARGET, 12, R | W | X);
}

TEST(second_stage_address_beyond_the_levels)
{
    second_stage_page(true, MAP_RW);
    CHECK_EQ(walk(1ull << 48, R), VTD_FAULT_SM_BEYOND_MGAW);
    CHECK_EQ(walk(~0ull, R), VTD_FAULT_SM_BEYOND_MGAW);
    second_stage(true, 3);
    CHECK_EQ(walk(1ull << 39, R), VTD_FAULT_SM_BEYOND_MGAW);
    CHECK_EQ(walk((1ull << 39) - 1, R), VTD_FAULT_SS_NOT_PRESENT);
    second_stage_page(false, MAP_RW);
    CHECK_EQ(walk(1ull << 48, R), VTD_FAULT_BEYOND_MGAW);
}

TEST(second_stage_failing_reads)
{
    second_stage_page(true, MAP_RW);
    for (unsigned n = 1; n <= 4; n++) {
        fake_env_forget(&guest.env);
        guest.env.fail_at[FAKE_LOAD64] = n;
        tap_context("read %u", n);
        CHECK_EQ(walk(IOVA, R),
                 n == 1 ? VTD_FAULT_SS_ROOT_ACCESS : VTD_FAULT_SS_ACCESS);
    }
    second_stage_page(false, MAP_RW);
    guest.env.fail_at[FAKE_LOAD64] = 3;
    CHECK_EQ(walk(IOVA, R), VTD_FAULT_PAGING_ENTRY_ACCESS);
    fake_env_forget(&guest.env);
    guest.env.fail_at[FAKE_LOAD64] = 1;
    CHECK_EQ(walk(IOVA, R), VTD_FAULT_CONTEXT_INVALID);
}

TEST(second_stage_each_entry_is_read_once_and_not_written)
{
    second_stage_page(true, MAP_RW);
    fake_env_forget(&guest.env);
    CHECK_EQ(walk(IOVA, R | W), VTD_FAULT_NONE);
    CHECK_EQ(fake_env_reads(&guest.env), 4);
    CHECK_EQ(guest.env.calls[FAKE_CAS64], 0);
}

TEST(a_look_without_rights_needs_no_rights)
{
    second_stage_page(true, MAP_READ);
    check_walk(0, TARGET, 12, R | X);
}

/* First stage --------------------------------------------------------- */

static void first_stage(void)
{
    guest_memory();
    compose(options_nested());
    fs = tables_page_table(&guest.tables, STAGE_FIRST, 4, 0);
    config = (VtdConfig){
        .kind = VTD_FIRST_STAGE,
        .scalable = true,
        .execute_enable = true,
        .fs_levels = 4,
        .fs_table = fs.root,
    };
}

/* IOVA's lower half of the address space, bit 47 clear. */
static void first_stage_page(unsigned rights)
{
    first_stage();
    tables_map(&guest.tables, &fs, PAGE_OF(IOVA), TARGET, 12, rights);
}

TEST(first_stage_4k_page)
{
    first_stage_page(MAP_RW | MAP_MARKED);
    check_walk(R, TARGET, 12, R | W | X);
    check_walk(R | W, TARGET, 12, R | W | X);
}

TEST(first_stage_2m_page)
{
    first_stage();
    tables_map(&guest.tables, &fs, IOVA & ~0x1fffffull, 0x40000000, 21,
               MAP_RW | MAP_MARKED);
    check_walk(R, 0x40000000, 21, R | W | X);
}

TEST(first_stage_1g_page)
{
    first_stage();
    tables_map(&guest.tables, &fs, IOVA & ~0x3fffffffull, 0x40000000, 30,
               MAP_RW | MAP_MARKED);
    check_walk(R, 0x40000000, 30, R | W | X);
}

TEST(first_stage_1g_page_without_FS1GP)
{
    VtdOptions o = options_nested();

    first_stage();
    o.fs1gp = false;
    compose(o);
    tables_map(&guest.tables, &fs, IOVA & ~0x3fffffffull, 0x40000000, 30,
               MAP_RW);
    CHECK_EQ(walk(IOVA, R), VTD_FAULT_FS_RESERVED);
}

TEST(first_stage_no_page_of_512g)
{
    first_stage_page(MAP_RW);
    change(fs_entry(4), FS_PAGE_SIZE, 0);
    CHECK_EQ(walk(IOVA, R), VTD_FAULT_FS_RESERVED);
}

TEST(first_stage_upper_half)
{
    const uint64_t iova = 0xffff800000000000;

    first_stage();
    tables_map(&guest.tables, &fs, iova, TARGET, 12, MAP_RW);
    CHECK_EQ(walk(iova + 9, R), VTD_FAULT_NONE);
    CHECK_EQ(out.iova, iova);
    CHECK_EQ(out.pa, TARGET);
}

static void first_stage_five_levels(uint64_t iova)
{
    first_stage();
    compose(options_57());
    fs = tables_page_table(&guest.tables, STAGE_FIRST, 5, 0);
    config.fs_levels = 5;
    config.fs_table = fs.root;
    tables_map(&guest.tables, &fs, iova, TARGET, 12, MAP_RW);
}

TEST(first_stage_of_five_levels)
{
    static const uint64_t iovas[] = { 0x00a5123456789000, 0xff23456789abc000 };

    for (unsigned i = 0; i < 2; i++) {
        first_stage_five_levels(iovas[i]);
        CHECK_EQ(walk(iovas[i] + 9, R | W), VTD_FAULT_NONE);
        CHECK_EQ(out.iova, iovas[i]);
        CHECK_EQ(out.pa, TARGET);
    }
}

TEST(first_stage_of_five_levels_address_not_canonical)
{
    first_stage_five_levels(IOVA);
    CHECK_EQ(walk(0x0100000000000000, R), VTD_FAULT_SM_NOT_CANONICAL);
    CHECK_EQ(walk(0xfeffffffffffffff, R), VTD_FAULT_SM_NOT_CANONICAL);
    CHECK_EQ(walk(0x00ffffffffffffff, R), VTD_FAULT_FS_NOT_PRESENT);
    CHECK_EQ(walk(0xff00000000000000, R), VTD_FAULT_FS_NOT_PRESENT);
}

TEST(first_stage_of_five_levels_marks_each_of_them)
{
    first_stage_five_levels(IOVA);
    CHECK_EQ(walk(IOVA, R | W), VTD_FAULT_NONE);
    for (unsigned level = 1; level <= 5; level++) {
        CHECK(load(fs_entry(level)) & FS_ACCESSED);
    }
    CHECK(load(fs_entry(1)) & FS_DIRTY);
}

TEST(first_stage_address_not_canonical)
{
    first_stage_page(MAP_RW);
    CHECK_EQ(walk(0x0000800000000000, R), VTD_FAULT_SM_NOT_CANONICAL);
    CHECK_EQ(walk(0xffff7fffffffffff, R), VTD_FAULT_SM_NOT_CANONICAL);
    CHECK_EQ(walk(IOVA | 1ull << 48, R), VTD_FAULT_SM_NOT_CANONICAL);
    CHECK_EQ(walk(IOVA | 1ull << 63, R), VTD_FAULT_SM_NOT_CANONICAL);
    CHECK_EQ(walk(0x00007fffffffffff, R), VTD_FAULT_FS_NOT_PRESENT);
    CHECK_EQ(walk(0xffff800000000000, R), VTD_FAULT_FS_NOT_PRESENT);
}

TEST(first_stage_not_present)
{
    for (unsigned level = 1; level <= 4; level++) {
        first_stage_page(MAP_RW);
        change(fs_entry(level), 0, FS_PRESENT);
        tap_context("level %u", level);
        CHECK_EQ(walk(IOVA, R), VTD_FAULT_FS_NOT_PRESENT);
    }
}

TEST(first_stage_read_only)
{
    for (unsigned level = 1; level <= 4; level++) {
        first_stage_page(MAP_RW);
        change(fs_entry(level), 0, FS_WRITE);
        tap_context("level %u", level);
        check_walk(R, TARGET, 12, R | X);
        CHECK_EQ(walk(IOVA, W), VTD_FAULT_SM_WRITE);
        CHECK_EQ(load(fs_entry(1)) & FS_DIRTY, 0);
    }
}

TEST(first_stage_supervisor_page)
{
    for (unsigned level = 1; level <= 4; level++) {
        first_stage_page(MAP_RW);
        change(fs_entry(level), 0, FS_USER);
        tap_context("level %u", level);
        CHECK_EQ(walk(IOVA, R), VTD_FAULT_SM_PRIVILEGE);
        CHECK_EQ(walk(IOVA, W), VTD_FAULT_SM_PRIVILEGE);
        CHECK_EQ(load(fs_entry(1)) & FS_DIRTY, 0);
    }
}

TEST(first_stage_execute)
{
    first_stage_page(MAP_RW);
    check_walk(X, TARGET, 12, R | X);
}

TEST(first_stage_execute_disable)
{
    for (unsigned level = 1; level <= 4; level++) {
        first_stage_page(MAP_RW);
        change(fs_entry(level), FS_NO_EXECUTE, 0);
        tap_context("level %u", level);
        config.no_execute = true;
        check_walk(R, TARGET, 12, R);
        CHECK_EQ(walk(IOVA, X), VTD_FAULT_SM_NO_EXECUTE);
        config.no_execute = false;
        check_walk(X, TARGET, 12, R | X);
    }
}

TEST(first_stage_execute_without_ERE)
{
    first_stage_page(MAP_RW);
    config.execute_enable = false;
    CHECK_EQ(walk(IOVA, X), VTD_FAULT_SM_EXECUTE_DISABLED);
    check_walk(R, TARGET, 12, R);
}

TEST(first_stage_supervisor_request_without_SRE)
{
    first_stage_page(MAP_RW);
    CHECK_EQ(walk_as(IOVA, (VtdAccess){ R, true }),
             VTD_FAULT_SM_SUPERVISOR_DISABLED);
}

TEST(first_stage_supervisor_request)
{
    first_stage_page(MAP_READ);
    config.supervisor_enable = true;
    CHECK_EQ(walk_as(IOVA, (VtdAccess){ R, true }), VTD_FAULT_NONE);
    CHECK_EQ(walk_as(IOVA, (VtdAccess){ W, true }), VTD_FAULT_NONE);
    CHECK(load(fs_entry(1)) & FS_DIRTY);
    config.write_protect = true;
    CHECK_EQ(walk_as(IOVA, (VtdAccess){ W, true }), VTD_FAULT_SM_WRITE);
}

TEST(first_stage_reserved_bits)
{
    for (unsigned level = 1; level <= 4; level++) {
        for (unsigned bit = 48; bit < 52; bit++) {
            first_stage_page(MAP_RW);
            change(fs_entry(level), 1ull << bit, 0);
            CHECK_EQ(walk(IOVA, R), VTD_FAULT_FS_RESERVED);
        }
    }
}

TEST(first_stage_reserved_bits_of_large_pages)
{
    for (unsigned shift = 21; shift <= 30; shift += 9) {
        for (unsigned bit = 12; bit < shift; bit++) {
            first_stage();
            tables_map(&guest.tables, &fs, IOVA >> shift << shift,
                       1ull << 30 | 1ull << bit, shift, MAP_RW);
            tap_context("bit %u of a page of 1 << %u", bit, shift);
            /* bit 12 is PAT */
            CHECK_EQ(walk(IOVA, R),
                     bit == 12 ? VTD_FAULT_NONE : VTD_FAULT_FS_RESERVED);
            if (bit == 12) {
                CHECK_EQ(out.pa, 1 << 30);
            }
        }
    }
}

TEST(first_stage_ignored_bits_are_ignored)
{
    first_stage_page(MAP_RW | MAP_MARKED);
    /* PWT, PCD, PAT, G, 11:9, 62:52 */
    change(fs_entry(1), 0x7ff0000000000f98, 0);
    check_walk(R, TARGET, 12, R | W | X);
}

TEST(first_stage_failing_reads)
{
    first_stage_page(MAP_RW);
    for (unsigned n = 1; n <= 4; n++) {
        fake_env_forget(&guest.env);
        guest.env.fail_at[FAKE_LOAD64] = n;
        tap_context("read %u", n);
        CHECK_EQ(walk(IOVA, R),
                 n == 1 ? VTD_FAULT_FS_ROOT_ACCESS : VTD_FAULT_FS_ACCESS);
    }
}

/* Accessed and dirty bits --------------------------------------------- */

TEST(a_read_marks_all_levels_accessed)
{
    first_stage_page(MAP_RW);
    check_walk(R, TARGET, 12, R | X);
    for (unsigned level = 1; level <= 4; level++) {
        CHECK_EQ(load(fs_entry(level)) & (FS_ACCESSED | FS_DIRTY),
                 FS_ACCESSED);
    }
}

TEST(a_write_marks_the_page_dirty)
{
    first_stage_page(MAP_RW);
    check_walk(W, TARGET, 12, R | W | X);
    CHECK_EQ(load(fs_entry(1)) & (FS_ACCESSED | FS_DIRTY),
             FS_ACCESSED | FS_DIRTY);
    CHECK_EQ(load(fs_entry(2)) & FS_DIRTY, 0);
}

TEST(a_write_marks_a_large_page_dirty)
{
    first_stage();
    tables_map(&guest.tables, &fs, IOVA & ~0x1fffffull, 0x40000000, 21,
               MAP_RW);
    check_walk(W, 0x40000000, 21, R | W | X);
    CHECK(load(fs_entry(2)) & FS_DIRTY);
}

TEST(a_read_of_a_clean_page_does_not_allow_writes)
{
    first_stage_page(MAP_RW);
    check_walk(R, TARGET, 12, R | X);
    change(fs_entry(1), FS_DIRTY, 0);
    check_walk(R, TARGET, 12, R | W | X);
}

TEST(extended_accessed_is_marked_when_enabled)
{
    first_stage_page(MAP_RW);
    config.extended_accessed = true;
    CHECK_EQ(walk(IOVA, R), VTD_FAULT_NONE);
    for (unsigned level = 1; level <= 4; level++) {
        CHECK(load(fs_entry(level)) & FS_EXTENDED_ACCESSED);
    }
}

TEST(marks_that_are_there_are_not_written_again)
{
    first_stage_page(MAP_RW);
    CHECK_EQ(walk(IOVA, W), VTD_FAULT_NONE);
    fake_env_forget(&guest.env);
    CHECK_EQ(walk(IOVA, W), VTD_FAULT_NONE);
    CHECK_EQ(guest.env.calls[FAKE_CAS64], 0);
    CHECK_EQ(fake_env_reads(&guest.env), 4);
}

TEST(an_entry_not_present_is_not_marked)
{
    first_stage_page(MAP_RW);
    change(fs_entry(1), 0, FS_PRESENT);
    CHECK_EQ(walk(IOVA, W), VTD_FAULT_FS_NOT_PRESENT);
    CHECK_EQ(load(fs_entry(1)) & (FS_ACCESSED | FS_DIRTY), 0);
}

static void remap_page(FakeEnv *env, void *opaque)
{
    (void)env;
    (void)opaque;
    fake_store64(&guest.env, fs_entry(1),
                 (TARGET + 0x1000) | FS_PRESENT | FS_WRITE | FS_USER);
}

static void unmap_page(FakeEnv *env, void *opaque)
{
    (void)env;
    (void)opaque;
    fake_store64(&guest.env, fs_entry(1), 0);
}

static void hook(FakeCall call, unsigned number, FakeHook function)
{
    fake_env_forget(&guest.env);
    guest.env.hook = function;
    guest.env.hook_at[call] = number;
}

TEST(an_entry_that_changes_before_it_is_marked_is_read_again)
{
    first_stage_page(MAP_RW);
    hook(FAKE_CAS64, 4, remap_page);
    check_walk(W, TARGET + 0x1000, 12, R | W | X);
    CHECK(load(fs_entry(1)) & FS_DIRTY);
}

TEST(an_entry_that_goes_away_before_it_is_marked_is_not_marked)
{
    first_stage_page(MAP_RW);
    hook(FAKE_CAS64, 4, unmap_page);
    CHECK_EQ(walk(IOVA, W), VTD_FAULT_FS_NOT_PRESENT);
    CHECK_EQ(load(fs_entry(1)), 0);
}

/* Changes the page's ignored bits before each attempt to mark it. */
static void change_for_ever(FakeEnv *env, void *opaque)
{
    (void)opaque;
    change(fs_entry(1), 0, FS_ACCESSED);
    change(fs_entry(1), env->calls[FAKE_CAS64] & 1 ? 1ull << 52 : 0,
           1ull << 52);
    env->hook_at[FAKE_CAS64]++;
}

TEST(an_entry_that_changes_for_ever_does_not_hold_the_walk)
{
    first_stage_page(MAP_RW);
    change(fs_entry(1), 1ull << 52, 0);
    hook(FAKE_CAS64, 4, change_for_ever);
    CHECK_EQ(walk(IOVA, W), VTD_FAULT_FS_UPDATE);
    CHECK(guest.env.calls[FAKE_CAS64] < 100);
}

TEST(an_entry_that_cannot_be_marked)
{
    for (unsigned n = 1; n <= 4; n++) {
        first_stage_page(MAP_RW);
        guest.env.fail_at[FAKE_CAS64] = n;
        tap_context("level %u", 5 - n);
        CHECK_EQ(walk(IOVA, R), VTD_FAULT_FS_UPDATE);
    }
}

/* Nested -------------------------------------------------------------- */

static void nested(void)
{
    guest_memory();
    compose(options_nested());
    ss = tables_page_table(&guest.tables, STAGE_SECOND, 4, 0);
    fs = tables_page_table(&guest.tables, STAGE_FIRST, 4, BIAS);
    config = (VtdConfig){
        .kind = VTD_NESTED,
        .scalable = true,
        .fs_levels = 4,
        .fs_table = fs.root,
        .ss_levels = 4,
        .ss_table = ss.root,
        .execute_enable = true,
    };
}

/* Second-stage accessed and dirty bits. */

static void check_second_marks(uint64_t leaf_marks)
{
    const uint64_t marks = SS_ACCESSED | SS_DIRTY;

    CHECK_EQ(load(ss_entry(1)) & marks, leaf_marks);
    for (unsigned level = 2; level <= 4; level++) {
        tap_context("level %u", level);
        CHECK_EQ(load(ss_entry(level)) & marks,
                 leaf_marks ? SS_ACCESSED : 0);
    }
}

TEST(without_SSADE_the_second_stage_is_not_marked)
{
    second_stage_page(true, MAP_RW);
    check_walk(R | W, TARGET, 12, R | W | X);
    check_second_marks(0);
}

TEST(with_SSADE_a_read_marks_the_second_stage_accessed)
{
    second_stage_page(true, MAP_RW);
    config.ss_accessed_dirty = true;
    check_walk(R, TARGET, 12, R | X); /* the first write has to walk */
    check_second_marks(SS_ACCESSED);
}

TEST(with_SSADE_a_write_marks_the_second_stage_dirty)
{
    second_stage_page(true, MAP_RW);
    config.ss_accessed_dirty = true;
    check_walk(W, TARGET, 12, R | W | X);
    check_second_marks(SS_ACCESSED | SS_DIRTY);
    fake_env_forget(&guest.env);
    check_walk(R, TARGET, 12, R | W | X);
    CHECK_EQ(guest.env.calls[FAKE_CAS64], 0);
}

TEST(with_SSADE_a_refused_write_dirties_nothing)
{
    second_stage_page(true, MAP_READ);
    config.ss_accessed_dirty = true;
    CHECK_EQ(walk(IOVA, W), VTD_FAULT_SM_WRITE);
    CHECK(!(load(ss_entry(1)) & SS_DIRTY));
}

TEST(with_SSADE_an_entry_that_cannot_be_marked)
{
    second_stage_page(true, MAP_RW);
    config.ss_accessed_dirty = true;
    guest.env.fail_at[FAKE_CAS64] = 1;
    CHECK_EQ(walk(IOVA, R), VTD_FAULT_SS_ACCESS);
}

/* The second stage's entry for what the first stage calls @addr. */
static uint64_t below(uint64_t addr, unsigned level)
{
    return tables_entry(&guest.tables, &ss, addr, level);
}

static void nested_page(unsigned rights)
{
    nested();
    tables_map(&guest.tables, &fs, PAGE_OF(IOVA), TARGET, 12, rights);
    for (unsigned level = 1; level <= 4; level++) {
        uint64_t memory = PAGE_OF(fs_entry(level));

        tables_map(&guest.tables, &ss, memory + BIAS, memory, 12, MAP_RW);
    }
    tables_map(&guest.tables, &ss, TARGET, BELOW, 12, MAP_RW);
}

/* The address of the first-stage table at @level, as the first stage says. */
static uint64_t table_at(unsigned level)
{
    return PAGE_OF(fs_entry(level)) + BIAS;
}

TEST(nested_page_of_4k)
{
    nested_page(MAP_RW | MAP_MARKED);
    check_walk(R, BELOW, 12, R | W | X);
}

TEST(nested_reads_every_first_stage_table_through_the_second_stage)
{
    nested_page(MAP_RW);
    fake_env_forget(&guest.env);
    CHECK_EQ(walk(IOVA, W), VTD_FAULT_NONE);
    /* Four levels, each behind four, and four for the result. */
    CHECK_EQ(guest.env.calls[FAKE_LOAD64], 24);
    for (unsigned level = 1; level <= 4; level++) {
        CHECK(load(fs_entry(level)) & FS_ACCESSED);
    }
    CHECK(load(fs_entry(1)) & FS_DIRTY);
}

TEST(nested_first_stage_tables_moved_by_the_second_stage)
{
    nested_page(MAP_RW);
    for (unsigned level = 1; level <= 4; level++) {
        uint64_t copy = tables_alloc(&guest.tables, 1);
        uint64_t old = PAGE_OF(fs_entry(level));

        nested_page(MAP_RW);
        old = PAGE_OF(fs_entry(level));
        copy = tables_alloc(&guest.tables, 1);
        for (unsigned i = 0; i < 4096; i += 8) {
            fake_store64(&guest.env, copy + i, load(old + i));
            fake_store64(&guest.env, old + i, 0);
        }
        tables_map(&guest.tables, &ss, old + BIAS, copy, 12, MAP_RW);
        tap_context("level %u", level);
        CHECK_EQ(walk(IOVA, R), VTD_FAULT_NONE);
        CHECK_EQ(out.pa, BELOW);
    }
}

TEST(nested_large_pages_of_both_stages)
{
    static const unsigned shifts[] = { 12, 21, 30 };
    const uint64_t middle = 0x80000000;

    for (unsigned i = 0; i < 9; i++) {
        unsigned upper = shifts[i / 3];
        unsigned lower = shifts[i % 3];
        unsigned shift = upper < lower ? upper : lower;
        uint64_t offset = IOVA & ((1ull << upper) - 1);
        uint64_t result = 0xc0000000 + offset;

        nested();
        tables_map(&guest.tables, &fs, IOVA - offset, middle, upper,
                   MAP_RW | MAP_MARKED);
        tables_map_range(&guest.tables, &ss, BIAS, 0, GUEST_RAM, 21, MAP_RW);
        tables_map(&guest.tables, &ss, (middle + offset) >> lower << lower,
                   result >> lower << lower, lower, MAP_RW);
        tap_context("shifts %u, %u", upper, lower);
        check_walk(R, result >> shift << shift, shift, R | W | X);
    }
}

TEST(nested_rights_are_those_of_both_stages)
{
    nested_page(MAP_RW | MAP_MARKED);
    change(below(TARGET, 1), 0, SS_WRITE);
    check_walk(R, BELOW, 12, R | X);
    CHECK_EQ(walk(IOVA, W), VTD_FAULT_SM_WRITE);
    change(below(TARGET, 1), SS_WRITE, SS_READ);
    CHECK_EQ(walk(IOVA, R), VTD_FAULT_SM_READ);
    nested_page(MAP_READ | MAP_USER);
    CHECK_EQ(walk(IOVA, W), VTD_FAULT_SM_WRITE);
}

TEST(nested_clean_page_does_not_allow_writes)
{
    nested_page(MAP_RW);
    check_walk(R, BELOW, 12, R | X);
}

TEST(nested_result_not_mapped_below)
{
    nested_page(MAP_RW);
    change(below(TARGET, 1), 0, SS_READ | SS_WRITE);
    CHECK_EQ(walk(IOVA, R), VTD_FAULT_SS_NOT_PRESENT);
}

TEST(nested_table_not_mapped_below)
{
    for (unsigned level = 1; level <= 4; level++) {
        nested_page(MAP_RW);
        change(below(table_at(level), 1), 0, SS_READ | SS_WRITE);
        tap_context("level %u", level);
        CHECK_EQ(walk(IOVA, R), VTD_FAULT_SS_NOT_PRESENT);
    }
}

TEST(nested_table_not_readable_below)
{
    for (unsigned level = 1; level <= 4; level++) {
        nested_page(MAP_RW);
        change(below(table_at(level), 1), 0, SS_READ);
        tap_context("level %u", level);
        CHECK_EQ(walk(IOVA, R),
                 level == 4 ? VTD_FAULT_FS_ROOT_NO_READ :
                              VTD_FAULT_FS_TABLE_NO_READ);
    }
}

TEST(nested_table_not_writable_below_cannot_be_marked)
{
    for (unsigned level = 1; level <= 4; level++) {
        nested_page(MAP_RW);
        change(below(table_at(level), 1), 0, SS_WRITE);
        tap_context("level %u", level);
        CHECK_EQ(walk(IOVA, R), VTD_FAULT_FS_TABLE_NO_WRITE);
    }
}

TEST(nested_table_not_writable_below_is_fine_when_marked)
{
    nested_page(MAP_RW);
    CHECK_EQ(walk(IOVA, W), VTD_FAULT_NONE);
    for (unsigned level = 1; level <= 4; level++) {
        change(below(table_at(level), 1), 0, SS_WRITE);
    }
    check_walk(W, BELOW, 12, R | W | X);
}

/* A mark in a first-stage table is a write of that table's page. */
TEST(nested_with_SSADE_marked_tables_are_dirty_below)
{
    const uint64_t marks = SS_ACCESSED | SS_DIRTY;

    nested_page(MAP_RW);
    config.ss_accessed_dirty = true;
    CHECK_EQ(walk(IOVA, R), VTD_FAULT_NONE);
    CHECK_EQ(out.perm, R | X);
    for (unsigned level = 1; level <= 4; level++) {
        tap_context("level %u", level);
        CHECK_EQ(load(below(table_at(level), 1)) & marks, marks);
    }
    CHECK_EQ(load(below(TARGET, 1)) & marks, SS_ACCESSED);
    check_walk(W, BELOW, 12, R | W | X);
    CHECK_EQ(load(below(TARGET, 1)) & marks, marks);
}

TEST(nested_with_SSADE_tables_that_need_no_mark_stay_clean_below)
{
    nested_page(MAP_RW);
    CHECK_EQ(walk(IOVA, W), VTD_FAULT_NONE);
    config.ss_accessed_dirty = true;
    check_walk(R, BELOW, 12, R | X);
    for (unsigned level = 1; level <= 4; level++) {
        tap_context("level %u", level);
        CHECK_EQ(load(below(table_at(level), 1)) & (SS_ACCESSED | SS_DIRTY),
                 SS_ACCESSED);
    }
}

TEST(nested_reserved_bits_below)
{
    nested_page(MAP_RW);
    change(below(TARGET, 1), SS_TRANSIENT, 0);
    CHECK_EQ(walk(IOVA, R), VTD_FAULT_SS_RESERVED);
    nested_page(MAP_RW);
    change(below(table_at(3), 2), SS_SNOOP, 0);
    CHECK_EQ(walk(IOVA, R), VTD_FAULT_SS_RESERVED);
}

TEST(nested_addresses_beyond_the_second_stage)
{
    nested_page(MAP_RW);
    config.ss_levels = 3;
    config.ss_table = tables_page_table(&guest.tables, STAGE_SECOND, 3, 0)
                          .root;
    config.fs_table = 1ull << 39;
    CHECK_EQ(walk(IOVA, R), VTD_FAULT_FS_TABLE_BEYOND_WIDTH);
    /* The result, not a table. */
    nested();
    ss = tables_page_table(&guest.tables, STAGE_SECOND, 3, 0);
    config.ss_levels = 3;
    config.ss_table = ss.root;
    fs = tables_page_table(&guest.tables, STAGE_FIRST, 4, 0);
    config.fs_table = fs.root;
    tables_map_range(&guest.tables, &ss, 0, 0, GUEST_RAM, 21, MAP_RW);
    tables_map(&guest.tables, &fs, PAGE_OF(IOVA), 1ull << 39, 12, MAP_RW);
    CHECK_EQ(walk(IOVA, R), VTD_FAULT_SM_BEYOND_SECOND_STAGE);
}

TEST(nested_every_failing_read)
{
    for (unsigned n = 1; n <= 24; n++) {
        VtdFault expected = VTD_FAULT_SS_ACCESS;

        nested_page(MAP_RW);
        if (n > 20) {
            expected = n == 21 ? VTD_FAULT_SS_ROOT_ACCESS :
                                 VTD_FAULT_SS_ACCESS;
        } else if (n % 5 == 0) {
            expected = n == 5 ? VTD_FAULT_FS_ROOT_ACCESS :
                                VTD_FAULT_FS_ACCESS;
        } else if (n % 5 == 1) {
            expected = VTD_FAULT_SS_ROOT_ACCESS;
        }
        guest.env.fail_at[FAKE_LOAD64] = n;
        tap_context("read %u", n);
        CHECK_EQ(walk(IOVA, R), expected);
    }
}

TEST(nested_first_stage_faults_come_before_the_second_stage_of_the_result)
{
    nested_page(MAP_RW);
    change(below(TARGET, 1), 0, SS_READ | SS_WRITE);
    change(fs_entry(1), 0, FS_USER);
    CHECK_EQ(walk(IOVA, R), VTD_FAULT_SM_PRIVILEGE);
}
