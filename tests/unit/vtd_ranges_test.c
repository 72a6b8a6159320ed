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

TEST(neighbours_of_two_sizes_become_one)
{
    start();
    add(0x4000, 1);
    add(0x6000, 0);
    CHECK_EQ(count, 1);
    check(0, 0x4000, 2);
}

/* At most twice of what was named: 4 for 2 pages, but not 8 for 3. */
TEST(half_of_a_range_is_enough_and_less_is_not)
{
    start();
    append(0x5000, 0, false, 0);
    append(0x6000, 0, false, 1);
    count = vtd_ranges_merge(ranges, count);
    CHECK_EQ(count, 1);
    check(0, 0x4000, 2);
    start();
    append(0x3000, 0, false, 0);
    append(0x4000, 1, false, 1);
    count = vtd_ranges_merge(ranges, count);
    CHECK_EQ(count, 2);
    check(0, 0x3000, 0);
    check(1, 0x4000, 1);
}

TEST(neighbours_at_a_wide_boundary_stay_two)
{
    start();
    add(0x7ffffffff000, 0);
    add(0x800000000000, 0);
    CHECK_EQ(count, 2);
    check(0, 0x7ffffffff000, 0);
    check(1, 0x800000000000, 0);
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

TEST(a_row_that_is_not_aligned_becomes_one)
{
    start();
    for (unsigned i = 3; i < 13; i++) {
        append(i * 0x1000, 0, false, i);
    }
    count = vtd_ranges_merge(ranges, count);
    CHECK_EQ(count, 1);
    check(0, 0, 4);
    CHECK_EQ(ranges[0].notice, 3);
}

TEST(a_row_with_a_gap_becomes_one)
{
    start();
    for (unsigned i = 0; i < 16; i++) {
        if (i != 5) {
            append(0x40000 + i * 0x1000, 0, false, i);
        }
    }
    count = vtd_ranges_merge(ranges, count);
    CHECK_EQ(count, 1);
    check(0, 0x40000, 4);
}

/* Wherever it lies. */
TEST(a_row_of_any_length_becomes_two_at_most)
{
    for (unsigned at = 0; at < 64; at++) {
        for (unsigned length = 1; length <= ROOM; length++) {
            start();
            for (unsigned i = 0; i < length; i++) {
                append((0x100000 - 32 + at + i) * 0x1000ull, 0, false, i);
            }
            count = vtd_ranges_merge(ranges, count);
            tap_context("%u pages at %u", length, at);
            CHECK(count == 1 || count == 2);
            CHECK_EQ(vtd_ranges_earliest(ranges, count), 0);
        }
    }
}

TEST(pages_far_from_each_other_stay_as_they_are)
{
    start();
    for (unsigned i = 0; i < ROOM; i++) {
        append(i * 0x5000, 0, false, i);
    }
    CHECK_EQ(vtd_ranges_merge(ranges, count), ROOM);
    for (unsigned i = 0; i < ROOM; i++) {
        check(i, i * 0x5000, 0);
    }
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

static unsigned pages_in(const uint8_t *named, unsigned first, unsigned count)
{
    unsigned pages = 0;

    for (unsigned p = first; p < first + count; p++) {
        pages += named[p];
    }
    return pages;
}

/* The rule said the other way round: of all blocks, the widest first, those of
 * which half was named, something on either side of its middle, and that lie in
 * none before. */
static unsigned slow_merge(const uint8_t *named, VtdRange *out, uint8_t *dropped)
{
    unsigned found = 0;

    for (int order = 6; order >= 0; order--) {
        for (unsigned page = 0; page < 64; page += 1u << order) {
            unsigned half = (1u << order) / 2;
            unsigned lower = pages_in(named, page, half);
            unsigned pages = pages_in(named, page, 1u << order);

            if (!dropped[page] && pages >= (half ? half : 1) &&
                (!half || (lower && lower < pages))) {
                out[found++] = (VtdRange){ .addr = page * 0x1000ull,
                                           .order = order };
                memset(dropped + page, 1, 1u << order);
            }
        }
    }
    return found;
}

static void check_same(const VtdRange *slow, unsigned slow_count, unsigned first,
                       unsigned last)
{
    CHECK_EQ(last - first, slow_count);
    for (unsigned i = 0; i < slow_count; i++) {
        bool found = false;

        for (unsigned j = first; j < last; j++) {
            found |= ranges[j].addr == slow[i].addr &&
                     ranges[j].order == slow[i].order;
        }
        CHECK(found);
    }
}

/* Against a map of pages.  A range of leaves counts if it does not lie in what
 * is dropped as a whole anyway. */
TEST(random_ranges_become_what_the_rule_says)
{
    uint64_t seed = tap_seed();

    for (unsigned round = 0; round < 2000; round++) {
        uint8_t full[64] = { 0 }, leaf[64] = { 0 };
        uint8_t dropped[64] = { 0 }, leaf_dropped[64] = { 0 };
        VtdRange slow[64];
        unsigned slow_count, split = 0;
        VtdRange added[20];

        start();
        for (unsigned i = 0; i < 20; i++) {
            unsigned order = tap_random(&seed) % 4;
            unsigned page = tap_random(&seed) % 64 >> order << order;

            append(page * 0x1000ull, order, tap_random(&seed) % 4 == 0, i);
            added[i] = ranges[i];
            if (!added[i].leaf_only) {
                memset(full + page, 1, 1u << order);
            }
        }
        count = vtd_ranges_merge(ranges, count);
        while (split < count && !ranges[split].leaf_only) {
            split++;
        }
        slow_count = slow_merge(full, slow, dropped);
        check_same(slow, slow_count, 0, split);
        for (unsigned i = 0; i < 20; i++) {
            unsigned page = added[i].addr / 0x1000;
            unsigned pages = 1u << added[i].order;

            if (added[i].leaf_only &&
                memchr(dropped + page, 0, pages)) {
                memset(leaf + page, 1, pages);
            }
        }
        slow_count = slow_merge(leaf, slow, leaf_dropped);
        check_same(slow, slow_count, split, count);
        CHECK_EQ(vtd_ranges_earliest(ranges, count), 0);
    }
}
