/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "hw/qdev-core.h"
#include "intel_iommu_features.h"
#include "intel_iommu_space.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qobject/qbool.h"
#include "qobject/qdict.h"

typedef enum Default {
    SHOWN,
    WITH_SVM,
    WITH_NESTED, /* unknown to QEMU's own device: for machines that are new */
    WITH_EITHER,
} Default;

/* A feature with a property, or a stage that other properties ask for. */
typedef struct Feature {
    const char *name;
    const char *property; /* NULL: none of the kind of on, off and auto */
    const char *remedy;   /* where there is none */
    Default by_default;
    size_t option;     /* bool in VtdOptions */
    uint64_t cap;      /* what the guest sees of it, in CAP or in ECAP... */
    uint64_t ecap;
    uint64_t host_cap; /* ...and what the host's unit needs for it */
    uint64_t host_ecap;
    bool emulated_only; /* no host does it for a device passed through */
} Feature;

#define OPTION(field) offsetof(VtdOptions, field)
#define WITHOUT_NESTING "nested=off,x-flts=off,caching-mode=on"

/* The first VTD_FEATURES of them are indexed by VtdFeature. */
static const Feature features[] = {
    [VTD_FEATURE_FS1GP] = {
        .name = "1 GiB first-stage pages (CAP.FS1GP)",
        .property = "fs1gp",
        .by_default = SHOWN,
        .option = OPTION(fs1gp),
        .cap = VTD_CAP_FS1GP,
        .host_cap = VTD_CAP_FS1GP,
    },
    [VTD_FEATURE_SRS] = {
        .name = "supervisor requests (ECAP.SRS)",
        .property = "srs",
        .by_default = WITH_NESTED,
        .option = OPTION(supervisor_requests),
        .ecap = VTD_ECAP_SRS,
        .host_ecap = VTD_ECAP_SRS,
    },
    [VTD_FEATURE_EAFS] = {
        .name = "extended accessed bits (ECAP.EAFS)",
        .property = "eafs",
        .by_default = WITH_NESTED,
        .option = OPTION(extended_accessed),
        .ecap = VTD_ECAP_EAFS,
        .host_ecap = VTD_ECAP_EAFS,
    },
    [VTD_FEATURE_SSADS] = {
        .name = "second-stage accessed and dirty bits (ECAP.SSADS)",
        .property = "ssads",
        .by_default = WITH_NESTED,
        .option = OPTION(ss_accessed_dirty),
        .ecap = VTD_ECAP_SSADS,
        .emulated_only = true,
    },
    [VTD_FEATURE_SMPWCS] = {
        .name = "coherent page walks (ECAP.SMPWCS)",
        .property = "smpwcs",
        .by_default = WITH_EITHER, /* Linux wants it for SVA */
        .option = OPTION(coherent_walks),
        .ecap = VTD_ECAP_SMPWCS,
        .host_ecap = VTD_ECAP_SMPWCS,
    },
    [VTD_FEATURE_RPS] = {
        .name = "RID_PASID (ECAP.RPS)",
        .property = "rps",
        .by_default = WITH_NESTED,
        .option = OPTION(rid_pasid),
        .ecap = VTD_ECAP_RPS,
    },
    [VTD_FEATURE_PRS] = {
        .name = "page requests (ECAP.PRS)",
        .property = "prs",
        .by_default = WITH_SVM,
        .option = OPTION(page_requests),
        .ecap = VTD_ECAP_PRS,
    },
    [VTD_FEATURE_NWFS] = {
        .name = "the no-write flag (ECAP.NWFS)",
        .property = "nwfs",
        .by_default = WITH_SVM,
        .option = OPTION(no_write_flag),
        .ecap = VTD_ECAP_NWFS,
    },
    {
        .name = "scalable mode (ECAP.SMTS)",
        .remedy = WITHOUT_NESTING,
        .ecap = VTD_ECAP_SMTS,
        .host_ecap = VTD_ECAP_SMTS,
    },
    {
        .name = "nested translation (ECAP.NEST)",
        .remedy = WITHOUT_NESTING,
        .ecap = VTD_ECAP_NEST,
        .host_ecap = VTD_ECAP_NEST,
    },
    {
        /* The host's own second stage lies below the guest's first one. */
        .name = "second-stage translation (ECAP.SSTS)",
        .remedy = WITHOUT_NESTING,
        .ecap = VTD_ECAP_NEST,
        .host_ecap = VTD_ECAP_SSTS,
    },
    {
        .name = "first-stage translation (ECAP.FSTS)",
        .remedy = WITHOUT_NESTING,
        .ecap = VTD_ECAP_FSTS,
        .host_ecap = VTD_ECAP_FSTS,
    },
    {
        .name = "5-level first-stage translation (CAP.FS5LP)",
        .remedy = "aw-bits=48",
        .cap = VTD_CAP_FS5LP,
        .host_cap = VTD_CAP_FS5LP,
    },
};

