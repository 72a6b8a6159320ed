/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters of the unit, and what it knows, as read-only properties of the
 * device: what tests and demonstrations read by qom-get.
 *
 * x-features       { KEY: { name, shown, reason, and the rest of the table's
 *                      row } }
 * x-feature-needs  { KEY: { name, of, and the rest of the table's row } }
 * x-report         [ LINE ]: all of it, to be read by people
 * x-host-devices   [ { device, backend, pasid-bits, page-requests, parent,
 *                      offer: { has, refused, features },
 *                      without-pasid: BINDING, pasids: [ BINDING ] } ]
 *                 with BINDING = { pasid, state, hwpt, domain, table, levels }
 */
#include "qemu/osdep.h"

#include "intel_iommu_report.h"
#include "intel_iommu_space.h"
#include "qapi/qapi-builtin-visit.h"
#include "vtd/vtd_desc.h"

static void add_counter(IntelIOMMUState *s, const char *name,
                        const uint64_t *value)
{
    object_property_add_uint64_ptr(OBJECT(s), name, value, OBJ_PROP_FLAG_READ);
}

/* Counted by any thread: it only ever grows and is read in one piece. */
static void add_shared_counter(IntelIOMMUState *s, const char *name,
                               const _Atomic uint64_t *value)
{
    add_counter(s, name, (const uint64_t *)value);
}

/* @answer is given away. */
static void visit_answer(Visitor *v, const char *name, QObject *answer,
                         Error **errp)
{
    visit_type_any(v, name, &answer, errp);
    qobject_unref(answer);
}

static void get_features(Object *obj, Visitor *v, const char *name,
                         void *opaque, Error **errp)
{
    IntelIOMMUState *s = INTEL_IOMMU_DEVICE(obj);

    visit_answer(v, name, QOBJECT(vtd_report_features(s)), errp);
}

static void get_needs(Object *obj, Visitor *v, const char *name,
                      void *opaque, Error **errp)
{
    visit_answer(v, name, QOBJECT(vtd_report_needs()), errp);
}

static void get_report(Object *obj, Visitor *v, const char *name,
                       void *opaque, Error **errp)
{
    IntelIOMMUState *s = INTEL_IOMMU_DEVICE(obj);

    visit_answer(v, name, QOBJECT(vtd_report_text(s)), errp);
}

static void get_host_devices(Object *obj, Visitor *v, const char *name,
                             void *opaque, Error **errp)
{
    IntelIOMMUState *s = INTEL_IOMMU_DEVICE(obj);

    visit_answer(v, name, QOBJECT(vtd_host_query(s)), errp);
}

void vtd_stats_init(IntelIOMMUState *s)
{
    static const char *const descriptors[] = {
        [VTD_DESC_CONTEXT] = "x-descriptors-context",
        [VTD_DESC_IOTLB] = "x-descriptors-iotlb",
        [VTD_DESC_DEVICE_TLB] = "x-descriptors-device-tlb",
        [VTD_DESC_INTERRUPT_ENTRY] = "x-descriptors-interrupt-entry",
        [VTD_DESC_WAIT] = "x-descriptors-wait",
        [VTD_DESC_PASID_IOTLB] = "x-descriptors-pasid-iotlb",
        [VTD_DESC_PASID_CACHE] = "x-descriptors-pasid-cache",
        [VTD_DESC_PASID_DEVICE_TLB] = "x-descriptors-pasid-device-tlb",
        [VTD_DESC_PAGE_RESPONSE] = "x-descriptors-page-response",
    };
    const VtdCounters *counters = &s->unit->counters;

    for (unsigned type = 0; type < ARRAY_SIZE(descriptors); type++) {
        if (descriptors[type]) {
            add_counter(s, descriptors[type], &counters->descriptors[type]);
        }
    }
    add_shared_counter(s, "x-table-walks", &counters->table_walks);
    add_shared_counter(s, "x-nested-walks", &counters->nested_walks);
    add_shared_counter(s, "x-faults", &counters->faults);
    object_property_add_uint32_ptr(OBJECT(s), "x-guest-errors",
                                   &s->guest_errors, OBJ_PROP_FLAG_READ);
    add_shared_counter(s, "x-page-requests", &counters->page_requests);
    object_property_add(OBJECT(s), "x-features", "any", get_features, NULL,
                        NULL, NULL);
    object_property_add(OBJECT(s), "x-feature-needs", "any", get_needs, NULL,
                        NULL, NULL);
    object_property_add(OBJECT(s), "x-report", "any", get_report, NULL, NULL,
                        NULL);
    object_property_add(OBJECT(s), "x-host-devices", "any",
                        get_host_devices, NULL, NULL, NULL);
}
