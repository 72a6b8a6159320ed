# SPDX-License-Identifier: GPL-2.0-or-later
"""The QEMUs of a run, started when the first row needs them."""
import dataclasses
import os

from callgrind import Callgrind
from guest_memory import World
from variants import DEVFNS, HOST_DEVFN, TOP, Broken, Variant


@dataclasses.dataclass
class Named:
    """A variant that is started by somebody else."""
    name: str


class Session:
    """All variants at once; `counting` runs them under callgrind, with files
    that bear the `label`."""

    active = []
    stopped = False

    def __init__(self, log, counting, label=''):
        self.world = World([*DEVFNS, HOST_DEVFN])
        self.log, self.counting, self.label = log, counting, label
        self.variants = {}

    @classmethod
    def stop_all(cls):
        """Those of other threads, too: they meet QEMUs that have ended."""
        cls.stopped = True
        for session in list(cls.active):
            for variant in list(session.variants.values()):
                variant.m.process.kill()

    def get(self, name, kind):
        if self.stopped:
            raise Broken('interrupted')
        if kind == 'linux':
            return Named(name)
        key = name, kind
        if key not in self.variants:
            callgrind = None
            if self.counting:
                folder = f'{TOP}/build/bench/callgrind'
                os.makedirs(folder, exist_ok=True)
                callgrind = Callgrind(folder, f'{self.label}-{name}-{kind}')
            self.variants[key] = Variant(name, kind, self.world, self.log,
                                         callgrind)
        return self.variants[key]

    def __enter__(self):
        self.active.append(self)
        return self

    def __exit__(self, *_):
        self.active.remove(self)
        for variant in self.variants.values():
            variant.end()
        self.world.memory.close()
