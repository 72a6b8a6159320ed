/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a device that is passed through offers, and whether that is what the
 * guest's unit needs, by the table of intel_iommu_feature_table.h.
 *
 * A unit's feature on "auto" that the host of such a device lacks is taken away.
 * When the machine is ready everything is frozen: what is plugged later has to
 * have what the guest was shown.  A device's feature on "auto" is had by those
 * devices that can; "on" means all that are passed through.  All functions run
 * under the BQL.
 */
#ifndef HW_I386_INTEL_IOMMU_OFFER_H
#define HW_I386_INTEL_IOMMU_OFFER_H

#include "intel_iommu_features.h"

/* Interfaces of the host's kernel. */
typedef enum VtdBackend {
    VTD_BACKEND_NONE, /* that cannot nest: VFIO maps */
    VTD_BACKEND_IOMMUFD,
    VTD_BACKEND_VFIO2020,
    VTD_BACKENDS,
} VtdBackend;

/* What a device that is passed through comes with. */
typedef struct VtdOffer {
    const char *device; /* for messages */
    VtdBackend backend;
    const char *why_no_backend; /* a clause, where there is none */
    uint64_t has; /* VTD_NEED_BIT()s, as far as they are known */
    uint16_t error[VTD_NEEDS]; /* errno where a call was refused */
    uint32_t hw_type; /* IOMMU_HW_INFO_TYPE_* */
    uint64_t cap;     /* of the host's unit, 0 as long as it is not known */
    uint64_t ecap;
    uint8_t address_bits;
    uint8_t pasid_bits; /* of the device; 0: none */
} VtdOffer;

/* The host's unit is a VT-d one with @cap and @ecap. */
void vtd_offer_unit(VtdOffer *offer, uint64_t cap, uint64_t ecap);

/* A call of the kernel for @need was tried, with a result of 0 or -errno. */
void vtd_offer_call(VtdOffer *offer, VtdNeed need, int result);

/*
 * Calls of the kernel (VTD_NEED_OF_KERNEL) that are worth trying: what @offer
 * has so far suffices for a feature that needs them.
 */
uint64_t vtd_offer_ask(const IntelIOMMUState *s, const VtdOffer *offer);

/*
 * The device of @offer is about to be plugged.  Features that it cannot have
 * are taken away where that is possible; true: the guest's unit fits the
 * device now, which is under nested translation if VTD_FEATURE_NESTED is on.
 * False with @errp set, and nothing changed: the error names device, feature,
 * both sides' values and the remedy.
 */
bool vtd_offer_meet(IntelIOMMUState *s, const VtdOffer *offer,
                    Error **errp);

/* Whether the device of @offer, which is under nested translation, has
 * @feature, one of a device. */
bool vtd_offer_gives(const IntelIOMMUState *s, const VtdOffer *offer,
                     VtdFeature feature);

/* Why it has not, as a phrase, to be freed; NULL: it has. */
char *vtd_offer_lacks(const IntelIOMMUState *s, const VtdOffer *offer,
                      VtdFeature feature);

#endif
