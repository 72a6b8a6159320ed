/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sva-endpoint's state, for the files that make it up:
 *
 *   sva_endpoint.c         the PCIe function: life, reset, migration
 *   sva_endpoint_caps.c    PASID, ATS and PRI capabilities
 *   sva_endpoint_regs.c    page 0 and the immediate slot
 *   sva_endpoint_engine.c  when the engine runs; the slot's command
 *   sva_endpoint_piece.c   a piece of a command, whoever's
 *   sva_endpoint_queue.c   the queues' registers and commands
 *   sva_endpoint_access.c  accesses of queues, the translation cache
 *   sva_endpoint_pages.c   page requests
 *   sva_endpoint_state.c   migration
 *   sva_endpoint_cmd.c     commands without state
 *
 * Threads: the engine runs in the main loop with the big lock, or in an
 * iothread without it.  Everything else holds the big lock.  @lock guards
 * the state against each other and is dropped for each access, so that what
 * calls us back from inside one finds it free.
 */
#ifndef HW_MISC_SVA_ENDPOINT_H
#define HW_MISC_SVA_ENDPOINT_H

#include "hw/misc/ats_iommu.h"
#include "hw/pci/pci_device.h"
#include "qemu/timer.h"
#include "sva_endpoint_cmd.h"
#include "system/iothread.h"
#include "system/runstate.h"

#define TYPE_SVA_ENDPOINT "sva-endpoint"
OBJECT_DECLARE_SIMPLE_TYPE(SvaEndpoint, SVA_ENDPOINT)

/* The unit of DMA. */
#define PIECE_SIZE 4096u

#define SVA_TRANSLATIONS 256

typedef struct SvaProgress {
    uint32_t bytes; /* of the command that are done */
    uint64_t result; /* the running hash while not finished */
} SvaProgress;

/* Where a queue's command stands. */
typedef enum SvaPhase {
    SVA_PHASE_FETCH, /* there is none */
    SVA_PHASE_EXECUTE,
    SVA_PHASE_REPORT, /* its completion record is to be written */
} SvaPhase;

/* The one page request that a queue may have outstanding. */
typedef struct SvaPageWait {
    bool outstanding;
    bool wants_room; /* as many are outstanding as are allowed */
    bool has_pasid;
    uint32_t pasid;
    uint32_t group;
    int64_t deadline; /* virtual time in ms */
    uint32_t verdict; /* SVA_EP_ERR_*: what the queue is to be told */
    uint64_t addr;
} SvaPageWait;

typedef struct SvaQueue {
    uint32_t ctl;
    uint32_t pasid;
    uint32_t timeout;
    uint32_t state;
    uint32_t error;
    uint64_t done;
    uint64_t pages;

    uint64_t base;
    uint32_t size; /* entries; 0: there is no ring */
    uint32_t head;
    uint32_t tail;

    uint32_t phase; /* SvaPhase */
    uint8_t raw[SVA_EP_CMD_SIZE]; /* the command */
    SvaProgress at;
    uint32_t rounds; /* page requests for the present piece */
    uint32_t cmd_error;
    uint64_t fault_addr;
    SvaPageWait page;
} SvaQueue;

/* An entry of the device's translation cache; size 0: none. */
typedef struct SvaTranslation {
    bool has_pasid;
    bool privileged;
    uint32_t pasid;
    AtsTranslation t;
} SvaTranslation;

struct SvaEndpoint {
    PCIDevice parent_obj;

    MemoryRegion bar;
    MemoryRegion regs;
    MemoryRegion local;
    MemoryRegion queue_pages;
    IOThread *iothread; /* the engine's, or NULL */
    QEMUBH *engine;
    QEMUBH *interrupt; /* of the main loop */
    QEMUTimer *page_timer;
    VMChangeStateEntry *run_state_entry;

    /* Properties and where the capabilities are, 0 if absent */
    uint8_t pasid_bits;
    bool ats;
    OnOffAuto pri;
    uint16_t pasid_cap;
    uint16_t ats_cap;
    uint16_t pri_cap;

    /* The engine's own: two pieces. */
    uint8_t *buffer;
    uint32_t buffer_piece;
    uint64_t filled; /* the slot's command whose burst is in it */

