/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest at work on a host that may refuse anything: the queue may stop, DMA
 * may be refused, but never does it meet what the guest's tables do not say.
 */
#ifndef TESTS_QTEST_REFERENCE_HOST_WORK_H
#define TESTS_QTEST_REFERENCE_HOST_WORK_H

#include "reference-host.h"

/* FSTS of a queue that stopped. */
#define QUEUE_STOPPED (VTD_FSTS_IQE | VTD_FSTS_ITE | VTD_FSTS_ICE)

typedef struct Work {
    Host *h;
    unsigned errors; /* that the guest saw */
    unsigned refused; /* DMA that was refused although the tables allow it */
    bool strict; /* nothing is to fail */
    bool may_stop;
    bool stopped; /* the machine: nothing is looked at after that */
} Work;

void work_queue_off(Guest *g);

/*
 * As guest_wait(), but the queue may stop.  A guest tries again what failed,
 * twice; then it starts the queue anew.
 */
void work_wait(Work *w);

/* DMA to @iova meets @page or is refused; page 0: it is refused. */
void work_expect(Work *w, uint64_t iova, uint64_t page);

/* QEMU stops a machine whose device it can no longer keep in check. */
bool host_is_stopped(Host *h);

#endif
