/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of a host kernel with the nesting interface of 2020 that refuses calls,
 * at every position, once and from then on: while a guest is at work, while the
 * machine is reset, while a device is plugged and unplugged.
 *
 * Whatever is refused, QEMU does not crash, the device's DMA meets what the
 * guest's tables say or nothing, no PASID is lost, and once the host works again
 * a good sequence works; or the machine stands still.
 */
#include "qemu/osdep.h"
#include "reference-host-2020.h"
#include "reference-host-work.h"

#include <linux/vfio.h>

#define OTHER_FS_TABLES 0x180000ull

/* A guest tries again, once. */
static uint64_t command(Work *w, uint64_t vcmd)
{
    uint64_t response = host_2020_vcmd(w->h, vcmd);

    if (response == VCRSP_NONE) {
        g_assert_false(w->strict);
        w->errors++;
        response = host_2020_vcmd(w->h, vcmd);
    }
    return response;
}

/* Entries changed; what was bound to them is to go. */
static void invalidate_entries(Work *w)
{
    guest_submit(&w->h->g, 3ull << 4 | 7, 0); /* the whole PASID cache */
    work_wait(w);
}

static void pasid_entry(Work *w, uint32_t pasid, uint64_t table)
{
    if (table) {
        host_pasid_entry(w->h, pasid, VTD_PGTT_FIRST_STAGE, PASID_DID, table);
    } else {
        host_pasid_clear(w->h, pasid);
    }
    invalidate_entries(w);
}

static void expect_of_pasid(Work *w, uint32_t pasid, uint64_t page)
{
    host_use_pasid(w->h, pasid);
    work_expect(w, PAGE_A, page);
    host_use_no_pasid(w->h);
}

/* With a PASID: bound, changed, bound to another table, unbound, bound. */
static void work_with(Work *w, uint32_t pasid)
{
    Guest *g = &w->h->g;
    GuestTables p = host_pasid_tables(), q = p;

    qtest_memset(g->qts, p.top, 0, 0x10000);
    q.top = OTHER_FS_TABLES;
    q.free = q.top + 0x1000;
    qtest_memset(g->qts, q.top, 0, 0x10000);
    guest_map(g, &p, PAGE_A, PAGE_A);
    guest_map(g, &q, PAGE_A, PAGE_C);
    pasid_entry(w, pasid, p.top);
    expect_of_pasid(w, pasid, PAGE_A);

    guest_map(g, &p, PAGE_A, PAGE_B);
    guest_submit(g, host_2020_page_of(pasid), PAGE_A);
    guest_submit(g, host_2020_page_of(pasid), PAGE_C);
    work_wait(w);
    expect_of_pasid(w, pasid, PAGE_B);

    pasid_entry(w, pasid, q.top);
    expect_of_pasid(w, pasid, PAGE_C);
    pasid_entry(w, pasid, 0);
    expect_of_pasid(w, pasid, 0);
    pasid_entry(w, pasid, p.top);
    expect_of_pasid(w, pasid, PAGE_B);
}

/* Requests without PASID are blocked, and untranslated again. */
static void work_without(Work *w)
{
    host_pasid_clear(w->h, 0);
    invalidate_entries(w);
    work_expect(w, PAGE_A, 0);
    guest_pasid_entry(&w->h->g, VTD_PGTT_PASS_THROUGH);
    invalidate_entries(w);
    work_expect(w, PAGE_A, PAGE_A);
}

static void work(Work *w)
{
    Guest *g = &w->h->g;
    uint64_t response;
    uint32_t pasid;

    host_2020_guest(w->h);
    work_expect(w, PAGE_A, PAGE_A);
    response = command(w, VCMD_ALLOC);
    if (response != VCRSP_NONE) {
        pasid = response >> 16;
        work_with(w, pasid);
        work_without(w);
        expect_of_pasid(w, pasid, PAGE_B);
        /* The entry is still there, the PASID is not the guest's any more. */
        if (command(w, VCMD_FREE(pasid)) == 0) {
            expect_of_pasid(w, pasid, 0);
        }
        host_pasid_clear(w->h, pasid);
    }
    work_queue_off(g);
    qtest_writel(g->qts, REGS + VTD_REG_GCMD, 0);
    work_expect(w, PAGE_A, PAGE_A);
    qtest_writel(g->qts, REGS + VTD_REG_FSTS, QUEUE_STOPPED | VTD_FSTS_PFO);
    for (unsigned i = 0; i < VTD_MAX_FAULT_RECORDS; i++) {
        qtest_writel(g->qts, REGS + VTD_REG_FRCD + i * 16 + 12, 1u << 31);
    }
}

static void good_work(Host *h)
{
    Work w = { .h = h, .strict = true };

    work(&w);
    g_assert_cmpint(w.errors + w.refused, ==, 0);
}

