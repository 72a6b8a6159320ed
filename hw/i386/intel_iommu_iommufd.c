/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include <linux/vfio.h>
#include <sys/ioctl.h>

#include "intel_iommu_ioctl.h"
#include "intel_iommu_iommufd.h"

QEMU_BUILD_BUG_ON(sizeof(struct iommu_hwpt_vtd_s1) != 24);
QEMU_BUILD_BUG_ON(sizeof(struct iommu_hwpt_vtd_s1_invalidate) != 24);
QEMU_BUILD_BUG_ON(sizeof(struct iommu_hwpt_invalidate) != 32);

/*
 * What the kernel's headers of QEMU 10.0 do not know yet: a PASID at the end of
 * VFIO's structs (Linux 6.15), and in what was reserved in iommu_hw_info the
 * width of PASIDs.  An older kernel is not given the PASID.
 */
#define FLAG_PASID (1u << 0)

typedef struct AttachPt {
    uint32_t argsz;
    uint32_t flags;
    uint32_t pt_id;
    uint32_t pasid;
} AttachPt;

typedef struct DetachPt {
    uint32_t argsz;
    uint32_t flags;
    uint32_t pasid;
} DetachPt;

#define MAX_PASID_LOG2_OFFSET 28

QEMU_BUILD_BUG_ON(offsetof(AttachPt, pasid) !=
                  sizeof(struct vfio_device_attach_iommufd_pt) &&
                  sizeof(AttachPt) !=
                  sizeof(struct vfio_device_attach_iommufd_pt));
QEMU_BUILD_BUG_ON(sizeof(struct iommu_hw_info) != 40);

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

void vtd_iommufd_encode_range(const VtdRange *range,
                              struct iommu_hwpt_vtd_s1_invalidate *entry)
{
    bool all = range->order >= VTD_RANGE_ALL;

    *entry = (struct iommu_hwpt_vtd_s1_invalidate){
        .addr = all ? 0 : range->addr,
        .npages = all ? UINT64_MAX : 1ull << range->order,
        .flags = flag(range->leaf_only, IOMMU_VTD_INV_FLAGS_LEAF),
    };
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
    int result = vtd_ioctl(iommufd, IOMMU_HWPT_ALLOC, &alloc);

    *hwpt_id = alloc.out_hwpt_id;
    return result;
}

int vtd_iommufd_alloc_s1(int iommufd, uint32_t dev_id, uint32_t parent_id,
                         VtdHwptOptions options,
                         const struct iommu_hwpt_vtd_s1 *data,
                         uint32_t *hwpt_id)
{
    struct iommu_hwpt_alloc alloc = {
        .size = sizeof(alloc),
        .flags = options.flags |
                 flag(options.fault_id, IOMMU_HWPT_FAULT_ID_VALID),
        .dev_id = dev_id,
        .pt_id = parent_id,
        .data_type = IOMMU_HWPT_DATA_VTD_S1,
        .data_len = sizeof(*data),
        .data_uptr = (uintptr_t)data,
        .fault_id = options.fault_id,
    };
    int result = vtd_ioctl(iommufd, IOMMU_HWPT_ALLOC, &alloc);

    *hwpt_id = alloc.out_hwpt_id;
    return result;
}

int vtd_iommufd_attach(int device_fd, uint32_t pasid, uint32_t hwpt_id)
{
    bool has_pasid = pasid != VTD_NO_PASID;
    AttachPt attach = {
        .flags = has_pasid ? FLAG_PASID : 0,
        .pt_id = hwpt_id,
        .pasid = has_pasid ? pasid : 0,
    };

    attach.argsz = has_pasid ? sizeof(attach) : offsetof(AttachPt, pasid);
    return vtd_ioctl(device_fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
}

int vtd_iommufd_detach(int device_fd, uint32_t pasid)
{
    bool has_pasid = pasid != VTD_NO_PASID;
    DetachPt detach = {
        .flags = has_pasid ? FLAG_PASID : 0,
        .pasid = has_pasid ? pasid : 0,
    };

    detach.argsz = has_pasid ? sizeof(detach) : offsetof(DetachPt, pasid);
    return vtd_ioctl(device_fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach);
}

int vtd_iommufd_hw_info(int iommufd, uint32_t dev_id, VtdHwInfo *info)
{
    struct iommu_hw_info_vtd vtd = { 0 };
    struct iommu_hw_info hw = {
        .size = sizeof(hw),
        .dev_id = dev_id,
        .data_len = sizeof(vtd),
        .data_uptr = (uintptr_t)&vtd,
    };
    int result = vtd_ioctl(iommufd, IOMMU_GET_HW_INFO, &hw);

    *info = (VtdHwInfo){
        .type = hw.out_data_type,
        .cap = vtd.cap_reg,
        .ecap = vtd.ecap_reg,
        .pasid_bits = *((uint8_t *)&hw + MAX_PASID_LOG2_OFFSET),
    };
    return result;
}

int vtd_iommufd_alloc_faults(int iommufd, uint32_t *id, int *fd)
{
    struct iommu_fault_alloc alloc = { .size = sizeof(alloc) };
    int result = vtd_ioctl(iommufd, IOMMU_FAULT_QUEUE_ALLOC, &alloc);

    *id = alloc.out_fault_id;
    *fd = alloc.out_fault_fd;
    return result;
}

int vtd_iommufd_probe_invalidate(int iommufd, uint32_t hwpt_id)
{
    struct iommu_hwpt_invalidate none = {
        .size = sizeof(none),
        .hwpt_id = hwpt_id,
        .data_type = IOMMU_HWPT_INVALIDATE_DATA_VTD_S1,
        .entry_len = sizeof(struct iommu_hwpt_vtd_s1_invalidate),
    };

    return vtd_ioctl(iommufd, IOMMU_HWPT_INVALIDATE, &none);
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
        if (stalls == VTD_IOCTL_TRIES) {
            return error ? -error : -EIO;
        }
    }
    return 0;
}
