/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's own vIOMMU: a PASID has an address space of its own. */
#include "qemu/osdep.h"

#include "hw/i386/intel_iommu.h"
#include "hw/pci/pci_bus.h"
#include "iommu_bench.h"
#include "system/dma.h"

struct BenchPasids {
    IntelIOMMUState *iommu;
    PCIDevice *dev;
    VTDAddressSpace *space[1 << 20];
};

BenchPasids *bench_pasids_new(PCIDevice *dev)
{
    BenchPasids *p = g_new0(BenchPasids, 1);

    p->iommu = INTEL_IOMMU_DEVICE(
        object_resolve_path_type("", TYPE_INTEL_IOMMU_DEVICE, NULL));
    p->dev = dev;
    return p;
}

static VTDAddressSpace *space_of(BenchPasids *p, uint32_t pasid)
{
    VTDAddressSpace **space = &p->space[pasid];

    if (unlikely(!*space)) {
        *space = vtd_find_add_as(p->iommu, pci_get_bus(p->dev),
                                 p->dev->devfn, pasid);
    }
    return *space;
}

void bench_pasid_make(BenchPasids *p, uint32_t pasid)
{
    space_of(p, pasid);
}

bool bench_pasid_read(BenchPasids *p, uint32_t pasid, uint64_t addr,
                      void *buf, unsigned size)
{
    return dma_memory_read(&space_of(p, pasid)->as, addr, buf, size,
                           MEMTXATTRS_UNSPECIFIED) == MEMTX_OK;
}

bool bench_pasid_translate(BenchPasids *p, uint32_t pasid, uint64_t addr,
                           uint64_t *out)
{
    IOMMUMemoryRegion *iommu = &space_of(p, pasid)->iommu;
    IOMMUTLBEntry entry = memory_region_get_iommu_class_nocheck(iommu)
                              ->translate(iommu, addr, IOMMU_RO, 0);

    *out = (entry.translated_addr & ~entry.addr_mask) |
           (addr & entry.addr_mask);
    return entry.perm & IOMMU_RO;
}
