/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of devices that are passed through under nested translation, on the
 * reference host: what the device's DMA meets, and what goes down to the host,
 * byte for byte.
 */
#include "qemu/osdep.h"
#include "reference-host.h"

#include <linux/iommufd.h>
#include <linux/vfio.h>

#define OTHER_TABLES 0x180000ull
#define MCH_HOST_BRIDGE_PAM2 0x92 /* who answers at 0xc8000 */

/* From nothing to first-stage translation of IOVA to PAGE_A. */
static GuestTables first_stage_on(Host *h)
{
    GuestTables p = guest_first_stage(0);

    guest_map(&h->g, &p, IOVA, PAGE_A);
    host_context(h, VTD_PGTT_FIRST_STAGE);
    guest_queue_on(&h->g);
    guest_translation_on(&h->g);
    return p;
}

static void assert_refused(Host *h, uint64_t iova)
{
    uint32_t refused = h->ref->dma_refused;
    uint64_t value;

    g_assert_cmpint(guest_dma_write(&h->g, iova, 1), ==, SVA_EP_ERR_WRITE);
    g_assert_cmpint(guest_dma_read(&h->g, iova, &value), ==, SVA_EP_ERR_READ);
    g_assert_cmpint(h->ref->dma_refused, ==, refused + 2);
}

/* All that QEMU has of the host when no device is there. */
static void assert_nothing_left(Host *h)
{
    for (RefKind kind = REF_ANY; kind < REF_KINDS; kind++) {
        bool at_start = kind == REF_IOMMUFD || kind == REF_DEVICE;

        g_assert_true(at_start || !h->ref->live[kind]);
        g_assert_cmpint(h->ref->leaked[kind], ==, 0);
    }
    g_assert_cmpint(h->ref->dma_lost, ==, 0);
}

/* --- What the device's DMA meets ----------------------------------------- */

static void test_identity(void)
{
    Host h = host_new("");

    host_start(&h, HOST_NESTED);
    guest_assert_maps(&h.g, PAGE_A, PAGE_A);
    assert_refused(&h, RAM_END);
    host_finish(&h);
}

static void check_first_stage(const char *iommu, const char *config)
{
    Host h = host_new(config);
    GuestTables p;

    host_start(&h, iommu);
    p = first_stage_on(&h);
    guest_map(&h.g, &p, IOVA + 0x1000, PAGE_C);
    guest_assert_maps(&h.g, IOVA + 0x238, PAGE_A + 0x238);
    guest_assert_maps(&h.g, IOVA + 0x1238, PAGE_C + 0x238);
    guest_map(&h.g, &p, IOVA, PAGE_B);
    guest_assert_maps(&h.g, IOVA + 0x238, PAGE_A + 0x238);
    guest_invalidate_page(&h.g, true, IOVA + 0x1000);
    guest_assert_maps(&h.g, IOVA + 0x238, PAGE_A + 0x238);
    guest_invalidate_page(&h.g, true, IOVA);
    guest_assert_maps(&h.g, IOVA + 0x238, PAGE_B + 0x238);
    assert_refused(&h, IOVA + 0x2000);
    g_assert_cmpint(h.ref->dma_lost, ==, 0);
    host_finish(&h);
}

static void test_first_stage(void)
{
    check_first_stage(HOST_NESTED, "");
}

/* What the tests here can see: the host's unit keeps what nobody drops. */
static void test_nothing_forwarded(void)
{
    Host h = host_new("");
    GuestTables p;

    host_start(&h, HOST_NESTED ",x-forward-invalidation=off");
    p = first_stage_on(&h);
    guest_assert_maps(&h.g, IOVA, PAGE_A);
    guest_map(&h.g, &p, IOVA, PAGE_B);
    guest_invalidate_page(&h.g, true, IOVA);
    guest_assert_maps(&h.g, IOVA, PAGE_A);
    host_finish(&h);
}

/* QEMU's structs are larger than this kernel's... */
static void test_kernel_6_8(void)
{
    check_first_stage(HOST_NESTED, "kernel 6.8\n");
}

