/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux driver of the sva-endpoint: what its two halves share.
 *
 *   device.c   the PCI function: probe, self-test, reset, removal
 *   queue.c    one open file, one queue, one process
 *
 * Locks, outermost first:
 *
 *   SvaDevice.lock   which queues exist, and whether there may be new ones
 *   SvaQueue.lock    binding and end of one queue
 *   mmap_lock        taken by iommu_sva_bind_device()
 *   SvaQueue.lost_lock   held by page faults, so it waits for nothing
 */
#ifndef SVA_ENDPOINT_DRIVER_H
#define SVA_ENDPOINT_DRIVER_H

#include <linux/cdev.h>
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rwsem.h>
#include <linux/wait.h>

#include "hw/misc/sva_endpoint_regs.h"

#define SVA_NAME "sva-endpoint"

typedef struct SvaQueue SvaQueue;

/* Lives until the last file of it is closed, also without its PCI function. */
typedef struct SvaDevice {
    struct device dev;
    struct cdev cdev;
    struct pci_dev *pdev;       /* valid while @usable */
    void __iomem *regs;         /* likewise */
    phys_addr_t user_pages;
    unsigned int queue_count;
    struct completion slot_done;

    struct mutex lock;
    bool usable;
    SvaQueue *queues[SVA_EP_QUEUE_COUNT];
} SvaDevice;

struct SvaQueue {
    SvaDevice *device;
    struct address_space *mapping;
    unsigned int index;

    struct mutex lock;
    struct iommu_sva *bond;     /* NULL: not bound */
    struct mm_struct *mm;       /* compared only; the bond keeps it */
    unsigned int timeout_ms;

    struct rw_semaphore lost_lock;
    bool lost;                  /* written with both locks held */

    struct wait_queue_head wait;
    atomic64_t interrupts;      /* since the last read */
};

extern const struct file_operations sva_queue_fops;

/*
 * Ends the queue: no DMA, no interrupt and no access to the user page after
 * it returns, and the process is unbound.  May be called again.  Waits for
 * page requests under way.
 */
void sva_queue_end(SvaQueue *queue);

static inline void __iomem *sva_queue_regs(const SvaQueue *queue)
{
    return queue->device->regs + SVA_EP_QUEUE_REG(queue->index, 0);
}

#endif
