/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of the intel-iommu device at work: DMA of an sva-endpoint through
 * tables in guest memory, invalidations by the queue, faults, interrupts.
 *
 * What translates is tested exhaustively in tests/unit/; here it is whether
 * the device is wired to memory, to the PCI buses and to itself.
 */
#include "qemu/osdep.h"
#include "vtd-guest.h"
#include "hw/pci/pci_regs.h"

#define BEHIND_PORT "-global ICH9-LPC." \
                    "acpi-pci-hotplug-with-bridge-support=off " \
                    "-device pcie-root-port,id=rp,addr=4,chassis=1 " \
                    "-device sva-endpoint,bus=rp,addr=0"

/* --- Translation ---------------------------------------------------------- */

static void test_wait(void)
{
    Guest g = guest_start(LEGACY);

    guest_queue_on(&g);
    for (int i = 0; i < 300; i++) { /* more than the queue holds */
        guest_wait(&g);
    }
    guest_finish(&g);
}

/* The old page is used until the guest invalidates, and not after. */
static void check_stale_until_invalidated(Guest *g, GuestTables *p)
{
    bool is_first = p->leaf_bits & VTD_FS_US;
    uint64_t iova = IOVA + 0x238;

    guest_assert_maps(g, iova, PAGE_A + 0x238);
    guest_assert_maps(g, iova + 0x1000, PAGE_C + 0x238);
    guest_map(g, p, IOVA, PAGE_B);
    guest_assert_maps(g, iova, PAGE_A + 0x238);
    guest_invalidate_page(g, is_first, IOVA + 0x1000);
    guest_assert_maps(g, iova, PAGE_A + 0x238);
    guest_invalidate_page(g, is_first, IOVA);
    guest_assert_maps(g, iova, PAGE_B + 0x238);
    guest_assert_maps(g, iova + 0x1000, PAGE_C + 0x238);
}

static void test_legacy(void)
{
    Guest g = guest_start(LEGACY);
    GuestTables p = guest_second_stage();

    guest_map(&g, &p, IOVA, PAGE_A);
    guest_map(&g, &p, IOVA + 0x1000, PAGE_C);
    guest_legacy_context(&g, SID, 0);
    guest_assert_maps(&g, PAGE_B, PAGE_B);
    guest_queue_on(&g);
    guest_translation_on(&g);
    check_stale_until_invalidated(&g, &p);
    guest_finish(&g);
}

static void check_scalable(const char *iommu, unsigned pgtt, GuestTables p)
{
    Guest g = guest_start(iommu);

    guest_map(&g, &p, IOVA, PAGE_A);
    guest_map(&g, &p, IOVA + 0x1000, PAGE_C);
    guest_scalable_context(&g, pgtt);
    guest_queue_on(&g);
    guest_translation_on(&g);
    check_stale_until_invalidated(&g, &p);
    guest_finish(&g);
}

static void test_first_stage(void)
{
    check_scalable(FIRST_STAGE, VTD_PGTT_FIRST_STAGE, guest_first_stage(0));
}

static void test_second_stage(void)
{
    check_scalable(SECOND_STAGE, VTD_PGTT_SECOND_STAGE, guest_second_stage());
}

/* First-stage tables and their result are moved by the second stage. */
static void test_nested(void)
{
    Guest g = guest_start(NESTED);
    GuestTables fs = guest_first_stage(MOVED), ss = guest_second_stage();
    uint64_t iova = IOVA + 0x7f8;

    guest_map(&g, &fs, IOVA, PAGE_A);
    guest_map_moved(&g, &ss, FS_TABLES);
    guest_map_moved(&g, &ss, PAGE_A);
    guest_scalable_context(&g, VTD_PGTT_NESTED);
    guest_queue_on(&g);
    guest_translation_on(&g);
    guest_assert_maps(&g, iova, PAGE_A + MOVED + 0x7f8);
    guest_map(&g, &fs, IOVA, PAGE_B);
    guest_assert_maps(&g, iova, PAGE_A + MOVED + 0x7f8);
    guest_invalidate_page(&g, true, IOVA);
    guest_assert_maps(&g, iova, PAGE_B + MOVED + 0x7f8);
    guest_finish(&g);
}

