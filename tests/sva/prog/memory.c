/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support.h"

#include <alloca.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* For the kinds that the program has by itself. */
#define SMALL ((size_t)256 << 10)

void *pages_get(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    MUST(at != MAP_FAILED);
    return at;
}

void pages_put(void *at, size_t bytes)
{
    MUST_EQ(munmap(at, bytes), 0);
}

void *huge_get(size_t bytes)
{
    uint8_t *at = pages_get(bytes + HUGE_PAGE);
    size_t before = -(uintptr_t)at & (HUGE_PAGE - 1);

    if (before) {
        pages_put(at, before);
    }
    pages_put(at + before + bytes, HUGE_PAGE - before);
    MUST_EQ(madvise(at + before, bytes, MADV_HUGEPAGE), 0);
    return at + before;
}

/* --- Kinds --- */

static void put_mapping(Memory *memory)
{
    pages_put(memory->at, memory->bytes);
}

static void put_heap(Memory *memory)
{
    free(memory->opaque);
}

static void put_nothing(Memory *memory)
{
}

static Memory get_heap(size_t bytes)
{
    uint8_t *at = malloc(bytes);

    MUST(at);
    return (Memory){ at, bytes, put_heap, at };
}

static Memory get_static(size_t bytes)
{
    static uint8_t at[SMALL];

    MUST(bytes <= sizeof(at));
    return (Memory){ at, bytes, put_nothing, NULL };
}

static Memory get_anonymous(size_t bytes)
{
    return (Memory){ pages_get(bytes), bytes, put_mapping, NULL };
}

static Memory map(int flags, int fd, size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

    MUST(at != MAP_FAILED);
    if (fd >= 0) {
        close(fd);
    }
    return (Memory){ at, bytes, put_mapping, NULL };
}

static Memory get_shared(size_t bytes)
{
    return map(MAP_SHARED | MAP_ANONYMOUS, -1, bytes);
}

static int unnamed_file(size_t bytes)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    MUST(fd >= 0);
    MUST_EQ(ftruncate(fd, bytes), 0);
    return fd;
}

static Memory get_file(size_t bytes)
{
    return map(MAP_SHARED, unnamed_file(bytes), bytes);
}

static Memory get_private_file(size_t bytes)
{
    return map(MAP_PRIVATE, unnamed_file(bytes), bytes);
}

static Memory get_transparent_huge(size_t bytes)
{
    bytes = (bytes + HUGE_PAGE - 1) & -HUGE_PAGE;
    return (Memory){ huge_get(bytes), bytes, put_mapping, NULL };
}

static Memory get_hugetlb(size_t bytes)
{
    bytes = (bytes + HUGE_PAGE - 1) & -HUGE_PAGE;
    return map(MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, bytes);
}

const MemoryKind memory_kinds[] = {
    { "malloc", get_heap, true },
    { "static data", get_static, false },
    { "anonymous pages", get_anonymous, true },
    { "shared anonymous pages", get_shared, true },
    { "a shared file", get_file, true },
    { "a private file", get_private_file, true },
    { "transparent huge pages", get_transparent_huge, true },
    { "hugetlb pages", get_hugetlb, true },
};
const size_t memory_kind_count = sizeof(memory_kinds) / sizeof(*memory_kinds);

/* --- Contents --- */

uint64_t frame_of(const void *at)
{
    static int fd = -1;
    uint64_t entry = 0;

    if (fd < 0) {
        fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
        MUST(fd >= 0);
    }
    MUST_EQ(pread(fd, &entry, sizeof(entry),
                  (uintptr_t)at / PAGE * sizeof(entry)), sizeof(entry));
    /* Bit 63: present; 54:0: the frame. */
    return entry >> 63 ? entry & (((uint64_t)1 << 55) - 1) : 0;
}

void fill_random(void *at, size_t bytes, uint64_t seed)
{
    uint8_t *to = at;

    while (bytes) {
        uint64_t word = tap_random(&seed);
        size_t part = bytes < sizeof(word) ? bytes : sizeof(word);

        memcpy(to, &word, part);
        to += part;
        bytes -= part;
    }
}

void fill_words(void *at, size_t bytes, uint64_t word)
{
    uint8_t *to = at;

    for (size_t i = 0; i < bytes; i += sizeof(word)) {
        memcpy(to + i, &word,
               bytes - i < sizeof(word) ? bytes - i : sizeof(word));
    }
}

size_t first_other(const void *at, size_t bytes, uint64_t word)
{
    const uint8_t *from = at;
    const uint8_t *wanted = (const uint8_t *)&word;

    for (size_t i = 0; i < bytes; i++) {
        if (from[i] != wanted[i % sizeof(word)]) {
            return i;
        }
    }
    return bytes;
}
