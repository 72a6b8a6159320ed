/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names that QEMU's tests/qtest/intel-iommu-test.c takes from stock's
 * header of this name, for that test only.
 *
 * Stock's VTD_CAP_* and VTD_ECAP_* are the values that the unit reports, those
 * of vtd_regs.h are the fields they lie in; so the two headers exclude each
 * other, and the values are stated here once more.
 */
#ifndef HW_I386_INTEL_IOMMU_INTERNAL_H
#define HW_I386_INTEL_IOMMU_INTERNAL_H

#include "hw/i386/intel_iommu.h"

#define DMAR_CAP_REG 0x08
#define DMAR_ECAP_REG 0x10
#define DMAR_REG_SIZE 0x1000

#define VTD_CAP_ND 6ULL
#define VTD_CAP_SAGAW_39bit (1ULL << 9)
#define VTD_CAP_SAGAW_48bit (1ULL << 10)
#define VTD_CAP_SAGAW_MASK (0x1fULL << 8)
#define VTD_CAP_FRO (0x22ULL << 24) /* fault records at 0x220 */
#define VTD_CAP_SLLPS (3ULL << 34)
#define VTD_CAP_PSI (1ULL << 39)
#define VTD_CAP_NFR (0ULL << 40) /* one fault record */
#define VTD_CAP_MAMV (18ULL << 48)

#define VTD_ECAP_QI (1ULL << 1)
#define VTD_ECAP_IR (1ULL << 3)
#define VTD_ECAP_IRO (0xfULL << 8) /* IVA at 0xf0 */
#define VTD_ECAP_MHMV (15ULL << 20)
#define VTD_ECAP_SMTS (1ULL << 43)
#define VTD_ECAP_FLTS (1ULL << 47)

#define VTD_HOST_AW_48BIT 48
#define VTD_MGAW_FROM_CAP(cap) (((cap) >> 16) & 0x3f)

#endif
