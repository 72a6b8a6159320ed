/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reference host: what a Linux host with VT-d is to a program that passes
 * devices on, at the boundary of system calls, in the program's own process.
 *
 *   interpose.c  which calls are ours, one lock around them
 *   control.c    configuration, injected errors, log, counters
 *   iommufd.c    /dev/iommu: objects, address spaces
 *   hwpt.c       /dev/iommu: page tables, invalidation
 *   faults.c     page requests and their answers
 *   vfio.c       the VFIO device
 *   container.c  VFIO groups and containers
 *   uapi2020.c   the nesting of 2020 on a container
 *   device.c     the device itself: a DMA engine
 *   unit.c       the physical VT-d: page walks, and what it has cached
 *   maps.c       ranges of memory at addresses: the second stage
 *
 * Functions return 0 or a negative errno unless they say otherwise.
 */
#ifndef TESTS_HOST_HOST_H
#define TESTS_HOST_HOST_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "reference-host-control.h"

#define PAGE 4096ull
#define NO_PASID 0u /* stands for requests without PASID, as in the kernel */
#define ANY_PASID UINT32_MAX

#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define END_OF(type, field) (offsetof(type, field) + sizeof(((type *)0)->field))

/* Bits of CAP and ECAP that the host looks at. */
#define CAP_MGAW(cap) (((cap) >> 16 & 0x3f) + 1)
#define CAP_FS1GP (1ull << 56)
#define CAP_FS5LP (1ull << 60)
#define ECAP_NEST (1ull << 26)
#define ECAP_PRS (1ull << 29)
#define ECAP_SRS (1ull << 31)
#define ECAP_EAFS (1ull << 34)
#define ECAP_PSS(ecap) (((ecap) >> 35 & 0x1f) + 1)
#define ECAP_PASID (1ull << 40)
#define ECAP_SMTS (1ull << 43)
#define ECAP_SSADS (1ull << 45)
#define ECAP_SSTS (1ull << 46)
#define ECAP_FSTS (1ull << 47)

/* --- interpose.c --------------------------------------------------------- */

typedef struct File File;

typedef struct FileOps {
    RefKind kind;
    long (*ioctl)(File *f, unsigned request, void *arg); /* value or -errno */
    ssize_t (*pread)(File *f, void *buf, size_t len, uint64_t offset);
    ssize_t (*pwrite)(File *f, const void *buf, size_t len, uint64_t offset);
    ssize_t (*read)(File *f, void *buf, size_t len);
    ssize_t (*write)(File *f, const void *buf, size_t len);
    void (*close)(File *f);
} FileOps;

struct File {
    const FileOps *ops;
    void *object;
    int fd;
};

/* Our file at a descriptor, or NULL; adds one at a descriptor that is open. */
File *file_at(int fd);
void file_add(int fd, const FileOps *ops, void *object);

/* Of /dev/null or an eventfd, at @wanted or anywhere if that is negative. */
int file_new(int wanted, bool eventfd, const FileOps *ops, void *object);

void eventfd_signal(int fd);
void eventfd_clear(int fd);
void fd_close(int fd);
int fd_duplicate(int fd);

/* Memory of the program, as the kernel sees it: -EFAULT if there is none. */
int user_read(void *to, uint64_t from, size_t len);
int user_write(uint64_t to, const void *from, size_t len);

/*
 * A struct of @user_size bytes from a caller that may be newer than us: what we
 * do not know has to be zero (-E2BIG), what it does not know is zero to us.
 */
int user_read_struct(void *to, size_t size, uint64_t from, size_t user_size);

/*
 * As VFIO does it: the first word, argsz, has to be @min at least (-EINVAL),
 * what there is of @size is read, and what is behind that does not matter.
 */
int user_read_min(void *to, size_t min, size_t size, uint64_t from);

/* --- control.c ----------------------------------------------------------- */

typedef enum Kernel {
    KERNEL_6_8, /* IOMMU_HWPT_INVALIDATE */
    KERNEL_6_11, /* fault queues */
    KERNEL_6_15, /* PASID attach */
    KERNEL_NEXT, /* larger structs than we know of */
    KERNEL_2020, /* no iommufd; VFIO nesting v7 */
    KERNELS,
} Kernel;

