/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each struct byte for byte, as the kernel of 2020 reads it. */
#include "intel_iommu_encode2020.h"

#include <string.h>

#include "tap.h"

#define PASID 0x4321a

/* Bytes from @offset on, little-endian. */
typedef struct Field {
    unsigned offset;
    unsigned size;
    uint64_t value;
} Field;

static void check_bytes(const void *struct_, size_t size, const Field *fields,
                        unsigned count)
{
    uint8_t expected[128] = { 0 };

    for (unsigned i = 0; i < count; i++) {
        for (unsigned b = 0; b < fields[i].size; b++) {
            expected[fields[i].offset + b] = fields[i].value >> (8 * b);
        }
    }
    for (unsigned i = 0; i < size; i++) {
        tap_context("byte %u", i);
        CHECK_EQ(((const uint8_t *)struct_)[i], expected[i]);
    }
}

#define CHECK_BYTES(struct_, ...)                                            \
    do {                                                                     \
        const Field fields_[] = { __VA_ARGS__ };                             \
        check_bytes(&(struct_), sizeof(struct_), fields_,                    \
                    sizeof(fields_) / sizeof(fields_[0]));                   \
    } while (0)

/* A struct that was something else before. */
#define DIRTY(struct_) memset(&(struct_), 0xa5, sizeof(struct_))

/* --- Binding ------------------------------------------------------------- */

static VtdConfig first_stage(void)
{
    return (VtdConfig){
        .kind = VTD_FIRST_STAGE,
        .fs_levels = 4,
        .fs_table = 0x123456789000,
        .did = 0x77, /* the guest's, of no concern to the host */
        .pasid = PASID,
    };
}

TEST(bind_four_levels)
{
    VtdConfig config = first_stage();
    struct uapi2020_op_bind op;

    DIRTY(op);
    CHECK(vtd_encode2020_bind(&config, PASID, &op));
    CHECK_BYTES(op, { 0, 4, 80 }, { 4, 4, 0 }, /* argsz, operation */
                { 8, 4, 72 }, { 12, 4, 1 }, /* argsz, version */
                { 16, 4, 1 }, { 20, 4, 48 }, /* format, address width */
                { 24, 8, 1 }, /* the guest's PASID is valid */
                { 32, 8, 0x123456789000 }, { 40, 8, PASID },
                { 48, 8, PASID });
}

TEST(bind_five_levels_and_flags)
{
    VtdConfig config = first_stage();
    struct uapi2020_op_bind op;

    config.fs_levels = 5;
    config.supervisor_enable = true;
    CHECK(vtd_encode2020_bind(&config, PASID, &op));
    CHECK_EQ(op.bind.addr_width, 57);
    CHECK_EQ(op.bind.vtd.flags, 1);
    config.supervisor_enable = false;
    config.extended_accessed = true;
    CHECK(vtd_encode2020_bind(&config, PASID, &op));
    CHECK_EQ(op.bind.vtd.flags, 2);
}

TEST(WPE_matters_with_SRE_only_and_has_no_flag)
{
    VtdConfig config = first_stage();
    struct uapi2020_op_bind op;

    config.write_protect = true;
    CHECK(vtd_encode2020_bind(&config, PASID, &op));
    CHECK_EQ(op.bind.vtd.flags, 0);
    config.supervisor_enable = true;
    CHECK(!vtd_encode2020_bind(&config, PASID, &op));
}

TEST(only_first_stage_tables_can_be_bound)
{
    static const VtdTranslationKind others[] = {
        VTD_PASS_THROUGH, VTD_SECOND_STAGE, VTD_NESTED,
    };
    struct uapi2020_op_bind op;

    for (unsigned i = 0; i < 3; i++) {
        VtdConfig config = first_stage();

        config.kind = others[i];
        CHECK(!vtd_encode2020_bind(&config, PASID, &op));
    }
}

TEST(unbind)
{
    struct uapi2020_op_bind op;

    DIRTY(op);
    vtd_encode2020_unbind(PASID, &op);
    CHECK_BYTES(op, { 0, 4, 80 }, { 4, 4, 1 }, { 8, 4, 72 }, { 12, 4, 1 },
                { 16, 4, 1 }, { 24, 8, 1 }, { 40, 8, PASID },
                { 48, 8, PASID });
}

