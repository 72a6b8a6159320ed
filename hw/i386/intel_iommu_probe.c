/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "hw/qdev-core.h"
#include "intel_iommu_features.h"
#include "intel_iommu_probe.h"
#include "qapi/error.h"
#include "system/iommufd.h"

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

static bool check_host(IntelIOMMUState *s, VFIODevice *vfio, VtdHwInfo *info,
                       Error **errp)
{
    int error = vtd_iommufd_hw_info(vfio->iommufd->fd, vfio->devid, info);

    if (error) {
        error_setg_errno(errp, -error,
                         "%s: the host kernel does not tell what its IOMMU is",
                         vfio->name);
        return false;
    }
    if (info->type != IOMMU_HW_INFO_TYPE_INTEL_VTD) {
        error_setg(errp,
                   "%s: nested=on needs an Intel VT-d IOMMU in the host, but "
                   "the host's IOMMU is of type %u",
                   vfio->name, info->type);
        return false;
    }
    if (!check_width(s, vfio->name, info->cap, errp)) {
        return false;
    }
    return vtd_features_meet(s,
                             &(VtdHostUnit){
                                 .device = vfio->name,
                                 .nested = true,
                                 .cap = info->cap,
                                 .ecap = info->ecap,
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

bool vtd_probe_device(IntelIOMMUState *s, HostIOMMUDevice *hiod,
                      VtdHwInfo *info, Error **errp)
{
    VFIODevice *vfio = hiod->agent;

    return check_backend(hiod, errp) && check_host(s, vfio, info, errp) &&
           show_caching_mode(s, vfio->name, errp);
}

/*
 * Without nested translation VFIO maps what the guest's second-stage tables
 * say (intel_iommu_shadow.c).  First-stage tables cannot be followed: nobody
 * tells of a first-stage entry that becomes present.
 */
bool vtd_probe_shadowed(IntelIOMMUState *s, HostIOMMUDevice *hiod,
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

/*
 * Nested translation is made of several calls.  That the kernel has the one
 * does not mean that it has the next, and an invalidation that it turns out not
 * to know could not be made good; so all are tried before the guest is shown
 * anything.
 */
bool vtd_probe_nesting(const VtdBindingDevice *dev, Error **errp)
{
    IOMMUFDBackend *iommufd = dev->vfio->iommufd;
    struct iommu_hwpt_vtd_s1 table;
    uint32_t hwpt;
    int error;

    vtd_iommufd_encode_s1(&(VtdConfig){ .fs_levels = 4 }, &table);
    error = vtd_iommufd_alloc_s1(iommufd->fd, dev->vfio->devid, dev->parent,
                                 dev->hwpt, &table, &hwpt);
    if (error) {
        error_setg_errno(errp, -error,
                         "%s: the host kernel refuses a first-stage page table",
                         dev->vfio->name);
        error_append_hint(errp, VTD_NEEDS_LINUX);
        return false;
    }
    error = vtd_iommufd_probe_invalidate(iommufd->fd, hwpt);
    iommufd_backend_free_id(iommufd, hwpt);
    if (error) {
        error_setg_errno(errp, -error,
                         "%s: the host kernel does not invalidate first-stage "
                         "translations (IOMMU_HWPT_INVALIDATE)",
                         dev->vfio->name);
        error_append_hint(errp, VTD_NEEDS_LINUX);
    }
    return !error;
}
