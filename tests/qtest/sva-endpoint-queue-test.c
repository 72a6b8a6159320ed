/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of the sva-endpoint's queues and capabilities without an IOMMU.
 */
#include "qemu/osdep.h"
#include "sva-queue.h"
#include "hw/pci/pci_regs.h"

#define NO_IOMMU ""

static void test_capabilities(void)
{
    SvaGuest s = sva_start(NO_IOMMU);
    QTestState *qts = s.g.qts;
    uint64_t pasid = sva_capability(&s, PCI_EXT_CAP_ID_PASID);
    uint64_t ats = sva_capability(&s, PCI_EXT_CAP_ID_ATS);
    uint64_t pri = sva_capability(&s, PCI_EXT_CAP_ID_PRI);

    g_assert_cmphex(qtest_readw(qts, pasid + PCI_PASID_CAP), ==, 20 << 8 | 6);
    g_assert_cmphex(qtest_readw(qts, ats + PCI_ATS_CAP), ==, 1 << 5 | 1 << 6);
    g_assert_cmpint(qtest_readl(qts, pri + PCI_PRI_MAX_REQ), ==, 64);
    g_assert_cmphex(qtest_readw(qts, pri + PCI_PRI_STATUS), ==,
                    PCI_PRI_STATUS_PASID | PCI_PRI_STATUS_STOPPED);

    /* What software may change, and what is left of it by a reset. */
    for (unsigned i = 0; i < 2; i++) {
        qtest_writew(qts, pasid + PCI_PASID_CTRL, 0xffff);
        qtest_writew(qts, ats + PCI_ATS_CTRL, 0xffff);
        qtest_writew(qts, pri + PCI_PRI_CTRL, 0xffff);
        qtest_writel(qts, pri + PCI_PRI_ALLOC_REQ, 7);
        g_assert_cmphex(qtest_readw(qts, pasid + PCI_PASID_CTRL), ==, 7);
        g_assert_cmphex(qtest_readw(qts, ats + PCI_ATS_CTRL), ==, 0x801f);
        g_assert_cmphex(qtest_readw(qts, pri + PCI_PRI_CTRL), ==,
                        PCI_PRI_CTRL_ENABLE);
        g_assert_cmphex(qtest_readw(qts, pri + PCI_PRI_STATUS), ==,
                        PCI_PRI_STATUS_PASID);
        g_assert_cmpint(qtest_readl(qts, pri + PCI_PRI_ALLOC_REQ), ==, 7);
        if (i == 0) {
            uint8_t exp = qpci_find_capability(s.g.dev, PCI_CAP_ID_EXP, 0);

            qpci_config_writew(s.g.dev, exp + PCI_EXP_DEVCTL,
                               PCI_EXP_DEVCTL_BCR_FLR);
            g_assert_cmphex(qtest_readw(qts, pasid + PCI_PASID_CTRL), ==, 0);
            g_assert_cmphex(qtest_readw(qts, ats + PCI_ATS_CTRL), ==, 0);
            g_assert_cmphex(qtest_readw(qts, pri + PCI_PRI_CTRL), ==, 0);
            g_assert_cmpint(qtest_readl(qts, pri + PCI_PRI_ALLOC_REQ), ==, 0);
        }
    }
    guest_finish(&s.g);
}

static void check_absent(const char *options, bool pasid, bool ats, bool pri)
{
    SvaGuest s = sva_start(options);

    g_assert_cmpint(sva_capability(&s, PCI_EXT_CAP_ID_PASID) != 0, ==, pasid);
    g_assert_cmpint(sva_capability(&s, PCI_EXT_CAP_ID_ATS) != 0, ==, ats);
    g_assert_cmpint(sva_capability(&s, PCI_EXT_CAP_ID_PRI) != 0, ==, pri);
    guest_finish(&s.g);
}

static void test_properties(void)
{
    check_absent("-global sva-endpoint.pasid-bits=0 ", false, true, false);
    check_absent("-global sva-endpoint.ats=off ", true, false, false);
    check_absent("-global sva-endpoint.pri=off ", true, true, false);
    check_absent("-global sva-endpoint.pri=on ", true, true, true);
}

