/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_qi.h"

#include "vtd_desc.h"
#include "vtd_event.h"
#include "vtd_frcd.h"
#include "vtd_inval.h"

/* Descriptors per call of vtd_qi_run(): no guest holds a thread for longer. */
#define RUN_BUDGET 4096

/*
 * Quadwords that are fetched first in a slice: a wait descriptor may be near, and
 * what is behind it is read again.  So few are read in place.
 */
#define FIRST_QWORDS VTD_ENV_IN_PLACE

/* The registers of the queue, decoded. */
typedef struct Queue {
    uint64_t base;
    uint32_t bytes;
    uint32_t head;
    uint32_t tail;
    uint32_t desc_size;
    bool wide;
} Queue;

/* A run of descriptors up to the next point of order. */
typedef struct Slice {
    uint64_t epoch;      /* of the queue that it was taken from */
    unsigned notices;    /* in u->batch */
    uint32_t head; /* behind the last descriptor that was taken */
    bool has_wait; /* the slice ends with a wait descriptor */
    uint32_t wait_at;
    VtdWait wait; /* if has_wait */
    VtdQueueError error; /* what the descriptor at head is refused for */
} Slice;

static Queue read_queue(VtdUnit *u)
{
    uint64_t iqa = vtd_reg64(&u->regs, VTD_REG_IQA);
    bool wide = iqa & VTD_IQA_DW;

    return (Queue){
        .base = iqa & VTD_IQA_IQA,
        .bytes = VTD_PAGE_SIZE << vtd_get(iqa, VTD_IQA_QS),
        .head = vtd_reg32(&u->regs, VTD_REG_IQH) & VTD_IQ_POINTER,
        .tail = vtd_reg32(&u->regs, VTD_REG_IQT) & VTD_IQ_POINTER,
        .desc_size = wide ? 32 : 16,
        .wide = wide,
    };
}

static VtdQueueError check_queue(VtdUnit *u, const Queue *q)
{
    /* The base may be changed under a head that was valid before. */
    uint32_t both = q->tail | q->head;

    if (q->wide && !(u->caps.ecap & VTD_ECAP_SMTS)) {
        return VTD_QUEUE_BAD_WIDTH;
    }
    if (both & (q->desc_size - 1)) {
        return VTD_QUEUE_TAIL_ALIGNMENT;
    }
    if (both >= q->bytes) { /* a power of two */
        return VTD_QUEUE_BAD_TAIL;
    }
    return VTD_QUEUE_OK;
}

/*
 * Read descriptors of the queue from @head up to @tail, or @most quadwords of
 * them, into u->fetched; returns how many quadwords, 0 if the first descriptor
 * cannot be read.  They are the guest's to write until the tail has passed them,
 * and ours from then on.
 */
static unsigned fetch(VtdUnit *u, const Queue *q, uint32_t head, unsigned most)
{
    uint32_t end = head < q->tail ? q->tail : q->bytes;
    unsigned one = q->desc_size / 8;
    unsigned qwords = (end - head) / 8;

    if (qwords > most) {
        qwords = most;
    }
    if (vtd_env_read_qwords(&u->env, q->base + head, u->fetched, qwords)) {
        return qwords;
    }
    /* The first may be there. */
    return qwords > one &&
                   vtd_env_read_qwords(&u->env, q->base + head, u->fetched,
                                       one)
               ? one
               : 0;
}

/* A notice is decoded to its place in the batch, and stays there. */
static VtdQueueError take_descriptor(VtdUnit *u, const Queue *q,
                                     const uint64_t *qw, Slice *slice)
{
    unsigned type = vtd_desc_type(qw);
    VtdNotice *notice = &u->batch[slice->notices];
    VtdQueueError error =
        vtd_desc_decode(&u->caps, type, qw, q->wide, notice, &slice->wait);

    if (error) {
        return error;
    }
    if (type == VTD_DESC_WAIT) {
        slice->has_wait = true;
        slice->wait_at = slice->head;
    } else {
        u->counters.descriptors[type]++;
        vtd_inval_apply(u, notice);
        u->batch_offset[slice->notices++] = slice->head;
    }
    slice->head = (slice->head + q->desc_size) & (q->bytes - 1);
    return VTD_QUEUE_OK;
}

