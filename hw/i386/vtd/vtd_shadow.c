/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_shadow.h"

#include <stdlib.h>
#include <string.h>

#include "vtd_walk.h"

#define ENTRIES 512

typedef struct Table {
    uint64_t gpa;
    unsigned level;
    unsigned shift; /* of what an entry translates */
    uint8_t perm; /* what the entries above allow */
    uint64_t mapped; /* pages that are mapped below */
    uint64_t raw[ENTRIES];
    struct Table **child; /* by index; NULL at level 1 */
} Table;

struct VtdShadow {
    const VtdEnv *env;
    const VtdCaps *caps;
    Table *root;
    unsigned tables;
    bool truncated;
    /* What the guest's tables say now, by level, of those that are compared.
     * Here because a compiler may be told to clear it on the stack. */
    uint64_t now[VTD_MAX_LEVELS][ENTRIES];
};

/* A part of the input address space: what one table, or entry, covers. */
typedef struct Span {
    uint64_t first;
    uint64_t last;
} Span;

/* Of the addresses that it translates. */
static uint64_t table_size(const Table *table)
{
    return 1ull << (table->shift + VTD_LEVEL_BITS);
}

static Span entry_span(const Table *table, uint64_t base, unsigned index)
{
    uint64_t size = 1ull << table->shift;
    uint64_t first = base + index * size;

    return (Span){ first, first + (size - 1) };
}

static Table *table_new(VtdShadow *shadow, uint64_t gpa, unsigned level,
                        uint8_t perm)
{
    Table *table;

    if (shadow->tables >= VTD_SHADOW_MAX_TABLES) {
        shadow->truncated = true;
        return NULL;
    }
    table = calloc(1, sizeof(*table));
    if (table && level > 1) {
        table->child = calloc(ENTRIES, sizeof(*table->child));
        if (!table->child) {
            free(table);
            table = NULL;
        }
    }
    if (!table) {
        shadow->truncated = true;
        return NULL;
    }
    shadow->tables++;
    table->gpa = gpa;
    table->level = level;
    table->shift = VTD_PAGE_SHIFT + (level - 1) * VTD_LEVEL_BITS;
    table->perm = perm;
    return table;
}

static void table_free(VtdShadow *shadow, Table *table)
{
    for (unsigned i = 0; table->child && i < ENTRIES; i++) {
        if (table->child[i]) {
            table_free(shadow, table->child[i]);
        }
    }
    free(table->child);
    free(table);
    shadow->tables--;
}

/* The page that entry @index of @table maps, by the copy; false: none. */
static bool page_of(const VtdShadow *shadow, const Table *table,
                    uint64_t base, unsigned index, VtdMapping *page)
{
    VtdEntry e;

    if (!vtd_second_stage_entry(shadow->caps, table->raw[index], table->level,
                                &e) ||
        !e.leaf || !(e.perm & table->perm)) {
        return false;
    }
    page->shift = table->shift;
    page->iova = entry_span(table, base, index).first;
    page->pa = e.addr;
    page->perm = e.perm & table->perm;
    return true;
}

/* Returns the number of pages that are mapped no more. */
static uint64_t remove_entry(VtdShadow *shadow, Table *table, uint64_t base,
                             unsigned index, const VtdShadowSink *sink)
{
    Span span = entry_span(table, base, index);
    Table *child = table->child ? table->child[index] : NULL;
    uint64_t mapped;
    VtdMapping page;

    if (child) {
        mapped = child->mapped;
        table_free(shadow, child);
        table->child[index] = NULL;
    } else {
        mapped = page_of(shadow, table, base, index, &page);
    }
    if (mapped) {
        sink->unmap(sink->opaque, span.first, span.last - span.first + 1);
    }
    return mapped;
}

static int64_t sync_table(VtdShadow *shadow, Table *table, uint64_t base,
                          Span range, const VtdShadowSink *sink);

/* Returns the number of pages that are mapped now. */
static uint64_t add_entry(VtdShadow *shadow, Table *table, uint64_t base,
                          unsigned index, const VtdShadowSink *sink)
{
    Span span = entry_span(table, base, index);
    VtdMapping page;
    VtdEntry e;

    if (page_of(shadow, table, base, index, &page)) {
        sink->map(sink->opaque, &page);
        return 1;
    }
    if (!vtd_second_stage_entry(shadow->caps, table->raw[index], table->level,
                                &e) ||
        e.leaf || !(e.perm & table->perm)) {
        return 0;
    }
    table->child[index] = table_new(shadow, e.addr, table->level - 1,
                                    e.perm & table->perm);
    if (!table->child[index]) {
        return 0;
    }
    return sync_table(shadow, table->child[index], span.first, span, sink);
}

