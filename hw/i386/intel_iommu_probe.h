/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is asked of the host before a device that is passed through is used:
 * is all there that the guest is shown?
 *
 * Nothing of the guest's is changed by it but what vtd_features_meet() takes
 * away and CAP.CM.  BQL held in all functions.
 */
#ifndef HW_I386_INTEL_IOMMU_PROBE_H
#define HW_I386_INTEL_IOMMU_PROBE_H

#include "intel_iommu_binding.h"

#define VTD_NEEDS_LINUX \
    "Nested translation needs Linux 6.8 or later and intel_iommu=on,sm_on " \
    "in the host.\n"

/*
 * Nested translation: backend, the host's unit, which goes to *@info, and what
 * the guest is shown.  False with @errp set: the device cannot be used.
 */
bool vtd_probe_device(IntelIOMMUState *s, HostIOMMUDevice *hiod,
                      VtdHwInfo *info, Error **errp);

/* Without nested translation. */
bool vtd_probe_shadowed(IntelIOMMUState *s, HostIOMMUDevice *hiod,
                        Error **errp);

/*
 * A first-stage table on @dev's parent, and its invalidation, are tried.  False
 * with @errp set: the host's kernel lacks one of them.
 */
bool vtd_probe_nesting(const VtdBindingDevice *dev, Error **errp);

#endif