/* ...and smaller than this one's. */
static void test_kernel_next(void)
{
    check_first_stage(HOST_NESTED, "kernel next\n");
}

/* Tables above the page stay cached where the guest says so. */
static void test_leaf_only(void)
{
    Host h = host_new("");
    GuestTables p;
    uint64_t level2;

    host_start(&h, HOST_NESTED);
    p = first_stage_on(&h);
    guest_assert_maps(&h.g, IOVA, PAGE_A);
    level2 = guest_entry(&h.g, &p, IOVA, 2);
    qtest_writeq(h.g.qts, OTHER_TABLES + (IOVA >> 12 & 0x1ff) * 8,
                 PAGE_B | p.leaf_bits);
    qtest_writeq(h.g.qts, level2, OTHER_TABLES | p.table_bits);
    guest_submit(&h.g, (uint64_t)DID << 16 | 3 << 4 | 6, IOVA | 1 << 6);
    guest_wait(&h.g);
    guest_assert_maps(&h.g, IOVA, PAGE_A);
    guest_submit(&h.g, (uint64_t)DID << 16 | 3 << 4 | 6, IOVA);
    guest_wait(&h.g);
    guest_assert_maps(&h.g, IOVA, PAGE_B);
    host_finish(&h);
}

/* The host's unit sets them in the guest's memory. */
static void test_accessed_and_dirty(void)
{
    Host h = host_new("");
    GuestTables p;
    uint64_t entry, value;

    host_start(&h, HOST_NESTED);
    p = first_stage_on(&h);
    entry = guest_entry(&h.g, &p, IOVA, 1);
    g_assert_cmpint(guest_dma_read(&h.g, IOVA, &value), ==, 0);
    g_assert_cmphex(qtest_readq(h.g.qts, entry), ==,
                    PAGE_A | p.leaf_bits | VTD_FS_A);
    g_assert_cmpint(guest_dma_write(&h.g, IOVA, 1), ==, 0);
    g_assert_cmphex(qtest_readq(h.g.qts, entry), ==,
                    PAGE_A | p.leaf_bits | VTD_FS_A | VTD_FS_D);
    host_finish(&h);
}

/* Every state of a device, and from each to the next. */
static void test_states(void)
{
    Host h = host_new("");
    GuestTables p = guest_first_stage(0);

    host_start(&h, HOST_NESTED);
    first_stage_on(&h);
    guest_map(&h.g, &p, PAGE_B, PAGE_A);
    guest_assert_maps(&h.g, PAGE_B, PAGE_A);
    guest_pasid_entry(&h.g, VTD_PGTT_PASS_THROUGH);
    guest_assert_maps(&h.g, PAGE_B, PAGE_A);
    guest_invalidate_pasid_entry(&h.g);
    guest_assert_maps(&h.g, PAGE_B, PAGE_B);
    qtest_writeq(h.g.qts, PASID_TABLE, 0);
    guest_invalidate_pasid_entry(&h.g);
    assert_refused(&h, PAGE_B);
    guest_pasid_entry(&h.g, VTD_PGTT_FIRST_STAGE);
    guest_invalidate_pasid_entry(&h.g);
    guest_assert_maps(&h.g, PAGE_B, PAGE_A);
    guest_pasid_entry(&h.g, VTD_PGTT_SECOND_STAGE);
    guest_invalidate_pasid_entry(&h.g);
    assert_refused(&h, PAGE_B);
    qtest_writel(h.g.qts, REGS + VTD_REG_GCMD, VTD_GCMD_QIE);
    guest_assert_maps(&h.g, PAGE_B, PAGE_B);
    host_finish(&h);
}

/* The parent follows what the guest's chipset shows as memory. */
static void test_memory_changes(void)
{
    const uint64_t hole = 0xc8000;
    Host h = host_new("");
    QPCIDevice *chipset;

    host_start(&h, HOST_NESTED);
    chipset = qpci_device_find(h.g.bus, 0);
    for (int i = 0; i < 2; i++) {
        qpci_config_writeb(chipset, MCH_HOST_BRIDGE_PAM2, 0x33);
        guest_assert_maps(&h.g, hole + 0x100, hole + 0x100);
        qpci_config_writeb(chipset, MCH_HOST_BRIDGE_PAM2, 0);
        assert_refused(&h, hole + 0x100);
        guest_assert_maps(&h.g, PAGE_A, PAGE_A);
    }
    g_free(chipset);
    host_finish(&h);
}

