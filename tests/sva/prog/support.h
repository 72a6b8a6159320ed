/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Around the tests: checks that also work in child processes, the device's
 * registers, memory of all kinds.
 */
#ifndef SVA_SUPPORT_H
#define SVA_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../unit/tap.h"
#include "queue.h"

#define PAGE ((size_t)4096)
#define HUGE_PAGE ((size_t)2 << 20)

/* As CHECK and CHECK_EQ; in a child they end the child with status 1. */
#define FAIL(...) sva_fail(__FILE__, __LINE__, __VA_ARGS__)
#define MUST(condition)                                                     \
    do {                                                                    \
        if (!(condition)) {                                                 \
            FAIL("not true: %s", #condition);                               \
        }                                                                   \
    } while (0)
#define MUST_EQ(actual, expected)                                           \
    do {                                                                    \
        uint64_t actual_ = (uint64_t)(actual);                              \
        uint64_t expected_ = (uint64_t)(expected);                          \
        if (actual_ != expected_) {                                         \
            FAIL("%s is 0x%" PRIx64 ", not 0x%" PRIx64, #actual, actual_,   \
                 expected_);                                                \
        }                                                                   \
    } while (0)

_Noreturn void sva_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Waits for what takes no time to speak of, and fails when it does. */
#define MUST_COME(condition)                                                \
    do {                                                                    \
        double deadline_ = seconds() + 60;                                  \
        while (!(condition)) {                                              \
            if (seconds() > deadline_) {                                    \
                FAIL("has not come: %s", #condition);                       \
            }                                                               \
            pause_for(1);                                                   \
        }                                                                   \
    } while (0)

double seconds(void);
/* Whether the processor has a feature, by its name in /proc/cpuinfo. */
bool has_flag(const char *name);
/* Less than a second; fails when a child has failed. */
void pause_for(unsigned milliseconds);

/* --- Children --- */

/* Runs the function in a child, which ends with status 0 after it. */
pid_t child_start(void (*run)(void *), void *opaque);
/* Waits until it has ended, and requires status 0. */
void child_join(pid_t child);
/* Kills it, and waits for its end. */
void child_kill(pid_t child);

/* Memory of @bytes that children share. */
void *shared_memory(size_t bytes);

/* --- The device --- */

/* Registers of BAR 0, past the driver. */
uint32_t device_read(size_t offset);
uint64_t device_read64(size_t offset);
void device_write(size_t offset, uint32_t value);
/* For SVA_EP_DEBUG; a test that fails takes them back. */
void device_debug(uint32_t knobs);

/* Its address on the bus, and the path of one of its files in sysfs; the path
 * is valid until the next call. */
const char *device_address(void);
const char *device_file(const char *name);
void write_file(const char *path, const char *text);

/* How many PASID entries are present, but those of requests without PASID. */
size_t attached(void);

/* Waits until no queue is in use; each page request was answered once. */
void device_must_be_quiet(void);

/* --- Results --- */

void must_be_done(Result result);
/* Has ended with @error, where it concerns a page at @address. */
void must_be_refused(Result result, uint32_t error, const void *address);

/*
 * Allows the remapping unit to report a fault at the page of @address to the
 * kernel's log; tests/sva/init finds any other.
 */
void announce_fault(const void *address);
/*
 * Likewise faults of a PASID whose process is killed while the device is at
 * work.  Linux means to suppress them with FPD in the PASID entry; 7.3 clears
 * P in it first, and then, as it is not present, does not set FPD.
 */
void announce_end(unsigned pasid);

/* --- Memory --- */

typedef struct Memory {
    uint8_t *at;
    size_t bytes;
    void (*put)(struct Memory *memory);
    void *opaque;
} Memory;

typedef struct MemoryKind {
    const char *name;
    /* At least @bytes, not touched if @untouched may be. */
    Memory (*get)(size_t bytes);
    bool can_be_untouched;
} MemoryKind;

extern const MemoryKind memory_kinds[];
extern const size_t memory_kind_count;

/* Anonymous pages of their own, not touched; MAP_FAILED fails the test. */
void *pages_get(size_t bytes);
void pages_put(void *at, size_t bytes);
/* Aligned to huge pages and advised to be such. */
void *huge_get(size_t bytes);

/* The number of the physical page; 0: none. */
uint64_t frame_of(const void *at);

void fill_random(void *at, size_t bytes, uint64_t seed);
void fill_words(void *at, size_t bytes, uint64_t word);
/* The first byte that is not as fill_words() would write it; bytes: none. */
size_t first_other(const void *at, size_t bytes, uint64_t word);

#endif
