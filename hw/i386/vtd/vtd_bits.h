/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bit fields of registers, table entries and descriptors.
 *
 * A field is named by its mask, e.g. VTD_CAP_MGAW = VTD_BITS(21, 16).  Masks
 * are declared once, beside the structure they belong to; shifts and reserved
 * masks are derived from them.
 */
#ifndef VTD_BITS_H
#define VTD_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VTD_BIT(n) (1ull << (n))
#define VTD_BITS(hi, lo) ((~0ull >> (63 - (hi))) & (~0ull << (lo)))

/* The value that @field (a contiguous mask) has in @word. */
static inline uint64_t vtd_get(uint64_t word, uint64_t field)
{
    return (word & field) / (field & -field);
}

/* @value put at the place of @field; bits that do not fit are cut. */
static inline uint64_t vtd_put(uint64_t field, uint64_t value)
{
    return (value * (field & -field)) & field;
}

/* A quadword as it lies in memory, little-endian, and its value. */
static inline uint64_t vtd_le64(uint64_t raw)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(raw);
#else
    return raw;
#endif
}

/* In front of a function on a path where each instruction counts: of what is
 * merely inline, compilers leave out more the more there is of it. */
#define VTD_INLINE static inline __attribute__((always_inline))

/* In front of a short loop there. */
#define VTD_UNROLL _Pragma("GCC unroll 8")

/* In front of a variable there that is set before it is read; compilers may be
 * told to clear all others (-ftrivial-auto-var-init). */
#ifdef __has_attribute
#if __has_attribute(uninitialized)
#define VTD_UNSET __attribute__((uninitialized))
#endif
#endif
#ifndef VTD_UNSET
#define VTD_UNSET
#endif

#define VTD_PAGE_SHIFT 12
#define VTD_PAGE_SIZE (1ull << VTD_PAGE_SHIFT)
#define VTD_PAGE_MASK (~(VTD_PAGE_SIZE - 1))

#endif
