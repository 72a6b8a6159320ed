/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of the sva-endpoint device without an IOMMU: its registers, what each
 * operation does to memory, how commands fail, how they are cancelled, and
 * that they survive migration.
 *
 * To look at a command that is under way, the machine is stopped: the engine
 * does not touch memory until it continues, while MMIO by qtest still works.
 */
#include "qemu/osdep.h"
#include "libqtest.h"
#include "libqos/pci-pc.h"
#include "qmp-status.h"
#include "hw/misc/sva_endpoint_regs.h"
#include "hw/pci/pci_regs.h"
#include "qemu/units.h"

#define RAM_END         (64 * MiB)
#define MACHINE         "-machine q35 -m 64M -nodefaults "
#define ON_ROOT_BUS     "-device sva-endpoint,addr=4"
#define IN_IOTHREAD     ",iothread=t0 -object iothread,id=t0"
#define BEHIND_PORT     "-global ICH9-LPC." \
                        "acpi-pci-hotplug-with-bridge-support=off " \
                        "-device pcie-root-port,id=rp,addr=4,chassis=1 " \
                        "-device sva-endpoint,id=ep,bus=rp,addr=0"

/* Guest memory: three areas that hold the longest command and its margins. */
#define AREA_A          (4 * MiB)
#define AREA_B          (8 * MiB)
#define MSI_TARGET      (12 * MiB)
#define MARGIN          64

#define ECAM_BASE       0xb0000000u
#define MCH_PCIEXBAR    0x60

typedef struct Ep {
    QTestState *qts;
    QPCIBus *bus;
    QPCIDevice *dev;
    QPCIBar bar;
} Ep;

/* --- Driving the device ------------------------------------------------- */

static Ep ep_find(QTestState *qts, unsigned slot)
{
    Ep e = { .qts = qts, .bus = qpci_new_pc(qts, NULL) };

    e.dev = qpci_device_find(e.bus, QPCI_DEVFN(slot, 0));
    g_assert_nonnull(e.dev);
    return e;
}

/* Where the engine runs. */
static const char *engine = "";

static Ep ep_start(void)
{
    Ep e = ep_find(qtest_initf(MACHINE ON_ROOT_BUS "%s", engine), 4);

    qpci_device_enable(e.dev);
    e.bar = qpci_iomap(e.dev, SVA_EP_BAR_REGS, NULL);
    return e;
}

/* The endpoint as the only device of bus 1; also finds the port above it. */
static Ep ep_start_behind_port(Ep *port)
{
    *port = ep_find(qtest_initf(MACHINE BEHIND_PORT "%s", engine), 4);
    qpci_config_writeb(port->dev, PCI_SECONDARY_BUS, 1);
    qpci_config_writeb(port->dev, PCI_SUBORDINATE_BUS, 1);
    qpci_config_writew(port->dev, PCI_MEMORY_BASE, 0xe000);
    qpci_config_writew(port->dev, PCI_MEMORY_LIMIT, 0xe000);
    qpci_device_enable(port->dev);

    Ep e = ep_find(port->qts, 1 * 32);
    qpci_device_enable(e.dev);
    e.bar = qpci_iomap(e.dev, SVA_EP_BAR_REGS, NULL);
    g_assert_cmphex(e.bar.addr, ==, 0xe0000000);
    return e;
}

static void ep_drop(Ep *e)
{
    g_free(e->dev);
    qpci_free_pc(e->bus);
}

static void ep_quit(Ep *e)
{
    QTestState *qts = e->qts;

    ep_drop(e);
    qtest_quit(qts);
}

/* After a reset of the function: the BAR back to where it was. */
static void ep_enable_again(Ep *e)
{
    qpci_config_writel(e->dev, PCI_BASE_ADDRESS_0, e->bar.addr);
    qpci_device_enable(e->dev);
}

static uint32_t reg32(Ep *e, uint32_t offset)
{
    return qpci_io_readl(e->dev, e->bar, offset);
}

static uint64_t reg64(Ep *e, uint32_t offset)
{
    return qpci_io_readq(e->dev, e->bar, offset);
}

static void ring(Ep *e)
{
    qpci_io_writel(e->dev, e->bar, SVA_EP_SLOT_DOORBELL,
                   SVA_EP_DOORBELL_START);
}

static void write_slot(Ep *e, const struct sva_ep_cmd *cmd)
{
    uint64_t words[SVA_EP_CMD_SIZE / 8] = {
        SVA_EP_CMD_WORD0(cmd->opcode | cmd->reserved0 << 8, cmd->flags) |
            (uint64_t)cmd->reserved1 << 32,
        cmd->src,
        cmd->dst,
        cmd->length | (uint64_t)cmd->reserved2 << 32,
        cmd->operand,
        cmd->completion, cmd->reserved3[0], cmd->reserved3[1],
    };

    for (int i = 0; i < ARRAY_SIZE(words); i++) {
        qpci_io_writeq(e->dev, e->bar, SVA_EP_SLOT_CMD + 8 * i, words[i]);
    }
}

static void submit(Ep *e, const struct sva_ep_cmd *cmd)
{
    write_slot(e, cmd);
    ring(e);
}

static void wait_idle(Ep *e)
{
    gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

    while (reg32(e, SVA_EP_SLOT_STATUS) == SVA_EP_STATUS_BUSY) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
}

static void assert_done(Ep *e)
{
    wait_idle(e);
    g_assert_cmphex(reg32(e, SVA_EP_SLOT_ERROR), ==, SVA_EP_ERR_NONE);
    g_assert_cmphex(reg32(e, SVA_EP_SLOT_STATUS), ==, SVA_EP_STATUS_DONE);
    g_assert_cmphex(reg64(e, SVA_EP_SLOT_FAULT_ADDR), ==, 0);
}

static void assert_error(Ep *e, uint32_t error, uint64_t fault_addr)
{
    wait_idle(e);
    g_assert_cmphex(reg32(e, SVA_EP_SLOT_STATUS), ==, SVA_EP_STATUS_ERROR);
    g_assert_cmphex(reg32(e, SVA_EP_SLOT_ERROR), ==, error);
    g_assert_cmphex(reg64(e, SVA_EP_SLOT_FAULT_ADDR), ==, fault_addr);
    g_assert_cmphex(reg64(e, SVA_EP_SLOT_RESULT), ==, 0);
}

