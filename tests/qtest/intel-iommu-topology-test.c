/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of who is translated, and as whom: buses that bypass the unit, devices
 * behind conventional PCI bridges, a hundred devices, devices that come and go.
 *
 * All of it in legacy mode: requesters are the same in the others.
 */
#include "qemu/osdep.h"
#include "vtd-guest.h"
#include "hw/pci/pci_regs.h"

#define NATIVE_HOTPLUG "-global ICH9-LPC." \
                       "acpi-pci-hotplug-with-bridge-support=off "
#define ROOT_PORT "-device pcie-root-port,id=rp,addr=4,chassis=1 "
#define PORT SID
#define BUS(number) ((number) << 8)

/* Without an endpoint at first. */
static Guest start(const char *arguments)
{
    Guest g = { .qts = qtest_initf(MACHINE LEGACY "%s", arguments) };

    g.bus = qpci_new_pc(g.qts, NULL);
    return g;
}

/* From now on @g's DMA is that of the endpoint at @bdf. */
static void use_endpoint(Guest *g, int bdf)
{
    g_free(g->dev);
    g->dev = qpci_device_find(g->bus, bdf);
    g_assert_nonnull(g->dev);
    qpci_device_enable(g->dev);
    g->bar = qpci_iomap(g->dev, SVA_EP_BAR_REGS, NULL);
}

static void number_bus(Guest *g, int bridge, uint8_t secondary,
                       uint8_t subordinate)
{
    QPCIDevice *dev = qpci_device_find(g->bus, bridge);

    g_assert_nonnull(dev);
    qpci_config_writeb(dev, PCI_SECONDARY_BUS, secondary);
    qpci_config_writeb(dev, PCI_SUBORDINATE_BUS, subordinate);
    qpci_config_writew(dev, PCI_MEMORY_BASE, 0xe000);
    qpci_config_writew(dev, PCI_MEMORY_LIMIT, 0xe0f0);
    qpci_device_enable(dev);
    g_free(dev);
}

static void forget_context(Guest *g, uint16_t sid)
{
    qtest_writeq(g->qts, CONTEXT + (sid & 0xff) * 16, 0);
    guest_submit(g, 1 << 4 | 1, 0);
    guest_submit(g, 1 << 4 | 2, 0);
    guest_wait(g);
}

static void assert_blocked(Guest *g, uint16_t sid, unsigned reason)
{
    g_assert_cmpint(guest_dma_write(g, IOVA, 1), ==, SVA_EP_ERR_WRITE);
    guest_assert_fault(g, sid, reason, false, IOVA);
}

/* --- Buses that bypass the unit ------------------------------------------- */

#define EXPANDER "-device pxb-pcie,id=pxb,bus_nr=16,addr=5"
#define ON_TWO_BUSES " -device sva-endpoint,bus=pcie.0,addr=4 " \
                     "-device pcie-root-port,id=rp,bus=pxb,addr=1,chassis=1 " \
                     "-device sva-endpoint,bus=rp,addr=0 "
#define EXPANDER_PORT (BUS(16) | 1 << 3)
#define ON_ROOT_BUS SID
#define ON_EXPANDER BUS(17)

static void check_bypass(const char *arguments, int bypassing, int translated)
{
    Guest g = start(arguments);

    number_bus(&g, EXPANDER_PORT, 17, 17);
    use_endpoint(&g, bypassing);
    guest_legacy_page(&g, translated, PAGE_A);
    guest_assert_maps(&g, PAGE_B, PAGE_B);
    use_endpoint(&g, translated);
    guest_assert_maps(&g, IOVA, PAGE_A);
    g_assert_cmpint(guest_dma_write(&g, PAGE_B, 1), ==, SVA_EP_ERR_WRITE);
    guest_assert_fault(&g, translated, 0x05, false, PAGE_B);
    guest_finish(&g);
}

static void test_root_bus_bypasses(void)
{
    check_bypass("-machine default-bus-bypass-iommu=on " EXPANDER ON_TWO_BUSES,
                 ON_ROOT_BUS, ON_EXPANDER);
}

static void test_expander_bypasses(void)
{
    check_bypass(EXPANDER ",bypass_iommu=on" ON_TWO_BUSES, ON_EXPANDER,
                 ON_ROOT_BUS);
}

