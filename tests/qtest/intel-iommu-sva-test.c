/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of PASIDs and ATS: the sva-endpoint's queues behind an intel-iommu.
 * Page requests are in intel-iommu-pages-test.c.
 */
#include "qemu/osdep.h"
#include "sva-queue.h"
#include "hw/pci/pci_regs.h"
#include "qemu/cutils.h"

#define CODE 0x7f0000008000ull
#define BIG 0x7f0000200000ull

#define WITH_PASID SVA_EP_QCTL_PASID
#define WITH_ATS (SVA_EP_QCTL_PASID | SVA_EP_QCTL_ATS)

/* A machine whose tables map IOVA to PAGE_A for PASID 1, to PAGE_B for 2. */
static SvaGuest start(const char *options, SvaTables *t)
{
    SvaGuest s = sva_start(options);

    *t = sva_tables(&s);
    guest_map(&s.g, &t->of[1], IOVA, PAGE_A);
    guest_map(&s.g, &t->of[2], IOVA, PAGE_B);
    sva_enable(&s, true, true, 0);
    return s;
}

/* --- PASIDs --------------------------------------------------------------- */

static void check_two_pasids(const char *options, uint32_t ctl)
{
    SvaTables t;
    SvaGuest s = start(options, &t);

    sva_queue_on(&s, 0, ctl, PASID_1);
    sva_queue_on(&s, 1, ctl, PASID_2);
    sva_queue_on(&s, 2, ctl & ~SVA_EP_QCTL_PASID, 0);
    for (unsigned i = 0; i < 3; i++) {
        sva_assert_maps(&s, 0, IOVA + 8, PAGE_A + 8);
        sva_assert_maps(&s, 1, IOVA + 8, PAGE_B + 8);
    }
    /* Without PASID: entry 0, which shares its tables with PASID 1. */
    sva_assert_maps(&s, 2, IOVA + 8, PAGE_A + 8);
    guest_finish(&s.g);
}

static void test_pasids(void)
{
    check_two_pasids(SVM_UNIT, WITH_PASID);
    check_two_pasids(SVM_UNIT, WITH_ATS);
    check_two_pasids(ENGINE_THREAD SVM_UNIT, WITH_PASID);
    check_two_pasids(ENGINE_THREAD SVM_UNIT, WITH_ATS);
}

/* The recorded fault of a request with a PASID: reason and the two bits. */
static void assert_pasid_fault(SvaGuest *s, unsigned reason, uint32_t pasid,
                               bool privileged, bool execute, uint64_t page)
{
    uint32_t fsts = guest_reg32(&s->g, VTD_REG_FSTS);
    unsigned record = VTD_REG_FRCD +
                      vtd_get(fsts, VTD_FSTS_FRI) * VTD_FAULT_RECORD_BYTES;
    uint64_t upper = guest_reg64(&s->g, record + 8);

    g_assert_true(upper & VTD_FRCD_F);
    g_assert_cmphex(vtd_get(upper, VTD_FRCD_FR), ==, reason);
    g_assert_cmphex(vtd_get(upper, VTD_FRCD_SID), ==, SID);
    g_assert_true(upper & VTD_FRCD_PP);
    g_assert_cmpint(vtd_get(upper, VTD_FRCD_PV), ==, pasid);
    g_assert_cmpint(!!(upper & VTD_FRCD_PRIV), ==, privileged);
    g_assert_cmpint(!!(upper & VTD_FRCD_EXE), ==, execute);
    g_assert_cmphex(guest_reg64(&s->g, record), ==, page);
    qtest_writel(s->g.qts, REGS + record + 12, 1u << 31);
}

