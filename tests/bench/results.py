# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run leaves in build/bench: times.json, instructions.json, and a page
that shows both."""
import json
import os

import page
import stats
from variants import TOP

FOLDER = f'{TOP}/build/bench'


def load(name):
    path = f'{FOLDER}/{name}.json'
    if not os.path.exists(path):
        return {}
    with open(path, encoding='utf-8') as stream:
        return json.load(stream).get('rows', {})


def save(name, content):
    """`content` has the rows under 'rows'."""
    with open(f'{FOLDER}/{name}.json', 'w', encoding='utf-8') as stream:
        json.dump(content, stream, indent=1)
    with open(f'{FOLDER}/index.html', 'w', encoding='utf-8') as stream:
        stream.write(page.page(load('times'), load('instructions'),
                               stats.median))
    print(f'build/bench/{name}.json, build/bench/index.html')
