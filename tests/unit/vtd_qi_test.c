/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_qi.h"

#include <string.h>

#include "guest.h"
#include "tap.h"
#include "vtd_desc.h"

enum { IQE = 0x10, ICE = 0x20, ITE = 0x40 };

static void narrow(void)
{
    guest_start(options_nested());
    start_queue(false, 0);
    fake_env_forget(&guest.env);
}

static void wide(void)
{
    guest_start(options_nested());
    start_queue(true, 0);
    fake_env_forget(&guest.env);
}

static uint64_t head(void)
{
    return reg64(VTD_REG_IQH);
}

static uint32_t errors(void)
{
    return reg32(VTD_REG_FSTS) & (IQE | ICE | ITE);
}

static unsigned reason(void)
{
    return reg64(VTD_REG_IQERCD) & 15;
}

static uint32_t status(void)
{
    return fake_load32(&guest.env, GUEST_STATUS);
}

static void check_stopped(uint64_t at, uint32_t fsts, unsigned why)
{
    CHECK_EQ(head(), at);
    CHECK_EQ(errors(), fsts);
    CHECK_EQ(reason(), why);
}

static void check_drained(void)
{
    check_stopped(guest.tail, 0, 0);
}

/* The order of effects since the queue was started. */
static void check_order(const char *expected)
{
    tap_context("order \"%s\", expected \"%s\"", guest.env.order, expected);
    CHECK(strcmp(guest.env.order, expected) == 0);
}

/* Descriptors --------------------------------------------------------- */

TEST(each_narrow_descriptor_becomes_its_notice)
{
    static const VtdNoticeKind kinds[] = {
        VTD_NOTICE_CONTEXT,
        VTD_NOTICE_IOTLB,
        VTD_NOTICE_DEVICE_TLB,
        VTD_NOTICE_INTERRUPT_ENTRY,
    };

    narrow();
    queue_descriptor(qi_context(QI_DOMAIN, 5, 0), 0);
    queue_descriptor(qi_iotlb(QI_NARROW, 6), 0x7000);
    queue_descriptor(3 | (uint64_t)0x1234 << 32, 0x8000);
    queue_descriptor(4, 0);
    kick();
    check_drained();
    CHECK_EQ(guest.env.notices, 4);
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQ(guest.env.notice[i].kind, kinds[i]);
    }
    CHECK_EQ(guest.env.notice[0].did, 5);
    CHECK_EQ(guest.env.notice[1].addr, 0x7000);
    CHECK_EQ(guest.env.notice[2].sid, 0x1234);
}

TEST(each_wide_descriptor_becomes_its_notice)
{
    wide();
    queue_descriptor(qi_pasid_cache(QI_PC_PASID, 5, 9), 0);
    queue_descriptor(qi_pasid_iotlb(QI_PIOTLB_PASID, 6, 10), 0);
    queue_descriptor(8 | (uint64_t)0x77 << 16 | 11ull << 32, 0x9000);
    queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    kick();
    check_drained();
    CHECK_EQ(head(), 4 * 32);
    CHECK_EQ(guest.env.notices, 4);
    CHECK_EQ(guest.env.notice[0].kind, VTD_NOTICE_PASID_CACHE);
    CHECK_EQ(guest.env.notice[0].pasid, 9);
    CHECK_EQ(guest.env.notice[1].kind, VTD_NOTICE_PASID_IOTLB);
    CHECK_EQ(guest.env.notice[1].pasid, 10);
    CHECK_EQ(guest.env.notice[2].kind, VTD_NOTICE_DEVICE_TLB);
    CHECK_EQ(guest.env.notice[2].sid, 0x77);
    CHECK_EQ(guest.env.notice[3].kind, VTD_NOTICE_IOTLB);
}

TEST(descriptors_are_counted_by_type)
{
    wide();
    queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    queue_descriptor(qi_pasid_cache(QI_PC_GLOBAL, 0, 0), 0);
    queue_descriptor(qi_wait_status(1), GUEST_STATUS);
    kick();
    CHECK_EQ(guest.unit.counters.descriptors[2], 2);
    CHECK_EQ(guest.unit.counters.descriptors[7], 1);
    CHECK_EQ(guest.unit.counters.descriptors[5], 1);
}

