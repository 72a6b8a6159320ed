# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows about caching mode: devices whose users keep mappings of their own and
are told of each change."""
import array
import dataclasses

import descriptors as d
from guest_memory import DATA, PAGE, SHADOW, SHADOW_TABLES
from rows import Figures, Row, Target, Wrong
from variants import MANY, OURS

MAP_AND_UNMAP = 3            # IOMMUNotifierFlag
PRESENT = 3                  # second-stage: read, write
RESIDENT_FROM = 1024         # entries below are those that change


@dataclasses.dataclass(kw_only=True)
class ShadowRow(Row):
    """Before each tail write `entries` of `among` entries change, from mapped
    to not mapped or back; `descriptors` cover them."""
    descriptors: list
    entries: int = 1
    among: int = 1
    resident: int = 0
    told: int = 1             # devices
    kicks: int = 4
    unit: str = 'page'

    def prepare(self, v):
        entries = v.world.shadow_entries
        count = SHADOW_TABLES * 512
        v.world.memory.qwords[entries // 8:entries // 8 + count] = \
            array.array('Q', [
                DATA + i * PAGE | PRESENT
                if 0 <= i - RESIDENT_FROM < self.resident else 0
                for i in range(count)])
        v.set_mode('shadow')
        v.submit(d.iotlb_domain())
        for i in range(self.told):
            v.command('NOTIFY', i, NOTIFY=MAP_AND_UNMAP, BASE=SHADOW)
            if v.get('ERRORS', i) or v.get('MAPPED', i) != self.resident:
                raise Wrong(f'{v}: device {i} was told of '
                            f'{v.get("MAPPED", i)} pages at first')

    def told_of(self, v):
        """(mapped, unmapped) pages of each device."""
        return [(v.get('MAPPED', i), v.get('UNMAPPED', i))
                for i in range(self.told)]

    def check(self, v, before, after, kicks):
        changes = kicks * self.entries // 2
        for (mapped, unmapped), (mapped2, unmapped2) in zip(before, after):
            seen = mapped2 - mapped, unmapped2 - unmapped
            if seen != (changes, changes):
                # Stock unmaps everything and maps it again.
                if self.entries or v.name == OURS:
                    raise Wrong(f'{v}: told of {seen} pages, not {changes}')

    def measure(self, v, seed, counting):
        self.prepare(v)
        v.fill_ring(self.descriptors)
        kicks = max(self.kicks // 4, 2 * self.among // max(self.entries, 1)) \
            if counting else self.kicks
        before = self.told_of(v)
        v.command('SHADOW', KICKS=kicks, ENTRIES=self.entries,
                  BATCH=1 if len(self.descriptors) != self.entries
                  else self.entries, ENTRIES_ALL=self.among,
                  ENTRY=v.world.shadow_entries, VALUE=DATA | PRESENT)
        if v.get('ERRORS'):
            raise Wrong(f'{v}: the entries cannot be written')
        v.drained()
        figures = Figures(v.get('NS') / kicks / max(self.entries, 1))
        if counting:
            figures.instructions = \
                v.instructions() / kicks / max(self.entries, 1)
        self.check(v, before, self.told_of(v), kicks)
        for i in range(self.told):
            v.command('NOTIFY', i, NOTIFY=0)
        return figures


def shadow_rows():
    pages = [d.iotlb_pages(SHADOW + i * PAGE) for i in range(256)]
    shape = {'group': 'caching mode', 'kind': 'caching'}
    for resident in (0, 4096, 32768):
        shape['resident'] = resident
        yield ShadowRow(name=f'shadow/page-{resident}', descriptors=pages,
                        among=256, kicks=512, target=Target(ns=150), **shape)
        yield ShadowRow(name=f'shadow/burst-{resident}', descriptors=pages,
                        entries=256, among=256, kicks=8, **shape)
        yield ShadowRow(name=f'shadow/range-{resident}',
                        descriptors=[d.iotlb_pages(SHADOW, 9)], entries=512,
                        among=512, kicks=8, target=Target(ns=40), **shape)
        yield ShadowRow(name=f'shadow/domain-{resident}',
                        descriptors=[d.iotlb_domain()], unit='tail write',
                        target=Target(ns=100e3), **shape)
    shape['resident'] = 32768
    yield ShadowRow(name='shadow/global-32768', unit='tail write',
                    descriptors=[d.iotlb_global()], target=Target(ns=100e3),
                    **shape)
    yield ShadowRow(name='shadow/context-32768', unit='tail write', entries=0,
                    descriptors=[d.context_global()], **shape)
    shape['resident'] = 0
    for devices in (8, MANY):
        yield ShadowRow(name=f'shadow/page-0-devices-{devices}',
                        descriptors=pages, among=256, kicks=512,
                        told=devices, **shape)
