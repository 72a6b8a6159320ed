/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "hw/qdev-core.h"
#include "intel_iommu_offer.h"
#include "intel_iommu_space.h"
#include "qapi/error.h"
#include "trace/trace-hw_i386_vtd.h"

/* What plain mapping gives: all but what is nested or emulated. */
#define SHADOWED \
    (~(VTD_NEED_BIT(NESTED) | VTD_NEED_BIT(EMULATION) | VTD_NEED_BIT(WIDTH)))

static bool is_frozen(void)
{
    return phase_check(PHASE_MACHINE_READY);
}

/* --- What a device comes with --------------------------------------------- */

void vtd_offer_unit(VtdOffer *offer, uint64_t cap, uint64_t ecap)
{
    offer->has |= VTD_NEED_BIT(VTD);
    offer->cap = cap;
    offer->ecap = ecap;
    offer->address_bits = vtd_get(cap, VTD_CAP_MGAW) + 1;
    for (unsigned i = 0; i < VTD_NEEDS; i++) {
        const VtdNeedRow *need = &vtd_needs[i];

        if ((need->cap || need->ecap) && !(need->cap & ~cap) &&
            !(need->ecap & ~ecap)) {
            offer->has |= 1ull << i;
        }
    }
}

void vtd_offer_call(VtdOffer *offer, VtdNeed need, int result)
{
    trace_vtd_host_offer(offer->device, vtd_needs[need].key, result);
    offer->error[need] = -result;
    if (!result) {
        offer->has |= 1ull << need;
    }
}

/* A feature's own needs and those of all that it depends on. */
static uint64_t all_needs(VtdFeature feature)
{
    uint64_t needs = vtd_features[feature].needs;

    for (unsigned i = 0; i < VTD_FEATURES; i++) {
        if (vtd_features[feature].depends & (1u << i)) {
            needs |= all_needs(i);
        }
    }
    return needs;
}

/* Of a device's feature: set to "on" by the user, not only on by default. */
static bool is_strict(const IntelIOMMUState *s, VtdFeature feature)
{
    return s->feature[feature] == ON_OFF_AUTO_ON;
}

/* What the device of @offer has, if it is under nested translation or not. */
static uint64_t has(const IntelIOMMUState *s, const VtdOffer *offer,
                    bool nested)
{
    uint64_t all = nested ? offer->has | VTD_NEED_BIT(NESTED) : SHADOWED;
    unsigned wanted_pasid_bits = 1;

    if (is_strict(s, VTD_FEATURE_PASID) &&
        s->pasid_bits != VTD_PASID_BITS_AUTO) {
        wanted_pasid_bits = vtd_features_pasid_bits(s);
    }
    if (offer->pasid_bits >= wanted_pasid_bits) {
        all |= VTD_NEED_BIT(PASID_WIDTH);
    }
    if (offer->address_bits >= s->aw_bits) {
        all |= VTD_NEED_BIT(WIDTH);
    }
    return all;
}

static bool is_concerned(VtdFeature feature, const VtdOffer *offer)
{
    return !(vtd_features[feature].concerns & ~offer->has);
}

uint64_t vtd_offer_ask(const IntelIOMMUState *s, const VtdOffer *offer)
{
    uint64_t kernel = 0, ask = 0;
    uint64_t there = has(s, offer, true);

    for (unsigned i = 0; i < VTD_NEEDS; i++) {
        kernel |= vtd_needs[i].of == VTD_NEED_OF_KERNEL ? 1ull << i : 0;
    }
    kernel &= ~(VTD_NEED_BIT(BACKEND) | VTD_NEED_BIT(VTD));
    if (all_needs(VTD_FEATURE_NESTED) & ~there & ~kernel) {
        return 0;
    }
    for (unsigned i = 0; i < VTD_FEATURES; i++) {
        if (vtd_features_on(s, i) && !(all_needs(i) & ~there & ~kernel)) {
            ask |= all_needs(i) & kernel;
        }
    }
    return ask;
}

char *vtd_offer_lacks(const IntelIOMMUState *s, const VtdOffer *offer,
                      VtdFeature feature)
{
    uint64_t missing = all_needs(feature) & ~has(s, offer, true);

    if (!vtd_features_on(s, feature)) {
        return g_strdup("the guest's unit lacks it");
    }
    if (s->feature[feature] == ON_OFF_AUTO_OFF) {
        return g_strdup_printf("%s=off", vtd_features[feature].property);
    }
    return missing ? g_strdup_printf("lacks %s",
                                     vtd_needs[ctz64(missing)].name) : NULL;
}

bool vtd_offer_gives(const IntelIOMMUState *s, const VtdOffer *offer,
                     VtdFeature feature)
{
    g_autofree char *missing = vtd_offer_lacks(s, offer, feature);

    return !missing;
}

/* --- Meeting -------------------------------------------------------------- */

