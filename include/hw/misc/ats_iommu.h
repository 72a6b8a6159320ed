/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a PCIe device with PASIDs, ATS and PRI asks of an IOMMU beyond plain
 * DMA, as a QOM interface: an IOMMU implements it, devices find it by type.
 * QEMU 10.0 has nothing of the kind.
 *
 * A device without such an IOMMU has its plain DMA only.
 */
#ifndef HW_MISC_ATS_IOMMU_H
#define HW_MISC_ATS_IOMMU_H

#include "hw/pci/pci_device.h"
#include "qom/object.h"

#define TYPE_ATS_IOMMU "ats-iommu"
typedef struct AtsIommu AtsIommu;
typedef struct AtsIommuClass AtsIommuClass;
DECLARE_CLASS_CHECKERS(AtsIommuClass, ATS_IOMMU, TYPE_ATS_IOMMU)
#define ATS_IOMMU(obj) INTERFACE_CHECK(AtsIommu, (obj), TYPE_ATS_IOMMU)

/* A device as the IOMMU knows it. */
typedef struct AtsDevice AtsDevice;

enum {
    ATS_READ = 1,
    ATS_WRITE = 2,
    ATS_EXECUTE = 4,
};

/* Who asks, and for what. */
typedef struct AtsRequest {
    bool has_pasid;
    bool privileged; /* with PASID only */
    uint8_t want;    /* ATS_*; a translation request without ATS_WRITE has the
                      * "no write" flag */
    uint32_t pasid;
} AtsRequest;

/* A page: @size is a power of two, both addresses are multiples of it. */
typedef struct AtsTranslation {
    uint64_t iova;
    uint64_t addr;
    uint64_t size;
    uint8_t granted; /* ATS_* */
} AtsTranslation;

typedef struct AtsPageRequest {
    AtsRequest request;
    uint64_t addr;
    uint16_t group; /* 9 bits */
    bool last;
} AtsPageRequest;

typedef enum AtsPageResult {
    ATS_PAGE_PENDING,  /* the listener gets the response */
    ATS_PAGE_DROPPED,  /* not the last of its group, which gets one */
    ATS_PAGE_ANSWERED, /* *code is the response */
} AtsPageResult;

/* Response codes of PCIe */
enum {
    ATS_RESPONSE_SUCCESS = 0,
    ATS_RESPONSE_INVALID = 1,
    ATS_RESPONSE_FAILURE = 15,
};

/* What the IOMMU tells a device.  Called with the BQL held. */
typedef struct AtsListener AtsListener;
struct AtsListener {
    /*
     * Forget translations of [@addr, @addr + @size - 1] (@size 0: of all
     * addresses) for the PASID, or, with @all_pasids, for all PASIDs; without
     * @has_pasid those of requests without one.  When it returns no access
     * uses them any more.  False: the device does not answer.
     */
    bool (*invalidate)(AtsListener *listener, bool has_pasid,
                       bool all_pasids, uint32_t pasid, uint64_t addr,
                       uint64_t size);
    /* The answer to a group of page requests. */
    void (*page_response)(AtsListener *listener, bool has_pasid,
                          uint32_t pasid, uint16_t group, unsigned code);
};

struct AtsIommuClass {
    InterfaceClass parent_class;

    /* @dev takes part from now on; NULL: not one of this IOMMU's devices.
     * BQL held, in detach as well. */
    AtsDevice *(*attach)(AtsIommu *iommu, PCIDevice *dev,
                         AtsListener *listener);
    void (*detach)(AtsDevice *dev);

    /*
     * Translate an untranslated request for @iova.  False: it is blocked, and
     * that is recorded.  The result holds as long as the caller stays in the
     * RCU read section it is in.  Any thread.
     */
    bool (*translate)(AtsDevice *dev, const AtsRequest *request,
                      uint64_t iova, AtsTranslation *out);

    /*
     * Answer a translation request.  False: "unsupported request".  True with
     * nothing granted: the page is not there.  Otherwise the device may use
     * the result until the listener hears of it.  Any thread.
     */
    bool (*request_translation)(AtsDevice *dev, const AtsRequest *request,
                                uint64_t iova, AtsTranslation *out);

    /* Whether a request with the translated address @addr may pass.  Any
     * thread. */
    bool (*may_pass)(AtsDevice *dev, const AtsRequest *request,
                     uint64_t addr);

    /* Hand a page request to software.  Any thread. */
    AtsPageResult (*request_page)(AtsDevice *dev,
                                  const AtsPageRequest *request,
                                  unsigned *code);
};

#endif
