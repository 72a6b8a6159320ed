/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's notices on their way to the host: which bindings each of them
 * covers, and in which order they go down.
 */
#include "qemu/osdep.h"

#include "intel_iommu_host.h"

/* One of @host's bindings after another: @use of it, with @opaque. */
static void for_each_binding(VtdHost *host,
                             void (*use)(VtdBinding *b, void *opaque),
                             void *opaque)
{
    for (unsigned i = 0; i < host->devices->len; i++) {
        VtdHostDevice *dev = g_ptr_array_index(host->devices, i);
        GHashTableIter iter;
        gpointer b;

        use(dev->rid, opaque);
        g_hash_table_iter_init(&iter, dev->pasids);
        while (g_hash_table_iter_next(&iter, NULL, &b)) {
            use(b, opaque);
        }
    }
}

/* The earliest notice that failed counts. */
typedef struct Flushed {
    VtdDelivery result;
    unsigned failed;
} Flushed;

static void flush_binding(VtdBinding *b, void *opaque)
{
    Flushed *all = opaque;
    unsigned index = 0;
    VtdDelivery one = vtd_binding_flush(b, &index);

    if (one != VTD_DELIVERED &&
        (all->result == VTD_DELIVERED || index < all->failed)) {
        *all = (Flushed){ one, index };
    }
}

static VtdDelivery flush_all(VtdHost *host, unsigned *failed)
{
    Flushed all = { VTD_DELIVERED, 0 };

    for_each_binding(host, flush_binding, &all);
    if (all.result != VTD_DELIVERED) {
        *failed = all.failed;
    }
    return all.result;
}

typedef struct Kept {
    const VtdNotice *notice;
    unsigned index;
} Kept;

static void keep_invalidation(VtdBinding *b, void *opaque)
{
    const Kept *kept = opaque;

    if (vtd_binding_covered(b, kept->notice)) {
        vtd_binding_invalidate(b, kept->notice, kept->index);
    }
}

static void mirror_all(VtdHost *host, const VtdNotice *notice)
{
    for (unsigned i = 0; i < host->devices->len; i++) {
        vtd_host_mirror(g_ptr_array_index(host->devices, i), notice);
    }
}

static void block_domain(VtdBinding *b, void *domain)
{
    if (b->hwpts.domain == domain) {
        vtd_binding_block(b);
    }
}

/* False: the host has not followed; who used the domain is blocked. */
static bool update_domains(VtdHost *host, const VtdNotice *notice)
{
    GSList *next;
    bool good = true;

    for (GSList *link = host->domains; link; link = next) {
        VtdHostDomain *domain = link->data;

        next = link->next; /* the domain may go with its last user */
        if (!vtd_host_domain_invalidate(domain, notice)) {
            host->counters.errors++;
            for_each_binding(host, block_domain, domain);
            good = false;
        }
    }
    return good;
}

static void answer_page_request(VtdHost *host, const VtdNotice *notice)
{
    for (unsigned i = 0; i < host->devices->len; i++) {
        VtdHostDevice *dev = g_ptr_array_index(host->devices, i);

        if (vtd_space_source(dev->common.space)->req.sid == notice->sid) {
            dev->common.ops->answer(&dev->common, notice);
        }
    }
}

VtdDelivery vtd_host_deliver(IntelIOMMUState *s, const VtdNotice *notices,
                             unsigned count, unsigned *done)
{
    VtdHost *host = s->host;
    VtdDelivery result = VTD_DELIVERED;

    host->counters.batches++;
    for (unsigned i = 0; i < count && result == VTD_DELIVERED; i++) {
        Kept kept = { &notices[i], i };

        switch (notices[i].kind) {
        case VTD_NOTICE_TRANSLATION:
        case VTD_NOTICE_CONTEXT:
        case VTD_NOTICE_PASID_CACHE:
            result = flush_all(host, done);
            if (result == VTD_DELIVERED) {
                mirror_all(host, &notices[i]);
            }
            break;
        case VTD_NOTICE_IOTLB:
            if (!update_domains(host, &notices[i])) {
                *done = i;
                result = VTD_DELIVERY_REFUSED;
                break;
            }
            /* fall through */
        case VTD_NOTICE_PASID_IOTLB:
            if (s->forward_invalidation) {
                for_each_binding(host, keep_invalidation, &kept);
            }
            break;
        case VTD_NOTICE_DEVICE_TLB: /* the kernel does it with the IOTLB */
        case VTD_NOTICE_INTERRUPT_ENTRY: /* not the host's matter */
            break;
        case VTD_NOTICE_PAGE_RESPONSE:
            answer_page_request(host, &notices[i]);
            break;
        }
    }
    return result == VTD_DELIVERED ? flush_all(host, done) : result;
}
