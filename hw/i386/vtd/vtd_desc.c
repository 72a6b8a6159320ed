/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_desc.h"

/* First quadword; fields of all descriptors that have them at this place. */
#define D_G VTD_BITS(5, 4)
#define D_DID VTD_BITS(31, 16)
#define D_PASID VTD_BITS(51, 32)
#define D_TYPE (VTD_DESC_TYPE_LOW | VTD_DESC_TYPE_HIGH)

#define CC_SID VTD_BITS(47, 32)
#define CC_FM VTD_BITS(49, 48)

#define IOTLB_DW VTD_BIT(6)
#define IOTLB_DR VTD_BIT(7)

#define DTLB_MIP VTD_BITS(20, 16)
#define DTLB_SID VTD_BITS(47, 32)

#define PDTLB_MIP VTD_BITS(8, 4)
#define PDTLB_SID VTD_BITS(31, 16)

#define IEC_G VTD_BIT(4)
#define IEC_IM VTD_BITS(31, 27)
#define IEC_IIDX VTD_BITS(47, 32)

#define WAIT_IF VTD_BIT(4)
#define WAIT_SW VTD_BIT(5)
#define WAIT_FN VTD_BIT(6)
#define WAIT_PD VTD_BIT(7)
#define WAIT_DATA VTD_BITS(63, 32)

#define RESP_PP VTD_BIT(4)
#define RESP_CODE VTD_BITS(15, 12)
#define RESP_RID VTD_BITS(31, 16)

/* Second quadword */
#define A_AM VTD_BITS(5, 0)
#define A_IH VTD_BIT(6)
#define A_ADDR VTD_BITS(63, 12)
#define DTLB_S VTD_BIT(0)
#define PDTLB_G VTD_BIT(0)
#define PDTLB_S VTD_BIT(11)
#define WAIT_ADDR VTD_BITS(63, 2)
#define RESP_LPIG VTD_BIT(2) /* of older drivers; there is one response */
#define RESP_GROUP VTD_BITS(11, 3)

/* 2^52 pages of 4 KiB: all 64-bit addresses */
#define ORDER_OF_ALL 52

/* Granularities of the G field */
enum { PIOTLB_PASID = 2,
       PIOTLB_PAGE = 3 }; /* type 6 */
enum { PC_DOMAIN = 0,
       PC_PASID = 1,
       PC_GLOBAL = 3 }; /* type 7 */

static VtdQueueError reserved(uint64_t bits)
{
    return bits ? VTD_QUEUE_RESERVED : VTD_QUEUE_OK;
}

unsigned vtd_desc_size_coded(uint64_t *addr, bool size_bit)
{
    uint64_t page = *addr >> VTD_PAGE_SHIFT;
    unsigned order = 0;

    if (size_bit) {
        while (order < ORDER_OF_ALL && (page & VTD_BIT(order))) {
            order++;
        }
        order = order < ORDER_OF_ALL ? order + 1 : ORDER_OF_ALL;
    }
    *addr = order >= ORDER_OF_ALL ? 0 : page >> order << (order + VTD_PAGE_SHIFT);
    return order;
}

/* Pages named by ADDR and AM; a too large AM is an error of the guest. */
static VtdQueueError decode_pages(unsigned max_order, uint64_t qw1,
                                  VtdNotice *n)
{
    n->order = vtd_get(qw1, A_AM);
    n->leaf_only = qw1 & A_IH;
    if (n->order > max_order) {
        return VTD_QUEUE_RESERVED;
    }
    n->addr = (qw1 & A_ADDR) & ~((VTD_PAGE_SIZE << n->order) - 1);
    return VTD_QUEUE_OK;
}

static VtdQueueError decode_context(const uint64_t *qw, VtdNotice *n)
{
    n->kind = VTD_NOTICE_CONTEXT;
    n->did = vtd_get(qw[0], D_DID);
    if (!vtd_desc_scope(vtd_get(qw[0], D_G), VTD_SCOPE_DEVICE, &n->scope)) {
        return VTD_QUEUE_RESERVED;
    }
    if (n->scope == VTD_SCOPE_DEVICE) {
        n->sid = vtd_get(qw[0], CC_SID);
        n->sid_mask = vtd_function_mask(vtd_get(qw[0], CC_FM));
    }
    return reserved((qw[0] & ~(D_TYPE | D_G | D_DID | CC_SID | CC_FM)) |
                    qw[1]);
}

