/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Migration.  The translation cache stays behind: the destination asks anew.
 * Page requests that are outstanding come along, with the time that they have
 * left.
 */
#include "qemu/osdep.h"

#include "hw/pci/msix.h"
#include "migration/vmstate.h"
#include "qemu/lockable.h"
#include "sva_endpoint.h"

/* A stream is input like any other: the engine relies on all of this. */
static bool command_is_possible(const uint8_t *raw, bool in_queue,
                                uint32_t bytes)
{
    struct sva_ep_cmd cmd = sva_ep_decode(raw);

    return sva_ep_check(&cmd, in_queue) == SVA_EP_ERR_NONE &&
           bytes < cmd.length;
}

static bool queue_is_possible(const SvaQueue *q)
{
    const SvaPageWait *page = &q->page;

    if (q->state > SVA_EP_QSTATE_FAILED || q->phase > SVA_PHASE_REPORT ||
        q->pasid > SVA_EP_QPASID_MASK || page->pasid > SVA_EP_QPASID_MASK ||
        page->group > 511 || q->size > SVA_EP_UQ_SIZE_MAX ||
        (q->size & (q->size - 1)) || q->base % SVA_EP_CMD_SIZE ||
        (q->size ? q->head >= q->size || q->tail >= q->size
                 : q->head || q->tail)) {
        return false;
    }
    if (q->state == SVA_EP_QSTATE_PAGE_WAIT && !page->outstanding &&
        !page->wants_room) {
        return false;
    }
    return q->phase != SVA_PHASE_EXECUTE ||
           command_is_possible(q->raw, true, q->at.bytes);
}

static int post_load(void *opaque, int version_id)
{
    SvaEndpoint *s = opaque;

    s->command++; /* nothing of it is in the buffer */
    if (s->status > SVA_EP_STATUS_ERROR || s->next_group > 511) {
        return -EINVAL;
    }
    if (s->status == SVA_EP_STATUS_BUSY && s->at.bytes != 0 &&
        !command_is_possible(s->latch, false, s->at.bytes)) {
        return -EINVAL;
    }
    for (unsigned i = 0; i < SVA_EP_QUEUE_COUNT; i++) {
        if (!queue_is_possible(&s->queues[i])) {
            return -EINVAL;
        }
    }
    sva_ep_attach(s);
    sva_ep_capabilities_changed(s);
    QEMU_LOCK_GUARD(&s->lock);
    sva_ep_pages_set_timer(s);
    return 0;
}

static const VMStateDescription vmstate_queue = {
    .name = TYPE_SVA_ENDPOINT "/queue",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT32(ctl, SvaQueue),
        VMSTATE_UINT32(pasid, SvaQueue),
        VMSTATE_UINT32(timeout, SvaQueue),
        VMSTATE_UINT32(state, SvaQueue),
        VMSTATE_UINT32(error, SvaQueue),
        VMSTATE_UINT64(done, SvaQueue),
        VMSTATE_UINT64(pages, SvaQueue),
        VMSTATE_UINT64(base, SvaQueue),
        VMSTATE_UINT32(size, SvaQueue),
        VMSTATE_UINT32(head, SvaQueue),
        VMSTATE_UINT32(tail, SvaQueue),
        VMSTATE_UINT32(phase, SvaQueue),
        VMSTATE_BUFFER(raw, SvaQueue),
        VMSTATE_UINT32(at.bytes, SvaQueue),
        VMSTATE_UINT64(at.result, SvaQueue),
        VMSTATE_UINT32(rounds, SvaQueue),
        VMSTATE_UINT32(cmd_error, SvaQueue),
        VMSTATE_UINT64(fault_addr, SvaQueue),
        VMSTATE_BOOL(page.outstanding, SvaQueue),
        VMSTATE_BOOL(page.wants_room, SvaQueue),
        VMSTATE_BOOL(page.has_pasid, SvaQueue),
        VMSTATE_UINT32(page.pasid, SvaQueue),
        VMSTATE_UINT32(page.group, SvaQueue),
        VMSTATE_INT64(page.deadline, SvaQueue),
        VMSTATE_UINT32(page.verdict, SvaQueue),
        VMSTATE_UINT64(page.addr, SvaQueue),
        VMSTATE_END_OF_LIST()
    }
};

const VMStateDescription sva_ep_vmstate = {
    .name = TYPE_SVA_ENDPOINT,
    .version_id = 2,
    .minimum_version_id = 2,
    .post_load = post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_PCI_DEVICE(parent_obj, SvaEndpoint),
        VMSTATE_MSIX(parent_obj, SvaEndpoint),
        VMSTATE_BUFFER(slot, SvaEndpoint),
        VMSTATE_BUFFER(latch, SvaEndpoint),
        VMSTATE_UINT32(status, SvaEndpoint),
        VMSTATE_UINT32(error, SvaEndpoint),
        VMSTATE_UINT32(at.bytes, SvaEndpoint),
        VMSTATE_UINT64(fault_addr, SvaEndpoint),
        VMSTATE_UINT64(at.result, SvaEndpoint),
        VMSTATE_UINT64(count_done, SvaEndpoint),
        VMSTATE_UINT64(count_failed, SvaEndpoint),
        VMSTATE_UINT64(count_ignored, SvaEndpoint),
        VMSTATE_UINT64(count_read, SvaEndpoint),
        VMSTATE_UINT64(count_written, SvaEndpoint),
        VMSTATE_UINT64(count_ats_requests, SvaEndpoint),
        VMSTATE_UINT64(count_ats_hits, SvaEndpoint),
        VMSTATE_UINT64(count_invalidations, SvaEndpoint),
        VMSTATE_UINT64(count_page_requests, SvaEndpoint),
        VMSTATE_UINT64(count_page_responses, SvaEndpoint),
        VMSTATE_UINT64(count_unexpected, SvaEndpoint),
        VMSTATE_UINT32(debug, SvaEndpoint),
        VMSTATE_UINT16(pri_status, SvaEndpoint),
        VMSTATE_UINT32(next_group, SvaEndpoint),
        VMSTATE_STRUCT_ARRAY(queues, SvaEndpoint, SVA_EP_QUEUE_COUNT, 1,
                             vmstate_queue, SvaQueue),
        VMSTATE_END_OF_LIST()
    }
};
