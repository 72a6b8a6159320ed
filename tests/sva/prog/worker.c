/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define ATS_PRI (SVA_EP_BIND_ATS | SVA_EP_BIND_PRI)

/* Enough to be under way for as long as a test needs. */
#define WORK ((size_t)16 << 20)

static sigjmp_buf out;

static void leave(int signal)
{
    siglongjmp(out, 1);
}

/* After the loss of the queue, all that is left is to close the file. */
static void see_the_loss(Worker *worker, Queue *queue)
{
    struct pollfd poll_of = { queue->fd, POLLIN, 0 };
    struct sva_ep_bind bind = { .flags = 0 };
    uint64_t count;

    MUST_EQ(poll(&poll_of, 1, 60000), 1);
    MUST_EQ(poll_of.revents & (POLLHUP | POLLERR), POLLHUP | POLLERR);
    MUST_EQ(read(queue->fd, &count, sizeof(count)), -1);
    MUST_EQ(errno, ENODEV);
    MUST_EQ(queue_try_bind(queue->fd, &bind), ENODEV);
    worker->lost = 1;
}

/* Writes to untouched memory for ever, with a page request for each page. */
static void work(void *opaque)
{
    Worker *worker = opaque;
    Queue *queue = queue_open(ATS_PRI, worker->timeout_ms);

    signal(SIGBUS, leave);
    if (sigsetjmp(out, 1)) {
        see_the_loss(worker, queue);
        queue_close(queue);
        return;
    }
    worker->queue = queue->index;
    worker->pasid = queue->pasid;
    for (;;) {
        uint8_t *pages = pages_get(WORK);

        for (size_t at = 0; at < WORK; at += 16 * PAGE) {
            Result result;

            do {
                result = queue_fill(queue, pages + at, at, 16 * PAGE);
            } while (result.error == SVA_EP_ERR_PAGE_TIMEOUT);
            if (result.error == SVA_EP_ERR_STOPPED) {
                /* Then the page is gone already. */
                queue_state(queue);
            }
            must_be_done(result);
            MUST_EQ(first_other(pages + at, 16 * PAGE, at), 16 * PAGE);
            worker->done++;
        }
        pages_put(pages, WORK);
    }
}

pid_t worker_start(Worker *worker, unsigned timeout_ms)
{
    memset(worker, 0, sizeof(*worker));
    worker->timeout_ms = timeout_ms;
    return child_start(work, worker);
}

/* A process that has no PASID yet gets the lowest that is free. */
static void lowest_pasid(void *opaque)
{
    Queue *queue = queue_open(ATS_PRI, 0);
    uint8_t *pages = pages_get(PAGE);

    *(volatile uint32_t *)opaque = queue->pasid;
    must_be_done(queue_fill(queue, pages, 3, PAGE));
    MUST_EQ(first_other(pages, PAGE, 3), PAGE);
    queue_close(queue);
}

/* This process has one PASID, from its first binding until it ends, and no
 * other process is there. */
void nothing_must_be_left(void)
{
    volatile uint32_t *pasid = shared_memory(PAGE);
    Queue *queue = queue_open(0, 0);
    uint32_t expected = queue->pasid == 1 ? 2 : 1;

    queue_close(queue);
    device_must_be_quiet();
    MUST_COME((child_join(child_start(lowest_pasid, (void *)pasid)),
               *pasid == expected));
    pages_put((void *)pasid, PAGE);
    device_must_be_quiet();
}
