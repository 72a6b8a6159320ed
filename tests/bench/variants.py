# SPDX-License-Identifier: GPL-2.0-or-later
"""The QEMUs that are compared, each with devices that measure."""
import os
import re
import sys
import threading

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__))))
sys.path.append(f'{TOP}/tests/stock')

# pylint: disable=wrong-import-position
import descriptors as d  # noqa: E402
from guest_memory import (ALL, DATA, DATA_PAGES, PAGE, RING, RING_BYTES,
                          SHARED)  # noqa: E402
from machine import Broken, Machine  # noqa: E402
from reference_host import ReferenceHost  # noqa: E402

UNIT = 0xfed90000
GCMD, GSTS, RTADDR, FSTS = 0x18, 0x1c, 0x20, 0x34
IQH, IQT, IQA, FRCD = 0x80, 0x88, 0x90, 0x220
TE, SRTP, QIE = 1 << 31, 1 << 30, 1 << 26

BARS = 0xe0000000
ANSWER_SECONDS = 900     # callgrind is slow
FEW_PAGES = 4096         # of data: all that most rows need

# Devices have the functions of slots from 4 on.
MANY = 32
DEVFNS = [4 << 3 | i for i in range(MANY)]

# Kinds of machines: options of the vIOMMU, number of devices.
SCALABLE = 'x-scalable-mode=on'
KINDS = {
    'none': (None, 2),
    'legacy': ('', 2),
    'legacy-many': ('', MANY),
    'caching': ('caching-mode=on', MANY),
    'first': (f'{SCALABLE},x-flts=on,x-pasid-mode=on', 2),
    'second': (f'{SCALABLE},x-pasid-mode=on', 2),
    'nested': (f'{SCALABLE},x-flts=on,nested=on,x-pasid-mode=on', 2),
    'wide': (f'{SCALABLE},x-flts=on,aw-bits=57', 2),
}
# A passed-through device on the reference host, beside the one that measures.
KINDS['host'] = (KINDS['nested'][0], 1)
HOST_DEVFN = 3 << 3
PASIDS = (64, 1024, 4000, 65536)
# Stock refuses device-iotlb=on with x-flts=on or x-pasid-mode=on; without the
# latter it does not show the capability, and works all the same.
PASID_OPTIONS = f'{SCALABLE},device-iotlb=on,x-pasid-mode=on'
KINDS.update({f'pasids-{n}': (PASID_OPTIONS, 2) for n in PASIDS})
OURS_ONLY = ('nested', 'wide', 'host')

# Names of variants; 'again' is a second stock QEMU, which tells the noise.
FLOOR, STOCK, AGAIN, OURS = 'floor', 'stock', 'again', 'ours'


def registers():
    """The device's registers and constants, from its header."""
    with open(f'{TOP}/tests/bench/device/iommu_bench_regs.h',
              encoding='utf-8') as stream:
        return {name: int(value, 0) for name, value in
                re.findall(r'^#define BENCH_(\w+) (\w+)', stream.read(), re.M)}


REG = registers()
starting = threading.Lock()    # the environment is one for all


def binary_of(name):
    """The QEMU of that variant."""
    folder = 'ours' if name == OURS else 'stock'
    return f'{TOP}/build/bench/{folder}/qemu-system-x86_64'


def data_word(page):
    """What page number `page` of the data begins with."""
    return (page + 1) * REG['FILL_FACTOR'] % (1 << 64)


