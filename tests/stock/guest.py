# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest does with a VT-d unit and the endpoints behind it."""
import time

from machine import SECONDS, Broken

UNIT = 0xfed90000
VER, CAP, ECAP, GCMD, GSTS = 0x00, 0x08, 0x10, 0x18, 0x1c
RTADDR, CCMD, FSTS, FECTL, FEDATA, FEADDR = 0x20, 0x28, 0x34, 0x38, 0x3c, 0x40
IQH, IQT, IQA, ICS, IECTL, IEDATA, IEADDR = 0x80, 0x88, 0x90, 0x9c, 0xa0, 0xa4, 0xa8
IQERCD, IRTA, IVA, IOTLB, FRCD = 0xb0, 0xb8, 0xf0, 0xf8, 0x220

TE, SRTP, SFL, EAFL, WBF = 1 << 31, 1 << 30, 1 << 29, 1 << 28, 1 << 27
QIE, IRE, SIRTP, CFI = 1 << 26, 1 << 25, 1 << 24, 1 << 23

# Guest memory
ROOT, CONTEXT, PASID_DIR, PASID_TABLE = 0x100000, 0x101000, 0x102000, 0x103000
QUEUE, STATUS, IRT = 0x104000, 0x105000, 0x106000
TABLES = 0x110000        # of every stage: the top one, then down, a page each
PAGE = 0x400000          # a page of data; A is at its offset 0
DID = 5

# Endpoints: slot 4 is the one that is used, slot 5 another requester.
SID, OTHER = 4 << 3, 5 << 3
BARS = {SID: 0xe0000000, OTHER: 0xe0200000}
MSIX = 0x100000          # of BAR 2, from BAR 0
SLOT, LOCAL = 0x1000, 0x10000
COPY, FILL = 1, 2
DST_LOCAL, WITH_IRQ = 2, 4
READ, WRITE = 'read', 'write'

ENDPOINTS = ['-device', 'sva-endpoint,addr=4', '-device', 'sva-endpoint,addr=5']


