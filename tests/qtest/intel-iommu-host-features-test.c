/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of the table of features, on the reference host.  The table is asked
 * for; each row is tried on a host that lacks exactly one of the things that
 * it needs, also if the row is new.
 */
#include "qemu/osdep.h"
#include "reference-host.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "qobject/qstring.h"

/* Everything is shown that the host has. */
#define UNIT(more) \
    "-device intel-iommu,pasid-bits=auto,device-iotlb=on,svm=auto,aw-bits=57" \
    more
#define AUTO UNIT(",nested=auto")
#define ON UNIT(",x-scalable-mode=on,x-flts=on,nested=on")
#define OFF UNIT(",x-scalable-mode=on,nested=off,caching-mode=on")

#define FULL_ECAP (REF_ECAP | VTD_ECAP_DT | VTD_ECAP_PDS | VTD_ECAP_NWFS)

/* Hosts without something that is not a bit of CAP or ECAP.  @message: what an
 * error says of it, in place of the names in the table. */
static const struct {
    const char *need;
    const char *config;
    const char *message;
} hosts[] = {
    { "backend", NULL, "needs the iommufd backend" },
    { "vtd", "hw-type 2", "the host's IOMMU is of type 2" },
    { "nested", NULL, "nested translation only" },
    { "emulation", "", "devices that are passed through do not have" },
    { "CAP.MGAW", "cap 11000000002f0c06",
      "aw-bits=57, but the host's IOMMU has 48" },
    { "ATS", "ats off" },
    { "PRI", "pri off" },
    { "PASID", "pasid-bits 0", "PASIDs of 20 bits, the device of 0" },
    { "nest-parent", "without IOMMU_HWPT_ALLOC_NEST_PARENT" },
    { "first-stage-table", "without IOMMU_HWPT_DATA_VTD_S1" },
    { "invalidation", "without IOMMU_HWPT_INVALIDATE" },
    { "pasid-table", "without IOMMU_HWPT_ALLOC_PASID" },
    { "pasid-attach", "without VFIO_DEVICE_ATTACH_PASID" },
    { "fault-queue", "without IOMMU_FAULT_QUEUE_ALLOC" },
    { "fault-table", "without IOMMU_HWPT_FAULT_ID_VALID" },
};

/* The table, and a machine where all of it is shown. */
typedef struct Table {
    QDict *features;
    QDict *needs;
    uint64_t cap;
    uint64_t ecap;
} Table;

/* A host that has everything but @need; *@device: how QEMU gets at it. */
static char *host_without(const Table *t, const char *need,
                          HostDevice *device)
{
    QDict *row = qdict_get_qdict(t->needs, need);
    uint64_t cap = qdict_get_int(row, "cap");
    uint64_t ecap = qdict_get_int(row, "ecap");

    *device = HOST_BY_IOMMUFD;
    if (cap || ecap) {
        return g_strdup_printf("page-requests on\ncap %llx\necap %llx\n",
                               REF_CAP & ~cap, FULL_ECAP & ~ecap);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(hosts); i++) {
        if (strcmp(hosts[i].need, need)) {
            continue;
        }
        if (!hosts[i].config) {
            *device = HOST_BY_CONTAINER;
        }
        return g_strdup_printf("page-requests on\necap %llx\n%s\n", FULL_ECAP,
                               hosts[i].config ? hosts[i].config : "");
    }
    g_error("a new need, %s: this test has to know a host without it", need);
}

static const char *message_of(const Table *t, const char *need)
{
    for (unsigned i = 0; i < ARRAY_SIZE(hosts); i++) {
        if (!strcmp(hosts[i].need, need) && hosts[i].message) {
            return hosts[i].message;
        }
    }
    return qdict_get_str(qdict_get_qdict(t->needs, need), "name");
}

