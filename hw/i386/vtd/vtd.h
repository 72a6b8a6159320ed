/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The remapping unit as a whole: what a machine model needs of it.
 *
 * All functions may be called from any thread unless they say otherwise, with
 * no lock of the model held.  They return after everything that they caused
 * has been delivered through VtdEnv.
 */
#ifndef VTD_H
#define VTD_H

#include "vtd_irt.h"
#include "vtd_prq.h"
#include "vtd_translate.h"
#include "vtd_unit.h"

/*
 * Set up @u with @env and @options, reset.  Returns NULL, or a sentence that
 * names the option at fault and the remedy (nothing to destroy then).
 * Callers serialise init, destroy and reset with everything else.
 */
const char *vtd_init(VtdUnit *u, const VtdEnv *env,
                     const VtdOptions *options);
void vtd_destroy(VtdUnit *u);

/* To power-on state: registers, caches, latched pointers.  No notice is
 * posted; the caller knows. */
void vtd_reset(VtdUnit *u);

/*
 * Registers.  @offset < VTD_REG_SPACE, @size 4 or 8, @offset aligned to it;
 * others read as zero and are dropped when written.  Callers serialise these
 * three among themselves and with vtd_reset() and vtd_state_*(); what a write
 * leads to in VtdEnv may come back with another, on the same thread.
 */
uint64_t vtd_mmio_read(VtdUnit *u, unsigned offset, unsigned size);

/* True: the invalidation queue holds more work than one call should do, or an
 * invalidation waits for VtdEnv.drained(); call vtd_continue() soon from the
 * same context, until it returns false. */
bool vtd_mmio_write(VtdUnit *u, unsigned offset, uint64_t value,
                    unsigned size);
bool vtd_continue(VtdUnit *u);

/* GSTS.TES: while false, requests are not translated and the caller need not
 * ask. */
static inline bool vtd_translation_enabled(VtdUnit *u)
{
    return vtd_unit_translates(u);
}

/*
 * Requests: vtd_translate(), see vtd_translate.h.
 *
 * Devices with a TLB of their own (ATS): see vtd_ats_request() and
 * vtd_ats_translated(); and their page requests: see vtd_prq_request().
 */
VtdFault vtd_translation_request(VtdUnit *u, VtdSource *source, uint64_t iova,
                                 VtdAccess want, VtdMapping *out);
VtdFault vtd_translated_request(VtdUnit *u, VtdSource *source, uint64_t pa,
                                VtdAccess access);
VtdPageResult vtd_page_request(VtdUnit *u, const VtdPageRequest *request,
                               VtdPageResponse *response);

/*
 * Remap the interrupt request that @sid makes by writing @data to @addr.
 * VTD_FAULT_NONE: *@how says what to send.  Otherwise the interrupt is
 * blocked; recorded unless @quiet.
 */
VtdFault vtd_remap_interrupt(VtdUnit *u, uint16_t sid, uint64_t addr,
                             uint32_t data, bool quiet, VtdInterrupt *out);

/* Sources were given another requester id: nothing is known of any
 * configuration, translations that start later read the tables again. */
void vtd_forget_configurations(VtdUnit *u);

/* Another number than before: configurations may have changed since. */
static inline uint64_t vtd_configuration_number(VtdUnit *u)
{
    return atomic_load(&u->config_gen);
}

/* The configuration that requests of @source have now; the fault that they
 * would meet otherwise.  Records nothing. */
VtdFault vtd_configuration(VtdUnit *u, VtdSource *source, VtdConfig *config);

/* The smallest PASID from *@pasid up for which @sid has a present entry; false:
 * there is none, or translation is off. */
bool vtd_next_pasid(VtdUnit *u, uint16_t sid, uint32_t *pasid);

/*
 * A fault that something else than the model found for requests of @source
 * (a passed-through device's): record and signal it.  The caller has seen that
 * the source's configuration does not disable faults.
 */
void vtd_report_fault(VtdUnit *u, VtdSource *source, VtdFault fault,
                      uint64_t addr);

/* Other options from now on; as vtd_init() they can be refused, then nothing
 * has changed.  Only while no guest runs that knows the old ones. */
const char *vtd_set_options(VtdUnit *u, const VtdOptions *options);

#endif
