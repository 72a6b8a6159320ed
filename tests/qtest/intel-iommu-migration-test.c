/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of the intel-iommu device's migration and snapshots: a machine goes on
 * translating where it came from, and a machine with other capabilities is not
 * taken in.
 */
#include "qemu/osdep.h"
#include "qmp-status.h"
#include "vtd-guest.h"
#include "qemu/bswap.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"

/* Where the state goes on its way. */
typedef struct Route {
    char *dir;
    char *path;
    char *uri;
} Route;

static Route route_new(void)
{
    Route r = { .dir = g_dir_make_tmp("intel-iommu-XXXXXX", NULL) };

    r.path = g_strdup_printf("%s/socket", r.dir);
    r.uri = g_strdup_printf("unix:%s", r.path);
    return r;
}

static void route_free(Route *r)
{
    unlink(r->path);
    g_assert_cmpint(rmdir(r->dir), ==, 0);
    g_free(r->dir);
    g_free(r->path);
    g_free(r->uri);
}

static QTestState *start_incoming(const Route *r, const char *iommu)
{
    return qtest_initf(MACHINE "%s-device sva-endpoint,addr=4 -incoming %s",
                       iommu, r->uri);
}

static void send_to(Guest *g, const Route *r)
{
    qtest_qmp_assert_success(
        g->qts, "{ 'execute': 'migrate', 'arguments': { 'uri': %s } }",
        r->uri);
}

/* The same guest on another machine; @g is gone. */
static Guest migrate(Guest *g, const char *iommu)
{
    Route r = route_new();
    Guest to = *g;

    to.qts = start_incoming(&r, iommu);
    send_to(g, &r);
    qmp_wait_status(g->qts, "query-migrate", "completed");
    qmp_wait_status(to.qts, "query-status", "running");
    to.bus = qpci_new_pc(to.qts, NULL);
    to.dev = qpci_device_find(to.bus, SID);
    g_assert_nonnull(to.dev);
    guest_finish(g);
    route_free(&r);
    return to;
}

static void assert_same_registers(Guest *to, const uint8_t *before)
{
    for (unsigned offset = 0; offset < 0x230; offset += 4) {
        g_assert_cmphex(guest_reg32(to, offset), ==,
                        (uint32_t)ldl_le_p(before + offset));
    }
}

static void check_goes_on(const char *iommu, unsigned pgtt, GuestTables p)
{
    Guest g = guest_start(iommu);
    uint8_t before[0x230];
    uint64_t iova = IOVA + 0x238;

    guest_map(&g, &p, IOVA, PAGE_A);
    if (g.scalable) {
        guest_scalable_context(&g, pgtt);
    } else {
        guest_legacy_context(&g, SID, 0);
    }
    guest_queue_on(&g);
    guest_translation_on(&g);
    guest_wait(&g);
    guest_assert_maps(&g, iova, PAGE_A + 0x238);
    qtest_memread(g.qts, REGS, before, sizeof(before));

    g = migrate(&g, iommu);
    assert_same_registers(&g, before);
    guest_assert_maps(&g, iova, PAGE_A + 0x238);
    guest_map(&g, &p, IOVA, PAGE_B);
    guest_invalidate_page(&g, p.leaf_bits & VTD_FS_US, IOVA);
    guest_assert_maps(&g, iova, PAGE_B + 0x238);
    guest_finish(&g);
}

static void test_legacy(void)
{
    check_goes_on(LEGACY, 0, guest_second_stage());
}

static void test_second_stage(void)
{
    check_goes_on(SECOND_STAGE, VTD_PGTT_SECOND_STAGE, guest_second_stage());
}

static void test_first_stage(void)
{
    check_goes_on(FIRST_STAGE, VTD_PGTT_FIRST_STAGE, guest_first_stage(0));
}

static void test_nested_unit(void)
{
    check_goes_on(NESTED, VTD_PGTT_FIRST_STAGE, guest_first_stage(0));
}

/* A recorded fault goes along, and can be cleared where it arrives. */
static void test_fault(void)
{
    Guest g = guest_start(LEGACY);
    GuestTables p = guest_second_stage();

    guest_map(&g, &p, IOVA, PAGE_A);
    guest_legacy_context(&g, SID, 0);
    guest_queue_on(&g);
    guest_translation_on(&g);
    g_assert_cmpint(guest_dma_write(&g, IOVA + 0x1000, 1), !=,
                    SVA_EP_ERR_NONE);
    g = migrate(&g, LEGACY);
    guest_assert_fault(&g, SID, 5, false, IOVA + 0x1000);
    guest_finish(&g);
}

