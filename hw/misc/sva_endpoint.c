/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "sva-endpoint": a PCIe function with a small DMA engine.
 *
 * It is the hardware that tests and demonstrations of the IOMMU put behind the
 * IOMMU: software writes one command by MMIO and rings a doorbell, the engine
 * reads and writes memory as the function's requester, and every failed access
 * is reported with the page that it hit.  The programming interface is in
 * include/hw/misc/sva_endpoint_regs.h, its description in docs/endpoint.rst.
 *
 * The engine runs in a bottom half, a bounded number of pieces at a time, and
 * no piece crosses a 4 KiB boundary of either address, unless software asks
 * for bursts.  The state has a lock of its own, which is not held during an
 * access.  The guest decides where the DMA goes, so two things can come back
 * to us from inside an access:
 *
 * - Our own MMIO.  The bottom half holds the device's reentrancy guard: the
 *   access is refused by the memory core and the command fails.
 * - A reset, for example by DMA to our own configuration space through ECAM.
 *   It ends the command, hence the look at its number after each access.
 *
 * With the property "iothread" the engine runs in that thread, without the big
 * lock.  It may access memory only then, so that no device's code runs there;
 * what the rest of QEMU must not meet half-way waits for the engine
 * (sva_ep_halt()), and interrupts are sent by the main loop.
 */
#include "qemu/osdep.h"
#include "qemu/log.h"
#include "qemu/bswap.h"
#include "qemu/lockable.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "hw/pci/msix.h"
#include "hw/pci/pci_device.h"
#include "hw/pci/pcie.h"
#include "hw/qdev-properties.h"
#include "migration/vmstate.h"
#include "sva_endpoint_cmd.h"
#include "system/iothread.h"
#include "system/runstate.h"

#define TYPE_SVA_ENDPOINT "sva-endpoint"
OBJECT_DECLARE_SIMPLE_TYPE(SvaEndpoint, SVA_ENDPOINT)

/* The unit of DMA, and how much of it runs before others get their turn. */
#define PIECE_SIZE      4096u
#define PIECES_PER_RUN  16
#define BYTES_PER_RUN   (PIECES_PER_RUN * PIECE_SIZE)

struct SvaEndpoint {
    PCIDevice parent_obj;

    MemoryRegion bar;
    MemoryRegion regs;
    MemoryRegion local;
    IOThread *iothread;             /* the engine's, or NULL */
    QEMUBH *engine;
    QEMUBH *interrupt;              /* of the main loop */
    VMChangeStateEntry *run_state_entry;

    /* The engine's own: two pieces. */
    uint8_t *buffer;
    uint32_t buffer_piece;
    uint64_t filled;                /* the command whose burst is in it */

    QemuMutex lock; /* for all below; not held while memory is accessed */
    bool paused;                    /* the machine is stopped */
    bool wants_interrupt;
    uint64_t command;               /* number of the command or reset */
    uint8_t slot[SVA_EP_CMD_SIZE];  /* as software writes it, at any time */
    uint8_t latch[SVA_EP_CMD_SIZE]; /* the slot as it was at the doorbell */
    uint32_t status;
    uint32_t error;
    uint32_t progress;              /* bytes of the command that are done */
    uint64_t fault_addr;
    uint64_t result;                /* the running hash while BUSY */

    uint64_t count_done;
    uint64_t count_failed;
    uint64_t count_ignored;
    uint64_t count_read;
    uint64_t count_written;
};

/* --- The engine --------------------------------------------------------- */

/* End the command.  Its interrupt is sent when the lock is free: the message
 * is one more access that the guest can direct at us. */
static void sva_ep_finish(SvaEndpoint *s, uint32_t error, uint64_t fault_addr)
{
    s->error = error;
    s->fault_addr = fault_addr;
    if (error == SVA_EP_ERR_NONE) {
        s->status = SVA_EP_STATUS_DONE;
        s->count_done++;
    } else {
        s->status = SVA_EP_STATUS_ERROR;
        s->result = 0;
        s->count_failed++;
    }
    s->wants_interrupt = sva_ep_decode(s->latch).flags & SVA_EP_FLAG_IRQ;
}

/* Big lock held. */
static void sva_ep_interrupt(void *opaque)
{
    SvaEndpoint *s = opaque;
    PCIDevice *pdev = PCI_DEVICE(s);
    bool wanted;

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        wanted = s->wants_interrupt;
        s->wants_interrupt = false;
    }
    if (wanted && msix_enabled(pdev)) {
        msix_notify(pdev, SVA_EP_VECTOR_DONE);
    }
}

