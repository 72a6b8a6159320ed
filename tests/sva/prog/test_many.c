/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Many processes, many page requests, many queues; interrupts. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ATS SVA_EP_BIND_ATS
#define ATS_PRI (SVA_EP_BIND_ATS | SVA_EP_BIND_PRI)

#define PROCESSES SVA_EP_QUEUE_COUNT
#define ROUNDS 10
/* The same in all processes: only the PASID tells whose it is. */
#define COMMON ((uint8_t *)0x100000000000)
#define COMMON_BYTES (8 * PAGE)

typedef struct Crowd {
    volatile uint32_t ready;
    volatile uint32_t go;
    volatile uint32_t pasid[PROCESSES];
} Crowd;

typedef struct Member {
    Crowd *crowd;
    unsigned number;
} Member;

static void one_of_many(void *opaque)
{
    Member *member = opaque;
    Crowd *crowd = member->crowd;
    Queue *queue = queue_open(ATS_PRI, 0);
    uint64_t word = 0x1001001001001001 * (member->number + 1);
    uint8_t *source = COMMON;
    uint8_t *target = COMMON + COMMON_BYTES;

    crowd->pasid[member->number] = queue->pasid;
    __atomic_add_fetch(&crowd->ready, 1, __ATOMIC_SEQ_CST);
    MUST_COME(crowd->go);
    for (int i = 0; i < ROUNDS; i++) {
        MUST(mmap(COMMON, 2 * COMMON_BYTES, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
             COMMON);
        fill_words(source, COMMON_BYTES, word + i);
        must_be_done(queue_copy(queue, target + 100, source + 100,
                                COMMON_BYTES - 200));
        MUST_EQ(first_other(target, 100, 0), 100);
        MUST(memcmp(target + 100, source + 100, COMMON_BYTES - 200) == 0);
        must_be_done(queue_fill(queue, source, ~word, COMMON_BYTES));
        MUST_EQ(first_other(source, COMMON_BYTES, ~word), COMMON_BYTES);
        pages_put(COMMON, 2 * COMMON_BYTES);
    }
    queue_close(queue);
}

TEST(all_queues_work_for_a_process_each_at_once)
{
    Crowd *crowd = shared_memory(sizeof(*crowd));
    pid_t children[PROCESSES];

    for (unsigned i = 0; i < PROCESSES; i++) {
        children[i] = child_start(one_of_many, &(Member){ crowd, i });
    }
    MUST_COME(crowd->ready == PROCESSES);
    for (unsigned i = 0; i < PROCESSES; i++) {
        for (unsigned j = 0; j < i; j++) {
            MUST(crowd->pasid[i] != crowd->pasid[j]);
        }
    }
    MUST_EQ(attached(), PROCESSES);
    MUST_EQ(queue_open_file(), -1);
    MUST_EQ(errno, EBUSY);
    crowd->go = 1;
    for (unsigned i = 0; i < PROCESSES; i++) {
        child_join(children[i]);
    }
    MUST_EQ(attached(), 0);
    pages_put(crowd, sizeof(*crowd));
    device_must_be_quiet();
}

TEST(ten_thousand_page_requests_are_answered)
{
    const size_t pages = 10000;
    Queue *queue = queue_open(ATS_PRI, 0);
    uint64_t before = device_read64(SVA_EP_COUNT_PAGE_REQUESTS);
    uint8_t *at = pages_get(pages * PAGE);
    double start = seconds();

    for (size_t done = 0; done < pages * PAGE;) {
        size_t part = pages * PAGE - done;

        part = part < SVA_EP_LENGTH_LIMIT ? part : SVA_EP_LENGTH_LIMIT;
        must_be_done(queue_fill(queue, at + done, 0xfeed0000 + done, part));
        MUST_EQ(first_other(at + done, part, 0xfeed0000 + done), part);
        done += part;
    }
    tap_note("%.1f seconds", seconds() - start);
    MUST(device_read64(SVA_EP_COUNT_PAGE_REQUESTS) - before >= pages);
    MUST_EQ(device_read64(SVA_EP_QUEUE_REG(queue->index, SVA_EP_QPAGES)),
            device_read64(SVA_EP_COUNT_PAGE_REQUESTS) - before);
    pages_put(at, pages * PAGE);
    queue_close(queue);
    device_must_be_quiet();
}

TEST(queues_of_one_process_share_its_address_space)
{
    Queue *queues[] = { queue_open(0, 0), queue_open(ATS, 0),
                        queue_open(ATS_PRI, 0) };
    uint8_t *pages = pages_get(PAGE);

    for (size_t i = 0; i < 3; i++) {
        MUST_EQ(queues[i]->pasid, queues[0]->pasid);
        pages[0] = 1;
        must_be_done(queue_fill(queues[i], pages, 77 + i, PAGE));
        MUST_EQ(first_other(pages, PAGE, 77 + i), PAGE);
    }
    /* The end of one leaves the others bound. */
    queue_close(queues[0]);
    must_be_done(queue_fill(queues[2], pages, 99, PAGE));
    MUST_EQ(first_other(pages, PAGE, 99), PAGE);
    queue_close(queues[1]);
    queue_close(queues[2]);
    pages_put(pages, PAGE);
    device_must_be_quiet();
}

/* --- Interrupts --- */

static uint64_t take_interrupts(const Queue *queue)
{
    uint64_t count = 0;

    MUST_EQ(read(queue->fd, &count, sizeof(count)), sizeof(count));
    return count;
}

static uint32_t with_interrupt(Queue *queue, void *at, uint64_t word)
{
    return queue_submit(queue, &(Command){
        .opcode = SVA_EP_OP_FILL,
        .flags = SVA_EP_FLAG_IRQ,
        .dst = (uintptr_t)at,
        .length = PAGE,
        .operand = word,
    });
}

TEST(an_interrupt_comes_to_the_queue_that_asked_for_it)
{
    Queue *queue = queue_open(ATS_PRI, 0);
    Queue *other = queue_open(ATS_PRI, 0);
    uint8_t *pages = pages_get(PAGE);
    struct pollfd polls[] = { { queue->fd, POLLIN, 0 },
                              { other->fd, POLLIN, 0 } };

    MUST_EQ(poll(polls, 2, 0), 0);
    for (int i = 0; i < 50; i++) {
        uint32_t number = with_interrupt(queue, pages, i);

        MUST_EQ(poll(polls, 2, 60000), 1);
        MUST_EQ(polls[0].revents, POLLIN);
        /* The completion comes before its interrupt. */
        MUST(queue_ended(queue, number));
        MUST_EQ(first_other(pages, PAGE, i), PAGE);
        MUST_EQ(take_interrupts(queue), 1);
    }
    MUST_EQ(fcntl(queue->fd, F_SETFL, O_NONBLOCK), 0);
    MUST_EQ(read(queue->fd, polls, 8), -1);
    MUST_EQ(errno, EAGAIN);
    pages_put(pages, PAGE);
    queue_close(queue);
    queue_close(other);
}

TEST(a_read_waits_for_the_interrupt_of_a_command_that_fails_too)
{
    Queue *queue = queue_open(ATS_PRI, 0);
    uint8_t *gone = pages_get(PAGE);
    uint32_t number;

    pages_put(gone, PAGE);
    number = with_interrupt(queue, gone, 0);
    MUST_EQ(take_interrupts(queue), 1);
    must_be_refused(queue_wait(queue, number), SVA_EP_ERR_PAGE_INVALID, gone);
    queue_close(queue);
    device_must_be_quiet();
}
