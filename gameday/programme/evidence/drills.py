"""What the journals of days say of restores that were rehearsed: as evidence beside a run. Pure.

Only what was measured is taken out of them; what people said in a day stays in its journal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from gameday.kpi.day import ITEM, OPENED
from gameday.model.day import DrillKind
from gameday.model.event import Event, Phase
from gameday.model.units import format_ms
from gameday.model.verdict import Outcome

#: An inconclusive one says nothing.
_SAYS = (Outcome.PASS.value, Outcome.FAIL.value)
_ERRORS = (KeyError, TypeError, ValueError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """One rehearsal of a restore: `line` of the journal of its day says how it ended, and `at`."""

    day: str
    journal: str
    last_hash: str
    item: str
    line: int
    at: str
    environment: str
    outcome: str
    reason: str
    rto_ms: int | None = None
    rto_allowed_ms: int | None = None
    rpo_ms: int | None = None
    rpo_allowed_ms: int | None = None

    @property
    def text(self) -> str:
        """For people: which one, and how it went."""
        which = f"`{self.item}` of the day `{self.day}`, {self.at[:10]} in `{self.environment}`"
        if self.outcome != Outcome.PASS.value:
            return f"{which}: {self.outcome}: {self.reason}"
        back = f"back after {_of(self.rto_ms, self.rto_allowed_ms)}"
        known = self.rpo_ms is not None
        lost = f", {_of(self.rpo_ms, self.rpo_allowed_ms)} lost" if known else ""
        said = f"line {self.line} of `{self.journal}`"
        return f"{which}: {back}{lost}, every check passed ({said})"


def restores_in(journal: str, last_hash: str, events: Sequence[Event]) -> Iterator[Restore]:
    """Each restore of a day that was rehearsed to its end, and passed or failed.

    Journals of versions that did not write down `what` was rehearsed have none. Raises ValueError
    and its like for a journal that is none of a day.
    """
    opened = events[0] if events else None
    if opened is None or opened.kind != OPENED:
        return
    origin_ms = int(opened.data["origin_wall_ms"])
    for event in events:
        data = event.data
        ended = event.kind == ITEM and event.phase is Phase.OK and data.get("outcome") in _SAYS
        if not ended or data.get("what") != DrillKind.RESTORE.value:
            continue
        at = datetime.fromtimestamp((origin_ms + event.at_ms) / 1000, UTC)
        yield Restore(
            day=opened.subject,
            journal=journal,
            last_hash=last_hash,
            item=event.subject,
            line=event.seq + 1,
            at=f"{at:%Y-%m-%dT%H:%M:%SZ}",
            environment=str(opened.data.get("environment", "")),
            outcome=str(data["outcome"]),
            reason=str(data.get("reason", "")),
            **{name: _whole(data.get(name)) for name in _TIMES},
        )


def newest(found: Iterable[Restore], environment: str) -> Restore | None:
    """What is known there: the last rehearsal of each restore, and of these one that failed first.

    An older one that passed says nothing after one that failed, nor does that of other data.
    """
    there = sorted((r for r in found if r.environment == environment), key=_when)
    last = {(one.day, one.item): one for one in there}
    failed = [one for one in last.values() if one.outcome != Outcome.PASS.value]
    return max(failed or last.values(), key=_when, default=None)


def _when(one: Restore) -> tuple[str, int]:
    return one.at, one.line


def plain(restore: Restore) -> dict[str, Any]:
    """As `drills.json` of a bundle holds it."""
    return {"restore": asdict(restore)}


def read_plain(raw: bytes) -> Restore | None:
    """What `plain` made; None of anything else."""
    try:
        row = json.loads(raw)["restore"]
        texts = {name: row[name] for name in _TEXTS}
        line = row["line"]
        times = {name: row.get(name) for name in _TIMES}
    except _ERRORS:
        return None
    right = all(isinstance(text, str) for text in texts.values()) and type(line) is int
    if not right or any(one is not None and type(one) is not int for one in times.values()):
        return None
    return Restore(**texts, **times, line=line)


_TIMES = ("rto_ms", "rto_allowed_ms", "rpo_ms", "rpo_allowed_ms")
_TEXTS = tuple(f.name for f in fields(Restore) if f.name not in (*_TIMES, "line"))


def _whole(value: object) -> int | None:
    return value if type(value) is int else None


def _of(ms: int | None, allowed_ms: int | None) -> str:
    measured = "a time that was not measured" if ms is None else format_ms(ms)
    return measured if allowed_ms is None else f"{measured} ({format_ms(allowed_ms)} allowed)"