TEST(the_unit_drops_its_own_translations)
{
    VtdTag tag = { .did = 3 };
    VtdIotlbTicket ticket;
    VtdMapping m = { .iova = 0, .pa = 0x1000, .shift = 12, .perm = 3 };
    VtdIotlb *tlb;

    narrow();
    tlb = &guest.unit.iotlb;
    ticket = vtd_iotlb_ticket(tlb, tag);
    vtd_iotlb_insert(tlb, &ticket, &m);
    CHECK(vtd_iotlb_lookup(tlb, vtd_iotlb_key(tag), 0, &m));
    invalidate(qi_iotlb(QI_DOMAIN, 3), 0);
    CHECK(!vtd_iotlb_lookup(tlb, vtd_iotlb_key(tag), 0, &m));
}

/* Waiting ------------------------------------------------------------- */

TEST(wait_writes_its_status)
{
    narrow();
    fake_store64(&guest.env, GUEST_STATUS, ~0ull);
    invalidate(qi_wait_status(0x12345678), GUEST_STATUS);
    CHECK_EQ(fake_load64(&guest.env, GUEST_STATUS), 0xffffffff12345678);
    check_drained();
}

TEST(wait_status_at_an_odd_word)
{
    narrow();
    invalidate(qi_wait_status(0x12345678), GUEST_STATUS + 4);
    CHECK_EQ(fake_load64(&guest.env, GUEST_STATUS), 0x1234567800000000);
}

TEST(wait_status_that_is_not_in_memory_is_reported_and_passed_over)
{
    narrow();
    invalidate(qi_wait_status(1), GUEST_RAM);
    check_drained();
    CHECK(guest.env.last_error);
}

TEST(wait_status_comes_after_the_delivery_of_all_before_it)
{
    narrow();
    queue_descriptor(qi_iotlb(QI_DOMAIN, 1), 0);
    queue_descriptor(qi_iotlb(QI_DOMAIN, 2), 0);
    queue_descriptor(qi_wait_status(1), GUEST_STATUS);
    queue_descriptor(qi_iotlb(QI_DOMAIN, 3), 0);
    queue_descriptor(qi_wait_status(2), GUEST_STATUS);
    kick();
    check_order("DWDW");
    CHECK_EQ(guest.env.batch[0], 2);
    CHECK_EQ(guest.env.batch[1], 1);
    CHECK_EQ(status(), 2);
}

static uint32_t status_at_delivery;

static void look_at_status(FakeEnv *env, void *opaque)
{
    (void)env;
    (void)opaque;
    status_at_delivery = status();
}

TEST(the_guest_sees_no_completion_while_a_delivery_runs)
{
    narrow();
    guest.env.hook = look_at_status;
    guest.env.hook_at[FAKE_DELIVER] = 1;
    status_at_delivery = 99;
    queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    queue_descriptor(qi_wait_status(7), GUEST_STATUS);
    kick();
    CHECK_EQ(status_at_delivery, 0);
    CHECK_EQ(status(), 7);
}

static void unmask_completion(void)
{
    write32(VTD_REG_IEDATA, 0x41);
    write32(VTD_REG_IEADDR, 0xfee00000);
    write32(VTD_REG_IEUADDR, 0x5);
    write32(VTD_REG_IECTL, 0);
}

TEST(wait_interrupts)
{
    narrow();
    unmask_completion();
    invalidate(qi_wait_interrupt(), 0);
    CHECK_EQ(reg32(VTD_REG_ICS), 1);
    CHECK_EQ(guest.env.msis, 1);
    CHECK_EQ(guest.env.msi_addr[0], 0x5fee00000);
    CHECK_EQ(guest.env.msi_data[0], 0x41);
}

TEST(wait_interrupts_once_until_the_status_is_cleared)
{
    narrow();
    unmask_completion();
    invalidate(qi_wait_interrupt(), 0);
    invalidate(qi_wait_interrupt(), 0);
    CHECK_EQ(guest.env.msis, 1);
    write32(VTD_REG_ICS, 1);
    CHECK_EQ(reg32(VTD_REG_ICS), 0);
    invalidate(qi_wait_interrupt(), 0);
    CHECK_EQ(guest.env.msis, 2);
}

