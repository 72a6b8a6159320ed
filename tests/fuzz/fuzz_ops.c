/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz_ops.h"

#include "vtd_desc.h"

/* Registers whose writing does something, or decides what others do. */
static const uint16_t known[] = {
    VTD_REG_RTADDR, VTD_REG_CCMD,     VTD_REG_CCMD + 4, VTD_REG_FSTS,
    VTD_REG_FECTL,  VTD_REG_FEDATA,   VTD_REG_FEADDR,   VTD_REG_FEUADDR,
    VTD_REG_IQT,    VTD_REG_IQA,      VTD_REG_ICS,      VTD_REG_IECTL,
    VTD_REG_IEDATA, VTD_REG_IEADDR,   VTD_REG_IRTA,     VTD_REG_IVA,
    VTD_REG_IOTLB,  VTD_REG_IOTLB + 4, VTD_REG_FRCD + 8, VTD_REG_FRCD + 12,
    VTD_REG_GCMD,   VTD_REG_IQH,
};

static unsigned known_register(void)
{
    return known[input_below(sizeof(known) / sizeof(known[0]))];
}

static unsigned access_size(unsigned offset)
{
    static const uint8_t sizes[] = { 4, 8, 4, 8, 4, 8, 1, 2 };
    unsigned size = sizes[input_below(8)];

    return size == 8 && offset % 8 ? 4 : size;
}

/* What a register may be given: a number, or a page with low bits. */
static uint64_t register_value(void)
{
    unsigned choice = input_bytes(1);

    if (choice & 1) {
        return world_address();
    }
    return choice & 2 ? input_halves() : input_number();
}

void op_read(void)
{
    unsigned offset = input_bytes(2) % (VTD_REG_SPACE + 16);

    fuzz_read(offset, input_below(9));
}

void op_write_any(void)
{
    unsigned offset = input_bytes(2) % (VTD_REG_SPACE + 16);
    unsigned size = input_below(9);

    fuzz_write(offset, register_value(), size);
}

void op_write_known(void)
{
    unsigned offset = known_register();
    unsigned size = access_size(offset);

    fuzz_write(offset, register_value(), size);
}

void op_command(void)
{
    static const uint32_t bits[] = {
        VTD_GCMD_TE, VTD_GCMD_SRTP, VTD_GCMD_QIE, VTD_GCMD_IRE,
        VTD_GCMD_SIRTP, VTD_GCMD_CFI, VTD_GCMD_WBF, 1,
    };
    unsigned change = input_bytes(1);
    uint32_t value =
        reg32(VTD_REG_GSTS) & ~(VTD_GCMD_SRTP | VTD_GCMD_SIRTP);

    for (unsigned i = 0; i < 8; i++) {
        value ^= change >> i & 1 ? bits[i] : 0;
    }
    fuzz_write(VTD_REG_GCMD, value, 4);
}

void op_translate(void)
{
    VtdSource *source = world_source();
    unsigned how = input_bytes(1);
    uint64_t iova = world_iova();
    VtdAccess access = { .perm = how & 7, .supervisor = how & 16 };
    VtdMapping out;

    fuzz_translate(source, iova, access, how & 8, &out);
}

void op_interrupt(void)
{
    unsigned how = input_bytes(1);
    unsigned index = how >> 4 & 1 ? input_bytes(2) : how >> 5;
    uint64_t addr = VTD_MSI_RANGE_FIRST | (how & 1 ? VTD_MSI_FORMAT : 0) |
                    (how & 2 ? VTD_MSI_SHV : 0) |
                    vtd_put(VTD_MSI_HANDLE_14_0, index) |
                    vtd_put(VTD_MSI_HANDLE_15, index >> 15);
    uint32_t data;

    if (how & 4) {
        addr ^= input_number();
    }
    data = how & 2 ? input_number() : 0;
    fuzz_interrupt(world_source()->req.sid, addr, data, how & 8);
}

void op_report_fault(void)
{
    VtdSource *source = world_source();
    VtdFault fault = 1 + input_below(VTD_FAULT_COUNT - 1);
    FuzzCall outer = fuzz_call_begin(4);

    vtd_report_fault(&guest.unit, source, fault, 0x123000);
    fuzz_call_end(outer);
}

void op_poke_entry(void)
{
    uint64_t gpa = world_place();
    uint64_t old = fuzz_peek(gpa);

    switch (input_below(6)) {
    case 0:
        fuzz_poke(gpa, 0);
        break;
    case 1: /* another table or page, the same bits */
        fuzz_poke(gpa, (old & 0xfff) | world_page());
        break;
    case 2: /* the entry that another one is */
        fuzz_poke(gpa, fuzz_peek(world_place()));
        break;
    case 3:
        fuzz_poke(gpa, input_number());
        break;
    case 4: /* an entry with low bits, at any address */
        old = input_number() << VTD_PAGE_SHIFT;
        fuzz_poke(gpa, old | input_bytes(2) % VTD_PAGE_SIZE);
        break;
    default:
        fuzz_poke(gpa, old ^ 1ull << input_below(64));
        break;
    }
}