static void stop(Ep *e)
{
    qtest_qmp_assert_success(e->qts, "{ 'execute': 'stop' }");
}

static void cont(Ep *e)
{
    qtest_qmp_assert_success(e->qts, "{ 'execute': 'cont' }");
}

/* --- Data --------------------------------------------------------------- */

/* Bytes without a short period, different for each seed. */
static uint8_t *pattern(size_t len, uint32_t seed)
{
    uint8_t *p = g_malloc(len);

    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525 + 1013904223;
        p[i] = seed >> 24;
    }
    return p;
}

/* Where the CPU sees an operand: in the local buffer or in memory. */
static uint64_t cpu_addr(Ep *e, bool local, uint64_t addr)
{
    return local ? e->bar.addr + SVA_EP_LOCAL_BASE + addr : addr;
}

static void put(Ep *e, bool local, uint64_t addr, const void *p, size_t len)
{
    qtest_memwrite(e->qts, cpu_addr(e, local, addr), p, len);
}

static void assert_bytes(Ep *e, bool local, uint64_t addr, const void *p,
                         size_t len)
{
    g_autofree uint8_t *got = g_malloc(len);

    qtest_memread(e->qts, cpu_addr(e, local, addr), got, len);
    g_assert_cmpmem(got, len, p, len);
}

static uint64_t fnv1a(const uint8_t *p, size_t len)
{
    uint64_t h = 14695981039346656037ull;

    while (len--) {
        h ^= *p++;
        h *= 1099511628211ull;
    }
    return h;
}

/* --- Registers ---------------------------------------------------------- */

static void test_identity(void)
{
    Ep e = ep_start();

    g_assert_cmphex(qpci_config_readw(e.dev, PCI_VENDOR_ID), ==, 0x1234);
    g_assert_cmphex(qpci_config_readw(e.dev, PCI_DEVICE_ID), ==, 0x5fa0);
    g_assert_cmphex(qpci_config_readw(e.dev, PCI_CLASS_DEVICE), ==, 0x1200);
    g_assert_cmphex(reg32(&e, SVA_EP_ID), ==, SVA_EP_ID_MAGIC);
    g_assert_cmphex(reg32(&e, SVA_EP_VERSION), ==, SVA_EP_VERSION_1_1);
    g_assert_cmphex(reg64(&e, SVA_EP_ID), ==,
                    (uint64_t)SVA_EP_VERSION_1_1 << 32 | SVA_EP_ID_MAGIC);
    g_assert_cmphex(reg64(&e, SVA_EP_OPS), ==, 0x3e);
    g_assert_cmphex(reg32(&e, SVA_EP_FLAGS), ==, 0x1f);
    g_assert_cmphex(reg32(&e, SVA_EP_LOCAL_BYTES), ==, 64 * KiB);
    g_assert_cmphex(reg32(&e, SVA_EP_LENGTH_MAX), ==, 1 * MiB);
    g_assert_cmphex(reg32(&e, SVA_EP_SLOT_STATUS), ==, SVA_EP_STATUS_IDLE);
    g_assert_cmphex(reg64(&e, 0x0100), ==, 0);
    g_assert_cmphex(reg64(&e, SVA_EP_REGS_END), ==, 0);
    ep_quit(&e);
}

/* The slot reads back in any legal width; read-only registers stay. */
static void test_register_access(void)
{
    Ep e = ep_start();

    qpci_io_writeq(e.dev, e.bar, SVA_EP_SLOT_CMD + SVA_EP_CMD_SRC,
                   0x1122334455667788);
    qpci_io_writel(e.dev, e.bar, SVA_EP_SLOT_CMD + SVA_EP_CMD_SRC + 4,
                   0xaabbccdd);
    g_assert_cmphex(reg64(&e, SVA_EP_SLOT_CMD + SVA_EP_CMD_SRC), ==,
                    0xaabbccdd55667788);
    g_assert_cmphex(reg32(&e, SVA_EP_SLOT_CMD + SVA_EP_CMD_SRC), ==,
                    0x55667788);
    qpci_io_writeq(e.dev, e.bar, SVA_EP_ID, 0);
    qpci_io_writel(e.dev, e.bar, SVA_EP_SLOT_STATUS, SVA_EP_STATUS_DONE);
    g_assert_cmphex(reg32(&e, SVA_EP_ID), ==, SVA_EP_ID_MAGIC);
    g_assert_cmphex(reg32(&e, SVA_EP_SLOT_STATUS), ==, SVA_EP_STATUS_IDLE);
    ep_quit(&e);
}

static unsigned pcie_port_type(Ep *e)
{
    uint8_t cap = qpci_find_capability(e->dev, PCI_CAP_ID_EXP, 0);

    g_assert_cmphex(cap, !=, 0);
    return (qpci_config_readw(e->dev, cap + PCI_EXP_FLAGS) &
            PCI_EXP_FLAGS_TYPE) >> 4;
}

static void test_capabilities(void)
{
    Ep e = ep_start();
    uint8_t exp = qpci_find_capability(e.dev, PCI_CAP_ID_EXP, 0);
    uint8_t pm = qpci_find_capability(e.dev, PCI_CAP_ID_PM, 0);

    g_assert_cmphex(pcie_port_type(&e), ==, PCI_EXP_TYPE_RC_END);
    g_assert_true(qpci_config_readl(e.dev, exp + PCI_EXP_DEVCAP) &
                  PCI_EXP_DEVCAP_FLR);
    g_assert_cmpint(qpci_msix_table_size(e.dev), ==, SVA_EP_VECTORS);

    /* A stay in D3hot keeps the registers. */
    qpci_io_writeq(e.dev, e.bar, SVA_EP_SLOT_CMD + SVA_EP_CMD_DST, 0x1234);
    qpci_config_writew(e.dev, pm + PCI_PM_CTRL, 3);
    qpci_config_writew(e.dev, pm + PCI_PM_CTRL, 0);
    g_assert_cmphex(reg64(&e, SVA_EP_SLOT_CMD + SVA_EP_CMD_DST), ==, 0x1234);
    ep_quit(&e);
}

