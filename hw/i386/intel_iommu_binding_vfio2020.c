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
#include "intel_iommu_container.h"
#include "intel_iommu_interface.h"
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

/* False: the interface is none for this device, with the reason. */
static bool G_GNUC_PRINTF(3, 4) cannot_nest(VtdOffer *offer, const char *hint,
                                            const char *why, ...)
{
    va_list args;

    va_start(args, why);
    vsnprintf(offer->why, sizeof(offer->why), why, args);
    va_end(args);
    offer->hint = hint;
    return false;
}

/* The capability: what the unit is, and what can be asked for. */
static bool ask_container(VFIODevice *vfio, VtdOffer *offer,
                          VtdNesting2020 *nesting)
{
    const char *why = vtd_vfio2020_info(vtd_container_of(vfio), nesting);

    if (why) {
        return cannot_nest(offer, VTD_ADD_IOMMUFD,
                           "nested=on needs the iommufd backend, or a "
                           "container that nests, but the host's kernel %s",
                           why);
    }
    if (!(nesting->features & UAPI2020_NESTING_SYSWIDE_PASID)) {
        return cannot_nest(offer, VTD_ADD_IOMMUFD,
                           "the nesting of the host's kernel lacks allocating "
                           "PASIDs (features 0x%x)", nesting->features);
    }
    if (!nesting->pasid_bits || !(nesting->ecap & VTD_ECAP_PASID)) {
        return cannot_nest(offer, VTD_ADD_IOMMUFD,
                           "the device has no PASIDs, without which a VFIO "
                           "container cannot nest");
    }
    offer->pasid_bits = MIN(nesting->pasid_bits, VTD_PASID_MAX_BITS);
    vtd_offer_unit(offer, nesting->cap, nesting->ecap);
    return true;
}

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

static int probe_bind(int container, uint32_t pasid)
{
    const VtdConfig empty = { .kind = VTD_FIRST_STAGE, .fs_levels = 4 };
    struct uapi2020_op_bind op;

    vtd_encode2020_bind(&empty, pasid, &op);
    return vtd_vfio2020_op(container, &op.op);
}

static int probe_unbind(int container, uint32_t pasid)
{
    struct uapi2020_op_bind op;

    vtd_encode2020_unbind(pasid, &op);
    return vtd_vfio2020_op(container, &op.op);
}

static int probe_invalidate(int container, uint32_t pasid)
{
    static const VtdRange ranges[] = {
        { .order = VTD_RANGE_ALL }, { .leaf_only = true },
    };
    int error = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(ranges) && !error; i++) {
        struct uapi2020_op_invalidate op;

        vtd_encode2020_invalidate(&ranges[i], pasid, &op);
        error = vtd_vfio2020_op(container, &op.op);
    }
    return error;
}

/* With a PASID that is allocated. */
static void ask_structs(int container, const VtdNesting2020 *nesting,
                        uint32_t pasid, VtdOffer *offer)
{
    int error = nesting->features & UAPI2020_NESTING_BIND ?
                    probe_bind(container, pasid) : -ENOTTY;

    if (!error) {
        vtd_offer_call(offer, VTD_NEED_INVALIDATE,
                       nesting->features & UAPI2020_NESTING_INVALIDATE ?
                           probe_invalidate(container, pasid) : -ENOTTY);
        error = probe_unbind(container, pasid);
    }
    vtd_offer_call(offer, VTD_NEED_STAGE1, error);
    vtd_offer_call(offer, VTD_NEED_PASID_ATTACH, error);
}

/*
 * What the capability says is one thing, what the kernel's driver takes another;
 * and an invalidation that it turns out not to know could not be made good.  So
 * each struct is tried before the guest is shown anything.
 */
static bool probe(const IntelIOMMUState *s, VFIODevice *vfio, VtdOffer *offer,
                  Error **errp)
{
    int container = vtd_container_of(vfio);
    VtdNesting2020 nesting;
    int pasid;

    if (!ask_container(vfio, offer, &nesting)) {
        return true;
    }
    if (!vtd_features_on(s, VTD_FEATURE_PASID) ||
        s->feature[VTD_FEATURE_PASID] == ON_OFF_AUTO_OFF) {
        cannot_nest(offer, "Set pasid-bits=N on intel-iommu.",
                    "nested translation by a VFIO container is for requests "
                    "with PASID only, and the guest's IOMMU has no PASIDs");
        return true;
    }
    pasid = vtd_vfio2020_alloc_pasid(container, 1,
                                     (1u << offer->pasid_bits) - 1);
    if (pasid < 0) {
        cannot_nest(offer, VTD_ADD_IOMMUFD,
                    "the host kernel refuses PASIDs "
                    "(VFIO_IOMMU_PASID_REQUEST, 16 bytes): %s",
                    strerror(-pasid));
        return true;
    }
    offer->has |= VTD_NEED_BIT(BACKEND);
    vtd_offer_call(offer, VTD_NEED_NEST_PARENT, 0);
    vtd_offer_call(offer, VTD_NEED_PASID_TABLE, 0);
    ask_structs(container, &nesting, pasid, offer);
    vtd_vfio2020_free_pasid(container, pasid);
    return true;
}

static bool device_open(VtdBindingDevice *dev, const VtdOffer *offer,
                        Error **errp)
{
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
    .probe = probe,
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
