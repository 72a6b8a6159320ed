/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plain pointers of all kinds of memory, and those that must be refused. */
#include "support.h"

#include <string.h>
#include <sys/mman.h>

#define ATS SVA_EP_BIND_ATS
#define ATS_PRI (SVA_EP_BIND_ATS | SVA_EP_BIND_PRI)

/* Neither ends at a page, so that a command is several accesses. */
#define BYTES ((size_t)40000)
#define OFFSET 1234
#define WORD 0x1122334455667788

static uint64_t sum_of(const uint8_t *at, size_t bytes)
{
    uint64_t sum = SVA_EP_FNV_BASIS;

    for (size_t i = 0; i < bytes; i++) {
        sum = (sum ^ at[i]) * SVA_EP_FNV_PRIME;
    }
    return sum;
}

/* All operations between @from and @to, both of OFFSET + BYTES + OFFSET. */
static void all_operations(Queue *queue, uint8_t *from, uint8_t *to)
{
    size_t all = OFFSET + BYTES + OFFSET;
    uint64_t *word = (uint64_t *)(to + 4096);
    Result result;

    fill_random(from, all, (uintptr_t)from);
    fill_words(to, all, 0);
    must_be_done(queue_copy(queue, to + OFFSET, from + OFFSET, BYTES));
    MUST(memcmp(to + OFFSET, from + OFFSET, BYTES) == 0);
    MUST_EQ(first_other(to, OFFSET, 0), OFFSET);
    MUST_EQ(first_other(to + OFFSET + BYTES, OFFSET, 0), OFFSET);

    result = queue_sum(queue, from + 1, BYTES);
    must_be_done(result);
    MUST_EQ(result.result, sum_of(from + 1, BYTES));

    result = queue_compare(queue, from + OFFSET, to + OFFSET, BYTES);
    must_be_done(result);
    MUST_EQ(result.result, SVA_EP_COMPARE_EQUAL);
    to[OFFSET + BYTES - 1] ^= 1;
    result = queue_compare(queue, from + OFFSET, to + OFFSET, BYTES);
    must_be_done(result);
    MUST_EQ(result.result, BYTES - 1);

    *word = 1;
    result = queue_swap(queue, word, 2);
    must_be_done(result);
    MUST_EQ(result.result, 1);
    MUST_EQ(*word, 2);

    must_be_done(queue_fill(queue, to + OFFSET, WORD, BYTES));
    MUST_EQ(first_other(to + OFFSET, BYTES, WORD), BYTES);
}

static void every_kind(unsigned flags)
{
    Queue *queue = queue_open(flags, 0);
    uint8_t stack[2 * OFFSET + BYTES];
    uint8_t *source = pages_get(sizeof(stack));

    tap_context("the stack");
    all_operations(queue, source, stack);
    for (size_t i = 0; i < memory_kind_count; i++) {
        Memory memory;

        tap_context("%s", memory_kinds[i].name);
        memory = memory_kinds[i].get(sizeof(stack));
        all_operations(queue, source, memory.at);
        all_operations(queue, memory.at, stack);
        memory.put(&memory);
    }
    pages_put(source, sizeof(stack));
    queue_close(queue);
    device_must_be_quiet();
}

TEST(the_device_works_on_every_kind_of_memory_by_untranslated_requests)
{
    uint64_t before = device_read64(SVA_EP_COUNT_ATS_REQUESTS);

    every_kind(0);
    MUST_EQ(device_read64(SVA_EP_COUNT_ATS_REQUESTS), before);
}

TEST(the_device_works_on_every_kind_of_memory_by_its_own_translations)
{
    uint64_t before = device_read64(SVA_EP_COUNT_ATS_REQUESTS);

    every_kind(ATS);
    MUST(device_read64(SVA_EP_COUNT_ATS_REQUESTS) > before);
}

TEST(the_device_works_on_every_kind_of_memory_with_page_requests)
{
    every_kind(ATS_PRI);
}