/* Every operation, and where its result is told. */
static void check_operations(SvaGuest *s)
{
    struct sva_ep_cmd cmd;
    struct sva_ep_completion c;

    sva_queue_on(s, 3, 0, 0);
    g_assert_cmpint(sva_fill(s, 3, PAGE_A, 0x1122334455667788), ==, 0);
    c = sva_run(s, 3, SVA_SWAP(PAGE_A, 42));
    g_assert_cmpint(c.error, ==, SVA_EP_ERR_NONE);
    g_assert_cmphex(c.result, ==, 0x1122334455667788);
    g_assert_cmphex(qtest_readq(s->g.qts, PAGE_A), ==, 42);

    /* Across pages, with different offsets. */
    for (unsigned i = 0; i < 0x3000; i += 8) {
        qtest_writeq(s->g.qts, PAGE_A + i, i * 0x9e3779b97f4a7c15ull);
    }
    cmd = SVA_COPY(PAGE_A + 0x18, PAGE_A + 0x80040);
    cmd.length = 0x2800;
    c = sva_run(s, 3, cmd);
    g_assert_cmpint(c.error, ==, SVA_EP_ERR_NONE);
    cmd.opcode = SVA_EP_OP_COMPARE;
    c = sva_run(s, 3, cmd);
    g_assert_cmphex(c.result, ==, SVA_EP_COMPARE_EQUAL);
    qtest_writeb(s->g.qts, PAGE_A + 0x80040 + 0x2345, 1);
    c = sva_run(s, 3, cmd);
    g_assert_cmpint(c.error, ==, SVA_EP_ERR_NONE);
    g_assert_cmphex(c.result, ==, 0x2345);

    g_assert_cmpint(sva_qreg(s, 3, SVA_EP_QDONE), ==, 5);
    g_assert_cmpint(sva_count(s, SVA_EP_COUNT_DONE), ==, 5);
    sva_queue_off(s, 3);
}

static void test_operations(void)
{
    SvaGuest s = sva_start(NO_IOMMU);

    check_operations(&s);
    guest_finish(&s.g);
    s = sva_start(ENGINE_THREAD);
    check_operations(&s);
    guest_finish(&s.g);
}

static void test_swap_in_slot(void)
{
    SvaGuest s = sva_start(NO_IOMMU);

    qtest_writeq(s.g.qts, PAGE_A, 0x1234);
    g_assert_cmpint(guest_dma(&s.g, SVA_EP_OP_SWAP, 0, 0, PAGE_A, 0x5678), ==,
                    SVA_EP_ERR_NONE);
    g_assert_cmphex(sva_count(&s, SVA_EP_SLOT_RESULT), ==, 0x1234);
    g_assert_cmphex(qtest_readq(s.g.qts, PAGE_A), ==, 0x5678);
    g_assert_cmpint(guest_dma(&s.g, SVA_EP_OP_SWAP, 0, 0, PAGE_A + 4, 1), ==,
                    SVA_EP_ERR_ALIGN);
    /* Registers are no memory. */
    g_assert_cmpint(guest_dma(&s.g, SVA_EP_OP_SWAP, 0, 0,
                              0xb0000000ull + 0x10, 1), ==,
                    SVA_EP_ERR_WRITE);
    guest_finish(&s.g);
}

static void test_refused(void)
{
    SvaGuest s = sva_start(NO_IOMMU);
    struct sva_ep_cmd fill = SVA_FILL(PAGE_A, 1);
    struct sva_ep_cmd swap = SVA_SWAP(PAGE_A, 1);

    sva_queue_on(&s, 0, 0, 0);
    fill.flags = SVA_EP_FLAG_BURST;
    g_assert_cmpint(sva_run(&s, 0, fill).error, ==, SVA_EP_ERR_FLAGS);
    fill.flags = SVA_EP_FLAG_REPEAT;
    g_assert_cmpint(sva_run(&s, 0, fill).error, ==, SVA_EP_ERR_FLAGS);
    swap.length = 16;
    g_assert_cmpint(sva_run(&s, 0, swap).error, ==, SVA_EP_ERR_LENGTH);
    swap = SVA_SWAP(PAGE_A + 1, 1);
    g_assert_cmpint(sva_run(&s, 0, swap).error, ==, SVA_EP_ERR_ALIGN);
    g_assert_cmpint(sva_run(&s, 0, SVA_FILL(1ull << 40, 1)).fault_addr, ==,
                    1ull << 40);

    /* There is no place to tell of this one. */
    fill = SVA_FILL(PAGE_A, 1);
    fill.completion = RECORD(0, 0) + 8;
    sva_post(&s, 0, fill);
    sva_wait_state(&s, 0, SVA_EP_QSTATE_IDLE);
    g_assert_cmpint(sva_count(&s, SVA_EP_COUNT_FAILED), ==, 6);
    g_assert_cmpint(sva_count(&s, SVA_EP_COUNT_DONE), ==, 0);
    guest_finish(&s.g);
}

