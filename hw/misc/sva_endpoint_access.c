/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses: plain ones through the function's address space as any PCI device
 * makes them, those of queues with a PASID, which ask the IOMMU, and those of
 * queues with ATS, which use translations that the device keeps.
 *
 * A kept translation is used only between two looks at the cache, with
 * cache_in_use set, and nothing in between can wait for the big lock.  So
 * whoever invalidates it, with the big lock, can wait for that.
 */
#include "qemu/osdep.h"

#include "qemu/atomic.h"
#include "qemu/bswap.h"
#include "qemu/lockable.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "sva_endpoint.h"

/* --- Memory --------------------------------------------------------------- */

static void exchange(void *ram, uint8_t *buf)
{
    uint64_t new;

    memcpy(&new, buf, sizeof(new));
    new = qatomic_xchg((uint64_t *)ram, new);
    memcpy(buf, &new, sizeof(new));
}

/*
 * Through the mapping of what is memory; bounce buffers, which stand for
 * anything else, cannot be atomic.  The read tells first whether reading is
 * permitted, too.
 */
static bool plain_swap(SvaEndpoint *s, uint64_t addr, uint8_t *buf,
                       MemTxAttrs attrs)
{
    AddressSpace *as = pci_get_address_space(PCI_DEVICE(s));
    dma_addr_t len = 8;
    ram_addr_t offset;
    uint64_t old;
    void *ram;
    bool is_memory;

    /* The translation holds as long as the section lasts. */
    RCU_READ_LOCK_GUARD();
    if (dma_memory_rw(as, addr, &old, sizeof(old), DMA_DIRECTION_TO_DEVICE,
                      attrs) != MEMTX_OK) {
        return false;
    }
    ram = dma_memory_map(as, addr, &len, DMA_DIRECTION_FROM_DEVICE, attrs);
    if (!ram) {
        return false;
    }
    is_memory = len == 8 && memory_region_from_host(ram, &offset);
    if (is_memory) {
        exchange(ram, buf);
    }
    dma_memory_unmap(as, ram, len, DMA_DIRECTION_FROM_DEVICE,
                     is_memory ? len : 0);
    return is_memory;
}

bool sva_ep_plain_access(SvaEndpoint *s, SvaAccessKind kind, uint64_t addr,
                         uint8_t *buf, uint32_t len)
{
    MemTxAttrs attrs = MEMTXATTRS_UNSPECIFIED;

    attrs.memory = s->iothread != NULL;
    if (kind == SVA_SWAP) {
        return plain_swap(s, addr, buf, attrs);
    }
    return pci_dma_rw(PCI_DEVICE(s), addr, buf, len,
                      kind == SVA_READ ? DMA_DIRECTION_TO_DEVICE
                                       : DMA_DIRECTION_FROM_DEVICE,
                      attrs) == MEMTX_OK;
}

/* Memory that can be touched without any device's code, and so without the
 * big lock. */
static bool access_ram(SvaAccessKind kind, uint64_t addr, uint8_t *buf,
                       uint32_t len)
{
    bool is_write = kind != SVA_READ;
    MemoryRegionCache cache;
    bool done;

    RCU_READ_LOCK_GUARD();
    done = address_space_cache_init(&cache, &address_space_memory, addr, len,
                                    is_write) == len && cache.ptr;
    if (done && kind == SVA_SWAP) {
        exchange(cache.ptr, buf);
    } else if (done && kind == SVA_READ) {
        memcpy(buf, cache.ptr, len);
    } else if (done) {
        memcpy(cache.ptr, buf, len);
    }
    if (done && is_write) {
        address_space_cache_invalidate(&cache, 0, len);
    }
    address_space_cache_destroy(&cache);
    return done;
}

/* At the address that a translation has given. */
static bool access_translated(SvaEndpoint *s, SvaAccessKind kind,
                              uint64_t addr, uint8_t *buf, uint32_t len)
{
    MemTxAttrs attrs = MEMTXATTRS_UNSPECIFIED;

    if (s->iothread || kind == SVA_SWAP) {
        return access_ram(kind, addr, buf, len);
    }
    attrs.requester_id = pci_requester_id(PCI_DEVICE(s));
    return address_space_rw(&address_space_memory, addr, attrs, buf, len,
                            kind == SVA_WRITE) == MEMTX_OK;
}

/* --- The translation cache ------------------------------------------------ */

static bool covers(const SvaTranslation *e, const AtsRequest *request,
                   uint64_t addr)
{
    return e->t.size && e->has_pasid == request->has_pasid &&
           e->pasid == request->pasid &&
           e->privileged == request->privileged &&
           addr - e->t.iova < e->t.size;
}

static const AtsTranslation *cache_lookup(SvaEndpoint *s,
                                          const AtsRequest *request,
                                          uint64_t addr)
{
    for (unsigned i = 0; i < SVA_TRANSLATIONS; i++) {
        const SvaTranslation *e = &s->cache[i];

        if (covers(e, request, addr) &&
            (e->t.granted & request->want) == request->want) {
            return &e->t;
        }
    }
    return NULL;
}

