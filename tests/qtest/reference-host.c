/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"
#include "reference-host.h"
#include "hw/pci/pci_regs.h"
#include "qemu/atomic.h"
#include "qobject/qdict.h"

#include <glib/gstdio.h>

#define PORT_MACHINE MACHINE \
    "-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off " \
    "-object iommufd,id=iommufd0 " \
    "-device pcie-root-port,id=rp,addr=4,chassis=1 "

static const char *library(void)
{
    const char *path = g_getenv("REFERENCE_HOST_LIBRARY");

    if (!path) {
        g_error("this test runs on the reference host: use make check-host");
    }
    return path;
}

/*
 * As below /sys, as far as QEMU looks; the number is that of /dev/null.  It
 * lies beside the library, where a test that fails leaves it.
 */
static void make_device(const char *top, const char *name, const char *number)
{
    g_autofree char *folder = g_build_filename(top, "vfio-dev", name, NULL);
    g_autofree char *dev = g_build_filename(folder, "dev", NULL);
    g_autofree char *group = g_build_filename(top, "iommu_group", NULL);
    g_autofree char *target = g_build_filename("..", "iommu_groups", number,
                                               NULL);

    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    g_assert_true(g_file_set_contents(dev, "1:3\n", -1, NULL));
    g_assert_cmpint(symlink(target, group), ==, 0);
}

static char *make_sysfs(void)
{
    g_autofree char *beside = g_path_get_dirname(library());
    char *top = g_mkdtemp(g_build_filename(beside, "run-XXXXXX", NULL));
    g_autofree char *second = g_build_filename(top, "second", NULL);

    make_device(top, "vfio0", "7");
    make_device(second, REF_SECOND_NAME, REF_SECOND_GROUP);
    return top;
}

Host host_new(const char *config)
{
    Host h = { .sysfs = make_sysfs() };
    int fd;

    h.control_path = g_build_filename(h.sysfs, "control", NULL);
    fd = g_open(h.control_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, sizeof(*h.ref)), ==, 0);
    h.ref = mmap(NULL, sizeof(*h.ref), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                 0);
    g_assert_true(h.ref != MAP_FAILED);
    close(fd);
    g_assert_cmpint(strlen(config), <, sizeof(h.ref->config));
    strcpy(h.ref->config, config);
    return h;
}

/* For the machine only: this program itself is not to meet the library. */
static void set_variables(Host *h, bool on)
{
    if (on) {
        g_setenv(REF_CONTROL_VARIABLE, h->control_path, true);
        g_setenv("LD_PRELOAD", library(), true);
    } else {
        g_unsetenv("LD_PRELOAD");
        g_unsetenv(REF_CONTROL_VARIABLE);
    }
}

static QTestState *start(Host *h, const char *arguments)
{
    QTestState *qts;

    set_variables(h, true);
    qts = qtest_init(arguments);
    set_variables(h, false);
    h->g.qts = qts;
    h->g.bus = qpci_new_pc(qts, NULL);
    h->g.scalable = true;
    return qts;
}

static void find_device(Host *h, int devfn)
{
    h->g.dev = qpci_device_find(h->g.bus, devfn);
    g_assert_nonnull(h->g.dev);
    qpci_device_enable(h->g.dev);
    h->g.bar = qpci_iomap(h->g.dev, SVA_EP_BAR_REGS, NULL);
}

char *host_devices(const Host *h, HostDevice first, HostDevice second)
{
    GString *text = g_string_new(NULL);
    const HostDevice devices[] = { first, second };

    if (first == HOST_BY_IOMMUFD || second == HOST_BY_IOMMUFD) {
        g_string_append_printf(text, "-object iommufd,id=iommufd0,fd=%d",
                               REF_IOMMUFD_FD);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(devices); i++) {
        if (devices[i] == HOST_BY_IOMMUFD) {
            g_string_append_printf(text, " -device vfio-pci,fd=%d,"
                                   "iommufd=iommufd0,addr=%u",
                                   i ? REF_SECOND_FD : REF_DEVICE_FD, 4 + i);
        } else if (devices[i] == HOST_BY_CONTAINER) {
            g_string_append_printf(text, " -device vfio-pci,sysfsdev=%s%s,"
                                   "addr=%u",
                                   h->sysfs, i ? "/second" : "", 4 + i);
        }
    }
    return g_string_free(text, false);
}

