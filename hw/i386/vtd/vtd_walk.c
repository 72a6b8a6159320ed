/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_walk.h"

/* How many times an entry may change under an accessed-bit update before the
 * walk gives up: the guest could keep changing it for ever. */
#define UPDATE_ATTEMPTS 8

/* A paging entry that was read and found good. */
typedef struct Entry {
    uint64_t raw;
    bool leaf;
    uint8_t perm;
    bool user;
} Entry;

typedef struct Stage Stage;

/* Answers questions about the entries of one kind of table. */
typedef struct Format {
    bool (*present)(uint64_t raw);
    uint8_t (*perm)(const Stage *stage, uint64_t raw);
    bool (*user)(uint64_t raw);
    /* Accessed and dirty bits that a use of the entry has to set. */
    uint64_t (*marks)(const Stage *stage, const Entry *e, bool write);
} Format;

typedef struct StageFaults {
    VtdFault access;
    VtdFault root_access;
    VtdFault not_present;
    VtdFault reserved;
    VtdFault update; /* of accessed and dirty bits */
} StageFaults;

/* One stage of a translation, ready to walk. */
struct Stage {
    const VtdEnv *env;
    const VtdConfig *config;
    const Format *format;
    const Stage *under; /* translates our table addresses, or NULL */
    const uint64_t *table_rsvd;
    const uint64_t *leaf_rsvd;
    uint64_t root;
    unsigned levels;
    bool supervisor; /* for a privileged request: U/S is no obstacle */
    StageFaults faults;
};

/* What a stage makes of an address. */
typedef struct Result {
    uint64_t addr;
    unsigned shift;
    uint8_t perm;
    bool user;
    bool dirty; /* a write needs no more marks */
} Result;

static bool fs_present(uint64_t raw)
{
    return raw & VTD_FS_P;
}

static uint8_t fs_perm(const Stage *stage, uint64_t raw)
{
    uint8_t perm = VTD_PERM_READ;

    /* Supervisors write anywhere unless WPE is set. */
    if ((raw & VTD_FS_RW) ||
        (stage->supervisor && !stage->config->write_protect)) {
        perm |= VTD_PERM_WRITE;
    }
    /* Without ERE no page may be executed: a hit in the cache knows only
     * what the walk has allowed. */
    if (stage->config->execute_enable &&
        (!(raw & VTD_FS_XD) || !stage->config->no_execute)) {
        perm |= VTD_PERM_EXEC;
    }
    return perm;
}

static bool fs_user(uint64_t raw)
{
    return raw & VTD_FS_US;
}

static uint64_t fs_marks(const Stage *stage, const Entry *e, bool write)
{
    uint64_t marks = VTD_FS_A;

    if (stage->config->extended_accessed) {
        marks |= VTD_FS_EA;
    }
    if (write && e->leaf) {
        marks |= VTD_FS_D;
    }
    return marks;
}

static const Format first_stage_format = {
    .present = fs_present,
    .perm = fs_perm,
    .user = fs_user,
    .marks = fs_marks,
};

static bool ss_present(uint64_t raw)
{
    return raw & (VTD_SS_R | VTD_SS_W);
}

static uint8_t ss_perm(const Stage *stage, uint64_t raw)
{
    (void)stage;
    return (raw & VTD_SS_R ? VTD_PERM_READ | VTD_PERM_EXEC : 0) |
           (raw & VTD_SS_W ? VTD_PERM_WRITE : 0);
}

static bool ss_user(uint64_t raw)
{
    (void)raw;
    return true;
}

static uint64_t ss_marks(const Stage *stage, const Entry *e, bool write)
{
    if (!stage->config->ss_accessed_dirty) {
        return 0;
    }
    return VTD_SS_A | (write && e->leaf ? VTD_SS_D : 0);
}

