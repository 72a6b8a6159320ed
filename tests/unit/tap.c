/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static TapTest *first;
static TapTest **last = &first;
static jmp_buf end_of_test;
static char context[256];

void tap_register(TapTest *test)
{
    *last = test;
    last = &test->next;
}

static void note(const char *format, va_list args)
{
    printf("# ");
    vprintf(format, args);
    printf("\n");
}

void tap_note(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    note(format, args);
    va_end(args);
}

void tap_context(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(context, sizeof(context), format, args);
    va_end(args);
}

void tap_fail(const char *file, int line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    printf("# %s:%d:\n", file, line);
    note(format, args);
    va_end(args);
    if (context[0]) {
        printf("# with %s\n", context);
    }
    longjmp(end_of_test, 1);
}

uint64_t tap_seed(void)
{
    const char *text = getenv("TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : 20260101;

    tap_note("TEST_SEED=%" PRIu64, seed);
    return seed;
}

uint64_t tap_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static void print_name(const char *name)
{
    for (; *name; name++) {
        putchar(*name == '_' ? ' ' : *name);
    }
    putchar('\n');
}

/* Not inlined: nothing of the caller lives in registers across the jump. */
static bool __attribute__((noinline)) run(const TapTest *test)
{
    context[0] = '\0';
    if (setjmp(end_of_test)) {
        return false;
    }
    test->run();
    return true;
}

int main(int argc, char **argv)
{
    const char *wanted = argc > 1 ? argv[1] : "";
    unsigned count = 0;
    unsigned failed = 0;
    unsigned number = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (TapTest *test = first; test; test = test->next) {
        count += strstr(test->name, wanted) != NULL;
    }
    printf("1..%u\n", count);
    for (TapTest *test = first; test; test = test->next) {
        if (strstr(test->name, wanted)) {
            bool ok = run(test);

            failed += !ok;
            printf("%sok %u - ", ok ? "" : "not ", ++number);
            print_name(test->name);
        }
    }
    return failed || !count ? 1 : 0;
}
