"""The journal of a day on disk: one file that several processes append to, and a folder beside it.

`reports/days/<time>-<day>.jsonl` has the form of a run's journal; the folder of the same name holds
the plan as it was at the start, and what is written at the end. Each event is appended under a
lock, so the terminal that runs items, others that stop the day or take notes, and a page can all
write. What is written is on disk when `append` returns.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gameday.errors import JournalError, RefusedError, UsageError
from gameday.journal import Journal, read
from gameday.kpi.day import OPENED
from gameday.model.event import Event, Phase

FOLDER = "days"
PLAN = "day.yaml"
HOLIDAYS = "holidays.txt"
_SUFFIX = ".jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFile:
    """One day on disk."""

    path: Path

    @property
    def name(self) -> str:
        """What the day is called among all days."""
        return self.path.name.removesuffix(_SUFFIX)

    @property
    def folder(self) -> Path:
        """Where the plan and the texts of the day lie."""
        return self.path.with_name(self.name)

    def events(self) -> tuple[Event, ...]:
        """Everything so far. Raises `JournalError` where the chain is broken."""
        found = read(self.path)
        if found.problem is not None:
            raise JournalError(f"`{self.path}` cannot be relied upon: {found.problem}")
        return found.events

    def append(
        self,
        kind: str,
        subject: str,
        *,
        phase: Phase = Phase.NOTED,
        cause: int | None = None,
        **data: Any,
    ) -> Event:
        """Write one event, at the time that it is now. Raises `JournalError`."""
        with self._locked(), Journal.reopen(self.path) as journal:
            origin = int(read(self.path).events[0].data["origin_wall_ms"])
            event = Event(
                seq=journal.next_seq,
                # the wall clock may be set back, the time in a journal never goes back
                at_ms=max(journal.last_at_ms, now_ms() - origin),
                kind=kind,
                subject=subject,
                phase=phase,
                cause=cause,
                data=data,
            )
            journal.append(event, sync=True)
            return event

    def note(self, kind: str, subject: str, /, **data: Any) -> Event:
        """Append an observation."""
        return self.append(kind, subject, **data)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Within: no other process runs an item of this day. Raises `RefusedError`.

        The lock goes with the process, however that ends.
        """
        handle = os.open(self.folder / "turn.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RefusedError(
                    "an item of this day is under way in another terminal; "
                    "wait for its end, or end the day with `gameday day stop`"
                ) from None
            yield
        finally:
            os.close(handle)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            handle = os.open(
                self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644
            )
        except OSError as error:
            raise JournalError(f"cannot write `{self.path}`: {error.strerror or error}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def open_day(reports: Path, day_id: str, files: Mapping[str, str], **data: Any) -> DayFile:
    """Begin a day: its journal with `day.opened`, and *files* in its folder."""
    origin = now_ms()
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(origin / 1000))
    made = DayFile(path=reports / FOLDER / f"{stamp}-{day_id}-{secrets.token_hex(2)}{_SUFFIX}")
    try:
        made.folder.mkdir(parents=True)
        for name, text in files.items():
            (made.folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"`{made.folder}` cannot be made: {error.strerror}; "
            "choose another place with `--reports`"
        ) from None
    with made._locked(), Journal.open(made.path) as journal:
        opened = {"origin_wall_ms": origin, **data}
        journal.append(Event(seq=0, at_ms=0, kind=OPENED, subject=day_id, data=opened), sync=True)
    return made


def days_of(reports: Path, day_id: str | None = None) -> list[DayFile]:
    """The days below *reports* that were begun from a plan, oldest first; of one plan, if named.

    Raises `JournalError` for one of which nothing can be relied upon.
    """
    found = []
    for path in sorted((reports / FOLDER).glob(f"*{_SUFFIX}")):
        one = DayFile(path=path)
        if not (one.folder / PLAN).is_file():
            continue
        journal = read(path)
        events = journal.events
        if not events and journal.problem is not None:
            raise JournalError(f"`{path}` cannot be relied upon: {journal.problem}")
        if events and events[0].kind == OPENED and day_id in (None, events[0].subject):
            found.append(one)
    return found


def now_ms() -> int:
    """Wall time in whole milliseconds."""
    return time.time_ns() // 1_000_000
