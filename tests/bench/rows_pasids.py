# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows about many PASIDs of one device."""
import dataclasses
import re

import descriptors as d
from rows import (TRANSLATE, Figures, Row, Target, Wrong, accesses,
                  expected_sum, place)
from rows_queue import SCOPES
from variants import DEVFNS, OURS, PASIDS, STOCK

MODE = 'second4'
CHANGED = 9              # the PASID whose entry changes


def resident_kib(v):
    with open(f'/proc/{v.m.process.pid}/status', encoding='utf-8') as stream:
        return int(re.search(r'VmRSS:\s+(\d+)', stream.read()).group(1))


def translate_all(v, pasids, first=1):
    """Once with each PASID; how many were refused."""
    base, stride, _ = place(v, 'dense', MODE)
    v.fill(1)
    v.command('ACCESS', ACCESS=TRANSLATE, SIZE=64, RANDOM=0, PASID=first,
              PASIDS=pasids, FLUSH=0, BASE=base, STRIDE=stride, PAGES=1,
              COUNT=pasids)
    return v.get('ERRORS')


def use_pasids(v, pasids):
    """
    The first use of each, once in the life of a QEMU.  Stock's PASIDs have
    address spaces; all of them are made in one go, which flatters it.
    """
    if hasattr(v, 'first_use'):
        return
    v.set_mode(MODE)
    v.fill(1)
    before = resident_kib(v)
    base = place(v, 'dense', MODE)[0]
    v.command('PASIDS', PASID=1, PASIDS=pasids, BASE=base)
    ns, counts = v.get('NS'), v.callgrind and v.instructions()
    if translate_all(v, pasids):
        raise Wrong(f'{v}: PASIDs are refused')
    if v.get('SUM') != expected_sum(TRANSLATE, 1, pasids, 0, 0):
        raise Wrong(f'{v}: PASIDs lead elsewhere')
    v.first_use = Figures((ns + v.get('NS')) / pasids, more={
        'KiB': (resident_kib(v) - before) / pasids})
    if v.callgrind:
        v.first_use.instructions = (counts + v.instructions()) / pasids
    check_change(v)


def check_change(v):
    """An entry that goes, and comes back, is seen."""
    at = v.world.pasid_entry(MODE, CHANGED)
    before = v.world.memory.read(at)
    told = [d.pasid_cache(CHANGED), d.pasid_iotlb(CHANGED), d.iotlb_domain()]
    try:
        v.world.memory.write(at, 0)
        v.submit(*told)
        if translate_all(v, 1, CHANGED) != 1:
            raise Wrong(f'{v}: a PASID without an entry is not refused')
    finally:
        v.world.memory.write(at, before)
        v.submit(*told)
        v.forget_faults()
    if translate_all(v, 1, CHANGED):
        raise Wrong(f'{v}: a PASID with an entry is refused')


@dataclasses.dataclass(kw_only=True)
class PasidRow(Row):
    """Descriptors while `pasids` PASIDs are in use; without any, the first
    use of one."""
    pasids: int
    descriptors: list = None
    group: str = 'PASIDs'

    def variants(self):
        names = super().variants()
        if self.pasids > 64:       # not twice: it takes seconds
            names = [(STOCK, self.kind), (OURS, self.kind)]
        return names[1:] if self.pasids > 4000 else names

    def measure(self, v, seed, counting):
        use_pasids(v, self.pasids)
        if not self.descriptors:
            return v.first_use
        v.set_mode(MODE)
        v.fill_ring(self.descriptors)
        kicks = 4 if counting else 8
        batch = max(len(self.descriptors), 16)
        v.command('QUEUE', KICKS=kicks, BATCH=batch, REFILL=0)
        v.drained()
        count = kicks * batch / len(self.descriptors)
        figures = Figures(v.get('NS') / count)
        if counting:
            figures.instructions = v.instructions() / count
        return figures


@dataclasses.dataclass(kw_only=True)
class ReuseRow(PasidRow):
    """A translation with each PASID after all entries were invalidated."""

    def measure(self, v, seed, counting):
        use_pasids(v, self.pasids)
        v.set_mode(MODE)
        v.fill_ring([d.pasid_cache_global()])
        passes = max(1, 2000 // self.pasids)
        count = passes * self.pasids
        accesses(v, 'dense', MODE, ACCESS=TRANSLATE, PASID=1,
                 PASIDS=self.pasids, PAGES=1, COUNT=count, BATCH=1,
                 FLUSH=self.pasids)
        v.drained()
        figures = Figures(v.get('NS') / count)
        if counting:
            figures.instructions = v.instructions() / count
        return figures


def pasid_rows():
    sid = DEVFNS[0]
    kinds = {name: [SCOPES[name].at(0)] for name in
             ('pasid-cache-one', 'pasid-cache-domain', 'pasid-cache-global',
              'context-global', 'context-device', 'pasid-device-tlb')}
    # As Linux tears a PASID down.
    kinds['removal'] = [d.pasid_cache(CHANGED), d.pasid_iotlb(CHANGED),
                        d.pasid_device_tlb(sid, CHANGED, 0), d.wait()]
    for pasids in PASIDS:
        shape = {'kind': f'pasids-{pasids}', 'pasids': pasids,
                 'stock_counted': pasids == 64, 'slow': pasids == 4000,
                 'rare': pasids >= 4000}
        yield PasidRow(name=f'pasid/first-use-{pasids}',
                       target=Target(ns=10e3), unit='PASID',
                       flat='pasid/first-use-64', **shape)
        yield ReuseRow(name=f'pasid/reuse-{pasids}', unit='access',
                       flat='pasid/reuse-64', **shape)
        for name, descriptors in kinds.items():
            # Stock caches no PASID entries: nothing to do is no yardstick.
            yield PasidRow(name=f'pasid/{name}-{pasids}', unit='invalidation',
                           descriptors=descriptors, flat=f'pasid/{name}-64',
                           beside_stock=not name.startswith(
                               ('pasid-cache', 'removal')), **shape)
