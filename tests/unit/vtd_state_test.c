/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_state.h"

#include <string.h>

#include "guest.h"
#include "tap.h"

static VtdState state;

static void put64(unsigned offset, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        state.registers[offset + i] = value >> (8 * i);
    }
}

static void put32(unsigned offset, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        state.registers[offset + i] = value >> (8 * i);
    }
}

/* A unit in the middle of its work, saved. */
static void save_working_unit(void)
{
    guest_start(options_nested());
    guest_scalable();
    write32(VTD_REG_FEDATA, 0x4041);
    write32(VTD_REG_FEADDR, 0xfee01000);
    write32(VTD_REG_FECTL, 0);
    start_queue(true, 0);
    invalidate(qi_iotlb(QI_GLOBAL, 0), 0);
    enable_translation();
    vtd_state_save(&guest.unit, &state);
}

TEST(a_loaded_unit_shows_the_registers_that_were_saved)
{
    uint8_t before[VTD_STATE_BYTES];

    save_working_unit();
    memcpy(before, state.registers, sizeof(before));
    vtd_reset(&guest.unit);
    CHECK(!vtd_state_load(&guest.unit, &state));
    for (unsigned i = 0; i < VTD_STATE_BYTES; i += 4) {
        tap_context("register 0x%x", i);
        CHECK_EQ(vtd_mmio_read(&guest.unit, i, 4),
                 before[i] | before[i + 1] << 8 | before[i + 2] << 16 |
                     (uint32_t)before[i + 3] << 24);
    }
}

TEST(a_loaded_unit_goes_on_with_its_queue)
{
    uint64_t head;

    save_working_unit();
    head = reg64(VTD_REG_IQH);
    CHECK(head);
    vtd_reset(&guest.unit);
    CHECK(!vtd_state_load(&guest.unit, &state));
    CHECK_EQ(reg64(VTD_REG_IQH), head);
    fake_env_forget(&guest.env);
    invalidate(qi_iotlb(QI_GLOBAL, 0), 0);
    CHECK_EQ(guest.env.notices, 1);
    CHECK_EQ(reg32(VTD_REG_FSTS), 0);
}

TEST(a_loaded_unit_translates_with_the_latched_root_table)
{
    VtdConfig config;
    VtdFault before;

    save_working_unit();
    before = vtd_configuration(&guest.unit, &guest.source, &config);
    vtd_reset(&guest.unit);
    CHECK(!vtd_translation_enabled(&guest.unit));
    CHECK(!vtd_state_load(&guest.unit, &state));
    CHECK(vtd_translation_enabled(&guest.unit));
    CHECK_EQ(vtd_configuration(&guest.unit, &guest.source, &config), before);
}

static void check_refused(void)
{
    VtdState present;
    VtdState after;

    memset(&present, 0, sizeof(present));
    memset(&after, 0, sizeof(after));
    vtd_reset(&guest.unit);
    vtd_state_save(&guest.unit, &present);
    CHECK(vtd_state_load(&guest.unit, &state));
    vtd_state_save(&guest.unit, &after);
    CHECK(!memcmp(&present, &after, sizeof(present)));
}

TEST(other_capabilities_are_refused)
{
    save_working_unit();
    put64(VTD_REG_CAP, guest.unit.caps.cap ^ VTD_CAP_CM);
    check_refused();
}

TEST(other_extended_capabilities_are_refused)
{
    save_working_unit();
    put64(VTD_REG_ECAP, guest.unit.caps.ecap ^ VTD_ECAP_NEST);
    check_refused();
}

TEST(the_one_capability_that_no_guest_misses_may_differ)
{
    save_working_unit();
    put64(VTD_REG_CAP, guest.unit.caps.cap ^ VTD_CAP_ESRTPS);
    CHECK(!vtd_state_load(&guest.unit, &state));
    CHECK_EQ(reg64(VTD_REG_CAP), guest.unit.caps.cap);
}

