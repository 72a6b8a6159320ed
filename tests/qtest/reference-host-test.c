/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the reference host's iommufd and device, without QEMU.  It is as
 * strict as the kernel, and its unit keeps what it is not told to forget; the
 * tests that build on it rely on both.
 */
#include "qemu/osdep.h"

#include <linux/iommufd.h>
#include <linux/vfio.h>

#include "hw/misc/sva_endpoint_regs.h"
#include "reference-host-user.h"

static uint32_t ioas, dev_id;

static int map(uint64_t iova, uint64_t length, uint32_t flags)
{
    struct iommu_ioas_map arg = {
        .size = sizeof(arg), .flags = flags | IOMMU_IOAS_MAP_FIXED_IOVA,
        .ioas_id = ioas, .user_va = (uintptr_t)user_memory, .iova = iova,
        .length = length,
    };

    return user_call(user_iommufd, IOMMU_IOAS_MAP, &arg);
}

#define READ_WRITE (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)

static void open_iommufd(const char *config)
{
    struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
    struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };

    user_configure(config);
    user_iommufd = open("/dev/iommu", O_RDWR);
    user_device = open("/dev/vfio/devices/vfio0", O_RDWR);
    g_assert_true(user_iommufd >= 0 && user_device >= 0);
    bind.iommufd = user_iommufd;
    assert_call(user_device, VFIO_DEVICE_GET_INFO, &bind, -EINVAL);
    assert_call(user_device, VFIO_DEVICE_BIND_IOMMUFD, &bind, 0);
    dev_id = bind.out_devid;
    assert_call(user_iommufd, IOMMU_IOAS_ALLOC, &alloc, 0);
    ioas = alloc.out_ioas_id;
    g_assert_cmpint(map(0, USER_MEMORY, READ_WRITE), ==, 0);
}

static int hwpt(uint32_t pt, uint32_t flags, uint32_t *id)
{
    struct iommu_hwpt_alloc arg = {
        .size = sizeof(arg), .flags = flags, .dev_id = dev_id, .pt_id = pt,
    };
    int result = user_call(user_iommufd, IOMMU_HWPT_ALLOC, &arg);

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
    int result = user_call(user_iommufd, IOMMU_HWPT_ALLOC, &arg);

    *id = arg.out_hwpt_id;
    return result;
}

static int attach(uint32_t id, uint32_t pasid)
{
    uint32_t arg[4] = { pasid ? 16 : 12, !!pasid, id, pasid };

    return user_call(user_device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, arg);
}

static int detach(uint32_t pasid)
{
    uint32_t arg[3] = { pasid ? 12 : 8, !!pasid, pasid };

    return user_call(user_device, VFIO_DEVICE_DETACH_IOMMUFD_PT, arg);
}

static int destroy(uint32_t id)
{
    struct iommu_destroy arg = { .size = sizeof(arg), .id = id };

    return user_call(user_iommufd, IOMMU_DESTROY, &arg);
}

static int invalidate(uint32_t id, const void *entries, uint32_t len,
                      uint32_t *num)
{
    struct iommu_hwpt_invalidate arg = {
        .size = sizeof(arg), .hwpt_id = id, .data_uptr = (uintptr_t)entries,
        .data_type = IOMMU_HWPT_INVALIDATE_DATA_VTD_S1, .entry_len = len,
        .entry_num = *num,
    };
    int result = user_call(user_iommufd, IOMMU_HWPT_INVALIDATE, &arg);

    *num = arg.entry_num;
    return result;
}

/* A parent and a stage-1 table over it, neither attached. */
static void two_stages(unsigned levels, uint32_t flags, uint32_t *parent,
                       uint32_t *child)
{
    user_map_page(levels, PAGE_A);
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
    return user_call(user_iommufd, IOMMU_HWPT_ALLOC, arg);
}

static void test_sizes(void)
{
    open_iommufd("kernel 6.8\n");
    g_assert_cmpint(alloc_of_size(23, 0), ==, -EINVAL);
    g_assert_cmpint(alloc_of_size(24, 0), ==, 0);
    g_assert_cmpint(alloc_of_size(48, 0), ==, 0);
    g_assert_cmpint(alloc_of_size(41, 1), ==, -E2BIG);
    user_close_all();
    open_iommufd("kernel 6.11\n");
    g_assert_cmpint(alloc_of_size(48, 1), ==, -EOPNOTSUPP); /* reserved */
    g_assert_cmpint(alloc_of_size(56, 1), ==, -E2BIG);
    g_assert_cmpint(alloc_of_size(56, 0), ==, 0);
    user_close_all();
    open_iommufd("kernel next\n");
    g_assert_cmpint(alloc_of_size(48, 0), ==, 0);
    g_assert_cmpint(alloc_of_size(64, 0), ==, 0);
    user_close_all();
}

