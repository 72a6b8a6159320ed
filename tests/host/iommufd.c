/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /dev/iommu: objects with ids, address spaces, and which calls of which size
 * the kernel that is played knows.  Facts: linux/iommufd.h, and the behaviour
 * of Linux 6.8 to 7.3.
 */
#include <stdio.h>

#include <linux/iommufd.h>

#include "host.h"

static const RefKind kind_of[OBJECT_TYPES] = {
    [OBJECT_IOAS] = REF_IOAS,       [OBJECT_DEVICE] = REF_BOUND,
    [OBJECT_PAGING] = REF_HWPT,     [OBJECT_NESTED] = REF_NESTED,
    [OBJECT_FAULT] = REF_FAULT_QUEUE,
};

/* --- Objects ------------------------------------------------------------- */

Context *context_new(void)
{
    Context *c = calloc(1, sizeof(*c));

    c->users = 1;
    return c;
}

Object *object_new(Context *c, ObjectType type)
{
    Object *o = calloc(1, sizeof(*o));

    o->type = type;
    o->id = ++c->objects;
    c->object = realloc(c->object, c->objects * sizeof(*c->object));
    c->object[o->id - 1] = o;
    count(kind_of[type], 1);
    return o;
}

Object *object_find(Context *c, uint32_t id)
{
    return id && id <= c->objects ? c->object[id - 1] : NULL;
}

static Object *find_type(Context *c, uint32_t id, ObjectType type)
{
    Object *o = object_find(c, id);

    return o && o->type == type ? o : NULL;
}

void object_destroy(Context *c, Object *o)
{
    if (c->vfio_ioas == o) {
        c->vfio_ioas = NULL;
    }
    if (o->domain.did) {
        unit_flush_domain(o->domain.did, ANY_PASID);
    }
    if (o->below) {
        o->below->users--;
    }
    if (o->fault) {
        o->fault->users--;
    }
    if (o->queue) {
        fault_queue_free(o->queue);
    }
    maps_free(&o->maps);
    free(o->dirty.page);
    count(kind_of[o->type], -1);
    c->object[o->id - 1] = NULL;
    free(o);
}

void context_put(Context *c)
{
    static const ObjectType order[] = { OBJECT_NESTED, OBJECT_PAGING,
                                        OBJECT_IOAS, OBJECT_FAULT };

    if (--c->users) {
        return;
    }
    for (unsigned i = 0; i < sizeof(order) / sizeof(*order); i++) {
        for (uint32_t id = 1; id <= c->objects; id++) {
            Object *o = find_type(c, id, order[i]);

            if (o) {
                control->leaked[kind_of[o->type]]++;
                object_destroy(c, o);
            }
        }
    }
    free(c->object);
    free(c);
}

static int destroy(Context *c, void *arg)
{
    struct iommu_destroy *cmd = arg;
    Object *o = object_find(c, cmd->id);

    if (!o) {
        return -ENOENT;
    }
    if (o->users || o->type == OBJECT_DEVICE) {
        return -EBUSY;
    }
    object_destroy(c, o);
    return 0;
}

/* --- Address spaces ------------------------------------------------------ */

static int ioas_alloc(Context *c, void *arg)
{
    struct iommu_ioas_alloc *cmd = arg;

    if (cmd->flags) {
        return -EOPNOTSUPP;
    }
    cmd->out_ioas_id = object_new(c, OBJECT_IOAS)->id;
    return 0;
}

static int ioas_ranges(Context *c, void *arg)
{
    struct iommu_ioas_iova_ranges *cmd = arg;
    Object *ioas = find_type(c, cmd->ioas_id, OBJECT_IOAS);
    unsigned bits = CAP_MGAW(config.cap);
    uint64_t last = ioas && ioas->users && bits < 64 ? (1ull << bits) - 1 :
                    UINT64_MAX;
    struct iommu_iova_range range[2] = { { 0, last } };
    uint32_t room = cmd->num_iovas;

    if (cmd->__reserved) {
        return -EOPNOTSUPP;
    }
    if (!ioas) {
        return -ENOENT;
    }
    cmd->num_iovas = 1;
    cmd->out_iova_alignment = PAGE;
    if (ioas->reserving) {
        range[0].last = RESERVED_FIRST - 1;
        range[1] = (struct iommu_iova_range){ RESERVED_LAST + 1, last };
        cmd->num_iovas = 2;
    }
    if (user_write(cmd->allowed_iovas, range,
                   MIN_OF(room, cmd->num_iovas) * sizeof(*range))) {
        return -EFAULT;
    }
    return cmd->num_iovas > room ? -EMSGSIZE : 0;
}

