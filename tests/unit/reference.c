/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reference.h"

#define BIT(n) (1ull << (n))

/* Bits @hi to @lo of @value. */
static uint64_t bits(uint64_t value, unsigned hi, unsigned lo)
{
    return value >> lo & (~0ull >> (63 - (hi - lo)));
}

static uint64_t page(uint64_t value)
{
    return value & ~0xfffull;
}

static bool read(const RefUnit *u, uint64_t gpa, uint64_t *value)
{
    return u->load(u->opaque, gpa, value);
}

/* Address bits that a pointer to a table must not have. */
static bool too_wide(const RefUnit *u, uint64_t pointer)
{
    return pointer >> u->width;
}

/* Configurations ------------------------------------------------------ */

static bool levels_supported(const RefUnit *u, unsigned levels)
{
    return levels == 3 || (levels == 4 && u->width == 48);
}

static uint8_t legacy_config(const RefUnit *u, RefRequest request,
                             RefConfig *c)
{
    uint64_t place = page(u->rtaddr) + (request.sid >> 8) * 16;
    uint64_t low;
    uint64_t high;

    if (request.has_pasid) {
        return 0x31;
    }
    if (!read(u, place, &low) || !read(u, place + 8, &high)) {
        return 0x08;
    }
    if (!bits(low, 0, 0)) {
        return 0x01;
    }
    if (bits(low, 11, 1) || too_wide(u, low) || high) {
        return 0x0a;
    }
    place = page(low) + (request.sid & 0xff) * 16;
    if (!read(u, place, &low) || !read(u, place + 8, &high)) {
        return 0x09;
    }
    if (!bits(low, 0, 0)) {
        return 0x02;
    }
    if (bits(low, 11, 4) || too_wide(u, low) || bits(high, 7, 7) ||
        bits(high, 63, 24)) {
        return 0x0b;
    }
    c->legacy = true;
    c->did = bits(high, 23, 8);
    c->ss_levels = bits(high, 2, 0) + 2;
    c->ss_table = page(low);
    if (!levels_supported(u, c->ss_levels)) {
        return 0x03;
    }
    switch (bits(low, 3, 2)) {
    case 0:
        c->kind = REF_SECOND;
        return 0;
    case 1:
        c->kind = REF_SECOND;
        return u->has_device_tlb ? 0 : 0x03;
    case 2:
        c->kind = REF_PASS_THROUGH;
        return u->has_pass_through ? 0 : 0x03;
    default:
        return 0x03;
    }
}

/* The scalable-mode PASID-table entry at @place. */
static uint8_t pasid_entry(const RefUnit *u, uint64_t place, RefConfig *c)
{
    uint64_t qw[8];
    bool first;
    bool second;

    for (unsigned i = 0; i < 8; i++) {
        if (!read(u, place + i * 8, &qw[i])) {
            return 0x58;
        }
    }
    if (!bits(qw[0], 0, 0)) {
        return 0x59;
    }
    if (bits(qw[0], 5, 5) || bits(qw[0], 11, 10) || too_wide(u, qw[0]) ||
        (bits(qw[0], 9, 9) && !u->has_ss_accessed_dirty) ||
        bits(qw[1], 22, 16) || bits(qw[2], 11, 8) || too_wide(u, qw[2]) ||
        qw[3] || qw[4] || qw[5] || qw[6] || qw[7]) {
        return 0x5a;
    }
    c->did = bits(qw[1], 15, 0);
    c->ss_levels = bits(qw[0], 4, 2) + 2;
    c->ss_table = page(qw[0]);
    c->fs_table = page(qw[2]);
    c->execute_enable = bits(qw[2], 1, 1);
    c->extended_accessed = bits(qw[2], 7, 7);
    c->no_execute = bits(qw[2], 5, 5);
    switch (bits(qw[0], 8, 6)) {
    case 1:
        c->kind = REF_FIRST;
        break;
    case 2:
        c->kind = REF_SECOND;
        break;
    case 3:
        c->kind = REF_NESTED;
        break;
    case 4:
        c->kind = REF_PASS_THROUGH;
        return u->has_pass_through ? 0 : 0x5b;
    default:
        return 0x5b;
    }
    first = c->kind != REF_SECOND;
    second = c->kind != REF_FIRST;
    if (c->kind == REF_NESTED && !u->has_nested) {
        return 0x5b;
    }
    if (first && (!u->has_first_stage || bits(qw[2], 3, 2) /* 4 levels */ ||
                  (bits(qw[2], 0, 0) && !u->has_supervisor_requests) ||
                  (bits(qw[2], 7, 7) && !u->has_extended_accessed))) {
        return 0x5b;
    }
    if (second &&
        (!u->has_second_stage || !levels_supported(u, c->ss_levels))) {
        return 0x5b;
    }
    return 0;
}