class Variant:
    """One QEMU, with a vIOMMU that is driven like a guest would."""

    def __init__(self, name, kind, world, log, callgrind=None):
        self.name, self.kind, self.world = name, kind, world
        self.callgrind = callgrind
        options, self.devices = KINDS[kind]
        if options == PASID_OPTIONS and name != OURS:
            options = options.replace('x-pasid-mode=on', 'x-pasid-mode=off')
        arguments = [
            '-m', str(ALL >> 20), '-numa', 'node,memdev=shared', '-numa',
            'node,memdev=data', '-object', 'memory-backend-file,id=shared,'
            f'share=on,size={SHARED},mem-path={world.memory.path()}',
            '-object', f'memory-backend-ram,id=data,size={ALL - SHARED}']
        if options is not None:
            arguments += ['-device', f'intel-iommu,{options}'.rstrip(',')]
        for i, devfn in enumerate(DEVFNS[:self.devices]):
            arguments += ['-device', f'iommu-bench,id=b{i},multifunction=on,'
                          f'addr={devfn >> 3:x}.{devfn & 7}']
        variables = {}
        if callgrind:
            variables['BENCH_UNDER'] = callgrind.command()
        if kind == 'host':
            self.host = ReferenceHost()
            arguments += self.host.arguments(HOST_DEVFN)
            variables.update(self.host.variables())
        with starting:
            os.environ.update(variables)
            try:
                self.m = Machine(binary_of(name), arguments, log)
            finally:
                for variable in variables:
                    del os.environ[variable]
        for lines in (self.m.qtest, self.m.qmp):
            lines.socket.settimeout(ANSWER_SECONDS)
        self.mode = None
        self.known = [{} for _ in range(self.devices)]
        for i, devfn in enumerate(DEVFNS[:self.devices]):
            self.m.config_write32(devfn, 0x10, self.bar(i))
            self.m.config_write32(devfn, 0x04, 6)
        self.filled = 0
        if self.translated:
            self.wide = SCALABLE in options
            self.ring_on()

    @property
    def translated(self):
        return self.kind != 'none'

    @staticmethod
    def bar(index):
        return BARS + index * 0x10000

    def end(self):
        return self.m.end()

    # The device

    def set(self, index=0, **values):
        """Registers of the device, those that are not known to have that."""
        known = self.known[index]
        for name, value in values.items():
            value %= 1 << 64
            if known.get(name) != value:
                known[name] = value
                self.m.write64(self.bar(index) + REG[name], value)

    def get(self, name, index=0):
        return self.m.read64(self.bar(index) + REG[name])

    def fill(self, pages):
        """There is data in at least so many pages."""
        if pages > self.filled:
            self.filled = DATA_PAGES if pages > FEW_PAGES else FEW_PAGES
            self.command('FILL', BASE=DATA, STRIDE=PAGE, PAGES=self.filled)

    def command(self, name, index=0, **values):
        """Returns when it is over."""
        self.set(index, **values)
        self.m.write64(self.bar(index) + REG['COMMAND'], REG[f'CMD_{name}'])
        self.m.settle()
        for changed in ('TAIL', 'COMMAND'):
            self.known[index].pop(changed, None)
        if self.callgrind:
            self.callgrind.next_command()

    def instructions(self):
        """Those that the last command counted."""
        return self.callgrind.total()

    # The unit

    def ring_on(self):
        # 2^(8 + QS) narrow or 2^(7 + QS) wide descriptors
        order = (RING_BYTES >> 12).bit_length() - 1
        self.m.write64(UNIT + IQA, RING | (1 << 11 if self.wide else 0) |
                       order)
        self.m.write64(UNIT + IQT, 0)
        self.m.write32(UNIT + GCMD, QIE)
        self.set(RING_BYTES=RING_BYTES, DESC_BYTES=self.descriptor_bytes(),
                 TAIL=0)

    def descriptor_bytes(self):
        return 32 if self.wide else 16

    def ring_size(self):
        return RING_BYTES // self.descriptor_bytes()

    def fill_ring(self, pattern):
        """The ring is empty, its tail at the start, and it holds copies of
        the list `pattern`, whose length is a power of two."""
        if self.m.read64(UNIT + IQT):
            self.write_ring([d.wait()])
            self.m.write64(UNIT + IQT, 0)
            self.drained()
        self.set(TAIL=0)
        self.write_ring(pattern)

    def write_ring(self, pattern):
        padding = (0, 0) if self.wide else ()
        words = [word for low, high in pattern
                 for word in (low, high, *padding)]
        self.world.memory.write(
            RING, *words * (self.ring_size() // len(pattern)))

    def submit(self, *descriptors):
        """Have them worked on."""
        count = 1
        while count < len(descriptors):
            count *= 2
        filler = [d.wait()] * (count - len(descriptors))
        self.fill_ring([*descriptors, *filler])
        self.m.write64(UNIT + IQT,
                       len(descriptors) * self.descriptor_bytes())
        self.drained()

    def drained(self):
        """Until the queue is empty; an error of the queue is one here."""
        for _ in range(10000):
            head = self.m.read64(UNIT + IQH)
            if head == self.m.read64(UNIT + IQT):
                break
        else:
            raise Broken(f'{self}: the queue stays at {head:#x}')
        status = self.m.read32(UNIT + FSTS)
        if status & 0x70:
            raise Broken(f'{self}: the queue has stopped, FSTS {status:#x}')

    def drop_caches(self):
        everything = [d.context_global(), d.iotlb_global()]
        if self.wide:
            everything.insert(1, d.pasid_cache_global())
        self.submit(*everything)

    def set_mode(self, mode):
        if not self.translated or mode == self.mode:
            return
        self.m.write64(UNIT + RTADDR, self.world.roots[mode])
        self.m.write32(UNIT + GCMD, self.m.read32(UNIT + GSTS) &
                       (TE | QIE) | SRTP)
        self.drop_caches()
        self.m.write32(UNIT + GCMD, self.m.read32(UNIT + GSTS) &
                       (TE | QIE) | TE)
        self.mode = mode

    def forget_faults(self):
        self.m.write32(UNIT + FRCD + 12, 1 << 31)
        self.m.write32(UNIT + FSTS, 1)

    def __str__(self):
        return f'{self.name} ({self.kind})'
