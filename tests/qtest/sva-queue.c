/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"
#include "sva-queue.h"
#include "hw/pci/pci_regs.h"
#include "qemu/bswap.h"

#define ECAM_BASE 0xb0000000u
#define MCH_PCIEXBAR 0x60
#define OF_ENDPOINT(offset) (ECAM_BASE + (SID << 12) + (offset))

/* Asserts that this does not take for ever. */
#define UNTIL(condition) \
    do { \
        gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC; \
        while (!(condition)) { \
            g_assert_cmpint(g_get_monotonic_time(), <, deadline); \
        } \
    } while (0)

SvaGuest sva_start(const char *iommu)
{
    SvaGuest s = { .g = guest_start(iommu) };
    QPCIDevice *mch = qpci_device_find(s.g.bus, 0);

    s.queues = qpci_iomap(s.g.dev, SVA_EP_BAR_QUEUES, NULL);
    qpci_config_writel(mch, MCH_PCIEXBAR, ECAM_BASE | 1);
    g_free(mch);
    return s;
}

uint64_t sva_capability(SvaGuest *s, unsigned id)
{
    unsigned at = PCI_CFG_SPACE_SIZE;

    while (at) {
        uint32_t header = qtest_readl(s->g.qts, OF_ENDPOINT(at));

        if (PCI_EXT_CAP_ID(header) == id) {
            return OF_ENDPOINT(at);
        }
        at = PCI_EXT_CAP_NEXT(header);
    }
    return 0;
}

void sva_enable(SvaGuest *s, bool pasid, bool ats, unsigned requests)
{
    uint64_t pri = sva_capability(s, PCI_EXT_CAP_ID_PRI);

    qtest_writew(s->g.qts,
                 sva_capability(s, PCI_EXT_CAP_ID_PASID) + PCI_PASID_CTRL,
                 pasid ? PCI_PASID_CTRL_ENABLE | PCI_PASID_CTRL_EXEC |
                             PCI_PASID_CTRL_PRIV
                       : 0);
    qtest_writew(s->g.qts,
                 sva_capability(s, PCI_EXT_CAP_ID_ATS) + PCI_ATS_CTRL,
                 ats ? PCI_ATS_CTRL_ENABLE : 0);
    qtest_writel(s->g.qts, pri + PCI_PRI_ALLOC_REQ, requests);
    qtest_writew(s->g.qts, pri + PCI_PRI_CTRL,
                 requests ? PCI_PRI_CTRL_ENABLE : 0);
}

uint64_t sva_count(SvaGuest *s, unsigned reg)
{
    return qpci_io_readq(s->g.dev, s->g.bar, reg);
}

void sva_debug(SvaGuest *s, uint32_t value)
{
    qpci_io_writel(s->g.dev, s->g.bar, SVA_EP_DEBUG, value);
}

uint32_t sva_qreg(SvaGuest *s, unsigned n, unsigned reg)
{
    return qpci_io_readl(s->g.dev, s->g.bar, SVA_EP_QUEUE_REG(n, reg));
}

void sva_set_qreg(SvaGuest *s, unsigned n, unsigned reg, uint32_t value)
{
    qpci_io_writel(s->g.dev, s->g.bar, SVA_EP_QUEUE_REG(n, reg), value);
}

uint32_t sva_user(SvaGuest *s, unsigned n, unsigned reg)
{
    return qpci_io_readl(s->g.dev, s->queues, SVA_EP_UQ_REG(n, reg));
}

void sva_set_user(SvaGuest *s, unsigned n, unsigned reg, uint32_t value)
{
    qpci_io_writel(s->g.dev, s->queues, SVA_EP_UQ_REG(n, reg), value);
}

