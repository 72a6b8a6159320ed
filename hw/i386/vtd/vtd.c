/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd.h"

#include <string.h>

#include "vtd_ats.h"
#include "vtd_ctrl.h"
#include "vtd_qi.h"
#include "vtd_vcmd.h"

const char *vtd_init(VtdUnit *u, const VtdEnv *env, const VtdOptions *options)
{
    const char *why;

    memset(u, 0, sizeof(*u));
    u->env = *env;
    why = vtd_caps_compose(options, &u->caps);
    if (why) {
        return why;
    }
    if (!vtd_iotlb_init(&u->iotlb)) {
        return "no memory for the translation cache";
    }
    pthread_mutex_init(&u->lock, NULL);
    vtd_reset(u);
    return NULL;
}

void vtd_destroy(VtdUnit *u)
{
    vtd_iotlb_destroy(&u->iotlb);
    pthread_mutex_destroy(&u->lock);
}

void vtd_reset(VtdUnit *u)
{
    pthread_mutex_lock(&u->lock);
    vtd_regfile_reset(&u->regs, u->caps.cap, u->caps.ecap);
    u->next_record = 0;
    atomic_store(&u->status, 0);
    vtd_qi_update(u);
    atomic_store(&u->root, 0);
    atomic_store(&u->irta, 0);
    atomic_fetch_add(&u->config_gen, 1);
    vtd_iotlb_drop_all(&u->iotlb);
    pthread_mutex_unlock(&u->lock);
}

/* Everything that a register write left to be done without the lock. */
static bool finish(VtdUnit *u, const VtdWork *work)
{
    VtdDelivery result = VTD_DELIVERY_REFUSED;
    bool more = false;
    unsigned done;

    if (work->notices) {
        result = u->env.deliver(u->env.opaque, work->notice, work->notices,
                                &done);
    }
    if (work->completes) {
        more = result == VTD_DELIVERED && !vtd_unit_drained(u);
        if (!more) {
            pthread_mutex_lock(&u->lock);
            vtd_ctrl_complete(u, work->completes, result);
            pthread_mutex_unlock(&u->lock);
        }
    }
    if (work->runs_virtual_command) {
        vtd_vcmd_run(u, work->virtual_command);
    }
    vtd_work_send(u, work);
    if (work->run_queue) {
        more |= vtd_qi_run(u);
    }
    return more;
}

static bool is_busy(VtdUnit *u, unsigned reg)
{
    return vtd_reg64(&u->regs, reg) &
           (reg == VTD_REG_CCMD ? VTD_CCMD_ICC : VTD_IOTLB_IVT);
}

/*
 * Commands that were delivered and still show as busy wait for accesses that
 * are under way, perhaps since before a migration.  False: for longer.
 */
static bool complete_commands(VtdUnit *u)
{
    static const unsigned regs[] = { VTD_REG_CCMD, VTD_REG_IOTLB };
    bool busy;

    pthread_mutex_lock(&u->lock);
    busy = is_busy(u, VTD_REG_CCMD) || is_busy(u, VTD_REG_IOTLB);
    pthread_mutex_unlock(&u->lock);
    if (busy && !vtd_unit_drained(u)) {
        return false;
    }
    pthread_mutex_lock(&u->lock);
    for (unsigned i = 0; i < 2; i++) {
        if (is_busy(u, regs[i])) {
            vtd_ctrl_complete(u, regs[i], VTD_DELIVERED);
        }
    }
    pthread_mutex_unlock(&u->lock);
    return true;
}

static bool legal_access(unsigned offset, unsigned size)
{
    return (size == 4 || size == 8) && (offset & (size - 1)) == 0 &&
           offset <= VTD_REG_SPACE - size;
}

static uint32_t read_word(VtdUnit *u, unsigned offset)
{
    if (offset == VTD_REG_GSTS) {
        return atomic_load(&u->status);
    }
    return vtd_reg32(&u->regs, offset);
}

uint64_t vtd_mmio_read(VtdUnit *u, unsigned offset, unsigned size)
{
    uint64_t value;

    if (!legal_access(offset, size)) {
        return 0;
    }
    pthread_mutex_lock(&u->lock);
    value = read_word(u, offset);
    if (size == 8) {
        value |= (uint64_t)read_word(u, offset + 4) << 32;
    }
    pthread_mutex_unlock(&u->lock);
    return value;
}

