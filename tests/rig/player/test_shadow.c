/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The endpoint without nested translation: what the guest's second-stage
 * tables say is mapped for it in the host, when the guest invalidates.
 */
#include "machine.h"

#define IOVA 0x4000000000ull
#define OLD 0x1111111111111111ull
#define NEW 0x2222222222222222ull
#define MANY 1000

static void use_second_stage(Machine *m, uint16_t did, const PageTable *table)
{
    use_nothing(m);
    tables_pasid(&m->tables, m->pasid_dir, PASID,
                 &(PasidEntry){
                     .pgtt = TABLES_PGTT_SECOND_STAGE,
                     .did = did,
                     .ss_levels = 3,
                     .ss_table = table->root,
                 });
}

static void flush_second_stage_entry(Machine *m, uint16_t did)
{
    unit_pasid_cache(&m->unit, did, PASID);
    unit_iotlb_domain(&m->unit, did);
    unit_wait(&m->unit);
}

static Machine *second_stage_machine(void)
{
    Machine *m = machine();

    check_no_fault(m);
    m->tables.next = m->scratch;
    m->pages = tables_page_table(&m->tables, STAGE_SECOND, 3, 0);
    use_second_stage(m, DID, &m->pages);
    flush_second_stage_entry(m, DID);
    unit_translate(&m->unit, true);
    return m;
}

static void invalidate_pages(Machine *m, uint64_t iova, unsigned order)
{
    unit_iotlb_pages(&m->unit, DID, iova, order);
    unit_wait(&m->unit);
}

static uint64_t told(void)
{
    return vm_traced("vtd_shadow_map") + vm_traced("vtd_shadow_unmap");
}

TEST(dma_is_untranslated_before_translation_is_enabled)
{
    Machine *m = machine();

    CHECK_EQ(endpoint_read(&m->endpoint, page_of(m, OLD)), OLD);
}

TEST(a_page_is_mapped_when_the_guest_invalidates_it)
{
    Machine *m = second_stage_machine();
    uint64_t page = page_of(m, OLD);

    map(m, IOVA, page, 12);
    invalidate_pages(m, IOVA, 0);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
    endpoint_fill(&m->endpoint, IOVA + 8, NEW, 8);
    CHECK_EQ(*vm_qword(&m->vm, page + 8), NEW);
}

TEST(a_changed_page_is_seen_when_the_guest_invalidates_it)
{
    Machine *m = second_stage_machine();

    map(m, IOVA, page_of(m, OLD), 12);
    invalidate_pages(m, IOVA, 0);
    map(m, IOVA, page_of(m, NEW), 12);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
    invalidate_pages(m, IOVA, 0);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), NEW);
}

TEST(a_large_page_is_mapped_in_one_piece)
{
    Machine *m = second_stage_machine();
    uint64_t before = told();

    fill(m, LARGE_AREA, NEW, LARGE_PAGE);
    map(m, IOVA, LARGE_AREA, 21);
    unit_iotlb_global(&m->unit);
    unit_wait(&m->unit);
    CHECK_EQ(told() - before, 1);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA + LARGE_PAGE - 8), NEW);
}

/* VFIO leaves the interrupt range out: the first MiB of this page. */
TEST(a_large_page_around_the_interrupt_range)
{
    Machine *m = second_stage_machine();
    const uint64_t iova = 0xfee00000;

    fill(m, LARGE_AREA, NEW, LARGE_PAGE);
    map(m, iova, LARGE_AREA, 21);
    invalidate_pages(m, iova, 9);
    CHECK_EQ(endpoint_read(&m->endpoint, iova + 0x100000), NEW);
    CHECK_EQ(endpoint_read(&m->endpoint, iova + LARGE_PAGE - 8), NEW);
    *vm_qword(&m->vm, tables_entry(&m->tables, &m->pages, iova, 2)) = 0;
    invalidate_pages(m, iova, 9);
    CHECK_EQ(endpoint_try_read(&m->endpoint, iova + 0x100000).status,
             SVA_EP_STATUS_ERROR);
}

