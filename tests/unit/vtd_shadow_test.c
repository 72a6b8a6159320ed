/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_shadow.h"

#include <string.h>

#include "guest.h"
#include "tap.h"

#define IOVA 0x40000000ull
#define PAGE 0x1000ull
#define TARGET 0x00700000ull
#define MAX_EVENTS 4096

typedef struct Event {
    bool map;
    uint64_t iova;
    uint64_t size;
    uint64_t pa;
    uint8_t perm;
} Event;

static VtdCaps caps;
static PageTable ss;
static VtdShadow *shadow;
static Event event[MAX_EVENTS];
static unsigned events;

static void on_map(void *opaque, const VtdMapping *page)
{
    (void)opaque;
    CHECK(events < MAX_EVENTS);
    event[events++] = (Event){
        .map = true,
        .iova = page->iova,
        .size = 1ull << page->shift,
        .pa = page->pa,
        .perm = page->perm,
    };
}

static void on_unmap(void *opaque, uint64_t iova, uint64_t size)
{
    (void)opaque;
    CHECK(events < MAX_EVENTS);
    CHECK_EQ(iova & (size - 1), 0);
    event[events++] = (Event){ .iova = iova, .size = size };
}

static const VtdShadowSink sink = { .map = on_map, .unmap = on_unmap };

static void sync_range(uint64_t first, uint64_t last)
{
    events = 0;
    vtd_shadow_sync(shadow, first, last, &sink);
}

static void sync_all(void)
{
    sync_range(0, UINT64_MAX);
}

static void start_with(unsigned levels, uint64_t root)
{
    VtdOptions options = options_legacy();
    VtdConfig config = { .kind = VTD_SECOND_STAGE, .ss_levels = levels };

    CHECK(!vtd_caps_compose(&options, &caps));
    config.ss_table = root;
    if (shadow) {
        vtd_shadow_free(shadow);
    }
    shadow = vtd_shadow_new(&guest.interface, &caps, &config);
    CHECK(shadow);
}

static void start(void)
{
    guest_memory();
    ss = tables_page_table(&guest.tables, STAGE_SECOND, 4, 0);
    start_with(4, ss.root);
}

static void map(uint64_t iova, uint64_t pa, unsigned shift, unsigned rights)
{
    tables_map(&guest.tables, &ss, iova, pa, shift, rights);
}

static void set_entry(uint64_t iova, unsigned level, uint64_t raw)
{
    fake_store64(&guest.env, tables_entry(&guest.tables, &ss, iova, level),
                 raw);
}

static void check_map(unsigned i, uint64_t iova, uint64_t pa, uint64_t size,
                      unsigned perm)
{
    CHECK(i < events);
    CHECK(event[i].map);
    CHECK_EQ(event[i].iova, iova);
    CHECK_EQ(event[i].pa, pa);
    CHECK_EQ(event[i].size, size);
    CHECK_EQ(event[i].perm & (VTD_PERM_READ | VTD_PERM_WRITE), perm);
}

static void check_unmap(unsigned i, uint64_t iova, uint64_t size)
{
    CHECK(i < events);
    CHECK(!event[i].map);
    CHECK_EQ(event[i].iova, iova);
    CHECK_EQ(event[i].size, size);
}

TEST(a_new_mirror_is_empty_until_it_is_synchronised)
{
    start();
    map(IOVA, TARGET, 12, MAP_RW);
    events = 0;
    vtd_shadow_replay(shadow, &sink);
    CHECK_EQ(events, 0);
    sync_all();
    CHECK_EQ(events, 1);
    check_map(0, IOVA, TARGET, PAGE, VTD_PERM_READ | VTD_PERM_WRITE);
}

TEST(what_did_not_change_is_not_told_again)
{
    start();
    map(IOVA, TARGET, 12, MAP_RW);
    sync_all();
    sync_all();
    CHECK_EQ(events, 0);
}

TEST(of_many_pages_only_the_changed_one_is_told)
{
    start();
    for (unsigned i = 0; i < 1024; i++) {
        map(IOVA + i * PAGE, TARGET + i * PAGE, 12, MAP_RW);
    }
    sync_all();
    CHECK_EQ(events, 1024);
    set_entry(IOVA + 700 * PAGE, 1, 0x123000 | SS_READ);
    sync_all();
    CHECK_EQ(events, 2);
    check_unmap(0, IOVA + 700 * PAGE, PAGE);
    check_map(1, IOVA + 700 * PAGE, 0x123000, PAGE, VTD_PERM_READ);
}

