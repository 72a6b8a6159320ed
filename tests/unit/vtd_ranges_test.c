/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_ranges.h"

#include <string.h>

#include "tap.h"

#define ROOM 64

static VtdRange ranges[ROOM];
static unsigned count;

static void start(void)
{
    memset(ranges, 0, sizeof(ranges));
    count = 0;
}

static void append(uint64_t addr, unsigned order, bool leaf, unsigned notice)
{
    ranges[count++] = (VtdRange){ addr, order, leaf, notice };
}

static void add_as(uint64_t addr, unsigned order, bool leaf, unsigned notice)
{
    append(addr, order, leaf, notice);
    count = vtd_ranges_merge(ranges, count);
}

static void add(uint64_t addr, unsigned order)
{
    add_as(addr, order, false, count);
}

static void check(unsigned i, uint64_t addr, unsigned order)
{
    CHECK(i < count);
    CHECK_EQ(ranges[i].addr, addr);
    CHECK_EQ(ranges[i].order, order);
}

TEST(a_page_of_a_PASID)
{
    VtdNotice n = { .kind = VTD_NOTICE_PASID_IOTLB, .scope = VTD_SCOPE_PAGE,
                    .addr = 0x7f0000002000, .order = 1, .leaf_only = true };
    VtdRange r = vtd_range_of(&n, 7);

    CHECK_EQ(r.addr, 0x7f0000002000);
    CHECK_EQ(r.order, 1);
    CHECK(r.leaf_only);
    CHECK_EQ(r.notice, 7);
}

TEST(all_else_is_all_addresses)
{
    static const VtdNotice all[] = {
        { .kind = VTD_NOTICE_PASID_IOTLB, .scope = VTD_SCOPE_PASID,
          .leaf_only = true, .addr = 0x1000 },
        { .kind = VTD_NOTICE_PASID_IOTLB, .scope = VTD_SCOPE_PAGE,
          .order = 52 },
        { .kind = VTD_NOTICE_IOTLB, .scope = VTD_SCOPE_GLOBAL },
        { .kind = VTD_NOTICE_IOTLB, .scope = VTD_SCOPE_DOMAIN },
        /* A second-stage address says nothing of first-stage ones. */
        { .kind = VTD_NOTICE_IOTLB, .scope = VTD_SCOPE_PAGE, .addr = 0x1000,
          .leaf_only = true },
    };

    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        VtdRange r = vtd_range_of(&all[i], i);

        tap_context("notice %u", i);
        CHECK_EQ(r.addr, 0);
        CHECK_EQ(r.order, VTD_RANGE_ALL);
        CHECK(!r.leaf_only);
        CHECK_EQ(r.notice, i);
    }
}

TEST(twice_the_same_is_one)
{
    start();
    add(0x5000, 0);
    add(0x5000, 0);
    CHECK_EQ(count, 1);
    check(0, 0x5000, 0);
}

TEST(a_wider_one_takes_the_narrow_ones_in)
{
    start();
    add(0x5000, 0);
    add(0x9000, 0);
    add(0x7000, 0);
    add(0x4000, 2);
    CHECK_EQ(count, 2);
    check(0, 0x4000, 2);
    check(1, 0x9000, 0);
    add(0x6000, 1);
    CHECK_EQ(count, 2);
}

TEST(halves_become_a_whole)
{
    start();
    add(0x4000, 0);
    add(0x5000, 0);
    CHECK_EQ(count, 1);
    check(0, 0x4000, 1);
    start();
    add(0x5000, 0);
    add(0x4000, 0);
    CHECK_EQ(count, 1);
    check(0, 0x4000, 1);
}

/* 0x5000 and 0x6000 are neighbours; a range of both would be 0x4000 to 0x7fff
 * to the host. */
TEST(neighbours_that_are_no_halves_stay_two)
{
    start();
    add(0x5000, 0);
    add(0x6000, 0);
    CHECK_EQ(count, 2);
    check(0, 0x5000, 0);
    check(1, 0x6000, 0);
}

TEST(neighbours_of_two_sizes_stay_two)
{
    start();
    add(0x4000, 1);
    add(0x6000, 0);
    CHECK_EQ(count, 2);
}

TEST(pages_in_a_row_become_one_range)
{
    start();
    for (unsigned i = 0; i < 32; i++) {
        add(0x40000 + i * 0x1000, 0);
    }
    CHECK_EQ(count, 1);
    check(0, 0x40000, 5);
}

