# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of guest memory that all QEMUs of a run share: tables and queue.

It is one file in memory that this program has mapped, so that tables of any
size are written in no time, and all variants read the same ones.  What devices
read is memory of each QEMU's own, in huge pages as a guest's usually is.
"""
import array
import mmap
import os

PAGE = 4096
SHARED = 1 << 28                          # from address 0 on
RING, RING_BYTES = 0x100000, 0x10000      # the invalidation queue
STATUS = 0x120000                         # of wait descriptors
POOL = 0x1000000                          # tables
DATA, DATA_PAGES = SHARED, 65536          # what devices read, behind it
ALL = SHARED + DATA_PAGES * PAGE

DID = 5
MAX_PASID = 65536


class Memory:
    """qwords of guest memory by address; pages of the pool."""

    def __init__(self):
        self.fd = os.memfd_create('guest-memory')
        os.ftruncate(self.fd, SHARED)
        self.map = mmap.mmap(self.fd, SHARED)
        self.qwords = memoryview(self.map).cast('Q')
        self.free = POOL

    def path(self):
        return f'/proc/{os.getpid()}/fd/{self.fd}'

    def close(self):
        self.qwords.release()
        self.map.close()
        os.close(self.fd)

    def pages(self, count=1):
        """Fresh pages, all zeros."""
        at = self.free
        self.free += count * PAGE
        if self.free > SHARED:
            raise MemoryError('the tables do not fit in the pool')
        return at

    def write(self, addr, *values):
        self.qwords[addr // 8:addr // 8 + len(values)] = \
            array.array('Q', values)

    def read(self, addr):
        return self.qwords[addr // 8]


class Format:
    """Bits of entries: of a pointer to a table, of a page; a large page has
    `large` in addition."""

    def __init__(self, table, leaf):
        self.table, self.leaf, self.large = table, leaf, 1 << 7


# Accessed and dirty are set, as they are after the first access.
FIRST = Format(table=0x27, leaf=0x67)
SECOND = Format(table=0x3, leaf=0x3)


class Tree:
    """Page tables of four levels; `top(3)` and `top(5)` are those of three
    and five levels for the same addresses below 512 GiB."""

    def __init__(self, memory, form):
        self.memory, self.form = memory, form
        self.root = memory.pages()
        self.tables = {}

    def top(self, levels):
        if levels == 5:
            page = self.memory.pages()
            self.memory.write(page, self.root | self.form.table)
            return page
        return self.table(0, 3) if levels == 3 else self.root

    def table(self, iova, level):
        """The table of that level (1: of 4 KiB pages) for an address."""
        if level == 4:
            return self.root
        key = (level, iova >> (12 + 9 * level))
        if key not in self.tables:
            self.link(iova, level, self.memory.pages())
        return self.tables[key]

    def link(self, iova, level, page):
        at = self.entry(iova, level + 1)
        self.memory.write(at, page | self.form.table)
        self.tables[level, iova >> (12 + 9 * level)] = page

    def entry(self, iova, level=1):
        """Where the entry of that level for an address lies."""
        index = iova >> (12 + 9 * (level - 1)) & 511
        return self.table(iova, level) + index * 8

    def map(self, iova, pa, level=1):
        large = self.form.large if level > 1 else 0
        self.memory.write(self.entry(iova, level),
                          pa | self.form.leaf | large)

    def map_pages(self, iova, pa, count, stride=PAGE):
        """Pages at `iova`, `iova` + `stride` and so on to `pa` and what
        follows it."""
        for i in range(count):
            self.map(iova + i * stride, pa + i * PAGE)

    def reserve(self, iova, tables):
        """Tables of 4 KiB pages that follow each other; where they are."""
        at = self.memory.pages(tables)
        for i in range(tables):
            self.link(iova + (i << 21), 1, at + i * PAGE)
        return at


# Addresses of devices: where page 0 is, how far apart pages are, how many
# there are.
LAYOUTS = {
    'dense': (4 << 30, PAGE, DATA_PAGES),
    'sparse': (8 << 30, 17 * PAGE, 4096),
    'own-table': (16 << 30, (2 << 20) + PAGE, 4096),
    'own-tables': (64 << 30, (1 << 30) + (2 << 20) + PAGE, 256),
    '2M': (32 << 30, PAGE, DATA_PAGES),
    '1G': ((40 << 30) + DATA, PAGE, DATA_PAGES),
}
PHYSICAL = (DATA, PAGE, DATA_PAGES)
SCRATCH = 44 << 30              # for checks
ABSENT = 45 << 30               # never mapped
SHADOW, SHADOW_TABLES = 46 << 30, 66


def device_tree(memory, form):
    """The pages of all LAYOUTS."""
    tree = Tree(memory, form)
    for name in ('dense', 'sparse', 'own-table', 'own-tables'):
        iova, stride, count = LAYOUTS[name]
        tree.map_pages(iova, DATA, count, stride)
    for i in range(DATA_PAGES >> 9):
        tree.map(LAYOUTS['2M'][0] + (i << 21), DATA + (i << 21), 2)
    tree.map(LAYOUTS['1G'][0] - DATA, 0, 3)
    tree.map(SCRATCH, DATA)
    return tree


class World:
    """All tables: `roots` are the values of RTADDR by mode."""

    LEGACY, SCALABLE = 0, 1 << 10

    def __init__(self, devfns):
        self.memory = Memory()
        self.devfns = devfns
        self.roots = {}
        self.pasid_tables = {}
        second = device_tree(self.memory, SECOND)
        first = device_tree(self.memory, FIRST)
        self.trees = {'second': second, 'first': first}
        self.legacy('legacy4', second.root, 4)
        self.legacy('legacy3', second.top(3), 3)
        self.legacy('pass', 0, 4, tt=2)
        below = Tree(self.memory, SECOND)      # all of guest memory
        below.map_pages(0, 0, ALL // PAGE)
        self.scalable('first4', pgtt=1, first=first.root)
        self.scalable('first5', pgtt=1, first=first.top(5), levels=5)
        self.scalable('second4', pgtt=2, second=second.root)
        self.scalable('nested', pgtt=3, first=first.root, second=below.root)
        self.scalable('pass-scalable', pgtt=4)
        self.scalable('host', pgtt=1, first=first.root, pasids=1)
        shadow = Tree(self.memory, SECOND)
        self.shadow_entries = shadow.reserve(SHADOW, SHADOW_TABLES)
        self.legacy('shadow', shadow.root, 4)

    def tree_of(self, mode):
        return self.trees['second' if mode in ('legacy3', 'legacy4', 'second4')
                          else 'first']

    def legacy(self, mode, table, levels, tt=0):
        root, contexts = self.memory.pages(), self.memory.pages()
        self.memory.write(root, contexts | 1)
        for devfn in self.devfns:
            self.memory.write(contexts + devfn * 16, table | tt << 2 | 1,
                              DID << 8 | (levels - 2))
        self.roots[mode] = root | self.LEGACY

    def scalable(self, mode, pgtt, first=0, second=0, levels=4,
                 pasids=MAX_PASID):
        """RID_PASID is 0; PASIDs from 1 to `pasids` have the same entry."""
        root, contexts = self.memory.pages(), self.memory.pages()
        directory = self.memory.pages(4)
        tables = pasids // 64 + 1
        entries = self.memory.pages(tables)
        # Stock looks at the second stage's width in first-stage entries, too.
        entry = (second | pgtt << 6 | 2 << 2 | 1, DID,
                 first | (levels - 4) << 2, 0, 0, 0, 0, 0)
        self.memory.write(root, contexts | 1)
        for devfn in self.devfns:
            self.memory.write(contexts + devfn * 32,
                              directory | 4 << 9 | 1 << 3 | 1, 0, 0, 0)
        for i in range(tables):
            self.memory.write(directory + i * 8, entries + i * PAGE | 1)
        self.memory.write(entries, *entry * (pasids + 1))
        self.roots[mode] = root | self.SCALABLE
        self.pasid_tables[mode] = entries

    def pasid_entry(self, mode, pasid):
        return self.pasid_tables[mode] + pasid * 64
