/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /dev/iommu: page tables over address spaces, stage-1 tables over those,
 * their invalidation, and what the unit can do.
 */
#include <linux/iommufd.h>

#include "host.h"

_Static_assert(sizeof(struct iommu_hwpt_alloc) == 48, "");
_Static_assert(sizeof(struct iommu_hwpt_vtd_s1) == 24, "");
_Static_assert(sizeof(struct iommu_hwpt_vtd_s1_invalidate) == 24, "");
_Static_assert(sizeof(struct iommu_hw_info_vtd) == 24, "");

/* In structs of iommufd.h that are newer than the header at hand. */
#define HW_INFO_MAX_PASID_LOG2 28
#define HW_CAP_PCI_PASID_EXEC (1 << 1)
#define HW_CAP_PCI_PASID_PRIV (1 << 2)

/* What a kernel to come may have added to structs of drivers. */
static size_t driver_struct(size_t size)
{
    return config.kernel == KERNEL_NEXT ? size + 8 : size;
}

static uint32_t known_flags(void)
{
    static const struct {
        const char *name;
        uint32_t flag;
        Kernel since;
    } known[] = {
        { "IOMMU_HWPT_ALLOC_NEST_PARENT", IOMMU_HWPT_ALLOC_NEST_PARENT,
          KERNEL_6_8 },
        { "IOMMU_HWPT_ALLOC_DIRTY_TRACKING", IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
          KERNEL_6_8 },
        { "IOMMU_HWPT_FAULT_ID_VALID", IOMMU_HWPT_FAULT_ID_VALID,
          KERNEL_6_11 },
        { "IOMMU_HWPT_ALLOC_PASID", IOMMU_HWPT_ALLOC_PASID, KERNEL_6_15 },
    };
    uint32_t flags = 0;

    for (unsigned i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (config.kernel >= known[i].since &&
            !config_without(known[i].name)) {
            flags |= known[i].flag;
        }
    }
    return flags;
}

/* --- Allocation ---------------------------------------------------------- */

Object *paging_new(Context *c, Object *ioas, uint32_t flags)
{
    Object *o = object_new(c, OBJECT_PAGING);

    o->flags = flags;
    o->below = ioas;
    ioas->users++;
    o->domain = (Domain){ .did = unit_new_did(), .second = &ioas->maps,
                          .dirty = &o->dirty };
    return o;
}

static bool has_readonly(const Object *ioas)
{
    for (unsigned i = 0; i < ioas->maps.count; i++) {
        if (!ioas->maps.map[i].writable) {
            return true;
        }
    }
    return false;
}

static int paging_alloc(Context *c, const struct iommu_hwpt_alloc *cmd,
                        Object *ioas, Object **new)
{
    uint64_t ecap = config_ecap(object_find(c, cmd->dev_id)->device);
    uint32_t flags = cmd->flags;

    if (cmd->data_len || (flags & ~known_flags()) ||
        ((flags & IOMMU_HWPT_FAULT_ID_VALID) &&
         (flags & IOMMU_HWPT_ALLOC_NEST_PARENT)) ||
        ((flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING) &&
         !(ecap & ECAP_SSADS)) ||
        ((flags & IOMMU_HWPT_ALLOC_NEST_PARENT) &&
         (~ecap & (ECAP_NEST | ECAP_SMTS | ECAP_SSTS)))) {
        return -EOPNOTSUPP;
    }
    if ((flags & IOMMU_HWPT_ALLOC_NEST_PARENT) && config.refuse_readonly &&
        has_readonly(ioas)) {
        return -EINVAL;
    }
    *new = paging_new(c, ioas, flags);
    return 0;
}

