/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine on the reference host (tests/host, docs/reference-host.rst): QEMU
 * is told that there is a device to pass on, and every call about it ends in a
 * library that is loaded into it.
 */
#ifndef TESTS_QTEST_REFERENCE_HOST_H
#define TESTS_QTEST_REFERENCE_HOST_H

#include "vtd-guest.h"
#include "reference-host-control.h"
#include "qobject/qobject.h"

#define HOST_NESTED "-device intel-iommu,scalable-mode=on,fsts=on,nested=on"
/* What is shown although no device is there yet, no device has. */
#define HOST_PORT HOST_NESTED ",caching-mode=on,ssads=off"
#define HOST_BUS 1 /* of the device that is plugged into the port */

typedef struct Host {
    Guest g;
    RefControl *ref;
    char *control_path;
    char *sysfs; /* what stands for the device's folder below /sys */
    QPCIDevice *port;
} Host;

/* The shared file; @config as in tests/host/control.c. */
Host host_new(const char *config);

/* How a device is passed through, if it is. */
typedef enum HostDevice {
    HOST_NO_DEVICE,
    HOST_BY_IOMMUFD,
    HOST_BY_CONTAINER,
} HostDevice;

/* The devices in slots 4 and 5, for QEMU's command line; to be freed. */
char *host_devices(const Host *h, HostDevice first, HostDevice second);

/* A machine with them from its start; the first one is the guest's. */
void host_start_devices(Host *h, const char *iommu, HostDevice first,
                        HostDevice second);

/* A machine with the device in slot 4 from its start, given by descriptors. */
void host_start(Host *h, const char *iommu);

/* The same by VFIO group and container, and with no iommufd. */
void host_start_container(Host *h, const char *iommu);

/* The device at @devfn of the root bus becomes the one that the guest works
 * with. */
void host_use_device(Host *h, int devfn);

/* The machine is reset, and the device found and enabled anew. */
void host_reset(Host *h);

/* The message of a QEMU that exits with an error instead; to be freed. */
char *host_start_refused(Host *h, const char *iommu);
char *host_devices_refused(Host *h, const char *iommu, HostDevice first,
                           HostDevice second);
char *host_start_container_refused(Host *h, const char *iommu);

/* A property of the unit, the first device of the command line. */
QObject *host_property(const Host *h, const char *name);

/* A machine with an empty port in slot 4; @iommu: HOST_PORT... */
void host_start_port(Host *h, const char *iommu);

/* The device into the port; the error's text, or NULL. */
char *host_plug(Host *h);
char *host_plug_container(Host *h);

/* The port gets power, the device its bus number and BARs. */
void host_power_on(Host *h);

/* Out again, and all that QEMU had of it is closed. */
void host_unplug(Host *h);

/* Ends the machine and removes files. */
void host_finish(Host *h);

typedef struct HostTest {
    const char *name;
    void (*test)(void);
} HostTest;

/* Add @tests under @prefix/NAME. */
void host_add_tests(const char *prefix, const HostTest *tests, unsigned count);

/* Only removes files: the machine did not start. */
void host_free(Host *h);

/* Root, context and PASID table for the device, first-stage tables on top. */
void host_context(Host *h, unsigned pgtt);

/* Call @n of these (0 is the first, -1 the last), or NULL. */
const RefCall *host_call(const Host *h, RefKind kind, unsigned request, int n);
unsigned host_calls(const Host *h, RefKind kind, unsigned request);

#define ANY_CALL 0
#define FOR_EVER UINT32_MAX

/* Let @skip calls pass and fail the next @times ones with @error. */
void host_fail(Host *h, unsigned request, unsigned skip, unsigned times,
               int error);
void host_fail_nothing(Host *h);

/* Polls until @value holds @wanted; fails after a minute. */
void host_wait_for(const int32_t *value, int32_t wanted);

#endif
