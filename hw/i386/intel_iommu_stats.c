/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters of the unit as read-only properties of the device: what tests and
 * demonstrations read by qom-get.
 */
#include "qemu/osdep.h"

#include "intel_iommu_space.h"
#include "vtd/vtd_desc.h"

/* A counter only ever grows and is read in one piece. */
static void add_counter(IntelIOMMUState *s, const char *name,
                        const _Atomic uint64_t *value)
{
    object_property_add_uint64_ptr(OBJECT(s), name, (const uint64_t *)value,
                                   OBJ_PROP_FLAG_READ);
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
    };
    const VtdCounters *counters = &s->unit->counters;

    for (unsigned type = 0; type < ARRAY_SIZE(descriptors); type++) {
        if (descriptors[type]) {
            add_counter(s, descriptors[type], &counters->descriptors[type]);
        }
    }
    add_counter(s, "x-table-walks", &counters->table_walks);
    add_counter(s, "x-nested-walks", &counters->nested_walks);
    add_counter(s, "x-faults", &counters->faults);
}
