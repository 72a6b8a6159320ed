/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine that the tests of one program share: a guest with a VT-d unit
 * and the passed-through endpoint.  It starts with the first test.
 *
 * From the environment:
 *   RIG_DEVICE  the endpoint's address in this host
 *   RIG_SECOND  that of a second one, if there is one
 *   RIG_IOMMU   more properties of intel-iommu, with a comma in front
 *   RIG_BACKEND properties of the devices in place of ",iommufd=iommufd0"
 */
#ifndef RIG_MACHINE_H
#define RIG_MACHINE_H

#include "../../unit/tables.h"
#include "../../unit/tap.h"
#include "endpoint.h"
#include "unit.h"
#include "vm.h"

#define PAGE 4096ull
#define LARGE_PAGE (2ull << 20)

/* Guest memory: tables and single pages below, large pages from here on. */
#define LARGE_AREA 0x2000000ull

/* Of the endpoint's PASID entry. */
#define DID 5
#define PASID 0 /* RID_PASID */

typedef struct Machine {
    Vm vm;
    Unit unit;
    Endpoint endpoint;
    Endpoint second;
    Tables tables;
    uint64_t root;
    uint64_t pasid_dir;        /* of the endpoint */
    uint64_t second_pasid_dir; /* of the second one */
    uint64_t scratch; /* from here on tables.next starts for each test */
    PageTable pages;  /* the first stage that is in use */
    int kernel_log;
} Machine;

/* Started, translation off, tables built, nothing mapped. */
Machine *machine(void);

/*
 * For the start of a test: translation on, the endpoint on a new first-stage
 * table with nothing mapped, all caches empty.
 */
Machine *first_stage_machine(void);

/* Devices and unit as after a reset, driven anew. */
void machine_start_devices(Machine *m);
void machine_start_unit(Machine *m);

/* A page of guest memory, filled with @pattern. */
uint64_t page_of(Machine *m, uint64_t pattern);
void fill(Machine *m, uint64_t gpa, uint64_t pattern, uint64_t bytes);

/* A page (1 << @shift bytes) of the first stage, not invalidated. */
void map(Machine *m, uint64_t iova, uint64_t gpa, unsigned shift);

/* Clear the last-level entry, not invalidated. */
void unmap(Machine *m, uint64_t iova);

/* Put @table under the endpoint; not invalidated. */
void use_first_stage(Machine *m, const PageTable *table);
void use_pass_through(Machine *m);
void use_nothing(Machine *m);

/* Put @table, in domain @did, into the PASID table below @pasid_dir. */
void put_first_stage(Machine *m, uint64_t pasid_dir, uint16_t did,
                     const PageTable *table);

/* Tell the unit that the PASID entry changed; IOTLB too. */
void flush_entry(Machine *m);

/* A counter of the intel-iommu device. */
uint64_t counter(Machine *m, const char *name);

/*
 * The DMA faults that the host's kernel logs, some time after the device has
 * reported the error.  Each test begins with a check that none is there of
 * which no device has told.
 */
#define FAULT_READ "DMAR: [DMA Read"
#define FAULT_WRITE "DMAR: [DMA Write"

/* Wait until a line with @text is logged; false if it does not come. */
bool kernel_log_shows(Machine *m, const char *text);

/* Nothing is logged at a page at which no device has reported an error. */
void check_no_fault(Machine *m);

#endif
