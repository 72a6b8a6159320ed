/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_prq.h"

#include "vtd_event.h"
#include "vtd_frcd.h"

#define REQUEST_BYTES 32
#define REQUEST_TYPE 1

/* First quadword of a page-request descriptor */
#define PR_PP VTD_BIT(8)
#define PR_RID VTD_BITS(31, 16)
#define PR_PASID VTD_BITS(51, 32)
#define PR_EXE VTD_BIT(52)
#define PR_PM VTD_BIT(53)
/* Second quadword */
#define PR_RD VTD_BIT(0)
#define PR_WR VTD_BIT(1)
#define PR_LPIG VTD_BIT(2)
#define PR_GROUP VTD_BITS(11, 3)
#define PR_ADDR VTD_BITS(63, 12)

static void put_qword(unsigned char *raw, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        raw[i] = value >> (8 * i);
    }
}

static void encode(const VtdPageRequest *r, unsigned char raw[REQUEST_BYTES])
{
    uint64_t first = REQUEST_TYPE | vtd_put(PR_RID, r->req.sid);
    uint64_t second = (r->addr & PR_ADDR) | vtd_put(PR_GROUP, r->group);

    if (r->req.has_pasid) {
        first |= PR_PP | vtd_put(PR_PASID, r->req.pasid);
        first |= r->perm & VTD_PERM_EXEC ? PR_EXE : 0;
        first |= r->privileged ? PR_PM : 0;
    }
    second |= r->perm & VTD_PERM_READ ? PR_RD : 0;
    second |= r->perm & VTD_PERM_WRITE ? PR_WR : 0;
    second |= r->last ? PR_LPIG : 0;
    put_qword(raw, first);
    put_qword(raw + 8, second);
    put_qword(raw + 16, 0);
    put_qword(raw + 24, 0);
}

/* Set @status; software is interrupted once until it has cleared all. */
static void set_condition(VtdUnit *u, uint32_t status, VtdWork *work)
{
    uint32_t prs = vtd_reg32(&u->regs, VTD_REG_PRS);

    vtd_reg32_set(&u->regs, VTD_REG_PRS, prs | status);
    if (!(prs & (VTD_PRS_PPR | VTD_PRS_PRO))) {
        vtd_event_raise(u, VTD_EVENT_PAGE_REQUEST, work);
    }
}

/* The answer to a group that software does not get to see. */
static VtdPageResult answer(const VtdPageRequest *request,
                            VtdPageResponse code, VtdPageResponse *response)
{
    *response = code;
    return request->last ? VTD_PAGE_ANSWERED : VTD_PAGE_DROPPED;
}

/* Lock held. */
static VtdPageResult enqueue(VtdUnit *u, const VtdPageRequest *request,
                             VtdPageResponse *response, VtdWork *work)
{
    uint64_t pqa = vtd_reg64(&u->regs, VTD_REG_PQA);
    uint64_t mask = (VTD_PAGE_SIZE << vtd_get(pqa, VTD_PQA_PQS)) - 1;
    uint64_t head = vtd_reg64(&u->regs, VTD_REG_PQH) & mask;
    uint64_t tail = vtd_reg64(&u->regs, VTD_REG_PQT) & mask;
    uint64_t next = (tail + REQUEST_BYTES) & mask;
    unsigned char raw[REQUEST_BYTES];

    if ((vtd_reg32(&u->regs, VTD_REG_PRS) & VTD_PRS_PRO) || next == head) {
        set_condition(u, VTD_PRS_PRO, work);
        return answer(request, VTD_PAGE_SUCCESS, response);
    }
    encode(request, raw);
    if (!u->env.write(u->env.opaque, (pqa & VTD_PQA_PQA) + tail, raw,
                      sizeof(raw))) {
        u->env.guest_error(u->env.opaque, "no memory for a page request at",
                           (pqa & VTD_PQA_PQA) + tail);
        return answer(request, VTD_PAGE_FAILURE, response);
    }
    vtd_reg64_set(&u->regs, VTD_REG_PQT, next);
    atomic_fetch_add(&u->counters.page_requests, 1);
    set_condition(u, VTD_PRS_PPR, work);
    return VTD_PAGE_QUEUED;
}

VtdPageResult vtd_prq_request(VtdUnit *u, const VtdPageRequest *request,
                              VtdPageResponse *response, VtdWork *work)
{
    VtdPageResult result;
    bool fault_disable = false;
    VtdFault fault;

    if (!(u->caps.ecap & VTD_ECAP_PRS) ||
        !(atomic_load(&u->status) & VTD_GCMD_TE)) {
        return answer(request, VTD_PAGE_INVALID, response);
    }
    fault = vtd_context_page_requests(&u->env, &u->caps, vtd_unit_root(u),
                                      request->req, &fault_disable);
    if (fault) {
        vtd_frcd_report(u,
                        &(VtdFaultRecord){
                            .fault = fault,
                            .req = request->req,
                            .access = { request->perm, request->privileged },
                            .page_request = true,
                            .info = request->addr & VTD_PAGE_MASK,
                        },
                        fault_disable, work);
        /* PRE tells that the device should not ask; all else is broken. */
        return answer(request,
                      fault == VTD_FAULT_SM_CONTEXT_NO_PAGE_REQUESTS
                          ? VTD_PAGE_INVALID
                          : VTD_PAGE_FAILURE,
                      response);
    }
    pthread_mutex_lock(&u->lock);
    result = enqueue(u, request, response, work);
    pthread_mutex_unlock(&u->lock);
    return result;
}

void vtd_prq_status_written(VtdUnit *u)
{
    if (!(vtd_reg32(&u->regs, VTD_REG_PRS) & (VTD_PRS_PPR | VTD_PRS_PRO))) {
        vtd_event_withdraw(u, VTD_EVENT_PAGE_REQUEST);
    }
}