static Host start(void)
{
    Host h = host_new(KERNEL_2020);

    host_start_container(&h, HOST_2020);
    return h;
}

/* How many calls good_work() makes; and it leaves nothing. */
static unsigned count_calls(Host *h)
{
    int32_t live[REF_KINDS];

    memcpy(live, h->ref->live, sizeof(live));
    h->ref->calls = 0;
    good_work(h);
    g_assert_cmpmem(live, sizeof(live), h->ref->live, sizeof(live));
    g_assert_cmpint(h->ref->calls, >, 0);
    return h->ref->calls;
}

static bool is_unblocking(const RefCall *call)
{
    return call->request == VFIO_IOMMU_UNMAP_DMA ||
           (call->request == UAPI2020_NESTING_OP &&
            ((struct uapi2020_nesting_op *)call->data)->flags ==
                UAPI2020_OP_UNBIND);
}

/* Each call fails once.  Where the host does not take back what the guest has
 * taken back, the machine has to stop; nowhere else. */
static void check_work(int error)
{
    Host h = start();
    unsigned calls = count_calls(&h), stopped = 0;
    int32_t live[REF_KINDS];

    memcpy(live, h.ref->live, sizeof(live));
    for (unsigned i = 0; i < calls; i++) {
        Work w = { .h = &h, .may_stop = true };
        bool may_stop;

        h.ref->calls = 0;
        host_fail(&h, ANY_CALL, i, 1, error);
        work(&w);
        g_assert_cmpint(h.ref->injection[0].times, ==, 0);
        may_stop = is_unblocking(&h.ref->log[i]);
        g_assert_true(h.ref->log[i].injected);
        g_assert_true(may_stop || !host_is_stopped(&h));
        if (host_is_stopped(&h)) {
            stopped++;
            host_finish(&h);
            h = start();
            continue;
        }
        good_work(&h);
        g_assert_cmpmem(live, sizeof(live), h.ref->live, sizeof(live));
    }
    g_assert_cmpint(stopped, >, 0);
    host_finish(&h);
}

static void test_work(void)
{
    check_work(EINVAL);
    check_work(ENOMEM);
    check_work(EIO);
}

static void test_work_for_ever(void)
{
    unsigned calls = 1;

    for (unsigned i = 0; i < calls; i++) {
        Host h = start();
        Work w = { .h = &h, .may_stop = true };

        if (!i) {
            calls = count_calls(&h);
        }
        host_fail(&h, ANY_CALL, i, FOR_EVER, EIO);
        work(&w);
        host_finish(&h);
    }
}

/* Signals are no errors. */
static void test_interrupted(void)
{
    const int transient[] = { EINTR, EAGAIN };

    for (unsigned i = 0; i < ARRAY_SIZE(transient); i++) {
        Host h = start();
        unsigned calls;

        h.ref->calls = 0;
        good_work(&h);
        calls = host_calls(&h, REF_CONTAINER, UAPI2020_NESTING_OP);
        for (unsigned j = 0; j < calls; j++) {
            host_fail(&h, UAPI2020_NESTING_OP, j, 2, transient[i]);
            good_work(&h);
            g_assert_cmpint(h.ref->injection[0].times, ==, 0);
        }
        host_finish(&h);
    }
}

/* The queue stops at the first descriptor that did not take effect. */
static void test_partial(void)
{
    for (unsigned done = 0; done < 2; done++) {
        Host h = host_new(KERNEL_2020);
        uint32_t pasid = host_2020_start_with_pasid(&h, HOST_2020);
        unsigned head = h.g.tail;

        host_assert_pasid_maps(&h, pasid, PAGE_B);
        host_fail(&h, UAPI2020_NESTING_OP, done, 1,
                  done ? ETIMEDOUT : EIO);
        guest_put(&h.g, host_2020_page_of(pasid), IOVA);
        guest_put(&h.g, host_2020_page_of(pasid), IOVA + 0x1000);
        guest_submit(&h.g, 1ull << 32 | 1 << 5 | 5, STATUS);
        g_assert_cmphex(guest_reg32(&h.g, VTD_REG_FSTS) & QUEUE_STOPPED, ==,
                        done ? VTD_FSTS_ITE : VTD_FSTS_IQE);
        if (!done) {
            g_assert_cmphex(guest_reg64(&h.g, VTD_REG_IQH), ==, head);
        }
        host_assert_pasid_refused(&h, pasid);
        g_assert_cmpint(h.ref->live[REF_BOUND_PASID], ==, 0);
        host_finish(&h);
    }
}

/* What the host does not unbind keeps its DMA: the device is reset, and the
 * machine stops. */
