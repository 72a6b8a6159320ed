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
 * no piece crosses a 4 KiB boundary of either address.  Everything runs under
 * the big lock.  The guest decides where the DMA goes, so two things can come
 * back to us from inside an access:
 *
 * - Our own MMIO.  The bottom half holds the device's reentrancy guard: the
 *   access is refused by the memory core and the command fails.
 * - A reset, for example by DMA to our own configuration space through ECAM.
 *   It ends the command, hence the look at the status after each access.
 */
#include "qemu/osdep.h"
#include "qemu/log.h"
#include "qemu/bswap.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "hw/misc/sva_endpoint_regs.h"
#include "hw/pci/msix.h"
#include "hw/pci/pci_device.h"
#include "hw/pci/pcie.h"
#include "migration/vmstate.h"
#include "system/runstate.h"

#define TYPE_SVA_ENDPOINT "sva-endpoint"
OBJECT_DECLARE_SIMPLE_TYPE(SvaEndpoint, SVA_ENDPOINT)

/* The unit of DMA, and how many of them run before others get their turn. */
#define PIECE_SIZE      4096u
#define PIECES_PER_RUN  16

struct SvaEndpoint {
    PCIDevice parent_obj;

    MemoryRegion bar;
    MemoryRegion regs;
    MemoryRegion local;
    QEMUBH *engine;
    VMChangeStateEntry *run_state_entry;

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

/* What each operation takes; an opcode without flags does not exist. */
static const struct {
    uint16_t flags;
    bool src;
    bool dst;
    bool operand;
} sva_ep_ops[] = {
    [SVA_EP_OP_COPY] = {
        .flags = SVA_EP_FLAG_SRC_LOCAL | SVA_EP_FLAG_DST_LOCAL |
                 SVA_EP_FLAG_IRQ,
        .src = true, .dst = true,
    },
    [SVA_EP_OP_FILL] = {
        .flags = SVA_EP_FLAG_DST_LOCAL | SVA_EP_FLAG_IRQ,
        .dst = true, .operand = true,
    },
    [SVA_EP_OP_CHECKSUM] = {
        .flags = SVA_EP_FLAG_SRC_LOCAL | SVA_EP_FLAG_IRQ,
        .src = true,
    },
    [SVA_EP_OP_COMPARE] = {
        .flags = SVA_EP_FLAG_SRC_LOCAL | SVA_EP_FLAG_DST_LOCAL |
                 SVA_EP_FLAG_IRQ,
        .src = true, .dst = true,
    },
};

static bool sva_ep_op_exists(unsigned opcode)
{
    return opcode < ARRAY_SIZE(sva_ep_ops) && sva_ep_ops[opcode].flags;
}

static uint64_t sva_ep_op_mask(void)
{
    uint64_t mask = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(sva_ep_ops); i++) {
        mask |= (uint64_t)sva_ep_op_exists(i) << i;
    }
    return mask;
}

/* --- Commands ----------------------------------------------------------- */

static struct sva_ep_cmd sva_ep_decode(const uint8_t *raw)
{
    struct sva_ep_cmd cmd;

    memcpy(&cmd, raw, sizeof(cmd));
    cmd.flags = le16_to_cpu(cmd.flags);
    cmd.reserved1 = le32_to_cpu(cmd.reserved1);
    cmd.src = le64_to_cpu(cmd.src);
    cmd.dst = le64_to_cpu(cmd.dst);
    cmd.length = le32_to_cpu(cmd.length);
    cmd.reserved2 = le32_to_cpu(cmd.reserved2);
    cmd.operand = le64_to_cpu(cmd.operand);
    return cmd;
}

static bool sva_ep_range_ok(bool local, uint64_t addr, uint32_t length)
{
    if (local) {
        return addr <= SVA_EP_LOCAL_SIZE && length <= SVA_EP_LOCAL_SIZE - addr;
    }
    return addr <= UINT64_MAX - (length - 1);
}

/* The error of a command that must not start, or SVA_EP_ERR_NONE. */
static uint32_t sva_ep_check(const struct sva_ep_cmd *cmd)
{
    if (!sva_ep_op_exists(cmd->opcode)) {
        return SVA_EP_ERR_OPCODE;
    }
    if (cmd->flags & ~sva_ep_ops[cmd->opcode].flags) {
        return SVA_EP_ERR_FLAGS;
    }
    if (cmd->reserved0 || cmd->reserved1 || cmd->reserved2 ||
        cmd->reserved3[0] || cmd->reserved3[1] || cmd->reserved3[2] ||
        (cmd->src && !sva_ep_ops[cmd->opcode].src) ||
        (cmd->dst && !sva_ep_ops[cmd->opcode].dst) ||
        (cmd->operand && !sva_ep_ops[cmd->opcode].operand)) {
        return SVA_EP_ERR_RESERVED;
    }
    if (!cmd->length || cmd->length > SVA_EP_LENGTH_LIMIT) {
        return SVA_EP_ERR_LENGTH;
    }
    if (!sva_ep_range_ok(cmd->flags & SVA_EP_FLAG_SRC_LOCAL,
                         cmd->src, cmd->length) ||
        !sva_ep_range_ok(cmd->flags & SVA_EP_FLAG_DST_LOCAL,
                         cmd->dst, cmd->length)) {
        return SVA_EP_ERR_RANGE;
    }
    return SVA_EP_ERR_NONE;
}

