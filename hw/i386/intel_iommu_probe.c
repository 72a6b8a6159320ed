/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "hw/pci/pcie.h"
#include "hw/vfio/vfio-common.h"
#include "intel_iommu_iommufd.h"
#include "intel_iommu_probe.h"
#include "intel_iommu_probe2020.h"
#include "intel_iommu_space.h"
#include "system/iommufd.h"

/* Nothing is attached to it while it is asked about. */
#define SOME_PASID 1

static void ask_unit(VFIODevice *vfio, VtdOffer *offer)
{
    VtdHwInfo info;
    int error = vtd_iommufd_hw_info(vfio->iommufd->fd, vfio->devid, &info);

    vtd_offer_call(offer, VTD_NEED_BACKEND, 0);
    if (error || info.type != IOMMU_HW_INFO_TYPE_INTEL_VTD) {
        offer->hw_type = info.type;
        offer->error[VTD_NEED_VTD] = -error;
        return;
    }
    offer->pasid_bits = MIN(info.pasid_bits, VTD_PASID_MAX_BITS);
    vtd_offer_unit(offer, info.cap, info.ecap);
}

static void ask_device(VFIODevice *vfio, VtdOffer *offer)
{
    PCIDevice *pci = PCI_DEVICE(vfio->dev);

    if (pci_is_express(pci) &&
        pcie_find_capability(pci, PCI_EXT_CAP_ID_ATS)) {
        offer->has |= VTD_NEED_BIT(ATS);
    }
    if (pci_is_express(pci) &&
        pcie_find_capability(pci, PCI_EXT_CAP_ID_PRI)) {
        offer->has |= VTD_NEED_BIT(PRI);
    }
}

/* A first-stage table on @parent; 0 with *@hwpt set, or -errno. */
static int try_table(VFIODevice *vfio, uint32_t parent, VtdHwptOptions options,
                     uint32_t *hwpt)
{
    struct iommu_hwpt_vtd_s1 table;

    vtd_iommufd_encode_s1(&(VtdConfig){ .fs_levels = 4 }, &table);
    return vtd_iommufd_alloc_s1(vfio->iommufd->fd, vfio->devid, parent,
                                options, &table, hwpt);
}

static void try_first_stage(VFIODevice *vfio, VtdOffer *offer, uint32_t parent,
                            VtdHwptOptions options)
{
    uint32_t hwpt;
    int error = try_table(vfio, parent, options, &hwpt);

    vtd_offer_call(offer, VTD_NEED_STAGE1, error);
    if (error) {
        return;
    }
    error = vtd_iommufd_probe_invalidate(vfio->iommufd->fd, hwpt);
    vtd_offer_call(offer, VTD_NEED_INVALIDATE, error);
    iommufd_backend_free_id(vfio->iommufd, hwpt);
}

static void try_faults(VFIODevice *vfio, VtdOffer *offer, uint32_t parent,
                       VtdHwptOptions options)
{
    uint32_t hwpt, queue;
    int fd;
    int error = vtd_iommufd_alloc_faults(vfio->iommufd->fd, &queue, &fd);

    vtd_offer_call(offer, VTD_NEED_FAULT_QUEUE, error);
    if (error) {
        return;
    }
    options.fault_id = queue;
    error = try_table(vfio, parent, options, &hwpt);
    vtd_offer_call(offer, VTD_NEED_FAULT_TABLE, error);
    if (!error) {
        iommufd_backend_free_id(vfio->iommufd, hwpt);
    }
    close(fd);
    iommufd_backend_free_id(vfio->iommufd, queue);
}

