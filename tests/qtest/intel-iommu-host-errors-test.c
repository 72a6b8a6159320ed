/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of a host kernel that refuses calls while a guest is at work: each
 * call, at every position, once and from then on.
 *
 * Whatever is refused, QEMU does not crash, the device's DMA meets what the
 * guest's tables say or nothing, never what they said before, and once the host
 * works again a good sequence works.
 */
#include "qemu/osdep.h"
#include "reference-host-work.h"

#include <linux/iommufd.h>
#include <linux/vfio.h>

#define OTHER_FS_TABLES 0x180000ull

/* --- A guest at work ----------------------------------------------------- */

static void invalidate_entry(Work *w)
{
    guest_submit(&w->h->g, (uint64_t)DID << 16 | 1 << 4 | 7, 0);
    guest_submit(&w->h->g, (uint64_t)DID << 16 | 2 << 4 | 6, 0);
    work_wait(w);
}

/* Through all states that a device can be in, and back. */
static void work(Work *w)
{
    Guest *g = &w->h->g;
    GuestTables p = guest_first_stage(0), q = guest_first_stage(0);

    qtest_memset(g->qts, FS_TABLES, 0, 0x10000);
    q.top = OTHER_FS_TABLES;
    q.free = q.top + 0x1000;
    qtest_memset(g->qts, q.top, 0, 0x10000);
    guest_map(g, &p, PAGE_A, PAGE_A);
    guest_map(g, &q, PAGE_A, PAGE_C);
    host_context(w->h, VTD_PGTT_FIRST_STAGE);
    guest_queue_on(g);
    guest_translation_on(g);
    work_expect(w, PAGE_A, PAGE_A);

    guest_map(g, &p, PAGE_A, PAGE_B);
    guest_submit(g, (uint64_t)DID << 16 | 3 << 4 | 6, PAGE_A);
    guest_submit(g, (uint64_t)DID << 16 | 3 << 4 | 6, PAGE_C);
    work_wait(w);
    work_expect(w, PAGE_A, PAGE_B);

    qtest_writeq(g->qts, PASID_TABLE + 16, q.top);
    invalidate_entry(w);
    work_expect(w, PAGE_A, PAGE_C);

    qtest_writeq(g->qts, PASID_TABLE, 0);
    invalidate_entry(w);
    work_expect(w, PAGE_A, 0);

    guest_pasid_entry(g, VTD_PGTT_FIRST_STAGE);
    invalidate_entry(w);
    work_expect(w, PAGE_A, PAGE_B);

    guest_pasid_entry(g, VTD_PGTT_PASS_THROUGH);
    invalidate_entry(w);
    work_expect(w, PAGE_A, PAGE_A);

    guest_pasid_entry(g, VTD_PGTT_FIRST_STAGE);
    invalidate_entry(w);
    work_expect(w, PAGE_A, PAGE_B);
    work_queue_off(g);
    qtest_writel(g->qts, REGS + VTD_REG_GCMD, 0);
    work_expect(w, PAGE_A, PAGE_A);
    qtest_writel(g->qts, REGS + VTD_REG_FSTS, QUEUE_STOPPED | VTD_FSTS_PFO);
    qtest_writel(g->qts, REGS + VTD_REG_FRCD + 12, 1u << 31);
}

static void good_work(Host *h)
{
    Work w = { .h = h, .strict = true };

    work(&w);
    g_assert_cmpint(w.errors + w.refused, ==, 0);
}

/* IOVA to PAGE_A, cached; then the entries for it and its neighbour change. */
static void two_pages_change(Host *h)
{
    GuestTables p = guest_first_stage(0);

    guest_map(&h->g, &p, IOVA, PAGE_A);
    guest_map(&h->g, &p, IOVA + 0x1000, PAGE_A);
    host_context(h, VTD_PGTT_FIRST_STAGE);
    guest_queue_on(&h->g);
    guest_translation_on(&h->g);
    guest_assert_maps(&h->g, IOVA, PAGE_A);
    guest_assert_maps(&h->g, IOVA + 0x1000, PAGE_A);
    guest_map(&h->g, &p, IOVA, PAGE_B);
    guest_map(&h->g, &p, IOVA + 0x1000, PAGE_C);
}

