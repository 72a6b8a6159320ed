/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices that translate themselves: translation requests, translated
 * requests, page requests into a queue of any place and pointers, responses.
 */
#include "fuzz_ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Fewer than a translation that is tried with less and less rights. */
#define ATS_CALLS 4096
#define PAGE_REQUEST_CALLS 64

static VtdAccess some_access(void)
{
    unsigned bits = input_bytes(1);

    return (VtdAccess){ .perm = bits & 7, .supervisor = bits & 8 };
}

static void op_translation_request(void)
{
    VtdSource *source = world_source();
    uint64_t iova = world_iova();
    VtdAccess want = some_access();
    FuzzCall outer = fuzz_call_begin(ATS_CALLS);
    VtdMapping out;
    VtdFault fault =
        vtd_translation_request(&guest.unit, source, iova, want, &out);

    fuzz_call_end(outer);
    CHECK(fault < VTD_FAULT_COUNT);
    CHECK(!vtd_fault_recoverable(fault));
    if (!fault) {
        CHECK_EQ(out.perm & ~want.perm, 0);
        CHECK(out.shift == 12 || out.shift == 21 || out.shift == 30);
        CHECK_EQ(out.iova, iova >> out.shift << out.shift);
        CHECK(out.perm || !out.pa);
    }
}

static void op_translated_request(void)
{
    VtdSource *source = world_source();
    uint64_t pa = world_address();
    FuzzCall outer = fuzz_call_begin(PAGE_REQUEST_CALLS);
    VtdFault fault = vtd_translated_request(&guest.unit, source, pa,
                                            some_access());

    fuzz_call_end(outer);
    CHECK(fault || pa < VTD_MSI_RANGE_FIRST || pa > VTD_MSI_RANGE_LAST);
}

static void op_page_request(void)
{
    VtdAccess access = some_access();
    unsigned bits = input_bytes(1);
    VtdPageRequest request = {
        .req = world_source()->req,
        .addr = world_iova(),
        .group = input_bytes(2) & 0x1ff,
        .perm = access.perm,
        .privileged = access.supervisor,
        .last = bits & 1,
    };
    uint64_t tail = reg64(VTD_REG_PQT);
    FuzzCall outer = fuzz_call_begin(PAGE_REQUEST_CALLS);
    VtdPageResponse response = 0xff;
    VtdPageResult result =
        vtd_page_request(&guest.unit, &request, &response);

    fuzz_call_end(outer);
    if (result == VTD_PAGE_QUEUED) {
        uint64_t bytes = VTD_PAGE_SIZE
                         << vtd_get(reg64(VTD_REG_PQA), VTD_PQA_PQS);

        CHECK_EQ(reg64(VTD_REG_PQT), (tail + 32) % bytes);
        CHECK(reg32(VTD_REG_PRS) & VTD_PRS_PPR);
    } else {
        CHECK_EQ(reg64(VTD_REG_PQT), tail);
        CHECK_EQ(request.last, result == VTD_PAGE_ANSWERED);
        CHECK(!request.last || response == VTD_PAGE_SUCCESS ||
              response == VTD_PAGE_INVALID || response == VTD_PAGE_FAILURE);
    }
}

static void op_page_request_queue(void)
{
    static const uint16_t registers[] = {
        VTD_REG_PQA, VTD_REG_PQH, VTD_REG_PQT, VTD_REG_PRS,
        VTD_REG_PECTL, VTD_REG_PEDATA, VTD_REG_PEADDR, VTD_REG_PEUADDR,
    };
    unsigned offset = registers[input_below(8)];

    fuzz_write(offset, input_bytes(1) & 1 ? world_address() : input_halves(),
               offset < VTD_REG_PRS ? 8 : 4);
}

static const FuzzOp ops[] = {
    op_translation_request, op_translation_request, op_translated_request,
    op_page_request,        op_page_request,        op_page_request_queue,
    op_descriptor,          op_descriptor_any,      op_kick,
    op_poke_entry,          op_fail,                op_arm,
    op_command,             op_clear_errors,        op_continue,
    op_translate,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return RUN_IN_WORLD(data, size, ops);
}
