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

#include "intel_iommu_host.h"
#include "intel_iommu_probe.h"
#include "intel_iommu_vcaps.h"
#include "migration/blocker.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "trace/trace-hw_i386_vtd.h"

static void add_counter(IntelIOMMUState *s, const char *name,
                        const uint64_t *value)
{
    object_property_add_uint64_ptr(OBJECT(s), name, value, OBJ_PROP_FLAG_READ);
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

    trace_vtd_host_capabilities(vtd_host_vfio(dev)->name, caps.pasid_bits,
                                caps.ats, caps.page_requests);
    if (!vtd_vcaps_show(PCI_DEVICE(vtd_host_vfio(dev)->dev), &caps, &error)) {
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
               vtd_host_vfio(dev)->name);
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
                   "guest's memory", vtd_host_vfio(dev)->name);
        device_close(dev);
        show_host(space, NULL);
        device_free(dev);
        return false;
    }
    g_ptr_array_add(s->host->devices, dev);
    trace_vtd_host_device(hiod->name, dev->common.ops->name);
    vtd_host_mirror(dev, &(VtdNotice){ .kind = VTD_NOTICE_TRANSLATION });
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
    trace_vtd_host_device(vtd_host_vfio(dev)->name, "back to VFIO");
    device_close(dev);
    space->host = NULL;
    if (back) { /* else VFIO's maps would meet ours; it is closed next */
        vtd_address_space_update(space);
    }
    device_free(dev);
}
