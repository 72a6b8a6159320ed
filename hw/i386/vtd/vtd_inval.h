/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each invalidation scope drops of the unit's own caches (VT-d spec,
 * section "Invalidation of Translation Caches").  The queue and the register
 * interface both end here.
 */
#ifndef VTD_INVAL_H
#define VTD_INVAL_H

#include "vtd_unit.h"

/* Decoded configurations are dropped together: what is still in use is
 * decoded again at its next request. */
static inline void vtd_drop_configurations(VtdUnit *u)
{
    atomic_fetch_add(&u->config_gen, 1);
}

static inline void vtd_drop_iotlb(VtdUnit *u, const VtdNotice *n)
{
    VtdTag second_stage = { .did = n->did };

    switch (n->scope) {
    case VTD_SCOPE_PAGE:
        /* A nested translation may have gone through the page at any of its
         * first-stage tables, so no nested one of the domain survives. */
        vtd_iotlb_drop_pages(&u->iotlb, second_stage, n->addr, n->order,
                             n->leaf_only);
        vtd_iotlb_drop_first_stage(&u->iotlb, n->did);
        break;
    case VTD_SCOPE_DOMAIN:
        vtd_iotlb_drop_domain(&u->iotlb, n->did);
        break;
    default:
        vtd_iotlb_drop_all(&u->iotlb);
        break;
    }
}

VTD_INLINE void vtd_drop_pasid_iotlb(VtdUnit *u, const VtdNotice *n)
{
    VtdTag tag = { .did = n->did, .pasid = n->pasid, .first_stage = true };

    if (n->scope == VTD_SCOPE_PAGE) {
        vtd_iotlb_drop_pages(&u->iotlb, tag, n->addr, n->order, n->leaf_only);
    } else {
        vtd_iotlb_drop_pasid(&u->iotlb, n->did, n->pasid);
    }
}

/* Any thread, with or without the lock.  After the return nothing that
 * @notice covers is served from a cache of the unit. */
VTD_INLINE void vtd_inval_apply(VtdUnit *u, const VtdNotice *notice)
{
    switch (notice->kind) {
    case VTD_NOTICE_TRANSLATION:
        vtd_drop_configurations(u);
        vtd_iotlb_drop_all(&u->iotlb);
        break;
    case VTD_NOTICE_CONTEXT:
    case VTD_NOTICE_PASID_CACHE:
        vtd_drop_configurations(u);
        break;
    case VTD_NOTICE_IOTLB:
        vtd_drop_iotlb(u, notice);
        break;
    case VTD_NOTICE_PASID_IOTLB:
        vtd_drop_pasid_iotlb(u, notice);
        break;
    case VTD_NOTICE_DEVICE_TLB:
    case VTD_NOTICE_INTERRUPT_ENTRY:
    case VTD_NOTICE_PAGE_RESPONSE:
        break; /* nothing of these is cached here */
    }
}

#endif