    QemuMutex lock; /* for all below; not held while memory is accessed */
    bool paused; /* the machine is stopped */
    unsigned halting; /* somebody waits for the engine's idleness */
    uint64_t resets;
    bool wants_interrupt; /* the slot's */
    uint64_t queue_interrupts; /* bit n: queue n's */
    uint64_t command; /* number of the command or reset */
    uint8_t slot[SVA_EP_CMD_SIZE]; /* as software writes it, at any time */
    uint8_t latch[SVA_EP_CMD_SIZE]; /* the slot as it was at the doorbell */
    uint32_t status;
    uint32_t error;
    SvaProgress at;
    uint64_t fault_addr;

    uint64_t count_done;
    uint64_t count_failed;
    uint64_t count_ignored;
    uint64_t count_read;
    uint64_t count_written;
    uint64_t count_ats_requests;
    uint64_t count_ats_hits;
    uint64_t count_invalidations;
    uint64_t count_page_requests;
    uint64_t count_page_responses;
    uint64_t count_unexpected;
    uint32_t debug;

    SvaQueue queues[SVA_EP_QUEUE_COUNT];
    unsigned turn; /* the queue to look at first */

    /* The capabilities' control fields. */
    uint16_t pasid_ctrl;
    uint16_t ats_ctrl;
    uint16_t pri_ctrl;
    uint32_t pri_allocation;
    uint16_t pri_status; /* what has happened: RF, UPRGI */
    uint32_t next_group;

    AtsDevice *ats_device; /* NULL: no such IOMMU */
    AtsIommuClass *iommu;
    AtsListener listener;
    SvaTranslation cache[SVA_TRANSLATIONS];
    unsigned cache_next; /* the entry to be replaced */
    uint64_t cache_changes; /* counts invalidations */
    bool cache_in_use; /* an access with one of its translations */
    QemuCond cache_unused;
};

/* --- Engine --------------------------------------------------------------- */

void sva_ep_init_engine(SvaEndpoint *s);

/* Start the engine; lock held. */
void sva_ep_kick(SvaEndpoint *s);

/* Returns when the engine is in no access and starts none; big lock held, but
 * dropped meanwhile.  sva_ep_go_on() ends that. */
void sva_ep_halt(SvaEndpoint *s);
void sva_ep_go_on(SvaEndpoint *s);

/* The slot's doorbell; lock held. */
void sva_ep_doorbell(SvaEndpoint *s);
void sva_ep_stop_repeating(SvaEndpoint *s);

/* Machine started or stopped. */
void sva_ep_run_state_change(void *opaque, bool running, RunState state);

/* --- Pieces --------------------------------------------------------------- */

typedef enum SvaAccessKind {
    SVA_READ,
    SVA_WRITE,
    SVA_SWAP, /* exchange the 8 bytes with those in the buffer */
} SvaAccessKind;

/* One access for a command: false if that is not done, and why is known. */
typedef bool SvaAccess(SvaEndpoint *s, void *opaque, SvaAccessKind kind,
                       uint64_t addr, uint8_t *buf, uint32_t len);

typedef enum SvaPieceResult {
    SVA_PIECE_MORE,
    SVA_PIECE_LAST, /* the command is done, at->result is its result */
    SVA_PIECE_NOT_DONE, /* an access was not done; nothing has changed */
} SvaPieceResult;

/* Bytes from the command's progress to the next boundary on either side. */
uint32_t sva_ep_piece_length(const struct sva_ep_cmd *cmd, uint32_t done);

/* Do the next piece.  @number: the slot's command, 0 for others.  Lock held,
 * dropped in accesses. */
SvaPieceResult sva_ep_piece(SvaEndpoint *s, const struct sva_ep_cmd *cmd,
                            SvaProgress *at, uint64_t number,
                            SvaAccess *access, void *opaque);

/* --- Accesses ------------------------------------------------------------- */

/* A request without PASID and with an untranslated address.  Lock not held. */
bool sva_ep_plain_access(SvaEndpoint *s, SvaAccessKind kind, uint64_t addr,
                         uint8_t *buf, uint32_t len);

