# SPDX-License-Identifier: GPL-2.0-or-later
"""The invalidation queue: descriptors good and bad."""
from cases import LEGACY, SECOND, FIRST, case, each
from guest import (DID, FSTS, GSTS, ICS, IEADDR, IECTL, IEDATA, IQA, IQH, IQT,
                   QIE, QUEUE, SID, STATUS)


def submitted(g, words, note, label):
    """The outcome of one descriptor; the queue goes on after it."""
    size = g.descriptor_size()
    head = g.r64(IQH)
    g.m.write32(STATUS, 0)
    g.tail = head
    g.submit(*words)
    moved = (g.r64(IQH) - head) % 4096 // size
    text = (f'head +{moved} FSTS {g.r32(FSTS):#x} ICS {g.r32(ICS)} '
            f'status {g.m.read32(STATUS):#x}')
    note(label, text)
    g.w32(ICS, 1)
    if g.r32(FSTS) & 0x70:
        g.unblock_queue()


GOOD = {
    'context/global': (1 << 4 | 1, ),
    'context/domain': (DID << 16 | 2 << 4 | 1, ),
    'context/device': (SID << 32 | DID << 16 | 3 << 4 | 1, ),
    'context/functions': (3 << 48 | SID << 32 | DID << 16 | 3 << 4 | 1, ),
    'iotlb/global': (1 << 4 | 2, ),
    'iotlb/domain': (DID << 16 | 2 << 4 | 2, ),
    'iotlb/page': (DID << 16 | 3 << 4 | 2, 0x12345000),
    'iotlb/pages': (DID << 16 | 3 << 4 | 3 << 6 | 2, 0x12340000 | 1 << 6 | 9),
    'device-tlb/page': (SID << 32 | 3, 0x12345000),
    'device-tlb/range': (SID << 32 | 3, 0x12347001),
    'device-tlb/all': (SID << 32 | 3, 0x7ffffffffffff001),
    'device-tlb/unknown': (0x4444 << 32 | 3, 0x12345000),
    'interrupt/global': (4, ),
    'interrupt/index': (3 << 32 | 1 << 4 | 4, ),
    'interrupt/mask': (0x100 << 32 | 8 << 27 | 1 << 4 | 4, ),
    'wait/status': (0x77 << 32 | 1 << 5 | 5, STATUS),
    'wait/interrupt': (1 << 4 | 5, ),
    'wait/both': (0x78 << 32 | 3 << 4 | 5, STATUS),
    'wait/fence': (0x79 << 32 | 1 << 6 | 1 << 5 | 5, STATUS),
    'wait/none': (5, ),
    'wait/fence-only': (1 << 6 | 5, ),
    'pasid-iotlb/pasid': (DID << 16 | 2 << 4 | 6, ),
    'pasid-iotlb/page': (DID << 16 | 3 << 4 | 6, 0x12345000),
    'pasid-iotlb/pages': (DID << 16 | 3 << 4 | 6, 0x12300000 | 1 << 6 | 9),
    'pasid-cache/domain': (DID << 16 | 7, ),
    'pasid-cache/pasid': (DID << 16 | 1 << 4 | 7, ),
    'pasid-cache/global': (3 << 4 | 7, ),
    'pasid-device-tlb/page': (SID << 16 | 8, 0x12345000),
    'pasid-device-tlb/range': (SID << 16 | 8, 0x12347800),
    'pasid-device-tlb/global': (SID << 16 | 8, 0x12345001),
}

QUEUES = {
    'legacy': (LEGACY, False), 'ats': ('intremap=on,device-iotlb=on', False),
    'scalable-narrow': (FIRST, False), 'first': (FIRST, True),
    'second': (SECOND, True), 'no-interrupts': ('intremap=off', False),
    'scalable-ats': (FIRST + ',device-iotlb=on', True),
}


def queue_start(g, wide):
    g.wide = wide
    g.queue_on()
    g.wait()


