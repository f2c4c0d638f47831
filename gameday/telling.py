"""Sending notices, in a process of its own: the same for a run, its sentinel, and `recover`.

The library that sends is not imported here, and nobody waits for it longer than is said: a
process that hangs is left to end itself. What is told stands in the journal first (`notice.asked`),
so that a moment is told at most once a run, whoever comes after.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gameday.model.event import Event
from gameday.model.notices import (
    Exercise,
    Message,
    NoticeMoment,
    NoticeSpec,
    Told,
    is_asked,
    key_of,
)
from gameday.secrets import masked

#: How long one address may take. The process ends itself; no answer by then is "not known".
LIMIT_S = 30.0
#: How long the process is waited for: it has to load the library first.
WAIT_S = LIMIT_S + 10.0
_OUTPUT_MAX = 64 * 1024
_PLAN_MAX = 64 * 1024 * 1024
_ERROR_MAX = 300

#: Puts an event into the journal: kind, subject, data.
Add = Callable[[str, str, Mapping[str, Any]], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of one address. Without an `error` its server has taken the message."""

    to: str
    error: str = ""
    scheme: str = ""
    ms: int = 0


class Sending:
    """A message under way to some addresses."""

    def __init__(
        self, notices: Sequence[NoticeSpec], messages: Sequence[Message], look: str, *, base: str
    ) -> None:
        self._names = [one.name for one in notices]
        self._lines: list[str] = []
        self._began = time.monotonic()
        work = {"look": look, "base": base, "limit_s": LIMIT_S, "to": _rows(notices, messages)}
        self._process = _spawn()
        self._thread: threading.Thread | None = None
        if self._process is not None:
            self._thread = threading.Thread(
                target=self._talk, args=(json.dumps(work),), name="gameday-notice", daemon=True
            )
            self._thread.start()

    def wait(self, within_s: float) -> bool:
        """Whether all is known after at most *within_s*."""
        if self._thread is not None:
            self._thread.join(max(0.0, within_s))
        return self._thread is None or not self._thread.is_alive()

    def results(self, within_s: float | None = None) -> tuple[Sent, ...]:
        """One for each address, in their order; waits at most *within_s*. Never raises.

        Without it, as long as the process may take.
        """
        if self._thread is None:
            return tuple(
                Sent(to=n, error="no process could be started for it") for n in self._names
            )
        over = self.wait(WAIT_S if within_s is None else within_s)
        found = {one.to: one for one in map(_sent, list(self._lines)) if one is not None}
        waited = f"no answer within {time.monotonic() - self._began:.0f} s"
        why = "the process that sends it broke off" if over else waited
        unknown = f"{why}; it may have been sent"
        return tuple(found.get(name, Sent(to=name, error=unknown)) for name in self._names)

    def _talk(self, work: str) -> None:
        """Give the process its work, and read what it says until it ends; it ends itself."""
        process = self._process
        assert process is not None  # noqa: S101 - the thread is started only with one
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018
        with contextlib.suppress(OSError, ValueError):
            with process.stdin as given:
                given.write(work)
            size = 0
            for line in process.stdout:
                size += len(line)
                if size > _OUTPUT_MAX:
                    break
                self._lines.append(line)
        with contextlib.suppress(OSError):
            process.stdout.close()
        try:
            process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(slots=True, kw_only=True)
class Teller:
    """Tells the moments of one run that its journal does not know yet.

    `add` writes into that journal. Call it from one thread.
    """

    exercise: Exercise
    add: Add
    _under_way: list[tuple[NoticeMoment, Sending]] = field(default_factory=list)

    @classmethod
    def of(cls, run_dir: Path, add: Add) -> Teller | None:
        """For a run that lies there; None if nobody is to be told, or its plan cannot be read."""
        exercise = exercise_of(run_dir)
        return None if exercise is None or not exercise.notices else cls(exercise=exercise, add=add)

    def tell(self, told: Told, events: Iterable[Event]) -> bool:
        """Begin to tell, and return; whether there was anything to tell."""
        exercise, moment = self.exercise, told.moment
        to = exercise.to(moment)
        if not to or is_asked(events, moment):
            return False
        self.add("notice.asked", moment.value, asked(exercise, told))
        self._under_way.append((moment, begin(exercise, told)))
        return True

    def finish(self, within_s: float | None = None) -> None:
        """Wait for what is under way, and write down what became of it."""
        until = time.monotonic() + (WAIT_S if within_s is None else within_s)
        while self._under_way:
            moment, sending = self._under_way.pop(0)
            for kind, data in outcome(sending.results(until - time.monotonic())):
                self.add(kind, moment.value, data)


def exercise_of(run_dir: Path) -> Exercise | None:
    """What is told of the run that lies there; None if that cannot be read."""
    try:
        with (run_dir / "plan.json").open("rb") as file:
            return Exercise.of(json.loads(file.read(_PLAN_MAX)), run_dir.name)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def asked(exercise: Exercise, told: Told) -> dict[str, Any]:
    """The data of `notice.asked`: names of addresses, never what they are."""
    names = [one.name for one in exercise.to(told.moment)]
    return {"key": key_of(exercise.run, told.moment), "to": names, **told.to_json()}


def begin(exercise: Exercise, told: Told) -> Sending:
    """Start to send. Returns at once."""
    to = exercise.to(told.moment)
    messages = [exercise.message(told, one.detail) for one in to]
    return Sending(to, messages, told.moment.value, base=exercise.directory)


def outcome(results: Iterable[Sent]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Kind and data of the event for each result."""
    for one in results:
        if one.error:
            yield "notice.failed", {"to": one.to, "scheme": one.scheme, "error": one.error}
        else:
            yield "notice.sent", {"to": one.to, "scheme": one.scheme, "ms": one.ms}


def _rows(notices: Sequence[NoticeSpec], messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "url": {"env": one.url.env, "file": one.url.file, "prefix": one.url.prefix},
            "title": masked(message.title),
            "body": masked(message.body),
        }
        for one, message in zip(notices, messages, strict=True)
    ]


def _spawn() -> subprocess.Popen[str] | None:
    """The process: in a session of its own, so that what ends the runner does not end it."""
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "gameday.adapters.notices"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
    except OSError:
        return None


def _sent(line: str) -> Sent | None:
    """What one line of the process says; None for anything else."""
    try:
        raw = json.loads(line)
        return Sent(
            to=str(raw["to"]),
            error=masked(str(raw.get("error") or ""))[:_ERROR_MAX],
            scheme=str(raw.get("scheme") or ""),
            ms=int(raw.get("ms") or 0),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
