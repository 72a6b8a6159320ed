/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Draining: before the guest is told that an invalidation is complete,
 * accesses have to be over that began before it (CAP.DRD, CAP.DWD).
 *
 * A device's access translates and then reads or writes memory, both in one
 * RCU read section.  Threads that hold the BQL cannot be in the middle of one
 * while invalidations are worked on, which is done under the BQL as well; an
 * iothread can.  So threads without the BQL leave a mark when they translate.
 *
 * Not covered are mappings that a device keeps beyond a read section
 * (address_space_map()), of a block request for example.
 */
#ifndef HW_I386_INTEL_IOMMU_DRAIN_H
#define HW_I386_INTEL_IOMMU_DRAIN_H

#include "qemu/main-loop.h"

typedef struct VtdDrain VtdDrain;

/* @go_on is scheduled by vtd_drain_schedule(). */
VtdDrain *vtd_drain_new(QEMUBH *go_on);

/* This thread is about to translate.  Any thread, in an RCU read section,
 * before the model is asked. */
void vtd_drain_translating(void);

/*
 * Accesses that are under way now, with a translation or past the model, are
 * to be waited for.  To be called after caches were emptied and views of
 * address spaces switched.  BQL held, here and below.
 */
void vtd_drain_begin(VtdDrain *drain);
void vtd_drain_begin_views(VtdDrain *drain);

/* Whether all these accesses are over.  Waits for them, but a few
 * microseconds at most: one may itself be waiting for the BQL. */
bool vtd_drain_done(VtdDrain *drain);

/* Run go_on: at once, or if accesses are waited for, in a while. */
void vtd_drain_schedule(VtdDrain *drain);

#endif
