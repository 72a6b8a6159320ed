/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include <linux/vfio.h>
#include <sys/ioctl.h>

#include "intel_iommu_binding.h"
#include "qemu/error-report.h"
#include "system/iommufd.h"
#include "system/runstate.h"
#include "trace/trace-hw_i386_vtd.h"

static void count_error(VtdBinding *b, const char *what, int error)
{
    b->dev->counters->errors++;
    trace_vtd_host_error(b->dev->vfio->name, b->pasid, what, -error);
    warn_report_once("intel-iommu: %s: the host kernel refused to %s: %s",
                     b->dev->vfio->name, what, strerror(-error));
}

static void free_hwpt(VtdBinding *b, uint32_t hwpt)
{
    iommufd_backend_free_id(b->dev->vfio->iommufd, hwpt);
}

/* The host has answered what came from a table that is not attached now. */
static void forget_faults(VtdBinding *b)
{
    if (b->dev->faults) {
        vtd_fault_queue_forget(b->dev->faults, b->pasid);
    }
}

static void free_stage1(VtdBinding *b)
{
    if (b->stage1) {
        forget_faults(b);
        free_hwpt(b, b->stage1);
        b->stage1 = 0;
    }
}

const char *vtd_binding_state_name(VtdBindingState state)
{
    static const char *const names[] = {
        [VTD_BINDING_IDENTITY] = "identity",
        [VTD_BINDING_BLOCKED] = "blocked",
        [VTD_BINDING_FIRST_STAGE] = "first-stage",
    };

    return names[state];
}

static void set_state(VtdBinding *b, VtdBindingState state)
{
    bool was_bound = b->state != VTD_BINDING_BLOCKED;
    bool is_bound = state != VTD_BINDING_BLOCKED;

    trace_vtd_host_state(b->dev->vfio->name, b->pasid,
                         vtd_binding_state_name(b->state),
                         vtd_binding_state_name(state));
    b->state = state;
    if (b->pasid != VTD_NO_PASID) {
        b->dev->counters->pasids += is_bound - was_bound;
    }
}

VtdBinding *vtd_binding_new(VtdBindingDevice *dev, uint32_t pasid)
{
    VtdBinding *b = g_new0(VtdBinding, 1);

    b->dev = dev;
    b->pasid = pasid;
    b->state = VTD_BINDING_BLOCKED;
    return b;
}

/* There may be as many bindings as PASIDs, but few have entries at a time. */
static void forget_entries(VtdBinding *b)
{
    g_clear_pointer(&b->entry, g_free);
    g_clear_pointer(&b->notice, g_free);
    b->entries = 0;
}

void vtd_binding_free(VtdBinding *b)
{
    free_stage1(b);
    forget_entries(b);
    g_free(b);
}

static bool attach(VtdBinding *b, uint32_t hwpt, VtdBindingState state)
{
    int error = vtd_iommufd_attach(b->dev->vfio->fd, b->pasid, hwpt);

    if (error) {
        count_error(b, "attach the device", error);
        return false;
    }
    b->dev->counters->attaches++;
    set_state(b, state);
    return true;
}

static bool detach(VtdBinding *b)
{
    int error = vtd_iommufd_detach(b->dev->vfio->fd, b->pasid);

    if (error) {
        count_error(b, "detach the device", error);
        return false;
    }
    b->dev->counters->detaches++;
    set_state(b, VTD_BINDING_BLOCKED);
    return true;
}

/*
 * The device keeps a translation that the guest has taken from it.  Nobody may
 * use what it writes: it is reset, which ends its DMA, and the guest stops.
 */
static void lose_control(VtdBinding *b)
{
    error_report("intel-iommu: %s: the host kernel refuses to block the "
                 "device, which still reaches memory that the guest has taken "
                 "from it; the machine is stopped, quit QEMU",
                 b->dev->vfio->name);
    ioctl(b->dev->vfio->fd, VFIO_DEVICE_RESET);
    vm_stop(RUN_STATE_INTERNAL_ERROR);
}

