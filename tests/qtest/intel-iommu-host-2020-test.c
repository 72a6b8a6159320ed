/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of devices that are passed through by the nesting interface of 2020, on
 * the reference host: what DMA meets, what goes down, what has to be there.
 */
#include "qemu/osdep.h"
#include "qobject/qdict.h"
#include "qobject/qjson.h"
#include "reference-host-2020.h"

#include <linux/vfio.h>

/* --- What the device's DMA meets ----------------------------------------- */

static void test_own_tables(void)
{
    Host h = host_new(KERNEL_2020);
    uint32_t pasid = host_2020_start_with_pasid(&h, HOST_2020);

    host_assert_pasid_maps(&h, pasid, PAGE_B);
    host_use_no_pasid(&h);
    guest_assert_maps(&h.g, PAGE_A, PAGE_A);
    host_assert_pasid_refused(&h, pasid + 1);
    g_assert_cmpint(h.ref->live[REF_BOUND_PASID], ==, 1);
    g_assert_cmpint(h.ref->dma_lost, ==, 0);
    host_finish(&h);
}

static void test_invalidation(void)
{
    Host h = host_new(KERNEL_2020);
    uint32_t pasid = host_2020_start_with_pasid(&h, HOST_2020);
    const uint64_t page = host_2020_page_of(pasid);
    GuestTables p = host_pasid_tables();

    host_assert_pasid_maps(&h, pasid, PAGE_B);
    guest_map(&h.g, &p, IOVA, PAGE_C);
    host_assert_pasid_maps(&h, pasid, PAGE_B);
    /* Of a neighbour, of another PASID, of another domain. */
    guest_submit(&h.g, page, IOVA + 0x1000);
    guest_submit(&h.g, page + (1ull << 32), IOVA);
    guest_submit(&h.g, page + (1ull << 16), IOVA);
    guest_wait(&h.g);
    host_assert_pasid_maps(&h, pasid, PAGE_B);
    guest_submit(&h.g, page, IOVA);
    guest_wait(&h.g);
    host_assert_pasid_maps(&h, pasid, PAGE_C);
    host_finish(&h);
}

/* What the test above can see: the unit keeps what nobody drops. */
static void test_nothing_forwarded(void)
{
    Host h = host_new(KERNEL_2020);
    uint32_t pasid = host_2020_start_with_pasid(
        &h, HOST_2020 ",x-forward-invalidation=off");
    GuestTables p = host_pasid_tables();

    host_assert_pasid_maps(&h, pasid, PAGE_B);
    guest_map(&h.g, &p, IOVA, PAGE_C);
    guest_submit(&h.g, host_2020_page_of(pasid), IOVA);
    guest_wait(&h.g);
    host_assert_pasid_maps(&h, pasid, PAGE_B);
    host_finish(&h);
}

static void check_removed(unsigned granularity)
{
    Host h = host_new(KERNEL_2020);
    uint32_t pasid = host_2020_start_with_pasid(&h, HOST_2020);

    host_assert_pasid_maps(&h, pasid, PAGE_B);
    host_pasid_clear(&h, pasid);
    host_pasid_invalidate(&h, granularity, pasid);
    host_assert_pasid_refused(&h, pasid);
    g_assert_cmpint(h.ref->live[REF_BOUND_PASID], ==, 0);
    g_assert_cmpint(h.ref->live[REF_PASID], ==, 1);
    host_finish(&h);
}

static void test_removed(void)
{
    check_removed(PC_PASID);
    check_removed(PC_DOMAIN);
    check_removed(PC_GLOBAL);
}

static void test_changed(void)
{
    Host h = host_new(KERNEL_2020);
    uint32_t pasid = host_2020_start_with_pasid(&h, HOST_2020);
    GuestTables p = guest_first_stage(0);

    host_assert_pasid_maps(&h, pasid, PAGE_B);
    guest_map(&h.g, &p, IOVA, PAGE_A);
    host_pasid_entry(&h, pasid, VTD_PGTT_FIRST_STAGE, PASID_DID, FS_TABLES);
    host_pasid_invalidate(&h, PC_PASID, pasid);
    host_assert_pasid_maps(&h, pasid, PAGE_A);
    g_assert_cmpint(h.ref->live[REF_BOUND_PASID], ==, 1);
    host_finish(&h);
}

/* Requests without PASID: untranslated or blocked, and those with one are
 * blocked along with them, as they lack a second stage. */
