/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "qemu/bitops.h"
#include "qemu/bswap.h"
#include "qemu/lockable.h"
#include "qemu/log.h"
#include "sva_endpoint.h"

static void reset_slot(SvaEndpoint *s)
{
    s->command++;
    s->wants_interrupt = false;
    memset(s->slot, 0, sizeof(s->slot));
    memset(s->latch, 0, sizeof(s->latch));
    s->status = SVA_EP_STATUS_IDLE;
    s->error = SVA_EP_ERR_NONE;
    s->at = (SvaProgress) {};
    s->fault_addr = 0;
}

static void reset_counters(SvaEndpoint *s)
{
    s->count_done = s->count_failed = s->count_ignored = 0;
    s->count_read = s->count_written = 0;
    s->count_ats_requests = s->count_ats_hits = s->count_invalidations = 0;
    s->count_page_requests = s->count_page_responses = 0;
    s->count_unexpected = 0;
    s->debug = 0;
}

/* Whatever was running. */
void sva_ep_reset(SvaEndpoint *s)
{
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        s->resets++;
        s->command++;
        s->status = SVA_EP_STATUS_IDLE;
    }
    sva_ep_halt(s);

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        s->resets++;
        reset_slot(s);
        reset_counters(s);
        sva_ep_queues_reset(s);
        sva_ep_cache_clear(s);
        memset(memory_region_get_ram_ptr(&s->local), 0, SVA_EP_LOCAL_SIZE);
        memory_region_set_dirty(&s->local, 0, SVA_EP_LOCAL_SIZE);
    }
    sva_ep_go_on(s);
}

static uint64_t pair(uint32_t low, uint32_t high)
{
    return low | (uint64_t)high << 32;
}

static uint64_t counter(const SvaEndpoint *s, hwaddr offset)
{
    switch (offset) {
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
    case SVA_EP_COUNT_ATS_REQUESTS:
        return s->count_ats_requests;
    case SVA_EP_COUNT_ATS_HITS:
        return s->count_ats_hits;
    case SVA_EP_COUNT_INVALIDATIONS:
        return s->count_invalidations;
    case SVA_EP_COUNT_PAGE_REQUESTS:
        return s->count_page_requests;
    case SVA_EP_COUNT_PAGE_RESPONSES:
        return s->count_page_responses;
    case SVA_EP_COUNT_UNEXPECTED:
        return s->count_unexpected;
    default:
        return 0;
    }
}

/* The 8 bytes of registers at an 8-byte aligned offset. */
static uint64_t reg_pair(SvaEndpoint *s, hwaddr offset)
{
    if (offset >= SVA_EP_SLOT_CMD &&
        offset < SVA_EP_SLOT_CMD + SVA_EP_CMD_SIZE) {
        return ldq_le_p(s->slot + (offset - SVA_EP_SLOT_CMD));
    }
    if (offset >= SVA_EP_QCTL_BASE && offset < SVA_EP_REGS_END) {
        return sva_ep_qctl_read(s, offset);
    }
    switch (offset) {
    case SVA_EP_ID:
        return pair(SVA_EP_ID_MAGIC, SVA_EP_VERSION_1_1);
    case SVA_EP_OPS:
        return sva_ep_op_mask();
    case SVA_EP_LOCAL_BYTES:
        return pair(SVA_EP_LOCAL_SIZE, SVA_EP_LENGTH_LIMIT);
    case SVA_EP_FLAGS:
        return pair(sva_ep_flag_mask(), SVA_EP_QUEUE_COUNT);
    case SVA_EP_DEBUG:
        return s->debug;
    case SVA_EP_SLOT_DOORBELL:
        return pair(0, s->status);
    case SVA_EP_SLOT_ERROR:
        return s->error;
    case SVA_EP_SLOT_FAULT_ADDR:
        return s->fault_addr;
    case SVA_EP_SLOT_RESULT:
        return s->at.result;
    default:
        return counter(s, offset);
    }
}

static uint64_t mmio_read(void *opaque, hwaddr addr, unsigned size)
{
    SvaEndpoint *s = opaque;
    uint64_t value;

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        value = reg_pair(s, QEMU_ALIGN_DOWN(addr, 8));
    }
    return size == 8 ? value : extract64(value, (addr % 8) * 8, 32);
}

static bool is_reset(hwaddr addr, uint64_t value)
{
    return addr == SVA_EP_CONTROL && (value & SVA_EP_CONTROL_RESET);
}

static void write_register(SvaEndpoint *s, hwaddr addr, uint64_t value,
                           unsigned size)
{
    if (addr >= SVA_EP_SLOT_CMD && addr < SVA_EP_SLOT_CMD + SVA_EP_CMD_SIZE) {
        stn_le_p(s->slot + (addr - SVA_EP_SLOT_CMD), size, value);
    } else if (addr >= SVA_EP_QCTL_BASE && addr < SVA_EP_REGS_END) {
        sva_ep_qctl_write(s, addr, value, size);
    } else if (addr == SVA_EP_SLOT_DOORBELL &&
               (value & SVA_EP_DOORBELL_START)) {
        sva_ep_doorbell(s);
    } else if (addr == SVA_EP_SLOT_DOORBELL &&
               (value & SVA_EP_DOORBELL_STOP)) {
        sva_ep_stop_repeating(s);
    } else if (addr == SVA_EP_DEBUG) {
        s->debug = value & (SVA_EP_DEBUG_IGNORE_INVALIDATIONS |
                            SVA_EP_DEBUG_NO_ANSWER |
                            SVA_EP_DEBUG_HOLD_RESPONSES);
    } else {
        qemu_log_mask(LOG_GUEST_ERROR,
                      "sva-endpoint: write of 0x%" PRIx64 " at 0x%" HWADDR_PRIx
                      " has no effect\n", value, addr);
    }
}

static void mmio_write(void *opaque, hwaddr addr, uint64_t value,
                       unsigned size)
{
    SvaEndpoint *s = opaque;

    if (is_reset(addr, value)) {
        sva_ep_reset(s);
        return;
    }
    if (addr >= SVA_EP_QCTL_BASE && addr < SVA_EP_REGS_END) {
        sva_ep_attach(s); /* a queue is the first to need an IOMMU */
    }
    QEMU_LOCK_GUARD(&s->lock);
    write_register(s, addr, value, size);
}

const MemoryRegionOps sva_ep_mmio_ops = {
    .read = mmio_read,
    .write = mmio_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 8 },
    .impl = { .min_access_size = 4, .max_access_size = 8 },
};
