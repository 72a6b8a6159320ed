/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_state.h"

#include "vtd_frcd.h"
#include "vtd_qi.h"

/* Bits of GSTS that stand for a state that a unit can be in. */
#define STATUS_BITS \
    (VTD_GCMD_TE | VTD_GCMD_SRTP | VTD_GCMD_QIE | VTD_GCMD_IRE | \
     VTD_GCMD_SIRTP | VTD_GCMD_CFI)

/* A guest sees no difference when this one goes or comes. */
#define UNSEEN_CAPS VTD_CAP_ESRTPS

static uint32_t word_of(const uint8_t *bytes, unsigned offset)
{
    return bytes[offset] | bytes[offset + 1] << 8 | bytes[offset + 2] << 16 |
           (uint32_t)bytes[offset + 3] << 24;
}

static uint64_t quadword_of(const uint8_t *bytes, unsigned offset)
{
    return word_of(bytes, offset) |
           (uint64_t)word_of(bytes, offset + 4) << 32;
}

void vtd_state_save(VtdUnit *u, VtdState *state)
{
    pthread_mutex_lock(&u->lock);
    for (unsigned i = 0; i < VTD_STATE_BYTES; i++) {
        uint32_t word = vtd_reg32(&u->regs, i & ~3u);

        if ((i & ~3u) == VTD_REG_GSTS) {
            word = atomic_load(&u->status);
        }
        state->registers[i] = word >> (8 * (i % 4));
    }
    state->root = atomic_load(&u->root);
    state->irta = atomic_load(&u->irta);
    state->next_record = u->next_record;
    pthread_mutex_unlock(&u->lock);
}

/* What no guest can switch on is not on. */
static uint32_t possible_status(const VtdUnit *u)
{
    uint32_t bits = STATUS_BITS;

    if (!vtd_get(u->caps.cap, VTD_CAP_SAGAW)) {
        bits &= ~VTD_GCMD_TE;
    }
    if (!(u->caps.ecap & VTD_ECAP_IR)) {
        bits &= ~VTD_GCMD_IRE;
    }
    return bits;
}

static const char *check(const VtdUnit *u, const VtdState *s)
{
    uint64_t cap = quadword_of(s->registers, VTD_REG_CAP);
    uint64_t ecap = quadword_of(s->registers, VTD_REG_ECAP);
    uint64_t iqa = quadword_of(s->registers, VTD_REG_IQA);
    uint64_t queue_bytes = VTD_PAGE_SIZE << vtd_get(iqa, VTD_IQA_QS);
    unsigned records = vtd_caps_fault_records(&u->caps);

    if ((cap ^ u->caps.cap) & ~UNSEEN_CAPS) {
        return "its capabilities (CAP) are not those of this device; give "
               "both the same properties";
    }
    if (ecap != u->caps.ecap) {
        return "its extended capabilities (ECAP) are not those of this "
               "device; give both the same properties";
    }
    if (word_of(s->registers, VTD_REG_GSTS) & ~possible_status(u)) {
        return "its global status (GSTS) is impossible";
    }
    if (s->next_record >= records ||
        vtd_get(word_of(s->registers, VTD_REG_FSTS), VTD_FSTS_FRI) >=
            records) {
        return "a fault record that it names does not exist";
    }
    if (quadword_of(s->registers, VTD_REG_IQH) >= queue_bytes) {
        return "the head of its invalidation queue lies outside the queue";
    }
    return NULL;
}

/* What a unit that is not at work tells of itself.  QEMU's own device may have
 * a command in its stream that it never finished. */
static void make_consistent(VtdUnit *u)
{
    unsigned end = VTD_REG_FRCD + vtd_caps_fault_records(&u->caps) *
                                      VTD_FAULT_RECORD_BYTES;

    vtd_reg32_change(&u->regs, VTD_REG_CCMD + 4, VTD_CCMD_ICC >> 32, 0);
    vtd_reg32_change(&u->regs, VTD_REG_IOTLB + 4, VTD_IOTLB_IVT >> 32, 0);
    for (unsigned offset = end; offset < VTD_STATE_BYTES; offset += 4) {
        vtd_reg32_set(&u->regs, offset, 0);
    }
    vtd_frcd_update(u);
}

const char *vtd_state_load(VtdUnit *u, const VtdState *state)
{
    const char *problem = check(u, state);

    if (problem) {
        return problem;
    }
    pthread_mutex_lock(&u->lock);
    vtd_regfile_load(&u->regs, state->registers, VTD_STATE_BYTES);
    make_consistent(u);
    u->next_record = state->next_record;
    u->queue_epoch++;
    atomic_store(&u->status, word_of(state->registers, VTD_REG_GSTS));
    vtd_qi_update(u);
    atomic_store(&u->root, state->root);
    atomic_store(&u->irta, state->irta);
    atomic_fetch_add(&u->config_gen, 1);
    vtd_iotlb_drop_all(&u->iotlb);
    pthread_mutex_unlock(&u->lock);
    return NULL;
}