static void test_plug(void)
{
    Host h = host_new("");

    host_start_port(&h, HOST_PORT);
    for (int i = 0; i < 3; i++) {
        g_assert_cmpstr(host_plug(&h), ==, NULL);
        host_power_on(&h);
        guest_assert_maps(&h.g, PAGE_A, PAGE_A);
        host_unplug(&h);
        assert_nothing_left(&h);
    }
    host_finish(&h);
}

/* VFIO's own way: each mapping of the guest's is made in a container. */
static void check_container(const char *config)
{
    Host h = host_new(config);
    GuestTables p = guest_second_stage();

    host_start_container(&h, "-device intel-iommu,caching-mode=on");
    h.g.scalable = false;
    guest_assert_maps(&h.g, PAGE_A, PAGE_A);
    guest_legacy_context(&h.g, SID, 0);
    guest_queue_on(&h.g);
    guest_translation_on(&h.g);
    assert_refused(&h, IOVA);
    guest_map(&h.g, &p, IOVA, PAGE_A);
    guest_invalidate_page(&h.g, false, IOVA);
    guest_assert_maps(&h.g, IOVA, PAGE_A);
    guest_map(&h.g, &p, IOVA, PAGE_B);
    guest_assert_maps(&h.g, IOVA, PAGE_A);
    guest_invalidate_page(&h.g, false, IOVA);
    guest_assert_maps(&h.g, IOVA, PAGE_B);
    qtest_writeq(h.g.qts, guest_entry(&h.g, &p, IOVA, 1), 0);
    guest_invalidate_page(&h.g, false, IOVA);
    assert_refused(&h, IOVA);
    g_assert_cmpint(h.ref->live[REF_MAP], ==, 0);
    g_assert_cmpint(h.ref->dma_lost, ==, 0);
    host_finish(&h);
}

static void test_container(void)
{
    check_container("");
    check_container("kernel 2020\n");
}

/* --- What goes down ------------------------------------------------------ */

static void assert_struct(const Host *h, RefKind kind, unsigned request, int n,
                          const void *wanted, size_t size)
{
    const RefCall *call = host_call(h, kind, request, n);

    g_assert_nonnull(call);
    g_assert_cmpint(call->result, ==, 0);
    g_assert_cmpmem(call->data, call->size, wanted, size);
}

static void test_structs_of_attaching(void)
{
    Host h = host_new("");
    const RefCall *alloc;
    struct iommu_hwpt_alloc parent = { .size = sizeof(parent) };
    struct iommu_hwpt_alloc child = { .size = sizeof(child) };
    uint32_t attach[3] = { sizeof(attach) };
    uint32_t detach[2] = { sizeof(detach) };
    struct iommu_hwpt_vtd_s1 s1 = {
        .pgtbl_addr = FS_TABLES, .addr_width = 48,
    };

    host_start(&h, HOST_NESTED);
    first_stage_on(&h);
    alloc = host_call(&h, REF_IOMMUFD, IOMMU_HWPT_ALLOC, -1);
    g_assert_nonnull(alloc);
    /* Ids and pointers are those of this run; all else is compared. */
    memcpy(&child, alloc->data, sizeof(child));
    g_assert_cmpint(child.dev_id, !=, 0);
    child = (struct iommu_hwpt_alloc){
        .size = sizeof(child), .dev_id = child.dev_id, .pt_id = child.pt_id,
        .data_type = IOMMU_HWPT_DATA_VTD_S1, .data_len = sizeof(s1),
        .data_uptr = child.data_uptr,
    };
    assert_struct(&h, REF_IOMMUFD, IOMMU_HWPT_ALLOC, -1, &child,
                  sizeof(child));
    g_assert_cmpmem(alloc->extra, alloc->extra_size, &s1, sizeof(s1));
    parent.dev_id = child.dev_id;
    parent.flags = IOMMU_HWPT_ALLOC_NEST_PARENT;
    for (int i = 0;; i++) { /* VFIO allocates page tables of its own */
        alloc = host_call(&h, REF_IOMMUFD, IOMMU_HWPT_ALLOC, i);
        g_assert_nonnull(alloc);
        parent.pt_id = ((struct iommu_hwpt_alloc *)alloc->data)->pt_id;
        if (!memcmp(alloc->data, &parent, sizeof(parent))) {
            break;
        }
    }
    alloc = host_call(&h, REF_DEVICE, VFIO_DEVICE_ATTACH_IOMMUFD_PT, -1);
    memcpy(&attach[2], alloc->data + 8, 4);
    g_assert_cmpint(attach[2], >, child.pt_id);
    assert_struct(&h, REF_DEVICE, VFIO_DEVICE_ATTACH_IOMMUFD_PT, -1, attach,
                  sizeof(attach));
    qtest_writeq(h.g.qts, PASID_TABLE, 0);
    guest_invalidate_pasid_entry(&h.g);
    assert_struct(&h, REF_DEVICE, VFIO_DEVICE_DETACH_IOMMUFD_PT, -1, detach,
                  sizeof(detach));
    host_finish(&h);
}

