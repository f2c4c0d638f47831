"""Values for visits from the columns of CSV files, which the runner has read."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping

from gameday.adapters.locust.sharing import Rows, Share
from gameday.model.scenario import Feeder


class OutOfDataError(Exception):
    """A file whose rows may be used once has no more; `str()` is a sentence for its author."""


class Feeds:
    """Draws rows. Columns that are picked from one file in the same way come from the same row.

    Where every worker sees all arrivals, they draw alike and *share* is the whole. Closed users
    belong to one worker: it draws every `share.of`-th row.
    """

    def __init__(self, data: Mapping[str, Feeder], seed: int, share: Share | None = None) -> None:
        self._data = data
        self._rows: dict[tuple[str, str], _Rows] = {}
        for feeder in data.values():
            source = (feeder.csv, feeder.pick)
            self._rows.setdefault(source, _Rows(feeder, seed, share or Share()))

    def rows(self, names: Collection[str]) -> Rows:
        """The next row of each source of *names*; None from one that is used up."""
        sources = dict.fromkeys((self._data[name].csv, self._data[name].pick) for name in names)
        return {source: self._rows[source].next() for source in sources}

    def draw(self, names: Collection[str], rows: Rows | None = None) -> dict[str, str]:
        """A value for each of *names*, from *rows* or else the next. Raises OutOfDataError."""
        if rows is None:
            rows = self.rows(names)
        drawn = {}
        for name in names:
            feeder = self._data[name]
            row = rows[feeder.csv, feeder.pick]
            if row is None:
                raise OutOfDataError(
                    f"all {len(feeder.values)} rows of `{feeder.csv}` were used, each once: add "
                    "rows, let `pick` be `sequential`, or ask for fewer arrivals"
                )
            drawn[name] = feeder.values[row]
        return drawn


class _Rows:
    """The numbers of the rows of one file, in the order in which they are picked."""

    def __init__(self, feeder: Feeder, seed: int, share: Share) -> None:
        self._feeder, self._next, self._step = feeder, share.index, share.of
        own = f"/{share.index}" if share.index else ""
        self._rng = random.Random(f"{seed}/{feeder.csv}{own}")  # noqa: S311 - test data, not secrets

    def next(self) -> int | None:
        n = len(self._feeder.values)
        if self._feeder.pick == "random":
            return self._rng.randrange(n)
        row, self._next = self._next, self._next + self._step
        return None if self._feeder.pick == "unique" and row >= n else row % n
