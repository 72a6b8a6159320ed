/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_walk.h"

/*
 * Speed: everything between here and walk_second_stage() is inlined there and
 * in walk_first_stage(), once for each format, which leaves no question open
 * that the format answers.
 */
#define SPECIALISED static inline __attribute__((always_inline))

/* How many times an entry may change under an accessed-bit update before the
 * walk gives up: the guest could keep changing it for ever. */
#define UPDATE_ATTEMPTS 8

typedef struct StageFaults {
    VtdFault access;
    VtdFault root_access;
    VtdFault not_present;
    VtdFault reserved;
    VtdFault update; /* of accessed and dirty bits */
} StageFaults;

/* One stage of a translation, ready to walk. */
typedef struct Stage {
    const VtdEnv *env;
    const VtdConfig *config;
    const struct Stage *under; /* of a nested one: see Format.over */
    const uint64_t *table_rsvd;
    const uint64_t *leaf_rsvd;
    const StageFaults *faults;
    uint64_t root;
    uint64_t accessed; /* bits that a use of an entry has to set... */
    uint64_t dirty;    /* ...and of the last one, to write */
    unsigned levels;
    bool supervisor; /* for a privileged request: U/S is no obstacle */
} Stage;

/*
 * The entries of a walk so far: bits that are set in all of them, and in any.
 * Rights only shrink on the way down, so that is all there is to keep.
 */
typedef struct Trail {
    uint64_t all;
    uint64_t any;
} Trail;

/*
 * VtdWalk.last_table: the table's address, and the trail to it as far as any
 * format asks for it.
 */
#define TABLE_ALL (VTD_FS_P | VTD_FS_RW | VTD_FS_US | VTD_SS_R | VTD_SS_W)
#define TABLE_XD VTD_BIT(3)

static uint64_t pack_table(uint64_t table, Trail trail)
{
    return table | (trail.all & TABLE_ALL) |
           (trail.any & VTD_FS_XD ? TABLE_XD : 0);
}

static Trail trail_to_table(uint64_t packed)
{
    return (Trail){
        .all = packed & TABLE_ALL,
        .any = packed & TABLE_XD ? VTD_FS_XD : 0,
    };
}

/* Answers questions about the entries of one kind of table. */
typedef struct Format {
    bool over;        /* its tables' addresses go through another stage */
    uint64_t present; /* one of these */
    uint8_t (*perm)(const Stage *stage, Trail trail);
    bool (*user)(Trail trail);
} Format;

/* What a stage makes of an address. */
typedef struct Result {
    uint64_t addr;
    unsigned shift;
    uint8_t perm;
    bool user;
    bool dirty; /* a write needs no more marks */
} Result;

SPECIALISED uint8_t fs_perm(const Stage *stage, Trail trail)
{
    uint8_t perm = VTD_PERM_READ;

    /* Supervisors write anywhere unless WPE is set. */
    if ((trail.all & VTD_FS_RW) ||
        (stage->supervisor && !stage->config->write_protect)) {
        perm |= VTD_PERM_WRITE;
    }
    /* Without ERE no page may be executed: a hit in the cache knows only
     * what the walk has allowed. */
    if (stage->config->execute_enable &&
        (!(trail.any & VTD_FS_XD) || !stage->config->no_execute)) {
        perm |= VTD_PERM_EXEC;
    }
    return perm;
}

SPECIALISED bool fs_user(Trail trail)
{
    return trail.all & VTD_FS_US;
}

static const Format first_stage_format = {
    .present = VTD_FS_P,
    .perm = fs_perm,
    .user = fs_user,
};

static const Format nested_format = {
    .over = true,
    .present = VTD_FS_P,
    .perm = fs_perm,
    .user = fs_user,
};

SPECIALISED uint8_t ss_perm(const Stage *stage, Trail trail)
{
    (void)stage;
    return (trail.all & VTD_SS_R ? VTD_PERM_READ | VTD_PERM_EXEC : 0) |
           (trail.all & VTD_SS_W ? VTD_PERM_WRITE : 0);
}

