/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VFIO device: /dev/vfio/devices/NAME, or opened through a group.  Facts:
 * linux/vfio.h, and the behaviour of Linux 6.8 to 7.3.
 */
#include <sys/ioctl.h>

#include <linux/iommufd.h>
#include <linux/vfio.h>

#include "host.h"
#include "hw/misc/sva_endpoint_regs.h"

#define PASID_FLAG (1u << 0) /* of attach and detach, since 6.15 */

#define REGION_SHIFT 40 /* of a region's index in offsets */

typedef struct Attachment {
    Object *hwpt; /* NULL: free */
    uint32_t pasid;
} Attachment;

typedef struct DeviceFile {
    Device *device;
    Context *context; /* NULL: not bound */
    Object *object;
    bool granted; /* what is not about binding is allowed */
    void *group; /* that it was opened through, or NULL */
    Attachment attachment[DEVICE_PASIDS];
} DeviceFile;

static const uint64_t region_size[VFIO_PCI_NUM_REGIONS] = {
    [VFIO_PCI_BAR0_REGION_INDEX] = SVA_EP_BAR_SIZE,
    [VFIO_PCI_BAR2_REGION_INDEX] = 0x1000,
    [VFIO_PCI_CONFIG_REGION_INDEX] = sizeof(the_device.config),
};

static const uint32_t irq_count[VFIO_PCI_NUM_IRQS] = {
    [VFIO_PCI_MSIX_IRQ_INDEX] = SVA_EP_VECTORS,
    [VFIO_PCI_ERR_IRQ_INDEX] = 1,
    [VFIO_PCI_REQ_IRQ_INDEX] = 1,
};

/* Flags of attach and detach. */
static uint32_t known_flags(void)
{
    return config.kernel >= KERNEL_6_15 &&
                   !config_without("VFIO_DEVICE_ATTACH_PASID") ?
               PASID_FLAG : 0;
}

/* --- Attachments --------------------------------------------------------- */

static Attachment *attachment_of(DeviceFile *d, uint32_t pasid)
{
    for (unsigned i = 0; i < DEVICE_PASIDS; i++) {
        if (d->attachment[i].hwpt && d->attachment[i].pasid == pasid) {
            return &d->attachment[i];
        }
    }
    return NULL;
}

static bool has_pasids(const DeviceFile *d)
{
    for (unsigned i = 0; i < DEVICE_PASIDS; i++) {
        if (d->attachment[i].hwpt && d->attachment[i].pasid != NO_PASID) {
            return true;
        }
    }
    return false;
}

static const Domain *domain_of(Device *dev, uint32_t pasid)
{
    Attachment *a = attachment_of(dev->attachments, pasid);

    return a ? &a->hwpt->domain : NULL;
}

static void reserve(Object *hwpt, uint32_t pasid, int by)
{
    if (hwpt->type == OBJECT_PAGING && pasid == NO_PASID) {
        hwpt->below->reserving += by;
    }
}

static void release(DeviceFile *d, Attachment *a)
{
    Object *hwpt = a->hwpt;

    a->hwpt = NULL;
    unit_flush_domain(hwpt->domain.did, a->pasid);
    if (hwpt->domain.faults) {
        fault_queue_drop(hwpt->domain.faults, d->device);
    }
    reserve(hwpt, a->pasid, -1);
    count(a->pasid == NO_PASID ? REF_ATTACHED : REF_PASID, -1);
    if (!--hwpt->users && hwpt->automatic) {
        object_destroy(d->context, hwpt);
    }
}

static int check_pasid(DeviceFile *d, uint32_t pasid, const Object *hwpt)
{
    unsigned bits = config_pasid_bits(d->device);
    const Attachment *rid = attachment_of(d, NO_PASID);
    bool compatible = hwpt->flags & IOMMU_HWPT_ALLOC_PASID;

    if (pasid == NO_PASID) {
        return !compatible && has_pasids(d) ? -EINVAL : 0;
    }
    if (!(config_ecap(d->device) & ECAP_PASID)) {
        return -EOPNOTSUPP;
    }
    return !compatible || pasid >> bits ||
                   (rid && !(rid->hwpt->flags & IOMMU_HWPT_ALLOC_PASID)) ?
               -EINVAL : 0;
}

