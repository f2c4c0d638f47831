"""A sparse log-linear histogram of durations, merged by adding.

A bucket is named by one integer. Up to 256 us every microsecond has a bucket of its own; above,
each power of two is cut into 128 equal parts, so that a bucket's midpoint is at most 1/256 (0.39 %)
away from any value in it. A histogram is a plain mapping bucket -> count: it is JSON-friendly, it
can be merged across processes and seconds without loss, and an empty one costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TypeAlias

Histogram: TypeAlias = Mapping[int, int]

SUB_BITS = 7
#: Below this many samples beyond the quantile a percentile is an anecdote, and is withheld.
TAIL_SAMPLES = 10


def bucket_of(value_us: int) -> int:
    """The bucket of *value_us* (whole microseconds, not negative)."""
    shift = value_us.bit_length() - SUB_BITS - 1
    if shift <= 0:
        return value_us
    return (shift << (SUB_BITS + 1)) + (value_us >> shift)


def midpoint_us(bucket: int) -> int:
    """The value that stands for all values of *bucket*."""
    shift, mantissa = bucket >> (SUB_BITS + 1), bucket & ((1 << (SUB_BITS + 1)) - 1)
    return bucket if shift == 0 else (mantissa << shift) + (1 << (shift - 1))


def add(total: dict[int, int], part: Histogram) -> None:
    """Add *part* into *total*."""
    for bucket, count in part.items():
        total[bucket] = total.get(bucket, 0) + count


def merged(parts: Iterable[Histogram]) -> dict[int, int]:
    """The histogram of all samples of *parts*."""
    total: dict[int, int] = {}
    for part in parts:
        add(total, part)
    return total


def count(histogram: Histogram) -> int:
    """How many samples there are."""
    return sum(histogram.values())


def quantile_ms(histogram: Histogram, q: float) -> float | None:
    """The *q*-quantile (nearest rank: the ceil(n*q)-th smallest) in milliseconds, None if empty."""
    n = count(histogram)
    if n == 0:
        return None
    rank, seen = max(1, math.ceil(n * q - 1e-9)), 0
    for bucket in sorted(histogram):
        seen += histogram[bucket]
        if seen >= rank:
            return midpoint_us(bucket) / 1000
    raise AssertionError("a rank beyond the last sample")


def measurable(n: int, q: float) -> bool:
    """Whether *n* samples can carry the *q*-quantile: at least ten must lie beyond it."""
    return n * (1 - q) >= TAIL_SAMPLES - 1e-9


def to_pairs(histogram: Histogram) -> list[list[int]]:
    """JSON form: `[[bucket, count], ...]` in order of the bucket."""
    return [[bucket, histogram[bucket]] for bucket in sorted(histogram)]


def from_pairs(pairs: Iterable[Iterable[int]]) -> dict[int, int]:
    """The histogram of the JSON form. Repeated buckets add up."""
    total: dict[int, int] = {}
    for bucket, n in pairs:
        total[bucket] = total.get(bucket, 0) + n
    return total
