# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows about the invalidation queue."""
import dataclasses

import descriptors as d
from guest_memory import LAYOUTS, PAGE, SCRATCH, STATUS
from rows import (READ, Figures, Row, Target, Wrong, accesses,
                  check_invalidation)
from variants import DEVFNS, MANY

FAR = 48 << 30           # pages of which none is cached
CACHED = LAYOUTS['dense'][0]
UNMAP = 1                # IOMMU_NOTIFIER_UNMAP


@dataclasses.dataclass(frozen=True)
class Scope:
    """`at(iova)` is a descriptor; `checked`: it covers the translations of
    that page."""
    at: object
    checked: bool = True
    step: int = PAGE         # from one descriptor to the next


SCOPES = {
    'page': Scope(d.iotlb_pages),
    'domain': Scope(lambda iova: d.iotlb_domain()),
    'other-domain': Scope(lambda iova: d.iotlb_domain(9), checked=False),
    'global': Scope(lambda iova: d.iotlb_global()),
    'pasid-page': Scope(lambda iova: d.pasid_iotlb_pages(0, iova)),
    'pasid': Scope(lambda iova: d.pasid_iotlb(0)),
    'context-global': Scope(lambda iova: d.context_global(), checked=False),
    'context-device': Scope(lambda iova: d.context_device(DEVFNS[0]),
                            checked=False),
    'pasid-cache-one': Scope(lambda iova: d.pasid_cache(9), checked=False),
    'pasid-cache-domain': Scope(lambda iova: d.pasid_cache_domain(),
                                checked=False),
    'pasid-cache-global': Scope(lambda iova: d.pasid_cache_global(),
                                checked=False),
    'device-tlb': Scope(lambda iova: d.device_tlb(DEVFNS[0], iova),
                        checked=False),
    'pasid-device-tlb': Scope(
        lambda iova: d.pasid_device_tlb(DEVFNS[0], 9, iova), checked=False),
    'wait': Scope(lambda iova: d.wait(), checked=False),
}
for _order in (4, 8, 9, 18):
    SCOPES[f'range-{_order}'] = Scope(
        lambda iova, order=_order: d.iotlb_pages(iova, order),
        step=PAGE << _order)
    SCOPES[f'pasid-range-{_order}'] = Scope(
        lambda iova, order=_order: d.pasid_iotlb_pages(0, iova, order),
        step=PAGE << _order)


