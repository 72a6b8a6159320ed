/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"
#include "vtd-guest.h"
#include "qemu/bswap.h"

/* --- The unit ------------------------------------------------------------- */

uint32_t guest_reg32(Guest *g, unsigned offset)
{
    return qtest_readl(g->qts, REGS + offset);
}

uint64_t guest_reg64(Guest *g, unsigned offset)
{
    return qtest_readq(g->qts, REGS + offset);
}

void guest_command(Guest *g, uint32_t bit)
{
    uint32_t on = guest_reg32(g, VTD_REG_GSTS) &
                  (VTD_GCMD_TE | VTD_GCMD_QIE | VTD_GCMD_IRE);

    qtest_writel(g->qts, REGS + VTD_REG_GCMD, on | bit);
    g_assert_cmphex(guest_reg32(g, VTD_REG_GSTS) & bit, ==, bit);
}

void guest_queue_on(Guest *g)
{
    qtest_writeq(g->qts, REGS + VTD_REG_IQA,
                 QUEUE | (g->scalable ? VTD_IQA_DW : 0));
    qtest_writeq(g->qts, REGS + VTD_REG_IQT, 0);
    guest_command(g, VTD_GCMD_QIE);
}

void guest_put(Guest *g, uint64_t qw0, uint64_t qw1)
{
    unsigned size = g->scalable ? 32 : 16;
    uint64_t qw[4] = { cpu_to_le64(qw0), cpu_to_le64(qw1) };

    qtest_memwrite(g->qts, QUEUE + g->tail, qw, size);
    g->tail = (g->tail + size) % 4096;
}

void guest_submit(Guest *g, uint64_t qw0, uint64_t qw1)
{
    guest_put(g, qw0, qw1);
    qtest_writeq(g->qts, REGS + VTD_REG_IQT, g->tail);
}

void guest_wait(Guest *g)
{
    uint32_t token = ++g->next_token;
    gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

    qtest_writel(g->qts, STATUS, 0);
    guest_submit(g, (uint64_t)token << 32 | 1 << 5 | 5, STATUS);
    /* The unit may have to wait for an iothread. */
    while (qtest_readl(g->qts, STATUS) != token ||
           guest_reg64(g, VTD_REG_IQH) != g->tail) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
}

void guest_invalidate_page(Guest *g, bool first_stage, uint64_t iova)
{
    guest_submit(g, (uint64_t)DID << 16 | 3 << 4 | (first_stage ? 6 : 2), iova);
    guest_wait(g);
}

void guest_invalidate_pasid_entry(Guest *g)
{
    guest_submit(g, (uint64_t)DID << 16 | 1 << 4 | 7, 0);
    guest_submit(g, (uint64_t)DID << 16 | 2 << 4 | 2, 0);
    guest_wait(g);
}

/* --- Tables --------------------------------------------------------------- */

GuestTables guest_first_stage(uint64_t moved)
{
    return (GuestTables){
        .top = FS_TABLES,
        .free = FS_TABLES + 0x1000,
        .moved = moved,
        .table_bits = VTD_FS_P | VTD_FS_RW | VTD_FS_US,
        .leaf_bits = VTD_FS_P | VTD_FS_RW | VTD_FS_US,
    };
}

GuestTables guest_second_stage(void)
{
    return (GuestTables){
        .top = SS_TABLES,
        .free = SS_TABLES + 0x1000,
        .table_bits = VTD_SS_R | VTD_SS_W,
        .leaf_bits = VTD_SS_R | VTD_SS_W,
    };
}

uint64_t guest_entry(Guest *g, GuestTables *p, uint64_t iova, unsigned level)
{
    uint64_t table = p->top + p->moved;

    for (unsigned at = 4;; at--) {
        uint64_t slot = table + (iova >> (12 + 9 * (at - 1)) & 0x1ff) * 8;
        uint64_t entry = qtest_readq(g->qts, slot);

        if (at == level) {
            return slot;
        }
        if (!(entry & p->table_bits)) {
            entry = p->free | p->table_bits;
            p->free += 0x1000;
            qtest_writeq(g->qts, slot, entry);
        }
        table = (entry & VTD_PTE_ADDR) + p->moved;
    }
}

void guest_map(Guest *g, GuestTables *p, uint64_t iova, uint64_t pa)
{
    qtest_writeq(g->qts, guest_entry(g, p, iova, 1), pa | p->leaf_bits);
}

void guest_map_moved(Guest *g, GuestTables *p, uint64_t gpa)
{
    uint64_t from = gpa & ~(2 * MiB - 1);

    qtest_writeq(g->qts, guest_entry(g, p, from, 2),
                 (from + MOVED) | VTD_SS_PS | p->leaf_bits);
}

void guest_legacy_context(Guest *g, uint16_t sid, unsigned tt)
{
    uint64_t at = CONTEXT + (sid & 0xff) * 16;

    qtest_writeq(g->qts, ROOT + (sid >> 8) * 16, CONTEXT | VTD_ROOT_P);
    qtest_writeq(g->qts, at, SS_TABLES | tt << 2 | VTD_CTX_P);
    qtest_writeq(g->qts, at + 8, DID << 8 | 2);
}

void guest_pasid_entry(Guest *g, unsigned pgtt)
{
    qtest_writeq(g->qts, PASID_TABLE + 8, DID);
    qtest_writeq(g->qts, PASID_TABLE + 16, FS_TABLES);
    qtest_writeq(g->qts, PASID_TABLE,
                 SS_TABLES | pgtt << 6 | 2 << 2 | VTD_PASID_P);
}

