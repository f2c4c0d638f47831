"""A journal line by line: which events are not as they were written. Pure.

Reading a journal stops at the first line that does not fit; this goes on after it, so that every
event that was touched is named. It cannot find a journal that was computed anew from the first
changed line to its end: for that a signature is needed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from gameday.journal import GENESIS
from gameday.plain import canonical

#: As many lines are named; a file that is wrong from end to end need not be told in full.
NAMED_MAX = 20
_CHANGED = "was changed after it was written: its hash does not fit"
_FORM = "is not written as gameday writes it: it was changed"
_CHAIN = "does not follow the line before it: lines were changed, removed or added here"
_UNREAD = "cannot be read: it was changed or cut"
_NO_EVENT = "is no event"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineProblem:
    """A line (from 1) that is not as it was written, and the event (`seq`) that is or was in it."""

    line: int
    seq: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What was found. `torn` are lines cut by a crash (or by somebody), after which all fits."""

    problems: tuple[LineProblem, ...]
    torn: tuple[LineProblem, ...]
    events: int
    last_hash: str


def audit(raw: bytes, *, redacted: Collection[int] = ()) -> Audit:
    """Look at every line. Of *redacted* lines (their `seq`) the own hash is taken as it stands."""
    lines = raw.split(b"\n")
    tail = lines.pop()
    walk = _Walk(redacted)
    for number, line in enumerate([*lines, tail] if tail else lines, start=1):
        walk.take(number, line)
    return Audit(
        problems=tuple(walk.problems[:NAMED_MAX]),
        torn=tuple(walk.torn + walk.waiting),
        events=walk.events,
        last_hash=walk.prev,
    )


class _Walk:
    def __init__(self, redacted: Collection[int]) -> None:
        self._redacted = redacted
        self._suspect = False  # the line before was wrong, so that this one may not fit it
        self._next = 0
        self.prev = GENESIS
        self.events = 0
        self.problems: list[LineProblem] = []
        self.torn: list[LineProblem] = []
        self.waiting: list[LineProblem] = []  # unreadable lines since the last whole one

    def take(self, number: int, line: bytes) -> None:
        raw = _parsed(line)
        if raw is None:
            row = LineProblem(line=number, seq=self._next, text=_UNREAD)
            self.waiting.append(row)
            return
        fields, digest = raw
        stated = fields.get("seq")
        seq = stated if type(stated) is int else self._next
        fits = fields.get("prev") == self.prev and seq == self._next
        self._settle(number, fits=fits)
        why = self._own(fields, digest, line)
        if why:
            self._say(number, self._next if not fits else seq, why)
        self._suspect = why is not None
        self.events += 1
        self.prev = digest
        self._next = seq + 1 if 0 <= seq <= self._next + 1_000_000 else self._next + 1

    def _settle(self, number: int, *, fits: bool) -> None:
        """What to think of the lines before, now that a whole one is here."""
        if fits:
            self.torn += self.waiting
        elif self.waiting:
            self.problems += self.waiting
        elif not self._suspect:
            self._say(number, self._next, _CHAIN)
        self.waiting = []

    def _own(self, fields: Mapping[str, Any], digest: str, line: bytes) -> str | None:
        try:
            body = canonical(fields)
        except (ValueError, RecursionError):
            return _CHANGED
        if "kind" not in fields:
            return _NO_EVENT
        if f'{body[:-1]},"hash":{json.dumps(digest)}}}'.encode("utf-8", "surrogatepass") != line:
            return _FORM if digest == _hash(fields, body) else _CHANGED
        if digest == _hash(fields, body) or fields.get("seq") in self._redacted:
            return None
        return _CHANGED

    def _say(self, number: int, seq: int, text: str) -> None:
        if not self.problems or self.problems[-1].line != number:
            self.problems.append(LineProblem(line=number, seq=seq, text=text))


def _parsed(line: bytes) -> tuple[dict[str, Any], str] | None:
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict):
        return None
    return raw, str(raw.pop("hash", ""))


def _hash(fields: Mapping[str, Any], body: str) -> str:
    text = str(fields.get("prev")) + body
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