static void test_calls(void)
{
    struct iommu_ioas_alloc arg = { .size = sizeof(arg), .flags = 1 };
    struct iommu_fault_alloc fault = { .size = sizeof(fault) };
    uint32_t id;

    open_iommufd("kernel 6.8\n");
    assert_call(user_iommufd, IOMMU_IOAS_ALLOC, &arg, -EOPNOTSUPP);
    assert_call(user_iommufd, IOMMU_IOAS_ALLOC, (void *)8, -EFAULT);
    assert_call(user_iommufd, IOMMU_FAULT_QUEUE_ALLOC, &fault, -ENOTTY);
    assert_call(user_iommufd, VFIO_DEVICE_RESET, &fault, -ENOTTY);
    g_assert_cmpint(hwpt(ioas, IOMMU_HWPT_FAULT_ID_VALID, &id), ==,
                    -EOPNOTSUPP);
    g_assert_cmpint(hwpt(ioas, IOMMU_HWPT_ALLOC_PASID, &id), ==, -EOPNOTSUPP);
    user_close_all();
    open_iommufd("without IOMMU_IOAS_ALLOC_NOT\nwithout IOMMU_HWPT_ALLOC\n");
    g_assert_cmpint(hwpt(ioas, 0, &id), ==, -ENOTTY);
    user_close_all();
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
    g_assert_cmpint(user_ref->leaked[REF_HWPT], ==, 0);
    user_close_all();
    g_assert_cmpint(user_ref->leaked[REF_HWPT], ==, 2);
    g_assert_cmpint(user_ref->leaked[REF_IOAS], ==, 1);
}

