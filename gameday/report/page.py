"""What `report.html` says, section by section, as plain values for its template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from gameday.model.event import Timeline
from gameday.model.plan import Plan
from gameday.model.report import Ladder, Report
from gameday.model.units import format_ms, format_ratio
from gameday.model.verdict import Finding, Outcome
from gameday.report import alerts, answer, markdown, runbooks
from gameday.report.compared import (
    by_text,
    compared_rows,
    comparison_text,
    interval_text,
    value_text,
)
from gameday.report.console import answer_word, stop_lines, undo_text
from gameday.report.figure_lanes import clock
from gameday.report.margins import margin_cells

Cells: TypeAlias = Sequence[Sequence[str]]
#: The files of a run that a page can lead to; they stand beside it.
RAW = (
    ("journal.jsonl", "the record, one event a line"),
    ("result.json", "everything on this page, for machines"),
    ("plan.json", "the plan as it was run"),
    ("scenario.yaml", "the scenario as it was run"),
    ("overview.svg", "the figure as a picture"),
    ("overview.png", "the same for chat"),
    ("report.md", "this report for a pull request or a wiki"),
    ("postmortem.md", "a draft of a postmortem, for people to finish"),
    ("junit.xml", "for CI"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: a caption for those who hear it, a head, and rows."""

    id: str
    caption: str
    head: Sequence[str]
    rows: Cells
    title: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section of the page, in order of the page."""

    id: str
    title: str
    lead: str = ""
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The whole page but for the figure."""

    report: Report
    word: str
    tone: str
    facts: Sequence[str]
    failed: Sequence[answer.Line]
    since: Sequence[answer.Line]
    noticed: Sequence[answer.Line]
    steps: Sequence[answer.Line]
    safety: str
    meta: Sequence[tuple[str, str]]
    hypothesis: Table
    sections: Sequence[Section]
    moments: Sequence[tuple[str, str, str, str]]  # run time, source, text, line of the journal
    sources: Sequence[str] = field(default_factory=tuple)


def page_of(report: Report, plan: Plan, timeline: Timeline) -> Page:
    """The page of a run. What cannot be made is left out and said; the verdict never is."""
    broken: list[str] = []
    moments = [
        (clock(m.at_ms), m.what.partition(".")[0], m.text, "" if m.seq is None else f"{m.seq}")
        for m in report.timeline
    ]
    makers: Sequence[tuple[str, Callable[[], Section | None]]] = (
        ("detection", lambda: _detection(report)),
        ("alerts", lambda: _alerts(report)),
        ("runbooks", lambda: _runbooks(report)),
        ("objectives", lambda: _objectives(report)),
        ("findings", lambda: _findings(report)),
        ("safety", lambda: _safety(report, plan, timeline)),
    )
    sections = [found for name, make in makers if (found := _made(name, make, broken)) is not None]
    return Page(
        report=report,
        word=answer_word(report),
        tone=answer.tone_of(report),
        facts=report.verdict.facts,
        failed=answer.what_failed(report),
        since=answer.since_when(report),
        noticed=answer.noticed(report),
        steps=answer.next_steps(report),
        safety=answer.safety_line(report),
        meta=list(_meta(report, timeline)),
        hypothesis=Table(
            id="table-expectations",
            caption="What was expected, and what was found",
            head=("", "expected", "found", "check"),
            rows=_finding_cells(report.expectations),
        ),
        sections=[*sections, _method(report, broken)],
        moments=moments,
        sources=sorted({source for _, source, *_ in moments}),
    )


def _made(name: str, make: Callable[[], Section | None], broken: list[str]) -> Section | None:
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - the verdict and what is dirty must be told anyway
        broken.append(
            f"the section {name} could not be made, by a bug of ours, please report it: "
            f"{type(error).__name__}: {error}"
        )
        return None


