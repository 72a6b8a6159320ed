/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the reference host's containers and of its nesting of 2020, without
 * QEMU: as strict as the kernel, and nothing is forgotten without being told.
 */
#include "qemu/osdep.h"

#include <linux/vfio.h>

#include "hw/i386/intel_iommu_uapi2020.h"
#include "reference-host-user.h"

static int container_map(void)
{
    struct vfio_iommu_type1_dma_map arg = {
        .argsz = sizeof(arg), .vaddr = (uintptr_t)user_memory, .size = USER_MEMORY,
        .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
    };

    return user_call(user_container, VFIO_IOMMU_MAP_DMA, &arg);
}

static void open_container(const char *config, unsigned long type)
{
    user_configure(config);
    user_container = open("/dev/vfio/vfio", O_RDWR);
    user_group = open("/dev/vfio/7", O_RDWR);
    g_assert_true(user_container >= 0 && user_group >= 0);
    g_assert_cmpint(open("/dev/vfio/7", O_RDWR), ==, -1);
    g_assert_cmpint(errno, ==, EBUSY);
    assert_call(user_container, VFIO_SET_IOMMU, (void *)type, -EINVAL);
    assert_call(user_group, VFIO_GROUP_GET_DEVICE_FD, (void *)"dev", -EINVAL);
    assert_call(user_group, VFIO_GROUP_SET_CONTAINER, &user_container, 0);
    assert_call(user_container, VFIO_SET_IOMMU, (void *)type, 0);
    user_device = user_call(user_group, VFIO_GROUP_GET_DEVICE_FD, (void *)"dev");
    g_assert_cmpint(user_device, >=, 0);
    assert_call(user_group, VFIO_GROUP_UNSET_CONTAINER, NULL, -EBUSY);
    g_assert_cmpint(container_map(), ==, 0);
    g_assert_cmpint(container_map(), ==, -EEXIST);
    user_assert_dma(PAGE_B, 0, PAGE_B);
}

static void open_2020(void)
{
    open_container("kernel 2020\n", UAPI2020_TYPE1_NESTING_IOMMU);
    user_map_page(4, PAGE_A);
}

/* Capability 3 of VFIO_IOMMU_GET_INFO; its size. */
static size_t capability(struct uapi2020_info_cap_nesting *cap)
{
    uint8_t raw[256] = { 0 };
    struct vfio_iommu_type1_info *info = (void *)raw;
    const struct vfio_info_cap_header *header;

    info->argsz = sizeof(*info);
    assert_call(user_container, VFIO_IOMMU_GET_INFO, info, 0);
    g_assert_cmpint(info->argsz, >, sizeof(*info));
    g_assert_cmpint(info->cap_offset, ==, 0);
    assert_call(user_container, VFIO_IOMMU_GET_INFO, info, 0);
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

    return user_call(user_container, UAPI2020_PASID_REQUEST, &arg);
}

static int nesting_op(uint32_t op, const void *data, size_t size)
{
    uint8_t raw[128];
    struct uapi2020_nesting_op arg = { .argsz = sizeof(arg) + size,
                                       .flags = op };

    memcpy(raw, &arg, sizeof(arg));
    memcpy(raw + sizeof(arg), data, size);
    return user_call(user_container, UAPI2020_NESTING_OP, raw);
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
    assert_call(user_container, VFIO_CHECK_EXTENSION,
                (void *)UAPI2020_TYPE1_NESTING_IOMMU, 1);
    g_assert_cmpint(capability(&cap), ==, sizeof(cap));
    g_assert_cmpint(cap.info.argsz, ==, 56);
    g_assert_cmpint(cap.info.format, ==, UAPI2020_FORMAT_VTD);
    g_assert_cmpint(cap.info.features, ==, 7);
    g_assert_cmpint(cap.info.addr_width, ==, 57);
    g_assert_cmpint(cap.info.pasid_bits, ==, 20);
    g_assert_cmphex(cap.info.vtd.cap_reg, ==, REF_CAP);
    g_assert_cmphex(cap.info.vtd.ecap_reg, ==, REF_ECAP);
    user_close_all();
    /* A kernel of today says yes as well, but means something else. */
    open_container("", UAPI2020_TYPE1_NESTING_IOMMU);
    assert_call(user_container, VFIO_CHECK_EXTENSION,
                (void *)UAPI2020_TYPE1_NESTING_IOMMU, 1);
    g_assert_cmpint(capability(&cap), ==,
                    sizeof(struct vfio_iommu_type1_info_dma_avail));
    g_assert_cmpint(pasid_request(UAPI2020_PASID_ALLOC, 1, 9), ==, -ENOTTY);
    user_close_all();
    /* And without nesting nothing of it works. */
    open_container("kernel 2020\n", VFIO_TYPE1v2_IOMMU);
    g_assert_cmpint(pasid_request(UAPI2020_PASID_ALLOC, 1, 9), ==,
                    -EOPNOTSUPP);
    user_close_all();
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
    g_assert_cmpint(user_ref->live[REF_PASID], ==, 2);
    user_close_all();
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
    user_assert_no_dma(IOVA, pasid);
    g_assert_cmpint(bind_changed(argsz_80), ==, 0); /* cut off */
    g_assert_cmpint(nesting_op(UAPI2020_OP_BIND, &bind, sizeof(bind)), ==,
                    -EBUSY);
    user_assert_dma(IOVA, pasid, PAGE_A);
    user_assert_dma(PAGE_B, 0, PAGE_B);
    g_assert_cmpint(nesting_op(3, &bind, sizeof(bind)), ==, -EINVAL);
    g_assert_cmpint(nesting_op(0x10000, &bind, sizeof(bind)), ==, -EINVAL);
    g_assert_cmpint(nesting_op(UAPI2020_OP_UNBIND, &bind, sizeof(bind)), ==,
                    0);
    user_assert_no_dma(IOVA, pasid);
    g_assert_cmpint(nesting_op(UAPI2020_OP_UNBIND, &bind, sizeof(bind)), ==,
                    -EINVAL);
    user_close_all();
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
    user_assert_dma(IOVA, pasid, PAGE_A);
    user_map_page(4, PAGE_B);
    g_assert_cmpint(invalidate_2020(page), ==, 0);
    user_assert_dma(IOVA, pasid, PAGE_A);
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
    user_assert_dma(IOVA, pasid, PAGE_A);
    g_assert_cmpint(invalidate_2020(page), ==, 0);
    user_assert_dma(IOVA, pasid, PAGE_B);
    user_map_page(4, PAGE_A);
    all.argsz = 32;
    g_assert_cmpint(invalidate_2020(all), ==, 0);
    user_assert_dma(IOVA, pasid, PAGE_A);
    user_close_all();
}

int main(int argc, char **argv)
{
    user_start(argv);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/reference-host/2020/probe", test_2020_probe);
    g_test_add_func("/reference-host/2020/pasids", test_2020_pasids);
    g_test_add_func("/reference-host/2020/binding", test_2020_binding);
    g_test_add_func("/reference-host/2020/invalidation",
                    test_2020_invalidation);
    return g_test_run();
}
