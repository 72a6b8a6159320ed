/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of the intel-iommu device's properties as users of QEMU's own know
 * them: all of QEMU 10.0's and 11.1's by all their names, those that machines
 * of older versions set, and what is refused, in one sentence.
 *
 * What each combination makes the unit report: intel-iommu-regs-test.c.
 */
#include "qemu/osdep.h"
#include "vtd-guest.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "qobject/qobject.h"
#include "qobject/qjson.h"

/* --- Every property ------------------------------------------------------- */

/* A value other than the default, with what else that needs. */
static const struct {
    const char *name;
    const char *value;
    const char *as_json;
    const char *default_json;
    const char *needs;
} properties[] = {
    { "aw-bits", "39", "39", "48", "" },
    { "caching-mode", "on", "true", "false", "" },
    { "device-iotlb", "on", "true", "false", "" },
    { "dma-drain", "off", "false", "true", "" },
    { "dma-translation", "off", "false", "true", "" },
    { "eim", "on", "\"on\"", "\"auto\"", ",intremap=on" },
    { "fs1gp", "off", "false", "true", "" },
    { "fsts", "on", "true", "false", ",scalable-mode=on" },
    { "intremap", "off", "\"off\"", "\"auto\"", "" },
    { "pasid-bits", "16", "16", "0", ",scalable-mode=on" },
    { "pt", "off", "false", "true", "" },
    { "scalable-mode", "on", "true", "false", "" },
    { "snoop-control", "on", "true", "false", "" },
    { "stale-tm", "on", "true", "false", "" },
    { "svm", "on", "true", "false",
      ",scalable-mode=on,fsts=on,device-iotlb=on,pasid-bits=20" },
    { "version", "2", "2", "0", "" },
    { "x-buggy-eim", "on", "true", "false", "" },
    { "x-flts", "on", "true", "false", ",x-scalable-mode=on" },
    { "x-pasid-mode", "on", "true", "false", ",x-scalable-mode=on" },
    { "x-scalable-mode", "on", "true", "false", "" },
};

static QTestState *start(const char *machine, const char *more)
{
    return qtest_initf("-machine %s -nodefaults -device intel-iommu,id=vtd%s",
                       machine, more);
}

/* Property @name of the device, as JSON. */
static char *property(QTestState *qts, const char *name)
{
    QDict *response = qtest_qmp(qts, "{'execute': 'qom-get', 'arguments': "
                                "{'path': 'vtd', 'property': %s}}", name);
    g_autoptr(GString) json = NULL;

    g_assert_true(qdict_haskey(response, "return"));
    json = qobject_to_json(qdict_get(response, "return"));
    qobject_unref(response);
    return g_strdup(json->str);
}

static void assert_property(QTestState *qts, const char *name,
                            const char *wanted)
{
    g_autofree char *got = property(qts, name);

    g_test_message("%s", name);
    g_assert_cmpstr(got, ==, wanted);
}

static void test_every_property(void)
{
    for (int i = 0; i < ARRAY_SIZE(properties); i++) {
        g_autofree char *more =
            g_strdup_printf(",%s=%s%s", properties[i].name,
                            properties[i].value, properties[i].needs);
        QTestState *qts = start("q35", more);

        assert_property(qts, properties[i].name, properties[i].as_json);
        qtest_quit(qts);
    }
}

/* What introspection and the help say: each once, with the default that the
 * device has.  "eim" and "intremap" are settled when it is realized. */
static void test_defaults(void)
{
    QTestState *qts = start("q35", "");
    QDict *response = qtest_qmp(qts, "{'execute': 'device-list-properties', "
                                "'arguments': {'typename': 'intel-iommu'}}");
    QList *list = qdict_get_qlist(response, "return");

    for (int i = 0; i < ARRAY_SIZE(properties); i++) {
        const QListEntry *entry;
        int found = 0;

        QLIST_FOREACH_ENTRY(list, entry) {
            QDict *info = qobject_to(QDict, qlist_entry_obj(entry));

            if (g_str_equal(qdict_get_str(info, "name"), properties[i].name)) {
                g_autoptr(GString) json =
                    qobject_to_json(qdict_get(info, "default-value"));

                g_assert_cmpstr(json->str, ==, properties[i].default_json);
                found++;
            }
        }
        g_assert_cmpint(found, ==, 1);
        if (!strstr("eim intremap", properties[i].name)) {
            assert_property(qts, properties[i].name,
                            properties[i].default_json);
        }
    }
    qobject_unref(response);
    qtest_quit(qts);
}

