/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of the intel-iommu device as software first meets it: what the
 * properties make it report, how its registers take accesses of any legal
 * width, what a reset restores, and which properties exclude each other.
 */
#include "qemu/osdep.h"
#include "libqtest.h"
#include "hw/i386/vtd/vtd_regs.h"

#define REGS 0xfed90000ull

#define CAP_DEFAULT 0x80d2008c222f0606ull
#define ECAP_DEFAULT 0x0000000000f00f4aull

static QTestState *start(const char *properties)
{
    return qtest_initf("-machine q35 -nodefaults -device intel-iommu%s%s",
                       *properties ? "," : "", properties);
}

static uint32_t reg32(QTestState *qts, unsigned offset)
{
    return qtest_readl(qts, REGS + offset);
}

static uint64_t reg64(QTestState *qts, unsigned offset)
{
    return qtest_readq(qts, REGS + offset);
}

/* --- What is reported ----------------------------------------------------- */

#define SVM "scalable-mode=on,fsts=on,device-iotlb=on,pasid-bits=20,svm=on"

static const struct {
    const char *properties;
    uint64_t cap;
    uint64_t ecap;
} reported[] = {
    { "", CAP_DEFAULT, ECAP_DEFAULT },
    { "aw-bits=39", 0x80d2008c22260206, ECAP_DEFAULT },
    { "caching-mode=on", CAP_DEFAULT | 1 << 7, ECAP_DEFAULT },
    { "device-iotlb=on", CAP_DEFAULT, ECAP_DEFAULT | 1 << 2 },
    { "intremap=on,eim=on", CAP_DEFAULT, ECAP_DEFAULT | 1 << 4 },
    { "x-buggy-eim=on", CAP_DEFAULT, ECAP_DEFAULT | 1 << 4 },
    { "snoop-control=on", CAP_DEFAULT, ECAP_DEFAULT | 1 << 7 },
    { "intremap=off", CAP_DEFAULT, 0xf42 },
    { "pt=off", CAP_DEFAULT, 0xf00f0a },
    { "dma-drain=off", 0x8012008c222f0606, ECAP_DEFAULT },
    { "dma-translation=off", 0x80d2008c222f0006, ECAP_DEFAULT },
    { "scalable-mode=on,dma-translation=off", 0x80d2008c222f0006,
      0x0000480080f00f4a },
    { "version=2", CAP_DEFAULT, ECAP_DEFAULT },
    { "x-scalable-mode=on", CAP_DEFAULT, 0x0000480080f00f4a },
    { "scalable-mode=on", CAP_DEFAULT, 0x0000480080f00f4a },
    { "x-scalable-mode=on,x-flts=on", 0x81d2008c222f0606,
      0x0000880000f00f4a },
    { "scalable-mode=on,fsts=on", 0x81d2008c222f0606, 0x0000880000f00f4a },
    { "scalable-mode=on,fsts=on,fs1gp=off", CAP_DEFAULT, 0x0000880000f00f4a },
    { "scalable-mode=on,x-pasid-mode=on", CAP_DEFAULT, 0x0000499880f00f4a },
    { "scalable-mode=on,pasid-bits=1", CAP_DEFAULT, 0x0000490080f00f4a },
    { "scalable-mode=on,fsts=on,pasid-bits=20", 0x81d2008c222f0606,
      0x0000899800f00f4a },
    { "scalable-mode=on,fsts=on,pasid-bits=16,x-pasid-mode=on",
      0x81d2008c222f0606, 0x0000897800f00f4a },
    /* What QEMU's own device does not have comes with nested=on. */
    { "scalable-mode=on,fsts=on,nested=on", 0x81e4078c222f0606,
      0x0003e80484f00f4a },
    { "scalable-mode=on,fsts=on,nested=on,aw-bits=57", 0x91ed078c22380e06,
      0x0003e80484f00f4a },
    { "scalable-mode=on,fsts=on,nested=on,srs=off,eafs=off,ssads=off,"
      "smpwcs=off,rps=off,fault-records=1",
      0x81e4008c222f0606, 0x0000c80004f00f4a },
    /* It can be had without, too. */
    { "scalable-mode=on,fsts=on,srs=on,eafs=on,smpwcs=on,rps=on,"
      "fault-records=4",
      0x81d2038c222f0606, 0x0003880480f00f4a },
    /* As later versions of QEMU's own device, but for SMPWCS. */
    { SVM ",smpwcs=off", 0x81d2008c222f0606, 0x00008d9a20f00f4e },
    { SVM, 0x81d2008c222f0606, 0x00018d9a20f00f4e },
    { SVM ",prs=off,nwfs=off", 0x81d2008c222f0606, 0x0001899800f00f4e },
    { "scalable-mode=on,ssads=on", CAP_DEFAULT, 0x0000680080f00f4a },
    /* Stages that are not given follow nested=auto. */
    { "nested=auto", 0x81e4078c222f0606, 0x0003e80484f00f4a },
    { "nested=auto,x-flts=off", 0x80e4078c222f0606, 0x0003680080f00f4a },
    { "nested=auto,aw-bits=39", 0x80db078c22260206, 0x0003680080f00f4a },
    { "nested=auto,scalable-mode=off", 0x80e4078c222f0606, ECAP_DEFAULT },
    { "nested=auto,pasid-bits=auto", 0x81e4078c222f0606, 0x0003e99c84f00f4a },
    { "pasid-bits=auto,svm=auto", CAP_DEFAULT, ECAP_DEFAULT },
    { "scalable-mode=on,fsts=on,device-iotlb=on,pasid-bits=auto,svm=auto",
      0x81d2008c222f0606, 0x00018d9a20f00f4e },
};

