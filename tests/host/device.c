/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device that is passed on: PCI identity and registers of the sva-endpoint
 * (include/hw/misc/sva_endpoint_regs.h), of whose commands it has COPY, FILL
 * and CHECKSUM, and one register more, REF_BAR_PASID.  A command is done when
 * the doorbell's write returns, unless it waits for a page request.
 */
#include <linux/pci_regs.h>

#include "host.h"
#include "hw/misc/sva_endpoint_regs.h"

/* Offsets of the capabilities in configuration space. */
#define CAP_EXP 0x40
#define CAP_MSIX_AT 0x80
#define CAP_ATS_AT 0x100
#define CAP_PRI_AT 0x110

/* The MSI-X index of VFIO. */
#define IRQ_MSIX 2

Device the_device;
Device second_device;

static void put16(Device *dev, unsigned offset, uint16_t value)
{
    memcpy(dev->config + offset, &value, sizeof(value));
}

static void put32(Device *dev, unsigned offset, uint32_t value)
{
    memcpy(dev->config + offset, &value, sizeof(value));
}

void device_init(Device *dev)
{
    put16(dev, PCI_VENDOR_ID, SVA_EP_PCI_VENDOR);
    put16(dev, PCI_DEVICE_ID, SVA_EP_PCI_DEVICE);
    put16(dev, PCI_STATUS, PCI_STATUS_CAP_LIST);
    put32(dev, PCI_CLASS_REVISION,
          SVA_EP_PCI_CLASS << 16 | SVA_EP_PCI_REVISION);
    put32(dev, PCI_BASE_ADDRESS_0, PCI_BASE_ADDRESS_MEM_TYPE_64);
    put16(dev, PCI_CAPABILITY_LIST, CAP_EXP);
    put16(dev, CAP_EXP, PCI_CAP_ID_EXP | CAP_MSIX_AT << 8);
    put16(dev, CAP_EXP + PCI_EXP_FLAGS, 2 | PCI_EXP_TYPE_ENDPOINT << 4);
    put32(dev, CAP_EXP + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_FLR);
    put32(dev, CAP_EXP + PCI_EXP_LNKCAP, 1 << 4 | 1);
    put16(dev, CAP_EXP + PCI_EXP_LNKSTA, 1 << 4 | 1);
    put16(dev, CAP_MSIX_AT, PCI_CAP_ID_MSIX);
    put16(dev, CAP_MSIX_AT + PCI_MSIX_FLAGS, SVA_EP_VECTORS - 1);
    put32(dev, CAP_MSIX_AT + PCI_MSIX_TABLE, SVA_EP_BAR_MSIX);
    put32(dev, CAP_MSIX_AT + PCI_MSIX_PBA, SVA_EP_BAR_MSIX | 0x800);
    if (config.page_requests) {
        /* One that is missing still leads to the next, with an id of 0. */
        put32(dev, CAP_ATS_AT, (config.ats ? PCI_EXT_CAP_ID_ATS : 0) |
                                   1 << 16 | CAP_PRI_AT << 20);
        put32(dev, CAP_PRI_AT, (config.pri ? PCI_EXT_CAP_ID_PRI : 0) |
                                   1 << 16);
        /* The host's driver has it in hand, and does not stop it. */
        put16(dev, CAP_PRI_AT + PCI_PRI_CTRL, PCI_PRI_CTRL_ENABLE);
        put32(dev, CAP_PRI_AT + PCI_PRI_MAX_REQ, 64);
    }
    for (unsigned i = 0; i < DEVICE_IRQS; i++) {
        dev->irq[i] = -1;
    }
}

void device_reset(Device *dev)
{
    memset(dev->local, 0, sizeof(dev->local));
    memset(dev->slot, 0, sizeof(dev->slot));
    dev->pasid = dev->status = dev->error = dev->progress = 0;
    dev->fault_addr = dev->result = 0;
}

/* What a guest may change itself: enabling, and what BARs are sized by. */
void device_config_write(Device *dev, unsigned offset, const void *buf,
                         size_t len)
{
    for (size_t i = 0; i < len; i++, offset++) {
        uint8_t byte = ((const uint8_t *)buf)[i];

        if (offset == PCI_COMMAND) {
            dev->config[offset] = byte & (PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
                                          PCI_COMMAND_MASTER);
        } else if (offset == CAP_MSIX_AT + PCI_MSIX_FLAGS + 1) {
            dev->config[offset] = byte & 0xc0;
        }
    }
}

