/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_env.h"

#include <stdlib.h>
#include <string.h>

/* Count a call; true if it has to fail. */
static bool begin(FakeEnv *env, FakeCall call)
{
    unsigned number = atomic_fetch_add(&env->calls[call], 1) + 1;

    if (env->concurrent) {
        return false;
    }
    if (env->hook && env->hook_at[call] == number) {
        env->hook(env, env->hook_opaque);
    }
    return env->fail_at[call] == number;
}

/* A read is done. */
static void end(FakeEnv *env, FakeCall call)
{
    if (!env->concurrent && env->hook &&
        env->hook_behind[call] == env->calls[call]) {
        env->hook(env, env->hook_opaque);
    }
}

static void record_order(FakeEnv *env, char what)
{
    if (!env->concurrent && env->orders < FAKE_RECORDS - 1) {
        env->order[env->orders++] = what;
        env->order[env->orders] = '\0';
    }
}

static bool is_ram(FakeEnv *env, uint64_t gpa, uint64_t len)
{
    return len <= env->ram_size && gpa <= env->ram_size - len;
}

/* Whole quadwords are read and written in one piece, as other threads may be
 * at work on them. */
static bool whole_quadwords(uint64_t gpa, size_t len)
{
    return gpa % 8 == 0 && len % 8 == 0;
}

static bool fake_read(void *opaque, uint64_t gpa, void *buf, size_t len)
{
    FakeEnv *env = opaque;

    if (begin(env, FAKE_READ) || !is_ram(env, gpa, len)) {
        return false;
    }
    if (whole_quadwords(gpa, len)) {
        for (size_t i = 0; i < len; i += 8) {
            uint64_t value = __atomic_load_n(
                (uint64_t *)(env->ram + gpa + i), __ATOMIC_RELAXED);

            memcpy((char *)buf + i, &value, 8);
        }
    } else {
        memcpy(buf, env->ram + gpa, len);
    }
    end(env, FAKE_READ);
    return true;
}

static bool fake_write(void *opaque, uint64_t gpa, const void *buf, size_t len)
{
    FakeEnv *env = opaque;

    record_order(env, 'W');
    if (begin(env, FAKE_WRITE) || !is_ram(env, gpa, len)) {
        return false;
    }
    if (len == 4 && gpa % 4 == 0) {
        uint32_t value;

        memcpy(&value, buf, 4);
        __atomic_store_n((uint32_t *)(env->ram + gpa), value,
                         __ATOMIC_RELEASE);
    } else {
        memcpy(env->ram + gpa, buf, len);
    }
    return true;
}

static bool fake_load(void *opaque, uint64_t gpa, uint64_t *value)
{
    FakeEnv *env = opaque;

    if (begin(env, FAKE_LOAD64) || gpa % 8 || !is_ram(env, gpa, 8)) {
        return false;
    }
    *value = fake_load64(env, gpa);
    end(env, FAKE_LOAD64);
    return true;
}

static VtdCas fake_cas(void *opaque, uint64_t gpa, uint64_t expected,
                       uint64_t desired)
{
    FakeEnv *env = opaque;

    if (begin(env, FAKE_CAS64) || gpa % 8 || !is_ram(env, gpa, 8)) {
        return VTD_CAS_FAILED;
    }
    return __atomic_compare_exchange_n((uint64_t *)(env->ram + gpa),
                                       &expected, desired, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) ?
               VTD_CAS_DONE :
               VTD_CAS_CHANGED;
}

static void fake_send_msi(void *opaque, uint64_t addr, uint32_t data)
{
    FakeEnv *env = opaque;

    begin(env, FAKE_SEND_MSI);
    record_order(env, 'M');
    if (!env->concurrent && env->msis < FAKE_RECORDS) {
        env->msi_addr[env->msis] = addr;
        env->msi_data[env->msis++] = data;
    }
}

