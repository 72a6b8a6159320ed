/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests to the callgrind that QEMU may be running under. */
#ifndef IOMMU_BENCH_CALLGRIND_H
#define IOMMU_BENCH_CALLGRIND_H

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_TOGGLE_COLLECT
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS
#endif

#endif
