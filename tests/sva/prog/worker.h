/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes with DMA under way, to be ended in the middle of it. */
#ifndef SVA_WORKER_H
#define SVA_WORKER_H

#include "support.h"

#define WORKERS 4

/* In memory shared with the process. */
typedef struct Worker {
    volatile uint32_t done;   /* commands */
    volatile uint32_t lost;   /* the queue was taken away */
    volatile uint32_t queue;
    volatile uint32_t pasid;
    unsigned timeout_ms;
} Worker;

/* Has the device write to untouched memory for ever, with a page request for
 * each page; ends well when it has lost its queue.  Tries again what has not
 * been answered in time. */
pid_t worker_start(Worker *worker, unsigned timeout_ms);

/*
 * No queue is in use, no page request is unanswered, and no process has a
 * PASID but this one.  A PASID is free when the last reference to its process's
 * memory is gone, which can be a little after the process.
 */
void nothing_must_be_left(void);

#endif