typedef struct Config {
    Kernel kernel;
    uint64_t cap;
    uint64_t ecap;
    uint32_t hw_type; /* of IOMMU_GET_HW_INFO */
    bool refuse_readonly; /* maps in a nest parent, as Linux 7.3 does */
    bool page_requests; /* the device can make them */
    bool ats, pri; /* ...for which it has these */
    unsigned pasid_bits; /* of the device, 0 = none */
    struct {
        uint64_t cap;
        uint64_t ecap;
        unsigned pasid_bits;
    } second; /* another device, behind another unit */
    unsigned nesting_features; /* of 2020, as all below */
    unsigned nesting_version; /* of the capability */
    unsigned nesting_format;
    unsigned nesting_size; /* of the struct in it */
    unsigned pasid_quota;
    bool structs_of_5_5; /* those of the driver: version first, no argsz */
    char without[8][32]; /* calls by name that end in ENOTTY */
} Config;

extern Config config;
extern RefControl *control;

/* False: this process is not to see a reference host. */
bool control_open(void);

/* Take over what the test has written as configuration. */
void control_configure(void);

/* Whether the kernel that is played lacks the call or the flag of that name. */
bool config_without(const char *name);

typedef struct Device Device;

/* CAP and ECAP of the unit in front of a device. */
uint64_t config_cap(const Device *dev);
uint64_t config_ecap(const Device *dev);

/* Width of PASIDs that the kernel tells for a device, 0 = none. */
unsigned config_pasid_bits(const Device *dev);

void count(RefKind kind, int by);

RefCall *log_call(RefKind kind, unsigned request, const void *arg);
void log_extra(RefCall *call, uint64_t user, size_t len);

/* The error of an injection for this call, or 0. */
int inject(const RefCall *call);

/*
 * For calls with an array: how many of @entries are worked on, with *@error for
 * the rest, and whether the caller is not told how many.
 */
unsigned inject_array(unsigned request, unsigned entries, int *error,
                      bool *silent);

/* --- maps.c -------------------------------------------------------------- */

typedef struct Map {
    uint64_t iova;
    uint64_t last;
    uint64_t va;
    bool readable;
    bool writable;
} Map;

typedef struct Maps {
    Map *map;
    unsigned count;
    unsigned size;
} Maps;

int maps_add(Maps *maps, Map map); /* -EEXIST on overlap */
const Map *maps_find(const Maps *maps, uint64_t iova);
bool maps_overlap(const Maps *maps, uint64_t iova, uint64_t last);

/* Whole maps in the range; *@bytes gets their size.  -ENOENT: one sticks out. */
int maps_remove(Maps *maps, uint64_t iova, uint64_t last, uint64_t *bytes);
void maps_free(Maps *maps);

/* --- unit.c -------------------------------------------------------------- */

typedef struct FaultQueue FaultQueue;

/* Pages that DMA has written, while tracking is on. */
typedef struct Dirty {
    bool on;
    uint64_t *page;
    unsigned count;
} Dirty;

/* What translates the requests of a device, or of one of its PASIDs. */
typedef struct Domain {
    uint32_t did; /* tag of cached translations, never used twice */
    const Maps *second;
    Dirty *dirty;
    bool first_stage;
    uint64_t table;
    unsigned levels;
    bool extended_accessed;
    FaultQueue *faults;
} Domain;

typedef enum Translation {
    TRANSLATED,
    NOT_PRESENT, /* in the first stage: a page request may help */
    REFUSED,
} Translation;

uint32_t unit_new_did(void);

/* *@va: the byte at @iova; valid to the end of its page. */
Translation unit_translate(const Domain *d, uint32_t pasid, uint64_t iova,
                           bool write, uint64_t *va);

void unit_flush_domain(uint32_t did, uint32_t pasid);
void unit_flush_pages(uint32_t did, uint32_t pasid, uint64_t iova,
                      uint64_t pages, bool leaf_only);
void unit_flush_second_stage(const Maps *second);

/* --- device.c ------------------------------------------------------------ */

#define DEVICE_PASIDS 4224
#define DEVICE_IRQS 5 /* indices of VFIO */

/* Of NO_PASID or a PASID; NULL while its requests are blocked. */
typedef const Domain *DomainOf(Device *dev, uint32_t pasid);

struct Device {
    uint8_t config[4096];
    uint8_t local[0x10000];
    uint8_t slot[64];
    uint32_t pasid; /* REF_BAR_PASID */
    uint32_t status;
    uint32_t error;
    uint32_t progress;
    uint64_t fault_addr;
    uint64_t result;
    int irq[DEVICE_IRQS]; /* eventfd of vector 0, or -1 */
    void *owner; /* the one user that has it open */
    bool group_open;
    uint32_t id; /* in the owner's iommufd */
    DomainOf *domain_of;
    void *attachments; /* what domain_of looks at */
};