static void test_without_pasid(void)
{
    Host h = host_new(KERNEL_2020);
    uint32_t pasid = host_2020_start_with_pasid(&h, HOST_2020);

    for (int i = 0; i < 2; i++) {
        host_use_no_pasid(&h);
        guest_assert_maps(&h.g, PAGE_A, PAGE_A);
        host_assert_pasid_maps(&h, pasid, PAGE_B);
        host_pasid_clear(&h, 0);
        guest_invalidate_pasid_entry(&h.g);
        host_use_no_pasid(&h);
        host_2020_assert_refused(&h, PAGE_A);
        host_assert_pasid_refused(&h, pasid);
        g_assert_cmpint(h.ref->live[REF_MAP], ==, 0);
        guest_pasid_entry(&h.g, VTD_PGTT_PASS_THROUGH);
        guest_invalidate_pasid_entry(&h.g);
    }
    host_use_no_pasid(&h);
    guest_assert_maps(&h.g, PAGE_A, PAGE_A);
    host_assert_pasid_maps(&h, pasid, PAGE_B);
    host_finish(&h);
}

/* One fault is recorded, and cleared again. */
static void assert_entry_fault(Host *h)
{
    unsigned found = 0;

    for (unsigned i = 0; i < VTD_MAX_FAULT_RECORDS; i++) {
        unsigned at = VTD_REG_FRCD + i * VTD_FAULT_RECORD_BYTES;
        uint64_t upper = guest_reg64(&h->g, at + 8);

        if (upper & VTD_FRCD_F) {
            g_assert_cmphex(vtd_get(upper, VTD_FRCD_SID), ==, SID);
            g_assert_cmphex(vtd_get(upper, VTD_FRCD_FR), ==, 0x5b);
            qtest_writel(h->g.qts, REGS + at + 12, 1u << 31);
            found++;
        }
    }
    g_assert_cmpint(found, ==, 1);
}

/*
 * What cannot be told to the host is blocked.  Second stages the unit does not
 * even have: a fault is found by the device's next request then, on the host.
 */
static void check_blocked(unsigned pgtt)
{
    Host h = host_new(KERNEL_2020);
    uint32_t pasid = host_2020_start_with_pasid(&h, HOST_2020);

    host_pasid_entry(&h, pasid, pgtt, PASID_DID, PASID_TABLES);
    host_pasid_invalidate(&h, PC_PASID, pasid);
    host_assert_pasid_refused(&h, pasid);
    g_assert_cmpint(h.ref->live[REF_BOUND_PASID], ==, 0);
    host_use_no_pasid(&h);
    guest_assert_maps(&h.g, PAGE_A, PAGE_A);
    if (pgtt == VTD_PGTT_PASS_THROUGH) {
        assert_entry_fault(&h);
    } else {
        guest_pasid_entry(&h.g, pgtt);
        guest_invalidate_pasid_entry(&h.g);
        host_2020_assert_refused(&h, PAGE_A);
    }
    host_finish(&h);
}

static void test_blocked(void)
{
    check_blocked(VTD_PGTT_PASS_THROUGH);
    check_blocked(VTD_PGTT_SECOND_STAGE);
    check_blocked(VTD_PGTT_NESTED);
}

static void test_first_stage_without_pasid(void)
{
    Host h = host_new(KERNEL_2020);

    host_2020_start(&h, HOST_2020);
    guest_pasid_entry(&h.g, VTD_PGTT_FIRST_STAGE);
    guest_invalidate_pasid_entry(&h.g);
    host_2020_assert_refused(&h, PAGE_A);
    assert_entry_fault(&h);
    host_finish(&h);
}

static void test_translation_off(void)
{
    Host h = host_new(KERNEL_2020);
    uint32_t pasid = host_2020_start_with_pasid(&h, HOST_2020);

    host_pasid_clear(&h, 0);
    guest_invalidate_pasid_entry(&h.g);
    host_2020_assert_refused(&h, PAGE_A);
    qtest_writel(h.g.qts, REGS + VTD_REG_GCMD, VTD_GCMD_QIE);
    guest_assert_maps(&h.g, PAGE_A, PAGE_A);
    host_assert_pasid_refused(&h, pasid);
    g_assert_cmpint(h.ref->live[REF_BOUND_PASID], ==, 0);
    host_finish(&h);
}

