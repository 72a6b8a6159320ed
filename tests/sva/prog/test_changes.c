/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that changes under the device: forked, unmapped, protected, moved,
 * made of huge pages and taken apart again, before DMA and while it runs.
 */
#include "support.h"

#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "pump.h"

#define ATS SVA_EP_BIND_ATS
#define ATS_PRI (SVA_EP_BIND_ATS | SVA_EP_BIND_PRI)

#define BYTES (16 * PAGE)
#define OLD 0x01d01d01d01d01d0
#define NEW 0x9e39e39e39e39e39
#define STALE 0x57a1e57a1e57a1e5

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* --- Fork and copy-on-write --- */

typedef struct Forked {
    uint8_t *pages;
    volatile int *turn;
} Forked;

static void see_old_then_write(void *opaque)
{
    Forked *forked = opaque;

    MUST_COME(*forked->turn == 1);
    MUST_EQ(first_other(forked->pages, BYTES, OLD), BYTES);
    fill_words(forked->pages, BYTES, STALE);
    *forked->turn = 2;
}

TEST(the_device_writes_to_the_parent_and_not_to_its_forked_child)
{
    Queue *queue = queue_open(ATS_PRI, 0);
    Forked forked = { pages_get(BYTES), shared_memory(PAGE) };
    pid_t child;

    must_be_done(queue_fill(queue, forked.pages, OLD, BYTES));
    child = child_start(see_old_then_write, &forked);
    /* The pages are shared and write-protected now. */
    must_be_done(queue_fill(queue, forked.pages, NEW, BYTES));
    *forked.turn = 1;
    child_join(child);
    MUST_EQ(*forked.turn, 2);
    MUST_EQ(first_other(forked.pages, BYTES, NEW), BYTES);
    must_be_done(queue_fill(queue, forked.pages, OLD, BYTES));
    MUST_EQ(first_other(forked.pages, BYTES, OLD), BYTES);
    pages_put(forked.pages, BYTES);
    pages_put((void *)forked.turn, PAGE);
    queue_close(queue);
    device_must_be_quiet();
}

static bool is_done(const Command *command, const Result *result)
{
    return result->status == SVA_EP_STATUS_DONE;
}

typedef struct Snapshot {
    const uint8_t *pages;
    const Pump *pump;
} Snapshot;

static void see_no_change(void *opaque)
{
    Snapshot *snapshot = opaque;
    uint8_t copy[BYTES];

    memcpy(copy, snapshot->pages, BYTES);
    pump_pass(snapshot->pump, 8);
    MUST(memcmp(copy, snapshot->pages, BYTES) == 0);
}

TEST(forks_while_the_device_writes)
{
    Queue *queue = queue_open(ATS_PRI, 0);
    uint8_t *pages = pages_get(BYTES);
    Pump *pump = pump_start(queue, &(Command){
        .opcode = SVA_EP_OP_FILL,
        .dst = (uintptr_t)pages,
        .length = BYTES,
        .operand = NEW,
    }, is_done);
    Snapshot snapshot = { pages, pump };

    for (int i = 0; i < 20; i++) {
        pid_t children[2];

        fill_words(pages, BYTES, OLD + i);
        children[0] = child_start(see_no_change, &snapshot);
        fill_words(pages, BYTES, OLD - i);
        children[1] = child_start(see_no_change, &snapshot);
        child_join(children[0]);
        child_join(children[1]);
    }
    pump_pass(pump, 1);
    MUST_EQ(first_other(pages, BYTES, NEW), BYTES);
    pump_stop(pump);
    pages_put(pages, BYTES);
    queue_close(queue);
    device_must_be_quiet();
}

/* --- Unmapped --- */

/* Frees lie on a list of the processor that frees. */
static void stay_on_this_processor(bool stay)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (!stay || i == sched_getcpu()) {
            CPU_SET(i, &set);
        }
    }
    MUST_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
}

#define CATCH_PAGES 512

/*
 * The device writes to a page, which is then unmapped.  Once the same physical
 * page has come back in another place, which also makes the rest safe, the
 * device writes to the old address again.  Returns whether that reached the
 * page's new owner.
 */
static bool reaches_the_next_owner(Queue *queue)
{
    for (int attempt = 0; attempt < 50; attempt++) {
        uint8_t *page = pages_get(PAGE);
        uint8_t *pages = pages_get(CATCH_PAGES * PAGE);
        uint8_t *caught = NULL;
        uint64_t frame;
        Result result;
        bool reached;

        page[0] = 1;
        must_be_done(queue_fill(queue, page, OLD, PAGE));
        frame = frame_of(page);
        MUST(frame != 0);
        pages_put(page, PAGE);
        for (size_t i = 0; i < CATCH_PAGES && !caught; i++) {
            fill_words(pages + i * PAGE, PAGE, NEW);
            if (frame_of(pages + i * PAGE) == frame) {
                caught = pages + i * PAGE;
            }
        }
        if (caught) {
            result = queue_fill(queue, page, STALE, PAGE);
            reached = first_other(caught, PAGE, NEW) != PAGE;
            MUST_EQ(result.status, reached ? SVA_EP_STATUS_DONE :
                                             SVA_EP_STATUS_ERROR);
        }
        pages_put(pages, CATCH_PAGES * PAGE);
        if (caught) {
            return reached;
        }
    }
    FAIL("an unmapped page never came back");
}