/* --- Invalidation -------------------------------------------------------- */

static struct uapi2020_op_invalidate encode(VtdRange range)
{
    struct uapi2020_op_invalidate op;

    DIRTY(op);
    vtd_encode2020_invalidate(&range, PASID, &op);
    return op;
}

TEST(invalidate_a_PASID)
{
    struct uapi2020_op_invalidate op =
        encode((VtdRange){ .order = VTD_RANGE_ALL });

    CHECK_BYTES(op, { 0, 4, 64 }, { 4, 4, 2 }, /* argsz, operation */
                { 8, 4, 56 }, { 12, 4, 1 }, /* argsz, version */
                { 16, 1, 1 }, { 17, 1, 1 }, /* IOTLB, of a PASID */
                { 24, 4, 1 }, { 28, 4, 0 }, /* PASID is valid, no archid */
                { 32, 8, PASID });
}

TEST(invalidate_a_page)
{
    struct uapi2020_op_invalidate op =
        encode((VtdRange){ .addr = 0x7fff12345000 });

    CHECK_BYTES(op, { 0, 4, 64 }, { 4, 4, 2 }, { 8, 4, 56 }, { 12, 4, 1 },
                { 16, 1, 1 }, { 17, 1, 2 }, /* IOTLB, of addresses */
                { 24, 4, 1 }, { 32, 8, PASID }, { 40, 8, 0x7fff12345000 },
                { 48, 8, 4096 }, { 56, 8, 1 });
}

TEST(invalidate_leaves_of_a_page)
{
    struct uapi2020_op_invalidate op =
        encode((VtdRange){ .addr = 0x5000, .leaf_only = true });

    CHECK_BYTES(op, { 0, 4, 64 }, { 4, 4, 2 }, { 8, 4, 56 }, { 12, 4, 1 },
                { 16, 1, 1 }, { 17, 1, 2 }, { 24, 4, 1 | 4 },
                { 32, 8, PASID }, { 40, 8, 0x5000 }, { 48, 8, 4096 },
                { 56, 8, 1 });
}

/* The kernel makes an order of the product, rounded up: a power of two, of an
 * address that is aligned to it, comes out as it went in. */
TEST(invalidate_pages_of_every_order)
{
    for (unsigned order = 0; order < VTD_RANGE_ALL; order++) {
        uint64_t pages = 1ull << order;
        struct uapi2020_op_invalidate op = encode((VtdRange){
            .addr = 0xffffffffffffffff & ~(pages * 4096 - 1),
            .order = order,
        });
        const struct uapi2020_invalidate_addr *addr = &op.inval.granu.addr;

        tap_context("order %u", order);
        CHECK_EQ(op.inval.granularity, 2);
        CHECK_EQ(addr->granule_size, 4096);
        CHECK_EQ(addr->nb_granules, pages);
        CHECK_EQ(addr->addr % (addr->granule_size * addr->nb_granules), 0);
    }
}

TEST(PASID_requests)
{
    struct uapi2020_pasid_request request;

    DIRTY(request);
    vtd_encode2020_pasid(UAPI2020_PASID_ALLOC, 1, 0xfffff, &request);
    CHECK_BYTES(request, { 0, 4, 16 }, { 4, 4, 1 }, { 8, 4, 1 },
                { 12, 4, 0xfffff });
    vtd_encode2020_pasid(UAPI2020_PASID_FREE, PASID, PASID, &request);
    CHECK_BYTES(request, { 0, 4, 16 }, { 4, 4, 2 }, { 8, 4, PASID },
                { 12, 4, PASID });
}

/* --- The nesting capability ---------------------------------------------- */

#define INFO 24 /* vfio_iommu_type1_info */
#define AT 40 /* the capability, behind one of 16 bytes */

static uint8_t info[256];
static size_t size;

static void put(unsigned offset, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++) {
        info[offset + i] = value >> (8 * i);
    }
}

