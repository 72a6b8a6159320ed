/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_translate.h"

#include <string.h>

#include "vtd_plain.h"

_Static_assert(sizeof(VtdConfig) % sizeof(uint64_t) == 0,
               "a configuration is whole words");

static uint64_t hit_word(const VtdConfig *c)
{
    bool simple = c->kind != VTD_PASS_THROUGH && !c->supervisor;

    return vtd_iotlb_key(vtd_config_tag(c)) | (simple ? VTD_HIT_SIMPLE : 0);
}

void vtd_source_init(VtdSource *source, VtdRequester req)
{
    source->req = req;
    atomic_init(&source->seq, 0);
    atomic_init(&source->gen, 0); /* config_gen starts at 1 */
    atomic_init(&source->hit, 0);
    atomic_init(&source->plain, 0);
    for (unsigned i = 0; i < VTD_CONFIG_WORDS; i++) {
        atomic_init(&source->config[i], 0);
    }
}

/* False: @config is undefined. */
static inline bool cached_config(VtdSource *source, uint64_t gen,
                                 VtdConfig *config)
{
    uint32_t seq = atomic_load_explicit(&source->seq, memory_order_acquire);
    uint64_t held = atomic_load_explicit(&source->gen, memory_order_relaxed);

    VTD_UNROLL
    for (unsigned i = 0; i < VTD_CONFIG_WORDS; i++) {
        uint64_t word =
            atomic_load_explicit(&source->config[i], memory_order_relaxed);

        memcpy((char *)config + i * sizeof(word), &word, sizeof(word));
    }
    atomic_thread_fence(memory_order_acquire);
    return held == gen && !(seq & 1) &&
           atomic_load_explicit(&source->seq, memory_order_relaxed) == seq;
}

/* Another thread at the same work means that ours is not needed. */
static void cache_config(VtdSource *source, uint64_t gen, uint64_t hit,
                         const VtdConfig *config)
{
    uint32_t seq = atomic_load_explicit(&source->seq, memory_order_relaxed);
    uint64_t words[VTD_CONFIG_WORDS];

    if ((seq & 1) || !atomic_compare_exchange_strong_explicit(
                         &source->seq, &seq, seq + 1, memory_order_acquire,
                         memory_order_relaxed)) {
        return;
    }
    atomic_thread_fence(memory_order_release);
    memcpy(words, config, sizeof(words));
    atomic_store_explicit(&source->gen, gen, memory_order_relaxed);
    atomic_store_explicit(&source->hit, hit, memory_order_relaxed);
    atomic_store_explicit(&source->plain, hit ? plain_word(config) : 0,
                          memory_order_relaxed);
    for (unsigned i = 0; i < VTD_CONFIG_WORDS; i++) {
        atomic_store_explicit(&source->config[i], words[i],
                              memory_order_relaxed);
    }
    atomic_store_explicit(&source->seq, seq + 2, memory_order_release);
}

/* @gen is drawn before the first table is read; an invalidation that comes
 * between leaves behind a cached configuration that is out of date at once. */
static VtdFault fetch_config(VtdUnit *u, VtdSource *source, uint64_t gen,
                             VtdConfig *config)
{
    VtdFault fault = vtd_context_fetch(&u->env, &u->caps, vtd_unit_root(u),
                                       source->req, config);

    if (!fault) {
        /* So a hit need not ask whether translation is on: when that changes,
         * so does the number of configurations. */
        cache_config(source, gen,
                     vtd_unit_translates(u) ? hit_word(config) : 0, config);
    }
    return fault;
}

VtdFault vtd_source_config(VtdUnit *u, VtdSource *source, VtdConfig *config)
{
    uint64_t gen = atomic_load(&u->config_gen);

    return cached_config(source, gen, config)
               ? VTD_FAULT_NONE
               : fetch_config(u, source, gen, config);
}

VtdFault vtd_check_interrupt_range(const VtdConfig *config, uint64_t pa)
{
    if (pa < VTD_MSI_RANGE_FIRST || pa > VTD_MSI_RANGE_LAST) {
        return VTD_FAULT_NONE;
    }
    return config->scalable ? VTD_FAULT_SM_INTERRUPT_ADDRESS
                            : VTD_FAULT_INTERRUPT_ADDRESS;
}

