/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The invalidation queue: descriptors of any content, deliveries that fail, a
 * base, size and width that change under way, a queue that lies on tables.
 */
#include "fuzz_ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The whole queue full of the same two descriptors. */
static void op_fill(void)
{
    unsigned size = guest.wide ? 32 : 16;
    uint64_t start = guest.queue + guest.tail;

    op_descriptor();
    op_descriptor();
    for (uint64_t at = 0; at + 2 * size < guest.queue_bytes; at += 8) {
        fuzz_poke(guest.queue + at,
                  fuzz_peek(start + at % (2 * size)));
    }
    guest.tail = guest.queue_bytes - size;
}

/* Another place, size and width; the guest goes on with what it knows, or
 * with that. */
static void op_queue_address(void)
{
    unsigned how = input_bytes(1);
    uint64_t base = world_page();

    fuzz_write(VTD_REG_IQA, base | (how & 8 ? VTD_IQA_DW : 0) | (how & 7), 8);
    if (how & 16) {
        guest.queue = base;
        guest.queue_bytes = VTD_PAGE_SIZE << (how & 7);
        guest.wide = how & 8;
    }
}

static void op_restart(void)
{
    uint32_t value =
        reg32(VTD_REG_GSTS) & ~(VTD_GCMD_SRTP | VTD_GCMD_SIRTP);

    fuzz_write(VTD_REG_GCMD, value & ~VTD_GCMD_QIE, 4);
    fuzz_write(VTD_REG_IQT, 0, 8);
    fuzz_write(VTD_REG_GCMD, value | VTD_GCMD_QIE, 4);
    guest.tail = 0;
}

static const FuzzOp ops[] = {
    op_descriptor,  op_descriptor, op_descriptor, op_descriptor,
    op_descriptor,  op_kick,       op_kick,       op_descriptor_any,
    op_tail_any,    op_fail,       op_arm,        op_clear_errors,
    op_translate,   op_fill,       op_continue,   op_queue_address,
    op_restart,     op_poke_any,   op_write_known,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return RUN_IN_WORLD(data, size, ops);
}
