/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "iommu-bench": a PCI device that measures what a vIOMMU costs, from inside
 * QEMU and by public interfaces only.  It is part of the QEMUs that `make
 * bench` builds, and of no other.
 *
 *   iommu_bench.c         the PCI function, registers
 *   iommu_bench_access.c  accesses
 *   iommu_bench_queue.c   the invalidation queue, tables, notifiers
 *   iommu_bench_threads.c accesses of several devices at once
 *   iommu_bench_ours.c, iommu_bench_stock.c   requests with PASID
 */
#ifndef IOMMU_BENCH_H
#define IOMMU_BENCH_H

#include "hw/pci/pci_device.h"
#include "iommu_bench_regs.h"

#define TYPE_IOMMU_BENCH "iommu-bench"
OBJECT_DECLARE_SIMPLE_TYPE(IommuBench, IOMMU_BENCH)

typedef struct BenchPasids BenchPasids;

struct IommuBench {
    PCIDevice parent_obj;

    MemoryRegion bar;
    uint64_t reg[BENCH_BAR_SIZE / 8];
    BenchPasids *pasids;
    IOMMUNotifier notifier;
    IOMMUMemoryRegion *notifying; /* or NULL */
    QTAILQ_ENTRY(IommuBench) next;
};

static inline uint64_t *bench_reg(IommuBench *s, unsigned offset)
{
    return &s->reg[offset / 8];
}

/* All devices in the order of the command line. */
IommuBench *bench_device(unsigned index);

/* What the present command has begun or stopped to measure. */
void bench_count(void);

uint64_t bench_thread_ns(void);

/* --- Accesses ------------------------------------------------------------- */

/* The parameters of accesses, and how far they are. */
typedef struct BenchRun {
    PCIDevice *pci;
    BenchPasids *pasids_of; /* if there are any */
    unsigned access;
    uint64_t pages;
    uint64_t base;
    uint64_t stride;
    unsigned size;
    bool random;
    uint32_t pasid;
    uint32_t pasids;

    uint64_t state; /* of the random numbers */
    uint64_t page;  /* the next one, unless random */
    uint32_t turn;  /* the next access's PASID, from pasid */
    IOMMUMemoryRegion *iommu;

    uint64_t sum;
    uint64_t errors;
} BenchRun;

/* From the registers of @s. */
BenchRun bench_run_new(IommuBench *s);
void bench_run_free(BenchRun *run);

/* The next @count accesses. */
void bench_run(BenchRun *run, uint64_t count);

void bench_access(IommuBench *s);
void bench_fill(IommuBench *s);
void bench_make_pasids(IommuBench *s);

/* The IOMMU's region that @s sees, referenced; NULL: it is not translated. */
IOMMUMemoryRegion *bench_iommu_region(IommuBench *s);

/* --- Queue ---------------------------------------------------------------- */

/* Announce the next BATCH descriptors. */
void bench_kick(IommuBench *s);

void bench_queue(IommuBench *s);
void bench_shadow(IommuBench *s);
void bench_notify(IommuBench *s);

/* --- Threads -------------------------------------------------------------- */

void bench_threads(IommuBench *s);

/* --- Requests with PASID -------------------------------------------------- */

BenchPasids *bench_pasids_new(PCIDevice *dev);

/* Make what the PASID needs, unless its first request does that. */
void bench_pasid_make(BenchPasids *p, uint32_t pasid);

bool bench_pasid_read(BenchPasids *p, uint32_t pasid, uint64_t addr,
                      void *buf, unsigned size);
bool bench_pasid_translate(BenchPasids *p, uint32_t pasid, uint64_t addr,
                           uint64_t *out);

#endif