/*
 * One access to the bus; the lock is dropped meanwhile.  False when the command
 * is over: the bus refused and the command has failed, or a reset came in
 * between.
 */
static bool sva_ep_access(SvaEndpoint *s, DMADirection dir, uint64_t addr,
                          uint8_t *buf, uint32_t len)
{
    MemTxAttrs attrs = MEMTXATTRS_UNSPECIFIED;
    bool is_read = dir == DMA_DIRECTION_TO_DEVICE;
    uint64_t command = s->command;
    MemTxResult res;

    attrs.memory = s->iothread != NULL;
    qemu_mutex_unlock(&s->lock);
    res = pci_dma_rw(PCI_DEVICE(s), addr, buf, len, dir, attrs);
    qemu_mutex_lock(&s->lock);
    if (s->command != command) {
        return false;
    }
    if (res != MEMTX_OK) {
        sva_ep_finish(s, is_read ? SVA_EP_ERR_READ : SVA_EP_ERR_WRITE, addr);
        return false;
    }
    *(is_read ? &s->count_read : &s->count_written) += len;
    return true;
}

static bool sva_ep_read(SvaEndpoint *s, bool local, uint64_t addr,
                        uint8_t *buf, uint32_t len)
{
    if (local) {
        memcpy(buf, (uint8_t *)memory_region_get_ram_ptr(&s->local) + addr,
               len);
        return true;
    }
    return sva_ep_access(s, DMA_DIRECTION_TO_DEVICE, addr, buf, len);
}

static bool sva_ep_write(SvaEndpoint *s, bool local, uint64_t addr,
                         uint8_t *buf, uint32_t len)
{
    if (local) {
        memcpy((uint8_t *)memory_region_get_ram_ptr(&s->local) + addr, buf,
               len);
        memory_region_set_dirty(&s->local, addr, len);
        return true;
    }
    return sva_ep_access(s, DMA_DIRECTION_FROM_DEVICE, addr, buf, len);
}

/* Bytes from the command's progress to the next boundary on either side. */
static uint32_t sva_ep_piece_length(const SvaEndpoint *s,
                                    const struct sva_ep_cmd *cmd)
{
    uint32_t len = cmd->length - s->progress;

    if (cmd->flags & SVA_EP_FLAG_BURST) {
        return len;
    }
    len = MIN(len, PIECE_SIZE - (cmd->src + s->progress) % PIECE_SIZE);
    return MIN(len, PIECE_SIZE - (cmd->dst + s->progress) % PIECE_SIZE);
}

/* Room for two pieces of @len bytes. */
static uint8_t *sva_ep_buffer(SvaEndpoint *s, uint32_t len)
{
    if (len > s->buffer_piece) {
        g_free(s->buffer);
        s->buffer_piece = MAX(len, PIECE_SIZE);
        s->buffer = g_malloc(2 * s->buffer_piece);
    }
    return s->buffer;
}

/*
 * Do the next piece.  False when the command is over: failed, cancelled, or
 * the result is known.
 */
static bool sva_ep_piece(SvaEndpoint *s, const struct sva_ep_cmd *cmd)
{
    bool src_local = cmd->flags & SVA_EP_FLAG_SRC_LOCAL;
    bool dst_local = cmd->flags & SVA_EP_FLAG_DST_LOCAL;
    uint64_t src = cmd->src + s->progress;
    uint64_t dst = cmd->dst + s->progress;
    uint32_t len = sva_ep_piece_length(s, cmd);
    uint8_t *buf = sva_ep_buffer(s, len), *other = buf + len;
    uint32_t at;

    if (sva_ep_has_src(cmd) && !sva_ep_read(s, src_local, src, buf, len)) {
        return false;
    }

    switch (cmd->opcode) {
    case SVA_EP_OP_COPY:
        if (!sva_ep_write(s, dst_local, dst, buf, len)) {
            return false;
        }
        break;
    case SVA_EP_OP_FILL:
        if (s->filled != s->command || len < cmd->length) {
            sva_ep_fill(buf, len, cmd->operand, s->progress);
            s->filled = s->command;
        }
        if (!sva_ep_write(s, dst_local, dst, buf, len)) {
            return false;
        }
        break;
    case SVA_EP_OP_CHECKSUM:
        s->result = sva_ep_hash(s->result, buf, len);
        break;
    case SVA_EP_OP_COMPARE:
        if (!sva_ep_read(s, dst_local, dst, other, len)) {
            return false;
        }
        at = sva_ep_difference(buf, other, len);
        if (at < len) {
            s->result = s->progress + at;
            sva_ep_finish(s, SVA_EP_ERR_NONE, 0);
            return false;
        }
        break;
    default:
        g_assert_not_reached(); /* sva_ep_check() passed */
    }
    s->progress += len;
    return true;
}

