"""What a report says, from the plan, the journal and the verdict. Pure: no clock, no files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from gameday.kpi import seen, spans
from gameday.kpi.alert_numbers import alert_numbers
from gameday.kpi.alert_others import other_episodes
from gameday.kpi.alert_verdict import alert_verdicts, run_of
from gameday.kpi.budget import budget_spent
from gameday.kpi.comparable import comparable_key
from gameday.kpi.compare import History
from gameday.kpi.control import false_pages
from gameday.kpi.runbook_coverage import coverage_of
from gameday.kpi.safety import not_stopped, safety_of
from gameday.kpi.stats import Stats, cells_between, stats, ticks_of
from gameday.kpi.timings import ladders
from gameday.model.alerting import AlertNumber, AlertVerdict, OtherEpisode
from gameday.model.debts import ledger_of
from gameday.model.event import Event, Timeline
from gameday.model.plan import Plan
from gameday.model.report import (
    SCHEMA,
    Answer,
    FaultRow,
    Ladder,
    Leftover,
    Part,
    PhaseRow,
    Report,
    ScenarioPart,
    State,
)
from gameday.model.units import format_ms, format_ratio
from gameday.model.verdict import Outcome, Verdict
from gameday.report.compared import compared_with
from gameday.report.describe import describe
from gameday.report.moments import moments_of

_T = TypeVar("_T")

ALL = "all"


def build(
    plan: Plan, timeline: Timeline, verdict: Verdict, history: History | None = None
) -> Report:
    """Everything a writer may print. The same input gives the same report, byte for byte.

    *history* are the earlier runs that were stored with this one; None if none were looked for.
    """
    opened = timeline.first("run.opened")
    broken: list[str] = []
    rows = _try("phases", lambda: _phases(plan, timeline), broken)
    rungs = _try("ladders", lambda: ladders(plan, timeline), broken) if opened else ()
    alerts, others = _alerts(plan, timeline, verdict, broken) if opened else ((), ())
    moments = _try("timeline", lambda: moments_of(plan, timeline), broken) if opened else ()
    safety = _try("safety", lambda: (safety_of(plan, timeline),), broken)
    notes = _try("notes", lambda: tuple(_notes(plan, timeline, rows)), broken)
    return Report(
        schema=SCHEMA,
        gameday=str(opened.data.get("gameday", "")) if opened is not None else "",
        run_id=opened.subject if opened is not None else "",
        environment=plan.environment.name,
        service_version=_service_version(opened),
        started=_started(timeline),
        duration_ms=timeline.end_ms,
        seed=plan.seed,
        control=plan.scenario.control is not None,
        plan_sha256=str(opened.data.get("plan_sha256", "")) if opened is not None else "",
        scenario=_scenario(plan),
        verdict=Answer(
            outcome=verdict.outcome,
            status=verdict.status,
            exit_code=verdict.exit_code,
            reason=verdict.reason,
            facts=tuple(_facts(rungs, rows, verdict)),
            clean=not verdict.dirty,
        ),
        leftovers=_leftovers(timeline, verdict),
        expectations=tuple(f for f in verdict.findings if not f.validity),
        validity=tuple(f for f in verdict.findings if f.validity),
        safety=safety[0] if safety else not_stopped("it could not be made"),
        alerts=alerts,
        other_alerts=others,
        alert_numbers=_try("alert_numbers", lambda: _numbers(plan, alerts, others), broken),
        runbook_coverage=_try("runbook_coverage", lambda: coverage_of(plan, timeline), broken)
        if opened
        else (),
        ladders=rungs,
        faults=_faults(plan, timeline),
        phases=rows,
        parts=tuple(_parts(timeline)),
        timeline=moments,
        comparable=comparable_key(plan, timeline),
        comparison=compared_with(rows, history, verdict),
        notes=(*broken, *notes),
    )


def _try(name: str, make: Callable[[], tuple[_T, ...]], broken: list[str]) -> tuple[_T, ...]:
    """A part of the report; where a bug of ours makes it impossible, the rest still stands."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - the verdict and what is dirty must be told anyway
        what = f"{type(error).__name__}: {error}"
        broken.append(f"{name} could not be made, by a bug of ours, please report it: {what}")
        return ()


def _alerts(
    plan: Plan, timeline: Timeline, verdict: Verdict, broken: list[str]
) -> tuple[tuple[AlertVerdict, ...], tuple[OtherEpisode, ...]]:
    """The verdict of each expected alert, and every other firing."""
    judged = _try(
        "alerts", lambda: alert_verdicts(run_of(plan, timeline, verdict.findings)), broken
    )
    return judged, _try("other_alerts", lambda: other_episodes(plan, timeline), broken)


def _numbers(
    plan: Plan,
    alerts: tuple[AlertVerdict, ...],
    others: tuple[OtherEpisode, ...],
) -> tuple[AlertNumber, ...]:
    if plan.scenario.control is not None:
        return (false_pages(others),)
    return alert_numbers(alerts, others)


