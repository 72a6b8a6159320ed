/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "queue.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support.h"

static Queue *open_queues;

static volatile uint32_t *reg32(const Queue *queue, size_t offset)
{
    return (volatile uint32_t *)(queue->page + offset);
}

static volatile uint64_t *reg64(const Queue *queue, size_t offset)
{
    return (volatile uint64_t *)(queue->page + offset);
}

int queue_open_file(void)
{
    glob_t found;
    int fd = -1;

    if (glob("/dev/sva-endpoint*", 0, NULL, &found) == 0) {
        fd = open(found.gl_pathv[0], O_RDWR | O_CLOEXEC);
        globfree(&found);
    } else {
        errno = ENOENT;
    }
    return fd;
}

int queue_try_bind(int fd, struct sva_ep_bind *bind)
{
    return ioctl(fd, SVA_EP_IOC_BIND, bind) ? errno : 0;
}

/* Present from the start, and not shared with a child after a fork. */
static void *own_pages(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    MUST(at != MAP_FAILED);
    MUST_EQ(madvise(at, bytes, MADV_DONTFORK), 0);
    return at;
}

Queue *queue_open(unsigned flags, unsigned timeout_ms)
{
    struct sva_ep_bind bind = { .flags = flags, .timeout_ms = timeout_ms };
    Queue *queue = calloc(1, sizeof(*queue));

    queue->fd = queue_open_file();
    if (queue->fd < 0) {
        FAIL("no queue: %s", strerror(errno));
    }
    queue->link = open_queues;
    open_queues = queue;
    MUST_EQ(queue_try_bind(queue->fd, &bind), 0);
    queue->pasid = bind.pasid;
    queue->index = bind.queue;
    queue->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
                       queue->fd, 0);
    MUST(queue->page != MAP_FAILED);
    queue->ring = own_pages(QUEUE_ENTRIES * sizeof(*queue->ring));
    queue->results = own_pages(QUEUE_ENTRIES * sizeof(*queue->results));
    *reg64(queue, SVA_EP_UQ_BASE) = (uintptr_t)queue->ring;
    *reg32(queue, SVA_EP_UQ_SIZE) = QUEUE_ENTRIES;
    MUST_EQ(*reg32(queue, SVA_EP_UQ_SIZE), QUEUE_ENTRIES);
    MUST_EQ(queue_state(queue), SVA_EP_QSTATE_IDLE);
    return queue;
}

static void unmap(const volatile void *at, size_t bytes)
{
    if (at && at != MAP_FAILED) {
        munmap((void *)at, bytes);
    }
}

void queue_close(Queue *queue)
{
    Queue **link = &open_queues;

    while (*link != queue) {
        link = &(*link)->link;
    }
    *link = queue->link;
    /* The last user of the file goes first: that ends the queue. */
    unmap(queue->page, PAGE);
    close(queue->fd);
    unmap(queue->ring, QUEUE_ENTRIES * sizeof(*queue->ring));
    unmap(queue->results, QUEUE_ENTRIES * sizeof(*queue->results));
    free(queue);
}

void queue_close_all(void)
{
    while (open_queues) {
        queue_close(open_queues);
    }
}

uint32_t queue_submit(Queue *queue, const Command *command)
{
    uint32_t number = queue->next++;
    unsigned entry = number % QUEUE_ENTRIES;

    queue->ring[entry] = *command;
    queue->ring[entry].completion = (uintptr_t)&queue->results[entry];
    queue->results[entry].status = SVA_EP_STATUS_BUSY;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    *reg32(queue, SVA_EP_UQ_TAIL) = queue->next % QUEUE_ENTRIES;
    return number;
}

bool queue_ended(const Queue *queue, uint32_t number)
{
    uint32_t status = queue->results[number % QUEUE_ENTRIES].status;

    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return status != SVA_EP_STATUS_BUSY;
}

/*
 * Turns that are given up before a wait becomes a sleep, and the longest one in
 * milliseconds: whoever has to bring a page for the device needs the processor,
 * too, and there may be many that wait.
 */
#define TURNS 100
#define LONGEST_PAUSE 32

Result queue_wait(Queue *queue, uint32_t number)
{
    unsigned pause = 1;
    unsigned turns = 0;

    while (!queue_ended(queue, number)) {
        if (turns++ < TURNS) {
            sched_yield();
            continue;
        }
        if (queue_state(queue) == SVA_EP_QSTATE_FAILED) {
            FAIL("the queue has failed with error %u",
                 *reg32(queue, SVA_EP_UQ_ERROR));
        }
        pause_for(pause);
        pause = pause < LONGEST_PAUSE ? 2 * pause : LONGEST_PAUSE;
    }
    return queue->results[number % QUEUE_ENTRIES];
}

Result queue_run(Queue *queue, const Command *command)
{
    return queue_wait(queue, queue_submit(queue, command));
}

uint32_t queue_state(const Queue *queue)
{
    return *reg32(queue, SVA_EP_UQ_STATE);
}

Result queue_copy(Queue *queue, void *to, const void *from, size_t bytes)
{
    return queue_run(queue, &(Command){
        .opcode = SVA_EP_OP_COPY,
        .src = (uintptr_t)from,
        .dst = (uintptr_t)to,
        .length = bytes,
    });
}

Result queue_fill(Queue *queue, void *to, uint64_t word, size_t bytes)
{
    return queue_run(queue, &(Command){
        .opcode = SVA_EP_OP_FILL,
        .dst = (uintptr_t)to,
        .length = bytes,
        .operand = word,
    });
}

Result queue_sum(Queue *queue, const void *from, size_t bytes)
{
    return queue_run(queue, &(Command){
        .opcode = SVA_EP_OP_CHECKSUM,
        .src = (uintptr_t)from,
        .length = bytes,
    });
}

Result queue_compare(Queue *queue, const void *a, const void *b, size_t bytes)
{
    return queue_run(queue, &(Command){
        .opcode = SVA_EP_OP_COMPARE,
        .src = (uintptr_t)a,
        .dst = (uintptr_t)b,
        .length = bytes,
    });
}

Result queue_swap(Queue *queue, void *at, uint64_t word)
{
    return queue_run(queue, &(Command){
        .opcode = SVA_EP_OP_SWAP,
        .dst = (uintptr_t)at,
        .length = sizeof(word),
        .operand = word,
    });
}