/* Rights that were given earlier and not taken back are kept: reads and writes
 * of a page ask for different ones. */
static void cache_insert(SvaEndpoint *s, const AtsRequest *request,
                         uint64_t addr, AtsTranslation t)
{
    unsigned at = SVA_TRANSLATIONS;

    for (unsigned i = 0; i < SVA_TRANSLATIONS; i++) {
        SvaTranslation *e = &s->cache[i];

        if (covers(e, request, addr)) {
            if (e->t.addr == t.addr && e->t.size == t.size) {
                t.granted |= e->t.granted;
            }
            e->t.size = 0;
            at = i;
        }
    }
    if (at == SVA_TRANSLATIONS) {
        at = s->cache_next;
        s->cache_next = (at + 1) % SVA_TRANSLATIONS;
    }
    s->cache[at] = (SvaTranslation) {
        .has_pasid = request->has_pasid,
        .privileged = request->privileged,
        .pasid = request->pasid,
        .t = t,
    };
}

/* No access uses what has been dropped any more.  In the main loop there can
 * be one only if we are called from inside it. */
static void cache_changed(SvaEndpoint *s)
{
    s->cache_changes++;
    while (s->iothread && s->cache_in_use) {
        qemu_cond_wait(&s->cache_unused, &s->lock);
    }
}

void sva_ep_cache_clear(SvaEndpoint *s)
{
    memset(s->cache, 0, sizeof(s->cache));
    s->cache_next = 0;
    cache_changed(s);
}

static uint64_t smallest_unit(const SvaEndpoint *s)
{
    return 4096ull << (s->ats_ctrl & 0x1f);
}

/* @size 0: everything. */
static void cache_drop(SvaEndpoint *s, bool has_pasid, bool all_pasids,
                       uint32_t pasid, uint64_t addr, uint64_t size)
{
    /* Nothing is cached in smaller units than these. */
    uint64_t mask = ~(MAX(size, smallest_unit(s)) - 1);

    for (unsigned i = 0; i < SVA_TRANSLATIONS; i++) {
        SvaTranslation *e = &s->cache[i];

        if (e->has_pasid == has_pasid &&
            (!has_pasid || all_pasids || e->pasid == pasid) &&
            (!size || ((e->t.iova ^ addr) & mask & ~(e->t.size - 1)) == 0)) {
            e->t.size = 0;
        }
    }
}

bool sva_ep_invalidate(AtsListener *listener, bool has_pasid, bool all_pasids,
                       uint32_t pasid, uint64_t addr, uint64_t size)
{
    SvaEndpoint *s = container_of(listener, SvaEndpoint, listener);

    QEMU_LOCK_GUARD(&s->lock);
    s->count_invalidations++;
    if (!(s->debug & SVA_EP_DEBUG_IGNORE_INVALIDATIONS)) {
        cache_drop(s, has_pasid, all_pasids, pasid, addr, size);
        cache_changed(s);
    }
    return !(s->debug & SVA_EP_DEBUG_NO_ANSWER);
}

/* --- Accesses of queues --------------------------------------------------- */

AtsRequest sva_ep_request(const SvaQueue *q, SvaAccessKind kind, bool execute)
{
    bool has_pasid = q->ctl & SVA_EP_QCTL_PASID;

    return (AtsRequest) {
        .has_pasid = has_pasid,
        .privileged = has_pasid && (q->ctl & SVA_EP_QCTL_PRIVILEGED),
        .want = (kind != SVA_WRITE ? ATS_READ : 0) |
                (kind != SVA_READ ? ATS_WRITE : 0) |
                (execute ? ATS_EXECUTE : 0),
        .pasid = has_pasid ? q->pasid : 0,
    };
}

/* Whether software lets the function send such requests at all. */
static bool enabled(SvaEndpoint *s, const SvaQueue *q,
                    const AtsRequest *request)
{
    PCIDevice *pdev = PCI_DEVICE(s);

    if (!s->ats_device ||
        !(pci_get_word(pdev->config + PCI_COMMAND) & PCI_COMMAND_MASTER) ||
        ((q->ctl & SVA_EP_QCTL_ATS) && !(s->ats_ctrl & PCI_ATS_CTRL_ENABLE))) {
        return false;
    }
    return !request->has_pasid ||
           ((s->pasid_ctrl & PCI_PASID_CTRL_ENABLE) &&
            request->pasid >> s->pasid_bits == 0 &&
            (!request->privileged || (s->pasid_ctrl & PCI_PASID_CTRL_PRIV)) &&
            (!(request->want & ATS_EXECUTE) ||
             (s->pasid_ctrl & PCI_PASID_CTRL_EXEC)));
}

