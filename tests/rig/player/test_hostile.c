/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that writes nonsense into its tables and queue: its device is
 * refused, QEMU goes on, and the next sensible table works.
 */
#include "machine.h"

#define IOVA 0x4000000000ull
#define DATA 0x1111111111111111ull

#define NO_MEMORY 0x00700000000000ull  /* inside the address width */
#define BEYOND_WIDTH 0x8000000000000ull
#define UNIT_REGISTERS 0xfed90000ull

static void check_refused(Machine *m)
{
    CHECK_EQ(endpoint_try_read(&m->endpoint, IOVA).status,
             SVA_EP_STATUS_ERROR);
    CHECK_EQ(endpoint_try_write(&m->endpoint, IOVA).status,
             SVA_EP_STATUS_ERROR);
}

static void check_recovers(void)
{
    Machine *m = machine();

    CHECK(vm_alive(&m->vm));
    m = first_stage_machine();
    map(m, IOVA, page_of(m, DATA), 12);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), DATA);
}

/* Write @value to quadword @index of the PASID entry of a working machine. */
static void pasid_entry_is_refused(unsigned index, uint64_t value)
{
    Machine *m = first_stage_machine();
    uint64_t place = tables_pasid_place(&m->tables, m->pasid_dir, PASID);

    map(m, IOVA, page_of(m, DATA), 12);
    *vm_qword(&m->vm, place + index * 8) = value;
    flush_entry(m);
    check_refused(m);
    check_recovers();
}

/* The lowest quadword of a first-stage entry, with more bits. */
#define FIRST_STAGE_QW0 (1ull | TABLES_PGTT_FIRST_STAGE << 6)

TEST(a_first_stage_table_outside_memory_is_refused)
{
    pasid_entry_is_refused(2, NO_MEMORY);
}

TEST(a_first_stage_table_beyond_the_address_width_is_refused)
{
    pasid_entry_is_refused(2, BEYOND_WIDTH);
}

TEST(a_first_stage_table_in_the_devices_registers_is_refused)
{
    pasid_entry_is_refused(2, ENDPOINT_BAR);
}

TEST(a_first_stage_table_in_the_units_registers_is_refused)
{
    pasid_entry_is_refused(2, UNIT_REGISTERS);
}

TEST(reserved_bits_of_a_pasid_entry_are_refused)
{
    pasid_entry_is_refused(0, FIRST_STAGE_QW0 | 1 << 5);
    pasid_entry_is_refused(0, FIRST_STAGE_QW0 | 3 << 10);
}

TEST(unknown_translation_types_are_refused)
{
    pasid_entry_is_refused(0, 1 | 0 << 6);
    pasid_entry_is_refused(0, 1 | 5 << 6);
    pasid_entry_is_refused(0, 1 | 7 << 6);
}

TEST(a_nested_entry_of_the_guest_blocks_the_device)
{
    pasid_entry_is_refused(0, 1 | TABLES_PGTT_NESTED << 6 | 2 << 2);
}

TEST(five_levels_are_refused)
{
    Machine *m = first_stage_machine();

    pasid_entry_is_refused(2, m->pages.root | 1 << 2);
}

/* Change one table pointer, see the refusal, and put it back. */
static void pointer_is_refused(uint64_t place, uint64_t value)
{
    Machine *m = first_stage_machine();
    uint64_t old = *vm_qword(&m->vm, place);

    map(m, IOVA, page_of(m, DATA), 12);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), DATA);
    *vm_qword(&m->vm, place) = value;
    unit_context_global(&m->unit);
    unit_pasid_cache_global(&m->unit);
    unit_iotlb_global(&m->unit);
    unit_wait(&m->unit);
    check_refused(m);
    *vm_qword(&m->vm, place) = old;
    unit_context_global(&m->unit);
    unit_pasid_cache_global(&m->unit);
    unit_iotlb_global(&m->unit);
    unit_wait(&m->unit);
    check_recovers();
}

TEST(a_context_table_in_the_wrong_place_is_refused)
{
    Machine *m = first_stage_machine();

    pointer_is_refused(m->root, NO_MEMORY | 1);
    pointer_is_refused(m->root, BEYOND_WIDTH | 1);
    pointer_is_refused(m->root, UNIT_REGISTERS | 1);
    pointer_is_refused(m->root, m->root | 1);
}

