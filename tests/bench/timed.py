# SPDX-License-Identifier: GPL-2.0-or-later
"""`make bench`: times, as ratios of what was measured in the same round."""
import os
import time

import results
import stats
from rows import Wrong
from session import Session
from variants import AGAIN, FLOOR, OURS, STOCK, Broken

# Seconds after which no round begins, and rounds at most.
FULL = (360, 21)
SHORT = (40, 6)
LEAST = 3
RARE = 5             # rounds of rows that take long
SLOW = 3             # of those that take seconds
# Where a process has its memory makes a difference that stays for its life, so
# there are new ones after so many rounds.
ROUNDS_OF_A_PROCESS = 3


class Series:
    """What was measured of one row: by variant, one figure for each round."""

    def __init__(self, row):
        self.row = row
        self.figures = {name: [] for name, _ in row.variants()}
        self.problem = None

    def times(self, name):
        return [f.ns for f in self.figures.get(name, [])]

    def more(self, name, what):
        return [f.more[what] for f in self.figures.get(name, [])]

    def notes(self):
        """A line for each of the further figures."""
        first = self.figures[OURS][0].more if self.figures[OURS] else {}
        for what in first:
            yield f'{what}: ' + ', '.join(
                f'{name} {stats.median(self.more(name, what)):.4g}'
                for name in (FLOOR, STOCK, OURS) if self.times(name))

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
        """Targets on whose wrong side the whole interval lies; a few figures
        have none."""
        if len(self.times(OURS)) < LEAST:
            return []
        target, found = self.row.target, []
        for text, limit, other in (('stock', target.stock, STOCK),
                                   ('floor', target.floor, FLOOR)):
            ratio = limit and self.ratio(OURS, other)
            if ratio and ratio[1] > limit:
                found.append(f'over {limit:.2f} x {text}')
        ratio = self.ratio(OURS, STOCK)
        noise = self.ratio(AGAIN, STOCK) or (1, 1, 1)
        if self.row.beside_stock and ratio and ratio[1] > max(noise[2], 1):
            found.append('slower than stock')
        found += [f'{name} over {most:g}'
                  for name, most in target.more.items()
                  if stats.interval(self.more(OURS, name))[0] > most]
        found += [f'{name} under {least:g}'
                  for name, least in target.least.items()
                  if stats.interval(self.more(OURS, name))[1] < least]
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
    if not times:
        return ' ' * 9
    middle = stats.median(times)
    return f'{middle:9,.0f}' if middle < 1e7 else f'{middle / 1e6:6,.0f} ms'


def ratio_cell(ratio, width=16):
    if not ratio:
        return ' ' * width
    return f'{ratio[0]:.2f} {ratio[1]:.2f}-{ratio[2]:.2f}'.rjust(width)


def print_table(series):
    series = [s for s in series if s.problem or s.times(OURS)]
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
        for note in s.notes():
            print(f'{"":36}{note}')


def circumstances():
    with open('/proc/stat', encoding='utf-8') as stream:
        steal = int(stream.readline().split()[8])
    return {'load': os.getloadavg(), 'steal_ticks': steal,
            'processors': os.cpu_count()}


def wanted(series, number, short):
    """Whether the row is measured in that round."""
    row = series.row
    if series.problem:
        return False
    turn, rest = divmod(number, ROUNDS_OF_A_PROCESS)
    most = SLOW if row.slow else RARE
    return not (row.rare or row.slow) or \
        (rest == 0 and turn < most and not short)


def one_round(series, session, number, short):
    for s in series:
        if wanted(s, number, short):
            try:
                s.round(session, number)
            except (Wrong, Broken) as problem:
                s.problem = str(problem)


def measure(series, log, short):
    seconds, rounds = SHORT if short else FULL
    start, number = time.monotonic(), 0
    while number < rounds:
        with Session(log, counting=False) as session:
            for _ in range(ROUNDS_OF_A_PROCESS):
                one_round(series, session, number, short)
                number += 1
                if number >= LEAST and time.monotonic() > start + seconds:
                    return


def run(rows, log, short):
    series = [Series(row) for row in rows]
    before = circumstances()
    measure(series, log, short)
    after = circumstances()
    print_table(series)
    missed = sum(len(s.missed()) for s in series if s.times(OURS))
    print(f'{missed} targets are missed, by the whole interval')
    print(f'load {before["load"][0]:.1f} to {after["load"][0]:.1f}, stolen '
          f'{after["steal_ticks"] - before["steal_ticks"]} ticks')
    results.save('times', {
        'before': before, 'after': after,
        'rows': {s.row.name: s.as_json() for s in series}})
    failed = [s.row.name for s in series if s.problem]
    for name in failed:
        print(f'FAILED: {name}')
    print(f'{len(series) - len(failed)} passed, {len(failed)} failed')
    return 1 if failed else 0
