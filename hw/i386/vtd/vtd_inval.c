/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_inval.h"

/* Decoded configurations are dropped together: what is still in use is
 * decoded again at its next request. */
static void drop_configurations(VtdUnit *u)
{
    atomic_fetch_add(&u->config_gen, 1);
}

static void drop_iotlb(VtdUnit *u, const VtdNotice *n)
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

static void drop_pasid_iotlb(VtdUnit *u, const VtdNotice *n)
{
    VtdTag tag = { .did = n->did, .pasid = n->pasid, .first_stage = true };

    if (n->scope == VTD_SCOPE_PAGE) {
        vtd_iotlb_drop_pages(&u->iotlb, tag, n->addr, n->order, n->leaf_only);
    } else {
        vtd_iotlb_drop_pasid(&u->iotlb, n->did, n->pasid);
    }
}

void vtd_inval_apply(VtdUnit *u, const VtdNotice *notice)
{
    switch (notice->kind) {
    case VTD_NOTICE_TRANSLATION:
        drop_configurations(u);
        vtd_iotlb_drop_all(&u->iotlb);
        break;
    case VTD_NOTICE_CONTEXT:
    case VTD_NOTICE_PASID_CACHE:
        drop_configurations(u);
        break;
    case VTD_NOTICE_IOTLB:
        drop_iotlb(u, notice);
        break;
    case VTD_NOTICE_PASID_IOTLB:
        drop_pasid_iotlb(u, notice);
        break;
    case VTD_NOTICE_DEVICE_TLB:
    case VTD_NOTICE_INTERRUPT_ENTRY:
    case VTD_NOTICE_PAGE_RESPONSE:
        break; /* nothing of these is cached here */
    }
}
