/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_ctrl.h"

#include "guest.h"
#include "tap.h"

enum {
    CFI = 1 << 23,
    SIRTP = 1 << 24,
    IRE = 1 << 25,
    QIE = 1 << 26,
    WBF = 1 << 27,
    SRTP = 1 << 30,
};
#define TE 0x80000000u

static void start(void)
{
    guest_start(options_nested());
}

static uint32_t gsts(void)
{
    return reg32(VTD_REG_GSTS);
}

static void check_one_notice(VtdNoticeKind kind, VtdScope scope)
{
    CHECK_EQ(guest.env.notices, 1);
    CHECK_EQ(guest.env.notice[0].kind, kind);
    CHECK_EQ(guest.env.notice[0].scope, scope);
}

/* Global command ------------------------------------------------------ */

TEST(GCMD_reads_zero)
{
    start();
    write32(VTD_REG_GCMD, TE);
    CHECK_EQ(reg32(VTD_REG_GCMD), 0);
    CHECK_EQ(gsts(), TE);
}

TEST(translation_goes_on_and_off_with_a_notice)
{
    start();
    CHECK(!vtd_translation_enabled(&guest.unit));
    command(TE, 0);
    CHECK(vtd_translation_enabled(&guest.unit));
    CHECK_EQ(gsts(), TE);
    check_one_notice(VTD_NOTICE_TRANSLATION, VTD_SCOPE_GLOBAL);
    command(0, TE);
    CHECK(!vtd_translation_enabled(&guest.unit));
    CHECK_EQ(gsts(), 0);
    CHECK_EQ(guest.env.notices, 2);
}

TEST(a_state_that_is_there_is_no_change)
{
    start();
    command(TE, 0);
    command(TE, 0);
    CHECK_EQ(guest.env.notices, 1);
}

TEST(translation_without_support_stays_off)
{
    VtdOptions o = options_legacy();

    o.dma_translation = false;
    guest_start(o);
    command(TE, 0);
    CHECK_EQ(gsts(), 0);
    CHECK(guest.env.last_error);
    CHECK_EQ(guest.env.notices, 0);
}

TEST(root_pointer_is_latched_by_SRTP_only)
{
    start();
    write64(VTD_REG_RTADDR, 0x5000);
    CHECK_EQ(guest.unit.root, 0);
    CHECK_EQ(gsts(), 0);
    command(SRTP, 0);
    CHECK_EQ(guest.unit.root, 0x5000);
    CHECK_EQ(gsts(), SRTP);
    check_one_notice(VTD_NOTICE_TRANSLATION, VTD_SCOPE_GLOBAL);
    write64(VTD_REG_RTADDR, 0x6000);
    CHECK_EQ(guest.unit.root, 0x5000);
}

TEST(SRTP_empties_the_caches)
{
    VtdTag tag = { .did = 1 };
    VtdIotlbTicket ticket;
    VtdMapping m = { .shift = 12, .perm = 1 };
    uint64_t gen;

    start();
    ticket = vtd_iotlb_ticket(&guest.unit.iotlb, tag);
    vtd_iotlb_insert(&guest.unit.iotlb, &ticket, &m);
    gen = guest.unit.config_gen;
    command(SRTP, 0);
    CHECK(!vtd_iotlb_lookup(&guest.unit.iotlb, vtd_iotlb_key(tag), 0, &m));
    CHECK(guest.unit.config_gen != gen);
}

TEST(the_mode_is_latched_with_the_root_pointer)
{
    start();
    write64(VTD_REG_RTADDR, 0x5000 | 1 << 10);
    command(SRTP, 0);
    CHECK_EQ(vtd_unit_root(&guest.unit).ttm, 1);
    CHECK_EQ(vtd_unit_root(&guest.unit).base, 0x5000);
}

TEST(interrupt_table_is_latched_by_SIRTP_only)
{
    start();
    write64(VTD_REG_IRTA, 0x700f);
    CHECK_EQ(guest.unit.irta, 0);
    command(SIRTP, 0);
    CHECK_EQ(guest.unit.irta, 0x700f);
    CHECK_EQ(gsts(), SIRTP);
    check_one_notice(VTD_NOTICE_INTERRUPT_ENTRY, VTD_SCOPE_GLOBAL);
}