def _service_version(opened: Event | None) -> str:
    return str(opened.data.get("service_version") or "") if opened is not None else ""


def _started(timeline: Timeline) -> str:
    if timeline.first("run.opened") is None:
        return ""
    wall_s = spans.origin_wall_ms(timeline) / 1000
    return datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _scenario(plan: Plan) -> ScenarioPart:
    scenario = plan.scenario
    return ScenarioPart(
        id=scenario.id,
        title=scenario.title,
        service=scenario.service,
        owner=scenario.owner,
        hypothesis=" ".join(scenario.hypothesis.split()),
        profile=scenario.profile,
        file=scenario.file,
        tags=scenario.tags,
    )


def _phases(plan: Plan, timeline: Timeline) -> tuple[PhaseRow, ...]:
    """All requests first, then each journey, then requests that are named apart; a phase each."""
    ticks = ticks_of(timeline)
    windows = spans.windows_of(timeline)
    rows = []
    for phase in spans.JUDGED:
        window = windows.get(phase)
        if window is None:
            continue
        cells = cells_between(ticks, window.start_ms, window.end_ms)
        subjects = sorted({c.journey for c in cells}) or [
            j.name for j in plan.scenario.load.journeys
        ]
        rows.append(_row(window, ALL, stats(cells)))
        if len(subjects) > 1:
            rows.extend(_row(window, name, stats(cells, name)) for name in subjects)
    return tuple(rows)


def _row(window: spans.Window, subject: str, found: Stats) -> PhaseRow:
    low_ms, high_ms = found.percentile_interval_ms(0.95) or (None, None)
    return PhaseRow(
        phase=window.name,
        subject=subject,
        seconds=window.seconds,
        complete=window.complete,
        n=found.n,
        good=found.good,
        failures=dict(sorted(found.failures.items())),
        edge=found.edge,
        error_ratio=found.error_ratio,
        goodput_ratio=found.goodput_ratio,
        p50_ms=found.percentile_ms(0.5),
        p95_ms=found.percentile_ms(0.95),
        p99_ms=found.percentile_ms(0.99),
        p95_low_ms=low_ms,
        p95_high_ms=high_ms,
    )


def _faults(plan: Plan, timeline: Timeline) -> tuple[FaultRow, ...]:
    found = zip(plan.scenario.faults, spans.faults_of(plan, timeline), strict=True)
    return tuple(
        FaultRow(
            id=spec.id,
            target=spec.target,
            what=describe(spec),
            on_ms=span.on_ms,
            on_error_ms=span.on_error_ms,
            off_ms=span.off_ms,
            off_error_ms=span.off_error_ms,
        )
        for spec, span in found
    )


def _facts(
    rungs: tuple[Ladder, ...], rows: tuple[PhaseRow, ...], verdict: Verdict
) -> Iterable[str]:
    """Detection, what users felt, and recovery: what somebody asks first."""
    fired = [f for f in verdict.findings if f.check == "alert/fired"]
    fired.sort(key=lambda f: f.outcome is Outcome.PASS)
    if fired:
        yield fired[0].summary
    rose = [f.summary for f in verdict.findings if f.check == "load/breakpoint"]
    yield from rose
    whole = {row.phase: row for row in rows if row.subject == ALL}
    fault, baseline = whole.get("fault"), whole.get("baseline")
    if fault is not None and fault.error_ratio is not None:
        when = "while the load rose" if rose else "while the fault was in"
        said = f"{when}, {fault.n - fault.good} of {fault.n} requests failed"
        said += f" ({format_ratio(fault.error_ratio)})"
        if fault.p95_ms is not None and baseline is not None and baseline.p95_ms is not None:
            before, after = format_ms(baseline.p95_ms), format_ms(fault.p95_ms)
            said += f"; p95 of all went from {before} to {after}"
        yield said
    for ladder in rungs[:1]:
        steady = next(r for r in ladder.rungs if r.name == "steady")
        off = next(r for r in ladder.rungs if r.name == "off")
        if steady.since_ms is not None and off.since_ms is not None:
            after = format_ms(max(0, steady.since_ms - off.since_ms))
            measured = steady.state is State.MEASURED
            words = f"steady again {after}" if measured else f"not steady {after}"
            yield f"{words} after the last fault was off"


def _parts(timeline: Timeline) -> Iterable[Part]:
    version = _service_version(timeline.first("run.opened"))
    if version:
        yield Part(name="service", text=f"version {version}")
    event = timeline.last("run.parts")
    for name, value in sorted(event.data.items()) if event is not None else ():
        if value:
            yield Part(name=name, text=_part_text(value))


