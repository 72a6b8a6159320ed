/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that translate beside one that invalidates, and threads whose faults
 * meet others that work on the registers.  To be run under the thread sanitizer
 * as well.
 */
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "guest.h"
#include "tap.h"

#define TRANSLATORS 3
#define PAGES 16 /* more than a set of the cache holds */
#define DID 7
#define PASID 0x33
#define PATIENCE 30 /* seconds until something counts as lost */

static pthread_t thread[8];
static _Atomic bool done;
static _Atomic unsigned errors;
static _Atomic unsigned translations;

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void start(void)
{
    atomic_store(&done, false);
    atomic_store(&errors, 0);
    atomic_store(&translations, 0);
    guest_start(options_nested());
    guest.env.concurrent = true;
    guest_scalable();
    start_queue(true, 1);
}

static void run_threads(unsigned count, void *(*function)(void *))
{
    for (unsigned i = 0; i < count; i++) {
        CHECK_EQ(pthread_create(&thread[i], NULL, function,
                                (void *)(uintptr_t)i),
                 0);
    }
}

static void join_threads(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        CHECK_EQ(pthread_join(thread[i], NULL), 0);
    }
}

static bool wait_for_status(uint64_t place, uint32_t value)
{
    double end = seconds() + PATIENCE;

    while (fake_load32(&guest.env, place) != value) {
        if (seconds() > end) {
            return false;
        }
        sched_yield();
    }
    return true;
}

/* Translating beside invalidation ------------------------------------- */

/* Each page leads to a page number that tells its version and which page it
 * is.  What is confirmed was invalidated, and the wait descriptor behind that
 * has completed.  All pages meet in one set of the cache. */
static _Atomic uint64_t newest[PAGES];
static _Atomic uint64_t confirmed[PAGES];
static VtdSource with_pasid;
static PageTable table[2];

static uint64_t iova_of(unsigned page)
{
    return 0x40000000ull + ((uint64_t)page * VTD_IOTLB_SETS << 12);
}

/* Above the interrupt range, where a result would be a fault. */
#define FIRST_PA (1ull << 40)

static uint64_t pa_of(unsigned page, uint64_t version)
{
    return FIRST_PA + ((version * PAGES + page) << 12);
}

static uint64_t version_of(uint64_t pa)
{
    return ((pa - FIRST_PA) >> 12) / PAGES;
}

static void *translate_for_ever(void *opaque)
{
    uint64_t rng = (uintptr_t)opaque + 1;

    while (!atomic_load(&done)) {
        unsigned page = tap_random(&rng) % PAGES;
        unsigned perm = 1 + tap_random(&rng) % 3;
        uint64_t oldest = atomic_load(&confirmed[page]);
        VtdMapping out;
        VtdFault fault =
            vtd_translate(&guest.unit, &with_pasid, iova_of(page) + 5,
                          (VtdAccess){ .perm = perm }, false, &out);
        uint64_t version = version_of(out.pa);

        if (fault || out.pa != pa_of(page, version) || version < oldest ||
            version > atomic_load(&newest[page]) || (perm & ~out.perm)) {
            atomic_fetch_add(&errors, 1);
        }
        atomic_fetch_add(&translations, 1);
    }
    return NULL;
}

static uint32_t sequence;

/* Invalidate by @count descriptors and wait for their completion. */
static void invalidate_and_wait(const uint64_t (*qw)[2], unsigned count)
{
    sequence++;
    for (unsigned i = 0; i < count; i++) {
        queue_descriptor(qw[i][0], qw[i][1]);
    }
    queue_descriptor(qi_wait_status(sequence), GUEST_STATUS);
    kick();
    CHECK(wait_for_status(GUEST_STATUS, sequence));
}

static void set_page(const PageTable *p, unsigned page, uint64_t version)
{
    atomic_store(&newest[page], version);
    tables_map(&guest.tables, p, iova_of(page), pa_of(page, version), 12,
               MAP_RW);
}

/* An entry is read and written in one piece here, so that a mixture of two can
 * only come from the unit's cache. */
static pthread_mutex_t entry_lock = PTHREAD_MUTEX_INITIALIZER;

