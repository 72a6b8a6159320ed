/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each invalidation scope drops of the unit's own caches (VT-d spec,
 * section "Invalidation of Translation Caches").  The queue and the register
 * interface both end here.
 */
#ifndef VTD_INVAL_H
#define VTD_INVAL_H

#include "vtd_unit.h"

/* Any thread, with or without the lock.  After the return nothing that
 * @notice covers is served from a cache of the unit. */
void vtd_inval_apply(VtdUnit *u, const VtdNotice *notice);

#endif
