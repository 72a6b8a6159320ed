/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_desc.h"

#include "tap.h"

static VtdCaps caps;
/* What was decoded. */
static struct {
    unsigned type;
    VtdNotice notice;
    VtdWait wait;
} desc;

static void compose(bool scalable, bool device_tlb)
{
    VtdOptions o = {
        .aw_bits = 48,
        .scalable_mode = scalable,
        .drain = true,
        .device_tlb = device_tlb,
        .dma_translation = true,
        .interrupt_remap = true,
        .pasid_bits = scalable ? 20 : 0,
        .fault_records = 1,
        .mask_order = 18,
    };

    CHECK(!vtd_caps_compose(&o, &caps));
}

static VtdQueueError decode_qwords(const uint64_t *qw, bool wide)
{
    desc.type = vtd_desc_type(qw);
    return vtd_desc_decode(&caps, desc.type, qw, wide, &desc.notice, &desc.wait);
}

static VtdQueueError decode(uint64_t qw0, uint64_t qw1, bool wide)
{
    uint64_t qw[VTD_DESC_QWORDS] = { qw0, qw1, 0, 0 };

    return decode_qwords(qw, wide);
}

/* All caps on, both queue formats if @narrow_too. */
static void check_good(uint64_t qw0, uint64_t qw1, VtdNoticeKind kind,
                       VtdScope scope)
{
    CHECK_EQ(decode(qw0, qw1, true), VTD_QUEUE_OK);
    CHECK_EQ(desc.notice.kind, kind);
    CHECK_EQ(desc.notice.scope, scope);
}

/* Each bit of the four quadwords that is not in @used0 and @used1 is refused
 * when it alone is added to the descriptor. */
static void check_reserved(uint64_t qw0, uint64_t qw1, uint64_t used0,
                           uint64_t used1)
{
    uint64_t used[VTD_DESC_QWORDS] = { used0 | 0xe0f, used1, 0, 0 };

    CHECK_EQ(decode(qw0, qw1, true), VTD_QUEUE_OK);
    for (unsigned bit = 0; bit < 256; bit++) {
        uint64_t qw[VTD_DESC_QWORDS] = { qw0, qw1, 0, 0 };
        bool is_used = used[bit / 64] >> bit % 64 & 1;

        if (is_used) {
            continue;
        }
        qw[bit / 64] ^= 1ull << bit % 64;
        tap_context("bit %u", bit);
        CHECK_EQ(decode_qwords(qw, true), VTD_QUEUE_RESERVED);
    }
}

#define DID(did) ((uint64_t)(did) << 16)
#define HIGH16(sid) ((uint64_t)(sid) << 32)
#define PASID(pasid) ((uint64_t)(pasid) << 32)
#define G(g) ((uint64_t)(g) << 4)

/* Type 1: context cache */

TEST(context_global)
{
    compose(true, true);
    check_good(1 | G(1), 0, VTD_NOTICE_CONTEXT, VTD_SCOPE_GLOBAL);
    CHECK_EQ(desc.type, VTD_DESC_CONTEXT);
}

TEST(context_domain)
{
    compose(true, true);
    check_good(1 | G(2) | DID(0x1234), 0, VTD_NOTICE_CONTEXT,
               VTD_SCOPE_DOMAIN);
    CHECK_EQ(desc.notice.did, 0x1234);
}

TEST(context_device)
{
    compose(true, true);
    check_good(1 | G(3) | DID(0xffff) | HIGH16(0xabcd), 0, VTD_NOTICE_CONTEXT,
               VTD_SCOPE_DEVICE);
    CHECK_EQ(desc.notice.did, 0xffff);
    CHECK_EQ(desc.notice.sid, 0xabcd);
    CHECK_EQ(desc.notice.sid_mask, 0);
}

TEST(context_function_mask)
{
    static const uint16_t masks[] = { 0, 4, 6, 7 };

    compose(true, true);
    for (uint64_t fm = 0; fm < 4; fm++) {
        CHECK_EQ(decode(1 | G(3) | fm << 48, 0, false), VTD_QUEUE_OK);
        CHECK_EQ(desc.notice.sid_mask, masks[fm]);
    }
}

TEST(context_without_granularity_is_refused)
{
    compose(true, true);
    CHECK_EQ(decode(1, 0, false), VTD_QUEUE_RESERVED);
}

TEST(context_reserved_bits)
{
    compose(true, true);
    check_reserved(1 | G(3), 0, 0x0003ffffffff0030, 0);
}