/* The latch's command is done: finished, or to be done once more. */
static bool sva_ep_repeats(SvaEndpoint *s, const struct sva_ep_cmd *cmd)
{
    /* Not @cmd's flag: software may have cleared it since. */
    if (!(sva_ep_decode(s->latch).flags & SVA_EP_FLAG_REPEAT)) {
        sva_ep_finish(s, SVA_EP_ERR_NONE, 0);
        return false;
    }
    s->progress = 0;
    s->result = sva_ep_initial_result(cmd);
    return true;
}

/* A bounded part of the command.  True: there is more. */
static bool sva_ep_work(SvaEndpoint *s)
{
    struct sva_ep_cmd cmd = sva_ep_decode(s->latch);
    uint32_t bytes = 0;

    if (s->progress == 0) {
        uint32_t error = sva_ep_check(&cmd);

        if (error != SVA_EP_ERR_NONE) {
            qemu_log_mask(LOG_GUEST_ERROR,
                          "sva-endpoint: command refused, error %u\n", error);
            sva_ep_finish(s, error, 0);
            return false;
        }
        s->result = sva_ep_initial_result(&cmd);
    }
    for (int i = 0; i < PIECES_PER_RUN && bytes < BYTES_PER_RUN; i++) {
        bytes += sva_ep_piece_length(s, &cmd);
        if (!sva_ep_piece(s, &cmd) ||
            (s->progress == cmd.length && !sva_ep_repeats(s, &cmd))) {
            return false;
        }
    }
    return true;
}

static void sva_ep_run(void *opaque)
{
    SvaEndpoint *s = opaque;
    bool interrupt = false;

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        /* A stopped machine's memory stays as it is: it may be on its way
         * out. */
        if (s->status != SVA_EP_STATUS_BUSY || s->paused) {
            return;
        }
        if (sva_ep_work(s)) {
            qemu_bh_schedule(s->engine);
        }
        if (s->iothread && s->wants_interrupt) {
            qemu_bh_schedule(s->interrupt);
        } else {
            interrupt = s->wants_interrupt;
        }
    }
    if (interrupt) {
        sva_ep_interrupt(s);
    }
}

static void sva_ep_is_idle(void *opaque)
{
    qemu_event_set(opaque);
}

/*
 * Returns when the engine is in no access any more, after the command has been
 * cancelled or paused.  In the main loop it cannot be, unless it is what calls
 * us.  The access may need the big lock (a fault's interrupt), so that has to
 * be dropped meanwhile.
 */
static void sva_ep_halt(SvaEndpoint *s)
{
    QemuEvent idle;

    qemu_bh_cancel(s->engine);
    if (!s->iothread) {
        return;
    }
    qemu_event_init(&idle, false);
    aio_bh_schedule_oneshot(iothread_get_aio_context(s->iothread),
                            sva_ep_is_idle, &idle);
    bql_unlock();
    qemu_event_wait(&idle);
    bql_lock();
    qemu_event_destroy(&idle);
}

static void sva_ep_run_state_change(void *opaque, bool running, RunState state)
{
    SvaEndpoint *s = opaque;

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        s->paused = !running;
        if (running && s->status == SVA_EP_STATUS_BUSY) {
            qemu_bh_schedule(s->engine);
        }
    }
    if (!running) {
        sva_ep_halt(s);
        sva_ep_interrupt(s); /* is not part of what migrates */
    }
}

static void sva_ep_doorbell(SvaEndpoint *s)
{
    if (s->status == SVA_EP_STATUS_BUSY) {
        s->count_ignored++;
        return;
    }
    memcpy(s->latch, s->slot, sizeof(s->latch));
    s->command++;
    s->status = SVA_EP_STATUS_BUSY;
    s->error = SVA_EP_ERR_NONE;
    s->progress = 0;
    s->fault_addr = 0;
    s->result = 0;
    qemu_bh_schedule(s->engine);
}

