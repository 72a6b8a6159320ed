/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VFIO groups and containers (type1 v2).  Facts: linux/vfio.h, and the
 * behaviour of Linux 5.8 (`kernel 2020`) and of today, where type 6 still is
 * accepted but is no more than v2, and capability 3 is another one.
 */
#include <linux/vfio.h>

#include "host.h"
#include "hw/i386/intel_iommu_uapi2020.h"

typedef struct Group {
    Container *container; /* NULL: none */
    Device *device; /* the one that it has */
    unsigned devices; /* open */
} Group;

static const Domain *domain_of(Device *dev, uint32_t pasid)
{
    Container *c = dev->attachments;

    if (pasid == NO_PASID) {
        return c->type ? &c->domain : NULL;
    }
    for (unsigned i = 0; i < DEVICE_PASIDS; i++) {
        if (c->bound[i].domain.did && c->bound[i].hpasid == pasid) {
            return &c->bound[i].domain;
        }
    }
    return NULL;
}

/* --- Containers ---------------------------------------------------------- */

void *container_new(void)
{
    Container *c = calloc(1, sizeof(*c));

    c->users = 1;
    return c;
}

/* The last group is gone: what was set up for it goes, too. */
static void forget_iommu(Container *c)
{
    if (!c->type) {
        return;
    }
    if (c->nesting) {
        nesting_end(c);
    }
    unit_flush_domain(c->domain.did, ANY_PASID);
    control->leaked[REF_MAP] += c->maps.count;
    maps_free(&c->maps);
    c->type = 0;
    c->nesting = false;
    count(REF_ATTACHED, -1);
}

static void container_put(Container *c)
{
    if (!--c->users) {
        forget_iommu(c);
        free(c);
    }
}

static long check_extension(unsigned long type)
{
    return type == VFIO_TYPE1_IOMMU || type == VFIO_TYPE1v2_IOMMU ||
           type == VFIO_DMA_CC_IOMMU || type == UAPI2020_TYPE1_NESTING_IOMMU;
}

static int set_iommu(Container *c, unsigned long type)
{
    if (!c->groups || c->type) {
        return -EINVAL;
    }
    if (type != VFIO_TYPE1_IOMMU && type != VFIO_TYPE1v2_IOMMU &&
        type != UAPI2020_TYPE1_NESTING_IOMMU) {
        return -ENODEV;
    }
    c->type = type;
    c->nesting = type == UAPI2020_TYPE1_NESTING_IOMMU &&
                 config.kernel == KERNEL_2020 &&
                 !(~config.ecap & (ECAP_NEST | ECAP_SMTS));
    c->domain = (Domain){ .did = unit_new_did(), .second = &c->maps };
    count(REF_ATTACHED, 1);
    if (c->nesting) {
        nesting_start(c);
    }
    return 0;
}

static int get_info(Container *c, uint64_t user)
{
    struct vfio_iommu_type1_info info;
    const size_t min = END_OF(struct vfio_iommu_type1_info, iova_pgsizes);
    struct {
        struct vfio_info_cap_header header;
        uint32_t nr_iovas, reserved;
        struct vfio_iova_range range[2];
        uint8_t third[NESTING_CAPABILITY_MAX];
    } caps = {
        .header = { .id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, .version = 1 },
        .nr_iovas = 2,
        .range = { { 0, RESERVED_FIRST - 1 },
                   { RESERVED_LAST + 1, (1ull << CAP_MGAW(config.cap)) - 1 } },
    };
    struct vfio_iommu_type1_info_dma_avail avail = {
        .header = { .id = VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, .version = 1 },
        .avail = 65535,
    };
    size_t len = offsetof(__typeof__(caps), third);
    uint32_t room;
    int error = user_read_min(&info, min, sizeof(info), user);

    if (error) {
        return error;
    }
    if (c->nesting) {
        caps.header.next = sizeof(info) + len;
        len += nesting_capability(caps.third);
    } else if (config.kernel != KERNEL_2020) {
        caps.header.next = sizeof(info) + len;
        memcpy(caps.third, &avail, sizeof(avail));
        len += sizeof(avail);
    }
    room = info.argsz;
    info.flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS;
    info.iova_pgsizes = PAGE | 1 << 21 | 1 << 30;
    info.cap_offset = 0;
    if (room < sizeof(info) + len) {
        info.argsz = sizeof(info) + len;
    } else if (user_write(user + sizeof(info), &caps, len)) {
        return -EFAULT;
    } else {
        info.cap_offset = sizeof(info);
    }
    return user_write(user, &info, MIN_OF(room, sizeof(info)));
}

static int map_dma(Container *c, uint64_t user)
{
    struct vfio_iommu_type1_dma_map map;
    uint32_t rights = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
    int error = user_read_min(&map, sizeof(map), sizeof(map), user);
    uint64_t last = map.iova + map.size - 1;
    uint8_t byte;

    if (error) {
        return error;
    }
    if ((map.flags & ~rights) || !(map.flags & rights) || !map.size ||
        (map.size | map.iova | map.vaddr) % PAGE || last < map.iova ||
        last >> CAP_MGAW(config.cap) ||
        (map.iova <= RESERVED_LAST && RESERVED_FIRST <= last)) {
        return -EINVAL;
    }
    if (user_read(&byte, map.vaddr, 1) ||
        user_read(&byte, map.vaddr + map.size - 1, 1)) {
        return -EFAULT;
    }
    return maps_add(&c->maps,
                    (Map){ .iova = map.iova, .last = last, .va = map.vaddr,
                           .readable = map.flags & VFIO_DMA_MAP_FLAG_READ,
                           .writable = map.flags & VFIO_DMA_MAP_FLAG_WRITE });
}

