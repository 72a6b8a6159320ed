/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU tells of each change of memory in the order region_del, region_add,
 * commit.  A change makes a new view; the old one goes, with its references to
 * memory, when nobody can be reading through it any more.  That is how QEMU
 * itself treats its flat views, so a table is read here for as long as, and
 * not longer than, it would be read there.
 */
#include "qemu/osdep.h"

#include "exec/address-spaces.h"
#include "exec/memory.h"
#include "intel_iommu_ram.h"
#include "qemu/rcu.h"

/* Ranges of a view.  A machine has two large ones, and some of a few pages. */
#define MAX_RANGES 16

/* A view of memory, which never changes. */
typedef struct View {
    struct rcu_head rcu;
    GPtrArray *owners; /* memory regions that are kept alive */
    VtdMemory memory;
} View;

typedef struct VtdRamWatcher {
    VtdRam *ram;
    MemoryListener listener;
    GArray *section; /* MemoryRegionSection, as they are now */
    bool changed;
    View *view;
} VtdRamWatcher;

static bool is_plain(const MemoryRegionSection *section)
{
    hwaddr pages = section->offset_within_address_space |
                   section->offset_within_region |
                   int128_get64(section->size);

    return memory_region_is_ram(section->mr) &&
           !memory_region_is_ram_device(section->mr) &&
           !section->mr->rom_device &&
           QEMU_IS_ALIGNED(pages, qemu_real_host_page_size());
}

static void region_add(MemoryListener *listener, MemoryRegionSection *section)
{
    VtdRamWatcher *w = container_of(listener, VtdRamWatcher, listener);

    if (is_plain(section)) {
        g_array_append_val(w->section, *section);
        w->changed = true;
    }
}

static void region_del(MemoryListener *listener, MemoryRegionSection *section)
{
    VtdRamWatcher *w = container_of(listener, VtdRamWatcher, listener);

    for (unsigned i = 0; i < w->section->len; i++) {
        MemoryRegionSection *known =
            &g_array_index(w->section, MemoryRegionSection, i);

        if (known->offset_within_address_space ==
            section->offset_within_address_space) {
            g_array_remove_index_fast(w->section, i);
            w->changed = true;
            return;
        }
    }
}

static gint larger_first(gconstpointer a, gconstpointer b)
{
    const MemoryRegionSection *x = a, *y = b;

    return int128_gt(y->size, x->size) - int128_gt(x->size, y->size);
}

static View *view_new(GArray *sections)
{
    unsigned count = MIN(sections->len, MAX_RANGES);
    View *view = g_malloc0(sizeof(*view) + count * sizeof(VtdWindow));

    g_array_sort(sections, larger_first);
    view->memory.count = count;
    view->owners = g_ptr_array_new();
    for (unsigned i = 0; i < count; i++) {
        MemoryRegionSection *section =
            &g_array_index(sections, MemoryRegionSection, i);

        memory_region_ref(section->mr);
        g_ptr_array_add(view->owners, section->mr);
        view->memory.window[i] = (VtdWindow) {
            .start = section->offset_within_address_space,
            .size = int128_get64(section->size),
            .host = (uint8_t *)memory_region_get_ram_ptr(section->mr) +
                    section->offset_within_region,
        };
    }
    return view;
}

static void view_free(View *view)
{
    for (unsigned i = 0; i < view->owners->len; i++) {
        memory_region_unref(g_ptr_array_index(view->owners, i));
    }
    g_ptr_array_free(view->owners, true);
    g_free(view);
}

static void commit(MemoryListener *listener)
{
    VtdRamWatcher *w = container_of(listener, VtdRamWatcher, listener);
    View *old = w->view;

    if (w->changed) {
        w->changed = false;
        w->view = view_new(w->section);
        atomic_store_explicit(&w->ram->view, &w->view->memory,
                              memory_order_release);
        call_rcu(old, view_free, rcu);
    }
}

VtdRam *vtd_ram_new(void)
{
    VtdRam *ram = g_new0(VtdRam, 1);
    VtdRamWatcher *w = g_new0(VtdRamWatcher, 1);

    w->ram = ram;
    w->section = g_array_new(false, false, sizeof(MemoryRegionSection));
    w->listener = (MemoryListener) {
        .name = "vtd-ram",
        .region_add = region_add,
        .region_del = region_del,
        .commit = commit,
    };
    ram->watcher = w;
    w->view = view_new(w->section);
    atomic_init(&ram->view, &w->view->memory);
    memory_listener_register(&w->listener, &address_space_memory);
    return ram;
}