/* A machine that is reset at work: no trace of the tables stays. */
static void test_reset(void)
{
    Host h = host_new("");
    unsigned calls = 1;

    host_start(&h, HOST_NESTED);
    for (unsigned i = 0; i < calls; i++) {
        Work w = { .h = &h };

        two_pages_change(&h);
        h.ref->calls = 0;
        host_fail(&h, ANY_CALL, i - 1, i ? 1 : 0, EIO);
        host_reset(&h);
        host_fail_nothing(&h);
        if (!i) {
            calls = h.ref->calls + 1;
            w.strict = true;
        }
        work_expect(&w, IOVA, 0);
        work_expect(&w, PAGE_A, PAGE_A);
        good_work(&h);
    }
    g_assert_cmpint(calls, >, 1);
    host_finish(&h);
}

/* Every call of @request, or of all, fails once in one pass of work(). */
static void check_work(unsigned request, int error, bool must_show)
{
    Host h = host_new("");
    unsigned calls;
    int32_t live[REF_KINDS];

    host_start(&h, HOST_NESTED);
    memcpy(live, h.ref->live, sizeof(live));
    h.ref->calls = 0;
    good_work(&h);
    calls = request ? host_calls(&h, REF_IOMMUFD, request) +
            host_calls(&h, REF_DEVICE, request) : h.ref->calls;
    g_assert_cmpint(calls, >, 0);
    g_assert_cmpmem(live, sizeof(live), h.ref->live, sizeof(live));
    for (unsigned i = 0; i < calls; i++) {
        Work w = { .h = &h };
        unsigned lost = 0;

        h.ref->calls = 0;
        host_fail(&h, request, i, 1, error);
        work(&w);
        host_fail_nothing(&h);
        g_assert_true(!must_show || w.errors + w.refused);
        for (unsigned j = 0; j < h.ref->calls; j++) {
            lost += h.ref->log[j].request == IOMMU_DESTROY &&
                    h.ref->log[j].result;
        }
        good_work(&h);
        live[REF_NESTED] += lost;
        g_assert_cmpmem(live, sizeof(live), h.ref->live, sizeof(live));
    }
    host_finish(&h);
}

/* From one call on the host refuses everything. */
static void test_work_for_ever(void)
{
    unsigned calls = 1, stopped = 0;

    for (unsigned i = 0; i < calls; i++) {
        Host h = host_new("");
        Work w = { .h = &h, .may_stop = true };

        host_start(&h, HOST_NESTED);
        h.ref->calls = 0;
        if (!i) {
            good_work(&h);
            calls = h.ref->calls;
        }
        host_fail(&h, ANY_CALL, i, FOR_EVER, EIO);
        work(&w);
        stopped += w.stopped;
        host_finish(&h);
    }
    g_assert_cmpint(stopped, >, 0);
}

/* Detaching is all that fails: an empty page table takes its place. */
static void test_no_detach(void)
{
    Host h = host_new("");
    Work w = { .h = &h, .strict = true };

    host_start(&h, HOST_NESTED);
    host_fail(&h, VFIO_DEVICE_DETACH_IOMMUFD_PT, 0, FOR_EVER, EBUSY);
    work(&w);
    work(&w);
    g_assert_cmpint(w.errors + w.refused, ==, 0);
    g_assert_cmpint(h.ref->injected, >=, 2);
    host_finish(&h);
}

