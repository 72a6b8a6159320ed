# SPDX-License-Identifier: GPL-2.0-or-later
"""`make bench-instructions`: exact numbers, and what they have to be."""
import concurrent.futures
import os

import results
from rows import Wrong
from session import Session
from variants import AGAIN, FLOOR, OURS, STOCK, Broken

FUNCTIONS = 15       # shown of a profile


def limit_of(row, count, counts):
    """(instructions that ours may take, where that comes from)"""
    if row.target.instructions:
        return row.target.instructions, ''
    base = counts.get(row.flat)
    if base and row.flat != row.name:
        return 1.1 * base[OURS], f'as {row.flat}'
    return (count.get(STOCK) if row.beside_stock else None), 'stock'


def verdict(row, figures, counts):
    """(text, whether it is good)"""
    count = {name: f.instructions for name, f in figures.items()}
    limit, source = limit_of(row, count, counts)
    good, text = True, ''
    if limit is not None:
        good = count[OURS] <= limit
        text = f'{limit:9,.0f} {"ok" if good else "MISSED":6} {source}'
    for name, most in row.target.more.items():
        value = figures[OURS].more[name]
        met = value <= most
        good = good and met
        text += f' {value:g} {name}, at most {most:g}'
        text += '' if met else ': MISSED'
    return text, good


def measure(session, row, verbose):
    """Figures by variant, and lines about where ours has them."""
    found, profile = {}, []
    for name, kind in row.variants():
        if name == AGAIN or (name == STOCK and not row.stock_counted):
            continue
        variant = session.get(name, kind)
        figures = row.measure(variant, 1, True)
        found[name] = figures
        if verbose and name == OURS:
            operations = variant.callgrind.asked_total / figures.instructions
            profile = [f'    {own / operations:8.1f}  {function}' for
                       function, own in variant.callgrind.functions(FUNCTIONS)]
    return found, profile


def family(row):
    """Rows of a family share QEMUs, or are compared with each other."""
    return row.kind.split('-')[0]


def measure_family(rows, log, verbose):
    """[(row, figures by variant or what went wrong, profile)]"""
    found = []
    with Session(log, True, family(rows[0])) as session:
        for row in rows:
            try:
                found.append((row, *measure(session, row, verbose)))
            except (Wrong, Broken) as problem:
                found.append((row, str(problem), []))
    return found


def families(rows, log, verbose):
    """As many at a time as there are processors; results in order."""
    members = {}
    for row in rows:
        members.setdefault(family(row), []).append(row)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        tasks = [pool.submit(measure_family, group, log, verbose)
                 for group in members.values()]
        try:
            for task in tasks:
                yield from task.result()
        except BaseException:
            Session.stop_all()
            raise


class Report:
    """The table, and what is left of it."""

    def __init__(self):
        self.passed, self.failed, self.counts, self.rows = 0, [], {}, {}
        print(f'{"instructions per operation":34} {"floor":>9} {"stock":>9} '
              f'{"ours":>9} {"at most":>9}')

    def add(self, row, figures):
        if isinstance(figures, str):
            print(f'{row.name:34} {figures}', flush=True)
            self.failed.append(row.name)
            return
        text, good = verdict(row, figures, self.counts)
        count = {name: f.instructions for name, f in figures.items()}
        cells = [f'{count[name]:9,.0f}' if name in count else ' ' * 9
                 for name in (FLOOR, STOCK, OURS)]
        print(f'{row.name:34} {" ".join(cells)} {text}', flush=True)
        self.counts[row.name] = count
        self.rows[row.name] = {
            'group': row.group, 'unit': row.unit, 'count': count,
            'more': figures[OURS].more, 'target': row.target.instructions}
        if good:
            self.passed += 1
        else:
            self.failed.append(row.name)


def run(rows, log, verbose):
    report = Report()
    for row, figures, profile in families(rows, log, verbose):
        report.add(row, figures)
        for line in profile:
            print(line)
    results.save('instructions', {'rows': report.rows})
    for name in report.failed:
        print(f'FAILED: {name}')
    print(f'{report.passed} passed, {len(report.failed)} failed')
    return 1 if report.failed else 0