/* As a kernel of 2020 answers. */
static void answer(void)
{
    memset(info, 0, sizeof(info));
    size = AT + 64;
    put(0, 4, size);
    put(4, 4, 3); /* page sizes, capabilities */
    put(16, 4, INFO);
    put(INFO, 2, 1); /* IOVA ranges */
    put(INFO + 2, 2, 1);
    put(INFO + 4, 4, AT);
    put(AT, 2, 3); /* nesting */
    put(AT + 2, 2, 1);
    put(AT + 8, 4, 56); /* argsz */
    put(AT + 16, 4, 1); /* format */
    put(AT + 20, 4, 7); /* features */
    put(AT + 24, 2, 48);
    put(AT + 26, 2, 20);
    put(AT + 48, 8, 0x1122334455667788); /* CAP */
    put(AT + 56, 8, 0x99aabbccddeeff00); /* ECAP */
}

static const char *decode(VtdNesting2020 *to)
{
    memset(to, 0, sizeof(*to));
    return vtd_decode2020_nesting(info, size, to);
}

static void check_refused(const char *word)
{
    VtdNesting2020 nesting;
    const char *why = decode(&nesting);

    CHECK(why && strstr(why, word));
    CHECK_EQ(nesting.ecap, 0);
}

static void check_taken(void)
{
    VtdNesting2020 nesting;

    CHECK(!decode(&nesting));
    CHECK_EQ(nesting.features, 7);
    CHECK_EQ(nesting.addr_width, 48);
    CHECK_EQ(nesting.pasid_bits, 20);
    CHECK_EQ(nesting.cap, 0x1122334455667788);
    CHECK_EQ(nesting.ecap, 0x99aabbccddeeff00);
}

TEST(a_kernel_of_2020)
{
    answer();
    check_taken();
}

/* Its struct may have more at the end, and bits that are new. */
TEST(a_newer_kernel_with_a_larger_struct)
{
    answer();
    size += 16;
    put(AT + 8, 4, 72); /* argsz */
    put(AT + 12, 4, 0x80); /* flags: something new is valid */
    put(AT + 64, 8, ~0ull);
    check_taken();
}

TEST(an_older_kernel_with_a_smaller_struct)
{
    answer();
    put(AT + 8, 4, 48);
    check_refused("size");
}

TEST(a_struct_that_is_larger_than_its_capability)
{
    answer();
    put(AT + 8, 4, 57);
    check_refused("size");
}

TEST(another_version_of_the_capability)
{
    answer();
    put(AT + 2, 2, 2);
    check_refused("version");
}

TEST(another_format_of_tables)
{
    answer();
    put(AT + 16, 4, 2);
    check_refused("format");
}

/* A later proposal put a word in front of the struct. */
TEST(a_capability_with_a_quota_before_the_struct)
{
    answer();
    size = AT + 16 + 64;
    memset(info + AT + 8, 0, 72);
    put(AT + 8, 4, 64); /* a quota that could be the size */
    put(AT + 16, 4, 64);
    put(AT + 24, 4, 1);
    put(AT + 28, 4, 7);
    check_refused("format");
    put(AT + 8, 4, 1000);
    check_refused("size");
}

/* A kernel of today: twelve bytes that say how many more maps there can be. */
TEST(capability_3_of_a_kernel_of_today)
{
    answer();
    size = AT + 12;
    put(AT + 8, 4, 65535);
    check_refused("no nesting");
}

TEST(capability_3_of_a_kernel_of_today_before_another_one)
{
    answer();
    put(AT + 4, 4, AT + 16);
    put(AT + 16, 2, 9);
    check_refused("no nesting");
}

TEST(a_kernel_without_the_capability)
{
    answer();
    put(AT, 2, 4);
    check_refused("no nesting");
    put(4, 4, 1); /* no capabilities at all */
    check_refused("no nesting");
}

TEST(a_chain_without_an_end_has_one)
{
    answer();
    put(INFO + 4, 4, INFO);
    check_refused("no nesting");
}

TEST(an_answer_cut_off_anywhere)
{
    size_t whole;

    answer();
    whole = size;
    for (size = 0; size < whole; size++) {
        VtdNesting2020 nesting;

        tap_context("%zu bytes", size);
        CHECK(decode(&nesting));
    }
    check_taken();
}