/* Returns the change of the number of mapped pages. */
static int64_t sync_entry(VtdShadow *shadow, Table *table, uint64_t base,
                          unsigned index, uint64_t raw, Span range,
                          const VtdShadowSink *sink)
{
    Table *child = table->child ? table->child[index] : NULL;
    int64_t change = 0;

    if (raw == table->raw[index]) {
        return child ? sync_table(shadow, child,
                                  entry_span(table, base, index).first, range,
                                  sink)
                     : 0;
    }
    change -= remove_entry(shadow, table, base, index, sink);
    table->raw[index] = raw;
    change += add_entry(shadow, table, base, index, sink);
    return change;
}

/*
 * Bring the part of @table that lies in @range up to date; @base is the first
 * address that it translates.  The depth of the recursion is the number of
 * levels.  A table that cannot be read maps nothing.
 */
static int64_t sync_table(VtdShadow *shadow, Table *table, uint64_t base,
                          Span range, const VtdShadowSink *sink)
{
    unsigned shift = table->shift;
    Span whole = { base, base + (table_size(table) - 1) };
    uint64_t first = range.first > whole.first ? range.first : whole.first;
    uint64_t last = range.last < whole.last ? range.last : whole.last;
    unsigned low = (first - base) >> shift;
    unsigned high = (last - base) >> shift;
    unsigned count = high - low + 1;
    uint64_t *now = shadow->now[table->level - 1];
    int64_t change = 0;

    if (!vtd_env_read_qwords(shadow->env, table->gpa + low * 8, now, count)) {
        memset(now, 0, count * sizeof(now[0]));
    }
    if (table->level == 1 &&
        !memcmp(now, &table->raw[low], count * sizeof(now[0]))) {
        return 0;
    }
    for (unsigned i = low; i <= high; i++) {
        change += sync_entry(shadow, table, base, i, now[i - low], range,
                             sink);
    }
    table->mapped += change;
    return change;
}

VtdShadow *vtd_shadow_new(const VtdEnv *env, const VtdCaps *caps,
                          const VtdConfig *config)
{
    VtdShadow *shadow = calloc(1, sizeof(*shadow));

    if (!shadow) {
        return NULL;
    }
    shadow->env = env;
    shadow->caps = caps;
    shadow->root = table_new(shadow, config->ss_table, config->ss_levels,
                             VTD_PERM_READ | VTD_PERM_WRITE);
    if (!shadow->root) {
        free(shadow);
        return NULL;
    }
    return shadow;
}

void vtd_shadow_free(VtdShadow *shadow)
{
    table_free(shadow, shadow->root);
    free(shadow);
}

/* The table below @table that all of @range is in, if the guest's entry that
 * leads there is what it was; or NULL. */
static Table *unchanged_child(const VtdShadow *shadow, const Table *table,
                              Span range, const VtdWindow **window)
{
    unsigned shift = table->shift;
    unsigned index = range.first >> shift & (ENTRIES - 1);
    uint64_t raw;

    return table->child && !((range.first ^ range.last) >> shift) &&
                   vtd_env_read_near(shadow->env, table->gpa + index * 8,
                                     &raw, 1, window) &&
                   raw == table->raw[index]
               ? table->child[index]
               : NULL;
}

/* Most ranges are of few pages: straight down to the table that they are in. */
void vtd_shadow_sync(VtdShadow *shadow, uint64_t first, uint64_t last,
                     const VtdShadowSink *sink)
{
    const VtdWindow *window = &vtd_env_no_window;
    Span range = { first, last };
    VTD_UNSET Table *above[VTD_MAX_LEVELS];
    unsigned depth = 0;
    Table *table = shadow->root;
    Table *child;
    int64_t change;

    if (first >= table_size(table)) {
        return;
    }
    while ((child = unchanged_child(shadow, table, range, &window))) {
        above[depth++] = table;
        table = child;
    }
    change = sync_table(shadow, table, first & -table_size(table), range, sink);
    while (depth) {
        above[--depth]->mapped += change;
    }
}

static void replay_table(const VtdShadow *shadow, const Table *table,
                         uint64_t base, const VtdShadowSink *sink)
{
    for (unsigned i = 0; table->mapped && i < ENTRIES; i++) {
        VtdMapping page;

        if (table->child && table->child[i]) {
            replay_table(shadow, table->child[i],
                         entry_span(table, base, i).first, sink);
        } else if (page_of(shadow, table, base, i, &page)) {
            sink->map(sink->opaque, &page);
        }
    }
}

void vtd_shadow_replay(const VtdShadow *shadow, const VtdShadowSink *sink)
{
    replay_table(shadow, shadow->root, 0, sink);
}

void vtd_shadow_withdraw(const VtdShadow *shadow, const VtdShadowSink *sink)
{
    const Table *root = shadow->root;

    if (root->mapped) {
        sink->unmap(sink->opaque, 0, table_size(root));
    }
}

bool vtd_shadow_truncated(const VtdShadow *shadow)
{
    return shadow->truncated;
}
