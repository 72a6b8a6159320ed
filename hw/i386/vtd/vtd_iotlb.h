/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translation cache.
 *
 * A table of fixed size, set-associative, read without a lock.  An entry is
 * tagged as the spec tags it (section "IOTLB Tagging"): by domain id, for
 * first-stage and nested translations also by PASID, and by the page.
 *
 * Wide invalidations (global, domain, PASID) do not touch the table: they
 * advance a counter.  The sum of the counters that apply to a tag is its
 * generation; an entry is valid only while its generation is the current one.
 * The counters only grow, so a sum never comes back.
 *
 * Narrow invalidations visit the sets in which a page can be.  A walk that
 * runs at the same time must not insert what it read before: the filler takes
 * a ticket before it reads the first table, and an insertion with an old
 * ticket is dropped.
 *
 * Pages of different sizes lie in different sets.  A domain remembers which
 * sizes it has ever had, and only those are invalidated.
 *
 * The last table of a walk is kept as well, as one more size of page, so that
 * the same rules make it go (spec, section "Paging-Structure Caches").  A walk
 * in the same 2 MiB starts there.
 *
 * Lookups and insertions are most of what an access costs when all goes well,
 * so they are inline.
 */
#ifndef VTD_IOTLB_H
#define VTD_IOTLB_H

#include <stdatomic.h>

#include "vtd_bits.h"

#define VTD_IOTLB_SETS 16384
#define VTD_IOTLB_WAYS 5
#define VTD_IOTLB_DOMAINS 65536
#define VTD_IOTLB_PASID_SLOTS 4096

enum { VTD_PERM_READ = 1,
       VTD_PERM_WRITE = 2,
       VTD_PERM_EXEC = 4 };

/* What a translation belongs to. */
typedef struct VtdTag {
    uint16_t did;
    uint32_t pasid; /* 0 if !first_stage */
    bool first_stage; /* first-stage or nested */
} VtdTag;

/* A page and where it goes. */
typedef struct VtdMapping {
    uint64_t iova; /* aligned to 1 << shift */
    uint64_t pa; /* aligned to 1 << shift */
    uint8_t shift; /* 12, 21 or 30 */
    uint8_t perm; /* VTD_PERM_* that need no further look at the tables */
} VtdMapping;

/* Word "page": page number of the input address, page size, valid. */
#define VTD_TLB_VALID VTD_BIT(0)
#define VTD_TLB_SIZE VTD_BITS(7, 2)

/* Sizes: how far to shift an address, and what is kept. */
#define VTD_TLB_SHIFT 31u
enum { VTD_TLB_4K = 12,
       VTD_TLB_2M = 21,
       VTD_TLB_1G = 30,
       VTD_TLB_TABLE = 32 | VTD_TLB_2M }; /* of entries at level 1 */
#define VTD_TLB_PAGES \
    (VTD_BIT(VTD_TLB_4K) | VTD_BIT(VTD_TLB_2M) | VTD_BIT(VTD_TLB_1G))

/* Word "tag": domain id, PASID, stage, generation; all but the generation is
 * the tag's key. */
#define VTD_TLB_GEN VTD_BITS(63, 37)
#define VTD_TLB_FIRST_STAGE VTD_BIT(36)
#define VTD_TLB_PASID VTD_BITS(35, 16)
#define VTD_TLB_DID VTD_BITS(15, 0)
#define VTD_TLB_GEN_BITS 27

/* Word "target": where the page goes and what is allowed.  Of a table: what
 * vtd_walk.c wants to know again. */
#define VTD_TLB_PERM VTD_BITS(2, 0)
#define VTD_TLB_TARGET VTD_BITS(63, 12)

typedef struct VtdIotlbEntry {
    _Atomic uint64_t page;
    _Atomic uint64_t tag;
    _Atomic uint64_t target;
} VtdIotlbEntry;

/* Two cache lines.  @seq is odd while a writer is at work. */
typedef struct VtdIotlbSet {
    _Atomic uint32_t seq;
    uint32_t victim; /* next way to replace; writers only */
    VtdIotlbEntry way[VTD_IOTLB_WAYS];
} VtdIotlbSet;

_Static_assert(sizeof(VtdIotlbSet) == 128, "a set is two cache lines");

/* What is kept for each domain id. */
typedef struct VtdIotlbDomain {
    _Atomic uint64_t gen;
    _Atomic uint64_t first_stage_gen; /* see VtdTag */
    _Atomic uint64_t sizes; /* bit n: there was a page of size n */
} VtdIotlbDomain;

