# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine that goes from stock to ours and back goes on as if it had stayed."""
import os
import tempfile

from guest import (CAP, DID, ENDPOINTS, FRCD, Guest, IRE, IRT,
                   IRTA, PAGE, READ, SID, SIRTP, TABLES, WRITE)
from machine import Broken, Machine

IOVA = 0x7f1234567000
FS = 0x27        # present, writable, user, accessed
SS = 3           # read, write


def set_up(g, pgtt, levels):
    """Translation of IOVA to PAGE, queue on."""
    if g.scalable:
        g.scalable_context(pgtt, levels)
    else:
        g.legacy_context(levels=levels)
    bits = FS if pgtt == 1 else SS
    table, iova = TABLES, g.iova
    for level in range(levels, 1, -1):
        below = table + 0x1000
        g.m.write64(table + (iova >> (3 + 9 * level) & 0x1ff) * 8, below | bits)
        table = below
    g.leaf = table + (iova >> 12 & 0x1ff) * 8
    g.bits = bits
    g.m.write64(g.leaf, PAGE | bits)
    g.queue_on()
    g.translation_on()


def image(g):
    """All registers of the unit but CAP: stock does not know CAP.ESRTPS."""
    return {reg: g.r32(reg) for reg in range(0, FRCD + 16, 4)
            if reg not in (CAP, CAP + 4)}


def goes_on(g, page):
    """Translation, stale until invalidated, the queue."""
    problems = []

    def check(what, got, wanted):
        if got != wanted:
            problems.append(f'{what}: {got} instead of {wanted}')

    check('write', g.access(WRITE, g.iova + 8, page + 8), 'there')
    check('read', g.access(READ, g.iova + 8, page + 8), 'there')
    new = page ^ 0x3000
    g.m.write64(g.leaf, new | g.bits)
    if g.scalable and g.pgtt == 1:
        g.submit(DID << 16 | 3 << 4 | 6, g.iova)
    else:
        g.submit(DID << 16 | 3 << 4 | 2, g.iova)
    check('wait', g.wait(), True)
    check('write after invalidation', g.access(WRITE, g.iova + 16, new + 16),
          'there')
    refused = g.access(WRITE, g.iova + 0x1000, new)
    check('fault', refused.startswith('refused fault'), True)
    g.msix_on()
    vector = 0x40 + g.token % 64
    g.m.write64(IRT + 16 * 3, vector << 16 | 1)
    g.m.write64(IRT + 16 * 3 + 8, 1 << 18 | SID)
    g.submit(4)
    check('wait', g.wait(), True)
    check('interrupt', g.interrupt(0xfee00000 | 3 << 5 | 1 << 4, 0),
          f'vectors {vector}')
    return problems, new


def arguments_for(who, properties):
    """Stock's x-pasid-mode reports PSS = 0, PASIDs of one bit."""
    if who == 'ours':
        properties = properties.replace('x-pasid-mode=on', 'pasid-bits=1')
    return ['-device', f'intel-iommu,{properties}', *ENDPOINTS]


def move(g, binary, arguments, log):
    """The same guest in another QEMU."""
    with tempfile.TemporaryDirectory() as folder:
        uri = f'unix:{os.path.join(folder, "socket")}'
        to = Machine(binary, [*arguments, '-incoming', 'defer'], log)
        try:
            to.command('migrate-incoming', uri=uri)
            g.m.command('migrate', uri=uri)
            status = g.m.wait_query('query-migrate', 'completed', 'failed')
            if status == 'failed':
                raise Broken('migration failed')
            to.wait_query('query-status', 'running')
        except Broken:
            to.end()
            raise
        g.m.end()
        g.m = to


def journey(binaries, route, properties, pgtt, levels, fault, log):
    """One machine along a route like ('stock', 'ours'); the problems."""
    scalable = 'scalable' in properties
    machine = Machine(binaries[route[0]],
                      arguments_for(route[0], properties), log)
    g = None
    try:
        g = Guest(machine, scalable)
        g.iova = IOVA & (1 << (12 + 9 * levels)) - 1
        if levels == 4 and pgtt == 1:
            g.iova = IOVA & (1 << 47) - 1
        g.pgtt = pgtt
        set_up(g, pgtt, levels)
        g.w64(IRTA, IRT | 7)
        g.command(SIRTP)
        g.command(IRE)
        problems, page = goes_on(g, PAGE)
        problems = [f'on {route[0]}: {p}' for p in problems]
        for binary in route[1:]:
            if fault:
                g.dma_write(g.iova + 0x5000, 1, SID)
            before = image(g)
            move(g, binaries[binary], arguments_for(binary, properties), log)
            after = image(g)
            problems += [
                f'to {binary}: register {reg:#x} is {after[reg]:#x}, '
                f'was {before[reg]:#x}'
                for reg in before if before[reg] != after[reg]]
            if fault:
                text = g.fault()
                if f'info {g.iova + 0x5000:#x}' not in text:
                    problems.append(f'to {binary}: the fault is lost:{text}')
            found, page = goes_on(g, page)
            problems += [f'on {binary}: {p}' for p in found]
        return problems
    except Broken as problem:
        return [str(problem)]
    finally:
        (g.m if g else machine).end()


MACHINES = [
    ('legacy', 'intremap=on', 0, 4),
    ('legacy-39', 'intremap=on,aw-bits=39', 0, 3),
    ('legacy-caching', 'intremap=on,caching-mode=on', 0, 4),
    ('legacy-ats', 'intremap=on,device-iotlb=on', 0, 4),
    ('second-stage', 'intremap=on,x-scalable-mode=on', 2, 4),
    ('second-stage-pasid', 'intremap=on,x-scalable-mode=on,x-pasid-mode=on',
     2, 4),
    ('first-stage', 'intremap=on,x-scalable-mode=on,x-flts=on', 1, 4),
]


ROUTES = (('stock', 'ours', 'stock'), ('ours', 'stock', 'ours'))


def all_tests():
    """{name: arguments of journey()}"""
    return {
        f'migration/{name}/{"-".join(route)}{"/fault" if fault else ""}':
        (route, properties, pgtt, levels, fault)
        for name, properties, pgtt, levels in MACHINES
        for fault in (False, True) for route in ROUTES}


def names():
    return list(all_tests())


def run(name, binaries, log):
    """The problems of one test."""
    return journey(binaries, *all_tests()[name], log)
