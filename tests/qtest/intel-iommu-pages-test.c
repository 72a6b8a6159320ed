/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of page requests: the sva-endpoint's queues behind an intel-iommu ask
 * for pages that are not there.
 */
#include "qemu/osdep.h"
#include "qmp-status.h"
#include "sva-queue.h"
#include "hw/pci/pci_regs.h"

#define SUCCESS 0
#define INVALID 1
#define FAILURE 15

#define WITH_PRI (SVA_EP_QCTL_PASID | SVA_EP_QCTL_ATS | SVA_EP_QCTL_PRI)

static SvaGuest start(const char *options, SvaTables *t, unsigned requests)
{
    SvaGuest s = sva_start(options);

    *t = sva_tables(&s);
    sva_page_requests_on(&s);
    sva_enable(&s, true, true, requests);
    return s;
}

static uint16_t pri_status(SvaGuest *s)
{
    return qtest_readw(s->g.qts, sva_capability(s, PCI_EXT_CAP_ID_PRI) +
                                     PCI_PRI_STATUS);
}

/* As the guest's fault handler does: map, then answer. */
static void resolve(SvaGuest *s, SvaTables *t, unsigned pasid, uint64_t pa)
{
    SvaPage page = sva_next_page(s);

    g_assert_cmpint(PAGE_PASID(page), ==, pasid);
    guest_map(&s->g, &t->of[pasid], PAGE_ADDR(page), pa);
    sva_respond(s, page, SUCCESS);
}

static void check_resolved(const char *options)
{
    SvaTables t;
    SvaGuest s = start(options, &t, 64);
    SvaPage page;
    unsigned at;

    sva_queue_on(&s, 0, WITH_PRI, PASID_1);
    sva_queue_on(&s, 1, WITH_PRI, PASID_2);
    at = sva_post(&s, 0, SVA_FILL(IOVA + 0x10, 77));
    sva_wait_state(&s, 0, SVA_EP_QSTATE_PAGE_WAIT);
    page = sva_next_page(&s);
    g_assert_cmphex(page.qw[0] & 0xffffffff, ==, SID << 16 | 1 << 8 | 1);
    g_assert_cmpint(PAGE_PASID(page), ==, PASID_1);
    g_assert_cmphex(PAGE_ADDR(page), ==, IOVA);
    g_assert_cmphex(page.qw[1] & 7, ==, 4 | 2); /* last, write */

    /* One queue's wait does not hold up another. */
    guest_map(&s.g, &t.of[2], IOVA, PAGE_B);
    sva_assert_maps(&s, 1, IOVA, PAGE_B);
    guest_map(&s.g, &t.of[1], IOVA, PAGE_A);
    g_assert_cmpint(sva_qreg(&s, 0, SVA_EP_QSTATE), ==,
                    SVA_EP_QSTATE_PAGE_WAIT);
    sva_respond(&s, page, SUCCESS);
    g_assert_cmpint(sva_wait(&s, 0, at).error, ==, SVA_EP_ERR_NONE);
    g_assert_cmpint(qtest_readq(s.g.qts, PAGE_A + 0x10), ==, 77);
    g_assert_cmpint(sva_qreg(&s, 0, SVA_EP_QPAGES), ==, 1);
    g_assert_cmpint(sva_count(&s, SVA_EP_COUNT_PAGE_REQUESTS), ==, 1);
    g_assert_cmpint(sva_count(&s, SVA_EP_COUNT_PAGE_RESPONSES), ==, 1);
    g_assert_cmpint(sva_count(&s, SVA_EP_COUNT_UNEXPECTED), ==, 0);
    g_assert_cmphex(guest_reg32(&s.g, VTD_REG_FSTS), ==, 0);
    guest_finish(&s.g);
}

static void test_resolved(void)
{
    check_resolved(SVM_UNIT);
    check_resolved(ENGINE_THREAD SVM_UNIT);
}