TEST(an_impossible_status_is_refused)
{
    save_working_unit();
    put32(VTD_REG_GSTS, 1);
    check_refused();
}

TEST(a_fault_record_that_does_not_exist_is_refused)
{
    save_working_unit();
    state.next_record = 1;
    check_refused();
    state.next_record = 0;
    put32(VTD_REG_FSTS, 1 << 8);
    check_refused();
}

/* QEMU's own device leaves the bit set when the queue is on. */
TEST(a_command_that_never_ended_is_not_waited_for)
{
    save_working_unit();
    put32(VTD_REG_CCMD + 4, 0xa0000000);
    put32(VTD_REG_IOTLB + 4, 0x90000000);
    CHECK(!vtd_state_load(&guest.unit, &state));
    CHECK_EQ(reg64(VTD_REG_CCMD) >> 63, 0);
    CHECK_EQ(reg64(VTD_REG_IOTLB) >> 63, 0);
}

TEST(a_pending_fault_is_what_the_records_say)
{
    save_working_unit();
    put32(VTD_REG_FSTS, VTD_FSTS_PPF);
    CHECK(!vtd_state_load(&guest.unit, &state));
    CHECK_EQ(reg32(VTD_REG_FSTS), 0);
    put32(VTD_REG_FSTS, 0);
    put32(VTD_REG_FRCD + 12, 0x80000000);
    CHECK(!vtd_state_load(&guest.unit, &state));
    CHECK_EQ(reg32(VTD_REG_FSTS), VTD_FSTS_PPF);
}

TEST(fault_records_that_the_unit_does_not_have_are_left_out)
{
    save_working_unit();
    put32(VTD_REG_FRCD + 16 + 12, 0x80000000);
    CHECK(!vtd_state_load(&guest.unit, &state));
    CHECK_EQ(reg32(VTD_REG_FRCD + 16 + 12), 0);
    CHECK_EQ(reg32(VTD_REG_FSTS), 0);
}

TEST(interrupt_remapping_that_the_unit_does_not_have_is_refused)
{
    VtdOptions o = options_nested();

    o.interrupt_remap = false;
    guest_start(o);
    vtd_state_save(&guest.unit, &state);
    put32(VTD_REG_GSTS, VTD_GCMD_IRE);
    check_refused();
}

TEST(a_queue_head_outside_the_queue_is_refused)
{
    save_working_unit();
    put64(VTD_REG_IQH, 0x1000);
    check_refused();
}

TEST(bits_that_no_register_has_are_left_out)
{
    save_working_unit();
    put32(VTD_REG_IECTL, 0xffffffff);
    put32(VTD_REG_VER, 0xffffffff);
    put32(VTD_REG_PMEN, 0xffffffff);
    CHECK(!vtd_state_load(&guest.unit, &state));
    CHECK_EQ(reg32(VTD_REG_IECTL), VTD_EVENT_IM | VTD_EVENT_IP);
    CHECK_EQ(reg32(VTD_REG_PMEN), 0);
}

TEST(any_bytes_at_all_leave_a_unit_that_works)
{
    uint64_t seed = tap_seed();

    for (unsigned round = 0; round < 2000; round++) {
        save_working_unit();
        for (unsigned n = tap_random(&seed) % 64; n > 0; n--) {
            state.registers[tap_random(&seed) % VTD_STATE_BYTES] =
                tap_random(&seed);
        }
        put64(VTD_REG_CAP, guest.unit.caps.cap);
        put64(VTD_REG_ECAP, guest.unit.caps.ecap);
        state.root = tap_random(&seed);
        state.irta = tap_random(&seed);
        if (!vtd_state_load(&guest.unit, &state)) {
            VtdMapping out;
            VtdInterrupt interrupt;

            translate(tap_random(&seed), VTD_PERM_READ, &out);
            vtd_remap_interrupt(&guest.unit, 0, 0xfee00010,
                                tap_random(&seed), false, &interrupt);
            write64(VTD_REG_IQT, 0);
        }
    }
}
