/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of what a reset of the machine leaves of faults, events, an
 * invalidation queue and caches, and of a kernel that takes the unit over
 * without a reset.
 */
#include "qemu/osdep.h"
#include "vtd-guest.h"
#include "hw/pci/pci_regs.h"
#include "qemu/bswap.h"

#define LONG_QUEUE (16 * MiB)
#define LONG_QUEUE_SHIFT 7
#define LONG_QUEUE_BYTES (4096 << LONG_QUEUE_SHIFT)

/* An access is refused, its event and that of a wait descriptor are pending,
 * and the queue has stopped on an error. */
static void leave_errors(Guest *g)
{
    g_assert_cmpint(guest_dma_write(g, PAGE_C, 1), ==, SVA_EP_ERR_WRITE);
    guest_submit(g, 1 << 4 | 5, 0);
    guest_submit(g, 0xf, 0);
    g_assert_cmphex(guest_reg32(g, VTD_REG_FSTS), ==,
                    VTD_FSTS_PPF | VTD_FSTS_IQE);
    g_assert_cmphex(guest_reg32(g, VTD_REG_FECTL), ==,
                    VTD_EVENT_IM | VTD_EVENT_IP);
    g_assert_cmphex(guest_reg32(g, VTD_REG_IECTL), ==,
                    VTD_EVENT_IM | VTD_EVENT_IP);
}

static void leave_long_queue(Guest *g)
{
    g_autofree uint64_t *queue = g_malloc0(LONG_QUEUE_BYTES);

    for (int i = 0; i < LONG_QUEUE_BYTES / 16; i++) {
        queue[2 * i] = cpu_to_le64(1 << 4 | 2);
    }
    qtest_memwrite(g->qts, LONG_QUEUE, queue, LONG_QUEUE_BYTES);
    qtest_writel(g->qts, REGS + VTD_REG_GCMD, VTD_GCMD_TE);
    qtest_writeq(g->qts, REGS + VTD_REG_IQA, LONG_QUEUE | LONG_QUEUE_SHIFT);
    guest_command(g, VTD_GCMD_QIE);
    qtest_writeq(g->qts, REGS + VTD_REG_IQT, LONG_QUEUE_BYTES - 16);
}

/* Nothing that was pending is sent once the guest takes messages. */
static void assert_no_message(Guest *g)
{
    static const unsigned events[] = { VTD_REG_FECTL, VTD_REG_IECTL };

    qtest_writel(g->qts, MSI_TARGET, 0);
    for (int i = 0; i < ARRAY_SIZE(events); i++) {
        qtest_writel(g->qts, REGS + events[i] + 4, 0x1234);
        qtest_writel(g->qts, REGS + events[i] + 8, MSI_TARGET);
        qtest_writel(g->qts, REGS + events[i], 0);
        g_assert_cmphex(guest_reg32(g, events[i]), ==, 0);
    }
    g_assert_cmphex(qtest_readl(g->qts, MSI_TARGET), ==, 0);
}

static void check_reset(void (*leave)(Guest *g))
{
    Guest g = guest_start(LEGACY);
    uint8_t fresh[VTD_REG_SPACE], after[VTD_REG_SPACE];
    GuestTables p;

    qtest_memread(g.qts, REGS, fresh, sizeof(fresh));
    p = guest_legacy_page(&g, SID, PAGE_A);
    guest_assert_maps(&g, IOVA, PAGE_A);
    leave(&g);
    guest_map(&g, &p, IOVA, PAGE_B);
    qtest_system_reset(g.qts);
    qtest_memread(g.qts, REGS, after, sizeof(after));
    g_assert_cmpmem(fresh, sizeof(fresh), after, sizeof(after));
    qpci_config_writel(g.dev, PCI_BASE_ADDRESS_0, g.bar.addr);
    qpci_device_enable(g.dev);
    guest_assert_maps(&g, PAGE_C, PAGE_C);
    assert_no_message(&g);
    qtest_memread(g.qts, REGS, after, 0x38); /* up to the fault event */
    g_assert_cmpmem(fresh, 0x38, after, 0x38);
    g.tail = 0;
    guest_queue_on(&g);
    guest_translation_on(&g);
    guest_assert_maps(&g, IOVA, PAGE_B);
    guest_wait(&g);
    guest_finish(&g);
}

static void test_reset_with_errors(void)
{
    check_reset(leave_errors);
}

static void test_reset_with_long_queue(void)
{
    check_reset(leave_long_queue);
}

/* Another kernel takes over without a reset: off, other tables, on. */
static void test_takeover(void)
{
    Guest g = guest_start(LEGACY);
    GuestTables p = guest_legacy_page(&g, SID, PAGE_A);

    guest_assert_maps(&g, IOVA, PAGE_A);
    leave_errors(&g);
    qtest_writel(g.qts, REGS + VTD_REG_GCMD, 0);
    g_assert_cmphex(guest_reg32(&g, VTD_REG_GSTS) &
                    (VTD_GCMD_TE | VTD_GCMD_QIE), ==, 0);
    guest_assert_maps(&g, PAGE_C, PAGE_C);
    qtest_writel(g.qts, REGS + VTD_REG_FRCD + 12, 1u << 31);
    qtest_writel(g.qts, REGS + VTD_REG_FSTS, VTD_FSTS_IQE);
    guest_map(&g, &p, IOVA, PAGE_B);
    g.tail = 0;
    guest_queue_on(&g);
    guest_translation_on(&g);
    guest_assert_maps(&g, IOVA, PAGE_B);
    guest_wait(&g);
    g_assert_cmphex(guest_reg32(&g, VTD_REG_FSTS), ==, 0);
    guest_finish(&g);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/intel-iommu/reset/errors", test_reset_with_errors);
    qtest_add_func("/intel-iommu/reset/long-queue",
                   test_reset_with_long_queue);
    qtest_add_func("/intel-iommu/reset/takeover", test_takeover);
    return g_test_run();
}