TEST(wait_interrupt_is_pending_while_masked)
{
    narrow();
    unmask_completion();
    write32(VTD_REG_IECTL, 0x80000000);
    invalidate(qi_wait_interrupt(), 0);
    CHECK_EQ(guest.env.msis, 0);
    CHECK_EQ(reg32(VTD_REG_IECTL), 0xc0000000);
    write32(VTD_REG_IECTL, 0);
    CHECK_EQ(guest.env.msis, 1);
    CHECK_EQ(reg32(VTD_REG_IECTL), 0);
}

TEST(wait_interrupt_comes_behind_status_and_delivery)
{
    narrow();
    unmask_completion();
    queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    queue_descriptor(qi_wait_status(1) | 1 << 4, GUEST_STATUS);
    kick();
    check_order("DWM");
}

TEST(wait_that_only_fences)
{
    narrow();
    queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    queue_descriptor(5 | 1 << 6, 0);
    queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    kick();
    check_drained();
    CHECK_EQ(guest.env.batches, 2);
}

/* The ring ------------------------------------------------------------ */

TEST(nothing_happens_before_the_queue_is_enabled)
{
    guest_start(options_nested());
    guest.queue = tables_alloc(&guest.tables, 1);
    guest.queue_bytes = 4096;
    write64(VTD_REG_IQA, guest.queue);
    invalidate(qi_wait_status(1), GUEST_STATUS);
    CHECK_EQ(status(), 0);
    CHECK_EQ(head(), 0);
}

TEST(nothing_happens_after_a_reset_until_the_queue_is_enabled)
{
    narrow();
    invalidate(qi_wait_status(1), GUEST_STATUS);
    CHECK_EQ(status(), 1);
    vtd_reset(&guest.unit);
    write64(VTD_REG_IQA, guest.queue);
    invalidate(qi_wait_status(2), GUEST_STATUS);
    CHECK_EQ(status(), 1);
    CHECK_EQ(head(), 0);
}

TEST(what_was_queued_before_it_is_enabled_runs_then)
{
    guest_start(options_nested());
    guest.queue = tables_alloc(&guest.tables, 1);
    guest.queue_bytes = 4096;
    write64(VTD_REG_IQA, guest.queue);
    invalidate(qi_wait_status(1), GUEST_STATUS);
    command(VTD_GCMD_QIE, 0);
    CHECK_EQ(status(), 1);
    CHECK(reg32(VTD_REG_GSTS) & VTD_GCMD_QIE);
}

TEST(the_queue_wraps)
{
    narrow();
    for (unsigned i = 1; i <= 1000; i++) {
        invalidate(qi_wait_status(i), GUEST_STATUS);
        CHECK_EQ(status(), i);
        CHECK_EQ(head(), i * 16 % 4096);
    }
}

TEST(the_wide_queue_wraps)
{
    wide();
    for (unsigned i = 1; i <= 1000; i++) {
        invalidate(qi_wait_status(i), GUEST_STATUS);
        CHECK_EQ(status(), i);
        CHECK_EQ(head(), i * 32 % 4096);
    }
}

TEST(a_run_of_descriptors_across_the_end)
{
    narrow();
    for (unsigned i = 0; i < 250; i++) {
        queue_descriptor(qi_wait_status(1), GUEST_STATUS);
    }
    kick();
    for (unsigned i = 0; i < 20; i++) {
        queue_descriptor(qi_iotlb(QI_DOMAIN, i), 0);
    }
    queue_descriptor(qi_wait_status(2), GUEST_STATUS);
    kick();
    check_drained();
    CHECK_EQ(guest.env.notices, 20);
    for (unsigned i = 0; i < 20; i++) {
        CHECK_EQ(guest.env.notice[i].did, i);
    }
    CHECK_EQ(status(), 2);
}

TEST(the_largest_queue)
{
    guest_start(options_nested());
    start_queue(false, 7);
    for (unsigned i = 0; i < 32767; i++) {
        queue_descriptor(qi_wait_status(i + 1), GUEST_STATUS);
    }
    kick();
    CHECK_EQ(status(), 32767);
    check_drained();
}

