/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_ranges.h"

#include <stdlib.h>
#include <string.h>

VtdRange vtd_range_of(const VtdNotice *notice, unsigned index)
{
    bool pages = notice->kind == VTD_NOTICE_PASID_IOTLB &&
                 notice->scope == VTD_SCOPE_PAGE;

    if (!pages || notice->order >= VTD_RANGE_ALL) {
        return (VtdRange){ .order = VTD_RANGE_ALL, .notice = index };
    }
    return (VtdRange){
        .addr = notice->addr,
        .order = notice->order,
        .leaf_only = notice->leaf_only,
        .notice = index,
    };
}

/* The number of the range of size @order that @addr lies in. */
static uint64_t block(uint64_t addr, unsigned order)
{
    return order >= VTD_RANGE_ALL ? 0 : addr >> (order + VTD_PAGE_SHIFT);
}

static bool covers(const VtdRange *a, const VtdRange *b)
{
    return a->order >= b->order && (!a->leaf_only || b->leaf_only) &&
           block(a->addr, a->order) == block(b->addr, a->order);
}

static unsigned earlier(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Those that are not leaf_only first; upward; the wider one first. */
static int by_kind_and_place(const void *left, const void *right)
{
    const VtdRange *a = left, *b = right;

    if (a->leaf_only != b->leaf_only) {
        return a->leaf_only ? 1 : -1;
    }
    if (a->addr != b->addr) {
        return a->addr < b->addr ? -1 : 1;
    }
    return (int)b->order - (int)a->order;
}

/* The range of those, which lie apart and upward, that covers @range; or NULL:
 * it could only be the last that does not begin behind it. */
static VtdRange *cover_of(VtdRange *ranges, unsigned count,
                          const VtdRange *range)
{
    unsigned end = count, first = 0;

    while (first < end) {
        unsigned middle = first + (end - first) / 2;

        if (ranges[middle].addr <= range->addr) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    return first && covers(&ranges[first - 1], range) ? &ranges[first - 1]
                                                      : NULL;
}

/* Leave out what lies in one before it, of sorted ones of a kind: those that are
 * left lie apart. */
static unsigned leave_out_covered(VtdRange *ranges, unsigned count)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < count; i++) {
        VtdRange *last = kept ? &ranges[kept - 1] : NULL;

        if (last && covers(last, &ranges[i])) {
            last->notice = earlier(last->notice, ranges[i].notice);
        } else {
            ranges[kept++] = ranges[i];
        }
    }
    return kept;
}

/* The smallest range around the @count > 1 of @ranges, which lie apart and
 * upward. */
static VtdRange around(const VtdRange *ranges, unsigned count)
{
    unsigned equal =
        __builtin_clzll(ranges[0].addr ^ ranges[count - 1].addr);

    return (VtdRange){
        .addr = ranges[0].addr & ~(~0ull >> equal),
        .order = 64 - equal - VTD_PAGE_SHIFT,
        .leaf_only = ranges[0].leaf_only,
        .notice = vtd_ranges_earliest(ranges, count),
    };
}

static uint64_t pages_of(const VtdRange *ranges, unsigned count)
{
    uint64_t pages = 0;

    for (unsigned i = 0; i < count; i++) {
        pages += VTD_BIT(ranges[i].order);
    }
    return pages;
}

/* Widen the @count > 0 of @ranges, which lie apart and upward, to one, if that
 * is within the limit; else what lies in each half of the place that one would
 * have.  The halves end after as many steps as an address has bits. */
static unsigned widen(VtdRange *ranges, unsigned count)
{
    unsigned lower = 1, kept, upper;
    VtdRange whole;

    if (count == 1) {
        return 1;
    }
    whole = around(ranges, count);
    if (VTD_BIT(whole.order) <= VTD_RANGE_WIDENED * pages_of(ranges, count)) {
        ranges[0] = whole;
        return 1;
    }
    while (block(ranges[lower].addr, whole.order - 1) ==
           block(whole.addr, whole.order - 1)) {
        lower++;
    }
    kept = widen(ranges, lower);
    upper = widen(ranges + lower, count - lower);
    memmove(ranges + kept, ranges + lower, upper * sizeof(*ranges));
    return kept + upper;
}

/* As few as can be of sorted ones of a kind. */
static unsigned merge_kind(VtdRange *ranges, unsigned count)
{
    count = leave_out_covered(ranges, count);
    return count ? widen(ranges, count) : 0;
}

unsigned vtd_ranges_merge(VtdRange *ranges, unsigned count)
{
    unsigned full = 0; /* not leaf_only, these come first */
    unsigned merged, kept;

    if (count < 2) {
        return count;
    }
    qsort(ranges, count, sizeof(*ranges), by_kind_and_place);
    while (full < count && !ranges[full].leaf_only) {
        full++;
    }
    kept = merged = merge_kind(ranges, full);
    for (unsigned i = full; i < count; i++) {
        VtdRange *cover = cover_of(ranges, merged, &ranges[i]);

        if (cover) {
            cover->notice = earlier(cover->notice, ranges[i].notice);
        } else {
            ranges[kept++] = ranges[i];
        }
    }
    return merged + merge_kind(ranges + merged, kept - merged);
}

unsigned vtd_ranges_earliest(const VtdRange *ranges, unsigned count)
{
    unsigned first = ranges[0].notice;

    for (unsigned i = 1; i < count; i++) {
        first = earlier(first, ranges[i].notice);
    }
    return first;
}
