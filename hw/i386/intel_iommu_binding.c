/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include <linux/vfio.h>
#include <sys/ioctl.h>

#include "intel_iommu_binding.h"
#include "qemu/error-report.h"
#include "system/runstate.h"
#include "trace/trace-hw_i386_vtd.h"

void vtd_binding_refused(VtdBinding *b, const char *what, int error)
{
    b->dev->counters->errors++;
    trace_vtd_host_error(b->dev->vfio->name, b->pasid, what, -error);
    warn_report_once("intel-iommu: %s: the host kernel refused to %s: %s",
                     b->dev->vfio->name, what, strerror(-error));
}

const char *vtd_binding_state_name(VtdBindingState state)
{
    static const char *const names[] = {
        [VTD_BINDING_IDENTITY] = "identity",
        [VTD_BINDING_BLOCKED] = "blocked",
        [VTD_BINDING_FIRST_STAGE] = "first-stage",
        [VTD_BINDING_SECOND_STAGE] = "second-stage",
        [VTD_BINDING_NESTED] = "nested",
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

/* There may be as many bindings as PASIDs, but few have ranges at a time. */
static void forget_ranges(VtdBinding *b)
{
    g_clear_pointer(&b->range, g_free);
    b->ranges = 0;
}

void vtd_binding_free(VtdBinding *b)
{
    b->dev->ops->release(b);
    forget_ranges(b);
    g_free(b);
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

void vtd_binding_block(VtdBinding *b)
{
    if (b->state == VTD_BINDING_BLOCKED) {
        return;
    }
    if (b->dev->ops->block(b)) {
        set_state(b, VTD_BINDING_BLOCKED);
    } else {
        lose_control(b);
    }
}

bool vtd_binding_identity(VtdBinding *b)
{
    if (b->state == VTD_BINDING_IDENTITY) {
        return true;
    }
    if (!b->dev->ops->identity(b)) {
        vtd_binding_block(b);
        return false;
    }
    set_state(b, VTD_BINDING_IDENTITY);
    return true;
}

static bool same_first_stage(const VtdConfig *a, const VtdConfig *b)
{
    return a->fs_table == b->fs_table && a->fs_levels == b->fs_levels &&
           a->supervisor_enable == b->supervisor_enable &&
           a->extended_accessed == b->extended_accessed &&
           a->write_protect == b->write_protect;
}

/* Domains are told apart by their ids as well: invalidations name them. */
static bool same_second_stage(const VtdConfig *a, const VtdConfig *b)
{
    return a->did == b->did && a->ss_table == b->ss_table &&
           a->ss_levels == b->ss_levels;
}

static bool same_tables(const VtdConfig *a, const VtdConfig *b)
{
    return a->kind == b->kind &&
           (a->kind == VTD_SECOND_STAGE || same_first_stage(a, b)) &&
           (a->kind == VTD_FIRST_STAGE || same_second_stage(a, b));
}

bool vtd_binding_translate(VtdBinding *b, const VtdConfig *config)
{
    static const VtdBindingState states[] = {
        [VTD_FIRST_STAGE] = VTD_BINDING_FIRST_STAGE,
        [VTD_SECOND_STAGE] = VTD_BINDING_SECOND_STAGE,
        [VTD_NESTED] = VTD_BINDING_NESTED,
    };
    VtdBindingState state = states[config->kind];

    if (b->state != state || !same_tables(&b->config, config)) {
        if (!b->dev->ops->translate(b, config)) {
            vtd_binding_block(b);
            return false;
        }
        set_state(b, state);
    }
    b->config = *config;
    return true;
}

bool vtd_binding_give_back(VtdBinding *b)
{
    bool done = b->dev->ops->give_back(b);

    set_state(b, VTD_BINDING_BLOCKED);
    return done;
}

bool vtd_binding_covered(const VtdBinding *b, const VtdNotice *notice)
{
    if (b->state != VTD_BINDING_FIRST_STAGE &&
        b->state != VTD_BINDING_NESTED) {
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
    if (!b->range) {
        b->range = g_new(VtdRange, VTD_BATCH_MAX);
    }
    b->ranges = vtd_ranges_add(b->range, b->ranges,
                               vtd_range_of(notice, index));
}

VtdDelivery vtd_binding_flush(VtdBinding *b, unsigned *failed)
{
    unsigned count = b->ranges;
    unsigned done;
    int error;

    if (!count) {
        return VTD_DELIVERED;
    }
    error = b->dev->ops->invalidate(b, b->range, count, &done);
    trace_vtd_host_invalidate(b->dev->vfio->name, b->pasid, count, done,
                              -error);
    b->dev->counters->structs += done;
    if (error) {
        *failed = vtd_ranges_earliest(b->range + done, count - done);
    }
    forget_ranges(b);
    if (!error) {
        return VTD_DELIVERED;
    }
    vtd_binding_refused(b, "invalidate first-stage translations", error);
    vtd_binding_block(b);
    return error == -ETIMEDOUT ? VTD_DELIVERY_TIMEOUT : VTD_DELIVERY_REFUSED;
}
