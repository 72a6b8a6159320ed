/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the engine runs, and the command of the immediate slot.
 *
 * The engine runs in a bottom half, a bounded number of pieces at a time, and
 * no piece crosses a 4 KiB boundary of either address, unless software asks
 * for bursts.  The guest decides where the DMA goes, so two things can come
 * back to us from inside an access:
 *
 * - Our own MMIO.  The bottom half holds the device's reentrancy guard: the
 *   access is refused by the memory core and the command fails.
 * - A reset, for example by DMA to our own configuration space through ECAM.
 *   It ends the commands, hence the look at their number after each access.
 *
 * With the property "iothread" the engine runs in that thread, without the big
 * lock.  It may access memory only then, so that no device's code runs there;
 * what the rest of QEMU must not meet half-way waits for the engine
 * (sva_ep_halt()), and interrupts are sent by the main loop.
 */
#include "qemu/osdep.h"

#include "hw/pci/msix.h"
#include "qemu/bswap.h"
#include "qemu/lockable.h"
#include "qemu/log.h"
#include "qemu/main-loop.h"
#include "sva_endpoint.h"
#include "system/runstate.h"

/* How much of the slot's command runs before others get their turn. */
#define PIECES_PER_RUN 16
#define BYTES_PER_RUN (PIECES_PER_RUN * PIECE_SIZE)

/* End the command.  Its interrupt is sent when the lock is free: the message
 * is one more access that the guest can direct at us. */
static void finish(SvaEndpoint *s, uint32_t error, uint64_t fault_addr)
{
    s->error = error;
    s->fault_addr = fault_addr;
    if (error == SVA_EP_ERR_NONE) {
        s->status = SVA_EP_STATUS_DONE;
        s->count_done++;
    } else {
        s->status = SVA_EP_STATUS_ERROR;
        s->at.result = 0;
        s->count_failed++;
    }
    s->wants_interrupt = sva_ep_decode(s->latch).flags & SVA_EP_FLAG_IRQ;
}

/* Big lock held. */
static void send_interrupts(void *opaque)
{
    SvaEndpoint *s = opaque;
    PCIDevice *pdev = PCI_DEVICE(s);
    bool wanted;
    uint64_t queues;

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        wanted = s->wants_interrupt;
        s->wants_interrupt = false;
        queues = s->queue_interrupts;
        s->queue_interrupts = 0;
    }
    if (!msix_enabled(pdev)) {
        return;
    }
    if (wanted) {
        msix_notify(pdev, SVA_EP_VECTOR_DONE);
    }
    for (; queues; queues &= queues - 1) {
        msix_notify(pdev, SVA_EP_VECTOR_QUEUE(ctz64(queues)));
    }
}

/* SvaAccess of the slot.  False when the command is over: the bus refused and
 * the command has failed, or a reset came in between. */
static bool slot_access(SvaEndpoint *s, void *opaque, SvaAccessKind kind,
                        uint64_t addr, uint8_t *buf, uint32_t len)
{
    uint64_t command = s->command;
    bool done;

    qemu_mutex_unlock(&s->lock);
    done = sva_ep_plain_access(s, kind, addr, buf, len);
    qemu_mutex_lock(&s->lock);
    if (s->command != command) {
        return false;
    }
    if (!done) {
        finish(s, kind == SVA_READ ? SVA_EP_ERR_READ : SVA_EP_ERR_WRITE, addr);
        return false;
    }
    s->count_read += kind == SVA_WRITE ? 0 : len;
    s->count_written += kind == SVA_READ ? 0 : len;
    return true;
}

/* The latch's command is done: finished, or to be done once more. */
static bool repeats(SvaEndpoint *s, const struct sva_ep_cmd *cmd)
{
    /* Not @cmd's flag: software may have cleared it since. */
    if (!(sva_ep_decode(s->latch).flags & SVA_EP_FLAG_REPEAT) ||
        s->at.bytes < cmd->length) {
        finish(s, SVA_EP_ERR_NONE, 0);
        return false;
    }
    s->at.bytes = 0;
    s->at.result = sva_ep_initial_result(cmd);
    return true;
}

