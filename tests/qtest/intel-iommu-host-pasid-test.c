/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of PASIDs of a passed-through device, on the reference host: each PASID
 * entry of the guest becomes an attachment of the host, and goes again.
 */
#include "qemu/osdep.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "qobject/qnum.h"
#include "reference-host-pasid.h"

#include <linux/iommufd.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>

#define WITH_PASIDS HOST_NESTED ",pasid-bits=20"
#define PASID 5u

/* Requests without PASID at PAGE_A; nothing for PASIDs yet. */
static void start(Host *h, const char *iommu)
{
    GuestTables p = guest_first_stage(0);

    host_start(h, iommu);
    guest_map(&h->g, &p, IOVA, PAGE_A);
    host_context(h, VTD_PGTT_FIRST_STAGE);
    qtest_writeq(h->g.qts, CONTEXT + SID * 32,
                 PASID_DIR | VTD_SMCTX_PASIDE | VTD_SMCTX_P);
    guest_queue_on(&h->g);
    guest_translation_on(&h->g);
}

/* And PASID at PAGE_B. */
static GuestTables start_with_pasid(Host *h)
{
    GuestTables p = host_pasid_tables();

    start(h, WITH_PASIDS);
    guest_map(&h->g, &p, IOVA, PAGE_B);
    host_pasid_entry(h, PASID, VTD_PGTT_FIRST_STAGE, PASID_DID, PASID_TABLES);
    host_pasid_invalidate(h, PC_PASID, PASID);
    g_assert_cmpint(h->ref->live[REF_PASID], ==, 1);
    return p;
}

static void test_own_tables(void)
{
    Host h = host_new("");

    start_with_pasid(&h);
    host_assert_pasid_maps(&h, PASID, PAGE_B);
    host_use_no_pasid(&h);
    guest_assert_maps(&h.g, IOVA, PAGE_A);
    host_assert_pasid_refused(&h, PASID + 1);
    host_finish(&h);
}

static void test_structs(void)
{
    Host h = host_new("");
    const RefCall *call;
    struct iommu_hwpt_alloc alloc;
    uint32_t attach[4];

    start_with_pasid(&h);
    call = host_call(&h, REF_IOMMUFD, IOMMU_HWPT_ALLOC, -1);
    g_assert_nonnull(call);
    memcpy(&alloc, call->data, sizeof(alloc));
    g_assert_cmphex(alloc.flags, ==, IOMMU_HWPT_ALLOC_PASID);
    g_assert_cmpint(alloc.data_type, ==, IOMMU_HWPT_DATA_VTD_S1);
    call = host_call(&h, REF_DEVICE, VFIO_DEVICE_ATTACH_IOMMUFD_PT, -1);
    g_assert_nonnull(call);
    memcpy(attach, call->data, sizeof(attach));
    g_assert_cmpint(attach[0], ==, 16);
    g_assert_cmpint(attach[1], ==, 1);
    g_assert_cmpint(attach[3], ==, PASID);
    g_assert_cmpint(call->result, ==, 0);
    host_finish(&h);
}

static void test_invalidation(void)
{
    Host h = host_new("");
    GuestTables p = start_with_pasid(&h);
    const uint64_t page_of_pasid = (uint64_t)PASID << 32 |
                                   (uint64_t)PASID_DID << 16 | 3 << 4 | 6;

    host_assert_pasid_maps(&h, PASID, PAGE_B);
    guest_map(&h.g, &p, IOVA, PAGE_C);
    host_assert_pasid_maps(&h, PASID, PAGE_B);
    /* Another PASID's, another domain's: not its own. */
    guest_submit(&h.g, page_of_pasid + (1ull << 32), IOVA);
    guest_submit(&h.g, page_of_pasid + (1ull << 16), IOVA);
    guest_wait(&h.g);
    host_assert_pasid_maps(&h, PASID, PAGE_B);
    guest_submit(&h.g, page_of_pasid, IOVA);
    guest_wait(&h.g);
    host_assert_pasid_maps(&h, PASID, PAGE_C);
    host_finish(&h);
}

