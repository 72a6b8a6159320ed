/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plain walks against whole ones: each bit of each entry is flipped in turn.
 */
#include "vtd_plain.h"

#include <string.h>

#include "guest.h"
#include "tap.h"

#define IOVA 0x123456789abcull
#define TARGET 0x40000000ull

enum { R = VTD_PERM_READ, W = VTD_PERM_WRITE };

static VtdEnv env;
static VtdCaps caps;
static VtdConfig config;
static PageTable table;
static bool marked; /* the walk wanted to set a bit */

static VtdCas note_mark(void *opaque, uint64_t gpa, uint64_t expected,
                        uint64_t desired)
{
    marked = true;
    return guest.interface.cas64(opaque, gpa, expected, desired);
}

/* A page of 1 << @shift at IOVA, read and written before. */
static void start(VtdOptions options, Stage stage, unsigned levels,
                  unsigned shift)
{
    uint64_t within = (1ull << shift) - 1;

    guest_memory();
    env = guest.interface;
    env.cas64 = note_mark;
    fake_env_read_in_place(&guest.env, &env);
    CHECK(!vtd_caps_compose(&options, &caps));
    table = tables_page_table(&guest.tables, stage, levels, 0);
    tables_map(&guest.tables, &table, IOVA & ~within, TARGET, shift, MAP_RW);
    config = (VtdConfig){
        .kind = stage == STAGE_FIRST ? VTD_FIRST_STAGE : VTD_SECOND_STAGE,
        .scalable = options.scalable_mode,
        .fs_levels = levels,
        .ss_levels = levels,
        .fs_table = table.root,
        .ss_table = table.root,
    };
}

static VtdWalk walk_of(const VtdConfig *c, unsigned perm, uint64_t last_table)
{
    return (VtdWalk){
        .env = &env,
        .caps = &caps,
        .config = c,
        .access = { .perm = perm },
        .last_table = last_table,
    };
}

/* Whether a walk for @perm is plain; if so it has to be as the whole one. */
static bool compare(unsigned perm, uint64_t last_table)
{
    VtdConfig known = plain_config(plain_word(&config));
    VtdWalk plain = walk_of(&known, perm, last_table);
    VtdWalk whole = walk_of(&config, perm, last_table);
    VtdMapping expected = { 0 };
    VtdMapping found = { 0 };
    VtdFault fault;

    marked = false;
    if (!vtd_walk_plain(&plain, config.kind == VTD_FIRST_STAGE, IOVA,
                        &found)) {
        return false;
    }
    CHECK(!marked);
    fault = vtd_walk(&whole, IOVA, &expected);
    CHECK_EQ(fault, VTD_FAULT_NONE);
    CHECK(!marked);
    CHECK_EQ(found.iova, expected.iova);
    CHECK_EQ(found.pa, expected.pa);
    CHECK_EQ(found.shift, expected.shift);
    CHECK_EQ(found.perm, expected.perm);
    CHECK_EQ(plain.last_table, whole.last_table);
    return true;
}

/* The same from the root, and from the last table if there is one, to which
 * the way need not have been plain. */
static bool compare_both(unsigned perm)
{
    VtdWalk whole = walk_of(&config, perm, 0);
    VtdMapping out;
    bool plain = compare(perm, 0);

    if (!vtd_walk(&whole, IOVA, &out) && whole.last_table) {
        CHECK(compare(perm, whole.last_table) || !plain);
    }
    return plain;
}

/* How many of the walks are plain that meet a flipped bit. */
static unsigned flip_all(unsigned perm, unsigned levels, unsigned last)
{
    VtdWalk before = walk_of(&config, R | W, 0);
    VtdMapping out;
    unsigned plain = 0;

    CHECK_EQ(vtd_walk(&before, IOVA, &out), VTD_FAULT_NONE);
    CHECK(compare_both(perm));
    for (unsigned level = levels; level >= last; level--) {
        uint64_t place = tables_entry(&guest.tables, &table, IOVA, level);
        uint64_t entry = fake_load64(&guest.env, place);

        for (unsigned bit = 0; bit < 64; bit++) {
            tap_context("perm %u, level %u, bit %u", perm, level, bit);
            fake_store64(&guest.env, place, entry ^ 1ull << bit);
            plain += compare_both(perm);
            fake_store64(&guest.env, place, entry);
        }
    }
    return plain;
}

