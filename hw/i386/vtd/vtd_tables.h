/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fields of the tables that the guest builds in memory: root, context and
 * PASID tables, interrupt-remapping table, first- and second-stage paging
 * structures (VT-d spec, chapter "Translation Structure Formats").
 *
 * Entries are read as arrays of little-endian quadwords.  QW0, QW1... in a
 * field's comment tells which quadword it lies in.  *_RSVD masks hold the bits
 * that are reserved whatever the configuration; what a capability makes
 * reserved is added in vtd_caps.c.
 */
#ifndef VTD_TABLES_H
#define VTD_TABLES_H

#include "vtd_bits.h"

/* Root entry: QW0 is the (lower) context table, QW1 the scalable upper one. */
#define VTD_ROOT_QWORDS 2
#define VTD_ROOT_P VTD_BIT(0)
#define VTD_ROOT_CTP VTD_BITS(63, 12)
#define VTD_ROOT_RSVD VTD_BITS(11, 1)

/* Legacy context entry */
#define VTD_CTX_QWORDS 2
#define VTD_CTX_P VTD_BIT(0) /* QW0 */
#define VTD_CTX_FPD VTD_BIT(1) /* QW0 */
#define VTD_CTX_TT VTD_BITS(3, 2) /* QW0 */
#define VTD_CTX_SSPTPTR VTD_BITS(63, 12) /* QW0 */
#define VTD_CTX_AW VTD_BITS(2, 0) /* QW1 */
#define VTD_CTX_DID VTD_BITS(23, 8) /* QW1 */
#define VTD_CTX_RSVD0 VTD_BITS(11, 4)
#define VTD_CTX_RSVD1 (VTD_BIT(7) | VTD_BITS(63, 24))
enum {
    VTD_TT_UNTRANSLATED = 0,
    VTD_TT_DEVICE_TLB = 1,
    VTD_TT_PASS_THROUGH = 2,
};

/* Scalable-mode context entry */
#define VTD_SMCTX_QWORDS 4
#define VTD_SMCTX_P VTD_BIT(0) /* QW0 */
#define VTD_SMCTX_FPD VTD_BIT(1) /* QW0 */
#define VTD_SMCTX_DTE VTD_BIT(2) /* QW0 */
#define VTD_SMCTX_PASIDE VTD_BIT(3) /* QW0 */
#define VTD_SMCTX_PRE VTD_BIT(4) /* QW0 */
#define VTD_SMCTX_PDTS VTD_BITS(11, 9) /* QW0 */
#define VTD_SMCTX_PASIDDIRPTR VTD_BITS(63, 12) /* QW0 */
#define VTD_SMCTX_RID_PASID VTD_BITS(19, 0) /* QW1 */
#define VTD_SMCTX_RID_PRIV VTD_BIT(20) /* QW1 */
#define VTD_SMCTX_RSVD0 VTD_BITS(8, 5)
#define VTD_SMCTX_RSVD1 VTD_BITS(63, 21)

/* PASID directory entry.  PDTS = x gives 2^(x+7) directory entries. */
#define VTD_PDIR_P VTD_BIT(0)
#define VTD_PDIR_FPD VTD_BIT(1)
#define VTD_PDIR_SMPTBLPTR VTD_BITS(63, 12)
#define VTD_PDIR_RSVD VTD_BITS(11, 2)
#define VTD_PDIR_MIN_SHIFT 7
#define VTD_PASIDS_PER_TABLE_SHIFT 6
#define VTD_PASID_MAX_BITS 20