static void check_removed(unsigned granularity)
{
    Host h = host_new("");

    start_with_pasid(&h);
    host_assert_pasid_maps(&h, PASID, PAGE_B);
    host_pasid_clear(&h, PASID);
    host_pasid_invalidate(&h, granularity, PASID);
    host_assert_pasid_refused(&h, PASID);
    g_assert_cmpint(h.ref->live[REF_PASID], ==, 0);
    g_assert_cmpint(h.ref->live[REF_NESTED], ==, 1);
    host_use_no_pasid(&h);
    guest_assert_maps(&h.g, IOVA, PAGE_A);
    host_finish(&h);
}

static void test_removed(void)
{
    check_removed(PC_PASID);
    check_removed(PC_DOMAIN);
    check_removed(PC_GLOBAL);
}

/* Entries are found by wide invalidations, too; those of others stay. */
static void check_added(unsigned granularity)
{
    Host h = host_new("");
    GuestTables p;
    uint32_t attaches;

    start_with_pasid(&h);
    p = host_pasid_tables();
    attaches = host_calls(&h, REF_DEVICE, VFIO_DEVICE_ATTACH_IOMMUFD_PT);
    host_pasid_entry(&h, 0x3f, VTD_PGTT_FIRST_STAGE, PASID_DID, PASID_TABLES);
    guest_map(&h.g, &p, IOVA, PAGE_B);
    host_pasid_invalidate(&h, granularity, 0);
    g_assert_cmpint(h.ref->live[REF_PASID], ==, 2);
    g_assert_cmpint(host_calls(&h, REF_DEVICE, VFIO_DEVICE_ATTACH_IOMMUFD_PT),
                    ==, attaches + 1);
    host_assert_pasid_maps(&h, PASID, PAGE_B);
    host_assert_pasid_maps(&h, 0x3f, PAGE_B);
    host_finish(&h);
}

static void test_added(void)
{
    check_added(PC_DOMAIN);
    check_added(PC_GLOBAL);
}

static void test_changed(void)
{
    Host h = host_new("");

    start_with_pasid(&h);
    host_assert_pasid_maps(&h, PASID, PAGE_B);
    host_pasid_entry(&h, PASID, VTD_PGTT_FIRST_STAGE, PASID_DID, FS_TABLES);
    host_pasid_invalidate(&h, PC_PASID, PASID);
    host_assert_pasid_maps(&h, PASID, PAGE_A);
    host_pasid_entry(&h, PASID, VTD_PGTT_PASS_THROUGH, PASID_DID, 0);
    host_pasid_invalidate(&h, PC_PASID, PASID);
    host_use_pasid(&h, PASID);
    guest_assert_maps(&h.g, PAGE_C, PAGE_C);
    g_assert_cmpint(h.ref->live[REF_NESTED], ==, 1);
    host_finish(&h);
}

/* --- The guest's second stage --------------------------------------------- */

/* Pages of the second stage that PASID is under, or that lies below its first
 * stage. */
static void put_second_stage(Host *h, unsigned pgtt)
{
    uint64_t at = PASID_TABLE + PASID * 64;

    qtest_writeq(h->g.qts, at + 8, PASID_DID);
    qtest_writeq(h->g.qts, at + 16, PASID_TABLES);
    qtest_writeq(h->g.qts, at,
                 SS_TABLES | pgtt << 6 | 2 << 2 | VTD_PASID_P);
    host_pasid_invalidate(h, PC_PASID, PASID);
}

static void invalidate_second_stage(Host *h, uint64_t iova)
{
    guest_submit(&h->g, (uint64_t)PASID_DID << 16 | 3 << 4 | 2, iova);
    guest_wait(&h->g);
}