static void test_structs_of_five_levels(void)
{
    Host h = host_new("");
    const struct iommu_hwpt_vtd_s1 s1 = {
        .pgtbl_addr = FS_TABLES, .addr_width = 57,
    };
    const RefCall *alloc;

    host_start(&h, HOST_NESTED ",aw-bits=57");
    host_context(&h, VTD_PGTT_FIRST_STAGE);
    qtest_writeq(h.g.qts, PASID_TABLE + 16, FS_TABLES | VTD_FSPM_5_LEVEL << 2);
    guest_queue_on(&h.g);
    guest_translation_on(&h.g);
    alloc = host_call(&h, REF_IOMMUFD, IOMMU_HWPT_ALLOC, -1);
    g_assert_cmpmem(alloc->extra, alloc->extra_size, &s1, sizeof(s1));
    host_finish(&h);
}

/* Descriptors up to the next wait descriptor, and what goes down for them. */
typedef struct Batch {
    uint64_t qw[6][2];
    struct iommu_hwpt_vtd_s1_invalidate entry[3];
} Batch;

#define OF_PASID ((uint64_t)DID << 16 | 2 << 4 | 6)
#define OF_PAGES ((uint64_t)DID << 16 | 3 << 4 | 6)
#define LEAF_ONLY (1 << 6)
#define BLOCK (IOVA & ~0xffffull) /* IOVA is its page 7 */

static const Batch batches[] = {
    /* Leaves only do not stand for all. */
    { .qw = { { OF_PAGES, IOVA }, { OF_PAGES, BLOCK | LEAF_ONLY | 4 } },
      .entry = { { .addr = IOVA, .npages = 1 },
                 { .addr = BLOCK, .npages = 16,
                   .flags = IOMMU_VTD_INV_FLAGS_LEAF } } },
    /* All of them make the others needless. */
    { .qw = { { OF_PAGES, IOVA }, { OF_PASID }, { OF_PAGES, IOVA } },
      .entry = { { .npages = UINT64_MAX } } },
    /* Pages 4 to 7 in any order, page 5 twice, page 8 beside them. */
    { .qw = { { OF_PAGES, BLOCK + 0x5000 }, { OF_PAGES, BLOCK + 0x4000 },
              { OF_PAGES, IOVA }, { OF_PAGES, BLOCK + 0x8000 },
              { OF_PAGES, BLOCK + 0x5000 }, { OF_PAGES, BLOCK + 0x6000 } },
      .entry = { { .addr = BLOCK + 0x4000, .npages = 4 },
                 { .addr = BLOCK + 0x8000, .npages = 1 } } },
    /* The kernel would widen these two to the same four. */
    { .qw = { { OF_PAGES, BLOCK + 0x5000 }, { OF_PAGES, BLOCK + 0x6000 } },
      .entry = { { .addr = BLOCK + 0x4000, .npages = 4 } } },
    /* These to 32, of which they are not half. */
    { .qw = { { OF_PAGES, BLOCK + 0xf000 }, { OF_PAGES, BLOCK + 0x10000 } },
      .entry = { { .addr = BLOCK + 0xf000, .npages = 1 },
                 { .addr = BLOCK + 0x10000, .npages = 1 } } },
};