void sva_queue_on(SvaGuest *s, unsigned n, uint32_t ctl, uint32_t pasid)
{
    sva_set_qreg(s, n, SVA_EP_QPASID, pasid);
    sva_set_qreg(s, n, SVA_EP_QCTL, ctl | SVA_EP_QCTL_ENABLE);
    qpci_io_writeq(s->g.dev, s->queues, SVA_EP_UQ_REG(n, SVA_EP_UQ_BASE),
                   RING(n));
    sva_set_user(s, n, SVA_EP_UQ_SIZE, RING_ENTRIES);
    s->tail[n] = 0;
    g_assert_cmpint(sva_user(s, n, SVA_EP_UQ_STATE), ==,
                    SVA_EP_QSTATE_IDLE);
}

void sva_queue_off(SvaGuest *s, unsigned n)
{
    sva_set_qreg(s, n, SVA_EP_QCTL, 0);
    sva_wait_state(s, n, SVA_EP_QSTATE_DISABLED);
}

void sva_wait_state(SvaGuest *s, unsigned n, uint32_t state)
{
    UNTIL(sva_qreg(s, n, SVA_EP_QSTATE) == state);
    g_assert_cmpint(sva_user(s, n, SVA_EP_UQ_STATE), ==, state);
}

unsigned sva_post(SvaGuest *s, unsigned n, struct sva_ep_cmd cmd)
{
    unsigned at = s->tail[n];
    uint64_t words[SVA_EP_CMD_SIZE / 8] = {
        SVA_EP_CMD_WORD0(cmd.opcode, cmd.flags), cmd.src, cmd.dst, cmd.length,
        cmd.operand, cmd.completion ?: RECORD(n, at),
    };

    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        qtest_writeq(s->g.qts, RING(n) + at * SVA_EP_CMD_SIZE + 8 * i,
                     words[i]);
    }
    qtest_memset(s->g.qts, RECORD(n, at), 0, SVA_EP_COMPLETION_SIZE);
    s->tail[n] = (at + 1) % RING_ENTRIES;
    sva_set_user(s, n, SVA_EP_UQ_TAIL, s->tail[n]);
    return at;
}

struct sva_ep_completion sva_wait(SvaGuest *s, unsigned n, unsigned at)
{
    uint64_t record = RECORD(n, at);
    struct sva_ep_completion c;

    UNTIL(qtest_readl(s->g.qts, record) ||
          sva_qreg(s, n, SVA_EP_QSTATE) == SVA_EP_QSTATE_FAILED);
    g_assert_cmpint(sva_qreg(s, n, SVA_EP_QERROR), ==, SVA_EP_ERR_NONE);
    c.status = qtest_readl(s->g.qts, record);
    c.error = qtest_readl(s->g.qts, record + 4);
    c.fault_addr = qtest_readq(s->g.qts, record + 8);
    c.result = qtest_readq(s->g.qts, record + 16);
    c.reserved = qtest_readq(s->g.qts, record + 24);
    g_assert_cmpint(c.status, ==,
                    c.error ? SVA_EP_STATUS_ERROR : SVA_EP_STATUS_DONE);
    g_assert_cmphex(c.reserved, ==, 0);
    return c;
}

struct sva_ep_completion sva_run(SvaGuest *s, unsigned n,
                                 struct sva_ep_cmd cmd)
{
    return sva_wait(s, n, sva_post(s, n, cmd));
}

uint32_t sva_fill(SvaGuest *s, unsigned n, uint64_t addr, uint64_t value)
{
    return sva_run(s, n, SVA_FILL(addr, value)).error;
}

void sva_assert_maps(SvaGuest *s, unsigned n, uint64_t addr, uint64_t pa)
{
    uint64_t value = 0x5566778811223344 + ++s->g.next_token;

    qtest_writeq(s->g.qts, pa, 0);
    g_assert_cmpint(sva_fill(s, n, addr, value), ==, SVA_EP_ERR_NONE);
    g_assert_cmphex(qtest_readq(s->g.qts, pa), ==, value);
}

/* --- A machine with SVM_UNIT ---------------------------------------------- */

