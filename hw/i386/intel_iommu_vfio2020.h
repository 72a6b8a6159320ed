/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nesting interface of 2020 on a VFIO container: its calls.
 *
 * They take the container's descriptor and keep no state.  BQL held.
 */
#ifndef HW_I386_INTEL_IOMMU_VFIO2020_H
#define HW_I386_INTEL_IOMMU_VFIO2020_H

#include "intel_iommu_encode2020.h"

/* What the kernel behind @container nests.  NULL, or a clause that says why it
 * does not. */
const char *vtd_vfio2020_info(int container, VtdNesting2020 *info);

/* A PASID of [@min, @max], or a negative errno. */
int vtd_vfio2020_alloc_pasid(int container, uint32_t min, uint32_t max);

/* These return 0 or a negative errno. */
int vtd_vfio2020_free_pasid(int container, uint32_t pasid);
int vtd_vfio2020_op(int container, const struct uapi2020_nesting_op *op);

#endif