typedef struct VtdIotlb {
    VtdIotlbSet *set;
    _Atomic uint64_t global_gen;
    VtdIotlbDomain *domain; /* by domain id */
    _Atomic uint64_t *pasid_gen; /* by hash of domain id and PASID */
    _Atomic uint64_t narrow_gen; /* counts narrow invalidations */
    _Atomic uint64_t wide_count; /* wide ones since the table was emptied */
} VtdIotlb;

/* What is to be known of a tag to insert something. */
typedef struct VtdIotlbTicket {
    uint64_t tag; /* word "tag", with the generation of the draw */
    uint64_t hash;
    uint64_t narrow; /* narrow_gen of the draw */
} VtdIotlbTicket;

/* False if there is no memory. */
bool vtd_iotlb_init(VtdIotlb *tlb);
void vtd_iotlb_destroy(VtdIotlb *tlb);

static inline uint64_t vtd_iotlb_key(VtdTag tag)
{
    return tag.did | vtd_put(VTD_TLB_PASID, tag.pasid) |
           (tag.first_stage ? VTD_TLB_FIRST_STAGE : 0);
}

/* Bits 13:0 choose the sets of a key, bits 31:20 its PASID's counter. */
VTD_INLINE uint64_t vtd_iotlb_hash(uint64_t key)
{
    key *= 0x9e3779b97f4a7c15ull;
    return key ^ key >> 32;
}

VTD_INLINE _Atomic uint64_t *vtd_iotlb_pasid_gen(VtdIotlb *tlb,
                                                 uint64_t hash)
{
    return &tlb->pasid_gen[hash >> 20 & (VTD_IOTLB_PASID_SLOTS - 1)];
}

VTD_INLINE uint64_t vtd_iotlb_generation(VtdIotlb *tlb,
                                         VtdIotlbDomain *domain,
                                         uint64_t key, uint64_t hash)
{
    uint64_t sum =
        atomic_load_explicit(&tlb->global_gen, memory_order_acquire) +
        atomic_load_explicit(&domain->gen, memory_order_acquire);

    if (key & VTD_TLB_FIRST_STAGE) {
        sum += atomic_load_explicit(&domain->first_stage_gen,
                                    memory_order_acquire);
        sum += atomic_load_explicit(vtd_iotlb_pasid_gen(tlb, hash),
                                    memory_order_acquire);
    }
    return sum;
}

/* Neighbouring pages go to neighbouring sets; tags and sizes lie apart, but a last
 * table and the page of 2 MiB that could be in its place do not. */
VTD_INLINE VtdIotlbSet *vtd_iotlb_set(VtdIotlb *tlb, uint64_t hash,
                                      uint64_t page_number, unsigned size)
{
    return &tlb->set[(page_number + hash +
                      (size & VTD_TLB_SHIFT) * (VTD_IOTLB_SETS / 128)) %
                     VTD_IOTLB_SETS];
}

VTD_INLINE uint64_t vtd_iotlb_page(uint64_t page_number, unsigned size)
{
    /* As vtd_put() does it; there is nothing to be cut. */
    return page_number << (size & VTD_TLB_SHIFT) |
           size * (VTD_TLB_SIZE & -VTD_TLB_SIZE) | VTD_TLB_VALID;
}

VTD_INLINE bool vtd_iotlb_is(VtdIotlbEntry *e, uint64_t page, uint64_t tag)
{
    return atomic_load_explicit(&e->page, memory_order_relaxed) == page &&
           atomic_load_explicit(&e->tag, memory_order_relaxed) == tag;
}

/* The word "target" of an entry; false: there is none, or a writer is at work
 * on the set. */
VTD_INLINE bool vtd_iotlb_find(VtdIotlbSet *set, uint64_t page,
                               uint64_t tag, uint64_t *target)
{
    uint32_t before = atomic_load_explicit(&set->seq, memory_order_acquire);

    VTD_UNROLL
    for (unsigned i = 0; i < VTD_IOTLB_WAYS; i++) {
        if (vtd_iotlb_is(&set->way[i], page, tag)) {
            *target = atomic_load_explicit(&set->way[i].target,
                                           memory_order_relaxed);
            atomic_thread_fence(memory_order_acquire);
            return !(before & 1) &&
                   atomic_load_explicit(&set->seq, memory_order_relaxed) ==
                       before;
        }
    }
    return false;
}

/* A ticket for the tag with @key, good for lookups alone so far. */
VTD_INLINE VtdIotlbTicket vtd_iotlb_ticket_of(VtdIotlb *tlb, uint64_t key)
{
    uint64_t hash = vtd_iotlb_hash(key);
    uint64_t gen = vtd_iotlb_generation(tlb, &tlb->domain[key & VTD_TLB_DID],
                                        key, hash);

    return (VtdIotlbTicket){
        .tag = key | vtd_put(VTD_TLB_GEN, gen),
        .hash = hash,
    };
}

