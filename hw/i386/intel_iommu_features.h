/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The features that a user can switch on, off, or leave to "auto", and what
 * each needs of the host when a device is passed through.
 *
 * One table says it all.  A feature on "auto" is shown by default or not; a
 * device that is there at start and whose host lacks it takes it away again.
 * When the machine is ready everything is settled: what is plugged later has
 * to have what the guest was shown.  All functions run under the BQL.
 */
#ifndef HW_I386_INTEL_IOMMU_FEATURES_H
#define HW_I386_INTEL_IOMMU_FEATURES_H

#include "hw/i386/intel_iommu.h"
#include "hw/qdev-properties.h"
#include "qobject/qdict.h"
#include "vtd/vtd_caps.h"

#define DEFINE_PROP_VTD_FEATURE(name, index) \
    DEFINE_PROP_ON_OFF_AUTO(name, IntelIOMMUState, feature[index], \
                            ON_OFF_AUTO_AUTO)

/* The same for one that is a bool in QEMU's own device: what is not set counts
 * as "auto". */
extern const PropertyInfo vtd_feature_bool;

#define DEFINE_PROP_VTD_FEATURE_BOOL(name, index) \
    DEFINE_PROP(name, IntelIOMMUState, feature[index], vtd_feature_bool, \
                OnOffAuto, .set_default = true)

/* Write what is on at present into @options, whose other fields are set. */
void vtd_features_options(const IntelIOMMUState *s, VtdOptions *options);

/* What stands behind a device that is passed through. */
typedef struct VtdHostUnit {
    const char *device; /* for messages */
    bool nested;        /* translated by the host, with @cap and @ecap */
    uint64_t cap;
    uint64_t ecap;
} VtdHostUnit;

/*
 * @host's device is about to be plugged.  Features that it cannot have are
 * switched off where that is possible; true: the guest's unit fits the device
 * now.  False with @errp set: it does not, the error names device, feature,
 * both sides' values and the remedy.
 */
bool vtd_features_meet(IntelIOMMUState *s, const VtdHostUnit *host,
                       Error **errp);

/* The machine is ready: "auto" becomes what it came to. */
void vtd_features_settle(IntelIOMMUState *s);

/* By property: { name, shown, reason }. */
QDict *vtd_features_query(const IntelIOMMUState *s);

#endif
