/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include "../../unit/tap.h"

#define BASE 0xfed90000ull

#define REG_GCMD 0x18
#define REG_RTADDR 0x20
#define REG_IQH 0x80
#define REG_IQT 0x88
#define REG_IQA 0x90

#define GCMD_QIE (1u << 26)
#define GCMD_SRTP (1u << 30)
#define GCMD_TE (1u << 31)
#define GSTS_LASTING 0x96800000u /* what a command must repeat */

#define RTADDR_SCALABLE (1ull << 10)
#define IQA_WIDE (1ull << 11)
#define IQA_SIZE 2 /* 2^2 pages */

/* Descriptor types and granularities */
#define D_CONTEXT 1
#define D_IOTLB 2
#define D_PASID_IOTLB 6
#define D_PASID_CACHE 7
#define G(x) ((uint64_t)(x) << 4)
#define DID(x) ((uint64_t)(x) << 16)
#define PASID(x) ((uint64_t)(x) << 32)

#define POLLS 100000

uint32_t unit_read32(Unit *unit, unsigned reg)
{
    return vm_read32(unit->vm, BASE + reg);
}

uint64_t unit_read64(Unit *unit, unsigned reg)
{
    return vm_read64(unit->vm, BASE + reg);
}

/* Set or clear @bit by a global command, and see it confirmed. */
static void global_command(Unit *unit, uint32_t bit, bool on)
{
    uint32_t status = unit_read32(unit, UNIT_REG_GSTS) & GSTS_LASTING;

    vm_write32(unit->vm, BASE + REG_GCMD, on ? status | bit : status & ~bit);
    for (unsigned i = 0; i < POLLS; i++) {
        if (!(unit_read32(unit, UNIT_REG_GSTS) & bit) == !on) {
            return;
        }
    }
    tap_fail(__FILE__, __LINE__, "GSTS does not follow GCMD bit 0x%x", bit);
}

static void start_queue(Unit *unit, uint64_t place)
{
    vm_write64(unit->vm, BASE + REG_IQT, 0);
    vm_write64(unit->vm, BASE + REG_IQA, place | IQA_WIDE | IQA_SIZE);
    unit->tail = 0;
    unit->pending = 0;
    global_command(unit, GCMD_QIE, true);
}

void unit_set_root(Unit *unit, uint64_t root)
{
    vm_write64(unit->vm, BASE + REG_RTADDR, root | RTADDR_SCALABLE);
    global_command(unit, GCMD_SRTP, true);
}

void unit_start(Unit *unit, uint64_t root)
{
    unit_set_root(unit, root);
    start_queue(unit, unit->queue);
}

void unit_translate(Unit *unit, bool on)
{
    global_command(unit, GCMD_TE, on);
}

void unit_descriptor(Unit *unit, uint64_t low, uint64_t high)
{
    uint64_t place = unit->queue + unit->tail * 32;

    *vm_qword(unit->vm, place) = low;
    *vm_qword(unit->vm, place + 8) = high;
    *vm_qword(unit->vm, place + 16) = 0;
    *vm_qword(unit->vm, place + 24) = 0;
    unit->tail = (unit->tail + 1) % UNIT_QUEUE_SLOTS;
    CHECK(++unit->pending < UNIT_QUEUE_SLOTS);
}

void unit_context_global(Unit *unit)
{
    unit_descriptor(unit, D_CONTEXT | G(1), 0);
}

void unit_pasid_cache_global(Unit *unit)
{
    unit_descriptor(unit, D_PASID_CACHE | G(3), 0);
}

void unit_pasid_cache_domain(Unit *unit, uint16_t did)
{
    unit_descriptor(unit, D_PASID_CACHE | G(0) | DID(did), 0);
}

void unit_pasid_cache(Unit *unit, uint16_t did, uint32_t pasid)
{
    unit_descriptor(unit, D_PASID_CACHE | G(1) | DID(did) | PASID(pasid), 0);
}

void unit_iotlb_global(Unit *unit)
{
    unit_descriptor(unit, D_IOTLB | G(1), 0);
}

void unit_iotlb_domain(Unit *unit, uint16_t did)
{
    unit_descriptor(unit, D_IOTLB | G(2) | DID(did), 0);
}

void unit_iotlb_pages(Unit *unit, uint16_t did, uint64_t addr, unsigned order)
{
    unit_descriptor(unit, D_IOTLB | G(3) | DID(did), addr | order);
}

void unit_pasid_iotlb(Unit *unit, uint16_t did, uint32_t pasid)
{
    unit_descriptor(unit, D_PASID_IOTLB | G(2) | DID(did) | PASID(pasid), 0);
}

void unit_pasid_iotlb_pages(Unit *unit, uint16_t did, uint32_t pasid,
                            uint64_t addr, unsigned order, bool leaf_only)
{
    unit_descriptor(unit, D_PASID_IOTLB | G(3) | DID(did) | PASID(pasid),
                    addr | (uint64_t)leaf_only << 6 | order);
}

/* True when the status came, false when the queue stopped. */
static bool run_queue(Unit *unit)
{
    volatile uint32_t *status =
        (volatile uint32_t *)vm_qword(unit->vm, unit->status);
    uint32_t expected = ++unit->waits;

    unit_descriptor(unit,
                    UNIT_WAIT_DESCRIPTOR | (uint64_t)expected << 32,
                    unit->status);
    vm_write64(unit->vm, BASE + REG_IQT, unit->tail * 32);
    unit->pending = 0;
    for (unsigned i = 0; i < POLLS; i++) {
        if (*status == expected) {
            return true;
        }
        if (unit_read32(unit, UNIT_REG_FSTS) & UNIT_FSTS_QUEUE_ERRORS) {
            return false;
        }
    }
    tap_fail(__FILE__, __LINE__, "no status from the queue, IQH 0x%x",
             unit_read32(unit, REG_IQH));
}

/* Drop what is in the queue. */
static void restart_queue(Unit *unit)
{
    global_command(unit, GCMD_QIE, false);
    vm_write32(unit->vm, BASE + UNIT_REG_FSTS, UNIT_FSTS_QUEUE_ERRORS);
    start_queue(unit, unit->queue);
}

void unit_wait(Unit *unit)
{
    if (!run_queue(unit)) {
        uint32_t fsts = unit_read32(unit, UNIT_REG_FSTS);
        uint32_t head = unit_read32(unit, REG_IQH);

        restart_queue(unit);
        tap_fail(__FILE__, __LINE__, "the queue stopped: FSTS 0x%x, IQH 0x%x",
                 fsts, head);
    }
}

uint32_t unit_run_queue_at(Unit *unit, uint64_t place)
{
    uint32_t fsts;

    global_command(unit, GCMD_QIE, false);
    start_queue(unit, place);
    vm_write64(unit->vm, BASE + REG_IQT, 32);
    fsts = unit_read32(unit, UNIT_REG_FSTS);
    restart_queue(unit);
    return fsts;
}

uint32_t unit_wait_for_error(Unit *unit)
{
    bool completed = run_queue(unit);
    uint32_t fsts = unit_read32(unit, UNIT_REG_FSTS);

    CHECK(!completed);
    restart_queue(unit);
    return fsts;
}
