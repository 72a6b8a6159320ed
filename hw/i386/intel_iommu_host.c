/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Passed-through devices: the guest's configuration of a device is mirrored
 * to the host kernel, which walks the guest's first-stage tables under its
 * own second stage.
 *
 * For each device the host holds a page table that maps the guest's memory one
 * to one, the parent, and for its requests without PASID and those of each
 * PASID a binding (intel_iommu_binding.h), which follows the guest's
 * configuration when a notice tells that it may have changed.
 *
 * VFIO's own page table for the device stays empty meanwhile: the device's
 * address space in QEMU shows no memory (vtd_address_space_update()).
 */
#include "qemu/osdep.h"

#include "hw/qdev-core.h"
#include "intel_iommu_binding.h"
#include "intel_iommu_probe.h"
#include "intel_iommu_report.h"
#include "intel_iommu_vcaps.h"
#include "intel_iommu_space.h"
#include "migration/blocker.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qobject/qdict.h"
#include "trace/trace-hw_i386_vtd.h"

/*
 * PASIDs of one device that are bound at a time.  Each has a page table of the
 * host's kernel, and a guest can fill its PASID table as it likes.
 */
#define MAX_PASIDS 4096

struct VtdHostDevice {
    VtdBindingDevice common;
    HostIOMMUDevice *hiod;
    VtdOffer offer;
    Error *migration_blocker;
    VtdBinding *rid;     /* requests without PASID */
    GHashTable *pasids;  /* VtdBinding by PASID */
};

struct VtdHost {
    IntelIOMMUState *iommu_state;
    DeviceListener realized; /* devices whose capabilities are not final yet */
    GPtrArray *devices; /* of VtdHostDevice */
    GSList *memories; /* of VtdGuestMemory */
    GSList *domains; /* of VtdHostDomain */
    VtdPasids *pasids; /* that the host gave to the guest */
    VtdHostCounters counters;
    VtdFaultCounters faults;
};

static void add_counter(IntelIOMMUState *s, const char *name,
                        const uint64_t *value)
{
    object_property_add_uint64_ptr(OBJECT(s), name, value, OBJ_PROP_FLAG_READ);
}

static VFIODevice *vfio_of(VtdHostDevice *dev)
{
    return dev->common.vfio;
}

static void show_capabilities(VtdHostDevice *dev)
{
    IntelIOMMUState *s = dev->common.space->iommu_state;
    Error *error = NULL;
    VtdVirtualCaps caps = {
        .pasid_bits = dev->common.pasid_bits,
        .page_requests = dev->common.faults,
        .ats = !vtd_features_on(s, VTD_FEATURE_DEVICE_TLB) ||
               vtd_offer_gives(s, &dev->offer, VTD_FEATURE_DEVICE_TLB),
        .pasid_offset = s->pasid_cap_offset,
    };

    trace_vtd_host_capabilities(vfio_of(dev)->name, caps.pasid_bits, caps.ats,
                                caps.page_requests);
    if (!vtd_vcaps_show(PCI_DEVICE(vfio_of(dev)->dev), &caps, &error)) {
        warn_report_err(error);
    }
}

/* A device was plugged; if it is one of ours, its configuration space is
 * complete now.  What is there at start comes in vtd_host_machine_ready(). */
static void device_realized(DeviceListener *listener, DeviceState *device)
{
    VtdHost *host = container_of(listener, VtdHost, realized);

    for (unsigned i = 0; i < host->devices->len; i++) {
        VtdHostDevice *dev = g_ptr_array_index(host->devices, i);

        if (phase_check(PHASE_MACHINE_READY) &&
            dev->common.vfio->dev == device) {
            show_capabilities(dev);
        }
    }
}

void vtd_host_machine_ready(IntelIOMMUState *s)
{
    for (unsigned i = 0; i < s->host->devices->len; i++) {
        show_capabilities(g_ptr_array_index(s->host->devices, i));
    }
}

