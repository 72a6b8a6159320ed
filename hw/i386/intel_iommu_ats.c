/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Emulated devices with PASIDs, ATS and page requests: the interface of
 * hw/misc/ats_iommu.h.
 *
 * A PASID costs no address space here, only a VtdSource: its requests ask the
 * model directly.
 */
#include "qemu/osdep.h"

#include "hw/misc/ats_iommu.h"
#include "hw/pci/pci.h"
#include "intel_iommu_drain.h"
#include "intel_iommu_space.h"
#include "qemu/lockable.h"
#include "qemu/rcu.h"
#include "trace/trace-hw_i386_vtd.h"
#include "vtd/vtd_quick.h"

/* PASIDs of a device whose configuration is kept; that of others is decoded for
 * each request. */
#define MAX_SOURCES 65536

/*
 * Sources by PASID, as a tree of arrays: whoever looks takes no lock, and a
 * PASID costs at most a leaf, a branch and the source.  It only grows.
 */
#define LEAF_BITS 6
#define BRANCH_BITS 7
QEMU_BUILD_BUG_ON(LEAF_BITS + 2 * BRANCH_BITS != VTD_PASID_MAX_BITS);

typedef struct SourceLeaf {
    VtdSource *source[1 << LEAF_BITS];
} SourceLeaf;

typedef struct SourceBranch {
    SourceLeaf *leaf[1 << BRANCH_BITS];
} SourceBranch;

struct AtsDevice {
    IntelIOMMUState *iommu_state;
    VtdAddressSpace *space; /* of requests without PASID */
    AtsListener *listener;
    QemuMutex lock;         /* of whoever adds to the tree */
    SourceBranch *branch[1 << BRANCH_BITS];
    unsigned sources;
    QLIST_ENTRY(AtsDevice) next;
};

QEMU_BUILD_BUG_ON((int)ATS_READ != (int)VTD_PERM_READ ||
                  (int)ATS_WRITE != (int)VTD_PERM_WRITE ||
                  (int)ATS_EXECUTE != (int)VTD_PERM_EXEC ||
                  (int)ATS_RESPONSE_SUCCESS != (int)VTD_PAGE_SUCCESS ||
                  (int)ATS_RESPONSE_INVALID != (int)VTD_PAGE_INVALID ||
                  (int)ATS_RESPONSE_FAILURE != (int)VTD_PAGE_FAILURE);

static uint16_t sid_of(AtsDevice *dev)
{
    return vtd_space_source(dev->space)->req.sid;
}

static VtdRequester requester(AtsDevice *dev, const AtsRequest *request)
{
    return (VtdRequester){
        .sid = sid_of(dev),
        .has_pasid = request->has_pasid,
        .pasid = request->has_pasid ? request->pasid : 0,
    };
}

static SourceBranch **branch_of(AtsDevice *dev, uint32_t pasid)
{
    return &dev->branch[pasid >> (LEAF_BITS + BRANCH_BITS)];
}

static SourceLeaf **leaf_of(SourceBranch *branch, uint32_t pasid)
{
    return &branch->leaf[pasid >> LEAF_BITS & ((1 << BRANCH_BITS) - 1)];
}

static VtdSource **source_in(SourceLeaf *leaf, uint32_t pasid)
{
    return &leaf->source[pasid & ((1 << LEAF_BITS) - 1)];
}

static VtdSource *find_source(AtsDevice *dev, uint32_t pasid)
{
    SourceBranch *branch = qatomic_load_acquire(branch_of(dev, pasid));
    SourceLeaf *leaf =
        branch ? qatomic_load_acquire(leaf_of(branch, pasid)) : NULL;

    return leaf ? qatomic_load_acquire(source_in(leaf, pasid)) : NULL;
}

/* NULL: there are too many. */
static VtdSource *add_source(AtsDevice *dev, VtdRequester req)
{
    QEMU_LOCK_GUARD(&dev->lock);
    SourceBranch **branch = branch_of(dev, req.pasid);
    SourceLeaf **leaf;
    VtdSource **place;
    VtdSource *source;

    if (!*branch) {
        qatomic_store_release(branch, g_new0(SourceBranch, 1));
    }
    leaf = leaf_of(*branch, req.pasid);
    if (!*leaf) {
        qatomic_store_release(leaf, g_new0(SourceLeaf, 1));
    }
    place = source_in(*leaf, req.pasid);
    if (!*place) {
        if (dev->sources == MAX_SOURCES) {
            return NULL;
        }
        dev->sources++;
        source = g_new(VtdSource, 1);
        vtd_source_init(source, req);
        qatomic_store_release(place, source);
    }
    return *place;
}