/* Rights that only some kinds of requests have; the ring is read plainly. */
static void test_rights(void)
{
    SvaTables t;
    SvaGuest s = start(SVM_UNIT, &t);
    uint64_t supervisor = guest_entry(&s.g, &t.of[1], CODE, 1);
    struct sva_ep_completion c;

    /* A supervisor's page */
    qtest_writeq(s.g.qts, supervisor, PAGE_C | VTD_FS_P | VTD_FS_RW);
    sva_queue_on(&s, 0, WITH_PASID, PASID_1);
    sva_queue_on(&s, 1, WITH_PASID | SVA_EP_QCTL_PRIVILEGED, PASID_1);
    c = sva_run(&s, 0, SVA_FILL(CODE, 1));
    g_assert_cmpint(c.error, ==, SVA_EP_ERR_WRITE);
    g_assert_cmphex(c.fault_addr, ==, CODE);
    assert_pasid_fault(&s, 0x81, PASID_1, false, false, CODE);

    /* No code there */
    sva_queue_on(&s, 2, WITH_PASID | SVA_EP_QCTL_EXECUTE, PASID_1);
    g_assert_cmpint(sva_run(&s, 2, SVA_COPY(IOVA, IOVA + 8)).error, ==,
                    SVA_EP_ERR_NONE);
    sva_set_pasid_entry(&s, PASID_1, &t.of[1], 0);
    sva_invalidate_unit(&s);
    g_assert_cmpint(sva_run(&s, 2, SVA_COPY(IOVA, IOVA + 8)).error, ==,
                    SVA_EP_ERR_READ);
    assert_pasid_fault(&s, 0x5c, PASID_1, false, true, IOVA);

    /* No supervisor requests at all: not even the ring can be read. */
    sva_post(&s, 1, SVA_FILL(IOVA, 1));
    sva_wait_state(&s, 1, SVA_EP_QSTATE_FAILED);
    g_assert_cmpint(sva_qreg(&s, 1, SVA_EP_QERROR), ==, SVA_EP_ERR_READ);
    assert_pasid_fault(&s, 0x5d, PASID_1, true, false, RING(1));
    guest_finish(&s.g);
}

/* What PCIe's enable bits and the bus master bit do not allow is not sent. */
static void test_not_enabled(void)
{
    static const struct {
        uint32_t ctl;
        uint16_t pasid_ctrl;
        bool runs;
    } cases[] = {
        { WITH_PASID, PCI_PASID_CTRL_ENABLE, true },
        { WITH_PASID, 0, false },
        { WITH_PASID | SVA_EP_QCTL_PRIVILEGED,
          PCI_PASID_CTRL_ENABLE | PCI_PASID_CTRL_EXEC, false },
    };
    SvaTables t;
    SvaGuest s = start(SVM_UNIT, &t);
    uint64_t cap = sva_capability(&s, PCI_EXT_CAP_ID_PASID);

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        qtest_writew(s.g.qts, cap + PCI_PASID_CTRL, cases[i].pasid_ctrl);
        sva_queue_on(&s, 0, cases[i].ctl, PASID_1);
        if (cases[i].runs) {
            sva_assert_maps(&s, 0, IOVA, PAGE_A);
        } else {
            sva_post(&s, 0, SVA_FILL(IOVA, 1));
            sva_wait_state(&s, 0, SVA_EP_QSTATE_FAILED);
        }
        sva_queue_off(&s, 0);
    }
    sva_enable(&s, true, false, 0);
    sva_queue_on(&s, 0, WITH_ATS, PASID_1);
    sva_post(&s, 0, SVA_FILL(IOVA, 1));
    sva_wait_state(&s, 0, SVA_EP_QSTATE_FAILED);
    sva_queue_off(&s, 0);
    qpci_config_writew(s.g.dev, PCI_COMMAND, PCI_COMMAND_MEMORY);
    sva_queue_on(&s, 0, WITH_PASID, PASID_1);
    sva_post(&s, 0, SVA_FILL(IOVA, 1));
    sva_wait_state(&s, 0, SVA_EP_QSTATE_FAILED);
    g_assert_cmphex(guest_reg32(&s.g, VTD_REG_FSTS), ==, 0);
    guest_finish(&s.g);
}

/* --- ATS ------------------------------------------------------------------ */

