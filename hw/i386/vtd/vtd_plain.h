/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walk as it nearly always goes: through one stage, for a user who does not
 * execute; all entries are there, with the marks that their use sets and
 * nothing reserved, in memory that is read in place, and they allow the access.
 * One comparison tells that of an entry.  Whatever is not so, any fault above
 * all, is for vtd_walk(), which begins again.
 */
#ifndef VTD_PLAIN_H
#define VTD_PLAIN_H

#include "vtd_format.h"

/* All that a plain walk has to know of a configuration, in one word. */
#define PLAIN_LEVELS VTD_BITS(2, 0) /* 0: no walk is plain */
#define PLAIN_FIRST_STAGE VTD_BIT(3)
#define PLAIN_MARKS VTD_BIT(4) /* EAFE, or SSADE */
#define PLAIN_EXECUTE VTD_BIT(5) /* ERE */
#define PLAIN_NO_EXECUTE VTD_BIT(6) /* NXE */
#define PLAIN_SCALABLE VTD_BIT(7)
#define PLAIN_ROOT VTD_PTE_ADDR

static inline uint64_t plain_second_stage(const VtdConfig *c)
{
    return c->ss_table | c->ss_levels |
           (c->ss_accessed_dirty ? PLAIN_MARKS : 0) |
           (c->scalable ? PLAIN_SCALABLE : 0);
}

static inline uint64_t plain_first_stage(const VtdConfig *c)
{
    return c->fs_table | c->fs_levels | PLAIN_FIRST_STAGE | PLAIN_SCALABLE |
           (c->extended_accessed ? PLAIN_MARKS : 0) |
           (c->execute_enable ? PLAIN_EXECUTE : 0) |
           (c->no_execute ? PLAIN_NO_EXECUTE : 0);
}

static inline uint64_t plain_word(const VtdConfig *c)
{
    return c->supervisor                 ? 0
           : c->kind == VTD_FIRST_STAGE  ? plain_first_stage(c)
           : c->kind == VTD_SECOND_STAGE ? plain_second_stage(c)
                                         : 0;
}

/* What of it is in the word. */
SPECIALISED VtdConfig plain_config(uint64_t word)
{
    return (VtdConfig){
        .scalable = word & PLAIN_SCALABLE,
        .execute_enable = word & PLAIN_EXECUTE,
        .no_execute = word & PLAIN_NO_EXECUTE,
        .extended_accessed = word & PLAIN_MARKS,
        .ss_accessed_dirty = word & PLAIN_MARKS,
        .fs_levels = word & PLAIN_LEVELS,
        .ss_levels = word & PLAIN_LEVELS,
        .fs_table = word & PLAIN_ROOT,
        .ss_table = word & PLAIN_ROOT,
    };
}

/* The quadword at @gpa; false: it cannot be read in place.  @window is a copy,
 * for the registers. */
SPECIALISED bool peek(const VtdEnv *env, VtdWindow *window, uint64_t gpa,
                      uint64_t *value)
{
    if (!vtd_env_in_window(window, gpa)) {
        const VtdWindow *found;

        if (!vtd_env_find_window(env, gpa, &found)) {
            return false;
        }
        *window = *found;
    }
    *value = vtd_env_peek64(window, gpa);
    return true;
}

/* The last entry, @raw in @table at @level: as below. */
SPECIALISED bool plain_leaf(const VtdWalk *walk, const Format *format,
                            uint64_t addr, uint64_t raw, unsigned level,
                            Trail trail, Result *out)
{
    const VtdConfig *config = walk->config;
    bool write = walk->access.perm & VTD_PERM_WRITE;
    uint64_t needed = format->needed(walk->access.perm);
    uint64_t set = needed | format->accessed(config) |
                   (write ? format->dirty(config) : 0);
    uint64_t reserved = format->reserved(walk->caps, level, true);

    if ((raw & (set | reserved)) != set || (trail.all & needed) != needed) {
        return false;
    }
    trail = (Trail){ trail.all & raw, trail.any | raw };
    *out = result_of(walk, format, addr, raw, level, trail);
    return true;
}

/* @walk->config needs to have no more than plain_config() gives, and there is
 * one permission at least that is asked for.  False: it is not plain, nothing
 * has been changed. */
SPECIALISED bool walk_plain(VtdWalk *walk, const Format *format, uint64_t addr,
                            Result *out)
{
    uint64_t set = format->plain | format->accessed(walk->config);
    uint64_t checked =
        set | format->reserved(walk->caps, VTD_MAX_LEVELS, false);
    VtdWindow window = { 0 };
    unsigned level = format->levels(walk->config);
    uint64_t table = format->root(walk->config);
    Trail trail = { .all = ~0ull };
    uint64_t raw;

    if (walk->last_table) {
        table = walk->last_table & VTD_PTE_ADDR;
        trail = trail_to_table(walk->last_table);
        level = 1;
    }
    for (; level > 1; level--) {
        if (!peek(walk->env, &window, entry_address(table, addr, level),
                  &raw)) {
            return false;
        }
        if ((raw & checked) != set) {
            return is_leaf(raw, level) &&
                   plain_leaf(walk, format, addr, raw, level, trail, out);
        }
        trail = (Trail){ trail.all & raw, trail.any | raw };
        table = raw & VTD_PTE_ADDR;
    }
    if (!peek(walk->env, &window, entry_address(table, addr, 1), &raw)) {
        return false;
    }
    if (!walk->last_table) {
        walk->last_table = pack_table(table, trail);
    }
    return plain_leaf(walk, format, addr, raw, 1, trail, out);
}

/* vtd_walk(), if the walk is plain. */
SPECIALISED bool vtd_walk_plain(VtdWalk *walk, bool first_stage,
                                uint64_t iova, VtdMapping *out)
{
    Result r;

    if (first_stage) {
        if (!canonical(iova, walk->config->fs_levels) ||
            !walk_plain(walk, &first_stage_format, iova, &r)) {
            return false;
        }
    } else if (beyond(iova, walk->config->ss_levels) ||
               !walk_plain(walk, &second_stage_format, iova, &r)) {
        return false;
    }
    keep_clean(&r);
    mapping_of(&r, iova, out);
    return true;
}

#endif