TEST(of_many_pages_only_what_changed_is_touched)
{
    Machine *m = second_stage_machine();
    uint64_t page = page_of(m, OLD);
    uint64_t before;

    for (unsigned i = 0; i < MANY; i++) {
        map(m, IOVA + i * PAGE, page, 12);
    }
    before = told();
    invalidate_pages(m, IOVA, 10);
    CHECK_EQ(told() - before, MANY);
    map(m, IOVA + 7 * PAGE, page_of(m, NEW), 12);
    before = told();
    unit_iotlb_domain(&m->unit, DID);
    unit_wait(&m->unit);
    tap_note("%u pages, one changed: %" PRIu64 " told", MANY,
             told() - before);
    CHECK_EQ(told() - before, 2);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA + 6 * PAGE), OLD);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA + 7 * PAGE), NEW);
}

TEST(a_context_invalidation_without_a_change_touches_nothing)
{
    Machine *m = second_stage_machine();
    uint64_t before;

    map(m, IOVA, page_of(m, OLD), 12);
    invalidate_pages(m, IOVA, 0);
    before = told();
    unit_context_global(&m->unit);
    unit_pasid_cache_global(&m->unit);
    unit_iotlb_global(&m->unit);
    unit_wait(&m->unit);
    CHECK_EQ(told() - before, 0);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
}

TEST(another_domain_has_its_own_pages)
{
    Machine *m = second_stage_machine();
    PageTable other = tables_page_table(&m->tables, STAGE_SECOND, 3, 0);

    map(m, IOVA, page_of(m, OLD), 12);
    invalidate_pages(m, IOVA, 0);
    tables_map(&m->tables, &other, IOVA + PAGE, page_of(m, NEW), 12, MAP_RW);
    use_second_stage(m, DID + 1, &other);
    flush_second_stage_entry(m, DID + 1);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA + PAGE), NEW);
    CHECK_EQ(endpoint_try_read(&m->endpoint, IOVA).status,
             SVA_EP_STATUS_ERROR);
}

TEST(a_page_that_is_unmapped_cannot_be_reached)
{
    Machine *m = second_stage_machine();

    map(m, IOVA, page_of(m, OLD), 12);
    invalidate_pages(m, IOVA, 0);
    unmap(m, IOVA);
    invalidate_pages(m, IOVA, 0);
    CHECK_EQ(endpoint_try_read(&m->endpoint, IOVA).status,
             SVA_EP_STATUS_ERROR);
    CHECK(kernel_log_shows(m, FAULT_READ));
}

TEST(pass_through_and_back)
{
    Machine *m = second_stage_machine();
    uint64_t page = page_of(m, OLD);

    map(m, IOVA, page, 12);
    use_pass_through(m);
    flush_second_stage_entry(m, DID);
    CHECK_EQ(endpoint_read(&m->endpoint, page), OLD);
    use_second_stage(m, DID, &m->pages);
    flush_second_stage_entry(m, DID);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
}

TEST(a_cleared_entry_leaves_nothing_mapped)
{
    Machine *m = second_stage_machine();

    map(m, IOVA, page_of(m, OLD), 12);
    invalidate_pages(m, IOVA, 0);
    use_nothing(m);
    flush_second_stage_entry(m, DID);
    CHECK_EQ(endpoint_try_read(&m->endpoint, IOVA).status,
             SVA_EP_STATUS_ERROR);
    use_second_stage(m, DID, &m->pages);
    flush_second_stage_entry(m, DID);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
}

TEST(translation_off_is_untranslated_again)
{
    Machine *m = second_stage_machine();
    uint64_t page = page_of(m, NEW);

    map(m, IOVA, page, 12);
    invalidate_pages(m, IOVA, 0);
    unit_translate(&m->unit, false);
    CHECK_EQ(endpoint_read(&m->endpoint, page), NEW);
    CHECK(vm_alive(&m->vm));
}
