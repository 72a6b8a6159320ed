/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the model needs of QEMU (vtd/vtd_env.h): guest memory, messages,
 * delivery of notices, the log.
 */
#include "qemu/osdep.h"

#include "exec/address-spaces.h"
#include "intel_iommu_drain.h"
#include "intel_iommu_host.h"
#include "intel_iommu_ram.h"
#include "qemu/atomic.h"
#include "qemu/log.h"
#include "qemu/main-loop.h"
#include "trace/trace-hw_i386_vtd.h"

/* Guest mistakes beyond this number are only traced. */
#define GUEST_ERRORS_LOGGED 100

/* Memory, and nothing that has side effects. */
static const MemTxAttrs memory_only = { .memory = 1 };

/* Who translates or remaps is in an RCU read section; all others hold the
 * BQL. */
static bool env_read(void *opaque, uint64_t gpa, void *buf, size_t len)
{
    IntelIOMMUState *s = opaque;
    const VtdWindow *w = vtd_ram_around(s->ram, gpa);

    if (likely(w && len <= w->size - (gpa - w->start))) {
        memcpy(buf, w->host + (gpa - w->start), len);
        return true;
    }
    return address_space_read_full(&address_space_memory, gpa, memory_only,
                                   buf, len) == MEMTX_OK;
}

static bool env_write(void *opaque, uint64_t gpa, const void *buf, size_t len)
{
    return address_space_write(&address_space_memory, gpa, memory_only, buf,
                               len) == MEMTX_OK;
}

/* The quadword at @gpa in the host's memory, or NULL.  RCU read lock held. */
static uint64_t *quadword_at(uint64_t gpa, bool is_write)
{
    hwaddr offset, len = sizeof(uint64_t);
    MemoryRegion *mr = address_space_translate(&address_space_memory, gpa,
                                               &offset, &len, is_write,
                                               memory_only);

    if (len < sizeof(uint64_t) ||
        !memory_access_is_direct(mr, is_write, memory_only)) {
        return NULL;
    }
    return memory_region_get_ram_ptr(mr) + offset;
}

static bool env_load64(void *opaque, uint64_t gpa, uint64_t *value)
{
    uint64_t *p = quadword_at(gpa, false);

    if (p) {
        *value = le64_to_cpu(qatomic_read__nocheck(p));
    }
    return p;
}

static VtdCas env_cas64(void *opaque, uint64_t gpa, uint64_t expected,
                        uint64_t desired)
{
    RCU_READ_LOCK_GUARD();
    hwaddr len = sizeof(uint64_t);
    uint64_t *p;
    bool done;

    /* What cannot be accessed directly would be mapped as a copy. */
    if (!quadword_at(gpa, true)) {
        return VTD_CAS_FAILED;
    }
    p = address_space_map(&address_space_memory, gpa, &len, true, memory_only);
    if (!p) {
        return VTD_CAS_FAILED;
    }
    done = qatomic_cmpxchg__nocheck(p, cpu_to_le64(expected),
                                    cpu_to_le64(desired)) ==
           cpu_to_le64(expected);
    /* Marks it dirty: for migration, and for code translated from it. */
    address_space_unmap(&address_space_memory, p, len, true, done ? len : 0);
    return done ? VTD_CAS_DONE : VTD_CAS_CHANGED;
}

static void env_guest_error(void *opaque, const char *what, uint64_t value)
{
    IntelIOMMUState *s = opaque;

    trace_vtd_guest_error(what, value);
    if (qatomic_fetch_inc(&s->guest_errors) < GUEST_ERRORS_LOGGED) {
        qemu_log_mask(LOG_GUEST_ERROR,
                      "intel-iommu: %s (0x%" PRIx64 ")\n", what, value);
    }
}

static bool is_interrupt(uint64_t addr)
{
    return extract64(addr, 20, 12) == VTD_MSI_RANGE_FIRST >> 20;
}

/*
 * An interrupt goes to the APICs straight away, because a destination above
 * 255 lies in the upper half of its address, where no APIC is mapped.  Any
 * other address is a plain write of memory, as it is in hardware; a device there
 * is not written to, which address_space_stl_le() would do.
 */
static void env_send_msi(void *opaque, uint64_t addr, uint32_t data)
{
    MSIMessage message = { .address = addr, .data = data };
    uint8_t raw[4];

    trace_vtd_own_message(addr, data);
    if (is_interrupt(addr)) {
        BQL_LOCK_GUARD();
        vtd_send_to_apics(&message);
        return;
    }
    stl_le_p(raw, data);
    if (!env_write(opaque, addr, raw, sizeof(raw))) {
        env_guest_error(opaque, "no memory for an event's message at", addr);
    }
}