/* The command ends with the pass that is under way. */
static void sva_ep_stop_repeating(SvaEndpoint *s)
{
    struct sva_ep_cmd cmd = sva_ep_decode(s->latch);

    stw_le_p(s->latch + offsetof(struct sva_ep_cmd, flags),
             cmd.flags & ~SVA_EP_FLAG_REPEAT);
}

/* --- Registers ---------------------------------------------------------- */

/* Back to the state after power-on, whatever was running. */
static void sva_ep_reset(SvaEndpoint *s)
{
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        s->command++;
        s->status = SVA_EP_STATUS_IDLE;
    }
    sva_ep_halt(s);

    QEMU_LOCK_GUARD(&s->lock);
    s->command++;
    s->wants_interrupt = false;
    memset(s->slot, 0, sizeof(s->slot));
    memset(s->latch, 0, sizeof(s->latch));
    s->status = SVA_EP_STATUS_IDLE;
    s->error = SVA_EP_ERR_NONE;
    s->progress = 0;
    s->fault_addr = 0;
    s->result = 0;
    s->count_done = 0;
    s->count_failed = 0;
    s->count_ignored = 0;
    s->count_read = 0;
    s->count_written = 0;
    memset(memory_region_get_ram_ptr(&s->local), 0, SVA_EP_LOCAL_SIZE);
    memory_region_set_dirty(&s->local, 0, SVA_EP_LOCAL_SIZE);
}

static uint64_t pair(uint32_t low, uint32_t high)
{
    return low | (uint64_t)high << 32;
}

/* The 8 bytes of registers at an 8-byte aligned offset. */
static uint64_t sva_ep_reg_pair(const SvaEndpoint *s, hwaddr offset)
{
    if (offset >= SVA_EP_SLOT_CMD &&
        offset < SVA_EP_SLOT_CMD + SVA_EP_CMD_SIZE) {
        return ldq_le_p(s->slot + (offset - SVA_EP_SLOT_CMD));
    }
    switch (offset) {
    case SVA_EP_ID:
        return pair(SVA_EP_ID_MAGIC, SVA_EP_VERSION_1_0);
    case SVA_EP_OPS:
        return sva_ep_op_mask();
    case SVA_EP_LOCAL_BYTES:
        return pair(SVA_EP_LOCAL_SIZE, SVA_EP_LENGTH_LIMIT);
    case SVA_EP_FLAGS:
        return sva_ep_flag_mask();
    case SVA_EP_COUNT_DONE:
        return s->count_done;
    case SVA_EP_COUNT_FAILED:
        return s->count_failed;
    case SVA_EP_COUNT_IGNORED:
        return s->count_ignored;
    case SVA_EP_COUNT_READ:
        return s->count_read;
    case SVA_EP_COUNT_WRITTEN:
        return s->count_written;
    case SVA_EP_SLOT_DOORBELL:
        return pair(0, s->status);
    case SVA_EP_SLOT_ERROR:
        return s->error;
    case SVA_EP_SLOT_FAULT_ADDR:
        return s->fault_addr;
    case SVA_EP_SLOT_RESULT:
        return s->result;
    default:
        return 0;
    }
}

static uint64_t sva_ep_mmio_read(void *opaque, hwaddr addr, unsigned size)
{
    SvaEndpoint *s = opaque;
    uint64_t value;

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        value = sva_ep_reg_pair(s, QEMU_ALIGN_DOWN(addr, 8));
    }
    return size == 8 ? value : extract64(value, (addr % 8) * 8, 32);
}

static bool sva_ep_is_reset(hwaddr addr, uint64_t value)
{
    return addr == SVA_EP_CONTROL && (value & SVA_EP_CONTROL_RESET);
}

static void sva_ep_mmio_write(void *opaque, hwaddr addr, uint64_t value,
                              unsigned size)
{
    SvaEndpoint *s = opaque;

    if (sva_ep_is_reset(addr, value)) {
        sva_ep_reset(s);
        return;
    }
    QEMU_LOCK_GUARD(&s->lock);
    if (addr >= SVA_EP_SLOT_CMD && addr < SVA_EP_SLOT_CMD + SVA_EP_CMD_SIZE) {
        stn_le_p(s->slot + (addr - SVA_EP_SLOT_CMD), size, value);
    } else if (addr == SVA_EP_SLOT_DOORBELL &&
               (value & SVA_EP_DOORBELL_START)) {
        sva_ep_doorbell(s);
    } else if (addr == SVA_EP_SLOT_DOORBELL &&
               (value & SVA_EP_DOORBELL_STOP)) {
        sva_ep_stop_repeating(s);
    } else {
        qemu_log_mask(LOG_GUEST_ERROR,
                      "sva-endpoint: write of 0x%" PRIx64 " at 0x%" HWADDR_PRIx
                      " has no effect\n", value, addr);
    }
}

