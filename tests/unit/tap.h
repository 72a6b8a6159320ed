/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A test harness that writes TAP.
 *
 * A test is a function that returns; the first check that fails ends it.
 *
 *     TEST(an_empty_queue_does_nothing)
 *     {
 *         CHECK_EQ(head(), 0);
 *     }
 *
 * Tests register themselves and run in the order of the file.  The program
 * needs no main of its own: link tap.c.  An argument runs only the tests whose
 * name contains it.
 */
#ifndef TAP_H
#define TAP_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct TapTest {
    const char *name; /* a C identifier; reported with spaces */
    void (*run)(void);
    struct TapTest *next;
} TapTest;

void tap_register(TapTest *test);

#define TEST(name)                                                          \
    static void name(void);                                                 \
    static TapTest tap_test_##name = { #name, name, NULL };                 \
    __attribute__((constructor)) static void tap_register_##name(void)      \
    {                                                                       \
        tap_register(&tap_test_##name);                                     \
    }                                                                       \
    static void name(void)

/* End the test that runs, from the thread that runs it, with a message. */
_Noreturn void tap_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A line of information beside the results. */
void tap_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What is being looked at, for the message of a check that fails; kept until
 * the test ends or another is set. */
void tap_context(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            tap_fail(__FILE__, __LINE__, "not true: %s", #condition);       \
        }                                                                   \
    } while (0)

#define CHECK_EQ(actual, expected)                                          \
    do {                                                                    \
        uint64_t actual_ = (uint64_t)(actual);                              \
        uint64_t expected_ = (uint64_t)(expected);                          \
        if (actual_ != expected_) {                                         \
            tap_fail(__FILE__, __LINE__,                                    \
                     "%s is 0x%" PRIx64 ", not 0x%" PRIx64, #actual,        \
                     actual_, expected_);                                   \
        }                                                                   \
    } while (0)

/* A seed for pseudo-random tests: from TEST_SEED if set, else fixed; it is
 * written to the output, so that a failure can be repeated. */
uint64_t tap_seed(void);

/* Next number of the generator at @state (splitmix64). */
uint64_t tap_random(uint64_t *state);

#endif
