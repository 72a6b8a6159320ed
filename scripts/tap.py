# SPDX-License-Identifier: GPL-2.0-or-later
"""Count what test programs report in TAP, the test anything protocol.

A test that was skipped is neither passed nor failed: it is named, so that it
is seen.  A program that ends in an error without having reported a failed
test, or before all that its plan announced, counts as one failed test.
"""
import re

RESULT = re.compile(r'(not )?ok\b(?:\s+\d+)?(?:\s+-)?\s*(.*)')
PLAN = re.compile(r'1\.\.(\d+)')
SKIP = re.compile(r'#\s*skip\b', re.I)


class Count:
    """Passed and failed tests, and the names of failed and skipped ones."""

    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    def add(self, program, text, status):
        """Count one program's output; status 0 is its success."""
        results, planned, failed_before = 0, None, len(self.failed)
        for line in text.splitlines():
            plan = PLAN.fullmatch(line.split('#')[0].strip())
            result = RESULT.match(line)
            if plan:
                planned = int(plan.group(1))
            if not result:
                continue
            results += 1
            bad, name = result.groups()
            if SKIP.search(name):
                self.skipped.append(f'{program}: {name}')
            elif bad:
                self.failed.append(f'{program}: {name}')
            else:
                self.passed += 1
        if len(self.failed) > failed_before:
            return
        if status != 0:
            self.failed.append(f'{program}: ended with status {status}')
        elif planned is not None and results != planned:
            self.failed.append(f'{program}: {results} results of {planned}')
        elif results == 0 and planned is None:
            self.passed += 1

    def report(self):
        """The last line is `N passed, N failed`; returns the exit status."""
        for name in self.skipped:
            print(f'skipped: {name}')
        for name in self.failed:
            print(f'FAILED: {name}')
        print(f'{self.passed} passed, {len(self.failed)} failed', flush=True)
        return 1 if self.failed else 0