/* What is missing, and the feature that it is missing for: the one itself or
 * one that it depends on. */
typedef struct Lack {
    VtdFeature feature;
    VtdNeed need;
} Lack;

static VtdFeature owner(VtdFeature feature, VtdNeed need)
{
    if (vtd_features[feature].needs & (1ull << need)) {
        return feature;
    }
    for (unsigned i = 0; i < VTD_FEATURES; i++) {
        if ((vtd_features[feature].depends & (1u << i)) &&
            (all_needs(i) & (1ull << need))) {
            return owner(i, need);
        }
    }
    g_assert_not_reached();
}

static bool lacks(VtdFeature feature, uint64_t there, Lack *lack)
{
    uint64_t missing = all_needs(feature) & ~there;

    if (missing) {
        lack->need = ctz64(missing);
        lack->feature = owner(feature, lack->need);
    }
    return missing;
}

static void set_kernel_error(const VtdOffer *offer, Lack lack, Error **errp)
{
    const VtdNeedRow *need = &vtd_needs[lack.need];
    bool is_iommufd = offer->backend == VTD_BACKEND_IOMMUFD;
    const char *call = is_iommufd ? need->iommufd : need->vfio2020;

    if (lack.need == VTD_NEED_BACKEND) {
        error_setg(errp,
                   "%s: nested=on needs the iommufd backend, or a VFIO "
                   "container that nests: %s", offer->device,
                   offer->why_no_backend);
        error_append_hint(errp, "Add '-object iommufd,id=ID' and "
                                "'iommufd=ID' to the device.\n");
    } else if (lack.need == VTD_NEED_VTD && !offer->error[lack.need]) {
        error_setg(errp,
                   "%s: nested=on needs an Intel VT-d IOMMU in the host, but "
                   "the host's IOMMU is of type %u",
                   offer->device, offer->hw_type);
    } else {
        error_setg(errp,
                   "%s: the guest's IOMMU has %s, but the host kernel lacks "
                   "%s (%s: %s)",
                   offer->device, vtd_features[lack.feature].name, need->name,
                   call ? call : "not part of host-uapi=vfio-v1",
                   strerror(offer->error[lack.need] ?: ENOSYS));
    }
    if (lack.need != VTD_NEED_BACKEND && is_iommufd) {
        error_append_hint(errp, "Linux %s or later has it, with "
                                "intel_iommu=on,sm_on.\n", need->since);
    }
}

static void set_width_error(const IntelIOMMUState *s, const VtdOffer *offer,
                            Error **errp)
{
    error_setg(errp,
               "%s: aw-bits=%u, but the host's IOMMU has %u address bits "
               "(CAP.MGAW 0x%x)",
               offer->device, s->aw_bits, offer->address_bits,
               offer->address_bits - 1);
    error_append_hint(errp, "Set aw-bits to at most %u.\n",
                      offer->address_bits);
}

/* The texts of what does not fit the others. */
static bool set_special_error(const IntelIOMMUState *s, const VtdOffer *offer,
                              Lack lack, Error **errp)
{
    const char *feature = vtd_features[lack.feature].name;
    const char *taken = s->feature_taken[VTD_FEATURE_NESTED];

    switch (lack.need) {
    case VTD_NEED_WIDTH:
        set_width_error(s, offer, errp);
        return true;
    case VTD_NEED_NESTED:
        error_setg(errp,
                   "%s: the guest's IOMMU has %s; with that, devices are passed "
                   "through by nested translation only%s%s",
                   offer->device, feature, taken ? ", but " : "",
                   taken ? taken : "");
        error_append_hint(errp, "Set nested=on on intel-iommu, or x-flts=off "
                                "with caching-mode=on.\n");
        return true;
    case VTD_NEED_EMULATION:
        error_setg(errp,
                   "%s: the guest's IOMMU has %s, which devices that are "
                   "passed through do not have",
                   offer->device, feature);
        return true;
    case VTD_NEED_PASID_WIDTH:
        error_setg(errp,
                   "%s: the guest's IOMMU has PASIDs of %u bits, the device of "
                   "%u on this host",
                   offer->device, vtd_features_pasid_bits(s),
                   offer->pasid_bits);
        return true;
    default:
        return false;
    }
}

