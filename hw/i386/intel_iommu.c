/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The intel-iommu device: properties, registers, reset, and the ties to the
 * PCI buses.  The hardware's behaviour is the model's (vtd/); what devices see
 * of it is in intel_iommu_space.c and intel_iommu_irq.c, what the model needs
 * of QEMU in intel_iommu_env.c, passed-through devices in intel_iommu_host.c.
 *
 * Guest accesses to registers and the rest of a long invalidation queue run
 * under the BQL; translations on any thread.
 */
#include "qemu/osdep.h"

#include "hw/i386/pc.h"
#include "hw/misc/ats_iommu.h"
#include "hw/pci/pci_bus.h"
#include "hw/qdev-properties.h"
#include "intel_iommu_container.h"
#include "intel_iommu_drain.h"
#include "intel_iommu_features.h"
#include "intel_iommu_properties.h"
#include "intel_iommu_ram.h"
#include "intel_iommu_space.h"
#include "kvm/kvm_i386.h"
#include "migration/blocker.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "system/kvm.h"
#include "system/runstate.h"
#include "system/system.h"
#include "trace/trace-hw_i386_vtd.h"

/*
 * Registers.
 */
static void queue_schedule(IntelIOMMUState *s, bool more)
{
    if (more) {
        vtd_drain_schedule(s->drain);
    }
}

/* A stopped machine's memory stays as it is: it may be on its way out. */
static void queue_continue(void *opaque)
{
    IntelIOMMUState *s = opaque;

    if (runstate_is_live(runstate_get())) {
        trace_vtd_queue_continue();
        queue_schedule(s, vtd_continue(s->unit));
    }
}

/* What is left of the queue may have been left by another QEMU. */
static void run_state_change(void *opaque, bool running, RunState state)
{
    IntelIOMMUState *s = opaque;

    if (running) {
        qemu_bh_schedule(s->queue_bh);
    }
}

static uint64_t registers_read(void *opaque, hwaddr offset, unsigned size)
{
    IntelIOMMUState *s = opaque;
    uint64_t value = vtd_mmio_read(s->unit, offset, size);

    trace_vtd_register_read(offset, size, value);
    return value;
}

/* Out of line: a write of the queue's tail has no need of its registers. */
static G_NO_INLINE void trace_write(hwaddr offset, uint64_t value,
                                    unsigned size)
{
    trace_vtd_register_write(offset, size, value);
}

static void registers_write(void *opaque, hwaddr offset, uint64_t value,
                            unsigned size)
{
    IntelIOMMUState *s = opaque;

    if (trace_event_get_state_backends(TRACE_VTD_REGISTER_WRITE)) {
        trace_write(offset, value, size);
    }
    queue_schedule(s, vtd_mmio_write(s->unit, offset, value, size));
}

static const MemoryRegionOps registers_ops = {
    .read = registers_read,
    .write = registers_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .impl = { .min_access_size = 4, .max_access_size = 8 },
    .valid = { .min_access_size = 4, .max_access_size = 8 },
};

/*
 * PCI devices.
 */
static AddressSpace *get_address_space(PCIBus *bus, void *opaque, int devfn)
{
    return &vtd_address_space(opaque, bus, devfn)->as;
}

static bool set_iommu_device(PCIBus *bus, void *opaque, int devfn,
                             HostIOMMUDevice *hiod, Error **errp)
{
    if (hiod->aliased_bus != bus || hiod->aliased_devfn != devfn) {
        error_setg(errp,
                   "%s: intel-iommu cannot tell this device from others "
                   "behind the same conventional PCI bridge; plug it into a "
                   "PCI Express port",
                   hiod->name);
        return false;
    }
    return vtd_host_attach(vtd_address_space(opaque, bus, devfn), hiod, errp);
}

static void unset_iommu_device(PCIBus *bus, void *opaque, int devfn)
{
    vtd_host_detach(vtd_address_space(opaque, bus, devfn));
}

static const PCIIOMMUOps pci_ops = {
    .get_address_space = get_address_space,
    .set_iommu_device = set_iommu_device,
    .unset_iommu_device = unset_iommu_device,
};

/*
 * Setting up.
 */

/* x2APIC destinations: on where they are known to work. */
static bool settle_eim(IntelIOMMUState *s, Error **errp)
{
    bool remaps = x86_iommu_ir_supported(X86_IOMMU_DEVICE(s));

    if (s->intr_eim == ON_OFF_AUTO_AUTO) {
        bool works = kvm_irqchip_in_kernel() || s->buggy_eim;

        s->intr_eim = remaps && works ? ON_OFF_AUTO_ON : ON_OFF_AUTO_OFF;
    }
    if (s->intr_eim == ON_OFF_AUTO_ON && !s->buggy_eim &&
        kvm_irqchip_is_split() && !kvm_enable_x2apic()) {
        error_setg(errp, "eim=on needs a host kernel whose KVM has "
                         "KVM_CAP_X2APIC_API (Linux 4.7 or later); use "
                         "eim=off");
        return false;
    }
    return true;
}