/* --- Conventional PCI bridges --------------------------------------------- */

/* Those behind a bridge are one requester: the bridge's, if it is a mere PCI
 * bridge, else the first of the bus behind it. */
static const struct {
    const char *name;
    const char *arguments;
    uint16_t upper, lower; /* bridges, 0: none */
    uint16_t sid;
} bridges[] = {
    { "pcie-pci-bridge", "-device pcie-pci-bridge,id=br,addr=4 ",
      PORT, 0, BUS(1) },
    { "pci-bridge", "-device pci-bridge,id=br,chassis_nr=1,addr=4 ",
      PORT, 0, PORT },
    { "i82801b11-bridge", "-device i82801b11-bridge,id=br,addr=4 ",
      PORT, 0, PORT },
    { "behind-root-port", ROOT_PORT "-device pcie-pci-bridge,id=br,bus=rp ",
      PORT, BUS(1), BUS(2) },
    { "two-bridges",
      "-device pcie-pci-bridge,id=upper,addr=4 "
      "-device pci-bridge,id=br,chassis_nr=1,bus=upper,addr=7 ",
      PORT, BUS(1) | 7 << 3, BUS(1) },
};

static void test_bridge(const void *opaque)
{
    int i = GPOINTER_TO_INT(opaque);
    unsigned last = bridges[i].lower ? 2 : 1;
    g_autofree char *arguments =
        g_strconcat(bridges[i].arguments,
                    "-device sva-endpoint,bus=br,addr=2 "
                    "-device sva-endpoint,bus=br,addr=9 ", NULL);
    Guest g = start(arguments);

    number_bus(&g, bridges[i].upper, 1, last);
    if (bridges[i].lower) {
        number_bus(&g, bridges[i].lower, 2, 2);
    }
    use_endpoint(&g, BUS(last) | 2 << 3);
    guest_assert_maps(&g, PAGE_B, PAGE_B);
    guest_legacy_page(&g, bridges[i].sid, PAGE_A);
    guest_assert_maps(&g, IOVA, PAGE_A);
    use_endpoint(&g, BUS(last) | 9 << 3);
    guest_assert_maps(&g, IOVA, PAGE_A);
    forget_context(&g, bridges[i].sid);
    assert_blocked(&g, bridges[i].sid, 0x02);
    guest_finish(&g);
}

/* --- Many ----------------------------------------------------------------- */

#define MANY 104 /* all functions of 13 slots */
#define FIRST_SID SID
#define MANY_TABLES (8 * MiB)
#define MANY_PAGES (64 * MiB)

static uint64_t page_of(int i)
{
    return MANY_PAGES + i * 4096;
}

/* A domain and tables of its own for each, the same address in all. */
static void map_of_many(Guest *g, int i, uint64_t page)
{
    GuestTables p = guest_second_stage();
    uint64_t context = CONTEXT + (FIRST_SID + i) * 16;

    p.top = MANY_TABLES + i * 0x10000;
    p.free = p.top + 0x1000;
    guest_map(g, &p, IOVA, page);
    guest_legacy_context(g, FIRST_SID + i, 0);
    qtest_writeq(g->qts, context, p.top | VTD_CTX_P);
    qtest_writeq(g->qts, context + 8, (DID + i) << 8 | 2);
}

static void start_write(QPCIDevice *dev, QPCIBar bar, uint64_t value)
{
    qpci_io_writel(dev, bar, SVA_EP_SLOT_CMD,
                   SVA_EP_CMD_WORD0(SVA_EP_OP_FILL, 0));
    qpci_io_writeq(dev, bar, SVA_EP_SLOT_CMD + SVA_EP_CMD_DST, IOVA);
    qpci_io_writel(dev, bar, SVA_EP_SLOT_CMD + SVA_EP_CMD_LENGTH, 8);
    qpci_io_writeq(dev, bar, SVA_EP_SLOT_CMD + SVA_EP_CMD_OPERAND, value);
    qpci_io_writel(dev, bar, SVA_EP_SLOT_DOORBELL, SVA_EP_DOORBELL_START);
}

