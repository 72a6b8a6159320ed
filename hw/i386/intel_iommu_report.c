/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "intel_iommu_report.h"
#include "intel_iommu_space.h"
#include "qapi/error.h"
#include "qapi/qapi-types-common.h"
#include "qobject/qnull.h"
#include "qobject/qstring.h"

static QList *keys_of_needs(uint64_t needs)
{
    QList *keys = qlist_new();

    for (unsigned i = 0; i < VTD_NEEDS; i++) {
        if (needs & (1ull << i)) {
            qlist_append_str(keys, vtd_needs[i].key);
        }
    }
    return keys;
}

static QList *keys_of_features(uint32_t features)
{
    QList *keys = qlist_new();

    for (unsigned i = 0; i < VTD_FEATURES; i++) {
        if (features & (1u << i)) {
            qlist_append_str(keys, vtd_features[i].key);
        }
    }
    return keys;
}

static void put_text(QDict *d, const char *key, const char *text)
{
    if (text) {
        qdict_put_str(d, key, text);
    }
}

static QDict *describe_feature(const IntelIOMMUState *s, VtdFeature feature)
{
    static const char *const defaults[] = {
        [VTD_DEFAULT_ON] = "on",
        [VTD_DEFAULT_OFF] = "off",
        [VTD_DEFAULT_SVM] = "svm",
        [VTD_DEFAULT_NESTED] = "nested",
        [VTD_DEFAULT_EITHER] = "nested or svm",
    };
    const VtdFeatureRow *row = &vtd_features[feature];
    g_autofree char *reason = vtd_features_reason(s, feature);
    QDict *d = qdict_new();

    qdict_put_str(d, "name", row->name);
    qdict_put_bool(d, "shown", vtd_features_on(s, feature));
    qdict_put_str(d, "reason", reason);
    put_text(d, "property", row->property);
    put_text(d, "shown-by", row->shown_by);
    put_text(d, "off", row->off);
    if (row->property) {
        qdict_put_str(d, "default", defaults[row->by_default]);
    }
    qdict_put_bool(d, "automatic", row->automatic);
    qdict_put_bool(d, "of-device", row->of_device);
    qdict_put_int(d, "cap", row->cap);
    qdict_put_int(d, "ecap", row->ecap);
    qdict_put(d, "needs", keys_of_needs(row->needs));
    qdict_put(d, "concerns", keys_of_needs(row->concerns));
    qdict_put(d, "depends", keys_of_features(row->depends));
    return d;
}

QDict *vtd_report_features(const IntelIOMMUState *s)
{
    QDict *all = qdict_new();

    for (unsigned i = 0; i < VTD_FEATURES; i++) {
        qdict_put(all, vtd_features[i].key, describe_feature(s, i));
    }
    return all;
}

QDict *vtd_report_needs(void)
{
    static const char *const of[] = {
        [VTD_NEED_OF_KERNEL] = "kernel",
        [VTD_NEED_OF_UNIT] = "unit",
        [VTD_NEED_OF_DEVICE] = "device",
        [VTD_NEED_OF_CONFIGURATION] = "configuration",
    };
    QDict *all = qdict_new();

    for (unsigned i = 0; i < VTD_NEEDS; i++) {
        const VtdNeedRow *need = &vtd_needs[i];
        QDict *d = qdict_new();

        qdict_put_str(d, "name", need->name);
        qdict_put_str(d, "of", of[need->of]);
        qdict_put_int(d, "cap", need->cap);
        qdict_put_int(d, "ecap", need->ecap);
        put_text(d, "iommufd", need->iommufd);
        put_text(d, "since", need->since);
        put_text(d, "vfio-2020", need->vfio2020);
        qdict_put(all, need->key, d);
    }
    return all;
}

/* What a device has of the features that are a device's: null, or why not. */
static QDict *device_features(const IntelIOMMUState *s, const VtdOffer *offer)
{
    QDict *d = qdict_new();

    for (unsigned i = 0; i < VTD_FEATURES; i++) {
        g_autofree char *why = NULL;

        if (!vtd_features[i].of_device) {
            continue;
        }
        why = vtd_offer_lacks(s, offer, i);
        qdict_put_obj(d, vtd_features[i].key,
                      why ? QOBJECT(qstring_from_str(why)) :
                            QOBJECT(qnull()));
    }
    return d;
}