void vtd_host_init(IntelIOMMUState *s)
{
    VtdHost *host = g_new0(VtdHost, 1);
    VtdHostCounters *c = &host->counters;
    VtdFaultCounters *f = &host->faults;

    host->iommu_state = s;
    host->devices = g_ptr_array_new();
    host->pasids = vtd_pasids_new();
    host->realized.realize = device_realized;
    device_listener_register(&host->realized);
    s->host = host;
    add_counter(s, "x-host-invalidation-structs", &c->structs);
    add_counter(s, "x-host-invalidation-ioctls", &c->ioctls);
    add_counter(s, "x-host-batches", &c->batches);
    add_counter(s, "x-host-attaches", &c->attaches);
    add_counter(s, "x-host-detaches", &c->detaches);
    add_counter(s, "x-host-stage1-hwpts", &c->stage1_hwpts);
    add_counter(s, "x-host-pasids", &c->pasids);
    add_counter(s, "x-host-pasids-allocated", vtd_pasids_count(host->pasids));
    add_counter(s, "x-host-hwpts", &c->hwpts);
    add_counter(s, "x-host-errors", &c->errors);
    add_counter(s, "x-host-page-requests", &f->requests);
    add_counter(s, "x-host-page-responses", &f->responses);
    add_counter(s, "x-host-page-requests-pending", &f->pending);
}

/*
 * Bring a binding in line with the guest's present configuration of @source.
 * What cannot be mirrored is blocked; the guest learns of it as of any PASID
 * entry that the hardware cannot work with.  Faults of the guest's own tables
 * are found by hardware at the first DMA; the host does not report those.
 */
static void mirror_config(VtdUnit *unit, VtdSource *source, VtdBinding *b,
                          const VtdConfig *config)
{
    bool accepted = config->kind == VTD_PASS_THROUGH ?
                        vtd_binding_identity(b) :
                        vtd_binding_translate(b, config);

    if (!accepted && !config->fault_disable) {
        vtd_report_fault(unit, source, VTD_FAULT_SM_PASID_INVALID, 0);
    }
}

static void mirror_rid(VtdHostDevice *dev)
{
    VtdUnit *unit = dev->common.space->iommu_state->unit;
    VtdSource *source = vtd_space_source(dev->common.space);
    VtdConfig config;

    if (!vtd_translation_enabled(unit)) {
        vtd_binding_identity(dev->rid);
    } else if (vtd_configuration(unit, source, &config)) {
        vtd_binding_block(dev->rid);
    } else {
        mirror_config(unit, source, dev->rid, &config);
    }
}

/*
 * The same for one PASID, whose binding comes with its entry and goes with it.
 * That of requests without PASID is not for requests with one here: the host
 * does not know it by that number.
 */
static void mirror_pasid(VtdHostDevice *dev, uint32_t pasid)
{
    VtdUnit *unit = dev->common.space->iommu_state->unit;
    gpointer key = GUINT_TO_POINTER(pasid);
    VtdBinding *b = g_hash_table_lookup(dev->pasids, key);
    VtdConfig rid_config = { .pasid = 0 };
    VtdConfig config;
    VtdSource source;
    bool gone;

    vtd_configuration(unit, vtd_space_source(dev->common.space), &rid_config);
    vtd_source_init(&source,
                    (VtdRequester){
                        .sid = vtd_space_source(dev->common.space)->req.sid,
                        .has_pasid = true,
                        .pasid = pasid,
                    });
    gone = !vtd_translation_enabled(unit) || pasid == rid_config.pasid ||
           vtd_configuration(unit, &source, &config);
    if (gone && b) {
        vtd_binding_block(b);
        g_hash_table_remove(dev->pasids, key);
    } else if (!gone) {
        if (!b && g_hash_table_size(dev->pasids) == MAX_PASIDS) {
            warn_report_once("intel-iommu: %s: the guest uses more than %u "
                             "PASIDs; further ones are blocked",
                             vfio_of(dev)->name, MAX_PASIDS);
            if (!config.fault_disable) {
                vtd_report_fault(unit, &source, VTD_FAULT_SM_PASID_INVALID, 0);
            }
            return;
        }
        if (!b) {
            b = vtd_binding_new(&dev->common, pasid);
            g_hash_table_insert(dev->pasids, key, b);
        }
        mirror_config(unit, &source, b, &config);
    }
}

