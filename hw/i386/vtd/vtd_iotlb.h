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

/* Three words of an entry; see vtd_iotlb.c. */
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

typedef struct VtdIotlb {
    VtdIotlbSet *set;
    _Atomic uint64_t global_gen;
    _Atomic uint64_t *domain_gen; /* by domain id */
    _Atomic uint64_t *first_stage_gen; /* by domain id, see VtdTag */
    _Atomic uint64_t *pasid_gen; /* by hash of domain id and PASID */
    _Atomic uint64_t narrow_gen; /* counts narrow invalidations */
    _Atomic uint64_t wide_count; /* wide ones since the table was emptied */
} VtdIotlb;

typedef struct VtdIotlbTicket {
    uint64_t generation;
    uint64_t narrow;
} VtdIotlbTicket;

/* False if there is no memory. */
bool vtd_iotlb_init(VtdIotlb *tlb);
void vtd_iotlb_destroy(VtdIotlb *tlb);

/* Look up the page of @iova.  Any thread, no lock.  False: not cached. */
bool vtd_iotlb_lookup(VtdIotlb *tlb, VtdTag tag, uint64_t iova,
                      VtdMapping *out);

/* To be called before the first table is read for what will be inserted. */
VtdIotlbTicket vtd_iotlb_ticket(VtdIotlb *tlb, VtdTag tag);

/* Insert @m unless something was invalidated since @ticket was drawn or the
 * set is busy.  Any thread, no lock. */
void vtd_iotlb_insert(VtdIotlb *tlb, VtdTag tag, VtdIotlbTicket ticket,
                      const VtdMapping *m);

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
/* Pages [addr, addr + 4 KiB << order) of @tag, whatever their size. */
void vtd_iotlb_drop_pages(VtdIotlb *tlb, VtdTag tag, uint64_t addr,
                          unsigned order);

#endif
