/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_context.h"

#include <string.h>

/* Pointers to tables have no bits above the host address width. */
static uint64_t beyond_width(const VtdCaps *caps)
{
    return ~0ull << caps->haw_bits;
}

static VtdFault decode_legacy(const VtdCaps *caps, const uint64_t *qw,
                              VtdConfig *c)
{
    unsigned tt = vtd_get(qw[0], VTD_CTX_TT);
    unsigned levels = vtd_get(qw[1], VTD_CTX_AW) + 2;

    c->fault_disable = qw[0] & VTD_CTX_FPD;
    if (!(qw[0] & VTD_CTX_P)) {
        return VTD_FAULT_CONTEXT_NOT_PRESENT;
    }
    if ((qw[0] & (VTD_CTX_RSVD0 | beyond_width(caps))) ||
        (qw[1] & VTD_CTX_RSVD1)) {
        return VTD_FAULT_CONTEXT_RESERVED;
    }
    c->did = vtd_get(qw[1], VTD_CTX_DID);
    c->ss_table = qw[0] & VTD_CTX_SSPTPTR;
    c->ss_levels = levels;
    c->device_tlb = tt == VTD_TT_DEVICE_TLB;
    c->kind = tt == VTD_TT_PASS_THROUGH ? VTD_PASS_THROUGH : VTD_SECOND_STAGE;
    /* AW counts for pass-through as well. */
    if (tt > VTD_TT_PASS_THROUGH ||
        (tt == VTD_TT_PASS_THROUGH && !(caps->ecap & VTD_ECAP_PT)) ||
        (c->device_tlb && !(caps->ecap & VTD_ECAP_DT)) ||
        !vtd_caps_second_stage_levels(caps, levels)) {
        return VTD_FAULT_CONTEXT_INVALID;
    }
    return VTD_FAULT_NONE;
}

static VtdFault fetch_legacy(const VtdEnv *env, const VtdCaps *caps,
                             VtdRoot root, VtdRequester req, VtdConfig *c)
{
    uint64_t re[VTD_ROOT_QWORDS];
    uint64_t ce[VTD_CTX_QWORDS];
    uint64_t ce_gpa;

    if (req.has_pasid) {
        return VTD_FAULT_SM_PASID_IN_LEGACY_MODE;
    }
    if (!vtd_env_read_qwords(env, root.base + (req.sid >> 8) * sizeof(re), re,
                             VTD_ROOT_QWORDS)) {
        return VTD_FAULT_ROOT_ACCESS;
    }
    if (!(re[0] & VTD_ROOT_P)) {
        return VTD_FAULT_ROOT_NOT_PRESENT;
    }
    if ((re[0] & (VTD_ROOT_RSVD | beyond_width(caps))) || re[1]) {
        return VTD_FAULT_ROOT_RESERVED;
    }
    ce_gpa = (re[0] & VTD_ROOT_CTP) + (req.sid & 0xff) * sizeof(ce);
    if (!vtd_env_read_qwords(env, ce_gpa, ce, VTD_CTX_QWORDS)) {
        return VTD_FAULT_CONTEXT_ACCESS;
    }
    return decode_legacy(caps, ce, c);
}

/* What the scalable-mode context entry tells beside its own checks. */
typedef struct PasidDirectory {
    uint64_t base;
    uint32_t limit; /* highest PASID plus one */
} PasidDirectory;