/* Out of line, as it is seldom wanted. */
static G_NO_INLINE void trace_notice(const VtdNotice *n)
{
    static const char *const kinds[] = {
        [VTD_NOTICE_TRANSLATION] = "translation",
        [VTD_NOTICE_CONTEXT] = "context cache",
        [VTD_NOTICE_PASID_CACHE] = "PASID cache",
        [VTD_NOTICE_IOTLB] = "IOTLB",
        [VTD_NOTICE_PASID_IOTLB] = "PASID IOTLB",
        [VTD_NOTICE_DEVICE_TLB] = "device TLB",
        [VTD_NOTICE_INTERRUPT_ENTRY] = "interrupt entry cache",
        [VTD_NOTICE_PAGE_RESPONSE] = "page response",
    };

    trace_vtd_notice(kinds[n->kind], n->scope, n->did, n->sid, n->pasid,
                     n->addr, n->order);
}

static VtdDelivery deliver_one(IntelIOMMUState *s, const VtdNotice *notice)
{
    if (trace_event_get_state_backends(TRACE_VTD_NOTICE)) {
        trace_notice(notice);
    }
    switch (notice->kind) {
    case VTD_NOTICE_IOTLB: /* far more frequent than all others */
    case VTD_NOTICE_PASID_IOTLB:
        if (!QLIST_EMPTY(&s->notified_spaces)) {
            vtd_spaces_notice(s, notice);
        }
        return VTD_DELIVERED;
    case VTD_NOTICE_INTERRUPT_ENTRY:
        vtd_interrupts_notice(s, notice);
        return VTD_DELIVERED;
    case VTD_NOTICE_PAGE_RESPONSE:
        return vtd_ats_notice(s, notice);
    case VTD_NOTICE_DEVICE_TLB:
        vtd_spaces_notice(s, notice);
        return vtd_ats_notice(s, notice);
    default:
        vtd_spaces_notice(s, notice);
        return VTD_DELIVERED;
    }
}

static bool changes_dma(const VtdNotice *notice)
{
    return notice->kind != VTD_NOTICE_INTERRUPT_ENTRY &&
           notice->kind != VTD_NOTICE_PAGE_RESPONSE;
}

/* The host's part of @notices.  @result: what became of the one behind them, at
 * *@done, unless the host fails at an earlier one. */
static VtdDelivery deliver_to_host(IntelIOMMUState *s,
                                   const VtdNotice *notices, unsigned count,
                                   unsigned *done, VtdDelivery result)
{
    if (vtd_host_has_devices(s->host)) {
        VtdDelivery host = vtd_host_deliver(s, notices, count, done);

        if (host != VTD_DELIVERED) {
            return host;
        }
    }
    *done = count;
    return result;
}

/* First QEMU's own devices, of which one that does not answer ends the array;
 * then the host. */
static VtdDelivery env_deliver(void *opaque, const VtdNotice *notices,
                               unsigned count, unsigned *done)
{
    IntelIOMMUState *s = opaque;
    VtdDelivery result = VTD_DELIVERED;
    bool concerns_dma = false;
    unsigned i;

    for (i = 0; i < count && result == VTD_DELIVERED; i++) {
        result = deliver_one(s, &notices[i]);
        concerns_dma |= changes_dma(&notices[i]);
    }
    if (concerns_dma) {
        vtd_drain_begin(s->drain);
    }
    return deliver_to_host(s, notices, result == VTD_DELIVERED ? i : i - 1,
                           done, result);
}

static bool env_drained(void *opaque)
{
    IntelIOMMUState *s = opaque;
    bool done = vtd_drain_done(s->drain);

    if (!done) {
        trace_vtd_accesses_under_way();
    }
    return done;
}

static bool env_pasid_alloc(void *opaque, uint32_t *pasid)
{
    return vtd_host_pasid_alloc(opaque, pasid);
}

static bool env_pasid_free(void *opaque, uint32_t pasid)
{
    return vtd_host_pasid_free(opaque, pasid);
}

VtdEnv vtd_env(IntelIOMMUState *s)
{
    return (VtdEnv){
        .opaque = s,
        .read = env_read,
        .write = env_write,
        .memory = &s->ram->view,
        .load64 = env_load64,
        .cas64 = env_cas64,
        .send_msi = env_send_msi,
        .deliver = env_deliver,
        .drained = env_drained,
        .pasid_alloc = env_pasid_alloc,
        .pasid_free = env_pasid_free,
        .guest_error = env_guest_error,
    };
}