static void all_write(Guest *g, QPCIDevice **dev, QPCIBar *bar, uint64_t value)
{
    for (int i = 0; i < MANY; i++) {
        start_write(dev[i], bar[i], value + i);
    }
    for (int i = 0; i < MANY; i++) {
        gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

        while (qpci_io_readl(dev[i], bar[i], SVA_EP_SLOT_STATUS) ==
               SVA_EP_STATUS_BUSY) {
            g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        }
        g_assert_cmpint(qpci_io_readl(dev[i], bar[i], SVA_EP_SLOT_STATUS), ==,
                        SVA_EP_STATUS_DONE);
    }
}

static Guest start_many(void)
{
    g_autoptr(GString) arguments = g_string_new(NULL);

    for (int i = 0; i < MANY; i++) {
        g_string_append_printf(arguments,
                               "-device sva-endpoint,addr=%x.%x,"
                               "multifunction=on ",
                               (FIRST_SID + i) >> 3, (FIRST_SID + i) & 7);
    }
    return start(arguments->str);
}

static void test_many(void)
{
    Guest g = start_many();
    QPCIDevice *dev[MANY];
    QPCIBar bar[MANY];
    int moved = MANY / 2;

    for (int i = 0; i < MANY; i++) {
        use_endpoint(&g, FIRST_SID + i);
        dev[i] = g_steal_pointer(&g.dev);
        bar[i] = g.bar;
        map_of_many(&g, i, page_of(i));
    }
    guest_queue_on(&g);
    guest_translation_on(&g);
    all_write(&g, dev, bar, 0x1000);
    for (int i = 0; i < MANY; i++) {
        g_assert_cmphex(qtest_readq(g.qts, page_of(i)), ==, 0x1000 + i);
    }

    map_of_many(&g, moved, page_of(MANY));
    guest_submit(&g, (uint64_t)(DID + moved) << 16 | 2 << 4 | 2, 0);
    guest_wait(&g);
    all_write(&g, dev, bar, 0x2000);
    for (int i = 0; i < MANY; i++) {
        g_assert_cmphex(qtest_readq(g.qts, page_of(i == moved ? MANY : i)),
                        ==, 0x2000 + i);
        g_free(dev[i]);
    }
    g_assert_cmphex(qtest_readq(g.qts, page_of(moved)), ==, 0x1000 + moved);
    guest_finish(&g);
}

/* --- Hot-plug ------------------------------------------------------------- */

static void set_slot(Guest *g, uint16_t control)
{
    QPCIDevice *port = qpci_device_find(g->bus, PORT);
    uint8_t cap = qpci_find_capability(port, PCI_CAP_ID_EXP, 0);

    qpci_config_writew(port, cap + PCI_EXP_SLTCTL, control);
    g_free(port);
}

static void plug_native(Guest *g)
{
    qtest_qmp_device_add(g->qts, "sva-endpoint", "ep",
                         "{'bus': 'rp', 'addr': '0'}");
    set_slot(g, PCI_EXP_SLTCTL_PWR_IND_ON | PCI_EXP_SLTCTL_PWR_ON);
    use_endpoint(g, BUS(1));
}

static void unplug_native(Guest *g)
{
    qtest_qmp_device_del_send(g->qts, "ep");
    set_slot(g, PCI_EXP_SLTCTL_PWR_IND_OFF | PCI_EXP_SLTCTL_PWR_OFF);
    qtest_qmp_eventwait(g->qts, "DEVICE_DELETED");
}

/* ACPI's registers of q35 for PCI hot-plug. */
#define ACPI_DOWN 0xcc4
#define ACPI_EJECT 0xcc8
#define ACPI_SELECT 0xcd0
#define ACPI_BUSES 8

static void plug_acpi(Guest *g)
{
    qtest_qmp_device_add(g->qts, "sva-endpoint", "ep",
                         "{'bus': 'br', 'addr': '2'}");
    use_endpoint(g, BUS(2) | 2 << 3);
}

static void unplug_acpi(Guest *g)
{
    bool found = false;

    qtest_qmp_device_del_send(g->qts, "ep");
    for (int bus = 0; bus < ACPI_BUSES && !found; bus++) {
        uint32_t down;

        qtest_outl(g->qts, ACPI_SELECT, bus);
        down = qtest_inl(g->qts, ACPI_DOWN);
        if (down) {
            g_assert_cmphex(down, ==, 1 << 2);
            qtest_outl(g->qts, ACPI_EJECT, down);
            found = true;
        }
    }
    g_assert_true(found);
    qtest_qmp_eventwait(g->qts, "DEVICE_DELETED");
}

