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
    b->dev->counters->hwpts--;
    iommufd_backend_free_id(b->dev->vfio->iommufd, hwpt);
}

/* The host has answered what came from a table that is not attached now. */
static void forget_faults(VtdBinding *b)
{
    if (b->dev->faults) {
        vtd_fault_queue_forget(b->dev->faults, b->pasid);
    }
}

/* What a binding is attached to, besides the parent and the empty table. */
typedef struct Tables {
    VtdHostDomain *domain;
    uint32_t stage2;
    uint32_t stage1;
} Tables;

static Tables tables_of(const VtdBinding *b)
{
    return (Tables){ b->domain, b->stage2, b->stage1 };
}

static void set_tables(VtdBinding *b, Tables t)
{
    b->domain = t.domain;
    b->stage2 = t.stage2;
    b->stage1 = t.stage1;
}

/* Nothing is attached to them any more. */
static void free_tables(VtdBinding *b, Tables t)
{
    if (t.stage1) {
        forget_faults(b);
        free_hwpt(b, t.stage1);
    }
    if (t.stage2) {
        free_hwpt(b, t.stage2);
    }
    if (t.domain) {
        vtd_host_domain_put(b->dev->domains, t.domain);
    }
}

static void free_own_tables(VtdBinding *b)
{
    Tables t = tables_of(b);

    set_tables(b, (Tables){ 0 });
    free_tables(b, t);
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

/* There may be as many bindings as PASIDs, but few have entries at a time. */
static void forget_entries(VtdBinding *b)
{
    g_clear_pointer(&b->entry, g_free);
    g_clear_pointer(&b->notice, g_free);
    b->entries = 0;
}

void vtd_binding_free(VtdBinding *b)
{
    free_own_tables(b);
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
        free_own_tables(b);
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
        free_own_tables(b);
    } else {
        vtd_binding_block(b);
    }
}

static bool same_first_stage(const VtdConfig *a, const VtdConfig *b)
{
    return a->fs_table == b->fs_table && a->fs_levels == b->fs_levels &&
           a->supervisor_enable == b->supervisor_enable &&
           a->extended_accessed == b->extended_accessed &&
           a->write_protect == b->write_protect;
}

static bool same_tables(const VtdBinding *b, VtdBindingState state,
                        const VtdConfig *config)
{
    return b->state == state &&
           (state == VTD_BINDING_SECOND_STAGE ||
            same_first_stage(&b->config, config)) &&
           (state == VTD_BINDING_FIRST_STAGE ||
            vtd_host_domain_is(b->domain, config));
}

/* A HWPT over the guest's second stage; @flags as for all, or for a parent. */
static int make_stage2(VtdBinding *b, const VtdConfig *config, uint32_t flags,
                       Tables *t)
{
    VtdBindingDevice *dev = b->dev;
    int error;

    t->domain = vtd_host_domain_get(dev->domains, &dev->source, config);
    if (!t->domain) {
        return -ENOMEM;
    }
    error = vtd_iommufd_alloc_paging(dev->vfio->iommufd->fd, dev->vfio->devid,
                                     vtd_host_domain_ioas(t->domain),
                                     flags | dev->hwpt.flags, &t->stage2);
    dev->counters->hwpts += !error;
    return error;
}

static int make_stage1(VtdBinding *b, const VtdConfig *config, uint32_t parent,
                       Tables *t)
{
    VtdBindingDevice *dev = b->dev;
    struct iommu_hwpt_vtd_s1 data;
    int error;

    vtd_iommufd_encode_s1(config, &data);
    error = vtd_iommufd_alloc_s1(dev->vfio->iommufd->fd, dev->vfio->devid,
                                 parent, dev->hwpt, &data, &t->stage1);
    dev->counters->stage1_hwpts += !error;
    dev->counters->hwpts += !error;
    return error;
}

static int make_tables(VtdBinding *b, const VtdConfig *config, Tables *t)
{
    int error;

    switch (config->kind) {
    case VTD_FIRST_STAGE:
        return make_stage1(b, config, b->dev->parent, t);
    case VTD_SECOND_STAGE:
        return make_stage2(b, config, 0, t);
    default:
        error = make_stage2(b, config, IOMMU_HWPT_ALLOC_NEST_PARENT, t);
        return error ? error : make_stage1(b, config, t->stage2, t);
    }
}

bool vtd_binding_translate(VtdBinding *b, const VtdConfig *config)
{
    static const VtdBindingState states[] = {
        [VTD_FIRST_STAGE] = VTD_BINDING_FIRST_STAGE,
        [VTD_SECOND_STAGE] = VTD_BINDING_SECOND_STAGE,
        [VTD_NESTED] = VTD_BINDING_NESTED,
    };
    VtdBindingState state = states[config->kind];
    Tables now = { 0 };
    Tables before = tables_of(b);
    int error;

    if (same_tables(b, state, config)) {
        b->config = *config;
        return true;
    }
    error = make_tables(b, config, &now);
    if (error) {
        count_error(b, "take the guest's tables", error);
    }
    if (error || !attach(b, state == VTD_BINDING_SECOND_STAGE ? now.stage2 :
                                                                now.stage1,
                         state)) {
        free_tables(b, now);
        vtd_binding_block(b);
        return false;
    }
    set_tables(b, now);
    b->config = *config;
    free_tables(b, before);
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
    if (!b->stage1) {
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
