/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_frcd.h"

#include "vtd_event.h"

#define FSTS_CONDITIONS \
    (VTD_FSTS_PFO | VTD_FSTS_PPF | VTD_FSTS_QUEUE_ERRORS)

static unsigned record_offset(unsigned index)
{
    return VTD_REG_FRCD + index * VTD_FAULT_RECORD_BYTES;
}

static uint64_t record_upper(VtdUnit *u, unsigned index)
{
    return vtd_reg64(&u->regs, record_offset(index) + 8);
}

static bool source_is_pending(VtdUnit *u, uint16_t sid)
{
    for (unsigned i = 0; i < vtd_caps_fault_records(&u->caps); i++) {
        uint64_t upper = record_upper(u, i);

        if ((upper & VTD_FRCD_F) && vtd_get(upper, VTD_FRCD_SID) == sid) {
            return true;
        }
    }
    return false;
}

/* Set @status; the first condition interrupts, further ones are found by the
 * handler of the first. */
static void set_condition(VtdUnit *u, uint32_t status, VtdWork *work)
{
    uint32_t fsts = vtd_reg32(&u->regs, VTD_REG_FSTS);

    vtd_reg32_set(&u->regs, VTD_REG_FSTS, fsts | status);
    if (!(fsts & FSTS_CONDITIONS)) {
        vtd_event_raise(u, VTD_EVENT_FAULT, work);
    }
}

static uint64_t upper_quadword(const VtdFaultRecord *r)
{
    uint64_t upper = VTD_FRCD_F | vtd_put(VTD_FRCD_SID, r->req.sid) |
                     vtd_put(VTD_FRCD_FR, vtd_fault_code(r->fault));

    if (r->page_request) {
        upper |= VTD_FRCD_T2;
    } else if (!(r->access.perm & VTD_PERM_WRITE)) {
        upper |= VTD_FRCD_T1; /* a read */
    }
    if (r->req.has_pasid) {
        upper |= VTD_FRCD_PP | vtd_put(VTD_FRCD_PV, r->req.pasid);
        upper |= r->access.supervisor ? VTD_FRCD_PRIV : 0;
        upper |= r->access.perm & VTD_PERM_EXEC ? VTD_FRCD_EXE : 0;
    }
    return upper;
}

void vtd_frcd_record(VtdUnit *u, const VtdFaultRecord *record, VtdWork *work)
{
    uint32_t fsts = vtd_reg32(&u->regs, VTD_REG_FSTS);
    unsigned index = u->next_record;

    if ((fsts & VTD_FSTS_PFO) || source_is_pending(u, record->req.sid)) {
        return;
    }
    if (record_upper(u, index) & VTD_FRCD_F) {
        set_condition(u, VTD_FSTS_PFO, work);
        return;
    }
    vtd_reg64_set(&u->regs, record_offset(index), record->info);
    vtd_reg64_set(&u->regs, record_offset(index) + 8, upper_quadword(record));
    u->next_record = (index + 1) % vtd_caps_fault_records(&u->caps);
    if (!(fsts & VTD_FSTS_PPF)) {
        vtd_reg32_change(&u->regs, VTD_REG_FSTS, VTD_FSTS_FRI,
                         vtd_put(VTD_FSTS_FRI, index));
    }
    set_condition(u, VTD_FSTS_PPF, work);
}

void vtd_frcd_report(VtdUnit *u, const VtdFaultRecord *record,
                     bool fault_disable, VtdWork *work)
{
    if (fault_disable && vtd_fault_qualified(record->fault)) {
        return;
    }
    pthread_mutex_lock(&u->lock);
    vtd_frcd_record(u, record, work);
    pthread_mutex_unlock(&u->lock);
}

void vtd_frcd_queue_error(VtdUnit *u, uint32_t status, VtdWork *work)
{
    set_condition(u, status, work);
}

void vtd_frcd_update(VtdUnit *u)
{
    bool pending = false;
    uint32_t fsts;

    for (unsigned i = 0; i < vtd_caps_fault_records(&u->caps); i++) {
        pending = pending || (record_upper(u, i) & VTD_FRCD_F);
    }
    vtd_reg32_change(&u->regs, VTD_REG_FSTS, VTD_FSTS_PPF,
                     pending ? VTD_FSTS_PPF : 0);
    fsts = vtd_reg32(&u->regs, VTD_REG_FSTS);
    if (!(fsts & FSTS_CONDITIONS)) {
        vtd_event_withdraw(u, VTD_EVENT_FAULT);
    }
}
