/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model against the reference translator, with random tables, changes,
 * requests and invalidations.
 *
 * The model may answer from its caches.  So a translation that it serves has
 * to be one that the tables gave at some time since the last invalidation that
 * covers it, in its last table perhaps at a later time than above (paging-
 * structure caches); a fault (never cached) has to be what the tables give now.  To
 * look back, every change of a table is logged and taken back step by step.
 *
 * The guest keeps the rules that the spec gives to software: translations with
 * one tag (domain, PASID) come from one set of tables.  So the domain of a
 * configuration decides its kind and its tables, and changes of configuration
 * are changes of the domain.
 */
#include <string.h>

#include "guest.h"
#include "reference.h"
#include "tap.h"

#define SIDS 2
#define PASIDS 3 /* the last one stands for "no PASID", RID_PASID 0 */
#define DOMAINS 8
#define STEPS 4000
#define ROUNDS 60
#define BIAS 0x2000000000ull

typedef struct Change {
    uint64_t place;
    uint64_t old;
    bool config;
} Change;

typedef struct Event {
    unsigned time; /* in changes */
    VtdNotice notice;
} Event;

/* An entry that is changed at random. */
typedef struct Place {
    uint64_t gpa;
    uint64_t original;
    bool first_stage;
    uint8_t level;
} Place;

static Change change[STEPS];
static unsigned changes;
static Event event[STEPS];
static unsigned events;
static Place place[1024];
static unsigned places;
static uint64_t rng;
static bool scalable;
static bool full; /* with every refinement of the stages */
static RefUnit reference;
static VtdSource source[SIDS][PASIDS];
static uint64_t config_place[SIDS][PASIDS];
static PageTable second[2];
static PageTable first[DOMAINS][PASIDS];
static unsigned served;
static unsigned from_the_past;
static unsigned faults;

static unsigned below(unsigned limit)
{
    return tap_random(&rng) % limit;
}

/* Few addresses, so that they meet: pages around the borders of large ones,
 * under two entries of the top level. */
static uint64_t random_iova(void)
{
    static const uint64_t base[] = {
        0x0000000000, 0x00001ff000, 0x0000200000, 0x003ffff000,
        0x0040000000, 0x7fc0000000,
    };

    if (below(200) == 0) {
        return tap_random(&rng) >> below(64);
    }
    return base[below(6)] + below(2) * 0x1000 + below(0x1000);
}

static uint64_t random_target(void)
{
    if (below(100) == 0) {
        return 0xfee00000;
    }
    return (uint64_t)(1 + below(12)) << 30 | (uint64_t)below(4) << 21 |
           (uint64_t)below(4) << 12;
}

/* Building ------------------------------------------------------------ */

static void add_place(uint64_t gpa, bool first_stage, unsigned level)
{
    for (unsigned i = 0; i < places; i++) {
        if (place[i].gpa == gpa) {
            return;
        }
    }
    CHECK(places < sizeof(place) / sizeof(place[0]));
    place[places++] = (Place){
        .gpa = gpa,
        .original = fake_load64(&guest.env, gpa),
        .first_stage = first_stage,
        .level = level,
    };
}

static void add_places(const PageTable *p, uint64_t iova)
{
    for (unsigned level = 1; level <= p->levels; level++) {
        uint64_t gpa = tables_entry(&guest.tables, p, iova, level);

        if (gpa) {
            add_place(gpa, p->stage == STAGE_FIRST, level);
        }
    }
}

/* A page table for the addresses of random_iova(). */
static PageTable random_table(Stage stage, unsigned levels, uint64_t bias)
{
    PageTable p = tables_page_table(&guest.tables, stage, levels, bias);

    for (unsigned i = 0; i < 16; i++) {
        uint64_t iova = random_iova() & ((1ull << 39) - 1);

        tables_map(&guest.tables, &p, iova & ~0xfffull, random_target(), 12,
                   MAP_RW);
    }
    for (unsigned i = 0; i < 100; i++) {
        add_places(&p, random_iova());
    }
    return p;
}

