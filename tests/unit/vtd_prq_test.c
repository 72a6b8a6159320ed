/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_prq.h"

#include "guest.h"
#include "tap.h"

#define ADDR 0x7fff12345000ull
#define SLOTS 128 /* of the smallest queue */

enum { PPR = 1, PRO = 2 };
enum { R = VTD_PERM_READ, W = VTD_PERM_WRITE, X = VTD_PERM_EXEC };

static uint64_t queue;
static VtdPageResponse response;

static void context(bool page_requests, bool fault_disable)
{
    tables_scalable_context(&guest.tables, guest.root, GUEST_SID,
                            &(ScalableContext){
                                .pasid_dir = guest.pasid_dir,
                                .pdts = 7,
                                .device_tlb = true,
                                .pasid_enable = true,
                                .page_requests = page_requests,
                                .fault_disable = fault_disable,
                            });
}

static void start(void)
{
    guest_start(options_full());
    guest_scalable();
    context(true, false);
    queue = tables_alloc(&guest.tables, 2);
    write64(VTD_REG_PQA, queue);
    write32(VTD_REG_PEDATA, 0x71);
    write32(VTD_REG_PEADDR, 0xfee00000);
    write32(VTD_REG_PECTL, 0);
    start_queue(true, 0);
    fake_env_forget(&guest.env);
}

static VtdPageResult request(const VtdPageRequest *r)
{
    response = 0xff;
    return vtd_page_request(&guest.unit, r, &response);
}

static VtdPageRequest ordinary(void)
{
    return (VtdPageRequest){
        .req = { .sid = GUEST_SID, .has_pasid = true, .pasid = 0x12345 },
        .addr = ADDR,
        .group = 0x155,
        .perm = R | W,
        .last = true,
    };
}

static VtdPageResult request_last(bool last)
{
    VtdPageRequest r = ordinary();

    r.last = last;
    return request(&r);
}

static uint64_t qword(unsigned slot, unsigned index)
{
    return fake_load64(&guest.env, queue + slot * 32 + index * 8);
}

TEST(a_request_with_pasid_as_it_lies_in_the_queue)
{
    VtdPageRequest r = ordinary();

    start();
    CHECK_EQ(request(&r), VTD_PAGE_QUEUED);
    CHECK_EQ(qword(0, 0), 0x101ull | (uint64_t)GUEST_SID << 16 |
                              0x12345ull << 32);
    CHECK_EQ(qword(0, 1), ADDR | 0x155 << 3 | 7);
    CHECK_EQ(qword(0, 2), 0);
    CHECK_EQ(qword(0, 3), 0);
    CHECK_EQ(reg64(VTD_REG_PQT), 32);
    CHECK_EQ(reg64(VTD_REG_PQH), 0);
    CHECK_EQ(guest.unit.counters.page_requests, 1);
}

TEST(execute_and_privilege_go_with_a_pasid)
{
    VtdPageRequest r = ordinary();

    start();
    r.perm = R | X;
    r.privileged = true;
    r.last = false;
    CHECK_EQ(request(&r), VTD_PAGE_QUEUED);
    CHECK_EQ(qword(0, 0) >> 52, 3);
    CHECK_EQ(qword(0, 1) & 7, 1);
}

TEST(a_request_without_pasid)
{
    VtdPageRequest r = ordinary();

    start();
    r.req.has_pasid = false;
    r.perm = R | X;
    r.privileged = true;
    CHECK_EQ(request(&r), VTD_PAGE_QUEUED);
    CHECK_EQ(qword(0, 0), 1 | (uint64_t)GUEST_SID << 16);
    CHECK_EQ(qword(0, 1) & 7, 5);
}

TEST(old_contents_of_the_queue_are_overwritten)
{
    start();
    for (unsigned i = 0; i < 4; i++) {
        fake_store64(&guest.env, queue + i * 8, ~0ull);
    }
    request_last(true);
    CHECK_EQ(qword(0, 2), 0);
    CHECK_EQ(qword(0, 3), 0);
}

