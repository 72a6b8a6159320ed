/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * usage: topology ADDRESS OTHER
 *
 * On two processors: one moves the registers of the endpoint OTHER out of the
 * machine's address space and back, by its PCI command register; the other
 * reads a register of the endpoint ADDRESS, which stays where it is.  Prints
 * what it read wrong; status 1 if there was any.
 *
 * Emulated processors keep where a page's device is beside the page's
 * address.  A processor that finds another device there loses a write as
 * silently as this program's reads go wrong, an end of interrupt for one.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hw/misc/sva_endpoint_regs.h"

#define PCI_COMMAND 4
#define   PCI_COMMAND_MEMORY 2

#define MOVES 3000

static atomic_bool moved_enough;

static int open_file(const char *device, const char *name)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device, name);
    fd = open(path, O_RDWR | O_SYNC);
    if (fd < 0) {
        err(2, "%s", path);
    }
    return fd;
}

static void stay_on(int processor)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    if (sched_setaffinity(0, sizeof(set), &set)) {
        err(2, "processor %d", processor);
    }
}

static void set_command(int config, uint16_t command)
{
    if (pwrite(config, &command, sizeof(command), PCI_COMMAND) !=
        sizeof(command)) {
        err(2, "PCI command register");
    }
}

static void *move(void *device)
{
    int config = open_file(device, "config");
    uint16_t command;

    stay_on(1);
    if (pread(config, &command, sizeof(command), PCI_COMMAND) !=
        sizeof(command)) {
        err(2, "PCI command register");
    }
    for (unsigned i = 0; i < MOVES; i++) {
        set_command(config, command & ~PCI_COMMAND_MEMORY);
        set_command(config, command | PCI_COMMAND_MEMORY);
    }
    set_command(config, command);
    moved_enough = true;
    return NULL;
}

int main(int argc, char **argv)
{
    const volatile uint32_t *registers;
    unsigned long reads = 0, wrong = 0;
    pthread_t mover;

    if (argc != 3) {
        errx(2, "usage: topology ADDRESS OTHER");
    }
    stay_on(0);
    registers = mmap(NULL, SVA_EP_BAR_SIZE, PROT_READ, MAP_SHARED,
                     open_file(argv[1], "resource0"), 0);
    if (registers == MAP_FAILED) {
        err(2, "the registers of %s", argv[1]);
    }
    if (pthread_create(&mover, NULL, move, argv[2])) {
        errx(2, "no thread");
    }
    while (!moved_enough) {
        wrong += registers[SVA_EP_ID / 4] != SVA_EP_ID_MAGIC;
        reads++;
    }
    printf("%lu reads, %lu wrong, %d moves\n", reads, wrong, MOVES);
    return wrong ? 1 : 0;
}