/* --- Two names of one property -------------------------------------------- */

static const struct {
    const char *old_name;
    const char *new_name;
} spellings[] = {
    { ",x-scalable-mode=on", ",scalable-mode=on" },
    { ",x-scalable-mode=on,x-flts=on", ",scalable-mode=on,fsts=on" },
    { ",x-scalable-mode=on,x-pasid-mode=on", ",scalable-mode=on,pasid-bits=20" },
    { ",x-scalable-mode=on,x-flts=on,scalable-mode=on,fsts=on",
      ",scalable-mode=on,x-flts=on" },
};

static void test_spellings(void)
{
    uint8_t old_registers[VTD_REG_SPACE], new_registers[VTD_REG_SPACE];

    for (int i = 0; i < ARRAY_SIZE(spellings); i++) {
        QTestState *qts = start("q35", spellings[i].old_name);

        g_test_message("%s", spellings[i].old_name);
        qtest_memread(qts, REGS, old_registers, VTD_REG_SPACE);
        assert_property(qts, "scalable-mode", "true");
        assert_property(qts, "x-scalable-mode", "true");
        qtest_quit(qts);
        qts = start("q35", spellings[i].new_name);
        qtest_memread(qts, REGS, new_registers, VTD_REG_SPACE);
        assert_property(qts, "scalable-mode", "true");
        assert_property(qts, "x-scalable-mode", "true");
        qtest_quit(qts);
        g_assert_cmpmem(old_registers, VTD_REG_SPACE, new_registers,
                        VTD_REG_SPACE);
    }
}

/* A -global is for all, and -device has the last word, by either name. */
static void test_global(void)
{
    QTestState *qts = start("q35", " -global intel-iommu.scalable-mode=on");

    assert_property(qts, "x-scalable-mode", "true");
    qtest_quit(qts);
    qts = start("q35", ",x-scalable-mode=off "
                "-global intel-iommu.x-scalable-mode=on");
    assert_property(qts, "scalable-mode", "false");
    qtest_quit(qts);
}

/* --- Machines of older versions ------------------------------------------- */

/* Up to which version a machine sets the property to something else. */
static const struct {
    const char *name;
    int last; /* major * 100 + minor */
    const char *until;
    const char *since;
} aged[] = {
    { "aw-bits", 901, "39", "48" },
    { "stale-tm", 901, "true", "false" },
    { "dma-drain", 301, "false", "true" },
    { "pt", 209, "false", "true" },
    { "x-buggy-eim", 207, "true", "false" },
};

static int check_machine(const char *machine)
{
    unsigned major, minor;
    QTestState *qts;

    if (sscanf(machine, "pc-q35-%u.%u", &major, &minor) != 2) {
        return 0;
    }
    qts = start(machine, "");
    g_test_message("%s", machine);
    for (int i = 0; i < ARRAY_SIZE(aged); i++) {
        bool old = major * 100 + minor <= aged[i].last;

        assert_property(qts, aged[i].name, old ? aged[i].until
                                               : aged[i].since);
    }
    qtest_quit(qts);
    return 1;
}

static void test_machines(void)
{
    QTestState *qts = qtest_init("-machine none");
    QDict *response = qtest_qmp(qts, "{'execute': 'query-machines'}");
    const QListEntry *entry;
    int checked = 0;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(response, "return"), entry) {
        checked += check_machine(
            qdict_get_str(qobject_to(QDict, qlist_entry_obj(entry)), "name"));
    }
    g_assert_cmpint(checked, >=, 10);
    qobject_unref(response);
    qtest_quit(qts);
}