@dataclasses.dataclass(kw_only=True)
class QueueRow(Row):
    """Descriptors, `batch` of them with each tail write."""
    mode: str
    scope: str
    batch: int = 256
    cached: int = 0            # translations in the cache
    hitting: bool = False      # the descriptors are for these
    refill: bool = False       # they are cached again before each tail write
    wait: bool = False         # the last of a batch is a wait descriptor
    notified: int = 0          # devices with a cache of their own
    unit: str = 'descriptor'
    _checked: set = dataclasses.field(default_factory=set)

    def pattern(self):
        """A ring full of descriptors, or what repeats itself in it."""
        scope = SCOPES[self.scope]
        count = 2048 if scope.step == PAGE else 8
        count = max(count, self.batch)
        base = CACHED if self.hitting else FAR
        pages = max(self.cached if self.hitting else count, 1)
        ring = [scope.at(base + i % pages * scope.step) for i in range(count)]
        if self.wait:
            for i in range(self.batch - 1, count, self.batch):
                ring[i] = d.wait()
        return ring

    def check_scope(self, v):
        scope = SCOPES[self.scope]
        if scope.checked and v not in self._checked:
            check_invalidation(v, self.mode,
                               scope.at(SCRATCH & -scope.step))
            self._checked.add(v)

    def watch(self, v, flags):
        for i in range(self.notified):
            v.command('NOTIFY', i, NOTIFY=flags, BASE=CACHED)
            if v.get('ERRORS', i):
                raise Wrong(f'{v}: no notifications')

    def kicks(self, counting):
        if self.refill:
            return 2 if counting else max(3, 40000 // self.cached)
        if counting:
            return max(200 // self.batch, 4)
        return max(1000 // self.batch, 8)

    def measure(self, v, seed, counting):
        v.set_mode(self.mode)
        self.check_scope(v)
        self.watch(v, UNMAP)
        v.submit(d.iotlb_global())
        pages = max(self.cached, 1)
        accesses(v, 'dense', self.mode, ACCESS=READ, PAGES=pages, COUNT=pages)
        v.fill_ring(self.pattern())
        kicks = self.kicks(counting)
        v.world.memory.write(STATUS, 0)
        v.command('QUEUE', KICKS=kicks, BATCH=self.batch,
                  REFILL=self.cached if self.refill else 0)
        if v.get('ERRORS'):
            raise Wrong(f'{v}: accesses were refused')
        v.drained()
        waits = self.wait or self.scope == 'wait'
        if v.world.memory.read(STATUS) != int(waits):
            raise Wrong(f'{v}: status {v.world.memory.read(STATUS):#x}')
        per_kick = v.get('MEDIAN') if self.refill else v.get('NS') / kicks
        figures = Figures(per_kick / self.batch)
        if counting:
            figures.instructions = v.instructions() / kicks / self.batch
        for i in range(self.notified):
            if not v.get('EVENTS', i):
                raise Wrong(f'{v}: device {i} was told nothing')
        self.watch(v, 0)
        return figures


def occupancy_rows():
    """Each scope, however much is cached."""
    for mode, kind, scopes in (
            ('legacy4', 'legacy', ('page', 'domain', 'other-domain',
                                   'global')),
            ('first4', 'first', ('pasid-page', 'pasid'))):
        for scope in scopes:
            for cached in (0, 256, 1000):
                wide = scope in ('domain', 'global', 'pasid')
                yield QueueRow(
                    name=f'queue/{scope}-{cached}', group='invalidation',
                    kind=kind, mode=mode, scope=scope, cached=cached,
                    refill=wide and cached > 0, target=Target(400))
            yield QueueRow(
                name=f'kick/{scope}-1000', group='one descriptor', kind=kind,
                mode=mode, scope=scope, cached=1000, batch=1, refill=wide,
                unit='tail write',
                target=Target(1100, ns=300 if scope == 'global' else None))
            yield QueueRow(
                name=f'kick/{scope}-0', group='one descriptor', kind=kind,
                mode=mode, scope=scope, batch=1, unit='tail write',
                target=Target(1100))
    for scope, mode, kind in (('page', 'legacy4', 'legacy'),
                              ('pasid-page', 'first4', 'first')):
        yield QueueRow(
            name=f'queue/{scope}-hit', group='invalidation', kind=kind,
            mode=mode, scope=scope, cached=1000, hitting=True, refill=True,
            target=Target(400))
        yield QueueRow(
            name=f'queue/{scope}-65536', group='invalidation', kind=kind,
            mode=mode, scope=scope, cached=65536, rare=True,
            target=Target(400))
    yield QueueRow(
        name='kick/global-65536', group='one descriptor', kind='legacy',
        mode='legacy4', scope='global', cached=65536, batch=1, refill=True,
        rare=True, unit='tail write', target=Target(1100))


def batch_rows():
    for batch in (1, 2, 16, 64, 256):
        yield QueueRow(
            name=f'batch/page-{batch}', group='descriptors per tail write',
            kind='legacy', mode='legacy4', scope='page', batch=batch)
    for batch in (2, 256):
        yield QueueRow(
            name=f'batch/page-wait-{batch}', batch=batch, wait=True,
            group='descriptors per tail write', kind='legacy',
            mode='legacy4', scope='page')
        yield QueueRow(
            name=f'batch/pasid-page-wait-{batch}', batch=batch, wait=True,
            group='descriptors per tail write', kind='first', mode='first4',
            scope='pasid-page')
    yield QueueRow(name='batch/wait', group='descriptors per tail write',
                   kind='legacy', mode='legacy4', scope='wait')


def range_rows():
    for order in (4, 8, 9, 18):
        for prefix, mode, kind in (('', 'legacy4', 'legacy'),
                                   ('pasid-', 'first4', 'first')):
            for cached in (0, 1000):
                yield QueueRow(
                    name=f'range/{prefix}{order}-{cached}', group='ranges',
                    kind=kind, mode=mode, scope=f'{prefix}range-{order}',
                    cached=cached, target=Target(600))


def device_rows():
    """Devices that keep translations are told of each invalidation."""
    for scope in ('page', 'domain', 'global'):
        for devices in (1, 8, MANY):
            yield QueueRow(
                name=f'devices/{scope}-{devices}', group='devices',
                kind='legacy-many', mode='legacy4', scope=scope,
                notified=devices)
    for scope in ('context-global', 'context-device'):
        for devices in (0, MANY):
            yield QueueRow(
                name=f'devices/{scope}-{devices}', group='devices',
                kind='legacy-many' if devices else 'legacy', mode='legacy4',
                scope=scope, notified=devices)


def queue_rows():
    return [*occupancy_rows(), *batch_rows(), *range_rows(), *device_rows()]
