/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "intel_iommu_interface.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qobject/qstring.h"
#include "system/iommufd.h"

static const QEnumLookup names = {
    .array = (const char *const[]) {
        [VTD_HOST_UAPI_AUTO] = "auto",
        [VTD_HOST_UAPI_IOMMUFD] = "iommufd",
        [VTD_HOST_UAPI_VFIO2020] = "vfio-v1",
    },
    .size = VTD_HOST_UAPIS,
};

static void get(Object *obj, Visitor *v, const char *name, void *opaque,
                Error **errp)
{
    visit_type_enum(v, name, object_field_prop_ptr(obj, opaque), &names, errp);
}

static void set(Object *obj, Visitor *v, const char *name, void *opaque,
                Error **errp)
{
    visit_type_enum(v, name, object_field_prop_ptr(obj, opaque), &names, errp);
}

/* For the help only: "auto" is 0. */
static void show_default(ObjectProperty *property, const Property *unused)
{
    property->defval = QOBJECT(qstring_from_str("auto"));
}

const PropertyInfo vtd_host_uapi_info = {
    .type = "str",
    .description = "auto/iommufd/vfio-v1",
    .get = get,
    .set = set,
    .set_default_value = show_default,
};

const VtdBindingOps *vtd_interface_of(const IntelIOMMUState *s,
                                      HostIOMMUDevice *hiod, Error **errp)
{
    if (object_dynamic_cast(OBJECT(hiod), TYPE_HOST_IOMMU_DEVICE_IOMMUFD)) {
        if (s->host_uapi != VTD_HOST_UAPI_VFIO2020) {
            return &vtd_binding_iommufd;
        }
        error_setg(errp, "%s: host-uapi=vfio-v1, but the device uses an "
                   "iommufd object", hiod->name);
        error_append_hint(errp, "Leave out the device's 'iommufd=', or set "
                                "host-uapi=auto on intel-iommu.\n");
        return NULL;
    }
    if (s->host_uapi != VTD_HOST_UAPI_IOMMUFD) {
        return &vtd_binding_vfio2020;
    }
    error_setg(errp, "%s: host-uapi=iommufd, but the device uses a VFIO type1 "
               "container", hiod->name);
    error_append_hint(errp, "Add '-object iommufd,id=ID' and 'iommufd=ID' to "
                            "the device.\n");
    return NULL;
}