static void test_hits(void)
{
    SvaTables t;
    SvaGuest s = start(SVM_UNIT, &t);
    uint64_t requests, hits;

    sva_queue_on(&s, 0, WITH_ATS, PASID_1);
    sva_assert_maps(&s, 0, IOVA, PAGE_A);
    requests = sva_count(&s, SVA_EP_COUNT_ATS_REQUESTS);
    hits = sva_count(&s, SVA_EP_COUNT_ATS_HITS);
    /* The ring for reading, for writing; the page for writing */
    g_assert_cmpint(requests, ==, 3);
    sva_assert_maps(&s, 0, IOVA + 0x800, PAGE_A + 0x800);
    g_assert_cmpint(sva_count(&s, SVA_EP_COUNT_ATS_REQUESTS), ==, requests);
    /* Command, data, the two parts of the record */
    g_assert_cmpint(sva_count(&s, SVA_EP_COUNT_ATS_HITS), ==, hits + 4);

    /* 2 MiB take one request. */
    qtest_writeq(s.g.qts, guest_entry(&s.g, &t.of[1], BIG, 2),
                 32 * MiB | VTD_FS_PS | t.of[1].leaf_bits);
    sva_assert_maps(&s, 0, BIG, 32 * MiB);
    sva_assert_maps(&s, 0, BIG + 0x1ff000, 32 * MiB + 0x1ff000);
    g_assert_cmpint(sva_count(&s, SVA_EP_COUNT_ATS_REQUESTS), ==,
                    requests + 1);

    /* More pages than the cache has entries */
    for (unsigned i = 0; i < 300; i++) {
        guest_map(&s.g, &t.of[1], IOVA + i * 0x1000, PAGE_A + i * 0x1000);
    }
    for (unsigned i = 0; i < 600; i++) {
        uint64_t offset = i % 300 * 0x1000;

        sva_assert_maps(&s, 0, IOVA + offset, PAGE_A + offset);
    }
    guest_finish(&s.g);
}

/* How an invalidation is written, and whether IOVA of PASID 1 is in it. */
typedef struct Scope {
    uint32_t pasid;
    uint64_t addr;
    uint64_t size;
    bool hit;
} Scope;

static const Scope scopes[] = {
    { PASID_1, IOVA, 0x1000, true },
    { PASID_2, IOVA, 0x1000, false },
    { NO_PASID, IOVA, 0x1000, false },
    { PASID_1, IOVA + 0x1000, 0x1000, false },
    { PASID_1, IOVA & ~0xffffull, 0x10000, true },
    { PASID_1, IOVA & ~0x1fffffull, 0x200000, true },
    { PASID_1, (IOVA & ~0xffffull) + 0x10000, 0x10000, false },
    { ALL_PASIDS, IOVA, 0x1000, true },
    { ALL_PASIDS, IOVA + 0x1000, 0x1000, false },
    { PASID_1, 0, 1ull << 63, true },
};

/* The unit has forgotten the old page, the device keeps it until it is told. */
static void check_scope(SvaGuest *s, SvaTables *t, const Scope *scope)
{
    uint64_t count = sva_count(s, SVA_EP_COUNT_INVALIDATIONS);

    guest_map(&s->g, &t->of[1], IOVA, PAGE_A);
    sva_invalidate_unit(s);
    sva_invalidate_device(s, ALL_PASIDS, IOVA, 0x1000);
    guest_wait(&s->g);
    sva_assert_maps(s, 0, IOVA, PAGE_A);
    guest_map(&s->g, &t->of[1], IOVA, PAGE_C);
    sva_invalidate_unit(s);
    sva_assert_maps(s, 0, IOVA, PAGE_A);
    sva_invalidate_device(s, scope->pasid, scope->addr, scope->size);
    guest_wait(&s->g);
    sva_assert_maps(s, 0, IOVA, scope->hit ? PAGE_C : PAGE_A);
    g_assert_cmpint(sva_count(s, SVA_EP_COUNT_INVALIDATIONS), ==, count + 2);
}

static void check_invalidations(const char *options)
{
    SvaTables t;
    SvaGuest s = start(options, &t);

    sva_queue_on(&s, 0, WITH_ATS, PASID_1);
    for (unsigned i = 0; i < ARRAY_SIZE(scopes); i++) {
        check_scope(&s, &t, &scopes[i]);
    }
    guest_finish(&s.g);
}

static void test_invalidations(void)
{
    check_invalidations(SVM_UNIT);
    check_invalidations(ENGINE_THREAD SVM_UNIT);
}