static VtdQueueError decode_iotlb(const VtdCaps *caps, const uint64_t *qw,
                                  VtdNotice *n)
{
    n->kind = VTD_NOTICE_IOTLB;
    n->did = vtd_get(qw[0], D_DID);
    if (!vtd_desc_scope(vtd_get(qw[0], D_G), VTD_SCOPE_PAGE, &n->scope) ||
        (qw[0] & ~(D_TYPE | D_G | IOTLB_DW | IOTLB_DR | D_DID)) ||
        (qw[1] & ~(A_AM | A_IH | A_ADDR))) {
        return VTD_QUEUE_RESERVED;
    }
    if (n->scope == VTD_SCOPE_PAGE) {
        return decode_pages(vtd_caps_max_order(caps), qw[1], n);
    }
    return VTD_QUEUE_OK;
}

static VtdQueueError decode_device_tlb(const VtdCaps *caps,
                                       const uint64_t *qw, VtdNotice *n)
{
    if (!(caps->ecap & VTD_ECAP_DT)) {
        return VTD_QUEUE_BAD_TYPE;
    }
    n->kind = VTD_NOTICE_DEVICE_TLB;
    n->scope = VTD_SCOPE_PAGE;
    n->sid = vtd_get(qw[0], DTLB_SID);
    n->addr = qw[1] & A_ADDR;
    n->order = vtd_desc_size_coded(&n->addr, qw[1] & DTLB_S);
    return reserved((qw[0] & ~(D_TYPE | DTLB_MIP | DTLB_SID)) |
                    (qw[1] & ~(DTLB_S | A_ADDR)));
}

static VtdQueueError decode_pasid_device_tlb(const VtdCaps *caps,
                                             const uint64_t *qw, VtdNotice *n)
{
    if (!(caps->ecap & VTD_ECAP_DT)) {
        return VTD_QUEUE_BAD_TYPE;
    }
    n->kind = VTD_NOTICE_DEVICE_TLB;
    n->scope = VTD_SCOPE_PAGE;
    n->has_pasid = true;
    n->sid = vtd_get(qw[0], PDTLB_SID);
    n->pasid = vtd_get(qw[0], D_PASID);
    n->all_pasids = qw[1] & PDTLB_G;
    n->addr = qw[1] & A_ADDR;
    n->order = vtd_desc_size_coded(&n->addr, qw[1] & PDTLB_S);
    return reserved((qw[0] & ~(D_TYPE | PDTLB_MIP | PDTLB_SID | D_PASID)) |
                    (qw[1] & ~(PDTLB_G | PDTLB_S | A_ADDR)));
}

static VtdQueueError decode_interrupt_entry(const VtdCaps *caps,
                                            const uint64_t *qw, VtdNotice *n)
{
    n->kind = VTD_NOTICE_INTERRUPT_ENTRY;
    if (qw[0] & IEC_G) {
        if (vtd_get(qw[0], IEC_IM) > vtd_get(caps->ecap, VTD_ECAP_MHMV)) {
            return VTD_QUEUE_RESERVED;
        }
        n->scope = VTD_SCOPE_PAGE;
        n->count = 1u << vtd_get(qw[0], IEC_IM);
        n->index = vtd_get(qw[0], IEC_IIDX) & ~(n->count - 1);
    } else {
        n->scope = VTD_SCOPE_GLOBAL;
    }
    return reserved((qw[0] & ~(D_TYPE | IEC_G | IEC_IM | IEC_IIDX)) | qw[1]);
}

/* PD needs no action.  Page requests and responses of emulated devices are never
 * on their way here, they are in the queue, or delivered, before anything that
 * follows; those of a passed-through device's PASID were drained, or answered, by
 * the host's kernel when the PASID was detached from its table. */
static VtdQueueError decode_wait(const VtdCaps *caps, const uint64_t *qw,
                                 VtdWait *wait)
{
    uint64_t known = D_TYPE | WAIT_IF | WAIT_SW | WAIT_FN | WAIT_DATA;

    if (caps->ecap & VTD_ECAP_PDS) {
        known |= WAIT_PD;
    }
    wait->interrupt = qw[0] & WAIT_IF;
    wait->status_write = qw[0] & WAIT_SW;
    wait->status_data = vtd_get(qw[0], WAIT_DATA);
    wait->status_addr = qw[1] & WAIT_ADDR;
    return reserved((qw[0] & ~known) | (qw[1] & ~WAIT_ADDR));
}

/* CAP.MAMV limits second-stage masks only (11.4.2): here any size is right, and
 * Linux uses it, up to the kernel's half of the address space. */
