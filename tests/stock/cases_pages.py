# SPDX-License-Identifier: GPL-2.0-or-later
"""Paging structures of every kind, invalidation."""
from cases import LEGACY, NARROW, SECOND, FIRST, each
from guest import DID, PAGE, READ, TABLES, TE, WRITE


def both(g, note, label, iova, pa, drop=True):
    """A read and a write, each with cold caches."""
    for kind in (READ, WRITE):
        if drop:
            g.drop_caches()
        note(f'{label}: {kind}', g.access(kind, iova, pa))


class Tables:
    """A way down to one leaf, at known places."""

    def __init__(self, g, iova, pa, levels, leaf, bits):
        self.g, self.iova = g, iova
        self.places, self.values = {}, {}
        table = TABLES
        for level in range(levels, leaf - 1, -1):
            self.places[level] = (
                table + (iova >> (12 + 9 * (level - 1)) & 0x1ff) * 8)
            table += 0x1000
            self.values[level] = table | bits
        large = 1 << 7 if leaf > 1 else 0
        self.values[leaf] = pa | bits | large
        for level in self.places:
            self.put(level, self.values[level])

    def put(self, level, value):
        self.g.m.write64(self.places[level], value & (1 << 64) - 1)

    def restore(self, level):
        self.put(level, self.values[level])


STAGES = {
    # pgtt (0: legacy), levels
    'legacy': (LEGACY, 0, 4), 'legacy-39': (NARROW, 0, 3),
    'legacy-3-of-4': (LEGACY, 0, 3), 'second': (SECOND, 2, 4),
    'second-3-of-4': (SECOND, 2, 3), 'first': (FIRST, 1, 4),
    'scalable-unit-legacy': (SECOND, 0, 4),
    'legacy-snoop': (LEGACY + ',snoop-control=on', 0, 4),
    'legacy-tm': (LEGACY + ',device-iotlb=on,stale-tm=on', 0, 4),
    'legacy-ats': (LEGACY + ',device-iotlb=on', 0, 4),
    'first-no-1g': (FIRST + ',fs1gp=off', 1, 4),
}


def stage_on(g, pgtt, levels):
    g.scalable = pgtt != 0
    g.wide = g.scalable
    if g.scalable:
        g.scalable_context(pgtt, levels)
    else:
        g.legacy_context(levels=levels)
    g.queue_on()
    g.translation_on()
    g.fault()
    # Within every width and the lower canonical half.
    iova = 0x35 << 39 | 0x46 << 30 | 0x57 << 21 | 0x68 << 12
    return iova & (1 << 12 + 9 * levels) - 1


@each('pages', **STAGES)
def pages(g, note, pgtt, levels):
    """Each size of page; each bit of each entry on the way, changed."""
    iova = stage_on(g, pgtt, levels)
    bits = 0x27 if pgtt == 1 else 3
    for leaf in (1, 2, 3):
        within = iova & (1 << 12 + 9 * (leaf - 1)) - 1
        within &= 0x3ffff000 if leaf < 3 else 0
        base = 0 if leaf > 1 else PAGE
        g.m.clear(TABLES, 0x8000)
        start = iova & ~((1 << 12 + 9 * (leaf - 1)) - 1)
        at = start + (0x234 if leaf == 1 else PAGE + 0x234 if leaf == 3 else
                      0x1234)
        if leaf == 2:
            base = PAGE
        target = base + (at - start)
        t = Tables(g, at, base, levels, leaf, bits)
        size = {1: '4K', 2: '2M', 3: '1G'}[leaf]
        both(g, note, f'{size}: as it is', at, target)
        for level in t.places:
            what = f'{size}: level {level}'
            t.put(level, 0)
            both(g, note, f'{what} empty', at, target)
            t.put(level, t.values[level] & ~1)
            both(g, note, f'{what} without bit 0', at, target)
            t.put(level, t.values[level] & ~2)
            both(g, note, f'{what} without bit 1', at, target)
            for bit in range(64):
                t.put(level, t.values[level] ^ 1 << bit)
                both(g, note, f'{what} bit {bit}', at, target)
            t.restore(level)
        both(g, note, f'{size}: at the end', at, target)


