# SPDX-License-Identifier: GPL-2.0-or-later
"""The reference host of tests/host under one QEMU, and the file that it shares
with us: tests/qtest/reference-host-control.h, which is read for its layout."""
import ctypes
import mmap
import os
import re
import struct

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__))))
LIBRARY = f'{TOP}/build/host/reference-host.so'
HEADER = f'{TOP}/tests/qtest/reference-host-control.h'
HWPT_INVALIDATE = 0x3b8d
TYPES = {'char': ctypes.c_char, 'uint8_t': ctypes.c_uint8,
         'int32_t': ctypes.c_int32, 'uint32_t': ctypes.c_uint32,
         'int64_t': ctypes.c_int64, 'uint64_t': ctypes.c_uint64}


def read_header(text):
    """({constant: number}, {struct: type}) of a header like that one."""
    text = re.sub(r'/\*.*?\*/', '', text, flags=re.S)
    numbers = {name: int(value) for name, value in
               re.findall(r'^#define (\w+) (\d+)\s*$', text, re.M)}
    for body in re.findall(r'typedef enum \w+ \{(.*?)\}', text, re.S):
        for i, name in enumerate(re.findall(r'\w+', body)):
            numbers[name] = i
    types = dict(TYPES)
    for name, body in re.findall(r'typedef struct (\w+) \{(.*?)\n\}', text,
                                 re.S):
        fields = []
        for kind, field, count in re.findall(
                r'(\w+) (\w+)(?:\[(\w+)\])?;', body):
            wanted = types[kind]
            if count:
                wanted *= int(numbers.get(count, count))
            fields.append((field, wanted))
        types[name] = type(name, (ctypes.Structure,), {'_fields_': fields})
    return numbers, types


with open(HEADER, encoding='utf-8') as _stream:
    NUMBERS, STRUCTS = read_header(_stream.read())
IOMMUFD = NUMBERS['REF_IOMMUFD']


def entries(call):
    """How many an invalidation has: fields of struct iommu_hwpt_invalidate."""
    entry_len, count = struct.unpack_from('=II', bytes(call.data), 20)
    if call.extra_size != entry_len * count or call.result:
        raise ValueError('an invalidation that is none')
    return count


class ReferenceHost:
    def __init__(self):
        size = ctypes.sizeof(STRUCTS['RefControl'])
        self.fd = os.memfd_create('reference-host')
        os.ftruncate(self.fd, size)
        self.control = STRUCTS['RefControl'].from_buffer(
            mmap.mmap(self.fd, size))

    def variables(self):
        return {'LD_PRELOAD': LIBRARY,
                'REFERENCE_HOST': f'/proc/{os.getpid()}/fd/{self.fd}'}

    @staticmethod
    def arguments(devfn):
        return ['-object',
                f'iommufd,id=iommufd0,fd={NUMBERS["REF_IOMMUFD_FD"]}',
                '-device', f'vfio-pci,fd={NUMBERS["REF_DEVICE_FD"]},'
                f'iommufd=iommufd0,addr={devfn >> 3:x}.{devfn & 7}']

    def since(self, calls):
        """The calls after so many, all of which are still in the log."""
        log = self.control.log
        if self.control.calls - calls > len(log):
            raise ValueError('more calls than the log holds')
        return [log[i % len(log)] for i in range(calls, self.control.calls)]