static void flip(VtdOptions options, Stage stage, unsigned levels,
                 bool refined)
{
    for (unsigned shift = 12; shift <= 30; shift += 9) {
        for (unsigned perm = R; perm <= (R | W); perm++) {
            start(options, stage, levels, shift);
            config.extended_accessed = refined;
            config.execute_enable = refined;
            config.no_execute = refined;
            config.ss_accessed_dirty = refined;
            /* Bits that nobody looks at, in the last entry at least. */
            CHECK(flip_all(perm, levels, 1 + (shift - 12) / 9) > 8);
        }
    }
}

static VtdOptions wide(VtdOptions o)
{
    o.aw_bits = 57;
    return o;
}

TEST(first_stage)
{
    flip(options_nested(), STAGE_FIRST, 4, false);
    flip(options_full(), STAGE_FIRST, 4, true);
    flip(wide(options_full()), STAGE_FIRST, 5, true);
}

TEST(second_stage)
{
    flip(options_nested(), STAGE_SECOND, 4, false);
    flip(options_full(), STAGE_SECOND, 4, true);
    flip(wide(options_full()), STAGE_SECOND, 5, false);
}

TEST(second_stage_of_legacy_mode)
{
    flip(options_legacy(), STAGE_SECOND, 4, false);
}

/* A bit that is missing from the way to the last table is missed by those who
 * begin there. */
TEST(rights_above_the_last_table_count)
{
    static const unsigned bits[] = { 1, 2 }; /* RW, US */
    VtdConfig known;
    VtdMapping out;

    start(options_nested(), STAGE_FIRST, 4, 12);
    known = plain_config(plain_word(&config));
    for (unsigned i = 0; i < 2; i++) {
        VtdWalk before = walk_of(&config, R | W, 0);
        VtdWalk after;

        CHECK_EQ(vtd_walk(&before, IOVA, &out), VTD_FAULT_NONE);
        after = walk_of(&known, R | W, before.last_table);
        CHECK(vtd_walk_plain(&after, true, IOVA, &out));
        after = walk_of(&known, R | W,
                        before.last_table & ~(1ull << bits[i]));
        CHECK(!vtd_walk_plain(&after, true, IOVA, &out));
    }
}

TEST(addresses_out_of_range_are_not_plain)
{
    VtdConfig known;
    VtdWalk walk;
    VtdMapping out;

    start(options_nested(), STAGE_FIRST, 4, 12);
    known = plain_config(plain_word(&config));
    walk = walk_of(&known, R, 0);
    CHECK(!vtd_walk_plain(&walk, true, IOVA | 1ull << 60, &out));
    start(options_legacy(), STAGE_SECOND, 4, 12);
    known = plain_config(plain_word(&config));
    walk = walk_of(&known, R, 0);
    CHECK(!vtd_walk_plain(&walk, false, IOVA | 1ull << 60, &out));
}

/* Neither what is below a first stage nor privilege is in the word. */
TEST(other_configurations_are_not_plain)
{
    start(options_nested(), STAGE_FIRST, 4, 12);
    CHECK(plain_word(&config));
    config.kind = VTD_NESTED;
    CHECK(!plain_word(&config));
    config.kind = VTD_PASS_THROUGH;
    CHECK(!plain_word(&config));
    config.kind = VTD_FIRST_STAGE;
    config.supervisor = true;
    CHECK(!plain_word(&config));
}

TEST(memory_that_is_not_read_in_place_is_not_plain)
{
    start(options_nested(), STAGE_FIRST, 4, 12);
    env.memory = NULL;
    CHECK(!compare(R, 0));
}