static void test_second_stage(void)
{
    Host h = host_new("");
    GuestTables p;

    start_with_pasid(&h);
    p = guest_second_stage();
    guest_map(&h.g, &p, IOVA, PAGE_B);
    guest_map(&h.g, &p, IOVA + 0x1000, PAGE_C);
    put_second_stage(&h, VTD_PGTT_SECOND_STAGE);
    host_use_pasid(&h, PASID);
    guest_assert_maps(&h.g, IOVA + 0x238, PAGE_B + 0x238);
    guest_assert_maps(&h.g, IOVA + 0x1238, PAGE_C + 0x238);
    g_assert_cmphex(guest_reg32(&h.g, VTD_REG_FSTS), ==, 0);

    /* A change counts from its invalidation on; the other page stays. */
    guest_map(&h.g, &p, IOVA, PAGE_A);
    guest_assert_maps(&h.g, IOVA, PAGE_B);
    invalidate_second_stage(&h, IOVA);
    guest_assert_maps(&h.g, IOVA, PAGE_A);
    guest_assert_maps(&h.g, IOVA + 0x1000, PAGE_C);
    qtest_writeq(h.g.qts, guest_entry(&h.g, &p, IOVA, 1), 0);
    invalidate_second_stage(&h, IOVA);
    host_assert_pasid_refused(&h, PASID);
    guest_assert_maps(&h.g, IOVA + 0x1000, PAGE_C);

    host_pasid_clear(&h, PASID);
    host_pasid_invalidate(&h, PC_PASID, PASID);
    g_assert_cmpint(h.ref->live[REF_PASID], ==, 0);
    host_finish(&h);
}

/* Beyond memory and in the interrupt range nothing is mapped, and around it
 * all is. */
static void test_second_stage_holes(void)
{
    Host h = host_new("");
    GuestTables p;
    uint64_t value;

    start_with_pasid(&h);
    p = guest_second_stage();
    guest_map(&h.g, &p, IOVA, RAM_END + 0x1000);
    /* 2 MiB with the range's first half, from PAGE_A's 2 MiB. */
    qtest_writeq(h.g.qts, guest_entry(&h.g, &p, 0xfec00000, 2),
                 (PAGE_A & ~0x1fffffull) | 0x83);
    qtest_writeq(h.g.qts, guest_entry(&h.g, &p, 0xfee00000, 2),
                 (PAGE_A & ~0x1fffffull) | 0x83);
    put_second_stage(&h, VTD_PGTT_SECOND_STAGE);
    host_assert_pasid_refused(&h, PASID);
    guest_assert_maps(&h.g, 0xfedff000, (PAGE_A & ~0x1fffffull) + 0x1ff000);
    guest_assert_maps(&h.g, 0xfef00000, (PAGE_A & ~0x1fffffull) + 0x100000);
    g_assert_cmpint(guest_dma_read(&h.g, 0xfee00000, &value), ==,
                    SVA_EP_ERR_READ);
    host_finish(&h);
}

static void test_nested(void)
{
    Host h = host_new("");
    GuestTables fs = host_pasid_tables(), ss;

    start_with_pasid(&h);
    fs.moved = MOVED;
    ss = guest_second_stage();
    guest_map(&h.g, &fs, IOVA, PAGE_B);
    guest_map_moved(&h.g, &ss, PASID_TABLES);
    guest_map(&h.g, &ss, PAGE_B, PAGE_C);
    put_second_stage(&h, VTD_PGTT_NESTED);
    host_assert_pasid_maps(&h, PASID, PAGE_C);
    guest_map(&h.g, &ss, PAGE_B, PAGE_A);
    invalidate_second_stage(&h, PAGE_B);
    host_assert_pasid_maps(&h, PASID, PAGE_A);
    host_finish(&h);
}

/* The host does not let go of a page: blocked, and the queue stops. */
static void test_second_stage_stuck(void)
{
    Host h = host_new("");
    GuestTables p;

    start_with_pasid(&h);
    p = guest_second_stage();
    guest_map(&h.g, &p, IOVA, PAGE_B);
    put_second_stage(&h, VTD_PGTT_SECOND_STAGE);
    host_assert_pasid_maps(&h, PASID, PAGE_B);
    qtest_writeq(h.g.qts, guest_entry(&h.g, &p, IOVA, 1), 0);
    host_fail(&h, IOMMU_IOAS_UNMAP, 0, 1, EIO);
    guest_submit(&h.g, (uint64_t)PASID_DID << 16 | 3 << 4 | 2, IOVA);
    g_assert_cmphex(guest_reg32(&h.g, VTD_REG_FSTS), ==, VTD_FSTS_IQE);
    g_assert_cmpint(h.ref->live[REF_PASID], ==, 0);
    host_assert_pasid_refused(&h, PASID);
    host_fail_nothing(&h);
    host_finish(&h);
}