/* The result for the very byte that was asked for. */
static VtdFault check_output(const VtdConfig *config, uint64_t iova,
                             const VtdMapping *m)
{
    return vtd_check_interrupt_range(
        config, m->pa | (iova & ((1ull << m->shift) - 1)));
}

/*
 * Whether @m may answer other requests.  What was allowed to a supervisor may
 * not: hits do not look at privilege.  Nor may a page that interrupts are in:
 * they do not look where a byte goes, either.
 */
static bool is_for_all(const VtdMapping *m, VtdAccess access)
{
    return !access.supervisor &&
           (m->pa > VTD_MSI_RANGE_LAST ||
            m->pa + ((1ull << m->shift) - 1) < VTD_MSI_RANGE_FIRST);
}

static void count_walk(VtdUnit *u, const VtdConfig *config)
{
    _Atomic uint64_t *walks = config->kind == VTD_NESTED
                                  ? &u->counters.nested_walks
                                  : &u->counters.table_walks;

    atomic_fetch_add_explicit(walks, 1, memory_order_relaxed);
}

static inline VtdFault walk_to_output(VtdWalk *walk, uint64_t iova,
                                      VtdMapping *out)
{
    VtdFault fault = vtd_walk(walk, iova, out);

    return fault ? fault : check_output(walk->config, iova, out);
}

/*
 * Keep @m, and @table unless it is 0.  The ticket protects against
 * invalidations of the tables.  If the configuration went out of date before
 * the ticket was drawn, the walk may have used tables that do not belong to the
 * tag any more.
 */
static inline __attribute__((always_inline)) void
cache_walk(VtdUnit *u, uint64_t gen, const VtdIotlbTicket *ticket,
           uint64_t iova, const VtdMapping *m, uint64_t table)
{
    if (atomic_load(&u->config_gen) != gen) {
        return;
    }
    vtd_iotlb_insert(&u->iotlb, ticket, m);
    if (table) {
        vtd_iotlb_insert_table(&u->iotlb, ticket, iova, table);
    }
}

static VtdFault walk_and_cache(VtdUnit *u, const VtdConfig *config,
                               uint64_t gen, uint64_t iova, VtdAccess access,
                               VtdMapping *out)
{
    VtdIotlbTicket ticket =
        vtd_iotlb_ticket(&u->iotlb, vtd_config_tag(config));
    uint64_t table = vtd_iotlb_table(&u->iotlb, &ticket, iova);
    VtdWalk walk = {
        .env = &u->env,
        .caps = &u->caps,
        .config = config,
        .access = access,
        .last_table = table,
    };
    VtdFault fault;

    count_walk(u, config);
    fault = walk_to_output(&walk, iova, out);
    if (fault && table) {
        /* Nothing that was kept is a reason for a fault. */
        walk.last_table = 0;
        fault = walk_to_output(&walk, iova, out);
    }
    if (!fault && is_for_all(out, access)) {
        cache_walk(u, gen, &ticket, iova, out,
                   walk.last_table != table ? walk.last_table : 0);
    }
    return fault;
}

static void identity(uint64_t iova, VtdMapping *out)
{
    *out = (VtdMapping){
        .iova = iova & VTD_PAGE_MASK,
        .pa = iova & VTD_PAGE_MASK,
        .shift = VTD_PAGE_SHIFT,
        .perm = VTD_PERM_READ | VTD_PERM_WRITE | VTD_PERM_EXEC,
    };
}

/* Once vtd_translate_hit() has found nothing. */
static VtdFault translate(VtdUnit *u, VtdSource *source, uint64_t iova,
                          VtdAccess access, VtdConfig *config,
                          VtdMapping *out)
{
    uint64_t gen = atomic_load(&u->config_gen);

    if (!cached_config(source, gen, config)) {
        VtdFault fault = fetch_config(u, source, gen, config);

        /* Perhaps another source of the domain has been there. */
        if (fault ||
            vtd_translate_hit(u, hit_word(config), iova, access, out)) {
            return fault;
        }
    }
    access.supervisor |= config->supervisor;
    if (config->kind == VTD_PASS_THROUGH) {
        VtdFault fault = vtd_check_privilege(config, access);

        identity(iova, out);
        return fault ? fault : check_output(config, iova, out);
    }
    return walk_and_cache(u, config, gen, iova, access, out);
}

