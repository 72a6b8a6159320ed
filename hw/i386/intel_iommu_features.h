/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest is shown, by the table of intel_iommu_feature_table.h.
 *
 * A feature is on, off, or "auto": shown by default or not, and taken away
 * again by a device that is there at start and whose host lacks it
 * (intel_iommu_offer.h), together with what depends on it.  All functions run
 * under the BQL.
 */
#ifndef HW_I386_INTEL_IOMMU_FEATURES_H
#define HW_I386_INTEL_IOMMU_FEATURES_H

#include "hw/i386/intel_iommu.h"
#include "intel_iommu_feature_table.h"
#include "vtd/vtd_caps.h"

/*
 * Bring what the properties say into the table's terms; before the unit is
 * made.  False with @errp set: they contradict each other.
 */
bool vtd_features_start(IntelIOMMUState *s, Error **errp);

/* Whether the unit has @feature at present. */
bool vtd_features_on(const IntelIOMMUState *s, VtdFeature feature);

/* Write what is on at present into @options, whose other fields are set. */
void vtd_features_options(const IntelIOMMUState *s, VtdOptions *options);

/* The machine is ready: from now on vtd_offer_meet() takes nothing away. */
void vtd_features_freeze(IntelIOMMUState *s);

/* Width of the unit's PASIDs at present; 0: it has none. */
uint8_t vtd_features_pasid_bits(const IntelIOMMUState *s);

/*
 * What a unit with @cap and @ecap has that this one has not, and the other way
 * round, with the reason for it here: phrases, to be freed; empty if no feature
 * differs.
 */
char *vtd_features_differing(const IntelIOMMUState *s, uint64_t cap,
                             uint64_t ecap);

/* Why @feature is on or off, as a phrase; to be freed. */
char *vtd_features_reason(const IntelIOMMUState *s, VtdFeature feature);

#endif