/*
 * End the command.  The interrupt comes last, as its message is one more
 * access that the guest can direct at us.
 */
static void sva_ep_finish(SvaEndpoint *s, uint32_t error, uint64_t fault_addr)
{
    PCIDevice *pdev = PCI_DEVICE(s);

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
    if ((sva_ep_decode(s->latch).flags & SVA_EP_FLAG_IRQ) &&
        msix_enabled(pdev)) {
        msix_notify(pdev, SVA_EP_VECTOR_DONE);
    }
}

/* --- The engine --------------------------------------------------------- */

/*
 * Move one piece between @buf and an address.  False when the command is over:
 * the bus refused and the command has failed, or a reset came in between.
 */
static bool sva_ep_read(SvaEndpoint *s, bool local, uint64_t addr,
                        uint8_t *buf, uint32_t len)
{
    if (local) {
        memcpy(buf, (uint8_t *)memory_region_get_ram_ptr(&s->local) + addr,
               len);
        return true;
    }

    MemTxResult res = pci_dma_read(PCI_DEVICE(s), addr, buf, len);
    if (s->status != SVA_EP_STATUS_BUSY) {
        return false;
    }
    if (res != MEMTX_OK) {
        sva_ep_finish(s, SVA_EP_ERR_READ, addr);
        return false;
    }
    s->count_read += len;
    return true;
}

static bool sva_ep_write(SvaEndpoint *s, bool local, uint64_t addr,
                         const uint8_t *buf, uint32_t len)
{
    if (local) {
        memcpy((uint8_t *)memory_region_get_ram_ptr(&s->local) + addr, buf,
               len);
        memory_region_set_dirty(&s->local, addr, len);
        return true;
    }

    MemTxResult res = pci_dma_write(PCI_DEVICE(s), addr, buf, len);
    if (s->status != SVA_EP_STATUS_BUSY) {
        return false;
    }
    if (res != MEMTX_OK) {
        sva_ep_finish(s, SVA_EP_ERR_WRITE, addr);
        return false;
    }
    s->count_written += len;
    return true;
}

static void sva_ep_fill(uint8_t *buf, uint32_t len, uint64_t operand,
                        uint32_t progress)
{
    for (uint32_t i = 0; i < len; i++) {
        buf[i] = operand >> (8 * ((progress + i) % 8));
    }
}

static uint64_t sva_ep_hash(uint64_t hash, const uint8_t *buf, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        hash = (hash ^ buf[i]) * SVA_EP_FNV_PRIME;
    }
    return hash;
}

/* Bytes from the command's progress to the next boundary on either side. */
static uint32_t sva_ep_piece_length(const SvaEndpoint *s,
                                    const struct sva_ep_cmd *cmd)
{
    uint32_t len = cmd->length - s->progress;

    len = MIN(len, PIECE_SIZE - (cmd->src + s->progress) % PIECE_SIZE);
    return MIN(len, PIECE_SIZE - (cmd->dst + s->progress) % PIECE_SIZE);
}

/*
 * Do the next piece.  False when the command is over: failed, cancelled, or
 * the result is known.
 */
static bool sva_ep_piece(SvaEndpoint *s, const struct sva_ep_cmd *cmd)
{
    uint8_t buf[PIECE_SIZE], other[PIECE_SIZE];
    bool src_local = cmd->flags & SVA_EP_FLAG_SRC_LOCAL;
    bool dst_local = cmd->flags & SVA_EP_FLAG_DST_LOCAL;
    uint64_t src = cmd->src + s->progress;
    uint64_t dst = cmd->dst + s->progress;
    uint32_t len = sva_ep_piece_length(s, cmd);

    if (sva_ep_ops[cmd->opcode].src &&
        !sva_ep_read(s, src_local, src, buf, len)) {
        return false;
    }

    switch (cmd->opcode) {
    case SVA_EP_OP_COPY:
        if (!sva_ep_write(s, dst_local, dst, buf, len)) {
            return false;
        }
        break;
    case SVA_EP_OP_FILL:
        sva_ep_fill(buf, len, cmd->operand, s->progress);
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
        for (uint32_t i = 0; i < len; i++) {
            if (buf[i] != other[i]) {
                s->result = s->progress + i;
                sva_ep_finish(s, SVA_EP_ERR_NONE, 0);
                return false;
            }
        }
        break;
    default:
        g_assert_not_reached(); /* sva_ep_check() passed */
    }
    s->progress += len;
    return true;
}

