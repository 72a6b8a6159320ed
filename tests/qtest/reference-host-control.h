/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a test and the reference host share: a file that both map.  The test
 * writes the configuration, which counts from the program's start and from each
 * opening of a path on, and injections at any time; it reads counters and the
 * log of calls.  Only whole calls are visible: a test reads after the program
 * has answered it in some other way.
 *
 * The descriptors below exist in the program from its start on.  The paths
 * /dev/iommu, /dev/vfio/devices/NAME, /dev/vfio/GROUP and /dev/vfio/vfio can be
 * opened as well.
 */
#ifndef TESTS_QTEST_REFERENCE_HOST_CONTROL_H
#define TESTS_QTEST_REFERENCE_HOST_CONTROL_H

#include <stdint.h>

/* The environment variable that names the shared file. */
#define REF_CONTROL_VARIABLE "REFERENCE_HOST"

#define REF_IOMMUFD_FD 300
#define REF_DEVICE_FD 310 /* and the following ones: each one more opening */
#define REF_DEVICE_FDS 5  /* ...but the last one, which is of another device */
#define REF_SECOND_FD (REF_DEVICE_FD + REF_DEVICE_FDS - 1)

/* The other one, in /dev/vfio/devices and /dev/vfio. */
#define REF_SECOND_NAME "vfio1"
#define REF_SECOND_GROUP "8"

/*
 * One register that the passed-through device has and the sva-endpoint lacks:
 * the PASID of its requests, with REF_DMA_HAS_PASID.
 */
#define REF_BAR_PASID 0x1060
#define REF_DMA_HAS_PASID (1u << 31)

/* What the unit shows unless the configuration says otherwise. */
#define REF_CAP 0x1100000c00380c06ull /* ND, SAGAW, MGAW, SSLPS, FS1GP, FS5LP */
/* C, QI, PT, SC, NEST, PRS, SRS, EAFS, PSS, PASID, SMTS, SSADS, SSTS, FSTS,
 * SMPWCS */
#define REF_ECAP 0x0001e99ca40000c3ull

typedef enum RefKind {
    REF_ANY,
    REF_IOMMUFD,
    REF_DEVICE,
    REF_FAULT_FD,
    REF_CONTAINER,
    REF_GROUP,
    REF_IOAS,
    REF_HWPT, /* a paging one */
    REF_NESTED,
    REF_FAULT_QUEUE,
    REF_MAP,
    REF_BOUND, /* devices bound to an iommufd */
    REF_ATTACHED, /* of a device, without PASID */
    REF_PASID, /* attached, or allocated from a container */
    REF_BOUND_PASID, /* in a container */
    REF_KINDS,
} RefKind;

/*
 * Calls of @request on descriptors of @kind that pass first, and that fail
 * then.  Zero: any request, any kind.  A slot with @times 0 is free.
 */
typedef struct RefInjection {
    uint32_t request;
    uint32_t kind;
    uint32_t skip;
    uint32_t times;
    int32_t error;
    uint32_t spares_ioas; /* calls that map and unmap in this one pass */
    uint32_t done; /* array calls: entries that take effect before the error */
    uint32_t silent; /* array calls: the error leaves the count as it was */
    uint32_t spares_maps; /* calls that map and unmap in a container pass */
} RefInjection;

typedef struct RefCall {
    uint32_t kind;
    uint32_t request;
    int64_t result; /* value, or -errno */
    uint32_t injected;
    uint32_t size; /* of the argument, as the caller says */
    uint32_t extra_size; /* of what the argument points at */
    uint64_t arg;
    uint8_t data[96]; /* the argument before the call */
    uint8_t extra[480];
} RefCall;

#define REF_INJECTIONS 4
#define REF_LOG 2048

typedef struct RefControl {
    char config[1024];
    RefInjection injection[REF_INJECTIONS];
    uint32_t calls; /* log[calls % REF_LOG] is written next */
    uint32_t injected;
    int32_t live[REF_KINDS];
    int32_t leaked[REF_KINDS]; /* still there when their descriptor closed */
    uint32_t dma_refused; /* accesses of the device that were not translated */
    uint32_t dma_lost; /* to memory that is no longer there: never right */
    uint32_t cached; /* translations that the unit holds */
    RefCall log[REF_LOG];
} RefControl;

#endif