def _meta(report: Report, timeline: Timeline) -> Iterable[tuple[str, str]]:
    opened = timeline.first("run.opened")
    approvals = opened.data.get("approvals") or () if opened is not None else ()
    roles = ", ".join(str(one.get("role", "")) for one in approvals)
    scenario = report.scenario
    yield "scenario", f"`{scenario.id}`"
    if scenario.profile:
        yield "profile", scenario.profile
    yield "service", scenario.service
    yield "owner", scenario.owner
    yield "environment", report.environment
    yield "started", report.started or "not known"
    yield "took", format_ms(report.duration_ms)
    yield "status", report.verdict.status.value
    if roles:
        yield "approved by", roles
    yield "gameday", report.gameday or "not known"
    yield "exit code", f"{int(report.verdict.exit_code)}"


def _finding_cells(findings: Iterable[Finding]) -> Cells:
    return [(markdown.WORDS[f.outcome], f.expectation, f.summary, f"`{f.check}`") for f in findings]


def _detection(report: Report) -> Section | None:
    if not report.ladders:
        return None
    tables = [_ladder(number, ladder) for number, ladder in enumerate(report.ladders)]
    lead = "From the fault to steady, in order of time; the slowest wait is in bold."
    return Section(id="detection", title="Detection ladder", lead=lead, tables=tables)


def _ladder(number: int, ladder: Ladder) -> Table:
    name = f": {ladder.alert}" if ladder.alert else ""
    receiver = f", receiver `{ladder.receiver}`" if ladder.receiver else ""
    return Table(
        id=f"table-ladder-{number}",
        caption=f"Detection ladder of fault {ladder.fault}{name}",
        title=f"`{ladder.fault}`{name}{receiver}",
        head=("", "after the fault was in", "gap", "may be earlier by", "went into"),
        rows=markdown.rung_rows(ladder),
        notes=[text for text in (ladder.floor, ladder.compared) if text],
    )


def _alerts(report: Report) -> Section | None:
    tables = []
    if report.alerts:
        head: tuple[str, ...] = ("verdict", "alert", "why", "notes")
        caption = "Verdict of each expected alert"
        tables.append(
            Table(id="table-alerts", caption=caption, head=head, rows=alerts.rows(report))
        )
    if report.other_alerts:
        title = "What else fired, from the first fault to the end of recovery"
        head = ("", "alert", "fired", "ended", "notifications")
        rows = alerts.other_rows(report)
        tables.append(
            Table(id="table-other-alerts", caption=title, title=title, head=head, rows=rows)
        )
    if report.alert_numbers:
        head = ("number", "", "n", "95 % interval", "what was counted")
        caption = "Numbers over all alerts"
        rows = alerts.number_rows(report)
        tables.append(
            Table(id="table-alert-numbers", caption=caption, title=caption, head=head, rows=rows)
        )
    if not tables:
        return None
    lead = "" if report.alerts else "No alert was expected."
    return Section(id="alerts", title="Alerts", lead=lead, tables=tables)


def _runbooks(report: Report) -> Section | None:
    found = runbooks.proofs(report)
    others = [f for f in report.expectations if f.check.startswith("runbook/") and f not in found]
    if not found and not others:
        return None
    tables = [
        Table(
            id=f"table-runbook-{number}",
            caption=f"Steps of runbook {one.subject}",
            title=f"{markdown.WORDS[one.outcome]}: {one.subject}",
            head=runbooks.HEAD,
            rows=runbooks.rows(one),
            notes=[one.summary, *runbooks.lines(one)],
        )
        for number, one in enumerate(found)
    ]
    notes = [f.summary for f in others]
    notes += [
        f"{one.count} of {one.n} alerting rules: {one.text}" for one in report.runbook_coverage
    ]
    return Section(id="runbooks", title="Runbooks", tables=tables, notes=notes)


