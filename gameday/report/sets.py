"""A set of runs, for a terminal, for a step summary in CI (Markdown), and as JUnit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from gameday.model.runset import FailOn, RunSet, SetRow
from gameday.model.units import format_ms
from gameday.model.verdict import ExitCode
from gameday.report import junit
from gameday.report.console import answer_word
from gameday.report.summary import KEPT, Block, fit
from gameday.report.text import printable

_WORDS = {
    ExitCode.PASS: "PASS",
    ExitCode.FAIL: "FAIL",
    ExitCode.USAGE: "REFUSED",
    ExitCode.INCONCLUSIVE: "INCONCLUSIVE",
    ExitCode.STOPPED: "STOPPED",
    ExitCode.DIRTY: "NOT CLEAN",
    ExitCode.INTERNAL: "INTERNAL ERROR",
    ExitCode.INTERRUPTED: "INTERRUPTED",
}
NOT_RUN, SKIPPED = "NOT RUN", "SKIPPED"
_NOT_RUN_WHY = "not run: the set ended before it"
_WIDTH = 78
_MARKS = {"PASS": "✅", "FAIL": "❌", NOT_RUN: "➖", SKIPPED: "➖"}


def render(done: RunSet) -> str:
    """All of it: a line a scenario, why where it is no plain pass, counts, the exit code."""
    lines = [line for row in done.rows for line in _lines(done, row)]
    return "\n".join(["", _head(done), "", *lines, "", *_tail(done)]) + "\n"


def short(done: RunSet) -> str:
    """The same in at most 1,200 characters, as `summary.txt`: passes are left out first."""
    whole = render(done).lstrip("\n")
    if len(whole) <= 1_200:
        return whole
    blocks = [Block(weight=KEPT, lines=[_head(done), ""])]
    for row in done.rows:
        weight = 3 if row.exit_code is ExitCode.PASS else 2 if row.tries or row.skipped else 4
        if row.exit_code in (ExitCode.DIRTY, ExitCode.INTERNAL):
            weight = 1
        blocks.append(Block(weight=weight, lines=list(_lines(done, row))))
    *tail, last = _tail(done)
    blocks += [Block(weight=5, lines=["", *tail]), Block(weight=KEPT, lines=[last])]
    return fit(blocks, "junit.xml")


def word(row: SetRow) -> str:
    """What a scenario ended with."""
    if row.shown is None:
        return SKIPPED if row.skipped else NOT_RUN
    if row.shown.report is not None and row.exit_code is row.shown.report.verdict.exit_code:
        return answer_word(row.shown.report) + (" (flaky)" if row.flaky else "")
    return _WORDS[row.exit_code]


def counts(done: RunSet) -> str:
    """`3 scenarios: 2 passed, 1 failed`."""
    names = {
        ExitCode.PASS: "passed", ExitCode.FAIL: "failed", ExitCode.INCONCLUSIVE: "inconclusive",
        ExitCode.STOPPED: "stopped", ExitCode.DIRTY: "NOT CLEAN", ExitCode.USAGE: "refused",
        ExitCode.INTERRUPTED: "interrupted", ExitCode.INTERNAL: "ended by an error of gameday",
    }  # fmt: skip
    found = Counter(row.exit_code for row in done.rows if row.tries)
    told = [f"{found[code]} {name}" for code, name in names.items() if found[code]]
    skipped = sum(bool(row.skipped) for row in done.rows)
    left = sum(not row.tries for row in done.rows) - skipped
    told += [f"{skipped} skipped"] if skipped else []
    told += [f"{left} not run"] if left else []
    n = len(done.rows)
    return f"{n} scenario{'' if n == 1 else 's'}: {', '.join(told)}"


def result_line(done: RunSet) -> str:
    """The last line of `gameday run --json` for a set."""
    rows = [
        {
            "scenario": row.scenario,
            "exit_code": int(row.exit_code) if row.tries else None,
            "run_id": row.shown.report.run_id if row.shown and row.shown.report else None,
            "reason": row.shown.reason if row.shown else row.skipped or None,
            "skipped": bool(row.skipped),
            "tries": len(row.tries),
            "warnings": list(row.warnings),
        }
        for row in done.rows
    ]
    value = {
        "t": "set", "set_id": done.id, "exit_code": int(done.exit_code),
        "fail_on": done.fail_on.value, "flakes": done.flakes, "scenarios": rows,
    }  # fmt: skip
    return json.dumps(value, ensure_ascii=False) + "\n"


def markdown(done: RunSet) -> str:
    """For the summary of a step in CI: a table, then why where it is no pass."""
    lines = [f"## gameday: {_cell(counts(done))}", ""]
    lines += ["|  | scenario | result | took | why |", "|---|---|---|---|---|"]
    for row in done.rows:
        text, report = word(row), row.shown.report if row.shown else None
        took = format_ms(report.duration_ms) if report else ""
        why = row.shown.reason if row.shown and text != "PASS" else row.skipped
        why = "; ".join([*filter(None, [why]), *row.warnings])
        mark = _MARKS.get(text, "⚠️")
        lines.append(f"| {mark} | {_cell(row.scenario)} | {_cell(text)} | {took} | {_cell(why)} |")
    undo = [
        f"- **may still be broken**: {_cell(left.text)}: `{left.command}`"
        for row in done.rows
        for one in row.tries
        for left in (one.report.leftovers if one.report else ())
    ]
    lines += ["", *undo] if undo else []
    return "\n".join([*lines, "", *(f"{_cell(line.strip())}  " for line in _tail(done))]) + "\n"


def junit_text(done: RunSet) -> str:
    """The suites of all runs in one file; what was refused or not run is a suite with one case."""
    return junit.document([_suite(row) for row in done.rows])


def _suite(row: SetRow) -> ET.Element:
    report = row.shown.report if row.shown else None
    if report is None:
        return _suite_without_run(row)
    tries = [("tries", str(len(row.tries))), ("flaky", str(row.flaky).lower())]
    suite = junit.suite_of(report, tries)
    if row.flaky:
        whole = suite.find("testcase")
        for one in row.tries[:-1] if whole is not None else ():
            kind = "flakyFailure" if one.exit_code is ExitCode.FAIL else "flakyError"
            tag = ET.SubElement(whole, kind, message=junit.clean(one.reason))  # type: ignore[arg-type]
            tag.set("type", _WORDS[one.exit_code].lower())
    return suite


def _suite_without_run(row: SetRow) -> ET.Element:
    refused = row.shown is not None
    suite = ET.Element(
        "testsuite", name=junit.clean(row.scenario), tests="1", failures="0",
        errors=str(int(refused)), skipped=str(int(not refused)), time="0.000",
    )  # fmt: skip
    name = junit.clean(row.scenario)
    case = ET.SubElement(suite, "testcase", classname=name, name=junit.WHOLE, time="0.000")
    if row.shown is None:
        ET.SubElement(case, "skipped", message=junit.clean(row.skipped) or _NOT_RUN_WHY)
    else:
        reason = junit.clean(row.shown.reason)
        error = ET.SubElement(case, "error", message=reason.partition("\n")[0])
        error.set("type", _WORDS[row.exit_code].lower())
        error.text = reason
    return suite


def _head(done: RunSet) -> str:
    return f"{_WORDS[done.exit_code]}  {counts(done)}"


def _lines(done: RunSet, row: SetRow) -> Iterator[str]:
    report = row.shown.report if row.shown else None
    took = f"{format_ms(report.duration_ms):>9}" if report else " " * 9
    text = word(row)
    yield f"  {text:21} {took}  {printable(row.scenario)}"
    more = [row.shown.reason] if row.shown and row.exit_code is not ExitCode.PASS else []
    more += [row.skipped] if row.skipped else []
    for left in report.leftovers if report else ():
        more.append(f"! {left.text}: {left.command}")
    for line in (*more, *row.warnings):
        yield _clipped(f"      {printable(' '.join(line.split()))}")


def _tail(done: RunSet) -> list[str]:
    lines = [f"  {done.flakes}"] if done.flakes else []
    by = "" if done.fail_on is FailOn.INCONCLUSIVE else f" (--fail-on {done.fail_on.value})"
    return [*lines, f"  exit code {int(done.exit_code)}{by}"]


def _clipped(text: str) -> str:
    return text if len(text) <= 2 * _WIDTH else text[: 2 * _WIDTH - 1] + "…"


def _cell(text: str) -> str:
    flat = printable(" ".join(text.split())).replace("\\", "\\\\").replace("|", "\\|")
    return flat.replace("<", "&lt;")
