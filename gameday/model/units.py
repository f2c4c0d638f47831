"""Quantities as people write them, with units, turned into plain numbers and back.

A number without a unit is refused wherever a unit could be meant: `latency: 800` has been read as
seconds by one team and as milliseconds by another.
"""

from __future__ import annotations

import re

_DURATION_MS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_RATE_S = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600}
_BYTES = {
    "B": 1,
    "KB": 1000,
    "MB": 1_000_000,
    "GB": 1_000_000_000,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_PART = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d)")
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:us|ms|s|m|h|d))+")
_RATIO = re.compile(r"(\d+(?:\.\d+)?) ?%")
_RATE = re.compile(r"(\d+(?:\.\d+)?) ?/ ?(s|sec|second|m|min|minute|h|hour)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(B|KB|MB|GB|KiB|MiB|GiB)")


class UnitError(ValueError):
    """A quantity that cannot be read. The message says what would be right."""


def duration_us(text: object) -> int:
    """Whole microseconds of a duration such as `800ms`, `1m30s` or `250us`."""
    if isinstance(text, str) and _DURATION.fullmatch(text.strip()):
        return round(
            sum(float(n) * _DURATION_MS[unit] * 1000 for n, unit in _PART.findall(text.strip()))
        )
    if text == 0 and not isinstance(text, bool):
        return 0
    raise UnitError(_no_unit(text, "a duration", "`800ms`, `2s` or `1m30s`"))


def duration_ms(text: object) -> int:
    """Whole milliseconds of a duration such as `800ms`, `2s` or `1m30s`."""
    microseconds = duration_us(text)
    if microseconds % 1000:
        raise UnitError(f"`{text}` is finer than a millisecond; write whole milliseconds")
    return microseconds // 1000


def ratio(text: object) -> float:
    """A share between 0 and 1, written in percent such as `0.5%`."""
    if isinstance(text, str) and (found := _RATIO.fullmatch(text.strip())):
        share = round(float(found[1]) / 100, 12)  # 99.9 % is 0.999, not 0.9990000000000001
        if share <= 1:
            return share
        raise UnitError(f"`{text}` is more than the whole; write `0%` to `100%`")
    raise UnitError(_no_unit(text, "a share", "`5%` or `0.1%`"))


def signed_ms(text: object) -> int:
    """Whole milliseconds of a shift such as `+1h` or `-5m`; the sign is needed."""
    if isinstance(text, str) and text.strip()[:1] in ("+", "-") and len(text.strip()) > 1:
        sign = -1 if text.strip()[0] == "-" else 1
        return sign * duration_ms(text.strip()[1:])
    raise UnitError(f"`{text}` is not a shift of time; write `+1h` (ahead) or `-5m` (behind)")


def rate_per_s(text: object) -> float:
    """Arrivals a second, written as `100/s` or `30/m`."""
    if isinstance(text, str) and (found := _RATE.fullmatch(text.strip())):
        rate = float(found[1]) / _RATE_S[found[2]]
        if rate > 0:
            return rate
        raise UnitError(f"`{text}` is no load; write a rate above zero such as `50/s`")
    raise UnitError(_no_unit(text, "a rate", "`50/s` or `30/m`"))


def size_bytes(text: object) -> int:
    """Whole bytes of a size such as `16B`, `100KB` (1000 bytes each) or `1KiB`."""
    if isinstance(text, str) and (found := _SIZE.fullmatch(text.strip())):
        return round(float(found[1]) * _BYTES[found[2]])
    raise UnitError(_no_unit(text, "a size", "`16B`, `100KB` or `1KiB`"))


def bandwidth_kb_per_s(text: object) -> int:
    """Whole kilobytes (1000 bytes) a second, written as `100KB/s` or `1MB/s`."""
    if isinstance(text, str) and text.strip().endswith("/s"):
        size = size_bytes(text.strip()[:-2].strip())
        if size % 1000 == 0:
            return size // 1000
        raise UnitError(f"`{text}` is not a whole number of KB/s")
    raise UnitError(_no_unit(text, "a bandwidth", "`100KB/s` or `1MB/s`"))


def format_ms(value_ms: float) -> str:
    """A duration for people: `800 ms`, `6.94 s`, `2 min 5 s`."""
    if value_ms < 0:
        return f"-{format_ms(-value_ms)}"
    if value_ms < 999.5:  # each limit is where rounding would reach the next larger unit
        return f"{value_ms:.0f} ms" if value_ms >= 9.95 or value_ms == 0 else f"{value_ms:.1f} ms"
    if value_ms < 59_995:
        return f"{value_ms / 1000:.2f}".rstrip("0").rstrip(".") + " s"
    minutes, seconds = divmod(round(value_ms / 1000), 60)
    return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"


def format_ratio(share: float) -> str:
    """A share for people: `0.5 %`."""
    return f"{share * 100:.2f}".rstrip("0").rstrip(".") + " %"


def _no_unit(text: object, what: str, examples: str) -> str:
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return f"`{text}` has no unit; write {what} such as {examples}"
    return f"`{text}` is not {what}; write {examples}"