/* Ring, source, destination and record: all are missing at first. */
static void test_everything_missing(void)
{
    SvaTables t;
    SvaGuest s = start(SVM_UNIT, &t, 64);
    uint64_t ring = guest_entry(&s.g, &t.of[1], RING(0), 1);
    unsigned at;

    qtest_writeq(s.g.qts, ring, 0);
    qtest_writeq(s.g.qts, PAGE_A, 0x9988776655443322);
    sva_queue_on(&s, 0, WITH_PRI, PASID_1);
    at = sva_post(&s, 0, SVA_COPY(IOVA, IOVA + 0x1000));
    /* For reading at first, so that the record is one more request. */
    qtest_writeq(s.g.qts, ring, RING(0) | VTD_FS_P | VTD_FS_US);
    sva_respond(&s, sva_next_page(&s), SUCCESS);
    resolve(&s, &t, PASID_1, PAGE_A);
    resolve(&s, &t, PASID_1, PAGE_B);
    resolve(&s, &t, PASID_1, RING(0));
    g_assert_cmpint(sva_wait(&s, 0, at).error, ==, SVA_EP_ERR_NONE);
    g_assert_cmphex(qtest_readq(s.g.qts, PAGE_B), ==, 0x9988776655443322);
    g_assert_cmpint(sva_qreg(&s, 0, SVA_EP_QPAGES), ==, 4);
    guest_finish(&s.g);
}

/* The answers that end a command, and which register bits tell of them. */
static void test_denied(void)
{
    static const struct {
        unsigned code;
        uint32_t error;
        uint16_t status;
    } cases[] = {
        { INVALID, SVA_EP_ERR_PAGE_INVALID, 0 },
        { FAILURE, SVA_EP_ERR_PAGE_FAILURE, PCI_PRI_STATUS_RF },
    };
    SvaTables t;
    SvaGuest s = start(SVM_UNIT, &t, 64);

    sva_queue_on(&s, 0, WITH_PRI, PASID_1);
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        unsigned at = sva_post(&s, 0, SVA_FILL(IOVA + 0x10, 1));
        struct sva_ep_completion c;

        sva_respond(&s, sva_next_page(&s), cases[i].code);
        c = sva_wait(&s, 0, at);
        g_assert_cmpint(c.error, ==, cases[i].error);
        g_assert_cmphex(c.fault_addr, ==, IOVA + 0x10);
        g_assert_cmphex(pri_status(&s), ==,
                        PCI_PRI_STATUS_PASID | cases[i].status);
    }
    qtest_writew(s.g.qts,
                 sva_capability(&s, PCI_EXT_CAP_ID_PRI) + PCI_PRI_STATUS,
                 PCI_PRI_STATUS_RF);
    g_assert_cmphex(pri_status(&s), ==, PCI_PRI_STATUS_PASID);
    guest_finish(&s.g);
}

/* Software answers again and again, but the page does not come. */
static void test_not_resolved(void)
{
    SvaTables t;
    SvaGuest s = start(SVM_UNIT, &t, 64);
    unsigned at;

    sva_queue_on(&s, 0, WITH_PRI, PASID_1);
    at = sva_post(&s, 0, SVA_FILL(IOVA, 1));
    for (unsigned i = 0; i < 8; i++) {
        sva_respond(&s, sva_next_page(&s), SUCCESS);
    }
    g_assert_cmpint(sva_wait(&s, 0, at).error, ==, SVA_EP_ERR_WRITE);
    g_assert_cmpint(sva_qreg(&s, 0, SVA_EP_QPAGES), ==, 8);
    guest_finish(&s.g);
}

