/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which interface of the host's kernel a device that is passed through is
 * nested by: that of what it came with, unless host-uapi= says otherwise.
 */
#ifndef HW_I386_INTEL_IOMMU_INTERFACE_H
#define HW_I386_INTEL_IOMMU_INTERFACE_H

#include "hw/qdev-properties.h"
#include "intel_iommu_binding.h"

/* host-uapi= */
extern const PropertyInfo vtd_host_uapi_info;

#define DEFINE_PROP_VTD_HOST_UAPI(name) \
    DEFINE_PROP(name, IntelIOMMUState, host_uapi, vtd_host_uapi_info, int, \
                .set_default = true)

#define VTD_ADD_IOMMUFD \
    "Add '-object iommufd,id=ID' and 'iommufd=ID' to the device."

/* How it is spoken to. */
const VtdBindingOps *vtd_interface_ops(VtdHostUapi uapi);

/* Write into @offer by which one the device is nested, or why it is not. */
void vtd_interface_choose(const IntelIOMMUState *s, HostIOMMUDevice *hiod,
                          VtdOffer *offer);

#endif
