/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCIe capabilities PASID, ATS and PRI.  The engine uses copies of their
 * control fields, which are made when configuration space is written.
 */
#include "qemu/osdep.h"

#include "hw/pci/pci_bus.h"
#include "hw/pci/pcie.h"
#include "qapi/error.h"
#include "qemu/lockable.h"
#include "qemu/range.h"
#include "sva_endpoint.h"

#define ATS_GLOBAL_INVALIDATE 0x40
#define RESPONSES_HAVE_PASID PCI_PRI_STATUS_PASID

static bool check_properties(SvaEndpoint *s, Error **errp)
{
    bool possible = s->ats && s->pasid_bits;

    if (s->pasid_bits > 20) {
        error_setg(errp, "sva-endpoint: pasid-bits=%u is more than a PASID "
                   "has; use 1 to 20, or 0 for no PASIDs", s->pasid_bits);
        return false;
    }
    if (s->pri == ON_OFF_AUTO_ON && !possible) {
        error_setg(errp, "sva-endpoint: pri=on needs ats=on and pasid-bits "
                   "above 0");
        return false;
    }
    if (s->pri == ON_OFF_AUTO_AUTO) {
        s->pri = possible ? ON_OFF_AUTO_ON : ON_OFF_AUTO_OFF;
    }
    return true;
}

static void add_pasid(SvaEndpoint *s, uint16_t at)
{
    PCIDevice *pdev = PCI_DEVICE(s);

    pcie_add_capability(pdev, PCI_EXT_CAP_ID_PASID, 1, at,
                        PCI_EXT_CAP_PASID_SIZEOF);
    pci_set_word(pdev->config + at + PCI_PASID_CAP,
                 PCI_PASID_CAP_EXEC | PCI_PASID_CAP_PRIV |
                 s->pasid_bits << 8);
    pci_set_word(pdev->wmask + at + PCI_PASID_CTRL,
                 PCI_PASID_CTRL_ENABLE | PCI_PASID_CTRL_EXEC |
                 PCI_PASID_CTRL_PRIV);
    s->pasid_cap = at;
}

static void add_ats(SvaEndpoint *s, uint16_t at)
{
    PCIDevice *pdev = PCI_DEVICE(s);

    pcie_ats_init(pdev, at, true);
    pci_word_test_and_set_mask(pdev->config + at + PCI_ATS_CAP,
                               ATS_GLOBAL_INVALIDATE);
    pci_set_word(pdev->wmask + at + PCI_ATS_CTRL,
                 PCI_ATS_CTRL_ENABLE | 0x1f);
    s->ats_cap = at;
}

static void add_pri(SvaEndpoint *s, uint16_t at)
{
    PCIDevice *pdev = PCI_DEVICE(s);

    pcie_add_capability(pdev, PCI_EXT_CAP_ID_PRI, 1, at,
                        PCI_EXT_CAP_PRI_SIZEOF);
    pci_set_word(pdev->wmask + at + PCI_PRI_CTRL,
                 PCI_PRI_CTRL_ENABLE | PCI_PRI_CTRL_RESET);
    pci_set_word(pdev->w1cmask + at + PCI_PRI_STATUS,
                 PCI_PRI_STATUS_RF | PCI_PRI_STATUS_UPRGI);
    /* Changes by itself, so that a migration stream may have another. */
    pci_set_word(pdev->cmask + at + PCI_PRI_STATUS, 0);
    pci_set_long(pdev->config + at + PCI_PRI_MAX_REQ, SVA_EP_QUEUE_COUNT);
    pci_set_long(pdev->wmask + at + PCI_PRI_ALLOC_REQ, UINT32_MAX);
    s->pri_cap = at;
}

bool sva_ep_init_capabilities(SvaEndpoint *s, Error **errp)
{
    uint16_t at = PCI_CONFIG_SPACE_SIZE;

    if (!check_properties(s, errp)) {
        return false;
    }
    if (!pci_bus_is_express(pci_get_bus(PCI_DEVICE(s)))) {
        return true; /* nothing can reach that far */
    }
    if (s->pasid_bits) {
        add_pasid(s, at);
        at += 0x10;
    }
    if (s->ats) {
        add_ats(s, at);
        at += 0x10;
    }
    if (s->pri == ON_OFF_AUTO_ON) {
        add_pri(s, at);
    }
    sva_ep_reset_capabilities(s);
    return true;
}