/* --- The engine ---------------------------------------------------------- */

/* False: the command ended in an error, or waits. */
static bool access_page(Device *dev, uint64_t iova, void *buf, size_t len,
                        bool write)
{
    bool has_pasid = dev->pasid & REF_DMA_HAS_PASID;
    uint32_t pasid = has_pasid ? dev->pasid & 0xfffff : NO_PASID;
    const Domain *d = dev->domain_of ? dev->domain_of(dev, pasid) : NULL;
    Translation t = REFUSED;
    uint64_t va;

    if (d && (dev->config[PCI_COMMAND] & PCI_COMMAND_MASTER)) {
        t = unit_translate(d, pasid, iova, write, &va);
    }
    if (t == TRANSLATED) {
        if (!(write ? user_write(va, buf, len) : user_read(buf, va, len))) {
            return true;
        }
        control->dma_lost++;
    } else if (t == NOT_PRESENT && d->faults && config.page_requests) {
        fault_queue_add(d->faults, dev, has_pasid, pasid, iova, write);
        return false;
    } else {
        control->dma_refused++;
    }
    dev->status = SVA_EP_STATUS_ERROR;
    dev->error = write ? SVA_EP_ERR_WRITE : SVA_EP_ERR_READ;
    dev->fault_addr = iova;
    return false;
}

/* @len bytes at @addr, which do not cross a page. */
static bool access_at(Device *dev, bool local, uint64_t addr, void *buf,
                      size_t len, bool write)
{
    if (!local) {
        return access_page(dev, addr, buf, len, write);
    }
    if (write) {
        memcpy(dev->local + addr, buf, len);
    } else {
        memcpy(buf, dev->local + addr, len);
    }
    return true;
}

static bool is_sound(const struct sva_ep_cmd *cmd)
{
    bool src_local = cmd->flags & SVA_EP_FLAG_SRC_LOCAL;
    bool dst_local = cmd->flags & SVA_EP_FLAG_DST_LOCAL;

    return cmd->opcode >= SVA_EP_OP_COPY &&
           cmd->opcode <= SVA_EP_OP_CHECKSUM && cmd->length &&
           cmd->length <= SVA_EP_LOCAL_SIZE &&
           !(src_local && cmd->src > SVA_EP_LOCAL_SIZE - cmd->length) &&
           !(dst_local && cmd->dst > SVA_EP_LOCAL_SIZE - cmd->length);
}

/* The next bytes of the command, within one page of either address. */
static bool run_piece(Device *dev, const struct sva_ep_cmd *cmd)
{
    uint64_t src = cmd->src + dev->progress, dst = cmd->dst + dev->progress;
    size_t len = cmd->length - dev->progress;
    uint8_t buf[PAGE];

    len = MIN_OF(len, PAGE - src % PAGE);
    len = MIN_OF(len, PAGE - dst % PAGE);
    if (cmd->opcode == SVA_EP_OP_FILL) {
        for (size_t i = 0; i < len; i++) {
            buf[i] = cmd->operand >> (dev->progress + i) % 8 * 8;
        }
    } else if (!access_at(dev, cmd->flags & SVA_EP_FLAG_SRC_LOCAL, src, buf,
                          len, false)) {
        return false;
    }
    if (cmd->opcode == SVA_EP_OP_CHECKSUM) {
        for (size_t i = 0; i < len; i++) {
            dev->result = (dev->result ^ buf[i]) * SVA_EP_FNV_PRIME;
        }
    } else if (!access_at(dev, cmd->flags & SVA_EP_FLAG_DST_LOCAL, dst, buf,
                          len, true)) {
        return false;
    }
    dev->progress += len;
    return true;
}

