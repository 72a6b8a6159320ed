/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tables.h"

#include <stddef.h>

#define PAGE 4096ull
#define PRESENT 1ull
#define ENTRY_ADDR 0x000ffffffffff000ull
#define FULL_ADDR 0xfffffffffffff000ull

static uint64_t load(const Tables *t, uint64_t gpa)
{
    return t->load(t->opaque, gpa);
}

static void store(const Tables *t, uint64_t gpa, uint64_t value)
{
    t->store(t->opaque, gpa, value);
}

uint64_t tables_alloc(Tables *t, unsigned pages)
{
    uint64_t first = t->next;

    if (pages * PAGE > t->end - t->next) {
        return 0;
    }
    t->next += pages * PAGE;
    for (uint64_t page = first; page < t->next; page += PAGE) {
        if (t->clear_page) {
            t->clear_page(t->opaque, page);
            continue;
        }
        for (uint64_t gpa = page; gpa < page + PAGE; gpa += 8) {
            store(t, gpa, 0);
        }
    }
    return first;
}

/* The table that the entry at @gpa points to, made if there is none. */
static uint64_t next_table(Tables *t, uint64_t gpa)
{
    uint64_t entry = load(t, gpa);

    if (!(entry & PRESENT)) {
        entry = tables_alloc(t, 1) | PRESENT;
        store(t, gpa, entry);
    }
    return entry & FULL_ADDR;
}

uint64_t tables_legacy_context_place(Tables *t, uint64_t root, uint16_t sid)
{
    return next_table(t, root + (sid >> 8) * 16) + (sid & 0xff) * 16;
}

uint64_t tables_legacy_context(Tables *t, uint64_t root, uint16_t sid,
                               const LegacyContext *c)
{
    uint64_t place = tables_legacy_context_place(t, root, sid);

    store(t, place + 8, (c->levels - 2u) | (uint64_t)c->did << 8);
    store(t, place, c->ss_table | (uint64_t)c->tt << 2 |
                        (uint64_t)c->fault_disable << 1 | PRESENT);
    return place;
}

uint64_t tables_scalable_context_place(Tables *t, uint64_t root, uint16_t sid)
{
    /* A root entry has two tables of 128 entries of 32 bytes. */
    uint64_t half = root + (sid >> 8) * 16 + (sid & 0x80 ? 8 : 0);

    return next_table(t, half) + (sid & 0x7f) * 32;
}

uint64_t tables_scalable_context(Tables *t, uint64_t root, uint16_t sid,
                                 const ScalableContext *c)
{
    uint64_t place = tables_scalable_context_place(t, root, sid);

    store(t, place + 8, c->rid_pasid | (uint64_t)c->rid_privileged << 20);
    store(t, place + 16, 0);
    store(t, place + 24, 0);
    store(t, place, c->pasid_dir | (uint64_t)c->pdts << 9 |
                        (uint64_t)c->page_requests << 4 |
                        (uint64_t)c->pasid_enable << 3 |
                        (uint64_t)c->device_tlb << 2 |
                        (uint64_t)c->fault_disable << 1 | PRESENT);
    return place;
}

uint64_t tables_pasid_directory(Tables *t, unsigned pdts)
{
    uint64_t bytes = 8ull << (pdts + 7);

    return tables_alloc(t, (bytes + PAGE - 1) / PAGE);
}

uint64_t tables_pasid_directory_place(uint64_t dir, uint32_t pasid)
{
    return dir + (pasid >> 6) * 8;
}

uint64_t tables_pasid_place(Tables *t, uint64_t dir, uint32_t pasid)
{
    return next_table(t, tables_pasid_directory_place(dir, pasid)) +
           (pasid & 63) * 64;
}

