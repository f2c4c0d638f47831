"""Quarters: `2026Q4`, its first and last moment (UTC), and the one before."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

_WORD = re.compile(r"(\d{4})-?[Qq]([1-4])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """One quarter of a year: from `start` to before `end`."""

    year: int
    quarter: int

    @property
    def name(self) -> str:
        """`2026Q4`."""
        return f"{self.year:04}Q{self.quarter}"

    @property
    def start(self) -> datetime.datetime:
        """Its first moment."""
        return datetime.datetime(self.year, 3 * self.quarter - 2, 1, tzinfo=datetime.UTC)

    @property
    def end(self) -> datetime.datetime:
        """The first moment after it."""
        last = self.quarter == 4
        year, month = (self.year + 1, 1) if last else (self.year, 3 * self.quarter + 1)
        return datetime.datetime(year, month, 1, tzinfo=datetime.UTC)

    @property
    def before(self) -> Period:
        """The quarter before."""
        return period_of(self.start - datetime.timedelta(days=1))

    def has(self, at: datetime.datetime) -> bool:
        """Whether *at* is in it."""
        return self.start <= at < self.end


def parse_period(text: str) -> Period | None:
    """`2026Q4`, also `2026-q4`; None if it is none. The year 1 has no quarter before its first."""
    found = _WORD.fullmatch(text.strip())
    if found is None or not 1000 <= int(found[1]) <= 9000:
        return None
    return Period(year=int(found[1]), quarter=int(found[2]))


def period_of(at: datetime.datetime) -> Period:
    """The quarter in which *at* is."""
    utc = at.astimezone(datetime.UTC)
    return Period(year=utc.year, quarter=(utc.month - 1) // 3 + 1)