static void test_invalidation_without_pasid(void)
{
    SvaTables t;
    SvaGuest s = start(SVM_UNIT, &t);

    sva_queue_on(&s, 0, SVA_EP_QCTL_ATS, 0);
    sva_assert_maps(&s, 0, IOVA, PAGE_A);
    guest_map(&s.g, &t.of[1], IOVA, PAGE_C);
    sva_invalidate_unit(&s);
    sva_invalidate_device(&s, ALL_PASIDS, IOVA, 0x1000);
    guest_wait(&s.g);
    sva_assert_maps(&s, 0, IOVA, PAGE_A);
    sva_invalidate_device(&s, NO_PASID, IOVA, 0x1000);
    guest_wait(&s.g);
    sva_assert_maps(&s, 0, IOVA, PAGE_C);
    guest_finish(&s.g);
}

/* A hit in the middle of a large page drops all of it. */
static void test_invalidation_of_large_page(void)
{
    SvaTables t;
    SvaGuest s = start(SVM_UNIT, &t);
    uint64_t slot = guest_entry(&s.g, &t.of[1], BIG, 2);

    qtest_writeq(s.g.qts, slot, 32 * MiB | VTD_FS_PS | t.of[1].leaf_bits);
    sva_queue_on(&s, 0, WITH_ATS, PASID_1);
    sva_assert_maps(&s, 0, BIG, 32 * MiB);
    qtest_writeq(s.g.qts, slot, 34 * MiB | VTD_FS_PS | t.of[1].leaf_bits);
    sva_invalidate_unit(&s);
    sva_assert_maps(&s, 0, BIG, 32 * MiB);
    sva_invalidate_device(&s, PASID_1, BIG + 0x55000, 0x1000);
    guest_wait(&s.g);
    sva_assert_maps(&s, 0, BIG, 34 * MiB);
    guest_finish(&s.g);
}

static void test_knobs(void)
{
    SvaTables t;
    SvaGuest s = start(SVM_UNIT, &t);

    sva_queue_on(&s, 0, WITH_ATS, PASID_1);
    sva_assert_maps(&s, 0, IOVA, PAGE_A);
    guest_map(&s.g, &t.of[1], IOVA, PAGE_C);
    sva_invalidate_unit(&s);
    sva_debug(&s, SVA_EP_DEBUG_IGNORE_INVALIDATIONS);
    sva_invalidate_device(&s, PASID_1, IOVA, 0x1000);
    guest_wait(&s.g);
    sva_assert_maps(&s, 0, IOVA, PAGE_A);

    sva_debug(&s, SVA_EP_DEBUG_NO_ANSWER);
    sva_invalidate_device(&s, PASID_1, IOVA, 0x1000);
    guest_submit(&s.g, (uint64_t)1 << 32 | 1 << 5 | 5, STATUS);
    g_assert_cmphex(guest_reg32(&s.g, VTD_REG_FSTS) & VTD_FSTS_ITE, ==,
                    VTD_FSTS_ITE);
    guest_finish(&s.g);
}

static void disable_ats(SvaGuest *s)
{
    sva_enable(s, true, false, 0);
    sva_enable(s, true, true, 0);
}

static void disable_pasid(SvaGuest *s)
{
    sva_enable(s, false, true, 0);
    sva_enable(s, true, true, 0);
}

static void reset_device(SvaGuest *s)
{
    qpci_io_writel(s->g.dev, s->g.bar, SVA_EP_CONTROL, SVA_EP_CONTROL_RESET);
    sva_queue_on(s, 0, WITH_ATS, PASID_1);
}

/* Whatever disables translations of its own empties the cache. */
static void test_emptied(void)
{
    static void (*const ways[])(SvaGuest *) = {
        disable_ats, disable_pasid, reset_device,
    };
    SvaTables t;
    SvaGuest s = start(SVM_UNIT, &t);
    bool odd = false;

    sva_queue_on(&s, 0, WITH_ATS, PASID_1);
    for (unsigned i = 0; i < ARRAY_SIZE(ways); i++, odd = !odd) {
        sva_assert_maps(&s, 0, IOVA, odd ? PAGE_C : PAGE_A);
        guest_map(&s.g, &t.of[1], IOVA, odd ? PAGE_A : PAGE_C);
        sva_invalidate_unit(&s);
        sva_assert_maps(&s, 0, IOVA, odd ? PAGE_C : PAGE_A);
        ways[i](&s);
        sva_assert_maps(&s, 0, IOVA, odd ? PAGE_A : PAGE_C);
    }
    guest_finish(&s.g);
}

