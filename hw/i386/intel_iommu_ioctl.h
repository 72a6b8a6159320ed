/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls of the host's kernel that a signal may interrupt.
 */
#ifndef HW_I386_INTEL_IOMMU_IOCTL_H
#define HW_I386_INTEL_IOMMU_IOCTL_H

#include <sys/ioctl.h>

/* A signal that keeps interrupting must not keep us for ever. */
#define VTD_IOCTL_TRIES 16

/* The result of ioctl(), or a negative errno. */
static inline int vtd_ioctl(int fd, unsigned long request,
                            const void *argument)
{
    for (unsigned i = 0; i < VTD_IOCTL_TRIES; i++) {
        int result = ioctl(fd, request, argument);

        if (result >= 0) {
            return result;
        }
        if (errno != EINTR && errno != EAGAIN) {
            break;
        }
    }
    return -errno;
}

#endif