static void test_accessed_and_dirty(void)
{
    Guest g = guest_start(FIRST_STAGE);
    GuestTables p = guest_first_stage(0);
    uint64_t entry, got;

    guest_map(&g, &p, IOVA, PAGE_A);
    entry = guest_entry(&g, &p, IOVA, 1);
    guest_scalable_context(&g, VTD_PGTT_FIRST_STAGE);
    guest_translation_on(&g);
    g_assert_cmpint(guest_dma_read(&g, IOVA, &got), ==, SVA_EP_ERR_NONE);
    g_assert_cmphex(qtest_readq(g.qts, entry), ==,
                    PAGE_A | p.leaf_bits | VTD_FS_A);
    g_assert_cmpint(guest_dma_write(&g, IOVA, 1), ==, SVA_EP_ERR_NONE);
    g_assert_cmphex(qtest_readq(g.qts, entry), ==,
                    PAGE_A | p.leaf_bits | VTD_FS_A | VTD_FS_D);
    guest_finish(&g);
}

/* From pass-through to translation and back, by the guest's tables alone. */
static void test_views(void)
{
    Guest g = guest_start(FIRST_STAGE);
    GuestTables p = guest_first_stage(0);

    guest_map(&g, &p, PAGE_A, PAGE_B);
    guest_scalable_context(&g, VTD_PGTT_PASS_THROUGH);
    guest_queue_on(&g);
    guest_translation_on(&g);
    guest_assert_maps(&g, PAGE_A, PAGE_A);
    guest_pasid_entry(&g, VTD_PGTT_FIRST_STAGE);
    guest_invalidate_pasid_entry(&g);
    guest_assert_maps(&g, PAGE_A, PAGE_B);
    guest_pasid_entry(&g, VTD_PGTT_PASS_THROUGH);
    guest_invalidate_pasid_entry(&g);
    guest_assert_maps(&g, PAGE_A, PAGE_A);
    qtest_writel(g.qts, REGS + VTD_REG_GCMD, VTD_GCMD_QIE);
    guest_assert_maps(&g, PAGE_C, PAGE_C);
    guest_finish(&g);
}

static void test_reset_ends_translation(void)
{
    Guest g = guest_start(LEGACY);

    guest_legacy_context(&g, SID, 0);
    guest_translation_on(&g);
    g_assert_cmpint(guest_dma_write(&g, PAGE_A, 1), ==, SVA_EP_ERR_WRITE);
    qtest_system_reset(g.qts);
    qpci_config_writel(g.dev, PCI_BASE_ADDRESS_0, g.bar.addr);
    qpci_device_enable(g.dev);
    guest_assert_maps(&g, PAGE_A, PAGE_A);
    guest_finish(&g);
}

/* --- Faults --------------------------------------------------------------- */

static void test_legacy_faults(void)
{
    Guest g = guest_start(LEGACY);
    GuestTables p = guest_second_stage();
    uint64_t got;

    guest_map(&g, &p, IOVA, PAGE_A);
    guest_legacy_context(&g, SID, 0);
    guest_queue_on(&g);
    guest_translation_on(&g);
    g_assert_cmpint(guest_dma_read(&g, PAGE_A + 8, &got), ==, SVA_EP_ERR_READ);
    guest_assert_fault(&g, SID, 0x06, true, PAGE_A);
    g_assert_cmpint(guest_dma_write(&g, PAGE_A + 8, 1), ==, SVA_EP_ERR_WRITE);
    guest_assert_fault(&g, SID, 0x05, false, PAGE_A);
    guest_assert_maps(&g, IOVA, PAGE_A);
    qtest_writeq(g.qts, CONTEXT + SID * 16, 0);
    guest_submit(&g, 1 << 4 | 1, 0);
    guest_wait(&g);
    g_assert_cmpint(guest_dma_write(&g, IOVA, 1), ==, SVA_EP_ERR_WRITE);
    guest_assert_fault(&g, SID, 0x02, false, IOVA);
    guest_finish(&g);
}