/* What the driver finds out only when it sets a PASID table entry. */
static int check_nested(const Device *dev, const Object *hwpt)
{
    uint64_t cap = config_cap(dev), ecap = config_ecap(dev);

    if (hwpt->type != OBJECT_NESTED) {
        return 0;
    }
    if ((hwpt->s1_width != 48 && hwpt->s1_width != 57) ||
        (hwpt->s1_width == 57 && !(cap & CAP_FS5LP)) ||
        ((hwpt->s1_flags & IOMMU_VTD_S1_SRE) && !(ecap & ECAP_SRS)) ||
        ((hwpt->s1_flags & IOMMU_VTD_S1_EAFE) && !(ecap & ECAP_EAFS))) {
        return -EINVAL;
    }
    return 0;
}

static int check_attach(DeviceFile *d, uint32_t pasid, Object *hwpt)
{
    int error = check_pasid(d, pasid, hwpt);

    if (error) {
        return error;
    }
    if (hwpt->type == OBJECT_PAGING && pasid == NO_PASID &&
        maps_overlap(&hwpt->below->maps, RESERVED_FIRST, RESERVED_LAST)) {
        return -EADDRINUSE;
    }
    if (hwpt->fault && !config.page_requests) {
        return -ENODEV;
    }
    return check_nested(d->device, hwpt);
}

static Attachment *free_slot(DeviceFile *d)
{
    for (unsigned i = 0; i < DEVICE_PASIDS; i++) {
        if (!d->attachment[i].hwpt) {
            return &d->attachment[i];
        }
    }
    return NULL;
}

static Object *automatic_over(Context *c, Object *ioas)
{
    for (uint32_t id = 1; id <= c->objects; id++) {
        Object *o = object_find(c, id);

        if (o && o->type == OBJECT_PAGING && o->automatic &&
            o->below == ioas) {
            return o;
        }
    }
    ioas = paging_new(c, ioas, 0);
    ioas->automatic = true;
    return ioas;
}

static int attach(DeviceFile *d, uint32_t pasid, uint32_t *pt_id)
{
    Object *hwpt = object_find(d->context, *pt_id);
    Attachment *a = attachment_of(d, pasid);
    int error;

    if (!hwpt) {
        return -ENOENT;
    }
    if (hwpt->type == OBJECT_IOAS) {
        hwpt = automatic_over(d->context, hwpt);
    }
    if (hwpt->type != OBJECT_PAGING && hwpt->type != OBJECT_NESTED) {
        return -EINVAL;
    }
    *pt_id = hwpt->id;
    if (a && a->hwpt == hwpt) {
        return 0;
    }
    error = check_attach(d, pasid, hwpt);
    if (!error && !a && !free_slot(d)) {
        error = -ENOSPC;
    }
    if (error) {
        if (hwpt->automatic && !hwpt->users) {
            object_destroy(d->context, hwpt);
        }
        return error;
    }
    hwpt->users++;
    if (a) {
        release(d, a);
    } else {
        a = free_slot(d);
    }
    *a = (Attachment){ .hwpt = hwpt, .pasid = pasid };
    reserve(hwpt, pasid, 1);
    count(pasid == NO_PASID ? REF_ATTACHED : REF_PASID, 1);
    return 0;
}

static int ioctl_attach(DeviceFile *d, uint64_t user)
{
    struct {
        uint32_t argsz, flags, pt_id, pasid;
    } arg;
    int error = user_read_min(&arg, 12, sizeof(arg), user);

    if (error) {
        return error;
    }
    if ((arg.flags & ~known_flags()) ||
        ((arg.flags & PASID_FLAG) && (arg.argsz < 16 || !arg.pasid))) {
        return -EINVAL;
    }
    error = attach(d, arg.flags & PASID_FLAG ? arg.pasid : NO_PASID,
                   &arg.pt_id);
    return error ? error : user_write(user + 8, &arg.pt_id, 4);
}

static int ioctl_detach(DeviceFile *d, uint64_t user)
{
    struct {
        uint32_t argsz, flags, pasid;
    } arg;
    int error = user_read_min(&arg, 8, sizeof(arg), user);
    Attachment *a;

    if (error) {
        return error;
    }
    if ((arg.flags & ~known_flags()) ||
        ((arg.flags & PASID_FLAG) && arg.argsz < 12)) {
        return -EINVAL;
    }
    a = attachment_of(d, arg.flags & PASID_FLAG ? arg.pasid : NO_PASID);
    if (a) {
        release(d, a);
    }
    return 0;
}

