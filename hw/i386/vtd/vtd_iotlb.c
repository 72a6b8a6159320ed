/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_iotlb.h"

#include <stdlib.h>

/* Pages of a narrow invalidation that are looked for one by one.  A longer
 * range drops the PASID or the domain: cheaper, and allowed by the spec. */
#define MAX_PROBED_ORDER 3

bool vtd_iotlb_init(VtdIotlb *tlb)
{
    size_t bytes = VTD_IOTLB_SETS * sizeof(VtdIotlbSet);

    tlb->set = aligned_alloc(sizeof(VtdIotlbSet), bytes);
    tlb->domain = calloc(VTD_IOTLB_DOMAINS, sizeof(*tlb->domain));
    tlb->pasid_gen = calloc(VTD_IOTLB_PASID_SLOTS, sizeof(uint64_t));
    if (!tlb->set || !tlb->domain || !tlb->pasid_gen) {
        vtd_iotlb_destroy(tlb);
        return false;
    }
    for (unsigned i = 0; i < VTD_IOTLB_SETS; i++) {
        tlb->set[i] = (VtdIotlbSet){ 0 };
    }
    atomic_init(&tlb->global_gen, 0);
    atomic_init(&tlb->narrow_gen, 0);
    atomic_init(&tlb->wide_count, 0);
    return true;
}

void vtd_iotlb_destroy(VtdIotlb *tlb)
{
    free(tlb->set);
    free(tlb->domain);
    free((void *)tlb->pasid_gen);
    tlb->set = NULL;
    tlb->domain = NULL;
    tlb->pasid_gen = NULL;
}

/* Writers hold a set for a few stores, so this spins for as long at most. */
static void lock(VtdIotlbSet *set)
{
    while (!vtd_iotlb_try_lock(set)) {
    }
    atomic_thread_fence(memory_order_release);
}

static __attribute__((noinline)) void empty_table(VtdIotlb *tlb)
{
    atomic_fetch_add(&tlb->narrow_gen, 1);
    for (unsigned i = 0; i < VTD_IOTLB_SETS; i++) {
        lock(&tlb->set[i]);
        for (unsigned w = 0; w < VTD_IOTLB_WAYS; w++) {
            atomic_store_explicit(&tlb->set[i].way[w].page, 0,
                                  memory_order_relaxed);
        }
        vtd_iotlb_unlock(&tlb->set[i]);
    }
    atomic_store(&tlb->wide_count, 0);
}

/*
 * An entry keeps VTD_TLB_GEN_BITS of its generation.  Before these can come
 * round, all entries are removed.
 */
static inline void advance(VtdIotlb *tlb, _Atomic uint64_t *gen)
{
    atomic_fetch_add(gen, 1);
    if (atomic_fetch_add(&tlb->wide_count, 1) + 1 ==
        1ull << (VTD_TLB_GEN_BITS - 1)) {
        empty_table(tlb);
    }
}

void vtd_iotlb_drop_all(VtdIotlb *tlb)
{
    advance(tlb, &tlb->global_gen);
}

void vtd_iotlb_drop_domain(VtdIotlb *tlb, uint16_t did)
{
    advance(tlb, &tlb->domain[did].gen);
}

void vtd_iotlb_drop_first_stage(VtdIotlb *tlb, uint16_t did)
{
    advance(tlb, &tlb->domain[did].first_stage_gen);
}

void vtd_iotlb_drop_pasid(VtdIotlb *tlb, uint16_t did, uint32_t pasid)
{
    VtdTag tag = { .did = did, .pasid = pasid, .first_stage = true };
    uint64_t hash = vtd_iotlb_hash(vtd_iotlb_key(tag));

    advance(tlb, vtd_iotlb_pasid_gen(tlb, hash));
}

/* Of whatever tag: tags spread pages over all sets, so another one's page of the
 * same number is hardly ever in this one.  @ignored: bits of the word "page" that
 * may be set or not. */
static __attribute__((noinline)) void
drop_from_set(VtdIotlbSet *set, uint64_t page, uint64_t ignored)
{
    lock(set);
    VTD_UNROLL
    for (unsigned i = 0; i < VTD_IOTLB_WAYS; i++) {
        _Atomic uint64_t *held = &set->way[i].page;

        if ((atomic_load_explicit(held, memory_order_relaxed) & ~ignored) ==
            page) {
            atomic_store_explicit(held, 0, memory_order_relaxed);
        }
    }
    vtd_iotlb_unlock(set);
}

/*
 * Whether the page may be in the set, for whatever tag.  Without the lock: an
 * insertion that has seen the old number of narrow invalidations holds the
 * lock, or has left its entry.
 */
static inline bool may_hold(VtdIotlbSet *set, uint64_t page, uint64_t ignored)
{
    if (atomic_load(&set->seq) & 1) {
        return true;
    }
    VTD_UNROLL
    for (unsigned i = 0; i < VTD_IOTLB_WAYS; i++) {
        if ((atomic_load_explicit(&set->way[i].page, memory_order_relaxed) &
             ~ignored) == page) {
            return true;
        }
    }
    return false;
}

/* The page of one size around @addr, of the tag with @hash.  Inline, for @size
 * and @ignored to be constants. */
VTD_INLINE void drop_page(VtdIotlb *tlb, uint64_t hash, uint64_t addr,
                          unsigned size, uint64_t ignored)
{
    uint64_t n = addr >> size;
    VtdIotlbSet *set = vtd_iotlb_set(tlb, hash, n, size);
    uint64_t page = vtd_iotlb_page(n, size);

    if (may_hold(set, page, ignored)) {
        drop_from_set(set, page, ignored);
    }
}

/* What tells the word "page" of a last table from that of a page of 2 MiB. */
#define TABLE_BIT vtd_put(VTD_TLB_SIZE, VTD_TLB_TABLE & ~VTD_TLB_SHIFT)

void vtd_iotlb_drop_pages(VtdIotlb *tlb, VtdTag tag, uint64_t addr,
                          unsigned order, bool leaf_only)
{
    uint64_t hash = vtd_iotlb_hash(vtd_iotlb_key(tag));
    uint64_t sizes;

    if (order > MAX_PROBED_ORDER) {
        if (tag.first_stage) {
            vtd_iotlb_drop_pasid(tlb, tag.did, tag.pasid);
        } else {
            vtd_iotlb_drop_domain(tlb, tag.did);
        }
        return;
    }
    atomic_fetch_add(&tlb->narrow_gen, 1);
    sizes = atomic_load(&tlb->domain[tag.did].sizes);
    if (sizes & VTD_BIT(VTD_TLB_4K)) {
        unsigned left = 1u << order;

        do {
            left--;
            drop_page(tlb, hash, addr + left * VTD_PAGE_SIZE, VTD_TLB_4K, 0);
        } while (left);
    }
    /* Of the larger ones one is around all of them. */
    if (!leaf_only && (sizes & VTD_BIT(VTD_TLB_TABLE))) {
        drop_page(tlb, hash, addr, VTD_TLB_2M, TABLE_BIT);
    } else if (sizes & VTD_BIT(VTD_TLB_2M)) {
        drop_page(tlb, hash, addr, VTD_TLB_2M, 0);
    }
    if (sizes & VTD_BIT(VTD_TLB_1G)) {
        drop_page(tlb, hash, addr, VTD_TLB_1G, 0);
    }
}
