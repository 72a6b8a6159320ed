/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_translate.h"

#include "vtd_walk.h"

/*
 * A configuration as three words, so that it can be read without a lock:
 * packed[0] is all that a hit in the IOTLB needs.
 */
#define P_DID VTD_BITS(15, 0)
#define P_PASID VTD_BITS(35, 16)
#define P_KIND VTD_BITS(37, 36)
#define P_FS_LEVELS VTD_BITS(40, 38)
#define P_SS_LEVELS VTD_BITS(43, 41)
#define P_SCALABLE VTD_BIT(44)
#define P_FAULT_DISABLE VTD_BIT(45)
#define P_DEVICE_TLB VTD_BIT(46)
#define P_HAS_PASID VTD_BIT(47)
#define P_SUPERVISOR_ENABLE VTD_BIT(48)
#define P_EXECUTE_ENABLE VTD_BIT(49)
#define P_WRITE_PROTECT VTD_BIT(50)
#define P_NO_EXECUTE VTD_BIT(51)
#define P_EXTENDED_ACCESSED VTD_BIT(52)
#define P_RID_SUPERVISOR VTD_BIT(53)
#define P_SS_ACCESSED_DIRTY VTD_BIT(54)

static void pack(const VtdConfig *c, uint64_t packed[3])
{
    packed[0] = c->did | vtd_put(P_PASID, c->pasid) |
                vtd_put(P_KIND, c->kind) |
                vtd_put(P_FS_LEVELS, c->fs_levels) |
                vtd_put(P_SS_LEVELS, c->ss_levels) |
                vtd_put(P_SCALABLE, c->scalable) |
                vtd_put(P_FAULT_DISABLE, c->fault_disable) |
                vtd_put(P_DEVICE_TLB, c->device_tlb) |
                vtd_put(P_HAS_PASID, c->has_pasid) |
                vtd_put(P_SUPERVISOR_ENABLE, c->supervisor_enable) |
                vtd_put(P_EXECUTE_ENABLE, c->execute_enable) |
                vtd_put(P_WRITE_PROTECT, c->write_protect) |
                vtd_put(P_NO_EXECUTE, c->no_execute) |
                vtd_put(P_EXTENDED_ACCESSED, c->extended_accessed) |
                vtd_put(P_RID_SUPERVISOR, c->rid_supervisor) |
                vtd_put(P_SS_ACCESSED_DIRTY, c->ss_accessed_dirty);
    packed[1] = c->fs_table;
    packed[2] = c->ss_table;
}

static void unpack(const uint64_t packed[3], VtdConfig *c)
{
    *c = (VtdConfig){
        .did = vtd_get(packed[0], P_DID),
        .pasid = vtd_get(packed[0], P_PASID),
        .kind = vtd_get(packed[0], P_KIND),
        .fs_levels = vtd_get(packed[0], P_FS_LEVELS),
        .ss_levels = vtd_get(packed[0], P_SS_LEVELS),
        .scalable = packed[0] & P_SCALABLE,
        .fault_disable = packed[0] & P_FAULT_DISABLE,
        .device_tlb = packed[0] & P_DEVICE_TLB,
        .has_pasid = packed[0] & P_HAS_PASID,
        .supervisor_enable = packed[0] & P_SUPERVISOR_ENABLE,
        .execute_enable = packed[0] & P_EXECUTE_ENABLE,
        .write_protect = packed[0] & P_WRITE_PROTECT,
        .no_execute = packed[0] & P_NO_EXECUTE,
        .extended_accessed = packed[0] & P_EXTENDED_ACCESSED,
        .rid_supervisor = packed[0] & P_RID_SUPERVISOR,
        .ss_accessed_dirty = packed[0] & P_SS_ACCESSED_DIRTY,
        .fs_table = packed[1],
        .ss_table = packed[2],
    };
}

void vtd_source_init(VtdSource *source, VtdRequester req)
{
    source->req = req;
    atomic_init(&source->seq, 0);
    atomic_init(&source->gen, 0); /* config_gen starts at 1 */
    for (unsigned i = 0; i < 3; i++) {
        atomic_init(&source->packed[i], 0);
    }
}

static bool cached_config(VtdSource *source, uint64_t gen, uint64_t packed[3])
{
    uint32_t seq = atomic_load_explicit(&source->seq, memory_order_acquire);
    uint64_t held = atomic_load_explicit(&source->gen, memory_order_relaxed);

    for (unsigned i = 0; i < 3; i++) {
        packed[i] =
            atomic_load_explicit(&source->packed[i], memory_order_relaxed);
    }
    atomic_thread_fence(memory_order_acquire);
    return held == gen && !(seq & 1) &&
           atomic_load_explicit(&source->seq, memory_order_relaxed) == seq;
}

/* Another thread at the same work means that ours is not needed. */
static void cache_config(VtdSource *source, uint64_t gen,
                         const uint64_t packed[3])
{
    uint32_t seq = atomic_load_explicit(&source->seq, memory_order_relaxed);

    if ((seq & 1) || !atomic_compare_exchange_strong_explicit(
                         &source->seq, &seq, seq + 1, memory_order_acquire,
                         memory_order_relaxed)) {
        return;
    }
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&source->gen, gen, memory_order_relaxed);
    for (unsigned i = 0; i < 3; i++) {
        atomic_store_explicit(&source->packed[i], packed[i],
                              memory_order_relaxed);
    }
    atomic_store_explicit(&source->seq, seq + 2, memory_order_release);
}

