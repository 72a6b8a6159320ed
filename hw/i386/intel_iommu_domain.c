/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include <sys/ioctl.h>

#include "exec/address-spaces.h"
#include "intel_iommu_domain.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "trace/trace-hw_i386_vtd.h"
#include "vtd/vtd_shadow.h"

struct VtdHostDomain {
    VtdDomainSource source;
    VtdConfig config; /* did, ss_table and ss_levels tell domains apart */
    VtdEnv env;
    VtdShadow *shadow;
    uint32_t ioas;
    unsigned users;
    bool stuck; /* the host has not taken back what the guest has */
};

/* A piece of guest memory, which the host has mapped already. */
static void map_memory(VtdHostDomain *d, uint64_t iova, uint64_t gpa,
                       uint64_t size, uint8_t perm)
{
    struct iommu_ioas_copy copy = {
        .size = sizeof(copy),
        .flags = IOMMU_IOAS_MAP_FIXED_IOVA |
                 (perm & VTD_PERM_READ ? IOMMU_IOAS_MAP_READABLE : 0) |
                 (perm & VTD_PERM_WRITE ? IOMMU_IOAS_MAP_WRITEABLE : 0),
        .dst_ioas_id = d->ioas,
        .src_ioas_id = d->source.memory_ioas,
        .length = size,
        .dst_iova = iova,
        .src_iova = gpa,
    };
    int error = 0;

    if (ioctl(d->source.iommufd->fd, IOMMU_IOAS_COPY, &copy)) {
        error = errno;
        warn_report_once("intel-iommu: the host kernel refused to map a page "
                         "of the guest's second stage: %s",
                         strerror(error));
    }
    trace_vtd_domain_map(d->config.did, iova, gpa, size, perm, error);
}

/* The parts of [@gpa, @gpa + @size) that are memory. */
static void map_range(VtdHostDomain *d, uint64_t iova, uint64_t gpa,
                      uint64_t size, uint8_t perm)
{
    uint64_t done = 0;

    while (done < size) {
        MemoryRegionSection section = memory_region_find(
            get_system_memory(), gpa + done, size - done);
        uint64_t start, length;

        if (!section.mr) {
            return;
        }
        start = section.offset_within_address_space - gpa;
        length = int128_get64(section.size);
        if (memory_region_is_ram(section.mr) &&
            !memory_region_is_ram_device(section.mr) && !section.readonly) {
            map_memory(d, iova + start, gpa + start, length, perm);
        }
        memory_region_unref(section.mr);
        done = start + length;
    }
}

/* The host reserves the interrupt range, and refuses whole tables for it. */
static void domain_map(void *opaque, const VtdMapping *page)
{
    uint64_t first = page->iova;
    uint64_t last = page->iova + ((1ull << page->shift) - 1);
    uint64_t end = MIN(last, VTD_MSI_RANGE_FIRST - 1);
    uint64_t again = MAX(first, VTD_MSI_RANGE_LAST + 1);

    if (last < VTD_MSI_RANGE_FIRST || first > VTD_MSI_RANGE_LAST) {
        map_range(opaque, first, page->pa, last - first + 1, page->perm);
        return;
    }
    if (first < VTD_MSI_RANGE_FIRST) {
        map_range(opaque, first, page->pa, end - first + 1, page->perm);
    }
    if (last > VTD_MSI_RANGE_LAST) {
        map_range(opaque, again, page->pa + (again - first), last - again + 1,
                  page->perm);
    }
}

static void domain_unmap(void *opaque, uint64_t iova, uint64_t size)
{
    VtdHostDomain *d = opaque;
    struct iommu_ioas_unmap unmap = {
        .size = sizeof(unmap),
        .ioas_id = d->ioas,
        .iova = iova,
        .length = size,
    };
    int error = 0;

    if (ioctl(d->source.iommufd->fd, IOMMU_IOAS_UNMAP, &unmap)) {
        error = errno;
    }
    trace_vtd_domain_unmap(d->config.did, iova, size, error);
    /* Nothing there: what the guest maps there is no memory. */
    if (error && error != ENOENT) {
        d->stuck = true;
    }
}

/* False: the host still maps what it should not. */
static bool update(VtdHostDomain *d, uint64_t first, uint64_t last)
{
    VtdShadowSink sink = {
        .opaque = d,
        .map = domain_map,
        .unmap = domain_unmap,
    };

    vtd_shadow_sync(d->shadow, first, last, &sink);
    return !d->stuck;
}

static bool is_of(const VtdHostDomain *d, const VtdConfig *config)
{
    return d->config.did == config->did &&
           d->config.ss_table == config->ss_table &&
           d->config.ss_levels == config->ss_levels;
}

static VtdHostDomain *create(const VtdDomainSource *source,
                             const VtdConfig *config)
{
    VtdHostDomain *d = g_new0(VtdHostDomain, 1);
    Error *error = NULL;

    d->source = *source;
    d->config = *config;
    d->env = vtd_env(source->iommu_state);
    d->shadow = vtd_shadow_new(&d->env, &source->iommu_state->unit->caps,
                               config);
    if (d->shadow &&
        iommufd_backend_alloc_ioas(source->iommufd, &d->ioas, &error)) {
        update(d, 0, UINT64_MAX);
        return d;
    }
    if (error) {
        warn_report_err(error);
    }
    if (d->shadow) {
        vtd_shadow_free(d->shadow);
    }
    g_free(d);
    return NULL;
}

VtdHostDomain *vtd_host_domain_get(GSList **all,
                                   const VtdDomainSource *source,
                                   const VtdConfig *config)
{
    VtdHostDomain *d;

    for (GSList *link = *all; link; link = link->next) {
        d = link->data;
        if (d->source.iommufd == source->iommufd && !d->stuck &&
            is_of(d, config)) {
            d->users++;
            return d;
        }
    }
    d = create(source, config);
    if (d) {
        d->users = 1;
        *all = g_slist_prepend(*all, d);
    }
    return d;
}

void vtd_host_domain_put(GSList **all, VtdHostDomain *d)
{
    if (--d->users == 0) {
        *all = g_slist_remove(*all, d);
        iommufd_backend_free_id(d->source.iommufd, d->ioas);
        vtd_shadow_free(d->shadow);
        g_free(d);
    }
}

uint32_t vtd_host_domain_ioas(const VtdHostDomain *d)
{
    return d->ioas;
}

bool vtd_host_domain_invalidate(VtdHostDomain *d, const VtdNotice *n)
{
    if (n->scope != VTD_SCOPE_GLOBAL && n->did != d->config.did) {
        return true;
    }
    if (n->scope != VTD_SCOPE_PAGE) {
        return update(d, 0, UINT64_MAX);
    }
    return update(d, n->addr, n->addr + ((VTD_PAGE_SIZE << n->order) - 1));
}
