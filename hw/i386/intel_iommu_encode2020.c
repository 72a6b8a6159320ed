/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "intel_iommu_encode2020.h"

#include <string.h>

/* vfio_iommu_type1_info, as far as it matters, and vfio_info_cap_header. */
typedef struct Type1Info {
    uint32_t argsz;
    uint32_t flags;
    uint64_t pgsizes;
    uint32_t cap_offset;
} Type1Info;

typedef struct CapHeader {
    uint16_t id;
    uint16_t version;
    uint32_t next; /* offset in the info; 0: none */
} CapHeader;

#define INFO_HAS_CAPS (1u << 1)
#define MAX_CAPS 64

static uint64_t flag(bool on, uint64_t value)
{
    return on ? value : 0;
}

static struct uapi2020_op_bind bind_op(uint32_t op, uint32_t pasid)
{
    return (struct uapi2020_op_bind){
        .op = { .argsz = sizeof(struct uapi2020_op_bind), .flags = op },
        .bind = {
            .argsz = sizeof(struct uapi2020_gpasid_bind),
            .version = UAPI2020_VERSION,
            .format = UAPI2020_FORMAT_VTD,
            .flags = UAPI2020_BIND_GPASID,
            .hpasid = pasid,
            .gpasid = pasid,
        },
    };
}

bool vtd_encode2020_bind(const VtdConfig *config, uint32_t pasid,
                         struct uapi2020_op_bind *to)
{
    /* WPE is about requests of supervisors: without SRE it changes nothing. */
    if (config->kind != VTD_FIRST_STAGE ||
        (config->supervisor_enable && config->write_protect)) {
        return false;
    }
    *to = bind_op(UAPI2020_OP_BIND, pasid);
    to->bind.addr_width = config->fs_levels == 5 ? 57 : 48;
    to->bind.gpgd = config->fs_table;
    to->bind.vtd.flags = flag(config->supervisor_enable, UAPI2020_VTD_SRE) |
                         flag(config->extended_accessed, UAPI2020_VTD_EAFE);
    return true;
}

void vtd_encode2020_unbind(uint32_t pasid, struct uapi2020_op_bind *to)
{
    *to = bind_op(UAPI2020_OP_UNBIND, pasid);
}

void vtd_encode2020_invalidate(const VtdRange *range, uint32_t pasid,
                               struct uapi2020_op_invalidate *to)
{
    struct uapi2020_cache_invalidate *inval = &to->inval;

    *to = (struct uapi2020_op_invalidate){
        .op = { .argsz = sizeof(*to), .flags = UAPI2020_OP_INVALIDATE },
        .inval = {
            .argsz = sizeof(*inval),
            .version = UAPI2020_VERSION,
            .cache = UAPI2020_CACHE_IOTLB,
        },
    };
    if (range->order >= VTD_RANGE_ALL) {
        inval->granularity = UAPI2020_GRANULARITY_PASID;
        inval->granu.pasid = (struct uapi2020_invalidate_pasid){
            .flags = UAPI2020_INVALIDATE_PASID,
            .pasid = pasid,
        };
    } else {
        inval->granularity = UAPI2020_GRANULARITY_ADDR;
        inval->granu.addr = (struct uapi2020_invalidate_addr){
            .flags = UAPI2020_INVALIDATE_PASID |
                     flag(range->leaf_only, UAPI2020_INVALIDATE_LEAF),
            .pasid = pasid,
            .addr = range->addr,
            .granule_size = VTD_PAGE_SIZE,
            .nb_granules = 1ull << range->order,
        };
    }
}

void vtd_encode2020_pasid(uint32_t flags, uint32_t min, uint32_t max,
                          struct uapi2020_pasid_request *to)
{
    *to = (struct uapi2020_pasid_request){
        .argsz = sizeof(*to),
        .flags = flags,
        .min = min,
        .max = max,
    };
}

/* Capability 3 at @at, which has @room bytes. */
static const char *decode(const uint8_t *at, size_t room, VtdNesting2020 *to)
{
    struct uapi2020_info_cap_nesting cap;

    /* One of today's kernels has another one of that number: it is shorter. */
    if (room < sizeof(cap)) {
        return "the host's kernel has no nesting of 2020 for containers "
               "(capability 3 is another one)";
    }
    memcpy(&cap, at, sizeof(cap));
    if (cap.version != 1) {
        return "the host's kernel has another version of the nesting capability";
    }
    if (cap.info.argsz < sizeof(cap.info) ||
        cap.info.argsz > room - offsetof(struct uapi2020_info_cap_nesting,
                                         info)) {
        return "the host's kernel has a nesting capability of another size";
    }
    if (cap.info.format != UAPI2020_FORMAT_VTD) {
        return "the host's kernel nests tables of another format than VT-d's";
    }
    *to = (VtdNesting2020){
        .features = cap.info.features,
        .addr_width = cap.info.addr_width,
        .pasid_bits = cap.info.pasid_bits,
        .cap = cap.info.vtd.cap_reg,
        .ecap = cap.info.vtd.ecap_reg,
    };
    return NULL;
}

const char *vtd_decode2020_nesting(const void *info, size_t size,
                                   VtdNesting2020 *to)
{
    const uint8_t *bytes = info;
    Type1Info head = { 0 };
    size_t offset;

    memcpy(&head, info, size < sizeof(head) ? size : sizeof(head));
    offset = head.flags & INFO_HAS_CAPS ? head.cap_offset : 0;
    for (unsigned i = 0; i < MAX_CAPS && offset &&
                         offset <= size && size - offset >= sizeof(CapHeader);
         i++) {
        CapHeader cap;
        size_t end;

        memcpy(&cap, bytes + offset, sizeof(cap));
        end = cap.next > offset && cap.next < size ? cap.next : size;
        if (cap.id == UAPI2020_INFO_CAP_NESTING) {
            return decode(bytes + offset, end - offset, to);
        }
        offset = cap.next;
    }
    return "the host's kernel has no nesting of 2020 for containers";
}