static void take_slice(VtdUnit *u, Slice *slice)
{
    Queue q = read_queue(u);
    unsigned next = 0, end = 0, most = FIRST_QWORDS;

    slice->head = q.head;
    slice->error = check_queue(u, &q);
    while (!slice->error && !slice->has_wait && slice->head != q.tail &&
           slice->notices < VTD_BATCH_MAX) {
        if (next == end) {
            end = fetch(u, &q, slice->head, most);
            most = VTD_FETCH_QWORDS;
            next = 0;
        }
        slice->error = end ? take_descriptor(u, &q, &u->fetched[next], slice)
                           : VTD_QUEUE_FETCH;
        next += q.desc_size / 8;
    }
}

/* Stop the queue on the descriptor at @head. */
static void stop(VtdUnit *u, uint64_t head, uint32_t status,
                 VtdQueueError error, VtdWork *work)
{
    vtd_reg64_set(&u->regs, VTD_REG_IQH, head);
    vtd_reg64_set(&u->regs, VTD_REG_IQERCD,
                  vtd_put(VTD_IQERCD_IQEI, error));
    vtd_frcd_queue_error(u, status, work);
    vtd_qi_update(u);
    u->env.guest_error(u->env.opaque, "invalidation queue stopped at offset",
                       head);
}

static void complete_wait(VtdUnit *u, const VtdWait *wait, VtdWork *work)
{
    uint32_t ics = vtd_reg32(&u->regs, VTD_REG_ICS);

    if (wait->interrupt && !(ics & VTD_ICS_IWC)) {
        vtd_reg32_set(&u->regs, VTD_REG_ICS, ics | VTD_ICS_IWC);
        vtd_event_raise(u, VTD_EVENT_COMPLETION, work);
    }
}

static void write_status(VtdUnit *u, const VtdWait *wait)
{
    unsigned char raw[4];

    for (unsigned i = 0; i < 4; i++) {
        raw[i] = wait->status_data >> (8 * i);
    }
    if (!u->env.write(u->env.opaque, wait->status_addr, raw, sizeof(raw))) {
        u->env.guest_error(u->env.opaque, "no memory for a wait status at",
                           wait->status_addr);
    }
}

/* False: the guest has switched the queue off, perhaps on again, since @slice
 * was taken.  Its registers are none of our business any more. */
static bool is_current(VtdUnit *u, const Slice *slice)
{
    return slice->epoch == u->queue_epoch;
}

/* No lock held. */
static __attribute__((noinline)) void
stop_current(VtdUnit *u, const Slice *slice, uint64_t head, uint32_t status)
{
    VtdWork work = { 0 };

    if (!is_current(u, slice)) {
        return;
    }
    pthread_mutex_lock(&u->lock);
    stop(u, head, status, VTD_QUEUE_OK, &work);
    pthread_mutex_unlock(&u->lock);
    vtd_work_send(u, &work);
}

/*
 * Deliver what @slice holds; returns whether all of it took effect.  A notice
 * that is refused stops the queue on its descriptor.  One that times out does
 * not hold up those behind it, but the wait descriptor that would confirm it
 * is aborted: the queue stops behind that.
 */
static bool deliver(VtdUnit *u, const Slice *slice)
{
    unsigned next = 0;
    uint32_t timeout = 0;

    while (next < slice->notices) {
        VTD_UNSET unsigned done;
        VtdDelivery result = u->env.deliver(u->env.opaque, &u->batch[next],
                                            slice->notices - next, &done);

        if (result == VTD_DELIVERED) {
            break;
        }
        next += done;
        if (result == VTD_DELIVERY_REFUSED) {
            stop_current(u, slice, u->batch_offset[next],
                         VTD_FSTS_IQE | timeout);
            return false;
        }
        timeout = VTD_FSTS_ITE;
        next++;
    }
    if (timeout) {
        stop_current(u, slice, slice->head, timeout);
    }
    return !timeout;
}