static void test_nesting(void)
{
    uint32_t parent, child;

    open_iommufd("");
    two_stages(4, 0, &parent, &child);
    user_assert_no_dma(PAGE_A, 0);
    g_assert_cmpint(attach(parent, 0), ==, 0);
    user_assert_dma(PAGE_A, 0, PAGE_A);
    g_assert_cmpint(attach(child, 0), ==, 0);
    user_assert_dma(IOVA, 0, PAGE_A);
    user_assert_no_dma(IOVA + PAGE, 0);
    user_assert_no_dma(PAGE_A, 0);
    g_assert_cmphex(user_entry_at(TABLES)[IOVA >> 39 & 0x1ff] & 0xfff, ==, 0x27);
    g_assert_cmpint(detach(0), ==, 0);
    user_assert_no_dma(IOVA, 0);
    user_close_all();
    open_iommufd("");
    two_stages(5, 0, &parent, &child);
    g_assert_cmpint(attach(child, 0), ==, 0);
    user_assert_dma(IOVA, 0, PAGE_A);
    user_close_all();
    open_iommufd("cap 0380c06\n"); /* without FS5LP */
    two_stages(5, 0, &parent, &child);
    g_assert_cmpint(attach(child, 0), ==, -EINVAL);
    g_assert_cmpint(nested(parent, 39, 0, 0, &child), ==, 0);
    g_assert_cmpint(attach(child, 0), ==, -EINVAL);
    user_close_all();
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
    user_assert_dma(IOVA, 0, PAGE_A);
    user_map_page(4, PAGE_B);
    user_assert_dma(IOVA, 0, PAGE_A);
    g_assert_cmpint(invalidate(child, entries, sizeof(*entries), &num), ==, 0);
    user_assert_dma(IOVA, 0, PAGE_A);
    num = 3;
    g_assert_cmpint(invalidate(child, entries, sizeof(*entries), &num), ==,
                    -EINVAL);
    g_assert_cmpint(num, ==, 2);
    user_assert_dma(IOVA, 0, PAGE_B);
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
    user_close_all();
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
    user_assert_dma(IOVA, 0, PAGE_A);
    arg = (struct iommu_ioas_unmap){ .size = sizeof(arg), .ioas_id = ioas,
                                     .length = PAGE };
    assert_call(user_iommufd, IOMMU_IOAS_UNMAP, &arg, -ENOENT);
    arg.length = USER_MEMORY;
    assert_call(user_iommufd, IOMMU_IOAS_UNMAP, &arg, 0);
    user_assert_no_dma(IOVA, 0);
    user_close_all();
    open_iommufd("readonly allow\n");
    g_assert_cmpint(hwpt(ioas, IOMMU_HWPT_ALLOC_NEST_PARENT, &parent), ==, 0);
    g_assert_cmpint(map(0x100000, PAGE, IOMMU_IOAS_MAP_READABLE), ==, 0);
    g_assert_cmpint(attach(parent, 0), ==, 0);
    user_assert_no_dma(0x100000, 0);
    user_close_all();
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
    user_assert_no_dma(IOVA, pasid);
    g_assert_cmpint(attach(child, PASID), ==, 0);
    g_assert_cmpint(attach(plain, 0), ==, -EINVAL);
    user_assert_dma(IOVA, pasid, PAGE_A);
    user_assert_dma(PAGE_B, 0, PAGE_B);
    user_assert_no_dma(IOVA, pasid + 1);
    g_assert_cmpint(detach(PASID), ==, 0);
    user_assert_no_dma(IOVA, pasid);
    user_close_all();
    open_iommufd("kernel 6.11\n");
    two_stages(4, 0, &parent, &child);
    g_assert_cmpint(attach(child, PASID), ==, -EINVAL);
    user_close_all();
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
    assert_call(user_iommufd, IOMMU_FAULT_QUEUE_ALLOC, &fault, 0);
    fd = fault.out_fault_fd;
    g_assert_cmpint(nested(parent, 48, IOMMU_HWPT_FAULT_ID_VALID,
                           fault.out_fault_id, &child), ==, 0);
    g_assert_cmpint(attach(child, 0), ==, 0);
    user_map_page(4, 0);
    g_assert_cmpint(user_dma(IOVA, 7, 0), ==, SVA_EP_STATUS_BUSY);
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
    user_map_page(4, PAGE_B);
    g_assert_cmpint(write(fd, &answer, sizeof(answer)), ==, sizeof(answer));
    g_assert_cmpint(user_bar32(SVA_EP_SLOT_STATUS), ==, SVA_EP_STATUS_DONE);
    g_assert_cmphex(*user_entry_at(PAGE_B), ==, 7);
    /* One that is refused, and one that nobody answers. */
    g_assert_cmpint(user_dma(IOVA + PAGE, 7, 0), ==, SVA_EP_STATUS_BUSY);
    g_assert_cmpint(read(fd, &request, sizeof(request)), ==, sizeof(request));
    answer.cookie = request.cookie;
    answer.code = IOMMUFD_PAGE_RESP_INVALID;
    g_assert_cmpint(write(fd, &answer, sizeof(answer)), ==, sizeof(answer));
    g_assert_cmpint(user_bar32(SVA_EP_SLOT_STATUS), ==, SVA_EP_STATUS_ERROR);
    g_assert_cmpint(user_dma(IOVA + PAGE, 7, 0), ==, SVA_EP_STATUS_BUSY);
    g_assert_cmpint(detach(0), ==, 0);
    g_assert_cmpint(user_bar32(SVA_EP_SLOT_STATUS), ==, SVA_EP_STATUS_ERROR);
    g_assert_cmpint(destroy(child), ==, 0);
    g_assert_cmpint(destroy(fault.out_fault_id), ==, -EBUSY);
    close(fd);
    g_assert_cmpint(destroy(fault.out_fault_id), ==, 0);
    user_close_all();
}

static void test_dirty_pages(void)
{
    uint64_t bits = 0;
    struct iommu_hwpt_set_dirty_tracking set = {
        .size = sizeof(set), .flags = IOMMU_HWPT_DIRTY_TRACKING_ENABLE,
    };
    struct iommu_hwpt_get_dirty_bitmap get = {
        .size = sizeof(get), .length = USER_MEMORY, .page_size = PAGE,
        .data = (uintptr_t)&bits,
    };

    open_iommufd("");
    g_assert_cmpint(hwpt(ioas, 0, &set.hwpt_id), ==, 0);
    assert_call(user_iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &set, -EOPNOTSUPP);
    g_assert_cmpint(hwpt(ioas, IOMMU_HWPT_ALLOC_DIRTY_TRACKING, &set.hwpt_id),
                    ==, 0);
    get.hwpt_id = set.hwpt_id;
    g_assert_cmpint(attach(set.hwpt_id, 0), ==, 0);
    user_assert_dma(PAGE_B, 0, PAGE_B);
    assert_call(user_iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &set, 0);
    user_assert_dma(PAGE_A, 0, PAGE_A);
    assert_call(user_iommufd, IOMMU_HWPT_GET_DIRTY_BITMAP, &get, 0);
    g_assert_cmphex(bits, ==, 1ull << (PAGE_A / PAGE));
    bits = 0;
    assert_call(user_iommufd, IOMMU_HWPT_GET_DIRTY_BITMAP, &get, 0);
    g_assert_cmphex(bits, ==, 0);
    user_close_all();
}

int main(int argc, char **argv)
{
    user_start(argv);
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
    return g_test_run();
}