VTD_INLINE VtdFault
decode_scalable_context(const VtdCaps *caps, const uint64_t *qw,
                        VtdRequester req, VtdConfig *c, PasidDirectory *dir)
{
    uint32_t rid_pasid = vtd_get(qw[1], VTD_SMCTX_RID_PASID);

    c->fault_disable = qw[0] & VTD_SMCTX_FPD;
    if (!(qw[0] & VTD_SMCTX_P)) {
        return VTD_FAULT_SM_CONTEXT_NOT_PRESENT;
    }
    if ((qw[0] & (VTD_SMCTX_RSVD0 | beyond_width(caps))) ||
        (qw[1] & VTD_SMCTX_RSVD1) || qw[2] || qw[3]) {
        return VTD_FAULT_SM_CONTEXT_RESERVED;
    }
    c->device_tlb = qw[0] & VTD_SMCTX_DTE;
    c->supervisor = !req.has_pasid && (qw[1] & VTD_SMCTX_RID_PRIV);
    dir->base = qw[0] & VTD_SMCTX_PASIDDIRPTR;
    dir->limit = 1u << (vtd_get(qw[0], VTD_SMCTX_PDTS) + VTD_PDIR_MIN_SHIFT +
                        VTD_PASIDS_PER_TABLE_SHIFT);
    if (!req.has_pasid) {
        c->pasid = rid_pasid;
        if (rid_pasid >= dir->limit) {
            return VTD_FAULT_SM_RID_PASID_TOO_LARGE;
        }
        return VTD_FAULT_NONE;
    }
    if (!(caps->ecap & VTD_ECAP_PASID) || !(qw[0] & VTD_SMCTX_PASIDE)) {
        return VTD_FAULT_SM_CONTEXT_NO_PASID;
    }
    if (req.pasid >= dir->limit || req.pasid >= vtd_caps_pasid_limit(caps)) {
        return VTD_FAULT_SM_PASID_TOO_LARGE;
    }
    return VTD_FAULT_NONE;
}

static VtdFault check_first_stage(const VtdCaps *caps, const uint64_t *qw,
                                  VtdConfig *c)
{
    unsigned mode = vtd_get(qw[2], VTD_PASID_FSPM);

    if (!(caps->ecap & VTD_ECAP_FSTS) || mode > VTD_FSPM_5_LEVEL ||
        (mode == VTD_FSPM_5_LEVEL && !(caps->cap & VTD_CAP_FS5LP)) ||
        (c->supervisor_enable && !(caps->ecap & VTD_ECAP_SRS)) ||
        (c->extended_accessed && !(caps->ecap & VTD_ECAP_EAFS))) {
        return VTD_FAULT_SM_PASID_INVALID;
    }
    c->fs_levels = mode == VTD_FSPM_5_LEVEL ? 5 : 4;
    return VTD_FAULT_NONE;
}

static VtdFault check_second_stage(const VtdCaps *caps, VtdConfig *c)
{
    if (!(caps->ecap & VTD_ECAP_SSTS) ||
        !vtd_caps_second_stage_levels(caps, c->ss_levels)) {
        return VTD_FAULT_SM_PASID_INVALID;
    }
    return VTD_FAULT_NONE;
}

static VtdFault decode_pasid(const VtdCaps *caps, const uint64_t *qw,
                             VtdConfig *c)
{
    uint64_t rsvd0 = VTD_PASID_RSVD0;
    VtdFault fault;

    c->fault_disable |= !!(qw[0] & VTD_PASID_FPD);
    if (!(qw[0] & VTD_PASID_P)) {
        return VTD_FAULT_SM_PASID_NOT_PRESENT;
    }
    if (!(caps->ecap & VTD_ECAP_SSADS)) {
        rsvd0 |= VTD_PASID_SSADE;
    }
    if ((qw[0] & (rsvd0 | beyond_width(caps))) ||
        (qw[1] & VTD_PASID_RSVD1) ||
        (qw[2] & (VTD_PASID_RSVD2 | beyond_width(caps))) || qw[3] || qw[4] ||
        qw[5] || qw[6] || qw[7]) {
        return VTD_FAULT_SM_PASID_RESERVED;
    }
    c->did = vtd_get(qw[1], VTD_PASID_DID);
    c->ss_table = qw[0] & VTD_PASID_SSPTPTR;
    c->ss_levels = vtd_get(qw[0], VTD_PASID_AW) + 2;
    c->fs_table = qw[2] & VTD_PASID_FSPTPTR;
    c->supervisor_enable = qw[2] & VTD_PASID_SRE;
    c->execute_enable = qw[2] & VTD_PASID_ERE;
    c->write_protect = qw[2] & VTD_PASID_WPE;
    c->no_execute = qw[2] & VTD_PASID_NXE;
    c->extended_accessed = qw[2] & VTD_PASID_EAFE;
    c->ss_accessed_dirty = qw[0] & VTD_PASID_SSADE;

    switch (vtd_get(qw[0], VTD_PASID_PGTT)) {
    case VTD_PGTT_FIRST_STAGE:
        c->kind = VTD_FIRST_STAGE;
        return check_first_stage(caps, qw, c);
    case VTD_PGTT_SECOND_STAGE:
        c->kind = VTD_SECOND_STAGE;
        return check_second_stage(caps, c);
    case VTD_PGTT_NESTED:
        c->kind = VTD_NESTED;
        if (!(caps->ecap & VTD_ECAP_NEST)) {
            return VTD_FAULT_SM_PASID_INVALID;
        }
        fault = check_first_stage(caps, qw, c);
        return fault ? fault : check_second_stage(caps, c);
    case VTD_PGTT_PASS_THROUGH:
        c->kind = VTD_PASS_THROUGH;
        if (!(caps->ecap & VTD_ECAP_PT)) {
            return VTD_FAULT_SM_PASID_INVALID;
        }
        return VTD_FAULT_NONE;
    default:
        return VTD_FAULT_SM_PASID_INVALID;
    }
}

