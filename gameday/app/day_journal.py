"""The journal of a day on disk: one file that several processes append to, and a folder beside it.

`reports/days/<time>-<day>.jsonl` has the form of a run's journal: one event a line, hash-chained.
It begins with `day.opened`, whose `origin_wall_ms` its times count from. Of a day that was begun
from a plan, the folder of the same name holds the plan as it was at the start, and what is written
at the end. Each event is appended under a lock, so the terminal that runs items, others that stop
the day or take notes, and the page can all write. What is written is on disk when that returns.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gameday.errors import JournalError, RefusedError, UsageError
from gameday.journal import Journal, decode, read
from gameday.kpi.day import CLOSED, OPENED
from gameday.model.event import Event, Phase
from gameday.processes import Life, life_of, own_identity

FOLDER = "days"
PLAN = "day.yaml"
HOLIDAYS = "holidays.txt"
#: What a day is called that has no plan: the first thing that was said began it.
UNPLANNED = "day"
#: A day that was begun longer ago is over: what is said now belongs to another one.
LASTS_MS = 18 * 3_600_000
#: The same of a day with a plan that nobody has ended; no window is longer.
PLAN_LASTS_MS = 7 * 24 * 3_600_000
#: Once it is ended, people talk about it for so long at least.
TALK_MS = 6 * 3_600_000
TEXT_MAX = 4_000
ROLE_MAX = 64
_SUFFIX = ".jsonl"
_TURN = "turn.lock"
#: So many of the newest days are looked at for the one that is under way.
_NEWEST = 20
_LINE_MAX = 1024 * 1024


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

    @property
    def planned(self) -> bool:
        """Whether it was begun from a plan."""
        return (self.folder / PLAN).is_file()

    @property
    def closed(self) -> Event | None:
        """How somebody has ended it, as far as its journal can be read; None if nobody has."""
        try:
            return next((one for one in read(self.path).events if one.kind == CLOSED), None)
        except JournalError:
            return None

    def events(self) -> tuple[Event, ...]:
        """Everything so far. Raises `JournalError` where the chain is broken."""
        found = read(self.path)
        if found.problem is not None:
            raise JournalError(f"`{self.path}` cannot be relied upon: {found.problem}")
        return found.events

    def opened(self) -> Event | None:
        """How it began; None if that cannot be read."""
        try:
            with self.path.open("rb") as file:
                event, _, _ = decode(file.readline(_LINE_MAX).removesuffix(b"\n"))
        except (OSError, JournalError):
            return None
        known = event.kind == OPENED and isinstance(event.data.get("origin_wall_ms"), int)
        return event if known else None

    def append(
        self,
        kind: str,
        subject: str,
        *,
        phase: Phase = Phase.NOTED,
        cause: int | None = None,
        look: Callable[[Sequence[Event]], object] | None = None,
        **data: Any,
    ) -> Event:
        """Write one event, at the time that it is now. Raises `JournalError`.

        *look* is given all events first, and nothing is written if it raises: nobody else writes
        between its look and the event.
        """
        with self._locked(), Journal.reopen(self.path) as journal:
            events = read(self.path).events
            if look is not None:
                look(events)
            event = Event(
                seq=journal.next_seq,
                # the wall clock may be set back, the time in a journal never goes back
                at_ms=max(journal.last_at_ms, now_ms() - int(events[0].data["origin_wall_ms"])),
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

    def say(self, kind: str, role: str, text: str) -> Event:
        """Append what somebody says. Raises `UsageError` for what nobody can have said."""
        checked = said(text, "the text", TEXT_MAX)
        return self.append(kind, said(role, "the role", ROLE_MAX), text=checked)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Within: no other process runs an item of this day. Raises `RefusedError`.

        The lock goes with the process, however that ends.
        """
        handle = os.open(self.folder / _TURN, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RefusedError(
                    "an item of this day is under way in another terminal; "
                    "wait for its end, or end the day with `gameday day stop`"
                ) from None
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(own_identity()).encode(), 0)
            try:
                yield
            finally:
                os.ftruncate(handle, 0)
                fcntl.flock(handle, fcntl.LOCK_UN)  # also for a child that was forked in between
        finally:
            os.close(handle)

    def runner(self) -> Life:
        """Whether the process that has the turn is there. Whoever asks takes nothing."""
        try:
            return life_of(json.loads((self.folder / _TURN).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return Life.GONE

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with _lock(self.path.with_suffix(".lock")):
            yield


def open_day(reports: Path, day_id: str, files: Mapping[str, str], **data: Any) -> DayFile:
    """Begin a day: its journal with `day.opened`, and *files* in its folder."""
    origin = now_ms()
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(origin / 1000))
    made = DayFile(path=reports / FOLDER / f"{stamp}-{day_id}-{secrets.token_hex(2)}{_SUFFIX}")
    try:
        (made.folder if files else made.path.parent).mkdir(parents=True, exist_ok=True)
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
        if not one.planned:
            continue
        journal = read(path)
        events = journal.events
        if not events and journal.problem is not None:
            raise JournalError(f"`{path}` cannot be relied upon: {journal.problem}")
        if events and events[0].kind == OPENED and day_id in (None, events[0].subject):
            found.append(one)
    return found


def today(reports: Path, *, at_ms: int | None = None) -> DayFile | None:
    """The day that was begun last below *reports*, with a plan or without; None if that is over.

    One that was just ended counts too: people still talk about it.
    """
    at_ms = now_ms() if at_ms is None else at_ms
    newest: tuple[int, DayFile] | None = None
    for path in reversed(sorted((reports / FOLDER).glob(f"*{_SUFFIX}"))[-_NEWEST:]):
        one = DayFile(path=path)
        opened = one.opened()
        origin = -1 if opened is None else int(opened.data["origin_wall_ms"])
        if opened is None or origin < 0 or (newest is not None and origin <= newest[0]):
            continue
        surely = at_ms < origin + LASTS_MS
        perhaps = at_ms < lasts_until_ms(one, opened, None) + TALK_MS  # older ones are not read
        if surely or (perhaps and at_ms < lasts_until_ms(one, opened, one.closed)):
            newest = origin, one
    return None if newest is None else newest[1]


def lasts_until_ms(day: DayFile, opened: Event, closed: Event | None) -> int:
    """The wall time from which nothing belongs to a day any more: not what is said, nor an item.

    Until it is *closed*, one with a plan lasts as long as its window may, so that nobody is shown
    what is broken because a night went by.
    """
    origin = int(opened.data["origin_wall_ms"])
    if not day.planned:
        return origin + LASTS_MS
    if closed is not None:
        return origin + max(LASTS_MS, closed.at_ms + TALK_MS)
    window = opened.data.get("window_ends_wall_ms")
    return max(origin + PLAN_LASTS_MS, window + LASTS_MS if isinstance(window, int) else 0)


def today_or_new(reports: Path) -> DayFile:
    """The day that is under way; without one, one without a plan is begun. Raises `UsageError`."""
    with beginning(reports):
        return today(reports) or open_day(reports, UNPLANNED, {})


@contextmanager
def beginning(reports: Path) -> Iterator[None]:
    """Within: no other process begins a day there. Raises `UsageError`."""
    folder = reports / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"`{folder}` cannot be made: {error.strerror or error}; "
            "choose another place with `--reports`"
        ) from None
    with _lock(folder / ".begin.lock"):
        yield


def still_open(events: Sequence[Event]) -> None:
    """Raise `RefusedError` once the day is over: a look of `DayFile.append`."""
    if any(event.kind == CLOSED for event in events):
        raise RefusedError("the day is over")


def end_day(file: DayFile, reason: str, *, by: str) -> bool:
    """Write that the day is over, which ends what is under way; whether it was not over before."""
    try:
        subject = file.events()[0].subject
        file.append(CLOSED, subject, look=still_open, stopped=True, reason=reason, by=by)
    except RefusedError:
        return False
    return True


def said(text: str, what: str, size_max: int) -> str:
    """What somebody wrote, as it is kept. Raises `UsageError` for nothing, and for too much."""
    made = clean(text)
    if not made:
        raise UsageError(f"{what} is missing")
    if len(made) > size_max:
        raise UsageError(f"{what} is longer than {size_max} characters")
    return made


def clean(text: str) -> str:
    """*text* as the door of a run takes it too: nothing in it that cannot be printed."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text).strip()


def now_ms() -> int:
    """Wall time in whole milliseconds."""
    return time.time_ns() // 1_000_000


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold the lock in a file, however long the others take. Raises `JournalError`."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise JournalError(f"cannot write `{path}`: {error.strerror or error}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