static void test_reported(void)
{
    for (int i = 0; i < ARRAY_SIZE(reported); i++) {
        QTestState *qts = start(reported[i].properties);

        g_test_message("%s", reported[i].properties);
        g_assert_cmphex(reg32(qts, VTD_REG_VER), ==, 0x10);
        g_assert_cmphex(reg64(qts, VTD_REG_CAP), ==, reported[i].cap);
        g_assert_cmphex(reg64(qts, VTD_REG_ECAP), ==, reported[i].ecap);
        qtest_quit(qts);
    }
}

/* Machines of older versions set properties: they get what they had. */
static void test_old_machines(void)
{
    static const struct {
        const char *machine;
        uint64_t cap;
        uint64_t ecap;
    } old[] = {
        { "pc-q35-9.2", CAP_DEFAULT, ECAP_DEFAULT },
        { "pc-q35-9.1", 0x80d2008c22260206, ECAP_DEFAULT },
        { "pc-q35-3.1", 0x8012008c22260206, ECAP_DEFAULT },
        { "pc-q35-2.9", 0x8012008c22260206, 0xf00f0a },
        { "pc-q35-2.7", 0x8012008c22260206, 0xf00f1a },
    };

    for (int i = 0; i < ARRAY_SIZE(old); i++) {
        QTestState *qts = qtest_initf("-machine %s -nodefaults "
                                      "-device intel-iommu", old[i].machine);

        g_test_message("%s", old[i].machine);
        g_assert_cmphex(reg64(qts, VTD_REG_CAP), ==, old[i].cap);
        g_assert_cmphex(reg64(qts, VTD_REG_ECAP), ==, old[i].ecap);
        qtest_quit(qts);
    }
}

/* --- Accesses ------------------------------------------------------------- */

static void test_halves_make_a_whole(void)
{
    QTestState *qts = start("x-scalable-mode=on");

    for (unsigned offset = 0; offset < VTD_REG_SPACE; offset += 8) {
        g_assert_cmphex(reg64(qts, offset), ==,
                        reg32(qts, offset) |
                        (uint64_t)reg32(qts, offset + 4) << 32);
    }
    qtest_quit(qts);
}

static void test_write_by_halves(void)
{
    QTestState *qts = start("");

    qtest_writel(qts, REGS + VTD_REG_RTADDR + 4, 0x1234);
    qtest_writel(qts, REGS + VTD_REG_RTADDR, 0x56789fff);
    g_assert_cmphex(reg64(qts, VTD_REG_RTADDR), ==, 0x123456789c00);
    qtest_writeq(qts, REGS + VTD_REG_RTADDR, 0xabc000);
    g_assert_cmphex(reg64(qts, VTD_REG_RTADDR), ==, 0xabc000);
    qtest_quit(qts);
}

/* One access of 8 bytes to two registers of 4. */
static void test_write_of_two_registers(void)
{
    QTestState *qts = start("");

    g_assert_cmphex(reg32(qts, VTD_REG_FECTL), ==, 1u << 31);
    qtest_writeq(qts, REGS + VTD_REG_FECTL, 0x4041ull << 32);
    g_assert_cmphex(reg32(qts, VTD_REG_FECTL), ==, 0);
    g_assert_cmphex(reg32(qts, VTD_REG_FEDATA), ==, 0x4041);
    qtest_quit(qts);
}

/* Bytes and words are not registers of this unit. */
static void test_narrow_access_is_refused(void)
{
    QTestState *qts = start("");

    qtest_writel(qts, REGS + VTD_REG_FEDATA, 0x1234);
    qtest_writeb(qts, REGS + VTD_REG_FEDATA, 0x56);
    qtest_writew(qts, REGS + VTD_REG_FEDATA, 0x789a);
    g_assert_cmphex(reg32(qts, VTD_REG_FEDATA), ==, 0x1234);
    qtest_quit(qts);
}

static void scribble(QTestState *qts)
{
    for (unsigned offset = 0; offset < VTD_REG_SPACE; offset += 4) {
        qtest_writel(qts, REGS + offset, UINT32_MAX);
        qtest_writel(qts, REGS + offset, 0);
    }
    for (unsigned offset = 0; offset < VTD_REG_SPACE; offset += 8) {
        qtest_writeq(qts, REGS + offset, UINT64_MAX);
    }
}

