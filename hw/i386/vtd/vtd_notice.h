/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notices: what the model tells its surroundings after the guest changed or
 * invalidated something.
 *
 * Notices come in the order of the guest's commands, in arrays, and are
 * delivered with no lock of the model held.  The model has already dropped its
 * own cached state when a notice is delivered; the completion that the guest
 * waits for (wait descriptor, register bit) becomes visible only after the
 * delivery of everything before it has returned.
 */
#ifndef VTD_NOTICE_H
#define VTD_NOTICE_H

#include "vtd_bits.h"

typedef enum VtdNoticeKind {
    /* Translation went on or off, or the root table changed: any
     * configuration of any source may be another one now. */
    VTD_NOTICE_TRANSLATION,
    VTD_NOTICE_CONTEXT, /* context-cache invalidation: .context */
    VTD_NOTICE_PASID_CACHE, /* PASID-cache invalidation: .pasid */
    VTD_NOTICE_IOTLB, /* IOTLB invalidation, any stage: .iotlb */
    VTD_NOTICE_PASID_IOTLB, /* PASID-based IOTLB invalidation: .iotlb */
    VTD_NOTICE_DEVICE_TLB, /* device-TLB, with or without PASID: .device_tlb */
    VTD_NOTICE_INTERRUPT_ENTRY, /* interrupt entry cache: .interrupt */
    VTD_NOTICE_PAGE_RESPONSE, /* to sid, has_pasid, pasid, group: response */
} VtdNoticeKind;

typedef enum VtdScope {
    VTD_SCOPE_GLOBAL,
    VTD_SCOPE_DOMAIN, /* did */
    VTD_SCOPE_DEVICE, /* did, sid with sid_mask (context cache only) */
    VTD_SCOPE_PASID, /* did, pasid */
    VTD_SCOPE_PAGE, /* did, (pasid,) addr, order, ih */
} VtdScope;

/* What a device is told of a group of page requests (PCIe's codes). */
typedef enum VtdPageResponse {
    VTD_PAGE_SUCCESS = 0, /* try again */
    VTD_PAGE_INVALID = 1,
    VTD_PAGE_FAILURE = 15,
} VtdPageResponse;

typedef struct VtdNotice {
    VtdNoticeKind kind;
    VtdScope scope;
    uint16_t did;
    uint16_t sid;
    uint16_t sid_mask; /* bits of sid that do not count, as FM says */
    bool has_pasid; /* device-TLB, page response */
    bool all_pasids; /* device-TLB: the G bit */
    bool leaf_only; /* IH: only leaf entries changed */
    uint8_t order; /* 2^order pages of 4 KiB, addr aligned to that */
    uint32_t pasid;
    uint64_t addr;
    uint32_t index; /* interrupt entry: first index */
    uint32_t count; /* interrupt entry: number of entries */
    uint16_t group; /* page response: PRG index */
    VtdPageResponse response;
} VtdNotice;

/* What became of an array of notices. */
typedef enum VtdDelivery {
    VTD_DELIVERED,
    /* The host refused a command.  Its device is blocked, so nothing stale is
     * used; the queue stops on the descriptor: FSTS.IQE. */
    VTD_DELIVERY_REFUSED,
    /* A device did not answer in time.  The queue stops: FSTS.ITE. */
    VTD_DELIVERY_TIMEOUT,
} VtdDelivery;

#endif
