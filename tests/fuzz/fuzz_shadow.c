/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mirror of second-stage tables: after any changes of the tables and a
 * synchronisation, what its users were told is what the tables say.
 */
#include "fuzz_ops.h"
#include "small_shadow.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VIEW_MAX (VTD_SHADOW_MAX_TABLES * 512)
/* Each table that was or will be held is read once; see vtd_shadow.c. */
#define SYNC_CALLS (3 * VTD_SHADOW_MAX_TABLES)

/* What a user of the mirror has mapped, by address. */
typedef struct View {
    VtdMapping page[VIEW_MAX];
    unsigned pages;
} View;

static View view;
static View again; /* what a replay tells */
static VtdShadow *shadow;
static VtdConfig config;
static unsigned visited; /* tables, by the slow look at them */

static uint64_t last_of(const VtdMapping *m)
{
    return m->iova + ((1ull << m->shift) - 1);
}

/* The first page of @v that does not end before @iova. */
static unsigned find(const View *v, uint64_t iova)
{
    unsigned low = 0;
    unsigned high = v->pages;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (last_of(&v->page[middle]) < iova) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void on_map(void *opaque, const VtdMapping *m)
{
    View *v = opaque;
    unsigned at = find(v, m->iova);

    CHECK(v->pages < VIEW_MAX);
    CHECK_EQ(m->iova & ((1ull << m->shift) - 1), 0);
    CHECK_EQ(m->pa & ((1ull << m->shift) - 1), 0);
    CHECK(m->perm & (VTD_PERM_READ | VTD_PERM_WRITE));
    CHECK(at == v->pages || v->page[at].iova > last_of(m));
    memmove(&v->page[at + 1], &v->page[at],
            (v->pages - at) * sizeof(v->page[0]));
    v->page[at] = *m;
    v->pages++;
}

static void on_unmap(void *opaque, uint64_t iova, uint64_t size)
{
    View *v = opaque;
    unsigned first = find(v, iova);
    unsigned end = first;

    CHECK(size && !(size & (size - 1)) && !(iova & (size - 1)));
    while (end < v->pages && v->page[end].iova <= iova + (size - 1)) {
        CHECK(v->page[end].iova >= iova);
        CHECK(last_of(&v->page[end]) <= iova + (size - 1));
        end++;
    }
    CHECK(end > first);
    memmove(&v->page[first], &v->page[end],
            (v->pages - end) * sizeof(v->page[0]));
    v->pages -= end - first;
}

static const VtdShadowSink sink = {
    .opaque = &view,
    .map = on_map,
    .unmap = on_unmap,
};

/* The tables, looked at slowly ----------------------------------------- */

static unsigned shift_at(unsigned level)
{
    return 12 + 9 * (level - 1);
}

static bool reserved(uint64_t e, unsigned level, bool leaf)
{
    unsigned width = fuzz_options.aw_bits < 52 ? fuzz_options.aw_bits : 52;
    uint64_t address = e & 0x000ffffffffff000;
    bool snoop = fuzz_options.snoop_control || fuzz_options.scalable_mode;
    bool transient = fuzz_options.device_tlb && fuzz_options.stale_tm;

    return address >> width ||
           ((e & SS_SNOOP) && !(leaf && snoop)) ||
           ((e & SS_TRANSIENT) && !(leaf && transient)) ||
           (level > 3 && (e & SS_PAGE_SIZE)) ||
           (leaf && address & ((1ull << shift_at(level)) - 1));
}

static uint64_t entry_of(uint64_t table, unsigned index)
{
    return table < FUZZ_RAM ? fuzz_peek(table + index * 8) : 0;
}

/* The page around @iova, or perm 0. */
static VtdMapping slow_walk(uint64_t iova)
{
    uint64_t table = config.ss_table;
    uint8_t perm = 3;

    for (unsigned level = config.ss_levels; level; level--) {
        uint64_t e = entry_of(table, iova >> shift_at(level) & 511);
        bool leaf = level == 1 || (level <= 3 && (e & SS_PAGE_SIZE));

        perm &= e & 3;
        if (!perm || reserved(e, level, leaf)) {
            break;
        }
        table = e & 0x000ffffffffff000;
        if (leaf) {
            return (VtdMapping){
                .iova = iova >> shift_at(level) << shift_at(level),
                .pa = table,
                .shift = shift_at(level),
                .perm = perm,
            };
        }
    }
    return (VtdMapping){ .perm = 0 };
}

static void check_in_view(uint64_t iova)
{
    VtdMapping m = slow_walk(iova);
    unsigned at = find(&view, iova);

    if (m.perm) {
        CHECK(at < view.pages && view.page[at].iova == m.iova &&
              view.page[at].shift == m.shift);
    }
}

/* All pages below @table that touch [first, last] are in the view. */
static void check_complete(uint64_t table, unsigned level, uint8_t perm,
                           uint64_t base, uint64_t first, uint64_t last)
{
    CHECK(++visited <= VTD_SHADOW_MAX_TABLES);
    for (unsigned i = 0; i < 512; i++) {
        uint64_t e = entry_of(table, i);

        if (!(e & perm & 3)) {
            continue;
        }
        uint64_t from = base + ((uint64_t)i << shift_at(level));
        uint64_t to = from + ((1ull << shift_at(level)) - 1);
        bool leaf = level == 1 || (level <= 3 && (e & SS_PAGE_SIZE));

        if (to < first || from > last || reserved(e, level, leaf)) {
            continue;
        }
        if (leaf) {
            check_in_view(from);
        } else {
            check_complete(e & 0x000ffffffffff000, level - 1, perm & e, from,
                           first, last);
        }
    }
}

static void check_range(uint64_t first, uint64_t last)
{
    for (unsigned i = find(&view, first);
         i < view.pages && view.page[i].iova <= last; i++) {
        const VtdMapping *have = &view.page[i];
        VtdMapping want = slow_walk(have->iova);

        CHECK_EQ(have->iova, want.iova);
        CHECK_EQ(have->shift, want.shift);
        CHECK_EQ(have->pa, want.pa);
        CHECK_EQ(have->perm & 3, want.perm);
    }
    if (!vtd_shadow_truncated(shadow)) {
        visited = 0;
        check_complete(config.ss_table, config.ss_levels, 3, 0, first, last);
    }
}

/* Operations ----------------------------------------------------------- */

static void sync_range(uint64_t first, uint64_t last)
{
    FuzzCall outer = fuzz_call_begin(SYNC_CALLS);

    vtd_shadow_sync(shadow, first, last, &sink);
    fuzz_call_end(outer);
}

static void op_sync_all(void)
{
    sync_range(0, UINT64_MAX);
    check_range(0, UINT64_MAX);
}

static void op_sync_some(void)
{
    uint64_t size = VTD_PAGE_SIZE << input_below(40);
    uint64_t first = world_iova() & ~(size - 1);

    sync_range(first, first + (size - 1));
    check_range(first, first + (size - 1));
}

/* A table cannot be read for once; the next synchronisation mends that. */
static void op_sync_failing(void)
{
    fuzz_fail_call(FAKE_READ, input_below(16));
    sync_range(0, UINT64_MAX);
    guest.env.fail_at[FAKE_READ] = 0;
}

static void op_replay(void)
{
    VtdShadowSink other = sink;

    again.pages = 0;
    other.opaque = &again;
    vtd_shadow_replay(shadow, &other);
    CHECK_EQ(again.pages, view.pages);
    for (unsigned i = 0; i < view.pages; i++) {
        CHECK_EQ(again.page[i].iova, view.page[i].iova);
        CHECK_EQ(again.page[i].pa, view.page[i].pa);
        CHECK_EQ(again.page[i].shift, view.page[i].shift);
        CHECK_EQ(again.page[i].perm, view.page[i].perm);
    }
    vtd_shadow_withdraw(shadow, &other);
    CHECK_EQ(again.pages, 0);
}

/* A run of pages, made or unmade in one table. */
static void op_run(void)
{
    uint64_t place = world_place();
    uint64_t low = input_bytes(2) % 4096;
    unsigned count = input_below(64);
    uint64_t page = world_page();

    for (unsigned i = 0; i < count && (place & 0xfff) + i * 8 < 4096; i++) {
        fuzz_poke(place + i * 8, low & 3 ? page | low : 0);
        page += low & 4 ? VTD_PAGE_SIZE : 0;
    }
}

static void op_map(void)
{
    unsigned how = input_bytes(1);
    unsigned shift = how & 3 ? 12 : 21;
    uint64_t size = 1ull << shift;
    uint64_t span = 1ull << fuzz_options.aw_bits;
    uint64_t iova = world_iova() & (span - 1) & ~(size - 1);

    /* Only through tables of the world: a changed one may lead anywhere. */
    if (tables_entry(&guest.tables, world_second(), iova, shift / 9) &&
        guest.tables.next + 8 * VTD_PAGE_SIZE < FUZZ_RAM) {
        tables_map(&guest.tables, world_second(), iova,
                   world_page() & ~(size - 1), shift,
                   1 + (how >> 2) % 3);
    }
}

static void new_mirror(void)
{
    if (shadow) {
        vtd_shadow_free(shadow);
    }
    view.pages = 0;
    shadow = vtd_shadow_new(&guest.interface, &guest.unit.caps, &config);
    CHECK(shadow);
}

static const FuzzOp ops[] = {
    op_poke_entry, op_poke_entry,   op_poke_entry, op_poke_any,
    op_run,        op_map,          op_sync_all,   op_sync_all,
    op_sync_some,  op_sync_failing, op_replay,     new_mirror,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_start(data, size);
    fuzz_start();
    world_build();
    config = (VtdConfig){
        .kind = VTD_SECOND_STAGE,
        .ss_levels = world_second()->levels,
        .ss_table = world_second()->root,
    };
    new_mirror();
    RUN_OPS(ops);
    op_sync_all();
    vtd_shadow_free(shadow);
    shadow = NULL;
    return 0;
}
