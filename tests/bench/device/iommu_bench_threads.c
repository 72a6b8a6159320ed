/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include <sched.h>
#include <sys/resource.h>

#include "iommu_bench.h"
#include "qemu/atomic.h"
#include "qemu/rcu.h"
#include "qemu/thread.h"
#include "qemu/timer.h"

/* Times of accesses: one bucket for each TICKS of the processor's counter. */
#define BUCKETS 65536
#define TICKS 2

#define MAX_THREADS 2

typedef struct Worker {
    IommuBench *device;
    unsigned index;
    uint64_t count;
    uint32_t *bucket; /* or NULL */
    uint64_t max_ticks;
    uint64_t ticks;
    QemuThread thread;
    uint64_t cpu_ns;
    uint64_t wall_ns;
    uint64_t switches;
    uint64_t sum;
    uint64_t errors;
} Worker;

static unsigned not_ready; /* threads that are not at the start line yet */
static unsigned at_work;

/* Thread i has the i-th of the processors that QEMU may use. */
static void pin(unsigned index)
{
    cpu_set_t allowed, one;

    if (sched_getaffinity(0, sizeof(allowed), &allowed)) {
        return;
    }
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &allowed) && !index--) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof(one), &one);
            return;
        }
    }
}

static uint64_t voluntary_switches(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

static void timed_accesses(Worker *w, BenchRun *run)
{
    uint64_t before = cpu_get_host_ticks();

    for (uint64_t i = 0; i < w->count; i++) {
        uint64_t now, took;

        bench_run(run, 1);
        now = cpu_get_host_ticks();
        took = now - before;
        w->bucket[MIN(took / TICKS, BUCKETS - 1)]++;
        w->max_ticks = MAX(w->max_ticks, took);
        w->ticks += took;
        before = now;
    }
}

static void *work(void *opaque)
{
    Worker *w = opaque;
    BenchRun run;
    int64_t wall;
    uint64_t cpu, switches;

    rcu_register_thread();
    pin(w->index);
    run = bench_run_new(w->device);
    bench_run(&run, run.pages);
    run.sum = 0;
    qatomic_dec(&not_ready);
    while (qatomic_read(&not_ready)) {
        cpu_relax();
    }
    switches = voluntary_switches();
    cpu = bench_thread_ns();
    wall = get_clock();
    if (w->bucket) {
        timed_accesses(w, &run);
    } else {
        bench_run(&run, w->count);
    }
    w->wall_ns = get_clock() - wall;
    w->cpu_ns = bench_thread_ns() - cpu;
    w->switches = voluntary_switches() - switches;
    w->sum = run.sum;
    w->errors = run.errors;
    bench_run_free(&run);
    qatomic_dec(&at_work);
    rcu_unregister_thread();
    return NULL;
}

/* The time, in ns, that @part of all accesses did not exceed. */
static uint64_t quantile(const Worker *w, double part)
{
    uint64_t wanted = w->count * part;
    uint64_t seen = 0;
    unsigned i = 0;

    while (i < BUCKETS - 1 && (seen += w->bucket[i]) <= wanted) {
        i++;
    }
    return (i + 0.5) * TICKS * w->wall_ns / w->ticks;
}

static void add_results(IommuBench *s, const Worker *w)
{
    uint64_t *wall = bench_reg(s, BENCH_WALL);

    *wall = MAX(*wall, w->wall_ns);
    *bench_reg(s, BENCH_NS) += w->cpu_ns;
    *bench_reg(s, BENCH_SWITCHES) += w->switches;
    *bench_reg(s, BENCH_SUM) += w->sum;
    *bench_reg(s, BENCH_ERRORS) += w->errors;
    if (w->bucket) {
        *bench_reg(s, BENCH_MEDIAN) = quantile(w, 0.5);
        *bench_reg(s, BENCH_P99) = quantile(w, 0.99);
        *bench_reg(s, BENCH_MAX) =
            (double)w->max_ticks * w->wall_ns / w->ticks;
    }
}

void bench_threads(IommuBench *s)
{
    unsigned threads = MIN(*bench_reg(s, BENCH_THREADS), MAX_THREADS);
    uint64_t flood = *bench_reg(s, BENCH_FLOOD);
    uint64_t kicks = 0;
    Worker worker[MAX_THREADS] = { 0 };

    qatomic_set(&not_ready, threads);
    qatomic_set(&at_work, threads);
    for (unsigned i = 0; i < threads; i++) {
        Worker *w = &worker[i];

        w->device = bench_device(i);
        w->index = i;
        w->count = *bench_reg(s, BENCH_COUNT);
        w->bucket = flood ? g_new0(uint32_t, BUCKETS) : NULL;
        qemu_thread_create(&w->thread, "bench", work, w, QEMU_THREAD_JOINABLE);
    }
    /* This thread holds the BQL all the while. */
    while (flood > 1 && qatomic_read(&at_work)) {
        bench_kick(s);
        kicks++;
    }
    *bench_reg(s, BENCH_WALL) = 0;
    *bench_reg(s, BENCH_NS) = 0;
    *bench_reg(s, BENCH_SWITCHES) = 0;
    for (unsigned i = 0; i < threads; i++) {
        qemu_thread_join(&worker[i].thread);
        add_results(s, &worker[i]);
        g_free(worker[i].bucket);
    }
    *bench_reg(s, BENCH_DONE) = kicks;
}
