/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "exec/address-spaces.h"
#include "exec/memory.h"
#include "intel_iommu_memory.h"
#include "qapi/error.h"
#include "qemu/error-report.h"

typedef struct Ioas Ioas;

struct VtdGuestMemory {
    VtdMapper mapper;
    bool ready;   /* all that was there at the start is mapped */
    bool stuck;   /* something could not be unmapped */
    Error *error; /* why it could not be mapped, while !ready */
    MemoryListener listener;
    /* Of vtd_guest_memory_get() */
    Ioas *ioas;
    unsigned users;
};

/* The pages of a section that a device may be given. */
typedef struct PageRange {
    uint64_t iova;
    uint64_t size;
    void *host;
} PageRange;

/* Memory of other devices (BARs mapped into QEMU) is left out: a device
 * behind the IOMMU cannot reach its peers. */
static bool mappable(const MemoryRegionSection *section)
{
    MemoryRegion *mr = section->mr;

    return memory_region_is_ram(mr) && !section->readonly &&
           !memory_region_is_rom(mr) && !memory_region_is_ram_device(mr) &&
           !memory_region_is_protected(mr);
}

/* False: the section holds no page for a device. */
static bool section_pages(const MemoryRegionSection *section,
                          PageRange *range)
{
    uint64_t start = section->offset_within_address_space;
    uint64_t end = start + int128_get64(section->size);
    uint64_t iova = ROUND_UP(start, qemu_real_host_page_size());
    char *base;

    if (!mappable(section)) {
        return false;
    }
    base = memory_region_get_ram_ptr(section->mr);
    end = ROUND_DOWN(end, qemu_real_host_page_size());
    *range = (PageRange) {
        .iova = iova,
        .size = end - iova,
        .host = base + section->offset_within_region + (iova - start),
    };
    return end > iova;
}

static void failed(VtdGuestMemory *memory, const char *what, PageRange range,
                   int error)
{
    if (!memory->ready) {
        if (!memory->error) {
            error_setg_errno(&memory->error, -error,
                             "cannot %s guest memory at 0x%" PRIx64
                             " (0x%" PRIx64 " bytes) for nested translation",
                             what, range.iova, range.size);
        }
        return;
    }
    /* DMA to a range that is missing is blocked by the host. */
    warn_report("intel-iommu: cannot %s guest memory at 0x%" PRIx64
                " for passed-through devices: %s",
                what, range.iova, strerror(-error));
}

static void region_add(MemoryListener *listener, MemoryRegionSection *section)
{
    VtdGuestMemory *memory = container_of(listener, VtdGuestMemory, listener);
    PageRange range;
    int error;

    if (!section_pages(section, &range)) {
        return;
    }
    memory_region_ref(section->mr);
    error = memory->mapper.map(memory->mapper.opaque, range.iova, range.size,
                               range.host);
    if (error) {
        failed(memory, "map", range, error);
    }
}

static void region_del(MemoryListener *listener, MemoryRegionSection *section)
{
    VtdGuestMemory *memory = container_of(listener, VtdGuestMemory, listener);
    PageRange range;
    int error;

    if (!section_pages(section, &range)) {
        return;
    }
    error = memory->mapper.unmap(memory->mapper.opaque, range.iova,
                                 range.size);
    if (error) {
        memory->stuck |= error != -ENOENT;
        failed(memory, "unmap", range, error);
    }
    memory_region_unref(section->mr);
}

bool vtd_guest_memory_free(VtdGuestMemory *memory)
{
    bool stuck;

    memory_listener_unregister(&memory->listener);
    ram_block_discard_disable(false);
    stuck = memory->stuck;
    error_free(memory->error);
    g_free(memory);
    return !stuck;
}

VtdGuestMemory *vtd_guest_memory_new(const VtdMapper *mapper, Error **errp)
{
    VtdGuestMemory *memory;
    int error;

    /* Memory that a balloon gave back would stay pinned as it was. */
    error = ram_block_discard_disable(true);
    if (error) {
        error_setg_errno(errp, -error,
                         "nested translation pins the guest's memory, which "
                         "a memory device of the guest wants to discard");
        return NULL;
    }
    memory = g_new0(VtdGuestMemory, 1);
    memory->mapper = *mapper;
    memory->listener = (MemoryListener) {
        .name = "vtd-guest-memory",
        .region_add = region_add,
        .region_del = region_del,
    };
    memory_listener_register(&memory->listener, &address_space_memory);
    memory->ready = true;
    if (memory->error) {
        error_propagate(errp, memory->error);
        memory->error = NULL;
        vtd_guest_memory_free(memory);
        return NULL;
    }
    return memory;
}

/* --- In an IOAS of iommufd ----------------------------------------------- */

struct Ioas {
    IOMMUFDBackend *iommufd;
    uint32_t id;
};

static int ioas_map(void *opaque, uint64_t iova, uint64_t size, void *host)
{
    Ioas *ioas = opaque;

    return iommufd_backend_map_dma(ioas->iommufd, ioas->id, iova, size, host,
                                   false);
}

static int ioas_unmap(void *opaque, uint64_t iova, uint64_t size)
{
    Ioas *ioas = opaque;

    return iommufd_backend_unmap_dma(ioas->iommufd, ioas->id, iova, size);
}

static void ioas_free(Ioas *ioas)
{
    iommufd_backend_free_id(ioas->iommufd, ioas->id);
    object_unref(ioas->iommufd);
    g_free(ioas);
}

static VtdGuestMemory *create_in_ioas(IOMMUFDBackend *iommufd, Error **errp)
{
    VtdMapper mapper = { .map = ioas_map, .unmap = ioas_unmap };
    VtdGuestMemory *memory;
    Ioas *ioas;
    uint32_t id;

    if (!iommufd_backend_alloc_ioas(iommufd, &id, errp)) {
        return NULL;
    }
    ioas = g_new(Ioas, 1);
    *ioas = (Ioas){ IOMMUFD_BACKEND(object_ref(OBJECT(iommufd))), id };
    mapper.opaque = ioas;
    memory = vtd_guest_memory_new(&mapper, errp);
    if (memory) {
        memory->ioas = ioas;
    } else {
        ioas_free(ioas);
    }
    return memory;
}

VtdGuestMemory *vtd_guest_memory_get(GSList **all, IOMMUFDBackend *iommufd,
                                     Error **errp)
{
    VtdGuestMemory *memory;

    for (GSList *link = *all; link; link = link->next) {
        memory = link->data;
        if (memory->ioas->iommufd == iommufd) {
            memory->users++;
            return memory;
        }
    }
    memory = create_in_ioas(iommufd, errp);
    if (memory) {
        memory->users = 1;
        *all = g_slist_prepend(*all, memory);
    }
    return memory;
}

void vtd_guest_memory_put(GSList **all, VtdGuestMemory *memory)
{
    if (--memory->users == 0) {
        Ioas *ioas = memory->ioas;

        *all = g_slist_remove(*all, memory);
        vtd_guest_memory_free(memory);
        ioas_free(ioas);
    }
}

uint32_t vtd_guest_memory_ioas(const VtdGuestMemory *memory)
{
    return memory->ioas->id;
}