/* All that takes PASIDs away at once. */
static void test_all_gone(void)
{
    Host h = host_new("");

    start_with_pasid(&h);
    qtest_writeq(h.g.qts, CONTEXT + SID * 32, PASID_DIR | VTD_SMCTX_P);
    guest_submit(&h.g, 1 << 4 | 1, 0); /* context cache, global */
    guest_wait(&h.g);
    g_assert_cmpint(h.ref->live[REF_PASID], ==, 0);
    host_assert_pasid_refused(&h, PASID);
    host_finish(&h);

    h = host_new("");
    start_with_pasid(&h);
    qtest_writel(h.g.qts, REGS + VTD_REG_GCMD, VTD_GCMD_QIE);
    g_assert_cmpint(h.ref->live[REF_PASID], ==, 0);
    host_assert_pasid_refused(&h, PASID);
    host_finish(&h);

    h = host_new("");
    start_with_pasid(&h);
    qtest_system_reset(h.g.qts);
    g_assert_cmpint(h.ref->live[REF_PASID], ==, 0);
    host_finish(&h);
}

/* An attachment that the host refuses: blocked, and the guest is told; it
 * works once the host does. */
static void test_refused(void)
{
    Host h = host_new("");

    start(&h, WITH_PASIDS);
    host_pasid_entry(&h, PASID, VTD_PGTT_FIRST_STAGE, PASID_DID, FS_TABLES);
    host_fail(&h, VFIO_DEVICE_ATTACH_IOMMUFD_PT, 0, 1, EBUSY);
    host_pasid_invalidate(&h, PC_PASID, PASID);
    g_assert_cmpint(h.ref->live[REF_PASID], ==, 0);
    g_assert_cmpint(h.ref->live[REF_NESTED], ==, 1);
    g_assert_cmphex(vtd_get(guest_reg64(&h.g, VTD_REG_FRCD + 8), VTD_FRCD_FR),
                    ==, 0x5b);
    host_fail_nothing(&h);
    host_pasid_invalidate(&h, PC_PASID, PASID);
    host_assert_pasid_maps(&h, PASID, PAGE_A);
    host_finish(&h);
}

/* A guest that fills its PASID table does not fill the host's memory. */
static void test_many(void)
{
    enum { LIMIT = 4096, TABLES = LIMIT / 64 + 1, FIRST = 64 };
    const uint64_t tables = 0x800000;
    uint64_t entry[64][8] = { };
    Host h = host_new("");

    for (unsigned i = 0; i < 64; i++) {
        entry[i][0] = VTD_PGTT_FIRST_STAGE << 6 | VTD_PASID_P;
        entry[i][1] = PASID_DID;
        entry[i][2] = FS_TABLES;
    }
    start(&h, WITH_PASIDS);
    for (unsigned i = 0; i < TABLES; i++) {
        qtest_memwrite(h.g.qts, tables + i * 4096, entry, sizeof(entry));
        qtest_writeq(h.g.qts, PASID_DIR + (FIRST / 64 + i) * 8,
                     (tables + i * 4096) | VTD_PDIR_P);
    }
    host_pasid_invalidate(&h, PC_GLOBAL, 0);
    g_assert_cmpint(h.ref->live[REF_PASID], ==, LIMIT);
    host_assert_pasid_maps(&h, FIRST, PAGE_A);
    host_assert_pasid_maps(&h, FIRST + LIMIT - 1, PAGE_A);
    host_assert_pasid_refused(&h, FIRST + LIMIT);
    /* The guest is told when it asks for one more... */
    host_pasid_invalidate(&h, PC_PASID, FIRST + LIMIT);
    g_assert_cmphex(vtd_get(guest_reg64(&h.g, VTD_REG_FRCD + 8), VTD_FRCD_FR),
                    ==, 0x5b);
    /* ...and gets it in place of another. */
    qtest_writeq(h.g.qts, tables, 0);
    host_pasid_invalidate(&h, PC_PASID, FIRST);
    host_pasid_invalidate(&h, PC_PASID, FIRST + LIMIT);
    g_assert_cmpint(h.ref->live[REF_PASID], ==, LIMIT);
    host_assert_pasid_maps(&h, FIRST + LIMIT, PAGE_A);
    host_finish(&h);
}

