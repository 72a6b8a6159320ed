/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "qemu/bitops.h"
#include "qemu/bswap.h"
#include "sva_endpoint_cmd.h"

/* Flags of the slot, and flags that all operations but SWAP take. */
#define SLOT_ONLY (SVA_EP_FLAG_BURST | SVA_EP_FLAG_REPEAT)
#define ANY_OP (SVA_EP_FLAG_IRQ | SLOT_ONLY)

/* What each operation takes; an opcode without flags does not exist. */
static const struct {
    uint16_t flags;
    bool src;
    bool dst;
    bool operand;
} sva_ep_ops[] = {
    [SVA_EP_OP_COPY] = {
        .flags = SVA_EP_FLAG_SRC_LOCAL | SVA_EP_FLAG_DST_LOCAL |
                 ANY_OP,
        .src = true, .dst = true,
    },
    [SVA_EP_OP_FILL] = {
        .flags = SVA_EP_FLAG_DST_LOCAL | ANY_OP,
        .dst = true, .operand = true,
    },
    [SVA_EP_OP_CHECKSUM] = {
        .flags = SVA_EP_FLAG_SRC_LOCAL | ANY_OP,
        .src = true,
    },
    [SVA_EP_OP_COMPARE] = {
        .flags = SVA_EP_FLAG_SRC_LOCAL | SVA_EP_FLAG_DST_LOCAL |
                 ANY_OP,
        .src = true, .dst = true,
    },
    [SVA_EP_OP_SWAP] = {
        .flags = SVA_EP_FLAG_IRQ,
        .dst = true, .operand = true,
    },
};

static bool sva_ep_op_exists(unsigned opcode)
{
    return opcode < ARRAY_SIZE(sva_ep_ops) && sva_ep_ops[opcode].flags;
}

uint64_t sva_ep_op_mask(void)
{
    uint64_t mask = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(sva_ep_ops); i++) {
        mask |= (uint64_t)sva_ep_op_exists(i) << i;
    }
    return mask;
}

uint32_t sva_ep_flag_mask(void)
{
    uint32_t mask = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(sva_ep_ops); i++) {
        mask |= sva_ep_ops[i].flags;
    }
    return mask;
}

struct sva_ep_cmd sva_ep_decode(const uint8_t *raw)
{
    struct sva_ep_cmd cmd;

    memcpy(&cmd, raw, sizeof(cmd));
    cmd.flags = le16_to_cpu(cmd.flags);
    cmd.reserved1 = le32_to_cpu(cmd.reserved1);
    cmd.src = le64_to_cpu(cmd.src);
    cmd.dst = le64_to_cpu(cmd.dst);
    cmd.length = le32_to_cpu(cmd.length);
    cmd.reserved2 = le32_to_cpu(cmd.reserved2);
    cmd.operand = le64_to_cpu(cmd.operand);
    cmd.completion = le64_to_cpu(cmd.completion);
    return cmd;
}

static bool sva_ep_range_ok(bool local, uint64_t addr, uint32_t length)
{
    if (local) {
        return addr <= SVA_EP_LOCAL_SIZE && length <= SVA_EP_LOCAL_SIZE - addr;
    }
    return addr <= UINT64_MAX - (length - 1);
}

/* That of what is there; SVA_EP_ERR_NONE if its fields can be relied on. */
static uint32_t check_form(const struct sva_ep_cmd *cmd, bool in_queue)
{
    if (!sva_ep_op_exists(cmd->opcode)) {
        return SVA_EP_ERR_OPCODE;
    }
    if (cmd->flags & ~sva_ep_ops[cmd->opcode].flags ||
        (in_queue && (cmd->flags & SLOT_ONLY))) {
        return SVA_EP_ERR_FLAGS;
    }
    if (cmd->reserved0 || cmd->reserved1 || cmd->reserved2 ||
        (cmd->completion && !in_queue) ||
        cmd->reserved3[0] || cmd->reserved3[1] ||
        (cmd->src && !sva_ep_ops[cmd->opcode].src) ||
        (cmd->dst && !sva_ep_ops[cmd->opcode].dst) ||
        (cmd->operand && !sva_ep_ops[cmd->opcode].operand)) {
        return SVA_EP_ERR_RESERVED;
    }
    return SVA_EP_ERR_NONE;
}

uint32_t sva_ep_check(const struct sva_ep_cmd *cmd, bool in_queue)
{
    bool is_swap = cmd->opcode == SVA_EP_OP_SWAP;
    uint32_t error = check_form(cmd, in_queue);

    if (error != SVA_EP_ERR_NONE) {
        return error;
    }
    if (!cmd->length || cmd->length > SVA_EP_LENGTH_LIMIT ||
        (is_swap && cmd->length != 8)) {
        return SVA_EP_ERR_LENGTH;
    }
    if (!sva_ep_range_ok(cmd->flags & SVA_EP_FLAG_SRC_LOCAL,
                         cmd->src, cmd->length) ||
        !sva_ep_range_ok(cmd->flags & SVA_EP_FLAG_DST_LOCAL,
                         cmd->dst, cmd->length)) {
        return SVA_EP_ERR_RANGE;
    }
    if ((is_swap && cmd->dst % 8) ||
        cmd->completion % SVA_EP_COMPLETION_SIZE) {
        return SVA_EP_ERR_ALIGN;
    }
    return SVA_EP_ERR_NONE;
}

bool sva_ep_has_src(const struct sva_ep_cmd *cmd)
{
    return sva_ep_ops[cmd->opcode].src;
}

uint64_t sva_ep_initial_result(const struct sva_ep_cmd *cmd)
{
    switch (cmd->opcode) {
    case SVA_EP_OP_CHECKSUM:
        return SVA_EP_FNV_BASIS;
    case SVA_EP_OP_COMPARE:
        return SVA_EP_COMPARE_EQUAL;
    default:
        return 0;
    }
}

void sva_ep_fill(uint8_t *buf, uint32_t len, uint64_t operand,
                 uint32_t progress)
{
    uint64_t turned = ror64(operand, 8 * (progress % 8));
    uint8_t word[8];

    stq_le_p(word, turned);
    for (uint32_t i = 0; i < len; i += 8) {
        memcpy(buf + i, word, MIN(len - i, 8));
    }
}

uint64_t sva_ep_hash(uint64_t hash, const uint8_t *buf, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        hash = (hash ^ buf[i]) * SVA_EP_FNV_PRIME;
    }
    return hash;
}

uint32_t sva_ep_difference(const uint8_t *a, const uint8_t *b, uint32_t len)
{
    uint32_t i = 0;

    if (memcmp(a, b, len) == 0) {
        return len;
    }
    while (a[i] == b[i]) {
        i++;
    }
    return i;
}
