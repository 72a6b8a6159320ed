/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests of devices that translate themselves (PCIe ATS): translation
 * requests, and requests with addresses that are translated already.
 */
#ifndef VTD_ATS_H
#define VTD_ATS_H

#include "vtd_translate.h"

/*
 * A translation request of @source for @iova.  @want is what the device would
 * like to do (VTD_PERM_*; without VTD_PERM_WRITE it is a request with the "no
 * write" flag), and @out->perm what of it is granted: none at all if the page
 * is not there, which is no fault but what a page request is for.  Accessed
 * and dirty bits are set for what is granted.  Other faults are recorded and
 * returned: the device gets "unsupported request".
 */
VtdFault vtd_ats_request(VtdUnit *u, VtdSource *source, uint64_t iova,
                         VtdAccess want, VtdMapping *out, VtdWork *work);

/* A request with a translated address: VTD_FAULT_NONE if it may pass, else
 * recorded. */
VtdFault vtd_ats_translated(VtdUnit *u, VtdSource *source, uint64_t pa,
                            VtdAccess access, VtdWork *work);

#endif