/* --- What the user sees of it --------------------------------------------- */

static void assert_binding(QDict *b, int64_t pasid, const char *state,
                           int64_t domain, int64_t table)
{
    g_assert_cmpint(qdict_get_try_int(b, "pasid", -1), ==, pasid);
    g_assert_cmpstr(qdict_get_str(b, "state"), ==, state);
    g_assert_cmpint(qdict_get_try_int(b, "domain", -1), ==, domain);
    g_assert_cmphex(qdict_get_try_int(b, "table", -1), ==, table);
}

static void test_query_devices(void)
{
    Host h = host_new("");
    QList *list, *pasids;
    QDict *d;

    start_with_pasid(&h);
    list = qobject_to(QList, host_property(&h, "x-host-devices"));
    g_assert_cmpint(qlist_size(list), ==, 1);
    d = qobject_to(QDict, qlist_peek(list));
    g_assert_cmpstr(qdict_get_str(d, "backend"), ==, "iommufd");
    g_assert_cmpint(qdict_get_int(d, "pasid-bits"), ==, 20);
    g_assert_false(qdict_get_bool(d, "page-requests"));
    assert_binding(qdict_get_qdict(d, "without-pasid"), -1, "first-stage", DID,
                   FS_TABLES);
    pasids = qdict_get_qlist(d, "pasids");
    g_assert_cmpint(qlist_size(pasids), ==, 1);
    assert_binding(qobject_to(QDict, qlist_peek(pasids)), PASID,
                   "first-stage", PASID_DID, PASID_TABLES);
    qobject_unref(list);
    host_finish(&h);
}

static void assert_hwpts(Host *h, int64_t count)
{
    g_autoptr(QNum) hwpts = qobject_to(QNum, host_property(h, "x-host-hwpts"));

    g_assert_cmpint(qnum_get_int(hwpts), ==, count);
    g_assert_cmpint(h->ref->live[REF_NESTED], ==, count);
}

static void test_query_hwpts(void)
{
    Host h = host_new("");

    start_with_pasid(&h);
    assert_hwpts(&h, 2);
    host_pasid_clear(&h, PASID);
    host_pasid_invalidate(&h, PC_PASID, PASID);
    assert_hwpts(&h, 1);
    host_pasid_entry(&h, PASID, VTD_PGTT_FIRST_STAGE, PASID_DID, FS_TABLES);
    host_fail(&h, IOMMU_HWPT_ALLOC, 0, 1, ENOMEM);
    host_pasid_invalidate(&h, PC_PASID, PASID);
    assert_hwpts(&h, 1);
    host_finish(&h);
}

static void assert_feature(QDict *all, const char *name, bool shown,
                           const char *reason)
{
    QDict *one = qdict_get_qdict(all, name);

    g_test_message("%s", name);
    g_assert_nonnull(one);
    g_assert_cmpint(qdict_get_bool(one, "shown"), ==, shown);
    g_assert_nonnull(strstr(qdict_get_str(one, "reason"), reason));
}

static void test_query_features(void)
{
    /* Without EAFS. */
    Host h = host_new("ecap 0001e998a40000c3\n");
    QDict *all;

    host_start(&h, WITH_PASIDS ",rps=off");
    all = qobject_to(QDict, host_property(&h, "x-features"));
    assert_feature(all, "srs", true, "by default: with nested=on");
    assert_feature(all, "rps", false, "set by property");
    assert_feature(all, "eafs", false, "the host of VFIO");
    assert_feature(all, "prs", false, "by default: with svm=on");
    qobject_unref(all);
    host_finish(&h);
}

/* --- What the guest sees of it -------------------------------------------- */

/* The whole configuration space of the device, which ports do not reach. */
#define ECAM 0xb0000000ull
#define CONFIG(offset) (ECAM + (SID << 12) + (offset))

