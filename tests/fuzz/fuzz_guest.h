/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A unit under fuzzing: `guest` of tests/unit/guest.h with surroundings that
 * watch what the model does with them, and entry points that check what has
 * to hold whatever the guest does:
 *
 * - an entry point returns after a bounded number of calls of VtdEnv, and a
 *   queue whose tail rests is worked off by a bounded number of entry points;
 * - notices, interrupts and status words leave with no lock held;
 * - a status word is written only after all invalidations that were taken from
 *   the queue before it have been delivered, and none of them failed;
 * - a head that moved lies in the queue; an idle queue is an empty one;
 * - commands are complete when the write that starts them returns;
 * - a translation that is served has the address and the rights it may have;
 * - an interrupt that is remapped comes from an entry of the table.
 *
 * A property that does not hold ends the program with a message.
 */
#ifndef FUZZ_GUEST_H
#define FUZZ_GUEST_H

#include "fuzz_input.h"
#include "guest.h"
#include "tap.h"

/* Guest memory; small, so that addresses meet. */
#define FUZZ_RAM 0x80000ull

/* Operations that one case may have. */
#define FUZZ_MAX_STEPS 64

/* A fresh unit with options that the input chooses, and cleared memory. */
void fuzz_start(void);

/* The options of the unit that runs. */
extern VtdOptions fuzz_options;

/* Registers hold what no guest could have made of them: do not hold the unit
 * to their being consistent. */
void fuzz_any_registers(void);

/* Entry points of the unit, checked. */
uint64_t fuzz_read(unsigned offset, unsigned size);
void fuzz_write(unsigned offset, uint64_t value, unsigned size);
void fuzz_continue(void);
VtdFault fuzz_translate(VtdSource *source, uint64_t iova, VtdAccess access,
                        bool quiet, VtdMapping *out);
void fuzz_interrupt(uint16_t sid, uint64_t addr, uint32_t data, bool quiet);

/*
 * Between these two the model may call its surroundings @limit times: for
 * calls that have no function above.
 */
typedef struct FuzzCall {
    uint64_t calls;
    uint64_t limit;
    uint64_t fetches; /* of descriptors */
} FuzzCall;

FuzzCall fuzz_call_begin(uint64_t limit);
void fuzz_call_end(FuzzCall outer);

/* What happens by itself at a later call of the surroundings. */
typedef enum FuzzMoment {
    FUZZ_AT_DELIVERY,
    FUZZ_AT_MSI,
    FUZZ_AT_STATUS, /* a wait descriptor's status word is written */
    FUZZ_BEHIND_LOAD, /* of a table: the entry at hand is replaced */
    FUZZ_MOMENTS,
} FuzzMoment;

/* At the call of @moment that comes after @skip others: another processor
 * writes a register, or for FUZZ_BEHIND_LOAD the entry becomes @value. */
void fuzz_arm(FuzzMoment moment, unsigned skip, unsigned offset,
              uint64_t value, unsigned size);
/* The next delivery fails at notice @index, if it has as many. */
void fuzz_fail_delivery(VtdDelivery result, unsigned index);
/* The call of this kind that comes after @skip others fails. */
void fuzz_fail_call(FakeCall call, unsigned skip);

/* Memory; @gpa anything. */
void fuzz_poke(uint64_t gpa, uint64_t value);
uint64_t fuzz_peek(uint64_t gpa);

#endif
