/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"
#include "reference-host-pasid.h"

void host_pasid_entry(Host *h, uint32_t pasid, unsigned pgtt, unsigned did,
                      uint64_t tables)
{
    uint64_t at = PASID_TABLE + pasid * 64;

    qtest_writeq(h->g.qts, at + 8, did);
    qtest_writeq(h->g.qts, at + 16, tables);
    qtest_writeq(h->g.qts, at, pgtt << 6 | 2 << 2 | VTD_PASID_P);
}

void host_pasid_clear(Host *h, uint32_t pasid)
{
    qtest_writeq(h->g.qts, PASID_TABLE + pasid * 64, 0);
}

void host_pasid_invalidate(Host *h, unsigned granularity, uint32_t pasid)
{
    guest_submit(&h->g,
                 (uint64_t)pasid << 32 | (uint64_t)PASID_DID << 16 |
                     granularity << 4 | 7,
                 0);
    guest_wait(&h->g);
}

GuestTables host_pasid_tables(void)
{
    GuestTables p = guest_first_stage(0);

    p.top = PASID_TABLES;
    p.free = PASID_TABLES + 0x1000;
    return p;
}

void host_use_pasid(Host *h, uint32_t pasid)
{
    qpci_io_writel(h->g.dev, h->g.bar, REF_BAR_PASID,
                   REF_DMA_HAS_PASID | pasid);
}

void host_use_no_pasid(Host *h)
{
    qpci_io_writel(h->g.dev, h->g.bar, REF_BAR_PASID, 0);
}

void host_assert_pasid_refused(Host *h, uint32_t pasid)
{
    uint64_t value;

    host_use_pasid(h, pasid);
    g_assert_cmpint(guest_dma_write(&h->g, IOVA, 1), ==, SVA_EP_ERR_WRITE);
    g_assert_cmpint(guest_dma_read(&h->g, IOVA, &value), ==, SVA_EP_ERR_READ);
}

void host_assert_pasid_maps(Host *h, uint32_t pasid, uint64_t page)
{
    host_use_pasid(h, pasid);
    guest_assert_maps(&h->g, IOVA + 0x238, page + 0x238);
}
