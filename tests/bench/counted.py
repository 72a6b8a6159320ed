# SPDX-License-Identifier: GPL-2.0-or-later
"""`make bench-instructions`: exact numbers, and what they have to be."""
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
    """Figures by variant."""
    found = {}
    for name, kind in row.variants():
        if name == AGAIN or (name == STOCK and not row.stock_counted):
            continue
        variant = session.get(name, kind)
        figures = row.measure(variant, 1, True)
        found[name] = figures
        if verbose and name == OURS:
            operations = variant.instructions() / figures.instructions
            for function, own in variant.callgrind.functions(FUNCTIONS):
                print(f'    {own / operations:8.1f}  {function}')
    return found


def run(rows, log, verbose):
    print(f'{"instructions per operation":34} {"floor":>9} {"stock":>9} '
          f'{"ours":>9} {"at most":>9}')
    passed, failed, counts, rows_by_name = 0, [], {}, {}
    with Session(log, counting=True) as session:
        for row in rows:
            try:
                figures = measure(session, row, verbose)
            except (Wrong, Broken) as problem:
                print(f'{row.name:34} {problem}', flush=True)
                failed.append(row.name)
                continue
            text, good = verdict(row, figures, counts)
            count = {name: f.instructions for name, f in figures.items()}
            cells = [f'{count[name]:9,.0f}' if name in count else ' ' * 9
                     for name in (FLOOR, STOCK, OURS)]
            print(f'{row.name:34} {" ".join(cells)} {text}', flush=True)
            counts[row.name] = count
            rows_by_name[row.name] = {
                'group': row.group, 'unit': row.unit, 'count': count,
                'more': figures[OURS].more,
                'target': row.target.instructions}
            if good:
                passed += 1
            else:
                failed.append(row.name)
    results.save('instructions', {'rows': rows_by_name})
    for name in failed:
        print(f'FAILED: {name}')
    print(f'{passed} passed, {len(failed)} failed')
    return 1 if failed else 0
