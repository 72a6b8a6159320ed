/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This repository's vIOMMU: a device asks it for each request with PASID, as
 * the sva-endpoint does. */
#include "qemu/osdep.h"

#include "exec/address-spaces.h"
#include "hw/misc/ats_iommu.h"
#include "iommu_bench.h"
#include "qemu/rcu.h"
#include "system/dma.h"

struct BenchPasids {
    AtsIommuClass *iommu;
    AtsDevice *device;
    AtsListener listener;
};

/* This device keeps no translations. */
static bool invalidate(AtsListener *listener, bool has_pasid, bool all_pasids,
                       uint32_t pasid, uint64_t addr, uint64_t size)
{
    return true;
}

static void page_response(AtsListener *listener, bool has_pasid,
                          uint32_t pasid, uint16_t group, unsigned code)
{
}

BenchPasids *bench_pasids_new(PCIDevice *dev)
{
    BenchPasids *p = g_new0(BenchPasids, 1);
    Object *iommu = object_resolve_path_type("", TYPE_ATS_IOMMU, NULL);

    p->iommu = ATS_IOMMU_GET_CLASS(iommu);
    p->listener.invalidate = invalidate;
    p->listener.page_response = page_response;
    p->device = p->iommu->attach(ATS_IOMMU(iommu), dev, &p->listener);
    return p;
}

void bench_pasid_make(BenchPasids *p, uint32_t pasid)
{
}

bool bench_pasid_translate(BenchPasids *p, uint32_t pasid, uint64_t addr,
                           uint64_t *out)
{
    AtsRequest request = {
        .has_pasid = true,
        .pasid = pasid,
        .want = ATS_READ,
    };
    AtsTranslation t;

    if (!p->iommu->translate(p->device, &request, addr, &t)) {
        return false;
    }
    *out = t.addr + (addr - t.iova);
    return true;
}

bool bench_pasid_read(BenchPasids *p, uint32_t pasid, uint64_t addr,
                      void *buf, unsigned size)
{
    uint64_t pa;

    RCU_READ_LOCK_GUARD();
    return bench_pasid_translate(p, pasid, addr, &pa) &&
           dma_memory_read(&address_space_memory, pa, buf, size,
                           MEMTXATTRS_UNSPECIFIED) == MEMTX_OK;
}
