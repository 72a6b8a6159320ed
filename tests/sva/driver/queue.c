/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "driver.h"

#include <linux/interrupt.h>
#include <linux/iommu.h>
#include <linux/iopoll.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "sva_endpoint_ioctl.h"

/* What the device needs to stop, beyond the time-out of a page request. */
#define STOP_GRACE_MS 5000

static irqreturn_t queue_interrupt(int irq, void *opaque)
{
    SvaQueue *queue = opaque;

    atomic64_inc(&queue->interrupts);
    wake_up_interruptible(&queue->wait);
    return IRQ_HANDLED;
}

static int queue_vector(const SvaQueue *queue)
{
    return pci_irq_vector(queue->device->pdev,
                          SVA_EP_VECTOR_QUEUE(queue->index));
}

/* --- The end of a queue --- */

/* The process's accesses to the user page raise SIGBUS from now on. */
static void queue_revoke(SvaQueue *queue)
{
    down_write(&queue->lost_lock);
    queue->lost = true;
    up_write(&queue->lost_lock);
    unmap_mapping_range(queue->mapping, 0, PAGE_SIZE, true);
    wake_up_all(&queue->wait);
}

/*
 * The order that iommu_sva_unbind_device() asks for: the device sends nothing
 * more with the PASID and has all its page responses, then the PASID goes.
 */
static void queue_stop_hardware(SvaQueue *queue)
{
    u32 state;

    writel(0, sva_queue_regs(queue) + SVA_EP_QCTL);
    if (readl_poll_timeout(sva_queue_regs(queue) + SVA_EP_QSTATE, state,
                           state == SVA_EP_QSTATE_DISABLED, 100,
                           (queue->timeout_ms + STOP_GRACE_MS) * 1000ull)) {
        dev_err(&queue->device->pdev->dev, "queue %u does not stop: state %u\n",
                queue->index, state);
    }
}

void sva_queue_end(SvaQueue *queue)
{
    mutex_lock(&queue->lock);
    if (!queue->lost) {
        queue_revoke(queue);
        queue_stop_hardware(queue);
        free_irq(queue_vector(queue), queue);
        if (queue->bond) {
            iommu_sva_unbind_device(queue->bond);
        }
    }
    mutex_unlock(&queue->lock);
}

static int queue_release(struct inode *inode, struct file *file)
{
    SvaQueue *queue = file->private_data;
    SvaDevice *device = queue->device;

    sva_queue_end(queue);
    mutex_lock(&device->lock);
    device->queues[queue->index] = NULL;
    mutex_unlock(&device->lock);
    kfree(queue);
    return 0;
}

/* --- The beginning of a queue --- */

static int queue_claim(SvaQueue *queue)
{
    SvaDevice *device = queue->device;
    unsigned int i = 0;
    int err;

    if (!device->usable) {
        return -ENODEV;
    }
    while (i < device->queue_count && device->queues[i]) {
        i++;
    }
    if (i == device->queue_count) {
        return -EBUSY;
    }
    queue->index = i;
    err = request_irq(queue_vector(queue), queue_interrupt, 0, SVA_NAME, queue);
    if (!err) {
        device->queues[i] = queue;
    }
    return err;
}

static int queue_open(struct inode *inode, struct file *file)
{
    SvaDevice *device = container_of(inode->i_cdev, SvaDevice, cdev);
    SvaQueue *queue = kzalloc(sizeof(*queue), GFP_KERNEL);
    int err;

    if (!queue) {
        return -ENOMEM;
    }
    queue->device = device;
    queue->mapping = file->f_mapping;
    mutex_init(&queue->lock);
    init_rwsem(&queue->lost_lock);
    init_waitqueue_head(&queue->wait);
    mutex_lock(&device->lock);
    err = queue_claim(queue);
    mutex_unlock(&device->lock);
    if (err) {
        kfree(queue);
        return err;
    }
    file->private_data = queue;
    return stream_open(inode, file);
}

/* With the lock held, on a queue that is not lost. */
static int queue_bind(SvaQueue *queue, struct sva_ep_bind *request)
{
    u32 control = SVA_EP_QCTL_ENABLE | SVA_EP_QCTL_PASID;
    struct iommu_sva *bond;

    if (queue->bond) {
        return -EBUSY;
    }
    bond = iommu_sva_bind_device(&queue->device->pdev->dev, current->mm);
    if (IS_ERR(bond)) {
        return PTR_ERR(bond);
    }
    queue->bond = bond;
    queue->mm = current->mm;
    queue->timeout_ms = request->timeout_ms ?: SVA_EP_BIND_TIMEOUT_MAX;
    request->pasid = iommu_sva_get_pasid(bond);
    request->queue = queue->index;

    if (request->flags & SVA_EP_BIND_ATS) {
        control |= SVA_EP_QCTL_ATS;
    }
    if (request->flags & SVA_EP_BIND_PRI) {
        control |= SVA_EP_QCTL_PRI;
    }
    writel(request->pasid, sva_queue_regs(queue) + SVA_EP_QPASID);
    writel(queue->timeout_ms, sva_queue_regs(queue) + SVA_EP_QTIMEOUT);
    writel(control, sva_queue_regs(queue) + SVA_EP_QCTL);
    return 0;
}