static const Format second_stage_format = {
    .present = ss_present,
    .perm = ss_perm,
    .user = ss_user,
    .marks = ss_marks,
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

/* Check and interpret what was read at @level. */
static VtdFault decode_entry(const Stage *stage, uint64_t raw, unsigned level,
                             Entry *e)
{
    const Format *format = stage->format;

    if (!format->present(raw)) {
        return stage->faults.not_present;
    }
    e->raw = raw;
    e->leaf = level == 1 || (level <= 3 && (raw & VTD_FS_PS));
    e->perm = format->perm(stage, raw);
    e->user = format->user(raw);
    if (raw & (e->leaf ? stage->leaf_rsvd : stage->table_rsvd)[level]) {
        return stage->faults.reserved;
    }
    return VTD_FAULT_NONE;
}

static VtdFault walk_stage(const Stage *stage, uint64_t addr, bool write,
                           Result *out);

/* The place of an entry of @stage in memory, through the stage below.  @write:
 * it will be written, which makes its page dirty there. */
static VtdFault entry_place(const Stage *stage, uint64_t addr, bool root,
                            bool write, uint64_t *gpa, bool *writable)
{
    Result place;
    VtdFault fault;

    *gpa = addr;
    *writable = true;
    if (!stage->under) {
        return VTD_FAULT_NONE;
    }
    if (beyond(addr, stage->under->levels)) {
        return VTD_FAULT_FS_TABLE_BEYOND_WIDTH;
    }
    fault = walk_stage(stage->under, addr, write, &place);
    if (fault) {
        return fault;
    }
    if (!(place.perm & VTD_PERM_READ)) {
        return root ? VTD_FAULT_FS_ROOT_NO_READ : VTD_FAULT_FS_TABLE_NO_READ;
    }
    *gpa = place.addr;
    *writable = place.perm & VTD_PERM_WRITE;
    return VTD_FAULT_NONE;
}

/*
 * Read the entry at @addr, check it, and set the marks that its use needs.
 * The compare-and-exchange makes sure that marks are only put on the very
 * entry that was checked.
 */
static VtdFault use_entry(const Stage *stage, uint64_t addr, unsigned level,
                          bool write, Entry *e)
{
    const VtdEnv *env = stage->env;
    bool root = level == stage->levels;
    uint64_t gpa;
    bool writable;
    VtdFault fault = entry_place(stage, addr, root, false, &gpa, &writable);

    for (unsigned i = 0; !fault && i < UPDATE_ATTEMPTS; i++) {
        uint64_t raw;
        uint64_t marks;
        bool dirties;

        if (!env->load64(env->opaque, gpa, &raw)) {
            return root ? stage->faults.root_access : stage->faults.access;
        }
        fault = decode_entry(stage, raw, level, e);
        if (fault) {
            return fault;
        }
        /* A write that the entry forbids does not make the page dirty. */
        dirties = write && (e->perm & VTD_PERM_WRITE) &&
                  (e->user || stage->supervisor);
        marks = stage->format->marks(stage, e, dirties);
        if ((raw & marks) == marks) {
            return VTD_FAULT_NONE;
        }
        if (writable && stage->under && stage->config->ss_accessed_dirty) {
            fault = entry_place(stage, addr, root, true, &gpa, &writable);
            if (fault) {
                return fault;
            }
        }
        if (!writable) {
            return VTD_FAULT_FS_TABLE_NO_WRITE;
        }
        switch (env->cas64(env->opaque, gpa, raw, raw | marks)) {
        case VTD_CAS_DONE:
            e->raw = raw | marks;
            return VTD_FAULT_NONE;
        case VTD_CAS_CHANGED:
            break;
        case VTD_CAS_FAILED:
            return stage->faults.update;
        }
    }
    return fault ? fault : stage->faults.update;
}

static VtdFault walk_stage(const Stage *stage, uint64_t addr, bool write,
                           Result *out)
{
    uint64_t table = stage->root;

    out->perm = VTD_PERM_READ | VTD_PERM_WRITE | VTD_PERM_EXEC;
    out->user = true;
    for (unsigned level = stage->levels; level > 0; level--) {
        unsigned shift = level_shift(level);
        unsigned index = addr >> shift & ((1u << VTD_LEVEL_BITS) - 1);
        Entry e;
        bool allowed = (out->perm & VTD_PERM_WRITE) &&
                       (out->user || stage->supervisor);
        VtdFault fault = use_entry(stage, table + index * 8, level,
                                   write && allowed, &e);

        if (fault) {
            return fault;
        }
        out->perm &= e.perm;
        out->user = out->user && e.user;
        table = e.raw & VTD_PTE_ADDR;
        if (e.leaf) {
            uint64_t within = (1ull << shift) - 1;
            uint64_t marks = stage->format->marks(stage, &e, true);

            out->shift = shift;
            out->addr = (table & ~within) | (addr & within);
            out->dirty = (e.raw & marks) == marks;
            return VTD_FAULT_NONE;
        }
    }
    return stage->faults.access; /* not reached: level 1 is a leaf */
}

static Stage second_stage(const VtdEnv *env, const VtdCaps *caps,
                          const VtdConfig *c, VtdAccess access)
{
    bool write = access.perm & VTD_PERM_WRITE;
    Stage stage = {
        .env = env,
        .config = c,
        .format = &second_stage_format,
        .table_rsvd = caps->ss_table_rsvd,
        .leaf_rsvd = caps->ss_leaf_rsvd,
        .root = c->ss_table,
        .levels = c->ss_levels,
    };

    if (c->scalable) {
        stage.faults = (StageFaults){
            .access = VTD_FAULT_SS_ACCESS,
            .root_access = VTD_FAULT_SS_ROOT_ACCESS,
            .not_present = VTD_FAULT_SS_NOT_PRESENT,
            .reserved = VTD_FAULT_SS_RESERVED,
            .update = VTD_FAULT_SS_ACCESS,
        };
    } else {
        /* Legacy mode tells "not present" as a lack of permission. */
        stage.faults = (StageFaults){
            .access = VTD_FAULT_PAGING_ENTRY_ACCESS,
            .root_access = VTD_FAULT_CONTEXT_INVALID,
            .not_present = write ? VTD_FAULT_WRITE : VTD_FAULT_READ,
            .reserved = VTD_FAULT_PAGING_ENTRY_RESERVED,
        };
    }
    return stage;
}

static Stage first_stage(const VtdEnv *env, const VtdCaps *caps,
                         const VtdConfig *c, VtdAccess access,
                         const Stage *under)
{
    return (Stage){
        .env = env,
        .config = c,
        .format = &first_stage_format,
        .under = under,
        .table_rsvd = caps->fs_table_rsvd,
        .leaf_rsvd = caps->fs_leaf_rsvd,
        .root = c->fs_table,
        .levels = c->fs_levels,
        .supervisor = access.supervisor,
        .faults = {
            .access = VTD_FAULT_FS_ACCESS,
            .root_access = VTD_FAULT_FS_ROOT_ACCESS,
            .not_present = VTD_FAULT_FS_NOT_PRESENT,
            .reserved = VTD_FAULT_FS_RESERVED,
            .update = VTD_FAULT_FS_UPDATE,
        },
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

static VtdFault walk_second(const Stage *ss, const VtdConfig *c, uint64_t iova,
                            VtdAccess access, Result *r)
{
    bool write = access.perm & VTD_PERM_WRITE;
    VtdFault fault;

    if (beyond(iova, ss->levels)) {
        return c->scalable ? VTD_FAULT_SM_BEYOND_MGAW : VTD_FAULT_BEYOND_MGAW;
    }
    fault = walk_stage(ss, iova, write, r);
    if (fault) {
        return fault;
    }
    fault = check_perm(c, access, r->perm);
    keep_clean(r);
    return fault;
}

static VtdFault walk_first(const Stage *fs, const VtdConfig *c, uint64_t iova,
                           VtdAccess access, Result *r)
{
    VtdFault fault;

    if ((access.perm & VTD_PERM_EXEC) && !c->execute_enable) {
        return VTD_FAULT_SM_EXECUTE_DISABLED;
    }
    if (!canonical(iova, fs->levels)) {
        return VTD_FAULT_SM_NOT_CANONICAL;
    }
    fault = walk_stage(fs, iova, access.perm & VTD_PERM_WRITE, r);
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
    Result below;
    VtdFault fault;

    if (beyond(r->addr, ss->levels)) {
        return VTD_FAULT_SM_BEYOND_SECOND_STAGE;
    }
    fault = walk_stage(ss, r->addr, access.perm & VTD_PERM_WRITE, &below);
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

VtdFault vtd_check_privilege(const VtdConfig *config, VtdAccess access)
{
    if (access.supervisor && config->scalable && !config->supervisor_enable) {
        return VTD_FAULT_SM_SUPERVISOR_DISABLED;
    }
    return VTD_FAULT_NONE;
}

VtdFault vtd_walk(const VtdEnv *env, const VtdCaps *caps,
                  const VtdConfig *config, uint64_t iova, VtdAccess access,
                  VtdMapping *out)
{
    Stage ss = second_stage(env, caps, config, access);
    Stage fs = first_stage(env, caps, config, access,
                           config->kind == VTD_NESTED ? &ss : NULL);
    uint64_t within;
    VtdFault fault = vtd_check_privilege(config, access);
    Result r;

    if (fault) {
        return fault;
    }
    if (config->kind == VTD_SECOND_STAGE) {
        fault = walk_second(&ss, config, iova, access, &r);
    } else {
        fault = walk_first(&fs, config, iova, access, &r);
        if (!fault && config->kind == VTD_NESTED) {
            fault = walk_below(&ss, config, access, &r);
        }
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
        .format = &second_stage_format,
        .table_rsvd = caps->ss_table_rsvd,
        .leaf_rsvd = caps->ss_leaf_rsvd,
        .faults = { .not_present = VTD_FAULT_SS_NOT_PRESENT,
                    .reserved = VTD_FAULT_SS_RESERVED },
    };
    Entry e;

    if (decode_entry(&stage, raw, level, &e)) {
        return false;
    }
    *entry = (VtdEntry){
        .leaf = e.leaf,
        .perm = e.perm,
        .addr = raw & VTD_PTE_ADDR,
    };
    return true;
}
