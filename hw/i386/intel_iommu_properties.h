/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kinds of properties that QEMU does not have: with two names, and with "auto"
 * where QEMU's own device has a bool or a number.
 */
#ifndef HW_I386_INTEL_IOMMU_PROPERTIES_H
#define HW_I386_INTEL_IOMMU_PROPERTIES_H

#include "hw/i386/intel_iommu.h"
#include "hw/qdev-properties.h"
#include "vtd/vtd_tables.h"

extern const PropertyInfo vtd_renamed_info;
extern const PropertyInfo vtd_feature_bool_info;
extern const PropertyInfo vtd_switch_info;
extern const PropertyInfo vtd_pasid_bits_info;
extern const PropertyInfo vtd_host_uapi_info;

/* A bool with two names, off by default. */
#define DEFINE_PROP_VTD_RENAMED(name, field) \
    DEFINE_PROP(name, IntelIOMMUState, field, vtd_renamed_info, VtdRenamed, \
                .set_default = true)

/* On, off or auto, which is the default. */
#define DEFINE_PROP_VTD_FEATURE(name, index) \
    DEFINE_PROP_ON_OFF_AUTO(name, IntelIOMMUState, feature[index], \
                            ON_OFF_AUTO_AUTO)

/* The same for one that is a bool in QEMU's own device: what is not set counts
 * as "auto", and as on where it is read. */
#define DEFINE_PROP_VTD_FEATURE_BOOL(name, index) \
    DEFINE_PROP(name, IntelIOMMUState, feature[index], \
                vtd_feature_bool_info, OnOffAuto, .set_default = true)

/* On, off or auto, off by default; in JSON also true and false. */
#define DEFINE_PROP_VTD_SWITCH(name, field) \
    DEFINE_PROP(name, IntelIOMMUState, field, vtd_switch_info, OnOffAuto, \
                .set_default = true)

/* A number, 0 by default, or VTD_PASID_BITS_AUTO. */
#define DEFINE_PROP_VTD_PASID_BITS(name, field) \
    DEFINE_PROP(name, IntelIOMMUState, field, vtd_pasid_bits_info, uint8_t, \
                .set_default = true)

/* VtdHostUapi, auto by default. */
#define DEFINE_PROP_VTD_HOST_UAPI(name, field) \
    DEFINE_PROP(name, IntelIOMMUState, field, vtd_host_uapi_info, int, \
                .set_default = true)

#endif