static VtdFault fetch_pasid(const VtdEnv *env, const VtdCaps *caps,
                            uint64_t dir, const VtdWindow *window,
                            VtdConfig *c)
{
    uint32_t in_table = c->pasid & ((1u << VTD_PASIDS_PER_TABLE_SHIFT) - 1);
    uint32_t in_dir = c->pasid >> VTD_PASIDS_PER_TABLE_SHIFT;
    uint64_t pde;
    VTD_UNSET uint64_t pe[VTD_PASID_QWORDS];
    uint64_t pe_gpa;

    if (!vtd_env_read_near(env, dir + in_dir * sizeof(pde), &pde, 1,
                           &window)) {
        return VTD_FAULT_SM_PDIR_ACCESS;
    }
    c->fault_disable |= !!(pde & VTD_PDIR_FPD);
    if (!(pde & VTD_PDIR_P)) {
        return VTD_FAULT_SM_PDIR_NOT_PRESENT;
    }
    if (pde & (VTD_PDIR_RSVD | beyond_width(caps))) {
        return VTD_FAULT_SM_PDIR_RESERVED;
    }
    pe_gpa = (pde & VTD_PDIR_SMPTBLPTR) + in_table * sizeof(pe);
    if (!vtd_env_read_near(env, pe_gpa, pe, VTD_PASID_QWORDS, &window)) {
        return VTD_FAULT_SM_PASID_ACCESS;
    }
    return decode_pasid(caps, pe, c);
}

/* Read the scalable-mode context entry of @sid; *@window as for
 * vtd_env_load64(). */
VTD_INLINE VtdFault read_context(const VtdEnv *env, const VtdCaps *caps,
                                 VtdRoot root, uint16_t sid,
                                 uint64_t ce[VTD_SMCTX_QWORDS],
                                 const VtdWindow **window)
{
    uint64_t half;
    uint64_t ce_gpa;

    /* Devices 0..15 of the bus in the lower table, 16..31 in the upper. */
    if (!vtd_env_read_near(env, root.base + (sid >> 7) * sizeof(half), &half, 1,
                           window)) {
        return VTD_FAULT_SM_ROOT_ACCESS;
    }
    if (!(half & VTD_ROOT_P)) {
        return VTD_FAULT_SM_ROOT_NOT_PRESENT;
    }
    if (half & (VTD_ROOT_RSVD | beyond_width(caps))) {
        return VTD_FAULT_SM_ROOT_RESERVED;
    }
    ce_gpa = (half & VTD_ROOT_CTP) +
             (sid & 0x7f) * VTD_SMCTX_QWORDS * sizeof(*ce);
    if (!vtd_env_read_near(env, ce_gpa, ce, VTD_SMCTX_QWORDS, window)) {
        return VTD_FAULT_SM_CONTEXT_ACCESS;
    }
    return VTD_FAULT_NONE;
}

static VtdFault fetch_scalable(const VtdEnv *env, const VtdCaps *caps,
                               VtdRoot root, VtdRequester req, VtdConfig *c)
{
    VTD_UNSET uint64_t ce[VTD_SMCTX_QWORDS];
    const VtdWindow *window = &vtd_env_no_window;
    VTD_UNSET PasidDirectory dir;
    VtdFault fault;

    c->scalable = true;
    fault = read_context(env, caps, root, req.sid, ce, &window);
    if (!fault) {
        fault = decode_scalable_context(caps, ce, req, c, &dir);
    }
    return fault ? fault : fetch_pasid(env, caps, dir.base, window, c);
}

