/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The physical VT-d: translates requests by the tables of a domain, and keeps
 * what it found until it is told to forget it.  Hardware may forget earlier;
 * one that never does shows each invalidation that is missing.
 *
 * VT-d specification 3.6 (first-stage translation), 3.8 (nested), 6.2 (caches).
 * Kept are translations of 4 KiB with the result of both stages, and for the
 * first stage the tables of the lower levels (paging-structure caches).
 */
#include <stdio.h>

#include "host.h"

#define ENTRY_P (1ull << 0)
#define ENTRY_RW (1ull << 1)
#define ENTRY_US (1ull << 2)
#define ENTRY_A (1ull << 5)
#define ENTRY_D (1ull << 6)
#define ENTRY_PS (1ull << 7)
#define ENTRY_EA (1ull << 10)
#define ENTRY_ADDR 0x000ffffffffff000ull

typedef struct Cached {
    uint32_t did; /* 0: free */
    uint32_t pasid;
    unsigned level; /* 0: a translation; else a table of that level */
    uint64_t base; /* first address it is good for */
    uint64_t va; /* level 0: of the page */
    uint64_t table; /* else: guest-physical */
    const Maps *second;
    bool writable; /* tables: all entries above allow it */
    bool dirty; /* the page's D bit is set */
} Cached;

static Cached cache[16384];
static unsigned cached_end; /* all that are in use are below */
static uint32_t last_did;

uint32_t unit_new_did(void)
{
    return ++last_did;
}

static unsigned shift_of(unsigned level)
{
    return 12 + 9 * (level ? level : 0);
}

static Cached *lookup(const Domain *d, uint32_t pasid, unsigned level,
                      uint64_t iova)
{
    uint64_t base = iova >> shift_of(level) << shift_of(level);

    for (unsigned i = 0; i < cached_end; i++) {
        Cached *c = &cache[i];

        if (c->did == d->did && c->pasid == pasid && c->level == level &&
            c->base == base) {
            return c;
        }
    }
    return NULL;
}

static void forget(Cached *c)
{
    c->did = 0;
    control->cached--;
}

static void keep(const Domain *d, uint32_t pasid, uint64_t iova, Cached what)
{
    unsigned i;

    for (i = 0; cache[i].did; i++) {
        if (i + 1 == sizeof(cache) / sizeof(*cache)) {
            fprintf(stderr, "reference host: the IOTLB is full\n");
            abort();
        }
    }
    what.did = d->did;
    what.pasid = pasid;
    what.second = d->second;
    what.base = iova >> shift_of(what.level) << shift_of(what.level);
    cache[i] = what;
    cached_end = i < cached_end ? cached_end : i + 1;
    control->cached++;
}

/* --- Walks --------------------------------------------------------------- */

/* Guest-physical to the program's memory, through the second stage. */
static bool second_stage(const Domain *d, uint64_t gpa, bool write,
                         uint64_t *va, bool *writable)
{
    const Map *m = maps_find(d->second, gpa);

    if (!m || !m->readable || (write && !m->writable)) {
        return false;
    }
    *va = m->va + (gpa - m->iova);
    *writable = m->writable;
    return true;
}

static bool canonical(const Domain *d, uint64_t iova)
{
    int64_t high = (int64_t)iova >> (d->levels == 5 ? 56 : 47);

    return high == 0 || high == -1;
}

/* An entry, with @bits set in it as hardware does, atomically. */
static bool touch(const Domain *d, uint64_t gpa, uint64_t bits,
                  uint64_t *entry)
{
    bool writable;
    uint64_t va;

    if (!second_stage(d, gpa, false, &va, &writable) ||
        user_read(entry, va, sizeof(*entry))) {
        return false;
    }
    if (!(*entry & ENTRY_P) || (*entry & bits) == bits) {
        return true;
    }
    if (!writable) {
        return false;
    }
    *entry = __atomic_or_fetch((uint64_t *)(uintptr_t)va, bits,
                               __ATOMIC_SEQ_CST);
    return true;
}

/* The lowest table on the way to @iova that is cached. */
static Cached start_of_walk(const Domain *d, uint32_t pasid, uint64_t iova)
{
    for (unsigned level = 1; level < d->levels; level++) {
        Cached *c = lookup(d, pasid, level, iova);

        if (c) {
            return *c;
        }
    }
    return (Cached){ .level = d->levels, .table = d->table, .writable = true };
}

