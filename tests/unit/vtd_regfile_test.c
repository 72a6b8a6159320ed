/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_regfile.h"

#include "tap.h"

#define CAP 0x1122334455667788ull
#define ECAP 0x99aaabccddeeff01ull

static VtdRegFile regs;

static void reset(void)
{
    vtd_regfile_reset(&regs, CAP, ECAP);
}

/* Which bits follow a write of ones, and then of zeros. */
static uint32_t writable(unsigned offset)
{
    uint32_t ones;

    vtd_regfile_guest_write(&regs, offset, 0xffffffff);
    ones = vtd_reg32(&regs, offset);
    vtd_regfile_guest_write(&regs, offset, 0);
    return ones & ~vtd_reg32(&regs, offset);
}

/* Which bits a write of one clears if the unit had set all. */
static uint32_t write_1_clears(unsigned offset)
{
    vtd_reg32_set(&regs, offset, 0xffffffff);
    vtd_regfile_guest_write(&regs, offset, 0);
    if (vtd_reg32(&regs, offset) != 0xffffffff) {
        return 0; /* then they are plain bits */
    }
    vtd_regfile_guest_write(&regs, offset, 0xffffffff);
    return ~vtd_reg32(&regs, offset);
}

TEST(reset_values)
{
    reset();
    for (unsigned offset = 0; offset < VTD_REG_SPACE; offset += 4) {
        uint32_t expected = 0;

        switch (offset) {
        case 0x00: /* VER 1.0 */
            expected = 0x10;
            break;
        case 0x08:
            expected = (uint32_t)CAP;
            break;
        case 0x0c:
            expected = CAP >> 32;
            break;
        case 0x10:
            expected = (uint32_t)ECAP;
            break;
        case 0x14:
            expected = ECAP >> 32;
            break;
        case 0x38: /* FECTL, IECTL: masked */
        case 0xa0:
            expected = 0x80000000;
            break;
        }
        tap_context("offset 0x%x", offset);
        CHECK_EQ(vtd_reg32(&regs, offset), expected);
    }
}

TEST(reset_forgets_what_was_written)
{
    reset();
    vtd_regfile_guest_write(&regs, 0xb8, 0xfffff000);
    vtd_reg32_set(&regs, 0x34, 0x70);
    vtd_reg32_set(&regs, 0x22c, 0x80000000);
    reset();
    CHECK_EQ(vtd_reg32(&regs, 0xb8), 0);
    CHECK_EQ(vtd_reg32(&regs, 0x34), 0);
    CHECK_EQ(vtd_reg32(&regs, 0x22c), 0);
}

/* Every word of the page: what the guest can write. */
TEST(writable_bits_of_every_word)
{
    static const struct {
        unsigned offset;
        uint32_t bits;
    } expected[] = {
        { 0x20, 0xfffffc00 }, /* RTADDR: address, TTM */
        { 0x24, 0xffffffff },
        { 0x28, 0xffffffff }, /* CCMD: SID, DID */
        { 0x2c, 0xe0000003 }, /*       ICC, CIRG, FM */
        { 0x38, 0x80000000 }, /* FECTL: IM */
        { 0x3c, 0xffffffff }, /* FEDATA */
        { 0x40, 0xfffffffc }, /* FEADDR */
        { 0x44, 0xffffffff }, /* FEUADDR */
        { 0x88, 0x0007fff0 }, /* IQT */
        { 0x90, 0xfffff807 }, /* IQA: address, DW, QS */
        { 0x94, 0xffffffff },
        { 0xa0, 0x80000000 }, /* IECTL */
        { 0xa4, 0xffffffff },
        { 0xa8, 0xfffffffc },
        { 0xac, 0xffffffff },
        { 0xb8, 0xfffff80f }, /* IRTA: address, EIME, S */
        { 0xbc, 0xffffffff },
        { 0xf0, 0xfffff07f }, /* IVA: address, IH, AM */
        { 0xf4, 0xffffffff },
        { 0xfc, 0xb003ffff }, /* IOTLB: IVT, IIRG, DR, DW, DID */
    };
    unsigned next = 0;

    reset();
    for (unsigned offset = 0; offset < VTD_REG_SPACE; offset += 4) {
        bool listed = next < sizeof(expected) / sizeof(expected[0]) &&
                      expected[next].offset == offset;

        tap_context("offset 0x%x", offset);
        CHECK_EQ(writable(offset), listed ? expected[next].bits : 0);
        next += listed;
    }
}

