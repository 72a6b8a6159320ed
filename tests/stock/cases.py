# SPDX-License-Identifier: GPL-2.0-or-later
"""What both QEMUs are put through: the list; the cases_*.py fill it.

A case is a function that drives one guest and notes what it sees under
labels; the same labels must show the same in both.
"""
LEGACY = 'intremap=on'
NARROW = 'intremap=on,aw-bits=39'
SECOND = 'intremap=on,x-scalable-mode=on'
FIRST = 'intremap=on,x-scalable-mode=on,x-flts=on'

CASES = []       # (name, properties, function)


def case(name, *properties):
    def register(function):
        CASES.append((name, properties[0] if properties else LEGACY, function))
        return function
    return register


def each(name, **modes):
    """The same case for several units: modes[suffix] = (properties, ...)."""
    def register(function):
        for suffix, (properties, *more) in modes.items():
            CASES.append((f'{name}/{suffix}', properties,
                          lambda g, note, m=more: function(g, note, *m)))
        return function
    return register
