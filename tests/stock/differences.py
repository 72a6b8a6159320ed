# SPDX-License-Identifier: GPL-2.0-or-later
"""Where ours is meant to differ from stock.  docs/differences.rst says why.

A difference names cases, and patterns of labels and of what the two show; they
match whole texts.
"""
import fnmatch
import re

# What cases.submitted() says of a descriptor.
TAKEN, STUCK = r'head \+1 FSTS 0x0 .*', r'head \+0 FSTS 0x10 .*'
# What Guest.access() says of a request.
DONE, QUIET, FAULT = 'there', '(refused|error [67])', r'.* fault .*'


class Difference:
    """One row: what it is called, where, and what is seen there."""

    def __init__(self, name, cases, label, ours='.*', stock='.*'):
        self.name, self.cases = name, cases.split()
        self.label, self.ours, self.stock = (
            re.compile(p) for p in (label, ours, stock))

    def of(self, case):
        return any(fnmatch.fnmatchcase(case, p) for p in self.cases)

    def explains(self, case, label, ours, stock):
        return (self.of(case) and self.label.fullmatch(label)
                and self.ours.fullmatch(ours) and self.stock.fullmatch(stock))


def code(number, rest='.*'):
    """A fault of that code."""
    return rf'.* fault {number:#04x} {rest}'