static void test_timeout(void)
{
    SvaTables t;
    SvaGuest s = start(SVM_UNIT, &t, 64);
    SvaPage page;
    unsigned at;

    sva_queue_on(&s, 0, WITH_PRI, PASID_1);
    sva_set_qreg(&s, 0, SVA_EP_QTIMEOUT, 50);
    at = sva_post(&s, 0, SVA_FILL(IOVA, 1));
    page = sva_next_page(&s);
    qtest_clock_step(s.g.qts, 49 * 1000 * 1000);
    g_assert_cmpint(sva_qreg(&s, 0, SVA_EP_QSTATE), ==,
                    SVA_EP_QSTATE_PAGE_WAIT);
    qtest_clock_step(s.g.qts, 2 * 1000 * 1000);
    g_assert_cmpint(sva_wait(&s, 0, at).error, ==, SVA_EP_ERR_PAGE_TIMEOUT);

    /* Too late */
    sva_respond(&s, page, SUCCESS);
    guest_wait(&s.g);
    g_assert_cmpint(sva_count(&s, SVA_EP_COUNT_UNEXPECTED), ==, 1);
    g_assert_cmphex(pri_status(&s), ==,
                    PCI_PRI_STATUS_PASID | PCI_PRI_STATUS_UPRGI);

    /* The default, with the knob that loses answers */
    sva_set_qreg(&s, 0, SVA_EP_QTIMEOUT, 0);
    sva_debug(&s, SVA_EP_DEBUG_HOLD_RESPONSES);
    at = sva_post(&s, 0, SVA_FILL(IOVA, 1));
    sva_respond(&s, sva_next_page(&s), SUCCESS);
    guest_wait(&s.g);
    qtest_clock_step(s.g.qts, 9999ll * 1000 * 1000);
    g_assert_cmpint(sva_qreg(&s, 0, SVA_EP_QSTATE), ==,
                    SVA_EP_QSTATE_PAGE_WAIT);
    qtest_clock_step(s.g.qts, 2 * 1000 * 1000);
    g_assert_cmpint(sva_wait(&s, 0, at).error, ==, SVA_EP_ERR_PAGE_TIMEOUT);
    guest_finish(&s.g);
}

/* No more requests than software allows; each answer makes room for one. */
static void test_allocation(void)
{
    SvaTables t;
    SvaGuest s = start(SVM_UNIT, &t, 3);
    unsigned at[20];
    bool seen[512] = {};

    for (unsigned n = 0; n < ARRAY_SIZE(at); n++) {
        sva_queue_on(&s, n, WITH_PRI, PASID_1);
        at[n] = sva_post(&s, n, SVA_FILL(IOVA + n * 0x1000, n));
        sva_wait_state(&s, n, SVA_EP_QSTATE_PAGE_WAIT);
    }
    g_assert_cmpint(sva_pages_pending(&s), ==, 3);
    for (unsigned n = 0; n < ARRAY_SIZE(at); n++) {
        SvaPage page = sva_next_page(&s);
        uint64_t offset = PAGE_ADDR(page) - IOVA;

        g_assert_false(seen[PAGE_GROUP(page)]);
        seen[PAGE_GROUP(page)] = true;
        guest_map(&s.g, &t.of[1], PAGE_ADDR(page), PAGE_A + offset);
        sva_respond(&s, page, SUCCESS);
        guest_wait(&s.g);
        g_assert_cmpint(sva_count(&s, SVA_EP_COUNT_PAGE_REQUESTS) -
                            sva_count(&s, SVA_EP_COUNT_PAGE_RESPONSES),
                        <=, 3);
    }
    for (unsigned n = 0; n < ARRAY_SIZE(at); n++) {
        g_assert_cmpint(sva_wait(&s, n, at[n]).error, ==, SVA_EP_ERR_NONE);
        g_assert_cmpint(qtest_readq(s.g.qts, PAGE_A + n * 0x1000), ==, n);
    }
    g_assert_cmpint(sva_count(&s, SVA_EP_COUNT_PAGE_REQUESTS), ==,
                    ARRAY_SIZE(at));
    guest_finish(&s.g);
}

/* The guest's queue has room for 3: the unit itself answers the fourth, with
 * success, until the device gives up. */
static void test_overflow(void)
{
    SvaTables t;
    SvaGuest s = start(SVM_UNIT, &t, 64);
    struct sva_ep_completion c;

    qtest_writeq(s.g.qts, REGS + VTD_REG_PQH, 4 * 32);
    sva_queue_on(&s, 9, WITH_PRI, PASID_1);
    for (unsigned n = 0; n < 3; n++) {
        sva_queue_on(&s, n, WITH_PRI, PASID_1);
        sva_post(&s, n, SVA_FILL(IOVA, 1));
        sva_wait_state(&s, n, SVA_EP_QSTATE_PAGE_WAIT);
    }
    c = sva_run(&s, 9, SVA_FILL(IOVA, 1));
    g_assert_cmpint(c.error, ==, SVA_EP_ERR_WRITE);
    g_assert_cmpint(sva_qreg(&s, 9, SVA_EP_QPAGES), ==, 8);
    g_assert_cmphex(guest_reg32(&s.g, VTD_REG_PRS) & VTD_PRS_PRO, ==,
                    VTD_PRS_PRO);
    g_assert_cmpint(sva_count(&s, SVA_EP_COUNT_PAGE_RESPONSES), ==, 8);
    guest_finish(&s.g);
}