/* The second stage maps targets of the first one, and its tables. */
static void build_tables(void)
{
    for (unsigned i = 0; i < 2; i++) {
        second[i] = random_table(STAGE_SECOND, 3 + i, 0);
        tables_map_range(&guest.tables, &second[i], BIAS, 0, GUEST_RAM, 12,
                         MAP_RW);
        tables_map_range(&guest.tables, &second[i], 1 << 30, 1 << 30,
                         13ull << 30, 30, MAP_RW);
    }
    for (unsigned d = 0; d < DOMAINS; d++) {
        for (unsigned p = 0; p < PASIDS; p++) {
            first[d][p] =
                random_table(STAGE_FIRST, 4, d >= 4 && d < 6 ? BIAS : 0);
            for (unsigned level = 1; level <= 4; level++) {
                uint64_t gpa =
                    tables_entry(&guest.tables, &first[d][p], 0x40000000,
                                 level);

                if (gpa && d >= 4 && d < 6) {
                    add_places(&second[d & 1], gpa + BIAS);
                }
            }
        }
    }
    for (unsigned i = 0; i < 12; i++) {
        add_places(&second[i & 1], random_target());
    }
}

/* Domain 0: pass-through; 1: nothing; 2, 3: second stage; 4, 5: nested; 6, 7:
 * first stage. */
static PasidEntry pasid_entry(unsigned domain, unsigned p)
{
    static const uint8_t types[DOMAINS] = { 4, 7, 2, 2, 3, 3, 1, 1 };

    return (PasidEntry){
        .pgtt = types[domain],
        .did = domain,
        .ss_levels = second[domain & 1].levels,
        .ss_table = second[domain & 1].root,
        .fs_levels = 4,
        .fs_table = first[domain][p].root,
        .execute = domain & 1,
        .no_execute = domain & 1,
        .supervisor = full && p == 1,
        .write_protect = full && p == 1,
        .extended_accessed = full && (domain & 1),
        .ss_accessed_dirty = full && (domain & 1),
    };
}

static void log_change(uint64_t gpa, bool config)
{
    CHECK(changes < STEPS);
    change[changes++] = (Change){
        .place = gpa,
        .old = fake_load64(&guest.env, gpa),
        .config = config,
    };
}

static void put(uint64_t gpa, uint64_t value, bool config)
{
    log_change(gpa, config);
    fake_store64(&guest.env, gpa, value);
}

/* The configuration of one requester changes.  Guests write present entries
 * with one store, last; that the others come first is one change each. */
static void change_config(void)
{
    unsigned s = below(SIDS);
    unsigned p = scalable ? below(PASIDS) : PASIDS - 1;
    uint64_t gpa = config_place[s][p];
    unsigned domain = below(DOMAINS);
    uint64_t keep = fake_load64(&guest.env, gpa);

    if (below(8) == 0) {
        put(gpa, keep ^ 1ull << below(64), true);
        put(gpa, keep, true);
        return;
    }
    put(gpa, 0, true);
    if (below(4) == 0) {
        return;
    }
    if (scalable) {
        PasidEntry e = pasid_entry(domain, p);

        log_change(gpa + 8, true);
        log_change(gpa + 16, true);
        log_change(gpa, true);
        tables_pasid(&guest.tables, guest.pasid_dir + s * 4096,
                     p == PASIDS - 1 ? 0 : p + 1, &e);
    } else {
        log_change(gpa + 8, true);
        log_change(gpa, true);
        tables_legacy_context(&guest.tables, guest.root, s,
                              &(LegacyContext){
                                  .tt = domain == 0 ? 2 : 0,
                                  .levels = second[domain & 1].levels,
                                  .did = domain & 1 ? 3 : 2,
                                  .ss_table = second[domain & 1].root,
                              });
    }
}

static void build_configs(void)
{
    set_root(scalable);
    guest.pasid_dir = tables_alloc(&guest.tables, SIDS);
    for (unsigned s = 0; s < SIDS; s++) {
        for (unsigned p = 0; p < PASIDS; p++) {
            RefRequest r = { s, p != PASIDS - 1, p + 1 };

            vtd_source_init(&source[s][p],
                            (VtdRequester){ r.sid, r.has_pasid, r.pasid });
            if (scalable) {
                tables_scalable_context(
                    &guest.tables, guest.root, s,
                    &(ScalableContext){
                        .pasid_dir = guest.pasid_dir + s * 4096,
                        .pasid_enable = true,
                    });
                config_place[s][p] = tables_pasid_place(
                    &guest.tables, guest.pasid_dir + s * 4096,
                    p == PASIDS - 1 ? 0 : p + 1);
            } else {
                config_place[s][p] =
                    tables_legacy_context_place(&guest.tables, guest.root, s);
            }
        }
    }
    for (unsigned i = 0; i < 40; i++) {
        change_config();
    }
    enable_translation();
}

static bool load(void *opaque, uint64_t gpa, uint64_t *value)
{
    FakeEnv *env = opaque;

    if (gpa > GUEST_RAM - 8) {
        return false;
    }
    *value = fake_load64(env, gpa);
    return true;
}