static void after_munmap(uint32_t knobs, bool reached)
{
    static const unsigned flags[] = { ATS, ATS_PRI };

    stay_on_this_processor(true);
    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
        Queue *queue = queue_open(flags[i], 0);

        for (int round = 0; round < 25; round++) {
            device_debug(knobs);
            MUST_EQ(reaches_the_next_owner(queue), reached);
            device_debug(0);
            /* Its end drops what the device should have dropped. */
            queue_close(queue);
            queue = queue_open(flags[i], 0);
        }
        queue_close(queue);
    }
    stay_on_this_processor(false);
    device_must_be_quiet();
}

TEST(a_page_is_never_written_after_munmap_has_returned)
{
    after_munmap(0, false);
}

TEST(control_it_is_written_when_the_device_keeps_its_translations)
{
    after_munmap(SVA_EP_DEBUG_IGNORE_INVALIDATIONS, true);
}

static bool is_done_or_gone(const Command *command, const Result *result)
{
    return result->status == SVA_EP_STATUS_DONE ||
           (result->error == SVA_EP_ERR_PAGE_INVALID &&
            result->fault_addr - command->dst < command->length);
}

/*
 * How many of the frames that were unmapped have come back in @pages, and all
 * of it stays as it is while the device goes on.
 */
static unsigned reused(const uint64_t *frames, uint8_t *pages, Pump *pump)
{
    unsigned count = 0;

    for (size_t i = 0; i < 4 * BYTES / PAGE; i++) {
        uint64_t frame;

        fill_words(pages + i * PAGE, PAGE, NEW);
        frame = frame_of(pages + i * PAGE);
        for (size_t j = 0; j < BYTES / PAGE; j++) {
            count += frame == frames[j];
        }
    }
    pump_pass(pump, 2);
    MUST_EQ(first_other(pages, 4 * BYTES, NEW), 4 * BYTES);
    return count;
}

TEST(memory_is_unmapped_and_used_again_while_the_device_writes)
{
    Queue *queue = queue_open(ATS_PRI, 0);
    uint8_t *pages = pages_get(BYTES);
    uint64_t frames[BYTES / PAGE];
    unsigned count = 0;
    Pump *pump = pump_start(queue, &(Command){
        .opcode = SVA_EP_OP_FILL,
        .dst = (uintptr_t)pages,
        .length = BYTES,
        .operand = STALE,
    }, is_done_or_gone);

    stay_on_this_processor(true);
    for (int i = 0; i < 100; i++) {
        uint8_t *others = pages_get(4 * BYTES);

        pump_pass(pump, 1);
        for (size_t j = 0; j < BYTES / PAGE; j++) {
            frames[j] = frame_of(pages + j * PAGE);
        }
        MUST_EQ(first_other(pages, BYTES, STALE), BYTES);
        pages_put(pages, BYTES);
        count += reused(frames, others, pump);
        pages_put(others, 4 * BYTES);
        MUST(mmap(pages, BYTES, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == pages);
    }
    stay_on_this_processor(false);
    tap_note("%u pages were used again", count);
    MUST(count >= 100);
    pump_stop(pump);
    pages_put(pages, BYTES);
    queue_close(queue);
    device_must_be_quiet();
}

/* --- Other changes --- */

TEST(a_right_that_was_taken_away_is_gone_for_the_device_too)
{
    Queue *queue = queue_open(ATS_PRI, 0);
    uint8_t *pages = pages_get(BYTES);

    for (int i = 0; i < 20; i++) {
        must_be_done(queue_fill(queue, pages, OLD, BYTES));
        MUST_EQ(mprotect(pages + PAGE, PAGE, PROT_READ), 0);
        must_be_refused(queue_fill(queue, pages, NEW, BYTES),
                        SVA_EP_ERR_PAGE_INVALID, pages + PAGE);
        MUST_EQ(first_other(pages, PAGE, NEW), PAGE);
        MUST_EQ(first_other(pages + PAGE, BYTES - PAGE, OLD), BYTES - PAGE);
        MUST_EQ(mprotect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE), 0);
    }
    pages_put(pages, BYTES);
    queue_close(queue);
    device_must_be_quiet();
}

