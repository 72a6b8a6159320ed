/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command queues: a ring in an address space of the queue's own, from which
 * the engine takes one command at a time.
 *
 * The engine does a step of a queue (fetch, a piece, report), then one of the
 * next.  A step either gets the command on or leaves it as it is, because a
 * page is missing; then it is done again once the page request is over.
 */
#include "qemu/osdep.h"

#include "qemu/bitops.h"
#include "qemu/bswap.h"
#include "qemu/lockable.h"
#include "qemu/log.h"
#include "sva_endpoint.h"

/* How many steps before others than queues get their turn. */
#define STEPS_PER_RUN 32

/* --- Commands ------------------------------------------------------------- */

static unsigned queue_number(const SvaEndpoint *s, const SvaQueue *q)
{
    return q - s->queues;
}

/* The queue can do no more until software disables it. */
static void queue_fails(SvaQueue *q, uint32_t error)
{
    q->phase = SVA_PHASE_FETCH;
    if (q->state != SVA_EP_QSTATE_STOPPING) {
        q->state = SVA_EP_QSTATE_FAILED;
        q->error = error;
    }
}

/* The command ends; what became of it is to be reported. */
static void command_ends(SvaQueue *q, uint32_t error, uint64_t fault_addr)
{
    q->phase = SVA_PHASE_REPORT;
    q->rounds = 0;
    q->cmd_error = error;
    q->fault_addr = fault_addr;
    if (error != SVA_EP_ERR_NONE) {
        q->at.result = 0;
    }
}

/* What was to be accessed in this phase cannot be. */
static void step_fails(SvaQueue *q, uint32_t error, uint64_t addr)
{
    if (q->phase == SVA_PHASE_EXECUTE) {
        command_ends(q, error, addr);
    } else {
        queue_fails(q, error);
    }
}

/* SvaAccess of queues: false when the step has to end. */
static bool queue_access(SvaEndpoint *s, void *opaque, SvaAccessKind kind,
                         uint64_t addr, uint8_t *buf, uint32_t len)
{
    SvaQueue *q = opaque;
    bool execute = q->phase == SVA_PHASE_EXECUTE && kind == SVA_READ &&
                   (q->ctl & SVA_EP_QCTL_EXECUTE);
    SvaAccessResult result =
        sva_ep_queue_access(s, q, kind, execute, addr, buf, len);
    AtsRequest request;

    switch (result) {
    case SVA_ACCESS_DONE:
        return true;
    case SVA_ACCESS_RESET:
    case SVA_ACCESS_AGAIN:
        return false;
    case SVA_ACCESS_MISSING:
        if (q->state == SVA_EP_QSTATE_STOPPING) {
            break;
        }
        request = sva_ep_request(q, kind, execute);
        if ((q->ctl & SVA_EP_QCTL_PRI) &&
            sva_ep_ask_page(s, q, &request, addr)) {
            return false;
        }
        break;
    default:
        break;
    }
    step_fails(q, kind == SVA_READ ? SVA_EP_ERR_READ : SVA_EP_ERR_WRITE, addr);
    return false;
}

static void fetch(SvaEndpoint *s, SvaQueue *q)
{
    uint8_t raw[SVA_EP_CMD_SIZE];
    struct sva_ep_cmd cmd;
    uint32_t error;

    if (q->head == q->tail) { /* software took it back */
        q->state = SVA_EP_QSTATE_IDLE;
        return;
    }
    if (!queue_access(s, q, SVA_READ, q->base + q->head * SVA_EP_CMD_SIZE, raw,
                      sizeof(raw)) ||
        q->state != SVA_EP_QSTATE_RUNNING) {
        return;
    }
    q->head = (q->head + 1) % q->size;
    memcpy(q->raw, raw, sizeof(raw));
    q->phase = SVA_PHASE_EXECUTE;
    q->rounds = 0;
    q->at = (SvaProgress) {};
    cmd = sva_ep_decode(raw);
    error = sva_ep_check(&cmd, true);
    if (error != SVA_EP_ERR_NONE) {
        command_ends(q, error, 0);
    } else {
        q->at.result = sva_ep_initial_result(&cmd);
    }
}