def _objectives(report: Report) -> Section:
    head = ("phase", "requests", "n", "failed", "good", "p50", "p95", "p99", "not judged (edge)")
    tables = [
        Table(
            id="table-phases",
            caption="What users got in each phase",
            head=head,
            rows=[markdown.phase_row(row) for row in report.phases],
        )
    ]
    kinds = [
        f"failures in the {row.phase} phase: "
        + ", ".join(f"{n} {kind}" for kind, n in row.failures.items())
        for row in report.phases
        if row.failures and row.subject == "all"
    ]
    rows = [
        (
            markdown.CHANGES[row.change],
            row.phase,
            row.subject,
            row.metric,
            value_text(row, row.before),
            value_text(row, row.now),
            by_text(row),
            interval_text(row),
            f"{row.runs}",
        )
        for row in compared_rows(report.comparison)
    ]
    if rows:
        names = ("", "phase", "requests", "", "before", "now", "change", "interval", "runs")
        title = "Against earlier runs"
        tables.append(
            Table(id="table-comparison", caption=title, title=title, head=names, rows=rows)
        )
    lacking = Counter(row.why for row in report.comparison.numbers if row.why)
    notes = [f"not compared, {n} numbers: {why}" for why, n in sorted(lacking.items())]
    lead = "" if report.phases else "No phase was reached."
    return Section(
        id="objectives",
        title="What users got, by phase",
        lead=lead,
        tables=tables if report.phases else (),
        notes=[*kinds, comparison_text(report.comparison), *notes],
    )


def _findings(report: Report) -> Section:
    bad = (Outcome.FAIL, Outcome.INCONCLUSIVE)
    found = [f for f in (*report.expectations, *report.validity) if f.outcome in bad]
    found.sort(key=lambda f: f.outcome is not Outcome.FAIL)
    if not found:
        return Section(id="findings", title="Findings", lead="There are none.")
    head = ("", "expected", "found", "check")
    table = Table(
        id="table-findings",
        caption="Everything that did not hold or is not known",
        head=head,
        rows=_finding_cells(found),
    )
    return Section(id="findings", title="Findings", tables=[table])


def _safety(report: Report, plan: Plan, timeline: Timeline) -> Section:
    undone = {undo.fault: undo_text(undo) for undo in report.safety.undos}
    tables = []
    if report.faults:
        head: tuple[str, ...] = (
            "fault",
            "target",
            "what",
            "confirmed on",
            "confirmed off",
            "taken out in",
        )
        rows = [
            (
                f"`{row.id}`",
                row.target,
                row.what,
                markdown.confirmed(row.on_ms, row.on_error_ms),
                markdown.confirmed(row.off_ms, row.off_error_ms),
                undone.get(row.id, "-"),
            )
            for row in report.faults
        ]
        caption = "What was broken, and when it was read back as gone"
        tables.append(
            Table(id="table-faults", caption=caption, title=caption, head=head, rows=rows)
        )
    margins = margin_cells(plan, timeline)
    if margins:
        caption = "How near the stop conditions came"
        head = ("stop condition", "nearest value", "at", "held")
        tables.append(
            Table(id="table-margins", caption=caption, title=caption, head=head, rows=margins)
        )
    return Section(
        id="safety",
        title="Safety",
        lead=answer.safety_line(report),
        tables=tables,
        notes=list(stop_lines(report)),
    )


def _method(report: Report, broken: Sequence[str]) -> Section:
    bad = [f for f in report.validity if f.outcome not in (Outcome.PASS, Outcome.SKIP)]
    rows = _finding_cells([*bad, *(f for f in report.validity if f not in bad)])
    table = Table(
        id="table-validity",
        caption="Whether this run could show anything",
        head=("", "asked", "found", "check"),
        rows=rows,
    )
    notes = [*broken, *report.notes, *(f"{part.name}: {part.text}" for part in report.parts)]
    notes.append(f"seed {report.seed}; plan {report.plan_sha256[:12] or 'not known'}")
    level = format_ratio(1 - report.comparison.false_alarms)
    if compared_rows(report.comparison):
        notes.append(f"the intervals against earlier runs hold together in {level} of runs")
    return Section(
        id="method",
        title="How we know",
        lead="This run proves nothing, because of what is marked below."
        if bad
        else "This run could have shown a failure.",
        tables=[table] if rows else (),
        notes=notes,
    )
