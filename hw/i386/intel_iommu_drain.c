/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A grace period of RCU would do, but synchronize_rcu() is out of the
 * question: a processor under TCG is itself in a read section when it writes
 * the queue's tail, and then waits for what the queue shall write; besides it
 * takes far too long.  What is waited for here is less: not the end of every
 * read section, only of each access in it.
 *
 * An epoch counts invalidations.  A thread notes the epoch in which it
 * translates.  It accesses memory after one translation and before the next
 * (physmem.c translates page by page as it goes, also for nested sections and
 * for cached ranges), so an access of an old translation is over when the
 * thread has noted a later epoch or has left the read section.
 */
#include "qemu/osdep.h"

#include "intel_iommu_drain.h"
#include "qemu/lockable.h"
#include "qemu/queue.h"
#include "qemu/rcu.h"
#include "qemu/thread.h"
#include "qemu/timer.h"
#include "system/iothread.h"

/* Looks at threads in the middle of an access, in one call; some 10 us. */
#define LOOKS 200

/* Until the next call.  Long enough for others to get hold of the BQL. */
#define PAUSE_NS (100 * SCALE_US)

struct VtdDrain {
    unsigned long epoch;  /* what is noted from here on is new */
    bool draining;
    bool views_switched;  /* since the iothreads were last visited */
    unsigned to_visit;    /* iothreads that have not been yet; any thread */
    QEMUBH *go_on;
    QEMUTimer *pause;
};

/* A thread that has translated without the BQL. */
typedef struct Translator {
    const unsigned long *section; /* zero: in no RCU read section */
    unsigned long epoch;          /* of its last translation */
    Notifier exit;
    QLIST_ENTRY(Translator) next;
} Translator;

QEMU_DEFINE_STATIC_CO_TLS(Translator, translator)

/* Of all units, as the threads are.  It may wrap around. */
static unsigned long epoch;

/* A barrier among all threads may cost a system call, and the list a lock.
 * Without an iothread that translates nobody pays for them. */
static bool have_translators;

static QemuMutex translators_lock;
static QLIST_HEAD(, Translator) translators;

static void __attribute__((constructor)) translators_init(void)
{
    qemu_mutex_init(&translators_lock);
}

static void translator_exits(Notifier *notifier, void *data)
{
    QEMU_LOCK_GUARD(&translators_lock);
    QLIST_REMOVE(container_of(notifier, Translator, exit), next);
}

static void translator_init(Translator *t)
{
    t->section = &get_ptr_rcu_reader()->ctr;
    t->exit.notify = translator_exits;
    qemu_thread_atexit_add(&t->exit);
    WITH_QEMU_LOCK_GUARD(&translators_lock) {
        QLIST_INSERT_HEAD(&translators, t, next);
    }
    qatomic_set(&have_translators, true);
    smp_mb();
}

/*
 * Acquire: what is read from here on is at least as new as the epoch.
 * Release: the access before this one is over for whoever sees the epoch.
 */
void vtd_drain_translating(void)
{
    Translator *t;

    if (bql_locked()) {
        return;
    }
    t = get_ptr_translator();
    if (unlikely(!t->section)) {
        translator_init(t);
    }
    qatomic_store_release(&t->epoch, qatomic_load_acquire(&epoch));
}

void vtd_drain_begin(VtdDrain *drain)
{
    drain->draining = true;
    drain->epoch = qatomic_inc_fetch(&epoch);
    /*
     * Pairs with the barrier in translator_init(): a thread whose first
     * translation we do not see finds what was invalidated gone.
     */
    smp_mb__after_rmw();
    if (qatomic_read(&have_translators)) {
        /* The same for later ones, with the barrier in rcu_read_lock(). */
        smp_mb_global();
    }
}

void vtd_drain_begin_views(VtdDrain *drain)
{
    drain->draining = true;
    drain->views_switched = true;
}

/* A section that is not seen to be over may be a new one. */
static bool is_past(const Translator *t, unsigned long since)
{
    return !qatomic_load_acquire(t->section) ||
           (long)(qatomic_load_acquire(&t->epoch) - since) >= 0;
}

static bool translators_are_past(unsigned long since)
{
    unsigned looks = LOOKS;
    Translator *t;

    /* As in vtd_drain_begin(), which was before this. */
    if (!qatomic_read(&have_translators)) {
        return true;
    }
    QEMU_LOCK_GUARD(&translators_lock);
    QLIST_FOREACH(t, &translators, next) {
        while (!is_past(t, since)) {
            if (!looks--) {
                return false;
            }
            cpu_relax();
        }
    }
    return true;
}

/*
 * Views.  Accesses through the untranslated one leave no mark, and whose they
 * are is not known.  Switching is rare, so the iothreads are asked: between
 * two of its callbacks a thread is in no access.
 */
static void visit(void *opaque)
{
    VtdDrain *drain = opaque;

    if (get_ptr_rcu_reader()->depth) {
        /* An event loop inside of a callback. */
        aio_bh_schedule_oneshot(qemu_get_current_aio_context(), visit, drain);
        return;
    }
    qatomic_dec(&drain->to_visit);
}

static int send_visitor(Object *object, void *opaque)
{
    VtdDrain *drain = opaque;
    IOThread *iothread =
        (IOThread *)object_dynamic_cast(object, TYPE_IOTHREAD);

    if (iothread) {
        qatomic_inc(&drain->to_visit);
        aio_bh_schedule_oneshot(iothread_get_aio_context(iothread), visit,
                                drain);
    }
    return 0;
}

static bool views_are_past(VtdDrain *drain)
{
    if (qatomic_load_acquire(&drain->to_visit)) {
        return false;
    }
    if (drain->views_switched) {
        drain->views_switched = false;
        object_child_foreach(object_get_objects_root(), send_visitor, drain);
    }
    return !qatomic_load_acquire(&drain->to_visit);
}

bool vtd_drain_done(VtdDrain *drain)
{
    if (drain->draining && views_are_past(drain) &&
        translators_are_past(drain->epoch)) {
        drain->draining = false;
    }
    return !drain->draining;
}

static void pause_is_over(void *opaque)
{
    VtdDrain *drain = opaque;

    qemu_bh_schedule(drain->go_on);
}

void vtd_drain_schedule(VtdDrain *drain)
{
    if (drain->draining) {
        timer_mod(drain->pause, qemu_clock_get_ns(QEMU_CLOCK_REALTIME) +
                                    PAUSE_NS);
    } else {
        qemu_bh_schedule(drain->go_on);
    }
}

VtdDrain *vtd_drain_new(QEMUBH *go_on)
{
    VtdDrain *drain = g_new0(VtdDrain, 1);

    drain->go_on = go_on;
    drain->pause = timer_new_ns(QEMU_CLOCK_REALTIME, pause_is_over, drain);
    return drain;
}