/* What QEMU's own device reports as CAP.MAMV. */
#define STOCK_MASK_ORDER 18

static VtdOptions options(IntelIOMMUState *s)
{
    X86IOMMUState *x86 = X86_IOMMU_DEVICE(s);
    bool may_nest = s->feature[VTD_FEATURE_NESTED] != ON_OFF_AUTO_OFF;
    VtdOptions o = {
        .aw_bits = s->aw_bits,
        .pasid_bits = vtd_features_pasid_bits(s),
        .device_tlb = x86->dt_supported,
        .pass_through = x86->pt_supported,
        .dma_translation = s->dma_translation,
        .interrupt_remap = x86_iommu_ir_supported(x86),
        .eim = s->intr_eim == ON_OFF_AUTO_ON,
        .snoop_control = s->snoop_control,
        .stale_tm = s->stale_tm,
        .drain = s->dma_drain,
        .fault_records = may_nest ? VTD_MAX_FAULT_RECORDS : 1,
        .mask_order = may_nest ? s->aw_bits - VTD_PAGE_SHIFT :
                                 STOCK_MASK_ORDER,
    };

    if (s->fault_records) {
        o.fault_records = s->fault_records;
    }
    vtd_features_options(s, &o);
    return o;
}

void vtd_recompose(IntelIOMMUState *s)
{
    VtdOptions opts = options(s);
    const char *problem = vtd_set_options(s->unit, &opts);

    /* Features only go, and none needs another one to be off. */
    g_assert(!problem);
}

static void machine_done(Notifier *notifier, void *data)
{
    IntelIOMMUState *s = container_of(notifier, IntelIOMMUState,
                                      machine_done);

    vtd_features_freeze(s);
    vtd_host_machine_ready(s);
}

static bool unit_create(IntelIOMMUState *s, Error **errp)
{
    VtdUnit *unit = g_new0(VtdUnit, 1);
    VtdOptions opts = options(s);
    const char *problem;
    VtdEnv env;

    s->ram = vtd_ram_new();
    env = vtd_env(s);
    problem = vtd_init(unit, &env, &opts);
    if (problem) {
        error_setg(errp, "intel-iommu: %s", problem);
        g_free(unit);
        return false;
    }
    s->unit = unit;
    return true;
}

/* What a guest got by virtual commands is the host's, and the response to one is
 * not in the stream.  A device blocks migration anyway; here one is to come. */
static bool block_migration(IntelIOMMUState *s, Error **errp)
{
    if (!vtd_features_on(s, VTD_FEATURE_VCS)) {
        return true;
    }
    error_setg(&s->migration_blocker,
               "intel-iommu: with host-uapi=vfio-v1 PASIDs are the host's");
    return !migrate_add_blocker(&s->migration_blocker, errp);
}

static void intel_iommu_realize(DeviceState *dev, Error **errp)
{
    IntelIOMMUState *s = INTEL_IOMMU_DEVICE(dev);

    if (!settle_eim(s, errp) || !vtd_features_start(s, errp) ||
        !unit_create(s, errp) || !block_migration(s, errp)) {
        return;
    }
    s->caching_mode = s->report_caching_mode ||
                      s->feature[VTD_FEATURE_NESTED] != ON_OFF_AUTO_OFF;
    s->queue_bh = qemu_bh_new_guarded(queue_continue, s,
                                      &dev->mem_reentrancy_guard);
    s->drain = vtd_drain_new(s->queue_bh);
    qemu_add_vm_change_state_handler(run_state_change, s);
    memory_region_init_io(&s->registers, OBJECT(s), &registers_ops, s,
                          "intel-iommu-registers", VTD_REG_SPACE);
    sysbus_init_mmio(SYS_BUS_DEVICE(s), &s->registers);
    sysbus_mmio_map(SYS_BUS_DEVICE(s), 0, Q35_HOST_BRIDGE_IOMMU_ADDR);
    vtd_interrupts_init(s);
    vtd_spaces_init(s);
    vtd_host_init(s);
    vtd_containers_init();
    vtd_stats_init(s);
    s->machine_done.notify = machine_done;
    qemu_add_machine_init_done_notifier(&s->machine_done);
    pci_setup_iommu(PC_MACHINE(qdev_get_machine())->pcibus, &pci_ops, s);
}