static void check_batch(Host *h, const Batch *batch)
{
    struct iommu_hwpt_invalidate inval = {
        .size = sizeof(inval), .data_type = IOMMU_HWPT_INVALIDATE_DATA_VTD_S1,
        .entry_len = sizeof(batch->entry[0]),
    };
    unsigned calls = host_calls(h, REF_IOMMUFD, IOMMU_HWPT_INVALIDATE);
    const RefCall *call;

    for (unsigned i = 0; i < ARRAY_SIZE(batch->qw) && batch->qw[i][0]; i++) {
        guest_put(&h->g, batch->qw[i][0], batch->qw[i][1]);
    }
    guest_wait(&h->g);
    while (batch->entry[inval.entry_num].npages) {
        inval.entry_num++;
    }
    g_assert_cmpint(host_calls(h, REF_IOMMUFD, IOMMU_HWPT_INVALIDATE), ==,
                    calls + 1);
    call = host_call(h, REF_IOMMUFD, IOMMU_HWPT_INVALIDATE, -1);
    memcpy(&inval.hwpt_id, call->data + 4, 4);
    memcpy(&inval.data_uptr, call->data + 8, 8);
    assert_struct(h, REF_IOMMUFD, IOMMU_HWPT_INVALIDATE, -1, &inval,
                  sizeof(inval));
    g_assert_cmpmem(call->extra, call->extra_size, batch->entry,
                    inval.entry_num * sizeof(batch->entry[0]));
}

static void test_structs_of_invalidation(void)
{
    Host h = host_new("");

    host_start(&h, HOST_NESTED);
    first_stage_on(&h);
    /* One call has no entries: the question whether there is such a call. */
    g_assert_cmpint(host_calls(&h, REF_IOMMUFD, IOMMU_HWPT_INVALIDATE), ==, 1);
    for (unsigned i = 0; i < ARRAY_SIZE(batches); i++) {
        check_batch(&h, &batches[i]);
    }
    host_finish(&h);
}

/* What came before a change of the table goes down before it. */
static void test_order(void)
{
    Host h = host_new("");
    uint64_t qw[3][4] = {
        { (uint64_t)DID << 16 | 3 << 4 | 6, IOVA },
        { (uint64_t)DID << 16 | 1 << 4 | 7 },
        { 1ull << 32 | 1 << 5 | 5, STATUS },
    };
    unsigned last;

    host_start(&h, HOST_NESTED);
    first_stage_on(&h);
    qtest_writeq(h.g.qts, PASID_TABLE, 0);
    qtest_memwrite(h.g.qts, QUEUE, qw, sizeof(qw));
    qtest_writeq(h.g.qts, REGS + VTD_REG_IQT, sizeof(qw));
    g_assert_cmphex(guest_reg32(&h.g, VTD_REG_FSTS) & VTD_FSTS_QUEUE_ERRORS,
                    ==, 0);
    g_assert_cmphex(qtest_readl(h.g.qts, STATUS), ==, 1);
    last = h.ref->calls - 1; /* the HWPT goes */
    g_assert_cmphex(h.ref->log[last].request, ==, IOMMU_DESTROY);
    g_assert_cmphex(h.ref->log[last - 1].request, ==,
                    VFIO_DEVICE_DETACH_IOMMUFD_PT);
    g_assert_cmphex(h.ref->log[last - 2].request, ==, IOMMU_HWPT_INVALIDATE);
    host_finish(&h);
}

