/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nested translation as proposed in 2020 (VFIO nesting v7), on a container of
 * VFIO: PASIDs, the guest's first-stage tables bound to them, invalidation.
 * hw/i386/intel_iommu_uapi2020.h has the structs.
 *
 * Two parts of the kernel look at each struct: the generic one at argsz,
 * version, known flags and padding, and what it does not know is cut off; the
 * VT-d driver at the rest, and at argsz once more.  Requests with PASID only
 * are nested: those without are translated by the container's maps.
 */
#include "host.h"
#include "hw/i386/intel_iommu_uapi2020.h"

#define PASID_MAX (1u << 20)
#define QUOTA_MAX 8192

/* PASIDs are those of the machine, allocated for a process: whichever of its
 * containers asked, all can use them, until none of them nests any more. */
static uint32_t allocated[QUOTA_MAX]; /* 0: free */
static unsigned nesting_containers;

/* --- PASIDs -------------------------------------------------------------- */

static int allocation_of(uint32_t pasid)
{
    for (unsigned i = 0; i < config.pasid_quota && i < QUOTA_MAX; i++) {
        if (allocated[i] == pasid) {
            return i;
        }
    }
    return -1;
}

static int pasid_alloc(uint32_t min, uint32_t max)
{
    int slot = allocation_of(0);

    if (slot < 0) {
        return -ENOSPC;
    }
    for (uint32_t pasid = min ? min : 1; pasid <= max; pasid++) {
        if (allocation_of(pasid) < 0) {
            allocated[slot] = pasid;
            count(REF_PASID, 1);
            return pasid;
        }
    }
    return -ENOSPC;
}

static Bound *bound_at(Container *c, uint64_t hpasid)
{
    for (unsigned i = 0; i < DEVICE_PASIDS; i++) {
        if (c->bound[i].domain.did && c->bound[i].hpasid == hpasid) {
            return &c->bound[i];
        }
    }
    return NULL;
}

static void unbind_one(Bound *b)
{
    unit_flush_domain(b->domain.did, b->hpasid);
    b->domain.did = 0;
    count(REF_BOUND_PASID, -1);
}

static unsigned pasid_free(Container *c, uint32_t min, uint32_t max)
{
    unsigned freed = 0;

    for (unsigned i = 0; i < QUOTA_MAX; i++) {
        Bound *b = bound_at(c, allocated[i]);

        if (!allocated[i] || allocated[i] < min || allocated[i] > max) {
            continue;
        }
        if (b) {
            unbind_one(b);
        }
        allocated[i] = 0;
        count(REF_PASID, -1);
        freed++;
    }
    return freed;
}

void nesting_start(Container *c)
{
    (void)c;
    nesting_containers++;
}

void nesting_end(Container *c)
{
    for (unsigned i = 0; i < DEVICE_PASIDS; i++) {
        if (c->bound[i].domain.did) {
            unbind_one(&c->bound[i]);
            control->leaked[REF_BOUND_PASID]++;
        }
    }
    if (!--nesting_containers) {
        control->leaked[REF_PASID] += pasid_free(c, 0, UINT32_MAX);
    }
}

long nesting_pasid_request(Container *c, uint64_t user)
{
    struct uapi2020_pasid_request arg;

    if (user_read(&arg, user, sizeof(arg))) {
        return -EFAULT;
    }
    if (arg.argsz < sizeof(arg) || arg.min > arg.max ||
        arg.max >= PASID_MAX) {
        return -EINVAL;
    }
    if (!c->nesting || !(config.nesting_features &
                         UAPI2020_NESTING_SYSWIDE_PASID)) {
        return -EOPNOTSUPP;
    }
    switch (arg.flags) {
    case UAPI2020_PASID_ALLOC:
        return pasid_alloc(arg.min, arg.max);
    case UAPI2020_PASID_FREE:
        pasid_free(c, arg.min, arg.max);
        return 0;
    }
    return -EINVAL;
}

/* --- Binding ------------------------------------------------------------- */

static bool is_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i]) {
            return false;
        }
    }
    return true;
}

