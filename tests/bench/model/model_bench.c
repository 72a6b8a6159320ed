/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What operations of the model cost, in instructions: the model alone, without
 * QEMU.  To be run by tests/bench/model/run, under callgrind.
 *
 * Surroundings are a flat memory and deliveries to nobody, so a row is the
 * model's own part.  A row is set up, counted over some operations, and
 * checked: no fault, queue drained.  Each row prints
 *
 *     NAME <tab> OPERATIONS <tab> TARGET
 *
 * and leaves a callgrind dump of that name.  TARGET is in instructions per
 * operation: what was reached with gcc 12, rounded up.  Others may need more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <valgrind/callgrind.h>

#include "guest.h"
#include "tap.h"
#include "vtd_quick.h"

#define IOVA 0x100000000ull
#define PA 0x4000000000ull /* nobody looks what is there */
#define DID 5
#define PASID 0x77
#define PER_TAIL 256

typedef enum Mode { LEGACY, FIRST, SECOND, NESTED } Mode;

/* A guest with pages from IOVA on. */
typedef struct World {
    Mode mode;
    bool explicit_pasid;
    unsigned shift;  /* of the pages */
    unsigned pages;
    unsigned stride; /* between them, in pages */
} World;

static VtdSource source;
static World world;

static void expect(bool right, const char *what)
{
    if (!right) {
        fprintf(stderr, "model_bench: %s\n", what);
        exit(1);
    }
}

/* In place of the tests': a guest that cannot be set up ends the program. */
void tap_fail(const char *file, int line, const char *format, ...)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, format);
    exit(1);
}

/* Surroundings ---------------------------------------------------------- */

static bool bench_read(void *opaque, uint64_t gpa, void *buf, size_t len)
{
    FakeEnv *env = opaque;

    if (gpa > env->ram_size - len) {
        return false;
    }
    memcpy(buf, env->ram + gpa, len);
    return true;
}

static bool bench_write(void *opaque, uint64_t gpa, const void *buf,
                        size_t len)
{
    FakeEnv *env = opaque;

    if (gpa > env->ram_size - len) {
        return false;
    }
    memcpy(env->ram + gpa, buf, len);
    return true;
}

static VtdDelivery bench_deliver(void *opaque, const VtdNotice *notices,
                                 unsigned count, unsigned *done)
{
    (void)opaque;
    (void)notices;
    (void)count;
    (void)done;
    return VTD_DELIVERED;
}

static bool bench_drained(void *opaque)
{
    (void)opaque;
    return true;
}

static void use_bench_env(void)
{
    VtdEnv *env = &guest.unit.env;

    env->read = bench_read;
    env->write = bench_write;
    fake_env_read_in_place(&guest.env, env);
    env->deliver = bench_deliver;
    env->drained = bench_drained;
}

/* Guests ---------------------------------------------------------------- */

/* A second stage in which all of the guest's tables lie at their own address,
 * and its pages where the first stage puts them. */
static PageTable nest_below(void)
{
    PageTable ss = tables_page_table(&guest.tables, STAGE_SECOND, 4, 0);

    for (uint64_t at = 0; at < GUEST_RAM; at += 4096) {
        tables_map(&guest.tables, &ss, at, at, 12, MAP_RW);
    }
    return ss;
}

static void map_pages(const PageTable *p)
{
    uint64_t step = (uint64_t)world.stride << world.shift;

    for (unsigned i = 0; i < world.pages; i++) {
        tables_map(&guest.tables, p, IOVA + i * step, PA + i * step,
                   world.shift, MAP_RW | MAP_MARKED);
    }
}

static void start_scalable(void)
{
    bool first = world.mode != SECOND;
    PageTable table = tables_page_table(
        &guest.tables, first ? STAGE_FIRST : STAGE_SECOND, 4, 0);
    PasidEntry e = { .did = DID };
    PageTable below = { 0 };

    map_pages(&table);
    if (world.mode == NESTED) {
        below = nest_below();
        for (unsigned i = 0; i < world.pages; i++) {
            uint64_t at = (uint64_t)i * world.stride << world.shift;

            tables_map(&guest.tables, &below, PA + at, PA + at, world.shift,
                       MAP_RW);
        }
        e.pgtt = TABLES_PGTT_NESTED;
    } else {
        e.pgtt = first ? TABLES_PGTT_FIRST_STAGE : TABLES_PGTT_SECOND_STAGE;
    }
    e.fs_levels = e.ss_levels = 4;
    e.fs_table = table.root;
    e.ss_table = world.mode == NESTED ? below.root : table.root;
    tables_pasid(&guest.tables, guest.pasid_dir,
                 world.explicit_pasid ? PASID : 0, &e);
}

