/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The register file: what is stored, and which bits the guest may change.
 * What a write sets in motion is the matter of vtd_ctrl.c.
 *
 * The guest reads and writes aligned units of 4 or 8 bytes; both are split
 * into 32-bit words here, so that an 8-byte access to two neighbouring 4-byte
 * registers works like two accesses.
 */
#ifndef VTD_REGFILE_H
#define VTD_REGFILE_H

#include "vtd_regs.h"

typedef struct VtdRegFile {
    uint32_t word[VTD_REG_SPACE / 4];
    /* Which register each word is part of, as vtd_regfile.c counts them from 1;
     * 0: of none.  By the capabilities. */
    uint8_t reg[VTD_REG_SPACE / 4];
} VtdRegFile;

/* All registers at their reset values. */
void vtd_regfile_reset(VtdRegFile *regs, uint64_t cap, uint64_t ecap);

/* What the unit shows of itself: CAP, ECAP, VCCAP. */
void vtd_regfile_set_caps(VtdRegFile *regs, uint64_t cap, uint64_t ecap);

/* The guest's write of the word at @offset: read-only bits keep their value,
 * write-one-to-clear bits are cleared. */
void vtd_regfile_guest_write(VtdRegFile *regs, unsigned offset,
                             uint32_t value);

/* Take the first @size bytes of the registers from @bytes: bits that no
 * register has are left out. */
void vtd_regfile_load(VtdRegFile *regs, const uint8_t *bytes, unsigned size);

/* The unit's own view: any bit can be read and written. */
static inline uint32_t vtd_reg32(const VtdRegFile *regs, unsigned offset)
{
    return regs->word[offset / 4];
}

static inline uint64_t vtd_reg64(const VtdRegFile *regs, unsigned offset)
{
    return regs->word[offset / 4] |
           (uint64_t)regs->word[offset / 4 + 1] << 32;
}

static inline void vtd_reg32_set(VtdRegFile *regs, unsigned offset,
                                 uint32_t value)
{
    regs->word[offset / 4] = value;
}

static inline void vtd_reg64_set(VtdRegFile *regs, unsigned offset,
                                 uint64_t value)
{
    regs->word[offset / 4] = value;
    regs->word[offset / 4 + 1] = value >> 32;
}

/* Change the bits of @mask to those of @value. */
static inline void vtd_reg32_change(VtdRegFile *regs, unsigned offset,
                                    uint32_t mask, uint32_t value)
{
    regs->word[offset / 4] = (regs->word[offset / 4] & ~mask) | (value & mask);
}

#endif
