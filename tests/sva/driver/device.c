/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "driver.h"

#include <linux/dma-mapping.h>
#include <linux/idr.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/slab.h>

#define SLOT_TIMEOUT (10 * HZ)
#define SELF_TEST_PATTERN 0x7465737420666c65ull

static dev_t numbers;
static DEFINE_IDA(ids);

static const struct class sva_class = {
    .name = SVA_NAME,
};

/* --- The immediate slot: DMA by the kernel's own addresses --- */

static irqreturn_t slot_interrupt(int irq, void *opaque)
{
    SvaDevice *device = opaque;

    complete(&device->slot_done);
    return IRQ_HANDLED;
}

/* Runs one command; 0, or -EIO with a line in the log. */
static int slot_run(SvaDevice *device, const struct sva_ep_cmd *command)
{
    const u64 *words = (const u64 *)command;
    bool interrupted;
    unsigned int i;
    u32 status;

    reinit_completion(&device->slot_done);
    for (i = 0; i < SVA_EP_CMD_SIZE / sizeof(u64); i++) {
        writeq(words[i], device->regs + SVA_EP_SLOT_CMD + i * sizeof(u64));
    }
    writel(SVA_EP_DOORBELL_START, device->regs + SVA_EP_SLOT_DOORBELL);
    interrupted = wait_for_completion_timeout(&device->slot_done, SLOT_TIMEOUT);
    status = readl(device->regs + SVA_EP_SLOT_STATUS);
    if (!interrupted || status != SVA_EP_STATUS_DONE) {
        dev_err(&device->pdev->dev,
                "self-test: operation %u: status %u, error %u, %s interrupt\n",
                command->opcode, status,
                readl(device->regs + SVA_EP_SLOT_ERROR),
                interrupted ? "with" : "no");
        return -EIO;
    }
    return 0;
}

/* Fills one page and copies it to another, through the default domain. */
static int self_test(SvaDevice *device)
{
    struct sva_ep_cmd fill = {
        .opcode = SVA_EP_OP_FILL,
        .flags = SVA_EP_FLAG_IRQ,
        .length = PAGE_SIZE,
        .operand = SELF_TEST_PATTERN,
    };
    struct sva_ep_cmd copy = {
        .opcode = SVA_EP_OP_COPY,
        .flags = SVA_EP_FLAG_IRQ,
        .length = PAGE_SIZE,
    };
    struct device *dev = &device->pdev->dev;
    dma_addr_t address;
    u64 *words = dma_alloc_coherent(dev, 2 * PAGE_SIZE, &address, GFP_KERNEL);
    unsigned int i;
    int err;

    if (!words) {
        return -ENOMEM;
    }
    fill.dst = address;
    copy.src = address;
    copy.dst = address + PAGE_SIZE;
    err = slot_run(device, &fill) ?: slot_run(device, &copy);
    for (i = 0; !err && i < 2 * PAGE_SIZE / sizeof(u64); i++) {
        if (words[i] != SELF_TEST_PATTERN) {
            dev_err(dev, "self-test: wrong data at %zu\n", i * sizeof(u64));
            err = -EIO;
        }
    }
    dma_free_coherent(dev, 2 * PAGE_SIZE, words, address);
    return err;
}

/* --- Reset and removal --- */

/* No queue is in use, and none can be opened, when this returns. */
static void end_queues(SvaDevice *device)
{
    unsigned int i;

    mutex_lock(&device->lock);
    device->usable = false;
    for (i = 0; i < device->queue_count; i++) {
        if (device->queues[i]) {
            sva_queue_end(device->queues[i]);
        }
    }
    mutex_unlock(&device->lock);
}

static void set_usable(SvaDevice *device)
{
    mutex_lock(&device->lock);
    device->usable = true;
    mutex_unlock(&device->lock);
}

static void sva_reset_prepare(struct pci_dev *pdev)
{
    end_queues(pci_get_drvdata(pdev));
}

/* The queues that were open stay lost; new ones can be opened. */
static void sva_reset_done(struct pci_dev *pdev)
{
    SvaDevice *device = pci_get_drvdata(pdev);

    if (!self_test(device)) {
        set_usable(device);
    }
}

static void sva_remove(struct pci_dev *pdev)
{
    SvaDevice *device = pci_get_drvdata(pdev);

    cdev_device_del(&device->cdev, &device->dev);
    end_queues(device);
    free_irq(pci_irq_vector(pdev, SVA_EP_VECTOR_DONE), device);
    pci_free_irq_vectors(pdev);
    pci_clear_master(pdev);
    put_device(&device->dev);
}

static void sva_device_release(struct device *dev)
{
    SvaDevice *device = container_of(dev, SvaDevice, dev);

    ida_free(&ids, MINOR(dev->devt));
    kfree(device);
}

/* --- Probe --- */

