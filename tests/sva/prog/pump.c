/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pump.h"

#include <sched.h>
#include <sys/mman.h>

#include "support.h"

#define AHEAD 8

static Pump *running;

static void judge(Pump *pump, uint32_t number)
{
    Result result;

    while (!queue_ended(pump->queue, number)) {
        if (queue_state(pump->queue) == SVA_EP_QSTATE_FAILED) {
            pump->wrong++;
            pump->stop = true;
            return;
        }
        sched_yield();
    }
    result = pump->queue->results[number % QUEUE_ENTRIES];
    if (!pump->judge(&pump->command, &result) && pump->wrong++ == 0) {
        pump->first_wrong = result;
    }
    pump->ended++;
}

static void *run(void *opaque)
{
    Pump *pump = opaque;
    uint32_t first = pump->queue->next;

    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    while (!pump->stop) {
        queue_submit(pump->queue, &pump->command);
        if (pump->queue->next - first == AHEAD) {
            judge(pump, first++);
        }
    }
    while (first != pump->queue->next) {
        judge(pump, first++);
    }
    return NULL;
}

Pump *pump_start(Queue *queue, const Command *command,
                 bool (*judge)(const Command *command, const Result *result))
{
    Pump *pump = shared_memory(sizeof(*pump));

    pump->queue = queue;
    pump->command = *command;
    pump->judge = judge;
    MUST_EQ(pthread_create(&pump->thread, NULL, run, pump), 0);
    running = pump;
    pump_pass(pump, 1);
    return pump;
}

void pump_pass(const Pump *pump, unsigned count)
{
    uint32_t start = pump->ended;

    MUST_COME(pump->ended - start >= AHEAD + count || pump->stop);
}

void pump_stop(Pump *pump)
{
    pump->stop = true;
    pthread_join(pump->thread, NULL);
    running = NULL;
    if (pump->wrong) {
        FAIL("%u commands of %u have ended otherwise than they must; the "
             "first: status %u, error %u at 0x%" PRIx64 ", result 0x%" PRIx64,
             pump->wrong, pump->ended, pump->first_wrong.status,
             pump->first_wrong.error, pump->first_wrong.fault_addr,
             pump->first_wrong.result);
    }
    pages_put(pump, sizeof(*pump));
}

void pump_abandon(void)
{
    if (running) {
        pthread_cancel(running->thread);
        pthread_join(running->thread, NULL);
        running = NULL;
    }
}