static bool below_nest_parent(Context *c, const Object *ioas)
{
    for (uint32_t id = 1; id <= c->objects; id++) {
        const Object *o = find_type(c, id, OBJECT_PAGING);

        if (o && o->below == ioas &&
            (o->flags & IOMMU_HWPT_ALLOC_NEST_PARENT)) {
            return true;
        }
    }
    return false;
}

static int map_checked(Context *c, Object *ioas, uint32_t flags, Map map)
{
    uint8_t byte;

    if (map.iova % PAGE || map.va % PAGE || (map.last + 1) % PAGE ||
        map.last < map.iova) {
        return -EINVAL;
    }
    if (!(flags & IOMMU_IOAS_MAP_FIXED_IOVA)) {
        return -EOPNOTSUPP; /* nobody here lets the kernel choose */
    }
    if (ioas->reserving && map.iova <= RESERVED_LAST &&
        RESERVED_FIRST <= map.last) {
        return -EINVAL;
    }
    if (ioas->users && map.last >> CAP_MGAW(config.cap)) {
        return -EINVAL;
    }
    if (!map.writable && config.refuse_readonly &&
        below_nest_parent(c, ioas)) {
        return -EINVAL;
    }
    /* The kernel pins all of it; that its ends are there shall do. */
    if (user_read(&byte, map.va, 1) ||
        user_read(&byte, map.va + (map.last - map.iova), 1)) {
        return -EFAULT;
    }
    return maps_add(&ioas->maps, map);
}

#define MAP_FLAGS (IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE | \
                   IOMMU_IOAS_MAP_READABLE)
#define MAP_RIGHTS (IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE)

static int ioas_map(Context *c, void *arg)
{
    struct iommu_ioas_map *cmd = arg;
    Object *ioas = find_type(c, cmd->ioas_id, OBJECT_IOAS);

    if ((cmd->flags & ~MAP_FLAGS) || cmd->__reserved) {
        return -EOPNOTSUPP;
    }
    if (cmd->iova == UINT64_MAX || cmd->length == UINT64_MAX) {
        return -EOVERFLOW;
    }
    if (!(cmd->flags & MAP_RIGHTS)) {
        return -EINVAL;
    }
    if (!ioas) {
        return -ENOENT;
    }
    return map_checked(c, ioas, cmd->flags,
                       (Map){ .iova = cmd->iova,
                              .last = cmd->iova + cmd->length - 1,
                              .va = cmd->user_va,
                              .readable = cmd->flags & IOMMU_IOAS_MAP_READABLE,
                              .writable = cmd->flags &
                                          IOMMU_IOAS_MAP_WRITEABLE });
}

static int ioas_copy(Context *c, void *arg)
{
    struct iommu_ioas_copy *cmd = arg;
    Object *to = find_type(c, cmd->dst_ioas_id, OBJECT_IOAS);
    Object *from = find_type(c, cmd->src_ioas_id, OBJECT_IOAS);
    const Map *m;

    if (cmd->flags & ~MAP_FLAGS) {
        return -EOPNOTSUPP;
    }
    if (!(cmd->flags & MAP_RIGHTS)) {
        return -EINVAL;
    }
    if (!to || !from) {
        return -ENOENT;
    }
    m = maps_find(&from->maps, cmd->src_iova);
    if (!m || cmd->length - 1 > m->last - cmd->src_iova) {
        return -ENOENT;
    }
    return map_checked(c, to, cmd->flags,
                       (Map){ .iova = cmd->dst_iova,
                              .last = cmd->dst_iova + cmd->length - 1,
                              .va = m->va + (cmd->src_iova - m->iova),
                              .readable = cmd->flags & IOMMU_IOAS_MAP_READABLE,
                              .writable = cmd->flags &
                                          IOMMU_IOAS_MAP_WRITEABLE });
}

static int ioas_unmap(Context *c, void *arg)
{
    struct iommu_ioas_unmap *cmd = arg;
    Object *ioas = find_type(c, cmd->ioas_id, OBJECT_IOAS);
    bool all = !cmd->iova && cmd->length == UINT64_MAX;
    uint64_t bytes;
    int error;

    if (!ioas) {
        return -ENOENT;
    }
    if (!all && (cmd->iova == UINT64_MAX || cmd->length == UINT64_MAX)) {
        return -EOVERFLOW;
    }
    if (!all && (!cmd->length || cmd->iova + cmd->length - 1 < cmd->iova)) {
        return -EINVAL;
    }
    error = maps_remove(&ioas->maps, cmd->iova, cmd->iova + cmd->length - 1,
                        &bytes);
    if (!error && !bytes && !all) {
        error = -ENOENT;
    }
    cmd->length = bytes;
    return error;
}

