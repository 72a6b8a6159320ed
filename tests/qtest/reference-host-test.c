/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the reference host itself, without QEMU: this program is the one
 * that passes a device on.  It is as strict as the kernel, and its unit keeps
 * what it is not told to forget; the tests that build on it rely on both.
 */
#include "qemu/osdep.h"

#include <sys/ioctl.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>

#include "hw/i386/intel_iommu_uapi2020.h"
#include "hw/misc/sva_endpoint_regs.h"
#include "reference-host-control.h"

#define PAGE 4096ull
#define MEMORY (64 * PAGE)
#define TABLES 0x10000ull /* in the memory */
#define PAGE_A 0x20000ull
#define PAGE_B 0x21000ull
#define IOVA 0x7f1234567000ull
#define CONFIG_OFFSET (7ull << 40)
#define PASID 5

static RefControl *ref;
static uint8_t *memory; /* of a guest, at address 0 */
static int device = -1, iommufd = -1, container = -1, group = -1;
static uint32_t ioas, dev_id;

/* --- Both sides ---------------------------------------------------------- */

static void configure(const char *text)
{
    strcpy(ref->config, text);
    memset(ref->leaked, 0, sizeof(ref->leaked));
}

/* 0 or a value, or -errno. */
static int call(int fd, unsigned long request, void *arg)
{
    int result = ioctl(fd, request, arg);

    return result < 0 ? -errno : result;
}

#define assert_call(fd, request, arg, wanted) \
    g_assert_cmpint(call(fd, request, arg), ==, wanted)

static uint64_t *entry_at(uint64_t gpa)
{
    return (uint64_t *)(memory + gpa);
}

/* First-stage tables, one for each level, that map IOVA to @page. */
static void map_page(unsigned levels, uint64_t page)
{
    uint64_t table = TABLES;

    for (unsigned level = levels; level > 1; level--, table += PAGE) {
        entry_at(table)[IOVA >> (12 + 9 * (level - 1)) & 0x1ff] =
            (table + PAGE) | 7;
    }
    entry_at(table)[IOVA >> 12 & 0x1ff] = page ? page | 7 : 0;
}

static uint32_t bar32(uint64_t offset)
{
    uint32_t value;

    g_assert_cmpint(pread(device, &value, 4, offset), ==, 4);
    return value;
}

/* DMA of 8 bytes of @value to @iova; the engine's status. */
static uint32_t dma(uint64_t iova, uint64_t value, uint32_t pasid)
{
    const uint16_t master = 6;
    const struct sva_ep_cmd cmd = {
        .opcode = SVA_EP_OP_FILL, .dst = iova, .length = 8, .operand = value,
    };
    const uint32_t start = SVA_EP_DOORBELL_START;

    g_assert_cmpint(pwrite(device, &master, 2, CONFIG_OFFSET + 4), ==, 2);
    g_assert_cmpint(pwrite(device, &pasid, 4, REF_BAR_PASID), ==, 4);
    g_assert_cmpint(pwrite(device, &cmd, sizeof(cmd), SVA_EP_SLOT_CMD), ==,
                    sizeof(cmd));
    g_assert_cmpint(pwrite(device, &start, 4, SVA_EP_SLOT_DOORBELL), ==, 4);
    return bar32(SVA_EP_SLOT_STATUS);
}

static void assert_dma(uint64_t iova, uint32_t pasid, uint64_t page)
{
    static uint64_t value;

    value++;
    g_assert_cmpint(dma(iova, value, pasid), ==, SVA_EP_STATUS_DONE);
    g_assert_cmphex(*entry_at(page), ==, value);
}

static void assert_no_dma(uint64_t iova, uint32_t pasid)
{
    g_assert_cmpint(dma(iova, 1, pasid), ==, SVA_EP_STATUS_ERROR);
}

/* --- iommufd ------------------------------------------------------------- */

static int map(uint64_t iova, uint64_t length, uint32_t flags)
{
    struct iommu_ioas_map arg = {
        .size = sizeof(arg), .flags = flags | IOMMU_IOAS_MAP_FIXED_IOVA,
        .ioas_id = ioas, .user_va = (uintptr_t)memory, .iova = iova,
        .length = length,
    };

    return call(iommufd, IOMMU_IOAS_MAP, &arg);
}

#define READ_WRITE (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)

static void open_iommufd(const char *config)
{
    struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
    struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };

    configure(config);
    iommufd = open("/dev/iommu", O_RDWR);
    device = open("/dev/vfio/devices/vfio0", O_RDWR);
    g_assert_true(iommufd >= 0 && device >= 0);
    bind.iommufd = iommufd;
    assert_call(device, VFIO_DEVICE_GET_INFO, &bind, -EINVAL);
    assert_call(device, VFIO_DEVICE_BIND_IOMMUFD, &bind, 0);
    dev_id = bind.out_devid;
    assert_call(iommufd, IOMMU_IOAS_ALLOC, &alloc, 0);
    ioas = alloc.out_ioas_id;
    memset(memory, 0, MEMORY);
    g_assert_cmpint(map(0, MEMORY, READ_WRITE), ==, 0);
}