/* The same ticket, good for insertions.  To be called before the first table is
 * read, or looked for here, for what will be inserted. */
VTD_INLINE VtdIotlbTicket vtd_iotlb_draw(VtdIotlb *tlb,
                                         VtdIotlbTicket ticket)
{
    ticket.narrow = atomic_load(&tlb->narrow_gen);
    return ticket;
}

VTD_INLINE VtdIotlbTicket vtd_iotlb_ticket(VtdIotlb *tlb, VtdTag tag)
{
    return vtd_iotlb_draw(tlb, vtd_iotlb_ticket_of(tlb, vtd_iotlb_key(tag)));
}

/* Look up the page of @size that @iova may be in.  Any thread, no lock.
 * False: not cached. */
VTD_INLINE bool
vtd_iotlb_lookup_size(VtdIotlb *tlb, const VtdIotlbTicket *ticket,
                      uint64_t iova, unsigned size, VtdMapping *out)
{
    uint64_t page_number = iova >> size;
    uint64_t page = vtd_iotlb_page(page_number, size);
    uint64_t target;

    if (!vtd_iotlb_find(vtd_iotlb_set(tlb, ticket->hash, page_number, size),
                        page, ticket->tag, &target)) {
        return false;
    }
    out->iova = page & VTD_PAGE_MASK;
    out->pa = target & VTD_TLB_TARGET;
    out->shift = size;
    out->perm = target & VTD_TLB_PERM;
    return true;
}

/* The same for any of @sizes, of which bit n is size n. */
VTD_INLINE bool vtd_iotlb_lookup_sizes(VtdIotlb *tlb,
                                       const VtdIotlbTicket *ticket,
                                       uint64_t iova, uint64_t sizes,
                                       VtdMapping *out)
{
    for (; sizes; sizes &= sizes - 1) {
        if (vtd_iotlb_lookup_size(tlb, ticket, iova, __builtin_ctzll(sizes),
                                  out)) {
            return true;
        }
    }
    return false;
}

/* The same for any size that the domain of @key has had. */
static inline bool vtd_iotlb_lookup(VtdIotlb *tlb, uint64_t key,
                                    uint64_t iova, VtdMapping *out)
{
    VtdIotlbTicket ticket = vtd_iotlb_ticket_of(tlb, key);
    uint64_t sizes = atomic_load_explicit(
        &tlb->domain[key & VTD_TLB_DID].sizes, memory_order_relaxed);

    return vtd_iotlb_lookup_sizes(tlb, &ticket, iova, sizes & VTD_TLB_PAGES,
                                  out);
}

/* The word that was kept with the last table for @iova; 0: none.  Whoever uses
 * it has drawn @ticket before. */
VTD_INLINE uint64_t vtd_iotlb_table(VtdIotlb *tlb,
                                    const VtdIotlbTicket *ticket,
                                    uint64_t iova)
{
    uint64_t n = iova >> VTD_TLB_2M;
    uint64_t word;

    return vtd_iotlb_find(vtd_iotlb_set(tlb, ticket->hash, n, VTD_TLB_TABLE),
                          vtd_iotlb_page(n, VTD_TLB_TABLE), ticket->tag, &word)
               ? word
               : 0;
}

/*
 * Insertions.  A writer holds a set for a few stores.
 */
VTD_INLINE bool vtd_iotlb_try_lock(VtdIotlbSet *set)
{
    uint32_t seq = atomic_load_explicit(&set->seq, memory_order_relaxed);

    return !(seq & 1) &&
           atomic_compare_exchange_strong(&set->seq, &seq, seq + 1);
}

/* Nobody else writes the count of a set that is locked. */
VTD_INLINE void vtd_iotlb_unlock(VtdIotlbSet *set)
{
    uint32_t seq = atomic_load_explicit(&set->seq, memory_order_relaxed);

    atomic_store_explicit(&set->seq, seq + 1, memory_order_release);
}

/* Nothing, or what an invalidation has left behind of @tag. */
VTD_INLINE bool vtd_iotlb_is_free(VtdIotlbEntry *e, uint64_t tag)
{
    uint64_t held = atomic_load_explicit(&e->tag, memory_order_relaxed);

    return (held != tag && !((held ^ tag) & ~VTD_TLB_GEN)) ||
           !atomic_load_explicit(&e->page, memory_order_relaxed);
}

/*
 * The first way if that is free, as lookups begin there, or else the oldest
 * entry.  More ways are not looked at: most that are out of date are only so by
 * their generation, so one to reuse is not worth looking for.
 */
