/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include <linux/vfio.h>

#include "intel_iommu_ioctl.h"
#include "intel_iommu_vfio2020.h"

/* Of what VFIO_IOMMU_GET_INFO may ask for. */
#define MAX_INFO 65536

const char *vtd_vfio2020_info(int container, VtdNesting2020 *to)
{
    g_autofree struct vfio_iommu_type1_info *info = NULL;
    uint32_t size = sizeof(*info);

    /* The answer tells how long it would be. */
    for (unsigned i = 0; i < 2; i++) {
        info = g_realloc(info, size);
        memset(info, 0, size);
        info->argsz = size;
        if (vtd_ioctl(container, VFIO_IOMMU_GET_INFO, info) < 0) {
            return "the host's kernel does not tell what its containers can do";
        }
        if (info->argsz <= size) {
            return vtd_decode2020_nesting(info, info->argsz, to);
        }
        size = MIN(info->argsz, MAX_INFO);
    }
    return "the host's kernel does not tell what its containers can do";
}

int vtd_vfio2020_alloc_pasid(int container, uint32_t min, uint32_t max)
{
    struct uapi2020_pasid_request request;
    int pasid;

    vtd_encode2020_pasid(UAPI2020_PASID_ALLOC, min, max, &request);
    pasid = vtd_ioctl(container, UAPI2020_PASID_REQUEST, &request);
    return pasid >= 0 && (pasid < min || pasid > max) ? -EPROTO : pasid;
}

int vtd_vfio2020_free_pasid(int container, uint32_t pasid)
{
    struct uapi2020_pasid_request request;

    vtd_encode2020_pasid(UAPI2020_PASID_FREE, pasid, pasid, &request);
    return vtd_ioctl(container, UAPI2020_PASID_REQUEST, &request);
}

int vtd_vfio2020_op(int container, const struct uapi2020_nesting_op *op)
{
    return vtd_ioctl(container, UAPI2020_NESTING_OP, op);
}
