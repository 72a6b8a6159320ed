/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_irt.h"

/* One request on its way through the table. */
typedef struct Request {
    uint16_t sid;
    uint64_t addr;
    uint32_t data;
    uint32_t index;
    bool fault_disable;
} Request;

static bool remappable(const Request *r)
{
    return r->addr & VTD_MSI_FORMAT;
}

static VtdFault decode_request(Request *r)
{
    r->index = vtd_get(r->addr, VTD_MSI_HANDLE_14_0) |
               vtd_get(r->addr, VTD_MSI_HANDLE_15) << 15;
    if (r->addr & VTD_MSI_SHV) {
        if (r->data & ~VTD_MSI_SUBHANDLE) {
            return VTD_FAULT_IR_REQUEST_RESERVED;
        }
        r->index += vtd_get(r->data, VTD_MSI_SUBHANDLE);
    }
    if (r->addr & VTD_BITS(1, 0)) {
        return VTD_FAULT_IR_REQUEST_RESERVED;
    }
    return VTD_FAULT_NONE;
}

static VtdFault fetch_entry(VtdUnit *u, uint64_t irta, const Request *r,
                            uint64_t qw[VTD_IRTE_QWORDS])
{
    uint64_t gpa = (irta & VTD_IRTA_IRTA) + r->index * 16ull;

    if (r->index >= 2u << vtd_get(irta, VTD_IRTA_S)) {
        return VTD_FAULT_IR_INDEX;
    }
    if (!vtd_env_read_qwords(&u->env, gpa, qw, VTD_IRTE_QWORDS)) {
        return VTD_FAULT_IR_ACCESS;
    }
    return VTD_FAULT_NONE;
}

static bool source_allowed(const uint64_t *qw, uint16_t sid)
{
    uint16_t want = vtd_get(qw[1], VTD_IRTE_SID);
    uint16_t mask = ~vtd_function_mask(vtd_get(qw[1], VTD_IRTE_SQ));

    switch (vtd_get(qw[1], VTD_IRTE_SVT)) {
    case VTD_SVT_NONE:
        return true;
    case VTD_SVT_SID:
        return (want & mask) == (sid & mask);
    case VTD_SVT_BUS:
        /* SID[15:8] is the first bus, SID[7:0] the last. */
        return sid >> 8 >= want >> 8 && sid >> 8 <= (want & 0xff);
    default:
        return false;
    }
}

static VtdFault decode_entry(const uint64_t *qw, bool x2apic, Request *r,
                             VtdInterrupt *out)
{
    uint64_t rsvd0 = VTD_IRTE_RSVD0;

    r->fault_disable = qw[0] & VTD_IRTE_FPD;
    if (!(qw[0] & VTD_IRTE_P)) {
        return VTD_FAULT_IR_NOT_PRESENT;
    }
    if (!x2apic) {
        rsvd0 |= VTD_IRTE_DST & ~VTD_IRTE_XAPIC_DST;
    }
    /* IM chooses posted interrupts, which are not offered. */
    if ((qw[0] & (rsvd0 | VTD_IRTE_IM)) || (qw[1] & VTD_IRTE_RSVD1) ||
        vtd_get(qw[1], VTD_IRTE_SVT) > VTD_SVT_BUS) {
        return VTD_FAULT_IR_RESERVED;
    }
    if (!source_allowed(qw, r->sid)) {
        return VTD_FAULT_IR_SOURCE;
    }
    *out = (VtdInterrupt){
        .kind = VTD_INTERRUPT_REMAPPED,
        .vector = vtd_get(qw[0], VTD_IRTE_V),
        .delivery_mode = vtd_get(qw[0], VTD_IRTE_DLM),
        .logical = qw[0] & VTD_IRTE_DM,
        .redirection_hint = qw[0] & VTD_IRTE_RH,
        .level = qw[0] & VTD_IRTE_TM,
        .destination =
            vtd_get(qw[0], x2apic ? VTD_IRTE_DST : VTD_IRTE_XAPIC_DST),
    };
    return VTD_FAULT_NONE;
}

static VtdFault remap(VtdUnit *u, Request *r, VtdInterrupt *out)
{
    uint32_t status = atomic_load(&u->status);
    uint64_t irta = atomic_load(&u->irta);
    bool x2apic = (irta & VTD_IRTA_EIME) && (u->caps.ecap & VTD_ECAP_EIM);
    uint64_t qw[VTD_IRTE_QWORDS];
    VtdFault fault;

    *out = (VtdInterrupt){ .kind = VTD_INTERRUPT_UNCHANGED };
    if (!(status & VTD_GCMD_IRE)) {
        return VTD_FAULT_NONE;
    }
    if (!remappable(r)) {
        if (x2apic || !(status & VTD_GCMD_CFI)) {
            return VTD_FAULT_IR_COMPATIBILITY;
        }
        return VTD_FAULT_NONE;
    }
    fault = decode_request(r);
    if (!fault) {
        fault = fetch_entry(u, irta, r, qw);
    }
    return fault ? fault : decode_entry(qw, x2apic, r, out);
}

VtdFault vtd_irt_remap(VtdUnit *u, uint16_t sid, uint64_t addr, uint32_t data,
                       bool quiet, VtdInterrupt *out, VtdWork *work)
{
    Request r = { .sid = sid, .addr = addr, .data = data };
    VtdFault fault = remap(u, &r, out);

    if (fault && !quiet) {
        vtd_frcd_report(u,
                        &(VtdFaultRecord){
                            .fault = fault,
                            .req = { .sid = sid },
                            .access = { .perm = VTD_PERM_WRITE },
                            .info = (uint64_t)r.index << 48,
                        },
                        r.fault_disable, work);
    }
    return fault;
}
