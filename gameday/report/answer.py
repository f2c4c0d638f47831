"""The first screen of a report: what failed, since when, what noticed it, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gameday.model.alerting import AlertWord, OtherWord
from gameday.model.report import Report, State
from gameday.model.units import format_ms
from gameday.model.verdict import Finding, Outcome, RunStatus
from gameday.report.console import safe_text
from gameday.report.figure_lanes import clock

#: So many failures are told on the first screen; all of them stand under findings.
FAILED_MAX = 3
_PROVES_NOTHING = (RunStatus.INVALID, RunStatus.ERRORED, RunStatus.INCOMPLETE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line for people; `link` is the id of the section that has more, or empty."""

    text: str
    link: str = ""


def when(report: Report, at_ms: int) -> str:
    """Run time, and the wall time where it is known: `0:36.2 (23:27:15 UTC)`."""
    if not report.started:
        return clock(at_ms)
    start = datetime.strptime(report.started, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return f"{clock(at_ms)} ({start + timedelta(milliseconds=at_ms):%H:%M:%S} UTC)"


def tone_of(report: Report) -> str:
    """`dirty`, `pass`, `fail` or `unknown`: never the colour of a pass for anything else."""
    if not report.verdict.clean:
        return "dirty"
    if report.verdict.outcome is Outcome.PASS and report.verdict.status is RunStatus.COMPLETED:
        return "pass"
    return "fail" if report.verdict.outcome is Outcome.FAIL else "unknown"


def what_failed(report: Report) -> list[Line]:
    """Each expectation that did not hold; what nobody knows is told as that."""
    proves_nothing = report.verdict.outcome is not Outcome.FAIL
    failed = [f for f in report.expectations if f.outcome is Outcome.FAIL]
    held = sum(f.outcome is Outcome.PASS for f in report.expectations)
    shown = FAILED_MAX if len(failed) > FAILED_MAX + 1 else len(failed)  # never `and 1 more`
    lines = [Line(text=f.summary, link=section_of(f)) for f in failed[:shown]]
    if failed and proves_nothing:
        lines = [Line(text=f"{line.text} (not counted)", link=line.link) for line in lines]
    if len(failed) > shown:
        lines.append(Line(text=f"and {len(failed) - shown} more", link="findings"))
    unknown = sum(f.outcome is Outcome.INCONCLUSIVE for f in report.expectations)
    if unknown:
        plural = "s" if unknown > 1 else ""
        lines.append(Line(text=f"not known: {unknown} expectation{plural}", link="hypothesis"))
    if not lines and report.verdict.outcome is not Outcome.PASS:
        lines.append(Line(text="nothing, but the run proves nothing", link="method"))
    if not lines:
        lines.append(Line(text=f"nothing: all {held} expectations held", link="hypothesis"))
    return lines


def since_when(report: Report) -> list[Line]:
    """From when on users felt it; else from when on the fault was in."""
    in_from = {row.id: row.on_ms for row in report.faults if row.on_ms is not None}
    felt: list[tuple[int, str]] = []
    for ladder in report.ladders:
        impact = next((r for r in ladder.rungs if r.name == "impact"), None)
        on_ms = in_from.get(ladder.fault)
        measured = impact is not None and impact.state is State.MEASURED
        if on_ms is not None and measured and impact is not None and impact.since_ms is not None:
            felt.append((on_ms + impact.since_ms, ladder.fault))
    if felt:
        at_ms, fault = min(felt)
        after_ms = max(0, at_ms - in_from[fault])
        soon = f"{format_ms(after_ms)} after" if after_ms else "as soon as"
        text = f"users felt it from {when(report, at_ms)}, {soon} fault `{fault}` was in"
        return [Line(text=text, link="detection")]
    if in_from:
        fault, on_ms = min(in_from.items(), key=lambda one: one[1])
        text = f"fault `{fault}` was in from {when(report, on_ms)}"
        return [Line(text=f"{text}; users were not measured to feel it", link="detection")]
    return [Line(text="no fault was confirmed in", link="safety")]


def noticed(report: Report) -> list[Line]:
    """Each expected alert, then what else fired or stopped the run."""
    lines = [Line(text=_alert(report, n), link="alerts") for n in range(len(report.alerts))]
    if not report.alerts:
        lines.append(Line(text="no alert was expected", link="alerts"))
    odd = [o for o in report.other_alerts if o.word in (OtherWord.FORBIDDEN, OtherWord.UNEXPECTED)]
    if odd:
        text = f"not expected: {_names(o.alert for o in odd)}"
        lines.append(Line(text=text, link="alerts"))
    safety = report.safety
    if safety.stopped_by and safety.stopped_ms is not None:
        text = f"`{safety.stopped_by}` stopped the run at {when(report, safety.stopped_ms)}"
        lines.append(Line(text=text, link="safety"))
    return lines


def _alert(report: Report, number: int) -> str:
    one = report.alerts[number]
    if one.firing_after_ms is None:
        return f"`{one.alert}` did not fire: {one.reason}"
    text = f"`{one.alert}` fired {format_ms(one.firing_after_ms)} after the fault was in"
    if one.delivered_after_ms is not None:
        receiver = one.receiver or "a receiver"
        text += f", and was at `{receiver}` after {format_ms(one.delivered_after_ms)}"
    return text if one.verdict is AlertWord.CAUGHT else f"{text} ({one.verdict.text})"


def next_steps(report: Report) -> list[Line]:
    """What to do now, most urgent first."""
    lines = list(_urgent(report))
    status, outcome = report.verdict.status, report.verdict.outcome
    bad = [f for f in report.validity if f.outcome not in (Outcome.PASS, Outcome.SKIP)]
    if status in _PROVES_NOTHING or bad:
        why = bad[0].summary if bad else report.verdict.reason
        lines.append(Line(text=f"mend what made this run prove nothing: {why}", link="method"))
    if status is RunStatus.STOPPED:
        lines.append(Line(text="see what the stop condition saw at the stop", link="figure"))
    if outcome is Outcome.FAIL:
        lines += _mend(report)
    if not lines and outcome is Outcome.PASS:
        lines.append(Line(text="nothing has to be done", link=""))
    can = report.verdict.clean and bool(report.scenario.file)  # a dirty one has to be clean first
    again = f"gameday run {report.scenario.file}" if can else ""
    if again:
        profile = f" --profile {report.scenario.profile}" if report.scenario.profile else ""
        lines.append(Line(text=f"run it again after each change: `{again}{profile}`"))
    return list({line.text: line for line in reversed(lines)}.values())[::-1]  # each once


def _urgent(report: Report) -> Iterable[Line]:
    for command in dict.fromkeys(left.command for left in report.leftovers):
        yield Line(text=f"take out what may still be in: `{command}`", link="leftovers")
    if report.verdict.status is RunStatus.INCOMPLETE and not report.leftovers:
        command = f"gameday recover {report.run_id}".strip()
        text = f"the record ends in the middle: see whether the run still goes on, else `{command}`"
        yield Line(text=text, link="method")


def _mend(report: Report) -> Iterable[Line]:
    """One line for each kind of failure, with the section that shows it."""
    groups: dict[str, list[Finding]] = {}
    for finding in report.expectations:
        if finding.outcome is Outcome.FAIL:
            kind = finding.check.partition("/")[0]
            key = finding.check if finding.check == "alert/quiet" else kind
            groups.setdefault(key, []).append(finding)
    for kind, found in groups.items():
        yield Line(text=_mending(report, kind, found), link=section_of(found[0]))


def _mending(report: Report, kind: str, found: Sequence[Finding]) -> str:
    """By name where there is one: how it failed stands on the same screen already."""
    summary, service = found[0].summary, report.scenario.service
    if kind == "alert/quiet":
        names = _names(name for one in found for name in one.facts.get("alerts", ()))
        why = f"see why {names or 'it'} fired, then mend it or expect it"
        return why if names else f"{why}: {summary}"
    names = _names(one.subject for one in found)
    if kind == "alert" and names:
        bad = {one.subject for one in found}
        words = {alert.verdict.text for alert in report.alerts if alert.alert in bad}
        return f"mend the alert {names}" + (f" ({words.pop()})" if len(words) == 1 else "")
    if kind in ("alert", "runbook"):
        return f"mend the {kind}: {summary}"
    if kind == "answer":
        return f"put right what {service} answered: {names or summary}"
    phase = f" in the {found[0].subject} phase" if found[0].subject in _PHASES else ""
    return f"find why requests of {service} failed or came late{phase}, and mend that"


def _names(found: Iterable[str]) -> str:
    """Each once, and not more than three of them; empty if there is none."""
    names = [f"`{one}`" for one in dict.fromkeys(found) if one]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"


_PHASES = ("baseline", "fault", "recovery")


def section_of(finding: Finding) -> str:
    """The section of the page that shows what a check looked at."""
    kind = finding.check.partition("/")[0]
    places = {"alert": "alerts", "runbook": "runbooks", "slo": "objectives", "load": "objectives"}
    return "method" if finding.validity else places.get(kind, "hypothesis")


def safety_line(report: Report) -> str:
    """Whether every fault is out, and when that was read back."""
    if not report.verdict.clean:
        names = ", ".join(f"`{left.subject}`" for left in report.leftovers)
        return f"NOT shown to be gone: {names or 'something that this run broke'}"
    off = [row.off_ms for row in report.faults if row.off_ms is not None]
    if not off:
        return "no fault was left in: none was confirmed in"
    text = f"nothing is broken any more: faults out and read back at {when(report, max(off))}"
    return f"{text}; {safe_text(report.safety)}" if report.safety.stopped_by else text