static void execute(SvaEndpoint *s, SvaQueue *q)
{
    struct sva_ep_cmd cmd = sva_ep_decode(q->raw);

    switch (sva_ep_piece(s, &cmd, &q->at, 0, queue_access, q)) {
    case SVA_PIECE_MORE:
        q->rounds = 0;
        break;
    case SVA_PIECE_LAST:
        command_ends(q, SVA_EP_ERR_NONE, 0);
        break;
    default:
        break;
    }
}

static bool write_record(SvaEndpoint *s, SvaQueue *q, uint64_t addr)
{
    bool failed = q->cmd_error != SVA_EP_ERR_NONE;
    struct sva_ep_completion record = {
        .status = cpu_to_le32(failed ? SVA_EP_STATUS_ERROR
                                     : SVA_EP_STATUS_DONE),
        .error = cpu_to_le32(q->cmd_error),
        .fault_addr = cpu_to_le64(q->fault_addr),
        .result = cpu_to_le64(q->at.result),
    };
    uint8_t *raw = (uint8_t *)&record;
    const unsigned rest = offsetof(struct sva_ep_completion, error);

    if (!queue_access(s, q, SVA_WRITE, addr + rest, raw + rest,
                      sizeof(record) - rest)) {
        return false;
    }
    smp_wmb();
    return queue_access(s, q, SVA_WRITE, addr, raw, sizeof(record.status));
}

static void report(SvaEndpoint *s, SvaQueue *q)
{
    struct sva_ep_cmd cmd = sva_ep_decode(q->raw);

    /* Where an unaligned one would go cannot be told. */
    if (cmd.completion && cmd.completion % SVA_EP_COMPLETION_SIZE == 0 &&
        !write_record(s, q, cmd.completion)) {
        return;
    }
    q->phase = SVA_PHASE_FETCH;
    q->rounds = 0;
    q->done++;
    if (q->cmd_error == SVA_EP_ERR_NONE) {
        s->count_done++;
    } else {
        s->count_failed++;
    }
    if (cmd.flags & SVA_EP_FLAG_IRQ) {
        s->queue_interrupts |= 1ull << queue_number(s, q);
    }
    if (q->state == SVA_EP_QSTATE_RUNNING && q->head == q->tail) {
        q->state = SVA_EP_QSTATE_IDLE;
    }
}

static void stopping_step(SvaEndpoint *s, SvaQueue *q)
{
    switch (q->phase) {
    case SVA_PHASE_EXECUTE:
        command_ends(q, SVA_EP_ERR_STOPPED, 0);
        break;
    case SVA_PHASE_REPORT:
        report(s, q);
        break;
    default: /* there is no page request outstanding, or we would wait */
        q->state = SVA_EP_QSTATE_DISABLED;
        q->error = SVA_EP_ERR_NONE;
        q->base = 0;
        q->size = q->head = q->tail = 0;
        break;
    }
}

static void step(SvaEndpoint *s, SvaQueue *q)
{
    uint32_t verdict = q->page.verdict;

    q->page.verdict = SVA_EP_ERR_NONE;
    if (q->state == SVA_EP_QSTATE_STOPPING) {
        stopping_step(s, q);
    } else if (verdict != SVA_EP_ERR_NONE) {
        step_fails(q, verdict, q->page.addr);
    } else if (q->phase == SVA_PHASE_FETCH) {
        fetch(s, q);
    } else if (q->phase == SVA_PHASE_EXECUTE) {
        execute(s, q);
    } else {
        report(s, q);
    }
}

static bool has_step(const SvaQueue *q)
{
    return q->state == SVA_EP_QSTATE_RUNNING ||
           (q->state == SVA_EP_QSTATE_STOPPING &&
            (q->phase != SVA_PHASE_FETCH || !q->page.outstanding));
}

static SvaQueue *next_with_step(SvaEndpoint *s)
{
    for (unsigned i = 0; i < SVA_EP_QUEUE_COUNT; i++) {
        unsigned n = (s->turn + i) % SVA_EP_QUEUE_COUNT;

        if (has_step(&s->queues[n])) {
            s->turn = (n + 1) % SVA_EP_QUEUE_COUNT;
            return &s->queues[n];
        }
    }
    return NULL;
}

