/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Register accesses of any offset, size and value, among translations and
 * interrupts; from reset on, or with all tables in place.
 */
#include "fuzz_ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const FuzzOp ops[] = {
    op_write_known, op_write_known, op_write_known, op_write_any,
    op_read,        op_command,     op_command,     op_translate,
    op_interrupt,   op_poke_entry,  op_descriptor,  op_kick,
    op_arm,         op_fail,        op_report_fault, op_clear_errors,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_start(data, size);
    fuzz_start();
    if (input_bytes(1) & 1) {
        world_build();
    }
    RUN_OPS(ops);
    return 0;
}