/* What a ring may be, and what becomes of one that is not there. */
static void test_ring(void)
{
    SvaGuest s = sva_start(NO_IOMMU);
    unsigned at;

    sva_queue_on(&s, 0, 0, 0);
    sva_set_user(&s, 0, SVA_EP_UQ_SIZE, 3);
    g_assert_cmpint(sva_user(&s, 0, SVA_EP_UQ_SIZE), ==, RING_ENTRIES);
    sva_set_user(&s, 0, SVA_EP_UQ_SIZE, 2048);
    g_assert_cmpint(sva_user(&s, 0, SVA_EP_UQ_SIZE), ==, RING_ENTRIES);
    sva_set_user(&s, 0, SVA_EP_UQ_TAIL, RING_ENTRIES);
    g_assert_cmpint(sva_user(&s, 0, SVA_EP_UQ_TAIL), ==, 0);
    for (unsigned i = 0; i < 3 * RING_ENTRIES; i++) {
        sva_assert_maps(&s, 0, PAGE_A, PAGE_A);
    }
    sva_set_user(&s, 0, SVA_EP_UQ_SIZE, 0);
    sva_set_user(&s, 0, SVA_EP_UQ_TAIL, 0);
    g_assert_cmpint(sva_user(&s, 0, SVA_EP_UQ_STATE), ==, SVA_EP_QSTATE_IDLE);

    /* No memory at the ring. */
    sva_set_user(&s, 0, SVA_EP_UQ_BASE + 4, 0x100);
    sva_set_user(&s, 0, SVA_EP_UQ_SIZE, 4);
    sva_set_user(&s, 0, SVA_EP_UQ_TAIL, 1);
    sva_wait_state(&s, 0, SVA_EP_QSTATE_FAILED);
    g_assert_cmpint(sva_user(&s, 0, SVA_EP_UQ_ERROR), ==, SVA_EP_ERR_READ);
    sva_set_user(&s, 0, SVA_EP_UQ_TAIL, 2);
    g_assert_cmpint(sva_user(&s, 0, SVA_EP_UQ_STATE), ==,
                    SVA_EP_QSTATE_FAILED);
    sva_queue_off(&s, 0);
    g_assert_cmpint(sva_user(&s, 0, SVA_EP_UQ_SIZE), ==, 0);
    g_assert_cmpint(sva_user(&s, 0, SVA_EP_UQ_ERROR), ==, 0);

    /* The record has no place. */
    sva_queue_on(&s, 0, 0, 0);
    at = sva_post(&s, 0, (struct sva_ep_cmd) {
        .opcode = SVA_EP_OP_FILL, .dst = PAGE_B, .length = 8, .operand = 7,
        .completion = 1ull << 40,
    });
    g_assert_cmpint(at, ==, 0);
    sva_wait_state(&s, 0, SVA_EP_QSTATE_FAILED);
    g_assert_cmpint(sva_qreg(&s, 0, SVA_EP_QERROR), ==, SVA_EP_ERR_WRITE);
    g_assert_cmphex(qtest_readq(s.g.qts, PAGE_B), ==, 7);
    guest_finish(&s.g);
}