def _part_text(value: object) -> str:
    if isinstance(value, dict) and value.get("kind"):
        version = f", {value['version']}" if value.get("version") else ""
        url = f", at {value['url']}" if value.get("url") else ""
        return f"{value['kind']}{version}{url}{_added(value)}"
    if isinstance(value, dict):
        return ", ".join(f"{k} {_part_text(v)}" for k, v in sorted(value.items()) if v)
    if isinstance(value, (list, tuple)):
        return ", ".join(_part_text(v) for v in value)
    return str(value)


def _added(part: Mapping[str, object]) -> str:
    """What a proxy adds to each round trip by itself, if that was measured before the load."""
    p50, p99 = part.get("added_p50_ms"), part.get("added_p99_ms")
    if not isinstance(p50, (int, float)) or not isinstance(p99, (int, float)):
        return ""
    return f"; adds {p50:.2f} ms (p50), {p99:.2f} ms (p99) to a round trip, n = {part.get('n')}"


def _leftovers(timeline: Timeline, verdict: Verdict) -> tuple[Leftover, ...]:
    opened = timeline.first("run.opened")
    command = f"gameday recover {opened.subject if opened is not None else ''}".strip()
    undo = {debt.subject: debt.undo for debt in ledger_of(timeline).owed}
    return tuple(
        Leftover(
            subject=subject,
            text=f"`{subject}` was broken or opened by this run and not shown to be gone",
            command=command,
            undo=undo.get(subject, {}),
        )
        for subject in verdict.dirty
    )


def _notes(plan: Plan, timeline: Timeline, rows: tuple[PhaseRow, ...]) -> Iterable[str]:
    edge = sum(row.edge for row in rows if row.subject == ALL)
    if edge:
        yield (
            f"{edge} requests were under way while a connection was being cut for inject or "
            "revert; they are counted, and never judged"
        )
    withheld = sorted({row.phase for row in rows if row.subject == ALL and row.p99_ms is None})
    if withheld:
        yield f"p99 needs 1000 good answers and is withheld in: {', '.join(withheld)}"
    for row in rows:
        if row.subject == ALL and not row.complete:
            yield f"the {row.phase} phase was cut short after {row.seconds} s"
    yield "latency counts from the intended start of each request, and only of good answers"
    yield from (spent.text for spent in budget_spent(plan.service.slos, ticks_of(timeline)))
    yield from _budget_notes(timeline)
    if timeline.first("run.opened") is not None:
        for source in seen.source_names(plan):
            yield _source_note(timeline, source)
    yield from _foreseen_notes(timeline)
    yield from _blind_notes(timeline)
    yield from dict.fromkeys(str(e.data.get("text", "")) for e in timeline.of("receiver.note"))
    if timeline.first("sentinel.lost") is not None:
        yield "the sentinel was lost during the run; the runner itself took the faults out"
    if timeline.first("sentinel.took_over") is not None:
        yield "the sentinel took over from the runner and took the faults out"


def _budget_notes(timeline: Timeline) -> Iterable[str]:
    """What was left of the error budget before and after the run, as its source says."""
    for event in timeline.of("budget.read"):
        left, when = event.data.get("left"), event.data.get("when", "start")
        if left is None:
            why = event.data.get("error") or "no reason given"
            yield f"the error budget could not be read at the {when} of the run: {why}"
        else:
            yield f"{format_ratio(float(left))} of the error budget was left at the {when}"


def _foreseen_notes(timeline: Timeline) -> Iterable[str]:
    """What the live rules and routes said of the expected alerts before anything was touched.

    Errors that were still in a window, or one that was not full, make an alert look faster.
    """
    for event in timeline.of("preflight.passed"):
        for line in event.data.get("warnings", ()):
            if str(line).startswith("alert "):
                yield f"before the run: {line}"


def _blind_notes(timeline: Timeline) -> Iterable[str]:
    """Where the environment is lenient, a run goes on that nothing could have stopped."""
    gaps: dict[str, list[Event]] = {}
    for event in timeline.of("stop.blind"):
        gaps.setdefault(event.subject, []).append(event)
    for subject, found in gaps.items():
        times = ", ".join(f"{int(e.data.get('since_ms', e.at_ms)) / 1000:.1f} s" for e in found)
        error = found[-1].data.get("error")
        why = f": {error}" if error else ""
        yield (
            f"stop condition: `{subject}` could not be read from {times} of the run on, so it "
            f"could not have stopped it then{why}"
        )


def _source_note(timeline: Timeline, source: str) -> str:
    sight = seen.sight_of(timeline, source)
    if sight.why:
        return f"alerts: {sight.why}"
    offset = timeline.last("clock.offset", source)
    clock = ""
    if offset is not None:
        error = offset.data.get("error_ms")
        bar = f" ± {format_ms(float(error))}" if error is not None else ""
        clock = f"; its clock is {format_ms(float(offset.data['offset_ms']))}{bar} ahead of ours"
    count = len(sight.gaps)
    gaps = f" with {count} gap{'s' if count > 1 else ''}" if count else " without a gap"
    return f"alerts: `{source}` was read{gaps}{clock}"
