/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices that are passed through without nested translation: their users
 * (VFIO containers) keep tables of their own and want to be told of each
 * mapping.  The guest tells us of changes because CAP.CM is set.
 *
 * Spaces that the guest gave the same second-stage tables share a mirror of
 * them (vtd/vtd_shadow.h): a change is found once and told to all.
 */
#include "qemu/osdep.h"

#include "exec/address-spaces.h"
#include "intel_iommu_space.h"
#include "qemu/error-report.h"
#include "trace/trace-hw_i386_vtd.h"
#include "vtd/vtd_shadow.h"

/* Spaces with the same tables. */
struct VtdShadowDomain {
    VtdConfig config; /* did, ss_table and ss_levels tell domains apart */
    VtdShadow *shadow;
    GPtrArray *members; /* of VtdAddressSpace */
    QLIST_ENTRY(VtdShadowDomain) next;
};

/*
 * Notifiers leave out the interrupt range, and an event has to lie within its
 * notifier.  A page at the edge is told in smaller ones.
 */
static void tell_map(IOMMUNotifier *n, const VtdMapping *page)
{
    uint64_t last = page->iova + ((1ull << page->shift) - 1);
    IOMMUTLBEvent event = {
        .type = IOMMU_NOTIFIER_MAP,
        .entry = {
            .target_as = &address_space_memory,
            .iova = page->iova,
            .translated_addr = page->pa,
            .addr_mask = (1ull << page->shift) - 1,
            .perm = page->perm & IOMMU_RW,
        },
    };

    if (last < n->start || page->iova > n->end) {
        return;
    }
    if (page->iova >= n->start && last <= n->end) {
        memory_region_notify_iommu_one(n, &event);
    } else if (page->shift > VTD_PAGE_SHIFT) {
        VtdMapping half = *page;

        half.shift--;
        tell_map(n, &half);
        half.iova += 1ull << half.shift;
        half.pa += 1ull << half.shift;
        tell_map(n, &half);
    }
}

static void tell_unmap(IOMMUNotifier *n, uint64_t iova, uint64_t size)
{
    uint64_t first = MAX(iova, n->start);
    uint64_t last = MIN(iova + (size - 1), n->end);
    IOMMUTLBEvent event = {
        .type = IOMMU_NOTIFIER_UNMAP,
        .entry = {
            .target_as = &address_space_memory,
            .iova = first,
            .addr_mask = last - first,
            .perm = IOMMU_NONE,
        },
    };

    if (first <= last) {
        memory_region_notify_iommu_one(n, &event);
    }
}

/* To one notifier. */
static void notifier_map(void *opaque, const VtdMapping *page)
{
    tell_map(opaque, page);
}

/* To one space. */
static void space_map(void *opaque, const VtdMapping *page)
{
    VtdAddressSpace *space = opaque;
    IOMMUNotifier *n;

    IOMMU_NOTIFIER_FOREACH(n, &space->iommu) {
        if (n->notifier_flags & IOMMU_NOTIFIER_MAP) {
            tell_map(n, page);
        }
    }
}

static void space_unmap(void *opaque, uint64_t iova, uint64_t size)
{
    VtdAddressSpace *space = opaque;
    IOMMUNotifier *n;

    IOMMU_NOTIFIER_FOREACH(n, &space->iommu) {
        if (n->notifier_flags & IOMMU_NOTIFIER_MAP) {
            tell_unmap(n, iova, size);
        }
    }
}

/* To all spaces of a domain. */
static void domain_map(void *opaque, const VtdMapping *page)
{
    VtdShadowDomain *domain = opaque;

    trace_vtd_shadow_map(domain->config.did, page->iova, page->pa,
                         page->shift, page->perm);
    for (unsigned i = 0; i < domain->members->len; i++) {
        space_map(g_ptr_array_index(domain->members, i), page);
    }
}

static void domain_unmap(void *opaque, uint64_t iova, uint64_t size)
{
    VtdShadowDomain *domain = opaque;

    trace_vtd_shadow_unmap(domain->config.did, iova, size);
    for (unsigned i = 0; i < domain->members->len; i++) {
        space_unmap(g_ptr_array_index(domain->members, i), iova, size);
    }
}

