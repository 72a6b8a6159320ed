/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invalidation descriptors <-> typed values (VT-d spec, chapter "Caching
 * Translation Information", section "Queued Invalidation Interface").
 */
#ifndef VTD_DESC_H
#define VTD_DESC_H

#include "vtd_caps.h"
#include "vtd_notice.h"

#define VTD_DESC_QWORDS 4 /* of the wide format; the narrow one has two */

/* Descriptor types, bits 11:9 and 3:0 of the first quadword together. */
enum {
    VTD_DESC_CONTEXT = 1,
    VTD_DESC_IOTLB = 2,
    VTD_DESC_DEVICE_TLB = 3,
    VTD_DESC_INTERRUPT_ENTRY = 4,
    VTD_DESC_WAIT = 5,
    VTD_DESC_PASID_IOTLB = 6,
    VTD_DESC_PASID_CACHE = 7,
    VTD_DESC_PASID_DEVICE_TLB = 8,
    VTD_DESC_PAGE_RESPONSE = 9,
};

/* Why the queue stopped: IQERCD.IQEI. */
typedef enum VtdQueueError {
    VTD_QUEUE_OK = 0, /* reads as "no information" */
    VTD_QUEUE_BAD_TAIL = 1,
    VTD_QUEUE_FETCH = 2,
    VTD_QUEUE_BAD_TYPE = 3,
    VTD_QUEUE_RESERVED = 4,
    VTD_QUEUE_BAD_WIDTH = 5,
    VTD_QUEUE_TAIL_ALIGNMENT = 6,
} VtdQueueError;

typedef struct VtdWait {
    bool status_write;
    bool interrupt;
    uint32_t status_data;
    uint64_t status_addr;
} VtdWait;

typedef struct VtdDesc {
    uint8_t type;
    VtdNotice notice; /* all types but VTD_DESC_WAIT */
    VtdWait wait; /* VTD_DESC_WAIT */
} VtdDesc;

/*
 * Decode the descriptor @qw; @wide tells the queue's format (IQA.DW), the
 * upper two quadwords are not looked at when it is false.  Returns
 * VTD_QUEUE_OK or why the descriptor is refused; @desc is then undefined.
 */
VtdQueueError vtd_desc_decode(const VtdCaps *caps,
                              const uint64_t qw[VTD_DESC_QWORDS], bool wide,
                              VtdDesc *desc);

/*
 * The granularity of context-cache and IOTLB invalidations, as descriptors and
 * registers code it; @narrow is what the narrowest one stands for.  False: the
 * code is reserved.
 */
bool vtd_desc_scope(unsigned granularity, VtdScope narrow, VtdScope *scope);

/*
 * The device-TLB address coding: with @size_bit, the lowest zero bit of @addr
 * from bit 12 up tells the order.  Returns the order in pages and cuts @addr
 * to it; 52 means all of the address space.
 */
unsigned vtd_desc_size_coded(uint64_t *addr, bool size_bit);

#endif