TEST(pages_in_any_order_become_one_range)
{
    static const unsigned order[] = { 6, 1, 4, 0, 7, 2, 5, 3 };

    start();
    for (unsigned i = 0; i < 8; i++) {
        add(0x40000 + order[i] * 0x1000, 0);
    }
    CHECK_EQ(count, 1);
    check(0, 0x40000, 3);
}

TEST(a_row_that_is_not_aligned_becomes_few)
{
    start();
    for (unsigned i = 3; i < 13; i++) { /* 3, 4-7, 8-11, 12 */
        add(i * 0x1000, 0);
    }
    CHECK_EQ(count, 4);
    check(0, 0x3000, 0);
    check(1, 0x4000, 2);
    check(2, 0x8000, 2);
    check(3, 0xc000, 0);
}

TEST(leaves_only_does_not_cover_what_is_above)
{
    start();
    add_as(0x4000, 2, true, 0);
    add_as(0x5000, 0, false, 1);
    CHECK_EQ(count, 2);
    CHECK(!ranges[0].leaf_only);
    CHECK(ranges[1].leaf_only);
    add_as(0x6000, 0, true, 2);
    CHECK_EQ(count, 2);
    add_as(0x4000, 2, false, 3);
    CHECK_EQ(count, 1);
    CHECK(!ranges[0].leaf_only);
}

TEST(halves_of_two_kinds_stay_two)
{
    start();
    add_as(0x4000, 0, true, 0);
    add_as(0x5000, 0, false, 1);
    CHECK_EQ(count, 2);
}

TEST(all_takes_everything_in)
{
    start();
    add(0x4000, 0);
    add(0xffffffffffffe000, 1);
    add(0, VTD_RANGE_ALL);
    CHECK_EQ(count, 1);
    check(0, 0, VTD_RANGE_ALL);
    add(0xfffffffffffff000, 0);
    CHECK_EQ(count, 1);
    add(0, VTD_RANGE_ALL);
    CHECK_EQ(count, 1);
}

TEST(two_halves_of_everything_are_all)
{
    start();
    add(0, VTD_RANGE_ALL - 1);
    add(1ull << 63, VTD_RANGE_ALL - 1);
    CHECK_EQ(count, 1);
    check(0, 0, VTD_RANGE_ALL);
}

TEST(the_earliest_notice_counts)
{
    start();
    add_as(0x5000, 0, false, 4);
    add_as(0x9000, 0, false, 5);
    add_as(0x4000, 0, false, 6); /* with the first one */
    add_as(0x9000, 0, false, 7);
    CHECK_EQ(count, 2);
    check(1, 0x9000, 0);
    CHECK_EQ(ranges[0].notice, 4);
    CHECK_EQ(ranges[1].notice, 5);
    CHECK_EQ(vtd_ranges_earliest(ranges, 2), 4);
    CHECK_EQ(vtd_ranges_earliest(ranges + 1, 1), 5);
}

/* Against a map of pages: exactly those that were added, and no two ranges
 * that could be one. */
TEST(random_ranges_drop_what_was_named_and_nothing_else)
{
    uint64_t seed = tap_seed();

    for (unsigned round = 0; round < 2000; round++) {
        uint8_t added[64] = { 0 }, dropped[64] = { 0 };

        start();
        for (unsigned i = 0; i < 20; i++) {
            unsigned order = tap_random(&seed) % 4;
            unsigned page = tap_random(&seed) % 64 >> order << order;
            bool leaf = tap_random(&seed) % 4 == 0;

            append(page * 0x1000ull, order, leaf, i);
            for (unsigned p = page; p < page + (1u << order); p++) {
                added[p] |= leaf ? 1 : 3;
            }
        }
        count = vtd_ranges_merge(ranges, count);
        for (unsigned i = 0; i < count; i++) {
            unsigned page = ranges[i].addr / 0x1000;

            CHECK_EQ(page & ((1u << ranges[i].order) - 1), 0);
            for (unsigned p = page; p < page + (1u << ranges[i].order); p++) {
                dropped[p] |= ranges[i].leaf_only ? 1 : 3;
            }
            for (unsigned j = 0; j < i; j++) {
                VtdRange two[2] = { ranges[j], ranges[i] };

                CHECK_EQ(vtd_ranges_merge(two, 2), 2);
            }
        }
        CHECK(!memcmp(added, dropped, sizeof(added)));
    }
}