bool sva_ep_queues_work(SvaEndpoint *s)
{
    uint64_t resets = s->resets;

    for (unsigned i = 0; i < STEPS_PER_RUN; i++) {
        SvaQueue *q = next_with_step(s);

        if (!q) {
            return false;
        }
        step(s, q);
        if (s->resets != resets || s->halting) {
            break; /* whoever did it starts us again */
        }
    }
    return true;
}

void sva_ep_queue_wake(SvaEndpoint *s, SvaQueue *q)
{
    if (q->state == SVA_EP_QSTATE_PAGE_WAIT) {
        q->state = SVA_EP_QSTATE_RUNNING;
    }
    sva_ep_kick(s);
}

void sva_ep_queues_reset(SvaEndpoint *s)
{
    memset(s->queues, 0, sizeof(s->queues));
    s->turn = 0;
    s->queue_interrupts = 0;
    s->next_group = 0;
    sva_ep_pages_set_timer(s);
}

/* --- Control registers ---------------------------------------------------- */

static void no_effect(const char *what)
{
    qemu_log_mask(LOG_GUEST_ERROR, "sva-endpoint: %s has no effect\n", what);
}

static void start(SvaEndpoint *s, SvaQueue *q)
{
    uint32_t ctl = q->ctl;

    q->done = q->pages = 0;
    q->phase = SVA_PHASE_FETCH;
    q->page = (SvaPageWait) {};
    q->rounds = 0;
    if (((ctl & SVA_EP_QCTL_PRI) && !(ctl & SVA_EP_QCTL_ATS)) ||
        ((ctl & (SVA_EP_QCTL_PRIVILEGED | SVA_EP_QCTL_EXECUTE)) &&
         !(ctl & SVA_EP_QCTL_PASID))) {
        q->state = SVA_EP_QSTATE_FAILED;
        q->error = SVA_EP_ERR_FLAGS;
        return;
    }
    q->state = q->head == q->tail ? SVA_EP_QSTATE_IDLE : SVA_EP_QSTATE_RUNNING;
    sva_ep_kick(s);
}

static void stop(SvaEndpoint *s, SvaQueue *q)
{
    q->ctl &= ~SVA_EP_QCTL_ENABLE;
    q->state = SVA_EP_QSTATE_STOPPING;
    q->page.wants_room = false;
    sva_ep_kick(s);
}

static void write_ctl(SvaEndpoint *s, SvaQueue *q, uint32_t value)
{
    const uint32_t all = SVA_EP_QCTL_ENABLE | SVA_EP_QCTL_PASID |
                         SVA_EP_QCTL_PRIVILEGED | SVA_EP_QCTL_EXECUTE |
                         SVA_EP_QCTL_ATS | SVA_EP_QCTL_PRI;

    if (q->state == SVA_EP_QSTATE_DISABLED) {
        q->ctl = value & all;
        if (q->ctl & SVA_EP_QCTL_ENABLE) {
            start(s, q);
        }
    } else if (!(value & SVA_EP_QCTL_ENABLE) &&
               q->state != SVA_EP_QSTATE_STOPPING) {
        stop(s, q);
    } else {
        no_effect("writing QCTL of a queue that is in use");
    }
}

uint64_t sva_ep_qctl_read(SvaEndpoint *s, hwaddr offset)
{
    unsigned n = (offset - SVA_EP_QCTL_BASE) / SVA_EP_QCTL_STRIDE;
    const SvaQueue *q = &s->queues[n];

    switch (offset % SVA_EP_QCTL_STRIDE) {
    case SVA_EP_QCTL:
        return q->ctl | (uint64_t)q->pasid << 32;
    case SVA_EP_QSTATE:
        return q->state | (uint64_t)q->error << 32;
    case SVA_EP_QDONE:
        return q->done;
    case SVA_EP_QPAGES:
        return q->pages;
    case SVA_EP_QTIMEOUT:
        return q->timeout;
    default:
        return 0;
    }
}

static void write_qctl32(SvaEndpoint *s, SvaQueue *q, unsigned reg,
                         uint32_t value)
{
    switch (reg) {
    case SVA_EP_QCTL:
        write_ctl(s, q, value);
        break;
    case SVA_EP_QPASID:
        if (q->state == SVA_EP_QSTATE_DISABLED) {
            q->pasid = value & SVA_EP_QPASID_MASK;
        } else {
            no_effect("writing QPASID of a queue that is in use");
        }
        break;
    case SVA_EP_QTIMEOUT:
        q->timeout = value;
        break;
    default:
        no_effect("writing a read-only register");
        break;
    }
}

