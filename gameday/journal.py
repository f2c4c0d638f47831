"""The journal: the one record of a run, on disk before the world is touched.

One event a line, hash-chained, appended by one writer; `docs/journal.md` is the contract. A journal
that was cut at any byte is readable up to its last whole line, and can be appended to again by the
process that cleans up (`Journal.reopen`): the torn line stays where it is and is skipped.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gameday.errors import JournalError
from gameday.model.event import JOURNAL_VERSION, Event, Phase
from gameday.plain import canonical, plain, public

#: `prev` of the first line.
GENESIS = "0" * 64
_LARGEST = 253_402_300_799_000  # as milliseconds the end of the year 9999
_SURROGATE = re.compile("[\ud800-\udfff]")  # text that nothing could print
_FIELDS = ("v", "seq", "at_ms", "kind", "subject", "phase", "cause", "data", "prev")


class Journal:
    """Appends events to one file. Not thread-safe: the deciding thread is the only writer."""

    def __init__(self, path: Path, fd: int, *, next_seq: int, prev: str, last_at_ms: int) -> None:
        self.path = path
        self.next_seq = next_seq
        self.last_at_ms = last_at_ms
        self._fd, self._prev = fd, prev

    @classmethod
    def open(cls, path: Path) -> Self:
        """Create the journal of a new run. Refuses a file that exists already."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            fd = os.open(path, flags, 0o644)
        except FileExistsError:
            raise JournalError(f"`{path}` exists already; a journal is never overwritten") from None
        except OSError as error:
            raise _cannot("create", path, error) from error
        journal = cls(path, fd, next_seq=0, prev=GENESIS, last_at_ms=0)
        try:
            _sync_directory(path.parent)
        except OSError as error:
            journal.close()
            raise _cannot("create", path, error) from error
        return journal

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Append to the journal of a run whose writer is gone (sentinel, recovery).

        Nothing is truncated: a torn last line is ended, and the chain goes on from the last whole
        one. Raises `JournalError` if the chain is broken, for then there is nothing to go on from.
        """
        found = read(path)
        if found.problem is not None:
            raise JournalError(f"`{path}` cannot be appended to: {found.problem}")
        try:
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except OSError as error:
            raise _cannot("open", path, error) from error
        last = found.events[-1] if found.events else None
        journal = cls(
            path,
            fd,
            next_seq=last.seq + 1 if last else 0,
            prev=found.last_hash,
            last_at_ms=last.at_ms if last else 0,
        )
        if found.unterminated:
            try:
                journal._write(b"\n")
            except JournalError:
                journal.close()
                raise
        return journal

    def append(self, event: Event, *, sync: bool = False) -> None:
        """Write one event, whose `seq` must be the next one.

        The line is with the operating system when this returns; with *sync*, and for every event
        of phase STARTED, it is on disk. Raises `JournalError`.
        """
        if event.seq != self.next_seq:
            raise JournalError(f"event {event.seq} cannot follow event {self.next_seq - 1}")
        line, digest = encode(event, self._prev)
        self._write(line)
        self._prev, self.next_seq, self.last_at_ms = digest, event.seq + 1, event.at_ms
        if sync or event.phase is Phase.STARTED:
            self.sync()

    def sync(self) -> None:
        """Return when everything appended so far is on disk. Raises `JournalError`."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise _cannot("write", self.path, error) from error

    def close(self) -> None:
        """Sync if possible and close. Idempotent, raises nothing."""
        if self._fd < 0:
            return
        try:
            os.fsync(self._fd)
        except OSError:
            pass  # the last word was written already; there is nobody to tell
        finally:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            raise _cannot("write", self.path, error) from error
        if written != len(line):
            raise JournalError(f"`{self.path}` was written in part only; the disk may be full")


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalFile:
    """What could be read of a journal.

    `problem` tells the line at which the chain is broken; `events` are those before it. `torn` says
    that the end of the file was dropped because it was cut. `skipped` are the numbers of torn lines
    in the middle, after which another process went on. `complete` means that nothing is missing:
    no problem, not torn, and the run was closed.
    """

    events: tuple[Event, ...]
    complete: bool
    problem: str | None = None
    torn: bool = False
    skipped: tuple[int, ...] = ()
    last_hash: str = GENESIS
    unterminated: bool = False  # the last line has no end yet