static SvaDevice *create_device(struct pci_dev *pdev)
{
    SvaDevice *device = kzalloc(sizeof(*device), GFP_KERNEL);
    int id;

    if (!device) {
        return ERR_PTR(-ENOMEM);
    }
    id = ida_alloc_max(&ids, MINORMASK, GFP_KERNEL);
    if (id < 0) {
        kfree(device);
        return ERR_PTR(id);
    }
    device->pdev = pdev;
    mutex_init(&device->lock);
    init_completion(&device->slot_done);
    device_initialize(&device->dev);
    device->dev.devt = MKDEV(MAJOR(numbers), id);
    device->dev.class = &sva_class;
    device->dev.parent = &pdev->dev;
    device->dev.release = sva_device_release;
    cdev_init(&device->cdev, &sva_queue_fops);
    device->cdev.owner = THIS_MODULE;
    return device;
}

/* What devres undoes by itself. */
static int start_pci(SvaDevice *device)
{
    struct pci_dev *pdev = device->pdev;
    int err = pcim_enable_device(pdev);

    if (err) {
        return err;
    }
    device->regs = pcim_iomap_region(pdev, SVA_EP_BAR_REGS, SVA_NAME);
    if (IS_ERR(device->regs)) {
        return PTR_ERR(device->regs);
    }
    if (readl(device->regs + SVA_EP_ID) != SVA_EP_ID_MAGIC) {
        return dev_err_probe(&pdev->dev, -ENODEV, "wrong ID register\n");
    }
    device->queue_count = min_t(u32, readl(device->regs + SVA_EP_QUEUES),
                                SVA_EP_QUEUE_COUNT);
    if (!device->queue_count) {
        return dev_err_probe(&pdev->dev, -ENODEV,
                             "the device has no queues\n");
    }
    err = pcim_request_region(pdev, SVA_EP_BAR_QUEUES, SVA_NAME);
    if (err) {
        return err;
    }
    device->user_pages = pci_resource_start(pdev, SVA_EP_BAR_QUEUES);
    writel(SVA_EP_CONTROL_RESET, device->regs + SVA_EP_CONTROL);
    return dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
}

static int start_dma(SvaDevice *device)
{
    struct pci_dev *pdev = device->pdev;
    int vectors = 1 + device->queue_count;
    int err = pci_alloc_irq_vectors(pdev, vectors, vectors, PCI_IRQ_MSIX);

    if (err < 0) {
        return err;
    }
    err = request_irq(pci_irq_vector(pdev, SVA_EP_VECTOR_DONE), slot_interrupt,
                      0, SVA_NAME, device);
    if (err) {
        pci_free_irq_vectors(pdev);
        return err;
    }
    pci_set_master(pdev);
    err = self_test(device) ?:
          dev_set_name(&device->dev, SVA_NAME "%u", MINOR(device->dev.devt));
    if (!err) {
        device->usable = true;
        err = cdev_device_add(&device->cdev, &device->dev);
    }
    if (err) {
        pci_clear_master(pdev);
        free_irq(pci_irq_vector(pdev, SVA_EP_VECTOR_DONE), device);
        pci_free_irq_vectors(pdev);
    }
    return err;
}

static int sva_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
    SvaDevice *device = create_device(pdev);
    int err;

    if (IS_ERR(device)) {
        return PTR_ERR(device);
    }
    pci_set_drvdata(pdev, device);
    err = start_pci(device) ?: start_dma(device);
    if (err) {
        put_device(&device->dev);
        return err;
    }
    dev_info(&pdev->dev, "%s: %u queues\n", dev_name(&device->dev),
             device->queue_count);
    return 0;
}

static const struct pci_device_id sva_ids[] = {
    { PCI_DEVICE(SVA_EP_PCI_VENDOR, SVA_EP_PCI_DEVICE) },
    {}
};
MODULE_DEVICE_TABLE(pci, sva_ids);

static const struct pci_error_handlers sva_error_handlers = {
    .reset_prepare = sva_reset_prepare,
    .reset_done = sva_reset_done,
};

static struct pci_driver sva_driver = {
    .name = SVA_NAME,
    .id_table = sva_ids,
    .probe = sva_probe,
    .remove = sva_remove,
    .err_handler = &sva_error_handlers,
};

static int __init sva_init(void)
{
    int err = class_register(&sva_class);

    if (err) {
        return err;
    }
    err = alloc_chrdev_region(&numbers, 0, MINORMASK + 1, SVA_NAME);
    if (err) {
        class_unregister(&sva_class);
        return err;
    }
    err = pci_register_driver(&sva_driver);
    if (err) {
        unregister_chrdev_region(numbers, MINORMASK + 1);
        class_unregister(&sva_class);
    }
    return err;
}
module_init(sva_init);

static void __exit sva_exit(void)
{
    pci_unregister_driver(&sva_driver);
    unregister_chrdev_region(numbers, MINORMASK + 1);
    class_unregister(&sva_class);
    ida_destroy(&ids);
}
module_exit(sva_exit);

MODULE_DESCRIPTION("Shared virtual addressing with the sva-endpoint");
MODULE_LICENSE("GPL");