/* The page of @iova in the first stage: *@gpa of the byte. */
static Translation first_stage(const Domain *d, uint32_t pasid, uint64_t iova,
                               bool write, uint64_t *gpa, Cached *page)
{
    Cached at = start_of_walk(d, pasid, iova);
    uint64_t accessed = ENTRY_A | (d->extended_accessed ? ENTRY_EA : 0);

    if (!canonical(d, iova)) {
        return REFUSED;
    }
    for (;; at.level--) {
        unsigned shift = 12 + 9 * (at.level - 1);
        uint64_t slot = at.table + (iova >> shift & 0x1ff) * 8;
        uint64_t entry;
        bool leaf;

        if (!touch(d, slot, accessed, &entry)) {
            return REFUSED;
        }
        if (!(entry & ENTRY_P)) {
            return NOT_PRESENT;
        }
        leaf = at.level == 1 || (entry & ENTRY_PS);
        if (!(entry & ENTRY_US) || (leaf && at.level > 3) ||
            (leaf && at.level == 3 && !(config.cap & CAP_FS1GP))) {
            return REFUSED;
        }
        at.writable = at.writable && (entry & ENTRY_RW);
        if (leaf) {
            if (write && !at.writable) {
                return NOT_PRESENT; /* copy on write, for a page request */
            }
            if (write && !touch(d, slot, ENTRY_D, &entry)) {
                return REFUSED;
            }
            *page = (Cached){ .writable = at.writable,
                              .dirty = entry & ENTRY_D };
            *gpa = (entry & ENTRY_ADDR & ~((1ull << shift) - 1)) |
                   (iova & ((1ull << shift) - 1));
            return TRANSLATED;
        }
        at.table = entry & ENTRY_ADDR;
        keep(d, pasid, iova,
             (Cached){ .level = at.level - 1, .table = at.table,
                       .writable = at.writable });
    }
}

static void mark_dirty(Dirty *dirty, uint64_t gpa)
{
    for (unsigned i = 0; i < dirty->count; i++) {
        if (dirty->page[i] == gpa / PAGE) {
            return;
        }
    }
    dirty->page = realloc(dirty->page, (dirty->count + 1) * sizeof(uint64_t));
    dirty->page[dirty->count++] = gpa / PAGE;
}

Translation unit_translate(const Domain *d, uint32_t pasid, uint64_t iova,
                           bool write, uint64_t *va)
{
    Cached *old = lookup(d, pasid, 0, iova);
    Cached page = { .writable = true, .dirty = true };
    uint64_t gpa = iova;
    Translation result;
    bool writable;

    if (old && (!write || (old->writable && old->dirty)) &&
        !(write && d->dirty && d->dirty->on)) {
        *va = old->va + iova % PAGE;
        return TRANSLATED;
    }
    if (old) {
        forget(old); /* a fault or a D bit makes hardware look again */
    }
    if (d->first_stage) {
        result = first_stage(d, pasid, iova, write, &gpa, &page);
        if (result != TRANSLATED) {
            return result;
        }
    }
    if (!second_stage(d, gpa, write, va, &writable)) {
        return REFUSED;
    }
    if (write && d->dirty && d->dirty->on) {
        mark_dirty(d->dirty, gpa);
    }
    page.va = *va - iova % PAGE;
    page.writable = page.writable && writable;
    keep(d, pasid, iova, page);
    return TRANSLATED;
}

/* --- Invalidation -------------------------------------------------------- */

void unit_flush_domain(uint32_t did, uint32_t pasid)
{
    for (unsigned i = 0; i < cached_end; i++) {
        Cached *c = &cache[i];

        if (c->did == did && (pasid == ANY_PASID || c->pasid == pasid)) {
            forget(c);
        }
    }
}

void unit_flush_pages(uint32_t did, uint32_t pasid, uint64_t iova,
                      uint64_t pages, bool leaf_only)
{
    uint64_t last = iova + pages * PAGE - 1;

    for (unsigned i = 0; i < cached_end && pages; i++) {
        Cached *c = &cache[i];
        uint64_t end = c->base + ((1ull << shift_of(c->level)) - 1);

        if (c->did == did && (pasid == ANY_PASID || c->pasid == pasid) &&
            c->base <= last && iova <= end && !(c->level && leaf_only)) {
            forget(c);
        }
    }
}

void unit_flush_second_stage(const Maps *second)
{
    for (unsigned i = 0; i < cached_end; i++) {
        if (cache[i].did && cache[i].second == second) {
            forget(&cache[i]);
        }
    }
}
