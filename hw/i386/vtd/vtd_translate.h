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
    /* Where to look in the IOTLB: the size of the page that was found last, and
     * all sizes that were with this configuration.  No more than a hint: what
     * is not looked for is found by a walk. */
    _Atomic uint32_t size;
    _Atomic uint32_t sizes; /* bit n: size n */
} VtdSource;

void vtd_source_init(VtdSource *source, VtdRequester req);

/*
 * VtdSource.hit: the key of the tag, and whether a lookup tells all there is to
 * say.  It does not for pass-through and for supervisors, nor while nothing is
 * translated, nor before there is a configuration.
 */
#define VTD_HIT_SIMPLE VTD_BIT(63)
#define VTD_HIT_KEY (VTD_TLB_FIRST_STAGE | VTD_TLB_PASID | VTD_TLB_DID)

/*
 * Translate @iova for a request of @source that needs @access.
 * VTD_FAULT_NONE: @out is the page around @iova, see VtdMapping.  Otherwise
 * the request is blocked, and the fault has been recorded and signalled as
 * the guest configured it, unless @quiet (a look that is no access).  Any
 * thread; a lock is taken only for a fault.
 */
VtdFault vtd_translate(VtdUnit *u, VtdSource *source, uint64_t iova,
                       VtdAccess access, bool quiet, VtdMapping *out);

/* The same once vtd_translate_quick() has given up. */
VtdFault vtd_translate_slow(VtdUnit *u, VtdSource *source, uint64_t iova,
                            VtdAccess access, bool quiet, VtdMapping *out);

/* Requests do not reach the interrupt range by translation: the fault for a
 * result @pa that lies there. */
VtdFault vtd_check_interrupt_range(const VtdConfig *config, uint64_t pa);

/* The configuration of @source, from its cache or from the tables. */
VtdFault vtd_source_config(VtdUnit *u, VtdSource *source, VtdConfig *config);

#endif