static bool has_text(QList *list, const char *text)
{
    const QListEntry *entry;

    QLIST_FOREACH_ENTRY(list, entry) {
        QString *s = qobject_to(QString, qlist_entry_obj(entry));

        if (!strcmp(qstring_get_str(s), text)) {
            return true;
        }
    }
    return false;
}

static bool is_of_device(QDict *row)
{
    return qdict_get_bool(row, "of-device");
}

static bool is_shown(QDict *features, const char *key)
{
    return qdict_get_bool(qdict_get_qdict(features, key), "shown");
}

/* Itself, or something that it depends on. */
static bool needs_it(const Table *t, const char *key, const char *need)
{
    QDict *row = qdict_get_qdict(t->features, key);
    const QListEntry *entry;

    if (has_text(qdict_get_qlist(row, "needs"), need)) {
        return true;
    }
    QLIST_FOREACH_ENTRY(qdict_get_qlist(row, "depends"), entry) {
        QString *s = qobject_to(QString, qlist_entry_obj(entry));

        if (needs_it(t, qstring_get_str(s), need)) {
            return true;
        }
    }
    return false;
}

static Table table_new(void)
{
    g_autofree char *config =
        g_strdup_printf("page-requests on\necap %llx\n", FULL_ECAP);
    Host h = host_new(config);
    Table t;

    host_start(&h, AUTO);
    t.features = qobject_to(QDict, host_property(&h, "x-features"));
    t.needs = qobject_to(QDict, host_property(&h, "x-feature-needs"));
    t.cap = guest_reg64(&h.g, VTD_REG_CAP);
    t.ecap = guest_reg64(&h.g, VTD_REG_ECAP);
    host_finish(&h);
    return t;
}

static void table_free(Table *t)
{
    qobject_unref(t->features);
    qobject_unref(t->needs);
}

#define FOR_EACH(entry, dict) \
    for (const QDictEntry *entry = qdict_first(dict); entry; \
         entry = qdict_next(dict, entry))

/* --- The table ------------------------------------------------------------ */

/* Rows are shown if their bits are, and no need is there for nothing. */
static void test_table(void)
{
    Table t = table_new();

    FOR_EACH(f, t.features) {
        QDict *row = qobject_to(QDict, qdict_entry_value(f));
        const char *by = qdict_get_try_str(row, "shown-by") ?: "";
        bool shown = !needs_it(&t, qdict_entry_key(f), "emulation") &&
                     !strstr(by, "host-uapi=");

        g_test_message("%s", qdict_entry_key(f));
        g_assert_cmpint(is_shown(t.features, qdict_entry_key(f)), ==, shown);
        g_assert_cmpint((t.cap & qdict_get_int(row, "cap")) ||
                            (t.ecap & qdict_get_int(row, "ecap")), ==, shown);
    }
    FOR_EACH(n, t.needs) {
        bool used = false;

        g_test_message("%s", qdict_entry_key(n));
        FOR_EACH(f, t.features) {
            used |= needs_it(&t, qdict_entry_key(f), qdict_entry_key(n));
        }
        g_assert_true(used);
    }
    table_free(&t);
}

/* docs/features.rst says what the table says. */
static void test_page(void)
{
    const char *command = g_getenv("CHECK_FEATURES_PAGE");
    g_autofree char *difference = NULL;
    int status;

    g_assert_nonnull(command); /* use make check-host */
    g_assert_true(g_spawn_command_line_sync(command, &difference, NULL,
                                            &status, NULL));
    g_test_message("%s", difference);
    g_assert_cmpint(status, ==, 0);
}

static void assert_line(Host *h, const char *wanted)
{
    QList *lines = qobject_to(QList, host_property(h, "x-report"));
    const QListEntry *entry;
    bool found = false;

    QLIST_FOREACH_ENTRY(lines, entry) {
        QString *s = qobject_to(QString, qlist_entry_obj(entry));

        found = found || strstr(qstring_get_str(s), wanted);
    }
    g_test_message("%s", wanted);
    g_assert_true(found);
    qobject_unref(lines);
}