/* All PASIDs that are bound, and all that have an entry now. */
static void mirror_pasids(VtdHostDevice *dev)
{
    VtdUnit *unit = dev->common.space->iommu_state->unit;
    g_autofree gpointer *bound = NULL;
    uint16_t sid = vtd_space_source(dev->common.space)->req.sid;
    guint count;

    bound = g_hash_table_get_keys_as_array(dev->pasids, &count);
    for (guint i = 0; i < count; i++) {
        mirror_pasid(dev, GPOINTER_TO_UINT(bound[i]));
    }
    for (uint32_t pasid = 0; g_hash_table_size(dev->pasids) < MAX_PASIDS &&
                             vtd_next_pasid(unit, sid, &pasid) &&
                             pasid < 1u << dev->common.pasid_bits; pasid++) {
        if (!g_hash_table_contains(dev->pasids, GUINT_TO_POINTER(pasid))) {
            mirror_pasid(dev, pasid);
        }
    }
}

/* What @notice says may have changed. */
static void mirror(VtdHostDevice *dev, const VtdNotice *notice)
{
    mirror_rid(dev);
    if (!dev->common.pasid_bits) {
        return;
    }
    if (notice->kind != VTD_NOTICE_PASID_CACHE ||
        notice->scope != VTD_SCOPE_PASID) {
        mirror_pasids(dev);
    } else if (notice->pasid < 1u << dev->common.pasid_bits) {
        mirror_pasid(dev, notice->pasid);
    }
}

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
        mirror(g_ptr_array_index(host->devices, i), notice);
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

