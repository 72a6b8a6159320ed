/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_iotlb.h"

#include <string.h>

#include "tap.h"

enum { RW = VTD_PERM_READ | VTD_PERM_WRITE };

/* Second-stage translations of domain 1 and 2, first-stage ones of domains 1
 * and 2 with PASIDs. */
static const VtdTag ss1 = { .did = 1 };
static const VtdTag ss2 = { .did = 2 };
static const VtdTag fs1a = { .did = 1, .pasid = 10, .first_stage = true };
static const VtdTag fs1b = { .did = 1, .pasid = 11, .first_stage = true };
static const VtdTag fs2a = { .did = 2, .pasid = 10, .first_stage = true };

static VtdIotlb tlb;
static VtdMapping found;

static void start(void)
{
    if (tlb.set) {
        vtd_iotlb_destroy(&tlb);
    }
    CHECK(vtd_iotlb_init(&tlb));
}

static VtdMapping mapping(uint64_t iova, unsigned shift)
{
    return (VtdMapping){
        .iova = iova >> shift << shift,
        .pa = (iova + 0x5000000000) >> shift << shift,
        .shift = shift,
        .perm = RW,
    };
}

static void insert_mapping(VtdTag tag, const VtdMapping *m)
{
    VtdIotlbTicket ticket = vtd_iotlb_ticket(&tlb, tag);

    vtd_iotlb_insert(&tlb, &ticket, m);
}

static void insert(VtdTag tag, uint64_t iova, unsigned shift)
{
    VtdMapping m = mapping(iova, shift);

    insert_mapping(tag, &m);
}

static bool holds(VtdTag tag, uint64_t iova)
{
    memset(&found, 0, sizeof(found));
    return vtd_iotlb_lookup(&tlb, vtd_iotlb_key(tag), iova, &found);
}

/* One page in each of the five tags. */
static void fill(void)
{
    start();
    insert(ss1, 0x1000, 12);
    insert(ss2, 0x1000, 12);
    insert(fs1a, 0x1000, 12);
    insert(fs1b, 0x1000, 12);
    insert(fs2a, 0x1000, 12);
}

static void check_holds(bool in_ss1, bool in_ss2, bool in_fs1a, bool in_fs1b,
                        bool in_fs2a)
{
    CHECK_EQ(holds(ss1, 0x1000), in_ss1);
    CHECK_EQ(holds(ss2, 0x1000), in_ss2);
    CHECK_EQ(holds(fs1a, 0x1000), in_fs1a);
    CHECK_EQ(holds(fs1b, 0x1000), in_fs1b);
    CHECK_EQ(holds(fs2a, 0x1000), in_fs2a);
}

TEST(an_empty_cache_holds_nothing)
{
    start();
    CHECK(!holds(ss1, 0));
    CHECK(!holds((VtdTag){ 0 }, 0));
    CHECK(!holds(fs1a, ~0ull));
}

TEST(what_was_inserted_is_found)
{
    VtdMapping m = mapping(0x123456789000, 12);

    start();
    insert(ss1, 0x123456789000, 12);
    CHECK(holds(ss1, 0x123456789abc));
    CHECK_EQ(found.iova, m.iova);
    CHECK_EQ(found.pa, m.pa);
    CHECK_EQ(found.shift, 12);
    CHECK_EQ(found.perm, RW);
    CHECK(!holds(ss1, 0x12345678a000));
    CHECK(!holds(ss1, 0x123456788fff));
}

TEST(pages_of_each_size)
{
    static const unsigned shifts[] = { 12, 21, 30 };

    for (unsigned i = 0; i < 3; i++) {
        uint64_t size = 1ull << shifts[i];

        start();
        insert(fs1a, 5 * size, shifts[i]);
        tap_context("shift %u", shifts[i]);
        CHECK(holds(fs1a, 5 * size));
        CHECK_EQ(found.shift, shifts[i]);
        CHECK(holds(fs1a, 6 * size - 1));
        CHECK_EQ(found.iova, 5 * size);
        CHECK(!holds(fs1a, 6 * size));
        CHECK(!holds(fs1a, 5 * size - 1));
    }
}