/* What people read. */
static void test_report(void)
{
    Host h = host_new("kernel 6.8\n");

    host_start(&h, AUTO ",fs1gp=off");
    host_context(&h, VTD_PGTT_FIRST_STAGE);
    guest_queue_on(&h.g);
    guest_translation_on(&h.g);
    guest_invalidate_page(&h.g, true, IOVA);
    assert_line(&h, "+ nested translation (ECAP.NEST): by default");
    assert_line(&h, "- 1 GiB first-stage pages (CAP.FS1GP): set by property");
    assert_line(&h, "- second-stage accessed and dirty bits (ECAP.SSADS): not "
                    "for VFIO_FD310");
    assert_line(&h, "device VFIO_FD310: iommufd, host CAP 0x1100000c00380c06");
    assert_line(&h, "  - pasid: lacks PASIDs of that width");
    assert_line(&h, "  without PASID: first-stage, HWPT ");
    assert_line(&h, "descriptors-pasid-iotlb: 1");
    assert_line(&h, "host-invalidation-structs: 1");
    assert_line(&h, "host-invalidation-ioctls: 1");
    assert_line(&h, "host-batches: ");
    assert_line(&h, "guest-errors: 0");
    assert_line(&h, "host-errors: 0");
    host_finish(&h);
}

/* --- "on" ----------------------------------------------------------------- */

/* NULL: there is no way to insist on the feature. */
static char *insisting(const char *key, QDict *row, const char *need)
{
    const char *property = qdict_get_try_str(row, "property");
    bool nesting = !strcmp(key, "nested") || !strcmp(key, "scalable-mode") ||
                   !strcmp(key, "first-stage");

    if (!strcmp(need, "nested")) { /* the one that is the user's matter */
        return property ? g_strdup_printf(OFF ",%s=on", property) : NULL;
    }
    if (nesting) {
        return g_strdup(ON);
    }
    if (property) {
        return g_strdup_printf(AUTO ",%s=on", property);
    }
    return is_of_device(row) ? NULL : g_strdup(AUTO);
}

static void check_on(const Table *t, const char *key, const char *need)
{
    QDict *row = qdict_get_qdict(t->features, key);
    g_autofree char *iommu = insisting(key, row, need);
    HostDevice device;
    g_autofree char *config = host_without(t, need, &device);
    g_autofree char *message = NULL;
    Host h;

    if (!iommu) {
        return;
    }
    h = host_new(config);
    message = host_devices_refused(&h, iommu, device, HOST_NO_DEVICE);
    g_test_message("%s without %s: %s", key, need, message);
    g_assert_nonnull(strstr(message, message_of(t, need)));
    if (message_of(t, need) ==
        qdict_get_str(qdict_get_qdict(t->needs, need), "name")) {
        g_assert_nonnull(strstr(message, qdict_get_str(row, "name")));
    }
    for (RefKind kind = REF_ANY; kind < REF_KINDS; kind++) {
        g_assert_cmpint(h.ref->leaked[kind], ==, 0);
    }
    host_free(&h);
}

static void test_on(void)
{
    Table t = table_new();

    FOR_EACH(f, t.features) {
        QDict *row = qobject_to(QDict, qdict_entry_value(f));

        FOR_EACH(n, t.needs) {
            if (has_text(qdict_get_qlist(row, "needs"), qdict_entry_key(n))) {
                check_on(&t, qdict_entry_key(f), qdict_entry_key(n));
            }
        }
    }
    table_free(&t);
}

/* --- "auto" --------------------------------------------------------------- */

/* Without @need the unit does not show it; @shadowed: devices are not nested
 * any more. */
static bool goes(const Table *t, const char *key, const char *need,
                 bool shadowed)
{
    QDict *row = qdict_get_qdict(t->features, key);
    bool with_svm = !strcmp(qdict_get_try_str(row, "default") ?: "", "svm");

    if (shadowed) { /* svm=auto needs the first stage */
        return !strcmp(key, "nested") || with_svm ||
               (!is_of_device(row) && needs_it(t, key, "nested"));
    }
    return !is_of_device(row) && needs_it(t, key, need) &&
           !has_text(qdict_get_qlist(row, "concerns"), need);
}