static void test_behind_root_port(void)
{
    g_autofree uint8_t *data = pattern(100, 1);
    Ep port, e = ep_start_behind_port(&port);

    g_assert_cmphex(pcie_port_type(&e), ==, PCI_EXP_TYPE_ENDPOINT);
    put(&e, false, AREA_A, data, 100);
    submit(&e, &(struct sva_ep_cmd) {
        .opcode = SVA_EP_OP_COPY, .src = AREA_A, .dst = AREA_B, .length = 100,
    });
    assert_done(&e);
    assert_bytes(&e, false, AREA_B, data, 100);
    ep_drop(&port);
    ep_quit(&e);
}

/* --- Operations --------------------------------------------------------- */

/* One copy; the bytes around the destination must stay as they were. */
static void check_copy(Ep *e, bool src_local, uint64_t src, bool dst_local,
                       uint64_t dst, uint32_t len)
{
    size_t around = len + 2 * MARGIN;
    g_autofree uint8_t *data = pattern(len, src ^ dst);
    g_autofree uint8_t *expect = pattern(around, len);
    uint64_t read = reg64(e, SVA_EP_COUNT_READ);
    uint64_t written = reg64(e, SVA_EP_COUNT_WRITTEN);
    uint64_t done = reg64(e, SVA_EP_COUNT_DONE);

    put(e, dst_local, dst - MARGIN, expect, around);
    put(e, src_local, src, data, len);
    memcpy(expect + MARGIN, data, len);
    submit(e, &(struct sva_ep_cmd) {
        .opcode = SVA_EP_OP_COPY,
        .flags = (src_local ? SVA_EP_FLAG_SRC_LOCAL : 0) |
                 (dst_local ? SVA_EP_FLAG_DST_LOCAL : 0),
        .src = src, .dst = dst, .length = len,
    });
    assert_done(e);
    assert_bytes(e, dst_local, dst - MARGIN, expect, around);
    assert_bytes(e, src_local, src, data, len);
    g_assert_cmpint(reg64(e, SVA_EP_COUNT_READ) - read, ==,
                    src_local ? 0 : len);
    g_assert_cmpint(reg64(e, SVA_EP_COUNT_WRITTEN) - written, ==,
                    dst_local ? 0 : len);
    g_assert_cmpint(reg64(e, SVA_EP_COUNT_DONE), ==, done + 1);
}

static void test_copy(void)
{
    static const struct {
        uint32_t src, dst, len;
    } shapes[] = {
        { 0, 0x100, 1 },
        { 0, 0x4000, 0x1000 },          /* a page */
        { 0xff8, 0x5008, 16 },          /* the source crosses a page */
        { 0x100, 0x5ffd, 7 },           /* the destination does */
        { 0x123, 0x6ff1, 0x3457 },      /* both, at different bytes */
    };
    Ep e = ep_start();

    for (int i = 0; i < ARRAY_SIZE(shapes); i++) {
        for (int sides = 0; sides < 4; sides++) {
            bool src_local = sides & 1, dst_local = sides & 2;

            check_copy(&e, src_local, (src_local ? 0 : AREA_A) + shapes[i].src,
                       dst_local, (dst_local ? 0 : AREA_B) + shapes[i].dst,
                       shapes[i].len);
        }
    }
    check_copy(&e, false, AREA_A + 0x10, false, AREA_B + 0x7f8,
               SVA_EP_LENGTH_LIMIT);
    ep_quit(&e);
}

static void test_fill(void)
{
    static const uint8_t word[8] = { 8, 7, 6, 5, 4, 3, 2, 1 };
    const uint32_t len = 0x2003;
    g_autofree uint8_t *expect = g_malloc(len + 1);
    Ep e = ep_start();

    for (int local = 0; local < 2; local++) {
        uint64_t dst = local ? 0x7ffd : AREA_B + 0xffd;

        for (uint32_t i = 0; i < len; i++) {
            expect[i] = word[i % 8];
        }
        expect[len] = 0;
        submit(&e, &(struct sva_ep_cmd) {
            .opcode = SVA_EP_OP_FILL,
            .flags = local ? SVA_EP_FLAG_DST_LOCAL : 0,
            .dst = dst, .length = len, .operand = 0x0102030405060708,
        });
        assert_done(&e);
        assert_bytes(&e, local, dst, expect, len + 1);
    }
    g_assert_cmpint(reg64(&e, SVA_EP_COUNT_WRITTEN), ==, len);
    g_assert_cmpint(reg64(&e, SVA_EP_COUNT_READ), ==, 0);
    ep_quit(&e);
}

static void test_checksum(void)
{
    const uint32_t len = 0x3001;
    g_autofree uint8_t *data = pattern(len, 9);
    Ep e = ep_start();

    for (int local = 0; local < 2; local++) {
        uint64_t src = local ? 0x801 : AREA_A + 0x801;

        put(&e, local, src, data, len);
        submit(&e, &(struct sva_ep_cmd) {
            .opcode = SVA_EP_OP_CHECKSUM,
            .flags = local ? SVA_EP_FLAG_SRC_LOCAL : 0,
            .src = src, .length = len,
        });
        assert_done(&e);
        g_assert_cmphex(reg64(&e, SVA_EP_SLOT_RESULT), ==, fnv1a(data, len));
    }
    /* A published value, so that both sides cannot err together. */
    put(&e, false, AREA_A, "foobar", 6);
    submit(&e, &(struct sva_ep_cmd) {
        .opcode = SVA_EP_OP_CHECKSUM, .src = AREA_A, .length = 6,
    });
    assert_done(&e);
    g_assert_cmphex(reg64(&e, SVA_EP_SLOT_RESULT), ==, 0x85944171f73967e8);
    ep_quit(&e);
}