static void close_all(void)
{
    int *const fds[] = { &device, &iommufd, &group, &container };

    for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
        if (*fds[i] >= 0) {
            close(*fds[i]);
            *fds[i] = -1;
        }
    }
    for (RefKind kind = REF_CONTAINER; kind < REF_KINDS; kind++) {
        g_assert_cmpint(ref->live[kind], ==, 0);
    }
}

static int hwpt(uint32_t pt, uint32_t flags, uint32_t *id)
{
    struct iommu_hwpt_alloc arg = {
        .size = sizeof(arg), .flags = flags, .dev_id = dev_id, .pt_id = pt,
    };
    int result = call(iommufd, IOMMU_HWPT_ALLOC, &arg);

    *id = arg.out_hwpt_id;
    return result;
}

static int nested(uint32_t parent, unsigned width, uint32_t flags,
                  uint32_t fault, uint32_t *id)
{
    struct iommu_hwpt_vtd_s1 s1 = { .pgtbl_addr = TABLES,
                                    .addr_width = width };
    struct iommu_hwpt_alloc arg = {
        .size = sizeof(arg), .flags = flags, .dev_id = dev_id,
        .pt_id = parent, .data_type = IOMMU_HWPT_DATA_VTD_S1,
        .data_len = sizeof(s1), .data_uptr = (uintptr_t)&s1,
        .fault_id = fault,
    };
    int result = call(iommufd, IOMMU_HWPT_ALLOC, &arg);

    *id = arg.out_hwpt_id;
    return result;
}

static int attach(uint32_t id, uint32_t pasid)
{
    uint32_t arg[4] = { pasid ? 16 : 12, !!pasid, id, pasid };

    return call(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, arg);
}

static int detach(uint32_t pasid)
{
    uint32_t arg[3] = { pasid ? 12 : 8, !!pasid, pasid };

    return call(device, VFIO_DEVICE_DETACH_IOMMUFD_PT, arg);
}

static int destroy(uint32_t id)
{
    struct iommu_destroy arg = { .size = sizeof(arg), .id = id };

    return call(iommufd, IOMMU_DESTROY, &arg);
}

static int invalidate(uint32_t id, const void *entries, uint32_t len,
                      uint32_t *num)
{
    struct iommu_hwpt_invalidate arg = {
        .size = sizeof(arg), .hwpt_id = id, .data_uptr = (uintptr_t)entries,
        .data_type = IOMMU_HWPT_INVALIDATE_DATA_VTD_S1, .entry_len = len,
        .entry_num = *num,
    };
    int result = call(iommufd, IOMMU_HWPT_INVALIDATE, &arg);

    *num = arg.entry_num;
    return result;
}

/* A parent and a stage-1 table over it, neither attached. */
static void two_stages(unsigned levels, uint32_t flags, uint32_t *parent,
                       uint32_t *child)
{
    map_page(levels, PAGE_A);
    g_assert_cmpint(hwpt(ioas, IOMMU_HWPT_ALLOC_NEST_PARENT | flags, parent),
                    ==, 0);
    g_assert_cmpint(nested(*parent, levels == 5 ? 57 : 48, flags, 0, child),
                    ==, 0);
}

/* A struct of another size than the kernel's, with @tail as its last byte. */
static int alloc_of_size(uint32_t size, uint8_t tail)
{
    uint8_t raw[64] = { 0 };
    struct iommu_hwpt_alloc *arg = (void *)raw;

    arg->size = size;
    arg->dev_id = dev_id;
    arg->pt_id = ioas;
    raw[size - 1] = tail;
    return call(iommufd, IOMMU_HWPT_ALLOC, arg);
}

static void test_sizes(void)
{
    open_iommufd("kernel 6.8\n");
    g_assert_cmpint(alloc_of_size(23, 0), ==, -EINVAL);
    g_assert_cmpint(alloc_of_size(24, 0), ==, 0);
    g_assert_cmpint(alloc_of_size(48, 0), ==, 0);
    g_assert_cmpint(alloc_of_size(41, 1), ==, -E2BIG);
    close_all();
    open_iommufd("kernel 6.11\n");
    g_assert_cmpint(alloc_of_size(48, 1), ==, -EOPNOTSUPP); /* reserved */
    g_assert_cmpint(alloc_of_size(56, 1), ==, -E2BIG);
    g_assert_cmpint(alloc_of_size(56, 0), ==, 0);
    close_all();
    open_iommufd("kernel next\n");
    g_assert_cmpint(alloc_of_size(48, 0), ==, 0);
    g_assert_cmpint(alloc_of_size(64, 0), ==, 0);
    close_all();
}

