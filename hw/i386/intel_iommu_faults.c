/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "intel_iommu_faults.h"
#include "intel_iommu_iommufd.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "trace/trace-hw_i386_vtd.h"

QEMU_BUILD_BUG_ON(sizeof(struct iommu_hwpt_pgfault) != 40);
QEMU_BUILD_BUG_ON(sizeof(struct iommu_hwpt_page_response) != 8);

/* Requests that are taken at a time; the kernel hands out whole groups. */
#define READ_AT_ONCE 64

struct VtdFaultQueue {
    VtdAddressSpace *space;
    IOMMUFDBackend *iommufd;
    VtdFaultCounters *counters;
    uint32_t id;
    int fd;
    GHashTable *pending; /* the kernel's cookie by group_key() */
};

/* PASID and group as one number; "no PASID" is one beyond the largest. */
static gpointer group_key(bool has_pasid, uint32_t pasid, uint16_t group)
{
    uint64_t number = has_pasid ? pasid : 1u << VTD_PASID_MAX_BITS;

    return (gpointer)(uintptr_t)(number << 9 | (group & 0x1ff));
}

static uint32_t pasid_of_key(gpointer key)
{
    uint64_t number = (uintptr_t)key >> 9;

    return number >> VTD_PASID_MAX_BITS ? VTD_NO_PASID : number;
}

static void count_pending(VtdFaultQueue *q, int change)
{
    q->counters->pending += change;
}

/* The host knows success and "invalid" only. */
static void respond(VtdFaultQueue *q, uint32_t cookie,
                    VtdPageResponse response)
{
    struct iommu_hwpt_page_response answer = {
        .cookie = cookie,
        .code = response == VTD_PAGE_SUCCESS ? IOMMUFD_PAGE_RESP_SUCCESS :
                                               IOMMUFD_PAGE_RESP_INVALID,
    };
    ssize_t done = RETRY_ON_EINTR(write(q->fd, &answer, sizeof(answer)));

    trace_vtd_host_page_response(cookie, answer.code,
                                 done == sizeof(answer) ? 0 : errno);
    /* A cookie that the kernel does not know has been answered by it: the
     * page table was detached meanwhile. */
    q->counters->responses += done == sizeof(answer);
}

static void take(VtdFaultQueue *q, const struct iommu_hwpt_pgfault *fault)
{
    bool has_pasid = fault->flags & IOMMU_PGFAULT_FLAGS_PASID_VALID;
    bool last = fault->flags & IOMMU_PGFAULT_FLAGS_LAST_PAGE;
    VtdPageRequest request = {
        .req = {
            .sid = vtd_space_source(q->space)->req.sid,
            .has_pasid = has_pasid,
            .pasid = has_pasid ? fault->pasid : 0,
        },
        .addr = fault->addr,
        .group = fault->grpid,
        .perm = (fault->perm & IOMMU_PGFAULT_PERM_READ ? VTD_PERM_READ : 0) |
                (fault->perm & IOMMU_PGFAULT_PERM_WRITE ? VTD_PERM_WRITE : 0) |
                (fault->perm & IOMMU_PGFAULT_PERM_EXEC ? VTD_PERM_EXEC : 0),
        .privileged = fault->perm & IOMMU_PGFAULT_PERM_PRIV,
        .last = last,
    };
    gpointer key = group_key(has_pasid, fault->pasid, fault->grpid);
    VtdPageResponse response;
    VtdPageResult result;

    q->counters->requests++;
    result = vtd_page_request(q->space->iommu_state->unit, &request,
                              &response);
    trace_vtd_host_page_request(request.req.sid, fault->pasid, fault->addr,
                                fault->grpid, fault->cookie, result);
    if (!last) {
        return;
    }
    if (result == VTD_PAGE_ANSWERED) {
        respond(q, fault->cookie, response);
        return;
    }
    if (g_hash_table_insert(q->pending, key,
                            GUINT_TO_POINTER(fault->cookie))) {
        count_pending(q, 1);
    }
}

static void read_faults(void *opaque)
{
    VtdFaultQueue *q = opaque;
    struct iommu_hwpt_pgfault fault[READ_AT_ONCE];
    ssize_t bytes = RETRY_ON_EINTR(read(q->fd, fault, sizeof(fault)));

    if (bytes < 0 && errno != EAGAIN) {
        /* Not to be woken up by it for ever. */
        trace_vtd_host_fault_queue_lost(errno);
        qemu_set_fd_handler(q->fd, NULL, NULL, NULL);
        return;
    }
    for (ssize_t i = 0; i < bytes / (ssize_t)sizeof(fault[0]); i++) {
        take(q, &fault[i]);
    }
}

VtdFaultQueue *vtd_fault_queue_new(VtdAddressSpace *space,
                                   IOMMUFDBackend *iommufd,
                                   VtdFaultCounters *counters, Error **errp)
{
    VtdFaultQueue *q = g_new0(VtdFaultQueue, 1);
    int error = vtd_iommufd_alloc_faults(iommufd->fd, &q->id, &q->fd);

    if (error) {
        error_setg_errno(errp, -error, "the host kernel has no fault queue");
        g_free(q);
        return NULL;
    }
    q->space = space;
    q->iommufd = iommufd;
    q->counters = counters;
    q->pending = g_hash_table_new(NULL, NULL);
    qemu_set_fd_handler(q->fd, read_faults, NULL, q);
    return q;
}

void vtd_fault_queue_free(VtdFaultQueue *q)
{
    qemu_set_fd_handler(q->fd, NULL, NULL, NULL);
    close(q->fd);
    iommufd_backend_free_id(q->iommufd, q->id);
    count_pending(q, -(int)g_hash_table_size(q->pending));
    g_hash_table_destroy(q->pending);
    g_free(q);
}

uint32_t vtd_fault_queue_id(const VtdFaultQueue *q)
{
    return q->id;
}

void vtd_fault_queue_answer(VtdFaultQueue *q, const VtdNotice *n)
{
    gpointer key = group_key(n->has_pasid, n->pasid, n->group);
    gpointer cookie;

    if (g_hash_table_steal_extended(q->pending, key, NULL, &cookie)) {
        count_pending(q, -1);
        respond(q, GPOINTER_TO_UINT(cookie), n->response);
    }
}

static gboolean is_of_pasid(gpointer key, gpointer cookie, gpointer pasid)
{
    return pasid_of_key(key) == GPOINTER_TO_UINT(pasid);
}

void vtd_fault_queue_forget(VtdFaultQueue *q, uint32_t pasid)
{
    guint gone = g_hash_table_foreach_remove(q->pending, is_of_pasid,
                                             GUINT_TO_POINTER(pasid));

    count_pending(q, -(int)gone);
}
