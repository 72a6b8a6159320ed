/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_qi.h"

#include "vtd_desc.h"
#include "vtd_event.h"
#include "vtd_frcd.h"
#include "vtd_inval.h"

/* Descriptors per call of vtd_qi_run(): no guest holds a thread for longer. */
#define RUN_BUDGET 4096

/* The registers of the queue, decoded. */
typedef struct Queue {
    uint64_t base;
    uint64_t bytes;
    uint64_t head;
    uint64_t tail;
    unsigned desc_size;
    bool wide;
} Queue;

/* A run of descriptors up to the next point of order. */
typedef struct Slice {
    uint64_t epoch;      /* of the queue that it was taken from */
    unsigned notices;    /* in u->batch */
    unsigned descriptors;
    uint64_t head; /* behind the last descriptor that was taken */
    bool has_wait; /* the slice ends with a wait descriptor */
    uint64_t wait_at;
    VtdWait wait;
    VtdQueueError error; /* what the descriptor at head is refused for */
} Slice;

typedef enum Progress {
    PROGRESS_NONE, /* the queue is empty or stopped */
    PROGRESS_SLICE,
    PROGRESS_POSTPONED, /* a wait descriptor cannot complete yet */
} Progress;

static Queue read_queue(VtdUnit *u)
{
    uint64_t iqa = vtd_reg64(&u->regs, VTD_REG_IQA);
    bool wide = iqa & VTD_IQA_DW;

    return (Queue){
        .base = iqa & VTD_IQA_IQA,
        .bytes = VTD_PAGE_SIZE << vtd_get(iqa, VTD_IQA_QS),
        .head = vtd_reg64(&u->regs, VTD_REG_IQH) & VTD_IQ_POINTER,
        .tail = vtd_reg64(&u->regs, VTD_REG_IQT) & VTD_IQ_POINTER,
        .desc_size = wide ? 32 : 16,
        .wide = wide,
    };
}

static bool runnable(VtdUnit *u)
{
    return (atomic_load(&u->status) & VTD_GCMD_QIE) &&
           !(vtd_reg32(&u->regs, VTD_REG_FSTS) & VTD_FSTS_QUEUE_ERRORS);
}

static VtdQueueError check_queue(VtdUnit *u, const Queue *q)
{
    if (q->wide && !(u->caps.ecap & VTD_ECAP_SMTS)) {
        return VTD_QUEUE_BAD_WIDTH;
    }
    if (q->tail % q->desc_size || q->head % q->desc_size) {
        return VTD_QUEUE_TAIL_ALIGNMENT;
    }
    /* The base may be changed under a head that was valid before. */
    if (q->tail >= q->bytes || q->head >= q->bytes) {
        return VTD_QUEUE_BAD_TAIL;
    }
    return VTD_QUEUE_OK;
}

/* A wait descriptor counts when it completes: it may be taken many times. */
static void count(VtdUnit *u, unsigned type)
{
    atomic_fetch_add_explicit(&u->counters.descriptors[type], 1,
                              memory_order_relaxed);
}

static VtdQueueError take_descriptor(VtdUnit *u, const Queue *q, Slice *slice)
{
    uint64_t qw[VTD_DESC_QWORDS] = { 0 };
    VtdQueueError error;
    VtdDesc desc;

    if (!vtd_env_read_qwords(&u->env, q->base + slice->head, qw,
                             q->desc_size / 8)) {
        return VTD_QUEUE_FETCH;
    }
    error = vtd_desc_decode(&u->caps, qw, q->wide, &desc);
    if (error) {
        return error;
    }
    if (desc.type == VTD_DESC_WAIT) {
        slice->has_wait = true;
        slice->wait_at = slice->head;
        slice->wait = desc.wait;
    } else {
        count(u, desc.type);
        vtd_inval_apply(u, &desc.notice);
        u->batch[slice->notices] = desc.notice;
        u->batch_offset[slice->notices++] = slice->head;
    }
    slice->head = (slice->head + q->desc_size) % q->bytes;
    slice->descriptors++;
    return VTD_QUEUE_OK;
}

