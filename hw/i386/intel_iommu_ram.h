/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the guest's memory lies in ours: what reads of tables and descriptors
 * need to know, found with a few comparisons.
 *
 * Only plain memory of whole pages is known here.  The rest (ROM devices, what
 * another device lends, nothing at all) is for the general functions of QEMU.
 */
#ifndef HW_I386_INTEL_IOMMU_RAM_H
#define HW_I386_INTEL_IOMMU_RAM_H

#include "exec/hwaddr.h"
#include "hw/i386/intel_iommu.h"
#include "qemu/atomic.h"
#include "qemu/rcu.h"

typedef struct VtdRamRange {
    hwaddr start;
    hwaddr size;
    const uint8_t *host;
} VtdRamRange;

/* A view of memory, which never changes; the largest ranges first. */
typedef struct VtdRamView {
    struct rcu_head rcu;
    unsigned count;
    VtdRamRange *range;
    GPtrArray *owners; /* memory regions that are kept alive */
} VtdRamView;

struct VtdRam {
    VtdRamView *view; /* replaced under the BQL, read under RCU */
    struct VtdRamWatcher *watcher;
};

/* Follows the address space of memory for good.  BQL held. */
VtdRam *vtd_ram_new(void);

/*
 * The @size bytes at @gpa, to be read; NULL: not known here.  The caller is in
 * an RCU read section, or holds the BQL, for as long as it uses them.
 */
static inline const void *vtd_ram_at(VtdRam *ram, hwaddr gpa, hwaddr size)
{
    const VtdRamView *view = qatomic_rcu_read(&ram->view);

    for (unsigned i = 0; i < view->count; i++) {
        const VtdRamRange *r = &view->range[i];
        hwaddr offset = gpa - r->start;

        if (offset < r->size && size <= r->size - offset) {
            return r->host + offset;
        }
    }
    return NULL;
}

#endif