QDict *vtd_report_offer(const IntelIOMMUState *s, const VtdOffer *offer)
{
    QDict *d = qdict_new(), *refused = qdict_new();

    for (unsigned i = 0; i < VTD_NEEDS; i++) {
        if (offer->error[i]) {
            qdict_put_str(refused, vtd_needs[i].key,
                          strerror(offer->error[i]));
        }
    }
    qdict_put_int(d, "cap", offer->cap);
    qdict_put_int(d, "ecap", offer->ecap);
    qdict_put(d, "has", keys_of_needs(offer->has));
    qdict_put(d, "refused", refused);
    qdict_put(d, "features", device_features(s, offer));
    return d;
}

/* --- Text ----------------------------------------------------------------- */

static void G_GNUC_PRINTF(2, 3) line(QList *lines, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    qlist_append_str(lines, text);
}

static void tell_features(const IntelIOMMUState *s, QList *lines)
{
    line(lines, "CAP 0x%" PRIx64 ", ECAP 0x%" PRIx64, s->unit->caps.cap,
         s->unit->caps.ecap);
    for (unsigned i = 0; i < VTD_FEATURES; i++) {
        g_autofree char *reason = vtd_features_reason(s, i);

        line(lines, "%s %s: %s", vtd_features_on(s, i) ? "+" : "-",
             vtd_features[i].name, reason);
    }
}

static void tell_binding(QList *lines, QDict *b)
{
    const char *hwpt = qdict_haskey(b, "hwpt") ? ", HWPT " : "";
    g_autofree char *id = g_strdup_printf("%" PRId64,
                                          qdict_get_try_int(b, "hwpt", 0));

    if (qdict_haskey(b, "pasid")) {
        line(lines, "  PASID %" PRId64 ": %s%s%s", qdict_get_int(b, "pasid"),
             qdict_get_str(b, "state"), hwpt, *hwpt ? id : "");
    } else {
        line(lines, "  without PASID: %s%s%s", qdict_get_str(b, "state"), hwpt,
             *hwpt ? id : "");
    }
}

static void tell_device(QList *lines, QDict *d)
{
    QDict *offer = qdict_get_qdict(d, "offer");
    QDict *features = qdict_get_qdict(offer, "features");
    const QListEntry *entry;

    line(lines, "device %s: %s, host CAP 0x%" PRIx64 ", ECAP 0x%" PRIx64,
         qdict_get_str(d, "device"), qdict_get_str(d, "backend"),
         qdict_get_int(offer, "cap"), qdict_get_int(offer, "ecap"));
    for (const QDictEntry *e = qdict_first(features); e;
         e = qdict_next(features, e)) {
        const char *why = qdict_get_try_str(features, qdict_entry_key(e));

        line(lines, "  %s %s%s%s", why ? "-" : "+", qdict_entry_key(e),
             why ? ": " : "", why ? why : "");
    }
    tell_binding(lines, qdict_get_qdict(d, "without-pasid"));
    QLIST_FOREACH_ENTRY(qdict_get_qlist(d, "pasids"), entry) {
        tell_binding(lines, qobject_to(QDict, qlist_entry_obj(entry)));
    }
}

static void tell_counters(IntelIOMMUState *s, QList *lines)
{
    ObjectPropertyIterator iter;
    ObjectProperty *property;

    object_property_iter_init(&iter, OBJECT(s));
    while ((property = object_property_iter_next(&iter))) {
        if (g_str_has_prefix(property->name, "x-") && !property->set &&
            g_str_has_prefix(property->type, "uint")) {
            line(lines, "%s: %" PRIu64, property->name + 2,
                 object_property_get_uint(OBJECT(s), property->name,
                                          &error_abort));
        }
    }
}

QList *vtd_report_text(IntelIOMMUState *s)
{
    QList *lines = qlist_new();
    g_autoptr(QList) devices = vtd_host_query(s);
    const QListEntry *entry;

    tell_features(s, lines);
    QLIST_FOREACH_ENTRY(devices, entry) {
        tell_device(lines, qobject_to(QDict, qlist_entry_obj(entry)));
    }
    tell_counters(s, lines);
    return lines;
}