static const MemoryRegionOps sva_ep_mmio_ops = {
    .read = sva_ep_mmio_read,
    .write = sva_ep_mmio_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 8 },
    .impl = { .min_access_size = 4, .max_access_size = 8 },
};

/* --- The PCIe function -------------------------------------------------- */

static void sva_ep_config_write(PCIDevice *pdev, uint32_t addr, uint32_t value,
                                int len)
{
    /* A reset drops the big lock, and another processor may unplug us. */
    object_ref(OBJECT(pdev));
    pci_default_write_config(pdev, addr, value, len);
    pcie_cap_flr_write_config(pdev, addr, value, len);
    object_unref(OBJECT(pdev));
}

static void sva_ep_init_bar(SvaEndpoint *s)
{
    memory_region_init(&s->bar, OBJECT(s), "sva-endpoint", SVA_EP_BAR_SIZE);
    memory_region_init_io(&s->regs, OBJECT(s), &sva_ep_mmio_ops, s,
                          "sva-endpoint-regs", SVA_EP_LOCAL_BASE);
    memory_region_add_subregion(&s->bar, 0, &s->regs);
    memory_region_add_subregion(&s->bar, SVA_EP_LOCAL_BASE, &s->local);
    pci_register_bar(PCI_DEVICE(s), SVA_EP_BAR_REGS,
                     PCI_BASE_ADDRESS_SPACE_MEMORY |
                     PCI_BASE_ADDRESS_MEM_TYPE_64, &s->bar);
}

static bool sva_ep_init_capabilities(PCIDevice *pdev, Error **errp)
{
    int pm = pci_pm_init(pdev, 0, errp);
    if (pm < 0) {
        return false;
    }
    pci_set_word(pdev->config + pm + PCI_PM_PMC, PCI_PM_CAP_VER_1_2);
    pci_set_word(pdev->config + pm + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET);
    pci_set_word(pdev->wmask + pm + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);

    /* Root complex integrated on the root bus, an endpoint behind a port. */
    if (pcie_endpoint_cap_init(pdev, 0) < 0) {
        error_setg(errp, "sva-endpoint: no room for the PCIe capability");
        return false;
    }
    pcie_cap_flr_init(pdev);

    if (msix_init_exclusive_bar(pdev, SVA_EP_VECTORS, SVA_EP_BAR_MSIX,
                                errp) < 0) {
        return false;
    }
    msix_vector_use(pdev, SVA_EP_VECTOR_DONE);
    return true;
}

/* The guard is for the main loop: it would refuse the processors' accesses to
 * us while another thread holds it. */
static void sva_ep_init_engine(SvaEndpoint *s)
{
    MemReentrancyGuard *guard = &DEVICE(s)->mem_reentrancy_guard;

    s->paused = !runstate_is_live(runstate_get());
    s->interrupt = qemu_bh_new_guarded(sva_ep_interrupt, s, guard);
    if (s->iothread) {
        s->engine = aio_bh_new(iothread_get_aio_context(s->iothread),
                               sva_ep_run, s);
    } else {
        s->engine = qemu_bh_new_guarded(sva_ep_run, s, guard);
    }
}

static void sva_ep_realize(PCIDevice *pdev, Error **errp)
{
    SvaEndpoint *s = SVA_ENDPOINT(pdev);

    /* What can fail comes first, so that nothing has to be undone. */
    if (!memory_region_init_ram(&s->local, OBJECT(s), "sva-endpoint-local",
                                SVA_EP_LOCAL_SIZE, errp) ||
        !sva_ep_init_capabilities(pdev, errp)) {
        return;
    }
    sva_ep_init_bar(s);
    sva_ep_init_engine(s);
    s->run_state_entry =
        qdev_add_vm_change_state_handler(DEVICE(s), sva_ep_run_state_change, s);
}

