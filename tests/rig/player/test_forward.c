/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The endpoint under the guest's first-stage tables: its DMA, and that what
 * the guest invalidates is invalidated in the host.
 *
 * The host's unit caches: every test of an invalidation first sees the old
 * page through a changed entry, so the new page behind it proves something.
 */
#include "machine.h"

#define IOVA 0x4000000000ull
#define OLD 0x1111111111111111ull
#define NEW 0x2222222222222222ull

static uint64_t checksum(Machine *m, uint64_t gpa, uint64_t bytes)
{
    uint64_t hash = SVA_EP_FNV_BASIS;

    for (uint64_t i = 0; i < bytes; i++) {
        hash = (hash ^ m->vm.ram[gpa + i]) * SVA_EP_FNV_PRIME;
    }
    return hash;
}

static void fill_randomly(Machine *m, uint64_t gpa, uint64_t bytes)
{
    uint64_t state = gpa;

    for (uint64_t i = 0; i < bytes; i += 8) {
        *vm_qword(&m->vm, gpa + i) = tap_random(&state);
    }
}

TEST(dma_is_untranslated_before_translation_is_enabled)
{
    Machine *m = machine();
    uint64_t page = page_of(m, OLD);

    CHECK_EQ(endpoint_read(&m->endpoint, page), OLD);
    endpoint_fill(&m->endpoint, page + 8, NEW, 8);
    CHECK_EQ(*vm_qword(&m->vm, page), OLD);
    CHECK_EQ(*vm_qword(&m->vm, page + 8), NEW);
    CHECK_EQ(*vm_qword(&m->vm, page + 16), OLD);
}

TEST(a_read_through_the_first_stage_gets_the_right_bytes)
{
    Machine *m = first_stage_machine();
    uint64_t page = page_of(m, 0);

    fill_randomly(m, page, PAGE);
    map(m, IOVA, page, 12);
    CHECK_EQ(endpoint_checksum(&m->endpoint, IOVA, PAGE),
             checksum(m, page, PAGE));
    CHECK_EQ(endpoint_checksum(&m->endpoint, IOVA + 1001, 77),
             checksum(m, page + 1001, 77));
}

TEST(a_write_through_the_first_stage_lands_on_the_right_bytes)
{
    Machine *m = first_stage_machine();
    uint64_t page = page_of(m, OLD);

    map(m, IOVA, page, 12);
    endpoint_fill(&m->endpoint, IOVA + 0x100, NEW, 0x20);
    for (uint64_t i = 0; i < PAGE; i += 8) {
        CHECK_EQ(*vm_qword(&m->vm, page + i),
                 i >= 0x100 && i < 0x120 ? NEW : OLD);
    }
}

TEST(dma_sets_accessed_and_dirty_in_the_guests_table)
{
    Machine *m = first_stage_machine();
    uint64_t entry;

    map(m, IOVA, page_of(m, OLD), 12);
    map(m, IOVA + PAGE, page_of(m, OLD), 12);
    endpoint_read(&m->endpoint, IOVA);
    endpoint_fill(&m->endpoint, IOVA + PAGE, NEW, 8);
    entry = *vm_qword(&m->vm, tables_entry(&m->tables, &m->pages, IOVA, 1));
    CHECK_EQ(entry & (FS_ACCESSED | FS_DIRTY), FS_ACCESSED);
    entry = *vm_qword(&m->vm,
                      tables_entry(&m->tables, &m->pages, IOVA + PAGE, 1));
    CHECK_EQ(entry & (FS_ACCESSED | FS_DIRTY), FS_ACCESSED | FS_DIRTY);
}

TEST(dma_across_a_page_end_uses_both_pages)
{
    Machine *m = first_stage_machine();
    uint64_t second = page_of(m, OLD);
    uint64_t first = page_of(m, OLD); /* not in a row */

    map(m, IOVA, first, 12);
    map(m, IOVA + PAGE, second, 12);
    endpoint_fill(&m->endpoint, IOVA + PAGE - 8, NEW, 16);
    CHECK_EQ(*vm_qword(&m->vm, first + PAGE - 16), OLD);
    CHECK_EQ(*vm_qword(&m->vm, first + PAGE - 8), NEW);
    CHECK_EQ(*vm_qword(&m->vm, second), NEW);
    CHECK_EQ(*vm_qword(&m->vm, second + 8), OLD);
}

TEST(dma_through_a_page_of_2_mib)
{
    Machine *m = first_stage_machine();

    fill_randomly(m, LARGE_AREA, LARGE_PAGE);
    map(m, IOVA, LARGE_AREA, 21);
    CHECK_EQ(endpoint_checksum(&m->endpoint, IOVA + 0x80123, 0x50000),
             checksum(m, LARGE_AREA + 0x80123, 0x50000));
    endpoint_fill(&m->endpoint, IOVA + LARGE_PAGE - 8, NEW, 8);
    CHECK_EQ(*vm_qword(&m->vm, LARGE_AREA + LARGE_PAGE - 8), NEW);
}

