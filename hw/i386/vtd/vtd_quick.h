/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What nearly all requests come to: a hit, or a plain walk and what is kept of
 * it.  No lock, no call: inline, so that neither costs a second function.
 */
#ifndef VTD_QUICK_H
#define VTD_QUICK_H

#include "vtd_plain.h"
#include "vtd_translate.h"

/* What a request begins with. */
typedef struct VtdKnown {
    uint64_t config_gen; /* of the unit */
    uint32_t seq; /* of the source */
    uint64_t hit; /* of the source if it is up to date, or 0 */
    VtdIotlbTicket ticket; /* for its key */
} VtdKnown;

SPECIALISED VtdKnown vtd_source_known(VtdUnit *u, VtdSource *source)
{
    uint64_t gen = atomic_load(&u->config_gen);
    uint32_t seq = atomic_load_explicit(&source->seq, memory_order_acquire);
    uint64_t held = atomic_load_explicit(&source->gen, memory_order_relaxed);
    uint64_t hit = atomic_load_explicit(&source->hit, memory_order_relaxed);

    atomic_thread_fence(memory_order_acquire);
    if (held != gen || (seq & 1) ||
        atomic_load_explicit(&source->seq, memory_order_relaxed) != seq) {
        return (VtdKnown){ 0 };
    }
    return (VtdKnown){
        .config_gen = gen,
        .seq = seq,
        .hit = hit,
        .ticket = vtd_iotlb_ticket_of(&u->iotlb, hit & VTD_HIT_KEY),
    };
}

/*
 * Whether @m may answer other requests.  What was allowed to a supervisor may
 * not: hits do not look at privilege.  Nor may a page that interrupts are in:
 * they do not look where a byte goes, either.
 */
SPECIALISED bool is_for_all(const VtdMapping *m, VtdAccess access)
{
    return !access.supervisor &&
           (m->pa > VTD_MSI_RANGE_LAST ||
            m->pa + ((1ull << m->shift) - 1) < VTD_MSI_RANGE_FIRST);
}

/*
 * Keep @m, and @table unless it is 0, with @replaces as of the IOTLB.  To be
 * called if the configuration is still the one that was walked with.  The ticket
 * protects against invalidations of the tables alone; if the configuration went
 * out of date before it was drawn, the walk may have used tables that do not
 * belong to the tag any more.
 */
SPECIALISED void keep(VtdIotlb *tlb, const VtdIotlbTicket *ticket,
                      uint64_t iova, const VtdMapping *m, uint64_t table,
                      bool replaces)
{
    vtd_iotlb_insert_page(tlb, ticket, m, replaces);
    if (table) {
        vtd_iotlb_insert_table(tlb, ticket, iova, table, replaces);
    }
}

/* The plain word that goes with @known; 0 as well if it has changed. */
SPECIALISED uint64_t plain_of(VtdSource *source, const VtdKnown *known)
{
    uint64_t plain =
        atomic_load_explicit(&source->plain, memory_order_relaxed);

    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&source->seq, memory_order_relaxed) ==
                   known->seq
               ? plain
               : 0;
}

/* The source has met @m. */
SPECIALISED void meet(VtdSource *source, const VtdMapping *m)
{
    unsigned size = m->shift;
    uint32_t sizes;

    if (atomic_load_explicit(&source->size, memory_order_relaxed) == size ||
        size > VTD_TLB_1G) {
        return;
    }
    sizes = atomic_load_explicit(&source->sizes, memory_order_relaxed);
    atomic_store_explicit(&source->sizes, sizes | 1u << size,
                          memory_order_relaxed);
    atomic_store_explicit(&source->size, size, memory_order_relaxed);
}

/* From the IOTLB: first for the size that was met last, then for others. */
SPECIALISED bool lookup(VtdUnit *u, VtdSource *source, const VtdKnown *known,
                        uint64_t iova, VtdMapping *out)
{
    unsigned size = atomic_load_explicit(&source->size, memory_order_relaxed);
    uint32_t others;

    if (vtd_iotlb_lookup_size(&u->iotlb, &known->ticket, iova, size, out)) {
        return true;
    }
    others = atomic_load_explicit(&source->sizes, memory_order_relaxed) &
             ~(1u << size);
    if (!others || !vtd_iotlb_lookup_sizes(&u->iotlb, &known->ticket, iova,
                                           others, out)) {
        return false;
    }
    meet(source, out);
    return true;
}

/* From the tables, for a page that is not in the IOTLB; @plain is not 0.  False:
 * nothing has been done. */
SPECIALISED bool walk_and_keep(VtdUnit *u, const VtdKnown *known,
                               uint64_t plain, uint64_t iova,
                               VtdAccess access, VtdMapping *out)
{
    VtdIotlbTicket ticket = vtd_iotlb_draw(&u->iotlb, known->ticket);
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
    if (atomic_load(&u->config_gen) == known->config_gen) {
        /* Neither has been found. */
        keep(&u->iotlb, &ticket, iova, out, table ? 0 : walk.last_table,
             false);
    }
    return true;
}

SPECIALISED bool walk_quickly(VtdUnit *u, VtdSource *source,
                              const VtdKnown *known, uint64_t iova,
                              VtdAccess access, VtdMapping *out)
{
    uint64_t plain = plain_of(source, known);

    if (!plain || !access.perm || (access.perm & VTD_PERM_EXEC) ||
        !walk_and_keep(u, known, plain, iova, access, out)) {
        return false;
    }
    meet(source, out);
    return true;
}

/*
 * As vtd_translate().  False: there is more to be said of the request than "go
 * ahead", and vtd_translate_slow() says it.
 */
SPECIALISED bool vtd_translate_quick(VtdUnit *u, VtdSource *source,
                                     uint64_t iova, VtdAccess access,
                                     VtdMapping *out)
{
    VtdKnown known = vtd_source_known(u, source);

    if (!(known.hit & VTD_HIT_SIMPLE) || access.supervisor) {
        return false;
    }
    if (lookup(u, source, &known, iova, out)) {
        /* Fewer rights than it takes: perhaps not for ever. */
        return !(access.perm & ~out->perm);
    }
    return walk_quickly(u, source, &known, iova, access, out);
}

#endif