TEST(a_size_that_the_cache_does_not_hold_is_dropped)
{
    VtdMapping m = mapping(0, 39);

    start();
    insert_mapping(ss1, &m);
    CHECK(!holds(ss1, 0));
}

TEST(addresses_of_the_upper_half)
{
    start();
    insert(fs1a, 0xfffffffffffff000, 12);
    CHECK(holds(fs1a, ~0ull));
    CHECK_EQ(found.iova, 0xfffffffffffff000);
    CHECK(!holds(fs1a, 0x0000fffffffff000));
}

TEST(rights_are_kept)
{
    for (unsigned perm = 0; perm < 8; perm++) {
        VtdMapping m = mapping(0x1000, 12);

        start();
        m.perm = perm;
        insert_mapping(ss1, &m);
        CHECK(holds(ss1, 0x1000));
        CHECK_EQ(found.perm, perm);
    }
}

TEST(tags_do_not_mix)
{
    static const VtdTag tags[] = {
        { .did = 1 },
        { .did = 2 },
        { .did = 0x8001 },
        { .did = 1, .pasid = 0, .first_stage = true },
        { .did = 1, .pasid = 1, .first_stage = true },
        { .did = 1, .pasid = 0x80001, .first_stage = true },
        { .did = 2, .pasid = 1, .first_stage = true },
        { .did = 0xffff, .pasid = 0xfffff, .first_stage = true },
    };
    const unsigned count = sizeof(tags) / sizeof(tags[0]);

    for (unsigned i = 0; i < count; i++) {
        start();
        insert(tags[i], 0x1000, 12);
        for (unsigned k = 0; k < count; k++) {
            tap_context("inserted %u, looked for %u", i, k);
            CHECK_EQ(holds(tags[k], 0x1000), i == k);
        }
    }
}

TEST(a_page_inserted_again_replaces_itself)
{
    VtdMapping m = mapping(0x1000, 12);

    start();
    for (unsigned i = 1; i < 20; i++) {
        m.pa = i << 12;
        insert_mapping(ss1, &m);
        CHECK(holds(ss1, 0x1000));
        CHECK_EQ(found.pa, i << 12);
    }
    vtd_iotlb_drop_pages(&tlb, ss1, 0x1000, 0, false);
    CHECK(!holds(ss1, 0x1000));
}

/* Pages that fall into one set. */
static uint64_t colliding(unsigned n)
{
    return (uint64_t)n * VTD_IOTLB_SETS << 12;
}

TEST(a_set_holds_its_ways_and_replaces_one_at_a_time)
{
    unsigned held = 0;

    start();
    for (unsigned i = 0; i < VTD_IOTLB_WAYS; i++) {
        insert(ss1, colliding(i), 12);
    }
    for (unsigned i = 0; i < VTD_IOTLB_WAYS; i++) {
        CHECK(holds(ss1, colliding(i)));
    }
    insert(ss1, colliding(VTD_IOTLB_WAYS), 12);
    CHECK(holds(ss1, colliding(VTD_IOTLB_WAYS)));
    for (unsigned i = 0; i <= VTD_IOTLB_WAYS; i++) {
        held += holds(ss1, colliding(i));
    }
    CHECK_EQ(held, VTD_IOTLB_WAYS);
}

TEST(replacement_comes_round)
{
    start();
    for (unsigned i = 0; i < 100; i++) {
        insert(ss1, colliding(i), 12);
        CHECK(holds(ss1, colliding(i)));
    }
    for (unsigned i = 0; i < 100 - VTD_IOTLB_WAYS; i++) {
        CHECK(!holds(ss1, colliding(i)));
    }
}

/* What an invalidation has left in the first way makes room, and only once. */
TEST(a_set_holds_its_ways_again_after_an_invalidation)
{
    start();
    for (unsigned turn = 0; turn < 6; turn++) {
        for (unsigned i = 0; i < VTD_IOTLB_WAYS; i++) {
            insert(ss1, colliding(i), 12);
        }
        for (unsigned i = 0; i < VTD_IOTLB_WAYS; i++) {
            CHECK(holds(ss1, colliding(i)));
        }
        if (turn % 2) {
            vtd_iotlb_drop_domain(&tlb, ss1.did);
        } else {
            vtd_iotlb_drop_pages(&tlb, ss1, colliding(0), 0, false);
        }
        CHECK(!holds(ss1, colliding(0)));
    }
}

