/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of what a host with the nesting interface of 2020 has to have, of what
 * its guest is shown, and of devices that come later.
 */
#include "qemu/osdep.h"
#include "qobject/qdict.h"
#include "reference-host-2020.h"

/* --- What the host has to have ------------------------------------------- */

static void check_refused(const char *config, const char *iommu,
                          const char *wanted)
{
    Host h = host_new(config);
    g_autofree char *message = host_start_container_refused(&h, iommu);

    if (!strstr(message, wanted)) {
        g_test_message("%s: %s", config, message);
    }
    g_assert_nonnull(strstr(message, wanted));
    for (RefKind kind = REF_ANY; kind < REF_KINDS; kind++) {
        g_assert_cmpint(h.ref->leaked[kind], ==, 0);
    }
    host_free(&h);
}

static void test_requirements(void)
{
    /* A kernel of today accepts the type and means another one. */
    check_refused("", HOST_2020, "has no nesting of 2020 for containers");
    check_refused(KERNEL_2020 "nesting-version 2\n", HOST_2020,
                  "another version of the nesting capability");
    check_refused(KERNEL_2020 "nesting-format 2\n", HOST_2020,
                  "another format than VT-d's");
    check_refused(KERNEL_2020 "nesting-size 48\n", HOST_2020,
                  "another one");
    check_refused(KERNEL_2020 "nesting-features 6\n", HOST_2020,
                  "lacks first-stage page tables");
    check_refused(KERNEL_2020 "nesting-features 5\n", HOST_2020,
                  "lacks first-stage page tables");
    check_refused(KERNEL_2020 "nesting-features 3\n", HOST_2020,
                  "lacks invalidation of first-stage translations");
    check_refused(KERNEL_2020 "pasid-quota 0\n", HOST_2020,
                  "lacks first-stage page tables");
    check_refused(KERNEL_2020 "structs 5.5\n", HOST_2020,
                  "(VFIO_IOMMU_NESTING_OP to bind a page table: Invalid "
                  "argument)");
    check_refused(KERNEL_2020 "pasid-bits 0\n", HOST_2020,
                  "the device has no PASIDs");
    check_refused(KERNEL_2020, HOST_NESTED,
                  "the guest's IOMMU has no PASIDs (pasid-bits)");
    check_refused(KERNEL_2020, HOST_NESTED ",host-uapi=vfio-v1",
                  "add pasid-bits=N");
    check_refused(KERNEL_2020, HOST_2020 ",host-uapi=iommufd",
                  "host-uapi=iommufd is set and the device has a VFIO type1");
    check_refused(KERNEL_2020, HOST_2020 ",host-uapi=2020", "host-uapi");
    check_refused(KERNEL_2020 "ecap 0001ed9ca40000c7\npage-requests on\n",
                  HOST_2020 ",device-iotlb=on,prs=on",
                  "queues for page requests (no call of that interface");
    check_refused(KERNEL_2020 "ecap 0001e89ca40000c3\n", HOST_2020 ",pasid=on",
                  "PASIDs (ECAP.PASID");
    check_refused(KERNEL_2020, HOST_2020 ",pasid=off", "has no PASIDs");
}

/* One that the structs of which are larger works. */
static void test_newer_kernel(void)
{
    Host h = host_new(KERNEL_2020 "nesting-size 72\n");
    uint32_t pasid = host_2020_start_with_pasid(&h, HOST_2020);

    host_assert_pasid_maps(&h, pasid, PAGE_B);
    host_finish(&h);
}

static void test_iommufd_wanted(void)
{
    Host h = host_new("");
    g_autofree char *message =
        host_start_refused(&h, HOST_2020 ",host-uapi=vfio-v1");

    g_assert_nonnull(strstr(message, "host-uapi=vfio-v1 is set and the device "
                                     "has an iommufd object"));
    host_free(&h);
}

/* Or the second stage, which there is no place for on such a host. */
static bool shows_virtual_commands(Host *h)
{
    uint64_t ecap = guest_reg64(&h->g, VTD_REG_ECAP);
    bool capable = ecap & VTD_ECAP_VCS;

    g_assert_true(ecap & VTD_ECAP_FSTS);
    g_assert_true(capable == !(ecap & VTD_ECAP_SSTS));
    g_assert_true(capable == !(ecap & VTD_ECAP_NEST));
    g_assert_cmpint(guest_reg64(&h->g, VTD_REG_VCCAP), ==, capable);
    return capable;
}

/* The guest sees virtual commands with such a device only. */
static void test_virtual_commands_shown(void)
{
    Host h = host_new("");

    host_start(&h, HOST_2020);
    g_assert_false(shows_virtual_commands(&h));
    g_assert_cmphex(host_2020_vcmd(&h, VCMD_ALLOC), ==, 0);
    host_finish(&h);
    h = host_new(KERNEL_2020);
    host_start_container(&h, HOST_2020);
    g_assert_true(shows_virtual_commands(&h));
    host_finish(&h);
}

#define HOST_AUTO "-device intel-iommu,nested=auto,pasid-bits=auto,id=viommu"

