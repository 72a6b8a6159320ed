/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_caps.h"

#include <string.h>

/* Domain ids of 16 bits: 2^(4 + 2 * ND). */
#define DOMAIN_ID_CODE 6
/* Second-stage large pages of 2 MiB and 1 GiB. */
#define LARGE_PAGES_2M_1G 3
/* What a paging entry has room for. */
#define MAX_HOST_ADDRESS_BITS 52
/* Largest interrupt-entry mask that an invalidation may carry. */
#define MAX_HANDLE_MASK 15

/* What refines a stage needs the stage. */
static const char *check_parts(const VtdOptions *o)
{
    if (o->supervisor_requests && !o->first_stage) {
        return "srs=on needs first-stage translation: add x-flts=on";
    }
    if (o->extended_accessed && !o->first_stage) {
        return "eafs=on needs first-stage translation: add x-flts=on";
    }
    if (o->ss_accessed_dirty &&
        !(o->scalable_mode && (o->nested || !o->first_stage))) {
        return "ssads=on needs the second stage of scalable mode: add "
               "x-scalable-mode=on, and nested=on if x-flts=on is set";
    }
    if (o->coherent_walks && !o->scalable_mode) {
        return "smpwcs=on needs scalable mode: add x-scalable-mode=on";
    }
    if (o->rid_pasid && !o->scalable_mode) {
        return "rps=on needs scalable mode: add x-scalable-mode=on";
    }
    if (o->page_requests && !(o->scalable_mode && o->device_tlb)) {
        return "prs=on needs x-scalable-mode=on,device-iotlb=on";
    }
    if (o->no_write_flag && !o->device_tlb) {
        return "nwfs=on needs device-iotlb=on";
    }
    if (o->virtual_commands && !o->pasid_bits) {
        return "host-uapi=vfio-v1 translates requests with PASID only: add "
               "pasid-bits=N (N at most 20)";
    }
    if (!o->fault_records || o->fault_records > VTD_MAX_FAULT_RECORDS) {
        return "fault-records must be between 1 and 8";
    }
    return NULL;
}

static const char *check(const VtdOptions *o)
{
    if (o->aw_bits != 39 && o->aw_bits != 48 && o->aw_bits != 57) {
        return "aw-bits must be 39, 48 or 57";
    }
    if (o->first_stage && !o->scalable_mode) {
        return "x-flts=on needs scalable mode: add x-scalable-mode=on";
    }
    if (o->first_stage && o->aw_bits < 48) {
        return "x-flts=on needs aw-bits=48 or 57";
    }
    if (o->nested && !(o->scalable_mode && o->first_stage)) {
        return "nested=on needs both stages: add x-scalable-mode=on,x-flts=on";
    }
    if (o->pasid_bits && !o->scalable_mode) {
        return "PASID support needs scalable mode: add x-scalable-mode=on";
    }
    if (o->pasid_bits > VTD_PASID_MAX_BITS) {
        return "pasid-bits must be between 0 and 20";
    }
    if (o->eim && !o->interrupt_remap) {
        return "eim=on needs interrupt remapping: add intremap=on";
    }
    if (!o->drain && o->scalable_mode) {
        return "x-scalable-mode=on needs dma-drain=on";
    }
    return check_parts(o);
}

static uint64_t compose_cap(const VtdOptions *o)
{
    uint64_t sagaw = 0;
    uint64_t cap = vtd_put(VTD_CAP_ND, DOMAIN_ID_CODE) |
                   vtd_put(VTD_CAP_MGAW, o->aw_bits - 1) |
                   vtd_put(VTD_CAP_FRO, VTD_REG_FRCD / 16) |
                   vtd_put(VTD_CAP_NFR, o->fault_records - 1) |
                   vtd_put(VTD_CAP_SSLPS, LARGE_PAGES_2M_1G) |
                   vtd_put(VTD_CAP_MAMV, o->mask_order) | VTD_CAP_PSI |
                   VTD_CAP_ESRTPS;

    if (o->dma_translation) {
        sagaw = VTD_SAGAW_LEVELS(3);
        if (o->aw_bits >= 48) {
            sagaw |= VTD_SAGAW_LEVELS(4);
        }
        if (o->aw_bits >= 57) {
            sagaw |= VTD_SAGAW_LEVELS(5);
        }
    }
    cap |= vtd_put(VTD_CAP_SAGAW, sagaw);
    if (o->caching_mode) {
        cap |= VTD_CAP_CM;
    }
    if (o->drain) {
        cap |= VTD_CAP_DWD | VTD_CAP_DRD;
    }
    if (o->first_stage && o->fs1gp) {
        cap |= VTD_CAP_FS1GP;
    }
    if (o->first_stage && o->aw_bits >= 57) {
        cap |= VTD_CAP_FS5LP;
    }
    return cap;
}