void guest_scalable_context(Guest *g, unsigned pgtt)
{
    uint64_t at = CONTEXT + SID * 32;

    qtest_writeq(g->qts, ROOT, CONTEXT | VTD_ROOT_P);
    qtest_writeq(g->qts, at, PASID_DIR | VTD_SMCTX_P);
    qtest_writeq(g->qts, PASID_DIR, PASID_TABLE | VTD_PDIR_P);
    guest_pasid_entry(g, pgtt);
}

void guest_translation_on(Guest *g)
{
    qtest_writeq(g->qts, REGS + VTD_REG_RTADDR,
                 ROOT | (g->scalable ? 1 << 10 : 0));
    guest_command(g, VTD_GCMD_SRTP);
    guest_command(g, VTD_GCMD_TE);
}

GuestTables guest_legacy_page(Guest *g, uint16_t sid, uint64_t page)
{
    GuestTables p = guest_second_stage();

    guest_map(g, &p, IOVA, page);
    guest_legacy_context(g, sid, 0);
    guest_queue_on(g);
    guest_translation_on(g);
    return p;
}

/* --- The endpoint --------------------------------------------------------- */

Guest guest_start(const char *iommu)
{
    Guest g = {
        .qts = qtest_initf(MACHINE "%s-device sva-endpoint,addr=4", iommu),
        .scalable = strcmp(iommu, LEGACY),
    };

    g.bus = qpci_new_pc(g.qts, NULL);
    g.dev = qpci_device_find(g.bus, SID);
    g_assert_nonnull(g.dev);
    qpci_device_enable(g.dev);
    g.bar = qpci_iomap(g.dev, SVA_EP_BAR_REGS, NULL);
    return g;
}

void guest_finish(Guest *g)
{
    g_free(g->dev);
    qpci_free_pc(g->bus);
    qtest_quit(g->qts);
}

uint32_t guest_dma(Guest *g, unsigned opcode, unsigned flags, uint64_t src,
                   uint64_t dst, uint64_t operand)
{
    gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
    uint64_t slot = SVA_EP_SLOT_CMD;

    qpci_io_writel(g->dev, g->bar, slot, SVA_EP_CMD_WORD0(opcode, flags));
    qpci_io_writeq(g->dev, g->bar, slot + SVA_EP_CMD_SRC, src);
    qpci_io_writeq(g->dev, g->bar, slot + SVA_EP_CMD_DST, dst);
    qpci_io_writel(g->dev, g->bar, slot + SVA_EP_CMD_LENGTH, 8);
    qpci_io_writeq(g->dev, g->bar, slot + SVA_EP_CMD_OPERAND, operand);
    qpci_io_writel(g->dev, g->bar, SVA_EP_SLOT_DOORBELL,
                   SVA_EP_DOORBELL_START);
    while (qpci_io_readl(g->dev, g->bar, SVA_EP_SLOT_STATUS) ==
           SVA_EP_STATUS_BUSY) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
    return qpci_io_readl(g->dev, g->bar, SVA_EP_SLOT_ERROR);
}

uint32_t guest_dma_write(Guest *g, uint64_t iova, uint64_t value)
{
    return guest_dma(g, SVA_EP_OP_FILL, 0, 0, iova, value);
}

uint32_t guest_dma_read(Guest *g, uint64_t iova, uint64_t *value)
{
    uint32_t error = guest_dma(g, SVA_EP_OP_COPY, SVA_EP_FLAG_DST_LOCAL, iova, 0, 0);

    *value = qpci_io_readq(g->dev, g->bar, SVA_EP_LOCAL_BASE);
    return error;
}

void guest_assert_maps(Guest *g, uint64_t iova, uint64_t pa)
{
    uint64_t value = 0x1122334455667788 + ++g->next_token, got;

    qtest_memset(g->qts, pa - 8, 0xee, 24);
    g_assert_cmpint(guest_dma_write(g, iova, value), ==, SVA_EP_ERR_NONE);
    g_assert_cmphex(qtest_readq(g->qts, pa - 8), ==, 0xeeeeeeeeeeeeeeee);
    g_assert_cmphex(qtest_readq(g->qts, pa), ==, value);
    g_assert_cmphex(qtest_readq(g->qts, pa + 8), ==, 0xeeeeeeeeeeeeeeee);
    qtest_writeq(g->qts, pa, ~value);
    g_assert_cmpint(guest_dma_read(g, iova, &got), ==, SVA_EP_ERR_NONE);
    g_assert_cmphex(got, ==, ~value);
}

void guest_assert_fault(Guest *g, uint16_t sid, unsigned reason, bool is_read,
                        uint64_t page)
{
    uint32_t fsts = guest_reg32(g, VTD_REG_FSTS);
    unsigned record = VTD_REG_FRCD +
                      vtd_get(fsts, VTD_FSTS_FRI) * VTD_FAULT_RECORD_BYTES;
    uint64_t upper = guest_reg64(g, record + 8);

    g_assert_cmphex(fsts & ~VTD_FSTS_FRI, ==, VTD_FSTS_PPF);
    g_assert_true(upper & VTD_FRCD_F);
    g_assert_cmphex(vtd_get(upper, VTD_FRCD_SID), ==, sid);
    g_assert_cmphex(vtd_get(upper, VTD_FRCD_FR), ==, reason);
    g_assert_cmpint(!!(upper & VTD_FRCD_T1), ==, is_read);
    g_assert_cmphex(guest_reg64(g, record), ==, page);
    qtest_writel(g->qts, REGS + record + 12, 1u << 31);
    fsts = guest_reg32(g, VTD_REG_FSTS);
    g_assert_cmphex(fsts & ~VTD_FSTS_FRI, ==, 0);
}