static void test_calls(void)
{
    struct iommu_ioas_alloc arg = { .size = sizeof(arg), .flags = 1 };
    struct iommu_fault_alloc fault = { .size = sizeof(fault) };
    uint32_t id;

    open_iommufd("kernel 6.8\n");
    assert_call(iommufd, IOMMU_IOAS_ALLOC, &arg, -EOPNOTSUPP);
    assert_call(iommufd, IOMMU_IOAS_ALLOC, (void *)8, -EFAULT);
    assert_call(iommufd, IOMMU_FAULT_QUEUE_ALLOC, &fault, -ENOTTY);
    assert_call(iommufd, VFIO_DEVICE_RESET, &fault, -ENOTTY);
    g_assert_cmpint(hwpt(ioas, IOMMU_HWPT_FAULT_ID_VALID, &id), ==,
                    -EOPNOTSUPP);
    g_assert_cmpint(hwpt(ioas, IOMMU_HWPT_ALLOC_PASID, &id), ==, -EOPNOTSUPP);
    close_all();
    open_iommufd("without IOMMU_IOAS_ALLOC_NOT\nwithout IOMMU_HWPT_ALLOC\n");
    g_assert_cmpint(hwpt(ioas, 0, &id), ==, -ENOTTY);
    close_all();
}

static void test_ids(void)
{
    uint32_t parent, child, other;

    open_iommufd("");
    two_stages(4, 0, &parent, &child);
    g_assert_cmpint(destroy(999), ==, -ENOENT);
    g_assert_cmpint(destroy(ioas), ==, -EBUSY);
    g_assert_cmpint(destroy(parent), ==, -EBUSY);
    g_assert_cmpint(destroy(dev_id), ==, -EBUSY);
    g_assert_cmpint(attach(child, 0), ==, 0);
    g_assert_cmpint(destroy(child), ==, -EBUSY);
    g_assert_cmpint(attach(999, 0), ==, -ENOENT);
    g_assert_cmpint(attach(dev_id, 0), ==, -EINVAL);
    g_assert_cmpint(detach(0), ==, 0);
    g_assert_cmpint(detach(0), ==, 0);
    g_assert_cmpint(destroy(child), ==, 0);
    g_assert_cmpint(destroy(child), ==, -ENOENT);
    g_assert_cmpint(hwpt(ioas, 0, &other), ==, 0);
    g_assert_cmpint(nested(other, 48, 0, 0, &child), ==, -EINVAL);
    g_assert_cmpint(nested(999, 48, 0, 0, &child), ==, -EINVAL);
    g_assert_cmpint(ref->leaked[REF_HWPT], ==, 0);
    close_all();
    g_assert_cmpint(ref->leaked[REF_HWPT], ==, 2);
    g_assert_cmpint(ref->leaked[REF_IOAS], ==, 1);
}

static void test_nesting(void)
{
    uint32_t parent, child;

    open_iommufd("");
    two_stages(4, 0, &parent, &child);
    assert_no_dma(PAGE_A, 0);
    g_assert_cmpint(attach(parent, 0), ==, 0);
    assert_dma(PAGE_A, 0, PAGE_A);
    g_assert_cmpint(attach(child, 0), ==, 0);
    assert_dma(IOVA, 0, PAGE_A);
    assert_no_dma(IOVA + PAGE, 0);
    assert_no_dma(PAGE_A, 0);
    g_assert_cmphex(entry_at(TABLES)[IOVA >> 39 & 0x1ff] & 0xfff, ==, 0x27);
    g_assert_cmpint(detach(0), ==, 0);
    assert_no_dma(IOVA, 0);
    close_all();
    open_iommufd("");
    two_stages(5, 0, &parent, &child);
    g_assert_cmpint(attach(child, 0), ==, 0);
    assert_dma(IOVA, 0, PAGE_A);
    close_all();
    open_iommufd("cap 0380c06\n"); /* without FS5LP */
    two_stages(5, 0, &parent, &child);
    g_assert_cmpint(attach(child, 0), ==, -EINVAL);
    g_assert_cmpint(nested(parent, 39, 0, 0, &child), ==, 0);
    g_assert_cmpint(attach(child, 0), ==, -EINVAL);
    close_all();
}

