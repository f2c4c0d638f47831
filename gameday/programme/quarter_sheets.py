"""The tables of a quarter's report: every one is a file of comma-separated values too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from gameday.model.quarter import Deployment, History, Incident, Restored, RunKind, RunSeen
from gameday.model.quarter_report import Cell, CoverageMap, Dot, Number, Sheet
from gameday.programme.quarter_days import day_sheet
from gameday.programme.quarter_findings import Standing
from gameday.programme.quarter_frame import Frame
from gameday.programme.quarter_numbers import alert_words, detection
from gameday.programme.quarter_outside import due_drills, due_postmortems

WORDS = ("detected", "late", "missed", "unexpected", "not known")
RESTORED = tuple(one.value for one in Restored)
_NUMBER = (
    "kpi", "environment", "kind", "subject", "unit", "state", "value", "k", "n", "low", "high",
    "beyond", "target", "paired_scenarios", "now_k", "now_n", "before_k", "before_n", "trend",
    "text",
)  # fmt: skip


def number_sheet(numbers: Sequence[Number]) -> Sheet:
    """Every KPI."""
    return Sheet(
        name="kpis", title="Every number", columns=_NUMBER,
        rows=tuple(_number(one) for one in numbers),
    )  # fmt: skip


def _number(one: Number) -> tuple[Cell, ...]:
    p = one.paired
    pair: tuple[Cell, ...] = (None,) * 6
    if p is not None:
        pair = (p.pairs, p.now_k, p.now_n, p.before_k, p.before_n, p.trend.value)
    return (
        one.name, one.environment, one.kind, one.subject, one.unit, one.state, _round(one.value),
        one.k, one.n, _round(one.low), _round(one.high), _round(one.beyond), one.target, *pair,
        one.text,
    )  # fmt: skip


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def coverage_sheet(maps: Sequence[CoverageMap]) -> Sheet:
    """Every cell of every map."""
    rows = tuple(
        (m.environment, m.kind, c.service, tiers.get(c.service), c.mode, c.letter or "never",
         c.age_days, c.fresh, c.needed, c.run)
        for m in maps
        for tiers in (dict(m.services),)
        for c in m.cells
    )  # fmt: skip
    columns = ("environment", "kind", "service", "tier", "failure_mode", "last", "age_days",
               "fresh", "in_scope", "run")  # fmt: skip
    return Sheet(name="coverage", title="Coverage", columns=columns, rows=rows)


def dots_of(frame: Frame) -> tuple[Dot, ...]:
    """Every detection of this quarter and of the one before, of valid runs."""
    return tuple(
        Dot(
            group=run.stratum.name,
            scenario=run.drill,
            run=run.run,
            ms=int(found.value),
            seen=found.ended,
            within_ms=max((a.within_ms for a in run.alerts if a.fault == fault.id), default=0),
            current=current,
        )
        for current, runs in ((True, frame.now), (False, frame.before))
        for run in runs
        if run.valid and run.kind is not RunKind.CONTROL
        for fault in run.faults
        for found in (detection(run, fault),)
        if found is not None
    )


def dot_sheet(dots: Sequence[Dot]) -> Sheet:
    """Every detection, one a line."""
    columns = ("environment_and_kind", "scenario", "run", "detected", "ms", "allowed_ms", "quarter")
    rows = tuple(
        (d.group, d.scenario, d.run, d.seen, d.ms, d.within_ms, "this" if d.current else "before")
        for d in dots
    )
    return Sheet(name="detections", title="Every detection", columns=columns, rows=rows)


def outcome_sheet(frame: Frame) -> Sheet:
    """What became of alerts, by service; and of how many runs."""
    rows: list[tuple[Cell, ...]] = []
    for key, runs in _by_service(frame):
        words = Counter(word for run in runs for word in alert_words(run))
        rows.append((*key, len(runs), *(words[word] for word in WORDS)))
    columns = ("environment", "kind", "service", "runs", *(w.replace(" ", "_") for w in WORDS))
    return Sheet(name="alerts", title="What became of alerts", columns=columns, rows=tuple(rows))


def restored_sheet(frame: Frame) -> Sheet:
    """How users were well again, by service."""
    rows: list[tuple[Cell, ...]] = []
    for key, runs in _by_service(frame):
        words = Counter(fault.restored.value for run in runs for fault in run.faults)
        rows.append((*key, sum(words.values()), *(words[word] for word in RESTORED)))
    columns = ("environment", "kind", "service", "faults", *RESTORED)
    return Sheet(name="restored", title="Restored how", columns=columns, rows=tuple(rows))


def _by_service(frame: Frame) -> Iterator[tuple[tuple[str, str, str], list[RunSeen]]]:
    found: dict[tuple[str, str, str], list[RunSeen]] = {}
    for run in frame.now:
        if run.valid and run.kind is not RunKind.CONTROL:
            found.setdefault((run.environment, run.kind.value, run.service), []).append(run)
    yield from sorted(found.items())


def run_sheet(frame: Frame) -> Sheet:
    """Every run of the quarter."""
    columns = ("run", "ended", "environment", "kind", "service", "tier", "failure_mode", "scenario",
               "profile", "outcome", "status", "valid", "clean", "minutes", "reason")  # fmt: skip
    rows = tuple(
        (r.run, r.ended, r.environment, r.kind.value, r.service, r.tier, r.mode, r.scenario,
         r.profile, r.outcome, r.status, r.valid, r.clean, round(r.duration_ms / 60_000, 1),
         r.reason)
        for r in frame.now
    )  # fmt: skip
    return Sheet(name="runs", title="Every run", columns=columns, rows=rows)


def finding_sheet(now: Sequence[Standing], frame: Frame) -> Sheet:
    """Every finding as it stood at the end."""
    columns = ("id", "title", "service", "failure_mode", "class", "severity", "state", "owner",
               "due", "overdue", "age_days", "accepted_until", "changes")  # fmt: skip
    rows = tuple(
        (s.finding.id, s.finding.title, s.finding.service, s.finding.mode, s.finding.kind,
         s.severity.value, s.state.value, s.owner, s.due.isoformat(),
         s.is_active and s.due < frame.as_of.date(), s.age_days(frame.as_of), s.until,
         len(s.changes))
        for s in now
    )  # fmt: skip
    return Sheet(name="findings", title="Findings", columns=columns, rows=rows)


def flow_sheet(flow: Sequence[tuple[str, str, int]]) -> Sheet:
    """The cumulative counts."""
    columns = ("day", "step", "cumulative")
    return Sheet(name="findings_flow", title="Findings, day by day", columns=columns,
                 rows=tuple(flow))  # fmt: skip


def imported_sheets(history: History, frame: Frame) -> Iterator[Sheet]:
    """What was imported, of this quarter."""
    if history.incidents is not None:
        yield _incidents(history.incidents, frame)
        yield postmortem_sheet(history.incidents, frame)
    if history.days:
        yield day_sheet(history.days, frame)
    if history.deployments is not None:
        yield _deployments(history.deployments, frame)
    if history.drills is not None:
        rows = tuple(
            (d.id, f"{d.scheduled:%Y-%m-%d}", f"{d.held:%Y-%m-%d}" if d.held else "not held",
             d.service or None, d.environment or None, d.drill or None, d.tries or None, d.rto_s,
             d.rto_target_s, d.rpo_s, d.rpo_target_s, d.integrity or None, d.passed)
            for d in due_drills(history.drills, frame.period, frame)
        )  # fmt: skip
        columns = ("id", "scheduled", "held", "service", "environment", "drill", "tries", "rto_s",
                   "rto_target_s", "rpo_s", "rpo_target_s", "integrity", "passed")  # fmt: skip
        yield Sheet(name="drills", title="Drills against targets", columns=columns, rows=rows)


def postmortem_sheet(incidents: Sequence[Incident], frame: Frame) -> Sheet:
    """The postmortems that were due in the quarter."""
    rows = tuple(
        (p.incident.id, p.incident.service, p.incident.severity, f"{p.due:%Y-%m-%dT%H:%M:%SZ}",
         f"{at:%Y-%m-%dT%H:%M:%SZ}" if (at := p.incident.postmortem) else "not published",
         p.written)
        for p in due_postmortems(incidents, frame.period, frame)
    )  # fmt: skip
    columns = ("incident", "service", "severity", "due", "published", "on_time")
    return Sheet(name="postmortems", title="Postmortems", columns=columns, rows=rows)


def _incidents(incidents: Sequence[Incident], frame: Frame) -> Sheet:
    rows = tuple(
        (i.id, f"{i.started:%Y-%m-%dT%H:%M:%SZ}", i.service, i.severity, i.mode or None,
         round((i.resolved - i.started).total_seconds() / 60) if i.resolved else None)
        for i in sorted(incidents, key=lambda one: (one.started, one.id))
        if frame.period.has(i.started) and i.started <= frame.as_of
    )  # fmt: skip
    columns = ("id", "started", "service", "severity", "failure_mode", "minutes")
    return Sheet(name="incidents", title="Incidents", columns=columns, rows=rows)


def _deployments(deployments: Sequence[Deployment], frame: Frame) -> Sheet:
    counts: dict[tuple[str, str], Counter[str]] = {}
    for one in deployments:
        if frame.period.has(one.at) and one.at <= frame.as_of:
            counts.setdefault((one.environment, one.service), Counter())[one.outcome] += 1
    rows = tuple(
        (*key, sum(of.values()), of["ok"], of["failed"], of["rolled_back"])
        for key, of in sorted(counts.items())
    )
    columns = ("environment", "service", "deployments", "ok", "failed", "rolled_back")
    return Sheet(name="deployments", title="Deployments", columns=columns, rows=rows)