/* What the guest changes while the slot is empty holds for the next device. */
static void check_hotplug(Guest *g, uint16_t sid, void (*plug)(Guest *g),
                          void (*unplug)(Guest *g))
{
    GuestTables p = guest_legacy_page(g, sid, PAGE_A);

    plug(g);
    guest_assert_maps(g, IOVA, PAGE_A);
    unplug(g);
    guest_map(g, &p, IOVA, PAGE_B);
    guest_invalidate_page(g, false, IOVA);
    plug(g);
    guest_assert_maps(g, IOVA, PAGE_B);
    unplug(g);
    forget_context(g, sid);
    plug(g);
    assert_blocked(g, sid, 0x02);
    guest_legacy_context(g, sid, 2); /* pass-through */
    guest_submit(g, 1 << 4 | 1, 0);
    guest_wait(g);
    guest_assert_maps(g, PAGE_C, PAGE_C);
    unplug(g);
    guest_legacy_context(g, sid, 0);
    guest_submit(g, 1 << 4 | 1, 0);
    guest_wait(g);
    plug(g);
    guest_assert_maps(g, IOVA, PAGE_B);
    unplug(g);
    qtest_writel(g->qts, REGS + VTD_REG_GCMD, VTD_GCMD_QIE);
    plug(g);
    guest_assert_maps(g, PAGE_C, PAGE_C);
    guest_finish(g);
}

static void test_hotplug_root_port(void)
{
    Guest g = start(NATIVE_HOTPLUG ROOT_PORT);

    number_bus(&g, PORT, 1, 1);
    check_hotplug(&g, BUS(1), plug_native, unplug_native);
}

static void test_hotplug_bridge_slot(void)
{
    Guest g = start(ROOT_PORT "-device pcie-pci-bridge,id=br,bus=rp ");

    number_bus(&g, PORT, 1, 2);
    number_bus(&g, BUS(1), 2, 2);
    check_hotplug(&g, BUS(2), plug_acpi, unplug_acpi);
}

/* A bridge comes with its device, and takes it along. */
static void plug_bridge(Guest *g)
{
    qtest_qmp_device_add(g->qts, "pcie-pci-bridge", "ep", "{'bus': 'rp'}");
    qtest_qmp_device_add(g->qts, "sva-endpoint", "behind",
                         "{'bus': 'ep', 'addr': '2'}");
    set_slot(g, PCI_EXP_SLTCTL_PWR_IND_ON | PCI_EXP_SLTCTL_PWR_ON);
    number_bus(g, BUS(1), 2, 2);
    use_endpoint(g, BUS(2) | 2 << 3);
}

static void unplug_bridge(Guest *g)
{
    unplug_native(g); /* two events: the device's, then the bridge's */
    qtest_qmp_eventwait(g->qts, "DEVICE_DELETED");
}

static void test_hotplug_bridge(void)
{
    Guest g = start(NATIVE_HOTPLUG ROOT_PORT);

    number_bus(&g, PORT, 1, 2);
    check_hotplug(&g, BUS(2), plug_bridge, unplug_bridge);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/intel-iommu/bypass/root-bus", test_root_bus_bypasses);
    qtest_add_func("/intel-iommu/bypass/expander", test_expander_bypasses);
    for (int i = 0; i < ARRAY_SIZE(bridges); i++) {
        g_autofree char *path =
            g_strconcat("/intel-iommu/bridge/", bridges[i].name, NULL);

        qtest_add_data_func(path, GINT_TO_POINTER(i), test_bridge);
    }
    qtest_add_func("/intel-iommu/many", test_many);
    qtest_add_func("/intel-iommu/hotplug/root-port", test_hotplug_root_port);
    qtest_add_func("/intel-iommu/hotplug/bridge-slot",
                   test_hotplug_bridge_slot);
    qtest_add_func("/intel-iommu/hotplug/bridge", test_hotplug_bridge);
    return g_test_run();
}