static uint8_t scalable_config(const RefUnit *u, RefRequest request,
                               RefConfig *c)
{
    uint64_t place = page(u->rtaddr) + (request.sid >> 8) * 16;
    uint64_t root;
    uint64_t qw[4];
    uint64_t directory;
    uint64_t limit;

    if (!read(u, place + (request.sid & 0x80 ? 8 : 0), &root)) {
        return 0x38;
    }
    if (!bits(root, 0, 0)) {
        return 0x39;
    }
    if (bits(root, 11, 1) || too_wide(u, root)) {
        return 0x3a;
    }
    for (unsigned i = 0; i < 4; i++) {
        if (!read(u, page(root) + (request.sid & 0x7f) * 32 + i * 8, &qw[i])) {
            return 0x40;
        }
    }
    if (!bits(qw[0], 0, 0)) {
        return 0x41;
    }
    if (bits(qw[0], 8, 5) || too_wide(u, qw[0]) || bits(qw[1], 63, 21) ||
        qw[2] || qw[3]) {
        return 0x42;
    }
    /* 2^(PDTS + 7) directory entries of 64 PASIDs */
    limit = BIT(bits(qw[0], 11, 9) + 7 + 6);
    if (request.has_pasid) {
        c->pasid = request.pasid;
        if (!u->pasid_bits || !bits(qw[0], 3, 3)) {
            return 0x45;
        }
        if (c->pasid >= limit || c->pasid >= BIT(u->pasid_bits)) {
            return 0x46;
        }
    } else {
        c->pasid = bits(qw[1], 19, 0);
        if (c->pasid >= limit) {
            return 0x48;
        }
    }
    if (!read(u, page(qw[0]) + c->pasid / 64 * 8, &directory)) {
        return 0x50;
    }
    if (!bits(directory, 0, 0)) {
        return 0x51;
    }
    if (bits(directory, 11, 2) || too_wide(u, directory)) {
        return 0x52;
    }
    return pasid_entry(u, page(directory) + c->pasid % 64 * 64, c);
}

uint8_t reference_config(const RefUnit *u, RefRequest request, RefConfig *c)
{
    *c = (RefConfig){ .pasid = 0 };
    switch (bits(u->rtaddr, 11, 10)) {
    case 0:
        return legacy_config(u, request, c);
    case 1:
        return u->scalable_mode ? scalable_config(u, request, c) : 0x30;
    default:
        return 0x30;
    }
}

/* Second stage -------------------------------------------------------- */

/* Legacy mode has codes of its own; "not present" has none there. */
static uint8_t second_code(const RefConfig *c, uint8_t scalable, bool write)
{
    if (!c->legacy) {
        return scalable;
    }
    switch (scalable) {
    case 0x79:
        return write ? 0x05 : 0x06;
    case 0x7a:
        return 0x0c;
    case 0x7b: /* the context entry names it */
        return 0x03;
    default: /* 0x78 */
        return 0x07;
    }
}

static RefResult second_stage(const RefUnit *u, const RefConfig *c,
                              uint64_t addr, bool write)
{
    RefResult r = { .perm = REF_READ | REF_WRITE | REF_EXECUTE };
    uint64_t table = c->ss_table;

    for (unsigned level = c->ss_levels;; level--) {
        unsigned shift = 12 + 9 * (level - 1);
        bool leaf;
        uint64_t e;

        if (level == 1 && c->kind == REF_SECOND && u->at_last_table) {
            u->at_last_table();
        }
        if (!read(u, table + bits(addr, shift + 8, shift) * 8, &e)) {
            r.fault = second_code(c, level == c->ss_levels ? 0x7b : 0x78,
                                  write);
            return r;
        }
        if (!bits(e, 1, 0)) {
            r.fault = second_code(c, 0x79, write);
            return r;
        }
        leaf = level == 1 || (level <= 3 && bits(e, 7, 7));
        if (bits(e, 51, u->width) ||
            (bits(e, 11, 11) && !(leaf && u->scalable_mode)) ||
            (bits(e, 62, 62) && !(leaf && u->accepts_tm)) ||
            (level > 3 && bits(e, 7, 7)) ||
            (leaf && level > 1 && bits(e, shift - 1, 12))) {
            r.fault = second_code(c, 0x7a, write);
            return r;
        }
        if (!bits(e, 0, 0)) {
            r.perm &= ~(unsigned)(REF_READ | REF_EXECUTE);
        }
        if (!bits(e, 1, 1)) {
            r.perm &= ~(unsigned)REF_WRITE;
        }
        table = bits(e, 51, 12) << 12;
        if (leaf) {
            r.pa = (table >> shift << shift) + bits(addr, shift - 1, 0);
            return r;
        }
    }
}

static uint8_t lacking(const RefConfig *c, unsigned allowed, unsigned perm)
{
    if (perm & REF_WRITE & ~allowed) {
        return c->legacy ? 0x05 : 0x85;
    }
    if (perm & REF_READ & ~allowed) {
        return c->legacy ? 0x06 : 0x86;
    }
    if (perm & REF_EXECUTE & ~allowed) {
        return 0x82;
    }
    return 0;
}

/* First stage --------------------------------------------------------- */

