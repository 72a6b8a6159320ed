/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of page requests of a passed-through device, on the reference host:
 * they come up into the guest's queue, and its answers go down.
 */
#include "qemu/osdep.h"
#include "reference-host.h"
#include "qobject/qdict.h"

#include <linux/iommufd.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>

#define WITH_REQUESTS HOST_NESTED ",device-iotlb=on,pasid-bits=20,svm=on"
/* A unit with DT and PDS, and a device with PRI in front of it. */
#define HOST "ecap 0001ed9ca40000c7\npage-requests on\n"

#define PASID 5u
#define PASID_DID 9u
#define PASID_TABLES 0x1a0000ull
#define REQUESTS 0x107000ull /* the guest's page-request queue */
#define HOLE (IOVA + 0x5000)

enum { SUCCESS = 0, INVALID = 1, FAILURE = 15 };

static GuestTables pasid_tables(void)
{
    GuestTables p = guest_first_stage(0);

    p.top = PASID_TABLES;
    p.free = PASID_TABLES + 0x1000;
    return p;
}

/* The device works with PASID; IOVA is mapped there, HOLE is not. */
static GuestTables start_with(Host *h, const char *iommu, bool page_requests)
{
    GuestTables p = pasid_tables();
    uint64_t at = PASID_TABLE + PASID * 64;

    host_start(h, iommu);
    guest_map(&h->g, &p, IOVA, PAGE_A);
    host_context(h, VTD_PGTT_FIRST_STAGE);
    qtest_writeq(h->g.qts, CONTEXT + SID * 32,
                 PASID_DIR | VTD_SMCTX_PASIDE | VTD_SMCTX_DTE |
                     (page_requests ? VTD_SMCTX_PRE : 0) | VTD_SMCTX_P);
    qtest_writeq(h->g.qts, at + 8, PASID_DID);
    qtest_writeq(h->g.qts, at + 16, PASID_TABLES);
    qtest_writeq(h->g.qts, at, VTD_PGTT_FIRST_STAGE << 6 | VTD_PASID_P);
    qtest_writeq(h->g.qts, REGS + VTD_REG_PQA, REQUESTS);
    guest_queue_on(&h->g);
    guest_translation_on(&h->g);
    qpci_io_writel(h->g.dev, h->g.bar, REF_BAR_PASID,
                   REF_DMA_HAS_PASID | PASID);
    guest_assert_maps(&h->g, IOVA, PAGE_A);
    return p;
}

static GuestTables start(Host *h)
{
    *h = host_new(HOST);
    return start_with(h, WITH_REQUESTS, true);
}

/* A write of 8 bytes to @iova begins. */
static void begin_write(Host *h, uint64_t iova)
{
    const uint64_t slot = SVA_EP_SLOT_CMD;

    qpci_io_writel(h->g.dev, h->g.bar, slot,
                   SVA_EP_CMD_WORD0(SVA_EP_OP_FILL, 0));
    qpci_io_writeq(h->g.dev, h->g.bar, slot + SVA_EP_CMD_SRC, 0);
    qpci_io_writeq(h->g.dev, h->g.bar, slot + SVA_EP_CMD_DST, iova);
    qpci_io_writel(h->g.dev, h->g.bar, slot + SVA_EP_CMD_LENGTH, 8);
    qpci_io_writeq(h->g.dev, h->g.bar, slot + SVA_EP_CMD_OPERAND, 0x1234);
    qpci_io_writel(h->g.dev, h->g.bar, SVA_EP_SLOT_DOORBELL,
                   SVA_EP_DOORBELL_START);
}

static uint32_t slot_status(Host *h)
{
    return qpci_io_readl(h->g.dev, h->g.bar, SVA_EP_SLOT_STATUS);
}

/* Returns once the slot is no longer busy. */
static uint32_t end(Host *h)
{
    gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

    while (slot_status(h) == SVA_EP_STATUS_BUSY) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
    return slot_status(h);
}

/* Returns once the guest's queue has a request behind @before. */
static void wait_request(Host *h, uint64_t before)
{
    gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

    while (guest_reg64(&h->g, VTD_REG_PQT) == before) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
}

