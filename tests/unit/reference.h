/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A slow and obvious translator, to compare the model with.
 *
 * Written from the VT-d spec's rules with the bit numbers in place, sharing
 * nothing with the model: no header, no cache, no loop that serves two kinds
 * of table.  It reads memory only.  Faults are the spec's reason codes, 0 is
 * none.  The order in which conditions are looked at is that of the walk:
 * entry by entry, and in one entry "present" before "reserved" before the
 * rest; rights are looked at when the walk is through.
 */
#ifndef REFERENCE_H
#define REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

enum { REF_READ = 1, REF_WRITE = 2, REF_EXECUTE = 4 };

typedef struct RefUnit {
    void *opaque;
    /* False: no memory there. */
    bool (*load)(void *opaque, uint64_t gpa, uint64_t *value);
    /* Called when a walk has come to the last table (of the first stage, if there
     * is one), before it is read; or NULL. */
    void (*at_last_table)(void);
    uint64_t rtaddr; /* the register: root table and mode */
    unsigned width;  /* host address width, 39 or 48 */
    unsigned pasid_bits;
    bool scalable_mode;
    bool has_first_stage;
    bool has_second_stage; /* in scalable mode */
    bool has_nested;
    bool has_1g_first_stage;
    bool has_supervisor_requests; /* for first-stage tables */
    bool has_extended_accessed;
    bool has_ss_accessed_dirty;
    bool has_pass_through;
    bool has_device_tlb;
    bool accepts_tm; /* the TM bit of second-stage entries */
} RefUnit;

typedef struct RefRequest {
    uint16_t sid;
    bool has_pasid;
    uint32_t pasid;
} RefRequest;

typedef enum RefKind {
    REF_PASS_THROUGH,
    REF_FIRST,
    REF_SECOND,
    REF_NESTED,
} RefKind;

typedef struct RefConfig {
    RefKind kind;
    bool legacy;
    bool execute_enable;
    bool no_execute;
    bool extended_accessed;
    uint16_t did;
    uint32_t pasid;
    unsigned ss_levels;
    uint64_t ss_table;
    uint64_t fs_table; /* four levels */
} RefConfig;

typedef struct RefResult {
    uint8_t fault;
    uint64_t pa;   /* of the very byte */
    unsigned perm; /* REF_*, all that is allowed */
} RefResult;

/* The configuration that the tables hold for @request; a fault code. */
uint8_t reference_config(const RefUnit *u, RefRequest request, RefConfig *c);

/* Where @iova goes under @c for a user's request that needs @perm. */
RefResult reference_walk(const RefUnit *u, const RefConfig *c, uint64_t iova,
                         unsigned perm);

#endif