void host_start_devices(Host *h, const char *iommu, HostDevice first,
                        HostDevice second)
{
    g_autofree char *devices = host_devices(h, first, second);
    g_autofree char *arguments = g_strdup_printf(MACHINE "%s %s", iommu,
                                                 devices);

    start(h, arguments);
    find_device(h, SID);
}

void host_start(Host *h, const char *iommu)
{
    host_start_devices(h, iommu, HOST_BY_IOMMUFD, HOST_NO_DEVICE);
}

void host_start_container(Host *h, const char *iommu)
{
    host_start_devices(h, iommu, HOST_BY_CONTAINER, HOST_NO_DEVICE);
}

void host_use_device(Host *h, int devfn)
{
    g_free(h->g.dev);
    find_device(h, devfn);
}

void host_reset(Host *h)
{
    qtest_system_reset(h->g.qts);
    h->g.bus->mmio_alloc_ptr = h->g.bar.addr;
    h->g.tail = 0;
    g_free(h->g.dev);
    find_device(h, SID);
}

char *host_devices_refused(Host *h, const char *iommu, HostDevice first,
                           HostDevice second)
{
    g_autofree char *devices = host_devices(h, first, second);
    g_autofree char *command =
        g_strdup_printf("timeout 60 %s " MACHINE "%s %s -display none "
                        "-accel qtest",
                        g_getenv("QTEST_QEMU_BINARY"), iommu, devices);
    char *message = NULL;
    int status;

    set_variables(h, true);
    g_assert_true(g_spawn_command_line_sync(command, NULL, &message, &status,
                                            NULL));
    set_variables(h, false);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 1);
    return message;
}

char *host_start_refused(Host *h, const char *iommu)
{
    return host_devices_refused(h, iommu, HOST_BY_IOMMUFD, HOST_NO_DEVICE);
}

char *host_start_container_refused(Host *h, const char *iommu)
{
    return host_devices_refused(h, iommu, HOST_BY_CONTAINER, HOST_NO_DEVICE);
}

QObject *host_property(const Host *h, const char *name)
{
    g_autoptr(QDict) reply = qtest_qmp(
        h->g.qts,
        "{ 'execute': 'qom-get', 'arguments': { 'path': "
        "'/machine/peripheral-anon/device[0]', 'property': %s } }", name);

    g_assert_true(qdict_haskey(reply, "return"));
    return qobject_ref(qdict_get(reply, "return"));
}

void host_start_port(Host *h, const char *iommu)
{
    g_autofree char *arguments = g_strdup_printf("%s " PORT_MACHINE, iommu);

    start(h, arguments);
    h->port = qpci_device_find(h->g.bus, SID);
    qpci_config_writeb(h->port, PCI_SECONDARY_BUS, HOST_BUS);
    qpci_config_writeb(h->port, PCI_SUBORDINATE_BUS, HOST_BUS);
    qpci_config_writew(h->port, PCI_MEMORY_BASE, 0xe000);
    qpci_config_writew(h->port, PCI_MEMORY_LIMIT, 0xe000);
    qpci_device_enable(h->port);
}

static char *error_of(QDict *answer)
{
    char *text = NULL;

    if (qdict_haskey(answer, "error")) {
        text = g_strdup(qdict_get_str(qdict_get_qdict(answer, "error"),
                                      "desc"));
    }
    qobject_unref(answer);
    return text;
}

char *host_plug(Host *h)
{
    return error_of(qtest_qmp(h->g.qts,
        "{'execute': 'device_add', 'arguments': {'driver': 'vfio-pci', "
        "'id': 'dev', 'bus': 'rp', 'addr': '0', 'sysfsdev': %s, "
        "'iommufd': 'iommufd0'}}", h->sysfs));
}

char *host_plug_container(Host *h)
{
    return error_of(qtest_qmp(h->g.qts,
        "{'execute': 'device_add', 'arguments': {'driver': 'vfio-pci', "
        "'id': 'dev', 'bus': 'rp', 'addr': '0', 'sysfsdev': %s}}",
        h->sysfs));
}

