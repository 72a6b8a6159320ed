/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invalidations that go to a host together, as few as they can be: the ranges
 * of addresses that the guest's notices name for one page table, without what
 * another one covers, and with neighbours made into one.
 *
 * A range is a naturally aligned power of two, as a descriptor's is.  Hosts
 * widen anything else to the next such one; so two are merged only if the
 * result is one again, and nothing is dropped that no notice named.
 */
#ifndef VTD_RANGES_H
#define VTD_RANGES_H

#include "vtd_notice.h"

/* The order of a range that is all addresses: 2^64 bytes. */
#define VTD_RANGE_ALL 52

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