/* A unit with several records: the second one is the one that is used next. */
static void test_second_record(void)
{
    Guest g = guest_start(NESTED);
    GuestTables p = guest_first_stage(0);
    const unsigned second = VTD_REG_FRCD + VTD_FAULT_RECORD_BYTES;
    uint64_t record[2];

    guest_map(&g, &p, IOVA, PAGE_A);
    guest_scalable_context(&g, VTD_PGTT_FIRST_STAGE);
    guest_queue_on(&g);
    guest_translation_on(&g);
    guest_dma_write(&g, IOVA + 0x1000, 1);
    guest_assert_fault(&g, SID, 0x71, false, IOVA + 0x1000);
    guest_dma_write(&g, IOVA + 0x2000, 1);
    qtest_memread(g.qts, REGS + second, record, sizeof(record));
    g_assert_cmphex(le64_to_cpu(record[0]), ==, IOVA + 0x2000);
    g_assert_true(le64_to_cpu(record[1]) >> 63);

    g = migrate(&g, NESTED);
    for (unsigned i = 0; i < 4; i++) {
        g_assert_cmphex(guest_reg32(&g, second + i * 4), ==,
                        (uint32_t)ldl_le_p((uint8_t *)record + i * 4));
    }
    g_assert_cmphex(guest_reg32(&g, VTD_REG_FSTS), ==,
                    VTD_FSTS_PPF | vtd_put(VTD_FSTS_FRI, 1));
    guest_finish(&g);
}

/* The machine that is to take it says @wanted, of the features that differ. */
static void check_refused(const char *from, const char *to,
                          const char *wanted)
{
    Route r = route_new();
    Guest g = guest_start(from);
    g_autofree char *log = g_strdup_printf("%s/log", r.dir);
    g_autofree char *text = NULL;
    g_autofree char *into_log = g_strdup_printf("%s 2>%s ", to, log);
    QTestState *qts = start_incoming(&r, into_log);

    qtest_set_expected_status(qts, 1);
    send_to(&g, &r);
    qtest_wait_qemu(qts);
    qtest_quit(qts);
    guest_finish(&g);
    g_assert_true(g_file_get_contents(log, &text, NULL, NULL));
    g_test_message("%s", text);
    g_assert_nonnull(strstr(text, wanted));
    unlink(log);
    route_free(&r);
}

static void test_other_capabilities(void)
{
    check_refused(LEGACY, "-device intel-iommu,caching-mode=on ",
                  "caching mode (CAP.CM) is off there and on here (with "
                  "caching-mode=on");
    check_refused(LEGACY, "-device intel-iommu,aw-bits=39 ",
                  "the width of addresses (CAP.MGAW) is another one there");
    check_refused(FIRST_STAGE, NESTED,
                  "nested translation (ECAP.NEST) is off there and on here");
    check_refused(SECOND_STAGE, LEGACY,
                  "scalable mode (ECAP.SMTS) is on there and off here");
    check_refused(NESTED, NESTED_WITH(",fault-records=1"), "(CAP)");
    check_refused(NESTED, NESTED_WITH(",ssads=off"),
                  "(ECAP.SSADS) is on there and off here (set by property)");
}

/* What "auto" came to counts, not that both sides were left to it. */
static void test_frozen(void)
{
    check_refused("-device intel-iommu,nested=auto,x-flts=off ",
                  "-device intel-iommu,nested=auto ",
                  "first-stage translation (ECAP.FSTS) is off there and on "
                  "here (by default)");
    check_refused("-device intel-iommu,nested=auto,pasid-bits=16 ",
                  "-device intel-iommu,nested=auto,pasid-bits=auto ",
                  "PASIDs (ECAP.PASID, PSS) is another one there");
}

