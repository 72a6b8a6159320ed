# SPDX-License-Identifier: GPL-2.0-or-later
"""`make bench-instructions`: exact numbers, and what they have to be."""
import json

from rows import Wrong
from session import Session
from variants import AGAIN, FLOOR, OURS, STOCK, TOP, Broken

FUNCTIONS = 15       # shown of a profile


def verdict(row, count):
    """(text, whether it is good)"""
    ours, stock = count[OURS], count.get(STOCK)
    limit = row.target.instructions
    if limit is None:
        if stock is None:
            return '', True
        limit = stock
    good = ours <= limit
    text = f'{limit:9,.0f}' if row.target.instructions else '    stock'
    return f'{text}  {"ok" if good else "MISSED"}', good


def measure(session, row, verbose):
    """Instructions per operation by variant."""
    count = {}
    for name, kind in row.variants():
        if name == AGAIN:
            continue         # the same number as stock's
        variant = session.get(name, kind)
        figures = row.measure(variant, 1, True)
        count[name] = figures.instructions
        if verbose and name == OURS:
            operations = variant.instructions() / figures.instructions
            for function, own in variant.callgrind.functions(FUNCTIONS):
                print(f'    {own / operations:8.1f}  {function}')
    return count


def run(rows, log, verbose):
    print(f'{"instructions per operation":34} {"floor":>9} {"stock":>9} '
          f'{"ours":>9} {"at most":>9}')
    passed, failed, results = 0, [], {}
    with Session(log, counting=True) as session:
        for row in rows:
            try:
                count = measure(session, row, verbose)
            except (Wrong, Broken) as problem:
                print(f'{row.name:34} {problem}', flush=True)
                failed.append(row.name)
                continue
            text, good = verdict(row, count)
            cells = [f'{count[name]:9,.0f}' if name in count else ' ' * 9
                     for name in (FLOOR, STOCK, OURS)]
            print(f'{row.name:34} {" ".join(cells)} {text}', flush=True)
            results[row.name] = {**count, 'target': row.target.instructions}
            if good:
                passed += 1
            else:
                failed.append(row.name)
    with open(f'{TOP}/build/bench/instructions.json', 'w',
              encoding='utf-8') as stream:
        json.dump(results, stream, indent=1)
    for name in failed:
        print(f'FAILED: {name}')
    print(f'{passed} passed, {len(failed)} failed')
    return 1 if failed else 0