TEST(write_1_to_clear_bits_of_every_word)
{
    reset();
    for (unsigned offset = 0; offset < VTD_REG_SPACE; offset += 4) {
        uint32_t expected = 0;

        switch (offset) {
        case 0x34: /* FSTS: ITE, ICE, IQE, PFO */
            expected = 0x71;
            break;
        case 0x9c: /* ICS: IWC */
            expected = 1;
            break;
        }
        if (offset >= 0x220 && offset < 0x2a0 && offset % 16 == 12) {
            expected = 0x80000000; /* F of eight fault records */
        }
        tap_context("offset 0x%x", offset);
        reset(); /* the test writes CAP and ECAP, too */
        CHECK_EQ(write_1_clears(offset), expected);
    }
}

TEST(page_request_registers_exist_with_ECAP_PRS)
{
    static const uint32_t bits[] = {
        0x0007ffe0, 0,          /* PQH */
        0x0007ffe0, 0,          /* PQT */
        0xfffff007, 0xffffffff, /* PQA */
        0,          0,          /* PRS */
        0x80000000, 0xffffffff, /* PECTL, PEDATA */
        0xfffffffc, 0xffffffff, /* PEADDR, PEUADDR */
    };

    for (unsigned i = 0; i < 12; i++) {
        unsigned offset = 0xc0 + i * 4;

        tap_context("offset 0x%x", offset);
        reset();
        CHECK_EQ(writable(offset), 0);
        vtd_regfile_reset(&regs, CAP, ECAP | 1 << 29);
        CHECK_EQ(vtd_reg32(&regs, offset), offset == 0xe0 ? 1u << 31 : 0);
        CHECK_EQ(writable(offset), bits[i]);
        CHECK_EQ(write_1_clears(offset), offset == 0xdc ? 3 : 0);
    }
}

TEST(virtual_command_registers_exist_with_ECAP_VCS)
{
    for (unsigned offset = 0xe00; offset < 0xe38; offset += 4) {
        uint32_t bits = offset < 0xe08 ? 0xffffffff : 0; /* VCMD */

        tap_context("offset 0x%x", offset);
        reset();
        CHECK_EQ(writable(offset), 0);
        CHECK_EQ(vtd_reg32(&regs, offset), 0);
        vtd_regfile_reset(&regs, CAP, ECAP | 1ull << 44);
        CHECK_EQ(vtd_reg32(&regs, offset), offset == 0xe30 ? 1 : 0);
        CHECK_EQ(writable(offset), bits);
    }
}

TEST(writing_zero_to_a_write_1_to_clear_bit_keeps_it)
{
    reset();
    vtd_reg32_set(&regs, 0x34, 0x11);
    vtd_regfile_guest_write(&regs, 0x34, 0x10);
    CHECK_EQ(vtd_reg32(&regs, 0x34), 0x01);
}

TEST(halves_of_a_register_are_written_apart)
{
    reset();
    vtd_regfile_guest_write(&regs, 0x20, 0x12345000);
    CHECK_EQ(vtd_reg64(&regs, 0x20), 0x12345000);
    vtd_regfile_guest_write(&regs, 0x24, 0x89abcdef);
    CHECK_EQ(vtd_reg64(&regs, 0x20), 0x89abcdef12345000);
}

TEST(the_unit_changes_chosen_bits)
{
    reset();
    vtd_reg32_set(&regs, 0x34, 0xff);
    vtd_reg32_change(&regs, 0x34, 0xf0, 0x1a5);
    CHECK_EQ(vtd_reg32(&regs, 0x34), 0xaf);
}
