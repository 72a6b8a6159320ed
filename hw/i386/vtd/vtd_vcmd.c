/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_vcmd.h"

void vtd_vcmd_written(VtdUnit *u, VtdWork *work)
{
    if (!(u->caps.ecap & VTD_ECAP_VCS)) {
        return;
    }
    if (vtd_reg64(&u->regs, VTD_REG_VCRSP) & VTD_VCRSP_IP) {
        u->env.guest_error(u->env.opaque,
                           "virtual command during another, VCMD",
                           vtd_reg64(&u->regs, VTD_REG_VCMD));
        return;
    }
    vtd_reg64_set(&u->regs, VTD_REG_VCRSP, VTD_VCRSP_IP);
    work->runs_virtual_command = true;
    work->virtual_command = vtd_reg64(&u->regs, VTD_REG_VCMD);
}

static uint64_t respond(unsigned status, uint32_t pasid)
{
    return vtd_put(VTD_VCRSP_SC, status) | vtd_put(VTD_VCRSP_PASID, pasid);
}

static uint64_t alloc_pasid(VtdUnit *u)
{
    uint32_t pasid;

    return u->env.pasid_alloc(u->env.opaque, &pasid) ?
               respond(VTD_VCRSP_SUCCESS, pasid) :
               respond(VTD_VCRSP_NO_PASID, 0);
}

static uint64_t free_pasid(VtdUnit *u, uint32_t pasid)
{
    return respond(u->env.pasid_free(u->env.opaque, pasid) ?
                       VTD_VCRSP_SUCCESS :
                       VTD_VCRSP_INVALID_PASID,
                   0);
}

void vtd_vcmd_run(VtdUnit *u, uint64_t command)
{
    uint64_t response;

    switch (vtd_get(command, VTD_VCMD_CMD)) {
    case VTD_VCMD_NULL:
        response = respond(VTD_VCRSP_SUCCESS, 0);
        break;
    case VTD_VCMD_ALLOC_PASID:
        response = alloc_pasid(u);
        break;
    case VTD_VCMD_FREE_PASID:
        response = free_pasid(u, vtd_get(command, VTD_VCMD_PASID));
        break;
    default:
        u->env.guest_error(u->env.opaque, "unknown virtual command, VCMD",
                           command);
        response = respond(VTD_VCRSP_UNDEFINED, 0);
        break;
    }
    pthread_mutex_lock(&u->lock);
    vtd_reg64_set(&u->regs, VTD_REG_VCRSP, response);
    pthread_mutex_unlock(&u->lock);
}