TEST(dma_to_an_unmapped_page_is_refused_and_logged_by_the_host)
{
    Machine *m = first_stage_machine();
    EndpointResult r;

    r = endpoint_try_read(&m->endpoint, IOVA + 0x123000);
    CHECK_EQ(r.status, SVA_EP_STATUS_ERROR);
    CHECK_EQ(r.error, SVA_EP_ERR_READ);
    CHECK_EQ(r.fault_addr, IOVA + 0x123000);
    CHECK(kernel_log_shows(m, FAULT_READ));
}

/* Change the page behind IOVA; the device keeps seeing the old one. */
static Machine *stale_machine(void)
{
    Machine *m = first_stage_machine();

    map(m, IOVA, page_of(m, OLD), 12);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
    map(m, IOVA, page_of(m, NEW), 12);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
    return m;
}

static void sees_the_new_page(Machine *m)
{
    unit_wait(&m->unit);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), NEW);
}

TEST(a_pasid_iotlb_invalidation_of_the_page_reaches_the_host)
{
    Machine *m = stale_machine();

    unit_pasid_iotlb_pages(&m->unit, DID, PASID, IOVA, 0, true);
    sees_the_new_page(m);
}

TEST(a_pasid_iotlb_invalidation_of_a_range_reaches_the_host)
{
    Machine *m = stale_machine();

    unit_pasid_iotlb_pages(&m->unit, DID, PASID, IOVA & ~0xffffull, 4, false);
    sees_the_new_page(m);
}

TEST(a_pasid_iotlb_invalidation_of_the_pasid_reaches_the_host)
{
    Machine *m = stale_machine();

    unit_pasid_iotlb(&m->unit, DID, PASID);
    sees_the_new_page(m);
}

TEST(an_iotlb_invalidation_of_the_domain_reaches_the_host)
{
    Machine *m = stale_machine();

    unit_iotlb_domain(&m->unit, DID);
    sees_the_new_page(m);
}

TEST(an_iotlb_invalidation_of_the_page_reaches_the_host)
{
    Machine *m = stale_machine();

    unit_iotlb_pages(&m->unit, DID, IOVA, 0);
    sees_the_new_page(m);
}

TEST(a_global_iotlb_invalidation_reaches_the_host)
{
    Machine *m = stale_machine();

    unit_iotlb_global(&m->unit);
    sees_the_new_page(m);
}

TEST(an_invalidation_of_another_page_domain_or_pasid_does_nothing)
{
    Machine *m = stale_machine();

    unit_pasid_iotlb_pages(&m->unit, DID, PASID, IOVA + 16 * PAGE, 0, true);
    unit_pasid_iotlb_pages(&m->unit, DID + 1, PASID, IOVA, 0, true);
    unit_pasid_iotlb_pages(&m->unit, DID, PASID + 1, IOVA, 0, true);
    unit_iotlb_domain(&m->unit, DID + 1);
    unit_wait(&m->unit);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
}

/* One page in four: denser ones would go down as one. */
#define MANY 300
#define MANY_PAGE(i) (IOVA + 4 * (i) * PAGE)

TEST(many_invalidations_go_down_in_few_calls)
{
    Machine *m = first_stage_machine();
    uint64_t structs, ioctls;

    for (unsigned i = 0; i < MANY; i++) {
        map(m, MANY_PAGE(i), page_of(m, OLD + i), 12);
        CHECK_EQ(endpoint_read(&m->endpoint, MANY_PAGE(i)), OLD + i);
    }
    for (unsigned i = 0; i < MANY; i++) {
        map(m, MANY_PAGE(i), page_of(m, NEW + i), 12);
        unit_pasid_iotlb_pages(&m->unit, DID, PASID, MANY_PAGE(i), 0, true);
    }
    structs = counter(m, "x-host-invalidation-structs");
    ioctls = counter(m, "x-host-invalidation-ioctls");
    unit_wait(&m->unit);
    structs = counter(m, "x-host-invalidation-structs") - structs;
    ioctls = counter(m, "x-host-invalidation-ioctls") - ioctls;
    tap_note("%u descriptors before one wait: %" PRIu64 " structs in %" PRIu64
             " ioctls", MANY, structs, ioctls);
    CHECK_EQ(structs, MANY);
    CHECK(ioctls >= 1 && ioctls <= 3);
    for (unsigned i = 0; i < MANY; i++) {
        CHECK_EQ(endpoint_read(&m->endpoint, MANY_PAGE(i)), NEW + i);
    }
}

TEST(the_host_has_logged_no_other_fault)
{
    check_no_fault(machine());
}
