/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest does with an intel-iommu and an sva-endpoint behind it, for
 * qtests: registers, the invalidation queue, tables in memory, DMA.
 *
 * There is one domain, and one requester, the endpoint in slot 4, unless a
 * test does otherwise.
 */
#ifndef TESTS_QTEST_VTD_GUEST_H
#define TESTS_QTEST_VTD_GUEST_H

#include "libqtest.h"
#include "libqos/pci-pc.h"
#include "hw/i386/vtd/vtd_regs.h"
#include "hw/i386/vtd/vtd_tables.h"
#include "hw/misc/sva_endpoint_regs.h"
#include "qemu/units.h"

#define REGS 0xfed90000ull
#define RAM_END (256 * MiB)
#define MACHINE "-machine q35 -m 256M -nodefaults "

/* The units to choose from. */
#define LEGACY "-device intel-iommu "
#define SECOND_STAGE "-device intel-iommu,scalable-mode=on "
#define FIRST_STAGE "-device intel-iommu,scalable-mode=on,fsts=on "
#define NESTED NESTED_WITH("")
#define NESTED_WITH(more) \
    "-device intel-iommu,scalable-mode=on,fsts=on,nested=on" more " "

/* Guest memory. */
#define ROOT 0x100000ull
#define CONTEXT 0x101000ull
#define PASID_DIR 0x102000ull
#define PASID_TABLE 0x103000ull
#define QUEUE 0x104000ull
#define STATUS 0x105000ull
#define MSI_TARGET 0x106000ull
#define FS_TABLES 0x110000ull
#define SS_TABLES 0x140000ull
#define PAGE_A 0x400000ull /* the pages that DMA shall meet */
#define PAGE_B 0x401000ull
#define PAGE_C 0x402000ull

#define SID (4 << 3) /* 00:04.0 */
#define DID 5
#define IOVA 0x7f1234567000ull
/* Second stage of the nested tests: guest-physical to physical. */
#define MOVED (32 * MiB)

typedef struct Guest {
    QTestState *qts;
    QPCIBus *bus;
    QPCIDevice *dev; /* the endpoint */
    QPCIBar bar;
    bool scalable;
    unsigned tail; /* of the queue */
    uint32_t next_token;
} Guest;

/* A paging structure that is being built. */
typedef struct GuestTables {
    uint64_t top;
    uint64_t free;
    uint64_t moved; /* tables lie at their address plus this */
    uint64_t table_bits;
    uint64_t leaf_bits;
} GuestTables;

/* A machine with the unit that @iommu (LEGACY...) says and an endpoint. */
Guest guest_start(const char *iommu);
void guest_finish(Guest *g);

uint32_t guest_reg32(Guest *g, unsigned offset);
uint64_t guest_reg64(Guest *g, unsigned offset);

/* Set a bit of GCMD, keeping what is on. */
void guest_command(Guest *g, uint32_t bit);

/* The queue, a page long; guest_submit() adds a descriptor, guest_put() does
 * so and does not tell. */
void guest_queue_on(Guest *g);
void guest_put(Guest *g, uint64_t qw0, uint64_t qw1);
void guest_submit(Guest *g, uint64_t qw0, uint64_t qw1);

/* Returns once the unit has written the status of a wait descriptor. */
void guest_wait(Guest *g);

/* One page of second-stage or of first-stage translations. */
void guest_invalidate_page(Guest *g, bool first_stage, uint64_t iova);
void guest_invalidate_pasid_entry(Guest *g);

/* Paging structures without any page. */
GuestTables guest_first_stage(uint64_t moved);
GuestTables guest_second_stage(void);

/* Where the entry for @iova at @level lies; tables on the way are made. */
uint64_t guest_entry(Guest *g, GuestTables *p, uint64_t iova, unsigned level);
void guest_map(Guest *g, GuestTables *p, uint64_t iova, uint64_t pa);

/* 2 MiB around @gpa, to MOVED behind it. */
void guest_map_moved(Guest *g, GuestTables *p, uint64_t gpa);

/* Root, context and PASID tables on top of these. */
void guest_legacy_context(Guest *g, uint16_t sid, unsigned tt);
void guest_scalable_context(Guest *g, unsigned pgtt);
void guest_pasid_entry(Guest *g, unsigned pgtt);
void guest_translation_on(Guest *g);

/* Legacy mode from nothing to IOVA at @page, for the requester @sid alone. */
GuestTables guest_legacy_page(Guest *g, uint16_t sid, uint64_t page);

/* DMA of 8 bytes; returns SVA_EP_ERR_*. */
uint32_t guest_dma(Guest *g, unsigned opcode, unsigned flags, uint64_t src,
                   uint64_t dst, uint64_t operand);
uint32_t guest_dma_write(Guest *g, uint64_t iova, uint64_t value);
uint32_t guest_dma_read(Guest *g, uint64_t iova, uint64_t *value);

/* A DMA write to @iova lands at @pa, and a read takes from there. */
void guest_assert_maps(Guest *g, uint64_t iova, uint64_t pa);

/* The recorded fault, which is then cleared. */
void guest_assert_fault(Guest *g, uint16_t sid, unsigned reason, bool is_read,
                        uint64_t page);

#endif