static long queue_ioctl(struct file *file, unsigned int command,
                        unsigned long argument)
{
    SvaQueue *queue = file->private_data;
    struct sva_ep_bind request;
    int err;

    if (command != SVA_EP_IOC_BIND) {
        return -ENOTTY;
    }
    if (copy_from_user(&request, (void __user *)argument, sizeof(request))) {
        return -EFAULT;
    }
    if (request.flags & ~(SVA_EP_BIND_ATS | SVA_EP_BIND_PRI) ||
        request.timeout_ms > SVA_EP_BIND_TIMEOUT_MAX ||
        (request.flags & SVA_EP_BIND_PRI &&
         !(request.flags & SVA_EP_BIND_ATS))) {
        return -EINVAL;
    }
    mutex_lock(&queue->lock);
    err = queue->lost ? -ENODEV : queue_bind(queue, &request);
    mutex_unlock(&queue->lock);
    if (!err && copy_to_user((void __user *)argument, &request,
                             sizeof(request))) {
        err = -EFAULT;
    }
    return err;
}

/* --- The user page --- */

static vm_fault_t queue_fault(struct vm_fault *vmf)
{
    SvaQueue *queue = vmf->vma->vm_private_data;
    vm_fault_t result = VM_FAULT_SIGBUS;

    down_read(&queue->lost_lock);
    if (!queue->lost) {
        phys_addr_t page = queue->device->user_pages +
                           SVA_EP_UQ_REG(queue->index, 0);

        result = vmf_insert_pfn(vmf->vma, vmf->address, PHYS_PFN(page));
    }
    up_read(&queue->lost_lock);
    return result;
}

static const struct vm_operations_struct queue_vm_ops = {
    .fault = queue_fault,
};

/*
 * Whoever has the page makes the device work in the bound address space, so
 * no other process gets it, neither by an inherited file nor by fork.
 */
static int queue_mmap(struct file *file, struct vm_area_struct *vma)
{
    SvaQueue *queue = file->private_data;

    if (vma->vm_pgoff || vma_pages(vma) != 1 || !(vma->vm_flags & VM_SHARED)) {
        return -EINVAL;
    }
    /* Not the lock: binding takes it before the mmap_lock. */
    if (READ_ONCE(queue->lost)) {
        return -ENODEV;
    }
    if (READ_ONCE(queue->mm) != current->mm) {
        return -EPERM;
    }
    vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP |
                          VM_DONTCOPY);
    vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
    vma->vm_private_data = queue;
    vma->vm_ops = &queue_vm_ops;
    return 0;
}

/* --- Interrupts --- */

static ssize_t queue_read(struct file *file, char __user *buffer, size_t size,
                          loff_t *unused)
{
    SvaQueue *queue = file->private_data;
    u64 count;
    int err;

    if (size < sizeof(count)) {
        return -EINVAL;
    }
    if (!(file->f_flags & O_NONBLOCK)) {
        err = wait_event_interruptible(queue->wait,
                                       READ_ONCE(queue->lost) ||
                                       atomic64_read(&queue->interrupts));
        if (err) {
            return err;
        }
    }
    if (READ_ONCE(queue->lost)) {
        return -ENODEV;
    }
    count = atomic64_xchg(&queue->interrupts, 0);
    if (!count) {
        return -EAGAIN;
    }
    return put_user(count, (u64 __user *)buffer) ?: sizeof(count);
}

static __poll_t queue_poll(struct file *file, struct poll_table_struct *table)
{
    SvaQueue *queue = file->private_data;

    poll_wait(file, &queue->wait, table);
    if (READ_ONCE(queue->lost)) {
        return EPOLLHUP | EPOLLERR;
    }
    return atomic64_read(&queue->interrupts) ? EPOLLIN | EPOLLRDNORM : 0;
}

const struct file_operations sva_queue_fops = {
    .owner = THIS_MODULE,
    .open = queue_open,
    .release = queue_release,
    .unlocked_ioctl = queue_ioctl,
    .mmap = queue_mmap,
    .read = queue_read,
    .poll = queue_poll,
};
