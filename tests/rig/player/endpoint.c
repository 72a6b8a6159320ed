/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "endpoint.h"

#include "../../unit/tap.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc

#define PCI_ID 0x00
#define PCI_COMMAND 0x04
#define   PCI_COMMAND_MEMORY_MASTER 0x6
#define PCI_BAR(n) (0x10 + 4 * (n))

#define POLLS 100000

static void config_select(Endpoint *endpoint, unsigned reg)
{
    vm_out32(endpoint->vm, CONFIG_ADDRESS,
             1u << 31 | endpoint->devfn << 8 | reg);
}

static void config_write(Endpoint *endpoint, unsigned reg, uint32_t value)
{
    config_select(endpoint, reg);
    vm_out32(endpoint->vm, CONFIG_DATA, value);
}

static uint32_t config_read(Endpoint *endpoint, unsigned reg)
{
    config_select(endpoint, reg);
    return vm_in32(endpoint->vm, CONFIG_DATA);
}

void endpoint_start(Endpoint *endpoint)
{
    CHECK_EQ(config_read(endpoint, PCI_ID),
             SVA_EP_PCI_DEVICE << 16 | SVA_EP_PCI_VENDOR);
    config_write(endpoint, PCI_BAR(SVA_EP_BAR_REGS), endpoint->bar);
    config_write(endpoint, PCI_BAR(SVA_EP_BAR_REGS + 1), 0);
    config_write(endpoint, PCI_BAR(SVA_EP_BAR_MSIX),
                 endpoint->bar + SVA_EP_BAR_SIZE);
    config_write(endpoint, PCI_COMMAND, PCI_COMMAND_MEMORY_MASTER);
    CHECK_EQ(vm_read32(endpoint->vm, endpoint->bar + SVA_EP_ID),
             SVA_EP_ID_MAGIC);
    for (unsigned i = 0; i < SVA_EP_CMD_SIZE / 8; i++) {
        endpoint->slot[i] = 0;
        vm_write64(endpoint->vm, endpoint->bar + SVA_EP_SLOT_CMD + i * 8, 0);
    }
}

/* The last command is still in the slot: only what differs is written. */
static void write_slot(Endpoint *endpoint, const struct sva_ep_cmd *command)
{
    const uint64_t *words = (const uint64_t *)command;
    uint64_t *slot = endpoint->slot;

    for (unsigned i = 0; i < SVA_EP_CMD_SIZE / 8; i++) {
        if (words[i] != slot[i]) {
            vm_write64(endpoint->vm, endpoint->bar + SVA_EP_SLOT_CMD + i * 8,
                       words[i]);
            slot[i] = words[i];
        }
    }
}

bool endpoint_was_refused(const Endpoint *endpoint, uint64_t addr)
{
    for (unsigned i = 0; i < endpoint->refusals; i++) {
        if (endpoint->refused[i] >> 12 == addr >> 12) {
            return true;
        }
    }
    return false;
}

static void note_refusal(Endpoint *endpoint, uint64_t addr)
{
    if (!endpoint_was_refused(endpoint, addr)) {
        CHECK(endpoint->refusals < ENDPOINT_REFUSALS_MAX);
        endpoint->refused[endpoint->refusals++] = addr;
    }
}

EndpointResult endpoint_run(Endpoint *endpoint,
                            const struct sva_ep_cmd *command)
{
    Vm *vm = endpoint->vm;
    EndpointResult r = { .status = SVA_EP_STATUS_BUSY };

    write_slot(endpoint, command);
    vm_write32(vm, endpoint->bar + SVA_EP_SLOT_DOORBELL,
               SVA_EP_DOORBELL_START);
    for (unsigned i = 0; r.status == SVA_EP_STATUS_BUSY; i++) {
        CHECK(i < POLLS);
        r.status = vm_read32(vm, endpoint->bar + SVA_EP_SLOT_STATUS);
    }
    r.result = vm_read64(vm, endpoint->bar + SVA_EP_SLOT_RESULT);
    if (r.status != SVA_EP_STATUS_DONE) {
        r.error = vm_read32(vm, endpoint->bar + SVA_EP_SLOT_ERROR);
        r.fault_addr = vm_read64(vm, endpoint->bar + SVA_EP_SLOT_FAULT_ADDR);
        note_refusal(endpoint, r.fault_addr);
    }
    return r;
}

static uint64_t must(EndpointResult r, const char *what, uint64_t addr)
{
    if (r.status != SVA_EP_STATUS_DONE) {
        tap_fail(__FILE__, __LINE__,
                 "%s at 0x%" PRIx64 " was refused: error %u at 0x%" PRIx64,
                 what, addr, r.error, r.fault_addr);
    }
    return r.result;
}

EndpointResult endpoint_try_read(Endpoint *endpoint, uint64_t addr)
{
    return endpoint_run(endpoint, &(struct sva_ep_cmd){
        .opcode = SVA_EP_OP_COPY,
        .flags = SVA_EP_FLAG_DST_LOCAL,
        .src = addr,
        .length = 8,
    });
}

EndpointResult endpoint_try_write(Endpoint *endpoint, uint64_t addr)
{
    return endpoint_run(endpoint, &(struct sva_ep_cmd){
        .opcode = SVA_EP_OP_FILL,
        .dst = addr,
        .length = 8,
        .operand = 0x6465737566657200,
    });
}

uint64_t endpoint_read(Endpoint *endpoint, uint64_t addr)
{
    must(endpoint_try_read(endpoint, addr), "a read", addr);
    return vm_read64(endpoint->vm, endpoint->bar + SVA_EP_LOCAL_BASE);
}

void endpoint_fill(Endpoint *endpoint, uint64_t addr, uint64_t value,
                   uint32_t bytes)
{
    must(endpoint_run(endpoint, &(struct sva_ep_cmd){
        .opcode = SVA_EP_OP_FILL,
        .dst = addr,
        .length = bytes,
        .operand = value,
    }), "a fill", addr);
}

uint64_t endpoint_checksum(Endpoint *endpoint, uint64_t addr, uint32_t bytes)
{
    return must(endpoint_run(endpoint, &(struct sva_ep_cmd){
        .opcode = SVA_EP_OP_CHECKSUM,
        .src = addr,
        .length = bytes,
    }), "a checksum", addr);
}
