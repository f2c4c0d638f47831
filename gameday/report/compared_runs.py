"""`gameday compare`: what two runs of one scenario say over each other. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gameday.kpi.two_runs import compare_two, stretches_of
from gameday.model.event import Timeline
from gameday.model.plan import Plan
from gameday.model.report import Change, Compared, Ladder, Report, Rung, State
from gameday.model.verdict import ExitCode, Finding, Outcome, RunStatus
from gameday.report.console import answer_word, rung_text
from gameday.report.plan_differences import Difference, differences

#: The version of what `--json` prints.
VERSION = 1
_GOT_WORSE = {(Outcome.PASS, Outcome.FAIL), (Outcome.INCONCLUSIVE, Outcome.FAIL)}
_GOT_BETTER = {(b, a) for a, b in _GOT_WORSE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two runs, read back and judged."""

    plan: Plan
    timeline: Timeline
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Which run it is, and how it ended."""

    run_id: str
    started: str
    word: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectationPair:
    """The answers of both runs to one expectation; None: it was not asked."""

    expectation: str
    check: str
    change: str  # worse, better, same, other, only before, only after
    before: Outcome | None
    now: Outcome | None
    found_before: str
    found_now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePair:
    """One moment of both runs; the difference where both were measured.

    `by_ms` is later in the second run; it lies between `by_low_ms` and `by_high_ms`.
    """

    of: str
    name: str
    before: str
    now: str
    by_ms: int | None = None
    by_low_ms: int | None = None
    by_high_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsCompared:
    """Everything that is told of two runs."""

    compare: int
    scenario: str
    change: Change
    reasons: tuple[str, ...]
    exit_code: ExitCode
    before: Head
    now: Head
    differences: tuple[Difference, ...]
    expectations: tuple[ExpectationPair, ...]
    numbers: tuple[Compared, ...]
    ladders: tuple[TimePair, ...]
    faults: tuple[TimePair, ...]


def compare_runs(before: Side, now: Side) -> RunsCompared:
    """Both runs over each other. They have to be of the same scenario; nobody checks it here."""
    numbers = compare_two(stretches_of(before.timeline), stretches_of(now.timeline))
    pairs = tuple(_expectations(before.report, now.report))
    worse = list(_worse(before.report, now.report, pairs, numbers))
    unknown = list(_unknown(before.report, now.report, pairs))
    better = any(p.change == "better" for p in pairs)
    better = better or any(n.change is Change.BETTER for n in numbers)
    if worse:
        change, code = Change.WORSE, ExitCode.FAIL
    elif unknown:
        change, code = Change.NOT_COMPARED, ExitCode.INCONCLUSIVE
    else:
        change, code = Change.BETTER if better else Change.NOT_SHOWN, ExitCode.PASS
    return RunsCompared(
        compare=VERSION,
        scenario=now.report.scenario.id,
        change=change,
        reasons=(*worse, *unknown),
        exit_code=code,
        before=_head(before.report),
        now=_head(now.report),
        differences=differences((before.plan, before.report), (now.plan, now.report)),
        expectations=pairs,
        numbers=numbers,
        ladders=tuple(_ladders(before.report, now.report)),
        faults=tuple(_faults(before.report, now.report)),
    )


def _head(report: Report) -> Head:
    return Head(
        run_id=report.run_id,
        started=report.started,
        word=answer_word(report),
        reason=report.verdict.reason,
    )


def _worse(
    before: Report, now: Report, pairs: Iterable[ExpectationPair], numbers: Iterable[Compared]
) -> Iterator[str]:
    """Why the second run is worse; a run that proves nothing fails no expectation."""
    goes_on = now.verdict.status is RunStatus.INCOMPLETE  # or it may
    if before.verdict.clean and not now.verdict.clean and not goes_on:
        yield "the run after left something that was not shown to be gone"
    stopped = now.verdict.status is RunStatus.STOPPED
    if stopped and before.verdict.status is RunStatus.COMPLETED:
        yield f"the run after was stopped: {now.verdict.reason}"
    if not _proves(before) or not _proves(now):
        return
    for pair in pairs:
        if pair.change == "worse":
            was = "held" if pair.before is Outcome.PASS else "was not known"
            yield f"“{pair.expectation}” {was} and does not hold any more: {pair.found_now}"
    found = [f"{n.phase} {n.subject} {n.metric}" for n in numbers if n.change is Change.WORSE]
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        yield f"worse by more than chance within the runs: {', '.join(found[:3])}{more}"


def _unknown(before: Report, now: Report, pairs: Iterable[ExpectationPair]) -> Iterator[str]:
    for word, report in (("before", before), ("after", now)):
        if not _proves(report):
            yield f"the run {word} proves nothing: {report.verdict.reason}"
    for pair in pairs:
        if pair.before is Outcome.PASS and pair.now is Outcome.INCONCLUSIVE:
            yield f"“{pair.expectation}” held, and is not known any more: {pair.found_now}"


def _proves(report: Report) -> bool:
    verdict = report.verdict
    known = verdict.outcome in (Outcome.PASS, Outcome.FAIL)
    return known and verdict.status is RunStatus.COMPLETED and verdict.clean


def _expectations(before: Report, now: Report) -> Iterator[ExpectationPair]:
    was = {(f.check, f.expectation): f for f in before.expectations}
    new = {(f.check, f.expectation): f for f in now.expectations}
    for check, text in dict.fromkeys([*new, *was]):
        a, b = was.get((check, text)), new.get((check, text))
        yield ExpectationPair(
            expectation=text,
            check=check,
            change=_changed(a, b),
            before=None if a is None else a.outcome,
            now=None if b is None else b.outcome,
            found_before="" if a is None else a.summary,
            found_now="" if b is None else b.summary,
        )


def _changed(before: Finding | None, now: Finding | None) -> str:
    if before is None or now is None:
        return "only after" if before is None else "only before"
    pair = (before.outcome, now.outcome)
    if pair in _GOT_WORSE or pair in _GOT_BETTER:
        return "worse" if pair in _GOT_WORSE else "better"
    return "same" if before.outcome is now.outcome else "other"


def _ladders(before: Report, now: Report) -> Iterator[TimePair]:
    was = {(one.fault, one.alert, one.receiver): one for one in before.ladders}
    new = {(one.fault, one.alert, one.receiver): one for one in now.ladders}
    for fault, alert, receiver in dict.fromkeys([*new, *was]):
        key = (fault, alert, receiver)
        a, b = _rungs(was.get(key)), _rungs(new.get(key))
        name = f"{fault}: {alert}" if alert else fault
        for rung in dict.fromkeys([*b, *a]):
            yield _rung_pair(name, rung, a.get(rung), b.get(rung))


def _rungs(ladder: Ladder | None) -> dict[str, Rung]:
    return {} if ladder is None else {rung.name: rung for rung in ladder.rungs}


def _rung_pair(of: str, name: str, before: Rung | None, now: Rung | None) -> TimePair:
    """Each may really have been earlier by its error, so the difference lies in between."""
    texts = [rung_text(rung) if rung is not None else "not asked" for rung in (before, now)]
    known = [r for r in (before, now) if r is not None and r.state is State.MEASURED]
    if len(known) < 2:
        return TimePair(of=of, name=name, before=texts[0], now=texts[1])
    by_ms = (known[1].since_ms or 0) - (known[0].since_ms or 0)
    return TimePair(
        of=of,
        name=name,
        before=texts[0],
        now=texts[1],
        by_ms=by_ms,
        by_low_ms=by_ms - (known[1].error_ms or 0),
        by_high_ms=by_ms + (known[0].error_ms or 0),
    )


def _faults(before: Report, now: Report) -> Iterator[TimePair]:
    """How long it took from the call to the read-back, for putting each fault in and out."""
    was = {row.id: row for row in before.faults}
    new = {row.id: row for row in now.faults}
    for fault in dict.fromkeys([*new, *was]):
        a, b = was.get(fault), new.get(fault)
        for name, took in (
            ("confirmed on in", [None if r is None else r.on_error_ms for r in (a, b)]),
            ("confirmed off in", [None if r is None else r.off_error_ms for r in (a, b)]),
        ):
            texts = ["never" if ms is None else f"{ms} ms" for ms in took]
            by = None if took[0] is None or took[1] is None else took[1] - took[0]
            yield TimePair(
                of=fault, name=name, before=texts[0], now=texts[1],
                by_ms=by, by_low_ms=by, by_high_ms=by,
            )  # fmt: skip
