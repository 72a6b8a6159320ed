/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the files of the intel-iommu device: the address space that a
 * device behind the unit sees, interrupts, what the model needs of QEMU, and
 * the passed-through devices.
 */
#ifndef HW_I386_INTEL_IOMMU_SPACE_H
#define HW_I386_INTEL_IOMMU_SPACE_H

#include "hw/i386/intel_iommu.h"
#include "qobject/qlist.h"
#include "system/host_iommu_device.h"
#include "intel_iommu_iommufd.h"
#include "vtd/vtd.h"

typedef struct VtdHostDevice VtdHostDevice;
typedef struct VtdShadowDomain VtdShadowDomain;

/* What requests without PASID of one device (bus, devfn) see. */
struct VtdAddressSpace {
    IntelIOMMUState *iommu_state;
    VtdUnit *unit;        /* iommu_state's */
    PCIBus *bus;          /* identity only; may have been unplugged */
    uint8_t devfn;
    const uint8_t *bus_number; /* where the guest keeps it, or the next */
    uint8_t fixed_bus_number;  /* of a bus without such a place */
    VtdSource source;          /* by vtd_space_source() */
    VtdShadowDomain *shadow_domain; /* its tables, for MAP notifiers */
    VtdHostDevice *host;  /* the device is passed through and nested */
    AddressSpace as;
    MemoryRegion root;    /* holds the regions below */
    MemoryRegion direct;  /* alias of the unit's untranslated view */
    IOMMUMemoryRegion iommu;
    MemoryRegion interrupts; /* alias of the unit's interrupt window */
    IOMMUNotifierFlag notifier_flags;
    QLIST_ENTRY(VtdAddressSpace) notified; /* while notifier_flags */
    QLIST_ENTRY(VtdAddressSpace) directly; /* while direct is enabled */
    uint64_t view_gen;    /* the configurations that the view was chosen by */
    bool view_is_old;     /* somebody has seen that there are newer ones */
};

/* Set up what the spaces have in common. */
void vtd_spaces_init(IntelIOMMUState *s);

/* Find or create; BQL held. */
VtdAddressSpace *vtd_address_space(IntelIOMMUState *s, PCIBus *bus, int devfn);

/* Who makes requests in @space, with the bus number of now.  Any thread. */
VtdSource *vtd_space_source(VtdAddressSpace *space);

/*
 * Choose between the direct and the translated view from the state of the
 * unit and the configuration of the source.  A passed-through device with
 * @host set sees neither: its memory accesses do not go through QEMU.  BQL
 * held.
 */
void vtd_address_space_update(VtdAddressSpace *space);

/* The configurations of all spaces have changed, or may have: by the guest, a
 * reset, or migration.  BQL held. */
void vtd_spaces_changed(IntelIOMMUState *s);

/* What @notice means for the views of the spaces and for those who cache
 * translations in QEMU.  BQL held. */
void vtd_spaces_notice(IntelIOMMUState *s, const VtdNotice *notice);

/*
 * IOMMU notifiers (intel_iommu_notify.c): the functions of the memory region
 * class, and what tells notifiers that translations are gone.  BQL held.
 */
int vtd_notify_flag_changed(IOMMUMemoryRegion *iommu, IOMMUNotifierFlag old,
                            IOMMUNotifierFlag now, Error **errp);
void vtd_notify_replay(IOMMUMemoryRegion *iommu, IOMMUNotifier *notifier);
void vtd_unmap_space(VtdAddressSpace *space);
void vtd_unmap_all_spaces(IntelIOMMUState *s);
void vtd_unmap_iotlb(IntelIOMMUState *s, const VtdNotice *notice);
void vtd_unmap_device_tlb(IntelIOMMUState *s, const VtdNotice *notice);

/* Interrupts (intel_iommu_irq.c): the windows, and the IOAPIC's space. */
void vtd_interrupts_init(IntelIOMMUState *s);

/* X86IOMMUClass.int_remap: for routes that KVM keeps.  Returns 0, or -EINVAL
 * if the interrupt is blocked now; no fault is recorded. */
int vtd_int_remap(X86IOMMUState *iommu, MSIMessage *in, MSIMessage *out,
                  uint16_t sid);

/*
 * A remapped message.  There may be no APIC to take it: KVM has none with
 * kernel-irqchip=off, for which processors have to do without.  BQL held.
 */
void vtd_send_to_apics(MSIMessage *message);

/* Interrupt entries were invalidated.  BQL held. */
void vtd_interrupts_notice(IntelIOMMUState *s, const VtdNotice *notice);

/* What the model needs of QEMU (intel_iommu_env.c). */
VtdEnv vtd_env(IntelIOMMUState *s);

/*
 * Emulated devices with ATS (intel_iommu_ats.c).  A device-TLB invalidation or
 * a page response: VTD_DELIVERY_TIMEOUT if the device does not answer.  BQL
 * held.
 */
VtdDelivery vtd_ats_notice(IntelIOMMUState *s, const VtdNotice *notice);

/* Fill in the class's part that is AtsIommuClass. */
void vtd_ats_class_init(ObjectClass *klass);

/*
 * Passed-through devices (intel_iommu_host.c, _mirror.c, _deliver.c, _query.c).
 * BQL held in all of them.
 */
void vtd_host_init(IntelIOMMUState *s);

/*
 * A host device takes the place of @space's requester.  If the unit shows
 * nested translation, after what this device cannot have was taken away, then
 * from now on @space->host is set and its configuration is mirrored to the
 * host.  False with @errp set: the device cannot be used.
 */
bool vtd_host_attach(VtdAddressSpace *space, HostIOMMUDevice *hiod,
                     Error **errp);
void vtd_host_detach(VtdAddressSpace *space);

/* What the guest's unit has is frozen: devices show what they have of it. */
void vtd_host_machine_ready(IntelIOMMUState *s);

/* Pass notices on to the host; as VtdEnv.deliver. */
VtdDelivery vtd_host_deliver(IntelIOMMUState *s, const VtdNotice *notices,
                             unsigned count, unsigned *done);

/* PASIDs for the guest, from the host; as in VtdEnv. */
bool vtd_host_pasid_alloc(IntelIOMMUState *s, uint32_t *pasid);
bool vtd_host_pasid_free(IntelIOMMUState *s, uint32_t pasid);

/* The unit was reset: every device is untranslated again. */
void vtd_host_reset(IntelIOMMUState *s);

/*
 * Users that are told of each mapping (intel_iommu_shadow.c).  BQL held.
 */

/* @space's configuration or its notifiers have changed.  @told: its users
 * know already, or will be told by a replay; they are not told here. */
void vtd_shadow_space_changed(VtdAddressSpace *space, bool told);

/* The same for all spaces with such users; they are told. */
void vtd_shadow_configurations_changed(IntelIOMMUState *s);

/* Tell one notifier all that is mapped in @space. */
void vtd_shadow_replay_to(VtdAddressSpace *space, IOMMUNotifier *notifier);

/* The guest invalidated the IOTLB: tell what has changed. */
void vtd_shadow_invalidate(IntelIOMMUState *s, const VtdNotice *notice);

/* Properties have changed: compose what the guest's unit shows once more.
 * Only while the machine is made. */
void vtd_recompose(IntelIOMMUState *s);

/* Migration (intel_iommu_migration.c). */
extern const VMStateDescription vtd_vmstate;

/* What vtd_host_init() knows of each device that is under nested translation:
 * a list for x-host-devices. */
QList *vtd_host_query(IntelIOMMUState *s);

/* Counters and answers as properties of the device (intel_iommu_stats.c). */
void vtd_stats_init(IntelIOMMUState *s);

#endif