/* Answers to what nobody has asked: another group, another PASID, none. */
static void test_unexpected(void)
{
    SvaTables t;
    SvaGuest s = start(SVM_UNIT, &t, 64);
    SvaPage page, wrong;
    unsigned at;

    sva_queue_on(&s, 0, WITH_PRI, PASID_1);
    at = sva_post(&s, 0, SVA_FILL(IOVA, 5));
    page = sva_next_page(&s);
    wrong = page;
    wrong.qw[1] ^= 1 << 3;
    sva_respond(&s, wrong, SUCCESS);
    wrong = page;
    wrong.qw[0] ^= 3ull << 32;
    sva_respond(&s, wrong, SUCCESS);
    wrong = page;
    wrong.qw[0] &= ~0x100ull;
    sva_respond(&s, wrong, FAILURE);
    guest_wait(&s.g);
    g_assert_cmpint(sva_count(&s, SVA_EP_COUNT_UNEXPECTED), ==, 3);
    g_assert_cmpint(sva_qreg(&s, 0, SVA_EP_QSTATE), ==,
                    SVA_EP_QSTATE_PAGE_WAIT);
    guest_map(&s.g, &t.of[1], IOVA, PAGE_A);
    sva_respond(&s, page, SUCCESS);
    sva_respond(&s, page, SUCCESS); /* once too often */
    g_assert_cmpint(sva_wait(&s, 0, at).error, ==, SVA_EP_ERR_NONE);
    guest_wait(&s.g);
    g_assert_cmpint(sva_count(&s, SVA_EP_COUNT_UNEXPECTED), ==, 4);
    guest_finish(&s.g);
}

/* A queue is not over before its request is. */
static void check_stop_while_waiting(const char *options)
{
    SvaTables t;
    SvaGuest s = start(options, &t, 64);
    SvaPage page;
    unsigned at;

    sva_queue_on(&s, 0, WITH_PRI, PASID_1);
    at = sva_post(&s, 0, SVA_FILL(IOVA, 5));
    page = sva_next_page(&s);
    sva_set_qreg(&s, 0, SVA_EP_QCTL, 0);
    g_assert_cmpint(sva_wait(&s, 0, at).error, ==, SVA_EP_ERR_STOPPED);
    g_assert_cmpint(sva_qreg(&s, 0, SVA_EP_QSTATE), ==,
                    SVA_EP_QSTATE_STOPPING);
    guest_map(&s.g, &t.of[1], IOVA, PAGE_A);
    sva_respond(&s, page, SUCCESS);
    sva_wait_state(&s, 0, SVA_EP_QSTATE_DISABLED);
    g_assert_cmphex(qtest_readq(s.g.qts, PAGE_A), ==, 0);
    g_assert_cmpint(sva_count(&s, SVA_EP_COUNT_UNEXPECTED), ==, 0);

    /* By time-out */
    sva_queue_on(&s, 0, WITH_PRI, PASID_1);
    at = sva_post(&s, 0, SVA_FILL(IOVA + 0x1000, 5));
    page = sva_next_page(&s);
    sva_set_qreg(&s, 0, SVA_EP_QCTL, 0);
    g_assert_cmpint(sva_wait(&s, 0, at).error, ==, SVA_EP_ERR_STOPPED);
    qtest_clock_step(s.g.qts, 10001ll * 1000 * 1000);
    sva_wait_state(&s, 0, SVA_EP_QSTATE_DISABLED);
    guest_finish(&s.g);
}

static void test_stop_while_waiting(void)
{
    check_stop_while_waiting(SVM_UNIT);
    check_stop_while_waiting(ENGINE_THREAD SVM_UNIT);
}

