/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "intel_iommu_properties.h"
#include "qapi/error.h"
#include "qapi/qapi-builtin-visit.h"
#include "qapi/util.h"
#include "qapi/visitor-impl.h"
#include "qemu/cutils.h"
#include "qobject/qbool.h"
#include "qobject/qnum.h"
#include "qobject/qstring.h"

/* Defaults for the help only: one that was really set would count as given. */
static void show_default_on(ObjectProperty *property, const Property *unused)
{
    property->defval = QOBJECT(qbool_from_bool(true));
}

static void show_default_off(ObjectProperty *property, const Property *unused)
{
    property->defval = QOBJECT(qbool_from_bool(false));
}

/* --- Two names ------------------------------------------------------------ */

/*
 * A property with two names, off by default.  QEMU sets what one -device gives
 * in an order of its own, so neither name can have the last word.
 */
static void renamed_get(Object *obj, Visitor *v, const char *name,
                        void *opaque, Error **errp)
{
    VtdRenamed *renamed = object_field_prop_ptr(obj, opaque);

    visit_type_bool(v, name, &renamed->on, errp);
}

static void renamed_set(Object *obj, Visitor *v, const char *name,
                        void *opaque, Error **errp)
{
    const Property *property = opaque;
    VtdRenamed *renamed = object_field_prop_ptr(obj, property);
    bool on;

    if (!visit_type_bool(v, name, &on, errp)) {
        return;
    }
    if (renamed->given && strcmp(renamed->given, name) && renamed->on != on) {
        error_setg(errp, "intel-iommu: %s=on contradicts %s=off: they are two "
                         "names of one property, give one of them",
                   on ? name : renamed->given, on ? renamed->given : name);
        return;
    }
    *renamed = (VtdRenamed){ .on = on, .given = property->name };
}

const PropertyInfo vtd_renamed_info = {
    .type = "bool",
    .description = "on/off",
    .get = renamed_get,
    .set = renamed_set,
    .set_default_value = show_default_off,
};

/* --- Bools that "auto" was left to ---------------------------------------- */

static void get_as_bool(Object *obj, Visitor *v, const char *name,
                        void *opaque, Error **errp)
{
    OnOffAuto *value = object_field_prop_ptr(obj, opaque);
    bool on = *value != ON_OFF_AUTO_OFF;

    visit_type_bool(v, name, &on, errp);
}

static void set_as_bool(Object *obj, Visitor *v, const char *name,
                        void *opaque, Error **errp)
{
    OnOffAuto *value = object_field_prop_ptr(obj, opaque);
    bool on;

    if (visit_type_bool(v, name, &on, errp)) {
        *value = on ? ON_OFF_AUTO_ON : ON_OFF_AUTO_OFF;
    }
}

const PropertyInfo vtd_feature_bool_info = {
    .type = "bool",
    .description = "on/off",
    .get = get_as_bool,
    .set = set_as_bool,
    .set_default_value = show_default_on,
};

/* --- Words in place of bools and numbers ---------------------------------- */

/* A word, bool or number as a word; NULL: none of these. */
static char *word_of(QObject *any)
{
    switch (qobject_type(any)) {
    case QTYPE_QSTRING:
        return g_strdup(qstring_get_str(qobject_to(QString, any)));
    case QTYPE_QBOOL:
        return g_strdup(qbool_get_bool(qobject_to(QBool, any)) ? "on" : "off");
    case QTYPE_QNUM:
        return qnum_to_string(qobject_to(QNum, any));
    default:
        return NULL;
    }
}

/*
 * What is given as a word on the command line, or in JSON as a bool or a
 * number.  NULL with @errp set: neither.
 */
static char *read_word(Visitor *v, const char *name, Error **errp)
{
    QObject *any = NULL;
    char *word = NULL;

    if (!v->type_any) { /* of -global */
        visit_type_str(v, name, &word, errp);
        return word;
    }
    if (!visit_type_any(v, name, &any, errp)) {
        return NULL;
    }
    word = word_of(any);
    qobject_unref(any);
    if (!word) {
        error_setg(errp, "Parameter '%s' has no value of this type", name);
    }
    return word;
}

