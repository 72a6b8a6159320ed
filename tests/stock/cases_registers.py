# SPDX-License-Identifier: GPL-2.0-or-later
"""What the unit reports; its registers, commands and events."""
from cases import CASES, LEGACY, FIRST, case, each
from guest import (CAP, CCMD, CFI, DID, ECAP, EAFL, FEADDR, FECTL, FEDATA,
                   FRCD, FSTS, GCMD, GSTS, IEADDR, IECTL, IOTLB, IQA, IQERCD,
                   IQH, IQT, IRE, IRT, IRTA, IVA, OTHER, PAGE, QIE, QUEUE,
                   ROOT, RTADDR, SFL, SIRTP, SRTP, TE, VER, WBF)


REPORTED = [
    'intremap=off', 'intremap=on', 'intremap=auto', 'aw-bits=39', 'aw-bits=48',
    'caching-mode=on', 'device-iotlb=on', 'intremap=on,eim=on',
    'intremap=on,eim=off', 'intremap=on,x-buggy-eim=on', 'snoop-control=on',
    'pt=off', 'dma-drain=off', 'dma-translation=off', 'version=1', 'stale-tm=on',
    'device-iotlb=on,stale-tm=on', 'x-scalable-mode=on',
    'x-scalable-mode=on,caching-mode=on', 'x-scalable-mode=on,aw-bits=39',
    'x-scalable-mode=on,x-pasid-mode=on', 'x-scalable-mode=on,x-flts=on',
    'x-scalable-mode=on,x-flts=on,fs1gp=off',
    'x-scalable-mode=on,x-flts=on,device-iotlb=on,snoop-control=on',
    'x-scalable-mode=on,x-flts=on,x-pasid-mode=on',
]


def reported(g, note):
    """A label for each bit that is set, so that each can be excepted."""
    note('version', g.r32(VER))
    for name, reg in (('CAP', CAP), ('ECAP', ECAP)):
        value = g.r64(reg)
        for bit in range(64):
            note(f'{name} bit {bit}', value >> bit & 1)


for _properties in REPORTED:
    CASES.append((f'reported/{_properties}', _properties, reported))


# Registers

@each('registers', legacy=(LEGACY, ), first=(FIRST, ),
      eim=('intremap=on,eim=on', ))
def registers(g, note):
    """Which bits can be written, and how they read, by 4 and by 8 bytes."""
    wide = {CAP, ECAP, RTADDR, CCMD, IQH, IQT, IQA, IQERCD, IRTA, IVA, IOTLB,
            FRCD, FRCD + 8}
    for reg in range(0, 0x1000, 4):
        note(f'{reg:#05x} reset', g.r32(reg))
    for size, read, write in ((4, g.r32, g.w32), (8, g.r64, g.w64)):
        ones = (1 << 8 * size) - 1
        for reg in range(0, 0x1000, size):
            # The others are not meant for 8 bytes: see two-registers.
            if reg == GCMD or size == 8 and reg not in wide:
                continue
            write(reg, ones)
            note(f'{reg:#05x} {size} ones', read(reg))
            write(reg, 0)
            note(f'{reg:#05x} {size} zeros', read(reg))
            write(reg, 0x5a5a5a5a5a5a5a5a & ones)
            note(f'{reg:#05x} {size} pattern', read(reg))
    g.reset()
    for reg in range(0, 0x1000, 4):
        note(f'{reg:#05x} after reset', g.r32(reg))


@each('two-registers', **{f'{reg:x}': (LEGACY, reg) for reg in (
    GCMD, FECTL, FEADDR, IECTL, IEADDR, 0x200)})
def two_registers(g, note, reg):
    """8 bytes to two registers of 4."""
    g.w64(reg, 0)
    note('zeros', g.r64(reg))


BITS = {'TE': TE, 'SRTP': SRTP, 'SFL': SFL, 'EAFL': EAFL, 'WBF': WBF,
        'QIE': QIE, 'IRE': IRE, 'SIRTP': SIRTP, 'CFI': CFI}
