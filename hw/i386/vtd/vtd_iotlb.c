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
 * same number is hardly ever in this one. */
static __attribute__((noinline)) void drop_from_set(VtdIotlbSet *set,
                                                    uint64_t page)
{
    lock(set);
    VTD_UNROLL
    for (unsigned i = 0; i < VTD_IOTLB_WAYS; i++) {
        _Atomic uint64_t *held = &set->way[i].page;

        if (atomic_load_explicit(held, memory_order_relaxed) == page) {
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
static inline bool may_hold(VtdIotlbSet *set, uint64_t page)
{
    if (atomic_load(&set->seq) & 1) {
        return true;
    }
    VTD_UNROLL
    for (unsigned i = 0; i < VTD_IOTLB_WAYS; i++) {
        if (atomic_load_explicit(&set->way[i].page, memory_order_relaxed) ==
            page) {
            return true;
        }
    }
    return false;
}

/* The pages of one size from @n to @last, of the tag with @hash.  Inline, for the
 * size to be a constant. */
static inline __attribute__((always_inline)) void
drop_range(VtdIotlb *tlb, uint64_t hash, unsigned size, uint64_t n,
           uint64_t last)
{
    for (;; n++) {
        VtdIotlbSet *set = vtd_iotlb_set(tlb, hash, n, size);
        uint64_t page = vtd_iotlb_page(n, size);

        if (may_hold(set, page)) {
            drop_from_set(set, page);
        }
        if (n == last) {
            return;
        }
    }
}

void vtd_iotlb_drop_pages(VtdIotlb *tlb, VtdTag tag, uint64_t addr,
                          unsigned order, bool leaf_only)
{
    static const uint8_t each[] = { VTD_TLB_4K, VTD_TLB_2M, VTD_TLB_1G,
                                    VTD_TLB_TABLE };
    uint64_t hash = vtd_iotlb_hash(vtd_iotlb_key(tag));
    uint64_t last = addr + ((VTD_PAGE_SIZE << order) - 1);
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
    VTD_UNROLL
    for (unsigned i = 0; i < sizeof(each); i++) {
        unsigned size = each[i];
        unsigned shift = size & VTD_TLB_SHIFT;

        if ((sizes & VTD_BIT(size)) &&
            !(leaf_only && size == VTD_TLB_TABLE)) {
            drop_range(tlb, hash, size, addr >> shift, last >> shift);
        }
    }
}
