# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured.  A row is one operation under one circumstance, done alike
by all variants; each measurement is a check as well."""
import dataclasses
import functools

import descriptors as d
from guest_memory import ABSENT, DATA, LAYOUTS, PAGE, PHYSICAL, SCRATCH
from variants import AGAIN, FLOOR, OURS, OURS_ONLY, REG, STOCK, data_word

READ, WRITE = REG['ACCESS_READ'], REG['ACCESS_WRITE']
TRANSLATE = REG['ACCESS_TRANSLATE']


class Wrong(Exception):
    """A measurement did not do what it was to do."""


@dataclasses.dataclass
class Target:
    """What is wanted of ours, at most; None: nothing."""
    instructions: int = None
    stock: float = None      # ratio to stock
    floor: float = None      # ratio to the floor
    ns: float = None
    more: dict = dataclasses.field(default_factory=dict)  # see Figures.more
    least: dict = dataclasses.field(default_factory=dict)  # the same


@dataclasses.dataclass
class Figures:
    """Of one measurement, per operation."""
    ns: float
    instructions: float = None
    more: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(kw_only=True)
class Row:
    """Subclasses have measure(variant, seed, counting) -> Figures; `counting`
    asks for fewer operations, as they run under callgrind."""
    name: str
    group: str
    kind: str
    target: Target = dataclasses.field(default_factory=Target)
    floor: bool = False        # makes sense without a vIOMMU
    timed: bool = True         # part of make bench
    counted: bool = True       # part of make bench-instructions
    # Not with BENCH=short:
    rare: bool = False         # a few rounds are enough
    slow: bool = False         # even fewer
    stock_counted: bool = True
    beside_stock: bool = True  # must not cost more than stock
    flat: str = None           # the row that this one may cost 1.1 times of
    unit: str = 'access'

    def variants(self):
        """(name, kind of machine)"""
        both = () if self.kind in OURS_ONLY else (STOCK, AGAIN)
        return [*([(FLOOR, 'none')] if self.floor else []),
                *((name, self.kind) for name in (*both, OURS))]


@functools.lru_cache(maxsize=4096)
def expected_sum(access, pages, count, seed, is_random):
    """What the device has to find."""
    value = data_word if access == READ else (lambda p: DATA + p * PAGE)
    if not is_random:
        rounds, rest = divmod(count, pages)
        one = [value(page) for page in range(pages)]
        return (sum(one) * rounds + sum(one[:rest])) % (1 << 64)
    total, state = 0, seed
    for _ in range(count):
        state = (state * 6364136223846793005 + 1) % (1 << 64)
        total += value((state >> 32) * pages >> 32)
    return total % (1 << 64)


def place(v, layout, mode):
    if not v.translated or mode.startswith('pass'):
        return PHYSICAL
    return LAYOUTS[layout]


def accesses(v, layout, mode, **values):
    """Run the device; an error is one here."""
    v.fill(values['PAGES'])
    base, stride, _ = place(v, layout, mode)
    if values['ACCESS'] == WRITE:
        base += 64           # beside what is read
    settings = {'SIZE': 64, 'RANDOM': 0, 'PASIDS': 0, 'FLUSH': 0, 'SEED': 1}
    settings.update(values, BASE=base, STRIDE=stride)
    v.command('ACCESS', **settings)
    errors, total = v.get('ERRORS'), v.get('SUM')
    if errors:
        raise Wrong(f'{v}: {errors} accesses were refused')
    if settings['ACCESS'] in (READ, TRANSLATE):
        wanted = expected_sum(settings['ACCESS'], settings['PAGES'],
                              settings['COUNT'], settings['SEED'],
                              settings['RANDOM'])
        if total != wanted:
            raise Wrong(f'{v}: sum {total:#x}, not {wanted:#x}')


def invalidation_of(mode, iova):
    """The narrowest one that covers a page in this mode."""
    if mode in ('first4', 'first5', 'nested'):
        return d.pasid_iotlb_pages(0, iova)
    return d.iotlb_pages(iova)


def one_access(v, iova):
    """(refused, value)"""
    v.command('ACCESS', ACCESS=READ, BASE=iova, STRIDE=PAGE, PAGES=1, COUNT=1,
              RANDOM=0, PASIDS=0, FLUSH=0, SIZE=64)
    return v.get('ERRORS'), v.get('SUM')


def check_invalidation(v, mode, invalidation):
    """A page that is moved is seen at its new place after `invalidation`, one
    that is unmapped is refused; before it, at least one of these is not."""
    v.fill(2)
    tree = v.world.tree_of(mode)
    at = tree.entry(SCRATCH)
    before = v.world.memory.read(at)
    stale = False
    try:
        for page, entry in ((0, before), (1, before + PAGE), (None, 0),
                            (0, before)):
            v.world.memory.write(at, entry)
            wanted = (1, 0) if page is None else (0, data_word(page))
            stale = one_access(v, SCRATCH) != wanted or stale
            v.submit(invalidation)
            found = one_access(v, SCRATCH)
            if found != wanted:
                raise Wrong(f'{v}, {mode}: {found} after an invalidation, '
                            f'not {wanted}')
        if not stale:
            raise Wrong(f'{v}, {mode}: nothing was cached')
        if one_access(v, ABSENT)[0] != 1:
            raise Wrong(f'{v}, {mode}: what is not mapped is not refused')
    finally:
        v.world.memory.write(at, before)
        v.submit(invalidation)
        v.forget_faults()


@dataclasses.dataclass(kw_only=True)
class AccessRow(Row):
    """Accesses of one device."""
    mode: str = ''
    pages: int = 256
    layout: str = 'dense'
    access: int = READ
    random: bool = True
    flush: bool = False        # each page is accessed once after a flush
    pasids: int = 0
    count: int = 20000
    _checked: set = dataclasses.field(default_factory=set)

    def prepare(self, v):
        v.set_mode(self.mode)
        if v.translated and not self.mode.startswith('pass') and \
                v not in self._checked:
            check_invalidation(v, self.mode,
                               invalidation_of(self.mode, SCRATCH))
            self._checked.add(v)
        if self.flush and v.translated:
            v.fill_ring([d.iotlb_global()])
        values = {'PASID': 1, 'PASIDS': self.pasids} if v.translated else {}
        accesses(v, self.layout, self.mode, ACCESS=self.access,
                 PAGES=self.pages, COUNT=self.pages, **values)
        return values

    def measure(self, v, seed, counting):
        values = self.prepare(v)
        count = self.pages * 2 if counting else self.count
        if self.flush:
            count = max(count // self.pages, 1) * self.pages
            values.update(FLUSH=self.pages if v.translated else 0, BATCH=1)
        elif counting:
            count = 2000
        accesses(v, self.layout, self.mode, ACCESS=self.access,
                 PAGES=self.pages, COUNT=count, SEED=seed,
                 RANDOM=int(self.random), **values)
        figures = Figures(v.get('NS') / count)
        if counting:
            figures.instructions = v.instructions() / count
        if v.translated:
            v.drained()
        return figures


def hit_rows():
    """Pages that have just been accessed."""
    modes = [
        ('legacy4', 'legacy', Target(700, stock=0.60, floor=2.0)),
        ('legacy3', 'legacy', Target(700, stock=0.60)),
        ('first4', 'first', Target(710, stock=0.28)),
        ('second4', 'second', Target(710, stock=0.28)),
        ('nested', 'nested', Target(710)),
        ('first5', 'wide', Target(710)),
    ]
    for mode, kind, target in modes:
        yield AccessRow(name=f'hit/{mode}', group='hits', kind=kind,
                        mode=mode, target=target, floor=True)
    for mode, kind, base in (('legacy4', 'legacy', 0.6),
                             ('first4', 'first', 0.28)):
        for size in ('2M', '1G'):
            yield AccessRow(name=f'hit/{mode}-{size}', group='hits',
                            kind=kind, mode=mode, layout=size, floor=True,
                            target=Target(740, stock=base))
    for mode, kind in (('first4', 'first'), ('second4', 'second')):
        yield AccessRow(name=f'hit/{mode}-pasid', group='hits', kind=kind,
                        mode=mode, pasids=1, floor=True, target=Target(740))
    yield AccessRow(name='hit/nested-pasid', group='hits', kind='nested',
                    mode='nested', pasids=1, floor=True, target=Target(740))
    for mode, kind in (('pass', 'legacy'), ('pass-scalable', 'first')):
        yield AccessRow(name=f'hit/{mode}', group='hits', kind=kind,
                        mode=mode, floor=True)
    yield AccessRow(name='hit/legacy4-write', group='hits', kind='legacy',
                    mode='legacy4', access=WRITE, floor=True)
    for mode, kind, target in (('legacy4', 'legacy', Target(190)),
                               ('first4', 'first', Target(200)),
                               ('nested', 'nested', Target(200))):
        yield AccessRow(name=f'translate/{mode}', group='translation alone',
                        kind=kind, mode=mode, access=TRANSLATE, target=target)


def working_set_rows():
    ratios = {('legacy4', 4096): 0.22, ('legacy4', 65536): 0.33,
              ('first4', 4096): 0.14, ('first4', 65536): 0.20}
    for mode, kind, most in (('legacy4', 'legacy', 700),
                             ('first4', 'first', 710),
                             ('nested', 'nested', 710)):
        for pages in (16, 256, 1000, 1025, 4096, 65536):
            yield AccessRow(
                name=f'set/{mode}-{pages}', group='working set', kind=kind,
                mode=mode, pages=pages, floor=True, rare=pages > 4096,
                target=Target(most, stock=ratios.get((mode, pages))))


def miss_rows():
    """Nothing is cached."""
    shapes = [('last-table', 'dense', 1000), ('sparse', 'sparse', 1000),
              ('own-table', 'own-table', 1000),
              ('cold', 'own-tables', 250)]
    cold = {'legacy4': 600, 'legacy3': 600, 'first4': 700, 'second4': 700,
            'nested': 2500, 'first5': 700}
    for mode, kind in (('legacy4', 'legacy'), ('legacy3', 'legacy'),
                       ('first4', 'first'), ('second4', 'second'),
                       ('nested', 'nested'), ('first5', 'wide')):
        for shape, layout, pages in shapes:
            wanted = 480 if shape == 'last-table' else cold[mode]
            if mode == 'nested' and shape != 'cold':
                wanted = None
            yield AccessRow(
                name=f'miss/{mode}-{shape}', group='misses, translation alone',
                kind=kind, mode=mode, layout=layout, pages=pages,
                access=TRANSLATE, random=False, flush=True, count=8000,
                target=Target(wanted))
    for mode, kind in (('legacy4', 'legacy'), ('first4', 'first')):
        yield AccessRow(
            name=f'miss/{mode}-read', group='misses, with the access',
            kind=kind, mode=mode, layout='dense', pages=1000, random=False,
            flush=True, count=8000, floor=True)


def translation_rows():
    return [*hit_rows(), *working_set_rows(), *miss_rows()]
