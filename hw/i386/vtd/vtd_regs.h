/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Register offsets and fields of a VT-d remapping unit (VT-d spec, chapter
 * "Register Descriptions").  Names are the spec's without the _REG suffix.
 */
#ifndef VTD_REGS_H
#define VTD_REGS_H

#include "vtd_bits.h"

/* The register page that the device decodes. */
#define VTD_REG_SPACE 0x1000

enum {
    VTD_REG_VER = 0x00,
    VTD_REG_CAP = 0x08,
    VTD_REG_ECAP = 0x10,
    VTD_REG_GCMD = 0x18,
    VTD_REG_GSTS = 0x1c,
    VTD_REG_RTADDR = 0x20,
    VTD_REG_CCMD = 0x28,
    VTD_REG_FSTS = 0x34,
    VTD_REG_FECTL = 0x38,
    VTD_REG_FEDATA = 0x3c,
    VTD_REG_FEADDR = 0x40,
    VTD_REG_FEUADDR = 0x44,
    VTD_REG_PMEN = 0x64,
    VTD_REG_IQH = 0x80,
    VTD_REG_IQT = 0x88,
    VTD_REG_IQA = 0x90,
    VTD_REG_ICS = 0x9c,
    VTD_REG_IECTL = 0xa0,
    VTD_REG_IEDATA = 0xa4,
    VTD_REG_IEADDR = 0xa8,
    VTD_REG_IEUADDR = 0xac,
    VTD_REG_IQERCD = 0xb0,
    VTD_REG_IRTA = 0xb8,
    VTD_REG_PQH = 0xc0,
    VTD_REG_PQT = 0xc8,
    VTD_REG_PQA = 0xd0,
    VTD_REG_PRS = 0xdc,
    VTD_REG_PECTL = 0xe0,
    VTD_REG_PEDATA = 0xe4,
    VTD_REG_PEADDR = 0xe8,
    VTD_REG_PEUADDR = 0xec,
    VTD_REG_IVA = 0xf0, /* at ECAP.IRO */
    VTD_REG_IOTLB = 0xf8, /* IVA + 8 */
    VTD_REG_FRCD = 0x220, /* at CAP.FRO, 16 bytes each */
    VTD_REG_VCMD = 0xe00, /* these three with ECAP.VCS */
    VTD_REG_VCRSP = 0xe10,
    VTD_REG_VCCAP = 0xe30,
};

#define VTD_FAULT_RECORD_BYTES 16
/* Most fault records that a unit can have. */
#define VTD_MAX_FAULT_RECORDS 8

/* Whether the register at @offset belongs to one of them. */
static inline bool vtd_reg_in_fault_record(unsigned offset)
{
    return offset >= VTD_REG_FRCD &&
           offset < VTD_REG_FRCD +
                        VTD_MAX_FAULT_RECORDS * VTD_FAULT_RECORD_BYTES;
}

#define VTD_VERSION_1_0 0x10

/* CAP */
#define VTD_CAP_ND VTD_BITS(2, 0)
#define VTD_CAP_RWBF VTD_BIT(4)
#define VTD_CAP_CM VTD_BIT(7)
#define VTD_CAP_SAGAW VTD_BITS(12, 8)
#define VTD_CAP_MGAW VTD_BITS(21, 16)
#define VTD_CAP_FRO VTD_BITS(33, 24)
#define VTD_CAP_SSLPS VTD_BITS(37, 34)
#define VTD_CAP_PSI VTD_BIT(39)
#define VTD_CAP_NFR VTD_BITS(47, 40)
#define VTD_CAP_MAMV VTD_BITS(53, 48)
#define VTD_CAP_DWD VTD_BIT(54)
#define VTD_CAP_DRD VTD_BIT(55)
#define VTD_CAP_FS1GP VTD_BIT(56)
#define VTD_CAP_FS5LP VTD_BIT(60)
#define VTD_CAP_ESRTPS VTD_BIT(63)

/* CAP.SAGAW and the AW fields of table entries speak of 3, 4 or 5 levels. */
#define VTD_SAGAW_LEVELS(levels) VTD_BIT((levels)-2)

/* ECAP */
#define VTD_ECAP_C VTD_BIT(0)
#define VTD_ECAP_QI VTD_BIT(1)
#define VTD_ECAP_DT VTD_BIT(2)
#define VTD_ECAP_IR VTD_BIT(3)
#define VTD_ECAP_EIM VTD_BIT(4)
#define VTD_ECAP_PT VTD_BIT(6)
#define VTD_ECAP_SC VTD_BIT(7)
#define VTD_ECAP_IRO VTD_BITS(17, 8)
#define VTD_ECAP_MHMV VTD_BITS(23, 20)
#define VTD_ECAP_NEST VTD_BIT(26)
#define VTD_ECAP_PRS VTD_BIT(29)
#define VTD_ECAP_SRS VTD_BIT(31)
#define VTD_ECAP_NWFS VTD_BIT(33)
#define VTD_ECAP_EAFS VTD_BIT(34)
#define VTD_ECAP_PSS VTD_BITS(39, 35)
#define VTD_ECAP_PASID VTD_BIT(40)
#define VTD_ECAP_PDS VTD_BIT(42)
#define VTD_ECAP_SMTS VTD_BIT(43)
#define VTD_ECAP_VCS VTD_BIT(44)
#define VTD_ECAP_SSADS VTD_BIT(45)
#define VTD_ECAP_SSTS VTD_BIT(46)
#define VTD_ECAP_FSTS VTD_BIT(47)
#define VTD_ECAP_SMPWCS VTD_BIT(48)
#define VTD_ECAP_RPS VTD_BIT(49)

