/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a requester (RID, with or without PASID) to the configuration that its
 * requests are translated with: root, context and PASID tables, each entry
 * read once and decoded once (VT-d spec, sections "Legacy Mode Address
 * Translation" and "Scalable Mode Address Translation").
 */
#ifndef VTD_CONTEXT_H
#define VTD_CONTEXT_H

#include "vtd_caps.h"
#include "vtd_env.h"
#include "vtd_fault.h"
#include "vtd_iotlb.h"

typedef struct VtdRequester {
    uint16_t sid;
    bool has_pasid;
    uint32_t pasid;
} VtdRequester;

/* The root table pointer as latched by GCMD.SRTP. */
typedef struct VtdRoot {
    uint64_t base;
    uint8_t ttm;
} VtdRoot;

typedef enum VtdTranslationKind {
    VTD_PASS_THROUGH,
    VTD_FIRST_STAGE,
    VTD_SECOND_STAGE,
    VTD_NESTED,
} VtdTranslationKind;

typedef struct VtdConfig {
    VtdTranslationKind kind;
    bool scalable;
    bool fault_disable; /* FPD; valid also when the fetch has failed */
    bool device_tlb; /* TT = 1 or DTE: ATS requests are allowed */
    bool has_pasid; /* the request carried the PASID itself */
    bool supervisor_enable; /* SRE */
    bool execute_enable; /* ERE */
    bool write_protect; /* WPE */
    bool no_execute; /* NXE */
    bool extended_accessed; /* EAFE */
    bool ss_accessed_dirty; /* SSADE */
    bool supervisor; /* RID_PRIV, of a request without PASID */
    uint8_t fs_levels; /* 4 or 5; first stage and nested */
    uint8_t ss_levels; /* 3, 4 or 5; second stage and nested */
    uint16_t did;
    uint32_t pasid; /* RID_PASID for requests without PASID */
    uint64_t fs_table;
    uint64_t ss_table;
} VtdConfig;

/*
 * Read the configuration of @req from memory.  Returns VTD_FAULT_NONE, or the
 * fault that its requests meet; of @config only fault_disable and pasid are
 * defined then.  No lock, no state: @root is a copy.
 */
VtdFault vtd_context_fetch(const VtdEnv *env, const VtdCaps *caps,
                           VtdRoot root, VtdRequester req, VtdConfig *config);

/*
 * The smallest PASID from *@pasid up that has a present entry in the tables of
 * @sid.  False: there is none.  Entries are not looked at beyond that.
 */
bool vtd_context_next_pasid(const VtdEnv *env, const VtdCaps *caps,
                            VtdRoot root, uint16_t sid, uint32_t *pasid);

/*
 * Whether software takes page requests of @req (PRE): VTD_FAULT_NONE or the
 * fault that they meet.  *@fault_disable is FPD of the context entry, as far
 * as it could be read.
 */
VtdFault vtd_context_page_requests(const VtdEnv *env, const VtdCaps *caps,
                                   VtdRoot root, VtdRequester req,
                                   bool *fault_disable);

/* How translations made with @config are tagged in the IOTLB. */
static inline VtdTag vtd_config_tag(const VtdConfig *config)
{
    bool first_stage =
        config->kind == VTD_FIRST_STAGE || config->kind == VTD_NESTED;

    return (VtdTag){
        .did = config->did,
        .pasid = first_stage ? config->pasid : 0,
        .first_stage = first_stage,
    };
}

#endif
