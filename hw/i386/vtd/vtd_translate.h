/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translation of one request: configuration, IOTLB, walk, result or fault.
 */
#ifndef VTD_TRANSLATE_H
#define VTD_TRANSLATE_H

#include "vtd_frcd.h"

/*
 * A requester as its owner keeps it between requests: with the configuration
 * that was decoded for it last.  Any number of threads may translate through
 * one source.  To be initialised by vtd_source_init().
 */
#define VTD_CONFIG_WORDS (sizeof(VtdConfig) / sizeof(uint64_t))

typedef struct VtdSource {
    VtdRequester req;
    /* Its configuration in whole words, under a sequence count that is odd
     * while they are being replaced; valid while gen is the unit's config_gen.
     * hit is all that a hit in the IOTLB needs of it, plain all that most walks
     * do. */
    _Atomic uint32_t seq;
    _Atomic uint64_t gen;
    _Atomic uint64_t hit;
    _Atomic uint64_t plain;
    _Atomic uint64_t config[VTD_CONFIG_WORDS];
} VtdSource;

void vtd_source_init(VtdSource *source, VtdRequester req);

/*
 * VtdSource.hit: the key of the tag, and whether a lookup tells all there is to
 * say.  It does not for pass-through and for supervisors, nor while nothing is
 * translated, nor before there is a configuration.
 */
#define VTD_HIT_SIMPLE VTD_BIT(63)
#define VTD_HIT_KEY (VTD_TLB_FIRST_STAGE | VTD_TLB_PASID | VTD_TLB_DID)

/* VtdSource.hit if it is up to date, or 0. */
static inline uint64_t vtd_source_hit(VtdUnit *u, VtdSource *source)
{
    uint64_t gen = atomic_load(&u->config_gen);
    uint32_t seq = atomic_load_explicit(&source->seq, memory_order_acquire);
    uint64_t held = atomic_load_explicit(&source->gen, memory_order_relaxed);
    uint64_t hit = atomic_load_explicit(&source->hit, memory_order_relaxed);

    atomic_thread_fence(memory_order_acquire);
    return held == gen && !(seq & 1) &&
                   atomic_load_explicit(&source->seq,
                                        memory_order_relaxed) == seq
               ? hit
               : 0;
}

/*
 * The translation from the IOTLB, for a source with @hit.  False: it is not
 * there, or there is more to be said of the request than "go ahead".  No lock,
 * no call: this is all that most accesses need.
 */
static inline __attribute__((always_inline)) bool
vtd_translate_hit(VtdUnit *u, uint64_t hit, uint64_t iova, VtdAccess access,
                  VtdMapping *out)
{
    return (hit & VTD_HIT_SIMPLE) && !access.supervisor &&
           vtd_iotlb_lookup_key(&u->iotlb, hit & VTD_HIT_KEY, iova, out) &&
           !(access.perm & ~out->perm);
}

/* The rest of vtd_translate(). */
VtdFault vtd_translate_miss(VtdUnit *u, VtdSource *source, uint64_t iova,
                            VtdAccess access, bool quiet, VtdMapping *out);

/*
 * Translate @iova for a request of @source that needs @access.
 * VTD_FAULT_NONE: @out is the page around @iova, see VtdMapping.  Otherwise
 * the request is blocked, and the fault has been recorded and signalled as
 * the guest configured it, unless @quiet (a look that is no access).  Any
 * thread; a lock is taken only for a fault.
 */
static inline VtdFault vtd_translate(VtdUnit *u, VtdSource *source,
                                     uint64_t iova, VtdAccess access,
                                     bool quiet, VtdMapping *out)
{
    return vtd_translate_hit(u, vtd_source_hit(u, source), iova, access, out)
               ? VTD_FAULT_NONE
               : vtd_translate_miss(u, source, iova, access, quiet, out);
}

/* Requests do not reach the interrupt range by translation: the fault for a
 * result @pa that lies there. */
VtdFault vtd_check_interrupt_range(const VtdConfig *config, uint64_t pa);

/* The configuration of @source, from its cache or from the tables. */
VtdFault vtd_source_config(VtdUnit *u, VtdSource *source, VtdConfig *config);

#endif