class Guest:
    """Legacy mode unless `scalable`: this only tells how to talk to the unit."""

    def __init__(self, machine, scalable=False, wide=None):
        self.m = machine
        self.scalable = scalable
        self.wide = scalable if wide is None else wide
        self.tail = 0
        self.token = 0
        self.pages = 0
        self.devices_on()

    def devices_on(self):
        for sid, bar in BARS.items():
            for offset, value in ((0x10, bar), (0x14, 0),
                                  (0x18, bar + MSIX), (0x1c, 0), (0x04, 6)):
                self.m.config_write32(sid, offset, value)

    def reset(self):
        self.m.reset()
        self.tail = 0
        self.devices_on()
        self.m.clear(ROOT, 0x200000 - ROOT)

    # The unit

    def r32(self, reg):
        return self.m.read32(UNIT + reg)

    def r64(self, reg):
        return self.m.read64(UNIT + reg)

    def w32(self, reg, value):
        self.m.write32(UNIT + reg, value)

    def w64(self, reg, value):
        self.m.write64(UNIT + reg, value)

    def command(self, bit):
        on = self.r32(GSTS) & (TE | QIE | IRE | CFI)
        self.w32(GCMD, on | bit)

    def command_off(self, bit):
        on = self.r32(GSTS) & (TE | QIE | IRE | CFI)
        self.w32(GCMD, on & ~bit)

    def queue_on(self, size=0):
        self.tail = 0
        self.w64(IQA, QUEUE | (1 << 11 if self.wide else 0) | size)
        self.w64(IQT, 0)
        self.command(QIE)

    def descriptor_size(self):
        return 32 if self.wide else 16

    def put(self, *quadwords):
        """One descriptor, not yet told to the unit."""
        size = self.descriptor_size()
        words = list(quadwords) + [0] * (size // 8 - len(quadwords))
        for i, word in enumerate(words[:size // 8]):
            self.m.write64(QUEUE + self.tail + 8 * i, word)
        self.tail = (self.tail + size) % 4096

    def submit(self, *quadwords):
        self.put(*quadwords)
        self.w64(IQT, self.tail)

    def wait(self):
        """A wait descriptor with a status; whether the status came."""
        self.token += 1
        self.m.write32(STATUS, 0)
        self.submit(self.token << 32 | 1 << 5 | 5, STATUS)
        return self.m.read32(STATUS) == self.token

    def drop_caches(self):
        """All of them."""
        self.put(1 << 4 | 1)
        if self.scalable and self.wide:
            self.put(3 << 4 | 7)
        self.put(1 << 4 | 2)
        self.put(4)
        self.wait()

    def unblock_queue(self):
        """After an error: a wait in place of what is in the way."""
        size = self.descriptor_size()
        head = self.r64(IQH)
        self.tail = head
        self.put(1 << 5 | 5, STATUS)
        self.w32(FSTS, 0xffffffff)
        self.w64(IQT, self.tail)
        if self.r64(IQH) != (head + size) % 4096:
            raise Broken('the queue does not go on after an error')

    def translation_on(self):
        self.w64(RTADDR, ROOT | (1 << 10 if self.scalable else 0))
        self.command(SRTP)
        self.command(TE)

    # Tables

    def legacy_context(self, tt=0, levels=4, sid=SID, low=0, high=0):
        self.m.write64(ROOT + (sid >> 8) * 16, CONTEXT | 1)
        at = CONTEXT + (sid & 0xff) * 16
        self.m.write64(at, TABLES | tt << 2 | low | 1)
        self.m.write64(at + 8, DID << 8 | (levels - 2) | high)

    def scalable_context(self, pgtt, levels=4):
        self.m.write64(ROOT, CONTEXT | 1)
        self.m.write64(CONTEXT + SID * 32, PASID_DIR | 1)
        self.m.write64(PASID_DIR, PASID_TABLE | 1)
        self.m.write64(PASID_TABLE, (TABLES if pgtt != 1 else 0) |
                       pgtt << 6 | (levels - 2) << 2 | 1)
        self.m.write64(PASID_TABLE + 8, DID)
        self.m.write64(PASID_TABLE + 16, TABLES if pgtt == 1 else 0)

    # The endpoint

    def dma(self, opcode, flags, src, dst, operand, sid=SID):
        """The error of one command, 0 if there is none."""
        bar = BARS[sid]
        self.m.write32(bar + SLOT, opcode | flags << 16)
        self.m.write64(bar + SLOT + 0x08, src)
        self.m.write64(bar + SLOT + 0x10, dst)
        self.m.write32(bar + SLOT + 0x18, 8)
        self.m.write64(bar + SLOT + 0x20, operand)
        self.m.write32(bar + SLOT + 0x40, 1)
        deadline = time.monotonic() + SECONDS
        while self.m.read32(bar + SLOT + 0x44) == 1:
            if time.monotonic() > deadline:
                raise Broken('DMA does not end')
        return self.m.read32(bar + SLOT + 0x48)

    def dma_write(self, iova, value, sid=SID):
        return self.dma(FILL, 0, 0, iova, value, sid)

    def dma_read(self, iova, sid=SID):
        """(error, what was read)"""
        error = self.dma(COPY, DST_LOCAL, iova, 0, 0, sid)
        return error, self.m.read64(BARS[sid] + LOCAL)

    def access(self, kind, iova, pa, sid=SID):
        """What becomes of a request, given that it may end at @pa."""
        self.token += 1
        value = 0x1122334400000000 + self.token
        if kind == WRITE:
            self.m.write64(pa, 0)
            error = self.dma_write(iova, value, sid)
            good = self.m.read64(pa) == value
        else:
            self.m.write64(pa, value)
            error, got = self.dma_read(iova, sid)
            good = got == value
        if not error:
            return 'there' if good else 'elsewhere'
        return 'refused' + self.fault()

    def fault(self):
        """The recorded fault, in words; it is cleared."""
        upper = self.r64(FRCD + 8)
        status = self.r32(FSTS)
        if not upper >> 63:
            return '' if not status & 0xff else f' status {status:#x}'
        text = (f' fault {upper >> 32 & 0xff:#04x}'
                f' sid {upper & 0xffff:#x} info {self.r64(FRCD):#x}')
        if upper >> 62 & 1:
            text += ' read'
        if upper >> 31 & 1:
            text += f' pasid {upper >> 40 & 0xfffff:#x}'
        if upper >> 28 & 7 & 3:
            text += f' bits {upper >> 28 & 3:#x}'
        if status & 0xff != 2:
            text += f' status {status:#x}'
        self.w32(FRCD + 12, 1 << 31)
        self.w32(FSTS, 0x1)
        return text

    # Interrupts

    def msix_on(self):
        self.m.config_write32(SID, 0x04, 6)
        at = self.m.config_read32(SID, 0x34) & 0xfc
        while self.m.config_read32(SID, at) & 0xff != 0x11:
            at = self.m.config_read32(SID, at) >> 8 & 0xfc
        self.m.config_write32(SID, at, 0x80000000)
        self.m.write32(BARS[SID] + MSIX + 12, 0)

    def interrupt(self, address, data):
        """Have the endpoint send a message; what came of it."""
        before = self.m.pending_vectors()
        self.m.write64(BARS[SID] + MSIX, address)
        self.m.write32(BARS[SID] + MSIX + 8, data)
        self.dma(FILL, DST_LOCAL | WITH_IRQ, 0, 0, 0)
        new = [v for v in self.m.pending_vectors() if v not in before]
        return (f'vectors {",".join(new)}' if new else 'nothing') + self.fault()