/* What the generic part of the kernel does with it. */
static int read_bind(struct uapi2020_gpasid_bind *bind, uint64_t user)
{
    const size_t min = offsetof(struct uapi2020_gpasid_bind, vtd);
    uint32_t argsz;

    memset(bind, 0, sizeof(*bind));
    if (user_read(&argsz, user, sizeof(argsz))) {
        return -EFAULT;
    }
    if (argsz < min || (config.structs_of_5_5 && argsz != UAPI2020_VERSION)) {
        return -EINVAL;
    }
    if (user_read(bind, user, MIN_OF(argsz, sizeof(*bind)))) {
        return -EFAULT;
    }
    if (bind->version != UAPI2020_VERSION ||
        bind->format != UAPI2020_FORMAT_VTD ||
        (bind->flags & ~UAPI2020_BIND_GPASID) ||
        !is_zero(bind->padding, sizeof(bind->padding))) {
        return -EINVAL;
    }
    return 0;
}

/* What the VT-d driver wants of it. */
static int check_bind(const struct uapi2020_gpasid_bind *bind)
{
    if (bind->argsz < sizeof(*bind) ||
        (bind->vtd.flags & ~UAPI2020_VTD_FLAGS) || !bind->hpasid ||
        bind->hpasid >= PASID_MAX) {
        return -EINVAL;
    }
    if ((bind->addr_width != 48 && bind->addr_width != 57) ||
        (bind->addr_width == 57 && !(config.cap & CAP_FS5LP)) ||
        ((bind->vtd.flags & UAPI2020_VTD_SRE) && !(config.ecap & ECAP_SRS)) ||
        ((bind->vtd.flags & UAPI2020_VTD_EAFE) &&
         !(config.ecap & ECAP_EAFS))) {
        return -EINVAL;
    }
    return 0;
}

static int bind_table(Container *c, uint64_t user)
{
    struct uapi2020_gpasid_bind bind;
    int error = read_bind(&bind, user);

    if (!error) {
        error = check_bind(&bind);
    }
    if (error) {
        return error;
    }
    if (allocation_of(bind.hpasid) < 0) {
        return -EINVAL;
    }
    if (bound_at(c, bind.hpasid)) {
        return -EBUSY;
    }
    for (unsigned i = 0; i < DEVICE_PASIDS; i++) {
        Bound *b = &c->bound[i];

        if (!b->domain.did) {
            b->hpasid = bind.hpasid;
            b->domain = (Domain){
                .did = unit_new_did(),
                .second = &c->maps,
                .first_stage = true,
                .table = bind.gpgd & ~(PAGE - 1),
                .levels = bind.addr_width == 57 ? 5 : 4,
                .extended_accessed = bind.vtd.flags & UAPI2020_VTD_EAFE,
            };
            count(REF_BOUND_PASID, 1);
            return 0;
        }
    }
    return -ENOSPC;
}

static int unbind_table(Container *c, uint64_t user)
{
    struct uapi2020_gpasid_bind bind;
    int error = read_bind(&bind, user);
    Bound *b;

    if (error) {
        return error;
    }
    b = bound_at(c, bind.hpasid);
    if (!b) {
        return -EINVAL;
    }
    unbind_one(b);
    return 0;
}

/* --- Invalidation -------------------------------------------------------- */

static size_t size_at(uint8_t granularity)
{
    const size_t min = offsetof(struct uapi2020_cache_invalidate, granu);

    switch (granularity) {
    case UAPI2020_GRANULARITY_PASID:
        return min + sizeof(struct uapi2020_invalidate_pasid);
    case UAPI2020_GRANULARITY_ADDR:
        return min + sizeof(struct uapi2020_invalidate_addr);
    }
    return min;
}

static int read_invalidate(struct uapi2020_cache_invalidate *inval,
                           uint64_t user)
{
    uint32_t pasid_flags = UAPI2020_INVALIDATE_PASID |
                           UAPI2020_INVALIDATE_ARCHID;

    memset(inval, 0, sizeof(*inval));
    if (user_read(inval, user, offsetof(struct uapi2020_cache_invalidate,
                                        granu))) {
        return -EFAULT;
    }
    if (config.structs_of_5_5 ||
        inval->granularity > UAPI2020_GRANULARITY_ADDR ||
        inval->argsz < size_at(inval->granularity)) {
        return -EINVAL;
    }
    if (user_read(inval, user, size_at(inval->granularity))) {
        return -EFAULT;
    }
    if (inval->version != UAPI2020_VERSION ||
        (inval->cache & ~UAPI2020_CACHES) ||
        !is_zero(inval->padding, sizeof(inval->padding)) ||
        ((inval->cache & UAPI2020_CACHE_PASID) &&
         inval->granularity == UAPI2020_GRANULARITY_ADDR) ||
        ((inval->cache & UAPI2020_CACHE_DEVICE_TLB) &&
         inval->granularity == UAPI2020_GRANULARITY_DOMAIN) ||
        (inval->granularity == UAPI2020_GRANULARITY_PASID &&
         (inval->granu.pasid.flags & ~pasid_flags)) ||
        (inval->granularity == UAPI2020_GRANULARITY_ADDR &&
         (inval->granu.addr.flags & ~(pasid_flags |
                                      UAPI2020_INVALIDATE_LEAF)))) {
        return -EINVAL;
    }
    return 0;
}