static uint64_t compare(Ep *e, bool src_local, bool dst_local, uint32_t len)
{
    submit(e, &(struct sva_ep_cmd) {
        .opcode = SVA_EP_OP_COMPARE,
        .flags = (src_local ? SVA_EP_FLAG_SRC_LOCAL : 0) |
                 (dst_local ? SVA_EP_FLAG_DST_LOCAL : 0),
        .src = src_local ? 0x10 : AREA_A + 0x10,
        .dst = dst_local ? 0x8008 : AREA_B + 0x8, .length = len,
    });
    assert_done(e);
    return reg64(e, SVA_EP_SLOT_RESULT);
}

static void test_compare(void)
{
    const uint32_t len = 0x2800;
    g_autofree uint8_t *data = pattern(len, 5);
    Ep e = ep_start();

    for (int sides = 0; sides < 4; sides++) {
        bool src_local = sides & 1, dst_local = sides & 2;
        uint64_t dst = dst_local ? 0x8008 : AREA_B + 0x8;
        uint8_t flipped = ~data[0x1801];

        put(&e, src_local, src_local ? 0x10 : AREA_A + 0x10, data, len);
        put(&e, dst_local, dst, data, len);
        g_assert_cmphex(compare(&e, src_local, dst_local, len), ==,
                        SVA_EP_COMPARE_EQUAL);
        put(&e, dst_local, dst + 0x1801, &flipped, 1);
        flipped = ~data[0x2000];
        put(&e, dst_local, dst + 0x2000, &flipped, 1);
        g_assert_cmphex(compare(&e, src_local, dst_local, len), ==, 0x1801);
        g_assert_cmphex(compare(&e, src_local, dst_local, 0x1801), ==,
                        SVA_EP_COMPARE_EQUAL);
    }
    ep_quit(&e);
}

/* --- Commands that fail ------------------------------------------------- */

#define COPY(...) { .opcode = SVA_EP_OP_COPY, .src = AREA_A, .dst = AREA_B, \
                    .length = 8, __VA_ARGS__ }
#define OP(name, ...) { .opcode = SVA_EP_OP_##name, .length = 8, __VA_ARGS__ }

static const struct {
    uint32_t error;
    struct sva_ep_cmd cmd;
} refused[] = {
    { SVA_EP_ERR_OPCODE, { .opcode = 0 } },
    { SVA_EP_ERR_OPCODE, { .opcode = 6, .length = 8 } },
    { SVA_EP_ERR_OPCODE, { .opcode = 0xff, .length = 8 } },
    { SVA_EP_ERR_FLAGS, COPY(.flags = 1u << 5) },
    { SVA_EP_ERR_FLAGS, COPY(.flags = 1u << 15) },
    { SVA_EP_ERR_FLAGS, OP(FILL, .flags = SVA_EP_FLAG_SRC_LOCAL,
                           .dst = AREA_B) },
    { SVA_EP_ERR_FLAGS, OP(CHECKSUM, .flags = SVA_EP_FLAG_DST_LOCAL,
                           .src = AREA_A) },
    { SVA_EP_ERR_RESERVED, COPY(.reserved0 = 0x80) },
    { SVA_EP_ERR_RESERVED, COPY(.reserved1 = 1) },
    { SVA_EP_ERR_RESERVED, COPY(.reserved2 = 1u << 31) },
    { SVA_EP_ERR_RESERVED, COPY(.completion = 0x1000) },
    { SVA_EP_ERR_RESERVED, COPY(.reserved3 = { 1 }) },
    { SVA_EP_ERR_RESERVED, COPY(.reserved3 = { 0, 1ull << 63 }) },
    { SVA_EP_ERR_RESERVED, COPY(.operand = 1) },
    { SVA_EP_ERR_RESERVED, OP(FILL, .src = 1, .dst = AREA_B) },
    { SVA_EP_ERR_RESERVED, OP(CHECKSUM, .src = AREA_A, .dst = 1) },
    { SVA_EP_ERR_RESERVED, OP(CHECKSUM, .src = AREA_A, .operand = 1) },
    { SVA_EP_ERR_LENGTH, COPY(.reserved0 = 0, .length = 0) },
    { SVA_EP_ERR_LENGTH, COPY(.length = SVA_EP_LENGTH_LIMIT + 1) },
    { SVA_EP_ERR_LENGTH, COPY(.length = UINT32_MAX) },
    { SVA_EP_ERR_RANGE, COPY(.flags = SVA_EP_FLAG_SRC_LOCAL, .src = 0xfff9) },
    { SVA_EP_ERR_RANGE, COPY(.flags = SVA_EP_FLAG_SRC_LOCAL,
                             .src = UINT64_MAX - 3) },
    { SVA_EP_ERR_RANGE, COPY(.flags = SVA_EP_FLAG_DST_LOCAL, .dst = 0,
                             .length = 0x10001) },
    { SVA_EP_ERR_RANGE, COPY(.src = UINT64_MAX - 6) },
    { SVA_EP_ERR_RANGE, COPY(.dst = UINT64_MAX) },
};

static void test_refused(void)
{
    g_autofree uint8_t *source = pattern(16, 1), *before = pattern(16, 2);
    Ep e = ep_start();

    put(&e, false, AREA_A, source, 16);
    put(&e, false, AREA_B, before, 16);
    for (int i = 0; i < ARRAY_SIZE(refused); i++) {
        submit(&e, &refused[i].cmd);
        assert_error(&e, refused[i].error, 0);
        g_assert_cmpint(reg64(&e, SVA_EP_COUNT_FAILED), ==, i + 1);
    }
    assert_bytes(&e, false, AREA_B, before, 16);
    g_assert_cmpint(reg64(&e, SVA_EP_COUNT_DONE), ==, 0);
    g_assert_cmpint(reg64(&e, SVA_EP_COUNT_READ), ==, 0);

    /* The last bytes of the buffer are inside. */
    submit(&e, &(struct sva_ep_cmd)
           COPY(.flags = SVA_EP_FLAG_DST_LOCAL, .dst = 0xfff8));
    assert_done(&e);
    assert_bytes(&e, true, 0xfff8, source, 8);
    ep_quit(&e);
}