TEST(memory_that_was_never_touched_is_brought_by_page_requests)
{
    Queue *queue = queue_open(ATS_PRI, 0);
    uint8_t *source = pages_get(BYTES);

    fill_random(source, BYTES, 5);
    for (size_t i = 0; i < memory_kind_count; i++) {
        uint64_t before = device_read64(SVA_EP_COUNT_PAGE_REQUESTS);
        Memory memory;

        if (!memory_kinds[i].can_be_untouched) {
            continue;
        }
        tap_context("%s", memory_kinds[i].name);
        memory = memory_kinds[i].get(16 * BYTES);
        /* Not the first page: malloc keeps notes there. */
        must_be_done(queue_copy(queue, memory.at + 5000, source, BYTES));
        MUST(device_read64(SVA_EP_COUNT_PAGE_REQUESTS) > before);
        MUST(memcmp(memory.at + 5000, source, BYTES) == 0);
        memory.put(&memory);
    }
    pages_put(source, BYTES);
    queue_close(queue);
    device_must_be_quiet();
}

/* 47 bits, or 56 where the processor has 5 levels of tables. */
TEST(the_device_reaches_the_highest_addresses_of_a_process)
{
    bool five_levels = has_flag("la57");
    uint8_t *hint = (uint8_t *)((1ull << (five_levels ? 56 : 47)) - 3 * PAGE);
    Queue *queue = queue_open(ATS_PRI, 0);
    uint8_t *page = mmap(hint, PAGE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
                         0);

    tap_note("%d levels of page tables", five_levels ? 5 : 4);
    MUST(page == hint);
    must_be_done(queue_fill(queue, page, WORD, PAGE));
    MUST_EQ(first_other(page, PAGE, WORD), PAGE);
    pages_put(page, PAGE);
    queue_close(queue);
    device_must_be_quiet();
}

/* A read brings the shared page of zeroes, which no write may change. */
TEST(a_page_that_was_read_first_is_written_later)
{
    Queue *queue = queue_open(ATS_PRI, 0);
    uint8_t *pages = pages_get(BYTES);
    uint8_t *others = pages_get(BYTES);
    Result result = queue_sum(queue, pages, BYTES);

    must_be_done(result);
    MUST_EQ(result.result, sum_of(others, BYTES));
    must_be_done(queue_fill(queue, pages, WORD, BYTES));
    MUST_EQ(first_other(pages, BYTES, WORD), BYTES);
    MUST_EQ(first_other(others, BYTES, 0), BYTES);
    pages_put(pages, BYTES);
    pages_put(others, BYTES);
    queue_close(queue);
    device_must_be_quiet();
}

/* --- What must be refused, and with which error --- */

typedef struct Mode {
    const char *name;
    unsigned flags;
    uint32_t read_error;
    uint32_t write_error;
} Mode;

static const Mode modes[] = {
    { "untranslated requests", 0, SVA_EP_ERR_READ, SVA_EP_ERR_WRITE },
    { "translations of its own", ATS, SVA_EP_ERR_READ, SVA_EP_ERR_WRITE },
    { "page requests", ATS_PRI, SVA_EP_ERR_PAGE_INVALID,
      SVA_EP_ERR_PAGE_INVALID },
};
#define MODES (sizeof(modes) / sizeof(*modes))

/* The remapping unit reports what is refused to untranslated requests. */
static void expect_fault(const Mode *mode, const void *address)
{
    if (mode->flags == 0) {
        announce_fault(address);
    }
}

TEST(memory_that_is_read_only_is_read_and_not_written)
{
    uint8_t *pages = pages_get(BYTES);
    uint8_t *other = pages_get(BYTES);

    fill_random(pages, BYTES, 6);
    memcpy(other, pages, BYTES);
    MUST_EQ(mprotect(pages, BYTES, PROT_READ), 0);
    for (size_t i = 0; i < MODES; i++) {
        Queue *queue = queue_open(modes[i].flags, 0);
        Result result = queue_compare(queue, pages, other, BYTES);

        tap_context("%s", modes[i].name);
        must_be_done(result);
        MUST_EQ(result.result, SVA_EP_COMPARE_EQUAL);
        expect_fault(&modes[i], pages + 8);
        must_be_refused(queue_fill(queue, pages + 8, WORD, 64),
                        modes[i].write_error, pages + 8);
        expect_fault(&modes[i], pages + 16);
        must_be_refused(queue_swap(queue, pages + 16, WORD),
                        modes[i].write_error, pages + 16);
        MUST(memcmp(pages, other, BYTES) == 0);
        /* The queue goes on after an error. */
        must_be_done(queue_sum(queue, pages, BYTES));
        queue_close(queue);
    }
    pages_put(pages, BYTES);
    pages_put(other, BYTES);
    device_must_be_quiet();
}

