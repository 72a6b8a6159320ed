/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the model needs of its surroundings.  All a port replaces.
 *
 * Every function may be called from any thread.  Those marked "locked" may be
 * called with the model's lock held and must not call back into the model.
 */
#ifndef VTD_ENV_H
#define VTD_ENV_H

#include <stdatomic.h>

#include "vtd_notice.h"

typedef enum VtdCas {
    VTD_CAS_DONE, /* memory held @expected and holds @desired now */
    VTD_CAS_CHANGED, /* memory held something else; it was left alone */
    VTD_CAS_FAILED, /* no writable memory there */
} VtdCas;

/* [start, start + size) of guest memory lies at host, in whole quadwords. */
typedef struct VtdWindow {
    uint64_t start;
    uint64_t size;
    const unsigned char *host;
} VtdWindow;

/* Memory that may be read in place. */
typedef struct VtdMemory {
    unsigned count;
    VtdWindow window[]; /* the largest ones first */
} VtdMemory;

typedef struct VtdEnv {
    void *opaque;

    /*
     * Guest memory at @gpa, little-endian, locked.  Only memory is accessed,
     * never a device: a guest may point a table at our own registers.  False
     * if any byte of the range is not memory; the buffer is then undefined.
     */
    bool (*read)(void *opaque, uint64_t gpa, void *buf, size_t len);
    bool (*write)(void *opaque, uint64_t gpa, const void *buf, size_t len);

    /*
     * Memory in which load64() may be spared, or NULL.  The surroundings may
     * replace it, and keep the old one for as long as anybody translates.
     */
    const VtdMemory *_Atomic *memory;

    /* One aligned quadword, read or exchanged in one piece.  Locked. */
    bool (*load64)(void *opaque, uint64_t gpa, uint64_t *value);
    VtdCas (*cas64)(void *opaque, uint64_t gpa, uint64_t expected,
                    uint64_t desired);

    /* Send an interrupt message of the unit itself (never remapped). */
    void (*send_msi)(void *opaque, uint64_t addr, uint32_t data);

    /*
     * Deliver @count notices in order.  On failure *@done is the index of the
     * notice that failed: those before it took effect, those behind it were
     * not looked at.
     */
    VtdDelivery (*deliver)(void *opaque, const VtdNotice *notices,
                           unsigned count, unsigned *done);

    /*
     * Whether the accesses are over that began before the last delivery: they
     * may use what it took away.  Asked before the guest is told that an
     * invalidation is complete, if CAP says that the unit drains, with no lock
     * held.  False: it will be asked again, by vtd_continue().
     */
    bool (*drained)(void *opaque);

    /*
     * Virtual commands, asked only if ECAP.VCS is shown, with no lock held.
     * Allocate a PASID for the guest, 1..2^20 - 1; false: there is none.
     */
    bool (*pasid_alloc)(void *opaque, uint32_t *pasid);
    /* Free one; false: @pasid is none of those that were allocated. */
    bool (*pasid_free)(void *opaque, uint32_t pasid);

    /* The guest did something that the spec forbids; @what is a constant
     * string.  The callee limits the rate.  Locked. */
    void (*guest_error)(void *opaque, const char *what, uint64_t value);
} VtdEnv;

/* In place of a window where there is none. */
static const VtdWindow vtd_env_no_window = { 0 };

VTD_INLINE bool vtd_env_in_window(const VtdWindow *window, uint64_t gpa)
{
    return gpa - window->start < window->size;
}

/* Set *@window to the one around @gpa; false: there is none. */
VTD_INLINE bool
vtd_env_find_window(const VtdEnv *env, uint64_t gpa, const VtdWindow **window)
{
    const VtdMemory *memory;
    const VtdWindow *end;

    if (!env->memory) {
        return false;
    }
    memory = atomic_load_explicit(env->memory, memory_order_acquire);
    end = memory->window + memory->count;
    for (const VtdWindow *w = memory->window; w != end; w++) {
        if (vtd_env_in_window(w, gpa)) {
            *window = w;
            return true;
        }
    }
    return false;
}

/* The quadwords from @gpa on, which is in @window. */
VTD_INLINE const _Atomic uint64_t *vtd_env_qwords_at(const VtdWindow *window,
                                                     uint64_t gpa)
{
    return (const _Atomic uint64_t *)(window->host + (gpa - window->start));
}

VTD_INLINE uint64_t vtd_env_peek64(const VtdWindow *window, uint64_t gpa)
{
    return vtd_le64(atomic_load_explicit(vtd_env_qwords_at(window, gpa),
                                         memory_order_relaxed));
}

/* As load64(), in place where that is possible; *@window is kept between
 * loads, it is vtd_env_no_window at first. */
static inline bool vtd_env_load64(const VtdEnv *env, uint64_t gpa,
                                  uint64_t *value, const VtdWindow **window)
{
    if (!vtd_env_in_window(*window, gpa) &&
        !vtd_env_find_window(env, gpa, window)) {
        return env->load64(env->opaque, gpa, value);
    }
    *value = vtd_env_peek64(*window, gpa);
    return true;
}

/* Quadwords that are read in place; more are better copied as a whole. */
#define VTD_ENV_IN_PLACE 8

/* @count little-endian quadwords at @gpa, which is a multiple of eight, as all is
 * that tables and queues are made of; false as for read().  Inline, as most
 * callers have a constant number of them.  *@window as for vtd_env_load64(). */
VTD_INLINE bool
vtd_env_read_near(const VtdEnv *env, uint64_t gpa, uint64_t *qw,
                  unsigned count, const VtdWindow **window)
{
    if (count <= VTD_ENV_IN_PLACE &&
        (vtd_env_in_window(*window, gpa) ||
         vtd_env_find_window(env, gpa, window)) &&
        count * sizeof(*qw) <= (*window)->size - (gpa - (*window)->start)) {
        const _Atomic uint64_t *from = vtd_env_qwords_at(*window, gpa);

        VTD_UNROLL
        for (unsigned i = 0; i < count; i++) {
            qw[i] = vtd_le64(
                atomic_load_explicit(&from[i], memory_order_relaxed));
        }
        return true;
    }
    if (!env->read(env->opaque, gpa, qw, count * sizeof(*qw))) {
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        qw[i] = vtd_le64(qw[i]);
    }
    return true;
}

/* The same for one read alone. */
VTD_INLINE bool
vtd_env_read_qwords(const VtdEnv *env, uint64_t gpa, uint64_t *qw,
                    unsigned count)
{
    const VtdWindow *window = &vtd_env_no_window;

    return vtd_env_read_near(env, gpa, qw, count, &window);
}

#endif
