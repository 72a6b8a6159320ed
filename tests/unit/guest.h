/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest for tests of the whole model: a unit on a fake environment, and
 * what a driver does with its registers and its queue.
 */
#ifndef GUEST_H
#define GUEST_H

#include "fake_env.h"
#include "tables.h"
#include "vtd.h"

#define GUEST_RAM (32ull << 20)
#define GUEST_SID 0x0010

/* Memory below is no table's: data for tests.  All above is only written as
 * tables are made. */
#define GUEST_STATUS 0x8000ull
#define GUEST_TABLES 0x10000ull

typedef struct Guest {
    FakeEnv env;
    VtdUnit unit;
    VtdEnv interface;
    Tables tables;
    VtdSource source; /* GUEST_SID without PASID */
    uint64_t root;
    uint64_t pasid_dir;
    uint64_t queue;
    uint64_t queue_bytes;
    uint64_t tail;
    bool wide;
} Guest;

/* The one guest of a test program; tests run one after another. */
extern Guest guest;

/* Typical sets of options. */
VtdOptions options_legacy(void);
VtdOptions options_scalable(void); /* second stage only, PASIDs */
VtdOptions options_nested(void);   /* all stages, PASIDs */
VtdOptions options_full(void);     /* the same with every refinement */

/* Memory and tables without a unit, for tests of the lower files.  A guest of
 * an earlier test is destroyed. */
void guest_memory(void);

/* A unit of @options after reset; fails the test if they are refused. */
void guest_start(VtdOptions options);

/* Registers */
uint32_t reg32(unsigned offset);
uint64_t reg64(unsigned offset);
void write32(unsigned offset, uint32_t value);
/* As an 8-byte access; runs the queue to its end. */
void write64(unsigned offset, uint64_t value);
/* Set or clear bits of GCMD that keep their state, as drivers do. */
void command(uint32_t set, uint32_t clear);
/* GCMD.SRTP with an empty root table, @ttm as in RTADDR. */
void set_root(unsigned ttm);
void enable_translation(void);

/* Scalable mode: context entry of GUEST_SID with an empty PASID directory,
 * root table set, translation on. */
void guest_scalable(void);

/* Queue of 4 KiB << @qs, enabled. */
void start_queue(bool wide, unsigned qs);
/* Write a descriptor behind the last one; the unit is not told. */
void queue_descriptor(uint64_t qw0, uint64_t qw1);
/* Tell the unit of all descriptors. */
void kick(void);
/* Both. */
void invalidate(uint64_t qw0, uint64_t qw1);

/* Descriptors: first quadwords */
enum { QI_GLOBAL = 1, QI_DOMAIN = 2, QI_NARROW = 3 };
uint64_t qi_context(unsigned g, uint16_t did, uint16_t sid);
uint64_t qi_iotlb(unsigned g, uint16_t did);
uint64_t qi_wait_status(uint32_t data);
uint64_t qi_wait_interrupt(void);
enum { QI_PIOTLB_PASID = 2, QI_PIOTLB_PAGE = 3 };
uint64_t qi_pasid_iotlb(unsigned g, uint16_t did, uint32_t pasid);
enum { QI_PC_DOMAIN = 0, QI_PC_PASID = 1, QI_PC_GLOBAL = 3 };
uint64_t qi_pasid_cache(unsigned g, uint16_t did, uint32_t pasid);

/* Translate for GUEST_SID, no PASID, loudly. */
VtdFault translate(uint64_t iova, unsigned perm, VtdMapping *out);

#endif
