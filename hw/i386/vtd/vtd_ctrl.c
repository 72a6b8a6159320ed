/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_ctrl.h"

#include "vtd_desc.h"
#include "vtd_event.h"
#include "vtd_frcd.h"
#include "vtd_inval.h"
#include "vtd_prq.h"
#include "vtd_qi.h"
#include "vtd_vcmd.h"

static void post(VtdUnit *u, VtdWork *work, VtdNotice notice)
{
    vtd_inval_apply(u, &notice);
    vtd_work_notice(work, notice);
}

static void set_status(VtdUnit *u, uint32_t bit, bool on)
{
    if (on) {
        atomic_fetch_or(&u->status, bit);
    } else {
        atomic_fetch_and(&u->status, ~bit);
    }
}

static void set_root(VtdUnit *u, VtdWork *work)
{
    atomic_store(&u->root, vtd_reg64(&u->regs, VTD_REG_RTADDR));
    set_status(u, VTD_GCMD_SRTP, true);
    /* CAP.ESRTPS: the caches are emptied with it. */
    post(u, work, (VtdNotice){ .kind = VTD_NOTICE_TRANSLATION });
}

static void set_interrupt_root(VtdUnit *u, VtdWork *work)
{
    atomic_store(&u->irta, vtd_reg64(&u->regs, VTD_REG_IRTA));
    set_status(u, VTD_GCMD_SIRTP, true);
    post(u, work, (VtdNotice){ .kind = VTD_NOTICE_INTERRUPT_ENTRY });
}

static void set_translation(VtdUnit *u, bool on, VtdWork *work)
{
    if (!vtd_get(u->caps.cap, VTD_CAP_SAGAW)) {
        u->env.guest_error(u->env.opaque,
                           "translation enabled without support, GCMD", on);
        return;
    }
    set_status(u, VTD_GCMD_TE, on);
    post(u, work, (VtdNotice){ .kind = VTD_NOTICE_TRANSLATION });
}

static void set_interrupt_remapping(VtdUnit *u, bool on, VtdWork *work)
{
    if (u->caps.ecap & VTD_ECAP_IR) {
        set_status(u, VTD_GCMD_IRE, on);
        post(u, work, (VtdNotice){ .kind = VTD_NOTICE_INTERRUPT_ENTRY });
    }
}

static void global_command(VtdUnit *u, uint32_t value, VtdWork *work)
{
    uint32_t changed = value ^ atomic_load(&u->status);

    if (value & VTD_GCMD_SRTP) {
        set_root(u, work);
    }
    if (value & VTD_GCMD_SIRTP) {
        set_interrupt_root(u, work);
    }
    if (changed & VTD_GCMD_CFI) {
        set_status(u, VTD_GCMD_CFI, value & VTD_GCMD_CFI);
    }
    if (changed & VTD_GCMD_QIE) {
        vtd_qi_enable(u, value & VTD_GCMD_QIE);
        work->run_queue = true;
    }
    if (changed & VTD_GCMD_TE) {
        set_translation(u, value & VTD_GCMD_TE, work);
    }
    if (changed & VTD_GCMD_IRE) {
        set_interrupt_remapping(u, value & VTD_GCMD_IRE, work);
    }
}

/* A command that posts no notice completes as refused. */
static void context_command(VtdUnit *u, VtdWork *work)
{
    uint64_t ccmd = vtd_reg64(&u->regs, VTD_REG_CCMD);
    VtdNotice n = {
        .kind = VTD_NOTICE_CONTEXT,
        .did = vtd_get(ccmd, VTD_CCMD_DID),
        .sid = vtd_get(ccmd, VTD_CCMD_SID),
        .sid_mask = vtd_function_mask(vtd_get(ccmd, VTD_CCMD_FM)),
    };

    work->completes = VTD_REG_CCMD;
    if (vtd_desc_scope(vtd_get(ccmd, VTD_CCMD_CIRG), VTD_SCOPE_DEVICE,
                       &n.scope)) {
        post(u, work, n);
    }
}

