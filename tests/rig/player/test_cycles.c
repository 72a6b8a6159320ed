/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest maps and unmaps many pages: VFIO's mappings of the guest's memory
 * are not touched by that, only invalidations go down.
 */
#include "machine.h"

#define IOVA 0x4000000000ull
#define CYCLES 10000
#define DMA_EVERY 1000

static uint64_t vfio_calls(void)
{
    return vm_traced("iommufd_backend_map_dma") +
           vm_traced("iommufd_backend_unmap_dma");
}

TEST(ten_thousand_mappings_cause_no_vfio_map_or_unmap)
{
    Machine *m = first_stage_machine();
    uint64_t before = vfio_calls();
    uint64_t structs = counter(m, "x-host-invalidation-structs");
    uint64_t ioctls = counter(m, "x-host-invalidation-ioctls");
    uint64_t page = tables_alloc(&m->tables, 1);
    uint64_t during;

    for (unsigned i = 0; i < CYCLES; i++) {
        uint64_t iova = IOVA + i % 512 * PAGE;

        map(m, iova, page, 12);
        if (i % DMA_EVERY == 0) {
            *vm_qword(&m->vm, page) = i;
            CHECK_EQ(endpoint_read(&m->endpoint, iova), i);
        }
        unmap(m, iova);
        unit_pasid_iotlb_pages(&m->unit, DID, PASID, iova, 0, true);
        unit_wait(&m->unit);
    }
    during = vfio_calls() - before;
    structs = counter(m, "x-host-invalidation-structs") - structs;
    ioctls = counter(m, "x-host-invalidation-ioctls") - ioctls;
    tap_note("VFIO map and unmap calls: %" PRIu64 " at the start, %" PRIu64
             " during %u cycles", before, during, CYCLES);
    tap_note("invalidations: %" PRIu64 " structs in %" PRIu64 " ioctls",
             structs, ioctls);
    CHECK(before > 0);
    CHECK_EQ(during, 0);
    CHECK_EQ(structs, CYCLES);
    CHECK_EQ(endpoint_try_read(&m->endpoint, IOVA).status,
             SVA_EP_STATUS_ERROR);
}
