/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First- and second-stage paging structures as answers to the questions of the
 * walker (VT-d spec, sections "First-Stage Translation" and "Second-Stage
 * Translation").  For vtd_walk.c and vtd_plain.h alone.
 */
#ifndef VTD_FORMAT_H
#define VTD_FORMAT_H

#include "vtd_walk.h"

/*
 * Speed: what is SPECIALISED is compiled once for each format, which leaves no
 * question open that the format answers, and asks no question before there is
 * need to.
 */
#define SPECIALISED VTD_INLINE

typedef struct StageFaults {
    VtdFault access;
    VtdFault root_access;
    VtdFault not_present;
    VtdFault reserved;
    VtdFault update; /* of accessed and dirty bits */
} StageFaults;

/*
 * The entries of a walk so far: bits that are set in all of them, and in any.
 * Rights only shrink on the way down, so that is all there is to keep.
 */
typedef struct Trail {
    uint64_t all;
    uint64_t any;
} Trail;

/* What a stage makes of an address. */
typedef struct Result {
    uint64_t addr;
    unsigned shift;
    uint8_t perm;
    bool user;
    bool dirty; /* a write needs no more marks */
} Result;

/* Answers questions about one kind of table and its entries. */
typedef struct Format {
    bool over;        /* its tables' addresses go through the second stage */
    uint64_t present; /* one of these bits is set in an entry */
    uint64_t plain;   /* these are, in most that lead to a table */
    uint64_t (*root)(const VtdConfig *config);
    unsigned (*levels)(const VtdConfig *config);
    uint64_t (*reserved)(const VtdCaps *caps, unsigned level, bool leaf);
    /* Bits that a use of an entry has to set, and of the last one to write. */
    uint64_t (*accessed)(const VtdConfig *config);
    uint64_t (*dirty)(const VtdConfig *config);
    /* Bits that are set in all entries of a walk that allows users @perm, of
     * which there is one, and not to execute. */
    uint64_t (*needed)(uint8_t perm);
    uint8_t (*perm)(const VtdWalk *walk, Trail trail);
    bool (*user)(Trail trail);
    const StageFaults *(*faults)(const VtdWalk *walk);
} Format;

/* First stage ----------------------------------------------------------- */

static const StageFaults first_stage_faults = {
    .access = VTD_FAULT_FS_ACCESS,
    .root_access = VTD_FAULT_FS_ROOT_ACCESS,
    .not_present = VTD_FAULT_FS_NOT_PRESENT,
    .reserved = VTD_FAULT_FS_RESERVED,
    .update = VTD_FAULT_FS_UPDATE,
};

SPECIALISED uint64_t fs_root(const VtdConfig *config)
{
    return config->fs_table;
}

SPECIALISED unsigned fs_levels(const VtdConfig *config)
{
    return config->fs_levels;
}

SPECIALISED uint64_t fs_reserved(const VtdCaps *caps, unsigned level,
                                 bool leaf)
{
    return leaf ? caps->fs_leaf_rsvd[level] : caps->fs_table_rsvd;
}

SPECIALISED uint64_t fs_accessed(const VtdConfig *config)
{
    return VTD_FS_A | (config->extended_accessed ? VTD_FS_EA : 0);
}

SPECIALISED uint64_t fs_dirty(const VtdConfig *config)
{
    (void)config;
    return VTD_FS_D;
}

SPECIALISED uint64_t fs_needed(uint8_t perm)
{
    return VTD_FS_P | VTD_FS_US | (perm & VTD_PERM_WRITE ? VTD_FS_RW : 0);
}

SPECIALISED uint8_t fs_perm(const VtdWalk *walk, Trail trail)
{
    const VtdConfig *config = walk->config;
    uint8_t perm = VTD_PERM_READ;

    /* Supervisors write anywhere unless WPE is set. */
    if ((trail.all & VTD_FS_RW) ||
        (walk->access.supervisor && !config->write_protect)) {
        perm |= VTD_PERM_WRITE;
    }
    /* Without ERE no page may be executed: a hit in the cache knows only
     * what the walk has allowed. */
    if (config->execute_enable &&
        (!(trail.any & VTD_FS_XD) || !config->no_execute)) {
        perm |= VTD_PERM_EXEC;
    }
    return perm;
}

SPECIALISED bool fs_user(Trail trail)
{
    return trail.all & VTD_FS_US;
}

SPECIALISED const StageFaults *fs_faults(const VtdWalk *walk)
{
    (void)walk;
    return &first_stage_faults;
}

#define FIRST_STAGE(is_over) \
    { \
        .over = (is_over), \
        .present = VTD_FS_P, \
        .plain = VTD_FS_P, \
        .root = fs_root, \
        .levels = fs_levels, \
        .reserved = fs_reserved, \
        .accessed = fs_accessed, \
        .dirty = fs_dirty, \
        .needed = fs_needed, \
        .perm = fs_perm, \
        .user = fs_user, \
        .faults = fs_faults, \
    }

static const Format first_stage_format = FIRST_STAGE(false);
static const Format nested_format = FIRST_STAGE(true);

/* Second stage ---------------------------------------------------------- */

static const StageFaults second_stage_faults = {
    .access = VTD_FAULT_SS_ACCESS,
    .root_access = VTD_FAULT_SS_ROOT_ACCESS,
    .not_present = VTD_FAULT_SS_NOT_PRESENT,
    .reserved = VTD_FAULT_SS_RESERVED,
    .update = VTD_FAULT_SS_ACCESS,
};

#define LEGACY_FAULTS(missing) \
    { \
        .access = VTD_FAULT_PAGING_ENTRY_ACCESS, \
        .root_access = VTD_FAULT_CONTEXT_INVALID, \
        .not_present = (missing), \
        .reserved = VTD_FAULT_PAGING_ENTRY_RESERVED, \
    }

/* Legacy mode tells "not present" as a lack of permission. */
static const StageFaults legacy_read_faults = LEGACY_FAULTS(VTD_FAULT_READ);
static const StageFaults legacy_write_faults = LEGACY_FAULTS(VTD_FAULT_WRITE);

SPECIALISED uint64_t ss_root(const VtdConfig *config)
{
    return config->ss_table;
}

SPECIALISED unsigned ss_levels(const VtdConfig *config)
{
    return config->ss_levels;
}

SPECIALISED uint64_t ss_reserved(const VtdCaps *caps, unsigned level,
                                 bool leaf)
{
    return leaf ? caps->ss_leaf_rsvd[level] : caps->ss_table_rsvd;
}

SPECIALISED uint64_t ss_accessed(const VtdConfig *config)
{
    return config->ss_accessed_dirty ? VTD_SS_A : 0;
}

SPECIALISED uint64_t ss_dirty(const VtdConfig *config)
{
    return config->ss_accessed_dirty ? VTD_SS_D : 0;
}

SPECIALISED uint64_t ss_needed(uint8_t perm)
{
    return (perm & VTD_PERM_READ ? VTD_SS_R : 0) |
           (perm & VTD_PERM_WRITE ? VTD_SS_W : 0);
}

SPECIALISED uint8_t ss_perm(const VtdWalk *walk, Trail trail)
{
    (void)walk;
    return (trail.all & VTD_SS_R ? VTD_PERM_READ | VTD_PERM_EXEC : 0) |
           (trail.all & VTD_SS_W ? VTD_PERM_WRITE : 0);
}

SPECIALISED bool ss_user(Trail trail)
{
    (void)trail;
    return true;
}

SPECIALISED const StageFaults *ss_faults(const VtdWalk *walk)
{
    if (walk->config->scalable) {
        return &second_stage_faults;
    }
    return walk->access.perm & VTD_PERM_WRITE ? &legacy_write_faults
                                              : &legacy_read_faults;
}

static const Format second_stage_format = {
    .present = VTD_SS_R | VTD_SS_W,
    .plain = VTD_SS_R | VTD_SS_W,
    .root = ss_root,
    .levels = ss_levels,
    .reserved = ss_reserved,
    .accessed = ss_accessed,
    .dirty = ss_dirty,
    .needed = ss_needed,
    .perm = ss_perm,
    .user = ss_user,
    .faults = ss_faults,
};

/* Both stages ----------------------------------------------------------- */

SPECIALISED unsigned level_shift(unsigned level)
{
    return VTD_PAGE_SHIFT + (level - 1) * VTD_LEVEL_BITS;
}

SPECIALISED bool canonical(uint64_t addr, unsigned levels)
{
    unsigned top = level_shift(levels + 1) - 1;
    int64_t sign = (int64_t)addr >> top;

    return sign == 0 || sign == -1;
}

SPECIALISED bool beyond(uint64_t addr, unsigned levels)
{
    return addr >> level_shift(levels + 1);
}

/* Of the entry for @addr in @table; an entry has 2^3 bytes. */
SPECIALISED uint64_t entry_address(uint64_t table, uint64_t addr,
                                   unsigned level)
{
    uint64_t in_table = ((1u << VTD_LEVEL_BITS) - 1) * sizeof(uint64_t);

    return table + (addr >> (level_shift(level) - 3) & in_table);
}

SPECIALISED bool is_leaf(uint64_t raw, unsigned level)
{
    return level == 1 || (level <= 3 && (raw & VTD_FS_PS));
}

/*
 * VtdWalk.last_table: the table's address, and the trail to it as far as any
 * format asks for it.
 */
#define TABLE_ALL (VTD_FS_P | VTD_FS_RW | VTD_FS_US | VTD_SS_R | VTD_SS_W)
#define TABLE_XD VTD_BIT(3)

SPECIALISED uint64_t pack_table(uint64_t table, Trail trail)
{
    return table | (trail.all & TABLE_ALL) |
           (trail.any & VTD_FS_XD ? TABLE_XD : 0);
}

SPECIALISED Trail trail_to_table(uint64_t packed)
{
    return (Trail){
        .all = packed & TABLE_ALL,
        .any = packed & TABLE_XD ? VTD_FS_XD : 0,
    };
}

/* @raw is the leaf of @trail, marked. */
SPECIALISED Result result_of(const VtdWalk *walk, const Format *format,
                             uint64_t addr, uint64_t raw, unsigned level,
                             Trail trail)
{
    uint64_t within = (1ull << level_shift(level)) - 1;

    return (Result){
        .addr = (raw & VTD_PTE_ADDR & ~within) | (addr & within),
        .shift = level_shift(level),
        .perm = format->perm(walk, trail),
        .user = format->user(trail),
        .dirty = !(format->dirty(walk->config) & ~raw),
    };
}

/* The first write to a page that is not dirty has to walk, to mark it. */
SPECIALISED void keep_clean(Result *r)
{
    if (!r->dirty) {
        r->perm &= ~VTD_PERM_WRITE;
    }
}

SPECIALISED void mapping_of(const Result *r, uint64_t iova, VtdMapping *out)
{
    uint64_t within = (1ull << r->shift) - 1;

    out->iova = iova & ~within;
    out->pa = r->addr & ~within;
    out->shift = r->shift;
    out->perm = r->perm;
}

#endif
