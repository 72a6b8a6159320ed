# SPDX-License-Identifier: GPL-2.0-or-later
"""Root, context and PASID tables."""
from cases import LEGACY, NARROW, SECOND, FIRST, case, each
from guest import (CAP, CONTEXT, DID, PAGE, PASID_DIR, PASID_TABLE, ROOT,
                   RTADDR, SID, SRTP, TABLES, TE)
from cases_pages import Tables, both, stage_on


@each('root', legacy=(LEGACY, 0), second=(SECOND, 2), first=(FIRST, 1),
      narrow=(NARROW, 0))
def root(g, note, pgtt):
    levels = 3 if g.r64(CAP) >> 16 & 0x3f == 38 else 4
    iova = stage_on(g, pgtt, levels)
    Tables(g, iova, PAGE, levels, 1, 0x27 if pgtt == 1 else 3)
    for bit in range(128):
        word = ROOT + 8 * (bit // 64)
        good = (CONTEXT | 1) if bit < 64 else 0
        g.m.write64(word, good ^ 1 << bit % 64)
        both(g, note, f'bit {bit}', iova, PAGE)
        g.m.write64(word, good)
    both(g, note, 'at the end', iova, PAGE)


@each('context', legacy=(LEGACY, 4), narrow=(NARROW, 3),
      ats=(LEGACY + ',device-iotlb=on', 4), no_pass_through=('pt=off', 4))
def context(g, note, levels):
    iova = stage_on(g, 0, levels)
    Tables(g, iova, PAGE, levels, 1, 3)
    at = CONTEXT + SID * 16
    for tt in range(4):
        for levels_code in range(8):
            g.m.write64(at, TABLES | tt << 2 | 1)
            g.m.write64(at + 8, DID << 8 | levels_code)
            what = f'type {tt} width {levels_code}'
            both(g, note, what, iova, PAGE)
            both(g, note, f'{what} untranslated', PAGE, PAGE)
    words = [TABLES | 1, DID << 8 | (levels - 2)]
    for bit in range(128):
        changed = list(words)
        changed[bit // 64] ^= 1 << bit % 64
        g.m.write64(at, changed[0])
        g.m.write64(at + 8, changed[1])
        both(g, note, f'bit {bit}', iova, PAGE)
    for fpd in (0, 2):
        for name, low, high in (
                ('not present', 0, 0), ('reserved', TABLES | 1 | 1 << 4, 2),
                ('bad type', TABLES | 1 | 3 << 2, 2),
                ('bad width', TABLES | 1, 7), ('no table', 0x70000 | 1, 2)):
            g.m.write64(at, low | fpd)
            g.m.write64(at + 8, DID << 8 | high)
            both(g, note, f'fault disable {fpd} {name}', iova, PAGE)


@each('scalable-context', second=(SECOND, 2), first=(FIRST, 1),
      ats=(FIRST + ',device-iotlb=on', 1))
def scalable_context(g, note, pgtt):
    """Each bit of the context entry, the directory entry, the PASID entry."""
    iova = stage_on(g, pgtt, 4)
    Tables(g, iova, PAGE, 4, 1, 0x27 if pgtt == 1 else 3)
    for name, at, count in (('context', CONTEXT + SID * 32, 256),
                            ('directory', PASID_DIR, 64),
                            ('pasid', PASID_TABLE, 512)):
        for bit in range(count):
            word = at + 8 * (bit // 64)
            good = g.m.read64(word)
            g.m.write64(word, good ^ 1 << bit % 64)
            both(g, note, f'{name} bit {bit}', iova, PAGE)
            g.m.write64(word, good)
    both(g, note, 'at the end', iova, PAGE)
    for kind in range(8):
        for width in range(8):
            g.m.write64(PASID_TABLE, TABLES | kind << 6 | width << 2 | 1)
            g.m.write64(PASID_TABLE + 16, TABLES)
            both(g, note, f'type {kind} width {width}', iova, PAGE)
            both(g, note, f'type {kind} width {width} untranslated', PAGE, PAGE)
    for ttm in range(4):
        g.command_off(TE)
        g.w64(RTADDR, ROOT | ttm << 10)
        g.command(SRTP)
        g.command(TE)
        both(g, note, f'table type {ttm}', iova, PAGE)


@each('fault-disable', second=(SECOND, 2), first=(FIRST, 1))
def fault_disable(g, note, pgtt):
    """FPD in each entry with each kind of fault below it."""
    iova = stage_on(g, pgtt, 4)
    bits = 0x27 if pgtt == 1 else 3
    context_at = CONTEXT + SID * 32
    t = Tables(g, iova, PAGE, 4, 1, bits)
    breakage = {
        'context not present': (context_at, 0),
        'context reserved': (context_at, PASID_DIR | 1 | 1 << 5),
        'directory not present': (PASID_DIR, 0),
        'pasid not present': (PASID_TABLE, 0),
        'pasid type': (PASID_TABLE, TABLES | 7 << 6 | 2 << 2 | 1),
        'leaf not present': (t.places[1], 0),
        'leaf not writable': (t.places[1], PAGE | bits & ~2),
        'table reserved': (t.places[3], t.values[3] | 1 << 51),
    }
    for where, place in (('context', context_at), ('directory', PASID_DIR),
                         ('pasid', PASID_TABLE)):
        for name, (at, value) in breakage.items():
            saved = g.m.read64(at)
            g.m.write64(at, value)
            above = g.m.read64(place)
            g.m.write64(place, above | 2)
            both(g, note, f'{where}: {name}', iova, PAGE)
            g.m.write64(place, above)
            g.m.write64(at, saved)



@case('pass-through')
def pass_through(g, note):
    """To pass-through and back, by context entries."""
    iova = stage_on(g, 0, 4)
    Tables(g, iova, PAGE, 4, 1, 3)
    for n, tt in enumerate((0, 2, 0, 2, 2, 0)):
        g.legacy_context(tt)
        g.submit(SID << 32 | DID << 16 | 3 << 4 | 1)
        g.submit(DID << 16 | 2 << 4 | 2)
        g.wait()
        what = f'{n} type {tt}'
        both(g, note, f'{what} translated', iova, PAGE, drop=False)
        both(g, note, f'{what} untranslated', PAGE, PAGE, drop=False)
        note(f'{what} message', g.interrupt(0xfee00000, 0x80 + n)
             if n else g.msix_on())


@each('scalable-pass-through', second=(SECOND, 2), first=(FIRST, 1))
def scalable_pass_through(g, note, pgtt):
    iova = stage_on(g, pgtt, 4)
    Tables(g, iova, PAGE, 4, 1, 0x27 if pgtt == 1 else 3)
    for n, kind in enumerate((pgtt, 4, pgtt, 4, 4, pgtt)):
        g.m.write64(PASID_TABLE, (TABLES if kind == 2 else 0) | kind << 6 |
                    2 << 2 | 1)
        g.submit(DID << 16 | 1 << 4 | 7)
        g.submit(DID << 16 | 2 << 4 | 6)
        g.submit(DID << 16 | 2 << 4 | 2)
        g.wait()
        both(g, note, f'{n} type {kind} translated', iova, PAGE, drop=False)
        both(g, note, f'{n} type {kind} untranslated', PAGE, PAGE, drop=False)
