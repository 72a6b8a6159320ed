/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine without a processor: QEMU with -accel qtest, which the program
 * drives in the place of a guest, through three channels:
 *
 *   ram    the guest's memory, mapped here as well
 *   qtest  I/O ports and memory-mapped registers
 *   QMP    what the user of the machine may do and see
 *
 * A channel that fails or does not answer fails the test that runs, and all
 * that follow.
 */
#ifndef RIG_VM_H
#define RIG_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define VM_RAM_SIZE (64ull << 20)

/* Where QEMU writes what is traced, and its messages. */
#define VM_TRACE_FILE "/tmp/trace.log"
#define VM_MESSAGE_FILE "/tmp/qemu.log"

/* A socket, and what was read of it beyond the last line. */
typedef struct Channel {
    int fd;
    size_t start;
    size_t end;
    char text[65536];
} Channel;

typedef struct Vm {
    pid_t pid;
    Channel qtest;
    Channel qmp;
    uint8_t *ram;
} Vm;

/*
 * Start QEMU with @arguments (NULL-terminated) behind those that every
 * machine has: -accel qtest, q35, memory, qtest, QMP.
 */
void vm_start(Vm *vm, const char *const *arguments);

/* Quit by QMP and wait; returns QEMU's exit status, -1 if it was killed. */
int vm_stop(Vm *vm);

bool vm_alive(const Vm *vm);

/* What QEMU has printed so far, as notes. */
void vm_show_messages(void);

/* Reset the machine, and wait until that is done. */
void vm_reset(Vm *vm);

/* One QMP command, a complete JSON object; the text of its reply. */
const char *vm_qmp(Vm *vm, const char *command);

/* Lines of VM_TRACE_FILE so far that begin with the event @name. */
uint64_t vm_traced(const char *name);

/* A number that is a QOM property of @path. */
uint64_t vm_property(Vm *vm, const char *path, const char *name);

void vm_out32(Vm *vm, uint16_t port, uint32_t value);
uint32_t vm_in32(Vm *vm, uint16_t port);
void vm_write32(Vm *vm, uint64_t addr, uint32_t value);
void vm_write64(Vm *vm, uint64_t addr, uint64_t value);
uint32_t vm_read32(Vm *vm, uint64_t addr);
uint64_t vm_read64(Vm *vm, uint64_t addr);

/* A quadword of guest memory, as the device sees it at any time. */
static inline volatile uint64_t *vm_qword(Vm *vm, uint64_t addr)
{
    return (volatile uint64_t *)(vm->ram + addr);
}

#endif
