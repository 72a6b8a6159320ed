/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "intel_iommu_features.h"
#include "intel_iommu_space.h"
#include "qapi/error.h"
#include "trace/trace-hw_i386_vtd.h"

/* --- Properties ----------------------------------------------------------- */

/* A stage that was not given follows nested=auto; else it is off, as in QEMU's
 * own device. */
static OnOffAuto stage_setting(const IntelIOMMUState *s,
                               const VtdRenamed *stage)
{
    if (!stage->given) {
        return s->feature[VTD_FEATURE_NESTED] == ON_OFF_AUTO_AUTO ?
                   ON_OFF_AUTO_AUTO : ON_OFF_AUTO_OFF;
    }
    return stage->on ? ON_OFF_AUTO_ON : ON_OFF_AUTO_OFF;
}

/* Everything that shared virtual memory needs, as later versions of QEMU's own
 * device check it. */
static bool can_svm(const IntelIOMMUState *s)
{
    return vtd_features_on(s, VTD_FEATURE_DEVICE_TLB) &&
           vtd_features_on(s, VTD_FEATURE_FIRST_STAGE) &&
           vtd_features_pasid_bits(s) && s->dma_translation;
}

static bool svm_on(const IntelIOMMUState *s)
{
    return s->svm == ON_OFF_AUTO_AUTO ? can_svm(s) : s->svm == ON_OFF_AUTO_ON;
}

bool vtd_features_start(IntelIOMMUState *s, Error **errp)
{
    OnOffAuto *feature = s->feature;

    feature[VTD_FEATURE_SCALABLE_MODE] = stage_setting(s, &s->scalable_mode);
    feature[VTD_FEATURE_FIRST_STAGE] = stage_setting(s, &s->first_stage);
    s->pasid_limit = VTD_PASID_MAX_BITS;
    if (feature[VTD_FEATURE_PASID] == ON_OFF_AUTO_ON &&
        !vtd_features_pasid_bits(s)) {
        error_setg(errp, "intel-iommu: pasid=on needs PASIDs of the unit: add "
                         "x-scalable-mode=on,pasid-bits=auto");
        return false;
    }
    if (s->svm == ON_OFF_AUTO_ON && !can_svm(s)) {
        error_setg(errp, "intel-iommu: svm=on needs device-iotlb=on,"
                         "x-flts=on,pasid-bits=N (N at most 20) and "
                         "dma-translation=on");
        return false;
    }
    return true;
}

uint8_t vtd_features_pasid_bits(const IntelIOMMUState *s)
{
    if (s->pasid_bits == VTD_PASID_BITS_AUTO) {
        return vtd_features_on(s, VTD_FEATURE_SCALABLE_MODE) ?
                   s->pasid_limit : 0;
    }
    if (!s->pasid_bits && s->pasid_mode) {
        return VTD_PASID_MAX_BITS;
    }
    return s->pasid_bits;
}

/* --- What is on ----------------------------------------------------------- */

static bool by_default(const IntelIOMMUState *s, VtdDefault condition)
{
    bool nested = s->feature[VTD_FEATURE_NESTED] != ON_OFF_AUTO_OFF;

    switch (condition) {
    case VTD_DEFAULT_ON:
        return true;
    case VTD_DEFAULT_OFF:
        return false;
    case VTD_DEFAULT_SVM:
        return svm_on(s);
    case VTD_DEFAULT_NESTED:
        return nested;
    case VTD_DEFAULT_EITHER:
        return nested || svm_on(s);
    }
    g_assert_not_reached();
}

/* The first of the features that @feature depends on and that is off. */
static const VtdFeatureRow *unmet(const IntelIOMMUState *s,
                                  VtdFeature feature)
{
    for (unsigned i = 0; i < VTD_FEATURES; i++) {
        if ((vtd_features[feature].depends & (1u << i)) &&
            !vtd_features_on(s, i)) {
            return &vtd_features[i];
        }
    }
    return NULL;
}