TEST(the_first_way_of_another_tag_is_not_free)
{
    const uint64_t n = VTD_IOTLB_SETS + vtd_iotlb_hash(vtd_iotlb_key(ss2)) -
                       vtd_iotlb_hash(vtd_iotlb_key(ss1));
    const uint64_t same_set = n % VTD_IOTLB_SETS << 12;

    start();
    insert(ss2, 0, 12);
    insert(ss1, same_set, 12);
    vtd_iotlb_drop_domain(&tlb, ss1.did);
    insert(ss1, same_set, 12);
    CHECK(holds(ss1, same_set));
    CHECK(holds(ss2, 0));
}

TEST(neighbouring_pages_do_not_replace_each_other)
{
    start();
    for (unsigned i = 0; i < VTD_IOTLB_SETS; i++) {
        insert(ss1, (uint64_t)i << 12, 12);
    }
    for (unsigned i = 0; i < VTD_IOTLB_SETS; i++) {
        CHECK(holds(ss1, (uint64_t)i << 12));
    }
}

/* Invalidation -------------------------------------------------------- */

TEST(drop_all_drops_everything)
{
    fill();
    vtd_iotlb_drop_all(&tlb);
    check_holds(false, false, false, false, false);
}

TEST(drop_domain_drops_both_stages_of_the_domain)
{
    fill();
    vtd_iotlb_drop_domain(&tlb, 1);
    check_holds(false, true, false, false, true);
}

TEST(drop_first_stage_keeps_the_second_stage)
{
    fill();
    vtd_iotlb_drop_first_stage(&tlb, 1);
    check_holds(true, true, false, false, true);
}

TEST(drop_pasid_drops_one_pasid_of_one_domain)
{
    fill();
    vtd_iotlb_drop_pasid(&tlb, 1, 10);
    check_holds(true, true, false, true, true);
}

TEST(drop_pages_drops_one_page_of_one_tag)
{
    fill();
    insert(fs1a, 0x2000, 12);
    vtd_iotlb_drop_pages(&tlb, fs1a, 0x1000, 0, false);
    check_holds(true, true, false, true, true);
    CHECK(holds(fs1a, 0x2000));
    vtd_iotlb_drop_pages(&tlb, ss2, 0x1000, 0, false);
    check_holds(true, false, false, true, true);
}

TEST(drop_pages_of_each_order)
{
    for (unsigned order = 0; order <= 18; order++) {
        const uint64_t pages = 1ull << order;
        const uint64_t first = 0x40000000;

        start();
        insert(ss1, first - 1, 12);
        insert(ss1, first, 12);
        insert(ss1, first + pages / 2 * 4096, 12);
        insert(ss1, first + pages * 4096 - 1, 12);
        insert(ss1, first + pages * 4096, 12);
        insert(ss2, first, 12);
        vtd_iotlb_drop_pages(&tlb, ss1, first, order, false);
        tap_context("order %u", order);
        CHECK(!holds(ss1, first));
        CHECK(!holds(ss1, first + pages / 2 * 4096));
        CHECK(!holds(ss1, first + pages * 4096 - 1));
        CHECK(holds(ss2, first));
        /* A large range may drop more of its tag, a small one does not. */
        if (order <= 3) {
            CHECK(holds(ss1, first - 1));
            CHECK(holds(ss1, first + pages * 4096));
        }
    }
}

TEST(drop_pages_of_a_large_order_stays_in_its_pasid)
{
    fill();
    vtd_iotlb_drop_pages(&tlb, fs1a, 0, 9, false);
    check_holds(true, true, false, true, true);
}

TEST(drop_pages_of_a_large_order_stays_in_its_domain)
{
    fill();
    vtd_iotlb_drop_pages(&tlb, ss1, 0, 9, false);
    CHECK(!holds(ss1, 0x1000));
    CHECK(holds(ss2, 0x1000));
    CHECK(holds(fs2a, 0x1000));
}