/* Of another domain: nothing goes down. */
static void test_structs_of_others(void)
{
    Host h = host_new("");

    host_start(&h, HOST_NESTED);
    first_stage_on(&h);
    guest_submit(&h.g, (uint64_t)(DID + 1) << 16 | 3 << 4 | 6, IOVA);
    guest_submit(&h.g, 7ull << 32 | (uint64_t)DID << 16 | 3 << 4 | 6, IOVA);
    guest_wait(&h.g);
    g_assert_cmpint(host_calls(&h, REF_IOMMUFD, IOMMU_HWPT_INVALIDATE), ==, 1);
    host_finish(&h);
}

/* --- What the host has to have ------------------------------------------- */

static void check_refused(Host *h, const char *config, const char *wanted)
{
    g_autofree char *error = NULL;

    strcpy(h->ref->config, config);
    error = host_plug(h);
    g_assert_nonnull(error);
    if (!strstr(error, wanted)) {
        g_test_message("%s: %s", config, error);
    }
    g_assert_nonnull(strstr(error, wanted));
    host_wait_for(&h->ref->live[REF_DEVICE], REF_DEVICE_FDS);
    assert_nothing_left(h);
}

static void set_units(Host *h, uint64_t without_cap, uint64_t without_ecap)
{
    snprintf(h->ref->config, sizeof(h->ref->config),
             "cap %llx\necap %llx\n", REF_CAP & ~without_cap,
             REF_ECAP & ~without_ecap);
}

static void check_without(Host *h, uint64_t cap, uint64_t ecap,
                          const char *wanted)
{
    g_autofree char *config = NULL;

    set_units(h, cap, ecap);
    config = g_strdup(h->ref->config);
    check_refused(h, config, wanted);
}

static void test_requirements(void)
{
    Host h = host_new("");

    host_start_port(&h, HOST_PORT ",aw-bits=57");
    check_without(&h, 0, VTD_ECAP_SMTS, "has scalable mode (ECAP.SMTS)");
    check_without(&h, 0, VTD_ECAP_NEST, "has nested translation (ECAP.NEST)");
    check_without(&h, 0, VTD_ECAP_SSTS,
                  "lacks second-stage translation (ECAP.SSTS)");
    check_without(&h, 0, VTD_ECAP_FSTS,
                  "has first-stage translation (ECAP.FSTS)");
    check_without(&h, VTD_CAP_FS1GP, 0,
                  "has 1 GiB first-stage pages (CAP.FS1GP)");
    check_without(&h, VTD_CAP_FS5LP, 0,
                  "has 5-level first-stage translation (CAP.FS5LP)");
    check_without(&h, 0, VTD_ECAP_SRS, "has supervisor requests (ECAP.SRS)");
    check_without(&h, 0, VTD_ECAP_EAFS,
                  "has extended accessed bits (ECAP.EAFS)");
    check_without(&h, 0, VTD_ECAP_SMPWCS,
                  "has coherent page walks (ECAP.SMPWCS)");
    check_without(&h, 8ull << 16, 0, "aw-bits=57, but the host's IOMMU has 49");
    check_refused(&h, "hw-type 2\n", "the host's IOMMU is of type 2");
    /* A call that one would miss only later. */
    check_refused(&h, "without IOMMU_HWPT_INVALIDATE\n",
                  "lacks invalidation of first-stage translations "
                  "(IOMMU_HWPT_INVALIDATE: ");
    check_refused(&h, "without IOMMU_HWPT_ALLOC\n", "Failed to allocate hwpt");
    h.ref->config[0] = 0;
    g_assert_cmpstr(host_plug(&h), ==, NULL);
    host_finish(&h);
}

/* A property for each feature that can be left to what the host has. */
static const struct {
    const char *property;
    uint64_t cap;
    uint64_t ecap;
} optional[] = {
    { "fs1gp", VTD_CAP_FS1GP, 0 },
    { "srs", 0, VTD_ECAP_SRS },
    { "eafs", 0, VTD_ECAP_EAFS },
    { "smpwcs", 0, VTD_ECAP_SMPWCS },
};

