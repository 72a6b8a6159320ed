/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of machines with several devices on the reference host: behind units
 * that differ, by iommufd and by containers, emulated and passed through, there
 * at start and plugged later.
 */
#include "qemu/osdep.h"
#include "reference-host.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"

#define AUTO "-device intel-iommu,nested=auto"
/* To be plugged later: nothing is taken away by a device at start. */
#define AUTO_PORT AUTO ",caching-mode=on,ssads=off"

/* The second device's unit lacks something. */
static char *second_without(uint64_t cap, uint64_t ecap)
{
    return g_strdup_printf("second-cap %llx\nsecond-ecap %llx\n",
                           REF_CAP & ~cap, REF_ECAP & ~ecap);
}

static void assert_feature(Host *h, const char *key, bool shown,
                           const char *reason)
{
    QDict *all = qobject_to(QDict, host_property(h, "x-features"));
    QDict *one = qdict_get_qdict(all, key);

    g_test_message("%s: %s", key, qdict_get_str(one, "reason"));
    g_assert_cmpint(qdict_get_bool(one, "shown"), ==, shown);
    g_assert_nonnull(strstr(qdict_get_str(one, "reason"), reason));
    qobject_unref(all);
}

static unsigned nested_devices(Host *h)
{
    QList *list = qobject_to(QList, host_property(h, "x-host-devices"));
    unsigned count = qlist_size(list);

    qobject_unref(list);
    return count;
}

/* The guest's second-stage tables are mirrored into VFIO's own table. */
static void assert_shadowed(Host *h, uint16_t sid)
{
    GuestTables p;

    h->g.scalable = false;
    p = guest_legacy_page(&h->g, sid, PAGE_A);
    guest_invalidate_page(&h->g, false, IOVA);
    guest_assert_maps(&h->g, IOVA, PAGE_A);
    guest_map(&h->g, &p, IOVA, PAGE_B);
    guest_invalidate_page(&h->g, false, IOVA);
    guest_assert_maps(&h->g, IOVA, PAGE_B);
}

/* --- Two units ------------------------------------------------------------ */

/* What either lacks is not shown; both devices work. */
static void test_intersection(void)
{
    g_autofree char *second = second_without(0, VTD_ECAP_SRS);
    g_autofree char *config = g_strdup_printf("ecap %llx\n%s",
                                              REF_ECAP & ~VTD_ECAP_EAFS,
                                              second);
    Host h = host_new(config);

    host_start_devices(&h, AUTO, HOST_BY_IOMMUFD, HOST_BY_IOMMUFD);
    g_assert_cmpint(nested_devices(&h), ==, 2);
    assert_feature(&h, "eafs", false, "the host of VFIO_FD310 lacks");
    assert_feature(&h, "srs", false, "the host of VFIO_FD314 lacks");
    assert_feature(&h, "fs1gp", true, "by default");
    g_assert_cmphex(guest_reg64(&h.g, VTD_REG_ECAP) &
                        (VTD_ECAP_EAFS | VTD_ECAP_SRS), ==, 0);
    guest_assert_maps(&h.g, PAGE_A, PAGE_A);
    host_use_device(&h, SID + (1 << 3));
    guest_assert_maps(&h.g, PAGE_B, PAGE_B);
    host_finish(&h);
}

static void check_refused(const char *config, const char *iommu,
                          HostDevice first, HostDevice second,
                          const char *wanted)
{
    Host h = host_new(config);
    g_autofree char *message = host_devices_refused(&h, iommu, first, second);

    g_test_message("%s: %s", iommu, message);
    g_assert_nonnull(strstr(message, wanted));
    for (RefKind kind = REF_ANY; kind < REF_KINDS; kind++) {
        g_assert_cmpint(h.ref->leaked[kind], ==, 0);
    }
    host_free(&h);
}

static void test_second_lacks(void)
{
    g_autofree char *srs = second_without(0, VTD_ECAP_SRS);
    g_autofree char *nest = second_without(0, VTD_ECAP_NEST);

    check_refused(srs, AUTO ",srs=on", HOST_BY_IOMMUFD, HOST_BY_IOMMUFD,
                  "VFIO_FD314: the guest's IOMMU has supervisor requests "
                  "(ECAP.SRS), the host's has not");
    check_refused(nest, HOST_NESTED, HOST_BY_IOMMUFD, HOST_BY_IOMMUFD,
                  "VFIO_FD314: the guest's IOMMU has nested translation");
    check_refused(nest, AUTO ",x-flts=on", HOST_BY_IOMMUFD, HOST_BY_IOMMUFD,
                  "by nested translation only, but the host of VFIO_FD314 "
                  "lacks nested translation (ECAP.NEST)");
    check_refused(nest, AUTO ",srs=on", HOST_BY_IOMMUFD, HOST_BY_IOMMUFD,
                  "by nested translation only, but the host of VFIO_FD314");
    check_refused(nest, AUTO ",device-iotlb=on,pasid-bits=8,svm=on",
                  HOST_BY_IOMMUFD, HOST_BY_IOMMUFD,
                  "by nested translation only, but the host of VFIO_FD314");
}