static void start_round(void)
{
    guest_start(full ? options_full() :
                scalable ? options_nested() :
                           options_legacy());
    guest.env.concurrent = true; /* no records: there are too many */
    if (below(2)) {
        fake_env_read_in_place(&guest.env, &guest.unit.env);
    }
    changes = 0;
    events = 0;
    places = 0;
    build_tables();
    build_configs();
    start_queue(scalable, 0);
    reference = (RefUnit){
        .opaque = &guest.env,
        .load = load,
        .rtaddr = guest.root | (uint64_t)scalable << 10,
        .width = 48,
        .pasid_bits = scalable ? 20 : 0,
        .scalable_mode = scalable,
        .has_first_stage = true,
        .has_second_stage = true,
        .has_nested = true,
        .has_1g_first_stage = true,
        .has_supervisor_requests = full,
        .has_extended_accessed = full,
        .has_ss_accessed_dirty = full,
        .has_pass_through = true,
        .has_device_tlb = scalable,
        .accepts_tm = false,
    };
}

/* Changes ------------------------------------------------------------- */

static uint64_t random_leaf(const Place *p)
{
    uint64_t target = random_target();
    uint64_t size_bit = p->level > 1 ? 1 << 7 : 0;
    unsigned shift = 12 + 9 * (p->level - 1);
    uint64_t rights = below(8);

    if (p->first_stage) {
        rights |= below(4) ? 7 : 1;
    } else {
        rights = below(3) ? 3 : rights & 3;
    }
    /* Mostly aligned: else address bits are reserved ones. */
    if (below(20)) {
        target = target >> shift << shift;
    }
    return target | rights | size_bit;
}

static void change_paging_entry(void)
{
    const Place *p = &place[below(places)];
    uint64_t now = fake_load64(&guest.env, p->gpa);
    uint64_t value;

    switch (below(10)) {
    case 0:
        value = now ^ 1ull << below(64);
        break;
    case 1:
        value = 0;
        break;
    case 2:
    case 3:
        value = now ^ 1ull << below(3);
        break;
    case 4:
    case 5:
        value = p->level <= 3 ? random_leaf(p) : p->original;
        break;
    default:
        value = p->level == 1 ? random_leaf(p) : p->original;
        break;
    }
    /* A pointer that was bent must not make a table of another's memory that
     * is not one: only what a place had, or a page. */
    if (p->level > 1 && !(value & 1 << 7) &&
        (value ^ p->original) & 0x000ffffffffff000) {
        value = p->original;
    }
    put(p->gpa, value, false);
}

static void note_event(VtdNotice notice)
{
    CHECK(events < STEPS);
    event[events++] = (Event){ .time = changes, .notice = notice };
}

static void random_invalidation(void)
{
    uint16_t did = below(DOMAINS);
    uint32_t pasid = below(PASIDS);
    unsigned order = below(4) ? 0 : below(12);
    uint64_t addr = random_iova() & ~0xfffull;
    VtdNotice n = {
        .did = did,
        .pasid = pasid,
        .order = order,
        .addr = addr >> (12 + order) << (12 + order),
    };

    switch (below(scalable ? 8 : 4)) {
    case 0:
        n.kind = VTD_NOTICE_IOTLB;
        n.scope = below(4) ? VTD_SCOPE_DOMAIN : VTD_SCOPE_GLOBAL;
        invalidate(qi_iotlb(n.scope == VTD_SCOPE_DOMAIN ? QI_DOMAIN :
                                                          QI_GLOBAL, did),
                   0);
        break;
    case 1:
    case 2:
        n.kind = VTD_NOTICE_IOTLB;
        n.scope = VTD_SCOPE_PAGE;
        invalidate(qi_iotlb(QI_NARROW, did), addr | order);
        break;
    case 3:
        n.kind = VTD_NOTICE_CONTEXT;
        n.scope = VTD_SCOPE_DEVICE;
        n.sid = below(SIDS);
        invalidate(qi_context(QI_NARROW, did, n.sid), 0);
        break;
    case 4:
        n.kind = VTD_NOTICE_PASID_CACHE;
        n.scope = VTD_SCOPE_PASID;
        invalidate(qi_pasid_cache(QI_PC_PASID, did, pasid), 0);
        break;
    case 5:
        n.kind = VTD_NOTICE_PASID_IOTLB;
        n.scope = VTD_SCOPE_PASID;
        invalidate(qi_pasid_iotlb(QI_PIOTLB_PASID, did, pasid), 0);
        break;
    default:
        n.kind = VTD_NOTICE_PASID_IOTLB;
        n.scope = VTD_SCOPE_PAGE;
        invalidate(qi_pasid_iotlb(QI_PIOTLB_PAGE, did, pasid), addr | order);
        break;
    }
    note_event(n);
}