/* If the host does not even detach, a table without any page does as well. */
void vtd_binding_block(VtdBinding *b)
{
    if (b->state == VTD_BINDING_BLOCKED) {
        return;
    }
    if (detach(b) || attach(b, b->dev->empty, VTD_BINDING_BLOCKED)) {
        free_stage1(b);
    } else {
        lose_control(b);
    }
}

void vtd_binding_identity(VtdBinding *b)
{
    if (b->state == VTD_BINDING_IDENTITY) {
        return;
    }
    if (attach(b, b->dev->parent, VTD_BINDING_IDENTITY)) {
        free_stage1(b);
    } else {
        vtd_binding_block(b);
    }
}

static bool same_tables(const VtdConfig *a, const VtdConfig *b)
{
    return a->fs_table == b->fs_table && a->fs_levels == b->fs_levels &&
           a->supervisor_enable == b->supervisor_enable &&
           a->extended_accessed == b->extended_accessed &&
           a->write_protect == b->write_protect;
}

bool vtd_binding_first_stage(VtdBinding *b, const VtdConfig *config)
{
    VtdBindingDevice *dev = b->dev;
    struct iommu_hwpt_vtd_s1 data;
    uint32_t old = b->stage1;
    uint32_t hwpt;
    int error;

    if (b->state == VTD_BINDING_FIRST_STAGE &&
        same_tables(&b->config, config)) {
        b->config = *config;
        return true;
    }
    vtd_iommufd_encode_s1(config, &data);
    error = vtd_iommufd_alloc_s1(dev->vfio->iommufd->fd, dev->vfio->devid,
                                 dev->parent, dev->hwpt, &data, &hwpt);
    if (error) {
        count_error(b, "take the guest's first-stage table", error);
        vtd_binding_block(b);
        return false;
    }
    dev->counters->stage1_hwpts++;
    if (!attach(b, hwpt, VTD_BINDING_FIRST_STAGE)) {
        free_hwpt(b, hwpt);
        vtd_binding_block(b);
        return false;
    }
    b->stage1 = hwpt;
    b->config = *config;
    if (old) {
        forget_faults(b);
        free_hwpt(b, old);
    }
    return true;
}

void vtd_binding_return(VtdBinding *b, uint32_t hwpt)
{
    /* If nothing helps, the device's descriptor is closed next, which the
     * kernel cannot refuse. */
    if (!attach(b, hwpt, VTD_BINDING_BLOCKED)) {
        detach(b);
    }
}

bool vtd_binding_covered(const VtdBinding *b, const VtdNotice *notice)
{
    if (b->state != VTD_BINDING_FIRST_STAGE) {
        return false;
    }
    if (notice->scope == VTD_SCOPE_GLOBAL) {
        return true;
    }
    if (notice->did != b->config.did) {
        return false;
    }
    return notice->kind == VTD_NOTICE_IOTLB ||
           notice->pasid == b->config.pasid;
}

void vtd_binding_invalidate(VtdBinding *b, const VtdNotice *notice,
                            unsigned index)
{
    if (!b->entry) {
        b->entry = g_new(struct iommu_hwpt_vtd_s1_invalidate, VTD_BATCH_MAX);
        b->notice = g_new(unsigned, VTD_BATCH_MAX);
    }
    vtd_iommufd_encode_invalidation(notice, &b->entry[b->entries]);
    b->notice[b->entries++] = index;
}

VtdDelivery vtd_binding_flush(VtdBinding *b, unsigned *failed)
{
    VtdHostCounters *counters = b->dev->counters;
    unsigned count = b->entries;
    unsigned done;
    int error;

    if (!count) {
        return VTD_DELIVERED;
    }
    error = vtd_iommufd_invalidate(b->dev->vfio->iommufd->fd, b->stage1,
                                   b->entry, count, &done, &counters->ioctls);
    trace_vtd_host_invalidate(b->dev->vfio->name, b->pasid, b->stage1, count,
                              done, -error);
    counters->structs += done;
    if (error) {
        *failed = b->notice[done];
    }
    forget_entries(b);
    if (!error) {
        return VTD_DELIVERED;
    }
    count_error(b, "invalidate first-stage translations", error);
    vtd_binding_block(b);
    return error == -ETIMEDOUT ? VTD_DELIVERY_TIMEOUT : VTD_DELIVERY_REFUSED;
}