static void test_reset_restores_all(void)
{
    QTestState *qts = start("scalable-mode=on,fsts=on,nested=on,eim=on");
    uint8_t before[VTD_REG_SPACE], after[VTD_REG_SPACE];

    qtest_memread(qts, REGS, before, sizeof(before));
    scribble(qts);
    qtest_memread(qts, REGS, after, sizeof(after));
    g_assert_cmpint(memcmp(before, after, sizeof(before)), !=, 0);
    qtest_system_reset(qts);
    qtest_memread(qts, REGS, after, sizeof(after));
    g_assert_cmpmem(before, sizeof(before), after, sizeof(after));
    qtest_quit(qts);
}

/* --- Properties that exclude each other ----------------------------------- */

static const struct {
    const char *arguments;
    const char *message;
} refused[] = {
    { "-machine q35 -device intel-iommu,x-flts=on",
      "x-flts=on needs scalable mode: add x-scalable-mode=on" },
    { "-machine q35 -device intel-iommu,aw-bits=40",
      "aw-bits must be 39, 48 or 57" },
    { "-machine q35 -device intel-iommu,scalable-mode=on,fsts=on,aw-bits=39",
      "x-flts=on needs aw-bits=48" },
    { "-machine q35 -device intel-iommu,nested=on",
      "nested=on needs both stages" },
    { "-machine q35 -device intel-iommu,scalable-mode=on,nested=on",
      "nested=on needs both stages" },
    { "-machine q35 -device intel-iommu,x-pasid-mode=on",
      "PASID support needs scalable mode" },
    { "-machine q35 -device intel-iommu,scalable-mode=on,pasid-bits=21",
      "pasid-bits must be between 0 and 20" },
    { "-machine q35 -device intel-iommu,intremap=off,eim=on",
      "eim=on needs interrupt remapping" },
    { "-machine q35 -device intel-iommu -device intel-iommu",
      "does not support multiple vIOMMUs" },
    { "-machine q35 -device intel-iommu,scalable-mode=on,srs=on",
      "srs=on needs first-stage translation" },
    { "-machine q35 -device intel-iommu,scalable-mode=on,eafs=on",
      "eafs=on needs first-stage translation" },
    { "-machine q35 -device intel-iommu,scalable-mode=on,fsts=on,ssads=on",
      "ssads=on needs the second stage" },
    { "-machine q35 -device intel-iommu,smpwcs=on",
      "smpwcs=on needs scalable mode" },
    { "-machine q35 -device intel-iommu,rps=on",
      "rps=on needs scalable mode" },
    { "-machine q35 -device intel-iommu,scalable-mode=on,prs=on",
      "prs=on needs x-scalable-mode=on,device-iotlb=on" },
    { "-machine q35 -device intel-iommu,nwfs=on",
      "nwfs=on needs device-iotlb=on" },
    { "-machine q35 -device intel-iommu,svm=on", "svm=on needs" },
    { "-machine q35 -device intel-iommu,scalable-mode=on,fsts=on,"
      "device-iotlb=on,svm=on", "pasid-bits=N" },
    { "-machine q35 -device intel-iommu,scalable-mode=on,fsts=on,"
      "pasid-bits=20,svm=on", "device-iotlb=on" },
    { "-machine q35 -device intel-iommu,pasid=on", "pasid=on needs PASIDs" },
    { "-machine q35 -device intel-iommu,nested=perhaps",
      "'nested' expects 'on', 'off' or 'auto'" },
    { "-machine q35 -device intel-iommu,fault-records=9",
      "fault-records must be between 1 and 8" },
    { "-machine q35 -device intel-iommu,fs1gp=maybe", "fs1gp" },
    { "-machine pc -device intel-iommu", "dynamic sysbus device" },
};

/* QEMU must end with status 1 and say why. */
static void check_refused(const char *arguments, const char *message)
{
    g_autofree char *command =
        g_strdup_printf("%s -accel qtest -nodefaults -display none %s",
                        getenv("QTEST_QEMU_BINARY"), arguments);
    g_autofree char *output = NULL;
    int status;

    g_test_message("%s", arguments);
    g_assert_true(g_spawn_command_line_sync(command, NULL, &output, &status,
                                            NULL));
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 1);
    if (!strstr(output, message)) {
        g_error("no '%s' in: %s", message, output);
    }
}

static void test_refused(void)
{
    for (int i = 0; i < ARRAY_SIZE(refused); i++) {
        check_refused(refused[i].arguments, refused[i].message);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/intel-iommu/reported", test_reported);
    qtest_add_func("/intel-iommu/reported/old-machines", test_old_machines);
    qtest_add_func("/intel-iommu/access/halves", test_halves_make_a_whole);
    qtest_add_func("/intel-iommu/access/write-by-halves",
                   test_write_by_halves);
    qtest_add_func("/intel-iommu/access/two-registers",
                   test_write_of_two_registers);
    qtest_add_func("/intel-iommu/access/narrow",
                   test_narrow_access_is_refused);
    qtest_add_func("/intel-iommu/reset", test_reset_restores_all);
    qtest_add_func("/intel-iommu/refused", test_refused);
    return g_test_run();
}
