/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "qemu/bswap.h"
#include "sva_endpoint.h"

uint32_t sva_ep_piece_length(const struct sva_ep_cmd *cmd, uint32_t done)
{
    uint32_t len = cmd->length - done;

    if (cmd->flags & SVA_EP_FLAG_BURST) {
        return len;
    }
    len = MIN(len, PIECE_SIZE - (cmd->src + done) % PIECE_SIZE);
    return MIN(len, PIECE_SIZE - (cmd->dst + done) % PIECE_SIZE);
}

/* Room for two pieces of @len bytes. */
static uint8_t *piece_buffer(SvaEndpoint *s, uint32_t len)
{
    if (len > s->buffer_piece) {
        g_free(s->buffer);
        s->buffer_piece = MAX(len, PIECE_SIZE);
        s->buffer = g_malloc(2 * s->buffer_piece);
    }
    return s->buffer;
}

/* What a side of a command reads and writes: the bus or the local buffer. */
typedef struct Mover {
    SvaEndpoint *s;
    SvaAccess *access;
    void *opaque;
} Mover;

static bool move_in(const Mover *m, bool local, uint64_t addr, uint8_t *buf,
                    uint32_t len)
{
    uint8_t *ram = memory_region_get_ram_ptr(&m->s->local);

    if (local) {
        memcpy(buf, ram + addr, len);
        return true;
    }
    return m->access(m->s, m->opaque, SVA_READ, addr, buf, len);
}

static bool move_out(const Mover *m, bool local, uint64_t addr, uint8_t *buf,
                     uint32_t len)
{
    uint8_t *ram = memory_region_get_ram_ptr(&m->s->local);

    if (local) {
        memcpy(ram + addr, buf, len);
        memory_region_set_dirty(&m->s->local, addr, len);
        return true;
    }
    return m->access(m->s, m->opaque, SVA_WRITE, addr, buf, len);
}

SvaPieceResult sva_ep_piece(SvaEndpoint *s, const struct sva_ep_cmd *cmd,
                            SvaProgress *at, uint64_t number,
                            SvaAccess *access, void *opaque)
{
    const Mover m = { s, access, opaque };
    bool src_local = cmd->flags & SVA_EP_FLAG_SRC_LOCAL;
    bool dst_local = cmd->flags & SVA_EP_FLAG_DST_LOCAL;
    uint64_t src = cmd->src + at->bytes;
    uint64_t dst = cmd->dst + at->bytes;
    uint32_t len = sva_ep_piece_length(cmd, at->bytes);
    uint8_t *buf = piece_buffer(s, len), *other = buf + len;
    bool filled = number && s->filled == number && len == cmd->length;
    uint32_t same;

    s->filled = 0;
    if (sva_ep_has_src(cmd) && !move_in(&m, src_local, src, buf, len)) {
        return SVA_PIECE_NOT_DONE;
    }

    switch (cmd->opcode) {
    case SVA_EP_OP_COPY:
        if (!move_out(&m, dst_local, dst, buf, len)) {
            return SVA_PIECE_NOT_DONE;
        }
        break;
    case SVA_EP_OP_FILL:
        if (!filled) {
            sva_ep_fill(buf, len, cmd->operand, at->bytes);
        }
        s->filled = number;
        if (!move_out(&m, dst_local, dst, buf, len)) {
            return SVA_PIECE_NOT_DONE;
        }
        break;
    case SVA_EP_OP_CHECKSUM:
        at->result = sva_ep_hash(at->result, buf, len);
        break;
    case SVA_EP_OP_COMPARE:
        if (!move_in(&m, dst_local, dst, other, len)) {
            return SVA_PIECE_NOT_DONE;
        }
        same = sva_ep_difference(buf, other, len);
        if (same < len) {
            at->result = at->bytes + same;
            return SVA_PIECE_LAST;
        }
        break;
    case SVA_EP_OP_SWAP:
        stq_le_p(buf, cmd->operand);
        if (!access(s, opaque, SVA_SWAP, dst, buf, len)) {
            return SVA_PIECE_NOT_DONE;
        }
        at->result = ldq_le_p(buf);
        break;
    default:
        g_assert_not_reached(); /* sva_ep_check() passed */
    }
    at->bytes += len;
    return at->bytes == cmd->length ? SVA_PIECE_LAST : SVA_PIECE_MORE;
}
