/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * usage: reach RESOURCE BYTES
 *
 * In L2: reads a register of each page of a device's memory, of which nobody
 * else has touched any, and before each one touches a new page of its own.  So
 * KVM has to emulate an access that follows upon a page fault which is none of
 * its business, with no exit of L2 between the two.  Ends if KVM can.
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE 4096

static volatile uint8_t *map(size_t bytes, int flags, int fd)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

    if (memory == MAP_FAILED) {
        err(1, "mmap");
    }
    return memory;
}

int main(int argc, char **argv)
{
    volatile uint8_t *device, *own;
    size_t bytes;
    int fd;

    if (argc != 3) {
        errx(1, "usage: reach RESOURCE BYTES");
    }
    bytes = strtoul(argv[2], NULL, 0);
    fd = open(argv[1], O_RDWR | O_SYNC);
    if (fd < 0) {
        err(1, "%s", argv[1]);
    }
    device = map(bytes, MAP_SHARED, fd);
    own = map(bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    for (size_t at = 0; at < bytes; at += PAGE) {
        own[at] = 1;
        (void)*(volatile uint32_t *)(device + at);
    }
    printf("L2-REACHED %zu\n", bytes / PAGE);
    return 0;
}