/* The first one was nested already. */
static void test_nested_taken_back(void)
{
    g_autofree char *config = second_without(0, VTD_ECAP_NEST);

    for (int i = 0; i < 2; i++) {
        Host h = host_new(config);

        host_start_devices(&h, AUTO, HOST_BY_IOMMUFD, HOST_BY_IOMMUFD);
        g_assert_cmpint(nested_devices(&h), ==, 0);
        assert_feature(&h, "nested", false, "the host of VFIO_FD314 lacks");
        assert_feature(&h, "first-stage", false, "without nested");
        assert_feature(&h, "second-stage", true, "with");
        if (i) {
            host_use_device(&h, SID + (1 << 3));
        }
        guest_assert_maps(&h.g, PAGE_A, PAGE_A);
        assert_shadowed(&h, SID + (i << 3));
        g_assert_cmpint(h.ref->dma_lost, ==, 0);
        host_finish(&h);
    }
}

/* --- Kinds of devices ----------------------------------------------------- */

static void test_container_beside(void)
{
    check_refused("", HOST_NESTED, HOST_BY_IOMMUFD, HOST_BY_CONTAINER,
                  "second: nested=on needs the iommufd backend");
    check_refused("", HOST_NESTED, HOST_BY_CONTAINER, HOST_BY_IOMMUFD,
                  "nested=on needs the iommufd backend");
    for (int i = 0; i < 2; i++) {
        Host h = host_new("");

        host_start_devices(&h, AUTO, i ? HOST_BY_CONTAINER : HOST_BY_IOMMUFD,
                           i ? HOST_BY_IOMMUFD : HOST_BY_CONTAINER);
        g_assert_cmpint(nested_devices(&h), ==, 0);
        assert_feature(&h, "nested", false, "an interface for nested");
        guest_assert_maps(&h.g, PAGE_A, PAGE_A);
        assert_shadowed(&h, SID);
        host_finish(&h);
    }
}

/* An emulated device takes nothing away, and has all that is shown. */
static void test_emulated_beside(void)
{
    Host h = host_new("");

    host_start(&h, AUTO ",ssads=auto -device sva-endpoint,addr=5");
    g_assert_cmpint(nested_devices(&h), ==, 1);
    assert_feature(&h, "ssads", false, "not for VFIO_FD310");
    guest_assert_maps(&h.g, PAGE_A, PAGE_A);
    host_use_device(&h, SID + (1 << 3));
    guest_assert_maps(&h.g, PAGE_B, PAGE_B);
    host_finish(&h);
    h = host_new("");
    host_start_devices(&h, AUTO " -device sva-endpoint,addr=4",
                       HOST_NO_DEVICE, HOST_NO_DEVICE);
    assert_feature(&h, "nested", true, "by default");
    assert_feature(&h, "ssads", true, "by default");
    host_finish(&h);
}

/* --- Widths --------------------------------------------------------------- */

static unsigned pasid_width(Host *h)
{
    return vtd_get(guest_reg64(&h->g, VTD_REG_ECAP), VTD_ECAP_PSS) + 1;
}

static void check_width(const char *config, HostDevice second, unsigned wanted)
{
    Host h = host_new(config);

    host_start_devices(&h, AUTO ",pasid-bits=auto", HOST_BY_IOMMUFD, second);
    g_assert_cmpint(pasid_width(&h), ==, wanted);
    host_finish(&h);
}

/* The narrowest of those that have PASIDs. */
static void test_pasid_width(void)
{
    check_width("", HOST_NO_DEVICE, 20);
    check_width("pasid-bits 16\n", HOST_NO_DEVICE, 16);
    check_width("pasid-bits 16\nsecond-pasid-bits 12\n", HOST_BY_IOMMUFD, 12);
    check_width("pasid-bits 16\nsecond-pasid-bits 18\n", HOST_BY_IOMMUFD, 16);
    check_width("pasid-bits 0\nsecond-pasid-bits 18\n", HOST_BY_IOMMUFD, 18);
    check_refused("second-pasid-bits 12\n", HOST_NESTED
                  ",pasid-bits=16,pasid=on", HOST_BY_IOMMUFD, HOST_BY_IOMMUFD,
                  "VFIO_FD314: the guest's IOMMU has PASIDs of 16 bits, the "
                  "device of 12 on this host");
    check_refused("", HOST_NESTED ",pasid=on", HOST_BY_IOMMUFD,
                  HOST_NO_DEVICE, "pasid=on needs PASIDs of the unit");
}