/* A function of its own for the sake of its caller, whose stack would be made
 * ready for it each time. */
static __attribute__((noinline)) void
report(VtdUnit *u, const VtdFaultRecord *record, bool fault_disable)
{
    VtdWork work = { 0 };

    vtd_frcd_report(u, record, fault_disable, &work);
    vtd_work_send(u, &work);
}

static __attribute__((noinline)) VtdFault
translate_or_report(VtdUnit *u, VtdSource *source, uint64_t iova,
                    VtdAccess access, bool quiet, VtdMapping *out)
{
    VtdConfig config;
    VtdFault fault = translate(u, source, iova, access, &config, out);

    if (!fault) {
        return VTD_FAULT_NONE;
    }
    atomic_fetch_add_explicit(&u->counters.faults, 1, memory_order_relaxed);
    if (!quiet) {
        report(u,
               &(VtdFaultRecord){
                   .fault = fault,
                   .req = source->req,
                   .access = access,
                   .info = iova & VTD_PAGE_MASK,
               },
               config.fault_disable);
    }
    return fault;
}

/* VtdSource.plain if it is up to date, or 0. */
static inline uint64_t cached_plain(VtdSource *source, uint64_t gen,
                                    uint64_t *key)
{
    uint32_t seq = atomic_load_explicit(&source->seq, memory_order_acquire);
    uint64_t held = atomic_load_explicit(&source->gen, memory_order_relaxed);
    uint64_t plain =
        atomic_load_explicit(&source->plain, memory_order_relaxed);

    *key = atomic_load_explicit(&source->hit, memory_order_relaxed) &
           VTD_HIT_KEY;
    atomic_thread_fence(memory_order_acquire);
    return held == gen && !(seq & 1) &&
                   atomic_load_explicit(&source->seq,
                                        memory_order_relaxed) == seq
               ? plain
               : 0;
}

/* @plain: of the source, not 0.  As below. */
static inline __attribute__((always_inline)) bool
walk_plainly(VtdUnit *u, uint64_t gen, uint64_t key, uint64_t plain,
             uint64_t iova, VtdAccess access, VtdMapping *out)
{
    VtdIotlbTicket ticket = vtd_iotlb_ticket_key(&u->iotlb, key);
    uint64_t table = vtd_iotlb_table(&u->iotlb, &ticket, iova);
    VtdConfig config = plain_config(plain);
    VtdWalk walk = {
        .env = &u->env,
        .caps = &u->caps,
        .config = &config,
        .access = access,
        .last_table = table,
    };

    if (!vtd_walk_plain(&walk, plain & PLAIN_FIRST_STAGE, iova, out) ||
        !is_for_all(out, access)) {
        return false;
    }
    atomic_fetch_add_explicit(&u->counters.table_walks, 1,
                              memory_order_relaxed);
    cache_walk(u, gen, &ticket, iova, out, table ? 0 : walk.last_table);
    return true;
}

/*
 * What most misses come to, in one piece.  False: nothing has been done, and it
 * is for the rest of the file to do it.
 */
static inline bool translate_plainly(VtdUnit *u, VtdSource *source,
                                     uint64_t iova, VtdAccess access,
                                     VtdMapping *out)
{
    uint64_t gen = atomic_load(&u->config_gen);
    uint64_t key;
    uint64_t plain = cached_plain(source, gen, &key);

    return plain && !access.supervisor && access.perm &&
           !(access.perm & VTD_PERM_EXEC) &&
           walk_plainly(u, gen, key, plain, iova, access, out);
}

VtdFault vtd_translate_miss(VtdUnit *u, VtdSource *source, uint64_t iova,
                            VtdAccess access, bool quiet, VtdMapping *out)
{
    return translate_plainly(u, source, iova, access, out)
               ? VTD_FAULT_NONE
               : translate_or_report(u, source, iova, access, quiet, out);
}