TEST(one_interrupt_until_the_status_is_cleared)
{
    start();
    request_last(true);
    CHECK_EQ(reg32(VTD_REG_PRS), PPR);
    CHECK_EQ(guest.env.msis, 1);
    CHECK_EQ(guest.env.msi_data[0], 0x71);
    request_last(true);
    CHECK_EQ(guest.env.msis, 1);
    write32(VTD_REG_PRS, PPR);
    CHECK_EQ(reg32(VTD_REG_PRS), 0);
    request_last(true);
    CHECK_EQ(guest.env.msis, 2);
    CHECK_EQ(reg64(VTD_REG_PQT), 96);
}

TEST(a_masked_interrupt_is_pending)
{
    start();
    write32(VTD_REG_PECTL, 0x80000000);
    request_last(true);
    CHECK_EQ(guest.env.msis, 0);
    CHECK_EQ(reg32(VTD_REG_PECTL), 0xc0000000);
    write32(VTD_REG_PECTL, 0);
    CHECK_EQ(guest.env.msis, 1);
}

TEST(a_pending_interrupt_goes_away_with_its_conditions)
{
    start();
    write32(VTD_REG_PECTL, 0x80000000);
    request_last(true);
    write32(VTD_REG_PRS, PPR);
    CHECK_EQ(reg32(VTD_REG_PECTL), 0x80000000);
}

static void fill(void)
{
    for (unsigned i = 0; i < SLOTS - 1; i++) {
        CHECK_EQ(request_last(true), VTD_PAGE_QUEUED);
    }
}

TEST(a_full_queue_overflows_and_the_device_is_told_to_try_again)
{
    start();
    fill();
    CHECK_EQ(reg32(VTD_REG_PRS), PPR);
    CHECK_EQ(request_last(true), VTD_PAGE_ANSWERED);
    CHECK_EQ(response, VTD_PAGE_SUCCESS);
    CHECK_EQ(reg32(VTD_REG_PRS), PPR | PRO);
    CHECK_EQ(request_last(false), VTD_PAGE_DROPPED);
    CHECK_EQ(reg64(VTD_REG_PQT), (SLOTS - 1) * 32);
    CHECK_EQ(qword(SLOTS - 1, 0), 0);
    CHECK_EQ(guest.unit.counters.page_requests, SLOTS - 1);
}

TEST(nothing_is_queued_until_the_overflow_is_cleared)
{
    start();
    fill();
    request_last(true);
    write64(VTD_REG_PQH, (SLOTS - 1) * 32);
    CHECK_EQ(request_last(true), VTD_PAGE_ANSWERED);
    write32(VTD_REG_PRS, PRO | PPR);
    CHECK_EQ(request_last(true), VTD_PAGE_QUEUED);
    CHECK_EQ(reg64(VTD_REG_PQT), 0); /* round the corner */
    CHECK_EQ(qword(SLOTS - 1, 0) & 0xff, 1);
}

TEST(an_overflow_alone_interrupts_too)
{
    start();
    fill();
    write32(VTD_REG_PRS, PPR);
    CHECK_EQ(guest.env.msis, 1);
    request_last(true);
    CHECK_EQ(reg32(VTD_REG_PRS), PRO);
    CHECK_EQ(guest.env.msis, 2);
}

TEST(a_larger_queue_has_more_slots)
{
    start();
    write64(VTD_REG_PQA, queue | 1);
    fill();
    CHECK_EQ(request_last(true), VTD_PAGE_QUEUED);
    CHECK_EQ(reg64(VTD_REG_PQT), SLOTS * 32);
}

TEST(pointers_outside_the_queue_stay_inside_it)
{
    start();
    write64(VTD_REG_PQT, 0x7ffe0);
    write64(VTD_REG_PQH, 0x7ffc0);
    CHECK_EQ(request_last(true), VTD_PAGE_QUEUED);
    CHECK_EQ(qword(SLOTS - 1, 0) & 0xff, 1);
}

TEST(a_queue_without_memory_fails_the_group)
{
    start();
    write64(VTD_REG_PQA, 1ull << 40);
    CHECK_EQ(request_last(false), VTD_PAGE_DROPPED);
    CHECK_EQ(request_last(true), VTD_PAGE_ANSWERED);
    CHECK_EQ(response, VTD_PAGE_FAILURE);
    CHECK_EQ(reg64(VTD_REG_PQT), 0);
    CHECK_EQ(reg32(VTD_REG_PRS), 0);
}