static void test_scalable_faults(void)
{
    Guest g = guest_start(NESTED);
    GuestTables fs = guest_first_stage(MOVED), ss = guest_second_stage();

    guest_map(&g, &fs, IOVA, PAGE_A);
    guest_map_moved(&g, &ss, FS_TABLES);
    guest_scalable_context(&g, VTD_PGTT_NESTED);
    guest_translation_on(&g);
    g_assert_cmpint(guest_dma_write(&g, IOVA + 0x1000, 1), ==, SVA_EP_ERR_WRITE);
    guest_assert_fault(&g, SID, 0x71, false, IOVA + 0x1000);
    g_assert_cmpint(guest_dma_write(&g, IOVA, 1), ==, SVA_EP_ERR_WRITE);
    guest_assert_fault(&g, SID, 0x79, false, IOVA);
    guest_finish(&g);
}

/* The fault event, where memory can be looked at. */
static void test_fault_event(void)
{
    Guest g = guest_start(LEGACY);

    guest_legacy_context(&g, SID, 0);
    guest_translation_on(&g);
    qtest_writel(g.qts, REGS + VTD_REG_FEADDR, MSI_TARGET);
    qtest_writel(g.qts, REGS + VTD_REG_FEDATA, 0x1234);
    g_assert_cmpint(guest_dma_write(&g, IOVA, 1), ==, SVA_EP_ERR_WRITE);
    g_assert_cmphex(guest_reg32(&g, VTD_REG_FECTL), ==,
                    VTD_EVENT_IM | VTD_EVENT_IP);
    g_assert_cmphex(qtest_readl(g.qts, MSI_TARGET), ==, 0);
    qtest_writel(g.qts, REGS + VTD_REG_FECTL, 0);
    g_assert_cmphex(qtest_readl(g.qts, MSI_TARGET), ==, 0x1234);
    g_assert_cmphex(guest_reg32(&g, VTD_REG_FECTL), ==, 0);
    guest_finish(&g);
}

/* It goes to memory, or to the processors, but never to a device. */
#define IOAPIC_INDEX 0xfec00000 /* reads as it was written */
static void test_fault_event_for_a_device(void)
{
    Guest g = guest_start(LEGACY);

    qtest_writel(g.qts, IOAPIC_INDEX, 0x10);
    g_assert_cmphex(qtest_readl(g.qts, IOAPIC_INDEX), ==, 0x10);
    guest_legacy_context(&g, SID, 0);
    guest_translation_on(&g);
    qtest_writel(g.qts, REGS + VTD_REG_FEADDR, IOAPIC_INDEX);
    qtest_writel(g.qts, REGS + VTD_REG_FEDATA, 0x12);
    qtest_writel(g.qts, REGS + VTD_REG_FECTL, 0);
    g_assert_cmpint(guest_dma_write(&g, IOVA, 1), ==, SVA_EP_ERR_WRITE);
    g_assert_cmphex(guest_reg32(&g, VTD_REG_FSTS) & VTD_FSTS_PPF, ==,
                    VTD_FSTS_PPF);
    g_assert_cmphex(guest_reg32(&g, VTD_REG_FECTL), ==, 0); /* it was sent */
    g_assert_cmphex(qtest_readl(g.qts, IOAPIC_INDEX), ==, 0x10);
    guest_finish(&g);
}

