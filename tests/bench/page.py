# SPDX-License-Identifier: GPL-2.0-or-later
"""build/bench/index.html: the results as drawings, in one file that needs
nothing else."""
import html
import math

WIDTH, LABELS, RIGHT, LINE, TOP = 900, 240, 150, 18, 34
COLOURS = {'floor': '#7f8c8d', 'stock': '#c0392b', 'again': '#e6b0aa',
           'ours': '#2471a3', 'target': '#1e8449'}
STYLE = '''
body { font: 15px/1.5 sans-serif; max-width: 60em; margin: 2em auto;
       padding: 0 1em; color: #222; background: #fff }
svg { width: 100%; height: auto; font: 12px sans-serif }
svg text { fill: #333 } .grid { stroke: #ddd } .one { stroke: #888 }
td, th { padding: 0 1em 0 0; text-align: left }
h2 { margin-top: 2em } .key span { margin-right: 1.5em }
'''


class Axis:
    """Logarithmic, from a value to a place between two others."""

    def __init__(self, values, start, end):
        values = [v for v in values if v and v > 0] or [1]
        self.low = math.floor(math.log10(min(values)) - 1e-9)
        self.high = max(math.ceil(math.log10(max(values)) + 1e-9),
                        self.low + 1)
        self.start, self.end = start, end

    def __call__(self, value):
        part = (math.log10(max(value, 1e-9)) - self.low) / \
            (self.high - self.low)
        return self.start + part * (self.end - self.start)

    def ticks(self):
        return [10.0 ** power for power in range(self.low, self.high + 1)]


def text(x, y, words, anchor='start'):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
            f'{html.escape(str(words))}</text>')


def line(x1, y1, x2, y2, **attributes):
    more = ' '.join(f'{name.rstrip("_").replace("_", "-")}="{value}"'
                    for name, value in attributes.items())
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'{more}/>')


def dot(x, y, colour, radius=4, title=''):
    return (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" '
            f'fill="{COLOURS[colour]}"><title>{html.escape(title)}</title>'
            '</circle>')


def svg(height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} '
            f'{height}" role="img">{"".join(parts)}</svg>')


def frame(names, axis):
    """Labels of lines and a grid; the height, and the parts."""
    bottom = TOP + LINE * len(names)
    parts = [line(axis(tick), TOP - 8, axis(tick), bottom, class_='grid')
             for tick in axis.ticks()]
    parts += [text(axis(tick), TOP - 14, f'{tick:g}', 'middle')
              for tick in axis.ticks()]
    parts += [text(LABELS - 8, TOP + LINE * i + 13, name, 'end')
              for i, name in enumerate(names)]
    return bottom + 8, parts


def tick_mark(x, y):
    return line(x, y - 7, x, y + 7, stroke=COLOURS['target'],
                stroke_width=2)


def ratios(rows):
    """{name: row of times.json}, those with a ratio to stock."""
    rows = {n: r for n, r in rows.items() if 'ours/stock' in r['ratio']}
    if not rows:
        return ''
    every = [v for r in rows.values() for ratio in r['ratio'].values()
             for v in ratio]
    axis = Axis([*every, 1], LABELS, WIDTH - RIGHT)
    height, parts = frame(rows, axis)
    parts.append(line(axis(1), TOP - 8, axis(1), height - 8, class_='one'))
    for i, row in enumerate(rows.values()):
        y = TOP + LINE * i + 9
        middle, low, high = row['ratio']['ours/stock']
        noise = row['ratio'].get('again/stock')
        if noise:
            parts.append(dot(axis(noise[0]), y, 'again', 3,
                             f'stock to stock {noise[0]:.2f}'))
        parts.append(line(axis(low), y, axis(high), y, stroke_width=2,
                          stroke=COLOURS['ours']))
        parts.append(dot(axis(middle), y, 'ours', title=f'{middle:.3f}'))
        if row['target']['stock']:
            parts.append(tick_mark(axis(row['target']['stock']), y))
        parts.append(text(WIDTH - RIGHT + 12, y + 4,
                          f'{middle:.2f} ({low:.2f} to {high:.2f})'))
    return svg(height, parts)


def absolutes(rows, variants=('floor', 'stock', 'ours')):
    """{name: ({variant: value}, target)} side by side."""
    every = [v for values, target in rows.values()
             for v in (*values.values(), target) if v]
    axis = Axis(every, LABELS, WIDTH - RIGHT)
    height, parts = frame(rows, axis)
    for i, (values, target) in enumerate(rows.values()):
        y = TOP + LINE * i + 9
        if target:
            parts.append(tick_mark(axis(target), y))
        parts += [dot(axis(values[name]), y, name, title=f'{name} '
                      f'{values[name]:,.0f}')
                  for name in variants if values.get(name)]
        parts.append(text(WIDTH - RIGHT + 12, y + 4,
                          f'{values.get("ours", 0):,.0f}'))
    return svg(height, parts)


