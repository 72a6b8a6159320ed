/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the devices behind the unit see.
 *
 * Each requester has an address space with two views, of which one is
 * enabled: the direct one, shared by all, and the translated one, where every
 * access asks the model.  The interrupt range belongs to both.
 */
#include "qemu/osdep.h"

#include "exec/address-spaces.h"
#include "hw/pci/pci_bridge.h"
#include "hw/pci/pci_bus.h"
#include "intel_iommu_drain.h"
#include "intel_iommu_space.h"
#include "qemu/main-loop.h"
#include "trace/trace-hw_i386_vtd.h"
#include "vtd/vtd_quick.h"

typedef struct SpaceKey {
    PCIBus *bus;
    uint32_t devfn;
} SpaceKey;

static guint key_hash(gconstpointer p)
{
    const SpaceKey *key = p;

    return g_direct_hash(key->bus) * 31 + key->devfn;
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
    const SpaceKey *x = a, *y = b;

    return x->bus == y->bus && x->devfn == y->devfn;
}

/*
 * Who makes the requests.
 *
 * The guest numbers the buses, and may do so again later; the number stands
 * in the bridge's configuration space.  Each request looks there.
 */
static void source_init(VtdAddressSpace *space)
{
    vtd_source_init(&space->source, (VtdRequester){ .sid = space->devfn });
}

/*
 * Other threads may be translating.  One that still read the old id drew its
 * configuration's generation before that, so what it caches with the source
 * is out of date once the generation has advanced.
 */
static void source_renumber(VtdAddressSpace *space, uint16_t sid)
{
    trace_vtd_space_renumbered(space->source.req.sid, sid);
    qatomic_set(&space->source.req.sid, sid);
    vtd_forget_configurations(space->iommu_state->unit);
}

static inline VtdSource *source_of(VtdAddressSpace *space)
{
    uint8_t bus = qatomic_read(space->bus_number);

    if (unlikely(PCI_BUS_NUM(qatomic_read(&space->source.req.sid)) != bus)) {
        source_renumber(space, PCI_BUILD_BDF(bus, space->devfn));
    }
    return &space->source;
}

VtdSource *vtd_space_source(VtdAddressSpace *space)
{
    return source_of(space);
}

static void watch_bus_number(VtdAddressSpace *space, PCIBus *bus)
{
    if (pci_bus_is_root(bus)) {
        space->fixed_bus_number = pci_bus_num(bus);
        space->bus_number = &space->fixed_bus_number;
    } else {
        space->bus_number = &bus->parent_dev->config[PCI_SECONDARY_BUS];
    }
}

/* A bridge is gone, and with it all that was behind it. */
static void bridge_unrealized(DeviceListener *listener, DeviceState *dev)
{
    IntelIOMMUState *s =
        container_of(listener, IntelIOMMUState, device_listener);
    VtdAddressSpace *space;
    GHashTableIter i;
    PCIBus *bus;

    if (!object_dynamic_cast(OBJECT(dev), TYPE_PCI_BRIDGE)) {
        return;
    }
    bus = pci_bridge_get_sec_bus(PCI_BRIDGE(dev));
    g_hash_table_iter_init(&i, s->spaces);
    while (g_hash_table_iter_next(&i, NULL, (gpointer *)&space)) {
        if (space->bus == bus) {
            space->fixed_bus_number = 0;
            space->bus_number = &space->fixed_bus_number;
        }
    }
}

/*
 * Translation.
 */
QEMU_BUILD_BUG_ON((int)VTD_PERM_READ != (int)IOMMU_RO ||
                  (int)VTD_PERM_WRITE != (int)IOMMU_WO);

static IOMMUTLBEntry blocked(hwaddr addr)
{
    return (IOMMUTLBEntry){
        .target_as = &address_space_memory,
        .iova = addr & VTD_PAGE_MASK,
        .addr_mask = ~VTD_PAGE_MASK,
        .perm = IOMMU_NONE,
    };
}

/* The view is about to change, and this request saw the old one. */
static IOMMUTLBEntry untranslated(hwaddr addr)
{
    IOMMUTLBEntry entry = blocked(addr);

    entry.translated_addr = entry.iova;
    entry.perm = IOMMU_RW;
    return entry;
}

