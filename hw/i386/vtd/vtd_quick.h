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
} VtdKnown;

SPECIALISED VtdKnown vtd_source_known(VtdUnit *u, VtdSource *source)
{
    uint64_t gen = atomic_load(&u->config_gen);
    uint32_t seq = atomic_load_explicit(&source->seq, memory_order_acquire);
    uint64_t held = atomic_load_explicit(&source->gen, memory_order_relaxed);
    uint64_t hit = atomic_load_explicit(&source->hit, memory_order_relaxed);
    bool valid;

    atomic_thread_fence(memory_order_acquire);
    valid = held == gen && !(seq & 1) &&
            atomic_load_explicit(&source->seq, memory_order_relaxed) == seq;
    return (VtdKnown){ gen, seq, valid ? hit : 0 };
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
 * Keep @m, and @table unless it is 0.  The ticket protects against
 * invalidations of the tables.  If the configuration went out of date before
 * the ticket was drawn, the walk may have used tables that do not belong to the
 * tag any more.
 */
SPECIALISED void
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

/* A page of another size than @size, the last one that was met. */
SPECIALISED bool lookup_others(VtdUnit *u, VtdSource *source,
                               const VtdIotlbTicket *ticket, uint64_t iova,
                               unsigned size, VtdMapping *out)
{
    uint32_t others =
        atomic_load_explicit(&source->sizes, memory_order_relaxed) &
        ~(1u << size);

    if (!others ||
        !vtd_iotlb_lookup_sizes(&u->iotlb, ticket, iova, others, out)) {
        return false;
    }
    meet(source, out);
    return true;
}

/* False: nothing has been done. */
SPECIALISED bool quick_walk(VtdUnit *u, VtdSource *source,
                            const VtdKnown *known, VtdIotlbTicket *ticket,
                            uint64_t iova, VtdAccess access, VtdMapping *out)
{
    uint64_t plain = plain_of(source, known);
    VtdConfig config = plain_config(plain);
    VtdWalk walk = {
        .env = &u->env,
        .caps = &u->caps,
        .config = &config,
        .access = access,
    };
    uint64_t table;

    if (!plain || !access.perm || (access.perm & VTD_PERM_EXEC)) {
        return false;
    }
    vtd_iotlb_ticket_draw(&u->iotlb, ticket);
    walk.last_table = table = vtd_iotlb_table(&u->iotlb, ticket, iova);
    if (!vtd_walk_plain(&walk, plain & PLAIN_FIRST_STAGE, iova, out) ||
        !is_for_all(out, access)) {
        return false;
    }
    atomic_fetch_add_explicit(&u->counters.table_walks, 1,
                              memory_order_relaxed);
    cache_walk(u, known->config_gen, ticket, iova, out,
               table ? 0 : walk.last_table);
    meet(source, out);
    return true;
}

SPECIALISED bool quick(VtdUnit *u, VtdSource *source, const VtdKnown *known,
                       uint64_t iova, VtdAccess access, VtdMapping *out)
{
    VtdIotlbTicket ticket =
        vtd_iotlb_ticket_of(&u->iotlb, known->hit & VTD_HIT_KEY);
    unsigned size = atomic_load_explicit(&source->size, memory_order_relaxed);

    return ((vtd_iotlb_lookup_size(&u->iotlb, &ticket, iova, size, out) ||
             lookup_others(u, source, &ticket, iova, size, out)) &&
            !(access.perm & ~out->perm)) ||
           quick_walk(u, source, known, &ticket, iova, access, out);
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

    return (known.hit & VTD_HIT_SIMPLE) && !access.supervisor &&
           quick(u, source, &known, iova, access, out);
}

#endif