/* A doorbell that is taken back before the engine has looked. */
static void test_tail_back(void)
{
    SvaGuest s = sva_start(NO_IOMMU);

    sva_queue_on(&s, 0, 0, 0);
    qtest_qmp_assert_success(s.g.qts, "{ 'execute': 'stop' }");
    sva_post(&s, 0, SVA_FILL(PAGE_A, 1));
    sva_set_user(&s, 0, SVA_EP_UQ_TAIL, 0);
    qtest_qmp_assert_success(s.g.qts, "{ 'execute': 'cont' }");
    sva_wait_state(&s, 0, SVA_EP_QSTATE_IDLE);
    g_assert_cmpint(sva_user(&s, 0, SVA_EP_UQ_HEAD), ==, 0);
    g_assert_cmphex(qtest_readq(s.g.qts, PAGE_A), ==, 0);
    guest_finish(&s.g);
}

/* The device's own registers as its ring, its target and its record. */
static void check_own_registers(const char *options)
{
    SvaGuest s = sva_start(options);
    uint64_t doorbell = s.queues.addr + SVA_EP_UQ_TAIL;

    sva_queue_on(&s, 0, 0, 0);
    g_assert_cmpint(sva_fill(&s, 0, doorbell & ~7ull, 0), ==,
                    SVA_EP_ERR_WRITE);
    g_assert_cmpint(sva_fill(&s, 0, s.g.bar.addr + SVA_EP_CONTROL, 1), ==,
                    SVA_EP_ERR_WRITE);
    sva_set_user(&s, 0, SVA_EP_UQ_BASE, s.queues.addr);
    sva_set_user(&s, 0, SVA_EP_UQ_TAIL, 1);
    sva_wait_state(&s, 0, SVA_EP_QSTATE_FAILED);
    guest_finish(&s.g);
}

static void test_own_registers(void)
{
    check_own_registers(NO_IOMMU);
    check_own_registers(ENGINE_THREAD);
}

/* What cannot be asked of anybody fails. */
static void test_no_iommu(void)
{
    SvaGuest s = sva_start(NO_IOMMU);

    sva_enable(&s, true, true, 64);
    sva_queue_on(&s, 0, SVA_EP_QCTL_PASID, 5);
    sva_queue_on(&s, 1, SVA_EP_QCTL_ATS, 0);
    for (unsigned n = 0; n < 2; n++) {
        sva_post(&s, n, SVA_FILL(PAGE_A, 1));
        sva_wait_state(&s, n, SVA_EP_QSTATE_FAILED);
        g_assert_cmpint(sva_qreg(&s, n, SVA_EP_QERROR), ==, SVA_EP_ERR_READ);
    }
    guest_finish(&s.g);
}

static void test_control(void)
{
    static const uint32_t refused[] = {
        SVA_EP_QCTL_PRI, SVA_EP_QCTL_PRIVILEGED, SVA_EP_QCTL_EXECUTE,
    };
    SvaGuest s = sva_start(NO_IOMMU);

    for (unsigned i = 0; i < ARRAY_SIZE(refused); i++) {
        sva_set_qreg(&s, 1, SVA_EP_QCTL, refused[i] | SVA_EP_QCTL_ENABLE);
        sva_wait_state(&s, 1, SVA_EP_QSTATE_FAILED);
        g_assert_cmpint(sva_qreg(&s, 1, SVA_EP_QERROR), ==, SVA_EP_ERR_FLAGS);
        sva_queue_off(&s, 1);
    }
    sva_queue_on(&s, 1, 0, 5);
    sva_set_qreg(&s, 1, SVA_EP_QPASID, 6);
    g_assert_cmpint(sva_qreg(&s, 1, SVA_EP_QPASID), ==, 5);
    sva_set_qreg(&s, 1, SVA_EP_QCTL, SVA_EP_QCTL_ENABLE | SVA_EP_QCTL_ATS);
    g_assert_cmphex(sva_qreg(&s, 1, SVA_EP_QCTL), ==, SVA_EP_QCTL_ENABLE);
    guest_finish(&s.g);
}