SPECIALISED bool ss_user(Trail trail)
{
    (void)trail;
    return true;
}

static const Format second_stage_format = {
    .present = VTD_SS_R | VTD_SS_W,
    .perm = ss_perm,
    .user = ss_user,
};

static unsigned level_shift(unsigned level)
{
    return VTD_PAGE_SHIFT + (level - 1) * VTD_LEVEL_BITS;
}

static bool canonical(uint64_t addr, unsigned levels)
{
    unsigned top = level_shift(levels + 1) - 1;
    int64_t sign = (int64_t)addr >> top;

    return sign == 0 || sign == -1;
}

static bool beyond(uint64_t addr, unsigned levels)
{
    return addr >> level_shift(levels + 1);
}

SPECIALISED bool is_leaf(uint64_t raw, unsigned level)
{
    return level == 1 || (level <= 3 && (raw & VTD_FS_PS));
}

/* What is wrong with an entry that was read at @level. */
SPECIALISED VtdFault check_entry(const Stage *stage, const Format *format,
                                 uint64_t raw, unsigned level)
{
    const uint64_t *rsvd =
        is_leaf(raw, level) ? stage->leaf_rsvd : stage->table_rsvd;

    if (!(raw & format->present)) {
        return stage->faults->not_present;
    }
    return raw & rsvd[level] ? stage->faults->reserved : VTD_FAULT_NONE;
}

/* The bits that the use of an entry sets, which ends @trail.  A write that is
 * forbidden does not make the page dirty. */
SPECIALISED uint64_t marks(const Stage *stage, const Format *format,
                           Trail trail, bool write)
{
    bool dirties = write &&
                   (format->perm(stage, trail) & VTD_PERM_WRITE) &&
                   (format->user(trail) || stage->supervisor);

    return stage->accessed | (dirties ? stage->dirty : 0);
}

static VtdFault walk_second_stage(const Stage *stage, uint64_t addr,
                                  bool write, uint64_t *last_table,
                                  Result *out);

/* Where an entry lies. */
typedef struct Place {
    uint64_t addr; /* as the entry above leads there */
    uint64_t gpa;
    unsigned level;
    bool writable;
} Place;

static bool in_root_table(const Stage *stage, const Place *place)
{
    return place->level == stage->levels;
}

/* Find the place in memory, through the stage below if there is one.  @write:
 * it will be written, which makes its page dirty there. */
SPECIALISED VtdFault find_place(const Stage *stage, const Format *format,
                                bool write, Place *place)
{
    uint64_t last_table = 0;
    Result below;
    VtdFault fault;

    place->gpa = place->addr;
    place->writable = true;
    if (!format->over) {
        return VTD_FAULT_NONE;
    }
    if (beyond(place->addr, stage->under->levels)) {
        return VTD_FAULT_FS_TABLE_BEYOND_WIDTH;
    }
    fault = walk_second_stage(stage->under, place->addr, write, &last_table,
                              &below);
    if (fault) {
        return fault;
    }
    if (!(below.perm & VTD_PERM_READ)) {
        return in_root_table(stage, place) ? VTD_FAULT_FS_ROOT_NO_READ
                                           : VTD_FAULT_FS_TABLE_NO_READ;
    }
    place->gpa = below.addr;
    place->writable = below.perm & VTD_PERM_WRITE;
    return VTD_FAULT_NONE;
}

/*
 * Set @missing in the entry that was read as @raw.  The compare-and-exchange
 * makes sure that marks are only put on the very entry that was checked.
 * *@set: they are, the entry has not become another one.
 */
SPECIALISED VtdFault set_marks(const Stage *stage, const Format *format,
                               Place *place, uint64_t raw, uint64_t missing,
                               bool *set)
{
    const VtdEnv *env = stage->env;
    VtdFault fault = VTD_FAULT_NONE;

    if (format->over && place->writable && stage->under->dirty) {
        fault = find_place(stage, format, true, place);
    }
    if (fault) {
        return fault;
    }
    if (!place->writable) {
        return VTD_FAULT_FS_TABLE_NO_WRITE;
    }
    switch (env->cas64(env->opaque, place->gpa, raw, raw | missing)) {
    case VTD_CAS_DONE:
        *set = true;
        return VTD_FAULT_NONE;
    case VTD_CAS_CHANGED:
        *set = false;
        return VTD_FAULT_NONE;
    default:
        return stage->faults->update;
    }
}

