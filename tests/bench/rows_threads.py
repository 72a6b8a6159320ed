# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows about accesses without the big lock: two devices at once, and one
while the guest invalidates.  Processor time and wall clock differ by what else
runs on the machine, so both are kept."""
import dataclasses

import descriptors as d
from rows import READ, Figures, Row, Target, Wrong, expected_sum, place

COUNT = 50000
SCALING = 'scaling'


@dataclasses.dataclass(kw_only=True)
class ThreadsRow(Row):
    mode: str
    pages: int = 256
    counted: bool = False

    def threads(self, v, number, seed, flood=0):
        base, stride, _ = place(v, 'dense', self.mode)
        v.fill(self.pages)
        for i in range(number):
            v.set(i, ACCESS=READ, SIZE=64, RANDOM=1, PASIDS=0, SEED=seed,
                  BASE=base, STRIDE=stride, PAGES=self.pages, COUNT=COUNT)
        v.command('THREADS', THREADS=number, FLOOD=flood)
        wanted = number * (
            expected_sum(READ, self.pages, self.pages + COUNT, seed, 1) -
            expected_sum(READ, self.pages, self.pages, seed, 1)) % (1 << 64)
        if v.get('ERRORS') or v.get('SUM') != wanted:
            raise Wrong(f'{v}: {v.get("ERRORS")} errors, sum '
                        f'{v.get("SUM"):#x}, not {wanted:#x}')

    def measure(self, v, seed, counting):
        """ns: of an access while two devices are at work, wall clock."""
        v.set_mode(self.mode)
        self.threads(v, 1, seed)
        alone, alone_cpu = v.get('WALL'), v.get('NS')
        self.threads(v, 2, seed)
        return Figures(v.get('WALL') / COUNT, more={
            SCALING: 2 * alone / v.get('WALL'),
            'scaling by processor time': 4 * alone_cpu / v.get('NS'),
            'switches': v.get('SWITCHES')})


@dataclasses.dataclass(kw_only=True)
class FloodRow(ThreadsRow):
    flood: list

    def measure(self, v, seed, counting):
        """ns: median of an access while tail writes come without end."""
        v.set_mode(self.mode)
        v.fill_ring(self.flood)
        self.threads(v, 1, seed, flood=1)
        quiet, quiet_p99 = v.get('MEDIAN'), v.get('P99')
        v.set(BATCH=1)
        self.threads(v, 1, seed, flood=2)
        figures = Figures(v.get('MEDIAN'), more={
            'without invalidations': quiet, 'its p99': quiet_p99,
            'p99': v.get('P99'),
            'longest': v.get('MAX'), 'tail writes': v.get('DONE')})
        v.drained()
        return figures


def thread_rows():
    for mode, kind in (('legacy4', 'legacy'), ('first4', 'first')):
        for pages in (256, 4096):
            yield ThreadsRow(name=f'threads/{mode}-{pages}', floor=True,
                             group='two threads', kind=kind, mode=mode,
                             pages=pages, target=Target(least={SCALING: 1.6}))
    for name, mode, kind, descriptor in (
            ('page', 'legacy4', 'legacy', d.iotlb_pages(48 << 30)),
            ('global', 'legacy4', 'legacy', d.iotlb_global()),
            ('pasid', 'first4', 'first', d.pasid_iotlb(0))):
        yield FloodRow(name=f'flood/{name}', group='flood of invalidations',
                       kind=kind, mode=mode, flood=[descriptor],
                       target=Target(more={'p99': 1000}))
