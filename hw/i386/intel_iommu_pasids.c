/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "intel_iommu_pasids.h"
#include "intel_iommu_vfio2020.h"
#include "trace/trace-hw_i386_vtd.h"

typedef struct Container {
    int fd;
    unsigned bits;
} Container;

struct VtdPasids {
    GHashTable *set;
    GArray *containers;
    uint64_t count;
};

VtdPasids *vtd_pasids_new(void)
{
    VtdPasids *p = g_new0(VtdPasids, 1);

    p->set = g_hash_table_new(NULL, NULL);
    p->containers = g_array_new(false, false, sizeof(Container));
    return p;
}

const uint64_t *vtd_pasids_count(const VtdPasids *p)
{
    return &p->count;
}

static void update_count(VtdPasids *p)
{
    p->count = g_hash_table_size(p->set);
}

static Container *container_at(const VtdPasids *p, unsigned i)
{
    return &g_array_index(p->containers, Container, i);
}

void vtd_pasids_join(VtdPasids *p, int container, unsigned bits)
{
    Container c = { container, bits };

    g_array_append_val(p->containers, c);
}

void vtd_pasids_leave(VtdPasids *p, int container)
{
    if (p->containers->len == 1) {
        vtd_pasids_free_all(p);
        /* What is left goes with the container. */
        g_hash_table_remove_all(p->set);
        update_count(p);
    }
    for (unsigned i = 0; i < p->containers->len; i++) {
        if (container_at(p, i)->fd == container) {
            g_array_remove_index(p->containers, i);
            return;
        }
    }
}

bool vtd_pasids_alloc(VtdPasids *p, uint32_t limit, uint32_t *pasid)
{
    int result = -ENOSPC;

    for (unsigned i = 0; i < p->containers->len; i++) {
        limit = MIN(limit, 1u << container_at(p, i)->bits);
    }
    if (p->containers->len && p->count < VTD_PASID_QUOTA) {
        result = vtd_vfio2020_alloc_pasid(container_at(p, 0)->fd, 1,
                                          limit - 1);
    }
    trace_vtd_host_pasid_alloc(result);
    if (result < 0 || vtd_pasids_has(p, result)) {
        return false;
    }
    *pasid = result;
    g_hash_table_add(p->set, GUINT_TO_POINTER(*pasid));
    update_count(p);
    return true;
}

bool vtd_pasids_has(const VtdPasids *p, uint32_t pasid)
{
    return g_hash_table_contains(p->set, GUINT_TO_POINTER(pasid));
}

bool vtd_pasids_free(VtdPasids *p, uint32_t pasid)
{
    int error;

    if (!vtd_pasids_has(p, pasid)) {
        return false;
    }
    error = vtd_vfio2020_free_pasid(container_at(p, 0)->fd, pasid);
    trace_vtd_host_pasid_free(pasid, -error);
    if (!error) {
        g_hash_table_remove(p->set, GUINT_TO_POINTER(pasid));
        update_count(p);
    }
    return !error;
}

void vtd_pasids_free_all(VtdPasids *p)
{
    guint count;
    g_autofree gpointer *all = g_hash_table_get_keys_as_array(p->set, &count);

    for (guint i = 0; i < count; i++) {
        vtd_pasids_free(p, GPOINTER_TO_UINT(all[i]));
    }
}
