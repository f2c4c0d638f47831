"""Values for visits from the columns of CSV files, which the runner has read."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping

from gameday.model.scenario import Feeder


class OutOfDataError(Exception):
    """A file whose rows may be used once has no more; `str()` is a sentence for its author."""


class Feeds:
    """Draws rows. Columns that are picked from one file in the same way come from the same row."""

    def __init__(self, data: Mapping[str, Feeder], seed: int) -> None:
        self._data = data
        self._rows: dict[tuple[str, str], _Rows] = {}
        for feeder in data.values():
            source = (feeder.csv, feeder.pick)
            self._rows.setdefault(source, _Rows(feeder, seed))

    def draw(self, names: Collection[str]) -> dict[str, str]:
        """A value for each of *names*. Raises OutOfDataError."""
        at: dict[tuple[str, str], int] = {}
        drawn = {}
        for name in names:
            feeder = self._data[name]
            source = (feeder.csv, feeder.pick)
            if source not in at:
                at[source] = self._rows[source].next()
            drawn[name] = feeder.values[at[source]]
        return drawn


class _Rows:
    """The numbers of the rows of one file, in the order in which they are picked."""

    def __init__(self, feeder: Feeder, seed: int) -> None:
        self._feeder, self._used = feeder, 0
        self._rng = random.Random(f"{seed}/{feeder.csv}")  # noqa: S311 - test data, not secrets

    def next(self) -> int:
        n = len(self._feeder.values)
        if self._feeder.pick == "random":
            return self._rng.randrange(n)
        if self._feeder.pick == "unique" and self._used == n:
            raise OutOfDataError(
                f"all {n} rows of `{self._feeder.csv}` were used, each once: add rows, let `pick` "
                "be `sequential`, or ask for fewer arrivals"
            )
        row, self._used = self._used % n, self._used + 1
        return row
