/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bindings by the nesting interface of 2020, on the device's VFIO container.
 *
 * The container's maps are the second stage, and all there is for requests
 * without PASID: these are untranslated while the guest's memory is mapped
 * there, and blocked while it is not, those with PASID along with them.  A
 * PASID that the guest was given can be bound to a first-stage table of its.
 * Nothing else can be told to this interface; it is blocked.
 */
#include "qemu/osdep.h"

#include "hw/qdev-core.h"
#include "intel_iommu_binding.h"
#include "intel_iommu_container.h"
#include "intel_iommu_pasids.h"
#include "intel_iommu_vfio2020.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "trace/trace-hw_i386_vtd.h"
#include "vtd/vtd.h"

static int container_of_device(const VtdBindingDevice *dev)
{
    return vtd_container_of(dev->vfio);
}

static bool has_pasid(const VtdBinding *b)
{
    return b->pasid != VTD_NO_PASID;
}

/* The guest asks for what this interface cannot do, or may not ask. */
static bool refuse(VtdBinding *b, const char *why)
{
    trace_vtd_host_cannot(b->dev->vfio->name, b->pasid, why);
    if (!has_pasid(b)) {
        warn_report_once("intel-iommu: %s: host-uapi=vfio-v1 cannot translate "
                         "requests without PASID, which the guest wants; they "
                         "are blocked (Linux: boot with iommu=pt)",
                         b->dev->vfio->name);
    }
    return false;
}

/* --- Requests without PASID: the container's maps ------------------------ */

static int map(void *opaque, uint64_t iova, uint64_t size, void *host)
{
    VtdBindingDevice *dev = opaque;

    return vfio_container_dma_map(dev->vfio->bcontainer, iova, size, host,
                                  false);
}

static int unmap(void *opaque, uint64_t iova, uint64_t size)
{
    VtdBindingDevice *dev = opaque;

    return vfio_container_dma_unmap(dev->vfio->bcontainer, iova, size, NULL);
}

static bool map_memory(VtdBinding *b)
{
    VtdBindingDevice *dev = b->dev;
    const VtdMapper mapper = { .opaque = dev, .map = map, .unmap = unmap };
    Error *error = NULL;

    dev->memory = dev->stuck ? NULL : vtd_guest_memory_new(&mapper, &error);
    if (!dev->memory) {
        dev->counters->errors++;
        warn_report_once("intel-iommu: %s: %s", dev->vfio->name,
                         error ? error_get_pretty(error) :
                                 "the host still maps what it should not");
        error_free(error);
        return false;
    }
    dev->counters->attaches++;
    return true;
}

static bool unmap_memory(VtdBinding *b)
{
    VtdBindingDevice *dev = b->dev;

    if (dev->memory) {
        dev->stuck = !vtd_guest_memory_free(dev->memory);
        dev->memory = NULL;
        dev->counters->detaches += !dev->stuck;
    }
    if (dev->stuck) {
        dev->counters->errors++;
    }
    return !dev->stuck;
}

/* --- Requests with PASID ------------------------------------------------- */

static bool unbind(VtdBinding *b)
{
    struct uapi2020_op_bind op;
    int error;

    if (!b->bound) {
        return true;
    }
    vtd_encode2020_unbind(b->pasid, &op);
    error = vtd_vfio2020_op(container_of_device(b->dev), &op.op);
    if (error) {
        vtd_binding_refused(b, "unbind a first-stage table", error);
        return false;
    }
    b->bound = false;
    b->dev->counters->detaches++;
    return true;
}

/* A PASID has one table at a time; between two it is blocked. */
static bool bind_table(VtdBinding *b, const struct uapi2020_op_bind *op)
{
    int error;

    if (!unbind(b)) {
        return false;
    }
    error = vtd_vfio2020_op(container_of_device(b->dev), &op->op);
    if (error) {
        vtd_binding_refused(b, "bind the guest's first-stage table", error);
        return false;
    }
    b->bound = true;
    b->dev->counters->attaches++;
    return true;
}

/* --- VtdBindingOps ------------------------------------------------------- */

static bool identity(VtdBinding *b)
{
    return has_pasid(b) ? refuse(b, "untranslated requests with PASID") :
                          map_memory(b);
}

static bool translate(VtdBinding *b, const VtdConfig *config)
{
    struct uapi2020_op_bind op;

    if (!has_pasid(b)) {
        return refuse(b, "translated requests without PASID");
    }
    if (!vtd_encode2020_bind(config, b->pasid, &op)) {
        return refuse(b, "a second stage, or WPE");
    }
    if (!vtd_pasids_has(b->dev->pasids, b->pasid)) {
        return refuse(b, "a PASID that was not allocated");
    }
    return bind_table(b, &op);
}

static bool block(VtdBinding *b)
{
    return has_pasid(b) ? unbind(b) : unmap_memory(b);
}

static void release(VtdBinding *b)
{
    block(b);
}

static int invalidate(VtdBinding *b, const VtdRange *ranges, unsigned count,
                      unsigned *done)
{
    for (*done = 0; *done < count; ++*done) {
        struct uapi2020_op_invalidate op;
        int error;

        vtd_encode2020_invalidate(&ranges[*done], b->pasid, &op);
        error = vtd_vfio2020_op(container_of_device(b->dev), &op.op);
        b->dev->counters->ioctls++;
        if (error) {
            return error;
        }
    }
    return 0;
}

/* This interface has no page requests. */
static void answer(VtdBindingDevice *dev, const VtdNotice *response)
{
}

static void describe_device(const VtdBindingDevice *dev, QDict *to)
{
    qdict_put_int(to, "container", container_of_device(dev));
}

static void describe(const VtdBinding *b, QDict *to)
{
}

/* --- The device ---------------------------------------------------------- */

/* The guest has to see ECAP.VCS before it takes PASIDs of its own choice. */
static bool show_virtual_commands(VtdBindingDevice *dev, Error **errp)
{
    IntelIOMMUState *s = dev->space->iommu_state;
    const char *name = dev->vfio->name;

    if (s->unit->caps.ecap & VTD_ECAP_VCS) {
        return true;
    }
    if (phase_check(PHASE_MACHINE_READY)) {
        error_setg(errp, "%s: the machine started without ECAP.VCS, by which "
                   "a guest gets the PASIDs for this device", name);
        error_append_hint(errp, "Start with host-uapi=vfio-v1 on intel-iommu "
                                "to plug such devices later.\n");
        return false;
    }
    s->virtual_commands = true;
    vtd_recompose(s);
    return true;
}

static bool device_open(VtdBindingDevice *dev, Error **errp)
{
    if (!dev->pasid_bits) {
        error_setg(errp, "%s: a VFIO container nests requests with PASID only, "
                   "and the device has no PASIDs", dev->vfio->name);
        return false;
    }
    if (!show_virtual_commands(dev, errp)) {
        return false;
    }
    vtd_pasids_join(dev->pasids, container_of_device(dev), dev->pasid_bits);
    return true;
}

static void device_close(VtdBindingDevice *dev)
{
    vtd_pasids_leave(dev->pasids, container_of_device(dev));
}

const VtdBindingOps vtd_binding_vfio2020 = {
    .name = "vfio-v1",
    .open = device_open,
    .close = device_close,
    .identity = identity,
    .translate = translate,
    .block = block,
    .give_back = block,
    .release = release,
    .invalidate = invalidate,
    .answer = answer,
    .describe_device = describe_device,
    .describe = describe,
};