static void set_slot(Host *h, uint16_t control)
{
    uint8_t cap = qpci_find_capability(h->port, PCI_CAP_ID_EXP, 0);

    qpci_config_writew(h->port, cap + PCI_EXP_SLTCTL, control);
}

void host_power_on(Host *h)
{
    set_slot(h, PCI_EXP_SLTCTL_PWR_ON | PCI_EXP_SLTCTL_PWR_IND_ON);
    find_device(h, HOST_BUS << 8);
}

void host_unplug(Host *h)
{
    QDict *answer;

    if (h->g.dev) {
        h->g.bus->mmio_alloc_ptr = h->g.bar.addr; /* for the next device */
        set_slot(h, PCI_EXP_SLTCTL_PWR_ON | PCI_EXP_SLTCTL_PWR_IND_OFF);
        g_free(h->g.dev);
        h->g.dev = NULL;
    }
    answer = qtest_qmp(h->g.qts, "{'execute': 'device_del', "
                                 "'arguments': {'id': 'dev'}}");
    g_assert_true(qdict_haskey(answer, "return"));
    qobject_unref(answer);
    set_slot(h, PCI_EXP_SLTCTL_PWR_OFF | PCI_EXP_SLTCTL_PWR_IND_OFF);
    host_wait_for(&h->ref->live[REF_DEVICE], REF_DEVICE_FDS);
    qtest_qmp_eventwait(h->g.qts, "DEVICE_DELETED");
}

void host_free(Host *h)
{
    g_autofree char *command = g_strdup_printf("rm -r '%s'", h->sysfs);

    munmap(h->ref, sizeof(*h->ref));
    g_assert_cmpint(system(command), ==, 0);
    g_free(h->control_path);
    g_free(h->sysfs);
}

void host_finish(Host *h)
{
    g_free(h->g.dev);
    g_free(h->port);
    qpci_free_pc(h->g.bus);
    qtest_quit(h->g.qts);
    host_free(h);
}

void host_add_tests(const char *prefix, const HostTest *tests, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        g_autofree char *path = g_strdup_printf("%s/%s", prefix,
                                                tests[i].name);

        qtest_add_func(path, tests[i].test);
    }
}

void host_context(Host *h, unsigned pgtt)
{
    unsigned bus = h->port ? HOST_BUS : 0, devfn = h->port ? 0 : SID;

    qtest_writeq(h->g.qts, ROOT + bus * 16, CONTEXT | VTD_ROOT_P);
    qtest_writeq(h->g.qts, CONTEXT + devfn * 32, PASID_DIR | VTD_SMCTX_P);
    qtest_writeq(h->g.qts, PASID_DIR, PASID_TABLE | VTD_PDIR_P);
    guest_pasid_entry(&h->g, pgtt);
}

/* --- The log and injections ---------------------------------------------- */

const RefCall *host_call(const Host *h, RefKind kind, unsigned request, int n)
{
    const RefCall *last = NULL;

    g_assert_cmpint(h->ref->calls, <, REF_LOG); /* it has not wrapped */
    for (unsigned i = 0; i < h->ref->calls; i++) {
        const RefCall *call = &h->ref->log[i];

        if (call->kind == kind && call->request == request) {
            last = call;
            if (n-- == 0) {
                return call;
            }
        }
    }
    return n < 0 ? last : NULL;
}

unsigned host_calls(const Host *h, RefKind kind, unsigned request)
{
    unsigned count = 0;

    while (host_call(h, kind, request, count)) {
        count++;
    }
    return count;
}

void host_fail(Host *h, unsigned request, unsigned skip, unsigned times,
               int error)
{
    RefInjection *in = &h->ref->injection[0];

    in->request = request;
    in->skip = skip;
    in->error = error;
    in->times = times;
}

void host_fail_nothing(Host *h)
{
    h->ref->injection[0].times = 0;
}

void host_wait_for(const int32_t *value, int32_t wanted)
{
    gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

    while (qatomic_read(value) != wanted) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_usleep(1000);
    }
}
