"""Quantities: what is read, what is refused with which words, and how they are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.model.units import (
    UnitError,
    bandwidth_kb_per_s,
    duration_ms,
    duration_us,
    format_ms,
    format_ratio,
    rate_per_s,
    ratio,
    size_bytes,
)

READ: list[tuple[Callable[[object], object], object, object]] = [
    (duration_ms, "800ms", 800),
    (duration_ms, " 2s ", 2_000),
    (duration_ms, "1m30s", 90_000),
    (duration_ms, "1.5s", 1_500),
    (duration_ms, "1h", 3_600_000),
    (duration_ms, "1d", 86_400_000),
    (duration_ms, "2000us", 2),
    (duration_ms, 0, 0),
    (duration_us, "250us", 250),
    (duration_us, "0.1ms", 100),
    (ratio, "5%", 0.05),
    (ratio, "0.1 %", 0.001),
    (ratio, "100%", 1.0),
    (ratio, "0%", 0.0),
    (rate_per_s, "100/s", 100.0),
    (rate_per_s, "30/m", 0.5),
    (rate_per_s, "3600 / hour", 1.0),
    (size_bytes, "16B", 16),
    (size_bytes, "100KB", 100_000),
    (size_bytes, "1KiB", 1024),
    (size_bytes, "2 MB", 2_000_000),
    (bandwidth_kb_per_s, "100KB/s", 100),
    (bandwidth_kb_per_s, "1.5MB/s", 1500),
]


@pytest.mark.parametrize(("read", "text", "expected"), READ)
def test_read(read: Callable[[object], object], text: object, expected: object) -> None:
    assert read(text) == expected


REFUSED: list[tuple[Callable[[object], object], Any, str]] = [
    (duration_ms, 800, "`800` has no unit; write a duration such as `800ms`"),
    (duration_ms, "800", "is not a duration"),
    (duration_ms, "", "is not a duration"),
    (duration_ms, "-1s", "is not a duration"),
    (duration_ms, "1 s", "is not a duration"),
    (duration_ms, "1s oops", "is not a duration"),
    (duration_ms, True, "is not a duration"),
    (duration_ms, None, "is not a duration"),
    (duration_ms, False, "is not a duration"),
    (duration_ms, "1us", "finer than a millisecond"),
    (ratio, 0.05, "`0.05` has no unit; write a share"),
    (ratio, "101%", "more than the whole"),
    (ratio, "5", "is not a share"),
    (rate_per_s, 100, "has no unit; write a rate"),
    (rate_per_s, "0/s", "is no load"),
    (rate_per_s, "100/day", "is not a rate"),
    (size_bytes, 16, "has no unit; write a size"),
    (size_bytes, "16kb", "is not a size"),
    (bandwidth_kb_per_s, "100KB", "is not a bandwidth"),
    (bandwidth_kb_per_s, "10B/s", "not a whole number of KB/s"),
]


@pytest.mark.parametrize(("read", "text", "message"), REFUSED)
def test_refused(read: Callable[[object], object], text: object, message: str) -> None:
    with pytest.raises(UnitError) as caught:
        read(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("value_ms", "text"),
    [(0, "0 ms"), (0.25, "0.2 ms"), (9.94, "9.9 ms"), (9.96, "10 ms"), (800, "800 ms"),
     (999.4, "999 ms"), (999.6, "1 s"), (1000, "1 s"), (6_940, "6.94 s"),
     (59_000, "59 s"), (59_999, "1 min"), (60_000, "1 min"), (125_000, "2 min 5 s"),
     (119_600, "2 min"), (119_400, "1 min 59 s"),
     (-800, "-800 ms")],
)  # fmt: skip
def test_durations_are_shown(value_ms: float, text: str) -> None:
    assert format_ms(value_ms) == text


@given(value_ms=st.integers(0, 10**8))
def test_no_shown_duration_has_sixty_seconds_or_a_thousand_milliseconds(value_ms: int) -> None:
    text = format_ms(value_ms)
    assert " 60 s" not in f" {text}"
    assert not text.startswith(("1000 ms", "60 s"))


@pytest.mark.parametrize(
    ("share", "text"), [(0.005, "0.5 %"), (1, "100 %"), (0, "0 %"), (0.12345, "12.35 %")]
)
def test_shares_are_shown(share: float, text: str) -> None:
    assert format_ratio(share) == text