/* PASID table entry */
#define VTD_PASID_QWORDS 8
#define VTD_PASID_P VTD_BIT(0) /* QW0 */
#define VTD_PASID_FPD VTD_BIT(1) /* QW0 */
#define VTD_PASID_AW VTD_BITS(4, 2) /* QW0 */
#define VTD_PASID_PGTT VTD_BITS(8, 6) /* QW0 */
#define VTD_PASID_SSADE VTD_BIT(9) /* QW0 */
#define VTD_PASID_SSPTPTR VTD_BITS(63, 12) /* QW0 */
#define VTD_PASID_DID VTD_BITS(15, 0) /* QW1 */
#define VTD_PASID_PWSNP VTD_BIT(23) /* QW1 */
#define VTD_PASID_PGSNP VTD_BIT(24) /* QW1 */
#define VTD_PASID_SRE VTD_BIT(0) /* QW2 */
#define VTD_PASID_ERE VTD_BIT(1) /* QW2 */
#define VTD_PASID_FSPM VTD_BITS(3, 2) /* QW2 */
#define VTD_PASID_WPE VTD_BIT(4) /* QW2 */
#define VTD_PASID_NXE VTD_BIT(5) /* QW2 */
#define VTD_PASID_SMEP VTD_BIT(6) /* QW2 */
#define VTD_PASID_EAFE VTD_BIT(7) /* QW2 */
#define VTD_PASID_FSPTPTR VTD_BITS(63, 12) /* QW2 */
#define VTD_PASID_RSVD0 (VTD_BIT(5) | VTD_BITS(11, 10))
#define VTD_PASID_RSVD1 VTD_BITS(22, 16)
#define VTD_PASID_RSVD2 VTD_BITS(11, 8)
enum {
    VTD_PGTT_FIRST_STAGE = 1,
    VTD_PGTT_SECOND_STAGE = 2,
    VTD_PGTT_NESTED = 3,
    VTD_PGTT_PASS_THROUGH = 4,
};
enum { VTD_FSPM_4_LEVEL = 0,
       VTD_FSPM_5_LEVEL = 1 };

/* First-stage paging entries */
#define VTD_FS_P VTD_BIT(0)
#define VTD_FS_RW VTD_BIT(1)
#define VTD_FS_US VTD_BIT(2)
#define VTD_FS_A VTD_BIT(5)
#define VTD_FS_D VTD_BIT(6)
#define VTD_FS_PS VTD_BIT(7)
#define VTD_FS_EA VTD_BIT(10)
#define VTD_FS_XD VTD_BIT(63)

/* Second-stage paging entries */
#define VTD_SS_R VTD_BIT(0)
#define VTD_SS_W VTD_BIT(1)
#define VTD_SS_PS VTD_BIT(7)
#define VTD_SS_A VTD_BIT(8)
#define VTD_SS_D VTD_BIT(9)
#define VTD_SS_SNP VTD_BIT(11)
#define VTD_SS_TM VTD_BIT(62)

/* Both stages */
#define VTD_PTE_ADDR VTD_BITS(51, 12)
#define VTD_LEVEL_BITS 9
#define VTD_MAX_LEVELS 5

/*
 * Function bits of a source id that do not count: FM of a context-cache
 * invalidation, SQ of an interrupt-remapping entry.
 */
static inline uint16_t vtd_function_mask(unsigned code)
{
    return 7 & ~(7 >> code);
}

/* Interrupt-remapping table entry */
#define VTD_IRTE_QWORDS 2
#define VTD_IRTE_P VTD_BIT(0) /* QW0 */
#define VTD_IRTE_FPD VTD_BIT(1) /* QW0 */
#define VTD_IRTE_DM VTD_BIT(2) /* QW0 */
#define VTD_IRTE_RH VTD_BIT(3) /* QW0 */
#define VTD_IRTE_TM VTD_BIT(4) /* QW0 */
#define VTD_IRTE_DLM VTD_BITS(7, 5) /* QW0 */
#define VTD_IRTE_IM VTD_BIT(15) /* QW0 */
#define VTD_IRTE_V VTD_BITS(23, 16) /* QW0 */
#define VTD_IRTE_DST VTD_BITS(63, 32) /* QW0 */
#define VTD_IRTE_XAPIC_DST VTD_BITS(47, 40) /* QW0, EIME = 0 */
#define VTD_IRTE_SID VTD_BITS(15, 0) /* QW1 */
#define VTD_IRTE_SQ VTD_BITS(17, 16) /* QW1 */
#define VTD_IRTE_SVT VTD_BITS(19, 18) /* QW1 */
#define VTD_IRTE_RSVD0 (VTD_BITS(14, 12) | VTD_BITS(31, 24))
#define VTD_IRTE_RSVD1 VTD_BITS(63, 20)
enum { VTD_SVT_NONE = 0,
       VTD_SVT_SID = 1,
       VTD_SVT_BUS = 2 };

/* Interrupt request as a device writes it, remappable format */
#define VTD_MSI_RANGE_FIRST 0xfee00000ull
#define VTD_MSI_RANGE_LAST 0xfeefffffull
#define VTD_MSI_HANDLE_15 VTD_BIT(2)
#define VTD_MSI_SHV VTD_BIT(3)
#define VTD_MSI_FORMAT VTD_BIT(4)
#define VTD_MSI_HANDLE_14_0 VTD_BITS(19, 5)
#define VTD_MSI_SUBHANDLE VTD_BITS(15, 0) /* of the data */

#endif