static void free_sources(AtsDevice *dev)
{
    for (unsigned b = 0; b < ARRAY_SIZE(dev->branch); b++) {
        SourceBranch *branch = dev->branch[b];

        for (unsigned l = 0; branch && l < ARRAY_SIZE(branch->leaf); l++) {
            SourceLeaf *leaf = branch->leaf[l];

            for (unsigned i = 0; leaf && i < ARRAY_SIZE(leaf->source); i++) {
                g_free(leaf->source[i]);
            }
            g_free(leaf);
        }
        g_free(branch);
    }
}

/* A source that is kept; @spare is used where there is no room for more. */
static VtdSource *source_of(AtsDevice *dev, const AtsRequest *request,
                            VtdSource *spare)
{
    uint16_t sid = sid_of(dev);
    VtdSource *source;

    if (!request->has_pasid) {
        return &dev->space->source;
    }
    if (unlikely(request->pasid >> VTD_PASID_MAX_BITS)) {
        vtd_source_init(spare, requester(dev, request));
        return spare;
    }
    source = find_source(dev, request->pasid);
    if (unlikely(!source)) {
        VtdRequester req = requester(dev, request);

        source = add_source(dev, req);
        if (!source) {
            vtd_source_init(spare, req);
            return spare;
        }
    }
    if (unlikely(qatomic_read(&source->req.sid) != sid)) {
        /* The guest has renumbered the bus: see intel_iommu_space.c. */
        qatomic_set(&source->req.sid, sid);
        vtd_forget_configurations(dev->iommu_state->unit);
    }
    return source;
}

static VtdAccess access_of(const AtsRequest *request)
{
    return (VtdAccess){
        .perm = request->want,
        .supervisor = request->has_pasid && request->privileged,
    };
}

static void set_result(const VtdMapping *m, AtsTranslation *out)
{
    *out = (AtsTranslation){
        .iova = m->iova,
        .addr = m->pa,
        .size = 1ull << m->shift,
        .granted = m->perm,
    };
}

/* Apart from ats_translate() for the same reason as in intel_iommu_space.c. */
static __attribute__((noinline)) bool
ats_translate_slow(AtsDevice *dev, const AtsRequest *request,
                   VtdSource *source, uint64_t iova, AtsTranslation *out)
{
    VtdUnit *unit = dev->iommu_state->unit;
    VTD_UNSET VtdMapping m;

    if (!vtd_translation_enabled(unit)) {
        /* There are no PASIDs then. */
        *out = (AtsTranslation){
            .iova = iova & VTD_PAGE_MASK,
            .addr = iova & VTD_PAGE_MASK,
            .size = VTD_PAGE_SIZE,
            .granted = request->want,
        };
        return !request->has_pasid;
    }
    if (vtd_translate_slow(unit, source, iova, access_of(request), false,
                           &m)) {
        return false;
    }
    set_result(&m, out);
    return true;
}

static bool ats_translate(AtsDevice *dev, const AtsRequest *request,
                          uint64_t iova, AtsTranslation *out)
{
    VTD_UNSET VtdSource spare;
    VTD_UNSET VtdMapping m;
    VtdSource *source;

    vtd_drain_translating();
    source = source_of(dev, request, &spare);
    if (!vtd_translate_quick(dev->iommu_state->unit, source, iova,
                             access_of(request), &m)) {
        return ats_translate_slow(dev, request, source, iova, out);
    }
    set_result(&m, out);
    return true;
}

