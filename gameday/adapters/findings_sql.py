"""The findings register in a database: SQLite by default, PostgreSQL by URL.

One table. A finding is a JSON document; what is asked for often stands beside it in columns, for
people with a database client: nothing here reads them. Both databases speak the same DB-API, so
all that differs is how one is alone with the table and how parameters are marked.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import re
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gameday.errors import RefusedError, UsageError
from gameday.model.finding_codec import CodecError, from_plain, to_plain
from gameday.model.finding_record import FindingRecord, continues, in_findings_order

LOCKED_FOR_S = 10
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
_PASSWORD = re.compile(r"(?<=://)(?P<user>[^:/@]*):[^@/]*(?=@)")
#: Any number that all of us use, and hardly anybody else: whoever makes or changes the table.
_POSTGRES_LOCK = 7_129_415_208_116


class _Database:
    """What one kind of database does in its own way."""

    mark = "?"

    def __init__(self, name: str) -> None:
        self.name = name

    #: One row if the table is there.
    ask_table = ""

    def connect(self) -> Any:
        """A connection. Raises `UsageError`."""
        raise NotImplementedError

    @property
    def absent(self) -> bool:
        """Whether it is certain that nothing is there yet."""
        return False

    def begin(self, connection: Any) -> None:
        """Begin a change with which nobody else can interfere."""
        raise NotImplementedError

    def errors(self) -> tuple[type[Exception], ...]:
        """What its library raises."""
        raise NotImplementedError


class _Sqlite(_Database):
    def __init__(self, path: Path) -> None:
        super().__init__(f"sqlite:{path}")
        self.path = path

    ask_table = "SELECT 1 FROM sqlite_master WHERE name = 'gameday_findings'"

    @property
    def absent(self) -> bool:
        return self.path.parent.is_dir() and not self.path.exists()

    def connect(self) -> Any:
        if not self.path.parent.is_dir():
            raise UsageError(f"there is no folder `{self.path.parent}` for `{self.name}`")
        return sqlite3.connect(self.path, timeout=LOCKED_FOR_S, isolation_level=None)

    def begin(self, connection: Any) -> None:
        connection.execute("BEGIN IMMEDIATE")

    def errors(self) -> tuple[type[Exception], ...]:
        return (sqlite3.Error,)


class _Postgres(_Database):
    mark = "%s"
    ask_table = "SELECT 1 FROM pg_tables WHERE tablename = 'gameday_findings'"

    def __init__(self, url: str) -> None:
        super().__init__(_PASSWORD.sub(r"\g<user>:***", url))
        self.url = url
        try:
            self.library = importlib.import_module("psycopg")
        except ImportError:
            raise UsageError(
                "PostgreSQL needs a library that is not installed; `pip install 'gameday[sql]'`"
            ) from None

    def connect(self) -> Any:
        return self.library.connect(
            self.url, autocommit=True, connect_timeout=LOCKED_FOR_S, application_name="gameday"
        )

    def begin(self, connection: Any) -> None:
        connection.execute("BEGIN")
        connection.execute(f"SET LOCAL lock_timeout = '{LOCKED_FOR_S}s'")
        connection.execute(f"SELECT pg_advisory_xact_lock({_POSTGRES_LOCK})")

    def errors(self) -> tuple[type[Exception], ...]:
        return (self.library.Error,)


class FindingTable:
    """The register in a database."""

    def __init__(self, database: _Database) -> None:
        self._database = database
        self.name = database.name

    @classmethod
    def sqlite(cls, path: Path) -> FindingTable:
        """In a file, which is made when it is not there."""
        return cls(_Sqlite(path))

    @classmethod
    def postgres(cls, url: str) -> FindingTable:
        """At a `postgresql://` URL. Raises `UsageError` where the library is missing."""
        return cls(_Postgres(url))

    def all(self) -> tuple[FindingRecord, ...]:
        """Every finding, the most urgent first."""
        if self._database.absent:
            return ()
        with self._connected() as connection:
            if not connection.execute(self._database.ask_table).fetchall():
                return ()
            rows = connection.execute("SELECT id, document FROM gameday_findings").fetchall()
        return in_findings_order(self._record(*row) for row in rows)

    def change(
        self,
        ids: Collection[str],
        update: Callable[[Mapping[str, FindingRecord]], Iterable[FindingRecord]],
    ) -> tuple[FindingRecord, ...]:
        """See `FindingStore`. All in one transaction."""
        with self._connected() as connection:
            self._database.begin(connection)
            connection.execute(_TABLE)
            found = {}
            for one in ids:
                ask = self._sql("SELECT id, document FROM gameday_findings WHERE id = ?")
                for row in connection.execute(ask, (one,)).fetchall():
                    found[one] = self._record(*row)
            made = tuple(update(found))
            for record in made:
                old = found.get(record.id)
                if record.id not in ids or (old is not None and not continues(old, record)):
                    raise ValueError(f"`{record.id}` would lose what the register says of it")
                connection.execute(self._sql(_PUT), _row(record))
            connection.execute("COMMIT")
        return made

    def _sql(self, text: str) -> str:
        return text.replace("?", self._database.mark)

    def _record(self, name: str, document: str) -> FindingRecord:
        try:
            return from_plain(json.loads(document))
        except (CodecError, ValueError, RecursionError) as error:
            raise UsageError(f"`{name}` in `{self.name}` is no finding: {error}") from None

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Any]:
        """A connection, whose errors are told in our words."""
        failures = self._database.errors()
        try:
            connection = self._database.connect()
        except failures as error:
            raise UsageError(f"`{self.name}` cannot be opened: {_said(error)}") from None
        try:
            yield connection
        except failures as error:
            words = _said(error)
            if "lock" in words:
                raise RefusedError(
                    f"another process has been changing `{self.name}` for {LOCKED_FOR_S} s; "
                    "try again"
                ) from None
            raise UsageError(f"`{self.name}` cannot be used: {words}") from None
        finally:
            connection.close()  # what was not committed is undone


def _row(record: FindingRecord) -> tuple[str, ...]:
    document = json.dumps(to_plain(record), ensure_ascii=True, allow_nan=False)
    return (
        record.id, record.fingerprint, record.service, record.kind.value, record.state.value,
        record.severity.value, record.owner_team, record.due, document,
    )  # fmt: skip


def _said(error: Exception) -> str:
    """The first line of what the database said, without what could be a password."""
    first = str(error).strip().splitlines()
    return _PASSWORD.sub(r"\g<user>:***", first[0] if first else type(error).__name__)