TEST(notices_come_in_batches)
{
    guest_start(options_nested());
    start_queue(false, 2);
    fake_env_forget(&guest.env);
    for (unsigned i = 0; i < 2 * VTD_BATCH_MAX + 10; i++) {
        queue_descriptor(qi_iotlb(QI_DOMAIN, i), 0);
    }
    queue_descriptor(qi_wait_status(1), GUEST_STATUS);
    kick();
    CHECK_EQ(guest.env.batches, 3);
    CHECK_EQ(guest.env.batch[0], VTD_BATCH_MAX);
    CHECK_EQ(guest.env.batch[1], VTD_BATCH_MAX);
    CHECK_EQ(guest.env.batch[2], 10);
    for (unsigned i = 0; i < guest.env.notices; i++) {
        CHECK_EQ(guest.env.notice[i].did, i);
    }
    check_order("DDDW");
}

TEST(one_call_does_a_bounded_number_of_descriptors)
{
    guest_start(options_nested());
    start_queue(false, 7);
    for (unsigned i = 0; i < 20000; i++) {
        queue_descriptor(qi_wait_status(i + 1), GUEST_STATUS);
    }
    CHECK(vtd_mmio_write(&guest.unit, VTD_REG_IQT, guest.tail, 8));
    CHECK(status() >= 256);
    CHECK(status() < 20000);
    while (vtd_continue(&guest.unit)) {
    }
    CHECK_EQ(status(), 20000);
}

/* The guest goes on at each delivery or message, from another processor. */
static void refill(FakeEnv *env, void *opaque)
{
    (void)opaque;
    env->hook_at[FAKE_DELIVER]++;
    env->hook_at[FAKE_SEND_MSI]++;
    CHECK(env->calls[FAKE_DELIVER] < 100000);
    CHECK(env->calls[FAKE_SEND_MSI] < 100000);
    if (errors()) {
        vtd_mmio_write(&guest.unit, VTD_REG_FSTS, IQE, 4);
        return;
    }
    queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    vtd_mmio_write(&guest.unit, VTD_REG_IQT, guest.tail, 8);
}

TEST(a_guest_that_refills_the_queue_does_not_hold_a_call)
{
    narrow();
    guest.env.hook = refill;
    guest.env.hook_at[FAKE_DELIVER] = 1;
    queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    CHECK(vtd_mmio_write(&guest.unit, VTD_REG_IQT, guest.tail, 8));
}

TEST(a_guest_that_clears_errors_for_ever_does_not_hold_a_call)
{
    narrow();
    write32(VTD_REG_FECTL, 0);
    guest.env.hook = refill;
    guest.env.hook_at[FAKE_SEND_MSI] = 1;
    queue_descriptor(0, 0);
    CHECK(vtd_mmio_write(&guest.unit, VTD_REG_IQT, guest.tail, 8));
}

/* Errors -------------------------------------------------------------- */

TEST(a_bad_descriptor_stops_the_queue_on_it)
{
    narrow();
    queue_descriptor(qi_wait_status(1), GUEST_STATUS);
    queue_descriptor(15, 0);
    queue_descriptor(qi_wait_status(2), GUEST_STATUS);
    kick();
    check_stopped(16, IQE, VTD_QUEUE_BAD_TYPE);
    CHECK_EQ(status(), 1);
}

TEST(reserved_bits_stop_the_queue)
{
    narrow();
    invalidate(qi_iotlb(QI_GLOBAL, 0) | 1ull << 32, 0);
    check_stopped(0, IQE, VTD_QUEUE_RESERVED);
}

TEST(a_pasid_descriptor_in_a_narrow_queue_stops_it)
{
    narrow();
    invalidate(qi_pasid_iotlb(QI_PIOTLB_PASID, 1, 1), 0);
    check_stopped(0, IQE, VTD_QUEUE_BAD_WIDTH);
}

TEST(a_wide_queue_without_scalable_mode_is_refused)
{
    guest_start(options_legacy());
    start_queue(true, 0);
    invalidate(qi_iotlb(QI_GLOBAL, 0), 0);
    CHECK_EQ(errors(), IQE);
    CHECK_EQ(reason(), VTD_QUEUE_BAD_WIDTH);
}

static void fail_the_next_read(FakeEnv *env, void *opaque)
{
    (void)opaque;
    env->fail_at[FAKE_READ] = env->calls[FAKE_READ] + 1;
}