extern Device the_device;
extern Device second_device;

void device_init(Device *dev);
void device_reset(Device *dev);
void device_config_write(Device *dev, unsigned offset, const void *buf,
                         size_t len);
void device_bar_read(Device *dev, uint64_t offset, void *buf, size_t len);
void device_bar_write(Device *dev, uint64_t offset, const void *buf,
                      size_t len);

/* A page request was answered: the command goes on, or ends in an error. */
void device_resume(Device *dev, bool success);

/* --- iommufd.c, hwpt.c --------------------------------------------------- */

typedef enum ObjectType {
    OBJECT_IOAS,
    OBJECT_DEVICE,
    OBJECT_PAGING,
    OBJECT_NESTED,
    OBJECT_FAULT,
    OBJECT_TYPES,
} ObjectType;

typedef struct Object Object;

/* One struct for all types: what it holds is little. */
struct Object {
    uint32_t id;
    ObjectType type;
    unsigned users; /* other objects, attachments, descriptors */
    bool automatic; /* OBJECT_PAGING: made by an attach, goes with it */
    uint32_t flags; /* of IOMMU_HWPT_ALLOC */
    Object *below; /* IOAS of a paging one, paging one of a nested one */
    Object *fault;
    Maps maps; /* OBJECT_IOAS */
    unsigned reserving; /* OBJECT_IOAS: attachments without PASID */
    Domain domain;
    Dirty dirty;
    unsigned s1_width; /* OBJECT_NESTED, as given */
    uint32_t s1_flags;
    FaultQueue *queue; /* OBJECT_FAULT */
    Device *device; /* OBJECT_DEVICE */
};

typedef struct Context {
    Object **object; /* by id - 1; ids are not used again */
    unsigned objects;
    unsigned users; /* its descriptor, bound devices, fault descriptors */
    Object *vfio_ioas;
} Context;

extern const FileOps iommufd_ops;

Context *context_new(void);
void context_put(Context *c);
Object *object_new(Context *c, ObjectType type);
Object *object_find(Context *c, uint32_t id);
void object_destroy(Context *c, Object *o); /* nobody uses it */

Object *paging_new(Context *c, Object *ioas, uint32_t flags);

/* The calls that hwpt.c adds to those of iommufd.c. */
int hwpt_alloc(Context *c, void *arg);
int hwpt_invalidate(Context *c, void *arg);
int hwpt_set_dirty(Context *c, void *arg);
int hwpt_get_dirty(Context *c, void *arg);
int hw_info(Context *c, void *arg);
int fault_alloc(Context *c, void *arg);

/* MSIs: no memory may be mapped there. */
#define RESERVED_FIRST 0xfee00000ull
#define RESERVED_LAST 0xfeefffffull

/* --- faults.c ------------------------------------------------------------ */

int fault_queue_new(Context *c, Object *o); /* its descriptor */
void fault_queue_free(FaultQueue *q);
void fault_queue_add(FaultQueue *q, Device *dev, bool has_pasid,
                     uint32_t pasid, uint64_t addr, bool write);

/* Requests that nobody will answer now are answered with an error. */
void fault_queue_drop(FaultQueue *q, Device *dev);

/* --- vfio.c -------------------------------------------------------------- */

extern const FileOps device_ops;

void *device_file_new(Device *dev);

/* The same, opened through a group. */
void *device_file_of_group(Device *dev, void *group);

/* --- container.c, uapi2020.c --------------------------------------------- */

/* A guest's first-stage table, for requests with this PASID. */
typedef struct Bound {
    uint64_t hpasid;
    Domain domain; /* did 0: free */
} Bound;

typedef struct Container {
    unsigned users; /* its descriptor, groups */
    unsigned groups;
    unsigned type; /* of VFIO_SET_IOMMU, 0 before */
    bool nesting;
    Maps maps;
    Domain domain;
    Bound bound[DEVICE_PASIDS];
} Container;

extern const FileOps container_ops;
extern const FileOps group_ops;

void *container_new(void);
void *group_new(Device *dev); /* NULL: it is open already */
void group_device_closed(void *group);

/* Calls on a container with nesting; the values are those of ioctl(). */
long nesting_pasid_request(Container *c, uint64_t user);
long nesting_op(Container *c, uint64_t user);

/* The capability for VFIO_IOMMU_GET_INFO; returns its size. */
#define NESTING_CAPABILITY_MAX 128
size_t nesting_capability(void *to);

/* The container gets a type that nests, or loses it. */
void nesting_start(Container *c);
void nesting_end(Container *c);

#endif
