/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Containers that nest.
 *
 * VFIO makes a type1 container before a device behind the unit is known to the
 * unit, and of type v2.  Nested translation as of 2020 needs another type, which
 * is a container's for life.  So the container of such a device is made anew, as
 * soon as VFIO has it and nothing uses it.
 */
#ifndef HW_I386_INTEL_IOMMU_CONTAINER_H
#define HW_I386_INTEL_IOMMU_CONTAINER_H

#include "hw/i386/intel_iommu.h"
#include "hw/vfio/vfio-common.h"

/* From now on, for devices behind intel-iommu with nested=on. */
void vtd_containers_init(void);

/* The descriptor of the container of a device that has no iommufd. */
int vtd_container_of(const VFIODevice *vfio);

#endif