/* Nothing is left of a request after a reset; its answer is one too many. */
static void check_reset_while_waiting(const char *options)
{
    SvaTables t;
    SvaGuest s = start(options, &t, 64);
    SvaPage page;

    sva_queue_on(&s, 0, WITH_PRI, PASID_1);
    sva_post(&s, 0, SVA_FILL(IOVA, 5));
    page = sva_next_page(&s);
    qpci_io_writel(s.g.dev, s.g.bar, SVA_EP_CONTROL, SVA_EP_CONTROL_RESET);
    g_assert_cmpint(sva_qreg(&s, 0, SVA_EP_QSTATE), ==,
                    SVA_EP_QSTATE_DISABLED);
    guest_map(&s.g, &t.of[1], IOVA, PAGE_A);
    sva_respond(&s, page, SUCCESS);
    guest_wait(&s.g);
    g_assert_cmpint(sva_count(&s, SVA_EP_COUNT_UNEXPECTED), ==, 1);
    g_assert_cmpint(sva_qreg(&s, 0, SVA_EP_QSTATE), ==,
                    SVA_EP_QSTATE_DISABLED);
    g_assert_cmphex(qtest_readq(s.g.qts, PAGE_A), ==, 0);
    sva_queue_on(&s, 0, WITH_PRI, PASID_1);
    sva_assert_maps(&s, 0, IOVA, PAGE_A);
    guest_finish(&s.g);
}

static void test_reset_while_waiting(void)
{
    check_reset_while_waiting(SVM_UNIT);
    check_reset_while_waiting(ENGINE_THREAD SVM_UNIT);
}

/* Turning PRI off: what is outstanding stays so, and nothing new is sent. */
static void test_turned_off(void)
{
    SvaTables t;
    SvaGuest s = start(SVM_UNIT, &t, 1);
    uint64_t pri = sva_capability(&s, PCI_EXT_CAP_ID_PRI);
    unsigned first, second;

    sva_queue_on(&s, 0, WITH_PRI, PASID_1);
    sva_queue_on(&s, 1, WITH_PRI, PASID_1);
    first = sva_post(&s, 0, SVA_FILL(IOVA, 5));
    sva_wait_state(&s, 0, SVA_EP_QSTATE_PAGE_WAIT);
    second = sva_post(&s, 1, SVA_FILL(IOVA + 0x1000, 5));
    sva_wait_state(&s, 1, SVA_EP_QSTATE_PAGE_WAIT);
    qtest_writew(s.g.qts, pri + PCI_PRI_CTRL, 0);
    g_assert_cmpint(sva_wait(&s, 1, second).error, ==, SVA_EP_ERR_WRITE);
    g_assert_cmphex(pri_status(&s), ==, PCI_PRI_STATUS_PASID);

    /* The reset bit forgets it. */
    qtest_writew(s.g.qts, pri + PCI_PRI_CTRL, PCI_PRI_CTRL_RESET);
    g_assert_cmpint(sva_wait(&s, 0, first).error, ==,
                    SVA_EP_ERR_PAGE_TIMEOUT);
    g_assert_cmphex(pri_status(&s), ==,
                    PCI_PRI_STATUS_PASID | PCI_PRI_STATUS_STOPPED);
    g_assert_cmphex(qtest_readw(s.g.qts, pri + PCI_PRI_CTRL), ==, 0);
    g_assert_cmpint(sva_pages_pending(&s), ==, 1);
    guest_finish(&s.g);
}

/* A context that does not allow page requests: answered by the unit. */
static void test_not_allowed(void)
{
    SvaTables t;
    SvaGuest s = start(SVM_UNIT, &t, 64);

    qtest_writeq(s.g.qts, CONTEXT + SID * 32,
                 PASID_DIR | VTD_SMCTX_P | VTD_SMCTX_DTE | VTD_SMCTX_PASIDE);
    guest_submit(&s.g, 1 << 4 | 1, 0);
    sva_invalidate_unit(&s);
    sva_queue_on(&s, 0, WITH_PRI, PASID_1);
    g_assert_cmpint(sva_fill(&s, 0, IOVA, 1), ==, SVA_EP_ERR_PAGE_INVALID);
    g_assert_cmpint(sva_pages_pending(&s), ==, 0);
    guest_finish(&s.g);
}

