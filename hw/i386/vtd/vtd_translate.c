/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_translate.h"

#include <string.h>

#include "vtd_walk.h"

_Static_assert(sizeof(VtdConfig) % sizeof(uint64_t) == 0,
               "a configuration is whole words");

/*
 * VtdSource.hit: the key of the tag, and whether a lookup tells all there is to
 * say.  It does not for pass-through and for supervisors, nor before there is
 * a configuration.
 */
#define HIT_SIMPLE VTD_BIT(63)
#define HIT_KEY (VTD_TLB_FIRST_STAGE | VTD_TLB_PASID | VTD_TLB_DID)

static uint64_t hit_word(const VtdConfig *c)
{
    bool simple = c->kind != VTD_PASS_THROUGH &&
                  (c->has_pasid || !c->rid_supervisor);

    return vtd_iotlb_key(vtd_config_tag(c)) | (simple ? HIT_SIMPLE : 0);
}

void vtd_source_init(VtdSource *source, VtdRequester req)
{
    source->req = req;
    atomic_init(&source->seq, 0);
    atomic_init(&source->gen, 0); /* config_gen starts at 1 */
    atomic_init(&source->hit, 0);
    for (unsigned i = 0; i < VTD_CONFIG_WORDS; i++) {
        atomic_init(&source->config[i], 0);
    }
}

/* To be called behind the reads that began with @seq. */
static bool read_in_one_piece(VtdSource *source, uint32_t seq)
{
    atomic_thread_fence(memory_order_acquire);
    return !(seq & 1) &&
           atomic_load_explicit(&source->seq, memory_order_relaxed) == seq;
}

/* VtdSource.hit, or 0. */
static uint64_t cached_hit(VtdSource *source, uint64_t gen)
{
    uint32_t seq = atomic_load_explicit(&source->seq, memory_order_acquire);
    uint64_t held = atomic_load_explicit(&source->gen, memory_order_relaxed);
    uint64_t hit = atomic_load_explicit(&source->hit, memory_order_relaxed);

    return held == gen && read_in_one_piece(source, seq) ? hit : 0;
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
    return held == gen && read_in_one_piece(source, seq);
}

/* Another thread at the same work means that ours is not needed. */
static void cache_config(VtdSource *source, uint64_t gen,
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
    atomic_store_explicit(&source->hit, hit_word(config),
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
        cache_config(source, gen, config);
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

static bool is_interrupt(uint64_t pa)
{
    return pa >= VTD_MSI_RANGE_FIRST && pa <= VTD_MSI_RANGE_LAST;
}

VtdFault vtd_check_interrupt_range(const VtdConfig *config, uint64_t pa)
{
    if (!is_interrupt(pa)) {
        return VTD_FAULT_NONE;
    }
    return config->scalable ? VTD_FAULT_SM_INTERRUPT_ADDRESS
                            : VTD_FAULT_INTERRUPT_ADDRESS;
}

/* Where the very byte lies that was asked for. */
static uint64_t output(uint64_t iova, const VtdMapping *m)
{
    return m->pa | (iova & ((1ull << m->shift) - 1));
}

/*
 * The translation from the IOTLB, for a source with @hit.  False: it is not
 * there, or there is more to be said of the request than "go ahead".
 */
static inline __attribute__((always_inline)) bool
look_up(VtdUnit *u, uint64_t hit, uint64_t iova, VtdAccess access,
        VtdMapping *out)
{
    return (hit & HIT_SIMPLE) && !access.supervisor &&
           vtd_iotlb_lookup_key(&u->iotlb, hit & HIT_KEY, iova, out) &&
           !(access.perm & ~out->perm) && !is_interrupt(output(iova, out));
}

static void count_walk(VtdUnit *u, const VtdConfig *config)
{
    _Atomic uint64_t *walks = config->kind == VTD_NESTED
                                  ? &u->counters.nested_walks
                                  : &u->counters.table_walks;

    atomic_fetch_add_explicit(walks, 1, memory_order_relaxed);
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
    fault = vtd_walk(&walk, iova, out);
    if (fault && table) {
        /* Nothing that was kept is a reason for a fault. */
        walk.last_table = 0;
        fault = vtd_walk(&walk, iova, out);
    }
    if (fault) {
        return fault;
    }
    fault = vtd_check_interrupt_range(config, output(iova, out));
    /*
     * The ticket protects against invalidations of the tables.  If the
     * configuration went out of date before the ticket was drawn, the walk
     * may have used tables that do not belong to the tag any more.  What was
     * allowed to a supervisor is not cached: hits do not look at privilege.
     */
    if (!fault && !access.supervisor &&
        atomic_load(&u->config_gen) == gen) {
        vtd_iotlb_insert(&u->iotlb, &ticket, out);
        if (walk.last_table && walk.last_table != table) {
            vtd_iotlb_insert_table(&u->iotlb, &ticket, iova, walk.last_table);
        }
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

/* Once look_up() has found nothing with what is cached of the source. */
static VtdFault translate(VtdUnit *u, VtdSource *source, uint64_t iova,
                          VtdAccess access, VtdConfig *config,
                          VtdMapping *out)
{
    uint64_t gen = atomic_load(&u->config_gen);

    if (!cached_config(source, gen, config)) {
        VtdFault fault = fetch_config(u, source, gen, config);

        if (fault || look_up(u, hit_word(config), iova, access, out)) {
            return fault;
        }
    }
    access.supervisor =
        access.supervisor || (!config->has_pasid && config->rid_supervisor);
    if (config->kind == VTD_PASS_THROUGH) {
        VtdFault fault = vtd_check_privilege(config, access);

        identity(iova, out);
        return fault ? fault
                     : vtd_check_interrupt_range(config, output(iova, out));
    }
    return walk_and_cache(u, config, gen, iova, access, out);
}

/* The next two are functions of their own for the sake of the callers, whose
 * registers and stack would be made ready for them each time. */

static __attribute__((noinline)) void
report(VtdUnit *u, const VtdFaultRecord *record, bool fault_disable)
{
    VtdWork work = { 0 };

    vtd_frcd_report(u, record, fault_disable, &work);
    vtd_work_send(u, &work);
}

static __attribute__((noinline)) VtdFault
translate_and_report(VtdUnit *u, VtdSource *source, uint64_t iova,
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

VtdFault vtd_translate(VtdUnit *u, VtdSource *source, uint64_t iova,
                       VtdAccess access, bool quiet, VtdMapping *out)
{
    uint64_t hit = cached_hit(source, atomic_load(&u->config_gen));

    return look_up(u, hit, iova, access, out)
               ? VTD_FAULT_NONE
               : translate_and_report(u, source, iova, access, quiet, out);
}
