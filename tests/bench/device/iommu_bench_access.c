/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "exec/address-spaces.h"
#include "iommu_bench.h"

#define SIZE_MAX_ACCESS 64

IOMMUMemoryRegion *bench_iommu_region(IommuBench *s)
{
    MemoryRegionSection section = memory_region_find(
        pci_get_address_space(PCI_DEVICE(s))->root,
        *bench_reg(s, BENCH_BASE), 1);

    if (section.mr && !memory_region_is_iommu(section.mr)) {
        memory_region_unref(section.mr);
        return NULL;
    }
    return section.mr ? IOMMU_MEMORY_REGION(section.mr) : NULL;
}

static bool translate(IOMMUMemoryRegion *iommu, uint64_t addr, uint64_t *out)
{
    IOMMUMemoryRegionClass *imrc =
        memory_region_get_iommu_class_nocheck(iommu);
    IOMMUTLBEntry entry = imrc->translate(iommu, addr, IOMMU_RO, 0);

    *out = (entry.translated_addr & ~entry.addr_mask) |
           (addr & entry.addr_mask);
    return entry.perm & IOMMU_RO;
}

/* One access; what it is, is known when this is compiled. */
static inline QEMU_ALWAYS_INLINE bool
access_one(BenchRun *run, unsigned access, bool with_pasid, uint64_t addr,
           uint64_t *value)
{
    uint64_t buf[SIZE_MAX_ACCESS / 8];
    uint32_t pasid = run->pasid + run->turn;
    bool done;

    if (with_pasid) {
        run->turn = run->turn + 1 == run->pasids ? 0 : run->turn + 1;
    }
    switch (access) {
    case BENCH_ACCESS_READ:
        done = with_pasid
                   ? bench_pasid_read(run->pasids_of, pasid, addr, buf,
                                      run->size)
                   : pci_dma_read(run->pci, addr, buf, run->size) == MEMTX_OK;
        *value = buf[0];
        return done;
    case BENCH_ACCESS_WRITE:
        memset(buf, 0, sizeof(buf));
        *value = 0;
        return pci_dma_write(run->pci, addr, buf, run->size) == MEMTX_OK;
    case BENCH_ACCESS_TRANSLATE:
        return with_pasid ? bench_pasid_translate(run->pasids_of, pasid,
                                                  addr, value)
                          : translate(run->iommu, addr, value);
    default:
        *value = addr;
        return true;
    }
}

static inline uint64_t next_page(BenchRun *run)
{
    uint64_t page = run->page;

    if (run->random) {
        run->state = run->state * 6364136223846793005ull + 1;
        return (run->state >> 32) * run->pages >> 32;
    }
    run->page = page + 1 == run->pages ? 0 : page + 1;
    return page;
}

static inline QEMU_ALWAYS_INLINE void
access_many(BenchRun *run, unsigned access, bool with_pasid, uint64_t count)
{
    uint64_t sum = 0;
    uint64_t errors = 0;
    uint64_t value;

    while (count--) {
        uint64_t addr = run->base + run->stride * next_page(run);

        if (access_one(run, access, with_pasid, addr, &value)) {
            sum += value;
        } else {
            errors++;
        }
    }
    run->sum += sum;
    run->errors += errors;
}

void bench_run(BenchRun *run, uint64_t count)
{
    bool with_pasid = run->pasids;

    switch (run->access) {
    case BENCH_ACCESS_NONE:
        access_many(run, BENCH_ACCESS_NONE, false, count);
        break;
    case BENCH_ACCESS_READ:
        if (with_pasid) {
            access_many(run, BENCH_ACCESS_READ, true, count);
        } else {
            access_many(run, BENCH_ACCESS_READ, false, count);
        }
        break;
    case BENCH_ACCESS_WRITE:
        access_many(run, BENCH_ACCESS_WRITE, false, count);
        break;
    case BENCH_ACCESS_TRANSLATE:
        if (with_pasid) {
            access_many(run, BENCH_ACCESS_TRANSLATE, true, count);
        } else if (run->iommu) {
            access_many(run, BENCH_ACCESS_TRANSLATE, false, count);
        } else {
            run->errors += count;
        }
        break;
    default:
        run->errors += count;
    }
}

BenchRun bench_run_new(IommuBench *s)
{
    BenchRun run = {
        .pci = PCI_DEVICE(s),
        .access = *bench_reg(s, BENCH_ACCESS),
        .pages = MAX(*bench_reg(s, BENCH_PAGES), 1),
        .base = *bench_reg(s, BENCH_BASE),
        .stride = *bench_reg(s, BENCH_STRIDE),
        .size = MIN(*bench_reg(s, BENCH_SIZE), SIZE_MAX_ACCESS),
        .random = *bench_reg(s, BENCH_RANDOM),
        .pasid = *bench_reg(s, BENCH_PASID),
        .pasids = *bench_reg(s, BENCH_PASIDS),
        .state = *bench_reg(s, BENCH_SEED),
        .iommu = bench_iommu_region(s),
    };

    if (run.pasids && !s->pasids) {
        s->pasids = bench_pasids_new(run.pci);
    }
    run.pasids_of = s->pasids;
    return run;
}

void bench_run_free(BenchRun *run)
{
    if (run->iommu) {
        memory_region_unref(MEMORY_REGION(run->iommu));
    }
}

void bench_access(IommuBench *s)
{
    BenchRun run = bench_run_new(s);
    uint64_t left = *bench_reg(s, BENCH_COUNT);
    uint64_t flush = *bench_reg(s, BENCH_FLUSH);
    uint64_t part = flush ? flush : left;
    uint64_t ns = 0;

    while (left) {
        uint64_t count = MIN(part, left);
        uint64_t start;

        if (flush) {
            bench_kick(s);
        }
        start = bench_thread_ns();
        bench_count();
        bench_run(&run, count);
        bench_count();
        ns += bench_thread_ns() - start;
        left -= count;
    }
    *bench_reg(s, BENCH_NS) = ns;
    *bench_reg(s, BENCH_SUM) = run.sum;
    *bench_reg(s, BENCH_ERRORS) = run.errors;
    bench_run_free(&run);
}

/*
 * In one transaction: else QEMU renders every address space for each one that is
 * added, and none of that is freed before this command is over.
 */
void bench_make_pasids(IommuBench *s)
{
    BenchRun run = bench_run_new(s);
    uint64_t start = bench_thread_ns();

    bench_count();
    memory_region_transaction_begin();
    for (uint32_t i = 0; i < run.pasids; i++) {
        bench_pasid_make(run.pasids_of, run.pasid + i);
    }
    memory_region_transaction_commit();
    bench_count();
    *bench_reg(s, BENCH_NS) = bench_thread_ns() - start;
    bench_run_free(&run);
}

void bench_fill(IommuBench *s)
{
    uint64_t pages = *bench_reg(s, BENCH_PAGES);

    for (uint64_t page = 0; page < pages; page++) {
        address_space_stq_le(&address_space_memory,
                             *bench_reg(s, BENCH_BASE) +
                                 page * *bench_reg(s, BENCH_STRIDE),
                             (page + 1) * BENCH_FILL_FACTOR,
                             MEMTXATTRS_UNSPECIFIED, NULL);
    }
}