@each('addresses', **STAGES)
def addresses(g, note, pgtt, levels):
    """Addresses at and beyond the edges; results in the interrupt range."""
    stage_on(g, pgtt, levels)
    bits = 0x27 if pgtt == 1 else 3
    top = 12 + 9 * levels
    for iova in (0, 0x1000, (1 << top - 1) - 0x1000, 1 << top - 1,
                 (1 << top) - 0x1000, 1 << top, 1 << 47, 1 << 48, 1 << 57,
                 1 << 63, (1 << 64) - (1 << 47), (1 << 64) - (1 << 48),
                 (1 << 64) - 0x1000, 0xfedff000, 0xfef00000):
        g.m.clear(TABLES, 0x8000)
        Tables(g, iova, PAGE, levels, 1, bits)
        both(g, note, f'{iova:#x}', iova, PAGE)
    iova = 0x12345000
    for pa in (0xfedff000, 0xfee00000, 0xfeeff000, 0xfef00000, 1 << 30,
               1 << 38, 1 << 46):
        g.m.clear(TABLES, 0x8000)
        Tables(g, iova, pa, levels, 1, bits)
        for kind in (READ, WRITE):
            g.drop_caches()
            if kind == WRITE:
                error = g.dma_write(iova, 0)
            else:
                error = g.dma_read(iova)[0]
            note(f'result {pa:#x}: {kind}',
                 f'error {error}{g.fault()}')


@each('accessed', first=(FIRST, ))
def accessed(g, note):
    """Accessed and dirty bits."""
    iova = stage_on(g, 1, 4)
    for leaf in (1, 2, 3):
        for bits in (7, 0x27, 0x47, 0x67, 5, 3):
            for kind in (READ, WRITE):
                g.m.clear(TABLES, 0x8000)
                t = Tables(g, iova & ~((1 << 12 + 9 * (leaf - 1)) - 1), 0, 4,
                           leaf, bits)
                g.drop_caches()
                g.access(kind, t.iova + 0x800, 0x800)
                for level, place in t.places.items():
                    value = g.m.read64(place)
                    note(f'leaf {leaf} bits {bits:#x} {kind} level {level}',
                         value & 0xfff)


@each('invalidation', **STAGES)
def invalidation(g, note, pgtt, levels):
    """What an invalidation that covers it must drop is gone."""
    iova = stage_on(g, pgtt, levels)
    bits = 0x27 if pgtt == 1 else 3
    t = Tables(g, iova, PAGE, levels, 1, bits)
    ways = {
        'global': [(1 << 4 | 2, )], 'domain': [(DID << 16 | 2 << 4 | 2, )],
        'page': [(DID << 16 | 3 << 4 | 2, iova)],
        'pages': [(DID << 16 | 3 << 4 | 2, iova & ~0x1fffff | 9)],
        'hint': [(DID << 16 | 3 << 4 | 2, iova | 1 << 6)],
    }
    if pgtt == 1:
        ways['page'] = [(DID << 16 | 3 << 4 | 6, iova)]
        ways['pages'] = [(DID << 16 | 3 << 4 | 6, iova & ~0x1fffff | 9)]
        ways['hint'] = [(DID << 16 | 3 << 4 | 6, iova | 1 << 6)]
        ways['pasid'] = [(DID << 16 | 2 << 4 | 6, )]
    for n, (name, way) in enumerate(ways.items()):
        new = PAGE + 0x1000 * (n + 1)
        g.access(READ, iova, PAGE)
        t.put(1, new | bits)
        for words in way:
            g.submit(*words)
        g.wait()
        note(f'{name}: read', g.access(READ, iova, new))
        note(f'{name}: write', g.access(WRITE, iova, new))
    t.put(1, PAGE | bits)
    g.drop_caches()
    both(g, note, 'two pages: first', iova, PAGE)
    g.command_off(TE)
    note('off', g.access(WRITE, PAGE, PAGE))
    t.put(1, PAGE + 0x5000 | bits)
    g.command(TE)
    note('on again', g.access(WRITE, iova, PAGE + 0x5000))