static void test_no_blocking(void)
{
    Host h = host_new("");
    unsigned resets;

    host_start(&h, HOST_NESTED);
    two_pages_change(&h);
    resets = host_calls(&h, REF_DEVICE, VFIO_DEVICE_RESET);
    host_fail(&h, ANY_CALL, 0, FOR_EVER, EBUSY);
    g_assert_false(host_is_stopped(&h));
    qtest_writeq(h.g.qts, PASID_TABLE, 0);
    guest_submit(&h.g, (uint64_t)DID << 16 | 1 << 4 | 7, 0);
    g_assert_true(host_is_stopped(&h));
    g_assert_cmpint(host_calls(&h, REF_DEVICE, VFIO_DEVICE_RESET), ==,
                    resets + 1);
    host_finish(&h);
}

static void test_work(void)
{
    check_work(ANY_CALL, EINVAL, false);
    check_work(ANY_CALL, ENOMEM, false);
    check_work(ANY_CALL, EIO, false);
}

static void test_invalidation(void)
{
    const int all[] = { EINVAL, EOPNOTSUPP, ENOENT, EFAULT, ENOMEM, EIO,
                        ETIMEDOUT, ENOTTY, E2BIG };

    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        check_work(IOMMU_HWPT_INVALIDATE, all[i], true);
    }
}

static void test_attach(void)
{
    const int all[] = { EINVAL, ENOENT, EBUSY, ENOMEM, ENODEV, ENOSPC };

    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        check_work(VFIO_DEVICE_ATTACH_IOMMUFD_PT, all[i], false);
    }
}

/* Two descriptors that go down together, and a wait descriptor. */
static void invalidate_two_pages(Host *h)
{
    uint64_t qw[3][4] = {
        { (uint64_t)DID << 16 | 3 << 4 | 6, IOVA },
        { (uint64_t)DID << 16 | 3 << 4 | 6, IOVA + 0x1000 },
        { 1ull << 32 | 1 << 5 | 5, STATUS },
    };

    qtest_memwrite(h->g.qts, QUEUE, qw, sizeof(qw));
    qtest_writeq(h->g.qts, REGS + VTD_REG_IQT, sizeof(qw));
}

/* The host did one entry of two before it was interrupted. */
static void test_resumed(void)
{
    const int transient[] = { EINTR, EAGAIN };

    for (unsigned i = 0; i < ARRAY_SIZE(transient); i++) {
        Host h = host_new("");

        host_start(&h, HOST_NESTED);
        two_pages_change(&h);
        host_fail(&h, IOMMU_HWPT_INVALIDATE, 0, 1, transient[i]);
        h.ref->injection[0].done = i;
        invalidate_two_pages(&h);
        g_assert_cmphex(guest_reg32(&h.g, VTD_REG_FSTS), ==, 0);
        g_assert_cmphex(qtest_readl(h.g.qts, STATUS), ==, 1);
        /* The question at plug, and two more. */
        g_assert_cmpint(host_calls(&h, REF_IOMMUFD, IOMMU_HWPT_INVALIDATE),
                        ==, 3);
        guest_assert_maps(&h.g, IOVA, PAGE_B);
        guest_assert_maps(&h.g, IOVA + 0x1000, PAGE_C);
        host_finish(&h);
    }
}

/* The queue stops at the descriptor whose entry was refused. */
static void test_partial(void)
{
    for (unsigned done = 0; done < 2; done++) {
        Host h = host_new("");
        uint64_t value;

        host_start(&h, HOST_NESTED);
        two_pages_change(&h);
        host_fail(&h, IOMMU_HWPT_INVALIDATE, 0, 1, EIO);
        h.ref->injection[0].done = done;
        invalidate_two_pages(&h);
        g_assert_cmphex(guest_reg32(&h.g, VTD_REG_FSTS), ==, VTD_FSTS_IQE);
        g_assert_cmphex(guest_reg64(&h.g, VTD_REG_IQH), ==, done * 32);
        g_assert_cmphex(qtest_readl(h.g.qts, STATUS), ==, 0);
        g_assert_cmpint(guest_dma_read(&h.g, IOVA, &value), ==,
                        SVA_EP_ERR_READ);
        host_finish(&h);
    }
}

