/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * usage: vfio-edu GROUP-FILE BDF ABOVE
 *
 * Runs in a test guest: owns QEMU's edu device through a VFIO type1 container
 * and has it copy memory.  What is mapped is copied, and nothing else, by
 * whatever a mapping was replaced.  The buffers' physical addresses are above
 * ABOVE.  Status 0, or 1 with the reason on standard error.
 */
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#define PAGE 4096ul
#define LARGE (4ul << 20)
#define DEADLINE_SECONDS 40

/* Registers of edu, and the one address it knows for its own buffer. */
#define EDU_DMA_SOURCE 0x80
#define EDU_DMA_TARGET 0x88
#define EDU_DMA_COUNT 0x90
#define EDU_DMA_COMMAND 0x98
#define EDU_DMA_IN 1ul
#define EDU_DMA_OUT 3ul
#define EDU_BUFFER 0x40000ul

#define IOVA_FROM 0x12345000ul
#define IOVA_TO 0x7f0000000ul
#define IOVA_LARGE 0x80000000ul

typedef struct Edu {
    int container;
    int device;
    volatile uint64_t *registers;
} Edu;

static void open_container(Edu *edu, const char *path)
{
    struct vfio_group_status status = { .argsz = sizeof(status) };
    int group = open(path, O_RDWR);

    edu->container = open("/dev/vfio/vfio", O_RDWR);
    if (group < 0 || edu->container < 0) {
        err(1, "opening %s", group < 0 ? path : "/dev/vfio/vfio");
    }
    if (ioctl(group, VFIO_GROUP_GET_STATUS, &status) ||
        !(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
        errx(1, "%s is not viable", path);
    }
    if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &edu->container) ||
        ioctl(edu->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU)) {
        err(1, "giving %s to a type1 container", path);
    }
    edu->device = group;
}

static void open_device(Edu *edu, const char *bdf)
{
    struct vfio_region_info bar = { .argsz = sizeof(bar),
                                    .index = VFIO_PCI_BAR0_REGION_INDEX };
    struct vfio_region_info config = { .argsz = sizeof(config),
                                       .index = VFIO_PCI_CONFIG_REGION_INDEX };
    uint16_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

    edu->device = ioctl(edu->device, VFIO_GROUP_GET_DEVICE_FD, bdf);
    if (edu->device < 0 ||
        ioctl(edu->device, VFIO_DEVICE_GET_REGION_INFO, &bar) ||
        ioctl(edu->device, VFIO_DEVICE_GET_REGION_INFO, &config)) {
        err(1, "%s: opening", bdf);
    }
    if (pwrite(edu->device, &command, sizeof(command),
               config.offset + PCI_COMMAND) != sizeof(command)) {
        err(1, "%s: enabling", bdf);
    }
    edu->registers = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
                          edu->device, bar.offset);
    if (edu->registers == MAP_FAILED) {
        err(1, "%s: mapping its registers", bdf);
    }
}

static void transfer(Edu *edu, uint64_t from, uint64_t to, uint64_t command)
{
    time_t end = time(NULL) + DEADLINE_SECONDS;

    edu->registers[EDU_DMA_SOURCE / 8] = from;
    edu->registers[EDU_DMA_TARGET / 8] = to;
    edu->registers[EDU_DMA_COUNT / 8] = PAGE / 2;
    edu->registers[EDU_DMA_COMMAND / 8] = command;
    while (edu->registers[EDU_DMA_COMMAND / 8] & 1) {
        if (time(NULL) > end) {
            errx(1, "the edu device does not get ready");
        }
    }
}

/* Half a page, from one address of the device to another. */
static void copy(Edu *edu, uint64_t from, uint64_t to)
{
    transfer(edu, from, EDU_BUFFER, EDU_DMA_IN);
    transfer(edu, EDU_BUFFER, to, EDU_DMA_OUT);
}

static void map(Edu *edu, uint64_t iova, void *memory, size_t size,
                uint32_t flags)
{
    struct vfio_iommu_type1_dma_map request = {
        .argsz = sizeof(request),
        .flags = flags,
        .vaddr = (uintptr_t)memory,
        .iova = iova,
        .size = size,
    };

    if (ioctl(edu->container, VFIO_IOMMU_MAP_DMA, &request)) {
        err(1, "mapping 0x%lx bytes at 0x%lx", size, iova);
    }
}

