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

/* Descriptor types. */
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

#define VTD_DESC_TYPE_LOW VTD_BITS(3, 0)
#define VTD_DESC_TYPE_HIGH VTD_BITS(11, 9)

static inline unsigned vtd_desc_type(const uint64_t qw[VTD_DESC_QWORDS])
{
    return vtd_get(qw[0], VTD_DESC_TYPE_HIGH) << 4 |
           vtd_get(qw[0], VTD_DESC_TYPE_LOW);
}

/*
 * Decode the descriptor @qw of @type, as vtd_desc_type() tells it: a wait
 * descriptor to @wait, another one to @notice, where it can stay.  @wide tells
 * the queue's format (IQA.DW), the upper two quadwords are not looked at when it
 * is false.  Returns VTD_QUEUE_OK or why the descriptor is refused; both are then
 * undefined.
 */
VtdQueueError vtd_desc_decode(const VtdCaps *caps, unsigned type,
                              const uint64_t qw[VTD_DESC_QWORDS], bool wide,
                              VtdNotice *notice, VtdWait *wait);

/*
 * The granularity of context-cache and IOTLB invalidations, as descriptors and
 * registers code it; @narrow is what the narrowest one stands for.  False: the
 * code is reserved.
 */
static inline bool vtd_desc_scope(unsigned granularity, VtdScope narrow,
                                  VtdScope *scope)
{
    switch (granularity) {
    case 1:
        *scope = VTD_SCOPE_GLOBAL;
        return true;
    case 2:
        *scope = VTD_SCOPE_DOMAIN;
        return true;
    case 3:
        *scope = narrow;
        return true;
    default:
        return false;
    }
}

/*
 * The device-TLB address coding: with @size_bit, the lowest zero bit of @addr
 * from bit 12 up tells the order.  Returns the order in pages and cuts @addr
 * to it; 52 means all of the address space.
 */
unsigned vtd_desc_size_coded(uint64_t *addr, bool size_bit);

#endif