static IOMMUTLBEntry entry_of(const VtdMapping *m)
{
    return (IOMMUTLBEntry){
        .target_as = &address_space_memory,
        .iova = m->iova,
        .translated_addr = m->pa,
        .addr_mask = (1ull << m->shift) - 1,
        .perm = m->perm & IOMMU_RW,
    };
}

static inline void trace_translation(VtdSource *source, hwaddr addr,
                                     const VtdMapping *m)
{
    if (trace_event_get_state_backends(TRACE_VTD_SPACE_TRANSLATE)) {
        trace_vtd_space_translate(source->req.sid, addr, m->pa,
                                  (1ull << m->shift) - 1, m->perm);
    }
}

static __attribute__((noinline)) IOMMUTLBEntry
space_translate_slow(VtdAddressSpace *space, hwaddr addr, IOMMUAccessFlags flag)
{
    VtdUnit *unit = space->unit;
    VtdAccess access = { .perm = flag & IOMMU_RW };
    VtdSource *source = &space->source;
    VtdMapping m;
    VtdFault fault;

    if (unlikely(!vtd_translation_enabled(unit))) {
        return untranslated(addr);
    }
    fault = vtd_translate_slow(unit, source, addr, access, flag == IOMMU_NONE,
                               &m);
    if (unlikely(fault)) {
        trace_vtd_space_fault(source->req.sid, addr, flag,
                              vtd_fault_name(fault));
        return blocked(addr);
    }
    /* An identity that allows everything is what pass-through looks like. */
    if (m.iova == m.pa && (m.perm & VTD_PERM_EXEC) &&
        qatomic_read(&space->view_gen) != vtd_configuration_number(unit)) {
        qatomic_set(&space->view_is_old, true);
        qemu_bh_schedule(space->iommu_state->views_bh);
    }
    trace_translation(source, addr, &m);
    return entry_of(&m);
}

/* What most accesses need of the unit is here and in what is inline: the rest
 * is kept away, so that no register is saved for it. */
static IOMMUTLBEntry space_translate(IOMMUMemoryRegion *iommu, hwaddr addr,
                                     IOMMUAccessFlags flag, int iommu_idx)
{
    VtdAddressSpace *space = container_of(iommu, VtdAddressSpace, iommu);
    VtdUnit *unit = space->unit;
    VtdAccess access = { .perm = flag & IOMMU_RW };
    VtdSource *source;
    VTD_UNSET VtdMapping m;

    vtd_drain_translating();
    source = source_of(space);
    if (unlikely(!vtd_translate_quick(unit, source, addr, access, &m))) {
        return space_translate_slow(space, addr, flag);
    }
    trace_translation(source, addr, &m);
    return entry_of(&m);
}

/*
 * Views.
 */
static void space_regions_init(VtdAddressSpace *space)
{
    IntelIOMMUState *s = space->iommu_state;
    g_autofree char *name = g_strdup_printf("intel-iommu-%02x.%x",
                                            PCI_SLOT(space->devfn),
                                            PCI_FUNC(space->devfn));

    memory_region_init(&space->root, OBJECT(s), name, UINT64_MAX);
    memory_region_init_alias(&space->direct, OBJECT(s), "untranslated",
                             &s->untranslated, 0, UINT64_MAX);
    memory_region_add_subregion(&space->root, 0, &space->direct);
    memory_region_init_iommu(&space->iommu, sizeof(space->iommu),
                             TYPE_INTEL_IOMMU_MEMORY_REGION, OBJECT(s),
                             "translated", UINT64_MAX);
    memory_region_set_enabled(MEMORY_REGION(&space->iommu), false);
    memory_region_add_subregion(&space->root, 0, MEMORY_REGION(&space->iommu));
    memory_region_init_alias(&space->interrupts, OBJECT(s), "interrupts",
                             &s->interrupts.region, 0,
                             memory_region_size(&s->interrupts.region));
    memory_region_set_enabled(&space->interrupts, false);
    memory_region_add_subregion_overlap(&space->root, VTD_MSI_RANGE_FIRST,
                                        &space->interrupts, 1);
    address_space_init(&space->as, &space->root, name);
}