/* --- Migration ------------------------------------------------------------ */

/* The same guest on another machine; @s is gone. */
static SvaGuest migrate(SvaGuest *s)
{
    g_autofree char *dir = g_dir_make_tmp("sva-pages-XXXXXX", NULL);
    g_autofree char *path = g_strdup_printf("%s/state", dir);
    g_autofree char *uri = g_strdup_printf("file:%s", path);
    SvaGuest to = *s;

    qtest_qmp_assert_success(
        s->g.qts, "{ 'execute': 'migrate', 'arguments': { 'uri': %s } }", uri);
    qmp_wait_status(s->g.qts, "query-migrate", "completed");
    to.g.qts = qtest_initf(MACHINE SVM_UNIT
                           "-device sva-endpoint,addr=4 -incoming %s", uri);
    qmp_wait_status(to.g.qts, "query-status", "running");
    to.g.bus = qpci_new_pc(to.g.qts, NULL);
    to.g.dev = qpci_device_find(to.g.bus, SID);
    g_assert_nonnull(to.g.dev);
    guest_finish(&s->g);
    unlink(path);
    g_assert_cmpint(rmdir(dir), ==, 0);
    return to;
}

/* A request goes along, and is answered where it arrives. */
static void test_migration(void)
{
    SvaTables t;
    SvaGuest s = start(SVM_UNIT, &t, 1);
    unsigned first, second;

    sva_queue_on(&s, 0, WITH_PRI, PASID_1);
    sva_queue_on(&s, 1, WITH_PRI, PASID_2);
    guest_map(&s.g, &t.of[2], IOVA, PAGE_B);
    sva_assert_maps(&s, 1, IOVA, PAGE_B);
    first = sva_post(&s, 0, SVA_FILL(IOVA, 5));
    sva_wait_state(&s, 0, SVA_EP_QSTATE_PAGE_WAIT);
    second = sva_post(&s, 1, SVA_FILL(IOVA + 0x1000, 6));
    sva_wait_state(&s, 1, SVA_EP_QSTATE_PAGE_WAIT);

    s = migrate(&s);
    g_assert_cmpint(sva_qreg(&s, 0, SVA_EP_QSTATE), ==,
                    SVA_EP_QSTATE_PAGE_WAIT);
    resolve(&s, &t, PASID_1, PAGE_A);
    g_assert_cmpint(sva_wait(&s, 0, first).error, ==, SVA_EP_ERR_NONE);
    g_assert_cmphex(qtest_readq(s.g.qts, PAGE_A), ==, 5);
    resolve(&s, &t, PASID_2, PAGE_C);
    g_assert_cmpint(sva_wait(&s, 1, second).error, ==, SVA_EP_ERR_NONE);
    g_assert_cmphex(qtest_readq(s.g.qts, PAGE_C), ==, 6);
    g_assert_cmpint(sva_qreg(&s, 1, SVA_EP_QDONE), ==, 2);
    g_assert_cmpint(sva_count(&s, SVA_EP_COUNT_UNEXPECTED), ==, 0);
    guest_finish(&s.g);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/intel-iommu/pages/resolved", test_resolved);
    qtest_add_func("/intel-iommu/pages/everything-missing",
                   test_everything_missing);
    qtest_add_func("/intel-iommu/pages/denied", test_denied);
    qtest_add_func("/intel-iommu/pages/not-resolved", test_not_resolved);
    qtest_add_func("/intel-iommu/pages/timeout", test_timeout);
    qtest_add_func("/intel-iommu/pages/allocation", test_allocation);
    qtest_add_func("/intel-iommu/pages/overflow", test_overflow);
    qtest_add_func("/intel-iommu/pages/unexpected", test_unexpected);
    qtest_add_func("/intel-iommu/pages/stop-while-waiting",
                   test_stop_while_waiting);
    qtest_add_func("/intel-iommu/pages/reset-while-waiting",
                   test_reset_while_waiting);
    qtest_add_func("/intel-iommu/pages/turned-off", test_turned_off);
    qtest_add_func("/intel-iommu/pages/not-allowed", test_not_allowed);
    qtest_add_func("/intel-iommu/pages/migration", test_migration);
    return g_test_run();
}