/* Type 2: IOTLB */

TEST(iotlb_global)
{
    compose(true, true);
    check_good(2 | G(1), 0, VTD_NOTICE_IOTLB, VTD_SCOPE_GLOBAL);
}

TEST(iotlb_domain)
{
    compose(true, true);
    check_good(2 | G(2) | DID(7), 0, VTD_NOTICE_IOTLB, VTD_SCOPE_DOMAIN);
    CHECK_EQ(desc.notice.did, 7);
}

TEST(iotlb_page)
{
    compose(true, true);
    check_good(2 | G(3) | DID(7), 0x0000123456789000 | 1 << 6,
               VTD_NOTICE_IOTLB, VTD_SCOPE_PAGE);
    CHECK_EQ(desc.notice.did, 7);
    CHECK_EQ(desc.notice.addr, 0x0000123456789000);
    CHECK_EQ(desc.notice.order, 0);
    CHECK(desc.notice.leaf_only);
}

TEST(iotlb_page_address_is_cut_to_its_mask)
{
    compose(true, true);
    for (unsigned am = 0; am <= 18; am++) {
        CHECK_EQ(decode(2 | G(3), 0x7ffffffffffff000 | am, false),
                 VTD_QUEUE_OK);
        CHECK_EQ(desc.notice.order, am);
        CHECK_EQ(desc.notice.addr,
                 0x7fffffffffffffff & ~((0x1000ull << am) - 1));
        CHECK(!desc.notice.leaf_only);
    }
}

TEST(iotlb_address_mask_beyond_MAMV_is_refused)
{
    compose(true, true);
    for (unsigned am = 19; am < 64; am++) {
        CHECK_EQ(decode(2 | G(3), am, false), VTD_QUEUE_RESERVED);
    }
}

/* MAMV is about second-stage only; Linux drops the kernel's half, of order 35,
 * when it frees kernel page tables while processes are bound. */
TEST(pasid_iotlb_address_mask_is_not_limited_by_MAMV)
{
    compose(true, true);
    for (unsigned am = 0; am <= 52; am++) {
        CHECK_EQ(decode(6 | G(3), 0xffff800000000000 | am, true),
                 VTD_QUEUE_OK);
        CHECK_EQ(desc.notice.order, am);
        CHECK_EQ(desc.notice.addr,
                 am == 52 ? 0 :
                            0xffff800000000000 & ~((0x1000ull << am) - 1));
    }
    for (unsigned am = 53; am < 64; am++) {
        CHECK_EQ(decode(6 | G(3), am, true), VTD_QUEUE_RESERVED);
    }
}

TEST(iotlb_drain_bits_are_accepted)
{
    compose(true, true);
    CHECK_EQ(decode(2 | G(2) | 1 << 6 | 1 << 7, 0, false), VTD_QUEUE_OK);
}

TEST(iotlb_without_granularity_is_refused)
{
    compose(true, true);
    CHECK_EQ(decode(2, 0, false), VTD_QUEUE_RESERVED);
}

TEST(iotlb_reserved_bits)
{
    compose(true, true);
    check_reserved(2 | G(3), 0, 0xffff00f0, 0xfffffffffffff07f);
}

/* Types 3 and 8: device TLB */

TEST(device_tlb)
{
    compose(true, true);
    check_good(3 | HIGH16(0x0123) | 0x1full << 16, 0x7000,
               VTD_NOTICE_DEVICE_TLB, VTD_SCOPE_PAGE);
    CHECK_EQ(desc.notice.sid, 0x0123);
    CHECK_EQ(desc.notice.addr, 0x7000);
    CHECK_EQ(desc.notice.order, 0);
    CHECK(!desc.notice.has_pasid);
    CHECK(!desc.notice.all_pasids);
}

TEST(device_tlb_size_coded)
{
    compose(true, true);
    /* 0x10000..0x1ffff: the zero at bit 15 ends the size. */
    CHECK_EQ(decode(3, 0x17000 | 1, false), VTD_QUEUE_OK);
    CHECK_EQ(desc.notice.addr, 0x10000);
    CHECK_EQ(desc.notice.order, 4);
}

TEST(device_tlb_reserved_bits)
{
    compose(true, true);
    check_reserved(3, 0, 0x0000ffff001f0000, 0xfffffffffffff001);
}

TEST(device_tlb_is_unknown_without_DT)
{
    compose(true, false);
    CHECK_EQ(decode(3, 0, false), VTD_QUEUE_BAD_TYPE);
    CHECK_EQ(decode(8, 0, true), VTD_QUEUE_BAD_TYPE);
}