/* The engine stops at the first page that the bus refuses, and names it. */
static void test_bus_error(void)
{
    g_autofree uint8_t *data = pattern(0x3000, 3), *clean = g_malloc0(0x3000);
    Ep e = ep_start();

    put(&e, false, RAM_END - 0x1800, data, 0x1800);
    submit(&e, &(struct sva_ep_cmd)
           COPY(.src = RAM_END - 0x1800, .length = 0x3000));
    assert_error(&e, SVA_EP_ERR_READ, RAM_END);
    assert_bytes(&e, false, AREA_B, data, 0x1800);
    assert_bytes(&e, false, AREA_B + 0x1800, clean, 0x1800);
    g_assert_cmpint(reg64(&e, SVA_EP_COUNT_READ), ==, 0x1800);
    g_assert_cmpint(reg64(&e, SVA_EP_COUNT_FAILED), ==, 1);

    put(&e, false, AREA_A + 0x234, data, 0x3000);
    submit(&e, &(struct sva_ep_cmd)
           COPY(.src = AREA_A + 0x234, .dst = RAM_END - 0x1008,
                .length = 0x3000));
    assert_error(&e, SVA_EP_ERR_WRITE, RAM_END);
    assert_bytes(&e, false, RAM_END - 0x1008, data, 0x1008);

    submit(&e, &(struct sva_ep_cmd)
           OP(CHECKSUM, .src = RAM_END + 0x1238));
    assert_error(&e, SVA_EP_ERR_READ, RAM_END + 0x1238);
    submit(&e, &(struct sva_ep_cmd) COPY(.opcode = SVA_EP_OP_COMPARE,
                                         .dst = RAM_END));
    assert_error(&e, SVA_EP_ERR_READ, RAM_END);
    submit(&e, &(struct sva_ep_cmd) OP(FILL, .dst = UINT64_MAX - 7));
    assert_error(&e, SVA_EP_ERR_WRITE, UINT64_MAX - 7);
    ep_quit(&e);
}

static void test_bus_master_off(void)
{
    Ep e = ep_start();

    qpci_config_writew(e.dev, PCI_COMMAND, PCI_COMMAND_MEMORY);
    submit(&e, &(struct sva_ep_cmd) COPY());
    assert_error(&e, SVA_EP_ERR_READ, AREA_A);
    qpci_device_enable(e.dev);
    submit(&e, &(struct sva_ep_cmd) COPY());
    assert_done(&e);
    ep_quit(&e);
}

/* The engine cannot be made to drive itself; its buffer is plain memory. */
static void test_own_bar(void)
{
    g_autofree uint8_t *data = pattern(8, 4);
    Ep e = ep_start();
    uint64_t doorbell = e.bar.addr + SVA_EP_SLOT_DOORBELL;

    submit(&e, &(struct sva_ep_cmd) COPY(.src = e.bar.addr));
    assert_error(&e, SVA_EP_ERR_READ, e.bar.addr);
    submit(&e, &(struct sva_ep_cmd)
           OP(FILL, .dst = doorbell, .operand = SVA_EP_DOORBELL_START));
    assert_error(&e, SVA_EP_ERR_WRITE, doorbell);
    g_assert_cmpint(reg64(&e, SVA_EP_COUNT_IGNORED), ==, 0);

    put(&e, false, AREA_A, data, 8);
    submit(&e, &(struct sva_ep_cmd)
           COPY(.dst = cpu_addr(&e, true, 0x100)));
    assert_done(&e);
    assert_bytes(&e, true, 0x100, data, 8);
    ep_quit(&e);
}

/* --- Commands under way ------------------------------------------------- */

static void test_busy(void)
{
    g_autofree uint8_t *data = pattern(8, 6), *clean = g_malloc0(8);
    Ep e = ep_start();

    put(&e, false, AREA_A, data, 8);
    stop(&e);
    submit(&e, &(struct sva_ep_cmd) COPY());
    g_assert_cmphex(reg32(&e, SVA_EP_SLOT_STATUS), ==, SVA_EP_STATUS_BUSY);

    /* What is written now is for the next command, not for this one. */
    submit(&e, &(struct sva_ep_cmd) COPY(.dst = AREA_B + 0x1000));
    ring(&e);
    g_assert_cmpint(reg64(&e, SVA_EP_COUNT_IGNORED), ==, 2);
    g_assert_cmphex(reg32(&e, SVA_EP_SLOT_STATUS), ==, SVA_EP_STATUS_BUSY);
    assert_bytes(&e, false, AREA_B, clean, 8);

    cont(&e);
    assert_done(&e);
    assert_bytes(&e, false, AREA_B, data, 8);
    assert_bytes(&e, false, AREA_B + 0x1000, clean, 8);
    g_assert_cmpint(reg64(&e, SVA_EP_COUNT_DONE), ==, 1);
    ring(&e);
    assert_done(&e);
    assert_bytes(&e, false, AREA_B + 0x1000, data, 8);
    ep_quit(&e);
}

static void reset_by_control(Ep *e)
{
    qpci_io_writel(e->dev, e->bar, SVA_EP_CONTROL, SVA_EP_CONTROL_RESET);
}

static void reset_by_flr(Ep *e)
{
    uint8_t cap = qpci_find_capability(e->dev, PCI_CAP_ID_EXP, 0);

    qpci_config_writew(e->dev, cap + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_BCR_FLR);
    g_assert_cmphex(qpci_config_readw(e->dev, PCI_COMMAND), ==, 0);
    ep_enable_again(e);
}

static void reset_by_system(Ep *e)
{
    qtest_qmp_assert_success(e->qts, "{ 'execute': 'system_reset' }");
    qtest_qmp_eventwait(e->qts, "RESET");
    ep_enable_again(e);
}