/* Once the only job there is has done its work. */
static void finish_job(QTestState *qts)
{
    gint64 deadline = g_get_monotonic_time() + 120 * G_USEC_PER_SEC;
    bool concluded = false;

    while (!concluded) {
        g_autoptr(QDict) reply =
            qtest_qmp(qts, "{ 'execute': 'query-jobs' }");
        const QDict *job = qobject_to(
            QDict, qlist_peek(qdict_get_qlist(reply, "return")));

        g_assert_nonnull(job);
        g_assert_null(qdict_get_try_str(job, "error"));
        concluded = !strcmp(qdict_get_str(job, "status"), "concluded");
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_usleep(1000);
    }
    qtest_qmp_assert_success(
        qts, "{ 'execute': 'job-dismiss', 'arguments': { 'id': 'job' } }");
}

/* A disk that no device has, for snapshots of the machine. */
static void add_disk(QTestState *qts, const char *path)
{
    qtest_qmp_assert_success(
        qts, "{ 'execute': 'blockdev-create', 'arguments': { 'job-id': 'job',"
        " 'options': { 'driver': 'file', 'filename': %s, 'size': 0 } } }",
        path);
    finish_job(qts);
    qtest_qmp_assert_success(
        qts, "{ 'execute': 'blockdev-add', 'arguments': { 'driver': 'file',"
        " 'node-name': 'file', 'filename': %s } }", path);
    qtest_qmp_assert_success(
        qts, "{ 'execute': 'blockdev-create', 'arguments': { 'job-id': 'job',"
        " 'options': { 'driver': 'qcow2', 'file': 'file', 'size': 1048576 } }"
        " }");
    finish_job(qts);
    qtest_qmp_assert_success(
        qts, "{ 'execute': 'blockdev-add', 'arguments': { 'driver': 'qcow2',"
        " 'node-name': 'disk', 'file': 'file' } }");
}

static void monitor(QTestState *qts, const char *command)
{
    g_autofree char *answer = qtest_hmp(qts, "%s", command);

    g_assert_cmpstr(answer, ==, "");
}

/* Back to a snapshot in the same QEMU, whose caches know what came later. */
static void check_snapshot(const char *iommu, unsigned pgtt, GuestTables p)
{
    Guest g = guest_start(iommu);
    g_autofree char *dir = g_dir_make_tmp("intel-iommu-XXXXXX", NULL);
    g_autofree char *path = g_strdup_printf("%s/disk", dir);
    uint8_t before[0x230];

    add_disk(g.qts, path);
    guest_map(&g, &p, IOVA, PAGE_A);
    guest_scalable_context(&g, pgtt);
    guest_queue_on(&g);
    guest_translation_on(&g);
    guest_wait(&g);
    guest_assert_maps(&g, IOVA, PAGE_A);
    qtest_memread(g.qts, REGS, before, sizeof(before));
    monitor(g.qts, "savevm here");

    guest_map(&g, &p, IOVA, PAGE_B);
    guest_invalidate_page(&g, p.leaf_bits & VTD_FS_US, IOVA);
    guest_assert_maps(&g, IOVA, PAGE_B);
    monitor(g.qts, "loadvm here");
    assert_same_registers(&g, before);
    guest_assert_maps(&g, IOVA, PAGE_A);

    /* The endpoint's BAR comes back with the snapshot. */
    qtest_system_reset(g.qts);
    monitor(g.qts, "loadvm here");
    assert_same_registers(&g, before);
    guest_assert_maps(&g, IOVA, PAGE_A);
    guest_finish(&g);
    unlink(path);
    g_assert_cmpint(rmdir(dir), ==, 0);
}

static void test_snapshot(void)
{
    check_snapshot(SECOND_STAGE, VTD_PGTT_SECOND_STAGE, guest_second_stage());
    check_snapshot(NESTED, VTD_PGTT_FIRST_STAGE, guest_first_stage(0));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/intel-iommu/migration/legacy", test_legacy);
    qtest_add_func("/intel-iommu/migration/second-stage", test_second_stage);
    qtest_add_func("/intel-iommu/migration/first-stage", test_first_stage);
    qtest_add_func("/intel-iommu/migration/nested", test_nested_unit);
    qtest_add_func("/intel-iommu/migration/fault", test_fault);
    qtest_add_func("/intel-iommu/migration/second-record",
                   test_second_record);
    qtest_add_func("/intel-iommu/migration/frozen", test_frozen);
    qtest_add_func("/intel-iommu/migration/other-capabilities",
                   test_other_capabilities);
    qtest_add_func("/intel-iommu/migration/snapshot", test_snapshot);
    return g_test_run();
}
