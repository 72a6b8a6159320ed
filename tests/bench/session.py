# SPDX-License-Identifier: GPL-2.0-or-later
"""The QEMUs of a run, started when the first row needs them."""
import os

from callgrind import Callgrind
from guest_memory import World
from variants import DEVFNS, TOP, Variant


class Session:
    """All variants at once; `counting` runs them under callgrind."""

    def __init__(self, log, counting):
        self.world = World(DEVFNS)
        self.log, self.counting = log, counting
        self.variants = {}

    def get(self, name, kind):
        key = name, kind
        if key not in self.variants:
            callgrind = None
            if self.counting:
                folder = f'{TOP}/build/bench/callgrind'
                os.makedirs(folder, exist_ok=True)
                callgrind = Callgrind(folder, f'{name}-{kind}')
            self.variants[key] = Variant(name, kind, self.world, self.log,
                                         callgrind)
        return self.variants[key]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for variant in self.variants.values():
            variant.end()