static void invalidate_everything(void)
{
    invalidate(qi_context(QI_GLOBAL, 0, 0), 0);
    note_event((VtdNotice){ .kind = VTD_NOTICE_CONTEXT });
    invalidate(qi_iotlb(QI_GLOBAL, 0), 0);
    note_event((VtdNotice){ .kind = VTD_NOTICE_IOTLB });
}

/* Looking back -------------------------------------------------------- */

static bool covers_config(const VtdNotice *n, const RefConfig *c, uint16_t sid)
{
    switch (n->kind) {
    case VTD_NOTICE_CONTEXT:
        return n->scope == VTD_SCOPE_GLOBAL ||
               (n->sid == sid && (!c->legacy || n->did == c->did));
    case VTD_NOTICE_PASID_CACHE:
        return n->did == c->did && n->pasid == c->pasid;
    default:
        return false;
    }
}

static bool covers_page(const VtdNotice *n, const RefConfig *c, uint64_t iova)
{
    bool in_range = iova >= n->addr &&
                    iova - n->addr < 0x1000ull << n->order;
    bool first_stage = c->kind == REF_FIRST || c->kind == REF_NESTED;

    if (n->kind == VTD_NOTICE_PASID_IOTLB) {
        return first_stage && n->did == c->did && n->pasid == c->pasid &&
               (n->scope == VTD_SCOPE_PASID || in_range);
    }
    if (n->kind != VTD_NOTICE_IOTLB) {
        return false;
    }
    if (n->scope == VTD_SCOPE_GLOBAL) {
        return true;
    }
    if (n->did != c->did) {
        return false;
    }
    return n->scope == VTD_SCOPE_DOMAIN || c->kind == REF_NESTED ||
           (c->kind == REF_SECOND && in_range);
}

/* The time before which nothing counts for @c any more. */
static unsigned horizon(const RefConfig *c, uint16_t sid, uint64_t iova,
                        bool for_config)
{
    for (unsigned i = events; i-- > 0;) {
        if (for_config ? covers_config(&event[i].notice, c, sid) :
                         covers_page(&event[i].notice, c, iova)) {
            return event[i].time;
        }
    }
    return 0;
}

/* Take changes back until only @time of them are left, or do them again.
 * What the model has marked in between is kept for the way forward. */
static unsigned now;

static void travel(unsigned time)
{
    while (now != time) {
        Change *c = &change[now > time ? --now : now++];
        uint64_t value = fake_load64(&guest.env, c->place);

        fake_store64(&guest.env, c->place, c->old);
        c->old = value;
    }
}

/* What the model did with one byte. */
typedef struct Answer {
    uint8_t fault;
    uint64_t pa;
    unsigned allowed;
} Answer;

static bool same(const RefResult *r, const Answer *a, unsigned perm)
{
    if (a->fault || r->fault) {
        return a->fault == r->fault;
    }
    return r->pa == a->pa && !(perm & ~r->perm) && !(a->allowed & ~r->perm);
}

static unsigned later;

static void travel_to_later(void)
{
    travel(later);
}

/* Does @a come of the tables of now down to the last one, and of that one as it
 * was at some later time? */
static bool last_table_explains(const RefConfig *c, const Answer *a,
                                uint64_t iova, unsigned perm)
{
    unsigned back = now;
    bool found = false;

    reference.at_last_table = travel_to_later;
    for (later = now + 1; later <= changes && !found; later++) {
        RefResult r = reference_walk(&reference, c, iova, perm);

        found = same(&r, a, perm);
        travel(back);
    }
    reference.at_last_table = NULL;
    return found;
}

/* Could @c have led to @a, now or at a time that may still be cached, of all
 * tables together or, with @mixed, with a later last one? */
static bool config_explains(const RefConfig *c, const Answer *a, uint64_t iova,
                            unsigned perm, bool mixed)
{
    bool cached = !a->fault || a->fault == 0x87 || a->fault == 0x0e;
    unsigned start = cached ? horizon(c, 0, iova, false) : changes;
    unsigned back = now;
    bool found = false;

    for (unsigned time = changes;; time--) {
        travel(time);
        if (time == changes || !change[time].config) {
            RefResult r = reference_walk(&reference, c, iova, perm);

            found = mixed ? last_table_explains(c, a, iova, perm)
                          : same(&r, a, perm);
        }
        if (found || time <= start) {
            break;
        }
    }
    travel(back);
    return found;
}

