/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The surroundings of the unit under fuzzing: the fake ones of the unit tests,
 * with an eye on who calls what when, and with a will of their own (fuzz_arm()
 * and its like).  Part of fuzz_guest.h.
 */
#ifndef FUZZ_ENV_H
#define FUZZ_ENV_H

#include "fuzz_guest.h"

/* Descriptors that one run of the queue may fetch: 4096, and the rest of the
 * slice that it is at. */
#define FUZZ_FETCHES (4096 + VTD_BATCH_MAX + 1)

/* A case begins; the memory of `guest` is there. */
void fuzz_env_start(void);
VtdEnv fuzz_env_interface(void);

/* Around a call into the model; @limit as for fuzz_call_begin(). */
FuzzCall fuzz_env_enter(uint64_t limit);
void fuzz_env_leave(FuzzCall outer);
bool fuzz_env_within(void);

/* Whether an armed write came in the outermost call, this or the last. */
bool fuzz_env_meddled(void);

bool fuzz_lock_is_free(void);

#endif
