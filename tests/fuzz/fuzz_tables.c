/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Table entries of any content, at every level, in legacy and scalable mode,
 * nested and with five levels.  Where the reference translator of the unit
 * tests has an opinion, the model has to share it as soon as its caches are
 * empty.
 */
#include "fuzz_ops.h"
#include "reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Question {
    VtdSource *source;
    uint64_t iova;
    unsigned perm;
} Question;

static void drop_caches(void)
{
    fuzz_write(VTD_REG_CCMD, VTD_CCMD_ICC | vtd_put(VTD_CCMD_CIRG, 1), 8);
    fuzz_write(VTD_REG_IOTLB, VTD_IOTLB_IVT | vtd_put(VTD_IOTLB_IIRG, 1), 8);
}

static bool load(void *opaque, uint64_t gpa, uint64_t *value)
{
    (void)opaque;
    *value = fuzz_peek(gpa);
    return gpa < FUZZ_RAM;
}

static RefUnit reference(void)
{
    const VtdOptions *o = &fuzz_options;
    bool nests = o->nested && !o->virtual_commands;

    return (RefUnit){
        .load = load,
        .rtaddr = guest.unit.root,
        .width = o->aw_bits,
        .pasid_bits = o->pasid_bits,
        .scalable_mode = o->scalable_mode,
        .has_first_stage = o->first_stage,
        .has_second_stage = !o->first_stage || nests,
        .has_nested = nests,
        .has_1g_first_stage = o->fs1gp,
        .has_supervisor_requests = o->supervisor_requests,
        .has_extended_accessed = o->extended_accessed,
        .has_ss_accessed_dirty = o->ss_accessed_dirty,
        .has_pass_through = o->pass_through,
        .has_device_tlb = o->device_tlb,
        .accepts_tm = o->device_tlb && o->stale_tm,
    };
}

/* Five levels, snoop control and requests that are privileged now are not the
 * reference's. */
static bool reference_knows(const Question *q)
{
    VtdConfig config = { 0 };

    drop_caches();
    vtd_configuration(&guest.unit, q->source, &config);
    return fuzz_options.dma_translation && fuzz_options.aw_bits <= 48 &&
           !fuzz_options.snoop_control && !config.supervisor;
}

/* Both answers now; the model may set marks in the tables. */
static bool agree(const Question *q, RefResult *r, VtdFault *fault,
                  VtdMapping *m)
{
    const VtdRequester *req = &q->source->req;
    RefUnit u = reference();
    RefConfig c;

    drop_caches();
    r->fault = reference_config(
        &u, (RefRequest){ req->sid, req->has_pasid, req->pasid }, &c);
    if (!r->fault) {
        *r = reference_walk(&u, &c, q->iova, q->perm);
    }
    *fault = fuzz_translate(q->source, q->iova, (VtdAccess){ .perm = q->perm },
                            true, m);
    if (*fault || r->fault) {
        return r->fault == (*fault ? vtd_fault_code(*fault) : 0);
    }
    return r->pa == (m->pa | (q->iova & ((1ull << m->shift) - 1))) &&
           !(m->perm & ~r->perm);
}

/*
 * Where a table stands for itself on several levels, a mark that the model
 * sets can be one that it meets again further down, so the answers differ
 * until all marks are set: a second and a third question settle that.
 */
static void op_compare(void)
{
    Question q = { .source = world_source() };
    VtdFault fault = VTD_FAULT_NONE;
    RefResult r = { 0 };
    VtdMapping m;
    bool same = false;

    q.perm = input_below(8);
    q.iova = world_iova();
    for (unsigned i = 0; i < 3 && !same; i++) {
        /* Each time: a read that fails once hides the configuration. */
        if (!reference_knows(&q)) {
            return;
        }
        same = agree(&q, &r, &fault, &m);
    }
    if (!same) {
        tap_fail(__FILE__, __LINE__,
                 "sid %x pasid %x iova %" PRIx64 " perm %x: fault %s pa %"
                 PRIx64 " allowed %x; reference: fault %x pa %" PRIx64
                 " allowed %x",
                 q.source->req.sid, q.source->req.pasid, q.iova, q.perm,
                 vtd_fault_name(fault), m.pa, m.perm, r.fault, r.pa, r.perm);
    }
}

static const FuzzOp ops[] = {
    op_poke_entry, op_poke_entry, op_poke_entry, op_poke_any,
    op_translate,  op_translate,  op_compare,    op_compare,
    op_descriptor, op_kick,       op_arm,        op_fail,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return RUN_IN_WORLD(data, size, ops);
}