VtdFault vtd_context_page_requests(const VtdEnv *env, const VtdCaps *caps,
                                   VtdRoot root, VtdRequester req,
                                   bool *fault_disable)
{
    uint64_t ce[VTD_SMCTX_QWORDS];
    const VtdWindow *window = &vtd_env_no_window;
    PasidDirectory dir;
    VtdConfig config = { 0 };
    VtdFault fault;

    *fault_disable = false;
    if (root.ttm != VTD_TTM_SCALABLE) {
        return root.ttm == VTD_TTM_LEGACY
                   ? VTD_FAULT_SM_PAGE_REQUEST_IN_LEGACY_MODE
                   : VTD_FAULT_SM_TTM_RESERVED;
    }
    fault = read_context(env, caps, root, req.sid, ce, &window);
    if (fault) {
        return fault;
    }
    fault = decode_scalable_context(caps, ce, req, &config, &dir);
    *fault_disable = config.fault_disable;
    if (!fault && !(ce[0] & VTD_SMCTX_PRE)) {
        fault = VTD_FAULT_SM_CONTEXT_NO_PAGE_REQUESTS;
    }
    return fault;
}

VtdFault vtd_context_fetch(const VtdEnv *env, const VtdCaps *caps,
                           VtdRoot root, VtdRequester req, VtdConfig *config)
{
    memset(config, 0, sizeof(*config));
    config->has_pasid = req.has_pasid;
    config->pasid = req.has_pasid ? req.pasid : 0;
    switch (root.ttm) {
    case VTD_TTM_LEGACY:
        return fetch_legacy(env, caps, root, req, config);
    case VTD_TTM_SCALABLE:
        if (caps->ecap & VTD_ECAP_SMTS) {
            return fetch_scalable(env, caps, root, req, config);
        }
        /* fall through */
    default:
        return VTD_FAULT_SM_TTM_RESERVED;
    }
}

/* Whether the directory entry at @gpa leads to a table: *@table. */
static bool read_directory(const VtdEnv *env, uint64_t gpa, uint64_t *table)
{
    uint64_t pde;

    if (!vtd_env_read_qwords(env, gpa, &pde, 1) || !(pde & VTD_PDIR_P)) {
        return false;
    }
    *table = pde & VTD_PDIR_SMPTBLPTR;
    return true;
}

bool vtd_context_next_pasid(const VtdEnv *env, const VtdCaps *caps,
                            VtdRoot root, uint16_t sid, uint32_t *pasid)
{
    const uint32_t in_table = (1u << VTD_PASIDS_PER_TABLE_SHIFT) - 1;
    VtdRequester req = { .sid = sid, .has_pasid = true, .pasid = *pasid };
    uint64_t ce[VTD_SMCTX_QWORDS];
    uint32_t limit = vtd_caps_pasid_limit(caps);
    uint64_t table = 0;
    bool there = false;
    const VtdWindow *window = &vtd_env_no_window;
    PasidDirectory dir;
    VtdConfig config = { 0 };

    if (root.ttm != VTD_TTM_SCALABLE ||
        read_context(env, caps, root, sid, ce, &window) ||
        decode_scalable_context(caps, ce, req, &config, &dir)) {
        return false;
    }
    limit = dir.limit < limit ? dir.limit : limit;
    for (uint32_t p = *pasid; p < limit; p++) {
        uint64_t qw0;

        if (p == *pasid || !(p & in_table)) {
            uint32_t index = p >> VTD_PASIDS_PER_TABLE_SHIFT;

            there = read_directory(env, dir.base + index * 8, &table);
        }
        if (!there) {
            p |= in_table;
        } else if (vtd_env_read_qwords(
                       env,
                       table + (p & in_table) * VTD_PASID_QWORDS * 8, &qw0,
                       1) &&
                   (qw0 & VTD_PASID_P)) {
            *pasid = p;
            return true;
        }
    }
    return false;
}
