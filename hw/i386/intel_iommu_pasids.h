/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PASIDs that the guest got from the host, by virtual commands (VtdEnv).
 *
 * With the interface of 2020 a PASID is one of the host's machine, and the
 * guest uses the same number.  They belong to this process, whichever container
 * they were asked for at, as long as one of its containers nests.  BQL held in
 * all functions.
 */
#ifndef HW_I386_INTEL_IOMMU_PASIDS_H
#define HW_I386_INTEL_IOMMU_PASIDS_H

/* Most that a guest gets; the host's kernel has a limit of its own. */
#define VTD_PASID_QUOTA 4096

typedef struct VtdPasids VtdPasids;

VtdPasids *vtd_pasids_new(void);

/* How many there are: for a counter. */
const uint64_t *vtd_pasids_count(const VtdPasids *pasids);

/* A container that nests, for devices with PASIDs of @bits bits, is there now;
 * it is about to be closed.  When the last one goes so do all PASIDs. */
void vtd_pasids_join(VtdPasids *pasids, int container, unsigned bits);
void vtd_pasids_leave(VtdPasids *pasids, int container);

/* One that all devices can use, below @limit.  False: there is none. */
bool vtd_pasids_alloc(VtdPasids *pasids, uint32_t limit, uint32_t *pasid);

bool vtd_pasids_has(const VtdPasids *pasids, uint32_t pasid);

/* Give it back; nothing is bound to it.  False: it is none of them, or the host
 * has not taken it, and it stays. */
bool vtd_pasids_free(VtdPasids *pasids, uint32_t pasid);

/* All of them.  What the host does not take stays, and is tried again the next
 * time. */
void vtd_pasids_free_all(VtdPasids *pasids);

#endif