static int vfio_ioas(Context *c, void *arg)
{
    struct iommu_vfio_ioas *cmd = arg;

    if (cmd->__reserved) {
        return -EOPNOTSUPP;
    }
    switch (cmd->op) {
    case IOMMU_VFIO_IOAS_GET:
        cmd->ioas_id = c->vfio_ioas ? c->vfio_ioas->id : 0;
        return c->vfio_ioas ? 0 : -ENODEV;
    case IOMMU_VFIO_IOAS_SET:
        if (!find_type(c, cmd->ioas_id, OBJECT_IOAS)) {
            return -ENOENT;
        }
        c->vfio_ioas = find_type(c, cmd->ioas_id, OBJECT_IOAS);
        return 0;
    case IOMMU_VFIO_IOAS_CLEAR:
        c->vfio_ioas = NULL;
        return 0;
    }
    return -EOPNOTSUPP;
}

/* --- Calls --------------------------------------------------------------- */

/*
 * @min: what the first kernel with the call had; @size: sizeof in each of
 * 6.8, 6.11, 6.15 and one to come, 0 where the call does not exist.
 */
typedef struct Call {
    unsigned request;
    const char *name;
    int (*run)(Context *c, void *arg);
    uint8_t min;
    uint8_t size[KERNEL_NEXT + 1];
    bool answers_errors; /* the struct is written back in any case */
} Call;

#define STRUCT_MAX 128
#define FROM_START(size) { size, size, size, size + 16 }

static const Call calls[] = {
    { IOMMU_DESTROY, "IOMMU_DESTROY", destroy, 8, FROM_START(8), false },
    { IOMMU_IOAS_ALLOC, "IOMMU_IOAS_ALLOC", ioas_alloc, 12, FROM_START(12),
      false },
    { IOMMU_IOAS_IOVA_RANGES, "IOMMU_IOAS_IOVA_RANGES", ioas_ranges, 32,
      FROM_START(32), true },
    { IOMMU_IOAS_MAP, "IOMMU_IOAS_MAP", ioas_map, 40, FROM_START(40), false },
    { IOMMU_IOAS_COPY, "IOMMU_IOAS_COPY", ioas_copy, 40, FROM_START(40),
      false },
    { IOMMU_IOAS_UNMAP, "IOMMU_IOAS_UNMAP", ioas_unmap, 24, FROM_START(24),
      false },
    { IOMMU_VFIO_IOAS, "IOMMU_VFIO_IOAS", vfio_ioas, 12, FROM_START(12),
      false },
    { IOMMU_HWPT_ALLOC, "IOMMU_HWPT_ALLOC", hwpt_alloc, 24,
      { 40, 48, 48, 64 }, false },
    { IOMMU_GET_HW_INFO, "IOMMU_GET_HW_INFO", hw_info, 32, FROM_START(40),
      false },
    { IOMMU_HWPT_SET_DIRTY_TRACKING, "IOMMU_HWPT_SET_DIRTY_TRACKING",
      hwpt_set_dirty, 16, FROM_START(16), false },
    { IOMMU_HWPT_GET_DIRTY_BITMAP, "IOMMU_HWPT_GET_DIRTY_BITMAP",
      hwpt_get_dirty, 48, FROM_START(48), false },
    { IOMMU_HWPT_INVALIDATE, "IOMMU_HWPT_INVALIDATE", hwpt_invalidate, 32,
      FROM_START(32), true },
    { IOMMU_FAULT_QUEUE_ALLOC, "IOMMU_FAULT_QUEUE_ALLOC", fault_alloc, 16,
      { 0, 16, 16, 32 }, false },
};

static long iommufd_ioctl(File *f, unsigned request, void *arg)
{
    uint64_t user = (uintptr_t)arg;
    uint8_t cmd[STRUCT_MAX];
    const Call *call = NULL;
    uint32_t user_size;
    int error;

    for (unsigned i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        if (calls[i].request == request) {
            call = &calls[i];
        }
    }
    if (user_read(&user_size, user, sizeof(user_size))) {
        return -EFAULT;
    }
    if (!call || config.kernel == KERNEL_2020 ||
        !call->size[config.kernel] || config_without(call->name)) {
        return -ENOTTY;
    }
    if (user_size < call->min) {
        return -EINVAL;
    }
    error = user_read_struct(cmd, call->size[config.kernel], user, user_size);
    if (error) {
        return error;
    }
    error = call->run(f->object, cmd);
    if ((!error || call->answers_errors) &&
        user_write(user, cmd, MIN_OF(user_size, call->size[config.kernel]))) {
        return -EFAULT;
    }
    return error;
}

static void iommufd_close(File *f)
{
    context_put(f->object);
}

const FileOps iommufd_ops = {
    .kind = REF_IOMMUFD,
    .ioctl = iommufd_ioctl,
    .close = iommufd_close,
};