static void test_reset(void)
{
    Host h = host_new(KERNEL_2020);
    uint32_t pasid = host_2020_start_with_pasid(&h, HOST_2020);

    host_2020_vcmd(&h, VCMD_ALLOC);
    host_assert_pasid_maps(&h, pasid, PAGE_B);
    host_reset(&h);
    g_assert_cmpint(h.ref->live[REF_BOUND_PASID], ==, 0);
    g_assert_cmpint(h.ref->live[REF_PASID], ==, 0);
    guest_assert_maps(&h.g, PAGE_A, PAGE_A);
    host_assert_pasid_refused(&h, pasid);
    host_use_no_pasid(&h);
    host_2020_guest(&h);
    pasid = host_2020_add_pasid(&h);
    host_assert_pasid_maps(&h, pasid, PAGE_B);
    host_finish(&h);
}

/* --- PASIDs from the host ------------------------------------------------- */

static void test_allocation(void)
{
    Host h = host_new(KERNEL_2020 "pasid-quota 5\n");
    uint32_t pasid[5];

    host_2020_start(&h, HOST_2020);
    for (unsigned i = 0; i < 5; i++) {
        pasid[i] = host_2020_alloc_pasid(&h);
        for (unsigned j = 0; j < i; j++) {
            g_assert_cmpint(pasid[i], !=, pasid[j]);
        }
    }
    g_assert_cmpint(h.ref->live[REF_PASID], ==, 5);
    g_assert_cmphex(host_2020_vcmd(&h, VCMD_ALLOC), ==, VCRSP_NONE);
    g_assert_cmphex(host_2020_vcmd(&h, VCMD_FREE(pasid[2])), ==, 0);
    g_assert_cmpint(h.ref->live[REF_PASID], ==, 4);
    g_assert_cmphex(host_2020_vcmd(&h, VCMD_FREE(pasid[2])), ==, VCRSP_NONE);
    g_assert_cmphex(host_2020_vcmd(&h, VCMD_FREE(0xfffff)), ==, VCRSP_NONE);
    g_assert_cmpint(host_2020_alloc_pasid(&h), ==, pasid[2]);
    host_finish(&h);
}

/* A guest gets so many, whatever the host would give. */
static void test_quota(void)
{
    Host h = host_new(KERNEL_2020 "pasid-quota 8000\n");
    unsigned count = 0;

    host_2020_start(&h, HOST_2020);
    while (host_2020_vcmd(&h, VCMD_ALLOC) != VCRSP_NONE) {
        count++;
        h.ref->calls = 0;
    }
    g_assert_cmpint(count, ==, 4096);
    g_assert_cmpint(h.ref->live[REF_PASID], ==, 4096);
    host_finish(&h);
}

/* Numbers that the device has no bits for are of no use. */
static void test_narrow(void)
{
    Host h = host_new(KERNEL_2020 "pasid-bits 3\n");

    host_2020_start(&h, HOST_2020);
    for (unsigned i = 1; i < 8; i++) {
        g_assert_cmpint(host_2020_alloc_pasid(&h), <, 8);
    }
    g_assert_cmphex(host_2020_vcmd(&h, VCMD_ALLOC), ==, VCRSP_NONE);
    host_finish(&h);
}

static void test_free_of_bound(void)
{
    Host h = host_new(KERNEL_2020);
    uint32_t pasid = host_2020_start_with_pasid(&h, HOST_2020);

    host_assert_pasid_maps(&h, pasid, PAGE_B);
    g_assert_cmphex(host_2020_vcmd(&h, VCMD_FREE(pasid)), ==, 0);
    g_assert_cmpint(h.ref->live[REF_BOUND_PASID], ==, 0);
    g_assert_cmpint(h.ref->live[REF_PASID], ==, 0);
    host_assert_pasid_refused(&h, pasid);
    /* Its entry is still there; with the PASID it counts again. */
    host_pasid_invalidate(&h, PC_PASID, pasid);
    host_assert_pasid_refused(&h, pasid);
    g_assert_cmpint(host_2020_alloc_pasid(&h), ==, pasid);
    host_pasid_invalidate(&h, PC_PASID, pasid);
    host_assert_pasid_maps(&h, pasid, PAGE_B);
    host_finish(&h);
}

static void test_not_allocated(void)
{
    Host h = host_new(KERNEL_2020);
    GuestTables p = host_pasid_tables();
    const uint32_t pasid = 7;
    unsigned calls;

    host_2020_start(&h, HOST_2020);
    calls = host_calls(&h, REF_CONTAINER, UAPI2020_NESTING_OP);
    guest_map(&h.g, &p, IOVA, PAGE_B);
    host_pasid_entry(&h, pasid, VTD_PGTT_FIRST_STAGE, PASID_DID, PASID_TABLES);
    host_pasid_invalidate(&h, PC_PASID, pasid);
    host_assert_pasid_refused(&h, pasid);
    assert_entry_fault(&h);
    g_assert_cmpint(host_calls(&h, REF_CONTAINER, UAPI2020_NESTING_OP), ==,
                    calls);
    host_finish(&h);
}