/* A translation for reading does not allow writes, and gets replaced. */
static void test_write_permission(void)
{
    SvaTables t;
    SvaGuest s = start(SVM_UNIT, &t);
    uint64_t slot = guest_entry(&s.g, &t.of[1], IOVA, 1);
    struct sva_ep_completion c;

    qtest_writeq(s.g.qts, slot, PAGE_A | VTD_FS_P | VTD_FS_US);
    sva_queue_on(&s, 0, WITH_ATS, PASID_1);
    c = sva_run(&s, 0, SVA_COPY(IOVA, RING(0) + 0xf00));
    g_assert_cmpint(c.error, ==, SVA_EP_ERR_NONE);
    c = sva_run(&s, 0, SVA_FILL(IOVA + 0x10, 1));
    g_assert_cmpint(c.error, ==, SVA_EP_ERR_WRITE);
    g_assert_cmphex(c.fault_addr, ==, IOVA + 0x10);
    c = sva_run(&s, 0, SVA_SWAP(IOVA + 0x10, 1));
    g_assert_cmpint(c.error, ==, SVA_EP_ERR_WRITE);
    qtest_writeq(s.g.qts, slot, PAGE_A | t.of[1].leaf_bits);
    sva_assert_maps(&s, 0, IOVA, PAGE_A);
    g_assert_cmphex(guest_reg32(&s.g, VTD_REG_FSTS), ==, 0);
    guest_finish(&s.g);
}

static void check_swap(const char *options, uint32_t ctl)
{
    SvaTables t;
    SvaGuest s = start(options, &t);
    struct sva_ep_completion c;

    sva_queue_on(&s, 0, ctl, PASID_1);
    qtest_writeq(s.g.qts, PAGE_A + 0x18, 0x1234);
    c = sva_run(&s, 0, SVA_SWAP(IOVA + 0x18, 0x5678));
    g_assert_cmpint(c.error, ==, SVA_EP_ERR_NONE);
    g_assert_cmphex(c.result, ==, 0x1234);
    g_assert_cmphex(qtest_readq(s.g.qts, PAGE_A + 0x18), ==, 0x5678);
    guest_finish(&s.g);
}

static void test_swap(void)
{
    check_swap(SVM_UNIT, WITH_PASID);
    check_swap(SVM_UNIT, WITH_ATS);
    check_swap(SVM_UNIT, 0);
    check_swap(ENGINE_THREAD SVM_UNIT, WITH_ATS);
}

/* Translations below the smallest unit that software has set are no use. */
static void test_smallest_unit(void)
{
    SvaTables t;
    SvaGuest s = start(SVM_UNIT, &t);
    uint64_t ats = sva_capability(&s, PCI_EXT_CAP_ID_ATS);

    qtest_writew(s.g.qts, ats + PCI_ATS_CTRL, PCI_ATS_CTRL_ENABLE | 1);
    sva_queue_on(&s, 0, WITH_ATS, PASID_1);
    sva_post(&s, 0, SVA_FILL(IOVA, 1));
    sva_wait_state(&s, 0, SVA_EP_QSTATE_FAILED);
    guest_finish(&s.g);
}

/* The unit's own registers as target: what that sets off meets the engine in
 * the middle of an access. */
static void test_unit_as_target(void)
{
    SvaTables t;
    SvaGuest s = start(SVM_UNIT, &t);
    uint64_t descriptor[2] = { 8 | SID << 16 | (uint64_t)PASID_1 << 32, IOVA };
    unsigned tail = s.g.tail + 32;

    guest_map(&s.g, &t.of[1], CODE, REGS);
    sva_queue_on(&s, 0, WITH_ATS, PASID_1);
    sva_assert_maps(&s, 0, IOVA, PAGE_A);
    guest_map(&s.g, &t.of[1], IOVA, PAGE_C);
    sva_invalidate_unit(&s);
    tail = s.g.tail + 32;
    qtest_memwrite(s.g.qts, QUEUE + s.g.tail, descriptor, 16);
    qtest_memset(s.g.qts, QUEUE + s.g.tail + 16, 0, 16);
    g_assert_cmpint(sva_fill(&s, 0, CODE + VTD_REG_IQT, tail), ==,
                    SVA_EP_ERR_NONE);
    s.g.tail = tail;
    guest_wait(&s.g);
    sva_assert_maps(&s, 0, IOVA, PAGE_C);
    guest_finish(&s.g);
}

