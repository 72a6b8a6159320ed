/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "sva-endpoint": a PCIe function with a small DMA engine.
 *
 * It is the hardware that tests and demonstrations of the IOMMU put behind the
 * IOMMU: software gives it commands, by MMIO or in queues, the engine reads
 * and writes memory as the function's requester, with or without PASID and
 * translations of its own, and every failed access is reported with the page
 * that it hit.  The programming interface is in
 * include/hw/misc/sva_endpoint_regs.h, its description in docs/endpoint.rst.
 */
#include "qemu/osdep.h"

#include "hw/pci/msix.h"
#include "hw/pci/pcie.h"
#include "hw/qdev-properties.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "sva_endpoint.h"

static void init_bars(SvaEndpoint *s)
{
    const uint8_t type =
        PCI_BASE_ADDRESS_SPACE_MEMORY | PCI_BASE_ADDRESS_MEM_TYPE_64;

    memory_region_init(&s->bar, OBJECT(s), "sva-endpoint", SVA_EP_BAR_SIZE);
    memory_region_init_io(&s->regs, OBJECT(s), &sva_ep_mmio_ops, s,
                          "sva-endpoint-regs", SVA_EP_LOCAL_BASE);
    memory_region_add_subregion(&s->bar, 0, &s->regs);
    memory_region_add_subregion(&s->bar, SVA_EP_LOCAL_BASE, &s->local);
    pci_register_bar(PCI_DEVICE(s), SVA_EP_BAR_REGS, type, &s->bar);

    memory_region_init_io(&s->queue_pages, OBJECT(s), &sva_ep_queue_page_ops,
                          s, "sva-endpoint-queues", SVA_EP_QUEUES_BAR_SIZE);
    pci_register_bar(PCI_DEVICE(s), SVA_EP_BAR_QUEUES, type, &s->queue_pages);
}

static bool init_pci(PCIDevice *pdev, Error **errp)
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
    for (unsigned i = 0; i < SVA_EP_VECTORS; i++) {
        msix_vector_use(pdev, i);
    }
    return true;
}

static void sva_ep_realize(PCIDevice *pdev, Error **errp)
{
    SvaEndpoint *s = SVA_ENDPOINT(pdev);

    s->page_timer =
        timer_new_ms(QEMU_CLOCK_VIRTUAL, sva_ep_pages_expired, s);
    sva_ep_init_engine(s);
    /* What can fail comes first, so that only these have to be undone. */
    if (!memory_region_init_ram(&s->local, OBJECT(s), "sva-endpoint-local",
                                SVA_EP_LOCAL_SIZE, errp) ||
        !sva_ep_init_capabilities(s, errp) || !init_pci(pdev, errp)) {
        qemu_bh_delete(s->engine);
        qemu_bh_delete(s->interrupt);
        timer_free(s->page_timer);
        return;
    }
    init_bars(s);
    s->run_state_entry =
        qdev_add_vm_change_state_handler(DEVICE(s), sva_ep_run_state_change, s);
}

static void sva_ep_exit(PCIDevice *pdev)
{
    SvaEndpoint *s = SVA_ENDPOINT(pdev);

    /* An unplug may come from inside an access of the engine, too. */
    sva_ep_reset(s);
    sva_ep_halt(s); /* for good */
    sva_ep_detach(s);
    qemu_del_vm_change_state_handler(s->run_state_entry);
    qemu_bh_delete(s->engine);
    qemu_bh_delete(s->interrupt);
    timer_free(s->page_timer);
    msix_uninit_exclusive_bar(pdev);
    /* Each part of the BAR holds a reference to its owner, which is us. */
    memory_region_del_subregion(&s->bar, &s->local);
    memory_region_del_subregion(&s->bar, &s->regs);
}

static void sva_ep_init(Object *obj)
{
    SvaEndpoint *s = SVA_ENDPOINT(obj);

    qemu_mutex_init(&s->lock);
    qemu_cond_init(&s->cache_unused);
}

static void sva_ep_finalize(Object *obj)
{
    SvaEndpoint *s = SVA_ENDPOINT(obj);

    g_free(s->buffer);
    qemu_cond_destroy(&s->cache_unused);
    qemu_mutex_destroy(&s->lock);
}

static void sva_ep_device_reset(DeviceState *dev)
{
    SvaEndpoint *s = SVA_ENDPOINT(dev);

    sva_ep_reset(s);
    sva_ep_reset_capabilities(s);
}

static const Property sva_ep_properties[] = {
    DEFINE_PROP_LINK("iothread", SvaEndpoint, iothread, TYPE_IOTHREAD,
                     IOThread *),
    DEFINE_PROP_UINT8("pasid-bits", SvaEndpoint, pasid_bits, 20),
    DEFINE_PROP_BOOL("ats", SvaEndpoint, ats, true),
    DEFINE_PROP_ON_OFF_AUTO("pri", SvaEndpoint, pri, ON_OFF_AUTO_AUTO),
};

static void sva_ep_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);

    pc->realize = sva_ep_realize;
    pc->exit = sva_ep_exit;
    pc->config_read = sva_ep_config_read;
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