TEST(drop_of_one_page_drops_the_large_page_around_it)
{
    start();
    insert(ss1, 0x40000000, 21);
    insert(ss1, 0x40200000, 21);
    insert(ss1, 0x80000000, 30);
    vtd_iotlb_drop_pages(&tlb, ss1, 0x40123000, 0, false);
    CHECK(!holds(ss1, 0x40000000));
    CHECK(holds(ss1, 0x40200000));
    vtd_iotlb_drop_pages(&tlb, ss1, 0xbffff000, 0, false);
    CHECK(!holds(ss1, 0x80000000));
    CHECK(holds(ss1, 0x40200000));
}

TEST(drop_at_the_end_of_the_address_space)
{
    start();
    insert(fs1a, 0xfffffffffffff000, 12);
    insert(fs1a, 0xffffffffffe00000, 21);
    vtd_iotlb_drop_pages(&tlb, fs1a, 0xfffffffffffff000, 0, false);
    CHECK(!holds(fs1a, 0xffffffffffffffff));
    insert(fs1a, 0xfffffffffffff000, 12);
    vtd_iotlb_drop_pages(&tlb, fs1a, 0xffffffffffff0000, 4, false);
    CHECK(!holds(fs1a, 0xffffffffffffffff));
}

TEST(what_was_dropped_can_be_inserted_again)
{
    fill();
    vtd_iotlb_drop_all(&tlb);
    insert(ss1, 0x1000, 12);
    CHECK(holds(ss1, 0x1000));
    vtd_iotlb_drop_domain(&tlb, 1);
    insert(fs1a, 0x1000, 12);
    CHECK(holds(fs1a, 0x1000));
    CHECK(!holds(ss1, 0x1000));
    vtd_iotlb_drop_pages(&tlb, fs1a, 0x1000, 0, false);
    insert(fs1a, 0x1000, 12);
    CHECK(holds(fs1a, 0x1000));
}

TEST(highest_domain_and_pasid)
{
    VtdTag tag = { .did = 0xffff, .pasid = 0xfffff, .first_stage = true };

    start();
    insert(tag, 0x1000, 12);
    CHECK(holds(tag, 0x1000));
    vtd_iotlb_drop_pasid(&tlb, 0xffff, 0xfffff);
    CHECK(!holds(tag, 0x1000));
    insert(tag, 0x1000, 12);
    vtd_iotlb_drop_domain(&tlb, 0xffff);
    CHECK(!holds(tag, 0x1000));
}

/* Tickets ------------------------------------------------------------- */

/* A walk of @tag during which @drop happens leaves nothing behind. */
#define CHECK_TICKET(tag, iova, drop)                                      \
    do {                                                                   \
        VtdMapping m_ = mapping(iova, 12);                                 \
        VtdIotlbTicket ticket_;                                            \
        start();                                                           \
        ticket_ = vtd_iotlb_ticket(&tlb, tag);                             \
        drop;                                                              \
        vtd_iotlb_insert(&tlb, &ticket_, &m_);                         \
        CHECK(!holds(tag, iova));                                          \
    } while (0)

TEST(a_walk_that_began_before_an_invalidation_inserts_nothing)
{
    CHECK_TICKET(ss1, 0x1000, vtd_iotlb_drop_all(&tlb));
    CHECK_TICKET(ss1, 0x1000, vtd_iotlb_drop_domain(&tlb, 1));
    CHECK_TICKET(ss1, 0x1000, vtd_iotlb_drop_pages(&tlb, ss1, 0x1000, 0, false));
    CHECK_TICKET(ss1, 0x1000, vtd_iotlb_drop_pages(&tlb, ss1, 0, 10, false));
    CHECK_TICKET(fs1a, 0x1000, vtd_iotlb_drop_all(&tlb));
    CHECK_TICKET(fs1a, 0x1000, vtd_iotlb_drop_domain(&tlb, 1));
    CHECK_TICKET(fs1a, 0x1000, vtd_iotlb_drop_first_stage(&tlb, 1));
    CHECK_TICKET(fs1a, 0x1000, vtd_iotlb_drop_pasid(&tlb, 1, 10));
    CHECK_TICKET(fs1a, 0x1000, vtd_iotlb_drop_pages(&tlb, fs1a, 0x1000, 0, false));
    CHECK_TICKET(fs1a, 0x1000, vtd_iotlb_drop_pages(&tlb, fs1a, 0, 10, false));
}