/* --- What a property does to translations --------------------------------- */

/* Whether DMA through a leaf with @bit set works. */
static void check_leaf_bit(const char *iommu, uint64_t bit, bool works)
{
    Guest g = guest_start(iommu);
    GuestTables p = guest_second_stage();

    p.leaf_bits |= bit;
    guest_map(&g, &p, IOVA, PAGE_A);
    g.scalable = false;
    guest_legacy_context(&g, SID, 0);
    guest_translation_on(&g);
    if (works) {
        guest_assert_maps(&g, IOVA, PAGE_A);
    } else {
        g_assert_cmpint(guest_dma_write(&g, IOVA, 1), ==, SVA_EP_ERR_WRITE);
        guest_assert_fault(&g, SID, 0x0c, false, IOVA);
    }
    guest_finish(&g);
}

static void test_leaf_bits(void)
{
    check_leaf_bit("-device intel-iommu ", VTD_SS_TM, false);
    check_leaf_bit("-device intel-iommu,device-iotlb=on ", VTD_SS_TM, false);
    check_leaf_bit("-device intel-iommu,stale-tm=on,device-iotlb=on ",
                   VTD_SS_TM, true);
    check_leaf_bit("-device intel-iommu ", VTD_SS_SNP, false);
    check_leaf_bit("-device intel-iommu,snoop-control=on ", VTD_SS_SNP, true);
}

static void check_no_translation(const char *iommu)
{
    Guest g = guest_start(iommu);

    qtest_writeq(g.qts, REGS + VTD_REG_RTADDR, ROOT);
    guest_command(&g, VTD_GCMD_SRTP);
    qtest_writel(g.qts, REGS + VTD_REG_GCMD, VTD_GCMD_TE);
    g_assert_cmphex(guest_reg32(&g, VTD_REG_GSTS) & VTD_GCMD_TE, ==, 0);
    guest_assert_maps(&g, PAGE_A, PAGE_A);
    guest_finish(&g);
}

static void test_no_translation(void)
{
    check_no_translation("-device intel-iommu,dma-translation=off ");
    check_no_translation("-device intel-iommu,dma-translation=off,"
                         "scalable-mode=on,fsts=on ");
}

/* --- What is refused ------------------------------------------------------ */

#define DEVICE "-machine q35 -device intel-iommu,"
#define MULTIPLE "QEMU does not support multiple vIOMMUs for x86 yet."

static const struct {
    const char *arguments;
    const char *sentence; /* what follows "qemu-system-x86_64: " */
} refused[] = {
    { DEVICE "fsts=on",
      "intel-iommu: x-flts=on needs scalable mode: add x-scalable-mode=on" },
    { DEVICE "dma-drain=off,scalable-mode=on",
      "intel-iommu: x-scalable-mode=on needs dma-drain=on" },
    { "-machine pc-q35-3.1 -device intel-iommu,scalable-mode=on",
      "intel-iommu: x-scalable-mode=on needs dma-drain=on" },
    { "-machine pc-q35-9.1 -device intel-iommu,scalable-mode=on,fsts=on",
      "intel-iommu: x-flts=on needs aw-bits=48 or 57" },
    { DEVICE "pasid-bits=4",
      "intel-iommu: PASID support needs scalable mode: add x-scalable-mode=on" },
    { DEVICE "aw-bits=64", "intel-iommu: aw-bits must be 39, 48 or 57" },
    { DEVICE "scalable-mode=on,pasid-bits=255",
      "intel-iommu: pasid-bits must be between 0 and 20" },
    { DEVICE "eim=on,intremap=off",
      "intel-iommu: eim=on needs interrupt remapping: add intremap=on" },
    { DEVICE "scalable-mode=off,x-scalable-mode=on",
      "intel-iommu: x-scalable-mode=on contradicts scalable-mode=off: they "
      "are two names of one property, give one of them" },
    { DEVICE "scalable-mode=on,fsts=on,x-flts=off",
      "intel-iommu: fsts=on contradicts x-flts=off: they are two names of one "
      "property, give one of them" },
    { DEVICE "aw-bits=300",
      "Parameter 'aw-bits' expects uint8_t" },
    { DEVICE "caching-mode=maybe",
      "Parameter 'caching-mode' expects 'on' or 'off'" },
    { DEVICE "no-such-property=on",
      "Property 'intel-iommu.no-such-property' not found" },
    { "-machine q35 -device intel-iommu -device intel-iommu", MULTIPLE },
    { "-machine q35 -device intel-iommu -device amd-iommu", MULTIPLE },
    { "-machine pc -device intel-iommu",
      "Parameter 'driver' expects a dynamic sysbus device type for the "
      "machine" },
};