TEST(pages_that_were_given_back_are_read_as_zeroes)
{
    Queue *queue = queue_open(ATS_PRI, 0);
    uint8_t *pages = pages_get(BYTES);
    uint8_t *copy = pages_get(BYTES);

    for (int i = 0; i < 20; i++) {
        must_be_done(queue_fill(queue, pages, NEW, BYTES));
        MUST_EQ(madvise(pages, BYTES, MADV_DONTNEED), 0);
        must_be_done(queue_copy(queue, copy, pages, BYTES));
        MUST_EQ(first_other(copy, BYTES, 0), BYTES);
    }
    pages_put(pages, BYTES);
    pages_put(copy, BYTES);
    queue_close(queue);
    device_must_be_quiet();
}

TEST(memory_that_moves_takes_its_contents_along)
{
    Queue *queue = queue_open(ATS_PRI, 0);
    uint8_t *here = pages_get(BYTES);
    uint8_t *there = pages_get(BYTES);

    must_be_done(queue_fill(queue, here, OLD, BYTES));
    for (int i = 0; i < 20; i++) {
        uint8_t *from = i % 2 ? there : here;
        uint8_t *to = i % 2 ? here : there;

        MUST(mremap(from, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, to) ==
             to);
        must_be_refused(queue_fill(queue, from, NEW, 8),
                        SVA_EP_ERR_PAGE_INVALID, from);
        MUST_EQ(first_other(to, BYTES, OLD + i), BYTES);
        must_be_done(queue_fill(queue, to, OLD + i + 1, BYTES));
    }
    pages_put(here, BYTES);
    queue_close(queue);
    device_must_be_quiet();
}

static bool is_huge(const uint8_t *at)
{
    uint64_t first = frame_of(at);

    for (size_t i = 0; i < HUGE_PAGE; i += PAGE) {
        if (frame_of(at + i) != first + i / PAGE) {
            return false;
        }
    }
    return first % (HUGE_PAGE / PAGE) == 0;
}

static uint64_t right_sum;

static bool has_right_sum(const Command *command, const Result *result)
{
    return result->status == SVA_EP_STATUS_DONE && result->result == right_sum;
}

/* Each collapse copies the pages to others, each end of it maps them singly. */
TEST(huge_pages_come_and_go_while_the_device_reads)
{
    Queue *queue = queue_open(ATS_PRI, 0);
    uint8_t *huge = huge_get(HUGE_PAGE);
    Pump *pump;

    MUST_EQ(madvise(huge, HUGE_PAGE, MADV_NOHUGEPAGE), 0);
    fill_random(huge, HUGE_PAGE, 9);
    right_sum = queue_sum(queue, huge + 3 * PAGE, 64 * PAGE).result;
    pump = pump_start(queue, &(Command){
        .opcode = SVA_EP_OP_CHECKSUM,
        .src = (uintptr_t)huge + 3 * PAGE,
        .length = 64 * PAGE,
    }, has_right_sum);
    for (int i = 0; i < 10; i++) {
        MUST_EQ(madvise(huge, HUGE_PAGE, MADV_HUGEPAGE), 0);
        MUST_EQ(madvise(huge, HUGE_PAGE, MADV_COLLAPSE), 0);
        MUST(is_huge(huge));
        pump_pass(pump, 1);
        /* A hole splits it: the rest is copied by hand into single pages. */
        MUST_EQ(madvise(huge, PAGE, MADV_DONTNEED), 0);
        fill_random(huge, PAGE, i);
        pump_pass(pump, 1);
    }
    pump_stop(pump);
    pages_put(huge, HUGE_PAGE);
    queue_close(queue);
    device_must_be_quiet();
}

TEST(huge_pages_come_and_go_while_the_device_writes)
{
    Queue *queue = queue_open(ATS_PRI, 0);
    uint8_t *huge = huge_get(HUGE_PAGE);
    Pump *pump;

    MUST_EQ(madvise(huge, HUGE_PAGE, MADV_NOHUGEPAGE), 0);
    fill_words(huge, HUGE_PAGE, OLD);
    pump = pump_start(queue, &(Command){
        .opcode = SVA_EP_OP_FILL,
        .dst = (uintptr_t)huge + PAGE,
        .length = 64 * PAGE,
        .operand = NEW,
    }, is_done);
    for (int i = 0; i < 10; i++) {
        fill_words(huge + PAGE, 64 * PAGE, OLD);
        MUST_EQ(madvise(huge, HUGE_PAGE, MADV_HUGEPAGE), 0);
        MUST_EQ(madvise(huge, HUGE_PAGE, MADV_COLLAPSE), 0);
        pump_pass(pump, 1);
        MUST_EQ(first_other(huge + PAGE, 64 * PAGE, NEW), 64 * PAGE);
        MUST_EQ(first_other(huge + 65 * PAGE, HUGE_PAGE - 65 * PAGE, OLD),
                HUGE_PAGE - 65 * PAGE);
        MUST_EQ(madvise(huge, PAGE, MADV_DONTNEED), 0);
        pump_pass(pump, 1);
        MUST_EQ(first_other(huge + PAGE, 64 * PAGE, NEW), 64 * PAGE);
    }
    pump_stop(pump);
    pages_put(huge, HUGE_PAGE);
    queue_close(queue);
    device_must_be_quiet();
}