TEST(a_descriptor_that_cannot_be_read_stops_the_queue)
{
    narrow();
    queue_descriptor(qi_wait_status(1), GUEST_STATUS);
    queue_descriptor(qi_wait_status(2), GUEST_STATUS);
    /* The first read is of both, the second of the first alone. */
    guest.env.fail_at[FAKE_READ] = 1;
    guest.env.hook = fail_the_next_read;
    guest.env.hook_at[FAKE_READ] = 2;
    kick();
    check_stopped(16, IQE, VTD_QUEUE_FETCH);
    CHECK_EQ(status(), 1);
}

TEST(a_tail_behind_the_end_of_the_queue_is_refused)
{
    narrow();
    write64(VTD_REG_IQT, 4096);
    check_stopped(0, IQE, VTD_QUEUE_BAD_TAIL);
}

TEST(a_tail_in_the_middle_of_a_wide_descriptor_is_refused)
{
    wide();
    write64(VTD_REG_IQT, 16);
    check_stopped(0, IQE, VTD_QUEUE_TAIL_ALIGNMENT);
}

TEST(what_came_before_a_bad_descriptor_is_delivered)
{
    narrow();
    queue_descriptor(qi_iotlb(QI_DOMAIN, 1), 0);
    queue_descriptor(qi_iotlb(QI_DOMAIN, 2), 0);
    queue_descriptor(0, 0);
    kick();
    check_stopped(32, IQE, VTD_QUEUE_BAD_TYPE);
    CHECK_EQ(guest.env.notices, 2);
}

TEST(an_error_raises_the_fault_event)
{
    narrow();
    write32(VTD_REG_FEDATA, 0x55);
    write32(VTD_REG_FEADDR, 0xfee01000);
    write32(VTD_REG_FECTL, 0);
    invalidate(0, 0);
    CHECK_EQ(guest.env.msis, 1);
    CHECK_EQ(guest.env.msi_addr[0], 0xfee01000);
    CHECK_EQ(guest.env.msi_data[0], 0x55);
}

TEST(a_stopped_queue_takes_nothing_more)
{
    narrow();
    invalidate(0, 0);
    invalidate(qi_wait_status(1), GUEST_STATUS);
    check_stopped(0, IQE, VTD_QUEUE_BAD_TYPE);
    CHECK_EQ(status(), 0);
}

TEST(a_mended_queue_goes_on_when_the_error_is_cleared)
{
    narrow();
    queue_descriptor(0, 0);
    queue_descriptor(qi_wait_status(1), GUEST_STATUS);
    kick();
    CHECK_EQ(status(), 0);
    fake_store64(&guest.env, guest.queue, qi_iotlb(QI_GLOBAL, 0));
    write32(VTD_REG_FSTS, IQE);
    CHECK_EQ(status(), 1);
    CHECK_EQ(errors(), 0);
    CHECK_EQ(head(), guest.tail);
}

TEST(an_error_that_is_cleared_but_not_mended_comes_back)
{
    narrow();
    invalidate(0, 0);
    write32(VTD_REG_FSTS, IQE);
    check_stopped(0, IQE, VTD_QUEUE_BAD_TYPE);
}

TEST(clearing_another_bit_does_not_start_a_stopped_queue)
{
    narrow();
    invalidate(0, 0);
    fake_store64(&guest.env, guest.queue, qi_wait_status(1));
    fake_store64(&guest.env, guest.queue + 8, GUEST_STATUS);
    write32(VTD_REG_FSTS, ITE | ICE | 1);
    CHECK_EQ(status(), 0);
    CHECK_EQ(errors(), IQE);
}

TEST(a_refused_notice_stops_the_queue_on_its_descriptor)
{
    narrow();
    guest.env.failing_notice = 2;
    guest.env.failing_result = VTD_DELIVERY_REFUSED;
    for (unsigned i = 0; i < 5; i++) {
        queue_descriptor(qi_iotlb(QI_DOMAIN, i), 0);
    }
    queue_descriptor(qi_wait_status(1), GUEST_STATUS);
    kick();
    check_stopped(2 * 16, IQE, 0);
    CHECK_EQ(status(), 0);
    CHECK_EQ(guest.env.notices, 2);
}

