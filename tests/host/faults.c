/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page requests on their way to the program that manages the first stage, and
 * its answers.  A device has one at a time: its command waits for the answer.
 */
#include <linux/iommufd.h>

#include "host.h"

_Static_assert(sizeof(struct iommu_hwpt_pgfault) == 40, "");
_Static_assert(sizeof(struct iommu_hwpt_page_response) == 8, "");

#define REQUESTS 16

typedef struct Request {
    Device *device; /* NULL: free */
    bool delivered;
    struct iommu_hwpt_pgfault fault;
} Request;

struct FaultQueue {
    Context *context;
    Object *object;
    int fd; /* -1 once it is closed */
    uint32_t cookie;
    Request request[REQUESTS];
};

void fault_queue_add(FaultQueue *q, Device *dev, bool has_pasid,
                     uint32_t pasid, uint64_t addr, bool write)
{
    for (unsigned i = 0; i < REQUESTS && q->fd >= 0; i++) {
        if (!q->request[i].device) {
            q->request[i] = (Request){
                .device = dev,
                .fault = { .flags = IOMMU_PGFAULT_FLAGS_LAST_PAGE |
                               (has_pasid ? IOMMU_PGFAULT_FLAGS_PASID_VALID :
                                            0),
                           .dev_id = dev->id,
                           .pasid = has_pasid ? pasid : 0,
                           .grpid = i,
                           .perm = write ? IOMMU_PGFAULT_PERM_WRITE :
                                   IOMMU_PGFAULT_PERM_READ,
                           .addr = addr & ~(PAGE - 1),
                           .cookie = ++q->cookie },
            };
            eventfd_signal(q->fd);
            return;
        }
    }
    device_resume(dev, false);
}

void fault_queue_drop(FaultQueue *q, Device *dev)
{
    for (unsigned i = 0; i < REQUESTS; i++) {
        Device *asking = q->request[i].device;

        if (asking && (!dev || asking == dev)) {
            q->request[i].device = NULL;
            device_resume(asking, false);
        }
    }
}

static ssize_t fault_read(File *f, void *buf, size_t len)
{
    FaultQueue *q = f->object;
    size_t done = 0, size = sizeof(struct iommu_hwpt_pgfault);
    unsigned left = 0;

    if (len % size) {
        return -ESPIPE;
    }
    for (unsigned i = 0; i < REQUESTS; i++) {
        Request *r = &q->request[i];

        if (!r->device || r->delivered) {
            continue;
        }
        if (done + size > len) {
            left++;
            continue;
        }
        memcpy((char *)buf + done, &r->fault, size);
        r->delivered = true;
        done += size;
    }
    if (!left) {
        eventfd_clear(q->fd);
    }
    return !done && left ? -EINVAL : (ssize_t)done;
}

static Request *delivered(FaultQueue *q, uint32_t cookie)
{
    for (unsigned i = 0; i < REQUESTS; i++) {
        Request *r = &q->request[i];

        if (r->device && r->delivered && r->fault.cookie == cookie) {
            return r;
        }
    }
    return NULL;
}

static ssize_t fault_write(File *f, const void *buf, size_t len)
{
    const struct iommu_hwpt_page_response *answer = buf;
    size_t done = 0;

    if (len % sizeof(*answer)) {
        return -ESPIPE;
    }
    for (; done < len; done += sizeof(*answer), answer++) {
        Request *r = delivered(f->object, answer->cookie);
        Device *dev;

        if (!r || (answer->code != IOMMUFD_PAGE_RESP_SUCCESS &&
                   answer->code != IOMMUFD_PAGE_RESP_INVALID)) {
            return done ? (ssize_t)done : -EINVAL;
        }
        dev = r->device;
        r->device = NULL;
        device_resume(dev, answer->code == IOMMUFD_PAGE_RESP_SUCCESS);
    }
    return done;
}

static void fault_close(File *f)
{
    FaultQueue *q = f->object;

    q->fd = -1;
    fault_queue_drop(q, NULL);
    q->object->users--;
    context_put(q->context);
}

static const FileOps fault_ops = {
    .kind = REF_FAULT_FD,
    .read = fault_read,
    .write = fault_write,
    .close = fault_close,
};

int fault_queue_new(Context *c, Object *o)
{
    FaultQueue *q = calloc(1, sizeof(*q));

    q->context = c;
    q->object = o;
    q->fd = file_new(-1, true, &fault_ops, q);
    o->queue = q;
    o->users++;
    c->users++;
    return q->fd;
}

void fault_queue_free(FaultQueue *q)
{
    free(q);
}

int fault_alloc(Context *c, void *arg)
{
    struct iommu_fault_alloc *cmd = arg;
    Object *o;

    if (cmd->flags) {
        return -EOPNOTSUPP;
    }
    o = object_new(c, OBJECT_FAULT);
    cmd->out_fault_fd = fault_queue_new(c, o);
    cmd->out_fault_id = o->id;
    return 0;
}
