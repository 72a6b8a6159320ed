/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the user's options to what the unit reports and enforces.
 */
#ifndef VTD_CAPS_H
#define VTD_CAPS_H

#include "vtd_regs.h"
#include "vtd_tables.h"

typedef struct VtdOptions {
    uint8_t aw_bits; /* 39, 48 or 57: guest address width */
    uint8_t pasid_bits; /* 0: no PASID support, else 1..20 */
    bool scalable_mode; /* SMTS */
    bool first_stage; /* FSTS */
    bool nested; /* FSTS, SSTS and NEST */
    bool fs1gp; /* 1 GiB first-stage pages */
    bool device_tlb; /* DT */
    bool pass_through; /* PT */
    bool dma_translation; /* off: SAGAW is 0, interrupt remapping only */
    bool interrupt_remap; /* IR */
    bool eim; /* EIM */
    bool snoop_control; /* SC */
    bool stale_tm; /* with device_tlb: accept the TM bit of old kernels */
    bool caching_mode; /* CM */
    bool drain; /* DRD, DWD */
    bool supervisor_requests; /* SRS for first-stage tables */
    bool extended_accessed; /* EAFS */
    bool ss_accessed_dirty; /* SSADS */
    bool coherent_walks; /* SMPWCS */
    bool rid_pasid; /* RPS */
    bool page_requests; /* PRS, PDS */
    bool no_write_flag; /* NWFS */
    bool virtual_commands; /* VCS, and no second stage with nested */
    uint8_t fault_records; /* NFR: 1..VTD_MAX_FAULT_RECORDS */
    uint8_t mask_order; /* MAMV: at most aw_bits - 12 */
} VtdOptions;

typedef struct VtdCaps {
    uint64_t cap;
    uint64_t ecap;
    uint8_t haw_bits; /* width of addresses in tables */
    uint64_t rsvd_addr; /* address bits beyond the host address width */
    /* Reserved bits of paging entries: of one that leads to a table, PS among
     * them; and of a leaf by level (1 = last), all ones where there is none. */
    uint64_t fs_table_rsvd;
    uint64_t ss_table_rsvd;
    uint64_t fs_leaf_rsvd[VTD_MAX_LEVELS + 1];
    uint64_t ss_leaf_rsvd[VTD_MAX_LEVELS + 1];
} VtdCaps;

/*
 * Fill @caps from @options.  Returns NULL, or the sentence that says which
 * options contradict each other and how to mend that; @caps is then undefined.
 */
const char *vtd_caps_compose(const VtdOptions *options, VtdCaps *caps);

/* Highest PASID plus one that the unit accepts; 1 without PASID support. */
static inline uint32_t vtd_caps_pasid_limit(const VtdCaps *caps)
{
    return caps->ecap & VTD_ECAP_PASID
               ? 2u << vtd_get(caps->ecap, VTD_ECAP_PSS)
               : 1;
}

/* Number of fault-recording registers. */
unsigned vtd_caps_fault_records(const VtdCaps *caps);

/* Largest address-mask order of a page-selective invalidation. */
static inline unsigned vtd_caps_max_order(const VtdCaps *caps)
{
    return vtd_get(caps->cap, VTD_CAP_MAMV);
}

/* True if second-stage tables of @levels levels are supported. */
static inline bool vtd_caps_second_stage_levels(const VtdCaps *caps,
                                                unsigned levels)
{
    uint64_t sagaw = vtd_get(caps->cap, VTD_CAP_SAGAW);

    return levels >= 3 && levels <= VTD_MAX_LEVELS &&
           (sagaw & VTD_SAGAW_LEVELS(levels));
}

#endif