TEST(pasid_device_tlb)
{
    compose(true, true);
    check_good(8 | 0x1full << 4 | (uint64_t)0xbeef << 16 | PASID(0xfffff),
               0xabc000, VTD_NOTICE_DEVICE_TLB, VTD_SCOPE_PAGE);
    CHECK(desc.notice.has_pasid);
    CHECK(!desc.notice.all_pasids);
    CHECK_EQ(desc.notice.sid, 0xbeef);
    CHECK_EQ(desc.notice.pasid, 0xfffff);
    CHECK_EQ(desc.notice.addr, 0xabc000);
    CHECK_EQ(desc.notice.order, 0);
}

TEST(pasid_device_tlb_of_all_pasids)
{
    compose(true, true);
    CHECK_EQ(decode(8, 1, true), VTD_QUEUE_OK);
    CHECK(desc.notice.all_pasids);
}

TEST(pasid_device_tlb_size_coded)
{
    compose(true, true);
    CHECK_EQ(decode(8, 0x3000 | 1 << 11, true), VTD_QUEUE_OK);
    CHECK_EQ(desc.notice.addr, 0);
    CHECK_EQ(desc.notice.order, 3);
}

TEST(pasid_device_tlb_reserved_bits)
{
    compose(true, true);
    check_reserved(8, 0, 0x000fffffffff01f0, 0xfffffffffffff801);
}

TEST(size_coding_by_the_lowest_zero)
{
    for (unsigned order = 1; order < 52; order++) {
        uint64_t base = order < 51 ? 1ull << (order + 12) : 0;
        uint64_t addr = base | ((0x1000ull << (order - 1)) - 0x1000);

        tap_context("order %u", order);
        CHECK_EQ(vtd_desc_size_coded(&addr, true), order);
        CHECK_EQ(addr, base);
    }
}

TEST(size_coding_of_the_whole_space)
{
    uint64_t addr = 0xfffffffffffff000;

    CHECK_EQ(vtd_desc_size_coded(&addr, true), 52);
    CHECK_EQ(addr, 0);
    addr = 0x7ffffffffffff000;
    CHECK_EQ(vtd_desc_size_coded(&addr, true), 52);
    CHECK_EQ(addr, 0);
}

TEST(without_size_bit_it_is_one_page)
{
    uint64_t addr = 0xfffffffffffff000;

    CHECK_EQ(vtd_desc_size_coded(&addr, false), 0);
    CHECK_EQ(addr, 0xfffffffffffff000);
}

/* Type 4: interrupt entries */

TEST(interrupt_entries_global)
{
    compose(true, true);
    check_good(4, 0, VTD_NOTICE_INTERRUPT_ENTRY, VTD_SCOPE_GLOBAL);
}

TEST(interrupt_entries_by_index)
{
    compose(true, true);
    check_good(4 | 1 << 4 | 3ull << 27 | HIGH16(0x1237), 0,
               VTD_NOTICE_INTERRUPT_ENTRY, VTD_SCOPE_PAGE);
    CHECK_EQ(desc.notice.index, 0x1230);
    CHECK_EQ(desc.notice.count, 8);
}

TEST(interrupt_entries_largest_mask)
{
    compose(true, true);
    CHECK_EQ(decode(4 | 1 << 4 | 15ull << 27 | HIGH16(0xffff), 0, false),
             VTD_QUEUE_OK);
    CHECK_EQ(desc.notice.index, 0x8000);
    CHECK_EQ(desc.notice.count, 0x8000);
}

TEST(interrupt_entries_mask_beyond_MHMV_is_refused)
{
    compose(true, true);
    for (uint64_t im = 16; im < 32; im++) {
        CHECK_EQ(decode(4 | 1 << 4 | im << 27, 0, false), VTD_QUEUE_RESERVED);
    }
}

TEST(interrupt_entries_reserved_bits)
{
    compose(true, true);
    check_reserved(4 | 1 << 4, 0, 0x0000fffff8000010, 0);
}

/* Type 5: wait */

TEST(wait_with_status)
{
    compose(true, true);
    CHECK_EQ(decode(5 | 1 << 5 | 0xcafe0123ull << 32, 0x123456789abc, false),
             VTD_QUEUE_OK);
    CHECK_EQ(desc.type, VTD_DESC_WAIT);
    CHECK(desc.wait.status_write);
    CHECK(!desc.wait.interrupt);
    CHECK_EQ(desc.wait.status_data, 0xcafe0123);
    CHECK_EQ(desc.wait.status_addr, 0x123456789abc);
}

