/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include <linux/vfio.h>
#include <sys/ioctl.h>

#include "intel_iommu_iommufd.h"

QEMU_BUILD_BUG_ON(sizeof(struct iommu_hwpt_vtd_s1) != 24);
QEMU_BUILD_BUG_ON(sizeof(struct iommu_hwpt_vtd_s1_invalidate) != 24);
QEMU_BUILD_BUG_ON(sizeof(struct iommu_hwpt_invalidate) != 32);

/* A signal that keeps interrupting must not keep us for ever. */
#define MAX_RETRIES 16

static uint64_t flag(bool on, uint64_t value)
{
    return on ? value : 0;
}

void vtd_iommufd_encode_s1(const VtdConfig *config,
                           struct iommu_hwpt_vtd_s1 *data)
{
    *data = (struct iommu_hwpt_vtd_s1){
        .flags = flag(config->supervisor_enable, IOMMU_VTD_S1_SRE) |
                 flag(config->extended_accessed, IOMMU_VTD_S1_EAFE) |
                 flag(config->write_protect, IOMMU_VTD_S1_WPE),
        .pgtbl_addr = config->fs_table,
        .addr_width = config->fs_levels == 5 ? 57 : 48,
    };
}

void vtd_iommufd_encode_invalidation(
    const VtdNotice *notice, struct iommu_hwpt_vtd_s1_invalidate *entry)
{
    *entry = (struct iommu_hwpt_vtd_s1_invalidate){ .npages = UINT64_MAX };

    /* Pages of a PASID-based descriptor are first-stage addresses.  Those of
     * the other type are second-stage ones: here they stand for all. */
    if (notice->kind == VTD_NOTICE_PASID_IOTLB &&
        notice->scope == VTD_SCOPE_PAGE) {
        entry->addr = notice->addr;
        entry->npages = 1ull << notice->order;
        entry->flags = flag(notice->leaf_only, IOMMU_VTD_INV_FLAGS_LEAF);
    }
}

static int call(int fd, unsigned long request, void *argument)
{
    for (unsigned i = 0; i < MAX_RETRIES; i++) {
        int result = ioctl(fd, request, argument);

        if (result >= 0) {
            return result;
        }
        if (errno != EINTR && errno != EAGAIN) {
            break;
        }
    }
    return -errno;
}

int vtd_iommufd_alloc_paging(int iommufd, uint32_t dev_id, uint32_t ioas_id,
                             uint32_t flags, uint32_t *hwpt_id)
{
    struct iommu_hwpt_alloc alloc = {
        .size = sizeof(alloc),
        .flags = flags,
        .dev_id = dev_id,
        .pt_id = ioas_id,
        .data_type = IOMMU_HWPT_DATA_NONE,
    };
    int result = call(iommufd, IOMMU_HWPT_ALLOC, &alloc);

    *hwpt_id = alloc.out_hwpt_id;
    return result;
}

int vtd_iommufd_alloc_s1(int iommufd, uint32_t dev_id, uint32_t parent_id,
                         const struct iommu_hwpt_vtd_s1 *data,
                         uint32_t *hwpt_id)
{
    struct iommu_hwpt_alloc alloc = {
        .size = sizeof(alloc),
        .dev_id = dev_id,
        .pt_id = parent_id,
        .data_type = IOMMU_HWPT_DATA_VTD_S1,
        .data_len = sizeof(*data),
        .data_uptr = (uintptr_t)data,
    };
    int result = call(iommufd, IOMMU_HWPT_ALLOC, &alloc);

    *hwpt_id = alloc.out_hwpt_id;
    return result;
}

int vtd_iommufd_attach(int device_fd, uint32_t hwpt_id)
{
    struct vfio_device_attach_iommufd_pt attach = {
        .argsz = sizeof(attach),
        .pt_id = hwpt_id,
    };

    return call(device_fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
}

int vtd_iommufd_detach(int device_fd)
{
    struct vfio_device_detach_iommufd_pt detach = {
        .argsz = sizeof(detach),
    };

    return call(device_fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach);
}

int vtd_iommufd_invalidate(int iommufd, uint32_t hwpt_id,
                           const struct iommu_hwpt_vtd_s1_invalidate *entries,
                           unsigned count, unsigned *done, uint64_t *calls)
{
    unsigned stalls = 0;

    for (*done = 0; *done < count;) {
        struct iommu_hwpt_invalidate inval = {
            .size = sizeof(inval),
            .hwpt_id = hwpt_id,
            .data_uptr = (uintptr_t)(entries + *done),
            .data_type = IOMMU_HWPT_INVALIDATE_DATA_VTD_S1,
            .entry_len = sizeof(*entries),
            .entry_num = count - *done,
        };
        int result = ioctl(iommufd, IOMMU_HWPT_INVALIDATE, &inval);
        int error = result < 0 ? errno : 0;

        ++*calls;
        /* The kernel reports how far it came, whatever it returns; but an
         * error before it looks at the struct leaves the number as it was. */
        if (inval.entry_num > count - *done) {
            return -EPROTO;
        }
        if (error && inval.entry_num == count - *done) {
            inval.entry_num = 0;
        }
        *done += inval.entry_num;
        if (error && error != EINTR && error != EAGAIN) {
            return -error;
        }
        stalls = inval.entry_num ? 0 : stalls + 1;
        if (stalls == MAX_RETRIES) {
            return error ? -error : -EIO;
        }
    }
    return 0;
}