TEST(memory_that_does_not_exist_is_refused)
{
    /* In the kernel's half. */
    uint8_t *kernel = (uint8_t *)0xffff888000000000;

    for (size_t i = 0; i < MODES; i++) {
        Queue *queue = queue_open(modes[i].flags, 0);
        uint8_t *gone = pages_get(PAGE);

        tap_context("%s", modes[i].name);
        pages_put(gone, PAGE);
        expect_fault(&modes[i], gone);
        must_be_refused(queue_sum(queue, gone, PAGE), modes[i].read_error,
                        gone);
        expect_fault(&modes[i], gone + 32);
        must_be_refused(queue_fill(queue, gone + 32, WORD, 8),
                        modes[i].write_error, gone + 32);
        expect_fault(&modes[i], kernel);
        must_be_refused(queue_sum(queue, kernel, 64), modes[i].read_error,
                        kernel);
        expect_fault(&modes[i], kernel);
        must_be_refused(queue_fill(queue, kernel, WORD, 8),
                        modes[i].write_error, kernel);
        queue_close(queue);
    }
    device_must_be_quiet();
}

TEST(memory_without_any_right_is_refused)
{
    uint8_t *pages = pages_get(PAGE);

    fill_words(pages, PAGE, WORD);
    MUST_EQ(mprotect(pages, PAGE, PROT_NONE), 0);
    for (size_t i = 0; i < MODES; i++) {
        Queue *queue = queue_open(modes[i].flags, 0);

        tap_context("%s", modes[i].name);
        expect_fault(&modes[i], pages);
        must_be_refused(queue_sum(queue, pages, 8), modes[i].read_error, pages);
        expect_fault(&modes[i], pages);
        must_be_refused(queue_fill(queue, pages, 0, 8), modes[i].write_error,
                        pages);
        queue_close(queue);
    }
    MUST_EQ(mprotect(pages, PAGE, PROT_READ), 0);
    MUST_EQ(first_other(pages, PAGE, WORD), PAGE);
    pages_put(pages, PAGE);
    device_must_be_quiet();
}

TEST(without_page_requests_untouched_memory_is_refused)
{
    for (size_t i = 0; modes[i].flags != ATS_PRI; i++) {
        Queue *queue = queue_open(modes[i].flags, 0);
        uint8_t *pages = pages_get(PAGE);
        uint64_t before = device_read64(SVA_EP_COUNT_PAGE_REQUESTS);

        tap_context("%s", modes[i].name);
        expect_fault(&modes[i], pages);
        must_be_refused(queue_fill(queue, pages, WORD, PAGE),
                        SVA_EP_ERR_WRITE, pages);
        MUST_EQ(frame_of(pages), 0);
        MUST_EQ(device_read64(SVA_EP_COUNT_PAGE_REQUESTS), before);
        /* The refusal is not remembered. */
        pages[0] = 1;
        must_be_done(queue_fill(queue, pages, WORD, PAGE));
        MUST_EQ(first_other(pages, PAGE, WORD), PAGE);
        pages_put(pages, PAGE);
        queue_close(queue);
    }
}

TEST(a_command_stops_exactly_where_its_memory_ends)
{
    for (size_t i = 0; i < MODES; i++) {
        Queue *queue = queue_open(modes[i].flags, 0);
        uint8_t *pages = pages_get(4 * PAGE);
        uint8_t *end = pages + 3 * PAGE;

        tap_context("%s", modes[i].name);
        fill_words(pages, 3 * PAGE, 0);
        pages_put(end, PAGE);
        expect_fault(&modes[i], end);
        must_be_refused(queue_fill(queue, pages + 16, WORD, 4 * PAGE),
                        modes[i].write_error, end);
        MUST_EQ(first_other(pages, 16, 0), 16);
        MUST_EQ(first_other(pages + 16, 3 * PAGE - 16, WORD), 3 * PAGE - 16);
        pages_put(pages, 3 * PAGE);
        queue_close(queue);
    }
    device_must_be_quiet();
}
