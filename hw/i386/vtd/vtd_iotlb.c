/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_iotlb.h"

#include <stdlib.h>

/* Word "page": page number of the input address, page size, valid. */
#define E_VALID VTD_BIT(0)
#define E_SIZE VTD_BITS(3, 2) /* index into page_shifts */
#define E_PFN VTD_BITS(63, 12)

/* Word "tag": domain id, PASID, stage, generation. */
#define E_GEN VTD_BITS(63, 37)
#define E_FIRST_STAGE VTD_BIT(36)
#define E_PASID VTD_BITS(35, 16)
#define E_DID VTD_BITS(15, 0)
#define GEN_BITS 27

/* Word "target": where the page goes and what is allowed. */
#define E_PERM VTD_BITS(2, 0)
#define E_TARGET VTD_BITS(63, 12)

/* Pages of a narrow invalidation that are looked for one by one.  A longer
 * range drops the PASID or the domain: cheaper, and allowed by the spec. */
#define MAX_PROBED_ORDER 4

static const uint8_t page_shifts[] = { 12, 21, 30 };
#define PAGE_SIZES (sizeof(page_shifts) / sizeof(page_shifts[0]))

static uint64_t mix(uint64_t x)
{
    x *= 0x9e3779b97f4a7c15ull;
    return x ^ x >> 32;
}

static VtdIotlbSet *find_set(VtdIotlb *tlb, VtdTag tag, uint64_t iova,
                             unsigned size)
{
    /* Neighbouring pages go to neighbouring sets; tags spread over all. */
    uint64_t spread = mix((uint64_t)tag.did << 32 | tag.pasid << 2 | size);

    return &tlb->set[((iova >> page_shifts[size]) + spread) %
                     VTD_IOTLB_SETS];
}

static _Atomic uint64_t *pasid_gen(VtdIotlb *tlb, VtdTag tag)
{
    uint64_t key = (uint64_t)tag.did << 20 | tag.pasid;

    return &tlb->pasid_gen[mix(key) % VTD_IOTLB_PASID_SLOTS];
}

static uint64_t generation(VtdIotlb *tlb, VtdTag tag)
{
    uint64_t sum =
        atomic_load_explicit(&tlb->global_gen, memory_order_acquire) +
        atomic_load_explicit(&tlb->domain_gen[tag.did], memory_order_acquire);

    if (tag.first_stage) {
        sum += atomic_load_explicit(&tlb->first_stage_gen[tag.did],
                                    memory_order_acquire);
        sum += atomic_load_explicit(pasid_gen(tlb, tag),
                                    memory_order_acquire);
    }
    return sum;
}

static uint64_t tag_word(VtdTag tag, uint64_t generation)
{
    return vtd_put(E_GEN, generation) |
           (tag.first_stage ? E_FIRST_STAGE : 0) |
           vtd_put(E_PASID, tag.pasid) | tag.did;
}

static uint64_t page_word(uint64_t iova, unsigned size)
{
    return (iova >> page_shifts[size] << page_shifts[size]) |
           vtd_put(E_SIZE, size) | E_VALID;
}

