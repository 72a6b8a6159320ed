/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a device that is passed through comes with: its host's unit, the
 * kernel's calls, and its own capabilities.  Asked before anything is used,
 * and before the guest is shown anything.  BQL held.
 */
#ifndef HW_I386_INTEL_IOMMU_PROBE_H
#define HW_I386_INTEL_IOMMU_PROBE_H

#include "intel_iommu_offer.h"
#include "system/host_iommu_device.h"

/*
 * Fill in @offer.  Objects that are made on the way are gone when it returns.
 * False with @errp set: the host does not even tell how wide its addresses are,
 * or is out of memory; what it merely lacks is for vtd_offer_meet().
 */
bool vtd_probe(IntelIOMMUState *s, HostIOMMUDevice *hiod, VtdOffer *offer,
               Error **errp);

#endif