void op_poke_any(void)
{
    uint64_t gpa = world_address() & ~7ull;

    fuzz_poke(gpa, input_number());
}

/* The second quadword of what names pages. */
static uint64_t pages_operand(void)
{
    uint64_t page = world_iova() & VTD_PAGE_MASK;

    return page | input_bytes(1);
}

static void write_descriptor(uint64_t qw0, uint64_t qw1)
{
    if (!guest.queue_bytes) {
        return; /* there is no queue yet */
    }
    if (guest.tail >= guest.queue_bytes) {
        guest.tail = 0;
    }
    for (unsigned i = 0; i < (guest.wide ? 4 : 2); i++) {
        uint64_t qw = i == 0 ? qw0 : i == 1 ? qw1 : 0;

        fuzz_poke(guest.queue + guest.tail, qw);
        guest.tail = (guest.tail + 8) % guest.queue_bytes;
    }
}

static uint64_t wait_address(void)
{
    unsigned choice = input_bytes(1);

    if (choice & 1) {
        return GUEST_STATUS;
    }
    return choice & 2 ? input_number() & ~3ull
                      : world_page() | (choice & 0xfc);
}

void op_descriptor(void)
{
    unsigned type = 1 + input_below(8);
    unsigned bits = input_bytes(1);
    uint64_t qw0 = type | (uint64_t)(bits & 3) << 4;
    uint64_t domain = (uint64_t)(bits >> 2 & 7) << 16;
    uint64_t number = bits >> 5;
    uint64_t qw1 = 0;

    switch (type) {
    case VTD_DESC_CONTEXT:
        qw0 |= domain | number << 48 | (uint64_t)GUEST_SID << 32;
        break;
    case VTD_DESC_IOTLB:
        qw0 |= domain;
        qw1 = pages_operand();
        break;
    case VTD_DESC_DEVICE_TLB:
        qw0 = type | (uint64_t)GUEST_SID << 32;
        qw1 = pages_operand() & ~0xffeull;
        break;
    case VTD_DESC_INTERRUPT_ENTRY:
        qw0 = type | (bits & 1) << 4 | number << 27 | number << 32;
        break;
    case VTD_DESC_WAIT:
        qw0 = type | (uint64_t)(bits & 7) << 4 | (uint64_t)bits << 32;
        qw1 = wait_address();
        break;
    case VTD_DESC_PASID_IOTLB:
        qw0 |= domain | number << 32;
        qw1 = pages_operand();
        break;
    case VTD_DESC_PASID_CACHE:
        qw0 |= domain | number << 32;
        break;
    default:
        qw0 = type | (uint64_t)GUEST_SID << 16 | number << 32;
        qw1 = pages_operand() & ~0x7feull;
        break;
    }
    write_descriptor(qw0, qw1);
}

void op_descriptor_any(void)
{
    uint64_t qw0 = input_halves();

    write_descriptor(qw0, input_number());
}

void op_kick(void)
{
    fuzz_write(VTD_REG_IQT, guest.tail, 8);
}

void op_tail_any(void)
{
    fuzz_write(VTD_REG_IQT, input_bytes(3) << 4, 4);
}

void op_continue(void)
{
    fuzz_continue();
}

void op_arm(void)
{
    FuzzMoment moment = input_below(FUZZ_MOMENTS);
    unsigned skip = input_below(16);
    unsigned offset = known_register();
    unsigned size = access_size(offset);

    fuzz_arm(moment, skip, offset, register_value(), size);
}

void op_fail(void)
{
    unsigned choice = input_bytes(1);
    static const FakeCall calls[] = { FAKE_READ, FAKE_WRITE, FAKE_LOAD64,
                                      FAKE_CAS64 };

    if (choice & 1) {
        fuzz_fail_delivery(choice & 2 ? VTD_DELIVERY_TIMEOUT
                                      : VTD_DELIVERY_REFUSED,
                           choice >> 2 & 7);
    } else {
        fuzz_fail_call(calls[choice >> 1 & 3], choice >> 3);
    }
}

void op_clear_errors(void)
{
    fuzz_write(VTD_REG_FSTS, UINT32_MAX, 4);
}

void run_ops(const FuzzOp *ops, unsigned count)
{
    for (unsigned i = 0; i < FUZZ_MAX_STEPS && input_more(); i++) {
        ops[input_below(count)]();
    }
}

int run_in_world(const uint8_t *data, size_t size, const FuzzOp *ops,
                 unsigned count)
{
    input_start(data, size);
    fuzz_start();
    world_build();
    run_ops(ops, count);
    return 0;
}
