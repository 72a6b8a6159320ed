/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_walk.h"

#include "vtd_plain.h"

/* How many times an entry may change under an accessed-bit update before the
 * walk gives up: the guest could keep changing it for ever. */
#define UPDATE_ATTEMPTS 8

/* What is wrong with an entry that was read at @level. */
SPECIALISED VtdFault check_entry(const VtdWalk *walk, const Format *format,
                                 uint64_t raw, unsigned level)
{
    if (!(raw & format->present)) {
        return format->faults(walk)->not_present;
    }
    if (raw & format->reserved(walk->caps, level, is_leaf(raw, level))) {
        return format->faults(walk)->reserved;
    }
    return VTD_FAULT_NONE;
}

/* The bits that the use of an entry sets, which ends @trail.  A write that is
 * forbidden does not make the page dirty. */
SPECIALISED uint64_t marks(const VtdWalk *walk, const Format *format,
                           Trail trail, bool write)
{
    bool dirties = write && (format->perm(walk, trail) & VTD_PERM_WRITE) &&
                   (format->user(trail) || walk->access.supervisor);

    return format->accessed(walk->config) |
           (dirties ? format->dirty(walk->config) : 0);
}

static VtdFault walk_second_stage(VtdWalk *walk, uint64_t addr,
                                  bool write, Result *out);

/* Where an entry lies. */
typedef struct Place {
    uint64_t addr; /* as the entry above leads there */
    uint64_t gpa;
    unsigned level;
    bool writable;
} Place;

SPECIALISED bool in_root_table(const VtdWalk *walk, const Format *format,
                               const Place *place)
{
    return place->level == format->levels(walk->config);
}

/* Find the place in memory, through the second stage if the format says so.
 * @write: it will be written, which makes its page dirty there. */