uint64_t tables_pasid(Tables *t, uint64_t dir, uint32_t pasid,
                      const PasidEntry *e)
{
    uint64_t place = tables_pasid_place(t, dir, pasid);
    uint64_t aw = e->ss_levels ? e->ss_levels - 2u : 0;
    uint64_t fspm = e->fs_levels == 5 ? 1 : 0;

    store(t, place + 8, e->did);
    store(t, place + 16, e->fs_table | (uint64_t)e->extended_accessed << 7 |
                             (uint64_t)e->no_execute << 5 |
                             (uint64_t)e->write_protect << 4 | fspm << 2 |
                             (uint64_t)e->execute << 1 | e->supervisor);
    for (unsigned i = 3; i < 8; i++) {
        store(t, place + i * 8, 0);
    }
    store(t, place, e->ss_table | (uint64_t)e->ss_accessed_dirty << 9 |
                        (uint64_t)e->pgtt << 6 | aw << 2 |
                        (uint64_t)e->fault_disable << 1 | PRESENT);
    return place;
}

PageTable tables_page_table(Tables *t, Stage stage, unsigned levels,
                            uint64_t bias)
{
    return (PageTable){
        .stage = stage,
        .levels = levels,
        .root = tables_alloc(t, 1) + bias,
        .bias = bias,
    };
}

static unsigned level_shift(unsigned level)
{
    return 12 + (level - 1) * 9;
}

static uint64_t place_in(uint64_t table, uint64_t input, unsigned level)
{
    return table + (input >> level_shift(level) & 511) * 8;
}

/* Both stages: is there something, and is it a page? */
static bool is_present(const PageTable *p, uint64_t entry)
{
    return entry & (p->stage == STAGE_FIRST ? FS_PRESENT : SS_READ | SS_WRITE);
}

static bool is_table(const PageTable *p, uint64_t entry, unsigned level)
{
    return is_present(p, entry) && level > 1 && !(entry & FS_PAGE_SIZE);
}

static uint64_t table_entry_bits(const PageTable *p)
{
    return p->stage == STAGE_FIRST ? FS_PRESENT | FS_WRITE | FS_USER :
                                     SS_READ | SS_WRITE;
}

static uint64_t page_bits(const PageTable *p, unsigned level, unsigned rights)
{
    uint64_t bits = level > 1 ? FS_PAGE_SIZE : 0;

    if (p->stage == STAGE_SECOND) {
        return bits | (rights & MAP_READ ? SS_READ : 0) |
               (rights & MAP_WRITE ? SS_WRITE : 0);
    }
    return bits | (rights & MAP_READ ? FS_PRESENT : 0) |
           (rights & MAP_WRITE ? FS_WRITE : 0) |
           (rights & MAP_USER ? FS_USER : 0) |
           (rights & MAP_NO_EXECUTE ? FS_NO_EXECUTE : 0) |
           (rights & MAP_MARKED ? FS_ACCESSED | FS_DIRTY : 0);
}

void tables_map(Tables *t, const PageTable *p, uint64_t input,
                uint64_t output, unsigned shift, unsigned rights)
{
    unsigned last = (shift - 12) / 9 + 1;
    uint64_t table = p->root - p->bias;

    for (unsigned level = p->levels; level > last; level--) {
        uint64_t place = place_in(table, input, level);
        uint64_t entry = load(t, place);

        if (!is_table(p, entry, level)) {
            entry = (tables_alloc(t, 1) + p->bias) | table_entry_bits(p);
            store(t, place, entry);
        }
        table = (entry & ENTRY_ADDR) - p->bias;
    }
    store(t, place_in(table, input, last),
          output | page_bits(p, last, rights));
}

void tables_map_range(Tables *t, const PageTable *p, uint64_t input,
                      uint64_t output, uint64_t bytes, unsigned max_shift,
                      unsigned rights)
{
    while (bytes) {
        unsigned shift = max_shift;

        while (shift > 12 && ((input | output) & ((1ull << shift) - 1) ||
                              bytes < 1ull << shift)) {
            shift -= 9;
        }
        tables_map(t, p, input, output, shift, rights);
        input += 1ull << shift;
        output += 1ull << shift;
        bytes -= 1ull << shift;
    }
}

uint64_t tables_entry(const Tables *t, const PageTable *p, uint64_t input,
                      unsigned level)
{
    uint64_t table = p->root - p->bias;

    for (unsigned l = p->levels; l > level; l--) {
        uint64_t entry = load(t, place_in(table, input, l));

        if (!is_table(p, entry, l)) {
            return 0;
        }
        table = (entry & ENTRY_ADDR) - p->bias;
    }
    return place_in(table, input, level);
}
