/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block of control, data, address and upper-address registers behind each
 * of the unit's own interrupts (fault event, invalidation completion event,
 * page-request event).
 * An event is named by the offset of its control register.
 */
#ifndef VTD_EVENT_H
#define VTD_EVENT_H

#include "vtd_unit.h"

typedef enum VtdEvent {
    VTD_EVENT_FAULT = VTD_REG_FECTL,
    VTD_EVENT_COMPLETION = VTD_REG_IECTL,
    VTD_EVENT_PAGE_REQUEST = VTD_REG_PECTL,
} VtdEvent;

/* The event's condition arose: interrupt now, or pending while masked.
 * Called with the lock held, like all of this file. */
void vtd_event_raise(VtdUnit *u, VtdEvent event, VtdWork *work);

/* All conditions of the event are gone: nothing is pending any more. */
void vtd_event_withdraw(VtdUnit *u, VtdEvent event);

/* The control register was written: a pending interrupt that is no longer
 * masked is sent. */
void vtd_event_control_written(VtdUnit *u, VtdEvent event, VtdWork *work);

#endif