/*
 * A bus that has no number yet has that of the root bus in its source id: whose
 * configuration that is must not be taken for the device's.
 */
static bool wants_translation(VtdAddressSpace *space)
{
    VtdUnit *unit = space->iommu_state->unit;
    bool numbered = space->bus_number == &space->fixed_bus_number ||
                    *space->bus_number;
    VtdConfig config;

    if (space->host || !vtd_translation_enabled(unit)) {
        return false;
    }
    return !numbered ||
           vtd_configuration(unit, vtd_space_source(space), &config) ||
           config.kind != VTD_PASS_THROUGH;
}

void vtd_address_space_update(VtdAddressSpace *space)
{
    uint64_t gen = vtd_configuration_number(space->unit);
    bool translated = wants_translation(space);
    bool direct = !translated && !space->host;

    assert(bql_locked());
    qatomic_set(&space->view_gen, gen);
    if (direct && !space->direct.enabled) {
        QLIST_INSERT_HEAD(&space->iommu_state->direct_spaces, space,
                          directly);
    } else if (!direct && space->direct.enabled) {
        QLIST_REMOVE(space, directly);
    }
    if (translated == MEMORY_REGION(&space->iommu)->enabled &&
        direct == space->direct.enabled) {
        return;
    }
    trace_vtd_space_view(vtd_space_source(space)->req.sid,
                         translated ? "translated" :
                         direct ? "direct" : "passed through");
    if (!translated) {
        vtd_unmap_space(space);
    }
    memory_region_transaction_begin();
    memory_region_set_enabled(&space->direct, direct);
    memory_region_set_enabled(MEMORY_REGION(&space->iommu), translated);
    /* The direct view has the interrupts in it. */
    memory_region_set_enabled(&space->interrupts, !direct);
    memory_region_transaction_commit();
    vtd_drain_begin_views(space->iommu_state->drain);
}

/* Never freed: what refers to its regions may outlive the device. */
static VtdAddressSpace *space_new(IntelIOMMUState *s, const SpaceKey *key)
{
    VtdAddressSpace *space = g_new0(VtdAddressSpace, 1);

    space->iommu_state = s;
    space->unit = s->unit;
    space->bus = key->bus;
    space->devfn = key->devfn;
    source_init(space);
    space_regions_init(space);
    QLIST_INSERT_HEAD(&s->direct_spaces, space, directly);
    g_hash_table_insert(s->spaces, g_memdup2(key, sizeof(*key)), space);
    return space;
}

VtdAddressSpace *vtd_address_space(IntelIOMMUState *s, PCIBus *bus, int devfn)
{
    SpaceKey key = { .bus = bus, .devfn = devfn };
    VtdAddressSpace *space = g_hash_table_lookup(s->spaces, &key);

    if (!space) {
        space = space_new(s, &key);
    }
    watch_bus_number(space, bus);
    vtd_address_space_update(space);
    return space;
}

static void update_all(IntelIOMMUState *s)
{
    VtdAddressSpace *space;
    GHashTableIter i;

    memory_region_transaction_begin();
    g_hash_table_iter_init(&i, s->spaces);
    while (g_hash_table_iter_next(&i, NULL, (gpointer *)&space)) {
        vtd_address_space_update(space);
    }
    memory_region_transaction_commit();
}

/* Spaces whose users have seen that they need another view. */
static void update_old_views(void *opaque)
{
    IntelIOMMUState *s = opaque;
    VtdAddressSpace *space;
    GHashTableIter i;

    g_hash_table_iter_init(&i, s->spaces);
    while (g_hash_table_iter_next(&i, NULL, (gpointer *)&space)) {
        if (qatomic_xchg(&space->view_is_old, false)) {
            vtd_address_space_update(space);
        }
    }
}

/* A descriptor for one device speaks of no other. */
static bool may_concern(VtdAddressSpace *space, const VtdNotice *notice)
{
    return notice->scope != VTD_SCOPE_DEVICE ||
           !((source_of(space)->req.sid ^ notice->sid) & ~notice->sid_mask);
}