typedef enum SvaAccessResult {
    SVA_ACCESS_DONE,
    SVA_ACCESS_REFUSED,
    SVA_ACCESS_MISSING, /* a page request may help */
    SVA_ACCESS_AGAIN, /* the translation has just been invalidated */
    SVA_ACCESS_RESET, /* the device has been; forget it */
} SvaAccessResult;

/* An access of a queue that does not cross a page; ATS_EXECUTE is wanted in
 * addition to what @kind implies if @execute.  Lock held, dropped
 * meanwhile. */
SvaAccessResult sva_ep_queue_access(SvaEndpoint *s, const SvaQueue *q,
                                    SvaAccessKind kind, bool execute,
                                    uint64_t addr, uint8_t *buf, uint32_t len);

/* What the queue's requests look like. */
AtsRequest sva_ep_request(const SvaQueue *q, SvaAccessKind kind, bool execute);


/* Find the IOMMU, if there is one and that has not been done.  Big lock held. */
void sva_ep_attach(SvaEndpoint *s);
void sva_ep_detach(SvaEndpoint *s);

/* Empty the translation cache; lock held, dropped while an access that uses
 * it is waited for. */
void sva_ep_cache_clear(SvaEndpoint *s);

/* AtsListener.invalidate */
bool sva_ep_invalidate(AtsListener *listener, bool has_pasid, bool all_pasids,
                       uint32_t pasid, uint64_t addr, uint64_t size);

/* --- Page requests -------------------------------------------------------- */

/*
 * Ask for the page that the queue's access wants; the queue waits for the
 * answer, or it goes on with page.verdict set.  Lock held, dropped
 * meanwhile.  False: page requests are off.
 */
bool sva_ep_ask_page(SvaEndpoint *s, SvaQueue *q, const AtsRequest *request,
                     uint64_t addr);

/* AtsListener.page_response */
void sva_ep_page_response(AtsListener *listener, bool has_pasid,
                          uint32_t pasid, uint16_t group, unsigned code);

/* Nothing that is outstanding will be answered.  Lock held. */
void sva_ep_pages_forget(SvaEndpoint *s);

unsigned sva_ep_pages_outstanding(const SvaEndpoint *s);

/* The timer's. */
void sva_ep_pages_expired(void *opaque);
void sva_ep_pages_set_timer(SvaEndpoint *s);

/* --- Queues --------------------------------------------------------------- */

/* A bounded part of what is to do.  True: there is more.  Lock held. */
bool sva_ep_queues_work(SvaEndpoint *s);

/* The queue's page request is over, one way or the other.  Lock held. */
void sva_ep_queue_wake(SvaEndpoint *s, SvaQueue *q);

void sva_ep_queues_reset(SvaEndpoint *s);

/* BAR 0 from SVA_EP_QCTL_BASE on: 8 bytes at an aligned offset; a write of 4
 * or 8.  Lock held. */
uint64_t sva_ep_qctl_read(SvaEndpoint *s, hwaddr offset);
void sva_ep_qctl_write(SvaEndpoint *s, hwaddr offset, uint64_t value,
                       unsigned size);

extern const MemoryRegionOps sva_ep_queue_page_ops;

/* --- Registers ------------------------------------------------------------ */

extern const MemoryRegionOps sva_ep_mmio_ops;

/* Back to the state after power-on, except for configuration space. */
void sva_ep_reset(SvaEndpoint *s);

/* --- Capabilities --------------------------------------------------------- */

bool sva_ep_init_capabilities(SvaEndpoint *s, Error **errp);

/* The control fields of PASID, ATS and PRI, as after power-on. */
void sva_ep_reset_capabilities(SvaEndpoint *s);

/* What the configuration space says now is to have its effects. */
void sva_ep_capabilities_changed(SvaEndpoint *s);

uint32_t sva_ep_config_read(PCIDevice *pdev, uint32_t addr, int len);
void sva_ep_config_write(PCIDevice *pdev, uint32_t addr, uint32_t value,
                         int len);

/* --- Migration ------------------------------------------------------------ */

extern const VMStateDescription sva_ep_vmstate;

#endif
