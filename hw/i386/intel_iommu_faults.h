/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page requests of a passed-through device: from the fault queue of iommufd to
 * the guest's page-request queue, and the guest's answers back.
 *
 * A group of requests waits here for its answer.  Answers to groups that are
 * not known (answered already, or gone with the table that they came from) are
 * dropped.  BQL held in all functions.
 */
#ifndef HW_I386_INTEL_IOMMU_FAULTS_H
#define HW_I386_INTEL_IOMMU_FAULTS_H

#include "intel_iommu_space.h"
#include "system/iommufd.h"

typedef struct VtdFaultQueue VtdFaultQueue;

typedef struct VtdFaultCounters {
    uint64_t requests;  /* page requests that came up */
    uint64_t responses; /* groups that the host was told the answer of */
    uint64_t pending;   /* groups that wait for one */
} VtdFaultCounters;

/*
 * A queue for the device of @space.  NULL with @errp set: the host kernel has
 * none (before Linux 6.11).
 */
VtdFaultQueue *vtd_fault_queue_new(VtdAddressSpace *space,
                                   IOMMUFDBackend *iommufd,
                                   VtdFaultCounters *counters, Error **errp);
void vtd_fault_queue_free(VtdFaultQueue *queue);

/* For IOMMU_HWPT_ALLOC. */
uint32_t vtd_fault_queue_id(const VtdFaultQueue *queue);

/* The guest's answer to a group of the queue's device. */
void vtd_fault_queue_answer(VtdFaultQueue *queue, const VtdNotice *response);

/* What has come from @pasid (VTD_NO_PASID: without) is answered by the host
 * now: the table is gone that it came from. */
void vtd_fault_queue_forget(VtdFaultQueue *queue, uint32_t pasid);

#endif