/* A reset leaves nothing of the command, of the counters or of the data. */
static void test_reset(const void *opaque)
{
    void (*reset)(Ep *e) = opaque;
    g_autofree uint8_t *data = pattern(8, 7), *clean = g_malloc0(8);
    Ep e = ep_start();

    put(&e, false, AREA_A, data, 8);
    put(&e, true, 0x10, data, 8);
    submit(&e, &(struct sva_ep_cmd) COPY(.dst = AREA_B + 0x1000));
    assert_done(&e);
    stop(&e);
    submit(&e, &(struct sva_ep_cmd) COPY());
    ring(&e);
    reset(&e);
    g_assert_cmphex(reg32(&e, SVA_EP_SLOT_STATUS), ==, SVA_EP_STATUS_IDLE);
    g_assert_cmphex(reg64(&e, SVA_EP_SLOT_CMD), ==, 0);
    g_assert_cmpint(reg64(&e, SVA_EP_COUNT_DONE), ==, 0);
    g_assert_cmpint(reg64(&e, SVA_EP_COUNT_IGNORED), ==, 0);
    g_assert_cmpint(reg64(&e, SVA_EP_COUNT_READ), ==, 0);
    assert_bytes(&e, true, 0x10, clean, 8);

    cont(&e);
    submit(&e, &(struct sva_ep_cmd) COPY(.dst = AREA_B + 0x2000));
    assert_done(&e);
    g_assert_cmpint(reg64(&e, SVA_EP_COUNT_DONE), ==, 1);
    assert_bytes(&e, false, AREA_B, clean, 8);
    ep_quit(&e);
}

/* DMA to its own configuration space: the command ends with the reset. */
static void test_reset_by_own_dma(void)
{
    static const uint8_t flr[2] = { 0, PCI_EXP_DEVCTL_BCR_FLR >> 8 };
    Ep e = ep_start();
    Ep mch = ep_find(e.qts, 0);
    uint8_t cap = qpci_find_capability(e.dev, PCI_CAP_ID_EXP, 0);

    qpci_config_writel(mch.dev, MCH_PCIEXBAR, ECAM_BASE | 1);
    put(&e, true, 0, flr, sizeof(flr));
    submit(&e, &(struct sva_ep_cmd) COPY(
        .flags = SVA_EP_FLAG_SRC_LOCAL, .src = 0, .length = sizeof(flr),
        .dst = ECAM_BASE + (4 << 15) + cap + PCI_EXP_DEVCTL));
    ep_enable_again(&e);
    wait_idle(&e);
    g_assert_cmphex(reg32(&e, SVA_EP_SLOT_STATUS), ==, SVA_EP_STATUS_IDLE);
    g_assert_cmpint(reg64(&e, SVA_EP_COUNT_DONE), ==, 0);
    g_assert_cmpint(reg64(&e, SVA_EP_COUNT_WRITTEN), ==, 0);
    submit(&e, &(struct sva_ep_cmd) COPY());
    assert_done(&e);

    ep_drop(&mch);
    ep_quit(&e);
}

/* DMA to the port's slot control: the device is unplugged under the command. */
static void test_unplug_by_own_dma(void)
{
    static const uint8_t power_off[2] = {
        0, (PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_PWR_IND_OFF) >> 8
    };
    Ep port, e = ep_start_behind_port(&port);
    Ep mch = ep_find(e.qts, 0);
    uint8_t cap = qpci_find_capability(port.dev, PCI_CAP_ID_EXP, 0);

    qpci_config_writel(mch.dev, MCH_PCIEXBAR, ECAM_BASE | 1);
    put(&e, true, 0, power_off, sizeof(power_off));
    qtest_qmp_assert_success(e.qts, "{ 'execute': 'device_del',"
                             " 'arguments': { 'id': 'ep' } }");
    submit(&e, &(struct sva_ep_cmd) COPY(
        .flags = SVA_EP_FLAG_SRC_LOCAL, .src = 0, .length = sizeof(power_off),
        .dst = ECAM_BASE + (4 << 15) + cap + PCI_EXP_SLTCTL));
    qtest_qmp_eventwait(e.qts, "DEVICE_DELETED");
    g_assert_cmphex(qpci_config_readw(e.dev, PCI_VENDOR_ID), ==, 0xffff);

    ep_drop(&mch);
    ep_drop(&port);
    ep_quit(&e);
}

/* --- Interrupt ---------------------------------------------------------- */

static void msix_set(Ep *e, uint32_t message, bool masked)
{
    QPCIBar bar = e->dev->msix_table_bar;
    uint64_t entry = e->dev->msix_table_off;

    qpci_io_writel(e->dev, bar, entry + PCI_MSIX_ENTRY_LOWER_ADDR, MSI_TARGET);
    qpci_io_writel(e->dev, bar, entry + PCI_MSIX_ENTRY_UPPER_ADDR, 0);
    qpci_io_writel(e->dev, bar, entry + PCI_MSIX_ENTRY_DATA, message);
    qpci_io_writel(e->dev, bar, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, masked);
}

/* The message lands in memory, where it can be looked at, and is taken away. */
static uint32_t take_message(Ep *e)
{
    uint32_t message;

    /* From an iothread it goes by the main loop, as the answer to this. */
    qtest_qmp_assert_success(e->qts, "{ 'execute': 'query-status' }");
    message = qtest_readl(e->qts, MSI_TARGET);

    qtest_writel(e->qts, MSI_TARGET, 0);
    return message;
}

static void test_interrupt(void)
{
    Ep e = ep_start();

    /* MSI-X off: nothing is sent, nothing is left pending. */
    submit(&e, &(struct sva_ep_cmd) COPY(.flags = SVA_EP_FLAG_IRQ));
    assert_done(&e);
    qpci_msix_enable(e.dev);
    msix_set(&e, 0x1001, false);
    g_assert_cmphex(take_message(&e), ==, 0);

    submit(&e, &(struct sva_ep_cmd) COPY(.flags = SVA_EP_FLAG_IRQ));
    assert_done(&e);
    g_assert_cmphex(take_message(&e), ==, 0x1001);
    submit(&e, &(struct sva_ep_cmd) COPY());
    assert_done(&e);
    g_assert_cmphex(take_message(&e), ==, 0);
    submit(&e, &(struct sva_ep_cmd)
           COPY(.flags = SVA_EP_FLAG_IRQ, .length = 0));
    assert_error(&e, SVA_EP_ERR_LENGTH, 0);
    g_assert_cmphex(take_message(&e), ==, 0x1001);

    msix_set(&e, 0x1002, true);
    submit(&e, &(struct sva_ep_cmd) COPY(.flags = SVA_EP_FLAG_IRQ));
    assert_done(&e);
    g_assert_cmphex(take_message(&e), ==, 0);
    g_assert_true(qpci_msix_pending(e.dev, SVA_EP_VECTOR_DONE));
    msix_set(&e, 0x1002, false);
    g_assert_cmphex(take_message(&e), ==, 0x1002);
    ep_quit(&e);
}

