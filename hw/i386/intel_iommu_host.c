/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Passed-through devices: the guest's configuration of a device is mirrored
 * to the host kernel, which walks the guest's first-stage tables under its
 * own second stage.
 *
 * For each device the host holds two page tables: the parent, which maps the
 * guest's memory one to one, and, while the guest uses first-stage
 * translation, a stage-1 HWPT on top of it.  A device is in one of three
 * states: see HostState.  It changes state when a notice tells that its
 * configuration may have changed; if the host refuses, the device is blocked.
 * It never falls back to a state that allows more.
 *
 * VFIO's own page table for the device stays empty meanwhile: the device's
 * address space in QEMU shows no memory (vtd_address_space_update()).
 */
#include "qemu/osdep.h"

#include <linux/vfio.h>
#include <sys/ioctl.h>

#include "hw/qdev-core.h"
#include "hw/vfio/vfio-common.h"
#include "intel_iommu_features.h"
#include "intel_iommu_iommufd.h"
#include "intel_iommu_memory.h"
#include "intel_iommu_space.h"
#include "migration/blocker.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "system/iommufd.h"
#include "system/runstate.h"
#include "trace/trace-hw_i386_vtd.h"

typedef enum HostState {
    HOST_IDENTITY, /* on the parent: guest-physical addresses */
    HOST_BLOCKED, /* detached: no DMA */
    HOST_FIRST_STAGE, /* on a stage-1 HWPT over the parent */
} HostState;

struct VtdHostDevice {
    VtdAddressSpace *space;
    HostIOMMUDevice *hiod;
    VFIODevice *vfio;
    VtdGuestMemory *memory;
    Error *migration_blocker;
    uint32_t parent; /* HWPT id */
    uint32_t empty_ioas;
    uint32_t empty; /* HWPT id; nothing is mapped there */
    uint32_t stage1; /* HWPT id, HOST_FIRST_STAGE only */
    HostState state;
    VtdConfig config; /* what stage1 was made of */

    /* Invalidations of the current batch, not yet passed down. */
    struct iommu_hwpt_vtd_s1_invalidate entry[VTD_BATCH_MAX];
    unsigned notice[VTD_BATCH_MAX]; /* index of the notice behind each */
    unsigned entries;
};

struct VtdHost {
    GPtrArray *devices; /* of VtdHostDevice */
    GSList *memories; /* of VtdGuestMemory */
    uint64_t structs; /* invalidation entries that took effect */
    uint64_t ioctls; /* invalidation calls */
    uint64_t attaches;
    uint64_t detaches;
    uint64_t stage1_hwpts; /* allocated so far */
    uint64_t errors;
};

static void add_counter(IntelIOMMUState *s, const char *name,
                        const uint64_t *value)
{
    object_property_add_uint64_ptr(OBJECT(s), name, value, OBJ_PROP_FLAG_READ);
}

void vtd_host_init(IntelIOMMUState *s)
{
    VtdHost *host = g_new0(VtdHost, 1);

    host->devices = g_ptr_array_new();
    s->host = host;
    add_counter(s, "x-host-invalidation-structs", &host->structs);
    add_counter(s, "x-host-invalidation-ioctls", &host->ioctls);
    add_counter(s, "x-host-attaches", &host->attaches);
    add_counter(s, "x-host-detaches", &host->detaches);
    add_counter(s, "x-host-stage1-hwpts", &host->stage1_hwpts);
    add_counter(s, "x-host-errors", &host->errors);
}

static VtdHost *host_of(VtdHostDevice *dev)
{
    return dev->space->iommu_state->host;
}

static int iommufd_of(VtdHostDevice *dev)
{
    return dev->vfio->iommufd->fd;
}

static void count_error(VtdHostDevice *dev, const char *what, int error)
{
    host_of(dev)->errors++;
    trace_vtd_host_error(dev->vfio->name, what, -error);
    warn_report_once("intel-iommu: %s: the host kernel refused to %s: %s",
                     dev->vfio->name, what, strerror(-error));
}

static void free_stage1(VtdHostDevice *dev)
{
    if (dev->stage1) {
        iommufd_backend_free_id(dev->vfio->iommufd, dev->stage1);
        dev->stage1 = 0;
    }
}

static void set_state(VtdHostDevice *dev, HostState state)
{
    static const char *const names[] = {
        [HOST_IDENTITY] = "identity",
        [HOST_BLOCKED] = "blocked",
        [HOST_FIRST_STAGE] = "first-stage",
    };

    trace_vtd_host_state(dev->vfio->name, names[dev->state], names[state]);
    dev->state = state;
}

