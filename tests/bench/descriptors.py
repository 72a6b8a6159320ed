# SPDX-License-Identifier: GPL-2.0-or-later
"""Invalidation descriptors, as (low, high) quadwords."""
from guest_memory import DID, STATUS

READS_AND_WRITES = 3 << 6        # drain


def context_global():
    return (1 << 4 | 1, 0)


def context_domain(did=DID):
    return (2 << 4 | 1 | did << 16, 0)


def context_device(sid, did=DID):
    return (3 << 4 | 1 | did << 16 | sid << 32, 0)


def iotlb_global():
    return (1 << 4 | 2 | READS_AND_WRITES, 0)


def iotlb_domain(did=DID):
    return (2 << 4 | 2 | READS_AND_WRITES | did << 16, 0)


def iotlb_pages(iova, order=0, did=DID):
    return (3 << 4 | 2 | READS_AND_WRITES | did << 16, iova | order)


def device_tlb(sid, iova):
    return (3 | sid << 32, iova)


def interrupt_entries():
    return (4, 0)


def wait(data=1):
    """With a status write."""
    return (5 | 1 << 5 | data << 32, STATUS)


def pasid_iotlb(pasid, did=DID):
    return (2 << 4 | 6 | did << 16 | pasid << 32, 0)


def pasid_iotlb_pages(pasid, iova, order=0, did=DID):
    return (3 << 4 | 6 | did << 16 | pasid << 32, iova | order)


def pasid_cache_domain(did=DID):
    return (7 | did << 16, 0)


def pasid_cache(pasid, did=DID):
    return (1 << 4 | 7 | did << 16 | pasid << 32, 0)


def pasid_cache_global():
    return (3 << 4 | 7, 0)


def pasid_device_tlb(sid, pasid, iova):
    return (8 | sid << 16 | pasid << 32, iova)
