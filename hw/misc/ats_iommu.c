/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "hw/misc/ats_iommu.h"

static const TypeInfo ats_iommu_info = {
    .name = TYPE_ATS_IOMMU,
    .parent = TYPE_INTERFACE,
    .class_size = sizeof(AtsIommuClass),
};

static void register_types(void)
{
    type_register_static(&ats_iommu_info);
}

type_init(register_types)