static void read_as_auto(Visitor *v, const char *name, Error **errp)
{
    g_autofree char *word = g_strdup("auto");

    visit_type_str(v, name, &word, errp);
}

static void switch_get(Object *obj, Visitor *v, const char *name,
                       void *opaque, Error **errp)
{
    OnOffAuto *value = object_field_prop_ptr(obj, opaque);

    if (*value == ON_OFF_AUTO_AUTO) {
        read_as_auto(v, name, errp);
    } else {
        get_as_bool(obj, v, name, opaque, errp);
    }
}

static void switch_set(Object *obj, Visitor *v, const char *name,
                       void *opaque, Error **errp)
{
    OnOffAuto *value = object_field_prop_ptr(obj, opaque);
    g_autofree char *word = read_word(v, name, errp);
    bool on;

    if (!word) {
        return;
    }
    if (!strcmp(word, "auto")) {
        *value = ON_OFF_AUTO_AUTO;
    } else if (qapi_bool_parse(name, word, &on, NULL)) {
        *value = on ? ON_OFF_AUTO_ON : ON_OFF_AUTO_OFF;
    } else {
        error_setg(errp, "Parameter '%s' expects 'on', 'off' or 'auto'", name);
    }
}

static void switch_set_off(ObjectProperty *property, const Property *unused)
{
    object_property_set_default_bool(property, false);
}

const PropertyInfo vtd_switch_info = {
    .type = "bool",
    .description = "on/off/auto",
    .get = switch_get,
    .set = switch_set,
    .set_default_value = switch_set_off,
};

static void pasid_bits_get(Object *obj, Visitor *v, const char *name,
                           void *opaque, Error **errp)
{
    uint8_t *bits = object_field_prop_ptr(obj, opaque);

    if (*bits == VTD_PASID_BITS_AUTO) {
        read_as_auto(v, name, errp);
    } else {
        visit_type_uint8(v, name, bits, errp);
    }
}

static void pasid_bits_set(Object *obj, Visitor *v, const char *name,
                           void *opaque, Error **errp)
{
    uint8_t *bits = object_field_prop_ptr(obj, opaque);
    g_autofree char *word = read_word(v, name, errp);
    unsigned number;

    if (!word) {
        return;
    }
    if (!strcmp(word, "auto")) {
        *bits = VTD_PASID_BITS_AUTO;
    } else if (!qemu_strtoui(word, NULL, 0, &number) &&
               number <= VTD_PASID_MAX_BITS) {
        *bits = number;
    } else {
        error_setg(errp, "intel-iommu: pasid-bits must be between 0 and %u",
                   VTD_PASID_MAX_BITS);
    }
}

static void pasid_bits_set_none(ObjectProperty *property,
                                const Property *unused)
{
    object_property_set_default_uint(property, 0);
}

const PropertyInfo vtd_pasid_bits_info = {
    .type = "uint8",
    .description = "0 to 20, or auto",
    .get = pasid_bits_get,
    .set = pasid_bits_set,
    .set_default_value = pasid_bits_set_none,
};

static const QEnumLookup host_uapi_names = {
    .array = (const char *const[]) {
        [VTD_HOST_UAPI_AUTO] = "auto",
        [VTD_HOST_UAPI_IOMMUFD] = "iommufd",
        [VTD_HOST_UAPI_VFIO2020] = "vfio-v1",
    },
    .size = VTD_HOST_UAPIS,
};

static void host_uapi_get(Object *obj, Visitor *v, const char *name,
                          void *opaque, Error **errp)
{
    visit_type_enum(v, name, object_field_prop_ptr(obj, opaque),
                    &host_uapi_names, errp);
}

static void host_uapi_set(Object *obj, Visitor *v, const char *name,
                          void *opaque, Error **errp)
{
    visit_type_enum(v, name, object_field_prop_ptr(obj, opaque),
                    &host_uapi_names, errp);
}

static void host_uapi_set_auto(ObjectProperty *property,
                               const Property *unused)
{
    object_property_set_default_str(property, "auto");
}

const PropertyInfo vtd_host_uapi_info = {
    .type = "str",
    .description = "auto/iommufd/vfio-v1",
    .get = host_uapi_get,
    .set = host_uapi_set,
    .set_default_value = host_uapi_set_auto,
};
