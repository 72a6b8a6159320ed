/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts: what devices and the IOAPIC write to 0xfeexxxxx is remapped and
 * sent to the APICs.
 */
#include "qemu/osdep.h"

#include "exec/address-spaces.h"
#include "hw/i386/apic_internal.h"
#include "hw/i386/x86.h"
#include "hw/pci-host/q35.h"
#include "intel_iommu_space.h"
#include "qemu/bswap.h"
#include "trace/trace-hw_i386_vtd.h"

/* The source id that the ACPI tables give the IOAPIC. */
#define IOAPIC_SID PCI_BUILD_BDF(Q35_PSEUDO_BUS_PLATFORM, \
                                 Q35_PSEUDO_DEVFN_IOAPIC)

static void remapped_message(const VtdInterrupt *interrupt,
                             const MSIMessage *in, MSIMessage *out)
{
    X86IOMMUIrq irq = {
        .vector = interrupt->vector,
        .delivery_mode = interrupt->delivery_mode,
        .dest = interrupt->destination,
        .dest_mode = interrupt->logical,
        .redir_hint = interrupt->redirection_hint,
        .trigger_mode = interrupt->level,
        .msi_addr_last_bits = extract64(in->address, 0, 2),
    };

    x86_iommu_irq_to_msi_message(&irq, out);
}

void vtd_send_to_apics(MSIMessage *message)
{
    APICCommonClass *apics = apic_get_class(NULL);

    if (apics) {
        apics->send_msi(message);
    }
}

/* Returns 0 or -EINVAL: blocked. */
static int remap(IntelIOMMUState *s, uint16_t sid, const MSIMessage *in,
                 MSIMessage *out, bool quiet)
{
    VtdInterrupt interrupt;
    VtdFault fault = vtd_remap_interrupt(s->unit, sid, in->address, in->data,
                                         quiet, &interrupt);

    if (fault) {
        trace_vtd_interrupt_blocked(sid, in->address, in->data,
                                    vtd_fault_name(fault));
        return -EINVAL;
    }
    if (interrupt.kind == VTD_INTERRUPT_UNCHANGED) {
        *out = *in;
    } else {
        remapped_message(&interrupt, in, out);
    }
    trace_vtd_interrupt_remapped(sid, in->address, in->data, out->address,
                                 out->data);
    return 0;
}

int vtd_int_remap(X86IOMMUState *iommu, MSIMessage *in, MSIMessage *out,
                  uint16_t sid)
{
    /* KVM has routes of PCI devices and of the IOAPIC's pins. */
    if (sid == X86_IOMMU_SID_INVALID) {
        sid = IOAPIC_SID;
    }
    return remap(INTEL_IOMMU_DEVICE(iommu), sid, in, out, true);
}

static MemTxResult window_read(void *opaque, hwaddr addr, uint64_t *data,
                               unsigned size, MemTxAttrs attrs)
{
    *data = 0;
    return MEMTX_OK;
}

static MemTxResult window_write(void *opaque, hwaddr addr, uint64_t value,
                                unsigned size, MemTxAttrs attrs)
{
    VtdInterruptWindow *window = opaque;
    uint16_t sid = attrs.unspecified ? window->sid : attrs.requester_id;
    MSIMessage in = { .address = VTD_MSI_RANGE_FIRST + addr, .data = value };
    MSIMessage out;

    if (remap(window->iommu_state, sid, &in, &out, false)) {
        return MEMTX_ERROR;
    }
    vtd_send_to_apics(&out);
    return MEMTX_OK;
}

static const MemoryRegionOps window_ops = {
    .read_with_attrs = window_read,
    .write_with_attrs = window_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .impl = { .min_access_size = 4, .max_access_size = 4 },
    .valid = { .min_access_size = 4, .max_access_size = 4 },
};

static void window_init(VtdInterruptWindow *window, IntelIOMMUState *s,
                        uint16_t sid, const char *name)
{
    window->iommu_state = s;
    window->sid = sid;
    memory_region_init_io(&window->region, OBJECT(s), &window_ops, window,
                          name, VTD_MSI_RANGE_LAST - VTD_MSI_RANGE_FIRST + 1);
    /* A message only passes through; it may be sent in consequence of a
     * write to our registers. */
    window->region.disable_reentrancy_guard = true;
}

/*
 * A PCI device's message tells its source.  What comes without one is DMA
 * that strayed into the range, except from the IOAPIC: so the IOAPIC has a
 * window of its own, and no device can pass for it.
 */
void vtd_interrupts_init(IntelIOMMUState *s)
{
    window_init(&s->interrupts, s, X86_IOMMU_SID_INVALID,
                "intel-iommu-interrupts");
    window_init(&s->ioapic_interrupts, s, IOAPIC_SID,
                "intel-iommu-ioapic-interrupts");
    memory_region_init(&s->ioapic_root, OBJECT(s), "intel-iommu-ioapic",
                       UINT64_MAX);
    memory_region_add_subregion(&s->ioapic_root, VTD_MSI_RANGE_FIRST,
                                &s->ioapic_interrupts.region);
    address_space_init(&s->ioapic_as, &s->ioapic_root, "intel-iommu-ioapic");
    X86_MACHINE(qdev_get_machine())->ioapic_as = &s->ioapic_as;
}

/* Only whole powers of two are invalidated, so the count tells the mask. */
void vtd_interrupts_notice(IntelIOMMUState *s, const VtdNotice *notice)
{
    bool global = notice->scope == VTD_SCOPE_GLOBAL;

    x86_iommu_iec_notify_all(X86_IOMMU_DEVICE(s), global, notice->index,
                             global ? 0 : ctz32(notice->count));
}