static void start(World w)
{
    world = w;
    guest_start(w.mode == LEGACY ? options_legacy() : options_nested());
    if (w.mode == LEGACY) {
        PageTable table =
            tables_page_table(&guest.tables, STAGE_SECOND, 4, 0);

        map_pages(&table);
        set_root(0);
        tables_legacy_context(&guest.tables, guest.root, GUEST_SID,
                              &(LegacyContext){ .levels = 4, .did = DID,
                                                .ss_table = table.root });
        enable_translation();
    } else {
        guest_scalable();
        start_scalable();
    }
    start_queue(w.mode != LEGACY, 3);
    use_bench_env();
    vtd_source_init(&source, (VtdRequester){ GUEST_SID, w.explicit_pasid,
                                             w.explicit_pasid ? PASID : 0 });
}

/* Read from page @i; marks are set already, so a write would do the same. */
static void access_page(unsigned i)
{
    uint64_t iova =
        IOVA + (((uint64_t)i * world.stride) << world.shift) + 0x40;
    VtdAccess access = { .perm = VTD_PERM_READ };
    VtdMapping out;
    VtdMapping slow;

    expect(vtd_translate_quick(&guest.unit, &source, iova, access, &out) ||
               !vtd_translate_slow(&guest.unit, &source, iova, access, false,
                                   &slow),
           "a translation failed");
}

static void access_pages(unsigned pages)
{
    for (unsigned i = 0; i < pages; i++) {
        access_page(i);
    }
}

/* Rows ------------------------------------------------------------------ */

static const char *only; /* rows whose name contains this */

static bool wanted(const char *name)
{
    return !only || strstr(name, only);
}

static void report(const char *name, unsigned operations, unsigned target)
{
    CALLGRIND_DUMP_STATS_AT(name);
    printf("%s\t%u\t%u\n", name, operations, target);
    fflush(stdout);
}

static void hits(const char *name, World w, unsigned target)
{
    if (!wanted(name)) {
        return;
    }
    start(w);
    access_pages(w.pages);
    CALLGRIND_ZERO_STATS;
    access_pages(w.pages);
    report(name, w.pages, target);
    expect(guest.unit.counters.table_walks +
                   guest.unit.counters.nested_walks ==
               w.pages,
           "a hit walked the tables");
}

static void misses(const char *name, World w, unsigned target)
{
    if (!wanted(name)) {
        return;
    }
    start(w);
    access_pages(w.pages); /* which marks the tables */
    invalidate(qi_iotlb(QI_GLOBAL, 0), 0);
    CALLGRIND_ZERO_STATS;
    access_pages(w.pages);
    report(name, w.pages, target);
}

typedef struct Descriptor {
    uint64_t qw0;
    uint64_t qw1;
    uint64_t step; /* qw1 of each is greater by this */
} Descriptor;

/* @per_tail descriptors for each write of the tail, with @cached pages. */
static void invalidations(const char *name, Mode mode, unsigned cached,
                          Descriptor d, unsigned per_tail, unsigned target)
{
    const unsigned rounds = 8;
    char full[64];

    snprintf(full, sizeof(full), "%s, %u cached", name, cached);
    if (!wanted(full)) {
        return;
    }
    start((World){ .mode = mode, .shift = 12, .stride = 1,
                   .explicit_pasid = mode == FIRST,
                   .pages = cached ? cached : 1 });
    access_pages(cached);
    CALLGRIND_ZERO_STATS;
    CALLGRIND_TOGGLE_COLLECT;
    for (unsigned r = 0; r < rounds; r++) {
        for (unsigned i = 0; i < per_tail; i++) {
            queue_descriptor(d.qw0, d.qw1);
            d.qw1 += d.step;
        }
        CALLGRIND_TOGGLE_COLLECT;
        kick();
        CALLGRIND_TOGGLE_COLLECT;
    }
    CALLGRIND_TOGGLE_COLLECT;
    report(full, rounds * per_tail, target);
    expect(reg64(VTD_REG_IQH) == reg64(VTD_REG_IQT) && !reg32(VTD_REG_FSTS),
           "the queue stopped");
}