/* A nest parent over @ioas; with PASIDs if these are asked for and had. */
static int try_parent(VFIODevice *vfio, VtdOffer *offer, uint64_t ask,
                      uint32_t ioas, uint32_t *parent)
{
    int iommufd = vfio->iommufd->fd;
    int error;

    if (ask & VTD_NEED_BIT(PASID_TABLE)) {
        error = vtd_iommufd_alloc_paging(iommufd, vfio->devid, ioas,
                                         IOMMU_HWPT_ALLOC_NEST_PARENT |
                                             IOMMU_HWPT_ALLOC_PASID,
                                         parent);
        vtd_offer_call(offer, VTD_NEED_PASID_TABLE, error);
        if (!error) {
            vtd_offer_call(offer, VTD_NEED_NEST_PARENT, 0);
            return 0;
        }
    }
    error = vtd_iommufd_alloc_paging(iommufd, vfio->devid, ioas,
                                     IOMMU_HWPT_ALLOC_NEST_PARENT, parent);
    vtd_offer_call(offer, VTD_NEED_NEST_PARENT, error);
    return error;
}

/*
 * Nested translation is made of several calls.  That the kernel has the one
 * does not mean that it has the next, and an invalidation that it turns out not
 * to know could not be made good; so all are tried.
 */
static bool ask_kernel(VFIODevice *vfio, VtdOffer *offer, uint64_t ask,
                       Error **errp)
{
    VtdHwptOptions options = { .flags = 0 };
    uint32_t ioas, parent;

    if (!iommufd_backend_alloc_ioas(vfio->iommufd, &ioas, errp)) {
        return false;
    }
    if (!try_parent(vfio, offer, ask, ioas, &parent)) {
        if (offer->has & VTD_NEED_BIT(PASID_TABLE)) {
            options.flags = IOMMU_HWPT_ALLOC_PASID;
        }
        try_first_stage(vfio, offer, parent, options);
        if (ask & VTD_NEED_BIT(FAULT_QUEUE)) {
            try_faults(vfio, offer, parent, options);
        }
        iommufd_backend_free_id(vfio->iommufd, parent);
    }
    if (ask & VTD_NEED_BIT(PASID_ATTACH)) {
        /* To detach what is not attached has no effect, if it is known. */
        vtd_offer_call(offer, VTD_NEED_PASID_ATTACH,
                       vtd_iommufd_detach(vfio->fd, SOME_PASID));
    }
    iommufd_backend_free_id(vfio->iommufd, ioas);
    return true;
}

/* That of what the device came with, if it is wanted. */
static void choose_backend(const IntelIOMMUState *s, HostIOMMUDevice *hiod,
                           VtdOffer *offer)
{
    if (object_dynamic_cast(OBJECT(hiod), TYPE_HOST_IOMMU_DEVICE_IOMMUFD)) {
        if (s->host_uapi == VTD_HOST_UAPI_VFIO2020) {
            offer->why_no_backend = "host-uapi=vfio-v1 is set and the device "
                                    "has an iommufd object";
            return;
        }
        offer->backend = VTD_BACKEND_IOMMUFD;
    } else if (s->host_uapi == VTD_HOST_UAPI_IOMMUFD) {
        offer->why_no_backend = "host-uapi=iommufd is set and the device has "
                                "a VFIO type1 container";
    } else {
        offer->backend = VTD_BACKEND_VFIO2020;
    }
}

bool vtd_probe(IntelIOMMUState *s, HostIOMMUDevice *hiod, VtdOffer *offer,
               Error **errp)
{
    HostIOMMUDeviceClass *class = HOST_IOMMU_DEVICE_GET_CLASS(hiod);
    VFIODevice *vfio = hiod->agent;
    uint64_t ask;
    int bits;

    *offer = (VtdOffer){ .device = hiod->name };
    if (vtd_features_on(s, VTD_FEATURE_NESTED)) {
        choose_backend(s, hiod, offer);
        ask_device(vfio, offer);
    }
    if (offer->backend == VTD_BACKEND_VFIO2020) {
        vtd_probe_vfio2020(s, vfio, offer);
    } else if (offer->backend == VTD_BACKEND_IOMMUFD) {
        ask_unit(vfio, offer);
        ask = vtd_offer_ask(s, offer);
        if (ask && !ask_kernel(vfio, offer, ask, errp)) {
            return false;
        }
    }
    if (!offer->address_bits) {
        bits = class->get_cap(hiod, HOST_IOMMU_DEVICE_CAP_AW_BITS, errp);
        if (bits < 0) {
            return false;
        }
        offer->address_bits = bits;
    }
    return true;
}