/*
 * Read the entry at @place, which @trail leads to, check it, and set the marks
 * that its use needs.  On success it is in @raw and @trail.
 */
SPECIALISED VtdFault use_entry(const Stage *stage, const Format *format,
                               Place *place, bool write, Trail *trail,
                               uint64_t *raw)
{
    const VtdEnv *env = stage->env;
    VtdFault fault = find_place(stage, format, false, place);

    for (unsigned i = 0; !fault && i < UPDATE_ATTEMPTS; i++) {
        uint64_t missing;
        bool set = true;
        Trail now;

        if (!env->load64(env->opaque, place->gpa, raw)) {
            return in_root_table(stage, place) ? stage->faults->root_access
                                               : stage->faults->access;
        }
        fault = check_entry(stage, format, *raw, place->level);
        if (fault) {
            return fault;
        }
        now = (Trail){ trail->all & *raw, trail->any | *raw };
        missing = ~*raw & marks(stage, format, now,
                                write && is_leaf(*raw, place->level));
        if (missing) {
            fault = set_marks(stage, format, place, *raw, missing, &set);
        }
        if (!fault && set) {
            *raw |= missing;
            *trail = now;
            return VTD_FAULT_NONE;
        }
    }
    return fault ? fault : stage->faults->update;
}

/* @last_table: as VtdWalk's. */
SPECIALISED VtdFault walk_stage(const Stage *stage, const Format *format,
                                uint64_t addr, bool write,
                                uint64_t *last_table, Result *out)
{
    unsigned level = *last_table ? 1 : stage->levels;
    uint64_t table = *last_table ? *last_table & VTD_PTE_ADDR : stage->root;
    Trail trail = *last_table ? trail_to_table(*last_table)
                              : (Trail){ .all = ~0ull };

    for (; level > 0; level--) {
        unsigned shift = level_shift(level);
        unsigned index = addr >> shift & ((1u << VTD_LEVEL_BITS) - 1);
        Place place = { .addr = table + index * 8, .level = level };
        Trail before = trail;
        uint64_t raw = 0;
        VtdFault fault =
            use_entry(stage, format, &place, write, &trail, &raw);

        if (fault) {
            return fault;
        }
        if (is_leaf(raw, level)) {
            uint64_t within = (1ull << shift) - 1;

            *last_table = level == 1 ? pack_table(table, before) : 0;
            out->addr = (raw & VTD_PTE_ADDR & ~within) | (addr & within);
            out->shift = shift;
            out->perm = format->perm(stage, trail);
            out->user = format->user(trail);
            out->dirty = !(stage->dirty & ~raw);
            return VTD_FAULT_NONE;
        }
        table = raw & VTD_PTE_ADDR;
    }
    return stage->faults->access; /* not reached: level 1 is a leaf */
}

static VtdFault walk_second_stage(const Stage *stage, uint64_t addr,
                                  bool write, uint64_t *last_table,
                                  Result *out)
{
    return walk_stage(stage, &second_stage_format, addr, write, last_table,
                      out);
}

static VtdFault walk_first_stage(const Stage *stage, uint64_t addr, bool write,
                                 uint64_t *last_table, Result *out)
{
    return stage->under ? walk_stage(stage, &nested_format, addr, write,
                                     last_table, out)
                        : walk_stage(stage, &first_stage_format, addr, write,
                                     last_table, out);
}

static const StageFaults first_stage_faults = {
    .access = VTD_FAULT_FS_ACCESS,
    .root_access = VTD_FAULT_FS_ROOT_ACCESS,
    .not_present = VTD_FAULT_FS_NOT_PRESENT,
    .reserved = VTD_FAULT_FS_RESERVED,
    .update = VTD_FAULT_FS_UPDATE,
};