TEST(interrupt_remapping_goes_on_and_off_with_a_notice)
{
    start();
    command(IRE, 0);
    CHECK_EQ(gsts(), IRE);
    check_one_notice(VTD_NOTICE_INTERRUPT_ENTRY, VTD_SCOPE_GLOBAL);
    command(0, IRE);
    CHECK_EQ(gsts(), 0);
}

TEST(interrupt_remapping_without_support_stays_off)
{
    VtdOptions o = options_legacy();

    o.interrupt_remap = false;
    guest_start(o);
    command(IRE, 0);
    CHECK_EQ(gsts(), 0);
    CHECK_EQ(guest.env.notices, 0);
}

TEST(compatibility_format_interrupts)
{
    start();
    command(CFI, 0);
    CHECK_EQ(gsts(), CFI);
    command(0, CFI);
    CHECK_EQ(gsts(), 0);
}

TEST(write_buffer_flush_does_nothing)
{
    start();
    command(WBF, 0);
    CHECK_EQ(gsts(), 0);
    CHECK_EQ(guest.env.notices, 0);
}

TEST(one_command_leaves_the_others_alone)
{
    start();
    command(SRTP, 0);
    command(SIRTP, 0);
    command(TE, 0);
    command(IRE, 0);
    command(CFI, 0);
    command(QIE, 0);
    CHECK_EQ(gsts(), TE | SRTP | QIE | IRE | SIRTP | CFI);
    command(0, CFI);
    CHECK_EQ(gsts(), TE | SRTP | QIE | IRE | SIRTP);
    command(0, TE);
    CHECK_EQ(gsts(), SRTP | QIE | IRE | SIRTP);
}

TEST(all_commands_in_one_write)
{
    start();
    write32(VTD_REG_GCMD, 0xffffffff);
    CHECK_EQ(gsts(), TE | SRTP | QIE | IRE | SIRTP | CFI);
    CHECK_EQ(guest.env.notices, 4);
}

/* Context-cache invalidation by register ------------------------------ */

#define ICC 0x8000000000000000
#define CIRG(g) ((uint64_t)(g) << 61)
#define CAIG(g) ((uint64_t)(g) << 59)

TEST(CCMD_global)
{
    start();
    write64(VTD_REG_CCMD, ICC | CIRG(1));
    CHECK_EQ(reg64(VTD_REG_CCMD), CIRG(1) | CAIG(1));
    check_one_notice(VTD_NOTICE_CONTEXT, VTD_SCOPE_GLOBAL);
}

TEST(CCMD_domain)
{
    start();
    write64(VTD_REG_CCMD, ICC | CIRG(2) | 0x1234);
    CHECK_EQ(reg64(VTD_REG_CCMD), CIRG(2) | CAIG(2) | 0x1234);
    check_one_notice(VTD_NOTICE_CONTEXT, VTD_SCOPE_DOMAIN);
    CHECK_EQ(guest.env.notice[0].did, 0x1234);
}

TEST(CCMD_device)
{
    start();
    write64(VTD_REG_CCMD, ICC | CIRG(3) | 2ull << 32 | 0xabcdull << 16 | 7);
    CHECK_EQ(reg64(VTD_REG_CCMD) >> 59, 3 << 2 | 3);
    check_one_notice(VTD_NOTICE_CONTEXT, VTD_SCOPE_DEVICE);
    CHECK_EQ(guest.env.notice[0].did, 7);
    CHECK_EQ(guest.env.notice[0].sid, 0xabcd);
    CHECK_EQ(guest.env.notice[0].sid_mask, 6);
}

TEST(CCMD_reserved_granularity_completes_as_refused)
{
    start();
    write64(VTD_REG_CCMD, ICC);
    CHECK_EQ(reg64(VTD_REG_CCMD), 0);
    CHECK_EQ(guest.env.notices, 0);
}

TEST(CCMD_in_two_halves)
{
    start();
    write32(VTD_REG_CCMD, 0x1234);
    CHECK_EQ(guest.env.notices, 0);
    write32(VTD_REG_CCMD + 4, (ICC | CIRG(2)) >> 32);
    check_one_notice(VTD_NOTICE_CONTEXT, VTD_SCOPE_DOMAIN);
    CHECK_EQ(guest.env.notice[0].did, 0x1234);
    CHECK_EQ(reg64(VTD_REG_CCMD) >> 63, 0);
}

