/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt remapping (VT-d spec, chapter "Interrupt Remapping").
 */
#ifndef VTD_IRT_H
#define VTD_IRT_H

#include "vtd_frcd.h"

typedef enum VtdInterruptKind {
    VTD_INTERRUPT_UNCHANGED, /* send the request as it came */
    VTD_INTERRUPT_REMAPPED, /* send what the other fields say */
} VtdInterruptKind;

typedef struct VtdInterrupt {
    VtdInterruptKind kind;
    uint8_t vector;
    uint8_t delivery_mode;
    bool logical; /* destination mode */
    bool redirection_hint;
    bool level; /* trigger mode */
    uint32_t destination; /* APIC id or logical destination */
} VtdInterrupt;

/* As vtd_remap_interrupt() in vtd.h; interrupts of the unit go to @work. */
VtdFault vtd_irt_remap(VtdUnit *u, uint16_t sid, uint64_t addr, uint32_t data,
                       bool quiet, VtdInterrupt *out, VtdWork *work);

#endif
