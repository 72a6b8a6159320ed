/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of one remapping unit, shared by the files of the model.  Users of
 * the model include vtd.h and leave the fields alone.
 *
 * Locking: callers serialise accesses to registers, and with them the
 * invalidation queue and all fields without an own rule.  @lock protects what
 * requests of devices change on any thread: registers of faults, page requests
 * and events, and next_record.  It is never held while notices are delivered,
 * interrupts are sent or status words are written for the guest.
 */
#ifndef VTD_UNIT_H
#define VTD_UNIT_H

#include <pthread.h>

#include "vtd_caps.h"
#include "vtd_context.h"
#include "vtd_env.h"
#include "vtd_iotlb.h"
#include "vtd_regfile.h"

typedef struct VtdUnit VtdUnit;

/* Most notices that are delivered as one array. */
#define VTD_BATCH_MAX 256

/* Quadwords of the queue that are read together. */
#define VTD_FETCH_QWORDS 64

typedef struct VtdCounters {
    uint64_t descriptors[16]; /* by VTD_DESC_* type; as the queue is */
    _Atomic uint64_t table_walks;
    _Atomic uint64_t nested_walks;
    _Atomic uint64_t faults;
    _Atomic uint64_t page_requests; /* put in the page-request queue */
} VtdCounters;

struct VtdUnit {
    VtdEnv env;
    VtdCaps caps;
    pthread_mutex_t lock;
    VtdRegFile regs;
    unsigned next_record; /* fault record to be used next */
    uint64_t queue_epoch; /* advances when the queue goes on or off */
    bool queue_ready; /* on and not stopped by an error: vtd_qi_update() */
    bool queue_running; /* a delivery may lead back here */
    VtdNotice batch[VTD_BATCH_MAX]; /* being worked on */
    uint64_t batch_offset[VTD_BATCH_MAX]; /* queue offset of each notice */
    uint64_t fetched[VTD_FETCH_QWORDS]; /* descriptors, as they were read */

    /* Any thread. */
    _Atomic uint32_t status; /* GSTS */
    _Atomic uint64_t root; /* RTADDR as latched by GCMD.SRTP */
    _Atomic uint64_t irta; /* IRTA as latched by GCMD.SIRTP */
    _Atomic uint64_t config_gen; /* advances when a configuration may change */
    VtdIotlb iotlb;
    VtdCounters counters;
};

/*
 * What an entry point still has to do once the lock is dropped, in this
 * order: deliver notices, complete the command, run the virtual command, send
 * interrupts.
 */
typedef struct VtdMsi {
    uint64_t addr;
    uint32_t data;
} VtdMsi;

typedef struct VtdWork {
    unsigned notices;
    unsigned msis;
    VtdNotice notice[4];
    VtdMsi msi[4];
    unsigned completes; /* register whose command completes, or 0 */
    bool run_queue;
    bool runs_virtual_command;
    uint64_t virtual_command; /* VCMD as it was written */
} VtdWork;

static inline void vtd_work_notice(VtdWork *work, VtdNotice notice)
{
    work->notice[work->notices++] = notice;
}

/* The last step: send the interrupts, no lock held. */
static inline void vtd_work_send(VtdUnit *u, const VtdWork *work)
{
    for (unsigned i = 0; i < work->msis; i++) {
        u->env.send_msi(u->env.opaque, work->msi[i].addr, work->msi[i].data);
    }
}

/* Whether the guest may be told that invalidations are complete. */
static inline bool vtd_unit_drained(VtdUnit *u)
{
    return !(u->caps.cap & (VTD_CAP_DRD | VTD_CAP_DWD)) ||
           u->env.drained(u->env.opaque);
}

/* GSTS.TES */
static inline bool vtd_unit_translates(VtdUnit *u)
{
    return atomic_load(&u->status) & VTD_GCMD_TE;
}

static inline VtdRoot vtd_unit_root(VtdUnit *u)
{
    uint64_t root = atomic_load_explicit(&u->root, memory_order_acquire);

    return (VtdRoot){
        .base = root & VTD_RTADDR_RTA,
        .ttm = vtd_get(root, VTD_RTADDR_TTM),
    };
}

#endif