static bool attach(VtdHostDevice *dev, uint32_t hwpt, HostState state)
{
    int error = vtd_iommufd_attach(dev->vfio->fd, hwpt);

    if (error) {
        count_error(dev, "attach the device", error);
        return false;
    }
    host_of(dev)->attaches++;
    set_state(dev, state);
    return true;
}

static bool detach(VtdHostDevice *dev)
{
    int error = vtd_iommufd_detach(dev->vfio->fd);

    if (error) {
        count_error(dev, "detach the device", error);
        return false;
    }
    host_of(dev)->detaches++;
    set_state(dev, HOST_BLOCKED);
    return true;
}

/*
 * The device keeps a translation that the guest has taken from it.  Nobody may
 * use what it writes: it is reset, which ends its DMA, and the guest stops.
 */
static void lose_control(VtdHostDevice *dev)
{
    error_report("intel-iommu: %s: the host kernel refuses to block the "
                 "device, which still reaches memory that the guest has taken "
                 "from it; the machine is stopped, quit QEMU",
                 dev->vfio->name);
    ioctl(dev->vfio->fd, VFIO_DEVICE_RESET);
    vm_stop(RUN_STATE_INTERNAL_ERROR);
}

/*
 * The state that is left when nothing else can be had.  If the host does not
 * even detach the device, a page table without any page does as well.
 */
static void block(VtdHostDevice *dev)
{
    if (dev->state == HOST_BLOCKED) {
        return;
    }
    if (detach(dev) || attach(dev, dev->empty, HOST_BLOCKED)) {
        free_stage1(dev);
    } else {
        lose_control(dev);
    }
}

static void go_identity(VtdHostDevice *dev)
{
    if (dev->state == HOST_IDENTITY) {
        return;
    }
    if (attach(dev, dev->parent, HOST_IDENTITY)) {
        free_stage1(dev);
    } else {
        block(dev);
    }
}

static bool same_tables(const VtdConfig *a, const VtdConfig *b)
{
    return a->fs_table == b->fs_table && a->fs_levels == b->fs_levels &&
           a->supervisor_enable == b->supervisor_enable &&
           a->extended_accessed == b->extended_accessed &&
           a->write_protect == b->write_protect;
}

/* False: the host does not want this table; the device is blocked. */
static bool go_first_stage(VtdHostDevice *dev, const VtdConfig *config)
{
    struct iommu_hwpt_vtd_s1 data;
    uint32_t old = dev->stage1;
    uint32_t hwpt;
    int error;

    if (dev->state == HOST_FIRST_STAGE && same_tables(&dev->config, config)) {
        dev->config = *config;
        return true;
    }
    vtd_iommufd_encode_s1(config, &data);
    error = vtd_iommufd_alloc_s1(iommufd_of(dev), dev->vfio->devid,
                                 dev->parent, &data, &hwpt);
    if (error) {
        count_error(dev, "take the guest's first-stage table", error);
        block(dev);
        return false;
    }
    host_of(dev)->stage1_hwpts++;
    if (!attach(dev, hwpt, HOST_FIRST_STAGE)) {
        iommufd_backend_free_id(dev->vfio->iommufd, hwpt);
        block(dev);
        return false;
    }
    dev->stage1 = hwpt;
    dev->config = *config;
    if (old) {
        iommufd_backend_free_id(dev->vfio->iommufd, old);
    }
    return true;
}

/*
 * Bring the host in line with the guest's present configuration.  What cannot
 * be mirrored blocks the device; the guest learns of it as of any PASID entry
 * that the hardware cannot work with.  Faults of the guest's own tables are
 * found by hardware at the first DMA; the host does not report those.
 */
static void mirror(VtdHostDevice *dev)
{
    VtdUnit *unit = dev->space->iommu_state->unit;
    VtdSource *source = vtd_space_source(dev->space);
    bool accepted = true;
    VtdConfig config;

    if (!vtd_translation_enabled(unit)) {
        go_identity(dev);
        return;
    }
    if (vtd_configuration(unit, source, &config)) {
        block(dev);
        return;
    }
    switch (config.kind) {
    case VTD_PASS_THROUGH:
        go_identity(dev);
        break;
    case VTD_FIRST_STAGE:
        accepted = go_first_stage(dev, &config);
        break;
    case VTD_SECOND_STAGE:
    case VTD_NESTED:
        warn_report_once("intel-iommu: %s: the guest chose second-stage "
                         "translation, which is not passed to the host; the "
                         "device is blocked",
                         dev->vfio->name);
        block(dev);
        accepted = false;
        break;
    }
    if (!accepted && !config.fault_disable) {
        vtd_report_fault(unit, source, VTD_FAULT_SM_PASID_INVALID, 0);
    }
}