/* The group of the request at @offset, which is one for a write of HOLE. */
static unsigned take_request(Host *h, uint64_t offset)
{
    uint64_t low = qtest_readq(h->g.qts, REQUESTS + offset);
    uint64_t high = qtest_readq(h->g.qts, REQUESTS + offset + 8);

    g_assert_cmphex(low, ==, 0x101ull | SID << 16 | (uint64_t)PASID << 32);
    g_assert_cmphex(high & ~0xff8ull, ==, HOLE | 1 << 2 | 1 << 1);
    qtest_writeq(h->g.qts, REGS + VTD_REG_PQH, offset + 32);
    qtest_writel(h->g.qts, REGS + VTD_REG_PRS, 1);
    return high >> 3 & 0x1ff;
}

static void respond(Host *h, unsigned group, unsigned code)
{
    guest_submit(&h->g,
                 (uint64_t)PASID << 32 | SID << 16 | code << 12 | 1 << 4 | 9,
                 group << 3);
    guest_wait(&h->g);
}

static uint64_t property(Host *h, const char *name)
{
    g_autoptr(QDict) reply = qtest_qmp(
        h->g.qts,
        "{ 'execute': 'qom-get', 'arguments': { 'path': "
        "'/machine/peripheral-anon/device[0]', 'property': %s } }", name);

    return qdict_get_int(reply, "return");
}

static void test_resolved(void)
{
    Host h;
    GuestTables p = start(&h);

    begin_write(&h, HOLE);
    wait_request(&h, 0);
    g_assert_cmpint(slot_status(&h), ==, SVA_EP_STATUS_BUSY);
    guest_map(&h.g, &p, HOLE, PAGE_B);
    qtest_writeq(h.g.qts, PAGE_B, 0);
    respond(&h, take_request(&h, 0), SUCCESS);
    g_assert_cmpint(end(&h), ==, SVA_EP_STATUS_DONE);
    g_assert_cmphex(qtest_readq(h.g.qts, PAGE_B), ==, 0x1234);
    g_assert_cmpint(property(&h, "x-host-page-requests"), ==, 1);
    g_assert_cmpint(property(&h, "x-host-page-responses"), ==, 1);
    g_assert_cmpint(property(&h, "x-host-page-requests-pending"), ==, 0);
    host_finish(&h);
}

/* PASID belongs to a guest of the guest, whose memory is the guest's second
 * stage: the page that it brings lies where that says. */
static void test_nested(void)
{
    GuestTables fs = pasid_tables(), ss = guest_second_stage();
    Host h;

    start(&h);
    fs.moved = MOVED;
    guest_map(&h.g, &fs, IOVA, PAGE_A);
    guest_map_moved(&h.g, &ss, PASID_TABLES);
    guest_map(&h.g, &ss, PAGE_A, PAGE_B);
    guest_map(&h.g, &ss, PAGE_B, PAGE_C);
    qtest_writeq(h.g.qts, PASID_TABLE + PASID * 64,
                 SS_TABLES | VTD_PGTT_NESTED << 6 | 2 << 2 | VTD_PASID_P);
    guest_submit(&h.g, (uint64_t)PASID << 32 | 1 << 4 | 7 |
                           (uint64_t)PASID_DID << 16, 0);
    guest_wait(&h.g);
    guest_assert_maps(&h.g, IOVA, PAGE_B);

    begin_write(&h, HOLE);
    wait_request(&h, 0);
    guest_map(&h.g, &fs, HOLE, PAGE_B);
    qtest_writeq(h.g.qts, PAGE_B, 0);
    qtest_writeq(h.g.qts, PAGE_C, 0);
    respond(&h, take_request(&h, 0), SUCCESS);
    g_assert_cmpint(end(&h), ==, SVA_EP_STATUS_DONE);
    g_assert_cmphex(qtest_readq(h.g.qts, PAGE_B), ==, 0);
    g_assert_cmphex(qtest_readq(h.g.qts, PAGE_C), ==, 0x1234);
    host_finish(&h);
}

static void check_denied(unsigned code)
{
    Host h;

    start(&h);
    begin_write(&h, HOLE);
    wait_request(&h, 0);
    respond(&h, take_request(&h, 0), code);
    g_assert_cmpint(end(&h), ==, SVA_EP_STATUS_ERROR);
    host_finish(&h);
}

static void test_denied(void)
{
    check_denied(INVALID);
    check_denied(FAILURE);
}