/* What can be had is taken; else VFIO maps, as without nested translation. */
static void check_auto(const char *config, const char *more, bool nested)
{
    Host h = host_new(config);
    g_autofree char *iommu = g_strdup_printf(HOST_AUTO "%s", more);

    host_start_container(&h, iommu);
    g_assert_cmpint(!!(guest_reg64(&h.g, VTD_REG_ECAP) & VTD_ECAP_VCS), ==,
                    nested);
    if (nested) {
        host_2020_guest(&h);
        host_assert_pasid_maps(&h, host_2020_add_pasid(&h), PAGE_B);
        host_use_no_pasid(&h);
    }
    guest_assert_maps(&h.g, PAGE_A, PAGE_A);
    host_finish(&h);
}

static void test_auto(void)
{
    check_auto(KERNEL_2020, "", true);
    check_auto(KERNEL_2020, ",host-uapi=vfio-v1", true);
    check_auto(KERNEL_2020, ",host-uapi=iommufd", false);
    check_auto(KERNEL_2020, ",pasid-bits=0", false);
    check_auto(KERNEL_2020 "nesting-features 3\n", "", false);
    check_auto("", "", false);
}

static void test_no_migration(void)
{
    Host h = host_new(KERNEL_2020);
    QDict *answer;

    host_start_port(&h, HOST_2020 ",host-uapi=vfio-v1");
    answer = qtest_qmp(h.g.qts, "{'execute': 'migrate', 'arguments': "
                                "{'uri': 'exec:cat >/dev/null'}}");
    g_assert_true(qdict_haskey(answer, "error"));
    qobject_unref(answer);
    host_finish(&h);
}

/* --- Plugging ------------------------------------------------------------ */

static void assert_nothing_left(Host *h)
{
    host_wait_for(&h->ref->live[REF_DEVICE], REF_DEVICE_FDS);
    for (RefKind kind = REF_ANY; kind < REF_KINDS; kind++) {
        bool at_start = kind == REF_IOMMUFD || kind == REF_DEVICE;

        g_assert_true(at_start || !h->ref->live[kind]);
        g_assert_cmpint(h->ref->leaked[kind], ==, 0);
    }
    g_assert_cmpint(h->ref->dma_lost, ==, 0);
}

static void test_plug(void)
{
    Host h = host_new(KERNEL_2020);

    host_start_port(&h, HOST_2020 ",caching-mode=on,ssads=off,"
                                  "host-uapi=vfio-v1");
    g_assert_true(shows_virtual_commands(&h));
    g_assert_cmphex(host_2020_vcmd(&h, VCMD_ALLOC), ==, VCRSP_NONE);
    for (int i = 0; i < 3; i++) {
        uint32_t pasid;

        g_assert_cmpstr(host_plug_container(&h), ==, NULL);
        host_power_on(&h);
        guest_assert_maps(&h.g, PAGE_A, PAGE_A);
        host_2020_guest(&h);
        pasid = host_2020_add_pasid(&h);
        host_assert_pasid_maps(&h, pasid, PAGE_B);
        host_use_no_pasid(&h);
        qtest_writel(h.g.qts, REGS + VTD_REG_GCMD, 0);
        host_2020_alloc_pasid(&h);
        host_unplug(&h);
        assert_nothing_left(&h);
    }
    host_finish(&h);
}

/* The capability promises all of it, and the driver takes none: each call is
 * tried before the device is used. */
static void test_plug_tries_each_call(void)
{
    static const char *const wanted[] = {
        "first-stage page tables (VFIO_IOMMU_NESTING_OP to bind",
        "invalidation of first-stage translations", /* of a PASID */
        "invalidation of first-stage translations", /* of leaves of a page */
        "first-stage page tables", /* to be taken back */
    };
    Host h = host_new(KERNEL_2020);

    host_start_port(&h, HOST_2020 ",caching-mode=on,ssads=off,"
                                  "host-uapi=vfio-v1");
    for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++) {
        g_autofree char *message = NULL;

        host_fail(&h, UAPI2020_NESTING_OP, i, 1, EOPNOTSUPP);
        message = host_plug_container(&h);
        g_assert_cmpint(h.ref->injection[0].times, ==, 0);
        g_assert_nonnull(message);
        g_assert_nonnull(strstr(message, wanted[i]));
    }
    g_assert_cmpstr(host_plug_container(&h), ==, NULL);
    host_finish(&h);
}

/* A guest that was not shown virtual commands cannot have such a device. */
static void test_plug_too_late(void)
{
    Host h = host_new(KERNEL_2020);
    g_autofree char *message = NULL;

    host_start_port(&h, HOST_2020 ",caching-mode=on,ssads=off");
    g_assert_false(shows_virtual_commands(&h));
    message = host_plug_container(&h);
    g_assert_nonnull(message);
    g_assert_nonnull(strstr(message, "without ECAP.VCS"));
    assert_nothing_left(&h);
    host_finish(&h);
}

int main(int argc, char **argv)
{
    static const HostTest tests[] = {
        { "needs/requirements", test_requirements },
        { "needs/newer-kernel", test_newer_kernel },
        { "needs/iommufd-wanted", test_iommufd_wanted },
        { "needs/virtual-commands-shown", test_virtual_commands_shown },
        { "needs/auto", test_auto },
        { "needs/no-migration", test_no_migration },
        { "plug/plug", test_plug },
        { "plug/tries-each-call", test_plug_tries_each_call },
        { "plug/too-late", test_plug_too_late },
    };

    g_test_init(&argc, &argv, NULL);
    host_add_tests("/intel-iommu/host/2020", tests, ARRAY_SIZE(tests));
    return g_test_run();
}
