# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows about what goes down to the host, which tests/host plays: its calls, and
the time with a host that answers at once."""
import dataclasses

import descriptors as d
from guest_memory import PAGE
from reference_host import HWPT_INVALIDATE, IOMMUFD, entries
from rows import Figures, Row, Target, Wrong

FAR = 48 << 30
CALLS, ENTRIES = 'ioctls per 1,000', 'entries per 1,000'


@dataclasses.dataclass(kw_only=True)
class HostRow(Row):
    """One list of descriptors with each tail write."""
    descriptors: list
    group: str = 'toward the host'
    kind: str = 'host'
    unit: str = 'descriptor'

    def measure(self, v, seed, counting):
        v.set_mode('host')
        if not v.host.control.live[IOMMUFD]:
            raise Wrong(f'{v}: QEMU does not use the reference host')
        v.fill_ring(self.descriptors)
        batch = len(self.descriptors)
        kicks = max((512 if counting else 1024) // batch, 4)
        before = v.host.control.calls
        v.command('QUEUE', KICKS=kicks, BATCH=batch, REFILL=0)
        v.drained()
        calls = v.host.since(before)
        if any((call.kind, call.request) != (IOMMUFD, HWPT_INVALIDATE)
               for call in calls):
            raise Wrong(f'{v}: calls other than invalidations')
        count = kicks * batch
        figures = Figures(v.get('NS') / count, more={
            CALLS: 1000 * len(calls) / count,
            ENTRIES: 1000 * sum(entries(c) for c in calls) / count})
        if counting:
            figures.instructions = v.instructions() / count
        return figures


def host_rows():
    def pages(count, step, first=FAR):
        return [d.pasid_iotlb_pages(0, first + i * step) for i in range(count)]

    # What is behind the name, ioctls for each list, entries for each.  Pages of
    # every other place would become one range: vtd_ranges.h.
    shapes = [
        ('strict', [*pages(1, PAGE), d.wait()], 1, 1),
        ('contiguous', [*pages(255, PAGE), d.wait()], 1, 1),
        ('not-aligned', [*pages(255, PAGE, FAR + 3 * PAGE), d.wait()], 1, 2),
        ('scattered', [*pages(255, 5 * PAGE), d.wait()], 1, 255),
        ('no-wait', pages(256, 5 * PAGE), 1, 256),
        ('pasid', [d.pasid_iotlb(0), d.wait()], 1, 1),
        ('pasid-256', [d.pasid_iotlb(0)] * 255 + [d.wait()], 1, 255),
        ('not-attached', [d.pasid_iotlb_pages(0, FAR, did=77)] * 255 +
         [d.wait()], 0, 0),
    ]
    for name, descriptors, calls, structs in shapes:
        scale = 1000 / len(descriptors)
        yield HostRow(name=f'host/{name}', descriptors=descriptors,
                      target=Target(more={CALLS: calls * scale,
                                          ENTRIES: structs * scale}))
