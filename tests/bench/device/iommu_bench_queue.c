/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "exec/address-spaces.h"
#include "iommu_bench.h"
#include "qapi/error.h"
#include "qemu/bswap.h"
#include "qemu/timer.h"

#define UNIT_IQT 0xfed90088

void bench_kick(IommuBench *s)
{
    uint64_t ring = *bench_reg(s, BENCH_RING_BYTES);
    uint64_t *tail = bench_reg(s, BENCH_TAIL);

    *tail += *bench_reg(s, BENCH_BATCH) * *bench_reg(s, BENCH_DESC_BYTES);
    if (*tail >= ring) {
        *tail -= ring;
    }
    address_space_stq_le(&address_space_memory, UNIT_IQT, *tail,
                         MEMTXATTRS_UNSPECIFIED, NULL);
}

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static void kicks_after_refill(IommuBench *s, uint64_t kicks, uint64_t pages)
{
    g_autofree int64_t *sample = g_new(int64_t, kicks);
    BenchRun run = bench_run_new(s);
    int64_t total = 0;

    for (uint64_t i = 0; i < kicks; i++) {
        bench_run(&run, pages);
        sample[i] = get_clock();
        bench_count();
        bench_kick(s);
        bench_count();
        sample[i] = get_clock() - sample[i];
        total += sample[i];
    }
    qsort(sample, kicks, sizeof(*sample), compare);
    *bench_reg(s, BENCH_NS) = total;
    *bench_reg(s, BENCH_MEDIAN) = sample[kicks / 2];
    *bench_reg(s, BENCH_P99) = sample[kicks * 99 / 100];
    *bench_reg(s, BENCH_MAX) = sample[kicks - 1];
    *bench_reg(s, BENCH_SUM) = run.sum;
    *bench_reg(s, BENCH_ERRORS) = run.errors;
    bench_run_free(&run);
}

void bench_queue(IommuBench *s)
{
    uint64_t kicks = *bench_reg(s, BENCH_KICKS);
    uint64_t refill = *bench_reg(s, BENCH_REFILL);
    uint64_t start;

    if (refill && kicks) {
        kicks_after_refill(s, kicks, refill);
        return;
    }
    start = bench_thread_ns();
    bench_count();
    while (kicks--) {
        bench_kick(s);
    }
    bench_count();
    *bench_reg(s, BENCH_NS) = bench_thread_ns() - start;
}

void bench_shadow(IommuBench *s)
{
    uint64_t kicks = *bench_reg(s, BENCH_KICKS);
    uint64_t count = *bench_reg(s, BENCH_ENTRIES);
    uint64_t all = *bench_reg(s, BENCH_ENTRIES_ALL);
    uint64_t value = *bench_reg(s, BENCH_VALUE);
    hwaddr len = all * 8;
    uint64_t *entry = address_space_map(
        &address_space_memory, *bench_reg(s, BENCH_ENTRY), &len, true,
        MEMTXATTRS_UNSPECIFIED);
    uint64_t at = 0;
    bool map = true;
    uint64_t start;

    if (!entry || len < all * 8) {
        *bench_reg(s, BENCH_ERRORS) = 1;
        return;
    }
    start = bench_thread_ns();
    bench_count();
    while (kicks--) {
        for (uint64_t i = at; i < at + count; i++) {
            entry[i] = cpu_to_le64(map ? value + 4096 * i : 0);
        }
        at += count;
        if (at + count > all) {
            at = 0;
            map = !map;
        }
        bench_kick(s);
    }
    bench_count();
    *bench_reg(s, BENCH_NS) = bench_thread_ns() - start;
    address_space_unmap(&address_space_memory, entry, len, true, len);
}

static void notified(IOMMUNotifier *n, IOMMUTLBEntry *entry)
{
    IommuBench *s = container_of(n, IommuBench, notifier);
    unsigned which = entry->perm == IOMMU_NONE ? BENCH_UNMAPPED : BENCH_MAPPED;

    *bench_reg(s, which) += (entry->addr_mask >> 12) + 1;
    *bench_reg(s, BENCH_EVENTS) += 1;
}

void bench_notify(IommuBench *s)
{
    uint64_t flags = *bench_reg(s, BENCH_NOTIFY);
    IOMMUMemoryRegion *iommu;
    Error *error = NULL;

    if (s->notifying) {
        memory_region_unregister_iommu_notifier(MEMORY_REGION(s->notifying),
                                                &s->notifier);
        memory_region_unref(MEMORY_REGION(s->notifying));
        s->notifying = NULL;
    }
    *bench_reg(s, BENCH_MAPPED) = 0;
    *bench_reg(s, BENCH_UNMAPPED) = 0;
    *bench_reg(s, BENCH_EVENTS) = 0;
    iommu = flags ? bench_iommu_region(s) : NULL;
    if (!iommu) {
        *bench_reg(s, BENCH_ERRORS) = flags != 0;
        return;
    }
    iommu_notifier_init(&s->notifier, notified, flags, 0, UINT64_MAX, 0);
    if (memory_region_register_iommu_notifier(MEMORY_REGION(iommu),
                                              &s->notifier, &error) < 0) {
        error_report_err(error);
        memory_region_unref(MEMORY_REGION(iommu));
        *bench_reg(s, BENCH_ERRORS) = 1;
        return;
    }
    s->notifying = iommu;
    if (flags & IOMMU_NOTIFIER_MAP) {
        memory_region_iommu_replay(iommu, &s->notifier);
    }
}