/* --- Frozen --------------------------------------------------------------- */

static void check_plug(Host *h, const char *config, const char *wanted)
{
    g_autofree char *error = NULL;

    g_strlcpy(h->ref->config, config, sizeof(h->ref->config));
    error = host_plug(h);
    g_test_message("%s: %s", config, error);
    g_assert_nonnull(error);
    g_assert_nonnull(strstr(error, wanted));
    host_wait_for(&h->ref->live[REF_DEVICE], REF_DEVICE_FDS);
}

static void test_frozen_with_all(void)
{
    g_autofree char *eafs = g_strdup_printf("ecap %llx\n",
                                            REF_ECAP & ~VTD_ECAP_EAFS);
    g_autofree char *both = NULL;
    g_autofree char *nest = g_strdup_printf("ecap %llx\n",
                                            REF_ECAP & ~VTD_ECAP_NEST);
    Host h = host_new("");

    host_start_port(&h, AUTO_PORT);
    assert_feature(&h, "eafs", true, "by default");
    both = g_strdup_printf("extended accessed bits (ECAP.EAFS), the host's has "
                           "not (guest CAP 0x%" PRIx64 ", ECAP 0x%" PRIx64
                           ", host CAP 0x%llx, ECAP 0x%llx)",
                           guest_reg64(&h.g, VTD_REG_CAP),
                           guest_reg64(&h.g, VTD_REG_ECAP), REF_CAP,
                           REF_ECAP & ~VTD_ECAP_EAFS);
    check_plug(&h, eafs, both);
    check_plug(&h, nest, "has nested translation (ECAP.NEST), the host's has "
                         "not");
    assert_feature(&h, "eafs", true, "by default");
    assert_feature(&h, "nested", true, "by default");
    h.ref->config[0] = 0;
    g_assert_cmpstr(host_plug(&h), ==, NULL);
    g_assert_cmpint(nested_devices(&h), ==, 1);
    host_power_on(&h);
    guest_assert_maps(&h.g, PAGE_A, PAGE_A);
    host_unplug(&h);
    host_finish(&h);
}

/* A device that was there at start has taken EAFS away, for good. */
static void test_frozen_without(void)
{
    g_autofree char *config = g_strdup_printf(
        "ecap %llx\nsecond-ecap %llx\n", REF_ECAP & ~VTD_ECAP_SRS,
        REF_ECAP & ~VTD_ECAP_EAFS);
    g_autofree char *iommu = g_strdup_printf(
        AUTO_PORT " -object iommufd,id=iommufd1,fd=%d "
        "-device vfio-pci,fd=%d,iommufd=iommufd1,addr=5", REF_IOMMUFD_FD,
        REF_SECOND_FD);
    Host h = host_new(config);

    host_start_port(&h, iommu);
    assert_feature(&h, "eafs", false, "the host of VFIO_FD314 lacks");
    check_plug(&h, config, "has supervisor requests (ECAP.SRS), the host's has "
                           "not");
    h.ref->config[0] = 0;
    g_assert_cmpstr(host_plug(&h), ==, NULL);
    assert_feature(&h, "eafs", false, "the host of VFIO_FD314 lacks");
    g_assert_cmpint(nested_devices(&h), ==, 2);
    host_finish(&h);
}

/* Shadowed once, shadowed for ever. */
static void test_frozen_shadowed(void)
{
    Host h = host_new("");
    g_autofree char *iommu = g_strdup_printf(
        AUTO " -device vfio-pci,sysfsdev=%s/second,addr=5", h.sysfs);

    host_start_port(&h, iommu);
    assert_feature(&h, "nested", false, "an interface for nested");
    g_assert_cmpstr(host_plug(&h), ==, NULL);
    g_assert_cmpint(nested_devices(&h), ==, 0);
    host_power_on(&h);
    guest_assert_maps(&h.g, PAGE_A, PAGE_A);
    host_finish(&h);
}

int main(int argc, char **argv)
{
    static const HostTest tests[] = {
        { "units/intersection", test_intersection },
        { "units/second-lacks", test_second_lacks },
        { "units/nested-taken-back", test_nested_taken_back },
        { "kinds/container", test_container_beside },
        { "kinds/emulated", test_emulated_beside },
        { "pasid-width", test_pasid_width },
        { "frozen/with-all", test_frozen_with_all },
        { "frozen/without", test_frozen_without },
        { "frozen/shadowed", test_frozen_shadowed },
    };

    g_test_init(&argc, &argv, NULL);
    host_add_tests("/host/mixed", tests, ARRAY_SIZE(tests));
    return g_test_run();
}
