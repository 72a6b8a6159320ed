/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"
#include "reference-host-work.h"
#include "qobject/qdict.h"

void work_queue_off(Guest *g)
{
    uint32_t on = guest_reg32(g, VTD_REG_GSTS) & VTD_GCMD_TE;

    qtest_writel(g->qts, REGS + VTD_REG_GCMD, on);
    qtest_writeq(g->qts, REGS + VTD_REG_IQT, 0);
    g->tail = 0;
}

void work_wait(Work *w)
{
    Guest *g = &w->h->g;
    uint32_t token = ++g->next_token;

    qtest_writel(g->qts, STATUS, 0);
    guest_submit(g, (uint64_t)token << 32 | 1 << 5 | 5, STATUS);
    for (int i = 0; i < 3; i++) {
        uint32_t fsts = guest_reg32(g, VTD_REG_FSTS);

        if (qtest_readl(g->qts, STATUS) == token) {
            g_assert_false(fsts & QUEUE_STOPPED);
            return;
        }
        g_assert_true(fsts & QUEUE_STOPPED);
        g_assert_false(w->strict);
        w->errors++;
        qtest_writel(g->qts, REGS + VTD_REG_FSTS, fsts & QUEUE_STOPPED);
    }
    work_queue_off(g);
    qtest_writel(g->qts, REGS + VTD_REG_FSTS, QUEUE_STOPPED);
    guest_queue_on(g);
}

bool host_is_stopped(Host *h)
{
    QDict *answer = qtest_qmp(h->g.qts, "{'execute': 'query-status'}");
    const char *status =
        qdict_get_str(qdict_get_qdict(answer, "return"), "status");
    /* A machine that is stopped while it is reset is as before its start. */
    bool stopped = !strcmp(status, "internal-error") ||
                   !strcmp(status, "prelaunch");

    g_assert_true(stopped || !strcmp(status, "running"));
    qobject_unref(answer);
    return stopped;
}

void work_expect(Work *w, uint64_t iova, uint64_t page)
{
    static const uint64_t pages[] = { PAGE_A, PAGE_B, PAGE_C };
    Guest *g = &w->h->g;
    uint64_t got, mark = 0xabcd0000 + ++g->next_token;
    uint32_t error;

    if (w->stopped || (w->may_stop && host_is_stopped(w->h))) {
        w->stopped = true;
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
        qtest_writeq(g->qts, pages[i], pages[i]);
    }
    error = guest_dma_read(g, iova, &got);
    if (error == SVA_EP_ERR_NONE) {
        g_assert_cmphex(got, ==, page);
    } else {
        w->refused += page != 0;
        g_assert_true(!page || !w->strict);
    }
    error = guest_dma_write(g, iova, mark);
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
        bool hit = error == SVA_EP_ERR_NONE && pages[i] == page;

        g_assert_cmphex(qtest_readq(g->qts, pages[i]), ==,
                        hit ? mark : pages[i]);
    }
}