void sva_ep_qctl_write(SvaEndpoint *s, hwaddr offset, uint64_t value,
                       unsigned size)
{
    SvaQueue *q =
        &s->queues[(offset - SVA_EP_QCTL_BASE) / SVA_EP_QCTL_STRIDE];
    unsigned reg = offset % SVA_EP_QCTL_STRIDE;

    /* The upper half first: QPASID goes before the ENABLE that needs it. */
    if (size == 8) {
        write_qctl32(s, q, reg + 4, value >> 32);
    }
    write_qctl32(s, q, reg, value);
}

/* --- The user's page ------------------------------------------------------ */

static uint64_t page_pair(const SvaQueue *q, unsigned reg)
{
    switch (reg) {
    case SVA_EP_UQ_BASE:
        return q->base;
    case SVA_EP_UQ_SIZE:
        return q->size;
    case SVA_EP_UQ_HEAD:
        return q->head | (uint64_t)q->tail << 32;
    case SVA_EP_UQ_STATE:
        return q->state | (uint64_t)q->error << 32;
    default:
        return 0;
    }
}

static uint64_t page_read(void *opaque, hwaddr addr, unsigned size)
{
    SvaEndpoint *s = opaque;
    unsigned reg = addr % SVA_EP_UQ_STRIDE;
    uint64_t value;

    QEMU_LOCK_GUARD(&s->lock);
    value = page_pair(&s->queues[addr / SVA_EP_UQ_STRIDE], reg & ~7u);
    return size == 8 ? value : extract64(value, (reg % 8) * 8, 32);
}

static void set_ring(SvaQueue *q, uint64_t base, uint32_t size)
{
    bool is_free = q->state == SVA_EP_QSTATE_DISABLED ||
                   q->state == SVA_EP_QSTATE_IDLE;

    if (!is_free || q->head != q->tail) {
        no_effect("moving the ring of a queue that works");
    } else if (size > SVA_EP_UQ_SIZE_MAX || (size & (size - 1))) {
        no_effect("a ring size that is no power of two up to 1024");
    } else {
        q->base = base & ~(uint64_t)(SVA_EP_CMD_SIZE - 1);
        q->size = size;
        q->head = q->tail = 0;
    }
}

static void ring(SvaEndpoint *s, SvaQueue *q, uint32_t tail)
{
    if (tail >= q->size) {
        no_effect("a tail outside the ring");
        return;
    }
    q->tail = tail;
    if (q->state == SVA_EP_QSTATE_IDLE && q->head != tail) {
        q->state = SVA_EP_QSTATE_RUNNING;
        sva_ep_kick(s);
    }
}

static void write_page32(SvaEndpoint *s, SvaQueue *q, unsigned reg,
                         uint32_t value)
{
    switch (reg) {
    case SVA_EP_UQ_BASE:
        set_ring(q, deposit64(q->base, 0, 32, value), q->size);
        break;
    case SVA_EP_UQ_BASE + 4:
        set_ring(q, deposit64(q->base, 32, 32, value), q->size);
        break;
    case SVA_EP_UQ_SIZE:
        set_ring(q, q->base, value);
        break;
    case SVA_EP_UQ_TAIL:
        ring(s, q, value);
        break;
    default:
        no_effect("writing a read-only register");
        break;
    }
}

static void page_write(void *opaque, hwaddr addr, uint64_t value,
                       unsigned size)
{
    SvaEndpoint *s = opaque;
    SvaQueue *q = &s->queues[addr / SVA_EP_UQ_STRIDE];
    unsigned reg = addr % SVA_EP_UQ_STRIDE;

    QEMU_LOCK_GUARD(&s->lock);
    write_page32(s, q, reg, value);
    if (size == 8) {
        write_page32(s, q, reg + 4, value >> 32);
    }
}

const MemoryRegionOps sva_ep_queue_page_ops = {
    .read = page_read,
    .write = page_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 8 },
    .impl = { .min_access_size = 4, .max_access_size = 8 },
};