static bool is_on(const IntelIOMMUState *s, VtdFeature feature)
{
    if (s->feature[feature] != ON_OFF_AUTO_AUTO) {
        return s->feature[feature] == ON_OFF_AUTO_ON;
    }
    switch (features[feature].by_default) {
    case WITH_SVM:
        return s->svm;
    case WITH_NESTED:
        return s->nested;
    case WITH_EITHER:
        return s->svm || s->nested;
    default:
        return true;
    }
}

void vtd_features_options(const IntelIOMMUState *s, VtdOptions *options)
{
    for (unsigned i = 0; i < VTD_FEATURES; i++) {
        *(bool *)((char *)options + features[i].option) = is_on(s, i);
    }
}

/* Shown to the guest, and not to be had on @host. */
static bool lacks(const IntelIOMMUState *s, const Feature *f,
                  const VtdHostUnit *host)
{
    const VtdCaps *caps = &s->unit->caps;

    if (!(caps->cap & f->cap) && !(caps->ecap & f->ecap)) {
        return false;
    }
    if (f->emulated_only) {
        return true;
    }
    return host->nested && ((f->host_cap & ~host->cap) ||
                            (f->host_ecap & ~host->ecap));
}

static void set_error(const Feature *f, const VtdHostUnit *host, Error **errp)
{
    if (host->nested && !f->emulated_only) {
        error_setg(errp,
                   "%s: the guest's IOMMU has %s, the host's has not (host "
                   "CAP 0x%" PRIx64 ", ECAP 0x%" PRIx64 ")",
                   host->device, f->name, host->cap, host->ecap);
    } else {
        error_setg(errp,
                   "%s: the guest's IOMMU has %s, which devices that are "
                   "passed through do not have",
                   host->device, f->name);
    }
    if (f->property) {
        error_append_hint(errp, "Set %s=off on intel-iommu.\n", f->property);
    } else {
        error_append_hint(errp, "Set %s on intel-iommu.\n", f->remedy);
    }
}

bool vtd_features_meet(IntelIOMMUState *s, const VtdHostUnit *host,
                       Error **errp)
{
    ERRP_GUARD();
    bool settled = phase_check(PHASE_MACHINE_READY);

    for (unsigned i = 0; i < ARRAY_SIZE(features); i++) {
        bool fixed = settled || i >= VTD_FEATURES ||
                     s->feature[i] != ON_OFF_AUTO_AUTO;

        if (fixed && lacks(s, &features[i], host)) {
            set_error(&features[i], host, errp);
            return false;
        }
    }
    for (unsigned i = 0; i < VTD_FEATURES; i++) {
        if (lacks(s, &features[i], host)) {
            s->feature[i] = ON_OFF_AUTO_OFF;
            s->feature_taken_by[i] = g_strdup(host->device);
        }
    }
    vtd_recompose(s);
    return true;
}

void vtd_features_settle(IntelIOMMUState *s)
{
    for (unsigned i = 0; i < VTD_FEATURES; i++) {
        s->feature_by_default[i] = s->feature[i] == ON_OFF_AUTO_AUTO;
        s->feature[i] = is_on(s, i) ? ON_OFF_AUTO_ON : ON_OFF_AUTO_OFF;
    }
}

static char *why(const IntelIOMMUState *s, VtdFeature i)
{
    static const char *const conditions[] = {
        [SHOWN] = "",
        [WITH_SVM] = ": with svm=on",
        [WITH_NESTED] = ": with nested=on",
        [WITH_EITHER] = ": with nested=on or svm=on",
    };

    if (s->feature_taken_by[i]) {
        return g_strdup_printf("the host of %s lacks it",
                               s->feature_taken_by[i]);
    }
    if (s->feature_by_default[i]) {
        return g_strdup_printf("by default%s",
                               conditions[features[i].by_default]);
    }
    return g_strdup("set by property");
}

QDict *vtd_features_query(const IntelIOMMUState *s)
{
    QDict *all = qdict_new();

    for (unsigned i = 0; i < VTD_FEATURES; i++) {
        const Feature *f = &features[i];
        const VtdCaps *caps = &s->unit->caps;
        QDict *one = qdict_new();
        g_autofree char *reason = why(s, i);

        qdict_put_str(one, "name", f->name);
        qdict_put_bool(one, "shown",
                       (caps->cap & f->cap) || (caps->ecap & f->ecap));
        qdict_put_str(one, "reason", reason);
        qdict_put(all, f->property, one);
    }
    return all;
}

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

/* For the help only; "auto", which is 0, stays until it is set. */
static void show_default_on(ObjectProperty *property, const Property *unused)
{
    property->defval = QOBJECT(qbool_from_bool(true));
}

const PropertyInfo vtd_feature_bool = {
    .type = "bool",
    .description = "on/off",
    .get = get_as_bool,
    .set = set_as_bool,
    .set_default_value = show_default_on,
};