/* GuestTables are read from memory only, never from a device, and not half. */
static void test_root_outside_memory(void)
{
    static const uint64_t roots[] = { REGS, RAM_END, 1ull << 46 };

    for (int i = 0; i < ARRAY_SIZE(roots); i++) {
        Guest g = guest_start(LEGACY);

        qtest_writeq(g.qts, REGS + VTD_REG_RTADDR, roots[i]);
        guest_command(&g, VTD_GCMD_SRTP);
        guest_command(&g, VTD_GCMD_TE);
        g_assert_cmpint(guest_dma_write(&g, IOVA, 1), ==, SVA_EP_ERR_WRITE);
        guest_assert_fault(&g, SID, 0x08, false, IOVA);
        guest_finish(&g);
    }
}

/* Whether 16 KiB below 1 MiB are memory, by one of q35's PAM registers.  What is
 * there otherwise holds zeros. */
#define SHADOW_MEMORY 0xd0000

static void set_shadow_memory(Guest *g, bool is_memory)
{
    qtest_outl(g->qts, 0xcf8, 0x80000090);
    qtest_outb(g->qts, 0xcff, is_memory ? 3 : 0);
}

/* The unit reads a table where memory is now, not where it was. */
static void test_memory_goes_and_comes(void)
{
    Guest g = guest_start(LEGACY);
    GuestTables p = guest_second_stage();
    uint64_t table, above, got;

    guest_map(&g, &p, IOVA, PAGE_A);
    guest_legacy_context(&g, SID, 0);
    table = guest_entry(&g, &p, IOVA, 1);
    above = guest_entry(&g, &p, IOVA, 2);
    set_shadow_memory(&g, true);
    qtest_writeq(g.qts, SHADOW_MEMORY + (table & 0xfff),
                 qtest_readq(g.qts, table));
    qtest_writeq(g.qts, above,
                 SHADOW_MEMORY | (qtest_readq(g.qts, above) & 0xfff));
    guest_queue_on(&g);
    guest_translation_on(&g);
    guest_assert_maps(&g, IOVA, PAGE_A);
    for (int i = 0; i < 3; i++) {
        set_shadow_memory(&g, false);
        guest_invalidate_page(&g, false, IOVA);
        g_assert_cmpint(guest_dma_read(&g, IOVA, &got), ==, SVA_EP_ERR_READ);
        guest_assert_fault(&g, SID, 0x06, true, IOVA);
        set_shadow_memory(&g, true);
        guest_assert_maps(&g, IOVA, PAGE_A);
    }
    guest_finish(&g);
}

static void test_bad_descriptor(void)
{
    Guest g = guest_start(LEGACY);

    guest_queue_on(&g);
    guest_wait(&g);
    guest_submit(&g, 0xf, 0);
    g_assert_cmphex(guest_reg32(&g, VTD_REG_FSTS), ==, VTD_FSTS_IQE);
    g_assert_cmphex(guest_reg64(&g, VTD_REG_IQH), ==, 16);
    qtest_writel(g.qts, QUEUE + 16, 1 << 4 | 1);
    qtest_writel(g.qts, REGS + VTD_REG_FSTS, VTD_FSTS_IQE);
    guest_wait(&g);
    guest_finish(&g);
}

/* --- Requester ids -------------------------------------------------------- */

static void number_bus(QPCIDevice *port, uint8_t number)
{
    qpci_config_writeb(port, PCI_SECONDARY_BUS, number);
    qpci_config_writeb(port, PCI_SUBORDINATE_BUS, number);
}