static int ioctl_bind(DeviceFile *d, uint64_t user)
{
    struct vfio_device_bind_iommufd arg;
    File *f;
    int error = user_read_min(&arg, sizeof(arg), sizeof(arg), user);

    if (error) {
        return error;
    }
    if (arg.flags || arg.iommufd < 0 || d->granted || d->group ||
        d->device->owner) {
        return -EINVAL;
    }
    f = file_at(arg.iommufd);
    if (!f || f->ops != &iommufd_ops) {
        return -EBADFD;
    }
    d->context = f->object;
    d->context->users++;
    d->object = object_new(d->context, OBJECT_DEVICE);
    d->object->device = d->device;
    d->granted = true;
    d->device->owner = d;
    d->device->id = d->object->id;
    d->device->domain_of = domain_of;
    d->device->attachments = d;
    return user_write(user + offsetof(struct vfio_device_bind_iommufd,
                                      out_devid), &d->object->id, 4);
}

/* --- The device as VFIO describes it ------------------------------------- */

static int get_info(uint64_t user)
{
    struct vfio_device_info info;
    int error = user_read_min(&info, END_OF(struct vfio_device_info, num_irqs),
                         sizeof(info), user);

    if (error) {
        return error;
    }
    info.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
    info.num_regions = VFIO_PCI_NUM_REGIONS;
    info.num_irqs = VFIO_PCI_NUM_IRQS;
    return user_write(user, &info, END_OF(struct vfio_device_info, num_irqs));
}

static int get_region_info(uint64_t user)
{
    struct vfio_region_info info;
    int error = user_read_min(&info, sizeof(info), sizeof(info), user);

    if (error) {
        return error;
    }
    if (info.index >= VFIO_PCI_VGA_REGION_INDEX) {
        return -EINVAL;
    }
    info.size = region_size[info.index];
    info.offset = (uint64_t)info.index << REGION_SHIFT;
    info.flags = info.size ? VFIO_REGION_INFO_FLAG_READ |
                 VFIO_REGION_INFO_FLAG_WRITE : 0;
    info.cap_offset = 0;
    return user_write(user, &info, sizeof(info));
}

static int get_irq_info(uint64_t user)
{
    struct vfio_irq_info info;
    int error = user_read_min(&info, sizeof(info), sizeof(info), user);

    if (error) {
        return error;
    }
    if (info.index >= VFIO_PCI_NUM_IRQS) {
        return -EINVAL;
    }
    info.count = irq_count[info.index];
    info.flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE;
    return user_write(user, &info, sizeof(info));
}

static void set_irq(Device *dev, unsigned index, int fd)
{
    if (dev->irq[index] >= 0) {
        fd_close(dev->irq[index]);
    }
    dev->irq[index] = fd;
}

static int set_irqs(DeviceFile *d, uint64_t user)
{
    struct vfio_irq_set set;
    unsigned data;
    int32_t fd;
    int error = user_read_min(&set, sizeof(set), sizeof(set), user);

    if (error) {
        return error;
    }
    data = set.flags & VFIO_IRQ_SET_DATA_TYPE_MASK;
    if ((set.flags & ~(VFIO_IRQ_SET_DATA_TYPE_MASK |
                       VFIO_IRQ_SET_ACTION_TYPE_MASK)) ||
        set.index >= VFIO_PCI_NUM_IRQS ||
        set.start > irq_count[set.index] ||
        set.count > irq_count[set.index] - set.start ||
        (data == VFIO_IRQ_SET_DATA_EVENTFD &&
         set.argsz - sizeof(set) < set.count * sizeof(fd)) ||
        (data == VFIO_IRQ_SET_DATA_EVENTFD) != (set.count != 0)) {
        return -EINVAL;
    }
    if ((set.flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) !=
        VFIO_IRQ_SET_ACTION_TRIGGER) {
        return -ENOTTY;
    }
    if (!set.count) {
        set_irq(d->device, set.index, -1);
        return 0;
    }
    if (user_read(&fd, user + sizeof(set), sizeof(fd))) {
        return -EFAULT;
    }
    if (fd >= 0) {
        fd = fd_duplicate(fd);
        if (fd < 0) {
            return fd;
        }
    }
    set_irq(d->device, set.index, fd < 0 ? -1 : fd);
    return 0;
}

