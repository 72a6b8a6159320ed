/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a unit that survives it: what migration carries.  Caches are
 * not part of it, they fill again.
 */
#ifndef VTD_STATE_H
#define VTD_STATE_H

#include "vtd_unit.h"

/* Registers up to the end of the fault records: of as many as there can be. */
#define VTD_STATE_BYTES \
    (VTD_REG_FRCD + VTD_MAX_FAULT_RECORDS * VTD_FAULT_RECORD_BYTES)

typedef struct VtdState {
    uint8_t registers[VTD_STATE_BYTES]; /* as the guest reads them */
    uint64_t root;        /* RTADDR as latched */
    uint64_t irta;        /* IRTA as latched */
    uint32_t next_record; /* fault record to be used next */
} VtdState;

/* Take the state of @u, which is not at work on its queue. */
void vtd_state_save(VtdUnit *u, VtdState *state);

/*
 * Put @state in place of the state of @u.  @state comes from outside and may
 * be anything.  Returns NULL, or what is wrong with it; @u is unchanged then.
 * Like a reset this posts no notice.
 */
const char *vtd_state_load(VtdUnit *u, const VtdState *state);

#endif