/* Shown, and not left to anybody. */
static bool is_fixed(const Table *t, const char *key)
{
    QDict *row = qdict_get_qdict(t->features, key);

    return is_shown(t->features, key) && !is_of_device(row) &&
           !qdict_get_bool(row, "automatic");
}

static void assert_unit(const Table *t, Host *h, const char *need,
                        bool shadowed)
{
    QDict *now = qobject_to(QDict, host_property(h, "x-features"));
    uint64_t cap = t->cap, ecap = t->ecap;

    FOR_EACH(f, t->features) {
        const char *key = qdict_entry_key(f);
        QDict *row = qobject_to(QDict, qdict_entry_value(f));
        bool gone = goes(t, key, need, shadowed);

        g_test_message("  %s", key);
        g_assert_cmpint(is_shown(now, key), ==,
                        is_shown(t->features, key) && !gone);
        cap &= ~(gone ? qdict_get_int(row, "cap") : 0);
        ecap &= ~(gone ? qdict_get_int(row, "ecap") : 0);
    }
    /* With the second stage alone it has no meaning. */
    ecap |= shadowed ? VTD_ECAP_SRS : 0;
    g_assert_cmphex(guest_reg64(&h->g, VTD_REG_CAP), ==, cap);
    g_assert_cmphex(guest_reg64(&h->g, VTD_REG_ECAP), ==, ecap);
    qobject_unref(now);
}

/* What is a device's, the device has or has not. */
static void assert_device(const Table *t, Host *h, const char *need)
{
    QList *list = qobject_to(QList, host_property(h, "x-host-devices"));
    QDict *offer, *has;

    g_assert_cmpint(qlist_size(list), ==, 1);
    offer = qdict_get_qdict(qobject_to(QDict, qlist_peek(list)), "offer");
    has = qdict_get_qdict(offer, "features");
    FOR_EACH(f, has) {
        g_test_message("  %s", qdict_entry_key(f));
        g_assert_cmpint(qobject_type(qdict_entry_value(f)), ==,
                        needs_it(t, qdict_entry_key(f), need) ? QTYPE_QSTRING :
                                                                QTYPE_QNULL);
    }
    qobject_unref(list);
}

static void check_auto(const Table *t, const char *need)
{
    HostDevice device;
    g_autofree char *config = host_without(t, need, &device);
    bool shadowed = needs_it(t, "nested", need);
    bool refused = false;
    Host h = host_new(config);

    g_test_message("without %s", need);
    FOR_EACH(f, t->features) {
        refused |= is_fixed(t, qdict_entry_key(f)) && !shadowed &&
                   needs_it(t, qdict_entry_key(f), need);
    }
    if (refused) {
        g_autofree char *message =
            host_devices_refused(&h, AUTO, device, HOST_NO_DEVICE);

        g_assert_nonnull(strstr(message, message_of(t, need)));
        host_free(&h);
        return;
    }
    host_start_devices(&h, AUTO, device, HOST_NO_DEVICE);
    assert_unit(t, &h, need, shadowed);
    if (!shadowed) {
        assert_device(t, &h, need);
    }
    guest_assert_maps(&h.g, PAGE_A, PAGE_A);
    host_finish(&h);
}

static void test_auto(void)
{
    Table t = table_new();

    FOR_EACH(n, t.needs) {
        check_auto(&t, qdict_entry_key(n));
    }
    table_free(&t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/host/features/table", test_table);
    qtest_add_func("/host/features/page", test_page);
    qtest_add_func("/host/features/report", test_report);
    qtest_add_func("/host/features/on", test_on);
    qtest_add_func("/host/features/auto", test_auto);
    return g_test_run();
}