static void iotlb_command(VtdUnit *u, VtdWork *work)
{
    uint64_t command = vtd_reg64(&u->regs, VTD_REG_IOTLB);
    uint64_t iva = vtd_reg64(&u->regs, VTD_REG_IVA);
    VtdNotice n = {
        .kind = VTD_NOTICE_IOTLB,
        .did = vtd_get(command, VTD_IOTLB_DID),
    };

    work->completes = VTD_REG_IOTLB;
    if (!vtd_desc_scope(vtd_get(command, VTD_IOTLB_IIRG), VTD_SCOPE_PAGE,
                        &n.scope)) {
        return;
    }
    if (n.scope == VTD_SCOPE_PAGE) {
        n.order = vtd_get(iva, VTD_IVA_AM);
        if (n.order > vtd_caps_max_order(&u->caps)) {
            return;
        }
        n.addr = (iva & VTD_IVA_ADDR) & ~((VTD_PAGE_SIZE << n.order) - 1);
        n.leaf_only = iva & VTD_IVA_IH;
    }
    post(u, work, n);
}

void vtd_ctrl_complete(VtdUnit *u, unsigned reg, VtdDelivery result)
{
    uint64_t value = vtd_reg64(&u->regs, reg);
    bool is_context = reg == VTD_REG_CCMD;
    uint64_t busy = is_context ? VTD_CCMD_ICC : VTD_IOTLB_IVT;
    uint64_t wanted = is_context ? VTD_CCMD_CIRG : VTD_IOTLB_IIRG;
    uint64_t actual = is_context ? VTD_CCMD_CAIG : VTD_IOTLB_IAIG;
    uint64_t done = result == VTD_DELIVERED ? vtd_get(value, wanted) : 0;

    vtd_reg64_set(&u->regs, reg,
                  (value & ~(busy | actual)) | vtd_put(actual, done));
}

static void completion_status_written(VtdUnit *u)
{
    if (!(vtd_reg32(&u->regs, VTD_REG_ICS) & VTD_ICS_IWC)) {
        vtd_event_withdraw(u, VTD_EVENT_COMPLETION);
    }
}

/* A command register's upper word holds the bit that starts the command. */
static bool starts(uint32_t upper_word, uint64_t bit)
{
    return upper_word & (bit >> 32);
}

void vtd_ctrl_written(VtdUnit *u, unsigned offset, uint32_t value,
                      VtdWork *work)
{
    if (vtd_reg_in_fault_record(offset)) {
        vtd_frcd_update(u);
        return;
    }
    switch (offset) {
    case VTD_REG_GCMD:
        global_command(u, value, work);
        break;
    case VTD_REG_CCMD + 4:
        if (starts(value, VTD_CCMD_ICC)) {
            context_command(u, work);
        }
        break;
    case VTD_REG_IOTLB + 4:
        if (starts(value, VTD_IOTLB_IVT)) {
            iotlb_command(u, work);
        }
        break;
    case VTD_REG_FSTS:
        vtd_frcd_update(u);
        vtd_qi_update(u);
        work->run_queue = true; /* an error was perhaps cleared */
        break;
    case VTD_REG_ICS:
        completion_status_written(u);
        break;
    case VTD_REG_FECTL:
        vtd_event_control_written(u, VTD_EVENT_FAULT, work);
        break;
    case VTD_REG_IECTL:
        vtd_event_control_written(u, VTD_EVENT_COMPLETION, work);
        break;
    case VTD_REG_PRS:
        vtd_prq_status_written(u);
        break;
    case VTD_REG_PECTL:
        vtd_event_control_written(u, VTD_EVENT_PAGE_REQUEST, work);
        break;
    case VTD_REG_VCMD: /* the word that holds the command starts it */
        vtd_vcmd_written(u, work);
        break;
    }
}
