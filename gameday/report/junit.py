"""`junit.xml` for CI: suite = scenario, case = expectation; what was not shown is an error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from gameday.model.report import Report, State
from gameday.model.verdict import Finding, Outcome
from gameday.report.alerts import word_of
from gameday.report.compared import by_text, compared_rows, comparison_text, interval_text
from gameday.report.console import answer_word, stop_lines

#: The case that stands for the run itself, and takes its time.
WHOLE = "the run as a whole"
#: Characters that XML 1.0 cannot carry.
_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report) -> str:
    """The whole file: one suite; the expectations, then the validity of the run."""
    return document([suite_of(report)])


def document(suites: Sequence[ET.Element]) -> str:
    """The text of a file with these suites, and their counts added up."""
    root = ET.Element("testsuites")
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in suites):.3f}")
    root.extend(suites)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def suite_of(report: Report, more: Iterable[tuple[str, str]] = ()) -> ET.Element:
    """One run as a suite, with *more* properties."""
    cases = [*report.expectations, *report.validity]
    shown = [_outcome(report, finding) for finding in cases]
    suite = ET.Element(
        "testsuite",
        name=clean(report.scenario.id),
        tests=str(len(cases) + 1),
        failures=str(shown.count(Outcome.FAIL)),
        errors=str(shown.count(Outcome.INCONCLUSIVE) + int(_run_error(report))),
        skipped=str(shown.count(Outcome.SKIP)),
        time=f"{report.duration_ms / 1000:.3f}",
    )
    if report.started:
        suite.set("timestamp", report.started.removesuffix("Z"))
    properties = ET.SubElement(suite, "properties")
    for name, value in (*more, *_properties(report)):
        ET.SubElement(properties, "property", name=clean(name), value=clean(value))
    _run_case(suite, report)
    for finding, outcome in zip(cases, shown, strict=True):
        _case(suite, report, finding, outcome)
    return suite


def _outcome(report: Report, finding: Finding) -> Outcome:
    """An expectation that failed in a run that proves nothing did not fail: it is not known."""
    if finding.outcome is Outcome.FAIL and report.verdict.outcome is not Outcome.FAIL:
        return Outcome.INCONCLUSIVE
    return finding.outcome


def _run_error(report: Report) -> bool:
    return report.verdict.exit_code not in (0, 1)


def _run_case(suite: ET.Element, report: Report) -> None:
    """The run as a whole: stopped, interrupted, invalid or dirty is an error of its own."""
    took = f"{report.duration_ms / 1000:.3f}"
    case = ET.SubElement(suite, "testcase", classname=_class(report), name=WHOLE, time=took)
    if _run_error(report):
        error = ET.SubElement(
            case, "error", type=report.verdict.status.value, message=clean(report.verdict.reason)
        )
        error.text = clean("\n".join([*_words(report), *_undo(report)]))


def _words(report: Report) -> list[str]:
    return [answer_word(report), report.verdict.reason, *stop_lines(report)]


def _undo(report: Report) -> list[str]:
    return [f"{left.text}; run `{left.command}`" for left in report.leftovers]


def _case(suite: ET.Element, report: Report, finding: Finding, outcome: Outcome) -> None:
    name = finding.expectation or f"{finding.check} {finding.subject}"
    group = "validity" if finding.validity else "expectation"
    case = ET.SubElement(
        suite, "testcase", classname=f"{_class(report)}.{group}", name=clean(name), time="0.000"
    )
    tag = {
        Outcome.FAIL: "failure",
        Outcome.INCONCLUSIVE: "error",
        Outcome.SKIP: "skipped",
    }.get(outcome)
    if tag is None:
        return
    # many viewers show an error as a failure: the words have to say what it is
    said = f"inconclusive: {finding.summary}" if tag == "error" else finding.summary
    answer = ET.SubElement(case, tag, message=clean(said))
    if tag != "skipped":
        answer.set("type", outcome.value)
        answer.text = clean("\n".join(_details(report, finding, outcome)))


def _details(report: Report, finding: Finding, outcome: Outcome) -> Iterable[str]:
    yield finding.summary
    if outcome is not finding.outcome:
        yield f"not counted as a failure: {report.verdict.reason}"
    yield f"check: {finding.check}"
    for name, value in sorted(finding.facts.items()):
        yield f"{name}: {value}"
    if finding.evidence:
        yield "evidence: journal.jsonl lines " + ", ".join(map(str, finding.evidence))
    yield f"report: report.md of run {report.run_id}"


def _properties(report: Report) -> Iterable[tuple[str, str]]:
    yield "run", report.run_id
    yield "verdict", report.verdict.outcome.value
    yield "status", report.verdict.status.value
    yield "exit_code", str(int(report.verdict.exit_code))
    yield "environment", report.environment
    yield "control", str(report.control).lower()
    yield from ((f"alert.{a.fault}.{a.name}", word_of(a)) for a in report.alerts)
    for ladder in report.ladders:
        for rung in ladder.rungs:
            name = f"{ladder.fault}.{ladder.alert or 'users'}.{rung.name}"
            yield f"{name}_ms", _time(rung.state, rung.since_ms)
    safety = report.safety
    if safety.stopped_by:
        yield "stopped_by", safety.stopped_by
    yield "time_to_safe_ms", _time(safety.state, safety.time_to_safe_ms)
    for undo in safety.undos:
        yield f"{undo.fault}.undo_ms", _time(undo.state, undo.took_ms)
    for row in report.phases:
        if row.subject == "all":
            for metric in ("n", "error_ratio", "p50_ms", "p95_ms", "p99_ms"):
                value = getattr(row, metric)
                yield f"{row.phase}.{metric}", "withheld" if value is None else f"{value:g}"
    yield "comparison", comparison_text(report.comparison)
    for number in compared_rows(report.comparison):
        name = f"{number.phase}.{number.subject}.{number.metric}_change"
        yield name, f"{number.change.value}: {by_text(number)} ({interval_text(number)})"


def _time(state: State, ms: int | None) -> str:
    if state is State.MEASURED:
        return str(ms)
    return state.value if ms is None else f"{state.value} at {ms} ms"


def _class(report: Report) -> str:
    return clean(f"{report.scenario.service}.{report.scenario.id}")


def clean(text: str) -> str:
    """*text* without what XML cannot carry."""
    return _FORBIDDEN.sub("\ufffd", text)
