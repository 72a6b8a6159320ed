/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PASIDs of the device that is passed through: their entries and tables, and
 * what the device's DMA with them meets.
 */
#ifndef TESTS_QTEST_REFERENCE_HOST_PASID_H
#define TESTS_QTEST_REFERENCE_HOST_PASID_H

#include "reference-host.h"

#define PASID_DID 9u
#define PASID_TABLES 0x1a0000ull /* first-stage tables for PASIDs */

/* Granularities of PASID-cache invalidations */
enum { PC_DOMAIN = 0, PC_PASID = 1, PC_GLOBAL = 3 };

void host_pasid_entry(Host *h, uint32_t pasid, unsigned pgtt, unsigned did,
                      uint64_t tables);
void host_pasid_clear(Host *h, uint32_t pasid);
void host_pasid_invalidate(Host *h, unsigned granularity, uint32_t pasid);

/* At PASID_TABLES, empty. */
GuestTables host_pasid_tables(void);

/* What the device's requests carry from now on. */
void host_use_pasid(Host *h, uint32_t pasid);
void host_use_no_pasid(Host *h);

/* At IOVA; the device goes on using @pasid. */
void host_assert_pasid_refused(Host *h, uint32_t pasid);
void host_assert_pasid_maps(Host *h, uint32_t pasid, uint64_t page);

#endif