/* Turn the address of a first-stage entry into one of memory. */
static uint8_t first_stage_entry_place(const RefUnit *u, const RefConfig *c,
                                       unsigned level, uint64_t *addr,
                                       bool *writable)
{
    RefResult r;

    *writable = true;
    if (c->kind != REF_NESTED) {
        return 0;
    }
    if (*addr >> (12 + 9 * c->ss_levels)) {
        return 0x74;
    }
    r = second_stage(u, c, *addr, false);
    if (r.fault) {
        return r.fault;
    }
    if (!(r.perm & REF_READ)) {
        return level == 4 ? 0x75 : 0x76;
    }
    *addr = r.pa;
    *writable = r.perm & REF_WRITE;
    return 0;
}

static RefResult first_stage(const RefUnit *u, const RefConfig *c,
                             uint64_t iova, unsigned perm)
{
    RefResult r = { .perm = REF_READ | REF_WRITE };
    uint64_t table = c->fs_table;
    bool user = true;

    if (c->execute_enable) {
        r.perm |= REF_EXECUTE;
    }
    for (unsigned level = 4;; level--) {
        unsigned shift = 12 + 9 * (level - 1);
        uint64_t place = table + bits(iova, shift + 8, shift) * 8;
        bool writable;
        bool leaf;
        uint64_t e;

        if (level == 1 && u->at_last_table) {
            u->at_last_table();
        }
        r.fault = first_stage_entry_place(u, c, level, &place, &writable);
        if (r.fault) {
            return r;
        }
        if (!read(u, place, &e)) {
            r.fault = level == 4 ? 0x73 : 0x70;
            return r;
        }
        if (!bits(e, 0, 0)) {
            r.fault = 0x71;
            return r;
        }
        leaf = level == 1 || (level <= 3 && bits(e, 7, 7));
        if (bits(e, 51, u->width) || (level == 4 && bits(e, 7, 7)) ||
            (level == 3 && leaf && !u->has_1g_first_stage) ||
            (level > 1 && leaf && bits(e, shift - 1, 13))) {
            r.fault = 0x72;
            return r;
        }
        if (!bits(e, 1, 1)) {
            r.perm &= ~(unsigned)REF_WRITE;
        }
        if (bits(e, 63, 63) && c->no_execute) {
            r.perm &= ~(unsigned)REF_EXECUTE;
        }
        user = user && bits(e, 2, 2);
        /* Accessed, extended accessed, and dirty for a write that will be
         * allowed, have to be written if they are not there. */
        if (!writable &&
            (!bits(e, 5, 5) || (c->extended_accessed && !bits(e, 10, 10)) ||
             (leaf && !bits(e, 6, 6) && user &&
              perm & r.perm & REF_WRITE))) {
            r.fault = 0x77;
            return r;
        }
        table = bits(e, 51, 12) << 12;
        if (leaf) {
            r.pa = (table >> shift << shift) + bits(iova, shift - 1, 0);
            break;
        }
    }
    r.fault = user ? lacking(c, r.perm, perm) : 0x81;
    return r;
}

/* A whole request ----------------------------------------------------- */

static RefResult walk(const RefUnit *u, const RefConfig *c, uint64_t iova,
                      unsigned perm)
{
    RefResult r = { 0 };
    RefResult below;

    if (c->kind == REF_SECOND) {
        if (iova >> (12 + 9 * c->ss_levels)) {
            r.fault = c->legacy ? 0x04 : 0x83;
            return r;
        }
        r = second_stage(u, c, iova, perm & REF_WRITE);
        if (!r.fault) {
            r.fault = lacking(c, r.perm, perm);
        }
        return r;
    }
    if ((perm & REF_EXECUTE) && !c->execute_enable) {
        r.fault = 0x5c;
        return r;
    }
    if (bits(iova, 63, 47) != 0 && bits(iova, 63, 47) != 0x1ffff) {
        r.fault = 0x80;
        return r;
    }
    r = first_stage(u, c, iova, perm);
    if (r.fault || c->kind == REF_FIRST) {
        return r;
    }
    if (r.pa >> (12 + 9 * c->ss_levels)) {
        r.fault = 0x84;
        return r;
    }
    below = second_stage(u, c, r.pa, perm & REF_WRITE);
    below.perm &= r.perm;
    if (!below.fault) {
        below.fault = lacking(c, below.perm, perm);
    }
    return below;
}

RefResult reference_walk(const RefUnit *u, const RefConfig *c, uint64_t iova,
                         unsigned perm)
{
    RefResult r;

    if (c->kind == REF_PASS_THROUGH) {
        r = (RefResult){
            .pa = iova,
            .perm = REF_READ | REF_WRITE | REF_EXECUTE,
        };
    } else {
        r = walk(u, c, iova, perm);
    }
    if (!r.fault && r.pa >= 0xfee00000 && r.pa <= 0xfeefffff) {
        r.fault = c->legacy ? 0x0e : 0x87;
    }
    return r;
}