TEST(wide_invalidations_of_others_do_not_disturb_a_walk)
{
    VtdMapping m = mapping(0x1000, 12);
    VtdIotlbTicket ticket;

    start();
    ticket = vtd_iotlb_ticket(&tlb, fs1a);
    vtd_iotlb_drop_domain(&tlb, 2);
    vtd_iotlb_drop_first_stage(&tlb, 2);
    vtd_iotlb_drop_pasid(&tlb, 1, 11);
    vtd_iotlb_insert(&tlb, &ticket, &m);
    CHECK(holds(fs1a, 0x1000));
}

TEST(a_busy_set_is_missed_and_not_filled)
{
    start();
    insert(ss1, 0, 12);
    for (unsigned i = 0; i < VTD_IOTLB_SETS; i++) {
        atomic_fetch_add(&tlb.set[i].seq, 1); /* a writer is at work */
    }
    CHECK(!holds(ss1, 0));
    insert(ss1, 0x1000, 12);
    for (unsigned i = 0; i < VTD_IOTLB_SETS; i++) {
        atomic_fetch_add(&tlb.set[i].seq, 1);
    }
    CHECK(holds(ss1, 0));
    CHECK(!holds(ss1, 0x1000));
}

/* Generations --------------------------------------------------------- */

#define EMPTYING_COUNT (1ull << 26)

TEST(the_table_is_emptied_before_generations_come_round)
{
    unsigned entries = 0;

    fill();
    atomic_store(&tlb.wide_count, EMPTYING_COUNT - 1);
    vtd_iotlb_drop_domain(&tlb, 5);
    for (unsigned i = 0; i < VTD_IOTLB_SETS; i++) {
        for (unsigned w = 0; w < VTD_IOTLB_WAYS; w++) {
            entries += tlb.set[i].way[w].page != 0;
        }
    }
    CHECK_EQ(entries, 0);
    CHECK_EQ(tlb.wide_count, 0);
    check_holds(false, false, false, false, false);
    insert(ss1, 0x1000, 12);
    CHECK(holds(ss1, 0x1000));
}

TEST(a_walk_across_the_emptying_inserts_nothing)
{
    VtdMapping m = mapping(0x1000, 12);
    VtdIotlbTicket ticket;

    start();
    ticket = vtd_iotlb_ticket(&tlb, ss1);
    atomic_store(&tlb.wide_count, EMPTYING_COUNT - 1);
    vtd_iotlb_drop_domain(&tlb, 5);
    vtd_iotlb_insert(&tlb, &ticket, &m);
    CHECK(!holds(ss1, 0x1000));
}

TEST(generations_beyond_what_an_entry_keeps)
{
    start();
    for (unsigned i = 0; i < 4; i++) {
        atomic_store(&tlb.global_gen, (1ull << 27) * i + (1ull << 27) - 2);
        insert(fs1a, 0x1000, 12);
        CHECK(holds(fs1a, 0x1000));
        for (unsigned k = 0; k < 4; k++) {
            vtd_iotlb_drop_all(&tlb);
            CHECK(!holds(fs1a, 0x1000));
        }
    }
}

TEST(page_invalidations_do_not_count_for_the_emptying)
{
    fill();
    for (unsigned i = 0; i < 1000; i++) {
        vtd_iotlb_drop_pages(&tlb, ss2, 0x5000, 0, false);
    }
    CHECK_EQ(tlb.wide_count, 0);
    check_holds(true, true, true, true, true);
}

TEST(destroying_twice_is_harmless)
{
    start();
    vtd_iotlb_destroy(&tlb);
    vtd_iotlb_destroy(&tlb);
    CHECK(!tlb.set);
}
