"""The findings register in a database: SQLite by default, PostgreSQL by URL.

One table. A finding is a JSON document; what is asked for often stands beside it in columns, for
people with a database client: nothing here reads them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from gameday.adapters.sql import Database, Postgres, Sqlite, connected
from gameday.errors import UsageError
from gameday.model.finding_codec import CodecError, from_plain, to_plain
from gameday.model.finding_record import FindingRecord, in_findings_order, refuse_loss

_NAME = "gameday_findings"
_TABLE = """\
CREATE TABLE IF NOT EXISTS gameday_findings (
  id TEXT PRIMARY KEY, fingerprint TEXT NOT NULL UNIQUE, service TEXT NOT NULL,
  class TEXT NOT NULL, state TEXT NOT NULL, severity TEXT NOT NULL, owner_team TEXT NOT NULL,
  due TEXT NOT NULL, document TEXT NOT NULL)"""
_PUT = """\
INSERT INTO gameday_findings
  (id, fingerprint, service, class, state, severity, owner_team, due, document)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, severity = excluded.severity,
  owner_team = excluded.owner_team, due = excluded.due, document = excluded.document"""


class FindingTable:
    """The register in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.name = database.name

    @classmethod
    def sqlite(cls, path: Path) -> FindingTable:
        """In a file, which is made when it is not there."""
        return cls(Sqlite(path))

    @classmethod
    def postgres(cls, url: str) -> FindingTable:
        """At a `postgresql://` URL. Raises `UsageError` where the library is missing."""
        return cls(Postgres(url))

    def exists(self) -> bool:
        """Whether the database is there, and the table in it."""
        database = self._database
        if isinstance(database, Sqlite) and not database.path.exists():
            return False  # wherever its folder is
        with connected(database) as connection:
            return database.has(connection, _NAME)

    def all(self) -> tuple[FindingRecord, ...]:
        """Every finding, the most urgent first."""
        if self._database.absent:
            return ()
        with connected(self._database) as connection:
            if not self._database.has(connection, _NAME):
                return ()
            rows = connection.execute("SELECT id, document FROM gameday_findings").fetchall()
        return in_findings_order(self._record(*row) for row in rows)

    def change(
        self,
        ids: Collection[str],
        update: Callable[[Mapping[str, FindingRecord]], Iterable[FindingRecord]],
    ) -> tuple[FindingRecord, ...]:
        """See `FindingStore`. All in one transaction."""
        with connected(self._database) as connection:
            self._database.begin(connection)
            connection.execute(_TABLE)
            found = {}
            for one in ids:
                ask = self._database.sql("SELECT id, document FROM gameday_findings WHERE id = ?")
                for row in connection.execute(ask, (one,)).fetchall():
                    found[one] = self._record(*row)
            made = tuple(update(found))
            for record in made:
                refuse_loss(found.get(record.id), record, ids)
                connection.execute(self._database.sql(_PUT), _row(record))
            connection.execute("COMMIT")
        return made

    def _record(self, name: str, document: str) -> FindingRecord:
        try:
            return from_plain(json.loads(document))
        except (CodecError, ValueError, RecursionError) as error:
            raise UsageError(f"`{name}` in `{self.name}` is no finding: {error}") from None


def _row(record: FindingRecord) -> tuple[str, ...]:
    document = json.dumps(to_plain(record), ensure_ascii=True, allow_nan=False)
    return (
        record.id, record.fingerprint, record.service, record.kind.value, record.state.value,
        record.severity.value, record.owner_team, record.due, document,
    )  # fmt: skip
