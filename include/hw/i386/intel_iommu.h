/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The intel-iommu device: a VT-d remapping unit on a q35 machine.
 *
 * What the rest of QEMU knows of it: the type name, where its registers lie,
 * aw_bits and caching_mode (ACPI tables, machine checks).
 */
#ifndef HW_I386_INTEL_IOMMU_H
#define HW_I386_INTEL_IOMMU_H

#include "exec/memory.h"
#include "hw/i386/x86-iommu.h"
#include "hw/pci/pci.h"
#include "qom/object.h"

#define TYPE_INTEL_IOMMU_DEVICE "intel-iommu"
OBJECT_DECLARE_SIMPLE_TYPE(IntelIOMMUState, INTEL_IOMMU_DEVICE)

#define TYPE_INTEL_IOMMU_MEMORY_REGION "intel-iommu-iommu-memory-region"

/* Where a q35 machine has the registers. */
#define Q35_HOST_BRIDGE_IOMMU_ADDR 0xfed90000ULL

/* An MSI address in two halves, as target/i386/kvm/ takes it apart. */
#define VTD_MSI_ADDR_HI_SHIFT 32
#define VTD_MSI_ADDR_LO_MASK 0xffffffffULL

typedef struct VtdUnit VtdUnit;
typedef struct VtdAddressSpace VtdAddressSpace;
typedef struct VtdDrain VtdDrain;
typedef struct VtdHost VtdHost;
typedef struct VtdRam VtdRam;
typedef struct VtdStream VtdStream;

/* What the guest can be shown: see hw/i386/intel_iommu_feature_table.c.  The
 * first one decides how devices are passed through. */
typedef enum VtdFeature {
    VTD_FEATURE_NESTED,
    VTD_FEATURE_SCALABLE_MODE,
    VTD_FEATURE_FIRST_STAGE,
    VTD_FEATURE_SECOND_STAGE,
    VTD_FEATURE_WIDTH,
    VTD_FEATURE_FS5LP,
    VTD_FEATURE_FS1GP,
    VTD_FEATURE_SRS,
    VTD_FEATURE_EAFS,
    VTD_FEATURE_SSADS,
    VTD_FEATURE_SMPWCS,
    VTD_FEATURE_RPS,
    VTD_FEATURE_DEVICE_TLB,
    VTD_FEATURE_NWFS,
    VTD_FEATURE_PASID,
    VTD_FEATURE_PRS,
    VTD_FEATURE_VCS,
    VTD_FEATURE_CM,
    VTD_FEATURES,
} VtdFeature;

/* Of pasid_bits: as many as all devices passed through have. */
#define VTD_PASID_BITS_AUTO 0xff

/* Interfaces of the host's kernel that a device can be nested by. */
typedef enum VtdHostUapi {
    VTD_HOST_UAPI_AUTO,
    VTD_HOST_UAPI_IOMMUFD,
    VTD_HOST_UAPI_VFIO2020,
    VTD_HOST_UAPIS,
} VtdHostUapi;

/* The 0xfeexxxxx range as requesters see it: writes are interrupts. */
typedef struct VtdInterruptWindow {
    MemoryRegion region;
    IntelIOMMUState *iommu_state;
    uint16_t sid; /* of a write that does not tell where it comes from */
} VtdInterruptWindow;

/* A property with two names. */
typedef struct VtdRenamed {
    bool on;
    const char *given; /* the name by which it was set, NULL: it was not */
} VtdRenamed;

struct IntelIOMMUState {
    X86IOMMUState parent_obj;

    MemoryRegion registers;
    MemoryRegion untranslated;  /* what a device sees that is not translated */
    MemoryRegion system_memory; /* alias in it */
    VtdInterruptWindow interrupts;        /* one for all PCI devices */
    VtdInterruptWindow ioapic_interrupts; /* the IOAPIC's own */
    MemoryRegion ioapic_root;
    AddressSpace ioapic_as;
    VtdUnit *unit;              /* the model */
    VtdRam *ram;                /* guest memory, as the model reads it */
    VtdHost *host;              /* passed-through devices */
    GHashTable *spaces;         /* VtdAddressSpace by (bus, devfn) */
    QLIST_HEAD(, VtdAddressSpace) notified_spaces; /* have IOMMU notifiers */
    QLIST_HEAD(, VtdAddressSpace) direct_spaces;   /* are not translated */
    QEMUBH *views_bh;           /* looks whether there are more of them */
    QLIST_HEAD(, VtdShadowDomain) shadow_domains;
    QLIST_HEAD(, AtsDevice) ats_devices; /* emulated, with ATS and PASIDs */
    DeviceListener device_listener; /* PCI bridges that are unplugged */
    QEMUBH *queue_bh;           /* goes on with a long invalidation queue */
    VtdDrain *drain;            /* accesses under way */
    uint32_t guest_errors;      /* seen so far */
    VtdStream *stream;          /* the state in the form of migration */
    Notifier machine_done;
    Error *migration_blocker;   /* with virtual commands from the start */

    /*
     * hw/i386/pc.c plugs passed-through devices only where this is set.  It
     * is unless nested=off as well: whether the guest is shown CAP.CM early
     * enough is decided device by device.
     */
    bool caching_mode;

    /* Properties.  Stock QEMU's names; see docs/ for the newer spellings. */
    uint32_t version;
    bool report_caching_mode;   /* caching-mode, or needed by a device */
    VtdRenamed scalable_mode;
    VtdRenamed first_stage;
    bool snoop_control;
    bool dma_drain;
    bool dma_translation;
    bool stale_tm;
    bool buggy_eim;
    bool pasid_mode;
    OnOffAuto svm;
    int host_uapi; /* VtdHostUapi */
    bool virtual_commands; /* needed by a device */
    bool forward_invalidation; /* off only to see tests fail */
    uint8_t pasid_bits;  /* or VTD_PASID_BITS_AUTO... */
    uint8_t pasid_limit; /* ...and what that comes to at present */
    uint8_t fault_records; /* 0: as many as suit */
    uint16_t pasid_cap_offset; /* of passed-through devices; 0: choose */
    OnOffAuto feature[VTD_FEATURES];
    char *feature_taken[VTD_FEATURES]; /* by which device and why, or NULL */
    uint8_t aw_bits;
    OnOffAuto intr_eim;
};

#endif
