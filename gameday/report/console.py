"""The end of a run in the terminal and in `summary.txt`: the answer first, in a screen of text."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import wrap

from gameday.model.report import Change, Ladder, Report, Rung, Safety, State, UndoTime
from gameday.model.units import format_ms
from gameday.model.verdict import Finding, Outcome, RunStatus
from gameday.report import alerts
from gameday.report.compared import comparison_text
from gameday.report.text import printable

WIDTH = 78
MARKS = {
    Outcome.PASS: "ok  ",
    Outcome.FAIL: "FAIL",
    Outcome.INCONCLUSIVE: "??  ",
    Outcome.SKIP: "skip",
}


def render(report: Report, where: str = "") -> str:
    """Plain text, at most 78 columns: verdict, why, expectations, detection times, the place."""
    lines = [*_head(report), "", *_expectations(report), *_validity(report)]
    lines += [*_detection(report), *_tail(report, where)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def answer_word(report: Report) -> str:
    """`PASS`, `FAIL`, `INCONCLUSIVE (invalid)`, … and `NOT CLEAN` above all."""
    word = report.verdict.outcome.value.upper()
    if report.control:
        word = f"CONTROL RUN: {word}"
    if report.verdict.status is not RunStatus.COMPLETED:
        word = f"{word} ({report.verdict.status.value})"
    return word if report.verdict.clean else f"NOT CLEAN, {word}"


def rung_text(rung: Rung) -> str:
    """When a rung came: `6.9 s`, `not within 20 s`, `not measured`."""
    if rung.since_ms is None:
        return "not measured"
    if rung.state is State.CENSORED:
        return f"not within {format_ms(rung.since_ms)}"
    return format_ms(rung.since_ms)


def by_name(ladder: Ladder, name: str) -> Rung | None:
    """The rung of that name."""
    return next((rung for rung in ladder.rungs if rung.name == name), None)


def stop_lines(report: Report) -> Iterable[str]:
    """Why the run was stopped, unless the reason of the verdict says so, and the time to safe."""
    safety = report.safety
    if not safety.stopped_by:
        return
    why = safety.reason.removeprefix(f"`{safety.stopped_by}`: ") or safety.stopped_by
    if why not in report.verdict.reason:
        yield f"stopped by `{safety.stopped_by}`: {why}"
    yield safe_text(safety)


def safe_text(safety: Safety) -> str:
    """The time to safe in words."""
    if safety.time_to_safe_ms is None:
        return f"time to safe not measured: {safety.why}"
    took = format_ms(safety.time_to_safe_ms)
    if safety.state is State.CENSORED:
        return f"not shown to be safe within {took} of the stop: {safety.why}"
    faults = "the fault" if safety.n == 1 else f"all {safety.n} faults"
    return f"safe {took} after the stop: {faults} confirmed off"


def undo_text(undo: UndoTime) -> str:
    """How long a fault took to be taken out: `1.2 s`, `1.2 s (2 tries)`, `not within 60 s`."""
    if undo.took_ms is None:
        return "-"
    tries = f" ({undo.tries} tries)" if undo.tries > 1 else ""
    word = "not within " if undo.state is State.CENSORED else ""
    return f"{word}{format_ms(undo.took_ms)}{tries}"


def _head(report: Report) -> Iterable[str]:
    name = report.scenario.id + (f" ({report.scenario.profile})" if report.scenario.profile else "")
    yield printable(f"{answer_word(report)}  {name}")
    yield from _wrapped(report.verdict.reason)
    for line in stop_lines(report):
        yield from _wrapped(line)
    if report.leftovers:
        yield ""
        for left in report.leftovers:
            yield from _wrapped(f"! {left.text}")
        yield f"  to undo it: {report.leftovers[0].command}"


def _expectations(report: Report) -> Iterable[str]:
    for finding in report.expectations:
        yield from _finding(report, finding)


def _finding(report: Report, finding: Finding) -> Iterable[str]:
    mark = MARKS[finding.outcome]
    if finding.outcome is Outcome.FAIL and report.verdict.outcome is not Outcome.FAIL:
        mark = "(no)"  # it did not hold, in a run that proves nothing
    yield from _wrapped(finding.summary, first=f"  {mark}  ", rest="        ")


def _validity(report: Report) -> Iterable[str]:
    """All of it only where something is wrong: a valid run needs one line."""
    bad = [f for f in report.validity if f.outcome not in (Outcome.PASS, Outcome.SKIP)]
    yield ""
    if not bad:
        bit = "fault bit, all read back as gone" if report.faults else "nothing else broken"
        yield f"  valid: baseline held, load delivered, {bit}"
        return
    yield "  this run proves nothing, because:"
    for summary in dict.fromkeys(finding.summary for finding in bad):
        yield from _wrapped(summary, first="  ??    ", rest="        ")


def _detection(report: Report) -> Iterable[str]:
    told = list(alerts.lines(report))
    if told:
        yield ""
        yield "  alerts"
    for indent, line in told:
        yield from _wrapped(line, first=f"    {indent}", rest=f"        {indent}")
    named = [ladder for ladder in report.ladders if ladder.alert]
    if not named:
        return
    yield ""
    yield f"  {'after the fault was in':28}{'impact':>9}{'pending':>9}{'firing':>9}" + (
        f"{'delivered':>11}{'resolved':>10}"
    )
    for ladder in named:
        cells = [_cell(by_name(ladder, n)) for n in ("impact", "pending", "firing")]
        late = [_cell(by_name(ladder, n)) for n in ("delivered", "resolved")]
        name = printable(ladder.alert)
        name = name if len(name) <= 27 else name[:26] + "…"
        yield f"  {name:28}{cells[0]:>9}{cells[1]:>9}{cells[2]:>9}{late[0]:>11}{late[1]:>10}"


def _cell(rung: Rung | None) -> str:
    if rung is None or rung.since_ms is None:
        return "-"
    text = f"{rung.since_ms / 1000:.1f} s"
    return f"> {text}" if rung.state is State.CENSORED else text


def _tail(report: Report, where: str) -> Iterable[str]:
    yield ""
    if report.comparison.change is not Change.NOT_COMPARED:
        yield from _wrapped(comparison_text(report.comparison))
    if report.parts:
        texts = {part.name: part.text for part in report.parts}
        yield from _wrapped("parts: " + "; ".join(f"{k}: {v}" for k, v in texts.items()))
    if where:
        yield f"  report: {where}"
    yield f"  exit code {int(report.verdict.exit_code)}"


def _wrapped(text: str, first: str = "  ", rest: str = "  ") -> list[str]:
    return wrap(
        printable(text),
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
