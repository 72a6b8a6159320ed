/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conditions under which a request is blocked (VT-d spec, section "Fault
 * Conditions": DMA remapping and interrupt remapping).
 *
 * A fault is a value: every function that can refuse a request returns a
 * VtdFault, VTD_FAULT_NONE meaning "no fault".  This list is the one place
 * that knows a condition's reason code, its name in the spec, whether it is
 * qualified, i.e. not recorded when the entry in charge has FPD set, and
 * whether it is recoverable: a translation request of a device (ATS) that
 * meets it is answered with no rights, and a page request can mend it.
 */
#ifndef VTD_FAULT_H
#define VTD_FAULT_H

#include "vtd_bits.h"

typedef enum VtdFaultClass {
    UNQUALIFIED,
    QUALIFIED,
    RECOVERABLE, /* and qualified */
} VtdFaultClass;

/* X(name, reason code, the spec's name, class) */
#define VTD_FAULT_LIST(X) \
    /* legacy mode */ \
    X(ROOT_NOT_PRESENT, 0x01, "LRT.2", UNQUALIFIED) \
    X(CONTEXT_NOT_PRESENT, 0x02, "LCT.2", QUALIFIED) \
    X(CONTEXT_INVALID, 0x03, "LCT.4", QUALIFIED) \
    X(BEYOND_MGAW, 0x04, "LGN.1", QUALIFIED) \
    X(WRITE, 0x05, "LGN.2", RECOVERABLE) \
    X(READ, 0x06, "LGN.3", RECOVERABLE) \
    X(PAGING_ENTRY_ACCESS, 0x07, "LSL.1", QUALIFIED) \
    X(ROOT_ACCESS, 0x08, "LRT.1", UNQUALIFIED) \
    X(CONTEXT_ACCESS, 0x09, "LCT.1", UNQUALIFIED) \
    X(ROOT_RESERVED, 0x0a, "LRT.3", UNQUALIFIED) \
    X(CONTEXT_RESERVED, 0x0b, "LCT.3", QUALIFIED) \
    X(PAGING_ENTRY_RESERVED, 0x0c, "LSL.2", QUALIFIED) \
    X(CONTEXT_BLOCKS_ATS, 0x0d, "LCT.5", QUALIFIED) \
    X(INTERRUPT_ADDRESS, 0x0e, "LGN.4", QUALIFIED) \
    /* interrupt remapping */ \
    X(IR_REQUEST_RESERVED, 0x20, "IR.1", UNQUALIFIED) \
    X(IR_INDEX, 0x21, "IR.2", UNQUALIFIED) \
    X(IR_NOT_PRESENT, 0x22, "IR.3", QUALIFIED) \
    X(IR_ACCESS, 0x23, "IR.4", UNQUALIFIED) \
    X(IR_RESERVED, 0x24, "IR.5", QUALIFIED) \
    X(IR_COMPATIBILITY, 0x25, "IR.6", UNQUALIFIED) \
    X(IR_SOURCE, 0x26, "IR.7", QUALIFIED) \
    /* scalable mode: root table address */ \
    X(SM_TTM_RESERVED, 0x30, "RTA.1", UNQUALIFIED) \
    X(SM_PASID_IN_LEGACY_MODE, 0x31, "RTA.2", UNQUALIFIED) \
    X(SM_PAGE_REQUEST_IN_LEGACY_MODE, 0x32, "RTA.3", UNQUALIFIED) \
    /* scalable mode: root entry */ \
    X(SM_ROOT_ACCESS, 0x38, "SRT.1", UNQUALIFIED) \
    X(SM_ROOT_NOT_PRESENT, 0x39, "SRT.2", UNQUALIFIED) \
    X(SM_ROOT_RESERVED, 0x3a, "SRT.3", UNQUALIFIED) \
    /* scalable mode: context entry */ \
    X(SM_CONTEXT_ACCESS, 0x40, "SCT.1", UNQUALIFIED) \
    X(SM_CONTEXT_NOT_PRESENT, 0x41, "SCT.2", QUALIFIED) \
    X(SM_CONTEXT_RESERVED, 0x42, "SCT.3", QUALIFIED) \
    X(SM_CONTEXT_BLOCKS_ATS, 0x44, "SCT.5", QUALIFIED) \
    X(SM_CONTEXT_NO_PASID, 0x45, "SCT.6", QUALIFIED) \
    X(SM_PASID_TOO_LARGE, 0x46, "SCT.7", QUALIFIED) \
    X(SM_CONTEXT_NO_PAGE_REQUESTS, 0x47, "SCT.8", QUALIFIED) \
    X(SM_RID_PASID_TOO_LARGE, 0x48, "SCT.9", QUALIFIED) \
    /* scalable mode: PASID directory and table entry */ \
    X(SM_PDIR_ACCESS, 0x50, "SPD.1", QUALIFIED) \
    X(SM_PDIR_NOT_PRESENT, 0x51, "SPD.2", QUALIFIED) \
    X(SM_PDIR_RESERVED, 0x52, "SPD.3", QUALIFIED) \
    X(SM_PASID_ACCESS, 0x58, "SPT.1", QUALIFIED) \
    X(SM_PASID_NOT_PRESENT, 0x59, "SPT.2", QUALIFIED) \
    X(SM_PASID_RESERVED, 0x5a, "SPT.3", QUALIFIED) \
    X(SM_PASID_INVALID, 0x5b, "SPT.4", QUALIFIED) \
    X(SM_EXECUTE_DISABLED, 0x5c, "SPT.5", QUALIFIED) \
    X(SM_SUPERVISOR_DISABLED, 0x5d, "SPT.6", QUALIFIED) \
    /* scalable mode: first stage */ \
    X(FS_ACCESS, 0x70, "SFS.1", QUALIFIED) \
    X(FS_NOT_PRESENT, 0x71, "SFS.2", RECOVERABLE) \
    X(FS_RESERVED, 0x72, "SFS.3", QUALIFIED) \
    X(FS_ROOT_ACCESS, 0x73, "SFS.4", QUALIFIED) \
    X(FS_TABLE_BEYOND_WIDTH, 0x74, "SFS.5", QUALIFIED) \
    X(FS_ROOT_NO_READ, 0x75, "SFS.6", RECOVERABLE) \
    X(FS_TABLE_NO_READ, 0x76, "SFS.7", RECOVERABLE) \
    X(FS_TABLE_NO_WRITE, 0x77, "SFS.8", RECOVERABLE) \
    X(FS_UPDATE, 0x91, "SFS.10", QUALIFIED) \
    /* scalable mode: second stage */ \
    X(SS_ACCESS, 0x78, "SSS.1", QUALIFIED) \
    X(SS_NOT_PRESENT, 0x79, "SSS.2", RECOVERABLE) \
    X(SS_RESERVED, 0x7a, "SSS.3", QUALIFIED) \
    X(SS_ROOT_ACCESS, 0x7b, "SSS.4", QUALIFIED) \
    /* scalable mode: the request as a whole */ \
    X(SM_NOT_CANONICAL, 0x80, "SGN.1", QUALIFIED) \
    X(SM_PRIVILEGE, 0x81, "SGN.2", RECOVERABLE) \
    X(SM_NO_EXECUTE, 0x82, "SGN.3", RECOVERABLE) \
    X(SM_BEYOND_MGAW, 0x83, "SGN.4", QUALIFIED) \
    X(SM_BEYOND_SECOND_STAGE, 0x84, "SGN.5", QUALIFIED) \
    X(SM_WRITE, 0x85, "SGN.6", RECOVERABLE) \
    X(SM_READ, 0x86, "SGN.7", RECOVERABLE) \
    X(SM_INTERRUPT_ADDRESS, 0x87, "SGN.8", QUALIFIED)

typedef enum VtdFault {
    VTD_FAULT_NONE = 0,
#define VTD_FAULT_ENUM(name, code, spec, class) VTD_FAULT_##name,
    VTD_FAULT_LIST(VTD_FAULT_ENUM)
#undef VTD_FAULT_ENUM
        VTD_FAULT_COUNT,
} VtdFault;

/* The reason code of @fault as FRCD.FR shows it. */
uint8_t vtd_fault_code(VtdFault fault);

/* True if FPD in the entry that governs the request suppresses @fault. */
bool vtd_fault_qualified(VtdFault fault);

/* True if software can mend it on a page request. */
bool vtd_fault_recoverable(VtdFault fault);

/* "0x71 FS_NOT_PRESENT (SFS.2)": for traces and test messages. */
const char *vtd_fault_name(VtdFault fault);

#endif