/* Does @notice drop translations that @dev's stage-1 HWPT gave rise to? */
static bool covers(const VtdHostDevice *dev, const VtdNotice *notice)
{
    if (dev->state != HOST_FIRST_STAGE) {
        return false;
    }
    if (notice->scope == VTD_SCOPE_GLOBAL) {
        return true;
    }
    if (notice->did != dev->config.did) {
        return false;
    }
    return notice->kind == VTD_NOTICE_IOTLB ||
           notice->pasid == dev->config.pasid;
}

/*
 * Pass the entries of @dev down in one array.  Returns VTD_DELIVERED, or what
 * became of it with *@failed = the notice at fault; the device is blocked
 * then, so that nothing stale is used.
 */
static VtdDelivery flush(VtdHostDevice *dev, unsigned *failed)
{
    VtdHost *host = host_of(dev);
    unsigned count = dev->entries;
    unsigned done;
    int error;

    if (!count) {
        return VTD_DELIVERED;
    }
    dev->entries = 0;
    error = vtd_iommufd_invalidate(iommufd_of(dev), dev->stage1, dev->entry,
                                   count, &done, &host->ioctls);
    trace_vtd_host_invalidate(dev->vfio->name, dev->stage1, count, done,
                              -error);
    host->structs += done;
    if (!error) {
        return VTD_DELIVERED;
    }
    count_error(dev, "invalidate first-stage translations", error);
    *failed = dev->notice[done];
    block(dev);
    return error == -ETIMEDOUT ? VTD_DELIVERY_TIMEOUT : VTD_DELIVERY_REFUSED;
}

/* Flush all devices; the earliest notice that failed counts. */
static VtdDelivery flush_all(VtdHost *host, unsigned *failed)
{
    VtdDelivery result = VTD_DELIVERED;

    for (unsigned i = 0; i < host->devices->len; i++) {
        unsigned index;
        VtdDelivery one = flush(g_ptr_array_index(host->devices, i), &index);

        if (one != VTD_DELIVERED &&
            (result == VTD_DELIVERED || index < *failed)) {
            result = one;
            *failed = index;
        }
    }
    return result;
}

static void queue_invalidation(VtdHost *host, const VtdNotice *notice,
                               unsigned index)
{
    for (unsigned i = 0; i < host->devices->len; i++) {
        VtdHostDevice *dev = g_ptr_array_index(host->devices, i);

        if (covers(dev, notice)) {
            vtd_iommufd_encode_invalidation(notice,
                                            &dev->entry[dev->entries]);
            dev->notice[dev->entries++] = index;
        }
    }
}

static void mirror_all(VtdHost *host)
{
    for (unsigned i = 0; i < host->devices->len; i++) {
        mirror(g_ptr_array_index(host->devices, i));
    }
}

VtdDelivery vtd_host_deliver(IntelIOMMUState *s, const VtdNotice *notices,
                             unsigned count, unsigned *done)
{
    VtdHost *host = s->host;
    VtdDelivery result = VTD_DELIVERED;

    if (!host->devices->len) {
        return VTD_DELIVERED;
    }
    for (unsigned i = 0; i < count && result == VTD_DELIVERED; i++) {
        switch (notices[i].kind) {
        case VTD_NOTICE_TRANSLATION:
        case VTD_NOTICE_CONTEXT:
        case VTD_NOTICE_PASID_CACHE:
            result = flush_all(host, done);
            if (result == VTD_DELIVERED) {
                mirror_all(host);
            }
            break;
        case VTD_NOTICE_IOTLB:
        case VTD_NOTICE_PASID_IOTLB:
            if (s->forward_invalidation) {
                queue_invalidation(host, &notices[i], i);
            }
            break;
        case VTD_NOTICE_DEVICE_TLB: /* the kernel does it with the IOTLB */
        case VTD_NOTICE_INTERRUPT_ENTRY: /* not the host's matter */
        case VTD_NOTICE_PAGE_RESPONSE: /* the same: no faults come up */
            break;
        }
    }
    return result == VTD_DELIVERED ? flush_all(host, done) : result;
}

void vtd_host_reset(IntelIOMMUState *s)
{
    for (unsigned i = 0; i < s->host->devices->len; i++) {
        go_identity(g_ptr_array_index(s->host->devices, i));
    }
}