TEST(CCMD_without_ICC_does_nothing)
{
    start();
    write64(VTD_REG_CCMD, CIRG(1));
    CHECK_EQ(reg64(VTD_REG_CCMD), CIRG(1));
    CHECK_EQ(guest.env.notices, 0);
}

TEST(CCMD_that_the_host_refuses)
{
    start();
    guest.env.failing_result = VTD_DELIVERY_REFUSED;
    write64(VTD_REG_CCMD, ICC | CIRG(1));
    CHECK_EQ(reg64(VTD_REG_CCMD), CIRG(1));
}

/* IOTLB invalidation by register -------------------------------------- */

#define IVT 0x8000000000000000
#define IIRG(g) ((uint64_t)(g) << 60)
#define IAIG(g) ((uint64_t)(g) << 57)
#define IOTLB_DID(did) ((uint64_t)(did) << 32)

TEST(IOTLB_global)
{
    start();
    write64(VTD_REG_IOTLB, IVT | IIRG(1));
    CHECK_EQ(reg64(VTD_REG_IOTLB), IIRG(1) | IAIG(1));
    check_one_notice(VTD_NOTICE_IOTLB, VTD_SCOPE_GLOBAL);
}

TEST(IOTLB_domain)
{
    start();
    write64(VTD_REG_IOTLB, IVT | IIRG(2) | IOTLB_DID(0x4321));
    CHECK_EQ(reg64(VTD_REG_IOTLB),
             IIRG(2) | IAIG(2) | IOTLB_DID(0x4321));
    check_one_notice(VTD_NOTICE_IOTLB, VTD_SCOPE_DOMAIN);
    CHECK_EQ(guest.env.notice[0].did, 0x4321);
}

TEST(IOTLB_page)
{
    start();
    write64(VTD_REG_IVA, 0x12347000 | 1 << 6 | 2);
    write64(VTD_REG_IOTLB, IVT | IIRG(3) | IOTLB_DID(9));
    CHECK_EQ(reg64(VTD_REG_IOTLB), IIRG(3) | IAIG(3) | IOTLB_DID(9));
    check_one_notice(VTD_NOTICE_IOTLB, VTD_SCOPE_PAGE);
    CHECK_EQ(guest.env.notice[0].did, 9);
    CHECK_EQ(guest.env.notice[0].addr, 0x12344000);
    CHECK_EQ(guest.env.notice[0].order, 2);
    CHECK(guest.env.notice[0].leaf_only);
}

TEST(IOTLB_address_mask_beyond_MAMV_completes_as_refused)
{
    start();
    write64(VTD_REG_IVA, 19);
    write64(VTD_REG_IOTLB, IVT | IIRG(3));
    CHECK_EQ(reg64(VTD_REG_IOTLB), IIRG(3));
    CHECK_EQ(guest.env.notices, 0);
    write64(VTD_REG_IVA, 18);
    write64(VTD_REG_IOTLB, IVT | IIRG(3));
    CHECK_EQ(reg64(VTD_REG_IOTLB), IIRG(3) | IAIG(3));
}

TEST(IOTLB_reserved_granularity_completes_as_refused)
{
    start();
    write64(VTD_REG_IOTLB, IVT);
    CHECK_EQ(reg64(VTD_REG_IOTLB), 0);
    CHECK_EQ(guest.env.notices, 0);
}

TEST(IOTLB_in_two_halves)
{
    start();
    write32(VTD_REG_IOTLB, 0);
    write32(VTD_REG_IOTLB + 4, (IVT | IIRG(1)) >> 32);
    check_one_notice(VTD_NOTICE_IOTLB, VTD_SCOPE_GLOBAL);
}

static uint64_t seen;

static void look_at_commands(FakeEnv *env, void *opaque)
{
    (void)env;
    (void)opaque;
    seen = reg64(VTD_REG_IOTLB) | reg64(VTD_REG_CCMD);
}

TEST(a_register_command_is_busy_until_it_is_delivered)
{
    start();
    guest.env.hook = look_at_commands;
    guest.env.hook_at[FAKE_DELIVER] = 1;
    write64(VTD_REG_IOTLB, IVT | IIRG(1));
    CHECK_EQ(seen, IVT | IIRG(1));
    CHECK_EQ(reg64(VTD_REG_IOTLB) >> 63, 0);
    guest.env.hook_at[FAKE_DELIVER] = 2;
    write64(VTD_REG_CCMD, ICC | CIRG(1));
    CHECK(seen & ICC);
    CHECK_EQ(reg64(VTD_REG_CCMD) >> 63, 0);
}

