/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The iommufd interface of the host kernel as nested translation needs it.
 *
 * Encoders are pure: they turn decoded values of the model into the structs
 * of linux/iommufd.h.  The calls take file descriptors and ids, keep no state
 * and return 0 or a negative errno.
 */
#ifndef HW_I386_INTEL_IOMMU_IOMMUFD_H
#define HW_I386_INTEL_IOMMU_IOMMUFD_H

#include <linux/iommufd.h>

#include "vtd/vtd_context.h"
#include "vtd/vtd_ranges.h"

/* Requests without PASID, where a PASID is asked for. */
#define VTD_NO_PASID UINT32_MAX

/* A first-stage configuration -> the data of a VT-d stage-1 HWPT. */
void vtd_iommufd_encode_s1(const VtdConfig *config,
                           struct iommu_hwpt_vtd_s1 *data);

/* A range of first-stage addresses -> an entry of IOMMU_HWPT_INVALIDATE. */
void vtd_iommufd_encode_range(const VtdRange *range,
                              struct iommu_hwpt_vtd_s1_invalidate *entry);

/* A HWPT over @ioas_id; @flags IOMMU_HWPT_ALLOC_NEST_PARENT: the parent of
 * stage-1 HWPTs. */
int vtd_iommufd_alloc_paging(int iommufd, uint32_t dev_id, uint32_t ioas_id,
                             uint32_t flags, uint32_t *hwpt_id);

/* What all HWPTs of a device have in common. */
typedef struct VtdHwptOptions {
    uint32_t flags;    /* 0 or IOMMU_HWPT_ALLOC_PASID */
    uint32_t fault_id; /* of the queue for page requests; 0: none */
} VtdHwptOptions;

/* A stage-1 HWPT on @parent_id. */
int vtd_iommufd_alloc_s1(int iommufd, uint32_t dev_id, uint32_t parent_id,
                         VtdHwptOptions options,
                         const struct iommu_hwpt_vtd_s1 *data,
                         uint32_t *hwpt_id);

/* Attach the requests of a VFIO device that have @pasid, or none with
 * VTD_NO_PASID, to a HWPT, in place of what they are attached to. */
int vtd_iommufd_attach(int device_fd, uint32_t pasid, uint32_t hwpt_id);

/* Detach them: all DMA of the kind is blocked. */
int vtd_iommufd_detach(int device_fd, uint32_t pasid);

/* What the host says of a device and of the unit in front of it. */
typedef struct VtdHwInfo {
    uint32_t type; /* IOMMU_HW_INFO_TYPE_*; the rest is VT-d's */
    uint64_t cap;
    uint64_t ecap;
    uint8_t pasid_bits; /* that the kernel attaches PASIDs of; 0: it cannot */
} VtdHwInfo;

int vtd_iommufd_hw_info(int iommufd, uint32_t dev_id, VtdHwInfo *info);

/* A queue of page requests: *@id for HWPTs, and *@fd to read and to close. */
int vtd_iommufd_alloc_faults(int iommufd, uint32_t *id, int *fd);

/* Whether the kernel invalidates @hwpt_id in our structs, asked without any
 * entry. */
int vtd_iommufd_probe_invalidate(int iommufd, uint32_t hwpt_id);

/*
 * Invalidate @count entries of @hwpt_id in order, in one call of the kernel
 * where that takes all of them.  *@done counts those that took effect, also
 * after an error; *@calls is advanced by the calls made.
 */
int vtd_iommufd_invalidate(int iommufd, uint32_t hwpt_id,
                           const struct iommu_hwpt_vtd_s1_invalidate *entries,
                           unsigned count, unsigned *done, uint64_t *calls);

#endif