TEST(wait_with_interrupt)
{
    compose(true, true);
    CHECK_EQ(decode(5 | 1 << 4, 0, false), VTD_QUEUE_OK);
    CHECK(!desc.wait.status_write);
    CHECK(desc.wait.interrupt);
}

TEST(wait_fence_alone)
{
    compose(true, true);
    CHECK_EQ(decode(5 | 1 << 6, 0, false), VTD_QUEUE_OK);
    CHECK(!desc.wait.status_write);
    CHECK(!desc.wait.interrupt);
}

TEST(wait_with_page_request_drain_is_refused)
{
    compose(true, true);
    CHECK_EQ(decode(5 | 1 << 7, 0, false), VTD_QUEUE_RESERVED);
}

TEST(wait_reserved_bits)
{
    compose(true, true);
    check_reserved(5 | 1 << 5, 0, 0xffffffff00000070, 0xfffffffffffffffc);
}

/* Type 6: PASID-based IOTLB */

TEST(pasid_iotlb_pasid)
{
    compose(true, true);
    check_good(6 | G(2) | DID(5) | PASID(0xabcde), 0, VTD_NOTICE_PASID_IOTLB,
               VTD_SCOPE_PASID);
    CHECK_EQ(desc.notice.did, 5);
    CHECK_EQ(desc.notice.pasid, 0xabcde);
}

TEST(pasid_iotlb_page)
{
    compose(true, true);
    check_good(6 | G(3) | DID(5) | PASID(9), 0xffff800012345000 | 1 << 6 | 4,
               VTD_NOTICE_PASID_IOTLB, VTD_SCOPE_PAGE);
    CHECK_EQ(desc.notice.pasid, 9);
    CHECK_EQ(desc.notice.addr, 0xffff800012340000);
    CHECK_EQ(desc.notice.order, 4);
    CHECK(desc.notice.leaf_only);
}

TEST(pasid_iotlb_other_granularities_are_refused)
{
    compose(true, true);
    CHECK_EQ(decode(6 | G(0), 0, true), VTD_QUEUE_RESERVED);
    CHECK_EQ(decode(6 | G(1), 0, true), VTD_QUEUE_RESERVED);
}

TEST(pasid_iotlb_reserved_bits)
{
    compose(true, true);
    check_reserved(6 | G(3), 0, 0x000fffffffff0030, 0xfffffffffffff07f);
}

/* Type 7: PASID cache */

TEST(pasid_cache_domain)
{
    compose(true, true);
    check_good(7 | G(0) | DID(3), 0, VTD_NOTICE_PASID_CACHE,
               VTD_SCOPE_DOMAIN);
    CHECK_EQ(desc.notice.did, 3);
}

TEST(pasid_cache_pasid)
{
    compose(true, true);
    check_good(7 | G(1) | DID(3) | PASID(0x12345), 0, VTD_NOTICE_PASID_CACHE,
               VTD_SCOPE_PASID);
    CHECK_EQ(desc.notice.did, 3);
    CHECK_EQ(desc.notice.pasid, 0x12345);
}

TEST(pasid_cache_global)
{
    compose(true, true);
    check_good(7 | G(3), 0, VTD_NOTICE_PASID_CACHE, VTD_SCOPE_GLOBAL);
}

TEST(pasid_cache_reserved_granularity_is_refused)
{
    compose(true, true);
    CHECK_EQ(decode(7 | G(2), 0, true), VTD_QUEUE_RESERVED);
}

TEST(pasid_cache_reserved_bits)
{
    compose(true, true);
    check_reserved(7 | G(1), 0, 0x000fffffffff0030, 0);
}

/* Types and widths */

TEST(unknown_types_are_refused)
{
    compose(true, true);
    for (unsigned type = 0; type < 128; type++) {
        uint64_t qw0 = (type & 15) | (uint64_t)(type >> 4) << 9;

        if (type >= 1 && type <= 8) {
            continue;
        }
        tap_context("type %u", type);
        CHECK_EQ(decode(qw0, 0, false), VTD_QUEUE_BAD_TYPE);
        CHECK_EQ(decode(qw0, 0, true), VTD_QUEUE_BAD_TYPE);
    }
}

