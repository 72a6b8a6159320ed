/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bindings: what the host kernel translates the requests of a passed-through
 * device with, those without PASID or those of one PASID.
 *
 * A binding is in one of three states, and changes when the guest's
 * configuration does.  If the host refuses, it is blocked; it never falls back
 * to a state that allows more.  BQL held in all functions.
 */
#ifndef HW_I386_INTEL_IOMMU_BINDING_H
#define HW_I386_INTEL_IOMMU_BINDING_H

#include "hw/vfio/vfio-common.h"
#include "intel_iommu_domain.h"
#include "intel_iommu_faults.h"
#include "intel_iommu_iommufd.h"
#include "intel_iommu_space.h"

typedef enum VtdBindingState {
    VTD_BINDING_IDENTITY,    /* on the parent: guest-physical addresses */
    VTD_BINDING_BLOCKED,     /* detached, or on the empty table: no DMA */
    VTD_BINDING_FIRST_STAGE, /* on a stage-1 HWPT over the parent */
    VTD_BINDING_SECOND_STAGE, /* on a HWPT over the guest's domain */
    VTD_BINDING_NESTED, /* on a stage-1 HWPT over such a one */
} VtdBindingState;

const char *vtd_binding_state_name(VtdBindingState state);

/* What the host has done for us. */
typedef struct VtdHostCounters {
    uint64_t structs; /* invalidation entries that took effect */
    uint64_t ioctls;  /* invalidation calls */
    uint64_t attaches;
    uint64_t detaches;
    uint64_t stage1_hwpts; /* allocated so far */
    uint64_t pasids;       /* that are attached now */
    uint64_t hwpts;        /* of bindings that there are now */
    uint64_t errors;
} VtdHostCounters;

/* What the bindings of a device have in common. */
typedef struct VtdBindingDevice {
    VFIODevice *vfio;
    VtdHostCounters *counters;
    VtdHwptOptions hwpt; /* of all HWPTs */
    VtdFaultQueue *faults; /* or NULL */
    uint32_t parent;     /* HWPT id */
    uint32_t empty;      /* HWPT id; nothing is mapped there */
    VtdDomainSource source; /* of the guest's second-stage domains... */
    GSList **domains;       /* ...and those that there are */
} VtdBindingDevice;

typedef struct VtdBinding {
    VtdBindingDevice *dev;
    uint32_t pasid; /* or VTD_NO_PASID */
    VtdBindingState state;
    VtdHostDomain *domain; /* second stage and nested: the guest's... */
    uint32_t stage2;       /* ...and the HWPT id over it */
    uint32_t stage1; /* HWPT id, first stage and nested */
    VtdConfig config; /* what they were made of */

    /* Invalidations of the current batch, not yet passed down. */
    struct iommu_hwpt_vtd_s1_invalidate *entry; /* room for VTD_BATCH_MAX */
    unsigned *notice; /* index of the notice behind each */
    unsigned entries;
} VtdBinding;

/* A blocked one. */
VtdBinding *vtd_binding_new(VtdBindingDevice *dev, uint32_t pasid);

/* Its HWPT is freed; the host is not told otherwise. */
void vtd_binding_free(VtdBinding *binding);

void vtd_binding_identity(VtdBinding *binding);

/* If the host cannot be made to do it, the machine is stopped. */
void vtd_binding_block(VtdBinding *binding);

/*
 * First stage, second stage or nested, as @config says.  False: the host does
 * not want these tables; the binding is blocked.
 */
bool vtd_binding_translate(VtdBinding *binding, const VtdConfig *config);

/* The device goes back to VFIO's own page table; the binding counts as
 * blocked. */
void vtd_binding_return(VtdBinding *binding, uint32_t hwpt);

/* Does @notice drop translations that the binding gave rise to? */
bool vtd_binding_covered(const VtdBinding *binding, const VtdNotice *notice);

/* Keep @notice, which covers the binding, as the @index-th of its batch. */
void vtd_binding_invalidate(VtdBinding *binding, const VtdNotice *notice,
                            unsigned index);

/*
 * Pass down what was kept, in one array.  Returns VTD_DELIVERED, or what
 * became of it with *@failed = the notice at fault; the binding is blocked
 * then, so that nothing stale is used.
 */
VtdDelivery vtd_binding_flush(VtdBinding *binding, unsigned *failed);

#endif
