/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers of the "iommu-bench" device: 64 bits each, in BAR 0.  The driver
 * (tests/bench/machine.py) reads this file, so a register is a line of the form
 * `#define BENCH_NAME 0xOFFSET`.
 *
 * A write of COMMAND returns when the command is over and its results are
 * there.  Times are nanoseconds.
 */
#ifndef IOMMU_BENCH_REGS_H
#define IOMMU_BENCH_REGS_H

#define BENCH_BAR_SIZE 0x1000

#define BENCH_COMMAND 0x000
/* Commands */
#define BENCH_CMD_ACCESS 1  /* COUNT accesses */
#define BENCH_CMD_QUEUE 2   /* KICKS tail writes */
#define BENCH_CMD_SHADOW 3  /* KICKS tail writes, before each one entries change */
#define BENCH_CMD_THREADS 4 /* ACCESS on THREADS devices at once */
#define BENCH_CMD_NOTIFY 5  /* from now on be told of NOTIFY */
#define BENCH_CMD_PASIDS 7  /* make what PASIDS need that has to be made */
#define BENCH_CMD_FILL 6    /* guest memory: give each of PAGES its number */

/* FILL writes (page + 1) times this at the start of a page. */
#define BENCH_FILL_FACTOR 0x9e3779b97f4a7c15

/*
 * Accesses.  Access i is at BASE + STRIDE * page, page i modulo PAGES or, with
 * RANDOM, any page below PAGES.  With PASIDS != 0 it has the PASID
 * PASID + i modulo PASIDS.
 */
#define BENCH_ACCESS 0x010
#define BENCH_COUNT 0x018
#define BENCH_PAGES 0x020
#define BENCH_BASE 0x028
#define BENCH_STRIDE 0x030
#define BENCH_SIZE 0x038 /* bytes, 64 at most */
#define BENCH_RANDOM 0x040
#define BENCH_SEED 0x048
#define BENCH_PASID 0x050
#define BENCH_PASIDS 0x058
#define BENCH_FLUSH 0x060 /* accesses between tail writes, which do not count */
/* Kinds of ACCESS */
#define BENCH_ACCESS_NONE 0
#define BENCH_ACCESS_READ 1
#define BENCH_ACCESS_WRITE 2 /* of zeros */
#define BENCH_ACCESS_TRANSLATE 3

/*
 * The invalidation queue, whose ring the driver has filled with descriptors.
 * A tail write announces BATCH more of them.
 */
#define BENCH_RING_BYTES 0x080
#define BENCH_DESC_BYTES 0x088
#define BENCH_TAIL 0x090
#define BENCH_BATCH 0x098
#define BENCH_KICKS 0x0a0
#define BENCH_REFILL 0x0a8 /* pages to be accessed before each tail write; they
                            * do not count */

/*
 * Entries of the guest's tables: before a tail write the next ENTRIES of the
 * ENTRIES_ALL ones at ENTRY are written, in one round with VALUE + 4096 * i,
 * in the next one with zero, and so on.
 */
#define BENCH_ENTRY 0x0c0
#define BENCH_ENTRIES 0x0c8
#define BENCH_ENTRIES_ALL 0x0d0
#define BENCH_VALUE 0x0d8

#define BENCH_THREADS 0x0e0
#define BENCH_FLOOD 0x0e8 /* 1: time each access; 2: and write the queue's tail
                           * all the while */
#define BENCH_NOTIFY 0x0f0 /* IOMMUNotifierFlag */

/* Results, of the last command. */
#define BENCH_NS 0x100       /* processor time of the thread */
#define BENCH_WALL 0x108     /* THREADS: of the slowest */
#define BENCH_MEDIAN 0x110   /* QUEUE: of the tail writes; THREADS: of accesses */
#define BENCH_P99 0x118
#define BENCH_MAX 0x120
#define BENCH_ERRORS 0x128   /* accesses that were refused */
#define BENCH_SUM 0x130      /* of what was read; TRANSLATE: of addresses */
#define BENCH_SWITCHES 0x138 /* THREADS: voluntary ones */
#define BENCH_DONE 0x140     /* THREADS: tail writes under FLOOD */
/* Of notifications, since NOTIFY */
#define BENCH_MAPPED 0x150   /* pages */
#define BENCH_UNMAPPED 0x158
#define BENCH_EVENTS 0x160

#endif