static VtdDelivery fake_deliver(void *opaque, const VtdNotice *notices,
                                unsigned count, unsigned *done)
{
    FakeEnv *env = opaque;

    begin(env, FAKE_DELIVER);
    record_order(env, 'D');
    if (env->concurrent) {
        return VTD_DELIVERED;
    }
    if (env->batches < FAKE_RECORDS) {
        env->batch[env->batches++] = count;
    }
    for (unsigned i = 0; i < count; i++) {
        if (env->failing_result != VTD_DELIVERED &&
            env->notices == env->failing_notice) {
            VtdDelivery result = env->failing_result;

            env->failing_result = VTD_DELIVERED;
            *done = i;
            return result;
        }
        if (env->notices < FAKE_RECORDS) {
            env->notice[env->notices++] = notices[i];
        }
    }
    return VTD_DELIVERED;
}

static bool fake_drained(void *opaque)
{
    FakeEnv *env = opaque;

    begin(env, FAKE_DRAINED);
    if (env->concurrent || !env->undrained) {
        return true;
    }
    env->undrained--;
    return false;
}

static bool fake_pasid_alloc(void *opaque, uint32_t *pasid)
{
    FakeEnv *env = opaque;

    if (begin(env, FAKE_PASID_ALLOC)) {
        return false;
    }
    for (*pasid = 1; *pasid < FAKE_PASIDS; ++*pasid) {
        if (!env->pasid_owned[*pasid]) {
            env->pasid_owned[*pasid] = true;
            return true;
        }
    }
    return false;
}

static bool fake_pasid_free(void *opaque, uint32_t pasid)
{
    FakeEnv *env = opaque;
    bool owned = pasid < FAKE_PASIDS && env->pasid_owned[pasid];

    if (begin(env, FAKE_PASID_FREE) || !owned) {
        return false;
    }
    env->pasid_owned[pasid] = false;
    return true;
}

static void fake_guest_error(void *opaque, const char *what, uint64_t value)
{
    FakeEnv *env = opaque;

    (void)value;
    begin(env, FAKE_GUEST_ERROR);
    if (!env->concurrent) {
        env->last_error = what;
    }
}

void fake_env_init(FakeEnv *env, uint64_t ram_size)
{
    memset(env, 0, sizeof(*env));
    env->ram = calloc(1, ram_size);
    env->ram_size = env->ram ? ram_size : 0;
}

void fake_env_destroy(FakeEnv *env)
{
    free(env->ram);
    env->ram = NULL;
    env->ram_size = 0;
}

VtdEnv fake_env_interface(FakeEnv *env)
{
    return (VtdEnv){
        .opaque = env,
        .read = fake_read,
        .write = fake_write,
        .load64 = fake_load,
        .cas64 = fake_cas,
        .send_msi = fake_send_msi,
        .deliver = fake_deliver,
        .drained = fake_drained,
        .pasid_alloc = fake_pasid_alloc,
        .pasid_free = fake_pasid_free,
        .guest_error = fake_guest_error,
    };
}

void fake_env_read_in_place(FakeEnv *env, VtdEnv *interface)
{
    static union {
        VtdMemory memory;
        unsigned char room[sizeof(VtdMemory) + sizeof(VtdWindow)];
    } view;
    static const VtdMemory *_Atomic current;

    view.memory.count = 1;
    view.memory.window[0] = (VtdWindow){
        .size = env->ram_size,
        .host = env->ram,
    };
    atomic_store(&current, &view.memory);
    interface->memory = &current;
}

void fake_env_forget(FakeEnv *env)
{
    uint8_t *ram = env->ram;
    uint64_t ram_size = env->ram_size;
    bool concurrent = env->concurrent;

    memset(env, 0, sizeof(*env));
    env->ram = ram;
    env->ram_size = ram_size;
    env->concurrent = concurrent;
}

unsigned fake_env_reads(FakeEnv *env)
{
    return env->calls[FAKE_READ] + env->calls[FAKE_LOAD64];
}

uint64_t fake_load64(FakeEnv *env, uint64_t gpa)
{
    return __atomic_load_n((uint64_t *)(env->ram + gpa), __ATOMIC_ACQUIRE);
}

void fake_store64(FakeEnv *env, uint64_t gpa, uint64_t value)
{
    __atomic_store_n((uint64_t *)(env->ram + gpa), value, __ATOMIC_RELEASE);
}

uint32_t fake_load32(FakeEnv *env, uint64_t gpa)
{
    return __atomic_load_n((uint32_t *)(env->ram + gpa), __ATOMIC_ACQUIRE);
}
