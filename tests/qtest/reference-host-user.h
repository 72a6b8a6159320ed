/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program that passes a device on without QEMU, for tests of the reference
 * host itself: it has a guest's memory, and makes the system calls.
 */
#ifndef TESTS_QTEST_REFERENCE_HOST_USER_H
#define TESTS_QTEST_REFERENCE_HOST_USER_H

#include "reference-host-control.h"

#define PAGE 4096ull
#define USER_MEMORY (64 * PAGE)
#define TABLES 0x10000ull /* in the memory */
#define PAGE_A 0x20000ull
#define PAGE_B 0x21000ull
#define IOVA 0x7f1234567000ull
#define PASID 5

extern RefControl *user_ref;
extern uint8_t *user_memory; /* of a guest, at its address 0 */
extern int user_device, user_iommufd, user_container, user_group;

/* First thing in main(): runs the program once more, with the library. */
void user_start(char **argv);

/* For what is opened next; the memory is cleared. */
void user_configure(const char *text);

/* Closes what is open, which must be all that there is. */
void user_close_all(void);

/* ioctl(): 0 or a value, or -errno. */
int user_call(int fd, unsigned long request, void *arg);

#define assert_call(fd, request, arg, wanted) \
    g_assert_cmpint(user_call(fd, request, arg), ==, wanted)

/* First-stage tables, one for each level, that map IOVA to @page, or not (0). */
void user_map_page(unsigned levels, uint64_t page);
uint64_t *user_entry_at(uint64_t gpa);

/* A register of the device. */
uint32_t user_bar32(uint64_t offset);

/* DMA of 8 bytes of @value to @iova, @pasid as in REF_BAR_PASID; its status. */
uint32_t user_dma(uint64_t iova, uint64_t value, uint32_t pasid);
void user_assert_dma(uint64_t iova, uint32_t pasid, uint64_t page);
void user_assert_no_dma(uint64_t iova, uint32_t pasid);

#endif
