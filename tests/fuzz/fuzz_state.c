/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Migration: a state that is partly or wholly made up is refused without a
 * trace, or loaded and used.
 */
#include "fuzz_ops.h"

#include <string.h>

#include "vtd_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void save(VtdState *state)
{
    FuzzCall outer = fuzz_call_begin(0);

    memset(state, 0, sizeof(*state));
    vtd_state_save(&guest.unit, state);
    fuzz_call_end(outer);
}

static const char *try_load(const VtdState *state)
{
    FuzzCall outer = fuzz_call_begin(0);
    const char *problem;

    problem = vtd_state_load(&guest.unit, state);
    if (!problem) {
        fuzz_any_registers();
        CHECK(reg64(VTD_REG_IQH) <
              VTD_PAGE_SIZE << vtd_get(reg64(VTD_REG_IQA), VTD_IQA_QS));
    }
    fuzz_call_end(outer);
    return problem;
}

static bool equal(const VtdState *a, const VtdState *b)
{
    return !memcmp(a->registers, b->registers, sizeof(a->registers)) &&
           a->root == b->root && a->irta == b->irta &&
           a->next_record == b->next_record;
}

static void put(uint8_t *bytes, uint64_t value, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        bytes[i] = value >> (8 * i);
    }
}

/* Registers that decide what the unit does. */
static unsigned edited_register(void)
{
    static const uint16_t offsets[] = {
        VTD_REG_GSTS,  VTD_REG_IQH,   VTD_REG_IQT,  VTD_REG_IQA,
        VTD_REG_FSTS,  VTD_REG_FECTL, VTD_REG_IECTL, VTD_REG_FRCD + 8,
        VTD_REG_CCMD,  VTD_REG_IOTLB, VTD_REG_CAP,  VTD_REG_ECAP,
        VTD_REG_RTADDR, VTD_REG_ICS,
    };
    unsigned choice = input_below(sizeof(offsets) / sizeof(offsets[0]) + 2);

    if (choice < sizeof(offsets) / sizeof(offsets[0])) {
        return offsets[choice];
    }
    return input_bytes(2) % (VTD_STATE_BYTES - 8);
}

static void edit(VtdState *state)
{
    unsigned count = input_below(16);

    for (unsigned i = 0; i < count; i++) {
        unsigned what = input_bytes(1);
        unsigned offset;
        uint64_t value;

        switch (what & 15) {
        case 0:
            state->root = world_page() | (what & 0x30) << 6;
            break;
        case 1:
            state->root = input_number();
            break;
        case 2:
            state->irta = input_number();
            break;
        case 3:
            state->next_record = input_number();
            break;
        default:
            offset = edited_register();
            value = what & 16 ? world_address() : input_number();
            put(&state->registers[offset], value, what & 32 ? 8 : 4);
            break;
        }
    }
}

/* All bytes from the input, but for those that say whose state it is. */
static void replace(VtdState *state)
{
    for (unsigned i = 0; i < VTD_STATE_BYTES; i++) {
        if (i < VTD_REG_CAP || i >= VTD_REG_GCMD) {
            state->registers[i] = input_bytes(1);
        }
    }
    state->registers[VTD_REG_GSTS] = 0;
    state->registers[VTD_REG_GSTS + 1] = 0;
    state->registers[VTD_REG_GSTS + 2] &= VTD_GCMD_CFI >> 16;
    state->root = input_number();
    state->irta = input_number();
}

static void op_migrate(void)
{
    VtdState before;
    VtdState state;
    VtdState after;

    save(&before);
    state = before;
    if (input_bytes(1) == 0) {
        replace(&state);
    } else {
        edit(&state);
    }
    if (try_load(&state)) {
        save(&after);
        CHECK(equal(&before, &after));
        return;
    }
    /* What was loaded is a state that can be loaded, and that stays. */
    save(&after);
    CHECK(after.next_record < vtd_caps_fault_records(&guest.unit.caps));
    CHECK(!try_load(&after));
    save(&state);
    CHECK(equal(&after, &state));
}

static const FuzzOp ops[] = {
    op_migrate,    op_migrate,    op_translate,   op_interrupt,
    op_descriptor, op_kick,       op_write_known, op_command,
    op_continue,   op_tail_any,   op_poke_entry,  op_clear_errors,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return RUN_IN_WORLD(data, size, ops);
}