TEST(without_PRE_the_request_is_invalid_and_recorded)
{
    start();
    context(false, false);
    CHECK_EQ(request_last(true), VTD_PAGE_ANSWERED);
    CHECK_EQ(response, VTD_PAGE_INVALID);
    CHECK_EQ(reg64(VTD_REG_PQT), 0);
    CHECK_EQ(reg64(VTD_REG_FRCD), ADDR);
    /* F, a page request (T2), PASID, 0x47 */
    CHECK_EQ(reg64(VTD_REG_FRCD + 8),
             0x8123454790000000 | GUEST_SID);
}

TEST(without_PRE_fault_disable_hides_it)
{
    start();
    context(false, true);
    CHECK_EQ(request_last(true), VTD_PAGE_ANSWERED);
    CHECK_EQ(reg32(VTD_REG_FSTS), 0);
}

TEST(a_missing_context_entry_fails_the_group)
{
    VtdPageRequest r = ordinary();

    start();
    r.req.sid = GUEST_SID + 1;
    CHECK_EQ(request(&r), VTD_PAGE_ANSWERED);
    CHECK_EQ(response, VTD_PAGE_FAILURE);
    CHECK_EQ(reg64(VTD_REG_FRCD + 8) >> 32 & 0xff, 0x41);
}

TEST(a_pasid_beyond_the_directory_fails_the_group)
{
    VtdPageRequest r = ordinary();

    start();
    r.req.pasid = 0xfffff;
    tables_scalable_context(&guest.tables, guest.root, GUEST_SID,
                            &(ScalableContext){
                                .pasid_dir = guest.pasid_dir,
                                .pasid_enable = true,
                                .page_requests = true,
                            });
    CHECK_EQ(request(&r), VTD_PAGE_ANSWERED);
    CHECK_EQ(response, VTD_PAGE_FAILURE);
    CHECK_EQ(reg64(VTD_REG_FRCD + 8) >> 32 & 0xff, 0x46);
}

TEST(legacy_mode_has_no_page_requests)
{
    start();
    set_root(0);
    CHECK_EQ(request_last(true), VTD_PAGE_ANSWERED);
    CHECK_EQ(response, VTD_PAGE_FAILURE);
    CHECK_EQ(reg64(VTD_REG_FRCD + 8) >> 32 & 0xff, 0x32);
}

TEST(without_translation_the_request_is_invalid)
{
    start();
    command(0, VTD_GCMD_TE);
    CHECK_EQ(request_last(true), VTD_PAGE_ANSWERED);
    CHECK_EQ(response, VTD_PAGE_INVALID);
}

TEST(a_unit_without_page_requests_has_none_of_their_registers)
{
    VtdOptions o = options_full();

    o.page_requests = false;
    guest_start(o);
    for (unsigned offset = VTD_REG_PQH; offset < VTD_REG_IVA; offset += 4) {
        tap_context("offset 0x%x", offset);
        write32(offset, ~0u);
        CHECK_EQ(reg32(offset), 0);
    }
    CHECK_EQ(request_last(true), VTD_PAGE_ANSWERED);
    CHECK_EQ(response, VTD_PAGE_INVALID);
}

TEST(a_response_reaches_the_device)
{
    const VtdNotice *n = &guest.env.notice[0];

    start();
    invalidate(9 | 1 << 4 | 0xf << 12 | (uint64_t)GUEST_SID << 16 |
                   0x12345ull << 32,
               0x155 << 3);
    CHECK_EQ(guest.env.notices, 1);
    CHECK_EQ(n->kind, VTD_NOTICE_PAGE_RESPONSE);
    CHECK_EQ(n->sid, GUEST_SID);
    CHECK(n->has_pasid);
    CHECK_EQ(n->pasid, 0x12345);
    CHECK_EQ(n->group, 0x155);
    CHECK_EQ(n->response, VTD_PAGE_FAILURE);
}