/* A guest that says it has mapped the page, and has not, is asked again. */
static void test_asked_again(void)
{
    Host h;
    GuestTables p = start(&h);

    begin_write(&h, HOLE);
    wait_request(&h, 0);
    respond(&h, take_request(&h, 0), SUCCESS);
    wait_request(&h, 32);
    guest_map(&h.g, &p, HOLE, PAGE_B);
    respond(&h, take_request(&h, 32), SUCCESS);
    g_assert_cmpint(end(&h), ==, SVA_EP_STATUS_DONE);
    host_finish(&h);
}

/* Answers to what nobody has asked, twice, and of the wrong kind. */
static void test_strange_answers(void)
{
    Host h;
    GuestTables p = start(&h);
    unsigned group;

    respond(&h, 7, SUCCESS);
    begin_write(&h, HOLE);
    wait_request(&h, 0);
    group = take_request(&h, 0);
    respond(&h, group ^ 1, SUCCESS);
    guest_submit(&h.g, SID << 16 | 9, group << 3); /* without PASID */
    guest_submit(&h.g, (uint64_t)PASID << 32 | (SID + 8) << 16 | 1 << 4 | 9,
                 group << 3);
    guest_wait(&h.g);
    g_assert_cmpint(slot_status(&h), ==, SVA_EP_STATUS_BUSY);
    guest_map(&h.g, &p, HOLE, PAGE_B);
    respond(&h, group, SUCCESS);
    g_assert_cmpint(end(&h), ==, SVA_EP_STATUS_DONE);
    respond(&h, group, SUCCESS);
    respond(&h, group, INVALID);
    g_assert_cmpint(property(&h, "x-host-page-responses"), ==, 1);
    host_finish(&h);
}

/* Nobody answers, and the table goes away: the host ends the request. */
static void check_torn_down(void (*tear)(Host *h))
{
    Host h;

    start(&h);
    begin_write(&h, HOLE);
    wait_request(&h, 0);
    g_assert_cmpint(property(&h, "x-host-page-requests-pending"), ==, 1);
    tear(&h);
    g_assert_cmpint(property(&h, "x-host-page-requests-pending"), ==, 0);
    host_finish(&h);
}

static void clear_entry(Host *h)
{
    qtest_writeq(h->g.qts, PASID_TABLE + PASID * 64, 0);
    guest_submit(&h->g, (uint64_t)PASID << 32 | 1 << 4 | 7, 0);
    guest_wait(&h->g);
    g_assert_cmpint(end(h), ==, SVA_EP_STATUS_ERROR);
    respond(h, take_request(h, 0), SUCCESS);
}

static void reset_machine(Host *h)
{
    qtest_system_reset(h->g.qts);
}

static void test_torn_down(void)
{
    check_torn_down(clear_entry);
    check_torn_down(reset_machine);
}

/* The guest does not want page requests: refused, and recorded. */
static void test_without_PRE(void)
{
    Host h = host_new(HOST);

    start_with(&h, WITH_REQUESTS, false);
    begin_write(&h, HOLE);
    g_assert_cmpint(end(&h), ==, SVA_EP_STATUS_ERROR);
    g_assert_cmphex(vtd_get(guest_reg64(&h.g, VTD_REG_FRCD + 8), VTD_FRCD_FR),
                    ==, 0x47);
    g_assert_cmphex(guest_reg64(&h.g, VTD_REG_PQT), ==, 0);
    host_finish(&h);
}

/* More requests than the guest's queue holds: it says so, and the device is
 * told to try again until the guest has made room. */
static void test_overflow(void)
{
    Host h;
    GuestTables p = start(&h);

    qtest_writeq(h.g.qts, REGS + VTD_REG_PQH, 32);
    begin_write(&h, HOLE);
    while (!(guest_reg32(&h.g, VTD_REG_PRS) & VTD_PRS_PRO)) {
        /* the host's queue is read by QEMU's main loop */
    }
    guest_map(&h.g, &p, HOLE, PAGE_B);
    g_assert_cmpint(end(&h), ==, SVA_EP_STATUS_DONE);
    g_assert_cmphex(guest_reg64(&h.g, VTD_REG_PQT), ==, 0);
    host_finish(&h);
}

/* --- What there is of it -------------------------------------------------- */

#define ECAM 0xb0000000ull
#define CONFIG(offset) (ECAM + (SID << 12) + (offset))