/*
 * The guest says that configurations may have changed, with a descriptor for
 * each PASID or device, and of few sources they have.  A space that is not
 * translated is looked at, as its accesses do not ask the model; and one whose
 * users keep what they have been told.  Of the others the next access finds out
 * whether they want the direct view: until then the model translates nothing
 * into the same.
 */
static void configurations_changed(IntelIOMMUState *s, const VtdNotice *notice)
{
    VtdAddressSpace *space, *next;

    memory_region_transaction_begin();
    QLIST_FOREACH_SAFE(space, &s->notified_spaces, notified, next) {
        if (may_concern(space, notice)) {
            vtd_unmap_space(space);
            vtd_shadow_space_changed(space, false);
            vtd_address_space_update(space);
        }
    }
    QLIST_FOREACH_SAFE(space, &s->direct_spaces, directly, next) {
        if (may_concern(space, notice)) {
            vtd_address_space_update(space);
        }
    }
    memory_region_transaction_commit();
}

void vtd_spaces_changed(IntelIOMMUState *s)
{
    /* What comes next for the old domain would not be seen to concern a
     * source that has moved to another one. */
    vtd_unmap_all_spaces(s);
    vtd_shadow_configurations_changed(s);
    update_all(s);
}

void vtd_spaces_notice(IntelIOMMUState *s, const VtdNotice *notice)
{
    switch (notice->kind) {
    case VTD_NOTICE_TRANSLATION:
        vtd_spaces_changed(s);
        break;
    case VTD_NOTICE_CONTEXT:
    case VTD_NOTICE_PASID_CACHE:
        configurations_changed(s, notice);
        break;
    case VTD_NOTICE_IOTLB:
        if (!QLIST_EMPTY(&s->shadow_domains)) {
            vtd_shadow_invalidate(s, notice);
        }
        /* fall through */
    case VTD_NOTICE_PASID_IOTLB:
        vtd_unmap_iotlb(s, notice);
        break;
    case VTD_NOTICE_DEVICE_TLB:
        vtd_unmap_device_tlb(s, notice);
        break;
    case VTD_NOTICE_INTERRUPT_ENTRY:
    case VTD_NOTICE_PAGE_RESPONSE:
        break;
    }
}

void vtd_spaces_init(IntelIOMMUState *s)
{
    MemoryRegion *memory = get_system_memory();

    s->spaces = g_hash_table_new_full(key_hash, key_equal, g_free, NULL);
    QLIST_INIT(&s->notified_spaces);
    QLIST_INIT(&s->direct_spaces);
    s->views_bh = qemu_bh_new_guarded(update_old_views, s,
                                      &DEVICE(s)->mem_reentrancy_guard);
    memory_region_init(&s->untranslated, OBJECT(s), "intel-iommu-untranslated",
                       UINT64_MAX);
    memory_region_init_alias(&s->system_memory, OBJECT(s),
                             "intel-iommu-system-memory", memory, 0,
                             memory_region_size(memory));
    memory_region_add_subregion(&s->untranslated, 0, &s->system_memory);
    memory_region_add_subregion_overlap(&s->untranslated, VTD_MSI_RANGE_FIRST,
                                        &s->interrupts.region, 1);
    s->device_listener.unrealize = bridge_unrealized;
    device_listener_register(&s->device_listener);
}

static void space_region_class_init(ObjectClass *klass, void *data)
{
    IOMMUMemoryRegionClass *imrc = IOMMU_MEMORY_REGION_CLASS(klass);

    imrc->translate = space_translate;
    imrc->notify_flag_changed = vtd_notify_flag_changed;
    imrc->replay = vtd_notify_replay;
}

static const TypeInfo space_region_info = {
    .name = TYPE_INTEL_IOMMU_MEMORY_REGION,
    .parent = TYPE_IOMMU_MEMORY_REGION,
    .class_init = space_region_class_init,
};

static void register_types(void)
{
    type_register_static(&space_region_info);
}

type_init(register_types)
