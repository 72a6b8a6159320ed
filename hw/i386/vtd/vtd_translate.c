/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_translate.h"

#include <string.h>

#include "vtd_quick.h"

_Static_assert(sizeof(VtdConfig) % sizeof(uint64_t) == 0,
               "a configuration is whole words");

/* Whether what is in the IOTLB is all there is to say of a user's request. */
static inline bool is_simple(const VtdConfig *c)
{
    return c->kind != VTD_PASS_THROUGH && !c->supervisor;
}

static inline uint64_t hit_word(const VtdConfig *c)
{
    return vtd_iotlb_key(vtd_config_tag(c)) |
           (is_simple(c) ? VTD_HIT_SIMPLE : 0);
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
    atomic_init(&source->size, VTD_TLB_4K);
    atomic_init(&source->sizes, 1u << VTD_TLB_4K);
}

/* False: @config is undefined. */
static inline bool cached_config(VtdSource *source, uint64_t gen,
                                 VtdConfig *config)
{
    uint32_t seq = atomic_load_explicit(&source->seq, memory_order_acquire);
    uint64_t held = atomic_load_explicit(&source->gen, memory_order_relaxed);

    if (held != gen || (seq & 1)) {
        return false;
    }
    VTD_UNROLL
    for (unsigned i = 0; i < VTD_CONFIG_WORDS; i++) {
        uint64_t word =
            atomic_load_explicit(&source->config[i], memory_order_relaxed);

        memcpy((char *)config + i * sizeof(word), &word, sizeof(word));
    }
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&source->seq, memory_order_relaxed) == seq;
}

/* Another thread at the same work means that ours is not needed. */
static void cache_config(VtdSource *source, uint64_t gen, uint64_t hit,
                         const VtdConfig *config)
{
    uint32_t seq = atomic_load_explicit(&source->seq, memory_order_relaxed);
    VTD_UNSET uint64_t words[VTD_CONFIG_WORDS];

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
    atomic_store_explicit(&source->sizes, 1u << VTD_TLB_4K,
                          memory_order_relaxed);
    atomic_store_explicit(&source->size, VTD_TLB_4K, memory_order_relaxed);
    atomic_store_explicit(&source->seq, seq + 2, memory_order_release);
}

/* @gen is drawn before the first table is read; an invalidation that comes
 * between leaves behind a cached configuration that is out of date at once.
 * @hit: as VtdSource.hit. */
static VtdFault fetch_config(VtdUnit *u, VtdSource *source, uint64_t gen,
                             VtdConfig *config, uint64_t *hit)
{
    VtdFault fault = vtd_context_fetch(&u->env, &u->caps, vtd_unit_root(u),
                                       source->req, config);

    if (!fault) {
        /* So a hit need not ask whether translation is on: when that changes,
         * so does the number of configurations. */
        *hit = vtd_unit_translates(u) ? hit_word(config) : 0;
        cache_config(source, gen, *hit, config);
    }
    return fault;
}

VtdFault vtd_source_config(VtdUnit *u, VtdSource *source, VtdConfig *config)
{
    uint64_t gen = atomic_load(&u->config_gen);
    uint64_t hit;

    return cached_config(source, gen, config)
               ? VTD_FAULT_NONE
               : fetch_config(u, source, gen, config, &hit);
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
    if (!fault && is_for_all(out, access) &&
        atomic_load(&u->config_gen) == gen) {
        keep(&u->iotlb, &ticket, iova, out,
             walk.last_table != table ? walk.last_table : 0, true);
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

static bool lookup_any(VtdUnit *u, uint64_t hit, uint64_t iova,
                       VtdAccess access, VtdMapping *out)
{
    return (hit & VTD_HIT_SIMPLE) && !access.supervisor &&
           vtd_iotlb_lookup(&u->iotlb, hit & VTD_HIT_KEY, iova, out) &&
           !(access.perm & ~out->perm);
}

static VtdFault translate(VtdUnit *u, VtdSource *source, uint64_t iova,
                          VtdAccess access, VtdConfig *config,
                          VtdMapping *out)
{
    uint64_t gen = atomic_load(&u->config_gen);
    VtdFault fault;

    if (!cached_config(source, gen, config)) {
        uint64_t hit;

        fault = fetch_config(u, source, gen, config, &hit);
        /* Perhaps another source of the domain has been there. */
        if (fault || lookup_any(u, hit, iova, access, out)) {
            return fault;
        }
    }
    access.supervisor |= config->supervisor;
    if (config->kind == VTD_PASS_THROUGH) {
        fault = vtd_check_privilege(config, access);
        identity(iova, out);
        return fault ? fault : check_output(config, iova, out);
    }
    fault = walk_and_cache(u, config, gen, iova, access, out);
    if (!fault) {
        meet(source, out);
    }
    return fault;
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

VtdFault vtd_translate_slow(VtdUnit *u, VtdSource *source, uint64_t iova,
                            VtdAccess access, bool quiet, VtdMapping *out)
{
    VTD_UNSET VtdConfig config;
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

VtdFault vtd_translate(VtdUnit *u, VtdSource *source, uint64_t iova,
                       VtdAccess access, bool quiet, VtdMapping *out)
{
    return vtd_translate_quick(u, source, iova, access, out)
               ? VTD_FAULT_NONE
               : vtd_translate_slow(u, source, iova, access, quiet, out);
}
