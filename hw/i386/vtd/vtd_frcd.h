/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fault recording (VT-d spec, section "Primary Fault Logging").
 */
#ifndef VTD_FRCD_H
#define VTD_FRCD_H

#include "vtd_unit.h"
#include "vtd_walk.h"

/* What a fault record tells of the request. */
typedef struct VtdFaultRecord {
    VtdFault fault;
    VtdRequester req;
    VtdAccess access;
    bool page_request; /* a page request, else as access says */
    uint64_t info; /* the FI field: page address, or interrupt index << 48 */
} VtdFaultRecord;

/* Record a fault and raise the fault event.  A request whose source has a
 * fault pending already is collapsed into that.  Lock held. */
void vtd_frcd_record(VtdUnit *u, const VtdFaultRecord *record, VtdWork *work);

/* Record it unless it is a qualified fault and @fault_disable (FPD) hides
 * those.  Takes the lock. */
void vtd_frcd_report(VtdUnit *u, const VtdFaultRecord *record,
                     bool fault_disable, VtdWork *work);

/* A queue error was found: set @status (VTD_FSTS_IQE, ICE or ITE). */
void vtd_frcd_queue_error(VtdUnit *u, uint32_t status, VtdWork *work);

/* The guest wrote FSTS or a record: derive PPF and the pending interrupt. */
void vtd_frcd_update(VtdUnit *u);

#endif
