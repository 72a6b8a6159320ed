/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_ranges.h"

#include <stdlib.h>

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

static bool are_halves(const VtdRange *a, const VtdRange *b)
{
    return a->order == b->order && a->leaf_only == b->leaf_only &&
           a->order < VTD_RANGE_ALL &&
           (block(a->addr, a->order) ^ block(b->addr, b->order)) == 1;
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

/* Put @range behind the @count of @ranges, of which those from @first on are of
 * its kind and do not begin behind it; the new count. */
static unsigned put(VtdRange *ranges, unsigned first, unsigned count,
                    VtdRange range)
{
    for (; count > first; count--) {
        VtdRange *last = &ranges[count - 1];

        if (covers(last, &range)) {
            last->notice = earlier(last->notice, range.notice);
            return count;
        }
        if (!are_halves(last, &range)) {
            break;
        }
        range.notice = earlier(last->notice, range.notice);
        range.addr &= last->addr;
        range.order++;
    }
    ranges[count] = range;
    return count + 1;
}

unsigned vtd_ranges_merge(VtdRange *ranges, unsigned count)
{
    unsigned full = 0; /* of those kept: not leaf_only */
    unsigned kept = 0;

    if (count < 2) {
        return count;
    }
    qsort(ranges, count, sizeof(*ranges), by_kind_and_place);
    for (unsigned i = 0; i < count; i++) {
        VtdRange range = ranges[i];
        VtdRange *cover =
            range.leaf_only ? cover_of(ranges, full, &range) : NULL;

        if (cover) {
            cover->notice = earlier(cover->notice, range.notice);
            continue;
        }
        kept = put(ranges, range.leaf_only ? full : 0, kept, range);
        if (!range.leaf_only) {
            full = kept;
        }
    }
    return kept;
}

unsigned vtd_ranges_earliest(const VtdRange *ranges, unsigned count)
{
    unsigned first = ranges[0].notice;

    for (unsigned i = 1; i < count; i++) {
        first = earlier(first, ranges[i].notice);
    }
    return first;
}
