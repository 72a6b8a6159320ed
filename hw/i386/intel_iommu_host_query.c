/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What x-host-devices tells of passed-through devices. */
#include "qemu/osdep.h"

#include "intel_iommu_host.h"
#include "intel_iommu_report.h"
#include "qobject/qdict.h"

static bool has_first_stage(const VtdBinding *b)
{
    return b->state == VTD_BINDING_FIRST_STAGE ||
           b->state == VTD_BINDING_NESTED;
}

static bool has_second_stage(const VtdBinding *b)
{
    return b->state == VTD_BINDING_SECOND_STAGE ||
           b->state == VTD_BINDING_NESTED;
}

static QDict *describe_binding(const VtdBinding *b)
{
    QDict *d = qdict_new();

    if (b->pasid != VTD_NO_PASID) {
        qdict_put_int(d, "pasid", b->pasid);
    }
    qdict_put_str(d, "state", vtd_binding_state_name(b->state));
    if (has_first_stage(b) || has_second_stage(b)) {
        qdict_put_int(d, "domain", b->config.did);
    }
    if (has_first_stage(b)) {
        qdict_put_int(d, "table", b->config.fs_table);
        qdict_put_int(d, "levels", b->config.fs_levels);
    }
    if (has_second_stage(b)) {
        qdict_put_int(d, "second-stage-table", b->config.ss_table);
        qdict_put_int(d, "second-stage-levels", b->config.ss_levels);
    }
    b->dev->ops->describe(b, d);
    return d;
}

static QDict *describe_device(VtdHostDevice *dev)
{
    QDict *d = qdict_new();
    QList *pasids = qlist_new();
    GHashTableIter iter;
    gpointer b;

    g_hash_table_iter_init(&iter, dev->pasids);
    while (g_hash_table_iter_next(&iter, NULL, &b)) {
        qlist_append(pasids, describe_binding(b));
    }
    qdict_put_str(d, "device", vtd_host_vfio(dev)->name);
    qdict_put_str(d, "backend", dev->common.ops->name);
    qdict_put(d, "offer",
              vtd_report_offer(dev->common.space->iommu_state, &dev->offer));
    qdict_put_int(d, "pasid-bits", dev->common.pasid_bits);
    qdict_put_bool(d, "page-requests", dev->common.faults);
    dev->common.ops->describe_device(&dev->common, d);
    qdict_put(d, "without-pasid", describe_binding(dev->rid));
    qdict_put(d, "pasids", pasids);
    return d;
}

QList *vtd_host_query(IntelIOMMUState *s)
{
    QList *all = qlist_new();

    for (unsigned i = 0; i < s->host->devices->len; i++) {
        qlist_append(all,
                     describe_device(g_ptr_array_index(s->host->devices, i)));
    }
    return all;
}