static int nested_alloc(Context *c, const struct iommu_hwpt_alloc *cmd,
                        Object *parent, Object **new)
{
    const uint32_t flags = (IOMMU_HWPT_FAULT_ID_VALID |
                            IOMMU_HWPT_ALLOC_PASID) & known_flags();
    uint64_t ecap = config_ecap(object_find(c, cmd->dev_id)->device);
    uint8_t raw[64];
    struct iommu_hwpt_vtd_s1 *s1 = (void *)raw;
    Object *o;
    int error;

    if ((cmd->flags & ~flags) || !cmd->data_len) {
        return -EOPNOTSUPP;
    }
    if (parent->automatic || !(parent->flags & IOMMU_HWPT_ALLOC_NEST_PARENT)) {
        return -EINVAL;
    }
    if ((~ecap & (ECAP_NEST | ECAP_SMTS)) ||
        config_without("IOMMU_HWPT_DATA_VTD_S1") ||
        cmd->data_type != IOMMU_HWPT_DATA_VTD_S1) {
        return -EOPNOTSUPP;
    }
    if (cmd->data_len < sizeof(*s1) ||
        cmd->data_len > driver_struct(sizeof(*s1))) {
        return -EINVAL;
    }
    error = user_read_struct(raw, driver_struct(sizeof(*s1)), cmd->data_uptr,
                             cmd->data_len);
    if (error) {
        return error;
    }
    o = object_new(c, OBJECT_NESTED);
    o->flags = cmd->flags;
    o->below = parent;
    parent->users++;
    o->s1_width = s1->addr_width;
    o->s1_flags = s1->flags;
    o->domain = (Domain){ .did = unit_new_did(),
                          .second = parent->domain.second,
                          .dirty = &parent->dirty,
                          .first_stage = true,
                          .table = s1->pgtbl_addr & ~(PAGE - 1),
                          .levels = s1->addr_width == 57 ? 5 : 4,
                          .extended_accessed = s1->flags & IOMMU_VTD_S1_EAFE };
    *new = o;
    return 0;
}

int hwpt_alloc(Context *c, void *arg)
{
    struct iommu_hwpt_alloc *cmd = arg;
    Object *dev = object_find(c, cmd->dev_id);
    Object *below = object_find(c, cmd->pt_id);
    Object *fault = NULL, *new = NULL;
    int error;

    if (cmd->__reserved || cmd->__reserved2) {
        return -EOPNOTSUPP;
    }
    if ((cmd->data_type == IOMMU_HWPT_DATA_NONE) != !cmd->data_len) {
        return -EINVAL;
    }
    if (!dev || dev->type != OBJECT_DEVICE) {
        return -ENOENT;
    }
    if (!below) {
        return -EINVAL;
    }
    if (cmd->flags & known_flags() & IOMMU_HWPT_FAULT_ID_VALID) {
        fault = object_find(c, cmd->fault_id);
        if (!fault || fault->type != OBJECT_FAULT) {
            return -ENOENT;
        }
    }
    error = below->type == OBJECT_IOAS ? paging_alloc(c, cmd, below, &new) :
            below->type == OBJECT_PAGING ? nested_alloc(c, cmd, below, &new) :
            -EINVAL;
    if (error) {
        return error;
    }
    if (fault) {
        new->fault = fault;
        new->domain.faults = fault->queue;
        fault->users++;
    }
    cmd->out_hwpt_id = new->id;
    return 0;
}

/* --- Invalidation -------------------------------------------------------- */

static int invalidate_one(const Object *o, uint64_t user, size_t len)
{
    uint8_t raw[64];
    struct iommu_hwpt_vtd_s1_invalidate *entry = (void *)raw;
    int error;

    if (len < sizeof(*entry) || len > driver_struct(sizeof(*entry))) {
        return -EINVAL;
    }
    error = user_read_struct(raw, driver_struct(sizeof(*entry)), user, len);
    if (error) {
        return error;
    }
    if ((entry->flags & ~IOMMU_VTD_INV_FLAGS_LEAF) || entry->__reserved) {
        return -EOPNOTSUPP;
    }
    if (entry->addr % PAGE || (entry->npages == UINT64_MAX && entry->addr)) {
        return -EINVAL;
    }
    if (entry->npages == UINT64_MAX) {
        unit_flush_domain(o->domain.did, ANY_PASID);
    } else {
        unit_flush_pages(o->domain.did, ANY_PASID, entry->addr, entry->npages,
                         entry->flags & IOMMU_VTD_INV_FLAGS_LEAF);
    }
    return 0;
}