static bool explained(RefRequest request, const Answer *a, uint64_t iova,
                      unsigned perm, bool mixed)
{
    bool found = false;

    now = changes;
    for (unsigned time = changes;; time--) {
        RefConfig c;
        uint8_t fault;

        travel(time);
        if (time == changes || change[time].config) {
            fault = reference_config(&reference, request, &c);
            if (fault) {
                found = time == changes && fault == a->fault;
            } else if (horizon(&c, request.sid, 0, true) <= time) {
                found = config_explains(&c, a, iova, perm, mixed);
            }
        }
        if (found || time == 0) {
            break;
        }
    }
    travel(changes);
    return found;
}

static void check_answer(RefRequest request, const Answer *a, uint64_t iova,
                         unsigned perm)
{
    RefConfig c;
    RefResult r = { .fault = reference_config(&reference, request, &c) };

    if (!r.fault) {
        r = reference_walk(&reference, &c, iova, perm);
    }
    if (same(&r, a, perm)) {
        return;
    }
    from_the_past++;
    if (!explained(request, a, iova, perm, false) &&
        (a->fault || !explained(request, a, iova, perm, true))) {
        tap_fail(__FILE__, __LINE__,
                 "sid %x pasid %x iova %" PRIx64 " perm %x: fault %x pa %"
                 PRIx64 " allowed %x; the tables say fault %x pa %" PRIx64
                 " allowed %x",
                 request.sid, request.has_pasid ? request.pasid : 0, iova,
                 perm, a->fault, a->pa, a->allowed, r.fault, r.pa, r.perm);
    }
}

static void random_request(void)
{
    VtdSource *s = &source[below(SIDS)][scalable && below(4) ?
                                            below(PASIDS) : PASIDS - 1];
    RefRequest request = { s->req.sid, s->req.has_pasid, s->req.pasid };
    uint64_t iova = random_iova();
    unsigned perm = below(10) == 0 ? below(8) : 1 + below(3);
    VtdMapping out;
    VtdFault fault = vtd_translate(&guest.unit, s, iova,
                                   (VtdAccess){ .perm = perm }, true, &out);
    Answer a = { .fault = vtd_fault_code(fault) };

    if (fault) {
        faults++;
        check_answer(request, &a, iova, perm);
        return;
    }
    served++;
    CHECK(iova >= out.iova && iova - out.iova < 1ull << out.shift);
    a.pa = out.pa + (iova - out.iova);
    a.allowed = out.perm;
    check_answer(request, &a, iova, perm);
    /* The answer speaks of the whole page: look at another byte of it. */
    if (out.shift > 12) {
        uint64_t other = out.iova +
                         (random_iova() & ((1ull << out.shift) - 1));

        a.pa = out.pa + (other - out.iova);
        if (a.pa < 0xfee00000 || a.pa > 0xfeefffff) {
            check_answer(request, &a, other, perm);
        }
    }
}

static void run_round(void)
{
    unsigned since = 0;

    start_round();
    invalidate_everything();
    while (changes < STEPS - 8 && events < STEPS - 8) {
        unsigned what = below(100);

        if (what < 78) {
            random_request();
        } else if (what < 90) {
            change_paging_entry();
        } else if (what < 92) {
            change_config();
        } else {
            random_invalidation();
        }
        if (++since == 400) {
            invalidate_everything();
            since = 0;
        }
    }
}

static void run(bool in_scalable_mode, bool all, unsigned rounds)
{
    rng = tap_seed() + in_scalable_mode + all;
    scalable = in_scalable_mode;
    full = all;
    served = 0;
    faults = 0;
    from_the_past = 0;
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t start = rng;

        tap_context("round %u, generator at %" PRIu64, i, start);
        run_round();
    }
    tap_note("%u served, %u faults, %u of them not what the tables say now",
             served, faults, from_the_past);
    /* A test that never meets a stale entry tests no cache. */
    CHECK(served > 1000 * rounds);
    CHECK(faults > 100 * rounds);
    CHECK(from_the_past > 10 * rounds);
}

TEST(legacy_mode)
{
    run(false, false, ROUNDS / 3);
}

TEST(scalable_mode)
{
    run(true, false, ROUNDS);
}

TEST(scalable_mode_with_every_refinement)
{
    run(true, true, ROUNDS / 2);
}
