/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mirror of a domain's second-stage tables, for users that are told of each
 * mapping (VFIO containers, where the host keeps tables of its own).
 *
 * The mirror holds a copy of each guest table as it was at the last
 * invalidation.  To bring a range up to date is to compare the copies with the
 * guest's tables: what is equal costs a comparison, and only what changed is
 * unmapped and mapped.  The copies are at the same time the record of what is
 * mapped at the users.
 */
#ifndef VTD_SHADOW_H
#define VTD_SHADOW_H

#include "vtd_context.h"

/*
 * Tables that one mirror may hold.  A guest can build tables that contain
 * themselves; what lies beyond this number is left unmapped.
 */
#define VTD_SHADOW_MAX_TABLES 32768

typedef struct VtdShadow VtdShadow;

typedef struct VtdShadowSink {
    void *opaque;
    /* A page that was not mapped before. */
    void (*map)(void *opaque, const VtdMapping *page);
    /* A range, a power of two and aligned to it, with at least one page in
     * it; each of its pages was mapped with a size that lies within. */
    void (*unmap)(void *opaque, uint64_t iova, uint64_t size);
} VtdShadowSink;

/*
 * An empty mirror of the second-stage tables of @config.  NULL if there is no
 * memory.  Callers serialise all calls on one mirror.
 */
VtdShadow *vtd_shadow_new(const VtdEnv *env, const VtdCaps *caps,
                          const VtdConfig *config);
void vtd_shadow_free(VtdShadow *shadow);

/* Bring the pages of [first, last] up to date; @sink is told what changed. */
void vtd_shadow_sync(VtdShadow *shadow, uint64_t first, uint64_t last,
                     const VtdShadowSink *sink);

/* Tell @sink all that is mapped, or unmap it all there.  The mirror itself
 * does not change. */
void vtd_shadow_replay(const VtdShadow *shadow, const VtdShadowSink *sink);
void vtd_shadow_withdraw(const VtdShadow *shadow, const VtdShadowSink *sink);

/* True if the guest's tables were too many to be mirrored in full. */
bool vtd_shadow_truncated(const VtdShadow *shadow);

#endif