/* cmd->entry_num tells how many were done, whatever the result. */
int hwpt_invalidate(Context *c, void *arg)
{
    struct iommu_hwpt_invalidate *cmd = arg;
    Object *o = object_find(c, cmd->hwpt_id);
    uint32_t wanted = cmd->entry_num;
    bool silent;
    int last_error, error = 0;
    unsigned todo = inject_array(IOMMU_HWPT_INVALIDATE, wanted, &last_error,
                                 &silent);

    cmd->entry_num = 0;
    if (cmd->__reserved) {
        return -EOPNOTSUPP;
    }
    if (wanted && (!cmd->data_uptr || !cmd->entry_len ||
                   cmd->entry_len > PAGE || wanted > 1 << 19)) {
        return -EINVAL;
    }
    if (!o) {
        return -ENOENT;
    }
    if (o->type != OBJECT_NESTED ||
        cmd->data_type != IOMMU_HWPT_INVALIDATE_DATA_VTD_S1) {
        return -EINVAL;
    }
    while (!error && cmd->entry_num < todo) {
        error = invalidate_one(o, cmd->data_uptr +
                               (uint64_t)cmd->entry_num * cmd->entry_len,
                               cmd->entry_len);
        cmd->entry_num += !error;
    }
    if (silent) {
        cmd->entry_num = wanted;
    }
    return error ? error : last_error;
}

/* --- Dirty pages --------------------------------------------------------- */

int hwpt_set_dirty(Context *c, void *arg)
{
    struct iommu_hwpt_set_dirty_tracking *cmd = arg;
    Object *o = object_find(c, cmd->hwpt_id);

    if (cmd->flags & ~IOMMU_HWPT_DIRTY_TRACKING_ENABLE) {
        return -EOPNOTSUPP;
    }
    if (!o || o->type != OBJECT_PAGING) {
        return -ENOENT;
    }
    if (!(o->flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING)) {
        return -EOPNOTSUPP;
    }
    o->dirty.on = cmd->flags & IOMMU_HWPT_DIRTY_TRACKING_ENABLE;
    o->dirty.count = 0;
    unit_flush_second_stage(o->domain.second);
    return 0;
}

int hwpt_get_dirty(Context *c, void *arg)
{
    struct iommu_hwpt_get_dirty_bitmap *cmd = arg;
    Object *o = object_find(c, cmd->hwpt_id);
    uint64_t first = cmd->iova / PAGE;
    unsigned kept = 0;

    if ((cmd->flags & ~IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR) ||
        cmd->__reserved) {
        return -EOPNOTSUPP;
    }
    if (!o || o->type != OBJECT_PAGING) {
        return -ENOENT;
    }
    if (!o->dirty.on || cmd->page_size != PAGE || cmd->iova % PAGE) {
        return -EINVAL;
    }
    for (unsigned i = 0; i < o->dirty.count; i++) {
        uint64_t page = o->dirty.page[i], byte;
        uint8_t bits;

        if (page < first || page - first >= cmd->length / PAGE) {
            o->dirty.page[kept++] = page;
            continue;
        }
        byte = cmd->data + (page - first) / 8;
        if (user_read(&bits, byte, 1)) {
            return -EFAULT;
        }
        bits |= 1 << (page - first) % 8;
        user_write(byte, &bits, 1);
        if (cmd->flags & IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR) {
            o->dirty.page[kept++] = page;
        }
    }
    o->dirty.count = kept;
    return 0;
}

/* --- The unit ------------------------------------------------------------ */

int hw_info(Context *c, void *arg)
{
    struct iommu_hw_info *cmd = arg;
    Object *dev = object_find(c, cmd->dev_id);
    struct iommu_hw_info_vtd info = {
        .flags = config.refuse_readonly ?
                 IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17 : 0,
    };
    size_t len = MIN_OF(cmd->data_len, sizeof(info));

    if (cmd->flags || cmd->__reserved) {
        return -EOPNOTSUPP;
    }
    if (!dev || dev->type != OBJECT_DEVICE) {
        return -ENOENT;
    }
    info.cap_reg = config_cap(dev->device);
    info.ecap_reg = config_ecap(dev->device);
    if (user_write(cmd->data_uptr, &info, len)) {
        return -EFAULT;
    }
    for (size_t at = len; at < cmd->data_len; at++) {
        if (user_write(cmd->data_uptr + at, "", 1)) {
            return -EFAULT;
        }
    }
    cmd->data_len = sizeof(info);
    cmd->out_data_type = config.hw_type;
    cmd->out_capabilities = info.ecap_reg & ECAP_SSADS ?
                            IOMMU_HW_CAP_DIRTY_TRACKING : 0;
    if (config.kernel >= KERNEL_6_15 && (info.ecap_reg & ECAP_PASID)) {
        ((uint8_t *)arg)[HW_INFO_MAX_PASID_LOG2] =
            config_pasid_bits(dev->device);
        cmd->out_capabilities |= HW_CAP_PCI_PASID_EXEC | HW_CAP_PCI_PASID_PRIV;
    }
    return 0;
}