TEST(pasid_types_need_a_wide_queue)
{
    compose(true, true);
    CHECK_EQ(decode(6 | G(2), 0, false), VTD_QUEUE_BAD_WIDTH);
    CHECK_EQ(decode(7 | G(1), 0, false), VTD_QUEUE_BAD_WIDTH);
    CHECK_EQ(decode(8, 0, false), VTD_QUEUE_BAD_WIDTH);
}

TEST(pasid_types_need_scalable_mode)
{
    compose(false, true);
    CHECK_EQ(decode(6 | G(2), 0, false), VTD_QUEUE_BAD_TYPE);
    CHECK_EQ(decode(7 | G(1), 0, false), VTD_QUEUE_BAD_TYPE);
    CHECK_EQ(decode(8, 0, false), VTD_QUEUE_BAD_TYPE);
}

TEST(other_types_are_the_same_in_a_wide_queue)
{
    static const uint64_t good[] = {
        1 | G(1), 2 | G(1), 3, 4, 5 | 1 << 5,
    };

    compose(true, true);
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CHECK_EQ(decode(good[i], 0, false), VTD_QUEUE_OK);
        CHECK_EQ(decode(good[i], 0, true), VTD_QUEUE_OK);
        CHECK_EQ(desc.type, i + 1);
    }
}

TEST(the_upper_half_is_not_looked_at_in_a_narrow_queue)
{
    uint64_t qw[VTD_DESC_QWORDS] = { 1 | G(1), 0, ~0ull, ~0ull };

    compose(true, true);
    CHECK_EQ(decode_qwords(qw, false), VTD_QUEUE_OK);
}

/* Page requests ------------------------------------------------------- */

#define RESPONSE(code) (9 | (uint64_t)(code) << 12 | 0x1234ull << 16)

static void compose_full(void)
{
    VtdOptions o = {
        .aw_bits = 48,
        .scalable_mode = true,
        .drain = true,
        .device_tlb = true,
        .dma_translation = true,
        .pasid_bits = 20,
        .fault_records = 1,
        .mask_order = 36,
        .page_requests = true,
    };

    CHECK(!vtd_caps_compose(&o, &caps));
}

TEST(page_response_with_pasid)
{
    compose_full();
    CHECK_EQ(decode(RESPONSE(1) | 1 << 4 | PASID(0x54321), 0x1ff << 3, true),
             VTD_QUEUE_OK);
    CHECK_EQ(desc.notice.kind, VTD_NOTICE_PAGE_RESPONSE);
    CHECK_EQ(desc.notice.sid, 0x1234);
    CHECK(desc.notice.has_pasid);
    CHECK_EQ(desc.notice.pasid, 0x54321);
    CHECK_EQ(desc.notice.group, 0x1ff);
    CHECK_EQ(desc.notice.response, VTD_PAGE_INVALID);
}

TEST(page_response_without_pasid)
{
    compose_full();
    CHECK_EQ(decode(RESPONSE(0), 4, true), VTD_QUEUE_OK);
    CHECK(!desc.notice.has_pasid);
    CHECK_EQ(desc.notice.response, VTD_PAGE_SUCCESS);
}

TEST(page_response_reserved_codes)
{
    compose_full();
    for (unsigned code = 0; code < 16; code++) {
        bool known = code == 0 || code == 1 || code == 15;

        tap_context("code %u", code);
        CHECK_EQ(decode(RESPONSE(code), 0, true),
                 known ? VTD_QUEUE_OK : VTD_QUEUE_RESERVED);
    }
}

TEST(page_response_reserved_bits)
{
    compose_full();
    check_reserved(RESPONSE(0), 0, 0x000ffffffffff010, 0xffc);
}

TEST(page_response_needs_a_wide_queue)
{
    compose_full();
    CHECK_EQ(decode(RESPONSE(0), 0, false), VTD_QUEUE_BAD_WIDTH);
}

TEST(wait_with_page_request_drain_needs_PDS)
{
    compose(true, true);
    CHECK_EQ(decode(5 | 1 << 5 | 1 << 7, 0x1000, true), VTD_QUEUE_RESERVED);
    compose_full();
    CHECK_EQ(decode(5 | 1 << 5 | 1 << 7, 0x1000, true), VTD_QUEUE_OK);
    CHECK(desc.wait.status_write);
}

TEST(page_masks_up_to_MAMV)
{
    compose_full();
    CHECK_EQ(decode(2 | G(3), 36, true), VTD_QUEUE_OK);
    CHECK_EQ(desc.notice.order, 36);
    CHECK_EQ(decode(2 | G(3), 37, true), VTD_QUEUE_RESERVED);
}