def read(path: Path) -> JournalFile:
    """Read a journal as far as it can be trusted. Raises `JournalError` if there is none."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise _cannot("read", path, error) from error
    return of_bytes(raw)


def of_bytes(raw: bytes) -> JournalFile:
    """The same for the content of a journal that does not lie in a file of its own."""
    lines = raw.split(b"\n")
    tail = lines.pop()  # what follows the last line end: empty unless the file was cut
    numbered = list(enumerate(lines, start=1))
    if tail:
        numbered.append((len(lines) + 1, tail))
    chain = _Chain()
    for number, line in numbered:
        if not chain.take(number, line):
            break
    torn = bool(chain.garbage) and chain.problem is None
    closed = any(event.kind == "run.closed" for event in chain.events)
    return JournalFile(
        events=tuple(chain.events),
        complete=closed and chain.problem is None and not torn,
        problem=chain.problem,
        torn=torn,
        skipped=tuple(chain.skipped),
        last_hash=chain.prev,
        unterminated=bool(tail),
    )


def verify(path: Path) -> str | None:
    """What is wrong with the chain of a journal, with its line; None if nothing is."""
    return read(path).problem


def follow(
    path: Path,
    *,
    until: Callable[[], bool],
    poll_s: float = 0.2,
) -> Iterator[Event]:
    """Yield events while another process writes them, from the first one on.

    Ends after `run.closed`, or when *until* says so and nothing more is there. The file need not
    exist yet. Lines that are torn are skipped; the chain is not verified.
    """
    offset, rest = 0, b""
    while True:
        last_look = until()
        chunk = _read_from(path, offset)
        offset += len(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            try:
                event, _, _ = decode(line)
            except JournalError:
                continue
            yield event
            if event.kind == "run.closed":
                return
        if last_look:
            return
        if not chunk:
            time.sleep(poll_s)


def encode(event: Event, prev: str) -> tuple[bytes, str]:
    """The line of *event* after the line with hash *prev*, and its own hash."""
    fields = {
        "v": JOURNAL_VERSION,
        "seq": event.seq,
        "at_ms": event.at_ms,
        "kind": plain(event.kind),
        "subject": plain(event.subject),
        "phase": event.phase.value,
        "cause": event.cause,
        "data": _public(event.data),
        "prev": prev,
    }
    body = canonical(fields)
    digest = _hash(prev, body)
    return f'{body[:-1]},"hash":"{digest}"}}\n'.encode(), digest


def _public(data: Mapping[str, Any]) -> dict[str, Any]:
    """*data* with secrets masked; an undo record stays whole, for it must find its way back."""
    undo = {"undo": plain(data["undo"])} if "undo" in data else {}
    return {**public(data), **undo}


def decode(line: bytes) -> tuple[Event, str, str]:
    """The event of one line, its `prev` and its `hash`. Raises `JournalError` on anything else.

    The hash is checked against the line itself; whether `prev` fits is for the caller to say.
    """
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise JournalError("is no JSON") from error
    if not isinstance(raw, dict) or "hash" not in raw:
        raise JournalError("is no event")
    digest = raw.pop("hash")
    version = raw.get("v")
    if isinstance(version, int) and version > JOURNAL_VERSION:
        shown = version if version <= _LARGEST else "unknown"
        raise JournalError(f"is of version {shown}; this gameday reads up to {JOURNAL_VERSION}")
    missing = [name for name in _FIELDS if name not in raw]
    if missing or not isinstance(raw["data"], dict):
        raise JournalError(f"is no event: {', '.join(missing) or 'data'} is missing")
    try:
        body = canonical(raw)
    except (ValueError, RecursionError) as error:  # NaN, Infinity, 1e999
        raise JournalError("holds a number that is none") from error
    if digest != _hash(str(raw["prev"]), body):
        raise JournalError("was changed after it was written: its hash does not fit")
    return _event(raw), str(raw["prev"]), str(digest)


class _Chain:
    """Follows the chain line by line."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.prev = GENESIS
        self.garbage: list[int] = []  # unreadable lines since the last whole one
        self.skipped: list[int] = []
        self.problem: str | None = None

    def take(self, number: int, line: bytes) -> bool:
        """Fold one line; False when nothing after it can be trusted."""
        if _is_torn(line):
            self.garbage.append(number)
            return True
        try:
            event, prev, digest = decode(line)
        except JournalError as error:
            self.problem = f"line {number} {error}"
            return False
        if prev != self.prev or event.seq != len(self.events):
            where = self.garbage[0] if self.garbage else number
            self.problem = f"line {where} breaks the chain: lines were changed, removed or added"
            return False
        self.skipped += self.garbage
        self.garbage = []
        self.events.append(event)
        self.prev = digest
        return True


def _is_torn(line: bytes) -> bool:
    """Whether a line can be the beginning of an event that was never written to its end."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return True
    return False


def _event(raw: Mapping[str, Any]) -> Event:
    """The event of a line whose hash fits; what is of another type was not written by us."""
    wrong = [name for name, fits in _TYPES.items() if not fits(raw[name])]
    for (kind, name), (default, fits) in _DATA.items():
        if kind == raw["kind"] and not fits(raw["data"].get(name, default)):
            wrong.append(f"data.{name}")
    if wrong:
        raise JournalError(f"is no event: wrong is {', '.join(f'`{name}`' for name in wrong)}")
    fields = {name: raw[name] for name in (*_TYPES, "data")}
    return Event(**{**fields, "phase": Phase(raw["phase"])})


def _is_whole(value: object) -> bool:
    return type(value) is int and abs(value) <= _LARGEST


def _is_text(value: object) -> bool:
    return isinstance(value, str) and _SURROGATE.search(value) is None


_TYPES: Mapping[str, Callable[[object], bool]] = {
    "seq": _is_whole,
    "at_ms": _is_whole,
    "kind": _is_text,
    "subject": _is_text,
    "phase": lambda value: isinstance(value, str) and value in set(Phase),
    "cause": lambda value: value is None or _is_whole(value),
}
#: Data on which every time and the end of a run rest: what it reads as when left out, what fits.
_DATA: Mapping[tuple[str, str], tuple[object, Callable[[Any], bool]]] = {
    ("run.opened", "origin_wall_ms"): (None, lambda value: _is_whole(value) and value >= 0),
    ("fault.inject", "confirmed_ms"): (0, _is_whole),
    ("fault.revert", "confirmed_ms"): (0, _is_whole),
    ("run.closed", "dirty"): ((), lambda value: isinstance(value, (list, tuple))),
}


def _hash(prev: str, body: str) -> str:
    return hashlib.sha256((prev + body).encode("utf-8", "surrogatepass")).hexdigest()


def _read_from(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise _cannot("read", path, error) from error


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _cannot(what: str, path: Path, error: OSError) -> JournalError:
    return JournalError(f"cannot {what} the journal `{path}`: {error.strerror or error}")