/* Each device has a container of its own, and the PASIDs are those of all: as
 * wide as the narrowest, bound for each, gone for each when they are freed. */
static void test_two_devices(void)
{
    Host h = host_new(KERNEL_2020 "second-pasid-bits 3\n");
    const unsigned second = SID + (1 << 3);
    GuestTables p = host_pasid_tables();
    uint32_t pasid;

    host_start_devices(&h, HOST_2020, HOST_BY_CONTAINER, HOST_BY_CONTAINER);
    host_2020_guest(&h);
    qtest_writeq(h.g.qts, CONTEXT + second * 32,
                 PASID_DIR | VTD_SMCTX_PASIDE | VTD_SMCTX_P);
    pasid = host_2020_add_pasid(&h);
    g_assert_cmpint(pasid, <, 8);
    g_assert_cmpint(h.ref->live[REF_BOUND_PASID], ==, 2);
    host_assert_pasid_maps(&h, pasid, PAGE_B);
    host_use_device(&h, second);
    host_assert_pasid_maps(&h, pasid, PAGE_B);
    guest_map(&h.g, &p, IOVA, PAGE_C);
    host_assert_pasid_maps(&h, pasid, PAGE_B);
    guest_submit(&h.g, host_2020_page_of(pasid), IOVA);
    guest_wait(&h.g);
    host_assert_pasid_maps(&h, pasid, PAGE_C);
    host_use_device(&h, SID);
    host_assert_pasid_maps(&h, pasid, PAGE_C);
    g_assert_cmphex(host_2020_vcmd(&h, VCMD_FREE(pasid)), ==, 0);
    host_assert_pasid_refused(&h, pasid);
    host_use_device(&h, second);
    host_assert_pasid_refused(&h, pasid);
    g_assert_cmpint(h.ref->live[REF_BOUND_PASID], ==, 0);
    g_assert_cmpint(h.ref->live[REF_PASID], ==, 0);
    host_finish(&h);
}

/* --- What goes down ------------------------------------------------------ */

static void assert_op(const Host *h, int n, const void *wanted, size_t size)
{
    const RefCall *call = host_call(h, REF_CONTAINER, UAPI2020_NESTING_OP, n);

    g_assert_nonnull(call);
    g_assert_cmpint(call->result, ==, 0);
    g_assert_cmpmem(call->data, call->size, wanted, size);
}

typedef struct BindOp {
    struct uapi2020_nesting_op op;
    struct uapi2020_gpasid_bind bind;
} BindOp;

typedef struct InvalidateOp {
    struct uapi2020_nesting_op op;
    struct uapi2020_cache_invalidate inval;
} InvalidateOp;

static void test_structs_of_binding(void)
{
    Host h = host_new(KERNEL_2020);
    uint32_t pasid = host_2020_start_with_pasid(&h, HOST_2020);
    BindOp op = {
        .op = { sizeof(op), UAPI2020_OP_BIND },
        .bind = { .argsz = 72, .version = 1, .format = 1, .addr_width = 48,
                  .flags = 1, .gpgd = PASID_TABLES, .hpasid = pasid,
                  .gpasid = pasid },
    };

    assert_op(&h, -1, &op, sizeof(op));
    host_pasid_clear(&h, pasid);
    host_pasid_invalidate(&h, PC_PASID, pasid);
    op.op.flags = UAPI2020_OP_UNBIND;
    op.bind.addr_width = 0;
    op.bind.gpgd = 0;
    assert_op(&h, -1, &op, sizeof(op));
    host_finish(&h);
}

