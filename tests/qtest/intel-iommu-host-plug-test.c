/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of a host kernel that refuses calls while a device is plugged or
 * unplugged: each call, at every position, once and from then on.
 *
 * Whatever is refused, QEMU does not crash and keeps no id or descriptor, and
 * the next device works.
 */
#include "qemu/osdep.h"
#include "reference-host-pasid.h"

#include <linux/iommufd.h>
#include <linux/vfio.h>

/* An id whose IOMMU_DESTROY is refused stays; all others have to go. */
static void assert_nothing_left(Host *h)
{
    unsigned refused = 0;

    for (unsigned i = 0; i < h->ref->calls; i++) {
        const RefCall *call = &h->ref->log[i];

        refused += call->request == IOMMU_DESTROY && call->result;
    }
    host_wait_for(&h->ref->live[REF_DEVICE], REF_DEVICE_FDS);
    for (RefKind kind = REF_ANY; kind < REF_KINDS; kind++) {
        bool at_start = kind == REF_IOMMUFD || kind == REF_DEVICE;

        g_assert_true(at_start || !h->ref->live[kind]);
        if (!refused) {
            g_assert_cmpint(h->ref->leaked[kind], ==, 0);
        }
        h->ref->leaked[kind] = 0;
    }
    g_assert_cmpint(h->ref->live[REF_IOMMUFD], ==, 1);
    g_assert_cmpint(h->ref->dma_lost, ==, 0);
    h->ref->calls = 0;
}

static void use_and_unplug(Host *h)
{
    host_power_on(h);
    guest_assert_maps(&h->g, PAGE_A, PAGE_A);
    host_unplug(h);
}

/*
 * Ends QEMU if it happens, in code that is not ours: VFIO cannot unmap, or map
 * again what it had mapped.  Linux refuses neither.
 */
static void spare_vfio(Host *h)
{
    const RefCall *call = host_call(h, REF_IOMMUFD, IOMMU_IOAS_MAP, 0);

    g_assert_nonnull(call);
    h->ref->injection[0].spares_ioas =
        ((const struct iommu_ioas_map *)call->data)->ioas_id;
}

static void good_cycle(Host *h)
{
    g_assert_cmpstr(host_plug(h), ==, NULL);
    use_and_unplug(h);
    assert_nothing_left(h);
}

/* A device without these is none: plugging it has to fail. */
static bool is_needed(unsigned request)
{
    switch (request) {
    case VFIO_DEVICE_BIND_IOMMUFD:
    case VFIO_DEVICE_ATTACH_IOMMUFD_PT:
    case IOMMU_GET_HW_INFO:
    case IOMMU_IOAS_ALLOC:
    case IOMMU_IOAS_MAP:
    case IOMMU_HWPT_ALLOC:
        return true;
    }
    return false;
}

static bool needed_call_failed(const Host *h)
{
    for (unsigned i = 0; i < h->ref->calls; i++) {
        if (h->ref->log[i].injected && is_needed(h->ref->log[i].request)) {
            return true;
        }
    }
    return false;
}

/* What each part of the probe is tried for: with PASIDs and page requests. */
#define EVERYTHING HOST_PORT ",device-iotlb=on,pasid-bits=20,svm=on"
#define HOST_OF_EVERYTHING "page-requests on\necap 0001ed9ea40000c7\n"

static void check_plug(const char *config, const char *iommu, int error,
                       unsigned times)
{
    Host h = host_new(config);
    bool plain = !strcmp(iommu, HOST_PORT);
    unsigned calls;

    host_start_port(&h, iommu);
    g_assert_cmpstr(host_plug(&h), ==, NULL);
    calls = h.ref->calls;
    spare_vfio(&h);
    host_unplug(&h);
    assert_nothing_left(&h);
    for (unsigned i = 0; i < calls; i++) {
        g_autofree char *text = NULL;

        host_fail(&h, ANY_CALL, i, times, error);
        text = host_plug(&h);
        host_fail_nothing(&h);
        if (text) {
            g_assert_cmpstr(text, !=, "");
        } else {
            /* It can do without PASIDs and page requests. */
            g_assert_true(!plain || !needed_call_failed(&h));
            use_and_unplug(&h);
        }
        assert_nothing_left(&h);
    }
    good_cycle(&h);
    host_finish(&h);
}

static void test_plug(void)
{
    check_plug("", HOST_PORT, EINVAL, 1);
    check_plug("", HOST_PORT, ENOMEM, 1);
    check_plug("", HOST_PORT, EIO, 1);
}

static void test_plug_everything(void)
{
    check_plug(HOST_OF_EVERYTHING, EVERYTHING, EIO, 1);
    check_plug(HOST_OF_EVERYTHING, EVERYTHING, EOPNOTSUPP, 1);
}

static void test_plug_for_ever(void)
{
    check_plug("", HOST_PORT, EIO, FOR_EVER);
}

static void check_unplug(int error, unsigned times)
{
    Host h = host_new("");
    unsigned calls;

    host_start_port(&h, HOST_PORT);
    g_assert_cmpstr(host_plug(&h), ==, NULL);
    calls = h.ref->calls;
    spare_vfio(&h);
    host_unplug(&h);
    calls = h.ref->calls - calls;
    for (unsigned i = 0; i < calls; i++) {
        g_assert_cmpstr(host_plug(&h), ==, NULL);
        host_fail(&h, ANY_CALL, i, times, error);
        host_unplug(&h);
        host_fail_nothing(&h);
        assert_nothing_left(&h);
    }
    good_cycle(&h);
    host_finish(&h);
}

static void test_unplug(void)
{
    check_unplug(EIO, 1);
    check_unplug(EIO, FOR_EVER);
}

/* The host is told of each PASID before its page table goes. */
static void test_unplug_with_pasid(void)
{
    const uint32_t pasid = 5;
    Host h = host_new("");
    GuestTables p = host_pasid_tables();
    unsigned before;

    host_start_port(&h, HOST_PORT ",pasid-bits=20");
    g_assert_cmpstr(host_plug(&h), ==, NULL);
    host_power_on(&h);
    guest_map(&h.g, &p, IOVA, PAGE_B);
    host_context(&h, VTD_PGTT_PASS_THROUGH);
    qtest_writeq(h.g.qts, CONTEXT,
                 PASID_DIR | VTD_SMCTX_PASIDE | VTD_SMCTX_P);
    host_pasid_entry(&h, pasid, VTD_PGTT_FIRST_STAGE, PASID_DID, PASID_TABLES);
    guest_queue_on(&h.g);
    guest_translation_on(&h.g);
    host_assert_pasid_maps(&h, pasid, PAGE_B);
    g_assert_cmpint(h.ref->live[REF_PASID], ==, 1);
    before = h.ref->calls;
    host_unplug(&h);
    for (unsigned i = before; i < h.ref->calls; i++) {
        g_assert_cmpint(h.ref->log[i].result, >=, 0);
    }
    assert_nothing_left(&h);
    host_finish(&h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/intel-iommu/host/plug/errors", test_plug);
    qtest_add_func("/intel-iommu/host/plug/errors-everything",
                   test_plug_everything);
    qtest_add_func("/intel-iommu/host/plug/errors-for-ever",
                   test_plug_for_ever);
    qtest_add_func("/intel-iommu/host/plug/unplug", test_unplug);
    qtest_add_func("/intel-iommu/host/plug/unplug-with-pasid",
                   test_unplug_with_pasid);
    return g_test_run();
}