/* One attempt to come by a translation.  Lock held, dropped meanwhile. */
static SvaAccessResult translation(SvaEndpoint *s, const AtsRequest *request,
                                   uint64_t addr, AtsTranslation *out)
{
    const AtsTranslation *cached = cache_lookup(s, request, addr);
    uint64_t changes = s->cache_changes;
    bool answered;

    if (cached) {
        s->count_ats_hits++;
        *out = *cached;
        return SVA_ACCESS_DONE;
    }
    s->count_ats_requests++;
    qemu_mutex_unlock(&s->lock);
    answered = s->iommu->request_translation(s->ats_device, request,
                                             addr & ~(PIECE_SIZE - 1ull), out);
    qemu_mutex_lock(&s->lock);
    if (!answered) {
        return SVA_ACCESS_REFUSED;
    }
    if (s->cache_changes != changes) {
        return SVA_ACCESS_AGAIN;
    }
    if ((out->granted & request->want) != request->want) {
        return SVA_ACCESS_MISSING;
    }
    if (out->size < smallest_unit(s)) {
        return SVA_ACCESS_REFUSED;
    }
    cache_insert(s, request, addr, *out);
    return SVA_ACCESS_DONE;
}

static SvaAccessResult access_ats(SvaEndpoint *s, const AtsRequest *request,
                                  SvaAccessKind kind, uint64_t addr,
                                  uint8_t *buf, uint32_t len)
{
    AtsTranslation t;
    SvaAccessResult result = translation(s, request, addr, &t);
    uint64_t changes = s->cache_changes;
    uint64_t translated;
    bool done;

    if (result != SVA_ACCESS_DONE) {
        return result;
    }
    translated = t.addr + (addr - t.iova);
    qemu_mutex_unlock(&s->lock);
    /* May record a fault, and its interrupt needs the big lock. */
    done = s->iommu->may_pass(s->ats_device, request, translated);
    qemu_mutex_lock(&s->lock);
    if (!done) {
        return SVA_ACCESS_REFUSED;
    }
    if (s->cache_changes != changes) {
        return SVA_ACCESS_AGAIN;
    }
    s->cache_in_use = true;
    qemu_mutex_unlock(&s->lock);
    done = access_translated(s, kind, translated, buf, len);
    qemu_mutex_lock(&s->lock);
    s->cache_in_use = false;
    qemu_cond_broadcast(&s->cache_unused);
    return done ? SVA_ACCESS_DONE : SVA_ACCESS_REFUSED;
}

/* Lock not held. */
static bool access_untranslated(SvaEndpoint *s, const AtsRequest *request,
                                SvaAccessKind kind, uint64_t addr,
                                uint8_t *buf, uint32_t len)
{
    AtsTranslation t;

    RCU_READ_LOCK_GUARD();
    return s->iommu->translate(s->ats_device, request, addr, &t) &&
           access_translated(s, kind, t.addr + (addr - t.iova), buf, len);
}

SvaAccessResult sva_ep_queue_access(SvaEndpoint *s, const SvaQueue *q,
                                    SvaAccessKind kind, bool execute,
                                    uint64_t addr, uint8_t *buf, uint32_t len)
{
    const AtsRequest request = sva_ep_request(q, kind, execute);
    bool plain = !(q->ctl & (SVA_EP_QCTL_PASID | SVA_EP_QCTL_ATS));
    uint64_t resets = s->resets;
    SvaAccessResult result;

    if (!plain && !enabled(s, q, &request)) {
        return SVA_ACCESS_REFUSED;
    }
    if (q->ctl & SVA_EP_QCTL_ATS) {
        result = access_ats(s, &request, kind, addr, buf, len);
    } else {
        bool done;

        qemu_mutex_unlock(&s->lock);
        done = plain ? sva_ep_plain_access(s, kind, addr, buf, len)
                     : access_untranslated(s, &request, kind, addr, buf, len);
        qemu_mutex_lock(&s->lock);
        result = done ? SVA_ACCESS_DONE : SVA_ACCESS_REFUSED;
    }
    if (s->resets != resets) {
        return SVA_ACCESS_RESET;
    }
    if (result == SVA_ACCESS_DONE) {
        s->count_read += kind == SVA_WRITE ? 0 : len;
        s->count_written += kind == SVA_READ ? 0 : len;
    }
    return result;
}

/* --- The IOMMU ------------------------------------------------------------ */

void sva_ep_attach(SvaEndpoint *s)
{
    Object *iommu;
    AtsIommuClass *class;
    AtsDevice *device;

    if (s->ats_device) {
        return;
    }
    iommu = object_resolve_path_type("", TYPE_ATS_IOMMU, NULL);
    if (!iommu) {
        return;
    }
    s->listener.invalidate = sva_ep_invalidate;
    s->listener.page_response = sva_ep_page_response;
    class = ATS_IOMMU_CLASS(object_get_class(iommu));
    device = class->attach(ATS_IOMMU(iommu), PCI_DEVICE(s), &s->listener);
    QEMU_LOCK_GUARD(&s->lock);
    s->iommu = class;
    s->ats_device = device;
}

void sva_ep_detach(SvaEndpoint *s)
{
    if (s->ats_device) {
        s->iommu->detach(s->ats_device);
        s->ats_device = NULL;
    }
}
