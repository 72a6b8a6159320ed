/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's memory in a page table of the host's, one to one.
 *
 * With iommufd that is an IOAS: what the nest-parent HWPTs of passed-through
 * devices map.  VFIO has an IOAS of its own per device, but fills it with
 * read-only mappings too (ROMs), and Linux refuses those in a nest parent (it
 * reports IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17).  Ours holds writable memory
 * only and is shared by all devices of an iommufd object, so memory is pinned
 * once.
 *
 * BQL held in all functions.
 */
#ifndef HW_I386_INTEL_IOMMU_MEMORY_H
#define HW_I386_INTEL_IOMMU_MEMORY_H

#include "system/iommufd.h"

typedef struct VtdGuestMemory VtdGuestMemory;

/* Who maps it: both return 0 or a negative errno; -ENOENT of unmap(): nothing
 * was mapped there. */
typedef struct VtdMapper {
    void *opaque;
    int (*map)(void *opaque, uint64_t iova, uint64_t size, void *host);
    int (*unmap)(void *opaque, uint64_t iova, uint64_t size);
} VtdMapper;

/* Map it, and whatever comes to it later.  NULL with @errp set: it cannot be
 * mapped, and nothing is. */
VtdGuestMemory *vtd_guest_memory_new(const VtdMapper *mapper, Error **errp);

/* Unmap it.  False: the host still maps some of it. */
bool vtd_guest_memory_free(VtdGuestMemory *memory);

/*
 * The guest's memory for devices of @iommufd: the present one of the list
 * *@all or a new one at its head.  NULL with @errp set if memory cannot be
 * mapped.
 */
VtdGuestMemory *vtd_guest_memory_get(GSList **all, IOMMUFDBackend *iommufd,
                                     Error **errp);

/* Give back one get; the last one unmaps everything. */
void vtd_guest_memory_put(GSList **all, VtdGuestMemory *memory);

uint32_t vtd_guest_memory_ioas(const VtdGuestMemory *memory);

#endif