static bool read_in_one_piece(void *opaque, uint64_t gpa, void *buf,
                              size_t len)
{
    bool ok;

    pthread_mutex_lock(&entry_lock);
    ok = guest.interface.read(opaque, gpa, buf, len);
    pthread_mutex_unlock(&entry_lock);
    return ok;
}

static void start_translating(void *(*function)(void *))
{
    start();
    for (unsigned i = 0; i < 2; i++) {
        table[i] = tables_page_table(&guest.tables, STAGE_FIRST, 4, 0);
        for (unsigned page = 0; page < PAGES; page++) {
            set_page(&table[i], page, 1);
            atomic_store(&confirmed[page], 1);
        }
    }
    tables_pasid(&guest.tables, guest.pasid_dir, PASID,
                 &(PasidEntry){ .pgtt = TABLES_PGTT_FIRST_STAGE, .did = DID,
                                .fs_levels = 4, .fs_table = table[0].root });
    vtd_source_init(&with_pasid, (VtdRequester){ GUEST_SID, true, PASID });
    guest.unit.env.read = read_in_one_piece;
    if (function == translate_for_ever) {
        fake_env_read_in_place(&guest.env, &guest.unit.env);
    }
    run_threads(TRANSLATORS, function);
    while (!atomic_load(&translations)) {
        sched_yield();
    }
}

static void stop_translating(unsigned rounds)
{
    atomic_store(&done, true);
    join_threads(TRANSLATORS);
    tap_note("%u invalidations beside %u translations, %u walks", rounds,
             translations, (unsigned)guest.unit.counters.table_walks);
    CHECK_EQ(errors, 0);
}

TEST(after_the_wait_no_translation_gives_the_old_page)
{
    const double end = seconds() + 1.5;
    unsigned rounds;

    start_translating(translate_for_ever);
    for (rounds = 0; seconds() < end; rounds++) {
        unsigned page = rounds % PAGES;
        uint64_t version = rounds + 2;
        uint64_t qw[1][2] = { { 0, 0 } };

        set_page(&table[0], page, version);
        switch (rounds / PAGES % 6) {
        case 0:
        case 1:
            qw[0][0] = qi_pasid_iotlb(QI_PIOTLB_PAGE, DID, PASID);
            qw[0][1] = iova_of(page);
            break;
        case 2:
            qw[0][0] = qi_pasid_iotlb(QI_PIOTLB_PAGE, DID, PASID);
            qw[0][1] = (iova_of(page) & ~0x1fffffull) | 9;
            break;
        case 3:
            qw[0][0] = qi_pasid_iotlb(QI_PIOTLB_PASID, DID, PASID);
            break;
        case 4:
            qw[0][0] = qi_iotlb(QI_DOMAIN, DID);
            break;
        case 5:
            qw[0][0] = qi_iotlb(QI_GLOBAL, 0);
            break;
        }
        invalidate_and_wait(qw, 1);
        atomic_store(&confirmed[page], version);
    }
    stop_translating(rounds);
    CHECK(rounds > 100);
}

/* Each table comes with a domain of its own. */
static void set_config(unsigned which)
{
    uint64_t place = tables_pasid_place(&guest.tables, guest.pasid_dir, PASID);

    pthread_mutex_lock(&entry_lock);
    fake_store64(&guest.env, place + 8, DID + which);
    fake_store64(&guest.env, place + 16, table[which].root);
    pthread_mutex_unlock(&entry_lock);
}

static _Atomic unsigned configurations;

static void *ask_or_translate_for_ever(void *opaque)
{
    if ((uintptr_t)opaque) {
        return translate_for_ever(opaque);
    }
    while (!atomic_load(&done)) {
        VtdConfig c;
        VtdFault fault = vtd_configuration(&guest.unit, &with_pasid, &c);
        unsigned which = c.did - DID;

        if (fault || which > 1 || c.fs_table != table[which].root) {
            atomic_fetch_add(&errors, 1);
        }
        atomic_fetch_add(&configurations, 1);
    }
    return NULL;
}

