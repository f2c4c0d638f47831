"""The end of a run in the terminal: the answer first, in a screen of text (see `summary`)."""

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
UNDO = "  to undo it:"
MARKS = {
    Outcome.PASS: "ok  ",
    Outcome.FAIL: "FAIL",
    Outcome.INCONCLUSIVE: "??  ",
    Outcome.SKIP: "skip",
}


def render(report: Report, where: str = "") -> str:
    """Plain text, at most 78 columns: verdict, why, expectations, detection times, the place."""
    lines = [*head(report), ""]
    lines += [line for found in report.expectations for line in finding_lines(report, found)]
    lines += [*validity(report), *alert_words(report), *detection_table(report)]
    lines += ["", *compared(report), *parts(report)]
    lines += [f"  report: {where}"] if where else []
    lines += [exit_line(report)]
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


def head(report: Report) -> Iterable[str]:
    """The answer, why, and above all what may still be broken and how to undo it."""
    name = report.scenario.id + (f" ({report.scenario.profile})" if report.scenario.profile else "")
    yield printable(f"{answer_word(report)}  {name}")
    yield from _wrapped(report.verdict.reason)
    for line in stop_lines(report):
        yield from _wrapped(line)
    if report.leftovers:
        yield ""
        for left in report.leftovers:
            yield from _wrapped(f"! {left.text}")
        yield f"{UNDO} {report.leftovers[0].command}"


def finding_lines(report: Report, finding: Finding) -> Iterable[str]:
    """One expectation with its mark."""
    mark = MARKS[finding.outcome]
    if finding.outcome is Outcome.FAIL and report.verdict.outcome is not Outcome.FAIL:
        mark = "(no)"  # it did not hold, in a run that proves nothing
    yield from _wrapped(finding.summary, first=f"  {mark}  ", rest="        ")


def validity(report: Report) -> Iterable[str]:
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


def alert_words(report: Report) -> Iterable[str]:
    """One word for each expected alert, and each other firing."""
    told = list(alerts.lines(report))
    if told:
        yield ""
        yield "  alerts"
    for indent, line in told:
        yield from _wrapped(line, first=f"    {indent}", rest=f"        {indent}")


def detection_table(report: Report) -> Iterable[str]:
    """How long after the fault each expected alert came."""
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
        for rung in filter(None, (by_name(ladder, n) for n in ("acknowledged", "runbook_opened"))):
            if rung.source:
                what = f"{rung.name.replace('_', ' ')} {_cell(rung)}: {rung.source}, {rung.what}"
                yield from _wrapped(printable(what), first="    ", rest="        ")


def _cell(rung: Rung | None) -> str:
    if rung is None or rung.since_ms is None:
        return "-"
    text = f"{rung.since_ms / 1000:.1f} s"
    return f"> {text}" if rung.state is State.CENSORED else text


def compared(report: Report) -> Iterable[str]:
    """What has become of the numbers since the last runs."""
    if report.comparison.change is not Change.NOT_COMPARED:
        yield from _wrapped(comparison_text(report.comparison))


def parts(report: Report) -> Iterable[str]:
    """With which parts it was run."""
    if report.parts:
        texts = {part.name: part.text for part in report.parts}
        yield from _wrapped("parts: " + "; ".join(f"{k}: {v}" for k, v in texts.items()))


def exit_line(report: Report) -> str:
    """The last line."""
    return f"  exit code {int(report.verdict.exit_code)}"


def _wrapped(text: str, first: str = "  ", rest: str = "  ") -> list[str]:
    return wrap(
        printable(text),
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
