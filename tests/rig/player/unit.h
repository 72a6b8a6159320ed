/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's driver of its VT-d unit: registers and invalidation queue.
 *
 * Descriptors are put into the queue by the functions that are named after
 * them; unit_wait() adds a wait descriptor, tells the unit, and returns when
 * the status was written.  A queue that stops fails the test.
 */
#ifndef RIG_UNIT_H
#define RIG_UNIT_H

#include "vm.h"

#define UNIT_QUEUE_PAGES 4
#define UNIT_QUEUE_SLOTS (UNIT_QUEUE_PAGES * 4096 / 32)

/* A wait descriptor that writes a status, to be put into a queue as it is. */
#define UNIT_WAIT_DESCRIPTOR 0x25ull

#define UNIT_REG_GSTS 0x1c
#define UNIT_REG_FSTS 0x34
#define   UNIT_FSTS_QUEUE_ERRORS 0x70u
#define UNIT_REG_FRCD_HIGH 0x228 /* of the first record */

typedef struct Unit {
    Vm *vm;
    uint64_t queue;  /* UNIT_QUEUE_PAGES pages */
    uint64_t status; /* where wait descriptors report */
    unsigned tail;
    unsigned pending; /* descriptors that the unit was not told of */
    uint32_t waits;
} Unit;

/*
 * Scalable mode with the root table at @root, an empty queue at @queue that
 * runs, translation off.
 */
void unit_start(Unit *unit, uint64_t root);

/* Another root table. */
void unit_set_root(Unit *unit, uint64_t root);

void unit_translate(Unit *unit, bool on);

uint32_t unit_read32(Unit *unit, unsigned reg);
uint64_t unit_read64(Unit *unit, unsigned reg);

void unit_context_global(Unit *unit);
void unit_pasid_cache_global(Unit *unit);
void unit_pasid_cache_domain(Unit *unit, uint16_t did);
void unit_pasid_cache(Unit *unit, uint16_t did, uint32_t pasid);
void unit_iotlb_global(Unit *unit);
void unit_iotlb_domain(Unit *unit, uint16_t did);
void unit_iotlb_pages(Unit *unit, uint16_t did, uint64_t addr,
                      unsigned order);
void unit_pasid_iotlb(Unit *unit, uint16_t did, uint32_t pasid);
/* 2^order pages at @addr; @leaf_only: no table above was changed. */
void unit_pasid_iotlb_pages(Unit *unit, uint16_t did, uint32_t pasid,
                            uint64_t addr, unsigned order, bool leaf_only);

/* Any descriptor. */
void unit_descriptor(Unit *unit, uint64_t low, uint64_t high);

void unit_wait(Unit *unit);

/* As unit_wait(), for a queue that is expected to stop: FSTS is returned,
 * and the queue is emptied and runs again. */
uint32_t unit_wait_for_error(Unit *unit);

/* Run a queue whose first descriptor lies at @place; FSTS is returned, and
 * the queue runs again where it was. */
uint32_t unit_run_queue_at(Unit *unit, uint64_t place);

#endif
