/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page requests (PCIe PRI).  A queue has at most one outstanding, which is a
 * group of its own; so as many can be as there are queues, or as software
 * allows.  The time that an answer may take is virtual: it does not pass while
 * the machine is stopped.
 */
#include "qemu/osdep.h"

#include "qemu/lockable.h"
#include "sva_endpoint.h"

#define GROUPS 512

/* A page that is missing after that many answers is not going to come. */
#define MAX_ROUNDS 8

static int64_t now_ms(void)
{
    return qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL);
}

unsigned sva_ep_pages_outstanding(const SvaEndpoint *s)
{
    unsigned count = 0;

    for (unsigned i = 0; i < SVA_EP_QUEUE_COUNT; i++) {
        count += s->queues[i].page.outstanding;
    }
    return count;
}

void sva_ep_pages_set_timer(SvaEndpoint *s)
{
    int64_t first = INT64_MAX;

    for (unsigned i = 0; i < SVA_EP_QUEUE_COUNT; i++) {
        const SvaPageWait *page = &s->queues[i].page;

        if (page->outstanding) {
            first = MIN(first, page->deadline);
        }
    }
    if (first == INT64_MAX) {
        timer_del(s->page_timer);
    } else {
        timer_mod(s->page_timer, first);
    }
}

/* The request is over; those that waited for room try once more. */
static void over(SvaEndpoint *s, SvaQueue *q, uint32_t verdict)
{
    q->page.outstanding = false;
    q->page.verdict = verdict;
    sva_ep_queue_wake(s, q);
    for (unsigned i = 0; i < SVA_EP_QUEUE_COUNT; i++) {
        SvaQueue *other = &s->queues[i];

        if (other->page.wants_room) {
            other->page.wants_room = false;
            sva_ep_queue_wake(s, other);
        }
    }
    sva_ep_pages_set_timer(s);
}

static SvaQueue *who_asked(SvaEndpoint *s, bool has_pasid, uint32_t pasid,
                           uint16_t group)
{
    for (unsigned i = 0; i < SVA_EP_QUEUE_COUNT; i++) {
        const SvaPageWait *page = &s->queues[i].page;

        if (page->outstanding && page->group == group &&
            page->has_pasid == has_pasid &&
            (!has_pasid || page->pasid == pasid)) {
            return &s->queues[i];
        }
    }
    return NULL;
}

static void answer(SvaEndpoint *s, bool has_pasid, uint32_t pasid,
                   uint16_t group, unsigned code)
{
    SvaQueue *q = who_asked(s, has_pasid, pasid, group);

    s->count_page_responses++;
    if (s->debug & SVA_EP_DEBUG_HOLD_RESPONSES) {
        return;
    }
    if (!q) {
        s->count_unexpected++;
        s->pri_status |= PCI_PRI_STATUS_UPRGI;
        return;
    }
    switch (code) {
    case ATS_RESPONSE_SUCCESS:
        over(s, q, SVA_EP_ERR_NONE);
        break;
    case ATS_RESPONSE_INVALID:
        over(s, q, SVA_EP_ERR_PAGE_INVALID);
        break;
    default: /* reserved codes mean the same */
        s->pri_status |= PCI_PRI_STATUS_RF;
        over(s, q, SVA_EP_ERR_PAGE_FAILURE);
        break;
    }
}

void sva_ep_page_response(AtsListener *listener, bool has_pasid,
                          uint32_t pasid, uint16_t group, unsigned code)
{
    SvaEndpoint *s = container_of(listener, SvaEndpoint, listener);

    QEMU_LOCK_GUARD(&s->lock);
    answer(s, has_pasid, pasid, group, code);
}

static bool group_is_free(const SvaEndpoint *s, uint32_t group)
{
    for (unsigned i = 0; i < SVA_EP_QUEUE_COUNT; i++) {
        if (s->queues[i].page.outstanding &&
            s->queues[i].page.group == group) {
            return false;
        }
    }
    return true;
}

/* There are more of them than queues. */
static uint16_t free_group(SvaEndpoint *s)
{
    uint32_t group;

    do {
        group = s->next_group;
        s->next_group = (group + 1) % GROUPS;
    } while (!group_is_free(s, group));
    return group;
}

static void send_request(SvaEndpoint *s, SvaQueue *q,
                         const AtsRequest *request, uint64_t addr)
{
    uint32_t timeout = q->timeout ?: SVA_EP_QTIMEOUT_DEFAULT;
    AtsPageRequest page = {
        .request = *request,
        .addr = addr & ~(PIECE_SIZE - 1ull),
        .group = free_group(s),
        .last = true,
    };
    uint64_t resets = s->resets;
    AtsPageResult result;
    unsigned code;

    q->page = (SvaPageWait) {
        .outstanding = true,
        .has_pasid = request->has_pasid,
        .pasid = request->pasid,
        .group = page.group,
        .deadline = now_ms() + timeout,
        .addr = addr,
    };
    q->rounds++;
    q->pages++;
    s->count_page_requests++;
    sva_ep_pages_set_timer(s);
    qemu_mutex_unlock(&s->lock);
    result = s->iommu->request_page(s->ats_device, &page, &code);
    qemu_mutex_lock(&s->lock);
    if (result == ATS_PAGE_ANSWERED && s->resets == resets) {
        answer(s, request->has_pasid, request->pasid, page.group, code);
    }
}

bool sva_ep_ask_page(SvaEndpoint *s, SvaQueue *q, const AtsRequest *request,
                     uint64_t addr)
{
    if (!(s->pri_ctrl & PCI_PRI_CTRL_ENABLE) || !s->pri_allocation ||
        q->rounds == MAX_ROUNDS) {
        return false;
    }
    if (q->state == SVA_EP_QSTATE_RUNNING) {
        q->state = SVA_EP_QSTATE_PAGE_WAIT;
    }
    if (sva_ep_pages_outstanding(s) >= s->pri_allocation) {
        q->page.wants_room = true;
    } else {
        send_request(s, q, request, addr);
    }
    return true;
}

void sva_ep_pages_forget(SvaEndpoint *s)
{
    for (unsigned i = 0; i < SVA_EP_QUEUE_COUNT; i++) {
        if (s->queues[i].page.outstanding) {
            over(s, &s->queues[i], SVA_EP_ERR_PAGE_TIMEOUT);
        }
    }
}

void sva_ep_pages_expired(void *opaque)
{
    SvaEndpoint *s = opaque;
    int64_t now = now_ms();

    QEMU_LOCK_GUARD(&s->lock);
    for (unsigned i = 0; i < SVA_EP_QUEUE_COUNT; i++) {
        const SvaPageWait *page = &s->queues[i].page;

        if (page->outstanding && page->deadline <= now) {
            over(s, &s->queues[i], SVA_EP_ERR_PAGE_TIMEOUT);
        }
    }
    sva_ep_pages_set_timer(s);
}
