/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's second-stage tables for a passed-through device: an IOAS of the
 * host that maps what they map, kept up to date by a mirror (vtd/vtd_shadow.h).
 *
 * Its pages are copies of mappings of the guest's memory (intel_iommu_memory.h).
 * What the guest maps beyond its memory, and the interrupt range, stay
 * unmapped.  BQL held in all functions.
 */
#ifndef HW_I386_INTEL_IOMMU_DOMAIN_H
#define HW_I386_INTEL_IOMMU_DOMAIN_H

#include "intel_iommu_space.h"
#include "system/iommufd.h"

typedef struct VtdHostDomain VtdHostDomain;

/* What a domain is made from. */
typedef struct VtdDomainSource {
    IntelIOMMUState *iommu_state;
    IOMMUFDBackend *iommufd;
    uint32_t memory_ioas; /* the guest's memory */
} VtdDomainSource;

/*
 * The domain of @config's second stage, from the list *@all or a new one that
 * is put there.  NULL: the host has none to spare.
 */
VtdHostDomain *vtd_host_domain_get(GSList **all,
                                   const VtdDomainSource *source,
                                   const VtdConfig *config);

/* Give back one get; the last one destroys it. */
void vtd_host_domain_put(GSList **all, VtdHostDomain *domain);

uint32_t vtd_host_domain_ioas(const VtdHostDomain *domain);

/* An IOTLB invalidation: what it covers is brought up to date.  False: the host
 * has not let go of a page; nobody may be attached to the domain any more. */
bool vtd_host_domain_invalidate(VtdHostDomain *domain,
                                const VtdNotice *notice);

#endif
