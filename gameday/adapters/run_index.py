"""The index of runs in a database: SQLite by default, PostgreSQL by URL, as the findings are.

It holds nothing that the run directories do not have, so it can be made anew at any time. A run
whose directory was since removed stays in it until then.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gameday.adapters.sql import Database, Postgres, Sqlite, connected
from gameday.errors import UsageError
from gameday.model.quarter import INDEX_VERSION, RunSeen, run_from_plain

_TABLE = """\
CREATE TABLE IF NOT EXISTS gameday_runs (
  run TEXT PRIMARY KEY, stamp TEXT NOT NULL, version INTEGER NOT NULL, ended TEXT NOT NULL,
  service TEXT NOT NULL, failure_mode TEXT NOT NULL, environment TEXT NOT NULL,
  kind TEXT NOT NULL, outcome TEXT NOT NULL, document TEXT NOT NULL)"""
_PUT = """\
INSERT INTO gameday_runs
  (run, stamp, version, ended, service, failure_mode, environment, kind, outcome, document)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run) DO UPDATE SET stamp = excluded.stamp, version = excluded.version,
  ended = excluded.ended, service = excluded.service, failure_mode = excluded.failure_mode,
  environment = excluded.environment, kind = excluded.kind, outcome = excluded.outcome,
  document = excluded.document"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """A run, and by what it is seen that its result has changed."""

    stamp: str
    run: RunSeen


class RunIndex:
    """The index in a database. Raises `UsageError` where it cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.name = database.name

    @classmethod
    def sqlite(cls, path: Path) -> RunIndex:
        """In a file, which is made when it is not there."""
        return cls(Sqlite(path))

    @classmethod
    def postgres(cls, url: str) -> RunIndex:
        """At a `postgresql://` URL."""
        return cls(Postgres(url))

    def stamps(self) -> Mapping[str, str]:
        """Run -> its stamp; those of an older version of the index are not told."""
        ask = f"SELECT run, stamp FROM gameday_runs WHERE version = {INDEX_VERSION}"  # noqa: S608 - ours
        with self._change() as connection:
            return dict(connection.execute(ask).fetchall())

    def older(self) -> tuple[str, ...]:
        """The runs that another version of gameday read, and that were not read since."""
        ask = f"SELECT run FROM gameday_runs WHERE version <> {INDEX_VERSION} ORDER BY run"  # noqa: S608 - ours
        with self._change() as connection:
            return tuple(str(run) for (run,) in connection.execute(ask).fetchall())

    def put(self, runs: Iterable[Indexed]) -> None:
        """Add *runs*, or replace what is known of them."""
        with self._change() as connection:
            cursor = connection.cursor()
            cursor.executemany(self._database.sql(_PUT), [_row(one) for one in runs])
            cursor.close()

    def all(self) -> tuple[RunSeen, ...]:
        """Every run of this version, oldest first."""
        ask = (
            "SELECT run, document FROM gameday_runs "  # noqa: S608 - ours
            f"WHERE version = {INDEX_VERSION} ORDER BY ended, run"
        )
        with self._change() as connection:
            rows = connection.execute(ask).fetchall()
        return tuple(self._run(*row) for row in rows)

    def clear(self) -> None:
        """Forget everything."""
        with self._change() as connection:
            connection.execute("DELETE FROM gameday_runs")

    def _run(self, name: str, document: str) -> RunSeen:
        try:
            return run_from_plain(json.loads(document))
        except (KeyError, TypeError, ValueError):
            raise UsageError(
                f"`{name}` in `{self.name}` is no run; make the index anew with `--rebuild`"
            ) from None

    @contextlib.contextmanager
    def _change(self) -> Iterator[Any]:
        """A connection in a transaction, alone with the index."""
        with connected(self._database) as connection:
            self._database.begin(connection)
            connection.execute(_TABLE)
            yield connection
            connection.execute("COMMIT")


def _row(one: Indexed) -> tuple[Any, ...]:
    run = one.run
    document = json.dumps(asdict(run), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return (
        run.run, one.stamp, INDEX_VERSION, run.ended, run.service, run.mode, run.environment,
        run.kind.value, run.outcome, document,
    )  # fmt: skip
