# SPDX-License-Identifier: GPL-2.0-or-later
"""Interrupt remapping."""
from cases import case, each
from guest import CFI, IRE, IRT, IRTA, SID, SIRTP


INDEX = 3
ADDRESS = 0xfee00000 | INDEX << 5 | 1 << 4
APICS = {'xapic': ('intremap=on,eim=off', 0),
         'eim': ('intremap=on,eim=on', 1 << 11),
         'eim-off': ('intremap=on,eim=on', 0)}


def remapping_on(g, mode):
    g.queue_on()
    g.w64(IRTA, IRT | 7 | mode)
    g.command(SIRTP)
    g.command(IRE)
    g.msix_on()
    return [0x50 << 16 | 1, 1 << 18 | SID]


@each('interrupt-entries', **APICS)
def interrupt_entries(g, note, mode):
    """Each bit of an entry of the remapping table, changed."""
    for bit in range(128):
        g.reset()
        words = remapping_on(g, mode)
        words[bit // 64] ^= 1 << bit % 64
        g.m.write64(IRT + 16 * INDEX, words[0])
        g.m.write64(IRT + 16 * INDEX + 8, words[1])
        note(f'bit {bit}', g.interrupt(ADDRESS, 0))


@each('interrupt-requests', **APICS)
def interrupt_requests(g, note, mode):
    """Addresses and data of messages; source validation; table size."""
    def attempt(label, address=ADDRESS, data=0, words=None, size=7,
                index=INDEX, more=0):
        g.reset()
        good = remapping_on(g, mode)
        if more:
            g.command(more)
        if size != 7:
            g.w64(IRTA, IRT | size | mode)
            g.command(SIRTP)
        low, high = words or good
        g.m.write64(IRT + 16 * index, low)
        g.m.write64(IRT + 16 * index + 8, high)
        note(label, g.interrupt(address, data))

    attempt('good')
    for bit in range(32):
        attempt(f'address bit {bit}', ADDRESS ^ 1 << bit)
        attempt(f'data bit {bit}', data=1 << bit)
        attempt(f'subhandle, data bit {bit}', ADDRESS | 1 << 3, 1 << bit)
    attempt('subhandle', ADDRESS | 1 << 3, 2, index=INDEX + 2)
    attempt('highest handle', 0xfee00000 | 1 << 2 | 0x7fff << 5 | 1 << 4)
    for size in range(4):
        for index in (1, 2, 3, 4, 7, 8, 15, 16):
            attempt(f'size {size} index {index}',
                    0xfee00000 | index << 5 | 1 << 4, size=size, index=index)
    attempt('compatibility format', 0xfee00000, 0x51)
    attempt('compatibility format let through', 0xfee00000, 0x51, more=CFI)
    for svt in range(4):
        for sq in range(4):
            for sid in (SID, SID ^ 1, SID ^ 4, SID ^ 8, 0x0001, 0x0100):
                attempt(f'source {sid:#x} type {svt} qualifier {sq}',
                        words=(0x50 << 16 | 1, svt << 18 | sq << 16 | sid))
    for fpd in (0, 2):
        attempt(f'not present, fault disable {fpd}', words=(fpd, 0))
        attempt(f'reserved, fault disable {fpd}', words=(fpd | 1, 1 << 60))
        attempt(f'source, fault disable {fpd}', words=(fpd | 1, 1 << 18 | 1))
    for delivery in range(8):
        attempt(f'delivery {delivery}', words=(0x50 << 16 | delivery << 5 | 1,
                                               1 << 18 | SID))
    for vector in (0, 15, 16, 255):
        attempt(f'vector {vector}', words=(vector << 16 | 1, 1 << 18 | SID))


@case('interrupts-off')
def interrupts_off(g, note):
    g.msix_on()
    note('off', g.interrupt(0xfee00000, 0x60))
    note('off, remappable format', g.interrupt(ADDRESS, 0x61))
    remapping_on(g, 0)
    note('on', g.interrupt(0xfee00000, 0x62))
    g.command_off(IRE)
    note('off again', g.interrupt(0xfee00000, 0x63))
