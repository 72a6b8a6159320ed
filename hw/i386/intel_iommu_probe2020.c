/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "intel_iommu_container.h"
#include "intel_iommu_probe2020.h"
#include "intel_iommu_vfio2020.h"

/* What the capability says that the kernel has not, is not tried. */
static int has_feature(const VtdNesting2020 *nesting, uint32_t feature)
{
    return nesting->features & feature ? 0 : -EOPNOTSUPP;
}

static int try_bind(int container, uint32_t pasid)
{
    const VtdConfig empty = { .kind = VTD_FIRST_STAGE, .fs_levels = 4 };
    struct uapi2020_op_bind op;

    vtd_encode2020_bind(&empty, pasid, &op);
    return vtd_vfio2020_op(container, &op.op);
}

static int try_unbind(int container, uint32_t pasid)
{
    struct uapi2020_op_bind op;

    vtd_encode2020_unbind(pasid, &op);
    return vtd_vfio2020_op(container, &op.op);
}

/* In both of its forms. */
static int try_invalidate(int container, uint32_t pasid)
{
    const VtdRange ranges[] = {
        { .order = VTD_RANGE_ALL },
        { .leaf_only = true },
    };
    int error = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(ranges) && !error; i++) {
        struct uapi2020_op_invalidate op;

        vtd_encode2020_invalidate(&ranges[i], pasid, &op);
        error = vtd_vfio2020_op(container, &op.op);
    }
    return error;
}

/*
 * What the capability says is one thing, what the kernel's driver takes another;
 * and an invalidation that it turns out not to know could not be made good.  So
 * each struct is tried.  Tables are for PASIDs only, and no use if they cannot
 * be taken back.
 */
static void ask_kernel(int container, const VtdNesting2020 *nesting,
                       VtdOffer *offer)
{
    int pasid = has_feature(nesting, UAPI2020_NESTING_SYSWIDE_PASID);
    int bind = has_feature(nesting, UAPI2020_NESTING_BIND);
    int invalidate = has_feature(nesting, UAPI2020_NESTING_INVALIDATE);

    if (!pasid) {
        pasid = vtd_vfio2020_alloc_pasid(container, 1,
                                         (1u << offer->pasid_bits) - 1);
    }
    vtd_offer_call(offer, VTD_NEED_PASID_TABLE, MIN(pasid, 0));
    if (!bind) {
        bind = pasid < 0 ? pasid : try_bind(container, pasid);
        if (!bind) {
            if (!invalidate) {
                invalidate = try_invalidate(container, pasid);
            }
            bind = try_unbind(container, pasid);
        }
    }
    vtd_offer_call(offer, VTD_NEED_STAGE1, bind);
    vtd_offer_call(offer, VTD_NEED_PASID_ATTACH, bind);
    vtd_offer_call(offer, VTD_NEED_INVALIDATE, invalidate);
    if (pasid > 0) {
        vtd_vfio2020_free_pasid(container, pasid);
    }
}

/* NULL, or why a container that nests is of no use. */
static const char *why_not(const IntelIOMMUState *s,
                           const VtdNesting2020 *nesting)
{
    if (!vtd_features_pasid_bits(s)) {
        return "it nests requests with PASID only, and the guest's IOMMU has "
               "no PASIDs (pasid-bits)";
    }
    if (!nesting->pasid_bits) {
        return "it nests requests with PASID only, and the device has no "
               "PASIDs";
    }
    return NULL;
}

void vtd_probe_vfio2020(const IntelIOMMUState *s, VFIODevice *vfio,
                        VtdOffer *offer)
{
    int container = vtd_container_of(vfio);
    VtdNesting2020 nesting;

    offer->why_no_backend = vtd_vfio2020_info(container, &nesting);
    if (!offer->why_no_backend) {
        offer->why_no_backend = why_not(s, &nesting);
    }
    if (offer->why_no_backend) {
        offer->backend = VTD_BACKEND_NONE;
        return;
    }
    vtd_offer_call(offer, VTD_NEED_BACKEND, 0);
    vtd_offer_call(offer, VTD_NEED_NEST_PARENT, 0);
    vtd_offer_call(offer, VTD_NEED_FAULT_QUEUE, -ENOTTY);
    vtd_offer_call(offer, VTD_NEED_FAULT_TABLE, -ENOTTY);
    vtd_offer_unit(offer, nesting.cap, nesting.ecap);
    offer->pasid_bits = MIN(nesting.pasid_bits, VTD_PASID_MAX_BITS);
    if (vtd_offer_ask(s, offer)) {
        ask_kernel(container, &nesting, offer);
    }
}
