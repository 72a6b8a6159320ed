/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The invalidation queue (VT-d spec, section "Queued Invalidation Interface").
 */
#ifndef VTD_QI_H
#define VTD_QI_H

#include "vtd_unit.h"

/*
 * Work on the queue until it is empty, stopped by an error, a bounded number
 * of descriptors is done, or a wait descriptor has to wait for accesses that
 * are under way.  No lock held; serialised like accesses to registers.  True:
 * there is more to do.  A call from inside of another one returns false at once.
 */
bool vtd_qi_run(VtdUnit *u);

/* Enable or disable the queue: IQH goes to zero.  Serialised likewise. */
void vtd_qi_enable(VtdUnit *u, bool enable);

/* The queue was switched, or FSTS written: whether it is ready from here on.
 * Serialised likewise. */
void vtd_qi_update(VtdUnit *u);

#endif
