# SPDX-License-Identifier: GPL-2.0-or-later
"""Statistics of paired measurements."""
import functools
import random

RESAMPLES = 1000
CONFIDENCE = 0.95


def quantile(values, part):
    """Between the two nearest of the values, as their distance tells."""
    ordered = sorted(values)
    at = (len(ordered) - 1) * part
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def median(values):
    return quantile(values, 0.5)


def paired_ratios(values, others):
    """One for each round in which both were measured (not None)."""
    return [one / other for one, other in zip(values, others)
            if one is not None and other]


def interval(values, seed=1):
    """Of the median, by the bootstrap: (low, high)."""
    return bootstrap(tuple(values), seed)


@functools.lru_cache(maxsize=None)
def bootstrap(values, seed):
    draw = random.Random(seed)
    medians = [median(draw.choices(values, k=len(values)))
               for _ in range(RESAMPLES)]
    tail = (1 - CONFIDENCE) / 2
    return quantile(medians, tail), quantile(medians, 1 - tail)