@each('descriptors', **QUEUES)
def descriptors(g, note, wide):
    queue_start(g, wide)
    for name, words in GOOD.items():
        submitted(g, words, note, name)
    for name, words in GOOD.items():
        for bit in range(256 if wide else 128):
            changed = list(words) + [0] * (4 - len(words))
            changed[bit // 64] ^= 1 << bit % 64
            # A status address elsewhere is looked at in a case of its own.
            if not (name.startswith('wait') and bit // 64 == 1 and bit % 64 > 1):
                submitted(g, changed, note, f'{name}: bit {bit}')


@each('descriptor-types', **QUEUES)
def descriptor_types(g, note, wide):
    queue_start(g, wide)
    for kind in range(128):
        submitted(g, ((kind >> 4) << 9 | kind & 15, ), note, f'type {kind:#x}')
    for name, kind in (('iotlb', 2), ('pasid-iotlb', 6)):
        for order in range(64):
            submitted(g, (DID << 16 | 3 << 4 | kind, 1 << 47 | order), note,
                      f'{name} order {order}')
    for mask in range(32):
        submitted(g, (0x100 << 32 | mask << 27 | 1 << 4 | 4, ), note,
                  f'interrupt mask {mask}')


@each('queue-registers', legacy=(LEGACY, False), first=(FIRST, True),
      wide=(LEGACY, True))
def queue_registers(g, note, wide):
    """Enabling, tails outside and odd, sizes, where an error leaves things."""
    base = QUEUE | (1 << 11 if wide else 0)

    def look(label):
        note(label, f'GSTS {g.r32(GSTS):#x} IQH {g.r64(IQH):#x} '
                    f'IQT {g.r64(IQT):#x} IQA {g.r64(IQA):#x} '
                    f'FSTS {g.r32(FSTS):#x}')

    for size in range(8):
        g.reset()
        g.w64(IQA, base | size)
        look(f'size {size}: before')
        g.command(QIE)
        look(f'size {size}: on')
        g.command_off(QIE)
        look(f'size {size}: off')
    for tail in (0x10, 0x20, 0x30, 0xff0, 0x1000, 0x7fff0):
        g.reset()
        step = 32 if wide else 16
        for at in range(0, 0x1000, step):
            g.m.write64(QUEUE + at, 1 << 4 | 1)
        g.w64(IQA, base)
        g.command(QIE)
        g.w64(IQT, tail)
        look(f'tail {tail:#x}')
    g.reset()
    g.wide = wide
    g.put(0x55 << 32 | 1 << 5 | 5, STATUS)
    g.w64(IQA, base)
    g.w64(IQT, g.tail)
    look('tail before the queue is on')
    g.command(QIE)
    look('on with a tail')
    note('status', g.m.read32(STATUS))
    g.put(0xf)
    g.put(0x56 << 32 | 1 << 5 | 5, STATUS)
    g.w64(IQT, g.tail)
    look('bad descriptor')
    g.w64(IQT, g.tail)
    look('tail again')
    note('status behind it', g.m.read32(STATUS))
    g.command_off(QIE)
    look('off after an error')


@each('completion', legacy=(LEGACY, ))
def completion(g, note):
    """The interrupt of a wait descriptor, masked and not."""
    g.queue_on()
    g.w32(IEADDR, 0xfee00000)
    g.w32(IEDATA, 0x61)
    vectors = g.m.pending_vectors

    def look(label):
        note(label, f'ICS {g.r32(ICS)} IECTL {g.r32(IECTL):#x} '
                    f'vectors {vectors()}')

    look('start')
    g.submit(1 << 4 | 5)
    look('masked')
    g.submit(1 << 4 | 5)
    look('masked, again')
    g.w32(IECTL, 0)
    look('unmasked')
    g.w32(IEDATA, 0x62)
    g.submit(1 << 4 | 5)
    look('not serviced yet')
    g.w32(ICS, 1)
    look('serviced')
    g.submit(1 << 4 | 5)
    look('next')
    g.w32(IECTL, 1 << 31)
    g.w32(ICS, 1)
    g.w32(IEDATA, 0x63)
    g.submit(1 << 4 | 5)
    look('masked')
    g.w32(ICS, 1)
    look('serviced while masked')
    g.w32(IECTL, 0)
    look('unmasked')
