/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include <linux/vfio.h>
#include <sys/ioctl.h>

#include "intel_iommu_container.h"
#include "intel_iommu_features.h"
#include "intel_iommu_space.h"
#include "intel_iommu_uapi2020.h"
#include "qapi/error.h"
#include "trace/trace-hw_i386_vtd.h"

/* VFIO's own, which ours calls. */
static typeof(((VFIOIOMMUClass *)0)->attach_device) attach_plainly;

int vtd_container_of(const VFIODevice *vfio)
{
    return vfio->group->container->fd;
}

/* Whether @as is that of a device that wants to be nested. */
static bool is_nested(const AddressSpace *as)
{
    X86IOMMUState *x86 = x86_iommu_get_default();
    IntelIOMMUState *s = (IntelIOMMUState *)
        object_dynamic_cast(OBJECT(x86), TYPE_INTEL_IOMMU_DEVICE);
    VtdAddressSpace *space;
    GHashTableIter i;

    if (!s || s->host_uapi == VTD_HOST_UAPI_IOMMUFD ||
        !vtd_features_on(s, VTD_FEATURE_NESTED)) {
        return false;
    }
    g_hash_table_iter_init(&i, s->spaces);
    while (g_hash_table_iter_next(&i, NULL, (gpointer *)&space)) {
        if (&space->as == as) {
            return true;
        }
    }
    return false;
}

/*
 * The group leaves the container, which is of no type then, and comes back to
 * one of type @type.  0 or a negative errno.
 */
static int set_type(VFIOGroup *group, unsigned long type)
{
    int *container = &group->container->fd;

    if (ioctl(group->fd, VFIO_GROUP_UNSET_CONTAINER, container) ||
        ioctl(group->fd, VFIO_GROUP_SET_CONTAINER, container) ||
        ioctl(*container, VFIO_SET_IOMMU, type)) {
        return -errno;
    }
    return 0;
}

/* A group cannot leave while a device of it is open.  What of it QEMU keeps in
 * memory stays true. */
static int reopen(const char *name, VFIODevice *vfio)
{
    int error;

    close(vfio->fd);
    error = set_type(vfio->group, UAPI2020_TYPE1_NESTING_IOMMU);
    trace_vtd_container_nesting(vfio->name, -error);
    if (error) {
        error = set_type(vfio->group, VFIO_TYPE1v2_IOMMU);
    }
    vfio->fd = error ? -1 : ioctl(vfio->group->fd, VFIO_GROUP_GET_DEVICE_FD,
                                  name);
    return error ? error : vfio->fd < 0 ? -errno : 0;
}

/* Not if it is that of another device as well: then it was done before. */
static bool should_nest(const VFIODevice *vfio)
{
    VFIOContainerBase *base = vfio->bcontainer;

    return !QLIST_NEXT(QLIST_FIRST(&base->device_list), container_next) &&
           ioctl(vtd_container_of(vfio), VFIO_CHECK_EXTENSION,
                 UAPI2020_TYPE1_NESTING_IOMMU) > 0;
}

/* Kernels of today have that type as well; it is no other one than v2 there,
 * which shows when the container is asked what it can do. */
static bool make_nesting(const char *name, VFIODevice *vfio, Error **errp)
{
    VFIOContainerBase *base = vfio->bcontainer;
    int error;

    /* It is filled again as it was the first time, by VFIO. */
    memory_listener_unregister(&base->listener);
    base->initialized = false;
    error = reopen(name, vfio);
    if (error) {
        error_setg_errno(errp, -error, "%s: its VFIO container cannot be made "
                         "anew for nested translation", vfio->name);
        return false;
    }
    memory_listener_register(&base->listener, base->space->as);
    if (base->error) {
        error_propagate(errp, base->error);
        base->error = NULL;
        return false;
    }
    base->initialized = true;
    return true;
}

/* VFIOIOMMUClass.attach_device */
static bool attach_nesting(const char *name, VFIODevice *vfio,
                           AddressSpace *as, Error **errp)
{
    if (!attach_plainly(name, vfio, as, errp)) {
        return false;
    }
    if (is_nested(as) && should_nest(vfio) &&
        !make_nesting(name, vfio, errp)) {
        VFIO_IOMMU_GET_CLASS(vfio->bcontainer)->detach_device(vfio);
        return false;
    }
    return true;
}

void vtd_containers_init(void)
{
    VFIOIOMMUClass *class = VFIO_IOMMU_CLASS(
        object_class_by_name(TYPE_VFIO_IOMMU_LEGACY));

    if (class->attach_device != attach_nesting) {
        attach_plainly = class->attach_device;
        class->attach_device = attach_nesting;
    }
}
