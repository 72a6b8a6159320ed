/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest changes how its endpoint is translated: another table, none,
 * pass-through, translation off, reset.
 */
#include "machine.h"

#define IOVA 0x4000000000ull
#define OLD 0x1111111111111111ull
#define NEW 0x2222222222222222ull

/* A machine that reads OLD at IOVA. */
static Machine *working_machine(void)
{
    Machine *m = first_stage_machine();

    map(m, IOVA, page_of(m, OLD), 12);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
    return m;
}

static void check_refused(Machine *m, uint64_t addr)
{
    EndpointResult r = endpoint_try_read(&m->endpoint, addr);

    CHECK_EQ(r.status, SVA_EP_STATUS_ERROR);
    CHECK_EQ(r.error, SVA_EP_ERR_READ);
    r = endpoint_try_write(&m->endpoint, addr);
    CHECK_EQ(r.status, SVA_EP_STATUS_ERROR);
    CHECK_EQ(r.error, SVA_EP_ERR_WRITE);
}

static PageTable another_table(Machine *m)
{
    PageTable table = tables_page_table(&m->tables, STAGE_FIRST, 4, 0);

    tables_map(&m->tables, &table, IOVA, page_of(m, NEW), 12, MAP_RW);
    return table;
}

TEST(a_cleared_pasid_entry_blocks_the_device)
{
    Machine *m = working_machine();
    uint64_t detaches = counter(m, "x-host-detaches");

    use_nothing(m);
    flush_entry(m);
    CHECK_EQ(counter(m, "x-host-detaches"), detaches + 1);
    CHECK_EQ(endpoint_try_read(&m->endpoint, IOVA).error, SVA_EP_ERR_READ);
    CHECK(kernel_log_shows(m, FAULT_READ));
    CHECK_EQ(endpoint_try_write(&m->endpoint, IOVA).error, SVA_EP_ERR_WRITE);
    CHECK(kernel_log_shows(m, FAULT_WRITE));
}

TEST(a_restored_pasid_entry_works_again)
{
    Machine *m = working_machine();

    use_nothing(m);
    flush_entry(m);
    check_refused(m, IOVA);
    use_first_stage(m, &m->pages);
    flush_entry(m);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
}

TEST(pass_through_is_untranslated_and_back)
{
    Machine *m = working_machine();
    uint64_t page = page_of(m, NEW);

    use_pass_through(m);
    flush_entry(m);
    CHECK_EQ(endpoint_read(&m->endpoint, page), NEW);
    check_refused(m, IOVA);
    use_first_stage(m, &m->pages);
    flush_entry(m);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
    check_refused(m, page);
}

TEST(another_table_is_used_after_a_pasid_cache_invalidation)
{
    Machine *m = working_machine();
    PageTable table = another_table(m);
    uint64_t hwpts = counter(m, "x-host-stage1-hwpts");

    use_first_stage(m, &table);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
    flush_entry(m);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), NEW);
    CHECK_EQ(counter(m, "x-host-stage1-hwpts"), hwpts + 1);
}

TEST(another_table_is_used_after_a_global_pasid_cache_invalidation)
{
    Machine *m = working_machine();
    PageTable table = another_table(m);

    use_first_stage(m, &table);
    unit_pasid_cache_global(&m->unit);
    unit_iotlb_global(&m->unit);
    unit_wait(&m->unit);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), NEW);
}

TEST(another_table_is_used_after_a_pasid_cache_invalidation_of_the_domain)
{
    Machine *m = working_machine();
    PageTable table = another_table(m);

    use_first_stage(m, &table);
    unit_pasid_cache_domain(&m->unit, DID);
    unit_iotlb_domain(&m->unit, DID);
    unit_wait(&m->unit);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), NEW);
}

TEST(a_repeated_pasid_cache_invalidation_changes_nothing)
{
    Machine *m = working_machine();
    uint64_t hwpts = counter(m, "x-host-stage1-hwpts");
    uint64_t attaches = counter(m, "x-host-attaches");

    flush_entry(m);
    flush_entry(m);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
    CHECK_EQ(counter(m, "x-host-stage1-hwpts"), hwpts);
    CHECK_EQ(counter(m, "x-host-attaches"), attaches);
}

TEST(a_cleared_context_entry_blocks_the_device)
{
    Machine *m = working_machine();
    uint64_t place =
        tables_scalable_context_place(&m->tables, m->root,
                                      m->endpoint.devfn);
    uint64_t entry = *vm_qword(&m->vm, place);

    *vm_qword(&m->vm, place) = 0;
    unit_context_global(&m->unit);
    unit_pasid_cache_global(&m->unit);
    unit_iotlb_global(&m->unit);
    unit_wait(&m->unit);
    check_refused(m, IOVA);
    *vm_qword(&m->vm, place) = entry;
    unit_context_global(&m->unit);
    unit_pasid_cache_global(&m->unit);
    unit_iotlb_global(&m->unit);
    unit_wait(&m->unit);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
}