static void test_no_unbinding(void)
{
    Host h = host_new(KERNEL_2020);
    uint32_t pasid = host_2020_start_with_pasid(&h, HOST_2020);
    unsigned resets = host_calls(&h, REF_DEVICE, VFIO_DEVICE_RESET);

    host_fail(&h, UAPI2020_NESTING_OP, 0, FOR_EVER, EIO);
    g_assert_false(host_is_stopped(&h));
    host_pasid_clear(&h, pasid);
    guest_submit(&h.g, 3ull << 4 | 7, 0);
    g_assert_true(host_is_stopped(&h));
    g_assert_cmpint(host_calls(&h, REF_DEVICE, VFIO_DEVICE_RESET), ==,
                    resets + 1);
    host_finish(&h);
}

/* A PASID that the host does not take back stays, and goes at the next reset. */
static void test_no_freeing(void)
{
    Host h = host_new(KERNEL_2020);
    uint32_t pasid = host_2020_start_with_pasid(&h, HOST_2020);

    host_fail(&h, UAPI2020_PASID_REQUEST, 0, FOR_EVER, EIO);
    g_assert_cmphex(host_2020_vcmd(&h, VCMD_FREE(pasid)), ==, VCRSP_NONE);
    host_assert_pasid_refused(&h, pasid);
    host_reset(&h);
    g_assert_cmpint(h.ref->live[REF_PASID], ==, 1);
    host_fail_nothing(&h);
    host_reset(&h);
    g_assert_cmpint(h.ref->live[REF_PASID], ==, 0);
    good_work(&h);
    host_finish(&h);
}

static void test_reset(void)
{
    unsigned calls = 1;

    for (unsigned i = 0; i < calls; i++) {
        Host h = host_new(KERNEL_2020);
        uint32_t pasid = host_2020_start_with_pasid(&h, HOST_2020);
        Work w = { .h = &h, .may_stop = true };

        host_2020_alloc_pasid(&h);
        host_pasid_clear(&h, 0);
        guest_invalidate_pasid_entry(&h.g);
        h.ref->calls = 0;
        host_fail(&h, ANY_CALL, i - 1, i ? 1 : 0, EIO);
        host_reset(&h);
        host_fail_nothing(&h);
        if (!i) {
            calls = h.ref->calls + 1;
            w.strict = true;
        }
        expect_of_pasid(&w, pasid, 0);
        work_expect(&w, PAGE_A, PAGE_A);
        if (!host_is_stopped(&h)) {
            host_reset(&h);
            g_assert_cmpint(h.ref->live[REF_PASID], ==, 0);
            good_work(&h);
        }
        host_finish(&h);
    }
    g_assert_cmpint(calls, >, 4);
}

/* --- Plugging ------------------------------------------------------------ */

#define PORT HOST_2020 ",caching-mode=on,ssads=off,host-uapi=vfio-v1"

static bool gives_back(const RefCall *call)
{
    return is_unblocking(call) ||
           (call->request == UAPI2020_PASID_REQUEST &&
            ((struct uapi2020_pasid_request *)call->data)->flags ==
                UAPI2020_PASID_FREE);
}

/* What the host does not take back stays until the container is closed; nothing
 * else does. */
static void assert_nothing_left(Host *h)
{
    unsigned refused = 0;

    for (unsigned i = 0; i < h->ref->calls; i++) {
        const RefCall *call = &h->ref->log[i];

        refused += call->result < 0 && gives_back(call);
    }
    host_wait_for(&h->ref->live[REF_DEVICE], REF_DEVICE_FDS);
    host_wait_for(&h->ref->live[REF_GROUP], 0);
    for (RefKind kind = REF_ANY; kind < REF_KINDS; kind++) {
        bool at_start = kind == REF_IOMMUFD || kind == REF_DEVICE;

        g_assert_true(at_start || !h->ref->live[kind]);
        g_assert_true(refused || !h->ref->leaked[kind]);
        h->ref->leaked[kind] = 0;
    }
    g_assert_cmpint(h->ref->dma_lost, ==, 0);
    h->ref->calls = 0;
}

static void use_and_unplug(Host *h)
{
    host_power_on(h);
    good_work(h);
    host_unplug(h);
}

static bool is_needed(const RefCall *call)
{
    return call->request == UAPI2020_NESTING_OP ||
           call->request == VFIO_GROUP_SET_CONTAINER ||
           call->request == VFIO_GROUP_GET_DEVICE_FD;
}

static bool needed_call_failed(const Host *h)
{
    for (unsigned i = 0; i < h->ref->calls; i++) {
        if (h->ref->log[i].injected && is_needed(&h->ref->log[i])) {
            return true;
        }
    }
    return false;
}