#define QEMU_SAYS "qemu-system-x86_64: "

/* QEMU must end with status 1 and say why, in one line.  One that does not
 * refuse would run for ever. */
static void check_refused(const char *arguments, const char *sentence)
{
    g_autofree char *command =
        g_strdup_printf("timeout 60 %s -accel qtest -nodefaults -display none "
                        "%s",
                        getenv("QTEST_QEMU_BINARY"), arguments);
    g_autofree char *output = NULL;
    const char *end, *said;
    int status;

    g_test_message("%s", arguments);
    g_assert_true(g_spawn_command_line_sync(command, NULL, &output, &status,
                                            NULL));
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 1);
    /* Before it a sanitizer may have said something. */
    said = strstr(output, QEMU_SAYS);
    end = strstr(output, sentence);
    if (!said || !end || end < said || strcmp(end + strlen(sentence), "\n") ||
        strchr(said, '\n') < end) {
        g_error("not in one line '%s': %s", sentence, output);
    }
}

static void test_refused(void)
{
    for (int i = 0; i < ARRAY_SIZE(refused); i++) {
        check_refused(refused[i].arguments, refused[i].sentence);
    }
}

static void test_hotplug_is_refused(void)
{
    QTestState *qts = qtest_init("-machine q35 -nodefaults");
    QDict *response = qtest_qmp(qts, "{'execute': 'device_add', 'arguments': "
                                "{'driver': 'intel-iommu'}}");

    g_assert_cmpstr(qdict_get_str(qdict_get_qdict(response, "error"), "desc"),
                    ==, "Device 'intel-iommu' does not support hotplugging");
    qobject_unref(response);
    qtest_quit(qts);
}

static void test_help(void)
{
    g_autofree char *command =
        g_strdup_printf("%s -device intel-iommu,help",
                        getenv("QTEST_QEMU_BINARY"));
    g_autofree char *output = NULL, *errors = NULL;
    int status;

    g_assert_true(g_spawn_command_line_sync(command, &output, &errors, &status,
                                            NULL));
    g_assert_cmpint(status, ==, 0);
    g_assert_null(strstr(errors, QEMU_SAYS));
    for (int i = 0; i < ARRAY_SIZE(properties); i++) {
        g_autofree char *start_of_line =
            g_strdup_printf("\n  %s=<", properties[i].name);
        const char *at = strstr(output, start_of_line);

        g_test_message("%s", properties[i].name);
        g_assert_nonnull(at);
        g_assert_null(strstr(at + 1, start_of_line));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/intel-iommu/property/every", test_every_property);
    qtest_add_func("/intel-iommu/property/defaults", test_defaults);
    qtest_add_func("/intel-iommu/property/help", test_help);
    qtest_add_func("/intel-iommu/property/spellings", test_spellings);
    qtest_add_func("/intel-iommu/property/global", test_global);
    qtest_add_func("/intel-iommu/property/machines", test_machines);
    qtest_add_func("/intel-iommu/property/leaf-bits", test_leaf_bits);
    qtest_add_func("/intel-iommu/property/no-translation",
                   test_no_translation);
    qtest_add_func("/intel-iommu/property/refused", test_refused);
    qtest_add_func("/intel-iommu/property/refused/hotplug",
                   test_hotplug_is_refused);
    return g_test_run();
}