static void unmap(Edu *edu, uint64_t iova, size_t size)
{
    struct vfio_iommu_type1_dma_unmap request = {
        .argsz = sizeof(request),
        .iova = iova,
        .size = size,
    };

    if (ioctl(edu->container, VFIO_IOMMU_UNMAP_DMA, &request)) {
        err(1, "unmapping 0x%lx bytes at 0x%lx", size, iova);
    }
}

static uint64_t physical(const void *memory)
{
    int file = open("/proc/self/pagemap", O_RDONLY);
    uint64_t entry;

    if (file < 0 || pread(file, &entry, sizeof(entry),
                          (uintptr_t)memory / PAGE * sizeof(entry)) !=
                        sizeof(entry)) {
        err(1, "reading /proc/self/pagemap");
    }
    close(file);
    return (entry & ((1ull << 55) - 1)) * PAGE;
}

/* Whole pages, the first and the last of them above that address. */
static uint8_t *memory_above(uint64_t above, size_t size)
{
    uint8_t *memory =
        mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        err(1, "allocating memory");
    }
    /* So that the kernel can take large pages for large buffers. */
    memory = (uint8_t *)(((uintptr_t)memory + size - 1) & -size);
    madvise(memory, size, MADV_HUGEPAGE);
    memset(memory, 0, size);
    if (physical(memory) < above || physical(memory + size - PAGE) < above) {
        errx(1, "the memory at 0x%lx is not above 0x%lx", physical(memory),
             above);
    }
    return memory;
}

static bool holds(const uint8_t *memory, uint8_t value)
{
    for (size_t i = 0; i < PAGE / 2; i++) {
        if (memory[i] != value) {
            return false;
        }
    }
    return true;
}

static void expect(const uint8_t *memory, uint8_t value, const char *what)
{
    if (!holds(memory, value)) {
        errx(1, "%s: found 0x%x instead of 0x%x", what, memory[0], value);
    }
}

int main(int argc, char **argv)
{
    const uint32_t readable = VFIO_DMA_MAP_FLAG_READ;
    const uint32_t both = readable | VFIO_DMA_MAP_FLAG_WRITE;
    uint64_t above = argc == 4 ? strtoull(argv[3], NULL, 0) : 0;
    uint8_t *from, *other, *to, *large;
    Edu edu;

    if (argc != 4) {
        errx(1, "usage: vfio-edu GROUP-FILE BDF ABOVE");
    }
    open_container(&edu, argv[1]);
    open_device(&edu, argv[2]);
    from = memory_above(above, PAGE);
    other = memory_above(above, PAGE);
    to = memory_above(above, PAGE);
    large = memory_above(above, LARGE);

    memset(from, 0x11, PAGE);
    memset(other, 0x22, PAGE);
    map(&edu, IOVA_FROM, from, PAGE, readable);
    map(&edu, IOVA_TO, to, PAGE, both);
    copy(&edu, IOVA_FROM, IOVA_TO);
    expect(to, 0x11, "copying a page");

    unmap(&edu, IOVA_FROM, PAGE);
    map(&edu, IOVA_FROM, other, PAGE, readable);
    copy(&edu, IOVA_FROM, IOVA_TO);
    expect(to, 0x22, "copying from a page in place of another");

    map(&edu, IOVA_LARGE, large, LARGE, both);
    memset(large, 0x33, PAGE);
    copy(&edu, IOVA_LARGE, IOVA_LARGE + LARGE - PAGE);
    expect(large + LARGE - PAGE, 0x33, "copying within large pages");
    unmap(&edu, IOVA_LARGE, LARGE);
    copy(&edu, IOVA_FROM, IOVA_LARGE + LARGE - PAGE);
    expect(large + LARGE - PAGE, 0x33, "large pages after their unmapping");

    memset(to, 0x55, PAGE);
    copy(&edu, IOVA_TO, IOVA_FROM);
    expect(other, 0x22, "writing what may be read only");

    memset(to, 0x44, PAGE);
    unmap(&edu, IOVA_FROM, PAGE);
    unmap(&edu, IOVA_TO, PAGE);
    copy(&edu, IOVA_FROM, IOVA_TO);
    expect(to, 0x44, "writing after unmapping");
    return 0;
}
