"""run/undone: every fault of the run is gone and every target is closed, read back.

What steps of runbooks changed is not asked here: that is for `runbook/proven`.

Documented in docs/checks/run-undone.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from gameday.checks.case import Case
from gameday.model.debts import ledger_of
from gameday.model.event import UNDO_OF, Phase, Timeline
from gameday.model.verdict import Finding, Outcome

NAME = "run/undone"


def check(case: Case) -> Iterator[Finding]:
    """One finding a run."""
    left = dirty_of(case.timeline)
    if left:
        names = ", ".join(f"`{name}`" for name in left)
        yield _found(Outcome.FAIL, f"could not be shown to be gone: {names}", *_seqs(case, left))
        return
    yield _found(Outcome.PASS, "every fault is gone and every target is closed, read back")


def dirty_of(timeline: Timeline) -> tuple[str, ...]:
    """Faults and targets that may still be broken, after the whole journal, recovery included."""
    closed = timeline.last("run.closed")
    said = [] if closed is None else [str(name) for name in closed.data.get("dirty", ())]
    unpaid = [name for name in said if not _mended(timeline, name, closed.seq if closed else -1)]
    return tuple(dict.fromkeys([*ledger_of(timeline).dirty, *unpaid]))


def _mended(timeline: Timeline, subject: str, after_seq: int) -> bool:
    return any(
        e.seq > after_seq and e.phase is Phase.OK
        for kind in UNDO_OF.values()
        for e in timeline.of(kind, subject)
    )


def _seqs(case: Case, subjects: tuple[str, ...]) -> tuple[int, ...]:
    kinds = (*UNDO_OF, *UNDO_OF.values())
    found = [e.seq for kind in kinds for s in subjects for e in case.timeline.of(kind, s)]
    return tuple(sorted(found))


def _found(outcome: Outcome, summary: str, *evidence: int) -> Finding:
    return Finding(
        check=NAME,
        subject="run",
        outcome=outcome,
        summary=summary,
        expectation="every fault is gone and every target is closed",
        evidence=evidence,
        validity=True,
    )