TEST(dma_is_untranslated_while_translation_is_disabled)
{
    Machine *m = working_machine();
    uint64_t page = page_of(m, NEW);

    unit_translate(&m->unit, false);
    CHECK_EQ(endpoint_read(&m->endpoint, page), NEW);
    check_refused(m, IOVA);
    unit_translate(&m->unit, true);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
    check_refused(m, page);
}

/* The endpoint's PASID entry with a second stage, alone or below @first. */
static void use_second_stage(Machine *m, const PageTable *second,
                             const PageTable *first)
{
    use_nothing(m);
    tables_pasid(&m->tables, m->pasid_dir, PASID,
                 &(PasidEntry){
                     .pgtt = first ? TABLES_PGTT_NESTED :
                                     TABLES_PGTT_SECOND_STAGE,
                     .did = DID,
                     .ss_levels = second->levels,
                     .ss_table = second->root,
                     .fs_levels = 4,
                     .fs_table = first ? first->root : 0,
                 });
    flush_entry(m);
}

TEST(the_second_stage_of_the_guest_is_followed)
{
    Machine *m = working_machine();
    PageTable table = tables_page_table(&m->tables, STAGE_SECOND, 4, 0);

    tables_map(&m->tables, &table, IOVA, page_of(m, NEW), 12, MAP_RW);
    use_second_stage(m, &table, NULL);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), NEW);
    check_refused(m, IOVA + PAGE);

    tables_map(&m->tables, &table, IOVA, page_of(m, OLD), 12, MAP_RW);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), NEW);
    unit_iotlb_pages(&m->unit, DID, IOVA, 0);
    unit_wait(&m->unit);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
}

TEST(the_guest_nests_the_two)
{
    Machine *m = working_machine();
    PageTable second = tables_page_table(&m->tables, STAGE_SECOND, 4, 0);
    uint64_t page = page_of(m, OLD), other = page_of(m, NEW);

    /* Where the first stage's tables are, all is where it was. */
    tables_map_range(&m->tables, &second, 0, 0, VM_RAM_SIZE, 21, MAP_RW);
    tables_map(&m->tables, &second, IOVA, other, 12, MAP_RW);
    map(m, IOVA, page, 12);
    map(m, IOVA + PAGE, IOVA, 12);
    use_second_stage(m, &second, &m->pages);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA + PAGE), NEW);

    tables_map(&m->tables, &second, IOVA, page, 12, MAP_RW);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA + PAGE), NEW);
    unit_iotlb_pages(&m->unit, DID, IOVA, 0);
    unit_wait(&m->unit);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA + PAGE), OLD);
}

TEST(a_reset_leaves_dma_untranslated)
{
    Machine *m = working_machine();
    uint64_t page;

    vm_reset(&m->vm);
    machine_start_devices(m);
    page = page_of(m, NEW);
    CHECK_EQ(endpoint_read(&m->endpoint, page), NEW);
    machine_start_unit(m);
}

TEST(the_first_stage_works_after_a_reset)
{
    working_machine();
}

#define SWITCHES 50

TEST(every_stage_1_hwpt_is_freed)
{
    Machine *m = working_machine();
    PageTable table = another_table(m);
    uint64_t hwpts, frees;

    use_nothing(m);
    flush_entry(m);
    hwpts = counter(m, "x-host-stage1-hwpts");
    frees = vm_traced("iommufd_backend_free_id");
    for (unsigned i = 0; i < SWITCHES; i++) {
        use_first_stage(m, i % 2 ? &table : &m->pages);
        flush_entry(m);
        CHECK_EQ(endpoint_read(&m->endpoint, IOVA), i % 2 ? NEW : OLD);
    }
    vm_reset(&m->vm);
    machine_start_devices(m);
    machine_start_unit(m);
    hwpts = counter(m, "x-host-stage1-hwpts") - hwpts;
    frees = vm_traced("iommufd_backend_free_id") - frees;
    tap_note("%" PRIu64 " stage-1 HWPTs allocated, %" PRIu64 " freed", hwpts,
             frees);
    CHECK_EQ(hwpts, SWITCHES);
    CHECK_EQ(frees, SWITCHES);
    CHECK_EQ(counter(m, "x-host-errors"), 0);
}

TEST(the_host_has_logged_no_other_fault)
{
    check_no_fault(machine());
}