static void test_invalidation(void)
{
    struct iommu_hwpt_vtd_s1_invalidate entries[] = {
        { .addr = IOVA + PAGE, .npages = 1 },
        { .addr = IOVA, .npages = 1 },
        { .addr = IOVA + 1, .npages = 1 },
        { .flags = 2 },
    };
    uint32_t parent, child, num = 1;

    open_iommufd("");
    two_stages(4, 0, &parent, &child);
    g_assert_cmpint(attach(child, 0), ==, 0);
    assert_dma(IOVA, 0, PAGE_A);
    map_page(4, PAGE_B);
    assert_dma(IOVA, 0, PAGE_A);
    g_assert_cmpint(invalidate(child, entries, sizeof(*entries), &num), ==, 0);
    assert_dma(IOVA, 0, PAGE_A);
    num = 3;
    g_assert_cmpint(invalidate(child, entries, sizeof(*entries), &num), ==,
                    -EINVAL);
    g_assert_cmpint(num, ==, 2);
    assert_dma(IOVA, 0, PAGE_B);
    num = 1;
    g_assert_cmpint(invalidate(child, &entries[3], sizeof(*entries), &num),
                    ==, -EOPNOTSUPP);
    g_assert_cmpint(num, ==, 0);
    g_assert_cmpint(invalidate(child, NULL, 0, &num), ==, 0); /* a probe */
    num = 1;
    g_assert_cmpint(invalidate(child, entries, 32, &num), ==, -EINVAL);
    num = 1;
    g_assert_cmpint(invalidate(parent, entries, sizeof(*entries), &num), ==,
                    -EINVAL);
    num = 1;
    g_assert_cmpint(invalidate(999, entries, sizeof(*entries), &num), ==,
                    -ENOENT);
    num = 1;
    g_assert_cmpint(invalidate(child, (void *)8, sizeof(*entries), &num), ==,
                    -EFAULT);
    close_all();
}

static void test_maps(void)
{
    struct iommu_ioas_unmap arg = { .size = sizeof(arg), .ioas_id = ioas };
    uint32_t parent, child;

    open_iommufd("");
    two_stages(4, 0, &parent, &child);
    g_assert_cmpint(map(0x1000, PAGE, READ_WRITE), ==, -EEXIST);
    g_assert_cmpint(map(0x100800, PAGE, READ_WRITE), ==, -EINVAL);
    g_assert_cmpint(map(0x100000, PAGE, 0), ==, -EINVAL);
    g_assert_cmpint(map(0x100000, PAGE, IOMMU_IOAS_MAP_READABLE), ==, -EINVAL);
    g_assert_cmpint(attach(parent, 0), ==, 0);
    g_assert_cmpint(map(0xfee00000, PAGE, READ_WRITE), ==, -EINVAL);
    g_assert_cmpint(attach(child, 0), ==, 0);
    assert_dma(IOVA, 0, PAGE_A);
    arg = (struct iommu_ioas_unmap){ .size = sizeof(arg), .ioas_id = ioas,
                                     .length = PAGE };
    assert_call(iommufd, IOMMU_IOAS_UNMAP, &arg, -ENOENT);
    arg.length = MEMORY;
    assert_call(iommufd, IOMMU_IOAS_UNMAP, &arg, 0);
    assert_no_dma(IOVA, 0);
    close_all();
    open_iommufd("readonly allow\n");
    g_assert_cmpint(hwpt(ioas, IOMMU_HWPT_ALLOC_NEST_PARENT, &parent), ==, 0);
    g_assert_cmpint(map(0x100000, PAGE, IOMMU_IOAS_MAP_READABLE), ==, 0);
    g_assert_cmpint(attach(parent, 0), ==, 0);
    assert_no_dma(0x100000, 0);
    close_all();
}

static void test_pasids(void)
{
    uint32_t parent, child, plain, flags = IOMMU_HWPT_ALLOC_PASID;
    const uint32_t pasid = PASID | REF_DMA_HAS_PASID;

    open_iommufd("");
    two_stages(4, flags, &parent, &child);
    g_assert_cmpint(hwpt(ioas, 0, &plain), ==, 0);
    g_assert_cmpint(attach(plain, PASID), ==, -EINVAL);
    g_assert_cmpint(attach(plain, 0), ==, 0);
    g_assert_cmpint(attach(child, PASID), ==, -EINVAL); /* plain on the RID */
    g_assert_cmpint(attach(parent, 0), ==, 0);
    g_assert_cmpint(attach(child, 1 << 20), ==, -EINVAL);
    assert_no_dma(IOVA, pasid);
    g_assert_cmpint(attach(child, PASID), ==, 0);
    g_assert_cmpint(attach(plain, 0), ==, -EINVAL);
    assert_dma(IOVA, pasid, PAGE_A);
    assert_dma(PAGE_B, 0, PAGE_B);
    assert_no_dma(IOVA, pasid + 1);
    g_assert_cmpint(detach(PASID), ==, 0);
    assert_no_dma(IOVA, pasid);
    close_all();
    open_iommufd("kernel 6.11\n");
    two_stages(4, 0, &parent, &child);
    g_assert_cmpint(attach(child, PASID), ==, -EINVAL);
    close_all();
}