/* @gen is drawn before the first table is read; an invalidation that comes
 * between leaves behind a cached configuration that is out of date at once. */
static VtdFault config_at(VtdUnit *u, VtdSource *source, uint64_t gen,
                          VtdConfig *config)
{
    uint64_t packed[3];
    VtdFault fault;

    if (cached_config(source, gen, packed)) {
        unpack(packed, config);
        return VTD_FAULT_NONE;
    }
    fault = vtd_context_fetch(&u->env, &u->caps, vtd_unit_root(u),
                              source->req, config);
    if (!fault) {
        pack(config, packed);
        cache_config(source, gen, packed);
    }
    return fault;
}

VtdFault vtd_source_config(VtdUnit *u, VtdSource *source, VtdConfig *config)
{
    return config_at(u, source, atomic_load(&u->config_gen), config);
}

VtdFault vtd_check_interrupt_range(const VtdConfig *config, uint64_t pa)
{
    if (pa < VTD_MSI_RANGE_FIRST || pa > VTD_MSI_RANGE_LAST) {
        return VTD_FAULT_NONE;
    }
    return config->scalable ? VTD_FAULT_SM_INTERRUPT_ADDRESS
                            : VTD_FAULT_INTERRUPT_ADDRESS;
}

/* The result for the very byte that was asked for. */
static VtdFault check_output(const VtdConfig *c, uint64_t iova,
                             VtdMapping *m)
{
    return vtd_check_interrupt_range(
        c, m->pa | (iova & ((1ull << m->shift) - 1)));
}

static VtdFault walk_and_cache(VtdUnit *u, const VtdConfig *config,
                               uint64_t gen, uint64_t iova, VtdAccess access,
                               VtdMapping *out)
{
    VtdTag tag = vtd_config_tag(config);
    VtdIotlbTicket ticket = vtd_iotlb_ticket(&u->iotlb, tag);
    _Atomic uint64_t *walks = config->kind == VTD_NESTED
                                  ? &u->counters.nested_walks
                                  : &u->counters.table_walks;
    VtdFault fault;

    atomic_fetch_add_explicit(walks, 1, memory_order_relaxed);
    fault = vtd_walk(&u->env, &u->caps, config, iova, access, out);
    if (fault) {
        return fault;
    }
    fault = check_output(config, iova, out);
    /*
     * The ticket protects against invalidations of the tables.  If the
     * configuration went out of date before the ticket was drawn, the walk
     * may have used tables that do not belong to the tag any more.  What was
     * allowed to a supervisor is not cached: hits do not look at privilege.
     */
    if (!fault && !access.supervisor &&
        atomic_load(&u->config_gen) == gen) {
        vtd_iotlb_insert(&u->iotlb, tag, ticket, out);
    }
    return fault;
}

static void identity(uint64_t iova, VtdMapping *out)
{
    *out = (VtdMapping){
        .iova = iova & VTD_PAGE_MASK,
        .pa = iova & VTD_PAGE_MASK,
        .shift = VTD_PAGE_SHIFT,
        .perm = VTD_PERM_READ | VTD_PERM_WRITE | VTD_PERM_EXEC,
    };
}

static VtdFault translate(VtdUnit *u, VtdSource *source, uint64_t iova,
                          VtdAccess access, VtdConfig *config,
                          VtdMapping *out)
{
    uint64_t gen = atomic_load(&u->config_gen);
    VtdFault fault = config_at(u, source, gen, config);

    if (fault) {
        return fault;
    }
    access.supervisor =
        access.supervisor || (!config->has_pasid && config->rid_supervisor);
    if (config->kind == VTD_PASS_THROUGH) {
        identity(iova, out);
        fault = vtd_check_privilege(config, access);
        return fault ? fault : check_output(config, iova, out);
    }
    if (!access.supervisor &&
        vtd_iotlb_lookup(&u->iotlb, vtd_config_tag(config), iova, out) &&
        !(access.perm & ~out->perm)) {
        return check_output(config, iova, out);
    }
    return walk_and_cache(u, config, gen, iova, access, out);
}

VtdFault vtd_translate_request(VtdUnit *u, VtdSource *source, uint64_t iova,
                               VtdAccess access, bool quiet, VtdMapping *out,
                               VtdWork *work)
{
    VtdConfig config;
    VtdFault fault = translate(u, source, iova, access, &config, out);

    if (!fault) {
        return VTD_FAULT_NONE;
    }
    atomic_fetch_add_explicit(&u->counters.faults, 1, memory_order_relaxed);
    if (!quiet) {
        vtd_frcd_report(u,
                        &(VtdFaultRecord){
                            .fault = fault,
                            .req = source->req,
                            .access = access,
                            .info = iova & VTD_PAGE_MASK,
                        },
                        config.fault_disable, work);
    }
    return fault;
}