static VtdQueueError decode_pasid_iotlb(const uint64_t *qw, VtdNotice *n)
{
    n->kind = VTD_NOTICE_PASID_IOTLB;
    n->did = vtd_get(qw[0], D_DID);
    n->pasid = vtd_get(qw[0], D_PASID);
    if ((qw[0] & ~(D_TYPE | D_G | D_DID | D_PASID)) ||
        (qw[1] & ~(A_AM | A_IH | A_ADDR))) {
        return VTD_QUEUE_RESERVED;
    }
    switch (vtd_get(qw[0], D_G)) {
    case PIOTLB_PASID:
        n->scope = VTD_SCOPE_PASID;
        return VTD_QUEUE_OK;
    case PIOTLB_PAGE:
        n->scope = VTD_SCOPE_PAGE;
        return decode_pages(ORDER_OF_ALL, qw[1], n);
    default:
        return VTD_QUEUE_RESERVED;
    }
}

static VtdQueueError decode_pasid_cache(const uint64_t *qw, VtdNotice *n)
{
    n->kind = VTD_NOTICE_PASID_CACHE;
    n->did = vtd_get(qw[0], D_DID);
    n->pasid = vtd_get(qw[0], D_PASID);
    switch (vtd_get(qw[0], D_G)) {
    case PC_DOMAIN:
        n->scope = VTD_SCOPE_DOMAIN;
        break;
    case PC_PASID:
        n->scope = VTD_SCOPE_PASID;
        break;
    case PC_GLOBAL:
        n->scope = VTD_SCOPE_GLOBAL;
        break;
    default:
        return VTD_QUEUE_RESERVED;
    }
    return reserved((qw[0] & ~(D_TYPE | D_G | D_DID | D_PASID)) | qw[1]);
}

static VtdQueueError decode_page_response(const uint64_t *qw, VtdNotice *n)
{
    n->kind = VTD_NOTICE_PAGE_RESPONSE;
    n->sid = vtd_get(qw[0], RESP_RID);
    n->has_pasid = qw[0] & RESP_PP;
    n->pasid = vtd_get(qw[0], D_PASID);
    n->group = vtd_get(qw[1], RESP_GROUP);
    n->response = vtd_get(qw[0], RESP_CODE);
    if (n->response != VTD_PAGE_SUCCESS && n->response != VTD_PAGE_INVALID &&
        n->response != VTD_PAGE_FAILURE) {
        return VTD_QUEUE_RESERVED;
    }
    return reserved(
        (qw[0] & ~(D_TYPE | RESP_PP | RESP_CODE | RESP_RID | D_PASID)) |
        (qw[1] & ~(RESP_LPIG | RESP_GROUP)));
}

/* The types that exist in scalable mode, in wide queues. */
static bool is_pasid_based(unsigned type)
{
    return type >= VTD_DESC_PASID_IOTLB && type <= VTD_DESC_PAGE_RESPONSE;
}

static bool is_supported(const VtdCaps *caps, unsigned type)
{
    return (caps->ecap & VTD_ECAP_SMTS) &&
           (type != VTD_DESC_PAGE_RESPONSE || (caps->ecap & VTD_ECAP_PRS));
}

VtdQueueError vtd_desc_decode(const VtdCaps *caps, unsigned type,
                              const uint64_t qw[VTD_DESC_QWORDS], bool wide,
                              VtdNotice *notice, VtdWait *wait)
{
    *notice = (VtdNotice){ 0 };
    if (wide && (qw[2] || qw[3])) {
        return VTD_QUEUE_RESERVED;
    }
    if (is_pasid_based(type)) {
        if (!is_supported(caps, type)) {
            return VTD_QUEUE_BAD_TYPE;
        }
        if (!wide) {
            return VTD_QUEUE_BAD_WIDTH;
        }
    }
    switch (type) {
    case VTD_DESC_CONTEXT:
        return decode_context(qw, notice);
    case VTD_DESC_IOTLB:
        return decode_iotlb(caps, qw, notice);
    case VTD_DESC_DEVICE_TLB:
        return decode_device_tlb(caps, qw, notice);
    case VTD_DESC_INTERRUPT_ENTRY:
        return decode_interrupt_entry(caps, qw, notice);
    case VTD_DESC_WAIT:
        return decode_wait(caps, qw, wait);
    case VTD_DESC_PASID_IOTLB:
        return decode_pasid_iotlb(qw, notice);
    case VTD_DESC_PASID_CACHE:
        return decode_pasid_cache(qw, notice);
    case VTD_DESC_PASID_DEVICE_TLB:
        return decode_pasid_device_tlb(caps, qw, notice);
    case VTD_DESC_PAGE_RESPONSE:
        return decode_page_response(qw, notice);
    default:
        return VTD_QUEUE_BAD_TYPE;
    }
}
