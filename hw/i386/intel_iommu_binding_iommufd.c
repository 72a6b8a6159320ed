/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bindings by iommufd.
 *
 * Of each device: a HWPT that maps the guest's memory, the parent, and one that
 * maps nothing.  A binding is attached to the parent, to a VT-d stage-1 HWPT
 * over it, to a HWPT over a copy of the guest's second stage, to a stage-1 HWPT
 * over that, or to none.  Attaching replaces, so that nothing is in between.
 */
#include "qemu/osdep.h"

#include "intel_iommu_binding.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "system/iommufd.h"
#include "trace/trace-hw_i386_vtd.h"
#include "vtd/vtd.h"

static void free_hwpt(const VtdBindingDevice *dev, uint32_t hwpt)
{
    iommufd_backend_free_id(dev->vfio->iommufd, hwpt);
}

/* Nothing is attached to them any more. */
static void free_hwpts(VtdBinding *b, VtdHwpts t)
{
    b->dev->counters->hwpts -= !!t.stage1 + !!t.stage2;
    if (t.stage1) {
        if (b->dev->faults) { /* the host has answered what came from it */
            vtd_fault_queue_forget(b->dev->faults, b->pasid);
        }
        free_hwpt(b->dev, t.stage1);
    }
    if (t.stage2) {
        free_hwpt(b->dev, t.stage2);
    }
    if (t.domain) {
        vtd_host_domain_put(b->dev->domains, t.domain);
    }
}

static void release(VtdBinding *b)
{
    VtdHwpts t = b->hwpts;

    b->hwpts = (VtdHwpts){ 0 };
    free_hwpts(b, t);
}

static bool attach(VtdBinding *b, uint32_t hwpt)
{
    int error = vtd_iommufd_attach(b->dev->vfio->fd, b->pasid, hwpt);

    if (error) {
        vtd_binding_refused(b, "attach the device", error);
        return false;
    }
    trace_vtd_host_attach(b->dev->vfio->name, b->pasid, hwpt);
    b->dev->counters->attaches++;
    return true;
}

static bool detach(VtdBinding *b)
{
    int error = vtd_iommufd_detach(b->dev->vfio->fd, b->pasid);

    if (error) {
        vtd_binding_refused(b, "detach the device", error);
        return false;
    }
    trace_vtd_host_detach(b->dev->vfio->name, b->pasid);
    b->dev->counters->detaches++;
    return true;
}

/* If the host does not even detach, a table without any page does as well. */
static bool block(VtdBinding *b)
{
    if (!detach(b) && !attach(b, b->dev->empty)) {
        return false;
    }
    release(b);
    return true;
}

static bool identity(VtdBinding *b)
{
    if (!attach(b, b->dev->parent)) {
        return false;
    }
    release(b);
    return true;
}

/* If nothing helps, the device's descriptor is closed next, which the kernel
 * cannot refuse. */
static bool give_back(VtdBinding *b)
{
    if (!attach(b, b->dev->vfio->hwpt->hwpt_id)) {
        detach(b);
    }
    return true; /* VFIO's table is another one than ours in any case */
}

/* A HWPT over the guest's second stage; @flags as for all, or for a parent. */
static int make_stage2(VtdBinding *b, const VtdConfig *config, uint32_t flags,
                       VtdHwpts *t)
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
                       VtdHwpts *t)
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

static int make_hwpts(VtdBinding *b, const VtdConfig *config, VtdHwpts *t)
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

static bool translate(VtdBinding *b, const VtdConfig *config)
{
    VtdHwpts now = { 0 };
    int error = make_hwpts(b, config, &now);

    if (error) {
        vtd_binding_refused(b, "take the guest's tables", error);
    }
    if (error || !attach(b, now.stage1 ? now.stage1 : now.stage2)) {
        free_hwpts(b, now);
        return false;
    }
    release(b);
    b->hwpts = now;
    trace_vtd_host_tables(b->dev->vfio->name, b->pasid, now.stage1, now.stage2,
                          config->fs_table, config->ss_table);
    return true;
}

static int invalidate(VtdBinding *b, const VtdRange *ranges, unsigned count,
                      unsigned *done)
{
    g_autofree struct iommu_hwpt_vtd_s1_invalidate *entries =
        g_new(struct iommu_hwpt_vtd_s1_invalidate, count);

    for (unsigned i = 0; i < count; i++) {
        vtd_iommufd_encode_range(&ranges[i], &entries[i]);
    }
    return vtd_iommufd_invalidate(b->dev->vfio->iommufd->fd, b->hwpts.stage1,
                                  entries, count, done,
                                  &b->dev->counters->ioctls);
}