static bool ats_request_translation(AtsDevice *dev, const AtsRequest *request,
                                    uint64_t iova, AtsTranslation *out)
{
    RCU_READ_LOCK_GUARD();
    VtdUnit *unit = dev->iommu_state->unit;
    VtdSource spare;
    VtdSource *source = source_of(dev, request, &spare);
    VtdMapping m;
    VtdFault fault;

    if (!vtd_translation_enabled(unit)) {
        return false;
    }
    fault = vtd_translation_request(unit, source, iova, access_of(request),
                                    &m);
    trace_vtd_translation_request(source->req.sid, source->req.pasid, iova,
                                  request->want, fault ? 0 : m.perm,
                                  vtd_fault_name(fault));
    if (fault) {
        return false;
    }
    set_result(&m, out);
    return true;
}

static bool ats_may_pass(AtsDevice *dev, const AtsRequest *request,
                         uint64_t addr)
{
    VtdUnit *unit = dev->iommu_state->unit;
    VtdSource spare;
    VtdSource *source;

    vtd_drain_translating();
    source = source_of(dev, request, &spare);
    return vtd_translation_enabled(unit) &&
           !vtd_translated_request(unit, source, addr, access_of(request));
}

static AtsPageResult ats_request_page(AtsDevice *dev,
                                      const AtsPageRequest *page,
                                      unsigned *code)
{
    RCU_READ_LOCK_GUARD();
    VtdPageRequest request = {
        .req = requester(dev, &page->request),
        .addr = page->addr,
        .group = page->group,
        .perm = page->request.want,
        .privileged = page->request.privileged,
        .last = page->last,
    };
    VtdPageResponse response;
    VtdPageResult result =
        vtd_page_request(dev->iommu_state->unit, &request, &response);

    trace_vtd_page_request(request.req.sid, request.req.pasid, page->addr,
                           page->group, result);
    switch (result) {
    case VTD_PAGE_QUEUED:
        return ATS_PAGE_PENDING;
    case VTD_PAGE_DROPPED:
        return ATS_PAGE_DROPPED;
    default:
        *code = response;
        return ATS_PAGE_ANSWERED;
    }
}

static AtsDevice *ats_attach(AtsIommu *iommu, PCIDevice *pci,
                             AtsListener *listener)
{
    IntelIOMMUState *s = INTEL_IOMMU_DEVICE(iommu);
    AddressSpace *as = pci_device_iommu_address_space(pci);
    AtsDevice *dev;

    assert(bql_locked());
    if (as == &address_space_memory) {
        return NULL; /* bypasses the unit */
    }
    dev = g_new0(AtsDevice, 1);
    dev->iommu_state = s;
    dev->space = container_of(as, VtdAddressSpace, as);
    dev->listener = listener;
    qemu_mutex_init(&dev->lock);
    QLIST_INSERT_HEAD(&s->ats_devices, dev, next);
    return dev;
}

static void ats_detach(AtsDevice *dev)
{
    assert(bql_locked());
    QLIST_REMOVE(dev, next);
    free_sources(dev);
    qemu_mutex_destroy(&dev->lock);
    g_free(dev);
}

static bool invalidate(AtsListener *listener, const VtdNotice *n)
{
    bool all = n->order >= 64 - VTD_PAGE_SHIFT;

    return listener->invalidate(listener, n->has_pasid, n->all_pasids,
                                n->pasid, n->addr,
                                all ? 0 : VTD_PAGE_SIZE << n->order);
}

VtdDelivery vtd_ats_notice(IntelIOMMUState *s, const VtdNotice *n)
{
    VtdDelivery result = VTD_DELIVERED;
    AtsDevice *dev, *next;

    QLIST_FOREACH_SAFE(dev, &s->ats_devices, next, next) {
        if (sid_of(dev) != n->sid) {
            continue;
        }
        if (n->kind == VTD_NOTICE_PAGE_RESPONSE) {
            trace_vtd_page_response(n->sid, n->pasid, n->group, n->response);
            dev->listener->page_response(dev->listener, n->has_pasid,
                                         n->pasid, n->group, n->response);
        } else if (!invalidate(dev->listener, n)) {
            result = VTD_DELIVERY_TIMEOUT;
        }
    }
    return result;
}

void vtd_ats_class_init(ObjectClass *klass)
{
    AtsIommuClass *ats = ATS_IOMMU_CLASS(klass);

    ats->attach = ats_attach;
    ats->detach = ats_detach;
    ats->translate = ats_translate;
    ats->request_translation = ats_request_translation;
    ats->may_pass = ats_may_pass;
    ats->request_page = ats_request_page;
}