SEQUENCES = [
    ['TE'], ['SRTP'], ['SFL'], ['EAFL'], ['WBF'], ['QIE'], ['IRE'], ['SIRTP'],
    ['CFI'], ['SRTP', 'TE', ''], ['SRTP', 'TE', 'TE+SRTP', 'TE', ''],
    ['SRTP+TE', ''], ['SIRTP', 'IRE', 'IRE+SIRTP', 'CFI+IRE', 'IRE', ''],
    ['SIRTP+IRE', ''], ['QIE', 'QIE+SRTP', 'QIE+TE', 'QIE+TE+IRE', 'TE', ''],
    ['SRTP+SIRTP', 'TE+QIE+IRE', 'TE+QIE+IRE+WBF', 'TE+IRE', 'IRE', ''],
    ['TE+SRTP+SFL+EAFL+WBF+QIE+IRE+SIRTP+CFI', ''],
]


@each('commands', legacy=(LEGACY, ), first=(FIRST, ),
      interrupts=('intremap=on,dma-translation=off', ),
      translation=('intremap=off', ))
def commands(g, note):
    for n, sequence in enumerate(SEQUENCES):
        g.reset()
        g.w64(RTADDR, ROOT)
        g.w64(IRTA, IRT | 7)
        g.w64(IQA, QUEUE)
        for i, names in enumerate(sequence):
            g.w32(GCMD, sum(BITS[n] for n in names.split('+') if n))
            done = f'{n}: {", ".join(sequence[:i + 1])}'
            note(f'{done}: GSTS', g.r32(GSTS))
            note(f'{done}: GCMD', g.r32(GCMD))
            note(f'{done}: FSTS', g.r32(FSTS))


@each('register-invalidation', legacy=(LEGACY, ), first=(FIRST, ))
def register_invalidation(g, note):
    for queue in (False, True):
        g.reset()
        if queue:
            g.queue_on()
        where = 'queue on, ' if queue else ''
        for granularity in range(4):
            for low in (0, 0x00200005, 0x300200005):
                g.w64(CCMD, 1 << 63 | granularity << 61 | low)
                note(f'{where}CCMD granularity {granularity} {low:#x} upper half',
                     g.r32(CCMD + 4) & ~3)
            for order in (0, 1, 9, 18, 19, 63):
                g.w64(IVA, 0x12345000 | order)
                g.w64(IOTLB, 1 << 63 | granularity << 60 | DID << 32)
                note(f'{where}IOTLB granularity {granularity} order {order}',
                     g.r64(IOTLB))



# Faults

@case('fault-event')
def fault_event(g, note):
    g.legacy_context()
    g.translation_on()
    g.w32(FEADDR, 0xfee00000)
    g.w32(FEDATA, 0x71)

    def look(label):
        note(label, f'FSTS {g.r32(FSTS):#x} FECTL {g.r32(FECTL):#x} '
                    f'FRCD {g.r64(FRCD + 8):#x} {g.r64(FRCD):#x} '
                    f'vectors {g.m.pending_vectors()}')

    g.dma_write(PAGE, 1)
    look('masked')
    g.dma_write(PAGE + 0x1000, 1)
    look('the same requester again')
    g.dma_read(PAGE + 0x2000, OTHER)
    look('another requester')
    g.dma_read(PAGE + 0x3000, OTHER)
    look('another requester again')
    g.w32(FECTL, 0)
    look('unmasked')
    g.w32(FSTS, 1)
    look('overflow cleared')
    g.w32(FRCD + 12, 1 << 31)
    look('record cleared')
    g.w32(FEDATA, 0x72)
    g.dma_read(PAGE + 0x4000, OTHER)
    look('next')
    g.w64(FRCD + 8, 1 << 63)
    look('cleared with 8 bytes')
    g.w32(FECTL, 1 << 31)
    g.w32(FEDATA, 0x73)
    g.queue_on()
    g.submit(0xf)
    look('queue error, masked')
    g.dma_read(PAGE, OTHER)
    look('and a fault')
    g.w32(FRCD + 12, 1 << 31)
    look('fault cleared')
    g.w32(FSTS, 1 << 4)
    look('queue error cleared')
    g.w32(FECTL, 0)
    look('unmasked')
