/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_fault.h"

typedef struct VtdFaultInfo {
    uint8_t code;
    VtdFaultClass class;
    const char *name;
} VtdFaultInfo;

static const VtdFaultInfo faults[VTD_FAULT_COUNT] = {
    [VTD_FAULT_NONE] = { 0, UNQUALIFIED, "no fault" },
#define VTD_FAULT_INFO(name, code, spec, class) \
    [VTD_FAULT_##name] = { code, class, #code " " #name " (" spec ")" },
    VTD_FAULT_LIST(VTD_FAULT_INFO)
#undef VTD_FAULT_INFO
};

uint8_t vtd_fault_code(VtdFault fault)
{
    return faults[fault].code;
}

bool vtd_fault_qualified(VtdFault fault)
{
    return faults[fault].class != UNQUALIFIED;
}

bool vtd_fault_recoverable(VtdFault fault)
{
    return faults[fault].class == RECOVERABLE;
}

const char *vtd_fault_name(VtdFault fault)
{
    return faults[fault].name;
}