static void test_page_requests(void)
{
    struct iommu_fault_alloc fault = { .size = sizeof(fault) };
    struct iommu_hwpt_page_response answer = { .code = 2 };
    struct iommu_hwpt_pgfault request;
    uint32_t parent, child;
    int fd;

    open_iommufd("page-requests on\n");
    two_stages(4, 0, &parent, &child);
    assert_call(iommufd, IOMMU_FAULT_QUEUE_ALLOC, &fault, 0);
    fd = fault.out_fault_fd;
    g_assert_cmpint(nested(parent, 48, IOMMU_HWPT_FAULT_ID_VALID,
                           fault.out_fault_id, &child), ==, 0);
    g_assert_cmpint(attach(child, 0), ==, 0);
    map_page(4, 0);
    g_assert_cmpint(dma(IOVA, 7, 0), ==, SVA_EP_STATUS_BUSY);
    g_assert_cmpint(read(fd, &request, 8), ==, -1);
    g_assert_cmpint(errno, ==, ESPIPE);
    g_assert_cmpint(read(fd, &request, sizeof(request)), ==, sizeof(request));
    g_assert_cmphex(request.addr, ==, IOVA);
    g_assert_cmpint(request.perm, ==, IOMMU_PGFAULT_PERM_WRITE);
    g_assert_cmpint(request.flags, ==, IOMMU_PGFAULT_FLAGS_LAST_PAGE);
    g_assert_cmpint(request.dev_id, ==, dev_id);
    g_assert_cmpint(write(fd, &answer, sizeof(answer)), ==, -1);
    answer.cookie = request.cookie;
    g_assert_cmpint(write(fd, &answer, sizeof(answer)), ==, -1);
    g_assert_cmpint(errno, ==, EINVAL);
    answer.code = IOMMUFD_PAGE_RESP_SUCCESS;
    map_page(4, PAGE_B);
    g_assert_cmpint(write(fd, &answer, sizeof(answer)), ==, sizeof(answer));
    g_assert_cmpint(bar32(SVA_EP_SLOT_STATUS), ==, SVA_EP_STATUS_DONE);
    g_assert_cmphex(*entry_at(PAGE_B), ==, 7);
    /* One that is refused, and one that nobody answers. */
    g_assert_cmpint(dma(IOVA + PAGE, 7, 0), ==, SVA_EP_STATUS_BUSY);
    g_assert_cmpint(read(fd, &request, sizeof(request)), ==, sizeof(request));
    answer.cookie = request.cookie;
    answer.code = IOMMUFD_PAGE_RESP_INVALID;
    g_assert_cmpint(write(fd, &answer, sizeof(answer)), ==, sizeof(answer));
    g_assert_cmpint(bar32(SVA_EP_SLOT_STATUS), ==, SVA_EP_STATUS_ERROR);
    g_assert_cmpint(dma(IOVA + PAGE, 7, 0), ==, SVA_EP_STATUS_BUSY);
    g_assert_cmpint(detach(0), ==, 0);
    g_assert_cmpint(bar32(SVA_EP_SLOT_STATUS), ==, SVA_EP_STATUS_ERROR);
    g_assert_cmpint(destroy(child), ==, 0);
    g_assert_cmpint(destroy(fault.out_fault_id), ==, -EBUSY);
    close(fd);
    g_assert_cmpint(destroy(fault.out_fault_id), ==, 0);
    close_all();
}

static void test_dirty_pages(void)
{
    uint64_t bits = 0;
    struct iommu_hwpt_set_dirty_tracking set = {
        .size = sizeof(set), .flags = IOMMU_HWPT_DIRTY_TRACKING_ENABLE,
    };
    struct iommu_hwpt_get_dirty_bitmap get = {
        .size = sizeof(get), .length = MEMORY, .page_size = PAGE,
        .data = (uintptr_t)&bits,
    };

    open_iommufd("");
    g_assert_cmpint(hwpt(ioas, 0, &set.hwpt_id), ==, 0);
    assert_call(iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &set, -EOPNOTSUPP);
    g_assert_cmpint(hwpt(ioas, IOMMU_HWPT_ALLOC_DIRTY_TRACKING, &set.hwpt_id),
                    ==, 0);
    get.hwpt_id = set.hwpt_id;
    g_assert_cmpint(attach(set.hwpt_id, 0), ==, 0);
    assert_dma(PAGE_B, 0, PAGE_B);
    assert_call(iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &set, 0);
    assert_dma(PAGE_A, 0, PAGE_A);
    assert_call(iommufd, IOMMU_HWPT_GET_DIRTY_BITMAP, &get, 0);
    g_assert_cmphex(bits, ==, 1ull << (PAGE_A / PAGE));
    bits = 0;
    assert_call(iommufd, IOMMU_HWPT_GET_DIRTY_BITMAP, &get, 0);
    g_assert_cmphex(bits, ==, 0);
    close_all();
}

/* --- The interface of 2020 ----------------------------------------------- */

static int container_map(void)
{
    struct vfio_iommu_type1_dma_map arg = {
        .argsz = sizeof(arg), .vaddr = (uintptr_t)memory, .size = MEMORY,
        .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
    };

    return call(container, VFIO_IOMMU_MAP_DMA, &arg);
}

