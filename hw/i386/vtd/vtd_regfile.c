/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_regfile.h"

#include <string.h>

typedef struct Reg {
    uint16_t offset;
    uint8_t size;
    uint64_t reset;
    uint64_t writable;
    uint64_t write_1_clears;
} Reg;

/* GCMD is write-only and reads as zero; its bits act in vtd_ctrl.c.  CAP and
 * ECAP come from the configuration; what is not listed reads as zero. */
static const Reg registers[] = {
    { VTD_REG_VER, 4, VTD_VERSION_1_0, 0, 0 },
    { VTD_REG_GSTS, 4, 0, 0, 0 },
    { VTD_REG_RTADDR, 8, 0, VTD_RTADDR_RTA | VTD_RTADDR_TTM, 0 },
    { VTD_REG_CCMD, 8, 0,
      VTD_CCMD_ICC | VTD_CCMD_CIRG | VTD_CCMD_FM | VTD_CCMD_SID |
          VTD_CCMD_DID,
      0 },
    { VTD_REG_FSTS, 4, 0, 0, VTD_FSTS_PFO | VTD_FSTS_QUEUE_ERRORS },
    { VTD_REG_FECTL, 4, VTD_EVENT_IM, VTD_EVENT_IM, 0 },
    { VTD_REG_FEDATA, 4, 0, VTD_BITS(31, 0), 0 },
    { VTD_REG_FEADDR, 4, 0, VTD_EVENT_ADDR, 0 },
    { VTD_REG_FEUADDR, 4, 0, VTD_BITS(31, 0), 0 },
    { VTD_REG_IQH, 8, 0, 0, 0 },
    { VTD_REG_IQT, 8, 0, VTD_IQ_POINTER, 0 },
    { VTD_REG_IQA, 8, 0, VTD_IQA_IQA | VTD_IQA_DW | VTD_IQA_QS, 0 },
    { VTD_REG_ICS, 4, 0, 0, VTD_ICS_IWC },
    { VTD_REG_IECTL, 4, VTD_EVENT_IM, VTD_EVENT_IM, 0 },
    { VTD_REG_IEDATA, 4, 0, VTD_BITS(31, 0), 0 },
    { VTD_REG_IEADDR, 4, 0, VTD_EVENT_ADDR, 0 },
    { VTD_REG_IEUADDR, 4, 0, VTD_BITS(31, 0), 0 },
    { VTD_REG_IQERCD, 8, 0, 0, 0 },
    { VTD_REG_IRTA, 8, 0, VTD_IRTA_IRTA | VTD_IRTA_EIME | VTD_IRTA_S, 0 },
    { VTD_REG_IVA, 8, 0, VTD_IVA_ADDR | VTD_IVA_IH | VTD_IVA_AM, 0 },
    { VTD_REG_IOTLB, 8, 0,
      VTD_IOTLB_IVT | VTD_IOTLB_IIRG | VTD_IOTLB_DID | VTD_BITS(49, 48), 0 },
    { VTD_REG_FRCD, 8, 0, 0, 0 },
    { VTD_REG_FRCD + 8, 8, 0, 0, VTD_FRCD_F },
};
#define REGISTERS (sizeof(registers) / sizeof(registers[0]))

/* The register that the word at @offset is part of, or NULL. */
static const Reg *find(unsigned offset)
{
    for (unsigned i = 0; i < REGISTERS; i++) {
        const Reg *reg = &registers[i];

        if (offset >= reg->offset && offset < reg->offset + reg->size) {
            return reg;
        }
    }
    return NULL;
}

void vtd_regfile_reset(VtdRegFile *regs, uint64_t cap, uint64_t ecap)
{
    memset(regs, 0, sizeof(*regs));
    for (unsigned i = 0; i < REGISTERS; i++) {
        vtd_reg32_set(regs, registers[i].offset, registers[i].reset);
    }
    vtd_reg64_set(regs, VTD_REG_CAP, cap);
    vtd_reg64_set(regs, VTD_REG_ECAP, ecap);
}

void vtd_regfile_guest_write(VtdRegFile *regs, unsigned offset,
                             uint32_t value)
{
    const Reg *reg = find(offset);

    if (reg) {
        unsigned shift = (offset - reg->offset) * 8;
        uint32_t writable = reg->writable >> shift;
        uint32_t clears = reg->write_1_clears >> shift;
        uint32_t old = vtd_reg32(regs, offset);

        vtd_reg32_set(regs, offset,
                      (old & ~writable & ~(value & clears)) |
                          (value & writable));
    }
}
