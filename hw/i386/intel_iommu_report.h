/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the unit knows, for people and programs that ask for properties.
 */
#ifndef HW_I386_INTEL_IOMMU_REPORT_H
#define HW_I386_INTEL_IOMMU_REPORT_H

#include "intel_iommu_offer.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"

/* { KEY: FEATURE } as docs/device.rst describes it. */
QDict *vtd_report_features(const IntelIOMMUState *s);

/* { KEY: NEED }: the table's needs. */
QDict *vtd_report_needs(void);

/* { cap, ecap, has: [ KEY ], refused: { KEY: message },
 * features: { KEY: reason or null } } of a device under nested translation. */
QDict *vtd_report_offer(const IntelIOMMUState *s, const VtdOffer *offer);

/* Lines of text. */
QList *vtd_report_text(IntelIOMMUState *s);

#endif
