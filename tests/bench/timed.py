# SPDX-License-Identifier: GPL-2.0-or-later
"""`make bench`: times, as ratios of what was measured in the same round."""
import json
import os
import time

import stats
from rows import Wrong
from session import Session
from variants import AGAIN, FLOOR, OURS, STOCK, TOP, Broken

# (seconds for all rounds, rounds at most, rounds of rare rows)
FULL = (480, 21, 5)
SHORT = (40, 5, 1)
LEAST = 3


class Series:
    """What was measured of one row: by variant, one figure for each round."""

    def __init__(self, row):
        self.row = row
        self.figures = {name: [] for name, _ in row.variants()}
        self.problem = None

    def times(self, name):
        return [f.ns for f in self.figures.get(name, [])]

    def ratio(self, one, other):
        """(median, low, high), or None."""
        ratios = stats.paired_ratios(self.times(one), self.times(other))
        if not ratios:
            return None
        return (stats.median(ratios), *stats.interval(ratios))

    def round(self, session, number):
        variants = self.row.variants()
        turn = number % len(variants)
        found = {}
        for name, kind in variants[turn:] + variants[:turn]:
            found[name] = self.row.measure(session.get(name, kind),
                                           number + 1, False)
        for name, figures in found.items():
            self.figures[name].append(figures)

    def missed(self):
        """Targets that the whole interval lies above."""
        target, found = self.row.target, []
        for text, limit, other in (('stock', target.stock, STOCK),
                                   ('floor', target.floor, FLOOR)):
            ratio = limit and self.ratio(OURS, other)
            if ratio and ratio[1] > limit:
                found.append(f'over {limit:.2f} x {text}')
        times = self.times(OURS)
        if target.ns and stats.interval(times)[0] > target.ns:
            found.append(f'over {target.ns:g} ns')
        return found

    def as_json(self):
        ratios = {f'{one}/{other}': self.ratio(one, other) for one, other in
                  ((OURS, STOCK), (OURS, FLOOR), (AGAIN, STOCK))}
        return {
            'group': self.row.group, 'unit': self.row.unit,
            'problem': self.problem,
            'ns': {name: self.times(name) for name in self.figures},
            'more': {name: [f.more for f in figures]
                     for name, figures in self.figures.items()},
            'ratio': {key: value for key, value in ratios.items() if value},
            'target': vars(self.row.target)}


def cell(times):
    return f'{stats.median(times):9,.0f}' if times else ' ' * 9


def ratio_cell(ratio, width=16):
    if not ratio:
        return ' ' * width
    return f'{ratio[0]:.2f} {ratio[1]:.2f}-{ratio[2]:.2f}'.rjust(width)


def print_table(series):
    print(f'{"ns per operation, medians":34} {"floor":>9} {"stock":>9} '
          f'{"ours":>9} {"ours/stock":>16} {"ours/floor":>16} '
          f'{"stock/stock":>16}')
    for s in series:
        if s.problem:
            print(f'{s.row.name:34} {s.problem}')
            continue
        print(f'{s.row.name:34} {cell(s.times(FLOOR))} '
              f'{cell(s.times(STOCK))} {cell(s.times(OURS))} '
              f'{ratio_cell(s.ratio(OURS, STOCK))} '
              f'{ratio_cell(s.ratio(OURS, FLOOR))} '
              f'{ratio_cell(s.ratio(AGAIN, STOCK))}  {", ".join(s.missed())}')


def circumstances():
    with open('/proc/stat', encoding='utf-8') as stream:
        steal = int(stream.readline().split()[8])
    return {'load': os.getloadavg(), 'steal_ticks': steal,
            'processors': os.cpu_count()}


def measure(series, session, short):
    seconds, rounds, rare = SHORT if short else FULL
    end = time.monotonic() + seconds
    for number in range(rounds):
        for s in series:
            late = number >= LEAST and time.monotonic() > end
            if s.problem or late or (s.row.rare and number >= rare):
                continue
            try:
                s.round(session, number)
            except (Wrong, Broken) as problem:
                s.problem = str(problem)
        if time.monotonic() > end and number + 1 >= LEAST:
            return


def run(rows, log, short):
    series = [Series(row) for row in rows]
    before = circumstances()
    with Session(log, counting=False) as session:
        measure(series, session, short)
    after = circumstances()
    print_table(series)
    print(f'load {before["load"][0]:.1f} to {after["load"][0]:.1f}, stolen '
          f'{after["steal_ticks"] - before["steal_ticks"]} ticks')
    results = {'before': before, 'after': after,
               'rows': {s.row.name: s.as_json() for s in series}}
    with open(f'{TOP}/build/bench/times.json', 'w',
              encoding='utf-8') as stream:
        json.dump(results, stream, indent=1)
    failed = [s.row.name for s in series if s.problem]
    for name in failed:
        print(f'FAILED: {name}')
    print(f'{len(series) - len(failed)} passed, {len(failed)} failed')
    return 1 if failed else 0
