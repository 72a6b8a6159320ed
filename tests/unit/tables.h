/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Builds what a guest puts into memory for VT-d: root, context and PASID
 * tables, first- and second-stage page tables.
 *
 * It knows neither the model nor how memory is reached: the user supplies
 * callbacks.  So it serves unit tests, fuzzers and programs that drive a
 * machine from outside.  The layouts are written down here a second time, from
 * the VT-d spec (chapter "Translation Structure Formats"), on purpose: an
 * error in the model's own header must not be in its tests as well.
 *
 * Addresses are guest-physical unless said otherwise; entries are
 * little-endian quadwords, which is for load() and store() to see to.
 */
#ifndef TABLES_H
#define TABLES_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Tables {
    void *opaque;
    uint64_t (*load)(void *opaque, uint64_t gpa);
    void (*store)(void *opaque, uint64_t gpa, uint64_t value);
    /* NULL: pages are cleared with store(). */
    void (*clear_page)(void *opaque, uint64_t gpa);
    uint64_t next; /* pages are taken from here... */
    uint64_t end;  /* ...up to here */
} Tables;

/* @pages cleared pages in a row; 0 if there are no more. */
uint64_t tables_alloc(Tables *t, unsigned pages);

/* Legacy mode --------------------------------------------------------- */

enum {
    TABLES_TT_UNTRANSLATED = 0,
    TABLES_TT_DEVICE_TLB = 1,
    TABLES_TT_PASS_THROUGH = 2,
};

typedef struct LegacyContext {
    uint8_t tt;
    uint8_t levels; /* of the second stage: 3, 4 or 5 */
    bool fault_disable;
    uint16_t did;
    uint64_t ss_table;
} LegacyContext;

/* Where the context entry of @sid is; its table is made if it is missing. */
uint64_t tables_legacy_context_place(Tables *t, uint64_t root, uint16_t sid);
/* Write the context entry of @sid, present; returns its place. */
uint64_t tables_legacy_context(Tables *t, uint64_t root, uint16_t sid,
                               const LegacyContext *context);

/* Scalable mode ------------------------------------------------------- */

typedef struct ScalableContext {
    uint64_t pasid_dir;
    uint8_t pdts; /* 2^(pdts + 7) directory entries */
    bool fault_disable;
    bool device_tlb;      /* DTE */
    bool pasid_enable;    /* PASIDE */
    bool page_requests;   /* PRE */
    uint32_t rid_pasid;
    bool rid_privileged;  /* RID_PRIV */
} ScalableContext;

uint64_t tables_scalable_context_place(Tables *t, uint64_t root, uint16_t sid);
uint64_t tables_scalable_context(Tables *t, uint64_t root, uint16_t sid,
                                 const ScalableContext *context);

enum {
    TABLES_PGTT_FIRST_STAGE = 1,
    TABLES_PGTT_SECOND_STAGE = 2,
    TABLES_PGTT_NESTED = 3,
    TABLES_PGTT_PASS_THROUGH = 4,
};

typedef struct PasidEntry {
    uint8_t pgtt;
    bool fault_disable;
    uint16_t did;
    uint8_t ss_levels;
    uint64_t ss_table;
    uint8_t fs_levels;
    uint64_t fs_table;
    bool supervisor;        /* SRE */
    bool execute;           /* ERE */
    bool write_protect;     /* WPE */
    bool no_execute;        /* NXE */
    bool extended_accessed; /* EAFE */
    bool ss_accessed_dirty; /* SSADE */
} PasidEntry;

/* A directory for 2^(pdts + 7) tables, empty. */
uint64_t tables_pasid_directory(Tables *t, unsigned pdts);
/* Where the directory's entry for @pasid is. */
uint64_t tables_pasid_directory_place(uint64_t dir, uint32_t pasid);
/* Where the entry of @pasid is, 8 quadwords; a missing table is made. */
uint64_t tables_pasid_place(Tables *t, uint64_t dir, uint32_t pasid);
/* Write the entry of @pasid, present; returns its place. */
uint64_t tables_pasid(Tables *t, uint64_t dir, uint32_t pasid,
                      const PasidEntry *entry);

/* Page tables --------------------------------------------------------- */

typedef enum Stage { STAGE_FIRST, STAGE_SECOND } Stage;

/* Rights; what first-stage calls "user" and second-stage does not have. */
enum {
    MAP_READ = 1,
    MAP_WRITE = 2,
    MAP_USER = 4,       /* first stage */
    MAP_NO_EXECUTE = 8, /* first stage */
    MAP_MARKED = 16,    /* first stage: accessed and dirty already */
};
#define MAP_RW (MAP_READ | MAP_WRITE | MAP_USER)

typedef struct PageTable {
    Stage stage;
    uint8_t levels;
    uint64_t root; /* as PASID and context entries name it */
    /* Addresses in entries (and @root) are @bias above the memory that holds
     * the tables: non-zero for a first stage behind a second one. */
    uint64_t bias;
} PageTable;

/* Bits of entries that tests set and look for. */
#define FS_PRESENT (1ull << 0)
#define FS_WRITE (1ull << 1)
#define FS_USER (1ull << 2)
#define FS_ACCESSED (1ull << 5)
#define FS_DIRTY (1ull << 6)
#define FS_PAGE_SIZE (1ull << 7)
#define FS_EXTENDED_ACCESSED (1ull << 10)
#define FS_NO_EXECUTE (1ull << 63)
#define SS_READ (1ull << 0)
#define SS_WRITE (1ull << 1)
#define SS_PAGE_SIZE (1ull << 7)
#define SS_ACCESSED (1ull << 8)
#define SS_DIRTY (1ull << 9)
#define SS_SNOOP (1ull << 11)
#define SS_TRANSIENT (1ull << 62)

PageTable tables_page_table(Tables *t, Stage stage, unsigned levels,
                            uint64_t bias);

/* Map the page of 1 << @shift bytes at @input to @output.  Tables on the way
 * are made with all rights; an entry that is a page already is replaced. */
void tables_map(Tables *t, const PageTable *p, uint64_t input,
                uint64_t output, unsigned shift, unsigned rights);

/* @bytes (a multiple of 4 KiB) in the largest pages that fit, up to
 * 1 << @max_shift. */
void tables_map_range(Tables *t, const PageTable *p, uint64_t input,
                      uint64_t output, uint64_t bytes, unsigned max_shift,
                      unsigned rights);

/* The memory that holds the entry for @input at @level (1 is the last); 0 if
 * there is no such table. */
uint64_t tables_entry(const Tables *t, const PageTable *p, uint64_t input,
                      unsigned level);

#endif
