"""What a clean-up knows of a run, and what it adds to the journal.

Taking faults out comes before writing about it: without a journal that can be appended to, the
clean-up goes on, and says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gameday.errors import JournalError
from gameday.journal import Journal, decode
from gameday.model.debts import Ledger, fold, ledger_of
from gameday.model.event import Event, Phase

JOURNAL = "journal.jsonl"
#: Above this the journal is opened after the first reverts: verifying it takes seconds.
QUICK_BYTES = 4 * 1024 * 1024
_MARKS = (b'"kind":"fault.', b'"kind":"target.', b'"kind":"run.', b'"kind":"notice.')


class Record:
    """The debts of a run, kept up to date with what the clean-up does."""

    def __init__(
        self,
        path: Path,
        events: Iterable[Event],
        *,
        last: Event | None,
        log: Callable[[str], None],
        unread: str = "",
    ) -> None:
        """*unread*: why what is owed is not known, although the journal is there."""
        self._path, self._log = path, log
        self.unread = unread
        self.events = tuple(events)
        self.ledger: Ledger = ledger_of(self.events)
        self._origin_ms = _origin_of(self.events)
        self._next = last.seq + 1 if last else 0
        self._at_ms = last.at_ms if last else 0
        self._waiting: list[Event] = []
        self._journal: Journal | None = None
        self._written: dict[int, int] = {}  # seq here -> seq in the journal, where others wrote too

    @classmethod
    def of(
        cls, path: Path, *, log: Callable[[str], None], kept: Callable[[], bytes] | None = None
    ) -> Record:
        """Read what matters of a journal, quickly: lines that are torn or changed are left out.

        *kept* gives what it held when it cannot be read any more; it may raise `OSError`.
        """
        events, last, unread = [], None, ""
        lines: list[bytes] = []
        for look in (path.read_bytes, *([kept] if kept else [])):
            try:
                lines, unread = look().split(b"\n"), ""
                break
            except FileNotFoundError as error:
                log(f"the journal is not there: {error}")
            except OSError as error:
                unread = f"its journal cannot be read: {error}"
                log(unread)
        for line in lines:
            if any(mark in line for mark in _MARKS) and (event := _decoded(line)) is not None:
                events.append(event)
        for line in reversed(lines):
            last = _decoded(line)
            if last is not None:
                break
        return cls(path, events, last=last, log=log, unread=unread)

    @property
    def now_ms(self) -> int:
        """Run time by the wall clock; it never goes back."""
        if self._origin_ms is not None:
            self._at_ms = max(self._at_ms, round(time.time() * 1000) - self._origin_ms)
        return self._at_ms

    def open(self) -> None:
        """Open the journal for appending, and write what had to wait."""
        try:
            self._journal = Journal.reopen(self._path)
        except (JournalError, OSError) as error:
            self._log(f"going on without the journal: {error}")
            return
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            self._append(event)

    def open_if_quick(self) -> None:
        """Open the journal unless it is so big that the faults would have to wait for it."""
        try:
            if self._path.stat().st_size <= QUICK_BYTES:
                self.open()
        except OSError:
            return

    def open_now(self) -> None:
        """Open the journal if that has not been done yet."""
        if self._journal is None and self._waiting:
            self.open()

    def is_written(self) -> bool:
        """Whether all of it is in the journal, and what is added now goes there; it is opened."""
        if self._journal is None:
            self.open()
        return self._journal is not None and not self._waiting

    def close(self) -> None:
        """Close the journal."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def add(
        self,
        kind: str,
        subject: str,
        phase: Phase = Phase.NOTED,
        *,
        cause: int | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> int:
        """Note an event and fold it into the debts; returns its seq."""
        event = Event(
            seq=self._next,
            at_ms=self.now_ms,
            kind=kind,
            subject=subject,
            phase=phase,
            cause=cause,
            data=data or {},
        )
        self._next += 1
        self.ledger = fold(self.ledger, event)
        self.events = (*self.events, event)
        self._append(event)
        return event.seq

    def _append(self, event: Event) -> None:
        """Write it, or keep it until the journal is opened again."""
        if self._journal is None:
            self._waiting.append(event)
            return
        cause = None if event.cause is None else self._written.get(event.cause, event.cause)
        line = replace(event, seq=self._journal.next_seq, cause=cause)
        try:
            self._journal.append(line, sync=True)
        except (JournalError, OSError) as error:
            self._log(f"going on without the journal: {error}")
            self.close()
            self._waiting.append(event)
        else:
            self._written[event.seq] = line.seq


def _decoded(line: bytes) -> Event | None:
    try:
        return decode(line)[0]
    except JournalError:
        return None


def _origin_of(events: Iterable[Event]) -> int | None:
    opened = next((e for e in events if e.kind == "run.opened"), None)
    origin = opened.data.get("origin_wall_ms") if opened else None
    return origin if isinstance(origin, int) else None