/* Not inline, so that it costs nothing where there is no such device. */
static G_NO_INLINE VtdDelivery deliver(IntelIOMMUState *s,
                                       const VtdNotice *notices,
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

VtdDelivery vtd_host_deliver(IntelIOMMUState *s, const VtdNotice *notices,
                             unsigned count, unsigned *done)
{
    return s->host->devices->len ? deliver(s, notices, count, done) :
                                   VTD_DELIVERED;
}

static bool has_first_stage(const VtdBinding *b)
{
    return b->state == VTD_BINDING_FIRST_STAGE ||
           b->state == VTD_BINDING_NESTED;
}

static bool has_second_stage(const VtdBinding *b)
{
    return b->state == VTD_BINDING_SECOND_STAGE ||
           b->state == VTD_BINDING_NESTED;
}

static QDict *describe_binding(const VtdBinding *b)
{
    QDict *d = qdict_new();

    if (b->pasid != VTD_NO_PASID) {
        qdict_put_int(d, "pasid", b->pasid);
    }
    qdict_put_str(d, "state", vtd_binding_state_name(b->state));
    if (has_first_stage(b) || has_second_stage(b)) {
        qdict_put_int(d, "domain", b->config.did);
    }
    if (has_first_stage(b)) {
        qdict_put_int(d, "table", b->config.fs_table);
        qdict_put_int(d, "levels", b->config.fs_levels);
    }
    if (has_second_stage(b)) {
        qdict_put_int(d, "second-stage-table", b->config.ss_table);
        qdict_put_int(d, "second-stage-levels", b->config.ss_levels);
    }
    b->dev->ops->describe(b, d);
    return d;
}

static QDict *describe_device(VtdHostDevice *dev)
{
    QDict *d = qdict_new();
    QList *pasids = qlist_new();
    GHashTableIter iter;
    gpointer b;

    g_hash_table_iter_init(&iter, dev->pasids);
    while (g_hash_table_iter_next(&iter, NULL, &b)) {
        qlist_append(pasids, describe_binding(b));
    }
    qdict_put_str(d, "device", vfio_of(dev)->name);
    qdict_put_str(d, "backend", dev->common.ops->name);
    qdict_put(d, "offer",
              vtd_report_offer(dev->common.space->iommu_state, &dev->offer));
    qdict_put_int(d, "pasid-bits", dev->common.pasid_bits);
    qdict_put_bool(d, "page-requests", dev->common.faults);
    dev->common.ops->describe_device(&dev->common, d);
    qdict_put(d, "without-pasid", describe_binding(dev->rid));
    qdict_put(d, "pasids", pasids);
    return d;
}

QList *vtd_host_query(IntelIOMMUState *s)
{
    QList *all = qlist_new();

    for (unsigned i = 0; i < s->host->devices->len; i++) {
        qlist_append(all,
                     describe_device(g_ptr_array_index(s->host->devices, i)));
    }
    return all;
}

static void block_pasid(gpointer key, gpointer b, gpointer unused)
{
    vtd_binding_block(b);
}

static void forget_pasids(VtdHostDevice *dev)
{
    g_hash_table_foreach(dev->pasids, block_pasid, NULL);
    g_hash_table_remove_all(dev->pasids);
}

void vtd_host_reset(IntelIOMMUState *s)
{
    for (unsigned i = 0; i < s->host->devices->len; i++) {
        VtdHostDevice *dev = g_ptr_array_index(s->host->devices, i);

        forget_pasids(dev);
        vtd_binding_identity(dev->rid);
    }
    vtd_pasids_free_all(s->host->pasids);
}

bool vtd_host_pasid_alloc(IntelIOMMUState *s, uint32_t *pasid)
{
    return vtd_pasids_alloc(s->host->pasids,
                            vtd_caps_pasid_limit(&s->unit->caps), pasid);
}

/* A guest may free a PASID that still has an entry: the entry counts no more,
 * for devices that need the host's PASIDs. */
bool vtd_host_pasid_free(IntelIOMMUState *s, uint32_t pasid)
{
    gpointer key = GUINT_TO_POINTER(pasid);

    if (!vtd_pasids_has(s->host->pasids, pasid)) {
        return false;
    }
    for (unsigned i = 0; i < s->host->devices->len; i++) {
        VtdHostDevice *dev = g_ptr_array_index(s->host->devices, i);
        VtdBinding *b = g_hash_table_lookup(dev->pasids, key);

        if (!b || !dev->common.pasids) {
            continue;
        }
        vtd_binding_block(b);
        if (b->state != VTD_BINDING_BLOCKED) {
            return false;
        }
        g_hash_table_remove(dev->pasids, key);
    }
    return vtd_pasids_free(s->host->pasids, pasid);
}

static VtdHostDevice *device_new(VtdAddressSpace *space, HostIOMMUDevice *hiod,
                                 const VtdOffer *offer)
{
    static const VtdBindingOps *const ops[VTD_BACKENDS] = {
        [VTD_BACKEND_IOMMUFD] = &vtd_binding_iommufd,
        [VTD_BACKEND_VFIO2020] = &vtd_binding_vfio2020,
    };
    IntelIOMMUState *s = space->iommu_state;
    VtdHostDevice *dev = g_new0(VtdHostDevice, 1);

    dev->common = (VtdBindingDevice){
        .ops = ops[offer->backend],
        .space = space,
        .vfio = hiod->agent,
        .counters = &s->host->counters,
        .memories = &s->host->memories,
        .domains = &s->host->domains,
        .fault_counters = &s->host->faults,
        .page_requests = vtd_offer_gives(s, offer, VTD_FEATURE_PRS),
        .pasids = offer->backend == VTD_BACKEND_VFIO2020 ? s->host->pasids :
                                                           NULL,
    };
    if (vtd_offer_gives(s, offer, VTD_FEATURE_PASID)) {
        dev->common.pasid_bits = offer->pasid_bits;
    }
    dev->hiod = HOST_IOMMU_DEVICE(object_ref(OBJECT(hiod)));
    dev->offer = *offer;
    return dev;
}

static void device_free(VtdHostDevice *dev)
{
    migrate_del_blocker(&dev->migration_blocker);
    object_unref(OBJECT(dev->hiod));
    g_free(dev);
}

/* What stands behind the bindings, and those. */
static bool device_open(VtdHostDevice *dev, Error **errp)
{
    /* The host does not tell what DMA through a nested table dirties. */
    error_setg(&dev->migration_blocker,
               "%s is passed through by nested translation",
               vfio_of(dev)->name);
    if (migrate_add_blocker(&dev->migration_blocker, errp) < 0 ||
        !dev->common.ops->open(&dev->common, errp)) {
        return false;
    }
    dev->rid = vtd_binding_new(&dev->common, VTD_NO_PASID);
    dev->pasids = g_hash_table_new_full(NULL, NULL, NULL,
                                        (GDestroyNotify)vtd_binding_free);
    return true;
}

static void device_close(VtdHostDevice *dev)
{
    g_hash_table_destroy(dev->pasids);
    vtd_binding_free(dev->rid);
    dev->common.ops->close(&dev->common);
}

/* The device is ours from here on, or VFIO's again: what VFIO maps for it goes
 * and comes with its view. */
static void show_host(VtdAddressSpace *space, VtdHostDevice *dev)
{
    space->host = dev;
    vtd_address_space_update(space);
}

/*
 * Linux and the spec tell a unit of a table entry that becomes present only
 * if CAP.CM is set.  The guest has to see it before it reads CAP.
 */
static bool show_caching_mode(IntelIOMMUState *s, const char *name,
                              Error **errp)
{
    bool nested = vtd_features_on(s, VTD_FEATURE_NESTED);

    if (s->unit->caps.cap & VTD_CAP_CM) {
        return true;
    }
    if (!nested && !s->feature_taken[VTD_FEATURE_NESTED]) {
        error_setg(errp,
                   "%s: passing a device through behind intel-iommu needs "
                   "nested=on, or caching-mode=on",
                   name);
        return false;
    }
    if (phase_check(PHASE_MACHINE_READY)) {
        error_setg(errp,
                   "%s: the machine started without a passed-through device, "
                   "so its IOMMU does not show CAP.CM, which this one needs",
                   name);
        error_append_hint(errp, "Start with caching-mode=on on intel-iommu "
                                "to plug such devices later.\n");
        return false;
    }
    s->report_caching_mode = true;
    vtd_recompose(s);
    return true;
}

/* A device came that cannot be nested: VFIO maps for the earlier ones, too. */
static void leave_nested(VtdHost *host)
{
    while (host->devices->len) {
        VtdHostDevice *dev = g_ptr_array_index(host->devices, 0);

        vtd_host_detach(dev->common.space);
    }
}

bool vtd_host_attach(VtdAddressSpace *space, HostIOMMUDevice *hiod,
                     Error **errp)
{
    IntelIOMMUState *s = space->iommu_state;
    VtdHostDevice *dev;
    VtdOffer offer;

    if (!vtd_probe(s, hiod, &offer, errp) ||
        !vtd_offer_meet(s, &offer, errp) ||
        !show_caching_mode(s, hiod->name, errp)) {
        return false;
    }
    if (!vtd_features_on(s, VTD_FEATURE_NESTED)) {
        leave_nested(s->host);
        return true;
    }
    dev = device_new(space, hiod, &offer);
    if (!device_open(dev, errp)) {
        device_free(dev);
        return false;
    }
    show_host(space, dev);
    if (!vtd_binding_identity(dev->rid)) {
        error_setg(errp, "%s: the host kernel refused to give the device the "
                   "guest's memory", vfio_of(dev)->name);
        device_close(dev);
        show_host(space, NULL);
        device_free(dev);
        return false;
    }
    g_ptr_array_add(s->host->devices, dev);
    trace_vtd_host_device(hiod->name, dev->common.ops->name);
    mirror(dev, &(VtdNotice){ .kind = VTD_NOTICE_TRANSLATION });
    return true;
}

void vtd_host_detach(VtdAddressSpace *space)
{
    VtdHostDevice *dev = space->host;
    bool back;

    if (!dev) {
        return;
    }
    forget_pasids(dev);
    back = vtd_binding_give_back(dev->rid);
    g_ptr_array_remove(space->iommu_state->host->devices, dev);
    trace_vtd_host_device(vfio_of(dev)->name, "back to VFIO");
    device_close(dev);
    space->host = NULL;
    if (back) { /* else VFIO's maps would meet ours; it is closed next */
        vtd_address_space_update(space);
    }
    device_free(dev);
}
