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
#include "vtd/vtd_env.h"

struct VtdRam {
    const VtdMemory *_Atomic view; /* replaced under the BQL, read under RCU */
    struct VtdRamWatcher *watcher;
};

/* Follows the address space of memory for good.  BQL held. */
VtdRam *vtd_ram_new(void);

/*
 * The range around @gpa, to be read; NULL: it is not known here.  The caller is
 * in an RCU read section, or holds the BQL, for as long as it uses it.
 */
static inline const VtdWindow *vtd_ram_around(VtdRam *ram, hwaddr gpa)
{
    const VtdMemory *view =
        atomic_load_explicit(&ram->view, memory_order_acquire);

    for (unsigned i = 0; i < view->count; i++) {
        if (gpa - view->window[i].start < view->window[i].size) {
            return &view->window[i];
        }
    }
    return NULL;
}

#endif