/* Errors on the way into the kernel leave the count of entries as it was. */
static void test_count_untouched(void)
{
    const int all[] = { EINTR, EAGAIN, EFAULT, ENOTTY, E2BIG };

    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        bool transient = all[i] == EINTR || all[i] == EAGAIN;
        Host h = host_new("");
        uint64_t value;

        host_start(&h, HOST_NESTED);
        two_pages_change(&h);
        host_fail(&h, IOMMU_HWPT_INVALIDATE, 0, 1, all[i]);
        h.ref->injection[0].silent = true;
        invalidate_two_pages(&h);
        if (transient) {
            g_assert_cmphex(qtest_readl(h.g.qts, STATUS), ==, 1);
            guest_assert_maps(&h.g, IOVA, PAGE_B);
            guest_assert_maps(&h.g, IOVA + 0x1000, PAGE_C);
        } else {
            g_assert_cmphex(guest_reg32(&h.g, VTD_REG_FSTS), ==,
                            VTD_FSTS_IQE);
            g_assert_cmphex(guest_reg64(&h.g, VTD_REG_IQH), ==, 0);
            g_assert_cmpint(guest_dma_read(&h.g, IOVA, &value), ==,
                            SVA_EP_ERR_READ);
        }
        host_finish(&h);
    }
}

/* The guest finds what hardware says of a PASID entry that it cannot use. */
static void test_table_refused(void)
{
    Host h = host_new("");
    uint64_t value, upper;

    host_start(&h, HOST_NESTED);
    host_fail(&h, IOMMU_HWPT_ALLOC, 0, 1, EINVAL);
    host_context(&h, VTD_PGTT_FIRST_STAGE);
    guest_queue_on(&h.g);
    guest_translation_on(&h.g);
    upper = guest_reg64(&h.g, VTD_REG_FRCD + 8);
    g_assert_true(upper & VTD_FRCD_F);
    g_assert_cmphex(vtd_get(upper, VTD_FRCD_SID), ==, SID);
    g_assert_cmphex(vtd_get(upper, VTD_FRCD_FR), ==, 0x5b);
    g_assert_cmpint(guest_dma_read(&h.g, IOVA, &value), ==, SVA_EP_ERR_READ);
    host_finish(&h);
}

static void test_timeout(void)
{
    Host h = host_new("");

    host_start(&h, HOST_NESTED);
    two_pages_change(&h);
    host_fail(&h, IOMMU_HWPT_INVALIDATE, 0, 1, ETIMEDOUT);
    invalidate_two_pages(&h);
    g_assert_cmphex(guest_reg32(&h.g, VTD_REG_FSTS), ==, VTD_FSTS_ITE);
    host_finish(&h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/intel-iommu/host/errors/work", test_work);
    qtest_add_func("/intel-iommu/host/errors/work-for-ever",
                   test_work_for_ever);
    qtest_add_func("/intel-iommu/host/errors/no-detach", test_no_detach);
    qtest_add_func("/intel-iommu/host/errors/no-blocking", test_no_blocking);
    qtest_add_func("/intel-iommu/host/errors/reset", test_reset);
    qtest_add_func("/intel-iommu/host/errors/invalidation", test_invalidation);
    qtest_add_func("/intel-iommu/host/errors/attach", test_attach);
    qtest_add_func("/intel-iommu/host/errors/resumed", test_resumed);
    qtest_add_func("/intel-iommu/host/errors/partial", test_partial);
    qtest_add_func("/intel-iommu/host/errors/count-untouched",
                   test_count_untouched);
    qtest_add_func("/intel-iommu/host/errors/table-refused",
                   test_table_refused);
    qtest_add_func("/intel-iommu/host/errors/timeout", test_timeout);
    return g_test_run();
}