static uint64_t compose_ecap(const VtdOptions *o)
{
    uint64_t ecap = VTD_ECAP_QI | vtd_put(VTD_ECAP_IRO, VTD_REG_IVA / 16);

    if (o->device_tlb) {
        ecap |= VTD_ECAP_DT;
    }
    if (o->interrupt_remap) {
        ecap |= VTD_ECAP_IR | vtd_put(VTD_ECAP_MHMV, MAX_HANDLE_MASK);
    }
    if (o->eim) {
        ecap |= VTD_ECAP_EIM;
    }
    if (o->pass_through) {
        ecap |= VTD_ECAP_PT;
    }
    if (o->snoop_control) {
        ecap |= VTD_ECAP_SC;
    }
    if (o->scalable_mode) {
        ecap |= VTD_ECAP_SMTS;
        /* SRS with the second stage alone: so has QEMU's own device. */
        ecap |= o->first_stage ? VTD_ECAP_FSTS
                               : VTD_ECAP_SSTS | VTD_ECAP_SRS;
    }
    /* Hosts that hand out PASIDs have no place for the guest's second stage. */
    if (o->nested && !o->virtual_commands) {
        ecap |= VTD_ECAP_SSTS | VTD_ECAP_NEST;
    }
    if (o->supervisor_requests) {
        ecap |= VTD_ECAP_SRS;
    }
    if (o->extended_accessed) {
        ecap |= VTD_ECAP_EAFS;
    }
    if (o->ss_accessed_dirty) {
        ecap |= VTD_ECAP_SSADS;
    }
    if (o->coherent_walks) {
        ecap |= VTD_ECAP_SMPWCS;
    }
    if (o->page_requests) {
        ecap |= VTD_ECAP_PRS | VTD_ECAP_PDS;
    }
    if (o->no_write_flag) {
        ecap |= VTD_ECAP_NWFS;
    }
    if (o->rid_pasid) {
        ecap |= VTD_ECAP_RPS;
    }
    if (o->virtual_commands) {
        ecap |= VTD_ECAP_VCS;
    }
    if (o->pasid_bits) {
        ecap |= VTD_ECAP_PASID | vtd_put(VTD_ECAP_PSS, o->pasid_bits - 1);
    }
    return ecap;
}

/*
 * Paging entries: an address bit beyond the host address width is reserved at
 * every level, so is a low address bit of a large page.  PS is reserved where
 * the level has no leaf, what is said of a page (SNP, TM) where it is none.
 * As in QEMU's own device, SNP is free in scalable mode.
 */
static void compose_paging(const VtdOptions *o, VtdCaps *caps)
{
    uint64_t ss_leaf_common = caps->rsvd_addr;
    unsigned largest_fs = o->fs1gp ? 3 : 2;

    if (!o->snoop_control && !o->scalable_mode) {
        ss_leaf_common |= VTD_SS_SNP;
    }
    if (!o->device_tlb || !o->stale_tm) {
        ss_leaf_common |= VTD_SS_TM;
    }
    caps->fs_table_rsvd = caps->rsvd_addr | VTD_FS_PS;
    caps->ss_table_rsvd =
        caps->rsvd_addr | VTD_SS_SNP | VTD_SS_TM | VTD_SS_PS;
    for (unsigned level = 1; level <= VTD_MAX_LEVELS; level++) {
        uint64_t low = (1ull << ((level - 1) * VTD_LEVEL_BITS)) - 1;

        /* Bit 12 of a large first-stage leaf is its PAT bit. */
        uint64_t fs_low = (low & ~1ull) << VTD_PAGE_SHIFT;
        bool fs_leaf = level <= largest_fs;
        bool ss_leaf = level <= 3;

        caps->fs_leaf_rsvd[level] =
            fs_leaf ? caps->rsvd_addr | fs_low : ~0ull;
        caps->ss_leaf_rsvd[level] =
            ss_leaf ? ss_leaf_common | low << VTD_PAGE_SHIFT : ~0ull;
    }
}

const char *vtd_caps_compose(const VtdOptions *options, VtdCaps *caps)
{
    const char *why = check(options);

    if (why) {
        return why;
    }
    memset(caps, 0, sizeof(*caps));
    caps->cap = compose_cap(options);
    caps->ecap = compose_ecap(options);
    caps->haw_bits = options->aw_bits < MAX_HOST_ADDRESS_BITS
                         ? options->aw_bits
                         : MAX_HOST_ADDRESS_BITS;
    caps->rsvd_addr = VTD_PTE_ADDR & ~((1ull << caps->haw_bits) - 1);
    compose_paging(options, caps);
    return NULL;
}

unsigned vtd_caps_fault_records(const VtdCaps *caps)
{
    return vtd_get(caps->cap, VTD_CAP_NFR) + 1;
}