static void ecam_on(Host *h)
{
    QPCIDevice *mch = qpci_device_find(h->g.bus, 0);

    qpci_config_writel(mch, 0x60, ECAM | 1); /* PCIEXBAR */
    g_free(mch);
}

static unsigned pasid_capability(Host *h)
{
    unsigned at = PCI_CFG_SPACE_SIZE;

    ecam_on(h);
    for (unsigned n = 0; n < 64 && at; n++) {
        uint32_t header = qtest_readl(h->g.qts, CONFIG(at));

        if (PCI_EXT_CAP_ID(header) == PCI_EXT_CAP_ID_PASID) {
            return at;
        }
        at = PCI_EXT_CAP_NEXT(header);
    }
    return 0;
}

static void test_capability(void)
{
    Host h = host_new("");
    unsigned at;

    host_start(&h, WITH_PASIDS);
    at = pasid_capability(&h);
    g_assert_cmphex(at, !=, 0);
    /* As wide as the host's; neither execute nor privileged mode. */
    g_assert_cmphex(qtest_readw(h.g.qts, CONFIG(at + PCI_PASID_CAP)), ==,
                    20 << 8);
    g_assert_cmphex(qtest_readw(h.g.qts, CONFIG(at + PCI_PASID_CTRL)), ==, 0);
    qtest_writew(h.g.qts, CONFIG(at + PCI_PASID_CTRL), 7);
    g_assert_cmphex(qtest_readw(h.g.qts, CONFIG(at + PCI_PASID_CTRL)), ==,
                    PCI_PASID_CTRL_ENABLE);
    host_finish(&h);
}

static void test_capability_elsewhere(void)
{
    Host h = host_new("");

    host_start(&h, WITH_PASIDS ",x-pasid-cap-offset=0x100");
    g_assert_cmphex(pasid_capability(&h), ==, 0x100);
    host_finish(&h);
}

/* None where the guest's unit has no PASIDs, nor where the kernel has no
 * interface for them. */
static void test_no_capability(void)
{
    static const struct {
        const char *iommu, *host;
    } without[] = {
        { HOST_NESTED, "" },
        { WITH_PASIDS, "kernel 6.11\n" },
        { WITH_PASIDS, "pasid-bits 0\n" },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(without); i++) {
        Host h = host_new(without[i].host);

        g_test_message("%s on %s", without[i].iommu, without[i].host);
        start(&h, without[i].iommu);
        g_assert_cmphex(pasid_capability(&h), ==, 0);
        host_pasid_entry(&h, PASID, VTD_PGTT_FIRST_STAGE, PASID_DID, FS_TABLES);
        host_pasid_invalidate(&h, PC_PASID, PASID);
        g_assert_cmpint(h.ref->live[REF_PASID], ==, 0);
        guest_assert_maps(&h.g, IOVA, PAGE_A);
        host_finish(&h);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/host/pasid/own-tables", test_own_tables);
    qtest_add_func("/host/pasid/structs", test_structs);
    qtest_add_func("/host/pasid/invalidation", test_invalidation);
    qtest_add_func("/host/pasid/removed", test_removed);
    qtest_add_func("/host/pasid/added", test_added);
    qtest_add_func("/host/pasid/changed", test_changed);
    qtest_add_func("/host/pasid/second-stage", test_second_stage);
    qtest_add_func("/host/pasid/second-stage-holes", test_second_stage_holes);
    qtest_add_func("/host/pasid/second-stage-stuck", test_second_stage_stuck);
    qtest_add_func("/host/pasid/nested", test_nested);
    qtest_add_func("/host/pasid/all-gone", test_all_gone);
    qtest_add_func("/host/pasid/refused", test_refused);
    qtest_add_func("/host/pasid/many", test_many);
    qtest_add_func("/host/pasid/query-devices", test_query_devices);
    qtest_add_func("/host/pasid/query-hwpts", test_query_hwpts);
    qtest_add_func("/host/pasid/query-features", test_query_features);
    qtest_add_func("/host/pasid/capability", test_capability);
    qtest_add_func("/host/pasid/capability-elsewhere",
                   test_capability_elsewhere);
    qtest_add_func("/host/pasid/no-capability", test_no_capability);
    return g_test_run();
}
