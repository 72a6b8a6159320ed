/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between values of the model and the structs of the interface of 2020
 * (intel_iommu_uapi2020.h).  Pure: no QEMU, no system call.
 *
 * Of everything to do with a PASID there is one, not two: the guest's number
 * is the host's.  All fields and reserved bytes that are not named are zero,
 * and argsz is the size of the struct, whatever the kernel's is: a smaller one
 * cuts off zeros, a larger one adds them.
 */
#ifndef HW_I386_INTEL_IOMMU_ENCODE2020_H
#define HW_I386_INTEL_IOMMU_ENCODE2020_H

#include "intel_iommu_uapi2020.h"
#include "vtd/vtd_context.h"
#include "vtd/vtd_ranges.h"

/* NESTING_OP with what follows it: argsz is that of both. */
struct uapi2020_op_bind {
    struct uapi2020_nesting_op op;
    struct uapi2020_gpasid_bind bind;
};

struct uapi2020_op_invalidate {
    struct uapi2020_nesting_op op;
    struct uapi2020_cache_invalidate inval;
};

UAPI2020_SIZE(uapi2020_op_bind, 80);
UAPI2020_SIZE(uapi2020_op_invalidate, 64);

/*
 * Requests with @pasid are translated as @config says.  False: that cannot be
 * told to this interface, which knows first-stage tables only, and no WPE.
 */
bool vtd_encode2020_bind(const VtdConfig *config, uint32_t pasid,
                         struct uapi2020_op_bind *to);

/* They are blocked again. */
void vtd_encode2020_unbind(uint32_t pasid, struct uapi2020_op_bind *to);

/* Translations with @pasid of @range's addresses are gone, and those that the
 * device has: the kernel does both with the IOTLB. */
void vtd_encode2020_invalidate(const VtdRange *range, uint32_t pasid,
                               struct uapi2020_op_invalidate *to);

/* PASID_REQUEST: any of [@min, @max], or these back. */
void vtd_encode2020_pasid(uint32_t flags, uint32_t min, uint32_t max,
                          struct uapi2020_pasid_request *to);

/* What a kernel says of its nesting. */
typedef struct VtdNesting2020 {
    uint32_t features; /* UAPI2020_NESTING_* */
    unsigned addr_width;
    unsigned pasid_bits;
    uint64_t cap;
    uint64_t ecap;
} VtdNesting2020;

/*
 * Find the nesting capability in the @size bytes of @info that
 * VFIO_IOMMU_GET_INFO answered, which may be anything.  NULL, or a clause that
 * says why there is none that this can be used with.
 */
const char *vtd_decode2020_nesting(const void *info, size_t size,
                                   VtdNesting2020 *to);

#endif
