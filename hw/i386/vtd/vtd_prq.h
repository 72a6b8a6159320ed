/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page requests: what a device with ATS asks of software when a translation
 * was not granted (VT-d spec, chapter "DMA Faulting and Page Requests").
 * Responses go the other way as notices: VTD_NOTICE_PAGE_RESPONSE.
 */
#ifndef VTD_PRQ_H
#define VTD_PRQ_H

#include "vtd_context.h"
#include "vtd_unit.h"

typedef struct VtdPageRequest {
    VtdRequester req;
    uint64_t addr; /* its page counts */
    uint16_t group; /* PRG index, 9 bits */
    uint8_t perm; /* VTD_PERM_* that are asked for */
    bool privileged;
    bool last; /* of its group: the only one that is answered */
} VtdPageRequest;

/* What becomes of a page request. */
typedef enum VtdPageResult {
    VTD_PAGE_QUEUED, /* software will answer the group */
    VTD_PAGE_DROPPED, /* not the last one: its group is answered later */
    VTD_PAGE_ANSWERED, /* *response is the answer to the group */
} VtdPageResult;

/*
 * Put @request into the guest's page-request queue.  A request that cannot be
 * queued is answered by the unit itself: with success if the queue overflows,
 * so that the device tries again.  Takes the lock; @work receives interrupts.
 */
VtdPageResult vtd_prq_request(VtdUnit *u, const VtdPageRequest *request,
                              VtdPageResponse *response, VtdWork *work);

/* The guest wrote PRS: what is pending, and its interrupt.  Lock held. */
void vtd_prq_status_written(VtdUnit *u);

#endif
