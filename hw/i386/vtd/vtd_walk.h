/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page-table walk.
 *
 * One walker for both stages: a stage is described by a format (how to read
 * an entry) and by where its tables lie.  Nested translation is a first-stage
 * walk whose table addresses and whose result go through the second stage.
 */
#ifndef VTD_WALK_H
#define VTD_WALK_H

#include "vtd_context.h"

/* What one paging entry says. */
typedef struct VtdEntry {
    bool leaf;
    uint8_t perm;  /* VTD_PERM_* */
    uint64_t addr; /* of the page or of the next table */
} VtdEntry;

typedef struct VtdAccess {
    uint8_t perm; /* VTD_PERM_* that the request needs */
    bool supervisor; /* privileged mode requested */
} VtdAccess;

/* Whether @config lets @access in as far as privilege goes (SRE). */
static inline VtdFault vtd_check_privilege(const VtdConfig *config,
                                           VtdAccess access)
{
    return access.supervisor && config->scalable && !config->supervisor_enable
               ? VTD_FAULT_SM_SUPERVISOR_DISABLED
               : VTD_FAULT_NONE;
}

/* What a walk works with. */
typedef struct VtdWalk {
    const VtdEnv *env;
    const VtdCaps *caps;
    const VtdConfig *config; /* not VTD_PASS_THROUGH */
    VtdAccess access;
    const VtdWindow *window; /* where a table was; NULL at first */
    /*
     * In: the last table for the address as an earlier walk has left it here,
     * or 0.  Out: the one that this walk has used, or 0: of the first stage if
     * there is one, else of the second.
     */
    uint64_t last_table;
} VtdWalk;

/*
 * Translate @iova as @walk says.
 * Accessed and dirty bits are updated: the first stage's, and the second's with
 * SSADE.  On VTD_FAULT_NONE @out is the largest page around @iova that maps in
 * one piece, with the permissions that hold for requests of the same privilege
 * without another walk (no write while a dirty bit is clear).  No lock is
 * taken.
 */
VtdFault vtd_walk(VtdWalk *walk, uint64_t iova, VtdMapping *out);

/* Decode the second-stage entry @raw at @level.  False: it is not present, or
 * has reserved bits set. */
bool vtd_second_stage_entry(const VtdCaps *caps, uint64_t raw, unsigned level,
                            VtdEntry *entry);

#endif
