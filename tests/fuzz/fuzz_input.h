/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of one case, read as numbers and choices.
 *
 * A case is a program: bytes choose operations and their operands, in order.
 * What comes behind the end reads as zero, so any bytes are a valid case, and
 * a case that is cut short or mutated stays similar to what it was.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void input_start(const uint8_t *data, size_t size);

/* False at the end. */
bool input_more(void);

/* The next @bytes (1 to 8) bytes, little-endian. */
uint64_t input_bytes(unsigned bytes);

/* One byte's worth of choice among @limit (1 to 256). */
unsigned input_below(unsigned limit);

/* A number of up to 64 bits of a shape that matters to hardware: small, one
 * bit, all ones from a bit on, or any. */
uint64_t input_number(void);

/* Two of them: the upper and the lower half of a quadword. */
uint64_t input_halves(void);

#endif
