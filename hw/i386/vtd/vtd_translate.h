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
typedef struct VtdSource {
    VtdRequester req;
    /* Configuration in packed form, under a sequence count that is odd while
     * it is being replaced; valid while gen is the unit's config_gen. */
    _Atomic uint32_t seq;
    _Atomic uint64_t gen;
    _Atomic uint64_t packed[3];
} VtdSource;

void vtd_source_init(VtdSource *source, VtdRequester req);

/*
 * Translate @iova for @access.  Records a fault if there is one, unless
 * @quiet.  @work receives the interrupt that goes with it.  The lock is only
 * taken for a fault.
 */
VtdFault vtd_translate_request(VtdUnit *u, VtdSource *source, uint64_t iova,
                               VtdAccess access, bool quiet, VtdMapping *out,
                               VtdWork *work);

/* Requests do not reach the interrupt range by translation: the fault for a
 * result @pa that lies there. */
VtdFault vtd_check_interrupt_range(const VtdConfig *config, uint64_t pa);

/* The configuration of @source, from its cache or from the tables. */
VtdFault vtd_source_config(VtdUnit *u, VtdSource *source, VtdConfig *config);

#endif
