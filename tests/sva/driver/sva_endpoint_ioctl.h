/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the Linux driver of the sva-endpoint offers to programs.
 *
 * /dev/sva-endpointN: each open file owns one queue of the device until it is
 * closed; EBUSY when all are taken.
 *
 *   ioctl   SVA_EP_IOC_BIND: the queue gets the address space of the caller
 *   mmap    one page, shared, offset 0, once bound, by the bound process: the
 *           queue's user page (SVA_EP_UQ_* in sva_endpoint_regs.h)
 *   read    8 bytes: the interrupts since the last read; waits for one, or
 *           EAGAIN with O_NONBLOCK
 *   poll    POLLIN: there are some; POLLHUP | POLLERR: the queue is lost
 *
 * A queue is lost when the device was reset or taken from its driver.  Every
 * call on the file then fails with ENODEV, an access to the mapped page raises
 * SIGBUS, and all that is left to do is to close it.
 */
#ifndef SVA_ENDPOINT_IOCTL_H
#define SVA_ENDPOINT_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Flags of a binding. */
#define SVA_EP_BIND_ATS (1u << 0) /* with the device's own TLB */
#define SVA_EP_BIND_PRI (1u << 1) /* ask for absent pages; needs ATS */

/* Longest wait for a page, in milliseconds: emulated kernels are slow. */
#define SVA_EP_BIND_TIMEOUT_MAX 60000

struct sva_ep_bind {
    __u32 flags;
    __u32 timeout_ms; /* wait for a page; 0: SVA_EP_BIND_TIMEOUT_MAX */
    __u32 pasid;      /* out */
    __u32 queue;      /* out: number of the queue in the device */
};

/* EBUSY: the file is bound already.  Else what iommu_sva_bind_device() says. */
#define SVA_EP_IOC_BIND _IOWR(0xe5, 0, struct sva_ep_bind)

#endif