/* A device is who the guest's bus numbers make it, at once. */
static void test_bus_number(void)
{
    Guest g = { .qts = qtest_init(MACHINE LEGACY BEHIND_PORT) };
    GuestTables p = guest_second_stage();
    QPCIDevice *port;

    g.bus = qpci_new_pc(g.qts, NULL);
    port = qpci_device_find(g.bus, SID);
    number_bus(port, 1);
    qpci_config_writew(port, PCI_MEMORY_BASE, 0xe000);
    qpci_config_writew(port, PCI_MEMORY_LIMIT, 0xe000);
    qpci_device_enable(port);
    g.dev = qpci_device_find(g.bus, 32 << 3);
    qpci_device_enable(g.dev);
    g.bar = qpci_iomap(g.dev, SVA_EP_BAR_REGS, NULL);
    guest_map(&g, &p, IOVA, PAGE_A);
    guest_legacy_context(&g, 0x100, 0);
    guest_translation_on(&g);
    guest_assert_maps(&g, IOVA, PAGE_A);
    number_bus(port, 2);
    g_assert_cmpint(guest_dma_write(&g, IOVA, 1), ==, SVA_EP_ERR_WRITE);
    guest_assert_fault(&g, 0x200, 0x01, false, IOVA);
    number_bus(port, 1);
    guest_assert_maps(&g, IOVA, PAGE_A);
    g_free(port);
    guest_finish(&g);
}

/* --- Interrupts ----------------------------------------------------------- */

/* With interrupt remapping, an unremapped message is blocked; so is one
 * whose entry is not present. */
static void check_interrupt(Guest *g, uint32_t addr, unsigned reason,
                            uint64_t info)
{
    qpci_io_writel(g->dev, g->dev->msix_table_bar, 0, addr);
    g_assert_cmpint(guest_dma(g, SVA_EP_OP_FILL, SVA_EP_FLAG_IRQ, 0, PAGE_A, 0), ==,
                    SVA_EP_ERR_NONE);
    guest_assert_fault(g, SID, reason, false, info);
}

static void test_blocked_interrupts(void)
{
    Guest g = guest_start(LEGACY);

    qpci_msix_enable(g.dev);
    qpci_io_writel(g.dev, g.dev->msix_table_bar, PCI_MSIX_ENTRY_VECTOR_CTRL,
                   0);
    qtest_writeq(g.qts, REGS + VTD_REG_IRTA, ROOT);
    guest_command(&g, VTD_GCMD_SIRTP);
    guest_command(&g, VTD_GCMD_IRE);
    check_interrupt(&g, 0xfee00000, 0x25, 0);
    check_interrupt(&g, 0xfee00000 | 1 << 4 | 1 << 5, 0x22, 1ull << 48);
    check_interrupt(&g, 0xfee00000 | 1 << 4 | 2 << 5, 0x21, 2ull << 48);
    guest_finish(&g);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/intel-iommu/dma/wait", test_wait);
    qtest_add_func("/intel-iommu/dma/legacy", test_legacy);
    qtest_add_func("/intel-iommu/dma/first-stage", test_first_stage);
    qtest_add_func("/intel-iommu/dma/second-stage", test_second_stage);
    qtest_add_func("/intel-iommu/dma/nested", test_nested);
    qtest_add_func("/intel-iommu/dma/accessed-dirty", test_accessed_and_dirty);
    qtest_add_func("/intel-iommu/dma/views", test_views);
    qtest_add_func("/intel-iommu/dma/reset", test_reset_ends_translation);
    qtest_add_func("/intel-iommu/dma/bus-number", test_bus_number);
    qtest_add_func("/intel-iommu/fault/legacy", test_legacy_faults);
    qtest_add_func("/intel-iommu/fault/scalable", test_scalable_faults);
    qtest_add_func("/intel-iommu/fault/event", test_fault_event);
    qtest_add_func("/intel-iommu/fault/event-for-a-device",
                   test_fault_event_for_a_device);
    qtest_add_func("/intel-iommu/fault/root", test_root_outside_memory);
    qtest_add_func("/intel-iommu/fault/memory", test_memory_goes_and_comes);
    qtest_add_func("/intel-iommu/fault/queue", test_bad_descriptor);
    qtest_add_func("/intel-iommu/interrupt/blocked", test_blocked_interrupts);
    return g_test_run();
}
