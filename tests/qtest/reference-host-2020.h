/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest with a device that is passed through by the interface of 2020: it
 * asks for PASIDs by virtual commands, and its requests without PASID are
 * untranslated.
 */
#ifndef TESTS_QTEST_REFERENCE_HOST_2020_H
#define TESTS_QTEST_REFERENCE_HOST_2020_H

#include "hw/i386/intel_iommu_uapi2020.h"
#include "reference-host-pasid.h"

#define HOST_2020 HOST_NESTED ",pasid-bits=20"
#define KERNEL_2020 "kernel 2020\n"

/* VCMD and VCRSP */
#define VCMD_ALLOC 1ull
#define VCMD_FREE(pasid) (2ull | (uint64_t)(pasid) << 16)
#define VCRSP_NONE (16ull << 1)

/* A command, and the response when it is over. */
uint64_t host_2020_vcmd(Host *h, uint64_t command);
uint32_t host_2020_alloc_pasid(Host *h);

/* Tables, queue and translation of a guest: pass-through without PASID. */
void host_2020_guest(Host *h);

/* A machine with such a guest. */
void host_2020_start(Host *h, const char *iommu);

/* A PASID of the host's, bound to tables with IOVA at PAGE_B. */
uint32_t host_2020_add_pasid(Host *h);
uint32_t host_2020_start_with_pasid(Host *h, const char *iommu);

/* The first quadword of an invalidation of a page of @pasid. */
uint64_t host_2020_page_of(uint32_t pasid);

/* DMA to @iova as the device makes it now. */
void host_2020_assert_refused(Host *h, uint64_t iova);

#endif