TEST(after_a_refusal_the_queue_goes_on_with_the_refused_one)
{
    narrow();
    guest.env.failing_notice = 2;
    guest.env.failing_result = VTD_DELIVERY_REFUSED;
    for (unsigned i = 0; i < 5; i++) {
        queue_descriptor(qi_iotlb(QI_DOMAIN, i), 0);
    }
    queue_descriptor(qi_wait_status(1), GUEST_STATUS);
    kick();
    write32(VTD_REG_FSTS, IQE);
    CHECK_EQ(status(), 1);
    CHECK_EQ(guest.env.notices, 5);
    for (unsigned i = 0; i < 5; i++) {
        CHECK_EQ(guest.env.notice[i].did, i);
    }
}

/* Hardware aborts the wait descriptors that are pending: what would confirm
 * the request that was not answered never happens. */
TEST(a_timeout_aborts_the_wait_behind_it)
{
    narrow();
    guest.env.failing_notice = 2;
    guest.env.failing_result = VTD_DELIVERY_TIMEOUT;
    for (unsigned i = 0; i < 5; i++) {
        queue_descriptor(qi_iotlb(QI_DOMAIN, i), 0);
    }
    queue_descriptor(qi_wait_status(1), GUEST_STATUS);
    queue_descriptor(qi_iotlb(QI_DOMAIN, 5), 0);
    queue_descriptor(qi_wait_status(2) | 1 << 4, GUEST_STATUS + 4);
    kick();
    check_stopped(6 * 16, ITE, 0);
    CHECK_EQ(status(), 0);
    CHECK_EQ(guest.env.notices, 4);
    write32(VTD_REG_FSTS, ITE);
    check_drained();
    CHECK_EQ(fake_load64(&guest.env, GUEST_STATUS), 2ull << 32);
    CHECK_EQ(guest.env.notices, 5);
}

TEST(a_timeout_holds_up_no_other_invalidation)
{
    narrow();
    guest.env.failing_notice = 0;
    guest.env.failing_result = VTD_DELIVERY_TIMEOUT;
    queue_descriptor(3, 0);
    queue_descriptor(qi_iotlb(QI_DOMAIN, 1), 0);
    kick();
    check_stopped(2 * 16, ITE, 0);
    CHECK_EQ(guest.env.notices, 1);
    CHECK_EQ(guest.env.notice[0].did, 1);
}

TEST(a_timeout_of_the_last_notice)
{
    narrow();
    guest.env.failing_notice = 0;
    guest.env.failing_result = VTD_DELIVERY_TIMEOUT;
    invalidate(3, 0);
    check_stopped(16, ITE, 0);
    write32(VTD_REG_FSTS, ITE);
    invalidate(qi_wait_status(1), GUEST_STATUS);
    CHECK_EQ(status(), 1);
}

TEST(a_refusal_hides_the_bad_descriptor_behind_it)
{
    narrow();
    guest.env.failing_notice = 1;
    guest.env.failing_result = VTD_DELIVERY_REFUSED;
    queue_descriptor(qi_iotlb(QI_DOMAIN, 1), 0);
    queue_descriptor(qi_iotlb(QI_DOMAIN, 2), 0);
    queue_descriptor(0, 0);
    kick();
    check_stopped(16, IQE, 0);
    write32(VTD_REG_FSTS, IQE);
    check_stopped(32, IQE, VTD_QUEUE_BAD_TYPE);
}

TEST(a_smaller_queue_under_an_old_head_is_refused)
{
    guest_start(options_nested());
    start_queue(false, 1);
    for (unsigned i = 0; i < 300; i++) {
        queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    }
    kick();
    write64(VTD_REG_IQA, guest.queue);
    write64(VTD_REG_IQT, 16);
    CHECK_EQ(errors(), IQE);
    CHECK_EQ(reason(), VTD_QUEUE_BAD_TAIL);
}

TEST(disabling_the_queue_resets_the_head)
{
    narrow();
    invalidate(qi_iotlb(QI_GLOBAL, 0), 0);
    CHECK_EQ(head(), 16);
    command(0, VTD_GCMD_QIE);
    CHECK_EQ(head(), 0);
    CHECK(!(reg32(VTD_REG_GSTS) & VTD_GCMD_QIE));
}

