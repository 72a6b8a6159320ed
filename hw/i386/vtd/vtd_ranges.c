/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_ranges.h"

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

static unsigned take_out(VtdRange *ranges, unsigned count, unsigned i)
{
    memmove(&ranges[i], &ranges[i + 1], (count - i - 1) * sizeof(*ranges));
    return count - 1;
}

unsigned vtd_ranges_add(VtdRange *ranges, unsigned count, VtdRange range)
{
    unsigned i = 0;

    while (i < count) {
        VtdRange *other = &ranges[i];

        if (covers(other, &range)) {
            other->notice = earlier(other->notice, range.notice);
            return count;
        }
        if (covers(&range, other)) {
            range.notice = earlier(range.notice, other->notice);
            count = take_out(ranges, count, i);
        } else if (are_halves(&range, other)) {
            range.notice = earlier(range.notice, other->notice);
            range.addr &= other->addr;
            range.order++;
            count = take_out(ranges, count, i);
            i = 0; /* the whole may cover, or be half of, an earlier one */
        } else {
            i++;
        }
    }
    ranges[count] = range;
    return count + 1;
}

unsigned vtd_ranges_earliest(const VtdRange *ranges, unsigned count)
{
    unsigned first = ranges[0].notice;

    for (unsigned i = 1; i < count; i++) {
        first = earlier(first, ranges[i].notice);
    }
    return first;
}
