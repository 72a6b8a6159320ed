/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of the sva-endpoint: their form, and what they do to bytes that
 * are there.  No state, no access to memory.
 */
#ifndef HW_MISC_SVA_ENDPOINT_CMD_H
#define HW_MISC_SVA_ENDPOINT_CMD_H

#include "hw/misc/sva_endpoint_regs.h"

/* What exists: bit n stands for opcode n, or for flag 1 << n. */
uint64_t sva_ep_op_mask(void);
uint32_t sva_ep_flag_mask(void);

struct sva_ep_cmd sva_ep_decode(const uint8_t *raw);

/* The error of a command of a queue or of the slot that must not start, or
 * SVA_EP_ERR_NONE.  The functions below take commands without such an
 * error. */
uint32_t sva_ep_check(const struct sva_ep_cmd *cmd, bool in_queue);

/* Whether the command reads what src stands for. */
bool sva_ep_has_src(const struct sva_ep_cmd *cmd);

/* RESULT before the first byte. */
uint64_t sva_ep_initial_result(const struct sva_ep_cmd *cmd);

/* @len bytes of FILL, @progress bytes into the command. */
void sva_ep_fill(uint8_t *buf, uint32_t len, uint64_t operand,
                 uint32_t progress);

/* CHECKSUM goes on with @len bytes. */
uint64_t sva_ep_hash(uint64_t hash, const uint8_t *buf, uint32_t len);

/* The first difference, @len if there is none. */
uint32_t sva_ep_difference(const uint8_t *a, const uint8_t *b, uint32_t len);

#endif