static void translation_rows(void)
{
    const World legacy = { LEGACY, false, 12, 256, 1 };
    const World first = { FIRST, false, 12, 256, 1 };
    const World second = { SECOND, false, 12, 256, 1 };
    const World nested = { NESTED, false, 12, 256, 1 };
    World w;

    hits("hit, legacy", legacy, 120);
    hits("hit, first-stage, RID_PASID", first, 130);
    hits("hit, second-stage, RID_PASID", second, 120);
    hits("hit, nested, RID_PASID", nested, 130);
    w = first;
    w.explicit_pasid = true;
    hits("hit, first-stage, PASID", w, 130);
    w = legacy;
    w.shift = 21;
    hits("hit, legacy, 2M", w, 120);
    w.shift = 30;
    hits("hit, legacy, 1G", w, 120);
    w = legacy;
    w.pages = 65536;
    hits("hit, legacy, 65536 pages", w, 120);

    w.pages = 4096;
    misses("miss, legacy", w, 340);
    w.stride = 513;
    misses("miss, legacy, sparse", w, 470);
    w = first;
    w.pages = 4096;
    misses("miss, first-stage", w, 350);
    w.stride = 513;
    misses("miss, first-stage, sparse", w, 490);
    w = nested;
    w.stride = 513;
    misses("miss, nested, 24 reads", w, 1950);
}

static void invalidation_rows(void)
{
    static const unsigned cached[] = { 0, 1000, 65536 };
    static const uint8_t orders[] = { 1, 3, 4, 5, 9, 18 };
    const Descriptor page = { qi_iotlb(QI_NARROW, DID), IOVA, 4096 };
    const Descriptor domain = { qi_iotlb(QI_DOMAIN, DID), 0, 0 };
    const Descriptor global = { qi_iotlb(QI_GLOBAL, 0), 0, 0 };
    const Descriptor pasid = { qi_pasid_iotlb(QI_PIOTLB_PASID, DID, PASID),
                               0, 0 };
    const Descriptor pasid_page = {
        qi_pasid_iotlb(QI_PIOTLB_PAGE, DID, PASID), IOVA, 4096
    };
    const Descriptor pasid_cache = {
        qi_pasid_cache(QI_PC_PASID, DID, PASID), 0, 0
    };
    const Descriptor context = { qi_context(QI_GLOBAL, 0, 0), 0, 0 };
    const Descriptor status = { qi_wait_status(1), GUEST_STATUS, 0 };

    for (unsigned i = 0; i < 3; i++) {
        unsigned n = cached[i];

        invalidations("page, legacy", LEGACY, n, page, PER_TAIL, 360);
        invalidations("page of a PASID", FIRST, n, pasid_page, PER_TAIL, 360);
        invalidations("PASID", FIRST, n, pasid, PER_TAIL, 200);
        invalidations("domain", FIRST, n, domain, PER_TAIL, 180);
        invalidations("global", FIRST, n, global, PER_TAIL, 180);
    }
    for (unsigned i = 0; i < sizeof(orders); i++) {
        Descriptor range = page;
        char name[32];

        range.qw1 |= orders[i];
        range.step = 0;
        snprintf(name, sizeof(name), "range of 2^%u pages", orders[i]);
        invalidations(name, LEGACY, 1000, range, PER_TAIL, 600);
    }
    invalidations("PASID cache", FIRST, 1, pasid_cache, PER_TAIL, 170);
    invalidations("context cache", LEGACY, 1, context, PER_TAIL, 160);
    invalidations("wait", LEGACY, 1, status, PER_TAIL, 410);
    invalidations("page with its tail", LEGACY, 1, page, 1, 730);
    invalidations("global with its tail", LEGACY, 1, global, 1, 570);
    invalidations("wait with its tail", LEGACY, 1, status, 1, 570);
}

int main(int argc, char **argv)
{
    only = argc > 1 ? argv[1] : NULL;
    translation_rows();
    invalidation_rows();
    return 0;
}
