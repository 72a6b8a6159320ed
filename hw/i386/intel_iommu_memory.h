/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's memory in an IOAS of iommufd, one to one: what the nest-parent
 * HWPTs of passed-through devices map.
 *
 * VFIO has an IOAS of its own per device, but fills it with read-only
 * mappings too (ROMs), and Linux refuses those in a nest parent (it reports
 * IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17).  Ours holds writable memory only and
 * is shared by all devices of an iommufd object, so memory is pinned once.
 */
#ifndef HW_I386_INTEL_IOMMU_MEMORY_H
#define HW_I386_INTEL_IOMMU_MEMORY_H

#include "system/iommufd.h"

typedef struct VtdGuestMemory VtdGuestMemory;

/*
 * The guest's memory for devices of @iommufd: the present one of the list
 * *@all or a new one at its head.  NULL with @errp set if memory cannot be
 * mapped.  BQL held, as in all functions here.
 */
VtdGuestMemory *vtd_guest_memory_get(GSList **all, IOMMUFDBackend *iommufd,
                                     Error **errp);

/* Give back one get; the last one unmaps everything. */
void vtd_guest_memory_put(GSList **all, VtdGuestMemory *memory);

uint32_t vtd_guest_memory_ioas(const VtdGuestMemory *memory);

#endif