/*
 * Keep queue 0 busy with commands of 1 MiB each.  One ring's worth at most: an
 * engine that is faster than this process would empty it for ever.
 */
static void post_large(SvaGuest *s)
{
    struct sva_ep_cmd cmd = SVA_FILL(BIG, 0x0123456789abcdef);

    cmd.length = MiB;
    for (unsigned i = 1; i < RING_ENTRIES; i++) {
        if ((s->tail[0] + 1) % RING_ENTRIES == sva_user(s, 0, SVA_EP_UQ_HEAD)) {
            return;
        }
        sva_post(s, 0, cmd);
    }
}

/*
 * Pages change under an engine that runs beside everything else: once the
 * wait descriptor is through, the old ones are not written any more.
 */
static void check_nothing_late(uint32_t ctl)
{
    g_autofree uint8_t *got = g_malloc(64 * KiB);
    SvaTables t;
    SvaGuest s = start(ENGINE_THREAD SVM_UNIT, &t);
    uint64_t slot = guest_entry(&s.g, &t.of[1], BIG, 2);
    uint64_t old = 32 * MiB, new = 34 * MiB;

    qtest_writeq(s.g.qts, slot, old | VTD_FS_PS | t.of[1].leaf_bits);
    sva_queue_on(&s, 0, ctl, PASID_1);
    for (unsigned i = 0; i < 20; i++) {
        uint64_t done;

        post_large(&s);
        qtest_writeq(s.g.qts, slot, new | VTD_FS_PS | t.of[1].leaf_bits);
        guest_submit(&s.g, (uint64_t)DID << 16 | 1 << 4 | 2, 0);
        sva_invalidate_device(&s, PASID_1, BIG, 2 * MiB);
        guest_wait(&s.g);
        qtest_memset(s.g.qts, old, 0, 2 * MiB);
        /* The second command to end from here on began with the new page. */
        done = sva_count(&s, SVA_EP_QUEUE_REG(0, SVA_EP_QDONE));
        while (sva_count(&s, SVA_EP_QUEUE_REG(0, SVA_EP_QDONE)) < done + 2) {
            post_large(&s);
        }
        for (unsigned at = 0; at < MiB; at += 64 * KiB) {
            qtest_memread(s.g.qts, old + at, got, 64 * KiB);
            g_assert_true(buffer_is_zero(got, 64 * KiB));
        }
        g_assert_cmphex(qtest_readq(s.g.qts, new), ==, 0x0123456789abcdef);
        old = new;
        new = 66 * MiB - old;
    }
    g_assert_cmpint(sva_qreg(&s, 0, SVA_EP_QERROR), ==, 0);
    g_assert_cmpint(sva_count(&s, SVA_EP_COUNT_FAILED), ==, 0);
    guest_finish(&s.g);
}

static void test_nothing_late(void)
{
    check_nothing_late(WITH_PASID);
    check_nothing_late(WITH_ATS);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/intel-iommu/sva/pasids", test_pasids);
    qtest_add_func("/intel-iommu/sva/rights", test_rights);
    qtest_add_func("/intel-iommu/sva/not-enabled", test_not_enabled);
    qtest_add_func("/intel-iommu/sva/hits", test_hits);
    qtest_add_func("/intel-iommu/sva/invalidations", test_invalidations);
    qtest_add_func("/intel-iommu/sva/invalidation-without-pasid",
                   test_invalidation_without_pasid);
    qtest_add_func("/intel-iommu/sva/invalidation-of-large-page",
                   test_invalidation_of_large_page);
    qtest_add_func("/intel-iommu/sva/knobs", test_knobs);
    qtest_add_func("/intel-iommu/sva/emptied", test_emptied);
    qtest_add_func("/intel-iommu/sva/write-permission",
                   test_write_permission);
    qtest_add_func("/intel-iommu/sva/swap", test_swap);
    qtest_add_func("/intel-iommu/sva/smallest-unit", test_smallest_unit);
    qtest_add_func("/intel-iommu/sva/unit-as-target", test_unit_as_target);
    qtest_add_func("/intel-iommu/sva/nothing-late", test_nothing_late);
    return g_test_run();
}
