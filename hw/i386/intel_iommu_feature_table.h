/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of what the guest can be shown, and what each of it needs of the
 * host when a device is passed through.  Checks, error messages, "auto", what
 * QOM answers and docs/features.rst are all made from it.
 *
 * A feature belongs to the unit, and then every device that is passed through
 * has to have what it needs; or to a device, and then each device has it or
 * not, as a PCIe capability.
 */
#ifndef HW_I386_INTEL_IOMMU_FEATURE_TABLE_H
#define HW_I386_INTEL_IOMMU_FEATURE_TABLE_H

#include "hw/i386/intel_iommu.h"

/* What a host can have or lack.  Where several are missing the first one is
 * told, so what explains others comes first. */
typedef enum VtdNeed {
    VTD_NEED_BACKEND, /* an interface of the kernel's that can nest */
    VTD_NEED_VTD,     /* the unit is a VT-d one, and is told of */
    VTD_NEED_NESTED,  /* the device is under nested translation */
    VTD_NEED_EMULATION, /* what no host does for a device */
    VTD_NEED_WIDTH,
    /* CAP and ECAP of the host's unit */
    VTD_NEED_SMTS,
    VTD_NEED_NEST,
    VTD_NEED_SSTS,
    VTD_NEED_FSTS,
    VTD_NEED_FS5LP,
    VTD_NEED_FS1GP,
    VTD_NEED_SRS,
    VTD_NEED_EAFS,
    VTD_NEED_SMPWCS,
    VTD_NEED_NWFS,
    VTD_NEED_PASID,
    VTD_NEED_DT,
    VTD_NEED_PRS,
    VTD_NEED_PDS,
    /* the device */
    VTD_NEED_ATS,
    VTD_NEED_PRI,
    VTD_NEED_PASID_WIDTH,
    /* calls of the host's kernel */
    VTD_NEED_NEST_PARENT,
    VTD_NEED_STAGE1,
    VTD_NEED_INVALIDATE,
    VTD_NEED_PASID_TABLE,
    VTD_NEED_PASID_ATTACH,
    VTD_NEED_FAULT_QUEUE,
    VTD_NEED_FAULT_TABLE,
    VTD_NEEDS,
} VtdNeed;

#define VTD_NEED_BIT(need) (UINT64_C(1) << VTD_NEED_##need)

/* Of whom something is needed. */
typedef enum VtdNeedOf {
    VTD_NEED_OF_KERNEL,
    VTD_NEED_OF_UNIT,
    VTD_NEED_OF_DEVICE,
    VTD_NEED_OF_CONFIGURATION, /* neither: of how the machine is set up */
} VtdNeedOf;

typedef struct VtdNeedRow {
    const char *key;
    const char *name;
    VtdNeedOf of;
    uint64_t cap; /* all of these bits, of the host's unit */
    uint64_t ecap;
    /* Calls that are tried: of iommufd since Linux... */
    const char *iommufd;
    const char *since;
    /* ...and of VFIO's nesting interface of 2020; NULL: it has none. */
    const char *vfio2020;
} VtdNeedRow;

extern const VtdNeedRow vtd_needs[VTD_NEEDS];

/* When a feature that is left to itself is shown. */
typedef enum VtdDefault {
    VTD_DEFAULT_ON,
    VTD_DEFAULT_OFF,
    VTD_DEFAULT_SVM,
    VTD_DEFAULT_NESTED, /* unknown to QEMU's own device: for new machines */
    VTD_DEFAULT_EITHER,
} VtdDefault;

typedef struct VtdFeatureRow {
    const char *key;
    const char *name;
    const char *property; /* one of on, off, auto; or NULL... */
    const char *shown_by; /* ...and another property says whether it is there */
    const char *off;      /* what to set to be without it */
    VtdDefault by_default; /* what "auto" stands for */
    bool automatic;  /* "auto" may be taken away */
    bool of_device;  /* each device has it or not */
    uint64_t cap;    /* what the guest sees of it */
    uint64_t ecap;
    size_t option;   /* bool in VtdOptions; 0: none */
    uint64_t needs;  /* VTD_NEED_BIT()s */
    uint64_t concerns; /* if not 0: devices that have all of these only */
    uint32_t depends;  /* VTD_FEATURE_BIT()s */
} VtdFeatureRow;

#define VTD_FEATURE_BIT(feature) (1u << VTD_FEATURE_##feature)

extern const VtdFeatureRow vtd_features[VTD_FEATURES];

#endif
