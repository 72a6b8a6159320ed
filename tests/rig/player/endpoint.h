/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's driver of the test endpoint: PCI configuration by ports, BARs,
 * and one DMA command at a time.
 */
#ifndef RIG_ENDPOINT_H
#define RIG_ENDPOINT_H

#include "hw/misc/sva_endpoint_regs.h"
#include "vm.h"

/* Where a guest may place BARs, SVA_EP_BAR_SIZE for each. */
#define ENDPOINT_BAR 0xe0000000ull

/* Pages at which one endpoint may be refused in a program. */
#define ENDPOINT_REFUSALS_MAX 16

typedef struct Endpoint {
    Vm *vm;
    uint8_t devfn; /* on bus 0 */
    uint64_t bar;  /* where its registers are to be */
    uint64_t slot[SVA_EP_CMD_SIZE / 8]; /* the command that it holds */
    uint64_t refused[ENDPOINT_REFUSALS_MAX]; /* where it has been so far */
    unsigned refusals;
} Endpoint;

typedef struct EndpointResult {
    uint32_t status;
    uint32_t error;
    uint64_t fault_addr;
    uint64_t result;
} EndpointResult;

/* Find it, place its BARs, let it do DMA.  Also after a machine reset. */
void endpoint_start(Endpoint *endpoint);

/* Run one command to its end. */
EndpointResult endpoint_run(Endpoint *endpoint,
                            const struct sva_ep_cmd *command);

/* The quadword that the device reads at @addr; a refused read fails the
 * test. */
uint64_t endpoint_read(Endpoint *endpoint, uint64_t addr);

/* Write @value again and again to @bytes at @addr; must succeed, too. */
void endpoint_fill(Endpoint *endpoint, uint64_t addr, uint64_t value,
                   uint32_t bytes);

/* FNV-1a of what the device reads; must succeed. */
uint64_t endpoint_checksum(Endpoint *endpoint, uint64_t addr, uint32_t bytes);

/* A read and a write of one quadword that may be refused. */
EndpointResult endpoint_try_read(Endpoint *endpoint, uint64_t addr);
EndpointResult endpoint_try_write(Endpoint *endpoint, uint64_t addr);

/* It has reported an error at the page of @addr, now or before. */
bool endpoint_was_refused(const Endpoint *endpoint, uint64_t addr);

#endif