TEST(a_pasid_directory_in_the_wrong_place_is_refused)
{
    Machine *m = first_stage_machine();
    uint64_t place =
        tables_scalable_context_place(&m->tables, m->root,
                                      m->endpoint.devfn);

    pointer_is_refused(place, NO_MEMORY | 1);
    pointer_is_refused(place, BEYOND_WIDTH | 1);
    pointer_is_refused(place, ENDPOINT_BAR | 1);
}

TEST(a_pasid_table_in_the_wrong_place_is_refused)
{
    Machine *m = first_stage_machine();
    uint64_t place = tables_pasid_directory_place(m->pasid_dir, PASID);

    pointer_is_refused(place, NO_MEMORY | 1);
    pointer_is_refused(place, BEYOND_WIDTH | 1);
    pointer_is_refused(place, ENDPOINT_BAR | 1);
    pointer_is_refused(place, m->pasid_dir | 1);
}

/* A last-level entry of the first stage. */
static void page_is_refused(uint64_t entry)
{
    Machine *m = first_stage_machine();

    map(m, IOVA, page_of(m, DATA), 12);
    *vm_qword(&m->vm, tables_entry(&m->tables, &m->pages, IOVA, 1)) = entry;
    check_refused(m);
    check_recovers();
}

TEST(a_page_in_the_wrong_place_is_refused)
{
    page_is_refused(NO_MEMORY | 7);
    page_is_refused(BEYOND_WIDTH | 7);
    page_is_refused(UNIT_REGISTERS | 7);
    page_is_refused(0xfee00000 | 7);
}

TEST(a_table_that_is_its_own_page_stays_inside_the_guest)
{
    Machine *m = first_stage_machine();
    uint64_t place = m->pages.root + (IOVA >> 39 & 511) * 8;

    *vm_qword(&m->vm, place) = m->pages.root | 7;
    endpoint_try_read(&m->endpoint, IOVA);
    endpoint_try_write(&m->endpoint, IOVA);
    check_recovers();
}

TEST(a_root_table_in_the_wrong_place_is_refused)
{
    static const uint64_t places[] = { NO_MEMORY, BEYOND_WIDTH, ENDPOINT_BAR,
                                       UNIT_REGISTERS };

    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        Machine *m = first_stage_machine();

        map(m, IOVA, page_of(m, DATA), 12);
        unit_set_root(&m->unit, places[i]);
        check_refused(m);
        unit_set_root(&m->unit, m->root);
        check_recovers();
    }
}

TEST(a_queue_outside_memory_stops)
{
    static const uint64_t places[] = { NO_MEMORY, UNIT_REGISTERS };

    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        Machine *m = first_stage_machine();

        CHECK(unit_run_queue_at(&m->unit, places[i]) &
              UNIT_FSTS_QUEUE_ERRORS);
        check_recovers();
    }
}

TEST(a_wait_status_outside_memory_is_dropped)
{
    Machine *m = first_stage_machine();

    unit_descriptor(&m->unit, UNIT_WAIT_DESCRIPTOR, NO_MEMORY);
    unit_descriptor(&m->unit, UNIT_WAIT_DESCRIPTOR, UNIT_REGISTERS);
    unit_descriptor(&m->unit, UNIT_WAIT_DESCRIPTOR, ENDPOINT_BAR);
    unit_wait(&m->unit);
    check_recovers();
}

static void descriptor_stops_the_queue(uint64_t low, uint64_t high)
{
    Machine *m = first_stage_machine();

    tap_context("descriptor %" PRIx64 " %" PRIx64, high, low);
    unit_descriptor(&m->unit, low, high);
    CHECK(unit_wait_for_error(&m->unit) & UNIT_FSTS_QUEUE_ERRORS);
    check_recovers();
}

TEST(nonsense_in_the_queue_stops_the_queue)
{
    descriptor_stops_the_queue(0, 0);
    descriptor_stops_the_queue(15, 0);
    descriptor_stops_the_queue(~0ull, ~0ull);
    descriptor_stops_the_queue(6 | 1 << 4, 0);       /* no granularity */
    descriptor_stops_the_queue(6 | 3 << 4, 63);      /* 2^63 pages */
    descriptor_stops_the_queue(7 | 2 << 4, 0);
    descriptor_stops_the_queue(7 | 3 << 4, 1);       /* reserved */
}