static void open_container(const char *config, unsigned long type)
{
    configure(config);
    memset(memory, 0, MEMORY);
    container = open("/dev/vfio/vfio", O_RDWR);
    group = open("/dev/vfio/7", O_RDWR);
    g_assert_true(container >= 0 && group >= 0);
    g_assert_cmpint(open("/dev/vfio/7", O_RDWR), ==, -1);
    g_assert_cmpint(errno, ==, EBUSY);
    assert_call(container, VFIO_SET_IOMMU, (void *)type, -EINVAL);
    assert_call(group, VFIO_GROUP_GET_DEVICE_FD, (void *)"dev", -EINVAL);
    assert_call(group, VFIO_GROUP_SET_CONTAINER, &container, 0);
    assert_call(container, VFIO_SET_IOMMU, (void *)type, 0);
    device = call(group, VFIO_GROUP_GET_DEVICE_FD, (void *)"dev");
    g_assert_cmpint(device, >=, 0);
    assert_call(group, VFIO_GROUP_UNSET_CONTAINER, NULL, -EBUSY);
    g_assert_cmpint(container_map(), ==, 0);
    g_assert_cmpint(container_map(), ==, -EEXIST);
    assert_dma(PAGE_B, 0, PAGE_B);
}

static void open_2020(void)
{
    open_container("kernel 2020\n", UAPI2020_TYPE1_NESTING_IOMMU);
    map_page(4, PAGE_A);
}

/* Capability 3 of VFIO_IOMMU_GET_INFO; its size. */
static size_t capability(struct uapi2020_info_cap_nesting *cap)
{
    uint8_t raw[256] = { 0 };
    struct vfio_iommu_type1_info *info = (void *)raw;
    const struct vfio_info_cap_header *header;

    info->argsz = sizeof(*info);
    assert_call(container, VFIO_IOMMU_GET_INFO, info, 0);
    g_assert_cmpint(info->argsz, >, sizeof(*info));
    g_assert_cmpint(info->cap_offset, ==, 0);
    assert_call(container, VFIO_IOMMU_GET_INFO, info, 0);
    header = (void *)(raw + info->cap_offset);
    while (header->id != UAPI2020_INFO_CAP_NESTING) {
        g_assert_cmpint(header->next, !=, 0);
        header = (void *)(raw + header->next);
    }
    memcpy(cap, header, sizeof(*cap));
    return info->argsz - ((uint8_t *)header - raw);
}

static int pasid_request(uint32_t flags, uint32_t min, uint32_t max)
{
    struct uapi2020_pasid_request arg = {
        .argsz = sizeof(arg), .flags = flags, .min = min, .max = max,
    };

    return call(container, UAPI2020_PASID_REQUEST, &arg);
}

static int nesting_op(uint32_t op, const void *data, size_t size)
{
    uint8_t raw[128];
    struct uapi2020_nesting_op arg = { .argsz = sizeof(arg) + size,
                                       .flags = op };

    memcpy(raw, &arg, sizeof(arg));
    memcpy(raw + sizeof(arg), data, size);
    return call(container, UAPI2020_NESTING_OP, raw);
}

static struct uapi2020_gpasid_bind binding(void)
{
    return (struct uapi2020_gpasid_bind){
        .argsz = sizeof(struct uapi2020_gpasid_bind),
        .version = UAPI2020_VERSION, .format = UAPI2020_FORMAT_VTD,
        .addr_width = 48, .gpgd = TABLES, .hpasid = PASID,
    };
}

static int bind_changed(void (*change)(struct uapi2020_gpasid_bind *))
{
    struct uapi2020_gpasid_bind bind = binding();

    change(&bind);
    return nesting_op(UAPI2020_OP_BIND, &bind, sizeof(bind));
}

static void test_2020_probe(void)
{
    struct uapi2020_info_cap_nesting cap;

    open_2020();
    assert_call(container, VFIO_CHECK_EXTENSION,
                (void *)UAPI2020_TYPE1_NESTING_IOMMU, 1);
    g_assert_cmpint(capability(&cap), ==, sizeof(cap));
    g_assert_cmpint(cap.info.argsz, ==, 56);
    g_assert_cmpint(cap.info.format, ==, UAPI2020_FORMAT_VTD);
    g_assert_cmpint(cap.info.features, ==, 7);
    g_assert_cmpint(cap.info.addr_width, ==, 57);
    g_assert_cmpint(cap.info.pasid_bits, ==, 20);
    g_assert_cmphex(cap.info.vtd.cap_reg, ==, REF_CAP);
    g_assert_cmphex(cap.info.vtd.ecap_reg, ==, REF_ECAP);
    close_all();
    /* A kernel of today says yes as well, but means something else. */
    open_container("", UAPI2020_TYPE1_NESTING_IOMMU);
    assert_call(container, VFIO_CHECK_EXTENSION,
                (void *)UAPI2020_TYPE1_NESTING_IOMMU, 1);
    g_assert_cmpint(capability(&cap), ==,
                    sizeof(struct vfio_iommu_type1_info_dma_avail));
    g_assert_cmpint(pasid_request(UAPI2020_PASID_ALLOC, 1, 9), ==, -ENOTTY);
    close_all();
    /* And without nesting nothing of it works. */
    open_container("kernel 2020\n", VFIO_TYPE1v2_IOMMU);
    g_assert_cmpint(pasid_request(UAPI2020_PASID_ALLOC, 1, 9), ==,
                    -EOPNOTSUPP);
    close_all();
}