static void sva_ep_exit(PCIDevice *pdev)
{
    SvaEndpoint *s = SVA_ENDPOINT(pdev);

    /* An unplug may come from inside an access of the engine, too. */
    sva_ep_reset(s);
    qemu_del_vm_change_state_handler(s->run_state_entry);
    qemu_bh_delete(s->engine);
    qemu_bh_delete(s->interrupt);
    msix_uninit_exclusive_bar(pdev);
    /* Each part of the BAR holds a reference to its owner, which is us. */
    memory_region_del_subregion(&s->bar, &s->local);
    memory_region_del_subregion(&s->bar, &s->regs);
}

static void sva_ep_init(Object *obj)
{
    qemu_mutex_init(&SVA_ENDPOINT(obj)->lock);
}

static void sva_ep_finalize(Object *obj)
{
    SvaEndpoint *s = SVA_ENDPOINT(obj);

    g_free(s->buffer);
    qemu_mutex_destroy(&s->lock);
}

static void sva_ep_device_reset(DeviceState *dev)
{
    sva_ep_reset(SVA_ENDPOINT(dev));
}

/* --- Migration ---------------------------------------------------------- */

/* A stream is input like any other: sva_ep_run() relies on this. */
static int sva_ep_post_load(void *opaque, int version_id)
{
    SvaEndpoint *s = opaque;
    struct sva_ep_cmd cmd = sva_ep_decode(s->latch);

    s->command++; /* nothing of it is in the buffer */
    if (s->status > SVA_EP_STATUS_ERROR) {
        return -EINVAL;
    }
    if (s->status == SVA_EP_STATUS_BUSY && s->progress != 0 &&
        (sva_ep_check(&cmd) != SVA_EP_ERR_NONE ||
         s->progress >= cmd.length)) {
        return -EINVAL;
    }
    return 0;
}

static const VMStateDescription sva_ep_vmstate = {
    .name = TYPE_SVA_ENDPOINT,
    .version_id = 1,
    .minimum_version_id = 1,
    .post_load = sva_ep_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_PCI_DEVICE(parent_obj, SvaEndpoint),
        VMSTATE_MSIX(parent_obj, SvaEndpoint),
        VMSTATE_BUFFER(slot, SvaEndpoint),
        VMSTATE_BUFFER(latch, SvaEndpoint),
        VMSTATE_UINT32(status, SvaEndpoint),
        VMSTATE_UINT32(error, SvaEndpoint),
        VMSTATE_UINT32(progress, SvaEndpoint),
        VMSTATE_UINT64(fault_addr, SvaEndpoint),
        VMSTATE_UINT64(result, SvaEndpoint),
        VMSTATE_UINT64(count_done, SvaEndpoint),
        VMSTATE_UINT64(count_failed, SvaEndpoint),
        VMSTATE_UINT64(count_ignored, SvaEndpoint),
        VMSTATE_UINT64(count_read, SvaEndpoint),
        VMSTATE_UINT64(count_written, SvaEndpoint),
        VMSTATE_END_OF_LIST()
    }
};

static const Property sva_ep_properties[] = {
    DEFINE_PROP_LINK("iothread", SvaEndpoint, iothread, TYPE_IOTHREAD,
                     IOThread *),
};

static void sva_ep_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);

    pc->realize = sva_ep_realize;
    pc->exit = sva_ep_exit;
    pc->config_write = sva_ep_config_write;
    pc->vendor_id = SVA_EP_PCI_VENDOR;
    pc->device_id = SVA_EP_PCI_DEVICE;
    pc->class_id = SVA_EP_PCI_CLASS;
    pc->revision = SVA_EP_PCI_REVISION;
    dc->desc = "DMA engine for IOMMU tests";
    dc->vmsd = &sva_ep_vmstate;
    device_class_set_props(dc, sva_ep_properties);
    device_class_set_legacy_reset(dc, sva_ep_device_reset);
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static const TypeInfo sva_ep_types[] = {
    {
        .name = TYPE_SVA_ENDPOINT,
        .parent = TYPE_PCI_DEVICE,
        .instance_size = sizeof(SvaEndpoint),
        .instance_init = sva_ep_init,
        .instance_finalize = sva_ep_finalize,
        .class_init = sva_ep_class_init,
        .interfaces = (InterfaceInfo[]) {
            { INTERFACE_PCIE_DEVICE },
            { }
        },
    },
};

DEFINE_TYPES(sva_ep_types)
