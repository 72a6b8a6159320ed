/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_regfile.h"

#include <string.h>

typedef struct Reg {
    uint16_t offset;
    uint8_t size;
    uint64_t reset;
    uint64_t writable;
    uint64_t write_1_clears;
    uint64_t read_only; /* set by the unit, not by the guest */
} Reg;

/* GCMD is write-only and reads as zero; its bits act in vtd_ctrl.c.  CAP, ECAP
 * and VCCAP come from the configuration; what is not listed reads as zero. */
#define ALL VTD_BITS(63, 0)
#define FRCD_UPPER \
    (VTD_FRCD_SID | VTD_FRCD_T2 | VTD_FRCD_PRIV | VTD_FRCD_EXE | \
     VTD_FRCD_PP | VTD_FRCD_FR | VTD_FRCD_PV | VTD_FRCD_T1)
static const Reg registers[] = {
    { VTD_REG_VER, 4, VTD_VERSION_1_0, 0, 0, 0xff },
    { VTD_REG_GSTS, 4, 0, 0, 0, 0 },
    { VTD_REG_RTADDR, 8, 0, VTD_RTADDR_RTA | VTD_RTADDR_TTM, 0, 0 },
    { VTD_REG_CCMD, 8, 0,
      VTD_CCMD_ICC | VTD_CCMD_CIRG | VTD_CCMD_FM | VTD_CCMD_SID |
          VTD_CCMD_DID,
      0, VTD_CCMD_CAIG },
    { VTD_REG_FSTS, 4, 0, 0, VTD_FSTS_PFO | VTD_FSTS_QUEUE_ERRORS,
      VTD_FSTS_PPF | VTD_FSTS_FRI },
    { VTD_REG_FECTL, 4, VTD_EVENT_IM, VTD_EVENT_IM, 0, VTD_EVENT_IP },
    { VTD_REG_FEDATA, 4, 0, VTD_BITS(31, 0), 0, 0 },
    { VTD_REG_FEADDR, 4, 0, VTD_EVENT_ADDR, 0, 0 },
    { VTD_REG_FEUADDR, 4, 0, VTD_BITS(31, 0), 0, 0 },
    { VTD_REG_IQH, 8, 0, 0, 0, VTD_IQ_POINTER },
    { VTD_REG_IQT, 8, 0, VTD_IQ_POINTER, 0, 0 },
    { VTD_REG_IQA, 8, 0, VTD_IQA_IQA | VTD_IQA_DW | VTD_IQA_QS, 0, 0 },
    { VTD_REG_ICS, 4, 0, 0, VTD_ICS_IWC, 0 },
    { VTD_REG_IECTL, 4, VTD_EVENT_IM, VTD_EVENT_IM, 0, VTD_EVENT_IP },
    { VTD_REG_IEDATA, 4, 0, VTD_BITS(31, 0), 0, 0 },
    { VTD_REG_IEADDR, 4, 0, VTD_EVENT_ADDR, 0, 0 },
    { VTD_REG_IEUADDR, 4, 0, VTD_BITS(31, 0), 0, 0 },
    { VTD_REG_IQERCD, 8, 0, 0, 0, VTD_IQERCD_IQEI },
    { VTD_REG_IRTA, 8, 0, VTD_IRTA_IRTA | VTD_IRTA_EIME | VTD_IRTA_S, 0, 0 },
    { VTD_REG_PQH, 8, 0, VTD_PQ_POINTER, 0, 0 },
    { VTD_REG_PQT, 8, 0, VTD_PQ_POINTER, 0, 0 },
    { VTD_REG_PQA, 8, 0, VTD_PQA_PQA | VTD_PQA_PQS, 0, 0 },
    { VTD_REG_PRS, 4, 0, 0, VTD_PRS_PPR | VTD_PRS_PRO, 0 },
    { VTD_REG_PECTL, 4, VTD_EVENT_IM, VTD_EVENT_IM, 0, VTD_EVENT_IP },
    { VTD_REG_PEDATA, 4, 0, VTD_BITS(31, 0), 0, 0 },
    { VTD_REG_PEADDR, 4, 0, VTD_EVENT_ADDR, 0, 0 },
    { VTD_REG_PEUADDR, 4, 0, VTD_BITS(31, 0), 0, 0 },
    { VTD_REG_IVA, 8, 0, VTD_IVA_ADDR | VTD_IVA_IH | VTD_IVA_AM, 0, 0 },
    { VTD_REG_IOTLB, 8, 0,
      VTD_IOTLB_IVT | VTD_IOTLB_IIRG | VTD_IOTLB_DID | VTD_BITS(49, 48), 0,
      VTD_IOTLB_IAIG },
    { VTD_REG_FRCD, 8, 0, 0, 0, ALL },
    { VTD_REG_FRCD + 8, 8, 0, 0, VTD_FRCD_F, FRCD_UPPER },
    { VTD_REG_VCMD, 8, 0, ALL, 0, 0 },
    { VTD_REG_VCRSP, 8, 0, 0, 0,
      VTD_VCRSP_IP | VTD_VCRSP_SC | VTD_VCRSP_PASID },
};
#define REGISTERS (sizeof(registers) / sizeof(registers[0]))

