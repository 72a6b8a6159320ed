/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the files about passed-through devices.  The rest knows what
 * intel_iommu_space.h tells.  BQL held everywhere.
 *
 *   intel_iommu_host.c          they come and go
 *   intel_iommu_host_mirror.c   their bindings follow the guest's tables
 *   intel_iommu_host_deliver.c  notices on their way to the host
 *   intel_iommu_host_query.c    what x-host-devices tells
 */
#ifndef HW_I386_INTEL_IOMMU_HOST_H
#define HW_I386_INTEL_IOMMU_HOST_H

#include "hw/qdev-core.h"
#include "intel_iommu_binding.h"
#include "intel_iommu_offer.h"
#include "intel_iommu_space.h"

struct VtdHostDevice {
    VtdBindingDevice common;
    HostIOMMUDevice *hiod;
    VtdOffer offer;
    Error *migration_blocker;
    VtdBinding *rid;     /* requests without PASID */
    GHashTable *pasids;  /* VtdBinding by PASID */
};

struct VtdHost {
    IntelIOMMUState *iommu_state;
    DeviceListener realized; /* devices whose capabilities are not final yet */
    GPtrArray *devices; /* of VtdHostDevice */
    GSList *memories; /* of VtdGuestMemory */
    GSList *domains; /* of VtdHostDomain */
    VtdPasids *pasids; /* that the host gave to the guest */
    VtdHostCounters counters;
    VtdFaultCounters faults;
};

/* Whether there is a device to deliver notices for. */
static inline bool vtd_host_has_devices(VtdHost *host)
{
    return host->devices->len;
}

static inline VFIODevice *vtd_host_vfio(VtdHostDevice *dev)
{
    return dev->common.vfio;
}

/* What @notice says may have changed of the device's configurations: its
 * bindings follow. */
void vtd_host_mirror(VtdHostDevice *dev, const VtdNotice *notice);

#endif
