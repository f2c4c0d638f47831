"""The journal of a day: what people say while no run is under way.

`reports/days/<time>.jsonl` has the form of a run's journal (`docs/journal.md`): one event a line,
hash-chained. It begins with `day.opened`, whose `origin_wall_ms` its times count from. Several
processes write it (the console, commands in terminals), each for one event under a lock.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gameday.errors import JournalError, UsageError
from gameday.journal import Journal, read
from gameday.model.event import Event
from gameday.plain import public

FOLDER = "days"
OPENED = "day.opened"
#: A day that was begun longer ago is over: what is said now belongs to another one.
LASTS_MS = 18 * 3_600_000
TEXT_MAX = 4_000
ROLE_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Daybook:
    """One day's file. It need not be there yet: the first event makes it."""

    path: Path

    def write(self, kind: str, role: str, text: str) -> Event:
        """Append what somebody says, on disk when this returns.

        Raises `UsageError` for what nobody can have said, `JournalError` if it cannot be written.
        """
        data = {"text": public(_said(text, "the text", TEXT_MAX))}
        return self._append(Event(kind=kind, subject=_said(role, "the role", ROLE_MAX), data=data))

    def open(self) -> None:
        """Begin the day, if it is not begun yet."""
        with self._locked() as journal:
            journal.sync()

    def _append(self, event: Event) -> Event:
        with self._locked() as journal:
            origin = read(self.path).events[0].data["origin_wall_ms"]
            # the wall clock may be set back, the time in a journal never goes back
            at_ms = max(journal.last_at_ms, _now_ms() - int(origin))
            made = Event(
                seq=journal.next_seq,
                at_ms=at_ms,
                kind=event.kind,
                subject=event.subject,
                data=event.data,
            )
            journal.append(made, sync=True)
            return made

    @contextmanager
    def _locked(self) -> Iterator[Journal]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        except OSError as error:
            raise JournalError(f"cannot write `{self.path}`: {error.strerror or error}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with self._journal() as journal:
                yield journal
        finally:
            os.close(lock)

    def _journal(self) -> Journal:
        """The file, with its first event in it."""
        if self.path.exists() and self.path.stat().st_size:
            return Journal.reopen(self.path)
        journal = Journal.reopen(self.path) if self.path.exists() else Journal.open(self.path)
        data = {"origin_wall_ms": _now_ms()}
        journal.append(Event(seq=0, at_ms=0, kind=OPENED, subject="day", data=data), sync=True)
        return journal


def today(reports: Path, *, now_ms: int | None = None) -> Daybook | None:
    """The day that is under way below *reports*; None if none is."""
    now_ms = _now_ms() if now_ms is None else now_ms
    books = sorted((reports / FOLDER).glob("*.jsonl"))
    for path in reversed(books):
        try:
            events = read(path).events
        except JournalError:
            continue
        if not events or events[0].kind != OPENED:
            continue
        opened = events[0].data.get("origin_wall_ms")
        if isinstance(opened, int) and now_ms - opened < LASTS_MS:
            return Daybook(path=path)
    return None


def new_day(reports: Path) -> Daybook:
    """A day that begins now; nothing is written before somebody says something."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return Daybook(path=reports / FOLDER / f"{stamp}.jsonl")


def _said(text: str, what: str, size_max: int) -> str:
    clean = "".join(c if c.isprintable() or c == "\n" else " " for c in text).strip()
    if not clean:
        raise UsageError(f"{what} is missing")
    if len(clean) > size_max:
        raise UsageError(f"{what} is longer than {size_max} characters")
    return clean


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