TEST(a_register_command_is_busy_until_accesses_are_over)
{
    start();
    guest.env.undrained = 4;
    CHECK(vtd_mmio_write(&guest.unit, VTD_REG_IOTLB, IVT | IIRG(2), 8));
    CHECK(vtd_mmio_write(&guest.unit, VTD_REG_CCMD, ICC | CIRG(1), 8));
    CHECK_EQ(reg64(VTD_REG_IOTLB), IVT | IIRG(2));
    CHECK_EQ(reg64(VTD_REG_CCMD), ICC | CIRG(1));
    CHECK(vtd_continue(&guest.unit));
    CHECK(vtd_continue(&guest.unit));
    CHECK_EQ(reg64(VTD_REG_IOTLB), IVT | IIRG(2));
    CHECK(!vtd_continue(&guest.unit));
    CHECK_EQ(reg64(VTD_REG_IOTLB), IIRG(2) | IAIG(2));
    CHECK_EQ(reg64(VTD_REG_CCMD), CIRG(1) | CAIG(1));
    CHECK_EQ(guest.env.notices, 2);
}

TEST(a_refused_register_command_does_not_wait_for_accesses)
{
    start();
    guest.env.undrained = 1;
    CHECK(!vtd_mmio_write(&guest.unit, VTD_REG_IOTLB, IVT, 8));
    CHECK_EQ(reg64(VTD_REG_IOTLB), 0);
}

TEST(a_register_command_that_waits_does_not_hold_up_the_queue)
{
    start();
    start_queue(false, 0);
    guest.env.undrained = 1;
    CHECK(vtd_mmio_write(&guest.unit, VTD_REG_IOTLB, IVT | IIRG(1), 8));
    queue_descriptor(qi_wait_status(5), GUEST_STATUS);
    CHECK(!vtd_mmio_write(&guest.unit, VTD_REG_IQT, guest.tail, 8));
    CHECK_EQ(fake_load32(&guest.env, GUEST_STATUS), 5);
    CHECK_EQ(reg64(VTD_REG_IOTLB), IVT | IIRG(1));
    CHECK(!vtd_continue(&guest.unit));
    CHECK_EQ(reg64(VTD_REG_IOTLB), IIRG(1) | IAIG(1));
}

TEST(an_earlier_actual_granularity_is_replaced)
{
    start();
    write64(VTD_REG_IOTLB, IVT | IIRG(3));
    write64(VTD_REG_IOTLB, IVT | IIRG(1));
    CHECK_EQ(reg64(VTD_REG_IOTLB), IIRG(1) | IAIG(1));
}

/* Events -------------------------------------------------------------- */

TEST(clearing_the_completion_status_withdraws_its_interrupt)
{
    start();
    start_queue(false, 0);
    invalidate(qi_wait_interrupt(), 0);
    CHECK_EQ(reg32(VTD_REG_IECTL), 0xc0000000);
    write32(VTD_REG_ICS, 1);
    CHECK_EQ(reg32(VTD_REG_IECTL), 0x80000000);
    write32(VTD_REG_IECTL, 0);
    CHECK_EQ(guest.env.msis, 0);
}

TEST(writing_zero_to_the_completion_status_keeps_it)
{
    start();
    start_queue(false, 0);
    invalidate(qi_wait_interrupt(), 0);
    write32(VTD_REG_ICS, 0);
    CHECK_EQ(reg32(VTD_REG_ICS), 1);
    CHECK_EQ(reg32(VTD_REG_IECTL), 0xc0000000);
}

TEST(event_registers_written_as_one_quadword)
{
    start();
    start_queue(false, 0);
    invalidate(qi_wait_interrupt(), 0);
    write64(VTD_REG_IEADDR, 0x1fee00000);
    /* Unmasked together with new data: the message has the new data. */
    write64(VTD_REG_IECTL, 0x4400000000);
    CHECK_EQ(guest.env.msis, 1);
    CHECK_EQ(guest.env.msi_addr[0], 0x1fee00000);
    CHECK_EQ(guest.env.msi_data[0], 0x44);
}
