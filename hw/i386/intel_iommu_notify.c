/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IOMMU notifiers: users of an address space that cache translations (vhost),
 * or would like to be told of each mapping (VFIO containers, vDPA).
 */
#include "qemu/osdep.h"

#include "exec/address-spaces.h"
#include "intel_iommu_features.h"
#include "intel_iommu_space.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "trace/trace-hw_i386_vtd.h"

/* Addresses whose translations are gone; @last is the last one. */
typedef struct Gone {
    hwaddr first;
    hwaddr last;
} Gone;

static const Gone everything = { 0, UINT64_MAX };

static Gone gone_by(const VtdNotice *n)
{
    unsigned shift = n->order + VTD_PAGE_SHIFT;

    if (n->scope != VTD_SCOPE_PAGE || shift >= 64) {
        return everything;
    }
    return (Gone){ n->addr, n->addr + (1ull << shift) - 1 };
}

/*
 * Tell each notifier for one of the @types of events, once.  Who is told of
 * mappings is told by intel_iommu_shadow.c.  Inline, as it is called for one
 * space after another.
 */
static inline QEMU_ALWAYS_INLINE void
unmap(VtdAddressSpace *space, IOMMUNotifierFlag types, Gone gone)
{
    IOMMUNotifier *n;

    IOMMU_NOTIFIER_FOREACH(n, &space->iommu) {
        IOMMUNotifierFlag wanted = n->notifier_flags & types;

        if (wanted && !(n->notifier_flags & IOMMU_NOTIFIER_MAP) &&
            gone.first <= n->end && n->start <= gone.last) {
            hwaddr first = MAX(gone.first, n->start);
            hwaddr last = MIN(gone.last, n->end);
            IOMMUTLBEvent event = {
                .type = wanted & -wanted,
                .entry = {
                    .target_as = &address_space_memory,
                    .iova = first,
                    .addr_mask = last - first,
                    .perm = IOMMU_NONE,
                },
            };

            trace_vtd_space_unmap(space->source.req.sid, first, last);
            memory_region_notify_iommu_one(n, &event);
        }
    }
}

void vtd_unmap_space(VtdAddressSpace *space)
{
    unmap(space, IOMMU_NOTIFIER_UNMAP | IOMMU_NOTIFIER_DEVIOTLB_UNMAP,
          everything);
}

/*
 * Mappings are known only if the guest tells of entries that become present.
 * A device that is being passed through with nested translation asks for
 * mappings before vtd_host_attach() takes it over; it needs none then.
 */
static bool may_ask_for_mappings(IntelIOMMUState *s, Error **errp)
{
    if (vtd_features_on(s, VTD_FEATURE_NESTED) ||
        (s->unit->caps.cap & VTD_CAP_CM)) {
        return true;
    }
    error_setg(errp, "a VFIO container or vDPA device behind intel-iommu "
                     "needs caching-mode=on on intel-iommu");
    return false;
}

int vtd_notify_flag_changed(IOMMUMemoryRegion *iommu, IOMMUNotifierFlag old,
                            IOMMUNotifierFlag now, Error **errp)
{
    VtdAddressSpace *space = container_of(iommu, VtdAddressSpace, iommu);
    IntelIOMMUState *s = space->iommu_state;

    if ((now & IOMMU_NOTIFIER_DEVIOTLB_UNMAP) &&
        !X86_IOMMU_DEVICE(s)->dt_supported) {
        error_setg(errp, "a device with ATS needs device-iotlb=on on "
                         "intel-iommu");
        return -ENOTSUP;
    }
    if ((now & ~old & IOMMU_NOTIFIER_MAP) &&
        !may_ask_for_mappings(s, errp)) {
        return -ENOTSUP;
    }
    if (!old && now) {
        QLIST_INSERT_HEAD(&s->notified_spaces, space, notified);
    } else if (old && !now) {
        QLIST_REMOVE(space, notified);
    }
    space->notifier_flags = now;
    vtd_shadow_space_changed(space, true); /* a replay follows */
    return 0;
}

void vtd_notify_replay(IOMMUMemoryRegion *iommu, IOMMUNotifier *notifier)
{
    vtd_shadow_replay_to(container_of(iommu, VtdAddressSpace, iommu),
                         notifier);
}

void vtd_unmap_all_spaces(IntelIOMMUState *s)
{
    VtdAddressSpace *space, *next;

    QLIST_FOREACH_SAFE(space, &s->notified_spaces, notified, next) {
        vtd_unmap_space(space);
    }
}

/* May translations of @space be what @notice invalidates? */
static bool in_scope(VtdAddressSpace *space, const VtdNotice *notice)
{
    VtdConfig config;

    if (notice->scope == VTD_SCOPE_GLOBAL ||
        vtd_configuration(space->iommu_state->unit, vtd_space_source(space),
                          &config)) {
        return true;
    }
    return config.did == notice->did &&
           (notice->kind == VTD_NOTICE_IOTLB ||
            notice->scope == VTD_SCOPE_DOMAIN ||
            config.pasid == notice->pasid);
}

void vtd_unmap_iotlb(IntelIOMMUState *s, const VtdNotice *notice)
{
    VtdAddressSpace *space, *next;
    Gone gone = gone_by(notice);

    QLIST_FOREACH_SAFE(space, &s->notified_spaces, notified, next) {
        if ((space->notifier_flags & IOMMU_NOTIFIER_UNMAP) &&
            in_scope(space, notice)) {
            unmap(space, IOMMU_NOTIFIER_UNMAP, gone);
        }
    }
}

static bool is_device(VtdAddressSpace *space, const VtdNotice *notice)
{
    return vtd_space_source(space)->req.sid == notice->sid &&
           !notice->has_pasid;
}

void vtd_unmap_device_tlb(IntelIOMMUState *s, const VtdNotice *notice)
{
    VtdAddressSpace *space, *next;

    QLIST_FOREACH_SAFE(space, &s->notified_spaces, notified, next) {
        if ((space->notifier_flags & IOMMU_NOTIFIER_DEVIOTLB_UNMAP) &&
            is_device(space, notice)) {
            unmap(space, IOMMU_NOTIFIER_DEVIOTLB_UNMAP, gone_by(notice));
        }
    }
}