/* The last vector is the last queue's. */
static void test_interrupt(void)
{
    SvaGuest s = sva_start(NO_IOMMU);
    struct sva_ep_cmd cmd = SVA_FILL(PAGE_A, 1);
    uint64_t entry;

    qpci_msix_enable(s.g.dev);
    entry = s.g.dev->msix_table_off +
            SVA_EP_VECTOR_QUEUE(63) * PCI_MSIX_ENTRY_SIZE;
    qpci_io_writel(s.g.dev, s.g.dev->msix_table_bar,
                   entry + PCI_MSIX_ENTRY_LOWER_ADDR, MSI_TARGET);
    qpci_io_writel(s.g.dev, s.g.dev->msix_table_bar,
                   entry + PCI_MSIX_ENTRY_UPPER_ADDR, 0);
    qpci_io_writel(s.g.dev, s.g.dev->msix_table_bar,
                   entry + PCI_MSIX_ENTRY_DATA, 0x4321);
    qpci_io_writel(s.g.dev, s.g.dev->msix_table_bar,
                   entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
    sva_queue_on(&s, 63, 0, 0);
    g_assert_cmpint(sva_fill(&s, 63, PAGE_A, 1), ==, SVA_EP_ERR_NONE);
    g_assert_cmphex(qtest_readl(s.g.qts, MSI_TARGET), ==, 0);
    cmd.flags = SVA_EP_FLAG_IRQ;
    g_assert_cmpint(sva_run(&s, 63, cmd).error, ==, SVA_EP_ERR_NONE);
    g_assert_cmphex(qtest_readl(s.g.qts, MSI_TARGET), ==, 0x4321);
    guest_finish(&s.g);
}

/* While the machine is stopped a command is under way. */
static void test_stop_and_reset(void)
{
    SvaGuest s = sva_start(NO_IOMMU);
    unsigned at;

    sva_queue_on(&s, 0, 0, 0);
    qtest_qmp_assert_success(s.g.qts, "{ 'execute': 'stop' }");
    at = sva_post(&s, 0, SVA_FILL(PAGE_A, 9));
    sva_wait_state(&s, 0, SVA_EP_QSTATE_RUNNING);
    sva_set_user(&s, 0, SVA_EP_UQ_SIZE, 8); /* too late */
    g_assert_cmpint(sva_user(&s, 0, SVA_EP_UQ_SIZE), ==, RING_ENTRIES);
    sva_set_qreg(&s, 0, SVA_EP_QCTL, 0);
    g_assert_cmpint(sva_qreg(&s, 0, SVA_EP_QSTATE), ==,
                    SVA_EP_QSTATE_STOPPING);
    sva_set_qreg(&s, 0, SVA_EP_QCTL, SVA_EP_QCTL_ENABLE); /* too early */
    qtest_qmp_assert_success(s.g.qts, "{ 'execute': 'cont' }");
    sva_wait_state(&s, 0, SVA_EP_QSTATE_DISABLED);
    g_assert_cmphex(qtest_readq(s.g.qts, PAGE_A), ==, 0);
    g_assert_cmpint(qtest_readl(s.g.qts, RECORD(0, at)), ==, 0);

    sva_queue_on(&s, 0, 0, 0);
    qtest_qmp_assert_success(s.g.qts, "{ 'execute': 'stop' }");
    sva_post(&s, 0, SVA_FILL(PAGE_A, 9));
    qpci_io_writel(s.g.dev, s.g.bar, SVA_EP_CONTROL, SVA_EP_CONTROL_RESET);
    g_assert_cmpint(sva_qreg(&s, 0, SVA_EP_QSTATE), ==,
                    SVA_EP_QSTATE_DISABLED);
    g_assert_cmpint(sva_qreg(&s, 0, SVA_EP_QCTL), ==, 0);
    qtest_qmp_assert_success(s.g.qts, "{ 'execute': 'cont' }");
    sva_queue_on(&s, 0, 0, 0);
    sva_assert_maps(&s, 0, PAGE_B, PAGE_B);
    g_assert_cmphex(qtest_readq(s.g.qts, PAGE_A), ==, 0);
    guest_finish(&s.g);
}

/* DMA to its own configuration space: the function resets in the middle. */
static void test_reset_by_own_dma(void)
{
    SvaGuest s = sva_start(NO_IOMMU);
    uint8_t exp = qpci_find_capability(s.g.dev, PCI_CAP_ID_EXP, 0);
    uint64_t config = sva_capability(&s, PCI_EXT_CAP_ID_PASID) & ~0xfffull;
    struct sva_ep_cmd cmd = SVA_COPY(PAGE_A, config + exp + PCI_EXP_DEVCTL);

    qtest_writew(s.g.qts, PAGE_A, PCI_EXP_DEVCTL_BCR_FLR);
    cmd.length = 2;
    sva_queue_on(&s, 0, 0, 0);
    sva_post(&s, 0, cmd);
    qpci_config_writel(s.g.dev, PCI_BASE_ADDRESS_0, s.g.bar.addr);
    qpci_config_writel(s.g.dev, PCI_BASE_ADDRESS_4, s.queues.addr);
    qpci_device_enable(s.g.dev);
    sva_wait_state(&s, 0, SVA_EP_QSTATE_DISABLED);
    g_assert_cmpint(sva_qreg(&s, 0, SVA_EP_QCTL), ==, 0);
    g_assert_cmpint(sva_count(&s, SVA_EP_COUNT_DONE), ==, 0);
    g_assert_cmpint(sva_count(&s, SVA_EP_COUNT_WRITTEN), ==, 0);
    sva_queue_on(&s, 0, 0, 0);
    sva_assert_maps(&s, 0, PAGE_A, PAGE_A);
    guest_finish(&s.g);
}

/* Whatever is written: it works again after a reset. */
static void check_any_writes(const char *options)
{
    SvaGuest s = sva_start(options);
    GRand *rand = g_rand_new_with_seed(42);

    for (unsigned i = 0; i < 3000; i++) {
        unsigned n = g_rand_int_range(rand, 0, SVA_EP_QUEUE_COUNT);
        unsigned reg = g_rand_int_range(rand, 0, 12) * 4;
        uint32_t value = g_rand_int(rand) & (1u << i % 32);

        switch (g_rand_int_range(rand, 0, 5)) {
        case 0:
            sva_set_qreg(&s, n, reg, g_rand_int(rand) & 0x3f);
            break;
        case 1:
            sva_set_user(&s, n, reg, value);
            break;
        case 2:
            qpci_io_writeq(s.g.dev, s.queues,
                           SVA_EP_UQ_REG(n, reg & ~7u), value);
            break;
        case 3:
            sva_set_user(&s, n, SVA_EP_UQ_TAIL, g_rand_int(rand) % 8);
            break;
        default:
            sva_enable(&s, i & 1, i & 2, i & 7);
            break;
        }
    }
    g_rand_free(rand);
    sva_enable(&s, false, false, 0);
    qpci_io_writel(s.g.dev, s.g.bar, SVA_EP_CONTROL, SVA_EP_CONTROL_RESET);
    for (unsigned n = 0; n < SVA_EP_QUEUE_COUNT; n++) {
        g_assert_cmpint(sva_qreg(&s, n, SVA_EP_QSTATE), ==,
                        SVA_EP_QSTATE_DISABLED);
    }
    sva_queue_on(&s, 0, 0, 0);
    sva_assert_maps(&s, 0, PAGE_A, PAGE_A);
    guest_finish(&s.g);
}

static void test_any_writes(void)
{
    check_any_writes(NO_IOMMU);
    check_any_writes(ENGINE_THREAD SVM_UNIT);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/sva-endpoint/queue/capabilities", test_capabilities);
    qtest_add_func("/sva-endpoint/queue/properties", test_properties);
    qtest_add_func("/sva-endpoint/queue/operations", test_operations);
    qtest_add_func("/sva-endpoint/queue/swap", test_swap_in_slot);
    qtest_add_func("/sva-endpoint/queue/refused", test_refused);
    qtest_add_func("/sva-endpoint/queue/ring", test_ring);
    qtest_add_func("/sva-endpoint/queue/tail-back", test_tail_back);
    qtest_add_func("/sva-endpoint/queue/own-registers", test_own_registers);
    qtest_add_func("/sva-endpoint/queue/no-iommu", test_no_iommu);
    qtest_add_func("/sva-endpoint/queue/control", test_control);
    qtest_add_func("/sva-endpoint/queue/interrupt", test_interrupt);
    qtest_add_func("/sva-endpoint/queue/stop-and-reset", test_stop_and_reset);
    qtest_add_func("/sva-endpoint/queue/reset-by-own-dma",
                   test_reset_by_own_dma);
    qtest_add_func("/sva-endpoint/queue/any-writes", test_any_writes);
    return g_test_run();
}