/* By far the most frequent write, so it makes room for nothing but that. */
static bool write_queue_tail(VtdUnit *u, uint32_t value)
{
    /* There are no other bits in it. */
    vtd_reg32_set(&u->regs, VTD_REG_IQT, value & VTD_IQ_POINTER);
    return vtd_qi_run(u);
}

static __attribute__((noinline)) bool
write_others(VtdUnit *u, unsigned offset, uint64_t value, unsigned size)
{
    VtdWork work = { 0 };

    /* Both halves are stored before either acts: a command that is started
     * by its upper half sees all of its operands. */
    pthread_mutex_lock(&u->lock);
    for (unsigned i = 0; i < size; i += 4) {
        vtd_regfile_guest_write(&u->regs, offset + i, value >> (8 * i));
    }
    for (unsigned i = 0; i < size; i += 4) {
        vtd_ctrl_written(u, offset + i, value >> (8 * i), &work);
    }
    pthread_mutex_unlock(&u->lock);
    return finish(u, &work);
}

bool vtd_mmio_write(VtdUnit *u, unsigned offset, uint64_t value,
                    unsigned size)
{
    if (offset == VTD_REG_IQT && size >= 4) {
        return write_queue_tail(u, value);
    }
    return legal_access(offset, size) && write_others(u, offset, value, size);
}

bool vtd_continue(VtdUnit *u)
{
    bool more = !complete_commands(u);

    return vtd_qi_run(u) || more;
}

VtdFault vtd_translation_request(VtdUnit *u, VtdSource *source, uint64_t iova,
                                 VtdAccess want, VtdMapping *out)
{
    VtdWork work = { 0 };
    VtdFault fault = vtd_ats_request(u, source, iova, want, out, &work);

    vtd_work_send(u, &work);
    return fault;
}

VtdFault vtd_translated_request(VtdUnit *u, VtdSource *source, uint64_t pa,
                                VtdAccess access)
{
    VtdWork work = { 0 };
    VtdFault fault = vtd_ats_translated(u, source, pa, access, &work);

    vtd_work_send(u, &work);
    return fault;
}

VtdPageResult vtd_page_request(VtdUnit *u, const VtdPageRequest *request,
                               VtdPageResponse *response)
{
    VtdWork work = { 0 };
    VtdPageResult result = vtd_prq_request(u, request, response, &work);

    vtd_work_send(u, &work);
    return result;
}

VtdFault vtd_remap_interrupt(VtdUnit *u, uint16_t sid, uint64_t addr,
                             uint32_t data, bool quiet, VtdInterrupt *out)
{
    VtdWork work = { 0 };
    VtdFault fault = vtd_irt_remap(u, sid, addr, data, quiet, out, &work);

    vtd_work_send(u, &work);
    return fault;
}

void vtd_forget_configurations(VtdUnit *u)
{
    atomic_fetch_add(&u->config_gen, 1);
}

VtdFault vtd_configuration(VtdUnit *u, VtdSource *source, VtdConfig *config)
{
    return vtd_source_config(u, source, config);
}

bool vtd_next_pasid(VtdUnit *u, uint16_t sid, uint32_t *pasid)
{
    return vtd_translation_enabled(u) &&
           vtd_context_next_pasid(&u->env, &u->caps, vtd_unit_root(u), sid,
                                  pasid);
}

void vtd_report_fault(VtdUnit *u, VtdSource *source, VtdFault fault,
                      uint64_t addr)
{
    VtdFaultRecord record = {
        .fault = fault,
        .req = source->req,
        .info = addr & VTD_PAGE_MASK,
    };
    VtdWork work = { 0 };

    vtd_frcd_report(u, &record, false, &work);
    vtd_work_send(u, &work);
}

const char *vtd_set_options(VtdUnit *u, const VtdOptions *options)
{
    VtdCaps caps;
    const char *why = vtd_caps_compose(options, &caps);

    if (why) {
        return why;
    }
    pthread_mutex_lock(&u->lock);
    u->caps = caps;
    vtd_regfile_set_caps(&u->regs, caps.cap, caps.ecap);
    pthread_mutex_unlock(&u->lock);
    return NULL;
}