/* The host lacks one: the guest is not shown that, and all else. */
static void test_auto(void)
{
    Host full = host_new("");
    uint64_t cap, ecap;

    host_start(&full, HOST_NESTED);
    cap = guest_reg64(&full.g, VTD_REG_CAP);
    ecap = guest_reg64(&full.g, VTD_REG_ECAP);
    host_finish(&full);
    for (unsigned i = 0; i < ARRAY_SIZE(optional); i++) {
        Host h = host_new("");

        set_units(&h, optional[i].cap, optional[i].ecap);
        host_start(&h, HOST_NESTED);
        g_assert_cmphex(cap & optional[i].cap, ==, optional[i].cap);
        g_assert_cmphex(ecap & optional[i].ecap, ==, optional[i].ecap);
        g_assert_cmphex(guest_reg64(&h.g, VTD_REG_CAP), ==,
                        cap & ~optional[i].cap);
        g_assert_cmphex(guest_reg64(&h.g, VTD_REG_ECAP), ==,
                        ecap & ~optional[i].ecap);
        guest_assert_maps(&h.g, PAGE_A, PAGE_A);
        host_finish(&h);
    }
}

/* What was asked for and cannot be had ends QEMU, and it says what to do. */
static void test_on(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(optional); i++) {
        Host h = host_new("");
        g_autofree char *iommu = g_strdup_printf(HOST_NESTED ",%s=on",
                                                 optional[i].property);
        g_autofree char *hint = g_strdup_printf("Set %s=off on intel-iommu.",
                                                optional[i].property);
        g_autofree char *message = NULL;

        set_units(&h, optional[i].cap, optional[i].ecap);
        message = host_start_refused(&h, iommu);
        g_assert_nonnull(strstr(message, "the host's has not"));
        g_assert_nonnull(strstr(message, hint));
        for (RefKind kind = REF_ANY; kind < REF_KINDS; kind++) {
            g_assert_cmpint(h.ref->leaked[kind], ==, 0);
        }
        host_free(&h);
    }
}

/* What is not shown need not be there. */
static void test_not_required(void)
{
    Host h = host_new("");

    host_start_port(&h, HOST_PORT ",fs1gp=off,srs=off");
    set_units(&h, VTD_CAP_FS1GP | VTD_CAP_FS5LP,
              VTD_ECAP_PASID | VTD_ECAP_SRS | VTD_ECAP_PRS);
    g_assert_cmpstr(host_plug(&h), ==, NULL);
    host_finish(&h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/intel-iommu/host/dma/identity", test_identity);
    qtest_add_func("/intel-iommu/host/dma/first-stage", test_first_stage);
    qtest_add_func("/intel-iommu/host/dma/nothing-forwarded",
                   test_nothing_forwarded);
    qtest_add_func("/intel-iommu/host/dma/kernel-6.8", test_kernel_6_8);
    qtest_add_func("/intel-iommu/host/dma/kernel-next", test_kernel_next);
    qtest_add_func("/intel-iommu/host/dma/leaf-only", test_leaf_only);
    qtest_add_func("/intel-iommu/host/dma/accessed-and-dirty",
                   test_accessed_and_dirty);
    qtest_add_func("/intel-iommu/host/dma/states", test_states);
    qtest_add_func("/intel-iommu/host/dma/memory-changes",
                   test_memory_changes);
    qtest_add_func("/intel-iommu/host/dma/container", test_container);
    qtest_add_func("/intel-iommu/host/plug", test_plug);
    qtest_add_func("/intel-iommu/host/structs/attaching",
                   test_structs_of_attaching);
    qtest_add_func("/intel-iommu/host/structs/five-levels",
                   test_structs_of_five_levels);
    qtest_add_func("/intel-iommu/host/structs/invalidation",
                   test_structs_of_invalidation);
    qtest_add_func("/intel-iommu/host/structs/order", test_order);
    qtest_add_func("/intel-iommu/host/structs/others", test_structs_of_others);
    qtest_add_func("/intel-iommu/host/requirements", test_requirements);
    qtest_add_func("/intel-iommu/host/auto", test_auto);
    qtest_add_func("/intel-iommu/host/on", test_on);
    qtest_add_func("/intel-iommu/host/not-required", test_not_required);
    return g_test_run();
}