/* A bounded part of the slot's command.  True: there is more. */
static bool slot_work(SvaEndpoint *s)
{
    struct sva_ep_cmd cmd = sva_ep_decode(s->latch);
    uint32_t bytes = 0;

    if (s->at.bytes == 0) {
        uint32_t error = sva_ep_check(&cmd, false);

        if (error != SVA_EP_ERR_NONE) {
            qemu_log_mask(LOG_GUEST_ERROR,
                          "sva-endpoint: command refused, error %u\n", error);
            finish(s, error, 0);
            return false;
        }
        s->at.result = sva_ep_initial_result(&cmd);
    }
    for (int i = 0; i < PIECES_PER_RUN && bytes < BYTES_PER_RUN; i++) {
        bytes += sva_ep_piece_length(&cmd, s->at.bytes);
        switch (sva_ep_piece(s, &cmd, &s->at, s->command, slot_access, NULL)) {
        case SVA_PIECE_NOT_DONE:
            return false;
        case SVA_PIECE_LAST:
            if (!repeats(s, &cmd)) {
                return false;
            }
            break;
        default:
            break;
        }
    }
    return true;
}

static void run(void *opaque)
{
    SvaEndpoint *s = opaque;
    bool interrupt = false;

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        bool more = false;

        /* A stopped machine's memory stays as it is: it may be on its way
         * out. */
        if (s->paused || s->halting) {
            return;
        }
        if (s->status == SVA_EP_STATUS_BUSY) {
            slot_work(s);
        }
        more = sva_ep_queues_work(s) || s->status == SVA_EP_STATUS_BUSY;
        if (more) {
            sva_ep_kick(s);
        }
        interrupt = s->wants_interrupt || s->queue_interrupts;
        if (s->iothread && interrupt) {
            qemu_bh_schedule(s->interrupt);
            interrupt = false;
        }
    }
    if (interrupt) {
        send_interrupts(s);
    }
}

void sva_ep_kick(SvaEndpoint *s)
{
    qemu_bh_schedule(s->engine);
}

static void is_idle(void *opaque)
{
    qemu_event_set(opaque);
}

/*
 * In the main loop the engine cannot be in an access, unless it is what calls
 * us.  The access may need the big lock (a fault's interrupt), so that has to
 * be dropped meanwhile.
 */
void sva_ep_halt(SvaEndpoint *s)
{
    QemuEvent idle;

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        s->halting++;
    }
    qemu_bh_cancel(s->engine);
    if (!s->iothread) {
        return;
    }
    qemu_event_init(&idle, false);
    aio_bh_schedule_oneshot(iothread_get_aio_context(s->iothread), is_idle,
                            &idle);
    bql_unlock();
    qemu_event_wait(&idle);
    bql_lock();
    qemu_event_destroy(&idle);
}

void sva_ep_go_on(SvaEndpoint *s)
{
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        s->halting--;
        sva_ep_kick(s); /* it finds out whether there is something to do */
    }
}

void sva_ep_run_state_change(void *opaque, bool running, RunState state)
{
    SvaEndpoint *s = opaque;

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        s->paused = !running;
        if (running) {
            sva_ep_kick(s);
        }
    }
    if (!running) {
        sva_ep_halt(s);
        sva_ep_go_on(s);
        send_interrupts(s); /* is not part of what migrates */
    }
}

void sva_ep_doorbell(SvaEndpoint *s)
{
    if (s->status == SVA_EP_STATUS_BUSY) {
        s->count_ignored++;
        return;
    }
    memcpy(s->latch, s->slot, sizeof(s->latch));
    s->command++;
    s->status = SVA_EP_STATUS_BUSY;
    s->error = SVA_EP_ERR_NONE;
    s->at = (SvaProgress) {};
    s->fault_addr = 0;
    sva_ep_kick(s);
}

/* The command ends with the pass that is under way. */
void sva_ep_stop_repeating(SvaEndpoint *s)
{
    struct sva_ep_cmd cmd = sva_ep_decode(s->latch);

    stw_le_p(s->latch + offsetof(struct sva_ep_cmd, flags),
             cmd.flags & ~SVA_EP_FLAG_REPEAT);
}

/* The guard is for the main loop: it would refuse the processors' accesses to
 * us while another thread holds it. */
void sva_ep_init_engine(SvaEndpoint *s)
{
    MemReentrancyGuard *guard = &DEVICE(s)->mem_reentrancy_guard;

    s->paused = !runstate_is_live(runstate_get());
    s->interrupt = qemu_bh_new_guarded(send_interrupts, s, guard);
    if (s->iothread) {
        s->engine = aio_bh_new(iothread_get_aio_context(s->iothread), run, s);
    } else {
        s->engine = qemu_bh_new_guarded(run, s, guard);
    }
}
