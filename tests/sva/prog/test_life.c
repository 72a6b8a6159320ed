/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that end in the middle of DMA, and what they may not do. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker.h"

#define ATS_PRI (SVA_EP_BIND_ATS | SVA_EP_BIND_PRI)

TEST(processes_are_killed_in_the_middle)
{
    Worker *workers = shared_memory(WORKERS * sizeof(*workers));
    pid_t children[WORKERS];

    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < WORKERS; i++) {
            children[i] = worker_start(&workers[i], 0);
        }
        for (unsigned i = 0; i < WORKERS; i++) {
            MUST_COME(workers[i].done > round * i);
            announce_end(workers[i].pasid);
            child_kill(children[i]);
        }
    }
    pages_put(workers, WORKERS * sizeof(*workers));
    nothing_must_be_left();
}

/* A child inherits the file, but neither the page nor its parent's rights. */
static void misuse(void *opaque)
{
    Queue *queue = opaque;
    struct sva_ep_bind bind = { .flags = 0 };

    MUST_EQ(msync((void *)queue->page, PAGE, MS_ASYNC), -1);
    MUST_EQ(errno, ENOMEM);
    MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, queue->fd, 0) ==
         MAP_FAILED);
    MUST_EQ(errno, EPERM);
    MUST_EQ(queue_try_bind(queue->fd, &bind), EBUSY);
}

TEST(a_child_cannot_use_the_queue_of_its_parent)
{
    Queue *queue = queue_open(ATS_PRI, 0);

    child_join(child_start(misuse, queue));
    queue_close(queue);
}

TEST(the_driver_refuses_what_makes_no_sense)
{
    struct sva_ep_bind unknown = { .flags = 4 };
    struct sva_ep_bind pages_alone = { .flags = SVA_EP_BIND_PRI };
    struct sva_ep_bind long_wait = {
        .timeout_ms = SVA_EP_BIND_TIMEOUT_MAX + 1
    };
    int fd = queue_open_file();

    MUST(fd >= 0);
    MUST_EQ(queue_try_bind(fd, &unknown), EINVAL);
    MUST_EQ(queue_try_bind(fd, &pages_alone), EINVAL);
    MUST_EQ(queue_try_bind(fd, &long_wait), EINVAL);
    MUST(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
    MUST_EQ(errno, EPERM);
    close(fd);
}

TEST(all_at_the_end_is_as_at_the_beginning)
{
    nothing_must_be_left();
}
