/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's end in the middle of DMA: by a reset, by the driver, and by
 * answers that never come, after which a reset sets the counters right.
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include "worker.h"

#define ATS_PRI (SVA_EP_BIND_ATS | SVA_EP_BIND_PRI)

/* With the answers held back the kill comes while each waits for a page. */
TEST(processes_are_killed_while_they_wait_for_pages)
{
    Worker *workers = shared_memory(WORKERS * sizeof(*workers));
    pid_t children[WORKERS];

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < WORKERS; i++) {
            children[i] = worker_start(&workers[i], 1000);
        }
        for (unsigned i = 0; i < WORKERS; i++) {
            MUST_COME(workers[i].done > round);
            announce_end(workers[i].pasid);
        }
        device_debug(SVA_EP_DEBUG_HOLD_RESPONSES);
        for (unsigned i = 0; i < WORKERS; i++) {
            MUST_COME(device_read(SVA_EP_QUEUE_REG(workers[i].queue,
                                                   SVA_EP_QSTATE)) ==
                      SVA_EP_QSTATE_PAGE_WAIT);
        }
        for (unsigned i = 0; i < WORKERS; i++) {
            kill(children[i], SIGKILL);
        }
        for (unsigned i = 0; i < WORKERS; i++) {
            child_kill(children[i]);
        }
        device_debug(0);
    }
    pages_put(workers, WORKERS * sizeof(*workers));
    /* The answers that were held back are missing in the counters. */
    write_file(device_file("reset"), "1");
    nothing_must_be_left();
}

TEST(a_command_fails_when_its_page_request_is_not_answered)
{
    Queue *queue = queue_open(ATS_PRI, 200);
    uint8_t *pages = pages_get(PAGE);

    device_debug(SVA_EP_DEBUG_HOLD_RESPONSES);
    must_be_refused(queue_fill(queue, pages, 1, PAGE),
                    SVA_EP_ERR_PAGE_TIMEOUT, pages);
    device_debug(0);
    must_be_done(queue_fill(queue, pages, 1, PAGE));
    MUST_EQ(first_other(pages, PAGE, 1), PAGE);
    pages_put(pages, PAGE);
    queue_close(queue);
    write_file(device_file("reset"), "1");
    nothing_must_be_left();
}

static void take_away_in_the_middle(void (*take_away)(void))
{
    Worker *workers = shared_memory(WORKERS * sizeof(*workers));
    pid_t children[WORKERS];

    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < WORKERS; i++) {
            children[i] = worker_start(&workers[i], 0);
        }
        for (unsigned i = 0; i < WORKERS; i++) {
            MUST_COME(workers[i].done > 3 * i);
        }
        take_away();
        for (unsigned i = 0; i < WORKERS; i++) {
            child_join(children[i]);
            MUST_EQ(workers[i].lost, 1);
        }
        nothing_must_be_left();
    }
    pages_put(workers, WORKERS * sizeof(*workers));
}

static void reset(void)
{
    write_file(device_file("reset"), "1");
}

TEST(the_device_is_reset_in_the_middle)
{
    take_away_in_the_middle(reset);
}

static void unbind_and_bind(void)
{
    write_file(device_file("driver/unbind"), device_address());
    MUST_EQ(queue_open_file(), -1);
    MUST_EQ(errno, ENOENT);
    write_file("/sys/bus/pci/drivers/sva-endpoint/bind", device_address());
}

TEST(the_driver_is_unbound_and_bound_again_in_the_middle)
{
    take_away_in_the_middle(unbind_and_bind);
}

TEST(all_at_the_end_is_as_at_the_beginning)
{
    nothing_must_be_left();
}