/* --- Repetition --------------------------------------------------------- */

static void await_passes(Ep *e, unsigned counter, uint64_t bytes)
{
    gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
    uint64_t before = reg64(e, counter);

    while (reg64(e, counter) < before + bytes) {
        g_assert_cmphex(reg32(e, SVA_EP_SLOT_STATUS), ==, SVA_EP_STATUS_BUSY);
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
}

static void end_repetition(Ep *e)
{
    qpci_io_writel(e->dev, e->bar, SVA_EP_SLOT_DOORBELL, SVA_EP_DOORBELL_STOP);
    assert_done(e);
}

/* Again and again, with what is in memory then, until it is stopped. */
static void test_repeat(void)
{
    g_autofree uint8_t *data = pattern(0x3000, 9), *new = pattern(0x3000, 10);
    Ep e = ep_start();

    put(&e, false, AREA_A, data, 0x3000);
    submit(&e, &(struct sva_ep_cmd)
           COPY(.flags = SVA_EP_FLAG_REPEAT, .length = 0x3000));
    await_passes(&e, SVA_EP_COUNT_WRITTEN, 2 * 0x3000);
    put(&e, false, AREA_A, new, 0x3000);
    await_passes(&e, SVA_EP_COUNT_WRITTEN, 2 * 0x3000);
    ring(&e);
    g_assert_cmpint(reg64(&e, SVA_EP_COUNT_IGNORED), ==, 1);
    end_repetition(&e);
    assert_bytes(&e, false, AREA_B, new, 0x3000);
    g_assert_cmpint(reg64(&e, SVA_EP_COUNT_DONE), ==, 1);
    g_assert_cmpint(reg64(&e, SVA_EP_COUNT_WRITTEN) % 0x3000, ==, 0);
    ep_quit(&e);
}

/* COMPARE repeats until it finds a difference. */
static void test_repeat_compare(void)
{
    g_autofree uint8_t *data = pattern(0x2000, 11);
    Ep e = ep_start();

    put(&e, false, AREA_A, data, 0x2000);
    put(&e, false, AREA_B, data, 0x2000);
    submit(&e, &(struct sva_ep_cmd)
           COPY(.opcode = SVA_EP_OP_COMPARE, .flags = SVA_EP_FLAG_REPEAT,
                .length = 0x2000));
    await_passes(&e, SVA_EP_COUNT_READ, 4 * 0x2000);
    qtest_writeb(e.qts, AREA_B + 0x1234, ~data[0x1234]);
    assert_done(&e);
    g_assert_cmphex(reg64(&e, SVA_EP_SLOT_RESULT), ==, 0x1234);
    ep_quit(&e);
}

/* One access for all of it: the error names its start. */
static void test_burst(void)
{
    g_autofree uint8_t *data = pattern(0x5008, 12);
    struct sva_ep_cmd cmd = COPY(.flags = SVA_EP_FLAG_BURST,
                                 .src = AREA_A + 0x123, .length = 0x5008);
    Ep e = ep_start();

    put(&e, false, AREA_A + 0x123, data, 0x5008);
    submit(&e, &cmd);
    assert_done(&e);
    assert_bytes(&e, false, AREA_B, data, 0x5008);
    cmd.dst = RAM_END - 0x2000;
    submit(&e, &cmd);
    assert_error(&e, SVA_EP_ERR_WRITE, RAM_END - 0x2000);
    submit(&e, &(struct sva_ep_cmd)
           OP(FILL, .flags = SVA_EP_FLAG_BURST, .dst = AREA_B, .length = 13,
              .operand = 0x8877665544332211));
    assert_done(&e);
    g_assert_cmphex(qtest_readq(e.qts, AREA_B + 5), ==, 0x5544332211887766);
    ep_quit(&e);
}

/* A reset and a stop find the engine at work; nothing is written after. */
static void test_halt(void)
{
    struct sva_ep_cmd fill = OP(FILL, .dst = AREA_B, .operand = ~0ull,
                                .length = SVA_EP_LENGTH_LIMIT,
                                .flags = SVA_EP_FLAG_BURST |
                                         SVA_EP_FLAG_REPEAT);
    Ep e = ep_start();
    uint64_t last = AREA_B + SVA_EP_LENGTH_LIMIT - 8, written;

    for (int i = 0; i < 20; i++) {
        submit(&e, &fill);
        await_passes(&e, SVA_EP_COUNT_WRITTEN, SVA_EP_LENGTH_LIMIT);
        stop(&e);
        written = reg64(&e, SVA_EP_COUNT_WRITTEN);
        qtest_writeq(e.qts, last, 0);
        qtest_qmp_assert_success(e.qts, "{ 'execute': 'query-status' }");
        g_assert_cmphex(qtest_readq(e.qts, last), ==, 0);
        g_assert_cmpint(reg64(&e, SVA_EP_COUNT_WRITTEN), ==, written);
        cont(&e);
        await_passes(&e, SVA_EP_COUNT_WRITTEN, SVA_EP_LENGTH_LIMIT);
        reset_by_control(&e);
        qtest_writeq(e.qts, last, 0);
        g_assert_cmphex(reg32(&e, SVA_EP_SLOT_STATUS), ==, SVA_EP_STATUS_IDLE);
        qtest_qmp_assert_success(e.qts, "{ 'execute': 'query-status' }");
        g_assert_cmphex(qtest_readq(e.qts, last), ==, 0);
        g_assert_cmpint(reg64(&e, SVA_EP_COUNT_WRITTEN), ==, 0);
    }
    ep_quit(&e);
}

static void test_unplug_at_work(void)
{
    Ep port, e = ep_start_behind_port(&port);
    uint8_t cap = qpci_find_capability(port.dev, PCI_CAP_ID_EXP, 0);

    submit(&e, &(struct sva_ep_cmd)
           OP(FILL, .dst = AREA_B, .length = SVA_EP_LENGTH_LIMIT,
              .flags = SVA_EP_FLAG_BURST | SVA_EP_FLAG_REPEAT));
    await_passes(&e, SVA_EP_COUNT_WRITTEN, SVA_EP_LENGTH_LIMIT);
    qtest_qmp_assert_success(e.qts, "{ 'execute': 'device_del',"
                             " 'arguments': { 'id': 'ep' } }");
    qpci_config_writew(port.dev, cap + PCI_EXP_SLTCTL,
                       PCI_EXP_SLTCTL_PWR_IND_OFF | PCI_EXP_SLTCTL_PCC);
    qtest_qmp_eventwait(e.qts, "DEVICE_DELETED");
    g_assert_cmphex(qpci_config_readw(e.dev, PCI_VENDOR_ID), ==, 0xffff);
    ep_drop(&port);
    ep_quit(&e);
}

/* --- Migration ---------------------------------------------------------- */

/* A command that was rung before migration is carried out after it. */
static void test_migration(void)
{
    g_autofree char *dir = g_dir_make_tmp("sva-endpoint-XXXXXX", NULL);
    g_autofree char *path = g_strdup_printf("%s/socket", dir);
    g_autofree char *uri = g_strdup_printf("unix:%s", path);
    g_autofree uint8_t *data = pattern(0x2000, 8);
    Ep e = ep_start();

    put(&e, true, 0x18, data, 0x2000);
    qpci_msix_enable(e.dev);
    msix_set(&e, 0x1003, false);
    submit(&e, &(struct sva_ep_cmd) COPY(.length = 0));
    assert_error(&e, SVA_EP_ERR_LENGTH, 0);
    stop(&e);
    submit(&e, &(struct sva_ep_cmd)
           COPY(.flags = SVA_EP_FLAG_SRC_LOCAL | SVA_EP_FLAG_IRQ,
                .src = 0x18, .length = 0x2000));

    Ep to = ep_find(qtest_initf(MACHINE ON_ROOT_BUS "%s -incoming %s", engine,
                               uri), 4);
    qtest_qmp_assert_success(
        e.qts, "{ 'execute': 'migrate', 'arguments': { 'uri': %s } }", uri);
    qmp_wait_status(e.qts, "query-migrate", "completed");
    qmp_wait_status(to.qts, "query-status", "paused");
    to.bar = e.bar;
    g_assert_cmphex(reg32(&to, SVA_EP_SLOT_STATUS), ==, SVA_EP_STATUS_BUSY);
    cont(&to);
    assert_done(&to);
    assert_bytes(&to, false, AREA_B, data, 0x2000);
    assert_bytes(&to, true, 0x18, data, 0x2000);
    g_assert_cmphex(take_message(&to), ==, 0x1003);
    g_assert_cmpint(reg64(&to, SVA_EP_COUNT_DONE), ==, 1);
    g_assert_cmpint(reg64(&to, SVA_EP_COUNT_FAILED), ==, 1);

    ep_quit(&e);
    ep_quit(&to);
    unlink(path);
    g_assert_cmpint(rmdir(dir), ==, 0);
}

static void in_iothread(const void *opaque)
{
    void (*test)(void) = opaque;

    engine = IN_IOTHREAD;
    test();
    engine = "";
}

static void test_flr(void)
{
    test_reset(reset_by_flr);
}

static void test_system_reset(void)
{
    test_reset(reset_by_system);
}

static void add_iothread_tests(void)
{
    static const struct {
        const char *name;
        void (*test)(void);
    } tests[] = {
        { "copy", test_copy },
        { "fill", test_fill },
        { "compare", test_compare },
        { "refused", test_refused },
        { "bus-error", test_bus_error },
        { "own-bar", test_own_bar },
        { "busy", test_busy },
        { "reset/flr", test_flr },
        { "reset/system", test_system_reset },
        { "repeat", test_repeat },
        { "repeat-compare", test_repeat_compare },
        { "burst", test_burst },
        { "halt", test_halt },
        { "unplug", test_unplug_at_work },
        { "interrupt", test_interrupt },
        { "migration", test_migration },
    };

    for (int i = 0; i < ARRAY_SIZE(tests); i++) {
        g_autofree char *path =
            g_strdup_printf("/sva-endpoint/iothread/%s", tests[i].name);

        qtest_add_data_func(path, tests[i].test, in_iothread);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/sva-endpoint/identity", test_identity);
    qtest_add_func("/sva-endpoint/register-access", test_register_access);
    qtest_add_func("/sva-endpoint/capabilities", test_capabilities);
    qtest_add_func("/sva-endpoint/behind-root-port", test_behind_root_port);
    qtest_add_func("/sva-endpoint/copy", test_copy);
    qtest_add_func("/sva-endpoint/fill", test_fill);
    qtest_add_func("/sva-endpoint/checksum", test_checksum);
    qtest_add_func("/sva-endpoint/compare", test_compare);
    qtest_add_func("/sva-endpoint/refused", test_refused);
    qtest_add_func("/sva-endpoint/bus-error", test_bus_error);
    qtest_add_func("/sva-endpoint/bus-master-off", test_bus_master_off);
    qtest_add_func("/sva-endpoint/own-bar", test_own_bar);
    qtest_add_func("/sva-endpoint/busy", test_busy);
    qtest_add_data_func("/sva-endpoint/reset/control", reset_by_control,
                        test_reset);
    qtest_add_data_func("/sva-endpoint/reset/flr", reset_by_flr, test_reset);
    qtest_add_data_func("/sva-endpoint/reset/system", reset_by_system,
                        test_reset);
    qtest_add_func("/sva-endpoint/reset/own-dma", test_reset_by_own_dma);
    qtest_add_func("/sva-endpoint/unplug/own-dma", test_unplug_by_own_dma);
    qtest_add_func("/sva-endpoint/interrupt", test_interrupt);
    qtest_add_func("/sva-endpoint/repeat", test_repeat);
    qtest_add_func("/sva-endpoint/repeat-compare", test_repeat_compare);
    qtest_add_func("/sva-endpoint/burst", test_burst);
    qtest_add_func("/sva-endpoint/halt", test_halt);
    qtest_add_func("/sva-endpoint/migration", test_migration);
    add_iothread_tests();
    return g_test_run();
}