TEST(a_page_that_goes_is_unmapped)
{
    start();
    map(IOVA, TARGET, 12, MAP_RW);
    sync_all();
    set_entry(IOVA, 1, 0);
    sync_range(IOVA, IOVA + PAGE - 1);
    CHECK_EQ(events, 1);
    check_unmap(0, IOVA, PAGE);
}

TEST(a_change_outside_the_range_is_left_for_later)
{
    start();
    map(IOVA, TARGET, 12, MAP_RW);
    map(IOVA + PAGE, TARGET + PAGE, 12, MAP_RW);
    sync_all();
    set_entry(IOVA, 1, 0);
    set_entry(IOVA + PAGE, 1, 0);
    sync_range(IOVA + PAGE, IOVA + 2 * PAGE - 1);
    CHECK_EQ(events, 1);
    check_unmap(0, IOVA + PAGE, PAGE);
    sync_all();
    CHECK_EQ(events, 1);
    check_unmap(0, IOVA, PAGE);
}

TEST(large_pages_are_mapped_in_one_piece)
{
    start();
    map(IOVA, 0x40000000, 30, MAP_RW);
    map(IOVA + (1ull << 30), 0x200000, 21, MAP_READ);
    sync_all();
    CHECK_EQ(events, 2);
    check_map(0, IOVA, 0x40000000, 1ull << 30,
              VTD_PERM_READ | VTD_PERM_WRITE);
    check_map(1, IOVA + (1ull << 30), 0x200000, 1ull << 21, VTD_PERM_READ);
}

TEST(a_table_that_goes_takes_its_pages_with_it_in_one_range)
{
    start();
    for (unsigned i = 0; i < 10; i++) {
        map(IOVA + i * PAGE, TARGET + i * PAGE, 12, MAP_RW);
    }
    sync_all();
    set_entry(IOVA, 2, 0);
    sync_all();
    CHECK_EQ(events, 1);
    check_unmap(0, IOVA, 1ull << 21);
}

TEST(an_empty_table_that_goes_is_not_told)
{
    start();
    map(IOVA, TARGET, 12, MAP_RW);
    set_entry(IOVA, 1, 0);
    sync_all();
    CHECK_EQ(events, 0);
    set_entry(IOVA, 2, 0);
    sync_all();
    CHECK_EQ(events, 0);
}

TEST(rights_of_the_tables_above_limit_a_page)
{
    start();
    map(IOVA, TARGET, 12, MAP_RW);
    uint64_t place = tables_entry(&guest.tables, &ss, IOVA, 3);
    fake_store64(&guest.env, place,
                 fake_load64(&guest.env, place) & ~SS_WRITE);
    sync_all();
    CHECK_EQ(events, 1);
    check_map(0, IOVA, TARGET, PAGE, VTD_PERM_READ);
}

TEST(reserved_bits_leave_a_page_unmapped)
{
    start();
    map(IOVA, TARGET, 12, MAP_RW);
    set_entry(IOVA, 1, TARGET | SS_READ | 1ull << 51);
    sync_all();
    CHECK_EQ(events, 0);
}

TEST(a_table_outside_memory_maps_nothing_and_unmaps_what_was)
{
    start();
    map(IOVA, TARGET, 12, MAP_RW);
    sync_all();
    set_entry(IOVA, 2, 0x3f00000000ull | SS_READ | SS_WRITE);
    sync_all();
    CHECK_EQ(events, 1);
    check_unmap(0, IOVA, 1ull << 21);
}

TEST(replay_tells_all_that_is_mapped_and_nothing_else)
{
    start();
    map(IOVA, TARGET, 12, MAP_RW);
    map(IOVA + (1ull << 30), 0x200000, 21, MAP_READ);
    map(IOVA + 5 * PAGE, TARGET, 12, MAP_RW);
    set_entry(IOVA + 5 * PAGE, 1, 0);
    sync_all();
    events = 0;
    vtd_shadow_replay(shadow, &sink);
    CHECK_EQ(events, 2);
    check_map(0, IOVA, TARGET, PAGE, VTD_PERM_READ | VTD_PERM_WRITE);
    check_map(1, IOVA + (1ull << 30), 0x200000, 1ull << 21, VTD_PERM_READ);
}

TEST(withdrawal_is_one_range_and_none_if_nothing_is_mapped)
{
    start();
    events = 0;
    vtd_shadow_withdraw(shadow, &sink);
    CHECK_EQ(events, 0);
    map(IOVA, TARGET, 12, MAP_RW);
    sync_all();
    events = 0;
    vtd_shadow_withdraw(shadow, &sink);
    CHECK_EQ(events, 1);
    check_unmap(0, 0, 1ull << 48);
}