static int unmap_dma(Container *c, uint64_t user)
{
    struct vfio_iommu_type1_dma_unmap unmap;
    const size_t min = END_OF(struct vfio_iommu_type1_dma_unmap, size);
    int error = user_read_min(&unmap, min, min, user);
    uint64_t bytes;

    if (error) {
        return error;
    }
    if (unmap.flags || !unmap.size || (unmap.size | unmap.iova) % PAGE ||
        unmap.iova + unmap.size - 1 < unmap.iova) {
        return -EINVAL;
    }
    /* A map that sticks out is an error, none at all is not. */
    if (maps_remove(&c->maps, unmap.iova, unmap.iova + unmap.size - 1,
                    &bytes)) {
        return -EINVAL;
    }
    unmap.size = bytes;
    return user_write(user, &unmap, min);
}

static long container_ioctl(File *f, unsigned request, void *arg)
{
    Container *c = f->object;
    uint64_t user = (uintptr_t)arg;

    switch (request) {
    case VFIO_GET_API_VERSION:
        return VFIO_API_VERSION;
    case VFIO_CHECK_EXTENSION:
        return check_extension(user);
    case VFIO_SET_IOMMU:
        return set_iommu(c, user);
    }
    if (!c->type) {
        return -EINVAL;
    }
    switch (request) {
    case VFIO_IOMMU_GET_INFO:
        return get_info(c, user);
    case VFIO_IOMMU_MAP_DMA:
        return map_dma(c, user);
    case VFIO_IOMMU_UNMAP_DMA:
        return unmap_dma(c, user);
    case UAPI2020_PASID_REQUEST:
        return config.kernel == KERNEL_2020 ?
               nesting_pasid_request(c, user) : -ENOTTY;
    case UAPI2020_NESTING_OP:
        return config.kernel == KERNEL_2020 ? nesting_op(c, user) : -ENOTTY;
    }
    return -ENOTTY;
}

static void container_close(File *f)
{
    container_put(f->object);
}

const FileOps container_ops = {
    .kind = REF_CONTAINER,
    .ioctl = container_ioctl,
    .close = container_close,
};

/* --- Groups -------------------------------------------------------------- */

void *group_new(Device *dev)
{
    Group *g;

    if (dev->group_open) {
        return NULL;
    }
    dev->group_open = true;
    g = calloc(1, sizeof(*g));
    g->device = dev;
    return g;
}

static int get_status(const Group *g, uint64_t user)
{
    struct vfio_group_status status;
    int error = user_read_min(&status, sizeof(status), sizeof(status), user);

    if (error) {
        return error;
    }
    status.flags = VFIO_GROUP_FLAGS_VIABLE |
                   (g->container ? VFIO_GROUP_FLAGS_CONTAINER_SET : 0);
    return user_write(user, &status, sizeof(status));
}

static int set_container(Group *g, uint64_t user)
{
    int32_t fd;
    File *f;

    if (user_read(&fd, user, sizeof(fd))) {
        return -EFAULT;
    }
    f = file_at(fd);
    if (g->container) {
        return -EINVAL;
    }
    if (!f || f->ops != &container_ops) {
        return -EBADF;
    }
    g->container = f->object;
    g->container->users++;
    g->container->groups++;
    return 0;
}

static int unset_container(Group *g)
{
    Container *c = g->container;

    if (!c) {
        return -EINVAL;
    }
    if (g->devices) {
        return -EBUSY;
    }
    g->container = NULL;
    if (!--c->groups) {
        forget_iommu(c);
    }
    container_put(c);
    return 0;
}

static int get_device_fd(Group *g, uint64_t user)
{
    char first;

    if (user_read(&first, user, 1)) {
        return -EFAULT;
    }
    if (!g->container || !g->container->type) {
        return -EINVAL;
    }
    if (!first) {
        return -ENODEV;
    }
    if (g->device->owner) {
        return -EBUSY;
    }
    g->devices++;
    g->device->domain_of = domain_of;
    g->device->attachments = g->container;
    return file_new(-1, false, &device_ops,
                    device_file_of_group(g->device, g));
}

void group_device_closed(void *group)
{
    Group *g = group;

    g->devices--;
}

static long group_ioctl(File *f, unsigned request, void *arg)
{
    uint64_t user = (uintptr_t)arg;

    switch (request) {
    case VFIO_GROUP_GET_STATUS:
        return get_status(f->object, user);
    case VFIO_GROUP_SET_CONTAINER:
        return set_container(f->object, user);
    case VFIO_GROUP_UNSET_CONTAINER:
        return unset_container(f->object);
    case VFIO_GROUP_GET_DEVICE_FD:
        return get_device_fd(f->object, user);
    }
    return -ENOTTY;
}

/* The program closes its devices first. */
static void group_close(File *f)
{
    Group *g = f->object;

    unset_container(g);
    g->device->group_open = false;
    free(g);
}

const FileOps group_ops = {
    .kind = REF_GROUP,
    .ioctl = group_ioctl,
    .close = group_close,
};