static void domain_sync(VtdShadowDomain *domain, uint64_t first,
                        uint64_t last)
{
    VtdShadowSink sink = {
        .opaque = domain,
        .map = domain_map,
        .unmap = domain_unmap,
    };

    vtd_shadow_sync(domain->shadow, first, last, &sink);
    if (vtd_shadow_truncated(domain->shadow)) {
        warn_report_once("intel-iommu: the guest's tables are too large to "
                         "be mirrored for passed-through devices; part of "
                         "their addresses is not mapped");
    }
}

static VtdShadowDomain *domain_find(IntelIOMMUState *s, const VtdConfig *c)
{
    VtdShadowDomain *domain;

    QLIST_FOREACH(domain, &s->shadow_domains, next) {
        if (domain->config.did == c->did &&
            domain->config.ss_table == c->ss_table &&
            domain->config.ss_levels == c->ss_levels) {
            return domain;
        }
    }
    return NULL;
}

static VtdShadowDomain *domain_new(IntelIOMMUState *s, const VtdConfig *c)
{
    VtdShadow *shadow = vtd_shadow_new(&s->unit->env, &s->unit->caps, c);
    VtdShadowDomain *domain;

    if (!shadow) {
        return NULL;
    }
    domain = g_new0(VtdShadowDomain, 1);
    domain->config = *c;
    domain->shadow = shadow;
    domain->members = g_ptr_array_new();
    QLIST_INSERT_HEAD(&s->shadow_domains, domain, next);
    domain_sync(domain, 0, UINT64_MAX);
    return domain;
}

static void domain_remove(VtdAddressSpace *space)
{
    VtdShadowDomain *domain = space->shadow_domain;

    g_ptr_array_remove(domain->members, space);
    space->shadow_domain = NULL;
    if (!domain->members->len) {
        QLIST_REMOVE(domain, next);
        vtd_shadow_free(domain->shadow);
        g_ptr_array_free(domain->members, true);
        g_free(domain);
    }
}

/* The domain that @space belongs to now, or NULL if nothing is mapped. */
static VtdShadowDomain *domain_of(VtdAddressSpace *space)
{
    IntelIOMMUState *s = space->iommu_state;
    VtdShadowDomain *domain;
    VtdConfig config;

    if (!(space->notifier_flags & IOMMU_NOTIFIER_MAP) || space->host ||
        !vtd_translation_enabled(s->unit) ||
        vtd_configuration(s->unit, vtd_space_source(space), &config) ||
        config.kind != VTD_SECOND_STAGE) {
        return NULL;
    }
    domain = domain_find(s, &config);
    return domain ? domain : domain_new(s, &config);
}

void vtd_shadow_space_changed(VtdAddressSpace *space, bool told)
{
    VtdShadowDomain *old = space->shadow_domain;
    VtdShadowDomain *now = domain_of(space);
    VtdShadowSink sink = {
        .opaque = space,
        .map = space_map,
        .unmap = space_unmap,
    };

    if (now == old) {
        return;
    }
    if (old) {
        if (!told) {
            vtd_shadow_withdraw(old->shadow, &sink);
        }
        domain_remove(space);
    }
    if (now) {
        space->shadow_domain = now;
        g_ptr_array_add(now->members, space);
        if (!told) {
            vtd_shadow_replay(now->shadow, &sink);
        }
    }
}

void vtd_shadow_configurations_changed(IntelIOMMUState *s)
{
    VtdAddressSpace *space, *next;

    QLIST_FOREACH_SAFE(space, &s->notified_spaces, notified, next) {
        vtd_shadow_space_changed(space, false);
    }
}

void vtd_shadow_replay_to(VtdAddressSpace *space, IOMMUNotifier *notifier)
{
    VtdShadowSink sink = { .opaque = notifier, .map = notifier_map };

    if (space->shadow_domain) {
        vtd_shadow_replay(space->shadow_domain->shadow, &sink);
    }
}

void vtd_shadow_invalidate(IntelIOMMUState *s, const VtdNotice *n)
{
    uint64_t first = 0;
    uint64_t last = UINT64_MAX;
    VtdShadowDomain *domain;

    if (n->scope == VTD_SCOPE_PAGE) {
        first = n->addr;
        last = n->addr + ((VTD_PAGE_SIZE << n->order) - 1);
    }
    QLIST_FOREACH(domain, &s->shadow_domains, next) {
        if (n->scope == VTD_SCOPE_GLOBAL || domain->config.did == n->did) {
            domain_sync(domain, first, last);
        }
    }
}