static void test_2020_pasids(void)
{
    open_2020();
    g_assert_cmpint(pasid_request(UAPI2020_PASID_ALLOC, 5, 6), ==, 5);
    g_assert_cmpint(pasid_request(UAPI2020_PASID_ALLOC, 5, 6), ==, 6);
    g_assert_cmpint(pasid_request(UAPI2020_PASID_ALLOC, 5, 6), ==, -ENOSPC);
    g_assert_cmpint(pasid_request(UAPI2020_PASID_ALLOC, 6, 5), ==, -EINVAL);
    g_assert_cmpint(pasid_request(3, 1, 9), ==, -EINVAL);
    g_assert_cmpint(pasid_request(UAPI2020_PASID_FREE, 5, 5), ==, 0);
    g_assert_cmpint(pasid_request(UAPI2020_PASID_ALLOC, 1, 1 << 20), ==,
                    -EINVAL);
    g_assert_cmpint(pasid_request(UAPI2020_PASID_ALLOC, 5, 6), ==, 5);
    g_assert_cmpint(ref->live[REF_PASID], ==, 2);
    close_all();
}

static void version_2(struct uapi2020_gpasid_bind *b) { b->version = 2; }
static void format_2(struct uapi2020_gpasid_bind *b) { b->format = 2; }
static void flag_2(struct uapi2020_gpasid_bind *b) { b->flags = 2; }
static void padding_7(struct uapi2020_gpasid_bind *b) { b->padding[7] = 1; }
static void argsz_55(struct uapi2020_gpasid_bind *b) { b->argsz = 55; }
static void argsz_71(struct uapi2020_gpasid_bind *b) { b->argsz = 71; }
static void width_39(struct uapi2020_gpasid_bind *b) { b->addr_width = 39; }
static void vtd_flag(struct uapi2020_gpasid_bind *b) { b->vtd.flags = 64; }
static void pasid_6(struct uapi2020_gpasid_bind *b) { b->hpasid = 6; }
static void argsz_80(struct uapi2020_gpasid_bind *b) { b->argsz = 80; }

static void test_2020_binding(void)
{
    void (*const wrong[])(struct uapi2020_gpasid_bind *) = {
        version_2, format_2, flag_2,   padding_7, argsz_55,
        argsz_71,  width_39, vtd_flag, pasid_6,
    };
    struct uapi2020_gpasid_bind bind = binding();
    const uint32_t pasid = PASID | REF_DMA_HAS_PASID;

    open_2020();
    g_assert_cmpint(nesting_op(UAPI2020_OP_BIND, &bind, sizeof(bind)), ==,
                    -EINVAL); /* not allocated */
    g_assert_cmpint(pasid_request(UAPI2020_PASID_ALLOC, PASID, PASID), ==,
                    PASID);
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        g_assert_cmpint(bind_changed(wrong[i]), ==, -EINVAL);
    }
    assert_no_dma(IOVA, pasid);
    g_assert_cmpint(bind_changed(argsz_80), ==, 0); /* cut off */
    g_assert_cmpint(nesting_op(UAPI2020_OP_BIND, &bind, sizeof(bind)), ==,
                    -EBUSY);
    assert_dma(IOVA, pasid, PAGE_A);
    assert_dma(PAGE_B, 0, PAGE_B);
    g_assert_cmpint(nesting_op(3, &bind, sizeof(bind)), ==, -EINVAL);
    g_assert_cmpint(nesting_op(0x10000, &bind, sizeof(bind)), ==, -EINVAL);
    g_assert_cmpint(nesting_op(UAPI2020_OP_UNBIND, &bind, sizeof(bind)), ==,
                    0);
    assert_no_dma(IOVA, pasid);
    g_assert_cmpint(nesting_op(UAPI2020_OP_UNBIND, &bind, sizeof(bind)), ==,
                    -EINVAL);
    close_all();
}

static int invalidate_2020(struct uapi2020_cache_invalidate inval)
{
    inval.argsz = inval.argsz ? inval.argsz : sizeof(inval);
    inval.version = inval.version ? inval.version : UAPI2020_VERSION;
    return nesting_op(UAPI2020_OP_INVALIDATE, &inval, sizeof(inval));
}