void sva_ep_reset_capabilities(SvaEndpoint *s)
{
    uint8_t *config = PCI_DEVICE(s)->config;

    if (s->pasid_cap) {
        pci_set_word(config + s->pasid_cap + PCI_PASID_CTRL, 0);
    }
    if (s->ats_cap) {
        pci_set_word(config + s->ats_cap + PCI_ATS_CTRL, 0);
    }
    if (s->pri_cap) {
        pci_set_word(config + s->pri_cap + PCI_PRI_CTRL, 0);
        pci_set_long(config + s->pri_cap + PCI_PRI_ALLOC_REQ, 0);
    }
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        s->pri_status = 0;
    }
    sva_ep_capabilities_changed(s);
}

/* Lock held. */
static void pri_changed(SvaEndpoint *s, uint8_t *cap)
{
    bool had = s->pri_ctrl & PCI_PRI_CTRL_ENABLE;

    s->pri_ctrl = pci_get_word(cap + PCI_PRI_CTRL);
    s->pri_allocation =
        MIN(pci_get_long(cap + PCI_PRI_ALLOC_REQ), SVA_EP_QUEUE_COUNT);
    if (s->pri_ctrl & PCI_PRI_CTRL_RESET) {
        s->pri_ctrl &= ~PCI_PRI_CTRL_RESET;
        pci_set_word(cap + PCI_PRI_CTRL, s->pri_ctrl);
        if (!(s->pri_ctrl & PCI_PRI_CTRL_ENABLE)) {
            sva_ep_pages_forget(s);
        }
    }
    /* Those that wait for room to ask shall not wait for ever. */
    if (had && !(s->pri_ctrl & PCI_PRI_CTRL_ENABLE)) {
        for (unsigned i = 0; i < SVA_EP_QUEUE_COUNT; i++) {
            if (s->queues[i].page.wants_room) {
                s->queues[i].page.wants_room = false;
                sva_ep_queue_wake(s, &s->queues[i]);
            }
        }
    }
}

void sva_ep_capabilities_changed(SvaEndpoint *s)
{
    uint8_t *config = PCI_DEVICE(s)->config;
    uint16_t pasid = 0, ats = 0;
    bool keep;

    QEMU_LOCK_GUARD(&s->lock);
    if (s->pasid_cap) {
        pasid = pci_get_word(config + s->pasid_cap + PCI_PASID_CTRL);
    }
    if (s->ats_cap) {
        ats = pci_get_word(config + s->ats_cap + PCI_ATS_CTRL);
    }
    /* PCIe lets software change these only while it wants no translation to
     * be kept. */
    keep = pasid == s->pasid_ctrl && ats == s->ats_ctrl;
    s->pasid_ctrl = pasid;
    s->ats_ctrl = ats;
    if (!keep) {
        sva_ep_cache_clear(s);
    }
    if (s->pri_cap) {
        pri_changed(s, config + s->pri_cap);
    }
}

/* The status is kept by the engine; bring the register up to date. */
static uint16_t update_status(SvaEndpoint *s)
{
    uint8_t *config = PCI_DEVICE(s)->config;
    uint16_t status;

    if (!s->pri_cap) {
        return 0;
    }
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        bool stopped = !(s->pri_ctrl & PCI_PRI_CTRL_ENABLE) &&
                       !sva_ep_pages_outstanding(s);

        status = s->pri_status | RESPONSES_HAVE_PASID |
                 (stopped ? PCI_PRI_STATUS_STOPPED : 0);
    }
    pci_set_word(config + s->pri_cap + PCI_PRI_STATUS, status);
    return status;
}

uint32_t sva_ep_config_read(PCIDevice *pdev, uint32_t addr, int len)
{
    update_status(SVA_ENDPOINT(pdev));
    return pci_default_read_config(pdev, addr, len);
}

void sva_ep_config_write(PCIDevice *pdev, uint32_t addr, uint32_t value,
                         int len)
{
    SvaEndpoint *s = SVA_ENDPOINT(pdev);
    uint16_t before = update_status(s);

    /* A reset drops the big lock, and another processor may unplug us. */
    object_ref(OBJECT(pdev));
    pci_default_write_config(pdev, addr, value, len);
    if (s->pri_cap) {
        uint16_t cleared =
            before & ~pci_get_word(pdev->config + s->pri_cap + PCI_PRI_STATUS);

        QEMU_LOCK_GUARD(&s->lock);
        s->pri_status &= ~cleared;
    }
    if (addr >= PCI_CONFIG_SPACE_SIZE) {
        sva_ep_capabilities_changed(s);
    }
    pcie_cap_flr_write_config(pdev, addr, value, len);
    object_unref(OBJECT(pdev));
}
