/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Structs of the first interface for nested translation: linux/iommu.h of
 * Linux 5.10 to 5.17, and VFIO's nesting calls around them in the form that was
 * proposed in September 2020 (version 7).  No header of today has them, and
 * their numbers were given to other things later: on a container, capability 3
 * of VFIO_IOMMU_GET_INFO may be another one, which its size and version tell.
 *
 * Structs grow at the end only.  argsz says how much the caller filled in; of a
 * union, one member counts, and nothing may follow it.
 */
#ifndef HW_I386_INTEL_IOMMU_UAPI2020_H
#define HW_I386_INTEL_IOMMU_UAPI2020_H

#include <stddef.h>
#include <stdint.h>

#define UAPI2020_AT(type, field, offset) \
    _Static_assert(offsetof(struct type, field) == (offset), \
                   #type "." #field)
#define UAPI2020_SIZE(type, size) \
    _Static_assert(sizeof(struct type) == (size), #type)

/* --- linux/iommu.h ------------------------------------------------------- */

#define UAPI2020_VERSION 1 /* of each struct that has a version */

enum {
    UAPI2020_FORMAT_VTD = 1, /* of a PASID table entry */

    UAPI2020_BIND_GPASID = 1 << 0, /* gpasid is valid */

    UAPI2020_VTD_SRE = 1 << 0,
    UAPI2020_VTD_EAFE = 1 << 1,
    UAPI2020_VTD_PCD = 1 << 2,
    UAPI2020_VTD_PWT = 1 << 3,
    UAPI2020_VTD_EMTE = 1 << 4,
    UAPI2020_VTD_CD = 1 << 5,
    UAPI2020_VTD_FLAGS = (1 << 6) - 1,

    UAPI2020_CACHE_IOTLB = 1 << 0,
    UAPI2020_CACHE_DEVICE_TLB = 1 << 1,
    UAPI2020_CACHE_PASID = 1 << 2,
    UAPI2020_CACHES = (1 << 3) - 1,

    UAPI2020_GRANULARITY_DOMAIN = 0,
    UAPI2020_GRANULARITY_PASID = 1,
    UAPI2020_GRANULARITY_ADDR = 2,

    /* Of both members of the union; LEAF of pages only. */
    UAPI2020_INVALIDATE_PASID = 1 << 0,
    UAPI2020_INVALIDATE_ARCHID = 1 << 1,
    UAPI2020_INVALIDATE_LEAF = 1 << 2,

    UAPI2020_FAULT_UNRECOVERABLE = 1,
    UAPI2020_FAULT_PAGE_REQUEST = 2,

    UAPI2020_REQUEST_PASID = 1 << 0,
    UAPI2020_REQUEST_LAST = 1 << 1,
    UAPI2020_REQUEST_PRIVATE_DATA = 1 << 2,
    UAPI2020_REQUEST_ANSWER_NEEDS_PASID = 1 << 3,

    UAPI2020_ANSWER_PASID = 1 << 0,
    UAPI2020_ANSWER_SUCCESS = 0,
    UAPI2020_ANSWER_INVALID = 1,
    UAPI2020_ANSWER_FAILURE = 2,
};

struct uapi2020_gpasid_bind_vtd {
    uint64_t flags;
    uint32_t pat;
    uint32_t emt;
};

/* iommu_gpasid_bind_data */
struct uapi2020_gpasid_bind {
    uint32_t argsz;
    uint32_t version;
    uint32_t format;
    uint32_t addr_width;
    uint64_t flags;
    uint64_t gpgd; /* the guest's top table, guest-physical */
    uint64_t hpasid;
    uint64_t gpasid;
    uint8_t padding[8];
    struct uapi2020_gpasid_bind_vtd vtd; /* the union has this member only */
};

UAPI2020_AT(uapi2020_gpasid_bind, format, 8);
UAPI2020_AT(uapi2020_gpasid_bind, flags, 16);
UAPI2020_AT(uapi2020_gpasid_bind, gpgd, 24);
UAPI2020_AT(uapi2020_gpasid_bind, hpasid, 32);
UAPI2020_AT(uapi2020_gpasid_bind, gpasid, 40);
UAPI2020_AT(uapi2020_gpasid_bind, padding, 48);
UAPI2020_AT(uapi2020_gpasid_bind, vtd, 56);
UAPI2020_AT(uapi2020_gpasid_bind, vtd.pat, 64);
UAPI2020_SIZE(uapi2020_gpasid_bind, 72);

struct uapi2020_invalidate_pasid {
    uint32_t flags;
    uint32_t archid;
    uint64_t pasid;
};

struct uapi2020_invalidate_addr {
    uint32_t flags;
    uint32_t archid;
    uint64_t pasid;
    uint64_t addr;
    uint64_t granule_size;
    uint64_t nb_granules;
};

/* iommu_cache_invalidate_info */
struct uapi2020_cache_invalidate {
    uint32_t argsz;
    uint32_t version;
    uint8_t cache;
    uint8_t granularity;
    uint8_t padding[6];
    union {
        struct uapi2020_invalidate_pasid pasid;
        struct uapi2020_invalidate_addr addr;
    } granu;
};

UAPI2020_AT(uapi2020_cache_invalidate, cache, 8);
UAPI2020_AT(uapi2020_cache_invalidate, granularity, 9);
UAPI2020_AT(uapi2020_cache_invalidate, padding, 10);
UAPI2020_AT(uapi2020_cache_invalidate, granu, 16);
UAPI2020_AT(uapi2020_invalidate_addr, pasid, 8);
UAPI2020_AT(uapi2020_invalidate_addr, addr, 16);
UAPI2020_SIZE(uapi2020_invalidate_pasid, 16);
UAPI2020_SIZE(uapi2020_invalidate_addr, 40);
UAPI2020_SIZE(uapi2020_cache_invalidate, 56);

struct uapi2020_fault_unrecoverable {
    uint32_t reason;
    uint32_t flags;
    uint32_t pasid;
    uint32_t perm;
    uint64_t addr;
    uint64_t fetch_addr;
};

struct uapi2020_page_request {
    uint32_t flags;
    uint32_t pasid;
    uint32_t grpid;
    uint32_t perm;
    uint64_t addr;
    uint64_t private_data[2];
};

/* iommu_fault */
struct uapi2020_fault {
    uint32_t type;
    uint32_t padding;
    union {
        struct uapi2020_fault_unrecoverable event;
        struct uapi2020_page_request request;
        uint8_t padding2[56];
    };
};

UAPI2020_SIZE(uapi2020_fault_unrecoverable, 32);
UAPI2020_AT(uapi2020_fault_unrecoverable, addr, 16);
UAPI2020_SIZE(uapi2020_page_request, 40);
UAPI2020_AT(uapi2020_page_request, private_data, 24);
UAPI2020_AT(uapi2020_fault, event, 8);
UAPI2020_SIZE(uapi2020_fault, 64);

/* iommu_page_response */
struct uapi2020_page_response {
    uint32_t argsz;
    uint32_t version;
    uint32_t flags;
    uint32_t pasid;
    uint32_t grpid;
    uint32_t code;
};

UAPI2020_AT(uapi2020_page_response, pasid, 12);
UAPI2020_AT(uapi2020_page_response, code, 20);
UAPI2020_SIZE(uapi2020_page_response, 24);

/* --- linux/vfio.h -------------------------------------------------------- */

#define UAPI2020_TYPE1_NESTING_IOMMU 6
#define UAPI2020_INFO_CAP_NESTING 3

/* Calls on a container: _IO(';', 100 + 18), _IO(';', 100 + 19). */
#define UAPI2020_PASID_REQUEST 0x3b76
#define UAPI2020_NESTING_OP 0x3b77

enum {
    UAPI2020_PASID_ALLOC = 1 << 0, /* the result of the call is the PASID */
    UAPI2020_PASID_FREE = 1 << 1,

    UAPI2020_OP_MASK = 0xffff, /* in the flags of NESTING_OP */
    UAPI2020_OP_BIND = 0,
    UAPI2020_OP_UNBIND = 1,
    UAPI2020_OP_INVALIDATE = 2,

    UAPI2020_NESTING_SYSWIDE_PASID = 1 << 0,
    UAPI2020_NESTING_BIND = 1 << 1,
    UAPI2020_NESTING_INVALIDATE = 1 << 2,
};

struct uapi2020_nesting_info_vtd {
    uint32_t flags;
    uint32_t padding;
    uint64_t cap_reg;
    uint64_t ecap_reg;
};

/* iommu_nesting_info */
struct uapi2020_nesting_info {
    uint32_t argsz;
    uint32_t flags;
    uint32_t format;
    uint32_t features;
    uint16_t addr_width;
    uint16_t pasid_bits;
    uint8_t padding[12];
    struct uapi2020_nesting_info_vtd vtd;
};

UAPI2020_AT(uapi2020_nesting_info, features, 12);
UAPI2020_AT(uapi2020_nesting_info, addr_width, 16);
UAPI2020_AT(uapi2020_nesting_info, pasid_bits, 18);
UAPI2020_AT(uapi2020_nesting_info, vtd, 32);
UAPI2020_AT(uapi2020_nesting_info_vtd, cap_reg, 8);
UAPI2020_AT(uapi2020_nesting_info_vtd, ecap_reg, 16);
UAPI2020_SIZE(uapi2020_nesting_info, 56);

/* The capability: vfio_info_cap_header, then the info. */
struct uapi2020_info_cap_nesting {
    uint16_t id;
    uint16_t version;
    uint32_t next;
    struct uapi2020_nesting_info info;
};

UAPI2020_SIZE(uapi2020_info_cap_nesting, 64);

struct uapi2020_pasid_request {
    uint32_t argsz;
    uint32_t flags;
    uint32_t min;
    uint32_t max;
};

UAPI2020_SIZE(uapi2020_pasid_request, 16);

/* A struct of linux/iommu.h follows. */
struct uapi2020_nesting_op {
    uint32_t argsz;
    uint32_t flags;
};

UAPI2020_SIZE(uapi2020_nesting_op, 8);

#endif