static const StageFaults second_stage_faults = {
    .access = VTD_FAULT_SS_ACCESS,
    .root_access = VTD_FAULT_SS_ROOT_ACCESS,
    .not_present = VTD_FAULT_SS_NOT_PRESENT,
    .reserved = VTD_FAULT_SS_RESERVED,
    .update = VTD_FAULT_SS_ACCESS,
};

/* Legacy mode tells "not present" as a lack of permission, [1] to write. */
static const StageFaults legacy_faults[] = {
    {
        .access = VTD_FAULT_PAGING_ENTRY_ACCESS,
        .root_access = VTD_FAULT_CONTEXT_INVALID,
        .not_present = VTD_FAULT_READ,
        .reserved = VTD_FAULT_PAGING_ENTRY_RESERVED,
    },
    {
        .access = VTD_FAULT_PAGING_ENTRY_ACCESS,
        .root_access = VTD_FAULT_CONTEXT_INVALID,
        .not_present = VTD_FAULT_WRITE,
        .reserved = VTD_FAULT_PAGING_ENTRY_RESERVED,
    },
};

static Stage second_stage(const VtdWalk *walk, VtdAccess access)
{
    const VtdConfig *c = walk->config;

    return (Stage){
        .env = walk->env,
        .config = c,
        .table_rsvd = walk->caps->ss_table_rsvd,
        .leaf_rsvd = walk->caps->ss_leaf_rsvd,
        .faults = c->scalable ? &second_stage_faults
                              : &legacy_faults[!!(access.perm & VTD_PERM_WRITE)],
        .root = c->ss_table,
        .accessed = c->ss_accessed_dirty ? VTD_SS_A : 0,
        .dirty = c->ss_accessed_dirty ? VTD_SS_D : 0,
        .levels = c->ss_levels,
    };
}

static Stage first_stage(const VtdWalk *walk, VtdAccess access,
                         const Stage *under)
{
    const VtdConfig *c = walk->config;

    return (Stage){
        .env = walk->env,
        .config = c,
        .under = under,
        .table_rsvd = walk->caps->fs_table_rsvd,
        .leaf_rsvd = walk->caps->fs_leaf_rsvd,
        .faults = &first_stage_faults,
        .root = c->fs_table,
        .accessed = VTD_FS_A | (c->extended_accessed ? VTD_FS_EA : 0),
        .dirty = VTD_FS_D,
        .levels = c->fs_levels,
        .supervisor = access.supervisor,
    };
}

static VtdFault check_perm(const VtdConfig *c, const VtdAccess access,
                           uint8_t perm)
{
    uint8_t missing = access.perm & ~perm;

    if (missing & VTD_PERM_WRITE) {
        return c->scalable ? VTD_FAULT_SM_WRITE : VTD_FAULT_WRITE;
    }
    if (missing & VTD_PERM_READ) {
        return c->scalable ? VTD_FAULT_SM_READ : VTD_FAULT_READ;
    }
    if (missing & VTD_PERM_EXEC) {
        return VTD_FAULT_SM_NO_EXECUTE;
    }
    return VTD_FAULT_NONE;
}

/* The first write to a page that is not dirty has to walk, to mark it. */
static void keep_clean(Result *r)
{
    if (!r->dirty) {
        r->perm &= ~VTD_PERM_WRITE;
    }
}

static VtdFault walk_second(VtdWalk *walk, uint64_t iova, VtdAccess access,
                            Result *r)
{
    const VtdConfig *c = walk->config;
    Stage ss = second_stage(walk, access);
    VtdFault fault;

    if (beyond(iova, ss.levels)) {
        return c->scalable ? VTD_FAULT_SM_BEYOND_MGAW : VTD_FAULT_BEYOND_MGAW;
    }
    fault = walk_second_stage(&ss, iova, access.perm & VTD_PERM_WRITE,
                              &walk->last_table, r);
    if (fault) {
        return fault;
    }
    fault = check_perm(c, access, r->perm);
    keep_clean(r);
    return fault;
}

