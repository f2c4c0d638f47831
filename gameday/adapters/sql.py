"""The databases that gameday may keep things in: SQLite, and PostgreSQL by URL.

Both speak the same DB-API, so all that differs is how one is alone with a table, how parameters
are marked, and how one asks whether a table is there.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gameday.errors import RefusedError, UsageError

LOCKED_FOR_S = 10
_PASSWORD = re.compile(r"(?<=://)(?P<user>[^:/@]*):[^@/]*(?=@)")
#: Any number that all of us use, and hardly anybody else: whoever makes or changes a table.
_POSTGRES_LOCK = 7_129_415_208_116


class Database:
    """What one kind of database does in its own way."""

    mark = "?"
    ask_table = ""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def absent(self) -> bool:
        """Nothing is there yet, and looking must not make it."""
        return False

    def connect(self) -> Any:
        """A connection. Raises `UsageError`."""
        raise NotImplementedError

    def begin(self, connection: Any) -> None:
        """Begin a change with which nobody else can interfere."""
        raise NotImplementedError

    def errors(self) -> tuple[type[Exception], ...]:
        """What its library raises."""
        raise NotImplementedError

    def sql(self, text: str) -> str:
        """*text* with its `?` as this database marks parameters."""
        return text.replace("?", self.mark)

    def has(self, connection: Any, table: str) -> bool:
        """Whether *table* is there."""
        return bool(connection.execute(self.sql(self.ask_table), (table,)).fetchall())


class Sqlite(Database):
    """In a file, which is made when something is stored."""

    ask_table = "SELECT 1 FROM sqlite_master WHERE name = ?"

    def __init__(self, path: Path) -> None:
        super().__init__(f"sqlite:{path}")
        self.path = path

    @property
    def absent(self) -> bool:
        """The file is not there, though it could be."""
        return self.path.parent.is_dir() and not self.path.exists()

    def connect(self) -> Any:
        """Raises `UsageError` where the folder is missing."""
        if not self.path.parent.is_dir():
            raise UsageError(f"there is no folder `{self.path.parent}` for `{self.name}`")
        return sqlite3.connect(self.path, timeout=LOCKED_FOR_S, isolation_level=None)

    def begin(self, connection: Any) -> None:
        """Alone with the whole file."""
        connection.execute("BEGIN IMMEDIATE")

    def errors(self) -> tuple[type[Exception], ...]:
        """All of them."""
        return (sqlite3.Error,)


class Postgres(Database):
    """At a `postgresql://` URL. Raises `UsageError` where the library is missing."""

    mark = "%s"
    ask_table = "SELECT 1 FROM pg_tables WHERE tablename = ?"

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
        """A connection in which each statement stands alone until `begin`."""
        return self.library.connect(
            self.url, autocommit=True, connect_timeout=LOCKED_FOR_S, application_name="gameday"
        )

    def begin(self, connection: Any) -> None:
        """Alone among all that use gameday with this database."""
        connection.execute("BEGIN")
        connection.execute(f"SET LOCAL lock_timeout = '{LOCKED_FOR_S}s'")
        connection.execute(f"SELECT pg_advisory_xact_lock({_POSTGRES_LOCK})")

    def errors(self) -> tuple[type[Exception], ...]:
        """All of them."""
        return (self.library.Error,)


@contextlib.contextmanager
def connected(database: Database) -> Iterator[Any]:
    """A connection, whose errors are told in our words. Raises `UsageError`, `RefusedError`.

    What was not committed when it closes is undone.
    """
    failures = database.errors()
    try:
        connection = database.connect()
    except failures as error:
        raise UsageError(f"`{database.name}` cannot be opened: {_said(error)}") from None
    try:
        yield connection
    except failures as error:
        words = _said(error)
        if "lock" in words:
            raise RefusedError(
                f"another process has been changing `{database.name}` for {LOCKED_FOR_S} s; "
                "try again"
            ) from None
        raise UsageError(f"`{database.name}` cannot be used: {words}") from None
    finally:
        connection.close()


def _said(error: Exception) -> str:
    """The first line of what the database said, without what could be a password."""
    first = str(error).strip().splitlines()
    return _PASSWORD.sub(r"\g<user>:***", first[0] if first else type(error).__name__)