static void answer(VtdBindingDevice *dev, const VtdNotice *response)
{
    if (dev->faults) {
        vtd_fault_queue_answer(dev->faults, response);
    }
}

static void describe_device(const VtdBindingDevice *dev, QDict *to)
{
    qdict_put_int(to, "parent", dev->parent);
}

static void describe(const VtdBinding *b, QDict *to)
{
    if (b->hwpts.stage1) {
        qdict_put_int(to, "hwpt", b->hwpts.stage1);
    }
    if (b->hwpts.stage2) {
        qdict_put_int(to, "second-stage-hwpt", b->hwpts.stage2);
    }
}

/* --- The device ---------------------------------------------------------- */

/* What block() falls back to. */
static bool open_empty(VtdBindingDevice *dev, Error **errp)
{
    IOMMUFDBackend *iommufd = dev->vfio->iommufd;
    int error;

    if (!iommufd_backend_alloc_ioas(iommufd, &dev->empty_ioas, errp)) {
        return false;
    }
    error = vtd_iommufd_alloc_paging(iommufd->fd, dev->vfio->devid,
                                     dev->empty_ioas, dev->hwpt.flags,
                                     &dev->empty);
    if (error) {
        iommufd_backend_free_id(iommufd, dev->empty_ioas);
        error_setg_errno(errp, -error,
                         "%s: the host kernel has no page table to block the "
                         "device with", dev->vfio->name);
        return false;
    }
    return true;
}

static void close_empty(VtdBindingDevice *dev)
{
    free_hwpt(dev, dev->empty);
    iommufd_backend_free_id(dev->vfio->iommufd, dev->empty_ioas);
}

/* The page tables of a device whose host can nest. */
static bool open_parent(VtdBindingDevice *dev, Error **errp)
{
    IOMMUFDBackend *iommufd = dev->vfio->iommufd;
    int error;

    dev->memory = vtd_guest_memory_get(dev->memories, iommufd, errp);
    if (!dev->memory) {
        return false;
    }
    dev->source = (VtdDomainSource){
        .iommu_state = dev->space->iommu_state,
        .iommufd = iommufd,
        .memory_ioas = vtd_guest_memory_ioas(dev->memory),
    };
    error = vtd_iommufd_alloc_paging(iommufd->fd, dev->vfio->devid,
                                     dev->source.memory_ioas,
                                     IOMMU_HWPT_ALLOC_NEST_PARENT |
                                         dev->hwpt.flags,
                                     &dev->parent);
    if (error) {
        vtd_guest_memory_put(dev->memories, dev->memory);
        error_setg_errno(errp, -error,
                         "%s: the host kernel has no page table that can be "
                         "nested for this device", dev->vfio->name);
    }
    return !error;
}

static void close_parent(VtdBindingDevice *dev)
{
    free_hwpt(dev, dev->parent);
    vtd_guest_memory_put(dev->memories, dev->memory);
}

static bool open_faults(VtdBindingDevice *dev, Error **errp)
{
    if (!dev->page_requests) {
        return true;
    }
    dev->faults = vtd_fault_queue_new(dev->space, dev->vfio->iommufd,
                                      dev->fault_counters, errp);
    if (!dev->faults) {
        error_prepend(errp, "%s: ", dev->vfio->name);
        return false;
    }
    dev->hwpt.fault_id = vtd_fault_queue_id(dev->faults);
    return true;
}

static bool open_tables(VtdBindingDevice *dev, Error **errp)
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

static bool device_open(VtdBindingDevice *dev, Error **errp)
{
    if (dev->pasid_bits) {
        dev->hwpt.flags = IOMMU_HWPT_ALLOC_PASID;
    }
    if (!open_faults(dev, errp)) {
        return false;
    }
    if (!open_tables(dev, errp)) {
        g_clear_pointer(&dev->faults, vtd_fault_queue_free);
        return false;
    }
    return true;
}

static void device_close(VtdBindingDevice *dev)
{
    g_clear_pointer(&dev->faults, vtd_fault_queue_free);
    close_parent(dev);
    close_empty(dev);
}

const VtdBindingOps vtd_binding_iommufd = {
    .name = "iommufd",
    .open = device_open,
    .close = device_close,
    .identity = identity,
    .translate = translate,
    .block = block,
    .give_back = give_back,
    .release = release,
    .invalidate = invalidate,
    .answer = answer,
    .describe_device = describe_device,
    .describe = describe,
};
