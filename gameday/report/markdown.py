"""`report.md`: for a pull request or a wiki. The answer first, then the evidence for it.

It is to be read as a comment: what held is behind its heading, and it is never longer than GitHub
takes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from gameday.model.alerting import AlertWord
from gameday.model.report import Change, Ladder, PhaseRow, Report, Rung, State
from gameday.model.units import format_ms, format_ratio
from gameday.model.verdict import Finding, Outcome
from gameday.report import alerts, runbooks
from gameday.report.compared import (
    by_text,
    compared_rows,
    comparison_text,
    interval_text,
    value_text,
)
from gameday.report.console import answer_word, rung_text, stop_lines, undo_text
from gameday.report.mdtext import Part, at_start, clock, one_line, page, sentence, table
from gameday.report.text import encodable

__all__ = ["CHANGES", "RUNGS", "WORDS", "confirmed", "one_line", "phase_row", "render", "rung_rows"]

WORDS = {
    Outcome.PASS: "✅ pass",
    Outcome.FAIL: "❌ **fail**",
    Outcome.INCONCLUSIVE: "❔ inconclusive",
    Outcome.SKIP: "➖ skip",
}
RUNGS = {
    "on": "fault confirmed on",
    "impact": "users feel it",
    "pending": "alert pending",
    "firing": "alert firing",
    "delivered": "alert delivered",
    "acknowledged": "alert acknowledged",
    "runbook_opened": "runbook opened",
    "resolved": "alert resolved",
    "mitigated": "users are well, fault still in",
    "off": "fault confirmed off",
    "steady": "steady again",
}
CHANGES = {
    Change.WORSE: "**worse**",
    Change.BETTER: "better",
    Change.NOT_SHOWN: "no change shown",
    Change.NOT_COMPARED: "not compared",
}


def render(report: Report, picture: str = "") -> str:
    """The whole page; *picture* is a line of Markdown that stands under the answer."""
    return page(_parts(report, picture))


def _parts(report: Report, picture: str) -> Iterable[Part]:
    """What has to be read is open; the evidence for it is folded. The weight says what goes first.

    Raises nothing: what a run has not got is left out.
    """
    yield Part(lines=[*_answer(report), *(["", picture] if picture else [])])
    yield Part(title="What may still be broken", lines=[*_leftovers(report)])
    yield from _expectations(report)
    yield _validity(report)
    yield Part(
        title="State to put back by hand", lines=[*_undo(report)],
        folded=True, weight=10, whole=True,
    )  # fmt: skip
    yield _folded(7, "Whether the alerts caught it", _alerts(report), _caught(report))
    yield _folded(4, "From the fault to steady", _ladders(report))
    yield _folded(8, "Whether the runbooks cured it", _runbooks(report))
    yield _folded(3, "What users got", _phases(report))
    yield _comparison(report)
    yield _folded(5, "What was broken", _faults(report))
    yield _folded(11, "Timeline", _timeline(report))
    yield _folded(9, "How we know", _how(report))


def _folded(weight: int, title: str, lines: Iterable[str], more: str = "") -> Part:
    title = f"{title}: {more}" if more else title
    return Part(title=title, lines=[*lines], folded=True, weight=weight)


def _answer(report: Report) -> Iterable[str]:
    scenario = report.scenario
    yield f"# {answer_word(report)}: {one_line(scenario.title or scenario.id)}"
    yield ""
    yield f"**{sentence(report.verdict.reason)}**"
    yield ""
    for line in (*stop_lines(report), *report.verdict.facts):
        yield f"- {sentence(line)}"
    yield f"- {_safety(report)}"
    yield ""
    yield f"> {at_start(scenario.hypothesis)}"
    yield ""
    profile = f", profile {scenario.profile}" if scenario.profile else ""
    yield (
        f"Scenario `{scenario.id}`{profile} · service {one_line(scenario.service)} · owner "
        f"{one_line(scenario.owner)} · environment {one_line(report.environment)} · "
        f"{report.started or 'start unknown'} · {format_ms(report.duration_ms)} · "
        f"exit code {int(report.verdict.exit_code)}"
    )


def _safety(report: Report) -> str:
    if not report.verdict.clean:
        return "**Not everything could be shown to be gone, see below.**"
    off = [row.off_ms for row in report.faults if row.off_ms is not None]
    if not off:
        return "Nothing was left broken."
    return f"Every fault was taken out and read back as gone, {clock(max(off))} into the run."


def _leftovers(report: Report) -> Iterable[str]:
    for left in report.leftovers:
        yield f"- {one_line(left.text)}. Undo it with:"
        yield ""
        yield "  ```sh"
        yield f"  {left.command}"
        yield "  ```"


def _undo(report: Report) -> Iterable[str]:
    for left in report.leftovers:
        if left.undo:
            yield f"`{one_line(left.subject)}`, if the command cannot do it:"
            yield ""
            yield "```json"
            text = encodable(json.dumps(left.undo, indent=2, sort_keys=True, ensure_ascii=False))
            yield from text.split("\n")
            yield "```"


def _expectations(report: Report) -> Iterable[Part]:
    """What did not hold stands open, what held behind its heading."""
    held = [f for f in report.expectations if f.outcome in (Outcome.PASS, Outcome.SKIP)]
    other = [f for f in report.expectations if f not in held]
    other.sort(key=lambda f: f.outcome is not Outcome.FAIL)
    failed = any(f.outcome is Outcome.FAIL for f in other)
    lines = [*_findings(other)] if other or not held else []
    if report.verdict.outcome is not Outcome.FAIL and failed:
        lines += ["", "The run proves nothing, so what did not hold is not counted as a failure."]
    title = "What did not hold" if failed else "What is not known" if other else "What was expected"
    yield Part(title=title, lines=lines, weight=1)
    skipped = sum(f.outcome is Outcome.SKIP for f in held)
    count = f"all {len(held)} expectations" if not other else f"{len(held)}"
    if skipped:
        count = f"{len(held) - skipped}, and {skipped} did not apply"
    yield _folded(2, "What held", _findings(held) if held else (), count)


def _validity(report: Report) -> Part:
    bad = [f for f in report.validity if f.outcome not in (Outcome.PASS, Outcome.SKIP)]
    rest = [f for f in report.validity if f not in bad]
    title = "Whether this run could show anything"
    if not bad:
        return _folded(6, title, _findings(rest), "it could")
    return Part(title=f"{title}: it could not", lines=[*_findings([*bad, *rest])], weight=1)


def _findings(findings: Sequence[Finding]) -> Iterable[str]:
    if not findings:
        yield "Nothing was asked."
        return
    rows = [(WORDS[f.outcome], f.expectation, f.summary, f"`{f.check}`") for f in findings]
    yield from table(("", "expected", "found", "check"), rows)


def _alerts(report: Report) -> Iterable[str]:
    """One word an expected alert, and what every other firing was."""
    if not report.alerts and not report.other_alerts:
        return
    if report.alerts:
        yield from table(("verdict", "alert", "why", "notes"), alerts.rows(report))
    else:
        yield "No alert was expected."
    others = alerts.other_rows(report)
    if others:
        yield ""
        yield "What else fired, from the first fault to the end of recovery (run time):"
        yield ""
        yield from table(("", "alert", "fired", "ended", "notifications"), others)
    numbers = alerts.number_rows(report)
    if numbers:
        yield ""
        yield from table(("number", "", "n", "95 % interval", "what was counted"), numbers)


def _caught(report: Report) -> str:
    """How many expected alerts did: `1 of 2`."""
    caught = sum(one.verdict is AlertWord.CAUGHT for one in report.alerts)
    return f"{caught} of {len(report.alerts)}" if report.alerts else ""


def _ladders(report: Report) -> Iterable[str]:
    for number, ladder in enumerate(report.ladders):
        if number:
            yield ""
        name = f": {one_line(ladder.alert)}" if ladder.alert else ""
        receiver = f", receiver `{ladder.receiver}`" if ladder.receiver else ""
        yield f"### `{ladder.fault}`{name}{receiver}"
        yield ""
        yield from table(
            ("", "after the fault was in", "gap", "may be earlier by", ""), rung_rows(ladder)
        )
        for line in (ladder.floor, ladder.compared):
            if line:
                yield ""
                yield sentence(line)


def _runbooks(report: Report) -> Iterable[str]:
    found = runbooks.proofs(report)
    for number, one in enumerate(found):
        if number:
            yield ""
        yield f"### {one_line(one.subject)}"
        yield ""
        yield sentence(one.summary)
        for line in runbooks.lines(one):
            yield f"- {sentence(line)}"
        if rows := runbooks.rows(one):
            yield ""
            yield from table(runbooks.HEAD, rows)
    if found and report.runbook_coverage:
        yield ""
        yield (
            "Of the alerting rules: "
            + ", ".join(f"{one.count} of {one.n} {one.text}" for one in report.runbook_coverage)
            + "."
        )


def rung_rows(ladder: Ladder) -> list[tuple[str, ...]]:
    """In order of time, each with the gap to what it waits for; the slowest wait in bold."""
    known = [r for r in ladder.rungs if r.state is State.MEASURED and r.since_ms is not None]
    known.sort(key=lambda r: (r.since_ms or 0, list(RUNGS).index(r.name)))
    rows: list[tuple[str, ...]] = [
        (RUNGS[r.name], rung_text(r), _gap(r), _error(r.error_ms), _went_into(r)) for r in known
    ]
    for rung in ladder.rungs:
        if rung not in known:
            rows.append((RUNGS[rung.name], rung_text(rung), "", "", rung.why))
    return rows


def _gap(rung: Rung) -> str:
    if rung.gap_ms is None:
        return ""
    text = f"+{format_ms(rung.gap_ms)} after {rung.after.replace('_', ' ')}"
    return f"**{text}**, the slowest" if rung.slowest else text


def _went_into(rung: Rung) -> str:
    """`for` 4 s, evaluation up to 1 s; of what people did, who told it and by which sign."""
    if rung.source:
        return f"{rung.source}: {rung.what}"
    return ", ".join(
        f"{part.name.replace('_', ' ')} "
        + (
            format_ms(part.most_ms)
            if part.least_ms == part.most_ms
            else f"up to {format_ms(part.most_ms)}"
            if part.least_ms == 0
            else f"{format_ms(part.least_ms)} to {format_ms(part.most_ms)}"
        )
        for part in rung.parts
    )


def _phases(report: Report) -> Iterable[str]:
    if not report.phases:
        yield "No phase was reached."
        return
    head = ("phase", "requests", "n", "failed", "good", "p50", "p95", "p99", "not judged (edge)")
    yield from table(head, [phase_row(row) for row in report.phases])
    kinds = sorted({kind for row in report.phases for kind in row.failures})
    if kinds:
        yield ""
        for row in report.phases:
            if row.failures and row.subject == "all":
                told = ", ".join(f"{n} {kind}" for kind, n in row.failures.items())
                yield f"- failures in the {row.phase} phase: {told}"


def phase_row(row: PhaseRow) -> tuple[str, ...]:
    """What users got of one subject in one phase."""
    short = "" if row.complete else " (cut short)"
    return (
        f"{row.phase} ({row.seconds} s{short})" if row.subject == "all" else "",
        row.subject,
        f"{row.n}",
        "-" if row.error_ratio is None else format_ratio(row.error_ratio),
        "-" if row.goodput_ratio is None else format_ratio(row.goodput_ratio),
        *("withheld" if v is None else format_ms(v) for v in (row.p50_ms, row.p95_ms, row.p99_ms)),
        f"{row.edge}" if row.edge else "",
    )


def _comparison(report: Report) -> Part:
    """Against earlier runs; open only where something got worse."""
    title = "Against earlier runs"
    change = report.comparison.change
    lines = [*_compared(report)]
    if change is Change.WORSE:
        return Part(title=title, lines=lines, weight=4)
    return _folded(4, title, lines, CHANGES[change])


def _compared(report: Report) -> Iterable[str]:
    """The table only where there is something in it."""
    found = report.comparison
    yield sentence(comparison_text(found))
    rows = [
        (
            CHANGES[row.change],
            row.phase,
            row.subject,
            row.metric,
            value_text(row, row.before),
            value_text(row, row.now),
            by_text(row),
            interval_text(row),
            f"{row.runs}",
        )
        for row in compared_rows(found)
    ]
    if not rows:
        return
    yield ""
    head = ("", "phase", "requests", "", "before", "now", "change", "interval of the change")
    yield from table((*head, "runs"), rows)
    yield ""
    lacking = Counter(row.why for row in found.numbers if row.why)
    for why, count in sorted(lacking.items()):
        yield f"- not compared, {count} of {len(found.numbers)} numbers: {one_line(why)}"
    level = format_ratio(1 - found.false_alarms)
    yield (
        "- The intervals count what runs differ by anyway: without a change, all of them together "
        f"hold in {level} of runs, if runs differ as those before did. The verdict does not rest "
        "on them."
    )


def _faults(report: Report) -> Iterable[str]:
    if not report.faults:
        return
    undone = {undo.fault: undo_text(undo) for undo in report.safety.undos}
    rows = [
        (
            f"`{row.id}`",
            row.target,
            row.what,
            confirmed(row.on_ms, row.on_error_ms),
            confirmed(row.off_ms, row.off_error_ms),
            undone.get(row.id, "-"),
        )
        for row in report.faults
    ]
    head = ("fault", "target", "what", "confirmed on", "confirmed off", "taken out in")
    yield from table(head, rows)


def _timeline(report: Report) -> Iterable[str]:
    if not report.timeline:
        return
    rows = [(clock(m.at_ms), m.text, "" if m.seq is None else f"{m.seq}") for m in report.timeline]
    yield from table(("run time", "what", "line"), rows)


def _how(report: Report) -> Iterable[str]:
    for note in report.notes:
        yield f"- {sentence(note)}"
    for part in report.parts:
        yield f"- {part.name}: {one_line(part.text)}"
    yield f"- gameday {report.gameday or '(version unknown)'}, seed {report.seed}"
    yield f"- made from the run directory alone; again with `gameday report {report.run_id}`"


def confirmed(at_ms: int | None, error_ms: int | None) -> str:
    """When a fault was read back as in or gone, and how long before that it was asked."""
    if at_ms is None:
        return "**never**"
    return f"{clock(at_ms)} (asked {format_ms(error_ms or 0)} before)"


def _error(error_ms: int | None) -> str:
    return "" if not error_ms else format_ms(error_ms)
