/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bindings: what the host kernel translates the requests of a passed-through
 * device with, those without PASID or those of one PASID.
 *
 * A binding is in one of five states, and changes when the guest's
 * configuration does.  If the host refuses, it is blocked; it never falls back
 * to a state that allows more.  How the kernel is told is the matter of the
 * interface that the device came with (VtdBindingOps): iommufd, or the one of
 * 2020.  BQL held in all functions.
 */
#ifndef HW_I386_INTEL_IOMMU_BINDING_H
#define HW_I386_INTEL_IOMMU_BINDING_H

#include "hw/vfio/vfio-common.h"
#include "intel_iommu_domain.h"
#include "intel_iommu_faults.h"
#include "intel_iommu_iommufd.h"
#include "intel_iommu_memory.h"
#include "intel_iommu_pasids.h"
#include "intel_iommu_space.h"
#include "qobject/qdict.h"
#include "vtd/vtd_ranges.h"

typedef enum VtdBindingState {
    VTD_BINDING_IDENTITY,    /* guest-physical addresses */
    VTD_BINDING_BLOCKED,     /* no DMA */
    VTD_BINDING_FIRST_STAGE, /* the guest's table, over its memory */
    VTD_BINDING_SECOND_STAGE, /* a copy of the guest's domain */
    VTD_BINDING_NESTED, /* the guest's table, over such a copy */
} VtdBindingState;

const char *vtd_binding_state_name(VtdBindingState state);

/* What the host has done for us. */
typedef struct VtdHostCounters {
    uint64_t structs; /* invalidation entries that took effect */
    uint64_t ioctls;  /* invalidation calls */
    uint64_t batches; /* of the guest's commands, up to a wait descriptor */
    uint64_t attaches;
    uint64_t detaches;
    uint64_t stage1_hwpts; /* allocated so far */
    uint64_t pasids;       /* that are attached now */
    uint64_t hwpts;        /* of bindings that there are now */
    uint64_t errors;
} VtdHostCounters;

typedef struct VtdBinding VtdBinding;
typedef struct VtdBindingDevice VtdBindingDevice;

/*
 * An interface of the host's kernel.  What returns false because the host
 * refused has said so by vtd_binding_refused().
 */
typedef struct VtdBindingOps {
    const char *name;

    /* All that bindings of @dev need; the device stays on VFIO's own page
     * table.  False with @errp set: nothing stays. */
    bool (*open)(VtdBindingDevice *dev, Error **errp);

    /* The opposite; there is no binding any more. */
    void (*close)(VtdBindingDevice *dev);

    /*
     * The requests of @b are translated like this from now on.  False: they
     * are as before, or blocked.  block() is right in any state.
     */
    bool (*identity)(VtdBinding *b);
    bool (*translate)(VtdBinding *b, const VtdConfig *config);
    bool (*block)(VtdBinding *b);

    /* Requests without PASID, which are blocked or untranslated: back to
     * VFIO's own page table.  False: they may still be as before. */
    bool (*give_back)(VtdBinding *b);

    /* What the host holds for @b is freed, whatever state it is in. */
    void (*release)(VtdBinding *b);

    /* Invalidate first-stage translations.  Returns 0 or a negative errno;
     * the first *@done of @ranges took effect. */
    int (*invalidate)(VtdBinding *b, const VtdRange *ranges, unsigned count,
                      unsigned *done);

    /* The guest's answer to a page request. */
    void (*answer)(VtdBindingDevice *dev, const VtdNotice *response);

    /* For x-host-devices. */
    void (*describe_device)(const VtdBindingDevice *dev, QDict *to);
    void (*describe)(const VtdBinding *b, QDict *to);
} VtdBindingOps;

extern const VtdBindingOps vtd_binding_iommufd;
extern const VtdBindingOps vtd_binding_vfio2020;

/* What the bindings of a device have in common. */
struct VtdBindingDevice {
    const VtdBindingOps *ops;
    VtdAddressSpace *space;
    VFIODevice *vfio;
    VtdHostCounters *counters;
    uint8_t pasid_bits; /* of what can be bound; 0: no PASIDs */
    bool page_requests; /* come up */
    VtdGuestMemory *memory;

    /* That of 2020: */
    VtdPasids *pasids; /* that the host gave; NULL: any will do */
    bool stuck; /* the host still maps memory that it should not */

    /* iommufd: */
    GSList **memories; /* VtdGuestMemory, of all devices */
    GSList **domains;  /* of the guest's second stage, of all devices... */
    VtdDomainSource source; /* ...and what they are made from */
    VtdFaultCounters *fault_counters;
    VtdFaultQueue *faults; /* or NULL */
    VtdHwptOptions hwpt;   /* of all HWPTs */
    uint32_t parent;       /* HWPT id */
    uint32_t empty;        /* HWPT id; nothing is mapped there */
    uint32_t empty_ioas;
};

/* iommufd: the HWPTs of a binding; 0, NULL: it needs none. */
typedef struct VtdHwpts {
    VtdHostDomain *domain; /* second stage and nested: the guest's... */
    uint32_t stage2;       /* ...and the HWPT id over it */
    uint32_t stage1;       /* first stage and nested */
} VtdHwpts;

struct VtdBinding {
    VtdBindingDevice *dev;
    uint32_t pasid; /* or VTD_NO_PASID */
    VtdBindingState state;
    VtdConfig config; /* what is translated with, unless identity, blocked */
    VtdHwpts hwpts; /* iommufd */
    bool bound;     /* the interface of 2020: to a first-stage table */

    /* Invalidations of the current batch, not yet passed down. */
    VtdRange *range; /* room for VTD_BATCH_MAX, or NULL */
    unsigned ranges;
};

/* A blocked one. */
VtdBinding *vtd_binding_new(VtdBindingDevice *dev, uint32_t pasid);

/* What it holds is freed; the host is not told otherwise. */
void vtd_binding_free(VtdBinding *binding);

/* If the host cannot be made to do it, the machine is stopped. */
void vtd_binding_block(VtdBinding *binding);

/*
 * Untranslated; or first stage, second stage or nested, as @config says.  False:
 * the host does not want that; the binding is blocked.
 */
bool vtd_binding_identity(VtdBinding *binding);
bool vtd_binding_translate(VtdBinding *binding, const VtdConfig *config);

/* The device goes back to VFIO's own page table; the binding counts as
 * blocked.  False: the host may still have it where it was. */
bool vtd_binding_give_back(VtdBinding *binding);

/* Does @notice drop translations that the binding gave rise to? */
bool vtd_binding_covered(const VtdBinding *binding, const VtdNotice *notice);

/* Keep @notice, which covers the binding, as the @index-th of its batch. */
void vtd_binding_invalidate(VtdBinding *binding, const VtdNotice *notice,
                            unsigned index);

/*
 * Pass down what was kept, in one array.  Returns VTD_DELIVERED, or what
 * became of it with *@failed = the earliest notice that is not known to have
 * taken effect; the binding is blocked then, so that nothing stale is used.
 */
VtdDelivery vtd_binding_flush(VtdBinding *binding, unsigned *failed);

/* For VtdBindingOps: the host refused to do @what, with a negative errno. */
void vtd_binding_refused(VtdBinding *binding, const char *what, int error);

#endif
