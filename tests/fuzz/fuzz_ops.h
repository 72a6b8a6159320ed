/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's world of tables and a queue, and the operations on it that the
 * fuzz programs are made of.  Each operation reads its operands from the input.
 */
#ifndef FUZZ_OPS_H
#define FUZZ_OPS_H

#include "fuzz_guest.h"

/*
 * Root, context and PASID tables for a few requesters, page tables of each
 * stage for a few addresses, an interrupt table and a queue, as the unit's
 * options allow; the input chooses the mode.  Translation and interrupt
 * remapping are on behind this.
 */
void world_build(void);

/* Numbers that the world knows. */
uint64_t world_iova(void);
uint64_t world_page(void); /* of guest memory */
uint64_t world_address(void); /* in it, not aligned */
uint64_t world_place(void); /* of an entry that is worth a change */
VtdSource *world_source(void);
const PageTable *world_second(void); /* page table of the second stage */

typedef void (*FuzzOp)(void);

void op_read(void);
void op_write_any(void);
void op_write_known(void); /* a register that does something */
void op_command(void);     /* GCMD: bits on, bits off */
void op_translate(void);
void op_interrupt(void);
void op_report_fault(void);
void op_poke_entry(void);   /* change a table entry of the world */
void op_poke_any(void);
void op_descriptor(void);   /* a well-formed one, not told to the unit */
void op_descriptor_any(void);
void op_kick(void);
void op_tail_any(void);
void op_continue(void);
void op_arm(void); /* see fuzz_arm() */
void op_fail(void);
void op_clear_errors(void);

/* Operations that the input chooses from @ops until it is over. */
void run_ops(const FuzzOp *ops, unsigned count);

#define RUN_OPS(ops) run_ops(ops, sizeof(ops) / sizeof((ops)[0]))

/* A whole case: a fresh unit and its world, then operations from @ops.  What an
 * entry point of libFuzzer returns. */
int run_in_world(const uint8_t *data, size_t size, const FuzzOp *ops,
                 unsigned count);

#define RUN_IN_WORLD(data, size, ops) \
    run_in_world(data, size, ops, sizeof(ops) / sizeof((ops)[0]))

#endif
