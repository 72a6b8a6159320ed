/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_vcmd.h"

#include "guest.h"
#include "tap.h"

static void start(void)
{
    VtdOptions o = options_nested();

    o.virtual_commands = true;
    guest_start(o);
}

/* VCMD and VCRSP as numbers: command in 7:0, PASID from bit 16; IP, SC from
 * bit 1, PASID from bit 16. */
#define ALLOC 1ull
#define FREE(pasid) (2ull | (uint64_t)(pasid) << 16)
#define GOT(pasid) ((uint64_t)(pasid) << 16)
#define NONE (16ull << 1)
#define IN_PROGRESS 1ull

static uint64_t run(uint64_t command)
{
    write64(0xe00, command);
    return reg64(0xe10);
}

TEST(the_capability_says_that_there_are_PASIDs)
{
    start();
    CHECK(reg64(VTD_REG_ECAP) >> 44 & 1);
    CHECK_EQ(reg64(0xe30), 1);
    write64(0xe30, 0);
    CHECK_EQ(reg64(0xe30), 1);
}

TEST(without_the_capability_there_are_no_registers)
{
    guest_start(options_nested());
    CHECK(!(reg64(VTD_REG_ECAP) >> 44 & 1));
    CHECK_EQ(reg64(0xe30), 0);
    CHECK_EQ(run(ALLOC), 0);
    CHECK_EQ(reg64(0xe00), 0);
    CHECK_EQ(guest.env.calls[FAKE_PASID_ALLOC], 0);
}

TEST(the_capability_comes_and_goes_with_the_options)
{
    VtdOptions o = options_nested();

    guest_start(o);
    o.virtual_commands = true;
    CHECK(!vtd_set_options(&guest.unit, &o));
    CHECK_EQ(reg64(0xe30), 1);
    CHECK_EQ(run(ALLOC), GOT(1));
    o.virtual_commands = false;
    CHECK(!vtd_set_options(&guest.unit, &o));
    CHECK_EQ(reg64(0xe30), 0);
}

TEST(virtual_commands_need_PASIDs)
{
    VtdOptions o = options_nested();
    VtdCaps caps;

    o.virtual_commands = true;
    o.pasid_bits = 0;
    CHECK(vtd_caps_compose(&o, &caps));
}

TEST(allocate_and_free)
{
    start();
    CHECK_EQ(run(ALLOC), GOT(1));
    CHECK_EQ(run(ALLOC), GOT(2));
    CHECK_EQ(run(FREE(1)), 0);
    CHECK(!guest.env.pasid_owned[1]);
    CHECK(guest.env.pasid_owned[2]);
    CHECK_EQ(run(ALLOC), GOT(1));
}

TEST(no_PASID_is_left)
{
    start();
    for (unsigned i = 1; i < FAKE_PASIDS; i++) {
        CHECK_EQ(run(ALLOC), GOT(i));
    }
    CHECK_EQ(run(ALLOC), NONE);
    CHECK_EQ(run(FREE(3)), 0);
    CHECK_EQ(run(ALLOC), GOT(3));
}

TEST(the_host_has_no_PASID)
{
    start();
    guest.env.fail_at[FAKE_PASID_ALLOC] = 1;
    CHECK_EQ(run(ALLOC), NONE);
    CHECK_EQ(run(ALLOC), GOT(1));
}

TEST(free_of_what_is_not_owned)
{
    start();
    CHECK_EQ(run(FREE(1)), NONE);
    CHECK_EQ(run(ALLOC), GOT(1));
    CHECK_EQ(run(FREE(1)), 0);
    CHECK_EQ(run(FREE(1)), NONE);
    CHECK_EQ(run(FREE(0)), NONE);
    CHECK_EQ(run(FREE(0xfffff)), NONE);
}

TEST(bits_around_the_operand_do_not_count)
{
    start();
    CHECK_EQ(run(ALLOC | ~0xffull), GOT(1));
    CHECK_EQ(run(FREE(1) | 0xfffffff00000ff00), 0);
    CHECK(!guest.env.pasid_owned[1]);
}

TEST(the_null_command_succeeds)
{
    start();
    run(ALLOC);
    CHECK_EQ(run(0), 0);
    CHECK_EQ(guest.env.calls[FAKE_PASID_ALLOC], 1);
    CHECK(!guest.env.last_error);
}

TEST(an_unknown_command_is_an_error)
{
    start();
    for (unsigned command = 3; command < 256; command++) {
        guest.env.last_error = NULL;
        CHECK_EQ(run(command), 1 << 1);
        CHECK(guest.env.last_error);
    }
    CHECK_EQ(guest.env.calls[FAKE_PASID_ALLOC], 0);
    CHECK_EQ(guest.env.calls[FAKE_PASID_FREE], 0);
}

TEST(the_word_with_the_command_starts_it)
{
    start();
    for (unsigned i = 1; i < FAKE_PASIDS; i++) {
        run(ALLOC);
    }
    write32(0xe04, 0);
    CHECK_EQ(guest.env.calls[FAKE_PASID_FREE], 0);
    write32(0xe00, FREE(5));
    CHECK_EQ(guest.env.calls[FAKE_PASID_FREE], 1);
    CHECK(!guest.env.pasid_owned[5]);
}

TEST(a_response_is_read_only)
{
    start();
    run(ALLOC);
    write64(0xe10, ~0ull);
    CHECK_EQ(reg64(0xe10), GOT(1));
}

static void write_again(FakeEnv *env, void *opaque)
{
    uint64_t *command = opaque;

    env->hook = NULL;
    CHECK_EQ(reg64(0xe10), IN_PROGRESS);
    write64(0xe00, *command);
    CHECK_EQ(reg64(0xe10), IN_PROGRESS);
}

/* Another processor's command, while the first one is at the host. */
TEST(a_command_during_another_is_ignored)
{
    uint64_t second = FREE(1);

    start();
    CHECK_EQ(run(ALLOC), GOT(1));
    guest.env.hook = write_again;
    guest.env.hook_opaque = &second;
    guest.env.hook_at[FAKE_PASID_ALLOC] = 2;
    CHECK_EQ(run(ALLOC), GOT(2));
    CHECK_EQ(guest.env.calls[FAKE_PASID_FREE], 0);
    CHECK(guest.env.pasid_owned[1]);
    CHECK(guest.env.last_error);
    CHECK_EQ(run(FREE(1)), 0);
}

TEST(reset_clears_the_registers)
{
    start();
    run(ALLOC);
    vtd_reset(&guest.unit);
    CHECK_EQ(reg64(0xe00), 0);
    CHECK_EQ(reg64(0xe10), 0);
    CHECK_EQ(reg64(0xe30), 1);
}
