/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two passed-through devices: what the guest does to one does not touch the
 * other, and what is meant for both reaches both.
 */
#include "machine.h"

#define IOVA 0x4000000000ull
#define OLD 0x1111111111111111ull
#define NEW 0x2222222222222222ull

#define OTHER_DID (DID + 1)

/* A page behind IOVA in a table that is not in use yet. */
static PageTable table_with(Machine *m, uint64_t pattern)
{
    PageTable table = tables_page_table(&m->tables, STAGE_FIRST, 4, 0);

    tables_map(&m->tables, &table, IOVA, page_of(m, pattern), 12, MAP_RW);
    return table;
}

static void use_on_second(Machine *m, uint16_t did, const PageTable *table)
{
    put_first_stage(m, m->second_pasid_dir, did, table);
    unit_pasid_cache_global(&m->unit);
    unit_iotlb_global(&m->unit);
    unit_wait(&m->unit);
}

TEST(each_device_has_its_own_table)
{
    Machine *m = first_stage_machine();
    PageTable table = table_with(m, NEW);

    map(m, IOVA, page_of(m, OLD), 12);
    use_on_second(m, OTHER_DID, &table);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
    CHECK_EQ(endpoint_read(&m->second, IOVA), NEW);
}

/* Both devices have seen OLD behind IOVA, and still do; it is NEW by now. */
static Machine *two_stale_devices(uint16_t second_did)
{
    Machine *m = first_stage_machine();

    use_on_second(m, second_did, &m->pages);
    map(m, IOVA, page_of(m, OLD), 12);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
    CHECK_EQ(endpoint_read(&m->second, IOVA), OLD);
    map(m, IOVA, page_of(m, NEW), 12);
    return m;
}

TEST(an_invalidation_of_a_shared_domain_reaches_both)
{
    Machine *m = two_stale_devices(DID);

    unit_pasid_iotlb_pages(&m->unit, DID, PASID, IOVA, 0, true);
    unit_wait(&m->unit);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), NEW);
    CHECK_EQ(endpoint_read(&m->second, IOVA), NEW);
}

TEST(an_invalidation_of_one_domain_leaves_the_other)
{
    Machine *m = two_stale_devices(OTHER_DID);

    unit_pasid_iotlb_pages(&m->unit, OTHER_DID, PASID, IOVA, 0, true);
    unit_wait(&m->unit);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
    CHECK_EQ(endpoint_read(&m->second, IOVA), NEW);
    unit_pasid_iotlb_pages(&m->unit, DID, PASID, IOVA, 0, true);
    unit_wait(&m->unit);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), NEW);
}

TEST(a_global_invalidation_reaches_both)
{
    Machine *m = two_stale_devices(OTHER_DID);

    unit_iotlb_global(&m->unit);
    unit_wait(&m->unit);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), NEW);
    CHECK_EQ(endpoint_read(&m->second, IOVA), NEW);
}

TEST(blocking_one_leaves_the_other)
{
    Machine *m = first_stage_machine();
    PageTable table = table_with(m, NEW);

    map(m, IOVA, page_of(m, OLD), 12);
    use_on_second(m, OTHER_DID, &table);
    use_nothing(m);
    flush_entry(m);
    CHECK_EQ(endpoint_try_read(&m->endpoint, IOVA).status,
             SVA_EP_STATUS_ERROR);
    CHECK(kernel_log_shows(m, FAULT_READ));
    CHECK_EQ(endpoint_read(&m->second, IOVA), NEW);
}

TEST(pass_through_for_one_leaves_the_other_translated)
{
    Machine *m = first_stage_machine();
    PageTable table = table_with(m, NEW);
    uint64_t page = page_of(m, OLD);

    use_on_second(m, OTHER_DID, &table);
    use_pass_through(m);
    flush_entry(m);
    CHECK_EQ(endpoint_read(&m->endpoint, page), OLD);
    CHECK_EQ(endpoint_read(&m->second, IOVA), NEW);
}

TEST(both_are_untranslated_after_a_reset)
{
    Machine *m = two_stale_devices(DID);
    uint64_t page = page_of(m, NEW);

    vm_reset(&m->vm);
    machine_start_devices(m);
    CHECK_EQ(endpoint_read(&m->endpoint, page), NEW);
    CHECK_EQ(endpoint_read(&m->second, page), NEW);
    machine_start_unit(m);
}

TEST(the_host_has_logged_no_other_fault)
{
    check_no_fault(machine());
}