/* What a slice ends with that may be signalled. */
static __attribute__((noinline)) void signal_end(VtdUnit *u,
                                                 const Slice *slice)
{
    VtdWork work = { 0 };

    pthread_mutex_lock(&u->lock);
    if (slice->has_wait) {
        complete_wait(u, &slice->wait, &work);
    }
    if (slice->error) {
        stop(u, slice->head, VTD_FSTS_IQE, slice->error, &work);
    }
    pthread_mutex_unlock(&u->lock);
    vtd_work_send(u, &work);
}

/* A wait descriptor counts when it completes: it may be taken many times. */
static void settle(VtdUnit *u, const Slice *slice)
{
    if (!is_current(u, slice)) {
        return;
    }
    if (slice->has_wait && slice->wait.status_write) {
        write_status(u, &slice->wait);
    }
    vtd_reg32_set(&u->regs, VTD_REG_IQH, slice->head);
    if (slice->has_wait) {
        u->counters.descriptors[VTD_DESC_WAIT]++;
    }
    if ((slice->has_wait && slice->wait.interrupt) || slice->error) {
        signal_end(u, slice);
    }
}

/*
 * Accesses may still be under way that use what has been invalidated, and the
 * slice would tell the guest otherwise.  A descriptor that only fences tells
 * nothing.
 */
static bool has_to_wait(VtdUnit *u, const Slice *slice)
{
    return slice->has_wait &&
           (slice->wait.status_write || slice->wait.interrupt) &&
           !vtd_unit_drained(u);
}

/* What is before the wait descriptor is done; it is fetched again later. */
static void postpone_wait(VtdUnit *u, const Slice *slice)
{
    if (is_current(u, slice)) {
        vtd_reg32_set(&u->regs, VTD_REG_IQH, slice->wait_at);
    }
}

static bool is_empty(VtdUnit *u)
{
    return vtd_reg32(&u->regs, VTD_REG_IQH) == vtd_reg32(&u->regs, VTD_REG_IQT);
}

/* What was taken.  False: the wait descriptor at its end is postponed. */
static bool run_slice(VtdUnit *u, const Slice *slice)
{
    if (!deliver(u, slice)) {
        return true;
    }
    if (has_to_wait(u, slice)) {
        postpone_wait(u, slice);
        return false;
    }
    settle(u, slice);
    return true;
}

bool vtd_qi_run(VtdUnit *u)
{
    unsigned spent = 0;
    bool more = false;

    if (u->queue_running || !u->queue_ready) {
        return false;
    }
    u->queue_running = true;
    do {
        Slice slice = { .epoch = u->queue_epoch };

        take_slice(u, &slice);
        /* What a slice ends with counts as well: the guest may clear errors as
         * fast as we find them. */
        spent += slice.notices + 1;
        more = !run_slice(u, &slice) || spent >= RUN_BUDGET;
    } while (!more && u->queue_ready && !is_empty(u));
    u->queue_running = false;
    return more;
}

void vtd_qi_enable(VtdUnit *u, bool enable)
{
    u->queue_epoch++;
    vtd_reg64_set(&u->regs, VTD_REG_IQH, 0);
    if (enable) {
        atomic_fetch_or(&u->status, VTD_GCMD_QIE);
    } else {
        atomic_fetch_and(&u->status, ~(uint32_t)VTD_GCMD_QIE);
    }
    vtd_qi_update(u);
}

void vtd_qi_update(VtdUnit *u)
{
    u->queue_ready =
        (atomic_load(&u->status) & VTD_GCMD_QIE) &&
        !(vtd_reg32(&u->regs, VTD_REG_FSTS) & VTD_FSTS_QUEUE_ERRORS);
}