VTD_INLINE VtdIotlbEntry *vtd_iotlb_choose(VtdIotlbSet *set, uint64_t tag)
{
    unsigned victim = set->victim;

    if (vtd_iotlb_is_free(&set->way[0], tag)) {
        set->victim = 1;
        return &set->way[0];
    }
    set->victim = victim + 1 < VTD_IOTLB_WAYS ? victim + 1 : 0;
    return &set->way[victim];
}

/* What is there already is replaced, so that its new rights are found. */
VTD_INLINE VtdIotlbEntry *vtd_iotlb_choose_same(VtdIotlbSet *set,
                                                uint64_t page, uint64_t tag)
{
    VTD_UNROLL
    for (unsigned i = 0; i < VTD_IOTLB_WAYS; i++) {
        if (vtd_iotlb_is(&set->way[i], page, tag)) {
            return &set->way[i];
        }
    }
    return vtd_iotlb_choose(set, tag);
}

/* To be called before the number of narrow invalidations is looked at: whoever
 * invalidates advances that first, so that either sees the other's. */
VTD_INLINE void vtd_iotlb_note_size(VtdIotlbDomain *domain, unsigned size)
{
    if (!(atomic_load(&domain->sizes) & VTD_BIT(size))) {
        atomic_fetch_or(&domain->sizes, VTD_BIT(size));
    }
}

/* !@replaces: a lookup has found nothing that would be replaced.  If another
 * thread has inserted the same since, it does no harm that both are there. */
VTD_INLINE void vtd_iotlb_put(VtdIotlb *tlb, const VtdIotlbTicket *ticket,
                              uint64_t page_number, unsigned size,
                              uint64_t target, bool replaces)
{
    VtdIotlbSet *set = vtd_iotlb_set(tlb, ticket->hash, page_number, size);
    uint64_t page = vtd_iotlb_page(page_number, size);

    if (!vtd_iotlb_try_lock(set)) {
        return;
    }
    atomic_thread_fence(memory_order_release);
    vtd_iotlb_note_size(&tlb->domain[ticket->tag & VTD_TLB_DID], size);
    if (atomic_load(&tlb->narrow_gen) == ticket->narrow) {
        VtdIotlbEntry *e =
            replaces ? vtd_iotlb_choose_same(set, page, ticket->tag)
                     : vtd_iotlb_choose(set, ticket->tag);

        atomic_store_explicit(&e->page, page, memory_order_relaxed);
        atomic_store_explicit(&e->tag, ticket->tag, memory_order_relaxed);
        atomic_store_explicit(&e->target, target, memory_order_relaxed);
    }
    vtd_iotlb_unlock(set);
}

/* Insert a page, or a last table with its word, unless something was
 * invalidated since @ticket was drawn or the set is busy.  @replaces: there may
 * be one already.  Any thread, no lock. */
VTD_INLINE void vtd_iotlb_insert_page(VtdIotlb *tlb,
                                      const VtdIotlbTicket *ticket,
                                      const VtdMapping *m, bool replaces)
{
    if (m->shift <= VTD_TLB_1G) {
        vtd_iotlb_put(tlb, ticket, m->iova >> m->shift, m->shift,
                      (m->pa & VTD_TLB_TARGET) | m->perm, replaces);
    }
}

VTD_INLINE void vtd_iotlb_insert_table(VtdIotlb *tlb,
                                       const VtdIotlbTicket *ticket,
                                       uint64_t iova, uint64_t word,
                                       bool replaces)
{
    vtd_iotlb_put(tlb, ticket, iova >> VTD_TLB_2M, VTD_TLB_TABLE, word,
                  replaces);
}

static inline void vtd_iotlb_insert(VtdIotlb *tlb,
                                    const VtdIotlbTicket *ticket,
                                    const VtdMapping *m)
{
    vtd_iotlb_insert_page(tlb, ticket, m, true);
}

/*
 * Invalidations.  When one has returned, no lookup that starts later finds
 * what it covers, and no walk that began before it can insert that again.
 * Any thread; callers need no order among themselves.
 */
void vtd_iotlb_drop_all(VtdIotlb *tlb);
void vtd_iotlb_drop_domain(VtdIotlb *tlb, uint16_t did);
/* All first-stage and nested translations in @did. */
void vtd_iotlb_drop_first_stage(VtdIotlb *tlb, uint16_t did);
/* First-stage and nested translations of @pasid in @did. */
void vtd_iotlb_drop_pasid(VtdIotlb *tlb, uint16_t did, uint32_t pasid);
/* Pages [addr, addr + 4 KiB << order) of @tag, whatever their size, and the
 * tables on the way there unless @leaf_only.  @addr is aligned to that. */
void vtd_iotlb_drop_pages(VtdIotlb *tlb, VtdTag tag, uint64_t addr,
                          unsigned order, bool leaf_only);

#endif
