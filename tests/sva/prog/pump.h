/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DMA that goes on by itself: a thread gives a queue one command again and
 * again, a few of them ahead.
 */
#ifndef SVA_PUMP_H
#define SVA_PUMP_H

#include <pthread.h>
#include <stdbool.h>

#include "queue.h"

typedef struct Pump {
    Queue *queue;
    Command command;
    /* Each command's outcome, in the pump's thread; false: it is wrong. */
    bool (*judge)(const Command *command, const Result *result);

    pthread_t thread;
    volatile bool stop;
    volatile uint32_t ended; /* commands so far, also seen by children */
    volatile uint32_t wrong;
    Result first_wrong;
} Pump;

/* In memory that children share; the queue is the pump's until it stops. */
Pump *pump_start(Queue *queue, const Command *command,
                 bool (*judge)(const Command *command, const Result *result));
/* Until @count more commands have ended that were not yet begun. */
void pump_pass(const Pump *pump, unsigned count);
/* Ends it, and requires that nothing was wrong. */
void pump_stop(Pump *pump);
/* For a test that has failed: whatever runs is ended, wherever it is. */
void pump_abandon(void);

#endif