static void test_2020_invalidation(void)
{
    const uint32_t pasid = PASID | REF_DMA_HAS_PASID;
    struct uapi2020_gpasid_bind bind = binding();
    struct uapi2020_cache_invalidate page = {
        .cache = UAPI2020_CACHE_IOTLB,
        .granularity = UAPI2020_GRANULARITY_ADDR,
        .granu.addr = { .flags = UAPI2020_INVALIDATE_PASID, .pasid = PASID,
                        .addr = IOVA + PAGE, .granule_size = PAGE,
                        .nb_granules = 1 },
    };
    struct uapi2020_cache_invalidate all = {
        .cache = UAPI2020_CACHE_IOTLB,
        .granularity = UAPI2020_GRANULARITY_PASID,
        .granu.pasid = { .flags = UAPI2020_INVALIDATE_PASID,
                         .pasid = PASID },
    };
    struct uapi2020_cache_invalidate wrong;

    open_2020();
    g_assert_cmpint(pasid_request(UAPI2020_PASID_ALLOC, PASID, PASID), ==,
                    PASID);
    g_assert_cmpint(nesting_op(UAPI2020_OP_BIND, &bind, sizeof(bind)), ==, 0);
    assert_dma(IOVA, pasid, PAGE_A);
    map_page(4, PAGE_B);
    g_assert_cmpint(invalidate_2020(page), ==, 0);
    assert_dma(IOVA, pasid, PAGE_A);
    page.granu.addr.addr = IOVA;
    wrong = page;
    wrong.version = 2;
    g_assert_cmpint(invalidate_2020(wrong), ==, -EINVAL);
    wrong = page;
    wrong.argsz = 55;
    g_assert_cmpint(invalidate_2020(wrong), ==, -EINVAL);
    wrong = page;
    wrong.padding[5] = 1;
    g_assert_cmpint(invalidate_2020(wrong), ==, -EINVAL);
    wrong = page;
    wrong.granu.addr.flags |= 8;
    g_assert_cmpint(invalidate_2020(wrong), ==, -EINVAL);
    wrong = page;
    wrong.cache = UAPI2020_CACHE_PASID;
    g_assert_cmpint(invalidate_2020(wrong), ==, -EINVAL);
    wrong.granularity = UAPI2020_GRANULARITY_DOMAIN;
    wrong.cache = UAPI2020_CACHE_IOTLB;
    g_assert_cmpint(invalidate_2020(wrong), ==, -EINVAL);
    assert_dma(IOVA, pasid, PAGE_A);
    g_assert_cmpint(invalidate_2020(page), ==, 0);
    assert_dma(IOVA, pasid, PAGE_B);
    map_page(4, PAGE_A);
    all.argsz = 32;
    g_assert_cmpint(invalidate_2020(all), ==, 0);
    assert_dma(IOVA, pasid, PAGE_A);
    close_all();
}

/* --- The program --------------------------------------------------------- */

/* Once more, with the reference host loaded. */
static void run_again(char **argv)
{
    const char *library = g_getenv("REFERENCE_HOST_LIBRARY");
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("reference-host-XXXXXX", &path, NULL);

    if (!library) {
        g_error("this test is the reference host's: use make check-host");
    }
    g_assert_cmpint(ftruncate(fd, sizeof(*ref)), ==, 0);
    g_setenv(REF_CONTROL_VARIABLE, path, true);
    g_setenv("LD_PRELOAD", library, true);
    execv("/proc/self/exe", argv);
    g_error("cannot run this program again: %s", strerror(errno));
}

static void load_control(void)
{
    const char *path = g_getenv(REF_CONTROL_VARIABLE);
    int fd = open(path, O_RDWR);

    ref = mmap(NULL, sizeof(*ref), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    g_assert_true(ref != MAP_FAILED && memory != MAP_FAILED);
    close(fd);
    unlink(path);
}

int main(int argc, char **argv)
{
    if (!g_getenv("LD_PRELOAD")) {
        run_again(argv);
    }
    load_control();
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/reference-host/iommufd/sizes", test_sizes);
    g_test_add_func("/reference-host/iommufd/calls", test_calls);
    g_test_add_func("/reference-host/iommufd/ids", test_ids);
    g_test_add_func("/reference-host/iommufd/nesting", test_nesting);
    g_test_add_func("/reference-host/iommufd/invalidation",
                    test_invalidation);
    g_test_add_func("/reference-host/iommufd/maps", test_maps);
    g_test_add_func("/reference-host/iommufd/pasids", test_pasids);
    g_test_add_func("/reference-host/iommufd/page-requests",
                    test_page_requests);
    g_test_add_func("/reference-host/iommufd/dirty-pages", test_dirty_pages);
    g_test_add_func("/reference-host/2020/probe", test_2020_probe);
    g_test_add_func("/reference-host/2020/pasids", test_2020_pasids);
    g_test_add_func("/reference-host/2020/binding", test_2020_binding);
    g_test_add_func("/reference-host/2020/invalidation",
                    test_2020_invalidation);
    return g_test_run();
}
