/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_event.h"

#include "guest.h"
#include "tap.h"

#define IM 0x80000000u
#define IP 0x40000000u

static VtdWork work;

static void start(VtdEvent event, uint32_t control)
{
    guest_start(options_legacy());
    work = (VtdWork){ 0 };
    vtd_reg32_set(&guest.unit.regs, event, control);
    vtd_reg32_set(&guest.unit.regs, event + 4, 0x1234);
    vtd_reg32_set(&guest.unit.regs, event + 8, 0xfee01008);
    vtd_reg32_set(&guest.unit.regs, event + 12, 0x7);
}

static uint32_t control(VtdEvent event)
{
    return vtd_reg32(&guest.unit.regs, event);
}

static const VtdEvent events[] = { VTD_EVENT_FAULT, VTD_EVENT_COMPLETION };

TEST(blocks_begin_at_their_control_registers)
{
    CHECK_EQ(VTD_EVENT_FAULT, 0x38);
    CHECK_EQ(VTD_EVENT_COMPLETION, 0xa0);
}

TEST(an_unmasked_event_is_sent_at_once)
{
    for (unsigned i = 0; i < 2; i++) {
        start(events[i], 0);
        vtd_event_raise(&guest.unit, events[i], &work);
        CHECK_EQ(work.msis, 1);
        CHECK_EQ(work.msi[0].addr, 0x7fee01008);
        CHECK_EQ(work.msi[0].data, 0x1234);
        CHECK_EQ(control(events[i]), 0);
    }
}

TEST(a_masked_event_is_pending)
{
    for (unsigned i = 0; i < 2; i++) {
        start(events[i], IM);
        vtd_event_raise(&guest.unit, events[i], &work);
        CHECK_EQ(work.msis, 0);
        CHECK_EQ(control(events[i]), IM | IP);
    }
}

TEST(unmasking_sends_what_is_pending)
{
    for (unsigned i = 0; i < 2; i++) {
        start(events[i], IP);
        vtd_event_control_written(&guest.unit, events[i], &work);
        CHECK_EQ(work.msis, 1);
        CHECK_EQ(control(events[i]), 0);
    }
}

TEST(unmasking_sends_nothing_if_nothing_is_pending)
{
    start(VTD_EVENT_FAULT, 0);
    vtd_event_control_written(&guest.unit, VTD_EVENT_FAULT, &work);
    CHECK_EQ(work.msis, 0);
}

TEST(a_write_that_keeps_the_mask_keeps_it_pending)
{
    start(VTD_EVENT_FAULT, IM | IP);
    vtd_event_control_written(&guest.unit, VTD_EVENT_FAULT, &work);
    CHECK_EQ(work.msis, 0);
    CHECK_EQ(control(VTD_EVENT_FAULT), IM | IP);
}

TEST(a_withdrawn_event_is_not_sent)
{
    start(VTD_EVENT_COMPLETION, IM | IP);
    vtd_event_withdraw(&guest.unit, VTD_EVENT_COMPLETION);
    CHECK_EQ(control(VTD_EVENT_COMPLETION), IM);
}

TEST(one_event_does_not_touch_the_other)
{
    start(VTD_EVENT_FAULT, IM);
    vtd_event_raise(&guest.unit, VTD_EVENT_FAULT, &work);
    CHECK_EQ(control(VTD_EVENT_COMPLETION), IM);
}
