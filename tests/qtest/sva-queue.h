/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sva-endpoint's queues for qtests, with and without an IOMMU.
 *
 * Queue n's ring and completion records share a page, which has the same
 * address in its address space as in memory.
 */
#ifndef TESTS_QTEST_SVA_QUEUE_H
#define TESTS_QTEST_SVA_QUEUE_H

#include "vtd-guest.h"

#define SVM_UNIT \
    "-device intel-iommu,scalable-mode=on,fsts=on,device-iotlb=on," \
    "pasid-bits=20,svm=on "
#define ENGINE_THREAD \
    "-object iothread,id=engine -global sva-endpoint.iothread=engine "

#define RING(n) (0x200000ull + (n) * 0x1000)
#define RING_ENTRIES 32
#define RECORD(n, i) (RING(n) + 0x800 + (i) * SVA_EP_COMPLETION_SIZE)

typedef struct SvaGuest {
    Guest g;
    QPCIBar queues;
    unsigned tail[SVA_EP_QUEUE_COUNT];
} SvaGuest;

SvaGuest sva_start(const char *iommu);

/* An extended capability's register of the endpoint, by ECAM. */
uint64_t sva_capability(SvaGuest *s, unsigned id);

/* Control fields: PASID with all its bits, ATS, PRI with @requests allowed, 0
 * for off. */
void sva_enable(SvaGuest *s, bool pasid, bool ats, unsigned requests);

uint64_t sva_count(SvaGuest *s, unsigned reg);
void sva_debug(SvaGuest *s, uint32_t value);

uint32_t sva_qreg(SvaGuest *s, unsigned n, unsigned reg);
void sva_set_qreg(SvaGuest *s, unsigned n, unsigned reg, uint32_t value);
uint32_t sva_user(SvaGuest *s, unsigned n, unsigned reg);
void sva_set_user(SvaGuest *s, unsigned n, unsigned reg, uint32_t value);

/* Enable queue @n with an empty ring at RING(n). */
void sva_queue_on(SvaGuest *s, unsigned n, uint32_t ctl, uint32_t pasid);

/* Disable it; returns when it is. */
void sva_queue_off(SvaGuest *s, unsigned n);
void sva_wait_state(SvaGuest *s, unsigned n, uint32_t state);

/* Put a command, with RECORD(n, result) as its completion, and ring. */
unsigned sva_post(SvaGuest *s, unsigned n, struct sva_ep_cmd cmd);

/* The completion record, once it is there. */
struct sva_ep_completion sva_wait(SvaGuest *s, unsigned n, unsigned at);
struct sva_ep_completion sva_run(SvaGuest *s, unsigned n,
                                 struct sva_ep_cmd cmd);

/* 8 bytes to @addr; the error. */
uint32_t sva_fill(SvaGuest *s, unsigned n, uint64_t addr, uint64_t value);

/* A write to @addr lands at @pa. */
void sva_assert_maps(SvaGuest *s, unsigned n, uint64_t addr, uint64_t pa);

#define SVA_FILL(to, value) \
    ((struct sva_ep_cmd) { .opcode = SVA_EP_OP_FILL, .dst = (to), \
                           .length = 8, .operand = (value) })
#define SVA_COPY(from, to) \
    ((struct sva_ep_cmd) { .opcode = SVA_EP_OP_COPY, .src = (from), \
                           .dst = (to), .length = 8 })
#define SVA_SWAP(at, value) \
    ((struct sva_ep_cmd) { .opcode = SVA_EP_OP_SWAP, .dst = (at), \
                           .length = 8, .operand = (value) })

/* --- A machine with SVM_UNIT ---------------------------------------------- */

/* Tables of the PASIDs 1 and 2; the first rings are mapped in both.  Requests
 * without PASID have those of 1. */
typedef struct SvaTables {
    GuestTables of[3];
} SvaTables;

#define PASID_1 1
#define PASID_2 2

SvaTables sva_tables(SvaGuest *s);
void sva_set_pasid_entry(SvaGuest *s, uint32_t pasid, const GuestTables *p,
                         uint64_t bits);

/* Device-TLB invalidations, without wait: @size is a power of two. */
#define ALL_PASIDS UINT32_MAX
#define NO_PASID (UINT32_MAX - 1)
void sva_invalidate_device(SvaGuest *s, uint32_t pasid, uint64_t addr,
                           uint64_t size);

/* All that the unit itself has cached. */
void sva_invalidate_unit(SvaGuest *s);

/* The page-request queue, a page long. */
#define PAGE_REQUESTS 0x107000ull
typedef struct SvaPage {
    uint64_t qw[2];
} SvaPage;

void sva_page_requests_on(SvaGuest *s);
unsigned sva_pages_pending(SvaGuest *s);

/* The next request, once it is there. */
SvaPage sva_next_page(SvaGuest *s);
void sva_respond(SvaGuest *s, SvaPage page, unsigned code);

#define PAGE_ADDR(page) ((page).qw[1] & ~0xfffull)
#define PAGE_GROUP(page) ((page).qw[1] >> 3 & 0x1ff)
#define PAGE_PASID(page) ((page).qw[0] >> 32 & 0xfffff)

#endif
