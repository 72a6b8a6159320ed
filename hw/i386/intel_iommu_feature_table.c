/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "intel_iommu_feature_table.h"
#include "vtd/vtd_caps.h"

#define UNIT_CAP(need, text) \
    [VTD_NEED_##need] = { .key = "CAP." #need, .name = text " (CAP." #need ")", \
                          .of = VTD_NEED_OF_UNIT, .cap = VTD_CAP_##need }
#define UNIT_ECAP(need, text) \
    [VTD_NEED_##need] = { .key = "ECAP." #need, \
                          .name = text " (ECAP." #need ")", \
                          .of = VTD_NEED_OF_UNIT, .ecap = VTD_ECAP_##need }

const VtdNeedRow vtd_needs[VTD_NEEDS] = {
    [VTD_NEED_BACKEND] = {
        .key = "backend",
        .name = "an interface for nested translation",
        .of = VTD_NEED_OF_KERNEL,
        .iommufd = "an iommufd object",
        .since = "6.6",
        .vfio2020 = "VFIO_TYPE1_NESTING_IOMMU with the nesting capability",
    },
    [VTD_NEED_VTD] = {
        .key = "vtd",
        .name = "an Intel VT-d IOMMU",
        .of = VTD_NEED_OF_KERNEL,
        .iommufd = "IOMMU_GET_HW_INFO",
        .since = "6.6",
        .vfio2020 = "the VT-d part of the nesting capability",
    },
    [VTD_NEED_NESTED] = {
        .key = "nested",
        .name = "nested translation of the device",
        .of = VTD_NEED_OF_CONFIGURATION,
    },
    [VTD_NEED_EMULATION] = {
        .key = "emulation",
        .name = "no device that is passed through",
        .of = VTD_NEED_OF_CONFIGURATION,
    },
    [VTD_NEED_WIDTH] = {
        .key = "CAP.MGAW",
        .name = "as many address bits (CAP.MGAW)",
        .of = VTD_NEED_OF_UNIT,
    },
    UNIT_ECAP(SMTS, "scalable mode"),
    UNIT_ECAP(NEST, "nested translation"),
    UNIT_ECAP(SSTS, "second-stage translation"),
    UNIT_ECAP(FSTS, "first-stage translation"),
    UNIT_CAP(FS5LP, "5-level first-stage translation"),
    UNIT_CAP(FS1GP, "1 GiB first-stage pages"),
    UNIT_ECAP(SRS, "supervisor requests"),
    UNIT_ECAP(EAFS, "extended accessed bits"),
    UNIT_ECAP(SMPWCS, "coherent page walks"),
    UNIT_ECAP(NWFS, "the no-write flag"),
    UNIT_ECAP(PASID, "PASIDs"),
    UNIT_ECAP(DT, "device TLBs"),
    UNIT_ECAP(PRS, "page requests"),
    UNIT_ECAP(PDS, "page-request draining"),
    [VTD_NEED_ATS] = {
        .key = "ATS",
        .name = "address translation services (ATS)",
        .of = VTD_NEED_OF_DEVICE,
    },
    [VTD_NEED_PRI] = {
        .key = "PRI",
        .name = "the page request interface (PRI)",
        .of = VTD_NEED_OF_DEVICE,
    },
    [VTD_NEED_PASID_WIDTH] = {
        .key = "PASID",
        .name = "PASIDs of that width",
        .of = VTD_NEED_OF_DEVICE,
        .iommufd = "iommu_hw_info.out_max_pasid_log2",
        .since = "6.15",
        .vfio2020 = "iommu_nesting_info.pasid_bits",
    },
    [VTD_NEED_NEST_PARENT] = {
        .key = "nest-parent",
        .name = "page tables that can be nested",
        .of = VTD_NEED_OF_KERNEL,
        .iommufd = "IOMMU_HWPT_ALLOC with IOMMU_HWPT_ALLOC_NEST_PARENT",
        .since = "6.7",
        .vfio2020 = "VFIO_SET_IOMMU of VFIO_TYPE1_NESTING_IOMMU",
    },
    [VTD_NEED_STAGE1] = {
        .key = "first-stage-table",
        .name = "first-stage page tables",
        .of = VTD_NEED_OF_KERNEL,
        .iommufd = "IOMMU_HWPT_ALLOC of IOMMU_HWPT_DATA_VTD_S1",
        .since = "6.7",
        .vfio2020 = "VFIO_IOMMU_NESTING_OP to bind a page table",
    },
    [VTD_NEED_INVALIDATE] = {
        .key = "invalidation",
        .name = "invalidation of first-stage translations",
        .of = VTD_NEED_OF_KERNEL,
        .iommufd = "IOMMU_HWPT_INVALIDATE",
        .since = "6.8",
        .vfio2020 = "VFIO_IOMMU_NESTING_OP to invalidate",
    },
    [VTD_NEED_PASID_TABLE] = {
        .key = "pasid-table",
        .name = "page tables for PASIDs",
        .of = VTD_NEED_OF_KERNEL,
        .iommufd = "IOMMU_HWPT_ALLOC with IOMMU_HWPT_ALLOC_PASID",
        .since = "6.14",
        .vfio2020 = "VFIO_IOMMU_PASID_REQUEST",
    },
    [VTD_NEED_PASID_ATTACH] = {
        .key = "pasid-attach",
        .name = "attaching PASIDs",
        .of = VTD_NEED_OF_KERNEL,
        .iommufd = "VFIO_DEVICE_DETACH_IOMMUFD_PT with a PASID",
        .since = "6.15",
        .vfio2020 = "VFIO_IOMMU_NESTING_OP to bind a page table",
    },
    [VTD_NEED_FAULT_QUEUE] = {
        .key = "fault-queue",
        .name = "queues for page requests",
        .of = VTD_NEED_OF_KERNEL,
        .iommufd = "IOMMU_FAULT_QUEUE_ALLOC",
        .since = "6.11",
        .vfio2020 = "no call of that interface",
    },
    [VTD_NEED_FAULT_TABLE] = {
        .key = "fault-table",
        .name = "page tables with such a queue",
        .of = VTD_NEED_OF_KERNEL,
        .iommufd = "IOMMU_HWPT_ALLOC with IOMMU_HWPT_FAULT_ID_VALID",
        .since = "6.11",
        .vfio2020 = "no call of that interface",
    },
};

#define OPTION(field) offsetof(VtdOptions, field)
#define WITHOUT_NESTING "nested=off,x-flts=off,caching-mode=on"

const VtdFeatureRow vtd_features[VTD_FEATURES] = {
    [VTD_FEATURE_NESTED] = {
        .key = "nested",
        .name = "nested translation (ECAP.NEST)",
        .property = "nested",
        .off = WITHOUT_NESTING,
        .automatic = true,
        .by_default = VTD_DEFAULT_ON,
        .option = OPTION(nested),
        .ecap = VTD_ECAP_NEST,
        .needs = VTD_NEED_BIT(BACKEND) | VTD_NEED_BIT(VTD) |
                 VTD_NEED_BIT(NEST) | VTD_NEED_BIT(SSTS) |
                 VTD_NEED_BIT(NEST_PARENT),
        .depends = VTD_FEATURE_BIT(SCALABLE_MODE) |
                   VTD_FEATURE_BIT(FIRST_STAGE),
    },
    [VTD_FEATURE_SCALABLE_MODE] = {
        .key = "scalable-mode",
        .name = "scalable mode (ECAP.SMTS)",
        .property = "x-scalable-mode",
        .off = WITHOUT_NESTING,
        .automatic = true,
        .by_default = VTD_DEFAULT_ON,
        .option = OPTION(scalable_mode),
        .ecap = VTD_ECAP_SMTS,
        .needs = VTD_NEED_BIT(SMTS),
    },
    [VTD_FEATURE_FIRST_STAGE] = {
        .key = "first-stage",
        .name = "first-stage translation (ECAP.FSTS)",
        .property = "x-flts",
        .off = WITHOUT_NESTING,
        .automatic = true,
        .by_default = VTD_DEFAULT_ON,
        .option = OPTION(first_stage),
        .ecap = VTD_ECAP_FSTS,
        .needs = VTD_NEED_BIT(NESTED) | VTD_NEED_BIT(FSTS) |
                 VTD_NEED_BIT(STAGE1) | VTD_NEED_BIT(INVALIDATE),
        .depends = VTD_FEATURE_BIT(SCALABLE_MODE),
    },
    [VTD_FEATURE_SECOND_STAGE] = {
        /* Its tables are mirrored: what maps plain memory maps them. */
        .key = "second-stage",
        .name = "second-stage translation in scalable mode (ECAP.SSTS)",
        .shown_by = "x-flts=off, or nested=on",
        .ecap = VTD_ECAP_SSTS,
        .depends = VTD_FEATURE_BIT(SCALABLE_MODE),
    },
    [VTD_FEATURE_WIDTH] = {
        .key = "width",
        .name = "the width of addresses (CAP.MGAW)",
        .shown_by = "aw-bits",
        .cap = VTD_CAP_MGAW,
        .needs = VTD_NEED_BIT(WIDTH),
    },
    [VTD_FEATURE_FS5LP] = {
        .key = "fs5lp",
        .name = "5-level first-stage translation (CAP.FS5LP)",
        .shown_by = "aw-bits=57",
        .off = "aw-bits=48",
        .cap = VTD_CAP_FS5LP,
        .needs = VTD_NEED_BIT(FS5LP),
        .depends = VTD_FEATURE_BIT(FIRST_STAGE),
    },
    [VTD_FEATURE_FS1GP] = {
        .key = "fs1gp",
        .name = "1 GiB first-stage pages (CAP.FS1GP)",
        .property = "fs1gp",
        .off = "fs1gp=off",
        .automatic = true,
        .by_default = VTD_DEFAULT_ON,
        .option = OPTION(fs1gp),
        .cap = VTD_CAP_FS1GP,
        .needs = VTD_NEED_BIT(FS1GP),
        .depends = VTD_FEATURE_BIT(FIRST_STAGE),
    },
    [VTD_FEATURE_SRS] = {
        /* The PASID entry's WPE has no bit of its own: it acts with SRE. */
        .key = "srs",
        .name = "supervisor requests (ECAP.SRS)",
        .property = "srs",
        .off = "srs=off",
        .automatic = true,
        .by_default = VTD_DEFAULT_NESTED,
        .option = OPTION(supervisor_requests),
        .ecap = VTD_ECAP_SRS,
        .needs = VTD_NEED_BIT(SRS),
        .depends = VTD_FEATURE_BIT(FIRST_STAGE),
    },
    [VTD_FEATURE_EAFS] = {
        .key = "eafs",
        .name = "extended accessed bits (ECAP.EAFS)",
        .property = "eafs",
        .off = "eafs=off",
        .automatic = true,
        .by_default = VTD_DEFAULT_NESTED,
        .option = OPTION(extended_accessed),
        .ecap = VTD_ECAP_EAFS,
        .needs = VTD_NEED_BIT(EAFS),
        .depends = VTD_FEATURE_BIT(FIRST_STAGE),
    },
    [VTD_FEATURE_SSADS] = {
        .key = "ssads",
        .name = "second-stage accessed and dirty bits (ECAP.SSADS)",
        .property = "ssads",
        .off = "ssads=off",
        .automatic = true,
        .by_default = VTD_DEFAULT_NESTED,
        .option = OPTION(ss_accessed_dirty),
        .ecap = VTD_ECAP_SSADS,
        .needs = VTD_NEED_BIT(EMULATION),
        .depends = VTD_FEATURE_BIT(SECOND_STAGE),
    },
    [VTD_FEATURE_SMPWCS] = {
        .key = "smpwcs",
        .name = "coherent page walks (ECAP.SMPWCS)",
        .property = "smpwcs",
        .off = "smpwcs=off",
        .automatic = true,
        .by_default = VTD_DEFAULT_EITHER, /* Linux wants it for SVA */
        .option = OPTION(coherent_walks),
        .ecap = VTD_ECAP_SMPWCS,
        .needs = VTD_NEED_BIT(SMPWCS),
        .depends = VTD_FEATURE_BIT(SCALABLE_MODE),
    },
    [VTD_FEATURE_RPS] = {
        /* The host's kernel has a RID_PASID of its own. */
        .key = "rps",
        .name = "RID_PASID (ECAP.RPS)",
        .property = "rps",
        .off = "rps=off",
        .automatic = true,
        .by_default = VTD_DEFAULT_NESTED,
        .option = OPTION(rid_pasid),
        .ecap = VTD_ECAP_RPS,
        .depends = VTD_FEATURE_BIT(SCALABLE_MODE),
    },
    [VTD_FEATURE_DEVICE_TLB] = {
        .key = "device-iotlb",
        .name = "device TLBs (ECAP.DT)",
        .shown_by = "device-iotlb=on",
        .of_device = true,
        .ecap = VTD_ECAP_DT,
        .needs = VTD_NEED_BIT(NESTED) | VTD_NEED_BIT(DT) | VTD_NEED_BIT(ATS),
    },
    [VTD_FEATURE_NWFS] = {
        .key = "nwfs",
        .name = "the no-write flag (ECAP.NWFS)",
        .property = "nwfs",
        .off = "nwfs=off",
        .automatic = true,
        .by_default = VTD_DEFAULT_SVM,
        .option = OPTION(no_write_flag),
        .ecap = VTD_ECAP_NWFS,
        .needs = VTD_NEED_BIT(NWFS),
        .concerns = VTD_NEED_BIT(DT) | VTD_NEED_BIT(ATS),
        .depends = VTD_FEATURE_BIT(DEVICE_TLB),
    },
    [VTD_FEATURE_PASID] = {
        .key = "pasid",
        .name = "PASIDs (ECAP.PASID, PSS)",
        .property = "pasid",
        .shown_by = "pasid-bits",
        .off = "pasid=auto",
        .of_device = true,
        .by_default = VTD_DEFAULT_OFF,
        .ecap = VTD_ECAP_PASID | VTD_ECAP_PSS,
        .needs = VTD_NEED_BIT(NESTED) | VTD_NEED_BIT(PASID) |
                 VTD_NEED_BIT(PASID_WIDTH) | VTD_NEED_BIT(PASID_TABLE) |
                 VTD_NEED_BIT(PASID_ATTACH),
        .depends = VTD_FEATURE_BIT(SCALABLE_MODE),
    },
    [VTD_FEATURE_PRS] = {
        .key = "prs",
        .name = "page requests (ECAP.PRS, PDS)",
        .property = "prs",
        .off = "prs=auto",
        .of_device = true,
        .by_default = VTD_DEFAULT_SVM,
        .option = OPTION(page_requests),
        .ecap = VTD_ECAP_PRS | VTD_ECAP_PDS,
        .needs = VTD_NEED_BIT(PRS) | VTD_NEED_BIT(PDS) | VTD_NEED_BIT(PRI) |
                 VTD_NEED_BIT(FAULT_QUEUE) | VTD_NEED_BIT(FAULT_TABLE),
        .depends = VTD_FEATURE_BIT(SCALABLE_MODE) |
                   VTD_FEATURE_BIT(DEVICE_TLB),
    },
    /* What devices need of the guest's unit, not of the host. */
    [VTD_FEATURE_VCS] = {
        .key = "vcs",
        .name = "virtual commands (ECAP.VCS)",
        .shown_by = "host-uapi=vfio-v1, or a device nested by that",
        .option = OPTION(virtual_commands),
        .ecap = VTD_ECAP_VCS,
        .depends = VTD_FEATURE_BIT(NESTED) | VTD_FEATURE_BIT(PASID),
    },
    [VTD_FEATURE_CM] = {
        .key = "caching-mode",
        .name = "caching mode (CAP.CM)",
        .shown_by = "caching-mode=on, or a device under nested translation",
        .option = OPTION(caching_mode),
        .cap = VTD_CAP_CM,
    },
};
