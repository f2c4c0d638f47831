"""Which runs may go: kept are the last of each kind, the young ones, and all that may matter. Pure.

A kind is a scenario in one environment, with one profile, with its faults or as a control run: so
many smoke runs do not push out the run of a GameDay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run, as far as retention asks. `started_ms` is wall time; None if it is not known."""

    run_id: str
    kind: tuple[str, ...]
    started_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is kept: the `last` of each kind, and what is younger than `days`. One of them is set.

    With both, only what is neither among the last nor young may go.
    """

    last: int | None = None
    days: int | None = None

    def __str__(self) -> str:
        """For people."""
        parts = [f"the last {self.last} of each kind"] if self.last is not None else []
        parts += [f"what is younger than {self.days} days"] if self.days is not None else []
        return " and ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a run, and why. `held` means: the rule would let it go, and it stays."""

    run: Run
    remove: bool
    why: str
    held: bool = False


def decide(
    runs: Iterable[Run], rule: Rule, *, now_ms: int, holds: Callable[[Run], str | None]
) -> list[Decision]:
    """Every run with what becomes of it, newest first.

    *holds* says why a run must stay whatever the rule says; only runs that would go are asked for.
    """
    if rule.last is None and rule.days is None:
        raise ValueError("a rule without a limit would remove everything")
    before: dict[tuple[str, ...], int] = {}
    found = []
    newest_first = sorted(
        runs, key=lambda r: (r.started_ms is None, -(r.started_ms or 0), r.run_id)
    )
    for run in newest_first:
        place = before[run.kind] = before.get(run.kind, 0) + 1
        why = _kept(run, rule, place=place, now_ms=now_ms)
        if why is not None:
            found.append(Decision(run=run, remove=False, why=why))
            continue
        hold = holds(run)
        if hold is not None:
            found.append(Decision(run=run, remove=False, why=hold, held=True))
        else:
            found.append(Decision(run=run, remove=True, why=_age(run, now_ms)))
    return found


def _kept(run: Run, rule: Rule, *, place: int, now_ms: int) -> str | None:
    if run.started_ms is None:
        return "it is not known when it was run"
    if rule.last is not None and place <= rule.last:
        return f"number {place} of its kind"
    if rule.days is not None and now_ms - run.started_ms < rule.days * DAY_MS:
        return _age(run, now_ms)
    return None


def _age(run: Run, now_ms: int) -> str:
    days = max(0, now_ms - (run.started_ms or 0)) // DAY_MS
    return f"{days} days old"