static void run(Device *dev)
{
    struct sva_ep_cmd cmd;

    memcpy(&cmd, dev->slot, sizeof(cmd));
    if (!is_sound(&cmd)) {
        dev->status = SVA_EP_STATUS_ERROR;
        dev->error = SVA_EP_ERR_OPCODE;
    }
    while (dev->status == SVA_EP_STATUS_BUSY) {
        if (!run_piece(dev, &cmd)) {
            break;
        }
        if (dev->progress == cmd.length) {
            dev->status = SVA_EP_STATUS_DONE;
        }
    }
    if (dev->status != SVA_EP_STATUS_BUSY &&
        (cmd.flags & SVA_EP_FLAG_IRQ) && dev->irq[IRQ_MSIX] >= 0) {
        eventfd_signal(dev->irq[IRQ_MSIX]);
    }
}

static void doorbell(Device *dev)
{
    if (dev->status == SVA_EP_STATUS_BUSY) {
        return;
    }
    dev->status = SVA_EP_STATUS_BUSY;
    dev->error = dev->progress = 0;
    dev->fault_addr = 0;
    dev->result = dev->slot[0] == SVA_EP_OP_CHECKSUM ? SVA_EP_FNV_BASIS : 0;
    run(dev);
}

void device_resume(Device *dev, bool success)
{
    if (dev->status != SVA_EP_STATUS_BUSY) {
        return;
    }
    if (!success) {
        dev->status = SVA_EP_STATUS_ERROR;
        dev->error = SVA_EP_ERR_READ;
    }
    run(dev);
}

/* --- BAR 0 --------------------------------------------------------------- */

static uint32_t reg32(Device *dev, uint64_t offset)
{
    uint32_t value;

    if (offset >= SVA_EP_SLOT_CMD &&
        offset < SVA_EP_SLOT_CMD + sizeof(dev->slot)) {
        memcpy(&value, dev->slot + (offset - SVA_EP_SLOT_CMD), 4);
        return value;
    }
    switch (offset) {
    case SVA_EP_ID:
        return SVA_EP_ID_MAGIC;
    case SVA_EP_VERSION:
        return SVA_EP_VERSION_1_0;
    case SVA_EP_OPS:
        return 1 << SVA_EP_OP_COPY | 1 << SVA_EP_OP_FILL |
               1 << SVA_EP_OP_CHECKSUM;
    case SVA_EP_LOCAL_BYTES:
    case SVA_EP_LENGTH_MAX:
        return SVA_EP_LOCAL_SIZE;
    case SVA_EP_SLOT_STATUS:
        return dev->status;
    case SVA_EP_SLOT_ERROR:
        return dev->error;
    case SVA_EP_SLOT_FAULT_ADDR:
        return (uint32_t)dev->fault_addr;
    case SVA_EP_SLOT_FAULT_ADDR + 4:
        return dev->fault_addr >> 32;
    case SVA_EP_SLOT_RESULT:
        return (uint32_t)dev->result;
    case SVA_EP_SLOT_RESULT + 4:
        return dev->result >> 32;
    case REF_BAR_PASID:
        return dev->pasid;
    }
    return 0;
}

void device_bar_read(Device *dev, uint64_t offset, void *buf, size_t len)
{
    if (offset >= SVA_EP_LOCAL_BASE) {
        memcpy(buf, dev->local + (offset - SVA_EP_LOCAL_BASE), len);
        return;
    }
    for (size_t at = 0; at < len; at++) {
        uint32_t value = reg32(dev, (offset + at) & ~3ull);

        ((uint8_t *)buf)[at] = value >> (offset + at) % 4 * 8;
    }
}

void device_bar_write(Device *dev, uint64_t offset, const void *buf,
                      size_t len)
{
    uint32_t value = 0;

    memcpy(&value, buf, MIN_OF(len, sizeof(value)));
    if (offset >= SVA_EP_LOCAL_BASE) {
        memcpy(dev->local + (offset - SVA_EP_LOCAL_BASE), buf, len);
    } else if (offset >= SVA_EP_SLOT_CMD &&
               offset + len <= SVA_EP_SLOT_CMD + sizeof(dev->slot)) {
        memcpy(dev->slot + (offset - SVA_EP_SLOT_CMD), buf, len);
    } else if (offset == SVA_EP_CONTROL && (value & SVA_EP_CONTROL_RESET)) {
        device_reset(dev);
    } else if (offset == REF_BAR_PASID) {
        dev->pasid = value;
    } else if (offset == SVA_EP_SLOT_DOORBELL &&
               (value & SVA_EP_DOORBELL_START)) {
        doorbell(dev);
    }
}