bool vtd_iotlb_init(VtdIotlb *tlb)
{
    size_t bytes = VTD_IOTLB_SETS * sizeof(VtdIotlbSet);

    tlb->set = aligned_alloc(sizeof(VtdIotlbSet), bytes);
    tlb->domain_gen = calloc(VTD_IOTLB_DOMAINS, sizeof(uint64_t));
    tlb->first_stage_gen = calloc(VTD_IOTLB_DOMAINS, sizeof(uint64_t));
    tlb->pasid_gen = calloc(VTD_IOTLB_PASID_SLOTS, sizeof(uint64_t));
    if (!tlb->set || !tlb->domain_gen || !tlb->first_stage_gen ||
        !tlb->pasid_gen) {
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
    free((void *)tlb->domain_gen);
    free((void *)tlb->first_stage_gen);
    free((void *)tlb->pasid_gen);
    tlb->set = NULL;
    tlb->domain_gen = NULL;
    tlb->first_stage_gen = NULL;
    tlb->pasid_gen = NULL;
}

static bool try_lock(VtdIotlbSet *set)
{
    uint32_t seq = atomic_load_explicit(&set->seq, memory_order_relaxed);

    return !(seq & 1) && atomic_compare_exchange_strong_explicit(
                             &set->seq, &seq, seq + 1, memory_order_acquire,
                             memory_order_relaxed);
}

/* Writers hold a set for a few stores, so this spins for as long at most. */
static void lock(VtdIotlbSet *set)
{
    while (!try_lock(set)) {
    }
    atomic_thread_fence(memory_order_release);
}

static void unlock(VtdIotlbSet *set)
{
    atomic_fetch_add_explicit(&set->seq, 1, memory_order_release);
}

static bool lookup_in_set(VtdIotlbSet *set, uint64_t page, uint64_t tag,
                          uint64_t *target)
{
    uint32_t before = atomic_load_explicit(&set->seq, memory_order_acquire);
    bool found = false;

    for (unsigned i = 0; i < VTD_IOTLB_WAYS && !found; i++) {
        VtdIotlbEntry *e = &set->way[i];

        found = atomic_load_explicit(&e->page, memory_order_relaxed) == page &&
                atomic_load_explicit(&e->tag, memory_order_relaxed) == tag;
        *target = atomic_load_explicit(&e->target, memory_order_relaxed);
    }
    atomic_thread_fence(memory_order_acquire);
    return found && !(before & 1) &&
           atomic_load_explicit(&set->seq, memory_order_relaxed) == before;
}

bool vtd_iotlb_lookup(VtdIotlb *tlb, VtdTag tag, uint64_t iova,
                      VtdMapping *out)
{
    uint64_t wanted = tag_word(tag, generation(tlb, tag));

    for (unsigned size = 0; size < PAGE_SIZES; size++) {
        uint64_t target;

        if (lookup_in_set(find_set(tlb, tag, iova, size),
                          page_word(iova, size), wanted, &target)) {
            out->shift = page_shifts[size];
            out->iova = iova >> out->shift << out->shift;
            out->pa = target & E_TARGET;
            out->perm = vtd_get(target, E_PERM);
            return true;
        }
    }
    return false;
}

VtdIotlbTicket vtd_iotlb_ticket(VtdIotlb *tlb, VtdTag tag)
{
    return (VtdIotlbTicket){
        .generation = generation(tlb, tag),
        .narrow = atomic_load(&tlb->narrow_gen),
    };
}

static unsigned choose_way(VtdIotlbSet *set, uint64_t page, uint64_t tag)
{
    for (unsigned i = 0; i < VTD_IOTLB_WAYS; i++) {
        uint64_t held =
            atomic_load_explicit(&set->way[i].page, memory_order_relaxed);
        uint64_t held_tag =
            atomic_load_explicit(&set->way[i].tag, memory_order_relaxed);

        if (!(held & E_VALID) || (held == page && held_tag == tag)) {
            return i;
        }
    }
    return set->victim++ % VTD_IOTLB_WAYS;
}

void vtd_iotlb_insert(VtdIotlb *tlb, VtdTag tag, VtdIotlbTicket ticket,
                      const VtdMapping *m)
{
    unsigned size = 0;

    while (page_shifts[size] != m->shift) {
        if (++size == PAGE_SIZES) {
            return; /* a size that the cache does not hold */
        }
    }

    VtdIotlbSet *set = find_set(tlb, tag, m->iova, size);
    uint64_t page = page_word(m->iova, size);
    uint64_t tag_bits = tag_word(tag, ticket.generation);

    if (!try_lock(set)) {
        return;
    }
    atomic_thread_fence(memory_order_release);
    if (atomic_load(&tlb->narrow_gen) == ticket.narrow) {
        VtdIotlbEntry *e = &set->way[choose_way(set, page, tag_bits)];

        atomic_store_explicit(&e->page, page, memory_order_relaxed);
        atomic_store_explicit(&e->tag, tag_bits, memory_order_relaxed);
        atomic_store_explicit(&e->target,
                              (m->pa & E_TARGET) | vtd_put(E_PERM, m->perm),
                              memory_order_relaxed);
    }
    unlock(set);
}

static void empty_table(VtdIotlb *tlb)
{
    for (unsigned i = 0; i < VTD_IOTLB_SETS; i++) {
        lock(&tlb->set[i]);
        for (unsigned w = 0; w < VTD_IOTLB_WAYS; w++) {
            atomic_store_explicit(&tlb->set[i].way[w].page, 0,
                                  memory_order_relaxed);
        }
        unlock(&tlb->set[i]);
    }
}

/*
 * An entry keeps GEN_BITS of its generation.  Before these can come round,
 * all entries are removed.
 */
static void advance(VtdIotlb *tlb, _Atomic uint64_t *gen)
{
    atomic_fetch_add(gen, 1);
    if (atomic_fetch_add(&tlb->wide_count, 1) + 1 == 1ull << (GEN_BITS - 1)) {
        atomic_fetch_add(&tlb->narrow_gen, 1);
        empty_table(tlb);
        atomic_store(&tlb->wide_count, 0);
    }
}

void vtd_iotlb_drop_all(VtdIotlb *tlb)
{
    advance(tlb, &tlb->global_gen);
}

void vtd_iotlb_drop_domain(VtdIotlb *tlb, uint16_t did)
{
    advance(tlb, &tlb->domain_gen[did]);
}

void vtd_iotlb_drop_first_stage(VtdIotlb *tlb, uint16_t did)
{
    advance(tlb, &tlb->first_stage_gen[did]);
}

void vtd_iotlb_drop_pasid(VtdIotlb *tlb, uint16_t did, uint32_t pasid)
{
    VtdTag tag = { .did = did, .pasid = pasid, .first_stage = true };

    advance(tlb, pasid_gen(tlb, tag));
}

static void drop_page(VtdIotlb *tlb, VtdTag tag, uint64_t addr, unsigned size)
{
    VtdIotlbSet *set = find_set(tlb, tag, addr, size);
    uint64_t page = page_word(addr, size);
    uint64_t wanted = tag_word(tag, 0);

    lock(set);
    for (unsigned i = 0; i < VTD_IOTLB_WAYS; i++) {
        VtdIotlbEntry *e = &set->way[i];

        if (atomic_load_explicit(&e->page, memory_order_relaxed) == page &&
            (atomic_load_explicit(&e->tag, memory_order_relaxed) & ~E_GEN) ==
                wanted) {
            atomic_store_explicit(&e->page, 0, memory_order_relaxed);
        }
    }
    unlock(set);
}

void vtd_iotlb_drop_pages(VtdIotlb *tlb, VtdTag tag, uint64_t addr,
                          unsigned order)
{
    uint64_t last;

    if (order > MAX_PROBED_ORDER) {
        if (tag.first_stage) {
            vtd_iotlb_drop_pasid(tlb, tag.did, tag.pasid);
        } else {
            vtd_iotlb_drop_domain(tlb, tag.did);
        }
        return;
    }
    atomic_fetch_add(&tlb->narrow_gen, 1);
    last = addr + ((VTD_PAGE_SIZE << order) - 1);
    for (unsigned size = 0; size < PAGE_SIZES; size++) {
        uint64_t first_page = addr >> page_shifts[size];
        uint64_t last_page = last >> page_shifts[size];

        for (uint64_t n = 0; n <= last_page - first_page; n++) {
            drop_page(tlb, tag, (first_page + n) << page_shifts[size], size);
        }
    }
}