static void disable_queue(FakeEnv *env, void *opaque)
{
    (void)env;
    (void)opaque;
    command(0, VTD_GCMD_QIE);
}

TEST(a_queue_disabled_during_a_delivery_keeps_its_head_at_zero)
{
    narrow();
    guest.env.hook = disable_queue;
    guest.env.hook_at[FAKE_DELIVER] = 1;
    queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    kick();
    CHECK_EQ(head(), 0);
}

TEST(a_wait_of_a_queue_disabled_during_a_delivery_never_happens)
{
    narrow();
    guest.env.hook = disable_queue;
    guest.env.hook_at[FAKE_DELIVER] = 1;
    queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    queue_descriptor(qi_wait_status(1) | 1 << 4, GUEST_STATUS);
    kick();
    CHECK_EQ(status(), 0);
    CHECK_EQ(reg32(VTD_REG_ICS), 0);
}

static void restart_queue(FakeEnv *env, void *opaque)
{
    (void)env;
    (void)opaque;
    command(0, VTD_GCMD_QIE);
    vtd_mmio_write(&guest.unit, VTD_REG_IQT, 0, 8);
    command(VTD_GCMD_QIE, 0);
}

TEST(a_queue_restarted_during_a_delivery_starts_at_zero)
{
    narrow();
    guest.env.hook = restart_queue;
    guest.env.hook_at[FAKE_DELIVER] = 1;
    queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    kick();
    CHECK_EQ(head(), 0);
    CHECK_EQ(errors(), 0);
}

TEST(a_queue_restarted_during_a_failing_delivery_is_not_stopped)
{
    narrow();
    guest.env.hook = restart_queue;
    guest.env.hook_at[FAKE_DELIVER] = 1;
    guest.env.failing_result = VTD_DELIVERY_REFUSED;
    invalidate(qi_iotlb(QI_GLOBAL, 0), 0);
    CHECK_EQ(head(), 0);
}

static void queue_more(FakeEnv *env, void *opaque)
{
    (void)env;
    (void)opaque;
    invalidate(qi_wait_status(5), GUEST_STATUS);
}

TEST(what_is_queued_during_a_delivery_runs_in_the_same_call)
{
    narrow();
    guest.env.hook = queue_more;
    guest.env.hook_at[FAKE_DELIVER] = 1;
    invalidate(qi_iotlb(QI_GLOBAL, 0), 0);
    CHECK_EQ(status(), 5);
    check_drained();
}

TEST(what_is_queued_by_the_interrupt_of_the_last_one_runs)
{
    narrow();
    unmask_completion();
    guest.env.hook = queue_more;
    guest.env.hook_at[FAKE_SEND_MSI] = 1;
    invalidate(qi_wait_interrupt(), 0);
    CHECK_EQ(status(), 5);
    check_drained();
}

/* Accesses under way --------------------------------------------------- */

/* As a driver's write: what is left goes on by vtd_continue() only. */
static bool kick_once(void)
{
    return vtd_mmio_write(&guest.unit, VTD_REG_IQT, guest.tail, 8);
}

/* An invalidation and a wait descriptor that has to wait. */
static void wait_for_accesses(uint64_t wait)
{
    narrow();
    guest.env.undrained = 3;
    queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    queue_descriptor(wait, GUEST_STATUS);
    queue_descriptor(qi_iotlb(QI_DOMAIN, 7), 0);
    CHECK(kick_once());
}

TEST(a_status_is_written_when_accesses_are_over)
{
    wait_for_accesses(qi_wait_status(1));
    for (unsigned i = 0; i < 3; i++) {
        check_stopped(16, 0, 0);
        CHECK_EQ(status(), 0);
        CHECK_EQ(guest.env.notices, 1);
        CHECK_EQ(vtd_continue(&guest.unit), i < 2);
    }
    CHECK_EQ(status(), 1);
    check_drained();
    check_order("DWD");
}

TEST(an_interrupt_is_sent_when_accesses_are_over)
{
    wait_for_accesses(qi_wait_interrupt());
    CHECK_EQ(reg32(VTD_REG_ICS), 0);
    CHECK(vtd_continue(&guest.unit));
    CHECK(vtd_continue(&guest.unit));
    CHECK_EQ(reg32(VTD_REG_ICS), 0);
    CHECK(!vtd_continue(&guest.unit));
    CHECK_EQ(reg32(VTD_REG_ICS), 1);
    check_drained();
}