static uint64_t sva_ep_initial_result(const struct sva_ep_cmd *cmd)
{
    switch (cmd->opcode) {
    case SVA_EP_OP_CHECKSUM:
        return SVA_EP_FNV_BASIS;
    case SVA_EP_OP_COMPARE:
        return SVA_EP_COMPARE_EQUAL;
    default:
        return 0;
    }
}

static void sva_ep_run(void *opaque)
{
    SvaEndpoint *s = opaque;

    /* A stopped machine's memory stays as it is: it may be on its way out. */
    if (s->status != SVA_EP_STATUS_BUSY ||
        !runstate_is_live(runstate_get())) {
        return;
    }

    struct sva_ep_cmd cmd = sva_ep_decode(s->latch);
    if (s->progress == 0) {
        uint32_t error = sva_ep_check(&cmd);
        if (error != SVA_EP_ERR_NONE) {
            qemu_log_mask(LOG_GUEST_ERROR,
                          "sva-endpoint: command refused, error %u\n", error);
            sva_ep_finish(s, error, 0);
            return;
        }
        s->result = sva_ep_initial_result(&cmd);
    }

    for (int i = 0; i < PIECES_PER_RUN; i++) {
        if (!sva_ep_piece(s, &cmd)) {
            return;
        }
        if (s->progress == cmd.length) {
            sva_ep_finish(s, SVA_EP_ERR_NONE, 0);
            return;
        }
    }
    qemu_bh_schedule(s->engine);
}

static void sva_ep_run_state_change(void *opaque, bool running, RunState state)
{
    SvaEndpoint *s = opaque;

    if (running && s->status == SVA_EP_STATUS_BUSY) {
        qemu_bh_schedule(s->engine);
    }
}

static void sva_ep_doorbell(SvaEndpoint *s)
{
    if (s->status == SVA_EP_STATUS_BUSY) {
        s->count_ignored++;
        return;
    }
    memcpy(s->latch, s->slot, sizeof(s->latch));
    s->status = SVA_EP_STATUS_BUSY;
    s->error = SVA_EP_ERR_NONE;
    s->progress = 0;
    s->fault_addr = 0;
    s->result = 0;
    qemu_bh_schedule(s->engine);
}

/* --- Registers ---------------------------------------------------------- */

/* Back to the state after power-on, whatever was running. */
static void sva_ep_reset(SvaEndpoint *s)
{
    qemu_bh_cancel(s->engine);
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
    uint64_t value = sva_ep_reg_pair(opaque, QEMU_ALIGN_DOWN(addr, 8));

    return size == 8 ? value : extract64(value, (addr % 8) * 8, 32);
}

static void sva_ep_mmio_write(void *opaque, hwaddr addr, uint64_t value,
                              unsigned size)
{
    SvaEndpoint *s = opaque;

    if (addr >= SVA_EP_SLOT_CMD && addr < SVA_EP_SLOT_CMD + SVA_EP_CMD_SIZE) {
        stn_le_p(s->slot + (addr - SVA_EP_SLOT_CMD), size, value);
    } else if (addr == SVA_EP_CONTROL && (value & SVA_EP_CONTROL_RESET)) {
        sva_ep_reset(s);
    } else if (addr == SVA_EP_SLOT_DOORBELL &&
               (value & SVA_EP_DOORBELL_START)) {
        sva_ep_doorbell(s);
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
    pci_default_write_config(pdev, addr, value, len);
    pcie_cap_flr_write_config(pdev, addr, value, len);
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
    s->engine = qemu_bh_new_guarded(sva_ep_run, s,
                                    &DEVICE(s)->mem_reentrancy_guard);
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
    msix_uninit_exclusive_bar(pdev);
    /* Each part of the BAR holds a reference to its owner, which is us. */
    memory_region_del_subregion(&s->bar, &s->local);
    memory_region_del_subregion(&s->bar, &s->regs);
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
    device_class_set_legacy_reset(dc, sva_ep_device_reset);
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static const TypeInfo sva_ep_types[] = {
    {
        .name = TYPE_SVA_ENDPOINT,
        .parent = TYPE_PCI_DEVICE,
        .instance_size = sizeof(SvaEndpoint),
        .class_init = sva_ep_class_init,
        .interfaces = (InterfaceInfo[]) {
            { INTERFACE_PCIE_DEVICE },
            { }
        },
    },
};

DEFINE_TYPES(sva_ep_types)
