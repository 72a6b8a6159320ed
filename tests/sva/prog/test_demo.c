/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What make demo shows: pointers to memory that no process has touched, and
 * memory that is taken back.  The counts are for its report.
 */
#include "support.h"

#include <string.h>
#include <sys/mman.h>

#define ATS_PRI (SVA_EP_BIND_ATS | SVA_EP_BIND_PRI)

#define PROCESSES 4
/* The same in all processes. */
#define POINTER ((uint8_t *)0x200000000000)
#define BYTES (32 * PAGE)

typedef struct Shared {
    volatile uint32_t ready;
    volatile uint32_t go;
    volatile uint64_t verified; /* bytes, in all processes */
} Shared;

typedef struct Process {
    Shared *shared;
    unsigned number;
} Process;

static void hand_over_a_pointer(void *opaque)
{
    Process *process = opaque;
    Shared *shared = process->shared;
    Queue *queue = queue_open(ATS_PRI, 0);
    uint64_t word = 0x1111111111111111 * (process->number + 1);

    MUST(mmap(POINTER, 2 * BYTES, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
         POINTER);
    for (size_t at = 0; at < 2 * BYTES; at += PAGE) {
        MUST_EQ(frame_of(POINTER + at), 0);
    }
    __atomic_add_fetch(&shared->ready, 1, __ATOMIC_SEQ_CST);
    MUST_COME(shared->go);
    must_be_done(queue_fill(queue, POINTER, word, BYTES));
    must_be_done(queue_copy(queue, POINTER + BYTES, POINTER, BYTES));
    MUST_EQ(first_other(POINTER, 2 * BYTES, word), 2 * BYTES);
    __atomic_add_fetch(&shared->verified, 2 * BYTES, __ATOMIC_SEQ_CST);
    queue_close(queue);
}

TEST(processes_hand_the_device_one_pointer_to_memory_that_none_has_touched)
{
    Shared *shared = shared_memory(sizeof(*shared));
    pid_t children[PROCESSES];

    for (unsigned i = 0; i < PROCESSES; i++) {
        children[i] = child_start(hand_over_a_pointer,
                                  &(Process){ shared, i });
    }
    MUST_COME(shared->ready == PROCESSES);
    MUST_EQ(attached(), PROCESSES);
    tap_note("processes: %u", PROCESSES);
    shared->go = 1;
    for (unsigned i = 0; i < PROCESSES; i++) {
        child_join(children[i]);
    }
    tap_note("bytes-verified: %" PRIu64, shared->verified);
    MUST(device_read64(SVA_EP_COUNT_PAGE_REQUESTS) >=
         shared->verified / PAGE);
    pages_put(shared, sizeof(*shared));
}

TEST(memory_that_a_process_unmaps_is_out_of_reach_of_the_device)
{
    Queue *queue = queue_open(ATS_PRI, 0);
    uint8_t *pages = pages_get(BYTES);

    must_be_done(queue_fill(queue, pages, 1, BYTES));
    for (size_t at = 0; at < BYTES; at += PAGE) {
        pages_put(pages + at, PAGE);
        must_be_refused(queue_fill(queue, pages + at, 2, PAGE),
                        SVA_EP_ERR_PAGE_INVALID, pages + at);
    }
    queue_close(queue);
    tap_note("pages-unmapped: %zu", BYTES / PAGE);
}

TEST(each_page_request_of_the_device_was_answered)
{
    device_must_be_quiet();
    tap_note("device-translations: %" PRIu64,
             device_read64(SVA_EP_COUNT_ATS_REQUESTS));
    tap_note("device-page-requests: %" PRIu64,
             device_read64(SVA_EP_COUNT_PAGE_REQUESTS));
    tap_note("device-page-responses: %" PRIu64,
             device_read64(SVA_EP_COUNT_PAGE_RESPONSES));
}
