# SPDX-License-Identifier: GPL-2.0-or-later
"""The reference host of tests/host under one QEMU: see
tests/qtest/reference-host-control.h for what both sides map."""
import ctypes
import mmap
import os

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__))))
LIBRARY = f'{TOP}/build/host/reference-host.so'
IOMMUFD_FD, DEVICE_FD = 300, 310
KINDS, INJECTIONS, LOG = 15, 4, 2048
IOMMUFD = 1
HWPT_INVALIDATE = 0x3b8d


class Call(ctypes.Structure):
    _fields_ = [('kind', ctypes.c_uint32), ('request', ctypes.c_uint32),
                ('result', ctypes.c_int64), ('injected', ctypes.c_uint32),
                ('size', ctypes.c_uint32), ('extra_size', ctypes.c_uint32),
                ('arg', ctypes.c_uint64), ('data', ctypes.c_uint32 * 24),
                ('extra', ctypes.c_uint8 * 480)]

    def entries(self):
        """Of an invalidation."""
        entry_len, count = self.data[5], self.data[6]
        if self.extra_size != entry_len * count or self.result:
            raise ValueError('an invalidation that is none')
        return count


class Control(ctypes.Structure):
    _fields_ = [('config', ctypes.c_char * 1024),
                ('injections', ctypes.c_uint32 * (8 * INJECTIONS)),
                ('calls', ctypes.c_uint32), ('injected', ctypes.c_uint32),
                ('live', ctypes.c_int32 * KINDS),
                ('leaked', ctypes.c_int32 * KINDS),
                ('dma_refused', ctypes.c_uint32),
                ('dma_lost', ctypes.c_uint32), ('cached', ctypes.c_uint32),
                ('log', Call * LOG)]


class ReferenceHost:
    def __init__(self):
        self.fd = os.memfd_create('reference-host')
        os.ftruncate(self.fd, ctypes.sizeof(Control))
        self.control = Control.from_buffer(
            mmap.mmap(self.fd, ctypes.sizeof(Control)))

    def variables(self):
        return {'LD_PRELOAD': LIBRARY,
                'REFERENCE_HOST': f'/proc/{os.getpid()}/fd/{self.fd}'}

    @staticmethod
    def arguments(devfn):
        return ['-object', f'iommufd,id=iommufd0,fd={IOMMUFD_FD}', '-device',
                f'vfio-pci,fd={DEVICE_FD},iommufd=iommufd0,'
                f'addr={devfn >> 3:x}.{devfn & 7}']

    def since(self, calls):
        """The calls after so many, all of which are still in the log."""
        if self.control.calls - calls > LOG:
            raise ValueError('more calls than the log holds')
        return [self.control.log[i % LOG]
                for i in range(calls, self.control.calls)]