static void take_slice(VtdUnit *u, Slice *slice)
{
    Queue q = read_queue(u);

    *slice = (Slice){ .epoch = u->queue_epoch, .head = q.head };
    slice->error = check_queue(u, &q);
    while (!slice->error && !slice->has_wait && slice->head != q.tail &&
           slice->notices < VTD_BATCH_MAX) {
        slice->error = take_descriptor(u, &q, slice);
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
static bool is_current(const VtdUnit *u, const Slice *slice)
{
    return slice->epoch == u->queue_epoch;
}

static void stop_current(VtdUnit *u, const Slice *slice, uint64_t head,
                         uint32_t status, VtdWork *work)
{
    pthread_mutex_lock(&u->lock);
    if (is_current(u, slice)) {
        stop(u, head, status, VTD_QUEUE_OK, work);
    }
    pthread_mutex_unlock(&u->lock);
}

/*
 * Deliver what @slice holds; returns whether all of it took effect.  A notice
 * that is refused stops the queue on its descriptor.  One that times out does
 * not hold up those behind it, but the wait descriptor that would confirm it
 * is aborted: the queue stops behind that.
 */
static bool deliver(VtdUnit *u, const Slice *slice, VtdWork *work)
{
    unsigned next = 0;
    uint32_t timeout = 0;

    while (next < slice->notices) {
        unsigned done = 0;
        VtdDelivery result = u->env.deliver(u->env.opaque, &u->batch[next],
                                            slice->notices - next, &done);

        if (result == VTD_DELIVERED) {
            break;
        }
        next += done;
        if (result == VTD_DELIVERY_REFUSED) {
            stop_current(u, slice, u->batch_offset[next],
                         VTD_FSTS_IQE | timeout, work);
            return false;
        }
        timeout = VTD_FSTS_ITE;
        next++;
    }
    if (timeout) {
        stop_current(u, slice, slice->head, timeout, work);
    }
    return !timeout;
}

static void settle(VtdUnit *u, const Slice *slice, VtdWork *work)
{
    bool current;

    pthread_mutex_lock(&u->lock);
    current = is_current(u, slice);
    pthread_mutex_unlock(&u->lock);
    if (current && slice->has_wait && slice->wait.status_write) {
        write_status(u, &slice->wait);
    }
    pthread_mutex_lock(&u->lock);
    if (is_current(u, slice)) {
        vtd_reg64_set(&u->regs, VTD_REG_IQH, slice->head);
        if (slice->has_wait) {
            count(u, VTD_DESC_WAIT);
            complete_wait(u, &slice->wait, work);
        }
        if (slice->error) {
            stop(u, slice->head, VTD_FSTS_IQE, slice->error, work);
        }
    }
    pthread_mutex_unlock(&u->lock);
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
    pthread_mutex_lock(&u->lock);
    if (is_current(u, slice)) {
        vtd_reg64_set(&u->regs, VTD_REG_IQH, slice->wait_at);
    }
    u->queue_running = false;
    pthread_mutex_unlock(&u->lock);
}

static bool begin(VtdUnit *u)
{
    bool idle;

    pthread_mutex_lock(&u->lock);
    idle = !u->queue_running;
    u->queue_running = true;
    pthread_mutex_unlock(&u->lock);
    return idle;
}

/*
 * One slice.  Unless it was done nobody is at work any more, from the same
 * moment on: whoever writes the tail next has to.
 */
static Progress run_slice(VtdUnit *u, unsigned *descriptors)
{
    Progress progress = PROGRESS_SLICE;
    VtdWork work = { 0 };
    Slice slice;
    bool took;

    pthread_mutex_lock(&u->lock);
    took = runnable(u);
    if (took) {
        take_slice(u, &slice);
        took = slice.descriptors || slice.error;
    }
    u->queue_running = took;
    pthread_mutex_unlock(&u->lock);
    if (!took) {
        return PROGRESS_NONE;
    }
    /* A stop counts as well: the guest may clear errors as fast as we find
     * them. */
    *descriptors += slice.descriptors + (slice.error != VTD_QUEUE_OK);
    if (deliver(u, &slice, &work)) {
        if (has_to_wait(u, &slice)) {
            postpone_wait(u, &slice);
            progress = PROGRESS_POSTPONED;
        } else {
            settle(u, &slice, &work);
        }
    }
    vtd_work_send(u, &work);
    return progress;
}

bool vtd_qi_run(VtdUnit *u)
{
    unsigned descriptors = 0;

    if (!begin(u)) {
        return false;
    }
    while (descriptors < RUN_BUDGET) {
        Progress progress = run_slice(u, &descriptors);

        if (progress != PROGRESS_SLICE) {
            return progress == PROGRESS_POSTPONED;
        }
    }
    pthread_mutex_lock(&u->lock);
    u->queue_running = false;
    pthread_mutex_unlock(&u->lock);
    return true;
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
}