static void test_structs_of_invalidation(void)
{
    Host h = host_new(KERNEL_2020);
    uint32_t pasid = host_2020_start_with_pasid(&h, HOST_2020);
    const uint64_t page = host_2020_page_of(pasid);
    const uint64_t block = IOVA & ~0xffffull;
    InvalidateOp op = {
        .op = { sizeof(op), UAPI2020_OP_INVALIDATE },
        .inval = { .argsz = 56, .version = 1, .cache = 1, .granularity = 2,
                   .granu.addr = { .flags = 1, .pasid = pasid,
                                   .granule_size = 4096 } },
    };
    unsigned calls = host_calls(&h, REF_CONTAINER, UAPI2020_NESTING_OP);

    /* One struct at a time, so merging counts: pages 4 to 7; leaves of 8. */
    for (unsigned i = 4; i < 8; i++) {
        guest_put(&h.g, page, block + i * 0x1000);
    }
    guest_put(&h.g, page, (block + 0x8000) | 1 << 6);
    guest_wait(&h.g);
    g_assert_cmpint(host_calls(&h, REF_CONTAINER, UAPI2020_NESTING_OP), ==,
                    calls + 2);
    op.inval.granu.addr.addr = block + 0x4000;
    op.inval.granu.addr.nb_granules = 4;
    assert_op(&h, calls, &op, sizeof(op));
    op.inval.granu.addr.addr = block + 0x8000;
    op.inval.granu.addr.nb_granules = 1;
    op.inval.granu.addr.flags = 1 | 4;
    assert_op(&h, calls + 1, &op, sizeof(op));
    guest_submit(&h.g, page - (1 << 4), 0); /* all of the PASID */
    guest_wait(&h.g);
    op.inval.granularity = 1;
    memset(&op.inval.granu, 0, sizeof(op.inval.granu));
    op.inval.granu.pasid = (struct uapi2020_invalidate_pasid){
        .flags = 1, .pasid = pasid,
    };
    assert_op(&h, -1, &op, sizeof(op));
    host_finish(&h);
}

static void test_structs_of_pasids(void)
{
    Host h = host_new(KERNEL_2020);
    struct uapi2020_pasid_request request = { 16, 1, 1, 0xfffff };
    const RefCall *call;
    uint32_t pasid;

    host_2020_start(&h, HOST_2020);
    pasid = host_2020_alloc_pasid(&h);
    call = host_call(&h, REF_CONTAINER, UAPI2020_PASID_REQUEST, -1);
    g_assert_cmpmem(call->data, call->size, &request, sizeof(request));
    host_2020_vcmd(&h, VCMD_FREE(pasid));
    request = (struct uapi2020_pasid_request){ 16, 2, pasid, pasid };
    call = host_call(&h, REF_CONTAINER, UAPI2020_PASID_REQUEST, -1);
    g_assert_cmpmem(call->data, call->size, &request, sizeof(request));
    host_finish(&h);
}

/* --- What QEMU tells ----------------------------------------------------- */

static void test_query(void)
{
    Host h = host_new(KERNEL_2020);
    QDict *answer;
    GString *json;

    host_2020_start_with_pasid(&h, HOST_2020 ",id=viommu");
    answer = qtest_qmp(h.g.qts, "{'execute': 'qom-get', 'arguments': "
                       "{'path': '/machine/peripheral/viommu', "
                       "'property': 'x-host-devices'}}");
    json = qobject_to_json(QOBJECT(answer));
    g_assert_nonnull(strstr(json->str, "\"backend\": \"vfio-v1\""));
    g_assert_nonnull(strstr(json->str, "\"state\": \"identity\""));
    g_assert_nonnull(strstr(json->str, "\"state\": \"first-stage\""));
    g_string_free(json, true);
    qobject_unref(answer);
    host_finish(&h);
}

int main(int argc, char **argv)
{
    static const HostTest tests[] = {
        { "dma/own-tables", test_own_tables },
        { "dma/invalidation", test_invalidation },
        { "dma/nothing-forwarded", test_nothing_forwarded },
        { "dma/removed", test_removed },
        { "dma/changed", test_changed },
        { "dma/without-pasid", test_without_pasid },
        { "dma/blocked", test_blocked },
        { "dma/first-stage-without-pasid", test_first_stage_without_pasid },
        { "dma/translation-off", test_translation_off },
        { "dma/reset", test_reset },
        { "pasids/allocation", test_allocation },
        { "pasids/quota", test_quota },
        { "pasids/narrow", test_narrow },
        { "pasids/free-of-bound", test_free_of_bound },
        { "pasids/not-allocated", test_not_allocated },
        { "pasids/two-devices", test_two_devices },
        { "structs/binding", test_structs_of_binding },
        { "structs/invalidation", test_structs_of_invalidation },
        { "structs/pasids", test_structs_of_pasids },
        { "query", test_query },
    };

    g_test_init(&argc, &argv, NULL);
    host_add_tests("/intel-iommu/host/2020", tests, ARRAY_SIZE(tests));
    return g_test_run();
}