/* GCMD and, at the same bits, GSTS */
#define VTD_GCMD_CFI VTD_BIT(23)
#define VTD_GCMD_SIRTP VTD_BIT(24)
#define VTD_GCMD_IRE VTD_BIT(25)
#define VTD_GCMD_QIE VTD_BIT(26)
#define VTD_GCMD_WBF VTD_BIT(27)
#define VTD_GCMD_SRTP VTD_BIT(30)
#define VTD_GCMD_TE VTD_BIT(31)

/* RTADDR */
#define VTD_RTADDR_TTM VTD_BITS(11, 10)
#define VTD_RTADDR_RTA VTD_BITS(63, 12)
enum { VTD_TTM_LEGACY = 0,
       VTD_TTM_SCALABLE = 1 };

/* CCMD */
#define VTD_CCMD_DID VTD_BITS(15, 0)
#define VTD_CCMD_SID VTD_BITS(31, 16)
#define VTD_CCMD_FM VTD_BITS(33, 32)
#define VTD_CCMD_CAIG VTD_BITS(60, 59)
#define VTD_CCMD_CIRG VTD_BITS(62, 61)
#define VTD_CCMD_ICC VTD_BIT(63)

/* IVA, IOTLB */
#define VTD_IVA_AM VTD_BITS(5, 0)
#define VTD_IVA_IH VTD_BIT(6)
#define VTD_IVA_ADDR VTD_BITS(63, 12)
#define VTD_IOTLB_DID VTD_BITS(47, 32)
#define VTD_IOTLB_IAIG VTD_BITS(58, 57)
#define VTD_IOTLB_IIRG VTD_BITS(61, 60)
#define VTD_IOTLB_IVT VTD_BIT(63)

/* FSTS */
#define VTD_FSTS_PFO VTD_BIT(0)
#define VTD_FSTS_PPF VTD_BIT(1)
#define VTD_FSTS_IQE VTD_BIT(4)
#define VTD_FSTS_ICE VTD_BIT(5)
#define VTD_FSTS_ITE VTD_BIT(6)
#define VTD_FSTS_FRI VTD_BITS(15, 8)
#define VTD_FSTS_QUEUE_ERRORS (VTD_FSTS_IQE | VTD_FSTS_ICE | VTD_FSTS_ITE)

/* FECTL, IECTL, PECTL */
#define VTD_EVENT_IP VTD_BIT(30)
#define VTD_EVENT_IM VTD_BIT(31)
#define VTD_EVENT_ADDR VTD_BITS(31, 2)

/* ICS */
#define VTD_ICS_IWC VTD_BIT(0)

/* IQH, IQT, IQA */
#define VTD_IQ_POINTER VTD_BITS(18, 4)
#define VTD_IQA_QS VTD_BITS(2, 0)
#define VTD_IQA_DW VTD_BIT(11)
#define VTD_IQA_IQA VTD_BITS(63, 12)

/* IQERCD */
#define VTD_IQERCD_IQEI VTD_BITS(3, 0)

/* PQH, PQT, PQA, PRS */
#define VTD_PQ_POINTER VTD_BITS(18, 5)
#define VTD_PQA_PQS VTD_BITS(2, 0)
#define VTD_PQA_PQA VTD_BITS(63, 12)
#define VTD_PRS_PPR VTD_BIT(0)
#define VTD_PRS_PRO VTD_BIT(1)

/* IRTA */
#define VTD_IRTA_S VTD_BITS(3, 0)
#define VTD_IRTA_EIME VTD_BIT(11)
#define VTD_IRTA_IRTA VTD_BITS(63, 12)

/* FRCD, upper quadword */
#define VTD_FRCD_SID VTD_BITS(15, 0)
#define VTD_FRCD_T2 VTD_BIT(28)
#define VTD_FRCD_PRIV VTD_BIT(29)
#define VTD_FRCD_EXE VTD_BIT(30)
#define VTD_FRCD_PP VTD_BIT(31)
#define VTD_FRCD_FR VTD_BITS(39, 32)
#define VTD_FRCD_PV VTD_BITS(59, 40)
#define VTD_FRCD_T1 VTD_BIT(62)
#define VTD_FRCD_F VTD_BIT(63)

/* VCMD, VCRSP, VCCAP; a PASID is at the same place as operand and as result. */
#define VTD_VCMD_CMD VTD_BITS(7, 0)
#define VTD_VCMD_PASID VTD_BITS(35, 16)
#define VTD_VCRSP_IP VTD_BIT(0)
#define VTD_VCRSP_SC VTD_BITS(7, 1)
#define VTD_VCRSP_PASID VTD_BITS(35, 16)
#define VTD_VCCAP_PAS VTD_BIT(0)

#endif