def curves(points):
    """{variant: [(x, y)]}: both axes logarithmic."""
    across = Axis([x for p in points.values() for x, _ in p], 60, WIDTH - 90)
    up = Axis([y for p in points.values() for _, y in p], 260, 20)
    parts = [line(60, up(tick), WIDTH - 90, up(tick), class_='grid')
             for tick in up.ticks()]
    parts += [text(52, up(tick) + 4, f'{tick:g}', 'end')
              for tick in up.ticks()]
    last = 0
    for x in sorted({x for p in points.values() for x, _ in p}):
        if across(x) > last + 30:
            last = across(x)
            parts.append(text(last, 280, f'{x}', 'middle'))
    # From below up, so that names at the ends keep clear of each other.
    under = 300
    for name, places in sorted(points.items(), key=lambda p: max(p[1])[1]):
        path = ' '.join(f'{across(x):.1f},{up(y):.1f}'
                        for x, y in sorted(places))
        parts.append(f'<polyline points="{path}" fill="none" stroke-width="2"'
                     f' stroke="{COLOURS[name]}"/>')
        parts += [dot(across(x), up(y), name, 3, f'{y:.0f} ns')
                  for x, y in places]
        x, y = max(places)
        under = min(up(y) + 4, under - 13)
        parts.append(text(across(x) + 8, under, name))
    return svg(290, parts)


def working_sets(rows, median):
    """A drawing for each mode of the rows set/MODE-PAGES."""
    modes = {}
    for name, row in rows.items():
        if name.startswith('set/'):
            mode, pages = name[4:].rsplit('-', 1)
            for variant, times in row['ns'].items():
                if times and variant != 'again':
                    modes.setdefault(mode, {}).setdefault(
                        variant, []).append((int(pages), median(times)))
    return ''.join(f'<h3>{html.escape(mode)}: ns per read, by pages that are '
                   f'read</h3>{curves(points)}'
                   for mode, points in modes.items())


def further(rows, median):
    """A table of what rows tell besides a time."""
    lines = []
    for name, row in rows.items():
        for what in (row['more'].get('ours') or [{}])[0]:
            cells = [f'{median([more[what] for more in row["more"][v]]):,.4g}'
                     if row['more'].get(v) else ''
                     for v in ('floor', 'stock', 'ours')]
            lines.append('<tr>' + ''.join(
                f'<td>{html.escape(cell)}</td>'
                for cell in (name, what, *cells)) + '</tr>')
    if not lines:
        return ''
    return ('<table><tr><th></th><th></th><th>no vIOMMU</th><th>stock</th>'
            f'<th>ours</th></tr>{"".join(lines)}</table>')


def key():
    names = {'floor': 'no vIOMMU', 'stock': 'stock', 'ours': 'ours',
             'again': 'stock against stock', 'target': 'target'}
    return '<p class="key">' + ''.join(
        f'<span style="color:{COLOURS[name]}">&#9679; {words}</span>'
        for name, words in names.items()) + '</p>'


def groups_of(rows):
    found = {}
    for name, row in rows.items():
        found.setdefault(row['group'], {})[name] = row
    return found


def page(times, instructions, median):
    """The whole; either of the two may be empty."""
    parts = ['<!DOCTYPE html><html lang="en"><meta charset="utf-8">'
             '<title>intel-iommu: stock and ours</title>'
             f'<style>{STYLE}</style><h1>intel-iommu: stock and ours</h1>',
             key()]
    good = {n: r for n, r in times.items() if not r['problem']}
    sets = working_sets(good, median)
    if sets:
        parts.append(f'<h2>Working sets</h2>{sets}')
    for group, rows in groups_of(good).items():
        parts.append(f'<h2>{html.escape(group)}</h2>')
        drawing = ratios(rows)
        if drawing:
            parts.append(f'<h3>Time, ours to stock</h3>{drawing}')
        measured = {n: ({v: median(t) for v, t in r['ns'].items() if t},
                        r['target']['ns']) for n, r in rows.items()}
        parts.append('<h3>ns per operation</h3>' + absolutes(measured))
        parts.append(further(rows, median))
    for group, rows in groups_of(instructions).items():
        counts = {n: (r['count'], r['target']) for n, r in rows.items()}
        parts.append(f'<h2>{html.escape(group)}: instructions per operation'
                     f'</h2>{absolutes(counts)}')
    return ''.join(parts) + '</html>\n'
