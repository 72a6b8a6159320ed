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
 * are under way.  No lock held.  True: there is more to do.
 * A call while another one is at work returns false at once.
 */
bool vtd_qi_run(VtdUnit *u);

/* The same with the lock held at the beginning; it is dropped. */
bool vtd_qi_run_locked(VtdUnit *u);

/* Enable or disable the queue: IQH goes to zero.  Lock held. */
void vtd_qi_enable(VtdUnit *u, bool enable);

#endif