static unsigned find_capability(Host *h, unsigned id)
{
    QPCIDevice *mch = qpci_device_find(h->g.bus, 0);
    unsigned at = PCI_CFG_SPACE_SIZE;

    qpci_config_writel(mch, 0x60, ECAM | 1); /* PCIEXBAR */
    g_free(mch);
    for (unsigned n = 0; n < 64 && at; n++) {
        uint32_t header = qtest_readl(h->g.qts, CONFIG(at));

        if (PCI_EXT_CAP_ID(header) == id) {
            return at;
        }
        at = PCI_EXT_CAP_NEXT(header);
    }
    return 0;
}

/* The host's own use of ATS and PRI does not show. */
static void test_capabilities(void)
{
    Host h = host_new(HOST);
    unsigned ats, pri;

    host_start(&h, WITH_REQUESTS);
    ats = find_capability(&h, PCI_EXT_CAP_ID_ATS);
    pri = find_capability(&h, PCI_EXT_CAP_ID_PRI);
    g_assert_cmphex(ats, !=, 0);
    g_assert_cmphex(pri, !=, 0);
    g_assert_cmphex(find_capability(&h, PCI_EXT_CAP_ID_PASID), !=, 0);
    g_assert_cmphex(qtest_readw(h.g.qts, CONFIG(pri + PCI_PRI_CTRL)), ==, 0);
    g_assert_cmphex(qtest_readw(h.g.qts, CONFIG(pri + PCI_PRI_STATUS)) &
                    PCI_PRI_STATUS_STOPPED, ==, PCI_PRI_STATUS_STOPPED);
    g_assert_cmpint(qtest_readl(h.g.qts, CONFIG(pri + PCI_PRI_MAX_REQ)), ==,
                    64);
    qtest_writel(h.g.qts, CONFIG(pri + PCI_PRI_ALLOC_REQ), 32);
    qtest_writew(h.g.qts, CONFIG(pri + PCI_PRI_CTRL), PCI_PRI_CTRL_ENABLE);
    qtest_writew(h.g.qts, CONFIG(ats + PCI_ATS_CTRL), PCI_ATS_CTRL_ENABLE);
    g_assert_cmpint(qtest_readl(h.g.qts, CONFIG(pri + PCI_PRI_ALLOC_REQ)), ==,
                    32);
    g_assert_cmphex(qtest_readw(h.g.qts, CONFIG(pri + PCI_PRI_CTRL)), ==,
                    PCI_PRI_CTRL_ENABLE);
    g_assert_cmphex(qtest_readw(h.g.qts, CONFIG(ats + PCI_ATS_CTRL)), ==,
                    PCI_ATS_CTRL_ENABLE);
    host_finish(&h);
}

/* PRI is hidden where something on the way does not take page requests, and
 * the host is not asked for a queue. */
static void test_none(void)
{
    static const struct {
        const char *iommu, *host;
    } without[] = {
        { HOST_NESTED ",pasid-bits=20", HOST },
        { WITH_REQUESTS, "ecap 0001e99ca40000c7\npage-requests on\n" },
        { WITH_REQUESTS, "ecap 0001ed9c840000c7\npage-requests on\n" },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(without); i++) {
        Host h = host_new(without[i].host);

        g_test_message("%s on %s", without[i].iommu, without[i].host);
        host_start(&h, without[i].iommu);
        g_assert_cmphex(find_capability(&h, PCI_EXT_CAP_ID_PRI), ==, 0);
        g_assert_cmpint(host_calls(&h, REF_IOMMUFD, IOMMU_FAULT_QUEUE_ALLOC),
                        ==, 0);
        host_finish(&h);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/host/faults/resolved", test_resolved);
    qtest_add_func("/host/faults/nested", test_nested);
    qtest_add_func("/host/faults/denied", test_denied);
    qtest_add_func("/host/faults/asked-again", test_asked_again);
    qtest_add_func("/host/faults/strange-answers", test_strange_answers);
    qtest_add_func("/host/faults/torn-down", test_torn_down);
    qtest_add_func("/host/faults/without-PRE", test_without_PRE);
    qtest_add_func("/host/faults/overflow", test_overflow);
    qtest_add_func("/host/faults/capabilities", test_capabilities);
    qtest_add_func("/host/faults/none", test_none);
    return g_test_run();
}
