/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_fault.h"

#include <stdio.h>
#include <string.h>

#include "tap.h"

TEST(no_fault_has_code_zero)
{
    CHECK_EQ(VTD_FAULT_NONE, 0);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_NONE), 0);
    CHECK(!vtd_fault_qualified(VTD_FAULT_NONE));
}

TEST(every_fault_has_a_code_of_its_own)
{
    bool seen[256] = { false };

    for (unsigned fault = 1; fault < VTD_FAULT_COUNT; fault++) {
        uint8_t code = vtd_fault_code(fault);

        tap_context("fault %u, %s", fault, vtd_fault_name(fault));
        CHECK(code);
        CHECK(!seen[code]);
        seen[code] = true;
    }
}

TEST(the_name_begins_with_the_code_and_ends_with_the_specs_name)
{
    for (unsigned fault = 1; fault < VTD_FAULT_COUNT; fault++) {
        const char *name = vtd_fault_name(fault);
        char code[8];

        snprintf(code, sizeof(code), "0x%02x ", vtd_fault_code(fault));
        tap_context("fault %u, %s", fault, name);
        CHECK(strncmp(name, code, 5) == 0);
        CHECK(strchr(name, '(') && name[strlen(name) - 1] == ')');
    }
}

/* Conditions that are found before an entry with FPD can have been read, and
 * those about the form of an interrupt request. */
TEST(unqualified_faults)
{
    static const uint8_t unqualified[] = {
        0x01, 0x08, 0x09, 0x0a, /* legacy root, access to the context */
        0x20, 0x21, 0x23, 0x25, /* interrupt requests */
        0x30, 0x31, 0x32, 0x38, 0x39, 0x3a, 0x40, /* scalable root */
    };

    for (unsigned fault = 1; fault < VTD_FAULT_COUNT; fault++) {
        uint8_t code = vtd_fault_code(fault);

        tap_context("fault %s", vtd_fault_name(fault));
        CHECK_EQ(vtd_fault_qualified(fault),
                 !memchr(unqualified, code, sizeof(unqualified)));
    }
}

/* Of the page being there, and of its rights: what software can mend. */
TEST(recoverable_faults)
{
    static const uint8_t recoverable[] = {
        0x05, 0x06, 0x71, 0x75, 0x76, 0x77, 0x79, 0x81, 0x82, 0x85, 0x86,
    };

    for (unsigned fault = 1; fault < VTD_FAULT_COUNT; fault++) {
        uint8_t code = vtd_fault_code(fault);

        tap_context("fault %s", vtd_fault_name(fault));
        CHECK_EQ(vtd_fault_recoverable(fault),
                 !!memchr(recoverable, code, sizeof(recoverable)));
    }
}

/* Codes that drivers print the reason of. */
TEST(codes_by_condition)
{
    CHECK_EQ(vtd_fault_code(VTD_FAULT_ROOT_NOT_PRESENT), 0x01);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_CONTEXT_NOT_PRESENT), 0x02);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_CONTEXT_INVALID), 0x03);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_BEYOND_MGAW), 0x04);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_WRITE), 0x05);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_READ), 0x06);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_PAGING_ENTRY_ACCESS), 0x07);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_PAGING_ENTRY_RESERVED), 0x0c);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_IR_NOT_PRESENT), 0x22);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_IR_SOURCE), 0x26);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_SM_ROOT_NOT_PRESENT), 0x39);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_SM_CONTEXT_NOT_PRESENT), 0x41);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_SM_CONTEXT_NO_PASID), 0x45);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_SM_PASID_TOO_LARGE), 0x46);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_SM_PDIR_NOT_PRESENT), 0x51);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_SM_PASID_NOT_PRESENT), 0x59);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_SM_PASID_INVALID), 0x5b);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_FS_NOT_PRESENT), 0x71);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_FS_ROOT_NO_READ), 0x75);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_SS_ACCESS), 0x78);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_SM_NOT_CANONICAL), 0x80);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_SM_WRITE), 0x85);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_SM_READ), 0x86);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_SM_INTERRUPT_ADDRESS), 0x87);
    CHECK_EQ(vtd_fault_code(VTD_FAULT_FS_UPDATE), 0x91);
}
