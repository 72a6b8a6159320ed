/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "intel_iommu_interface.h"
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

const VtdBindingOps *vtd_interface_ops(VtdHostUapi uapi)
{
    static const VtdBindingOps *const ops[VTD_HOST_UAPIS] = {
        [VTD_HOST_UAPI_IOMMUFD] = &vtd_binding_iommufd,
        [VTD_HOST_UAPI_VFIO2020] = &vtd_binding_vfio2020,
    };

    return ops[uapi];
}

/* The one that the device did not come with is wanted. */
static void refuse(VtdOffer *offer, const char *why, const char *hint)
{
    snprintf(offer->why, sizeof(offer->why), "%s", why);
    offer->hint = hint;
}

void vtd_interface_choose(const IntelIOMMUState *s, HostIOMMUDevice *hiod,
                          VtdOffer *offer)
{
    bool is_iommufd = object_dynamic_cast(OBJECT(hiod),
                                          TYPE_HOST_IOMMU_DEVICE_IOMMUFD);
    VtdHostUapi uapi = is_iommufd ? VTD_HOST_UAPI_IOMMUFD :
                                    VTD_HOST_UAPI_VFIO2020;

    if (s->host_uapi == VTD_HOST_UAPI_AUTO || s->host_uapi == uapi) {
        offer->uapi = uapi;
    } else if (is_iommufd) {
        refuse(offer, "host-uapi=vfio-v1, but the device uses an iommufd "
                      "object",
               "Leave out the device's 'iommufd=', or set host-uapi=auto on "
               "intel-iommu.");
    } else {
        refuse(offer, "host-uapi=iommufd, but the device uses a VFIO type1 "
                      "container", VTD_ADD_IOMMUFD);
    }
}