void sva_set_pasid_entry(SvaGuest *s, uint32_t pasid, const GuestTables *p,
                         uint64_t bits)
{
    uint64_t at = PASID_TABLE + pasid * 64;

    qtest_writeq(s->g.qts, at + 8, DID);
    qtest_writeq(s->g.qts, at + 16, p->top | bits);
    qtest_writeq(s->g.qts, at,
                 VTD_PGTT_FIRST_STAGE << 6 | 2 << 2 | VTD_PASID_P);
}

SvaTables sva_tables(SvaGuest *s)
{
    SvaTables t;

    guest_scalable_context(&s->g, VTD_PGTT_FIRST_STAGE);
    qtest_writeq(s->g.qts, CONTEXT + SID * 32,
                 PASID_DIR | VTD_SMCTX_P | VTD_SMCTX_DTE | VTD_SMCTX_PASIDE |
                     VTD_SMCTX_PRE);
    for (unsigned i = 1; i <= 2; i++) {
        t.of[i] = guest_first_stage(0);
        t.of[i].top = i == 1 ? FS_TABLES : SS_TABLES;
        t.of[i].free = t.of[i].top + 0x1000;
        for (unsigned n = 0; n < SVA_EP_QUEUE_COUNT; n++) {
            guest_map(&s->g, &t.of[i], RING(n), RING(n));
        }
        sva_set_pasid_entry(s, i, &t.of[i], VTD_PASID_ERE);
    }
    t.of[0] = t.of[1];
    guest_queue_on(&s->g);
    guest_translation_on(&s->g);
    return t;
}

void sva_invalidate_device(SvaGuest *s, uint32_t pasid, uint64_t addr,
                           uint64_t size)
{
    bool large = size > 0x1000;
    uint64_t coded = addr | (large ? (size / 2 - 1) & ~0xfffull : 0);

    if (pasid == NO_PASID) {
        guest_submit(&s->g, 3 | (uint64_t)SID << 32, coded | large);
    } else {
        bool all = pasid == ALL_PASIDS;

        guest_submit(&s->g,
                     8 | SID << 16 | (uint64_t)(all ? 0 : pasid) << 32,
                     coded | (uint64_t)large << 11 | all);
    }
}

void sva_invalidate_unit(SvaGuest *s)
{
    guest_submit(&s->g, 3 << 4 | 7, 0); /* PASID cache, global */
    guest_submit(&s->g, 1 << 4 | 2, 0); /* IOTLB, global */
    guest_wait(&s->g);
}

void sva_page_requests_on(SvaGuest *s)
{
    qtest_writeq(s->g.qts, REGS + VTD_REG_PQA, PAGE_REQUESTS);
    qtest_writeq(s->g.qts, REGS + VTD_REG_PQH, 0);
    qtest_writeq(s->g.qts, REGS + VTD_REG_PQT, 0);
}

unsigned sva_pages_pending(SvaGuest *s)
{
    uint64_t bytes = guest_reg64(&s->g, VTD_REG_PQT) -
                     guest_reg64(&s->g, VTD_REG_PQH);

    return (bytes & 0xfff) / 32;
}

SvaPage sva_next_page(SvaGuest *s)
{
    uint64_t head = guest_reg64(&s->g, VTD_REG_PQH);
    SvaPage page;

    UNTIL(sva_pages_pending(s));
    page.qw[0] = qtest_readq(s->g.qts, PAGE_REQUESTS + head);
    page.qw[1] = qtest_readq(s->g.qts, PAGE_REQUESTS + head + 8);
    qtest_writeq(s->g.qts, REGS + VTD_REG_PQH, (head + 32) & 0xfff);
    return page;
}

void sva_respond(SvaGuest *s, SvaPage page, unsigned code)
{
    bool has_pasid = page.qw[0] & 0x100;

    guest_submit(&s->g,
                 9 | has_pasid << 4 | code << 12 | SID << 16 |
                     (page.qw[0] & (0xfffffull << 32)),
                 PAGE_GROUP(page) << 3);
}
