/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Surroundings for the model: memory is an array at guest address 0, what the
 * model sends is recorded, and each call can be told to fail.
 *
 * The model may call from several threads.  The settings and the records are
 * for tests with one thread; tests with several set @concurrent, which turns
 * both off, except for the counters.
 */
#ifndef FAKE_ENV_H
#define FAKE_ENV_H

#include <stdatomic.h>

#include "vtd_env.h"

typedef enum FakeCall {
    FAKE_READ,
    FAKE_WRITE,
    FAKE_LOAD64,
    FAKE_CAS64,
    FAKE_DELIVER,
    FAKE_DRAINED,
    FAKE_SEND_MSI,
    FAKE_GUEST_ERROR,
    FAKE_PASID_ALLOC,
    FAKE_PASID_FREE,
    FAKE_CALLS,
} FakeCall;

/* PASIDs 1 to FAKE_PASIDS - 1 can be allocated. */
#define FAKE_PASIDS 8

/* What comes behind these is not recorded. */
#define FAKE_RECORDS 1024

typedef struct FakeEnv FakeEnv;
typedef void (*FakeHook)(FakeEnv *env, void *opaque);

struct FakeEnv {
    uint8_t *ram;
    uint64_t ram_size;
    bool concurrent;

    /* Calls since the start or fake_env_forget(). */
    _Atomic unsigned calls[FAKE_CALLS];
    /* The call with this number fails, counted like @calls; 0: none.  A
     * compare-and-exchange fails for lack of memory. */
    unsigned fail_at[FAKE_CALLS];
    /* @hook runs before the call with this number; 0: never. */
    unsigned hook_at[FAKE_CALLS];
    /* And behind the read with this number: what was read is out of date. */
    unsigned hook_behind[FAKE_CALLS];
    FakeHook hook;
    void *hook_opaque;

    /* Delivery of the notice with this number, counted from 0 since the last
     * fake_env_forget(), has this result. */
    unsigned failing_notice;
    VtdDelivery failing_result;

    /* So many calls of drained() say no. */
    unsigned undrained;

    bool pasid_owned[FAKE_PASIDS];
    VtdNotice notice[FAKE_RECORDS];
    unsigned notices;
    unsigned batch[FAKE_RECORDS]; /* sizes of the arrays delivered */
    unsigned batches;
    uint64_t msi_addr[FAKE_RECORDS];
    uint32_t msi_data[FAKE_RECORDS];
    unsigned msis;
    /* One letter per effect, in order: D deliver, W write, M message. */
    char order[FAKE_RECORDS];
    unsigned orders;
    const char *last_error;
};

/* Set up @env with @ram_size bytes of memory, zeroed. */
void fake_env_init(FakeEnv *env, uint64_t ram_size);
void fake_env_destroy(FakeEnv *env);

/* The interface to hand to the model; @env has to outlive it. */
VtdEnv fake_env_interface(FakeEnv *env);

/* From now on @interface has the memory read in place where it can be: loads
 * are neither counted, nor do they fail or run hooks. */
void fake_env_read_in_place(FakeEnv *env, VtdEnv *interface);

/* Forget counters, settings and records; memory stays. */
void fake_env_forget(FakeEnv *env);

/* Reads of any kind since fake_env_forget(). */
unsigned fake_env_reads(FakeEnv *env);

/* Memory as the guest's processor sees it, @gpa aligned. */
uint64_t fake_load64(FakeEnv *env, uint64_t gpa);
void fake_store64(FakeEnv *env, uint64_t gpa, uint64_t value);
uint32_t fake_load32(FakeEnv *env, uint64_t gpa);

#endif