static bool in_page_requests(unsigned offset)
{
    return offset >= VTD_REG_PQH && offset < VTD_REG_PEUADDR + 4;
}

static bool in_virtual_commands(unsigned offset)
{
    return offset >= VTD_REG_VCMD && offset < VTD_REG_VCCAP;
}

static bool is_there(unsigned offset, uint64_t ecap)
{
    return !(in_page_requests(offset) && !(ecap & VTD_ECAP_PRS)) &&
           !(in_virtual_commands(offset) && !(ecap & VTD_ECAP_VCS));
}

/* Note which words register @i of the table has.  Fault records are all alike:
 * the table has the first one. */
static void add_register(VtdRegFile *regs, unsigned i)
{
    const Reg *reg = &registers[i];
    unsigned step = VTD_FAULT_RECORD_BYTES;
    unsigned records =
        vtd_reg_in_fault_record(reg->offset) ? VTD_MAX_FAULT_RECORDS : 1;

    for (unsigned n = 0; n < records; n++) {
        for (unsigned at = 0; at < reg->size; at += 4) {
            regs->reg[(reg->offset + n * step + at) / 4] = i + 1;
        }
    }
}

/* The register that the word at @offset is part of, or NULL; *@shift is where
 * in it. */
static const Reg *find(const VtdRegFile *regs, unsigned offset,
                       unsigned *shift)
{
    unsigned i = regs->reg[offset / 4];

    if (!i) {
        return NULL;
    }
    *shift = (offset - registers[i - 1].offset) % 8 * 8;
    return &registers[i - 1];
}

void vtd_regfile_set_caps(VtdRegFile *regs, uint64_t cap, uint64_t ecap)
{
    vtd_reg64_set(regs, VTD_REG_CAP, cap);
    vtd_reg64_set(regs, VTD_REG_ECAP, ecap);
    vtd_reg64_set(regs, VTD_REG_VCCAP,
                  ecap & VTD_ECAP_VCS ? VTD_VCCAP_PAS : 0);
    memset(regs->reg, 0, sizeof(regs->reg));
    for (unsigned i = 0; i < REGISTERS; i++) {
        if (is_there(registers[i].offset, ecap)) {
            add_register(regs, i);
        }
    }
}

void vtd_regfile_reset(VtdRegFile *regs, uint64_t cap, uint64_t ecap)
{
    memset(regs, 0, sizeof(*regs));
    vtd_regfile_set_caps(regs, cap, ecap);
    for (unsigned i = 0; i < REGISTERS; i++) {
        unsigned shift;

        if (find(regs, registers[i].offset, &shift)) {
            vtd_reg32_set(regs, registers[i].offset, registers[i].reset);
        }
    }
}

void vtd_regfile_guest_write(VtdRegFile *regs, unsigned offset,
                             uint32_t value)
{
    unsigned shift;
    const Reg *reg = find(regs, offset, &shift);

    if (reg) {
        uint32_t writable = reg->writable >> shift;
        uint32_t clears = reg->write_1_clears >> shift;
        uint32_t old = vtd_reg32(regs, offset);

        vtd_reg32_set(regs, offset,
                      (old & ~writable & ~(value & clears)) |
                          (value & writable));
    }
}

void vtd_regfile_load(VtdRegFile *regs, const uint8_t *bytes, unsigned size)
{
    for (unsigned offset = 0; offset < size; offset += 4) {
        unsigned shift;
        const Reg *reg = find(regs, offset, &shift);

        if (reg) {
            uint64_t bits =
                reg->writable | reg->write_1_clears | reg->read_only;
            uint32_t value = bytes[offset] | bytes[offset + 1] << 8 |
                             bytes[offset + 2] << 16 |
                             (uint32_t)bytes[offset + 3] << 24;

            vtd_reg32_set(regs, offset, value & (uint32_t)(bits >> shift));
        }
    }
}