SPECIALISED VtdFault find_place(VtdWalk *walk, const Format *format,
                                bool write, Place *place)
{
    Result below;
    VtdFault fault;

    place->gpa = place->addr;
    place->writable = true;
    if (!format->over) {
        return VTD_FAULT_NONE;
    }
    if (beyond(place->addr, walk->config->ss_levels)) {
        return VTD_FAULT_FS_TABLE_BEYOND_WIDTH;
    }
    fault = walk_second_stage(walk, place->addr, write, &below);
    if (fault) {
        return fault;
    }
    if (!(below.perm & VTD_PERM_READ)) {
        return in_root_table(walk, format, place) ? VTD_FAULT_FS_ROOT_NO_READ
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
SPECIALISED VtdFault set_marks(VtdWalk *walk, const Format *format,
                               Place *place, uint64_t raw, uint64_t missing,
                               bool *set)
{
    const VtdEnv *env = walk->env;
    VtdFault fault = VTD_FAULT_NONE;

    if (format->over && place->writable && walk->config->ss_accessed_dirty) {
        fault = find_place(walk, format, true, place);
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
        return format->faults(walk)->update;
    }
}

/*
 * Read the entry at @place, which @trail leads to, check it, and set the marks
 * that its use needs.  On success it is in @raw and @trail.
 */
SPECIALISED VtdFault use_entry(VtdWalk *walk, const Format *format,
                               Place *place, bool write, Trail *trail,
                               uint64_t *raw)
{
    VtdFault fault = find_place(walk, format, false, place);

    for (unsigned i = 0; !fault && i < UPDATE_ATTEMPTS; i++) {
        uint64_t missing;
        bool set = true;
        Trail now;

        if (!vtd_env_load64(walk->env, place->gpa, raw, &walk->window)) {
            const StageFaults *faults = format->faults(walk);

            return in_root_table(walk, format, place) ? faults->root_access
                                                      : faults->access;
        }
        fault = check_entry(walk, format, *raw, place->level);
        if (fault) {
            return fault;
        }
        now = (Trail){ trail->all & *raw, trail->any | *raw };
        missing = ~*raw & marks(walk, format, now,
                                write && is_leaf(*raw, place->level));
        if (missing) {
            fault = set_marks(walk, format, place, *raw, missing, &set);
        }
        if (!fault && set) {
            *raw |= missing;
            *trail = now;
            return VTD_FAULT_NONE;
        }
    }
    return fault ? fault : format->faults(walk)->update;
}

/* @last_table: as VtdWalk's. */
SPECIALISED VtdFault walk_stage(VtdWalk *walk, const Format *format,
                                uint64_t addr, bool write,
                                uint64_t *last_table, Result *out)
{
    unsigned level = format->levels(walk->config);
    uint64_t table = format->root(walk->config);
    Trail trail = { .all = ~0ull };

    if (*last_table) {
        level = 1;
        table = *last_table & VTD_PTE_ADDR;
        trail = trail_to_table(*last_table);
    }
    for (; level > 0; level--) {
        Place place = {
            .addr = entry_address(table, addr, level),
            .level = level,
        };
        Trail before = trail;
        uint64_t raw = 0;
        VtdFault fault = use_entry(walk, format, &place, write, &trail, &raw);

        if (fault) {
            return fault;
        }
        if (is_leaf(raw, level)) {
            if (!*last_table && level == 1) {
                *last_table = pack_table(table, before);
            }
            *out = result_of(walk, format, addr, raw, level, trail);
            return VTD_FAULT_NONE;
        }
        table = raw & VTD_PTE_ADDR;
    }
    return format->faults(walk)->access; /* not reached: level 1 is a leaf */
}

/* Below a first stage; which tables it went through is not kept. */
static VtdFault walk_second_stage(VtdWalk *walk, uint64_t addr,
                                  bool write, Result *out)
{
    uint64_t last_table = 0;

    VtdWalk plain = {
        .env = walk->env,
        .caps = walk->caps,
        .config = walk->config,
        .access = { .perm = write ? VTD_PERM_WRITE : VTD_PERM_READ },
    };

    if (walk_plain(&plain, &second_stage_format, addr, out)) {
        return VTD_FAULT_NONE;
    }
    return walk_stage(walk, &second_stage_format, addr, write, &last_table,
                      out);
}

SPECIALISED VtdFault check_perm(const VtdWalk *walk, uint8_t perm)
{
    bool scalable = walk->config->scalable;
    uint8_t missing = walk->access.perm & ~perm;

    if (!missing) {
        return VTD_FAULT_NONE;
    }
    if (missing & VTD_PERM_WRITE) {
        return scalable ? VTD_FAULT_SM_WRITE : VTD_FAULT_WRITE;
    }
    if (missing & VTD_PERM_READ) {
        return scalable ? VTD_FAULT_SM_READ : VTD_FAULT_READ;
    }
    return VTD_FAULT_SM_NO_EXECUTE;
}

SPECIALISED VtdFault walk_second(VtdWalk *walk, uint64_t iova, Result *r)
{
    bool write = walk->access.perm & VTD_PERM_WRITE;
    VtdFault fault;

    if (beyond(iova, walk->config->ss_levels)) {
        return walk->config->scalable ? VTD_FAULT_SM_BEYOND_MGAW
                                      : VTD_FAULT_BEYOND_MGAW;
    }
    fault = walk_stage(walk, &second_stage_format, iova, write,
                       &walk->last_table, r);
    if (!fault) {
        fault = check_perm(walk, r->perm);
        keep_clean(r);
    }
    return fault;
}

SPECIALISED VtdFault walk_first(VtdWalk *walk, const Format *format,
                                uint64_t iova, Result *r)
{
    bool write = walk->access.perm & VTD_PERM_WRITE;
    VtdFault fault;

    if ((walk->access.perm & VTD_PERM_EXEC) && !walk->config->execute_enable) {
        return VTD_FAULT_SM_EXECUTE_DISABLED;
    }
    if (!canonical(iova, walk->config->fs_levels)) {
        return VTD_FAULT_SM_NOT_CANONICAL;
    }
    fault = walk_stage(walk, format, iova, write, &walk->last_table, r);
    if (fault) {
        return fault;
    }
    if (!walk->access.supervisor && !r->user) {
        return VTD_FAULT_SM_PRIVILEGE;
    }
    fault = check_perm(walk, r->perm);
    keep_clean(r);
    return fault;
}

/* The first stage's result through the second stage. */
static VtdFault walk_below(VtdWalk *walk, Result *r)
{
    Result below;
    VtdFault fault;

    if (beyond(r->addr, walk->config->ss_levels)) {
        return VTD_FAULT_SM_BEYOND_SECOND_STAGE;
    }
    fault = walk_second_stage(walk, r->addr,
                              walk->access.perm & VTD_PERM_WRITE, &below);
    if (fault) {
        return fault;
    }
    fault = check_perm(walk, below.perm);
    keep_clean(&below);
    r->addr = below.addr;
    r->perm &= below.perm;
    if (below.shift < r->shift) {
        r->shift = below.shift;
    }
    return fault;
}

static VtdFault walk_nested(VtdWalk *walk, uint64_t iova, Result *r)
{
    VtdFault fault = walk_first(walk, &nested_format, iova, r);

    return fault ? fault : walk_below(walk, r);
}

VtdFault vtd_walk(VtdWalk *walk, uint64_t iova, VtdMapping *out)
{
    VtdFault fault = vtd_check_privilege(walk->config, walk->access);
    Result r;

    if (fault) {
        return fault;
    }
    walk->window = &vtd_env_no_window;
    switch (walk->config->kind) {
    case VTD_SECOND_STAGE:
        fault = walk_second(walk, iova, &r);
        break;
    case VTD_NESTED:
        fault = walk_nested(walk, iova, &r);
        break;
    default:
        fault = walk_first(walk, &first_stage_format, iova, &r);
        break;
    }
    if (fault) {
        return fault;
    }
    mapping_of(&r, iova, out);
    return VTD_FAULT_NONE;
}

bool vtd_second_stage_entry(const VtdCaps *caps, uint64_t raw, unsigned level,
                            VtdEntry *entry)
{
    bool leaf = is_leaf(raw, level);

    if (!(raw & second_stage_format.present) ||
        (raw & ss_reserved(caps, level, leaf))) {
        return false;
    }
    *entry = (VtdEntry){
        .leaf = leaf,
        .perm = ss_perm(NULL, (Trail){ .all = raw }),
        .addr = raw & VTD_PTE_ADDR,
    };
    return true;
}
