/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue of the sva-endpoint, bound to this process.
 *
 *     Queue *queue = queue_open(SVA_EP_BIND_ATS | SVA_EP_BIND_PRI, 0);
 *     Result r = queue_run(queue, &(Command){
 *         .opcode = SVA_EP_OP_COPY,
 *         .src = (uintptr_t)from, .dst = (uintptr_t)to, .length = bytes });
 *     queue_close(queue);
 *
 * What goes wrong beside the commands themselves fails the test (support.h).
 */
#ifndef SVA_QUEUE_H
#define SVA_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/misc/sva_endpoint_regs.h"
#include "../driver/sva_endpoint_ioctl.h"

#define QUEUE_ENTRIES 64

typedef struct sva_ep_cmd Command;
typedef struct sva_ep_completion Result;

typedef struct Queue {
    int fd;
    volatile uint8_t *page;
    /* Both not inherited by children: a fork leaves them writable. */
    Command *ring;
    volatile Result *results;
    uint32_t next;      /* number of the next command, from 0 on */
    unsigned pasid;
    unsigned index;
    struct Queue *link; /* of the queues that are open */
} Queue;

/* The flags are SVA_EP_BIND_*; timeout_ms 0 is the longest. */
Queue *queue_open(unsigned flags, unsigned timeout_ms);
void queue_close(Queue *queue);
/* All that are open. */
void queue_close_all(void);

/* A file of the device that is not bound; -1 and errno. */
int queue_open_file(void);
/* Binds @fd; 0, or errno. */
int queue_try_bind(int fd, struct sva_ep_bind *bind);

/* Gives the command to the device and returns its number.  At most
 * QUEUE_ENTRIES - 1 may be under way. */
uint32_t queue_submit(Queue *queue, const Command *command);
bool queue_ended(const Queue *queue, uint32_t number);
/* Waits until the command has ended. */
Result queue_wait(Queue *queue, uint32_t number);
Result queue_run(Queue *queue, const Command *command);
uint32_t queue_state(const Queue *queue);

/* One operation each. */
Result queue_copy(Queue *queue, void *to, const void *from, size_t bytes);
Result queue_fill(Queue *queue, void *to, uint64_t word, size_t bytes);
Result queue_sum(Queue *queue, const void *from, size_t bytes);
Result queue_compare(Queue *queue, const void *a, const void *b, size_t bytes);
Result queue_swap(Queue *queue, void *at, uint64_t word);

#endif