bool vtd_features_on(const IntelIOMMUState *s, VtdFeature feature)
{
    switch (feature) {
    case VTD_FEATURE_WIDTH:
        return true;
    case VTD_FEATURE_SECOND_STAGE:
        return vtd_features_on(s, VTD_FEATURE_SCALABLE_MODE) &&
               (!vtd_features_on(s, VTD_FEATURE_FIRST_STAGE) ||
                (vtd_features_on(s, VTD_FEATURE_NESTED) &&
                 !vtd_features_on(s, VTD_FEATURE_VCS)));
    case VTD_FEATURE_FS5LP:
        return s->aw_bits > 48 && !unmet(s, feature);
    case VTD_FEATURE_FIRST_STAGE:
        if (s->feature[feature] == ON_OFF_AUTO_AUTO && s->aw_bits < 48) {
            return false;
        }
        break;
    case VTD_FEATURE_DEVICE_TLB:
        return X86_IOMMU_DEVICE(s)->dt_supported;
    case VTD_FEATURE_PASID:
        return vtd_features_pasid_bits(s);
    case VTD_FEATURE_VCS: /* a device needs PASIDs of the host's, or one may */
        return vtd_features_on(s, VTD_FEATURE_NESTED) &&
               (s->virtual_commands || s->host_uapi == VTD_HOST_UAPI_VFIO2020);
    case VTD_FEATURE_CM:
        return s->report_caching_mode;
    default:
        break;
    }
    if (s->feature[feature] != ON_OFF_AUTO_AUTO) {
        return s->feature[feature] == ON_OFF_AUTO_ON;
    }
    return !s->feature_taken[feature] &&
           by_default(s, vtd_features[feature].by_default) &&
           !unmet(s, feature);
}

void vtd_features_options(const IntelIOMMUState *s, VtdOptions *options)
{
    for (unsigned i = 0; i < VTD_FEATURES; i++) {
        if (vtd_features[i].option) {
            *(bool *)((char *)options + vtd_features[i].option) =
                vtd_features_on(s, i);
        }
    }
}

char *vtd_features_reason(const IntelIOMMUState *s, VtdFeature feature)
{
    static const char *const conditions[] = {
        [VTD_DEFAULT_ON] = "",
        [VTD_DEFAULT_OFF] = "",
        [VTD_DEFAULT_SVM] = ": with svm=on",
        [VTD_DEFAULT_NESTED] = ": with nested=on",
        [VTD_DEFAULT_EITHER] = ": with nested=on or svm=on",
    };
    const VtdFeatureRow *row = &vtd_features[feature];
    bool on = vtd_features_on(s, feature);

    if (s->feature_taken[feature]) {
        return g_strdup(s->feature_taken[feature]);
    }
    if (row->shown_by) {
        return g_strdup_printf("%s %s", on ? "with" : "only with",
                               row->shown_by);
    }
    if (s->feature[feature] != ON_OFF_AUTO_AUTO) {
        return g_strdup("set by property");
    }
    if (!on && by_default(s, row->by_default) && unmet(s, feature)) {
        return g_strdup_printf("needs %s", unmet(s, feature)->name);
    }
    return g_strdup_printf("by default%s", conditions[row->by_default]);
}

char *vtd_features_differing(const IntelIOMMUState *s, uint64_t cap,
                             uint64_t ecap)
{
    const VtdCaps *ours = &s->unit->caps;
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < VTD_FEATURES; i++) {
        const VtdFeatureRow *row = &vtd_features[i];
        bool there = (row->cap & cap) || (row->ecap & ecap);
        bool here = (row->cap & ours->cap) || (row->ecap & ours->ecap);
        g_autofree char *reason = vtd_features_reason(s, i);

        if (!((cap ^ ours->cap) & row->cap) &&
            !((ecap ^ ours->ecap) & row->ecap)) {
            continue;
        }
        g_string_append_printf(text, "%s%s %s (%s)", text->len ? "; " : "",
                               row->name,
                               there && here ? "is another one there" :
                               there ? "is on there and off here" :
                                       "is off there and on here",
                               reason);
    }
    return g_string_free(text, false);
}

void vtd_features_freeze(IntelIOMMUState *s)
{
    s->scalable_mode.on = vtd_features_on(s, VTD_FEATURE_SCALABLE_MODE);
    s->first_stage.on = vtd_features_on(s, VTD_FEATURE_FIRST_STAGE);
    for (unsigned i = 0; i < VTD_FEATURES; i++) {
        trace_vtd_feature_frozen(vtd_features[i].key, vtd_features_on(s, i));
    }
}
