# SPDX-License-Identifier: GPL-2.0-or-later
"""What callgrind counts in a QEMU that runs under it."""
import glob
import os
import re


class Callgrind:
    """Of one QEMU: FOLDER/NAME.N is about the device's Nth command."""

    def __init__(self, folder, name):
        self.base = f'{folder}/{name}'
        self.commands = 0
        self.asked, self.asked_total = '', 0
        for old in glob.glob(f'{self.base}.*'):
            os.remove(old)

    def command(self):
        return ('valgrind --tool=callgrind --collect-atstart=no '
                '--instr-atstart=no --dump-line=no '
                f'--callgrind-out-file={self.base} '
                f'--log-file={self.base}.log')

    def next_command(self):
        """One is over; what was counted before it goes."""
        if os.path.exists(f'{self.base}.{self.commands}'):
            os.remove(f'{self.base}.{self.commands}')
        self.commands += 1

    def text(self):
        with open(f'{self.base}.{self.commands}', encoding='utf-8') as stream:
            return stream.read()

    def total(self):
        """Instructions of the last command.  functions() are of the one that
        was asked about last: rows give commands behind what they count."""
        self.asked = self.text()
        found = re.search(r'^(?:totals|summary): (\d+)', self.asked, re.M)
        self.asked_total = int(found.group(1))
        return self.asked_total

    def functions(self, count):
        """(function, its own instructions), the most expensive first."""
        names, own, current, skip = {}, {}, None, False
        for line in self.asked.split('\n'):
            name = re.match(r'(c?fn)=\((\d+)\)(?: (.*))?', line)
            if name:
                which, number, text = name.groups()
                if text:
                    names[number] = text
                if which == 'fn':
                    current = number
            elif line.startswith('calls='):
                skip = True
            elif re.match(r'[+*\-\d]', line):
                if not skip and current:
                    own[current] = own.get(current, 0) + \
                        int(line.split()[1])
                skip = False
        ranking = sorted(own.items(), key=lambda item: -item[1])
        return [(names[number], value) for number, value in ranking[:count]]