D = Difference
DIFFERENCES = [
    # Capabilities
    D('esrtps', 'reported/*', 'CAP bit 63', '0x1', '0x0'),
    D('esrtps', 'registers/*', '0x00[8c] .*', '0x8.*', '0x1?d2008c.*'),
    D('x-pasid-mode', 'reported/*x-pasid-mode=on', 'ECAP bit 3[5-9]', '0x1', '0x0'),
    # Registers
    D('reads-back', 'registers/*', '0x0(28|2c|f0|f4) . (ones|pattern)'),
    D('event-registers', 'registers/*', '0x0(3c|44|ac) 4 (ones|pattern)'),
    D('queue-address', 'registers/*', '0x09[04] . (ones|zeros|pattern)'),
    D('queue-address', 'queue-registers/*',
      '(size .: before|tail before the queue is on)'),
    D('two-registers', 'two-registers/*', 'zeros', '0x0', 'nothing'),
    D('two-registers', 'two-registers/*', 'the end', 'nothing', 'QEMU has ended'),
    D('compatibility-status', 'commands/*', '.*CFI.*: GSTS',
      '0x.*8.{5}', '0x(.*0.{5}|0)'),
    D('queue-off', 'commands/*', '1[456]: .*: GSTS',
      '0x[0-9a-f][0-3].{6}', '0x[0-9a-f][4-7].{6}'),
    D('queue-off', 'queue-registers/*', '(size .: off|off after an error)',
      'GSTS 0x0 .*', 'GSTS 0x4000000 .*'),
    D('domain-granularity', 'register-invalidation/*',
      'CCMD granularity 2 .*', '0x50000000', '0x48000000'),
    D('registers-with-queue', 'register-invalidation/*', 'queue on, .*',
      '0x(?![89a-f].{7}$|[89a-f].{15}$).*', '0x[89a-f](.{7}|.{15})'),
    # Queue
    D('device-tlb-without-ats', 'descriptor*',
      r'(pasid-)?device-tlb/.*|.*: bit \d|type 0x[38]', STUCK, TAKEN),
    D('wait-without-effect', 'descriptor*', r'wait/.*|.*: bit \d|type 0x5',
      TAKEN, STUCK),
    D('interrupt-mask', 'descriptor*', r'interrupt/.*|interrupt mask .*',
      STUCK, TAKEN),
    D('pasid-iotlb-mask', 'descriptor*',
      r'pasid-iotlb/pages?: bit 6[89]|pasid-iotlb order \d+', TAKEN, STUCK),
    D('pasid-cache-checks', 'descriptor*',
      r'pasid-cache/.*|.*: bit \d|type 0x7', STUCK, TAKEN),
    D('queue-width', 'queue-registers/wide',
      'size .: (on|off)|tail .*|on with a tail|bad descriptor|status.*|off .*'),
    # Faults
    D('pasid-in-records', 'fault-event', '.*', '.* FRCD 0x80000005.*',
      '.* FRCD 0x80ffff05.*'),
    D('pasid-in-records', 'fault-event', 'record cleared', '.* FRCD 0x5.*',
      '.* FRCD 0xffff05.*'),
    D('queue-goes-on', 'fault-event', r'queue error cleared|unmasked \(2\)',
      'FSTS 0x10 .*', 'FSTS 0x0 .*'),
    D('legacy-fault-codes', 'context/*', r'fault disable 2 reserved: .*', QUIET,
      code(0x0b)),
    D('legacy-fault-codes', '*/scalable-unit-legacy', 'result .*', code(0x0e),
      code(0x87)),
    # Scalable mode
    *(D('second-stage-codes', '*/second* scalable-context/*', '.*',
        code(ours), code(stock))
      for ours, stock in ((0x83, 0x04), (0x85, 0x05), (0x79, 0x05), (0x86, 0x06),
                          (0x79, 0x06), (0x78, 0x07), (0x7a, 0x0c), (0x7b, 0x03),
                          (0x5a, 0x03))),
    *(D('scalable-table-codes', 'root/* scalable-context/* fault-disable/*', '.*',
        code(ours), code(stock))
      for ours, stock in ((0x39, 0x01), (0x41, 0x02), (0x40, 0x09), (0x3a, 0x0a),
                          (0x42, 0x0b), (0x59, 0x5b), (0x48, 0x51), (0x48, 0x5b),
                          (0x52, 0x5b), (0x52, 0x58), (0x5a, 0x73), (0x30, 0x02),
                          (0x30, 0x5b))),
    D('upper-root-half', 'root/*', r'bit \d+: .*', DONE, code(0x0a)),
    D('scalable-reserved-bits', 'scalable-context/*', r'directory bit \d+: .*',
      code(0x52), DONE),
    D('scalable-reserved-bits', 'scalable-context/*', r'pasid bit \d+: .*',
      code(0x5a), DONE),
    D('first-stage-modes', 'scalable-context/*', r'pasid bit 1(28|35): .*',
      code(0x5b), DONE),
    D('first-stage-width', 'scalable-context/*',
      r'(pasid bit .|type 1 width .): .*', DONE, code(0x80)),
    D('rid-priv', 'scalable-context/*', 'context bit 84: .*', code(0x5d), DONE),
    D('fault-disable', 'fault-disable/*', '.*', QUIET, FAULT),
    D('pass-through-ends', 'scalable-pass-through/*',
      r'\d type [12] translated: .*', DONE, QUIET),
    D('pass-through-ends', 'scalable-pass-through/*',
      r'\d type [12] untranslated: .*', FAULT, DONE),
    D('fs1gp', 'pages/first-no-1g', '1G: .*', code(0x72)),
    # Ours has marked an entry (0x20, 0x40) that stock has not.
    D('accessed-and-dirty', 'accessed/*', '.*', '0x.?([67]|[2-7ab]|e).',
      '0x.?[02-8acd]?.'),
    # Interrupts
    D('compatibility-format', 'interrupt-requests/* interrupts-off',
      'compatibility format.*|address bit 4|on', code(0x25), 'vectors .*'),
    D('interrupt-entry-checks', 'interrupt-entries/*', r'bit \d+', code(0x24)),
    D('interrupt-entry-checks', 'interrupt-requests/*', 'source .* type 3 .*',
      code(0x24), code(0x26)),
    D('bus-range', 'interrupt-requests/*', 'source 0x(1|2.) type 2 .*',
      'vectors 80', code(0x26)),
    D('bus-range', 'interrupt-requests/*', 'source 0x100 type 2 .*', code(0x26),
      'vectors 80'),
    D('interrupt-index-in-records', 'interrupt-requests/*',
      'subhandle, data bit .*', code(0x20), code(0x20)),
]


def without_pasid(text):
    """A record of stock's as if it did not claim a PASID of 0."""
    return text.replace(' pasid 0x0', '')


def explain(case, label, ours, stock):
    """The name of the difference that this is, or None."""
    if without_pasid(stock) == ours:
        return 'pasid-in-records'
    for d in DIFFERENCES:
        if d.explains(case, label, ours, stock):
            return d.name
    return None


def idle(used, done, every_case):
    """Names that were not met though all of their cases are done."""
    return [name for name in dict.fromkeys(d.name for d in DIFFERENCES)
            if name not in used
            and all(case in done for case in every_case
                    for d in DIFFERENCES if d.name == name and d.of(case))]
