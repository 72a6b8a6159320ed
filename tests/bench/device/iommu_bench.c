/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "iommu_bench.h"
#include "iommu_bench_callgrind.h"
#include "qemu/module.h"

static QTAILQ_HEAD(, IommuBench) devices = QTAILQ_HEAD_INITIALIZER(devices);

IommuBench *bench_device(unsigned index)
{
    IommuBench *s;

    QTAILQ_FOREACH(s, &devices, next) {
        if (!index--) {
            return s;
        }
    }
    return NULL;
}

void bench_count(void)
{
    CALLGRIND_TOGGLE_COLLECT;
}

uint64_t bench_thread_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * NANOSECONDS_PER_SECOND + now.tv_nsec;
}

static void command(IommuBench *s, uint64_t number)
{
    switch (number) {
    case BENCH_CMD_ACCESS:
        bench_access(s);
        break;
    case BENCH_CMD_QUEUE:
        bench_queue(s);
        break;
    case BENCH_CMD_SHADOW:
        bench_shadow(s);
        break;
    case BENCH_CMD_THREADS:
        bench_threads(s);
        break;
    case BENCH_CMD_NOTIFY:
        bench_notify(s);
        break;
    case BENCH_CMD_PASIDS:
        bench_make_pasids(s);
        break;
    case BENCH_CMD_FILL:
        bench_fill(s);
        break;
    }
}

static uint64_t bar_read(void *opaque, hwaddr offset, unsigned size)
{
    return *bench_reg(opaque, offset);
}

static void bar_write(void *opaque, hwaddr offset, uint64_t value,
                      unsigned size)
{
    IommuBench *s = opaque;

    *bench_reg(s, offset) = value;
    if (offset == BENCH_COMMAND) {
        *bench_reg(s, BENCH_ERRORS) = 0;
        *bench_reg(s, BENCH_SUM) = 0;
        CALLGRIND_START_INSTRUMENTATION; /* not while QEMU starts: slow */
        CALLGRIND_ZERO_STATS;
        command(s, value);
        CALLGRIND_DUMP_STATS;
    }
}

static const MemoryRegionOps bar_ops = {
    .read = bar_read,
    .write = bar_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .impl = { .min_access_size = 8, .max_access_size = 8 },
    .valid = { .min_access_size = 8, .max_access_size = 8 },
};

static void iommu_bench_realize(PCIDevice *dev, Error **errp)
{
    IommuBench *s = IOMMU_BENCH(dev);

    memory_region_init_io(&s->bar, OBJECT(s), &bar_ops, s, "iommu-bench",
                          BENCH_BAR_SIZE);
    pci_register_bar(dev, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->bar);
    QTAILQ_INSERT_TAIL(&devices, s, next);
}

static void iommu_bench_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *k = PCI_DEVICE_CLASS(klass);

    k->realize = iommu_bench_realize;
    k->vendor_id = PCI_VENDOR_ID_QEMU;
    k->device_id = 0xbe9c;
    k->class_id = PCI_CLASS_OTHERS;
    dc->hotpluggable = false;
}

static const TypeInfo iommu_bench_info = {
    .name = TYPE_IOMMU_BENCH,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(IommuBench),
    .class_init = iommu_bench_class_init,
    .interfaces = (InterfaceInfo[]) {
        { INTERFACE_CONVENTIONAL_PCI_DEVICE }, { } },
};

static void register_types(void)
{
    type_register_static(&iommu_bench_info);
}

type_init(register_types)