TEST(after_the_wait_no_translation_uses_the_old_configuration)
{
    const double end = seconds() + 1.5;
    unsigned rounds;

    atomic_store(&configurations, 0);
    start_translating(ask_or_translate_for_ever);
    for (rounds = 0; seconds() < end; rounds++) {
        unsigned next = (rounds + 1) % 2;
        unsigned did = DID + rounds % 2;
        const uint64_t qw[2][2] = {
            { qi_pasid_cache(QI_PC_PASID, did, PASID), 0 },
            { qi_pasid_iotlb(QI_PIOTLB_PASID, did, PASID), 0 },
        };

        for (unsigned page = 0; page < PAGES; page++) {
            set_page(&table[next], page, rounds + 2);
        }
        set_config(next);
        invalidate_and_wait(qw, 2);
        for (unsigned page = 0; page < PAGES; page++) {
            atomic_store(&confirmed[page], rounds + 2);
        }
    }
    stop_translating(rounds);
    CHECK(rounds > 100);
    CHECK(configurations > 100);
}

/* The table of the cache is emptied beside lookups and insertions. */
TEST(emptying_the_cache_beside_translations)
{
    const uint64_t qw[1][2] = {
        { qi_pasid_iotlb(QI_PIOTLB_PASID, DID, PASID), 0 },
    };

    start_translating(translate_for_ever);
    for (unsigned i = 0; i < 50; i++) {
        unsigned page = i % PAGES;

        set_page(&table[0], page, i + 2);
        atomic_store(&guest.unit.iotlb.wide_count, (1ull << 26) - 1);
        invalidate_and_wait(qw, 1);
        atomic_store(&confirmed[page], i + 2);
        CHECK_EQ(guest.unit.iotlb.wide_count, 0);
    }
    stop_translating(50);
}

/* Everything at once -------------------------------------------------- */

#define ROUNDS 3000

/* Accesses to registers come one after another. */
static pthread_mutex_t registers = PTHREAD_MUTEX_INITIALIZER;

static void write_register(unsigned offset, uint64_t value, unsigned size)
{
    pthread_mutex_lock(&registers);
    vtd_mmio_write(&guest.unit, offset, value, size);
    pthread_mutex_unlock(&registers);
}

static void read_register(unsigned offset)
{
    pthread_mutex_lock(&registers);
    vtd_mmio_read(&guest.unit, offset, 8);
    pthread_mutex_unlock(&registers);
}

static void *disturb(void *opaque)
{
    unsigned role = (uintptr_t)opaque;
    VtdSource source;
    VtdInterrupt interrupt;
    VtdMapping out;

    vtd_source_init(&source, (VtdRequester){ .sid = 0x100 + role });
    for (unsigned i = 0; i < ROUNDS; i++) {
        switch (role) {
        case 0: /* faults are recorded */
        case 1:
            vtd_translate(&guest.unit, &source, i << 12,
                          (VtdAccess){ .perm = 1 }, false, &out);
            vtd_remap_interrupt(&guest.unit, 0x200, 0xfee00010, 0, false,
                                &interrupt);
            break;
        case 2: /* and cleared */
            write_register(VTD_REG_FRCD + 12, 1u << 31, 4);
            write_register(VTD_REG_FSTS, 0x71, 4);
            write_register(VTD_REG_FECTL, (i & 1u) << 31, 4);
            break;
        case 3: /* the queue goes on, off, and wrong */
            write_register(VTD_REG_GCMD,
                           (i & 1u) << 26 | 1u << 31 | 1u << 25, 4);
            write_register(VTD_REG_IQT, i % 64 * 32, 8);
            break;
        default:
            read_register(i * 8 % VTD_REG_SPACE);
            write_register(VTD_REG_CCMD, 5ull << 61, 8);
            write_register(VTD_REG_IOTLB, 9ull << 60, 8);
            break;
        }
    }
    return NULL;
}

TEST(a_unit_under_fire_still_works)
{
    start();
    command(VTD_GCMD_IRE, 0);
    run_threads(5, disturb);
    join_threads(5);
    command(0, VTD_GCMD_QIE);
    write32(VTD_REG_FSTS, 0x71);
    start_queue(true, 0);
    invalidate(qi_wait_status(0x12345), GUEST_STATUS);
    CHECK_EQ(fake_load32(&guest.env, GUEST_STATUS), 0x12345);
    CHECK_EQ(reg64(VTD_REG_IOTLB) >> 63, 0);
    CHECK_EQ(reg64(VTD_REG_CCMD) >> 63, 0);
}