static void check_plug(int error, unsigned times)
{
    Host h = host_new(KERNEL_2020);
    unsigned calls;

    host_start_port(&h, PORT);
    g_assert_cmpstr(host_plug_container(&h), ==, NULL);
    calls = h.ref->calls;
    host_unplug(&h);
    assert_nothing_left(&h);
    for (unsigned i = 0; i < calls; i++) {
        g_autofree char *text = NULL;

        /* VFIO's maps are spared: where they fail, VFIO ends QEMU. */
        h.ref->injection[0].spares_maps = true;
        host_fail(&h, ANY_CALL, i, times, error);
        text = host_plug_container(&h);
        host_fail_nothing(&h);
        if (text) {
            g_assert_cmpstr(text, !=, "");
        } else {
            g_assert_false(needed_call_failed(&h));
            use_and_unplug(&h);
        }
        assert_nothing_left(&h);
    }
    g_assert_cmpstr(host_plug_container(&h), ==, NULL);
    use_and_unplug(&h);
    assert_nothing_left(&h);
    host_finish(&h);
}

static void test_plug(void)
{
    check_plug(EINVAL, 1);
    check_plug(EIO, 1);
    check_plug(EIO, FOR_EVER);
}

/* The last third of the maps at plug are ours. */
static void test_plug_without_memory(void)
{
    Host h = host_new(KERNEL_2020);
    unsigned maps;

    host_start_port(&h, PORT);
    g_assert_cmpstr(host_plug_container(&h), ==, NULL);
    maps = host_calls(&h, REF_CONTAINER, VFIO_IOMMU_MAP_DMA);
    use_and_unplug(&h);
    assert_nothing_left(&h);
    g_assert_cmpint(maps, >, 3);
    for (unsigned i = maps - maps / 3; i < maps; i++) {
        g_autofree char *text = NULL;

        host_fail(&h, VFIO_IOMMU_MAP_DMA, i, 1, ENOMEM);
        text = host_plug_container(&h);
        host_fail_nothing(&h);
        if (text) {
            g_assert_nonnull(strstr(text, "memory"));
        } else {
            host_unplug(&h);
        }
        assert_nothing_left(&h);
    }
    host_finish(&h);
}

static void check_unplug(unsigned times)
{
    Host h = host_new(KERNEL_2020);
    unsigned calls;

    host_start_port(&h, PORT);
    g_assert_cmpstr(host_plug_container(&h), ==, NULL);
    h.ref->calls = 0;
    host_unplug(&h);
    calls = h.ref->calls;
    for (unsigned i = 0; i < calls; i++) {
        g_assert_cmpstr(host_plug_container(&h), ==, NULL);
        h.ref->injection[0].spares_maps = true;
        host_fail(&h, ANY_CALL, i, times, EIO);
        host_unplug(&h);
        host_fail_nothing(&h);
        assert_nothing_left(&h);
    }
    host_finish(&h);
}

static void test_unplug(void)
{
    check_unplug(1);
    check_unplug(FOR_EVER);
}

/* The host keeps its maps until the container is closed. */
static void test_unplug_without_unmapping(void)
{
    Host h = host_new(KERNEL_2020);

    host_start_port(&h, PORT);
    for (int i = 0; i < 2; i++) {
        g_assert_cmpstr(host_plug_container(&h), ==, NULL);
        host_fail(&h, VFIO_IOMMU_UNMAP_DMA, 0, FOR_EVER, EIO);
        host_unplug(&h);
        host_fail_nothing(&h);
        g_assert_cmpint(h.ref->leaked[REF_MAP], >, 0);
        assert_nothing_left(&h);
    }
    g_assert_cmpstr(host_plug_container(&h), ==, NULL);
    use_and_unplug(&h);
    assert_nothing_left(&h);
    host_finish(&h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/intel-iommu/host/2020/errors/work", test_work);
    qtest_add_func("/intel-iommu/host/2020/errors/work-for-ever",
                   test_work_for_ever);
    qtest_add_func("/intel-iommu/host/2020/errors/interrupted",
                   test_interrupted);
    qtest_add_func("/intel-iommu/host/2020/errors/partial", test_partial);
    qtest_add_func("/intel-iommu/host/2020/errors/no-unbinding",
                   test_no_unbinding);
    qtest_add_func("/intel-iommu/host/2020/errors/no-freeing",
                   test_no_freeing);
    qtest_add_func("/intel-iommu/host/2020/errors/reset", test_reset);
    qtest_add_func("/intel-iommu/host/2020/errors/plug", test_plug);
    qtest_add_func("/intel-iommu/host/2020/errors/plug-without-memory",
                   test_plug_without_memory);
    qtest_add_func("/intel-iommu/host/2020/errors/unplug", test_unplug);
    qtest_add_func("/intel-iommu/host/2020/errors/unplug-without-unmapping",
                   test_unplug_without_unmapping);
    return g_test_run();
}
