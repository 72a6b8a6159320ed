/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz_env.h"

#include <string.h>

#include "vtd_desc.h"

typedef struct Armed {
    bool on;
    unsigned skip;
    unsigned offset;
    uint64_t value;
    unsigned size;
} Armed;

static VtdEnv fake;
static FuzzCall now;
static unsigned depth; /* of calls into the model */
static Armed armed[FUZZ_MOMENTS];
static bool meddled; /* an armed write happened in the outermost call */
static VtdDelivery failing_result;
static unsigned failing_index;
static uint64_t settled; /* invalidations of the queue delivered or failed */
static bool lost; /* one of the slice at work has failed */

static void count_call(void)
{
    if (depth && ++now.calls > now.limit) {
        tap_fail(__FILE__, __LINE__, "more than %" PRIu64 " calls", now.limit);
    }
}

bool fuzz_lock_is_free(void)
{
    if (pthread_mutex_trylock(&guest.unit.lock)) {
        return false;
    }
    pthread_mutex_unlock(&guest.unit.lock);
    return true;
}

/* Invalidation descriptors that the unit has taken from its queue. */
static uint64_t taken(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < 16; i++) {
        sum += i == VTD_DESC_WAIT ? 0 : guest.unit.counters.descriptors[i];
    }
    return sum;
}

static bool due(FuzzMoment moment)
{
    Armed *a = &armed[moment];

    if (!a->on || a->skip-- > 0) {
        return false;
    }
    a->on = false;
    return true;
}

static void meddle(FuzzMoment moment)
{
    if (due(moment)) {
        meddled = true;
        fuzz_write(armed[moment].offset, armed[moment].value,
                   armed[moment].size);
    }
}

static bool env_read(void *opaque, uint64_t gpa, void *buf, size_t len)
{
    count_call();
    if (depth && guest.unit.queue_running) {
        /* A descriptor is fetched, for another slice than the last. */
        lost = false;
        CHECK(++now.fetches <= FUZZ_FETCHES);
    }
    return fake.read(opaque, gpa, buf, len);
}

static bool env_write(void *opaque, uint64_t gpa, const void *buf, size_t len)
{
    count_call();
    if (len == 32) { /* a page request: in one piece with the queue's tail */
        CHECK(gpa % 32 == 0 && !fuzz_lock_is_free());
        return fake.write(opaque, gpa, buf, len);
    }
    CHECK(fuzz_lock_is_free());
    CHECK(len == 4 && gpa % 4 == 0);
    CHECK(!lost);
    CHECK_EQ(settled, taken());
    meddle(FUZZ_AT_STATUS);
    return fake.write(opaque, gpa, buf, len);
}

static bool env_load(void *opaque, uint64_t gpa, uint64_t *value)
{
    bool ok;

    count_call();
    CHECK_EQ(gpa % 8, 0);
    ok = fake.load64(opaque, gpa, value);
    if (ok && due(FUZZ_BEHIND_LOAD)) {
        fuzz_poke(gpa, armed[FUZZ_BEHIND_LOAD].value);
    }
    return ok;
}

static VtdCas env_cas(void *opaque, uint64_t gpa, uint64_t expected,
                      uint64_t desired)
{
    count_call();
    CHECK_EQ(gpa % 8, 0);
    CHECK_EQ(expected & ~desired, 0); /* marks are only ever set */
    return fake.cas64(opaque, gpa, expected, desired);
}

static void env_msi(void *opaque, uint64_t addr, uint32_t data)
{
    count_call();
    CHECK(fuzz_lock_is_free());
    fake.send_msi(opaque, addr, data);
    meddle(FUZZ_AT_MSI);
}

static void check_notice(const VtdNotice *n)
{
    CHECK(n->kind <= VTD_NOTICE_PAGE_RESPONSE);
    CHECK(n->scope <= VTD_SCOPE_PAGE);
    CHECK(n->order <= 52);
    CHECK(n->pasid < 1u << 20);
    if (n->order < 52) {
        CHECK_EQ(n->addr & ((VTD_PAGE_SIZE << n->order) - 1), 0);
    } else {
        CHECK_EQ(n->addr, 0);
    }
}

static VtdDelivery env_deliver(void *opaque, const VtdNotice *notices,
                               unsigned count, unsigned *done)
{
    bool of_queue = notices >= guest.unit.batch &&
                    notices < guest.unit.batch + VTD_BATCH_MAX;
    VtdDelivery result = failing_index < count ? failing_result
                                               : VTD_DELIVERED;
    unsigned over = result == VTD_DELIVERY_TIMEOUT ? failing_index + 1 : count;

    count_call();
    CHECK(fuzz_lock_is_free());
    CHECK(count > 0 && count <= VTD_BATCH_MAX);
    for (unsigned i = 0; i < count; i++) {
        check_notice(&notices[i]);
    }
    fake.deliver(opaque, notices, count, done);
    if (of_queue) {
        CHECK_EQ(taken() - settled, count);
        settled += over;
        lost = lost || result != VTD_DELIVERED;
    }
    if (result != VTD_DELIVERED) {
        *done = failing_index;
        failing_result = VTD_DELIVERED;
    }
    meddle(FUZZ_AT_DELIVERY);
    return result;
}

static bool env_drained(void *opaque)
{
    count_call();
    CHECK(fuzz_lock_is_free());
    return fake.drained(opaque);
}

static bool env_pasid_alloc(void *opaque, uint32_t *pasid)
{
    count_call();
    CHECK(fuzz_lock_is_free());
    return fake.pasid_alloc(opaque, pasid);
}

static bool env_pasid_free(void *opaque, uint32_t pasid)
{
    count_call();
    CHECK(fuzz_lock_is_free());
    CHECK(pasid < 1u << 20);
    return fake.pasid_free(opaque, pasid);
}

static void env_guest_error(void *opaque, const char *what, uint64_t value)
{
    count_call();
    CHECK(what);
    fake.guest_error(opaque, what, value);
}

VtdEnv fuzz_env_interface(void)
{
    return (VtdEnv){
        .opaque = &guest.env,
        .read = env_read,
        .write = env_write,
        .load64 = env_load,
        .cas64 = env_cas,
        .send_msi = env_msi,
        .deliver = env_deliver,
        .drained = env_drained,
        .pasid_alloc = env_pasid_alloc,
        .pasid_free = env_pasid_free,
        .guest_error = env_guest_error,
    };
}

void fuzz_env_start(void)
{
    fake = fake_env_interface(&guest.env);
    depth = 0;
    memset(armed, 0, sizeof(armed));
    failing_result = VTD_DELIVERED;
    failing_index = 0;
    settled = taken();
    lost = false;
}

FuzzCall fuzz_env_enter(uint64_t limit)
{
    FuzzCall outer = now;

    now = (FuzzCall){ .limit = limit };
    if (!depth) {
        meddled = false;
    }
    depth++;
    return outer;
}

void fuzz_env_leave(FuzzCall outer)
{
    now = outer;
    depth--;
}

bool fuzz_env_within(void)
{
    return depth;
}

bool fuzz_env_meddled(void)
{
    return meddled;
}

void fuzz_arm(FuzzMoment moment, unsigned skip, unsigned offset,
              uint64_t value, unsigned size)
{
    armed[moment] = (Armed){ true, skip, offset, value, size };
}

void fuzz_fail_delivery(VtdDelivery result, unsigned index)
{
    failing_result = result;
    failing_index = index;
}

void fuzz_fail_call(FakeCall call, unsigned skip)
{
    guest.env.fail_at[call] = guest.env.calls[call] + 1 + skip;
}
