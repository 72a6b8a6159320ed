/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual commands (VT-d spec, "Virtual Command Register" and the two behind
 * it): a guest whose host hands out PASIDs asks for them here, and gives them
 * back.  Registers of revision 3.3 of the spec; before that they lay elsewhere.
 */
#ifndef VTD_VCMD_H
#define VTD_VCMD_H

#include "vtd_unit.h"

/* VCMD.CMD */
enum {
    VTD_VCMD_NULL = 0,
    VTD_VCMD_ALLOC_PASID = 1,
    VTD_VCMD_FREE_PASID = 2,
};

/* VCRSP.SC */
enum {
    VTD_VCRSP_SUCCESS = 0,
    VTD_VCRSP_UNDEFINED = 1,
    VTD_VCRSP_NO_PASID = 16,      /* to ALLOC_PASID */
    VTD_VCRSP_INVALID_PASID = 16, /* to FREE_PASID */
};

/*
 * The guest wrote the lower word of VCMD.  While VCRSP.IP is set nothing
 * happens; otherwise it is set now, and @work has the command.  Lock held.
 */
void vtd_vcmd_written(VtdUnit *u, VtdWork *work);

/* Run @command and put its result into VCRSP.  No lock held. */
void vtd_vcmd_run(VtdUnit *u, uint64_t command);

#endif
