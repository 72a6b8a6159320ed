/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include "hw/pci/pci.h"
#include "hw/pci/pcie.h"
#include "hw/vfio/pci.h"
#include "intel_iommu_vcaps.h"
#include "qapi/error.h"

#define PASID_CAP_VERSION 1
/* The end of configuration space: the last place where a device has things
 * of its own that no capability tells of. */
#define LAST_PLACE (PCIE_CONFIG_SPACE_SIZE - PCI_EXT_CAP_PASID_SIZEOF)

/* From here on @size bytes are ours, not the device's. */
static void emulate(PCIDevice *pci, unsigned offset, unsigned size)
{
    memset(VFIO_PCI(pci)->emulated_config_bits + offset, 0xff, size);
}

/* A control register at @offset that is off and keeps what is written to
 * @writable. */
static void emulate_control(PCIDevice *pci, unsigned offset, uint16_t writable)
{
    emulate(pci, offset, 2);
    pci_set_word(pci->config + offset, 0);
    pci_set_word(pci->wmask + offset, writable);
}

static bool is_free(PCIDevice *pci, unsigned offset)
{
    for (unsigned i = 0; i < PCI_EXT_CAP_PASID_SIZEOF; i++) {
        if (pci->config[offset + i]) {
            return false;
        }
    }
    return true;
}

static bool add_pasid(PCIDevice *pci, const VtdVirtualCaps *caps,
                      Error **errp)
{
    unsigned offset = caps->pasid_offset;

    if (!offset) {
        bool alone = !pci_get_long(pci->config + PCI_CONFIG_SPACE_SIZE);

        offset = alone ? PCI_CONFIG_SPACE_SIZE : LAST_PLACE;
    }
    if (offset % 4 || offset < PCI_CONFIG_SPACE_SIZE || offset > LAST_PLACE ||
        !is_free(pci, offset)) {
        error_setg(errp,
                   "%s: there is no room for a PASID capability at 0x%x of "
                   "its configuration space; set x-pasid-cap-offset on "
                   "intel-iommu to another place, or pasid-bits=0",
                   pci->name, offset);
        return false;
    }
    pcie_add_capability(pci, PCI_EXT_CAP_ID_PASID, PASID_CAP_VERSION, offset,
                        PCI_EXT_CAP_PASID_SIZEOF);
    emulate(pci, offset, PCI_EXT_CAP_PASID_SIZEOF);
    /* Neither execute nor privileged mode: the host's driver asks for none. */
    pci_set_word(pci->config + offset + PCI_PASID_CAP, caps->pasid_bits << 8);
    emulate_control(pci, offset + PCI_PASID_CTRL, PCI_PASID_CTRL_ENABLE);
    return true;
}

static void emulate_pri(PCIDevice *pci, unsigned offset)
{
    emulate_control(pci, offset + PCI_PRI_CTRL, PCI_PRI_CTRL_ENABLE);
    emulate(pci, offset + PCI_PRI_STATUS, 2);
    pci_set_word(pci->config + offset + PCI_PRI_STATUS,
                 PCI_PRI_STATUS_STOPPED | PCI_PRI_STATUS_PASID);
    emulate(pci, offset + PCI_PRI_ALLOC_REQ, 4);
    pci_set_long(pci->config + offset + PCI_PRI_ALLOC_REQ, 0);
    pci_set_long(pci->wmask + offset + PCI_PRI_ALLOC_REQ, UINT32_MAX);
}

/* An id of zero: software goes on to the next. */
static void hide(PCIDevice *pci, unsigned offset)
{
    emulate(pci, offset, 2);
    pci_set_word(pci->config + offset, 0);
}

bool vtd_vcaps_show(PCIDevice *pci, const VtdVirtualCaps *caps, Error **errp)
{
    uint16_t ats, pri;

    if (!pci_is_express(pci)) {
        return true;
    }
    ats = pcie_find_capability(pci, PCI_EXT_CAP_ID_ATS);
    pri = pcie_find_capability(pci, PCI_EXT_CAP_ID_PRI);
    if (caps->pasid_bits && !add_pasid(pci, caps, errp)) {
        return false;
    }
    if (ats && !caps->ats) {
        hide(pci, ats);
    } else if (ats) {
        emulate_control(pci, ats + PCI_ATS_CTRL,
                        PCI_ATS_CTRL_ENABLE | PCI_ATS_CTRL_STU(0x1f));
    }
    if (pri && caps->page_requests) {
        emulate_pri(pci, pri);
    } else if (pri) {
        hide(pci, pri);
    }
    return true;
}
