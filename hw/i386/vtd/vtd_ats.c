/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_ats.h"

static VtdFault check_enabled(const VtdConfig *config)
{
    if (config->device_tlb) {
        return VTD_FAULT_NONE;
    }
    return config->scalable ? VTD_FAULT_SM_CONTEXT_BLOCKS_ATS
                            : VTD_FAULT_CONTEXT_BLOCKS_ATS;
}

static VtdFault report(VtdUnit *u, const VtdSource *source, VtdFault fault,
                       bool fault_disable, uint64_t addr, VtdAccess access,
                       VtdWork *work)
{
    vtd_frcd_report(u,
                    &(VtdFaultRecord){
                        .fault = fault,
                        .req = source->req,
                        .access = access,
                        .info = addr & VTD_PAGE_MASK,
                    },
                    fault_disable, work);
    return fault;
}

VtdFault vtd_ats_request(VtdUnit *u, VtdSource *source, uint64_t iova,
                         VtdAccess want, VtdMapping *out, VtdWork *work)
{
    VtdConfig config;
    VtdFault fault = vtd_source_config(u, source, &config);
    /* From all that is wanted to less: the first that is allowed. */
    const uint8_t less[] = {
        want.perm,
        want.perm & ~VTD_PERM_EXEC,
        want.perm & ~VTD_PERM_WRITE,
        want.perm & ~(VTD_PERM_WRITE | VTD_PERM_EXEC),
        want.perm & VTD_PERM_WRITE,
    };

    if (!fault) {
        fault = check_enabled(&config);
    }
    if (fault) {
        return report(u, source, fault, config.fault_disable, iova, want,
                      work);
    }
    for (unsigned i = 0; i < sizeof(less); i++) {
        VtdAccess access = { less[i], want.supervisor };

        if (!access.perm) {
            continue;
        }
        fault = vtd_translate(u, source, iova, access, true, out);
        if (!fault) {
            out->perm &= access.perm;
            return VTD_FAULT_NONE;
        }
        if (!vtd_fault_recoverable(fault)) {
            return report(u, source, fault, config.fault_disable, iova, want,
                          work);
        }
    }
    *out = (VtdMapping){
        .iova = iova & VTD_PAGE_MASK,
        .shift = VTD_PAGE_SHIFT,
    };
    return VTD_FAULT_NONE;
}

VtdFault vtd_ats_translated(VtdUnit *u, VtdSource *source, uint64_t pa,
                            VtdAccess access, VtdWork *work)
{
    VtdConfig config;
    VtdFault fault = vtd_source_config(u, source, &config);

    if (!fault) {
        fault = check_enabled(&config);
    }
    if (!fault) {
        fault = vtd_check_interrupt_range(&config, pa);
    }
    if (fault) {
        report(u, source, fault, config.fault_disable, pa, access, work);
    }
    return fault;
}