/* The driver's table: IOTLB of a PASID or of pages, device TLB of pages. */
static bool is_supported(const struct uapi2020_cache_invalidate *inval)
{
    if (inval->cache & UAPI2020_CACHE_PASID) {
        return false;
    }
    if (inval->cache & UAPI2020_CACHE_DEVICE_TLB) {
        return inval->granularity == UAPI2020_GRANULARITY_ADDR;
    }
    return inval->granularity != UAPI2020_GRANULARITY_DOMAIN;
}

static int invalidate(Container *c, uint64_t user)
{
    struct uapi2020_cache_invalidate inval;
    const struct uapi2020_invalidate_addr *addr = &inval.granu.addr;
    int error = read_invalidate(&inval, user);
    bool pages;
    Bound *b;

    if (error) {
        return error;
    }
    if (!is_supported(&inval)) {
        return -EINVAL;
    }
    /* flags, archid and pasid lie at the same place in both. */
    b = addr->flags & UAPI2020_INVALIDATE_PASID ?
        bound_at(c, addr->pasid) : NULL;
    pages = inval.granularity == UAPI2020_GRANULARITY_ADDR;
    if (b && (inval.cache & UAPI2020_CACHE_IOTLB)) {
        if (pages) {
            unit_flush_pages(b->domain.did, b->hpasid, addr->addr,
                             addr->granule_size * addr->nb_granules / PAGE,
                             addr->flags & UAPI2020_INVALIDATE_LEAF);
        } else {
            unit_flush_domain(b->domain.did, b->hpasid);
        }
    }
    return 0;
}

long nesting_op(Container *c, uint64_t user)
{
    struct uapi2020_nesting_op op;
    uint32_t needs;

    if (user_read(&op, user, sizeof(op))) {
        return -EFAULT;
    }
    if (op.argsz < sizeof(op) || (op.flags & ~UAPI2020_OP_MASK) ||
        op.flags > UAPI2020_OP_INVALIDATE) {
        return -EINVAL;
    }
    needs = op.flags == UAPI2020_OP_INVALIDATE ? UAPI2020_NESTING_INVALIDATE :
            UAPI2020_NESTING_BIND;
    if (!c->nesting || !(config.nesting_features & needs)) {
        return -EOPNOTSUPP;
    }
    user += sizeof(op);
    switch (op.flags) {
    case UAPI2020_OP_BIND:
        return bind_table(c, user);
    case UAPI2020_OP_UNBIND:
        return unbind_table(c, user);
    default:
        return invalidate(c, user);
    }
}

size_t nesting_capability(void *to)
{
    const size_t before = offsetof(struct uapi2020_info_cap_nesting, info);
    struct uapi2020_info_cap_nesting cap = {
        .id = UAPI2020_INFO_CAP_NESTING,
        .version = config.nesting_version,
        .info = {
            .argsz = config.nesting_size,
            .format = config.nesting_format,
            .features = config.nesting_features,
            .addr_width = CAP_MGAW(config.cap),
            .pasid_bits = MIN_OF(config.pasid_bits, ECAP_PSS(config.ecap)),
            .vtd = { .cap_reg = config.cap, .ecap_reg = config.ecap },
        },
    };

    /* Of a larger struct the rest is something that was new then. */
    memset(to, 0xff, NESTING_CAPABILITY_MAX);
    cap.info.flags = config.nesting_size > sizeof(cap.info);
    memcpy(to, &cap, MIN_OF(before + config.nesting_size, sizeof(cap)));
    return MIN_OF(before + config.nesting_size, NESTING_CAPABILITY_MAX);
}