/* @under: the second stage of a nested translation, or NULL. */
static VtdFault walk_first(VtdWalk *walk, const Stage *under, uint64_t iova,
                           VtdAccess access, Result *r)
{
    const VtdConfig *c = walk->config;
    Stage fs = first_stage(walk, access, under);
    VtdFault fault;

    if ((access.perm & VTD_PERM_EXEC) && !c->execute_enable) {
        return VTD_FAULT_SM_EXECUTE_DISABLED;
    }
    if (!canonical(iova, fs.levels)) {
        return VTD_FAULT_SM_NOT_CANONICAL;
    }
    fault = walk_first_stage(&fs, iova, access.perm & VTD_PERM_WRITE,
                             &walk->last_table, r);
    if (fault) {
        return fault;
    }
    if (!access.supervisor && !r->user) {
        return VTD_FAULT_SM_PRIVILEGE;
    }
    fault = check_perm(c, access, r->perm);
    keep_clean(r);
    return fault;
}

/* The first stage's result through the second stage. */
static VtdFault walk_below(const Stage *ss, const VtdConfig *c,
                           VtdAccess access, Result *r)
{
    uint64_t last_table = 0;
    Result below;
    VtdFault fault;

    if (beyond(r->addr, ss->levels)) {
        return VTD_FAULT_SM_BEYOND_SECOND_STAGE;
    }
    fault = walk_second_stage(ss, r->addr, access.perm & VTD_PERM_WRITE,
                              &last_table, &below);
    if (fault) {
        return fault;
    }
    fault = check_perm(c, access, below.perm);
    keep_clean(&below);
    r->addr = below.addr;
    r->perm &= below.perm;
    if (below.shift < r->shift) {
        r->shift = below.shift;
    }
    return fault;
}

static VtdFault walk_nested(VtdWalk *walk, uint64_t iova, VtdAccess access,
                            Result *r)
{
    Stage ss = second_stage(walk, access);
    VtdFault fault = walk_first(walk, &ss, iova, access, r);

    return fault ? fault : walk_below(&ss, walk->config, access, r);
}

VtdFault vtd_check_privilege(const VtdConfig *config, VtdAccess access)
{
    if (access.supervisor && config->scalable && !config->supervisor_enable) {
        return VTD_FAULT_SM_SUPERVISOR_DISABLED;
    }
    return VTD_FAULT_NONE;
}

VtdFault vtd_walk(VtdWalk *walk, uint64_t iova, VtdAccess access,
                  VtdMapping *out)
{
    VtdFault fault = vtd_check_privilege(walk->config, access);
    uint64_t within;
    Result r;

    if (fault) {
        return fault;
    }
    switch (walk->config->kind) {
    case VTD_SECOND_STAGE:
        fault = walk_second(walk, iova, access, &r);
        break;
    case VTD_NESTED:
        fault = walk_nested(walk, iova, access, &r);
        break;
    default:
        fault = walk_first(walk, NULL, iova, access, &r);
        break;
    }
    if (fault) {
        return fault;
    }
    within = (1ull << r.shift) - 1;
    *out = (VtdMapping){
        .iova = iova & ~within,
        .pa = r.addr & ~within,
        .shift = r.shift,
        .perm = r.perm,
    };
    return VTD_FAULT_NONE;
}

bool vtd_second_stage_entry(const VtdCaps *caps, uint64_t raw, unsigned level,
                            VtdEntry *entry)
{
    Stage stage = {
        .table_rsvd = caps->ss_table_rsvd,
        .leaf_rsvd = caps->ss_leaf_rsvd,
        .faults = &second_stage_faults,
    };

    if (check_entry(&stage, &second_stage_format, raw, level)) {
        return false;
    }
    *entry = (VtdEntry){
        .leaf = is_leaf(raw, level),
        .perm = ss_perm(&stage, (Trail){ .all = raw }),
        .addr = raw & VTD_PTE_ADDR,
    };
    return true;
}
