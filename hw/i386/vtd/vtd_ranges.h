/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invalidations that go to a host together, as few as they can be: the ranges
 * of addresses that the guest's notices name for one page table, without what
 * another one covers, and with neighbours made into one.
 *
 * A range is a naturally aligned power of two, as a descriptor's is: to hardware
 * nothing else can be said, and the host's kernels make one of whatever they are
 * told (iommufd's widens it, that of 2020 cuts its address).  Hence the one rule
 * for merging: an aligned block is one range if at least half of it was named.
 * More may be dropped than was named, which costs a walk and is always right; but
 * no more than twice as much.  A row of pages, wherever it lies, is one range, or
 * two at a boundary that is far wider than the row.
 */
#ifndef VTD_RANGES_H
#define VTD_RANGES_H

#include "vtd_notice.h"

/* The order of a range that is all addresses: 2^64 bytes. */
#define VTD_RANGE_ALL 52

/* Merging drops so many times as much as was named, at most. */
#define VTD_RANGE_WIDENED 2

typedef struct VtdRange {
    uint64_t addr; /* aligned to the size; 0 if it is all */
    uint8_t order; /* 2^order pages of 4 KiB; at most VTD_RANGE_ALL */
    bool leaf_only; /* entries above the last level did not change */
    unsigned notice; /* index of the earliest notice that it stands for */
} VtdRange;

/*
 * What @notice, an IOTLB or PASID-IOTLB invalidation, drops of a first-stage
 * table.  Addresses of the IOTLB kind are of the second stage: from what they
 * map, any first-stage translation may come.
 */
VtdRange vtd_range_of(const VtdNotice *notice, unsigned index);

/* Make the @count of @ranges as few as they can be; how many they are now.
 * Their order, which does not matter, changes. */
unsigned vtd_ranges_merge(VtdRange *ranges, unsigned count);

/* The earliest notice behind the @count of @ranges; @count > 0. */
unsigned vtd_ranges_earliest(const VtdRange *ranges, unsigned count);

#endif
