/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "exec/address-spaces.h"
#include "exec/memory.h"
#include "intel_iommu_memory.h"
#include "qapi/error.h"
#include "qemu/error-report.h"

struct VtdGuestMemory {
    IOMMUFDBackend *iommufd;
    uint32_t ioas;
    unsigned users;
    bool ready;   /* all that was there at the start is mapped */
    Error *error; /* why it could not be, while !ready */
    MemoryListener listener;
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
    error = iommufd_backend_map_dma(memory->iommufd, memory->ioas, range.iova,
                                    range.size, range.host, false);
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
    error = iommufd_backend_unmap_dma(memory->iommufd, memory->ioas,
                                      range.iova, range.size);
    if (error) {
        failed(memory, "unmap", range, error);
    }
    memory_region_unref(section->mr);
}

static void destroy(VtdGuestMemory *memory)
{
    memory_listener_unregister(&memory->listener);
    iommufd_backend_free_id(memory->iommufd, memory->ioas);
    ram_block_discard_disable(false);
    error_free(memory->error);
    object_unref(memory->iommufd);
    g_free(memory);
}

static VtdGuestMemory *create(IOMMUFDBackend *iommufd, Error **errp)
{
    VtdGuestMemory *memory;
    uint32_t ioas;
    int error;

    /* Memory that a balloon gave back would stay pinned as it was. */
    error = ram_block_discard_disable(true);
    if (error) {
        error_setg_errno(errp, -error,
                         "nested translation pins the guest's memory, which "
                         "a memory device of the guest wants to discard");
        return NULL;
    }
    if (!iommufd_backend_alloc_ioas(iommufd, &ioas, errp)) {
        ram_block_discard_disable(false);
        return NULL;
    }
    memory = g_new0(VtdGuestMemory, 1);
    memory->iommufd = IOMMUFD_BACKEND(object_ref(OBJECT(iommufd)));
    memory->ioas = ioas;
    memory->listener = (MemoryListener) {
        .name = "vtd-nest-parent",
        .region_add = region_add,
        .region_del = region_del,
    };
    memory_listener_register(&memory->listener, &address_space_memory);
    memory->ready = true;
    if (memory->error) {
        error_propagate(errp, memory->error);
        memory->error = NULL;
        destroy(memory);
        return NULL;
    }
    return memory;
}

VtdGuestMemory *vtd_guest_memory_get(GSList **all, IOMMUFDBackend *iommufd,
                                     Error **errp)
{
    VtdGuestMemory *memory;

    for (GSList *link = *all; link; link = link->next) {
        memory = link->data;
        if (memory->iommufd == iommufd) {
            memory->users++;
            return memory;
        }
    }
    memory = create(iommufd, errp);
    if (memory) {
        memory->users = 1;
        *all = g_slist_prepend(*all, memory);
    }
    return memory;
}

void vtd_guest_memory_put(GSList **all, VtdGuestMemory *memory)
{
    if (--memory->users == 0) {
        *all = g_slist_remove(*all, memory);
        destroy(memory);
    }
}

uint32_t vtd_guest_memory_ioas(const VtdGuestMemory *memory)
{
    return memory->ioas;
}