static void set_error(const IntelIOMMUState *s, const VtdOffer *offer,
                      Lack lack, Error **errp)
{
    const VtdFeatureRow *row = &vtd_features[lack.feature];
    const VtdNeedRow *need = &vtd_needs[lack.need];

    if (set_special_error(s, offer, lack, errp)) {
        /* All is said. */
    } else if (need->of == VTD_NEED_OF_KERNEL) {
        set_kernel_error(offer, lack, errp);
    } else if (need->of == VTD_NEED_OF_DEVICE) {
        error_setg(errp, "%s: the guest's IOMMU has %s, but the device lacks "
                   "%s", offer->device, row->name, need->name);
    } else if (need->cap == row->cap && need->ecap == row->ecap) {
        error_setg(errp,
                   "%s: the guest's IOMMU has %s, the host's has not (guest "
                   "CAP 0x%" PRIx64 ", ECAP 0x%" PRIx64 ", host CAP 0x%" PRIx64
                   ", ECAP 0x%" PRIx64 ")",
                   offer->device, row->name, s->unit->caps.cap,
                   s->unit->caps.ecap, offer->cap, offer->ecap);
    } else {
        error_setg(errp,
                   "%s: the guest's IOMMU has %s, but the host's lacks "
                   "%s (guest CAP 0x%" PRIx64 ", ECAP 0x%" PRIx64
                   ", host CAP 0x%" PRIx64 ", ECAP 0x%" PRIx64 ")",
                   offer->device, row->name, need->name, s->unit->caps.cap,
                   s->unit->caps.ecap, offer->cap, offer->ecap);
    }
    if (row->off && lack.need != VTD_NEED_BACKEND &&
        lack.need != VTD_NEED_NESTED) {
        error_append_hint(errp, "Set %s on intel-iommu.\n", row->off);
    }
}

/* Depends on @feature, perhaps by way of others. */
static bool depends_on(VtdFeature one, VtdFeature feature)
{
    for (unsigned i = 0; i < VTD_FEATURES; i++) {
        if ((vtd_features[one].depends & (1u << i)) &&
            (i == feature || depends_on(i, feature))) {
            return true;
        }
    }
    return false;
}

/* Left to itself, like all that would go with it. */
static bool may_take(const IntelIOMMUState *s, VtdFeature feature)
{
    if (is_frozen() || !vtd_features[feature].automatic ||
        s->feature[feature] != ON_OFF_AUTO_AUTO ||
        (feature == VTD_FEATURE_FIRST_STAGE && s->svm == ON_OFF_AUTO_ON)) {
        return false;
    }
    for (unsigned i = 0; i < VTD_FEATURES; i++) {
        if (depends_on(i, feature) && s->feature[i] == ON_OFF_AUTO_ON) {
            return false;
        }
    }
    return true;
}

static char *reason_taken(const VtdOffer *offer, VtdNeed need)
{
    switch (need) {
    case VTD_NEED_EMULATION:
        return g_strdup_printf("not for %s, which is passed through",
                               offer->device);
    case VTD_NEED_NESTED:
        return g_strdup_printf("not for %s, which is passed through without "
                               "nested translation", offer->device);
    default:
        return g_strdup_printf("the host of %s lacks %s", offer->device,
                               vtd_needs[need].name);
    }
}

/* @feature is on: all that it needs is in @there, or it is taken away. */
static bool meet(IntelIOMMUState *s, const VtdOffer *offer, uint64_t there,
                 VtdFeature feature, Error **errp)
{
    Lack lack;

    if (!lacks(feature, there, &lack)) {
        return true;
    }
    if (!may_take(s, feature)) {
        set_error(s, offer, lack, errp);
        return false;
    }
    trace_vtd_feature_taken(offer->device, vtd_features[feature].key,
                            vtd_needs[lack.need].key);
    s->feature_taken[feature] = reason_taken(offer, lack.need);
    return true;
}

static bool meet_all(IntelIOMMUState *s, const VtdOffer *offer, Error **errp)
{
    uint64_t there = has(s, offer, true);

    if (vtd_features_on(s, VTD_FEATURE_NESTED) &&
        !meet(s, offer, there, VTD_FEATURE_NESTED, errp)) {
        return false;
    }
    there = has(s, offer, vtd_features_on(s, VTD_FEATURE_NESTED));
    for (unsigned i = 0; i < VTD_FEATURES; i++) {
        bool unwanted = vtd_features[i].of_device && !is_strict(s, i);

        if (vtd_features_on(s, i) && !unwanted && is_concerned(i, offer) &&
            !meet(s, offer, there, i, errp)) {
            return false;
        }
    }
    return true;
}

bool vtd_offer_meet(IntelIOMMUState *s, const VtdOffer *offer,
                    Error **errp)
{
    ERRP_GUARD();
    char *before[VTD_FEATURES];
    bool good;

    memcpy(before, s->feature_taken, sizeof(before));
    good = meet_all(s, offer, errp);
    for (unsigned i = 0; !good && i < VTD_FEATURES; i++) {
        if (s->feature_taken[i] != before[i]) {
            g_free(s->feature_taken[i]);
            s->feature_taken[i] = before[i];
        }
    }
    if (good && !is_frozen()) {
        if (vtd_offer_gives(s, offer, VTD_FEATURE_PASID)) {
            s->pasid_limit = MIN(s->pasid_limit, offer->pasid_bits);
        }
        vtd_recompose(s);
    }
    return good;
}