static bool check_width(IntelIOMMUState *s, const char *name, uint64_t cap,
                        Error **errp)
{
    unsigned host_bits = vtd_get(cap, VTD_CAP_MGAW) + 1;

    if (s->aw_bits > host_bits) {
        error_setg(errp,
                   "%s: aw-bits=%u, but the host's IOMMU has %u address "
                   "bits (CAP.MGAW 0x%x)",
                   name, s->aw_bits, host_bits,
                   host_bits - 1);
        error_append_hint(errp, "Set aw-bits to at most %u.\n", host_bits);
        return false;
    }
    return true;
}

static bool check_host(IntelIOMMUState *s, VFIODevice *vfio, Error **errp)
{
    struct iommu_hw_info_vtd info = { 0 };
    uint64_t caps;
    uint32_t type;

    if (!iommufd_backend_get_device_info(vfio->iommufd, vfio->devid, &type,
                                         &info, sizeof(info), &caps, errp)) {
        return false;
    }
    if (type != IOMMU_HW_INFO_TYPE_INTEL_VTD) {
        error_setg(errp,
                   "%s: nested=on needs an Intel VT-d IOMMU in the host, but "
                   "the host's IOMMU is of type %u",
                   vfio->name, type);
        return false;
    }
    if (!check_width(s, vfio->name, info.cap_reg, errp)) {
        return false;
    }
    return vtd_features_meet(s,
                             &(VtdHostUnit){
                                 .device = vfio->name,
                                 .nested = true,
                                 .cap = info.cap_reg,
                                 .ecap = info.ecap_reg,
                             },
                             errp);
}

/*
 * Linux and the spec tell a unit of a table entry that becomes present only
 * if CAP.CM is set.  The guest has to see it before it reads CAP.
 */
