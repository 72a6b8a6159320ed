/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCIe capabilities of passed-through devices as the guest sees them, where
 * they concern address translation.
 *
 * Linux's vfio-pci hides PASID, and lets ATS and PRI be read but not written:
 * the host's own driver has them in hand.  The guest gets ones that it can
 * switch on and off, which has no effect but that it looks right.
 */
#ifndef HW_I386_INTEL_IOMMU_VCAPS_H
#define HW_I386_INTEL_IOMMU_VCAPS_H

#include "hw/pci/pci_device.h"

/* What a device can do besides plain DMA, under the guest's control. */
typedef struct VtdVirtualCaps {
    uint8_t pasid_bits;     /* 0: no PASID capability */
    bool ats;               /* ATS works; it is hidden otherwise */
    bool page_requests;     /* the same of PRI */
    uint16_t pasid_offset;  /* where the PASID capability goes; 0: choose */
} VtdVirtualCaps;

/*
 * Make @pci, a vfio-pci device that was just realized, show @caps.  False with
 * @errp set: there is no room for the PASID capability.
 */
bool vtd_vcaps_show(PCIDevice *pci, const VtdVirtualCaps *caps, Error **errp);

#endif
