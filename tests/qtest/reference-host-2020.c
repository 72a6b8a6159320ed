/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"
#include "reference-host-2020.h"

uint64_t host_2020_vcmd(Host *h, uint64_t command)
{
    uint64_t response;

    qtest_writeq(h->g.qts, REGS + VTD_REG_VCMD, command);
    response = guest_reg64(&h->g, VTD_REG_VCRSP);
    g_assert_false(response & VTD_VCRSP_IP);
    return response;
}

uint32_t host_2020_alloc_pasid(Host *h)
{
    uint64_t response = host_2020_vcmd(h, VCMD_ALLOC);
    uint32_t pasid = response >> 16;

    g_assert_cmphex(response, ==, (uint64_t)pasid << 16);
    g_assert_cmpint(pasid, >, 0);
    return pasid;
}

void host_2020_guest(Host *h)
{
    unsigned devfn = h->port ? 0 : SID;

    host_context(h, VTD_PGTT_PASS_THROUGH);
    qtest_writeq(h->g.qts, CONTEXT + devfn * 32,
                 PASID_DIR | VTD_SMCTX_PASIDE | VTD_SMCTX_P);
    h->g.tail = 0;
    guest_queue_on(&h->g);
    guest_translation_on(&h->g);
}

void host_2020_start(Host *h, const char *iommu)
{
    host_start_container(h, iommu);
    host_2020_guest(h);
}

uint32_t host_2020_add_pasid(Host *h)
{
    uint32_t pasid = host_2020_alloc_pasid(h);
    GuestTables p = host_pasid_tables();

    qtest_memset(h->g.qts, PASID_TABLES, 0, 0x10000);
    guest_map(&h->g, &p, IOVA, PAGE_B);
    host_pasid_entry(h, pasid, VTD_PGTT_FIRST_STAGE, PASID_DID, PASID_TABLES);
    host_pasid_invalidate(h, PC_PASID, pasid);
    return pasid;
}

uint32_t host_2020_start_with_pasid(Host *h, const char *iommu)
{
    host_2020_start(h, iommu);
    return host_2020_add_pasid(h);
}

uint64_t host_2020_page_of(uint32_t pasid)
{
    return (uint64_t)pasid << 32 | (uint64_t)PASID_DID << 16 | 3 << 4 | 6;
}

void host_2020_assert_refused(Host *h, uint64_t iova)
{
    uint64_t value;

    g_assert_cmpint(guest_dma_write(&h->g, iova, 1), ==, SVA_EP_ERR_WRITE);
    g_assert_cmpint(guest_dma_read(&h->g, iova, &value), ==, SVA_EP_ERR_READ);
}