TEST(a_fence_does_not_wait_for_accesses)
{
    narrow();
    guest.env.undrained = 1;
    queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    queue_descriptor(5 | 1 << 6, 0);
    CHECK(!kick_once());
    check_drained();
    CHECK_EQ(guest.env.calls[FAKE_DRAINED], 0);
}

TEST(nothing_waits_for_accesses_without_the_capability)
{
    VtdOptions options = options_legacy();

    options.drain = false;
    guest_start(options);
    start_queue(false, 0);
    guest.env.undrained = 1;
    queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    queue_descriptor(qi_wait_status(1), GUEST_STATUS);
    CHECK(!kick_once());
    CHECK_EQ(status(), 1);
}

TEST(a_postponed_wait_counts_once)
{
    wait_for_accesses(qi_wait_status(1));
    CHECK_EQ(guest.unit.counters.descriptors[VTD_DESC_WAIT], 0);
    while (vtd_continue(&guest.unit)) {
    }
    CHECK_EQ(guest.unit.counters.descriptors[VTD_DESC_WAIT], 1);
    CHECK_EQ(guest.unit.counters.descriptors[VTD_DESC_IOTLB], 2);
}

TEST(a_postponed_wait_is_tried_when_the_tail_moves)
{
    wait_for_accesses(qi_wait_status(1));
    guest.env.undrained = 0;
    queue_descriptor(qi_wait_status(2), GUEST_STATUS);
    CHECK(!kick_once());
    CHECK_EQ(status(), 2);
    check_drained();
    CHECK(!vtd_continue(&guest.unit));
    CHECK_EQ(guest.env.notices, 2);
}

TEST(a_postponed_wait_of_a_queue_switched_off_never_happens)
{
    wait_for_accesses(qi_wait_status(1) | 1 << 4);
    guest.env.undrained = 0;
    write32(VTD_REG_GCMD, 0);
    CHECK(!vtd_continue(&guest.unit));
    CHECK_EQ(status(), 0);
    CHECK_EQ(reg32(VTD_REG_ICS), 0);
    CHECK_EQ(head(), 0);
}

TEST(a_postponed_wait_does_not_survive_a_reset)
{
    wait_for_accesses(qi_wait_status(1));
    vtd_reset(&guest.unit);
    CHECK(!vtd_continue(&guest.unit));
    CHECK_EQ(status(), 0);
    CHECK_EQ(head(), 0);
}

static void restart_queue_at_drain(FakeEnv *env, void *opaque)
{
    env->undrained = 1;
    restart_queue(env, opaque);
}

TEST(a_queue_restarted_while_a_wait_is_postponed_starts_at_zero)
{
    narrow();
    guest.env.hook = restart_queue_at_drain;
    guest.env.hook_at[FAKE_DRAINED] = 1;
    queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    queue_descriptor(qi_wait_status(1), GUEST_STATUS);
    kick_once();
    CHECK_EQ(head(), 0);
    CHECK_EQ(status(), 0);
}

TEST(a_timeout_aborts_the_wait_without_waiting_for_accesses)
{
    narrow();
    guest.env.undrained = 1;
    guest.env.failing_notice = 0;
    guest.env.failing_result = VTD_DELIVERY_TIMEOUT;
    queue_descriptor(3, 0);
    queue_descriptor(qi_wait_status(1), GUEST_STATUS);
    CHECK(!kick_once());
    check_stopped(32, ITE, 0);
    CHECK_EQ(guest.env.calls[FAKE_DRAINED], 0);
}

TEST(a_bad_descriptor_behind_a_postponed_wait)
{
    narrow();
    guest.env.undrained = 1;
    queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    queue_descriptor(qi_wait_status(1), GUEST_STATUS);
    queue_descriptor(0, 0);
    CHECK(kick_once());
    check_stopped(16, 0, 0);
    CHECK(!vtd_continue(&guest.unit));
    check_stopped(32, IQE, VTD_QUEUE_BAD_TYPE);
    CHECK_EQ(status(), 1);
}
