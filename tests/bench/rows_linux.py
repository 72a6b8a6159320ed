# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows about a Linux guest, which tests/guest boots under TCG: coarse."""
import dataclasses
import functools
import os
import re
import subprocess

from rows import Figures, Row, Wrong
from variants import OURS, STOCK, TOP, binary_of

CONFIGS = {'legacy': '6.12-legacy-strict-ir', 'first': '6.12-first-strict-ir'}
SAYS = re.compile(rb'^\[ *(\d+\.\d+)\] guest: (?:ok \d+ - )?(\S+)', re.M)


@functools.lru_cache(maxsize=None)
def seconds_of(variant, mode, run):
    """{what init says: seconds since what it said before}, or what went
    wrong; of boot number @run."""
    config = CONFIGS[mode]
    subprocess.run([f'{TOP}/scripts/install-packages', 'guest'], check=True)
    done = subprocess.run(
        [f'{TOP}/tests/guest/run', config], check=False, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, 'STOCK': binary_of(variant)})
    try:
        with open(f'{TOP}/build/guest/log/{config}/console', 'rb') as stream:
            said = SAYS.findall(stream.read())
    except FileNotFoundError:
        return done.stdout[-500:]
    found, before = {}, 0.0
    for at, what in said:
        found[what.decode()] = float(at) - before
        before = float(at)
    return found


@dataclasses.dataclass(kw_only=True)
class LinuxRow(Row):
    mode: str
    part: str
    kind: str = 'linux'
    group: str = 'a Linux guest'
    counted: bool = False
    slow: bool = True
    unit: str = 'run'

    def variants(self):
        return [(STOCK, 'linux'), (OURS, 'linux')]

    def measure(self, v, seed, counting):
        found = seconds_of(v.name, self.mode, seed)
        if self.part not in found:
            raise Wrong(f'{v.name}: the guest does not say {self.part}: '
                        f'{found}')
        return Figures(found[self.part] * 1e9)


def linux_rows():
    for mode in CONFIGS:
        for name, part in (('boot', 'GUEST-INIT'), ('nvme', 'nvme-read'),
                           ('net', 'vnet-receive')):
            yield LinuxRow(name=f'linux/{name}-{mode}', mode=mode, part=part)
