"""What the pytest plugin asks for: loaded only once there is a scenario file to be collected."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from gameday.app.check import error_text, make_plan
from gameday.app.scenario_run import (
    RunAsked,
    ScenarioRun,
    expectations_of,
    locked,
    run_scenario,
)
from gameday.errors import GamedayError, UsageError
from gameday.model.verdict import ExitCode, Finding, Outcome

_SHORT = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """A scenario as collected: its tags, and what each of its items is called."""

    tags: tuple[str, ...]
    expectations: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an item says: the text is for people."""

    outcome: Outcome
    text: str


def is_scenario(path: Path) -> bool:
    """Whether a file is a scenario."""
    from gameday.scenario.sniff import is_scenario_file

    return is_scenario_file(path)


def collected(asked: RunAsked, chosen: str) -> Collected | str | None:
    """The scenario; or all that is wrong with its file, as text.

    None for a file with errors whose tags are not meant by *chosen* (pytest's own `-m`).
    """
    try:
        plan = make_plan(asked.plan)
    except GamedayError as error:
        return None if _not_meant(asked, chosen) else error_text(error).rstrip()
    return Collected(tags=tuple(plan.scenario.tags), expectations=expectations_of(plan))


def _not_meant(asked: RunAsked, chosen: str) -> bool:
    from gameday.scenario.tags import tag_expression, tags_of

    if not chosen:
        return False
    found = tags_of(asked.path, asked.profile)
    try:
        return not found.problems and not tag_expression(chosen)(found.tags)
    except UsageError:
        return False  # pytest's expressions may say more than tags


def played(asked: RunAsked, store: Path) -> ScenarioRun:
    """The run of this test session, whichever process asks first. *store* is the session's own.

    As in a set, nothing is run any more after one that was interrupted or is not clean.
    """
    kept = store / f"{hashlib.sha256(repr(asked).encode()).hexdigest()}.json"
    try:
        with locked([str(kept)], asked.wait_s):
            if kept.exists():
                return _restored(json.loads(kept.read_text(encoding="utf-8")))
            run = _run(asked, store / "ended")
            kept.write_text(json.dumps(_stored(run)), encoding="utf-8")
            return run
    except GamedayError as error:
        return ScenarioRun(exit_code=error.exit_code, reason=_reason(error))


def _run(asked: RunAsked, ended: Path) -> ScenarioRun:
    """The run, or why there is none: what one process was refused, the others are too."""
    try:
        return run_scenario(asked, ended=ended)
    except GamedayError as error:
        return ScenarioRun(exit_code=error.exit_code, reason=_reason(error))


def _reason(error: GamedayError) -> str:
    return error_text(error).removeprefix("gameday: ").strip()


def _stored(run: ScenarioRun) -> Mapping[str, object]:
    return {
        "exit_code": int(run.exit_code),
        "reason": run.reason,
        "run_dir": str(run.run_dir) if run.run_dir else None,
        "result": run.result,
        "output": run.output,
        "skipped": run.skipped,
    }


def _restored(value: Mapping[str, object]) -> ScenarioRun:
    where, result = value["run_dir"], value["result"]
    return ScenarioRun(
        exit_code=ExitCode(int(str(value["exit_code"]))),
        reason=str(value["reason"]),
        run_dir=Path(str(where)) if where is not None else None,
        result=result if isinstance(result, dict) else {},
        output=str(value["output"]),
        skipped=bool(value["skipped"]),
    )


def answer_of(run: ScenarioRun, wanted: tuple[str, str, str], *, alone: bool = False) -> Answer:
    """What the run says of one expectation. One that it says nothing of is inconclusive.

    With *alone* nothing else says whether the run could show anything, or is dirty: where it could
    not, this does.
    """
    if run.skipped:
        return Answer(outcome=Outcome.SKIP, text=run.reason)
    if alone and (whole := answer_of_whole(run)).outcome is not Outcome.PASS:
        return whole
    for found in run.expectations:
        if (found.check, found.subject, found.expectation) == wanted:
            return Answer(outcome=found.outcome, text=_text(run, found))
    return Answer(outcome=Outcome.INCONCLUSIVE, text=_short(run.reason))


def answer_of_whole(run: ScenarioRun) -> Answer:
    """Whether the run as a whole could show anything; pass or fail is for its expectations."""
    if run.skipped:
        return Answer(outcome=Outcome.SKIP, text=run.reason)
    if run.exit_code in (ExitCode.PASS, ExitCode.FAIL):
        return Answer(outcome=Outcome.PASS, text=run.reason)
    lines = [run.reason]
    for left in run.result.get("leftovers", ()):
        lines.append(f"may still be broken: {left['text']}; run `{left['command']}`")
    lines += [f"see {run.run_dir}"] if run.run_dir else []
    return Answer(outcome=Outcome.INCONCLUSIVE, text="\n".join(lines))


def properties_of(run: ScenarioRun) -> list[tuple[str, str]]:
    """The properties of the run's own `junit.xml`: its numbers, under the same names."""
    if run.run_dir is None:
        return []
    try:
        root = ET.fromstring((run.run_dir / "junit.xml").read_text(encoding="utf-8"))  # noqa: S314 - our own file
    except (OSError, ET.ParseError):
        return []
    return [(p.get("name", ""), p.get("value", "")) for p in root.iter("property")]


def _text(run: ScenarioRun, found: Finding) -> str:
    lines = [found.summary]
    if found.outcome is Outcome.INCONCLUSIVE and run.reason != found.summary:
        lines.append(f"the run: {run.reason}")
    lines += [f"  {name}: {value}" for name, value in sorted(found.facts.items())]
    if run.run_dir:
        lines.append(f"see {run.run_dir / 'report.md'}")
    return "\n".join(lines)


def _short(text: str) -> str:
    """On one line."""
    flat = " ".join(text.split()) or "the run said nothing"
    return flat if len(flat) <= _SHORT else flat[: _SHORT - 1] + "…"