static bool show_caching_mode(IntelIOMMUState *s, const char *name,
                              Error **errp)
{
    if (s->unit->caps.cap & VTD_CAP_CM) {
        return true;
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

static bool check_backend(HostIOMMUDevice *hiod, Error **errp)
{
    if (!object_dynamic_cast(OBJECT(hiod), TYPE_HOST_IOMMU_DEVICE_IOMMUFD)) {
        error_setg(errp,
                   "%s: nested=on needs the iommufd backend, this device uses "
                   "a VFIO type1 container",
                   hiod->name);
        error_append_hint(errp, "Add '-object iommufd,id=ID' and "
                                "'iommufd=ID' to the device.\n");
        return false;
    }
    return true;
}

/*
 * Without nested translation VFIO maps what the guest's second-stage tables
 * say (intel_iommu_shadow.c).  First-stage tables cannot be followed: nobody
 * tells of a first-stage entry that becomes present.
 */
static bool check_shadowed(IntelIOMMUState *s, HostIOMMUDevice *hiod,
                           Error **errp)
{
    HostIOMMUDeviceClass *class = HOST_IOMMU_DEVICE_GET_CLASS(hiod);
    int host_bits = class->get_cap(hiod, HOST_IOMMU_DEVICE_CAP_AW_BITS, errp);

    if (host_bits < 0) {
        return false;
    }
    if (s->first_stage.on) {
        error_setg(errp,
                   "%s: with x-flts=on devices are passed through by nested "
                   "translation only",
                   hiod->name);
        error_append_hint(errp, "Set nested=on on intel-iommu, or x-flts=off "
                                "with caching-mode=on.\n");
        return false;
    }
    if (!(s->unit->caps.cap & VTD_CAP_CM)) {
        error_setg(errp,
                   "%s: passing a device through behind intel-iommu needs "
                   "nested=on, or caching-mode=on",
                   hiod->name);
        return false;
    }
    if (s->aw_bits > host_bits) {
        error_setg(errp,
                   "%s: aw-bits=%u, but the host's IOMMU has %d address bits",
                   hiod->name, s->aw_bits, host_bits);
        error_append_hint(errp, "Set aw-bits to at most %d.\n", host_bits);
        return false;
    }
    return vtd_features_meet(s, &(VtdHostUnit){ .device = hiod->name }, errp);
}

/* What block() falls back to. */
static bool open_empty(VtdHostDevice *dev, Error **errp)
{
    int error;

    if (!iommufd_backend_alloc_ioas(dev->vfio->iommufd, &dev->empty_ioas,
                                    errp)) {
        return false;
    }
    error = vtd_iommufd_alloc_paging(iommufd_of(dev), dev->vfio->devid,
                                     dev->empty_ioas, 0, &dev->empty);
    if (error) {
        iommufd_backend_free_id(dev->vfio->iommufd, dev->empty_ioas);
        error_setg_errno(errp, -error,
                         "%s: the host kernel has no page table to block the "
                         "device with", dev->vfio->name);
        return false;
    }
    return true;
}

static void close_empty(VtdHostDevice *dev)
{
    iommufd_backend_free_id(dev->vfio->iommufd, dev->empty);
    iommufd_backend_free_id(dev->vfio->iommufd, dev->empty_ioas);
}

/* The page tables of a device whose host can nest. */
static bool open_parent(VtdHostDevice *dev, Error **errp)
{
    ERRP_GUARD();
    VtdHost *host = host_of(dev);
    int error;

    dev->memory = vtd_guest_memory_get(&host->memories, dev->vfio->iommufd,
                                       errp);
    if (!dev->memory) {
        return false;
    }
    error = vtd_iommufd_alloc_paging(iommufd_of(dev), dev->vfio->devid,
                                     vtd_guest_memory_ioas(dev->memory),
                                     IOMMU_HWPT_ALLOC_NEST_PARENT,
                                     &dev->parent);
    if (error) {
        vtd_guest_memory_put(&host->memories, dev->memory);
        error_setg_errno(errp, -error,
                         "%s: the host kernel has no page table that can be "
                         "nested for this device", dev->vfio->name);
        error_append_hint(errp, "Nested translation needs Linux 6.8 or later "
                                "and intel_iommu=on,sm_on in the host.\n");
        return false;
    }
    /* The host does not tell what DMA through a nested table dirties. */
    error_setg(&dev->migration_blocker,
               "%s is passed through by nested translation", dev->vfio->name);
    if (migrate_add_blocker(&dev->migration_blocker, errp) < 0) {
        iommufd_backend_free_id(dev->vfio->iommufd, dev->parent);
        vtd_guest_memory_put(&host->memories, dev->memory);
        return false;
    }
    return true;
}

static void close_parent(VtdHostDevice *dev)
{
    migrate_del_blocker(&dev->migration_blocker);
    iommufd_backend_free_id(dev->vfio->iommufd, dev->parent);
    vtd_guest_memory_put(&host_of(dev)->memories, dev->memory);
}

static bool open_tables(VtdHostDevice *dev, Error **errp)
{
    if (!open_empty(dev, errp)) {
        return false;
    }
    if (!open_parent(dev, errp)) {
        close_empty(dev);
        return false;
    }
    return true;
}

static void close_tables(VtdHostDevice *dev)
{
    close_parent(dev);
    close_empty(dev);
}

bool vtd_host_attach(VtdAddressSpace *space, HostIOMMUDevice *hiod,
                     Error **errp)
{
    IntelIOMMUState *s = space->iommu_state;
    VFIODevice *vfio = hiod->agent;
    VtdHostDevice *dev;

    if (!s->nested) {
        return check_shadowed(s, hiod, errp);
    }
    if (!check_backend(hiod, errp) || !check_host(s, vfio, errp) ||
        !show_caching_mode(s, vfio->name, errp)) {
        return false;
    }
    dev = g_new0(VtdHostDevice, 1);
    dev->space = space;
    dev->vfio = vfio;
    dev->state = HOST_BLOCKED;
    if (!open_tables(dev, errp)) {
        g_free(dev);
        return false;
    }
    go_identity(dev);
    if (dev->state != HOST_IDENTITY) {
        error_setg(errp, "%s: the host kernel refused to attach the device "
                   "to its nest-parent page table", vfio->name);
        close_tables(dev);
        g_free(dev);
        return false;
    }
    dev->hiod = HOST_IOMMU_DEVICE(object_ref(OBJECT(hiod)));
    space->host = dev;
    g_ptr_array_add(s->host->devices, dev);
    vtd_address_space_update(space);
    mirror(dev);
    return true;
}

void vtd_host_detach(VtdAddressSpace *space)
{
    VtdHostDevice *dev = space->host;

    if (!dev) {
        return;
    }
    /* Hand the device back to VFIO as VFIO left it.  If nothing helps, its
     * descriptor is closed next, which the kernel cannot refuse. */
    if (!attach(dev, dev->vfio->hwpt->hwpt_id, HOST_BLOCKED)) {
        detach(dev);
    }
    free_stage1(dev);
    close_tables(dev);
    g_ptr_array_remove(space->iommu_state->host->devices, dev);
    space->host = NULL;
    object_unref(OBJECT(dev->hiod));
    g_free(dev);
    vtd_address_space_update(space);
}
