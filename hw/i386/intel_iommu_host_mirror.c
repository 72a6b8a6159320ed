/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's configuration of a passed-through device, mirrored to the host:
 * its bindings follow root, context and PASID tables, and the PASIDs that the
 * host hands out come and go.
 */
#include "qemu/osdep.h"

#include "intel_iommu_host.h"
#include "qemu/error-report.h"

/*
 * PASIDs of one device that are bound at a time.  Each has a page table of the
 * host's kernel, and a guest can fill its PASID table as it likes.
 */
#define MAX_PASIDS 4096

/*
 * Bring a binding in line with the guest's present configuration of @source.
 * What cannot be mirrored is blocked; the guest learns of it as of any PASID
 * entry that the hardware cannot work with.  Faults of the guest's own tables
 * are found by hardware at the first DMA; the host does not report those.
 */
static void mirror_config(VtdUnit *unit, VtdSource *source, VtdBinding *b,
                          const VtdConfig *config)
{
    bool accepted = config->kind == VTD_PASS_THROUGH ?
                        vtd_binding_identity(b) :
                        vtd_binding_translate(b, config);

    if (!accepted && !config->fault_disable) {
        vtd_report_fault(unit, source, VTD_FAULT_SM_PASID_INVALID, 0);
    }
}

static void mirror_rid(VtdHostDevice *dev)
{
    VtdUnit *unit = dev->common.space->iommu_state->unit;
    VtdSource *source = vtd_space_source(dev->common.space);
    VtdConfig config;

    if (!vtd_translation_enabled(unit)) {
        vtd_binding_identity(dev->rid);
    } else if (vtd_configuration(unit, source, &config)) {
        vtd_binding_block(dev->rid);
    } else {
        mirror_config(unit, source, dev->rid, &config);
    }
}

/*
 * The same for one PASID, whose binding comes with its entry and goes with it.
 * That of requests without PASID is not for requests with one here: the host
 * does not know it by that number.
 */
static void mirror_pasid(VtdHostDevice *dev, uint32_t pasid)
{
    VtdUnit *unit = dev->common.space->iommu_state->unit;
    gpointer key = GUINT_TO_POINTER(pasid);
    VtdBinding *b = g_hash_table_lookup(dev->pasids, key);
    VtdConfig rid_config = { .pasid = 0 };
    VtdConfig config;
    VtdSource source;
    bool gone;

    vtd_configuration(unit, vtd_space_source(dev->common.space), &rid_config);
    vtd_source_init(&source,
                    (VtdRequester){
                        .sid = vtd_space_source(dev->common.space)->req.sid,
                        .has_pasid = true,
                        .pasid = pasid,
                    });
    gone = !vtd_translation_enabled(unit) || pasid == rid_config.pasid ||
           vtd_configuration(unit, &source, &config);
    if (gone && b) {
        vtd_binding_block(b);
        g_hash_table_remove(dev->pasids, key);
    } else if (!gone) {
        if (!b && g_hash_table_size(dev->pasids) == MAX_PASIDS) {
            warn_report_once("intel-iommu: %s: the guest uses more than %u "
                             "PASIDs; further ones are blocked",
                             vtd_host_vfio(dev)->name, MAX_PASIDS);
            if (!config.fault_disable) {
                vtd_report_fault(unit, &source, VTD_FAULT_SM_PASID_INVALID, 0);
            }
            return;
        }
        if (!b) {
            b = vtd_binding_new(&dev->common, pasid);
            g_hash_table_insert(dev->pasids, key, b);
        }
        mirror_config(unit, &source, b, &config);
    }
}

/* All PASIDs that are bound, and all that have an entry now. */
static void mirror_pasids(VtdHostDevice *dev)
{
    VtdUnit *unit = dev->common.space->iommu_state->unit;
    g_autofree gpointer *bound = NULL;
    uint16_t sid = vtd_space_source(dev->common.space)->req.sid;
    guint count;

    bound = g_hash_table_get_keys_as_array(dev->pasids, &count);
    for (guint i = 0; i < count; i++) {
        mirror_pasid(dev, GPOINTER_TO_UINT(bound[i]));
    }
    for (uint32_t pasid = 0; g_hash_table_size(dev->pasids) < MAX_PASIDS &&
                             vtd_next_pasid(unit, sid, &pasid) &&
                             pasid < 1u << dev->common.pasid_bits; pasid++) {
        if (!g_hash_table_contains(dev->pasids, GUINT_TO_POINTER(pasid))) {
            mirror_pasid(dev, pasid);
        }
    }
}

void vtd_host_mirror(VtdHostDevice *dev, const VtdNotice *notice)
{
    mirror_rid(dev);
    if (!dev->common.pasid_bits) {
        return;
    }
    if (notice->kind != VTD_NOTICE_PASID_CACHE ||
        notice->scope != VTD_SCOPE_PASID) {
        mirror_pasids(dev);
    } else if (notice->pasid < 1u << dev->common.pasid_bits) {
        mirror_pasid(dev, notice->pasid);
    }
}

bool vtd_host_pasid_alloc(IntelIOMMUState *s, uint32_t *pasid)
{
    return vtd_pasids_alloc(s->host->pasids,
                            vtd_caps_pasid_limit(&s->unit->caps), pasid);
}

/* A guest may free a PASID that still has an entry: the entry counts no more,
 * for devices that need the host's PASIDs. */
bool vtd_host_pasid_free(IntelIOMMUState *s, uint32_t pasid)
{
    gpointer key = GUINT_TO_POINTER(pasid);

    if (!vtd_pasids_has(s->host->pasids, pasid)) {
        return false;
    }
    for (unsigned i = 0; i < s->host->devices->len; i++) {
        VtdHostDevice *dev = g_ptr_array_index(s->host->devices, i);
        VtdBinding *b = g_hash_table_lookup(dev->pasids, key);

        if (!b || !dev->common.pasids) {
            continue;
        }
        vtd_binding_block(b);
        if (b->state != VTD_BINDING_BLOCKED) {
            return false;
        }
        g_hash_table_remove(dev->pasids, key);
    }
    return vtd_pasids_free(s->host->pasids, pasid);
}