static void count_map(void *opaque, const VtdMapping *page)
{
    uint64_t *count = opaque;

    CHECK_EQ(page->shift, 12);
    ++*count;
}

/* One table that stands for itself at each level: 2^36 pages. */
TEST(tables_that_contain_themselves_are_cut_at_a_bound)
{
    uint64_t pages = 0;
    VtdShadowSink counter = { .opaque = &pages, .map = count_map };
    uint64_t table;

    guest_memory();
    table = tables_alloc(&guest.tables, 1);
    for (unsigned i = 0; i < 512; i++) {
        fake_store64(&guest.env, table + i * 8, table | SS_READ);
    }
    start_with(4, table);
    CHECK(!vtd_shadow_truncated(shadow));
    vtd_shadow_sync(shadow, 0, UINT64_MAX, &counter);
    CHECK(vtd_shadow_truncated(shadow));
    CHECK(pages < 512ull * VTD_SHADOW_MAX_TABLES);
}

/* A slow twin: what the tables map, page by page, through the walker. */
static bool mapped_at(uint64_t iova, uint64_t *pa)
{
    VtdConfig config = {
        .kind = VTD_SECOND_STAGE,
        .ss_levels = 4,
        .ss_table = ss.root,
    };
    VtdMapping out;

    for (unsigned perm = 1; perm <= 2; perm++) {
        VtdWalk walk = {
            .env = &guest.interface,
            .caps = &caps,
            .config = &config,
            .access = { .perm = perm },
        };

        if (!vtd_walk(&walk, iova, &out)) {
            *pa = out.pa | (iova & ((1ull << out.shift) - 1));
            return true;
        }
    }
    return false;
}

#define WINDOW_PAGES 2048
static uint64_t user[WINDOW_PAGES]; /* page address | 1, or 0 */

static void user_map(void *opaque, const VtdMapping *page)
{
    (void)opaque;
    for (uint64_t off = 0; off < 1ull << page->shift; off += PAGE) {
        uint64_t i = (page->iova + off - IOVA) / PAGE;

        CHECK(i < WINDOW_PAGES);
        CHECK_EQ(user[i], 0); /* never mapped twice */
        user[i] = (page->pa + off) | 1;
    }
}

static void user_unmap(void *opaque, uint64_t iova, uint64_t size)
{
    (void)opaque;
    for (uint64_t i = 0; i < WINDOW_PAGES; i++) {
        uint64_t page = IOVA + i * PAGE;

        if (page >= iova && page - iova < size) {
            user[i] = 0;
        }
    }
}

TEST(random_changes_leave_users_with_what_the_tables_say)
{
    static const VtdShadowSink user_sink = {
        .map = user_map,
        .unmap = user_unmap,
    };
    uint64_t seed = tap_seed();

    start();
    memset(user, 0, sizeof(user));
    for (unsigned round = 0; round < 300; round++) {
        for (unsigned n = tap_random(&seed) % 8; n > 0; n--) {
            uint64_t iova = IOVA + tap_random(&seed) % WINDOW_PAGES * PAGE;
            uint64_t pa = tap_random(&seed) % 512 << 21;

            switch (tap_random(&seed) % 4) {
            case 0:
                if (tables_entry(&guest.tables, &ss, iova, 1)) {
                    set_entry(iova, 1, 0);
                }
                break;
            case 1:
                if (tables_entry(&guest.tables, &ss, iova, 2)) {
                    set_entry(iova, 2, 0);
                }
                break;
            case 2:
                if (tables_entry(&guest.tables, &ss, iova, 2)) {
                    set_entry(iova, 2, pa | SS_PAGE_SIZE | SS_READ);
                }
                break;
            default:
                if (tables_entry(&guest.tables, &ss, iova, 2)) {
                    set_entry(iova, 2, 0);
                }
                map(iova, pa, 12, MAP_RW);
                break;
            }
        }
        vtd_shadow_sync(shadow, 0, UINT64_MAX, &user_sink);
        for (unsigned i = 0; i < WINDOW_PAGES; i++) {
            uint64_t pa = 0;
            bool is = mapped_at(IOVA + i * PAGE, &pa);

            tap_context("round %u, page %u", round, i);
            CHECK_EQ(user[i], is ? pa | 1 : 0);
        }
    }
}
