/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz_input.h"

static const uint8_t *next;
static size_t left;

void input_start(const uint8_t *data, size_t size)
{
    next = data;
    left = size;
}

bool input_more(void)
{
    return left > 0;
}

uint64_t input_bytes(unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes && left; i++) {
        value |= (uint64_t)*next++ << (8 * i);
        left--;
    }
    return value;
}

unsigned input_below(unsigned limit)
{
    return input_bytes(1) % limit;
}

uint64_t input_number(void)
{
    unsigned shape = input_bytes(1);
    unsigned bit = shape & 63;

    switch (shape >> 6) {
    case 0:
        return bit;
    case 1:
        return 1ull << bit;
    case 2:
        return ~0ull << bit;
    default:
        return input_bytes(1 + bit % 8);
    }
}

uint64_t input_halves(void)
{
    uint64_t upper = input_number() << 32;

    return upper | (uint32_t)input_number();
}
