/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a device offers whose VFIO container nests, by the interface of 2020.
 */
#ifndef HW_I386_INTEL_IOMMU_PROBE2020_H
#define HW_I386_INTEL_IOMMU_PROBE2020_H

#include "hw/vfio/vfio-common.h"
#include "intel_iommu_offer.h"

/*
 * Fill in @offer, whose backend is that one; none if the device cannot be used
 * by it.  Nothing that was made on the way is left.  BQL held.
 */
void vtd_probe_vfio2020(const IntelIOMMUState *s, VFIODevice *vfio,
                        VtdOffer *offer);

#endif