static int get_hot_reset_info(DeviceFile *d, uint64_t user)
{
    struct vfio_pci_hot_reset_info info;
    struct vfio_pci_dependent_device self = { .devid = d->device->id,
                                              .devfn = 8 };
    int error = user_read_min(&info, sizeof(info), sizeof(info), user);

    if (error) {
        return error;
    }
    info.flags = VFIO_PCI_HOT_RESET_FLAG_DEV_ID |
                 VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED;
    info.count = 1;
    if (user_write(user, &info, sizeof(info))) {
        return -EFAULT;
    }
    if (info.argsz < sizeof(info) + sizeof(self)) {
        return -ENOSPC;
    }
    return user_write(user + sizeof(info), &self, sizeof(self));
}

static long device_ioctl(File *f, unsigned request, void *arg)
{
    DeviceFile *d = f->object;
    uint64_t user = (uintptr_t)arg;

    if (request == VFIO_DEVICE_BIND_IOMMUFD && config.kernel != KERNEL_2020) {
        return ioctl_bind(d, user);
    }
    if (!d->granted) {
        return -EINVAL;
    }
    switch (request) {
    case VFIO_DEVICE_ATTACH_IOMMUFD_PT:
        return d->context ? ioctl_attach(d, user) : -ENOTTY;
    case VFIO_DEVICE_DETACH_IOMMUFD_PT:
        return d->context ? ioctl_detach(d, user) : -ENOTTY;
    case VFIO_DEVICE_GET_INFO:
        return get_info(user);
    case VFIO_DEVICE_GET_REGION_INFO:
        return get_region_info(user);
    case VFIO_DEVICE_GET_IRQ_INFO:
        return get_irq_info(user);
    case VFIO_DEVICE_SET_IRQS:
        return set_irqs(d, user);
    case VFIO_DEVICE_GET_PCI_HOT_RESET_INFO:
        return get_hot_reset_info(d, user);
    case VFIO_DEVICE_RESET:
    case VFIO_DEVICE_PCI_HOT_RESET:
        device_reset(d->device);
        return 0;
    }
    return -ENOTTY;
}

/* --- Regions ------------------------------------------------------------- */

static ssize_t device_access(DeviceFile *d, void *in, const void *out,
                             size_t len, uint64_t offset)
{
    unsigned index = offset >> REGION_SHIFT;

    offset &= (1ull << REGION_SHIFT) - 1;
    if (!d->granted || index >= VFIO_PCI_NUM_REGIONS ||
        offset >= region_size[index] || len > region_size[index] - offset) {
        return -EINVAL;
    }
    if (index == VFIO_PCI_CONFIG_REGION_INDEX) {
        if (out) {
            device_config_write(d->device, offset, out, len);
        } else {
            memcpy(in, d->device->config + offset, len);
        }
    } else if (index == VFIO_PCI_BAR0_REGION_INDEX) {
        if (out) {
            device_bar_write(d->device, offset, out, len);
        } else {
            device_bar_read(d->device, offset, in, len);
        }
    } else if (in) {
        memset(in, 0, len); /* MSI-X table: whoever needs it emulates it */
    }
    return len;
}

static ssize_t device_pread(File *f, void *buf, size_t len, uint64_t offset)
{
    return device_access(f->object, buf, NULL, len, offset);
}

static ssize_t device_pwrite(File *f, const void *buf, size_t len,
                             uint64_t offset)
{
    return device_access(f->object, NULL, buf, len, offset);
}

/* --- Opening and closing ------------------------------------------------- */

void *device_file_new(Device *dev)
{
    DeviceFile *d = calloc(1, sizeof(*d));

    d->device = dev;
    return d;
}

void *device_file_of_group(Device *dev, void *group)
{
    DeviceFile *d = device_file_new(dev);

    d->granted = true;
    d->group = group;
    dev->owner = d;
    return d;
}

static void device_close(File *f)
{
    DeviceFile *d = f->object;

    for (unsigned i = 0; i < DEVICE_PASIDS; i++) {
        if (d->attachment[i].hwpt) {
            release(d, &d->attachment[i]);
        }
    }
    if (d->device->owner == d) {
        for (unsigned i = 0; i < DEVICE_IRQS; i++) {
            set_irq(d->device, i, -1);
        }
        device_reset(d->device);
        d->device->owner = NULL;
        d->device->domain_of = NULL;
    }
    if (d->context) {
        object_destroy(d->context, d->object);
        context_put(d->context);
    }
    if (d->group) {
        group_device_closed(d->group);
    }
    free(d);
}

const FileOps device_ops = {
    .kind = REF_DEVICE,
    .ioctl = device_ioctl,
    .pread = device_pread,
    .pwrite = device_pwrite,
    .close = device_close,
};