/* In the last phase: by then devices have stopped making requests. */
static void intel_iommu_reset_exit(Object *obj, ResetType type)
{
    IntelIOMMUState *s = INTEL_IOMMU_DEVICE(obj);

    vtd_reset(s->unit);
    vtd_spaces_changed(s);
    vtd_host_reset(s);
}

static const Property intel_iommu_properties[] = {
    DEFINE_PROP_UINT32("version", IntelIOMMUState, version, 0),
    DEFINE_PROP_ON_OFF_AUTO("eim", IntelIOMMUState, intr_eim,
                            ON_OFF_AUTO_AUTO),
    DEFINE_PROP_BOOL("x-buggy-eim", IntelIOMMUState, buggy_eim, false),
    DEFINE_PROP_UINT8("aw-bits", IntelIOMMUState, aw_bits, 48),
    DEFINE_PROP_BOOL("caching-mode", IntelIOMMUState, report_caching_mode,
                     false),
    DEFINE_PROP_VTD_RENAMED("x-scalable-mode", scalable_mode),
    DEFINE_PROP_VTD_RENAMED("x-flts", first_stage),
    DEFINE_PROP_BOOL("snoop-control", IntelIOMMUState, snoop_control, false),
    DEFINE_PROP_BOOL("x-pasid-mode", IntelIOMMUState, pasid_mode, false),
    DEFINE_PROP_BOOL("dma-drain", IntelIOMMUState, dma_drain, true),
    DEFINE_PROP_BOOL("dma-translation", IntelIOMMUState, dma_translation,
                     true),
    DEFINE_PROP_BOOL("stale-tm", IntelIOMMUState, stale_tm, false),
    DEFINE_PROP_VTD_FEATURE_BOOL("fs1gp", VTD_FEATURE_FS1GP),
    /* The names that QEMU 11 has for the same, and what it added. */
    DEFINE_PROP_VTD_RENAMED("scalable-mode", scalable_mode),
    DEFINE_PROP_VTD_RENAMED("fsts", first_stage),
    DEFINE_PROP_VTD_PASID_BITS("pasid-bits", pasid_bits),
    DEFINE_PROP_VTD_SWITCH("svm", svm),
    /* Ours. */
    DEFINE_PROP_VTD_SWITCH("nested", feature[VTD_FEATURE_NESTED]),
    DEFINE_PROP_VTD_FEATURE("pasid", VTD_FEATURE_PASID),
    DEFINE_PROP_VTD_FEATURE("srs", VTD_FEATURE_SRS),
    DEFINE_PROP_VTD_FEATURE("eafs", VTD_FEATURE_EAFS),
    DEFINE_PROP_VTD_FEATURE("ssads", VTD_FEATURE_SSADS),
    DEFINE_PROP_VTD_FEATURE("smpwcs", VTD_FEATURE_SMPWCS),
    DEFINE_PROP_VTD_FEATURE("rps", VTD_FEATURE_RPS),
    DEFINE_PROP_VTD_FEATURE("prs", VTD_FEATURE_PRS),
    DEFINE_PROP_VTD_FEATURE("nwfs", VTD_FEATURE_NWFS),
    DEFINE_PROP_VTD_HOST_UAPI("host-uapi", host_uapi),
    DEFINE_PROP_UINT8("fault-records", IntelIOMMUState, fault_records, 0),
    DEFINE_PROP_UINT16("x-pasid-cap-offset", IntelIOMMUState,
                       pasid_cap_offset, 0),
    DEFINE_PROP_BOOL("x-forward-invalidation", IntelIOMMUState,
                     forward_invalidation, true),
};

static void intel_iommu_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    X86IOMMUClass *x86 = X86_IOMMU_DEVICE_CLASS(klass);

    dc->desc = "Intel IOMMU (VT-d) DMA Remapping device";
    dc->hotpluggable = false;
    dc->vmsd = &vtd_vmstate;
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    device_class_set_props(dc, intel_iommu_properties);
    x86->realize = intel_iommu_realize;
    x86->int_remap = vtd_int_remap;
    vtd_ats_class_init(klass);
    RESETTABLE_CLASS(klass)->phases.exit = intel_iommu_reset_exit;
}

static const TypeInfo intel_iommu_info = {
    .name = TYPE_INTEL_IOMMU_DEVICE,
    .parent = TYPE_X86_IOMMU_DEVICE,
    .instance_size = sizeof(IntelIOMMUState),
    .class_init = intel_iommu_class_init,
    .interfaces = (InterfaceInfo[]) { { TYPE_ATS_IOMMU }, { } },
};

static void register_types(void)
{
    type_register_static(&intel_iommu_info);
}

type_init(register_types)
