"""A tabletop: cards are shown when they are due, and what people say is noted with its time."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gameday.kpi.day import CARD
from gameday.model.day import ROLES, Card, Tabletop
from gameday.model.event import Event
from gameday.model.units import format_ms
from gameday.model.verdict import ExitCode, Outcome
from gameday.report.text import printable

#: A talk that goes on so long after its last card is over.
_LONGEST_AFTER_MS = 2 * 3_600_000
_LOOK_S = 1.0
TEXT_MAX = 4_000
HELP = (
    "  Enter shows the next card now. `d TEXT` is a decision, `t TEXT` is to be done later, `end`\n"
    "  ends it; any other line is a note. `commander: TEXT`, or `d commander: TEXT`, says who.\n"
)


class Lines(Protocol):
    """Where the lines of people come from."""

    def next(self, within_s: float) -> str | None:
        """The next line, None if there was none in time. Raises EOFError when nobody is there."""
        ...


class Note(Protocol):
    """Puts one event into the day's journal."""

    def __call__(self, kind: str, subject: str, /, **data: Any) -> Event:
        """The event as it was written."""
        ...


class StandardInput:
    """Lines of a terminal, or of a pipe."""

    def __init__(self, fd: int = 0) -> None:
        self._fd, self._rest, self._over = fd, b"", False

    def next(self, within_s: float) -> str | None:
        """See `Lines`."""
        deadline = time.monotonic() + within_s
        while b"\n" not in self._rest and not self._over:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self._fd], [], [], left)[0]:
                return None
            chunk = os.read(self._fd, 4096)
            self._rest += chunk
            self._over = not chunk
        line, _, self._rest = self._rest.partition(b"\n")
        if self._over and not line:
            raise EOFError
        return line.decode("utf-8", "replace")[:TEXT_MAX]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How an item ended; `facts` are data for its last event."""

    outcome: Outcome
    reason: str
    exit_code: ExitCode
    facts: Mapping[str, Any] = field(default_factory=dict)


class Table:
    """One tabletop under way. `clock` gives milliseconds since its start."""

    def __init__(
        self, item: str, tabletop: Tabletop, note: Note, say: Callable[[str], Any]
    ) -> None:
        self._item, self._note, self._say = item, note, say
        self._cards = tabletop.cards
        self._shown: list[tuple[Card, int]] = []
        self._decided: dict[str, int] = {}  # card -> time from its showing to the first decision

    def play(self, lines: Lines, clock: Callable[[], int], stopped: Callable[[], bool]) -> Ended:
        """Until the last card was talked about, or somebody ends it."""
        self._say(HELP)
        last = self._cards[-1].at_ms + _LONGEST_AFTER_MS
        while clock() < last:
            if stopped():
                return self._ended("the day was stopped")
            while self._waiting and clock() >= self._waiting.at_ms:
                self._show(clock())
            try:
                line = lines.next(self._patience_s(clock()))
            except EOFError:
                return self._ended("nobody was there any more")
            if line is not None and self._take(line.strip(), clock()):
                return self._ended("")
        return self._ended("it was not ended in time")

    @property
    def _waiting(self) -> Card | None:
        return self._cards[len(self._shown)] if len(self._shown) < len(self._cards) else None

    def _patience_s(self, now_ms: int) -> float:
        due = self._waiting.at_ms - now_ms if self._waiting else _LOOK_S * 1000
        return min(_LOOK_S, max(0.0, due / 1000))

    def _show(self, now_ms: int) -> None:
        card = self._waiting
        if card is None:
            return
        self._shown.append((card, now_ms))
        number = f"card {len(self._shown)} of {len(self._cards)}, {format_ms(now_ms)} in"
        ask = f"\n  asked: {card.ask}" if card.ask else ""
        self._say(printable(f"\n[{number}]") + f"\n  {card.inject}{ask}\n")
        self._note(
            CARD, card.id, item=self._item, due_ms=card.at_ms, inject=card.inject, ask=card.ask
        )

    def _take(self, line: str, now_ms: int) -> bool:
        """What somebody wrote; whether that ends the talk."""
        if line in ("", "next"):
            if self._waiting is None:
                return True
            self._show(now_ms)
            return False
        if line == "end":
            return True
        kind, text = "human.note", line
        for start, meant in (("d ", "human.decide"), ("t ", "human.todo")):
            if line.startswith(start):
                kind, text = meant, line[len(start) :].strip()
        role, found, rest = text.partition(":")
        role, text = (role, rest.strip()) if found and role in ROLES else ("scribe", text)
        if not text:
            self._say("  nothing was said\n")
            return False
        more: dict[str, Any] = {}
        if self._shown:
            card, shown_ms = self._shown[-1]
            more = {"card": card.id, "after_ms": now_ms - shown_ms}
            if kind == "human.decide":
                self._decided.setdefault(card.id, now_ms - shown_ms)
        self._note(kind, role, text=text, item=self._item, **more)
        return False

    def _ended(self, why: str) -> Ended:
        open_ = [c.id for c, _ in self._shown if c.ask and c.id not in self._decided]
        left = [c.id for c in self._cards[len(self._shown) :]]
        reasons = [why] if why and (left or open_) else []
        if left:
            reasons.append(f"not played: {', '.join(left)}")
        if open_:
            reasons.append(f"no decision on {', '.join(open_)}")
        facts = {
            "cards": len(self._shown),
            "decided_after_ms": self._decided,
            "not_played": left,
            "undecided": open_,
        }
        if reasons:
            return Ended(
                outcome=Outcome.INCONCLUSIVE,
                reason="; ".join(reasons),
                exit_code=ExitCode.INCONCLUSIVE,
                facts=facts,
            )
        reason = f"all {len(self._shown)} cards were played, and each question was decided"
        return Ended(outcome=Outcome.PASS, reason=reason, exit_code=ExitCode.PASS, facts=facts)
