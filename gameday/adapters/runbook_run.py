"""Runs one step of a runbook, and says whether it answered as it should.

No label, link or other text from outside becomes part of a command: the text is the plan's, and
what an alert said is in `GAMEDAY_LABEL_…` variables alone.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gameday.adapters.generic.child import Ended, run_program
from gameday.adapters.generic.match import holds, problem_of
from gameday.adapters.generic.place import Place, tail
from gameday.errors import RefusedError
from gameday.model.proof import RunbookStep

#: How a shell is told to stop at the first thing that fails, without anybody's start-up files.
_WORDS: Mapping[str, tuple[str, ...]] = {
    "bash": ("bash", "--noprofile", "--norc", "-euo", "pipefail", "-c"),
    "sh": ("sh", "-eu", "-c"),
}
LABELS_MAX, LABEL_CHARS = 64, 1_000
#: How often it is asked, between two tries, whether the step is cancelled.
_SLICE_S = 0.2
_COMPARED = re.compile(r"^(?P<left>.+?)\s*(?P<op>==|!=|>=|<=|>|<)\s*(?P<right>[^\s=<>].*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a step ended. `passed` None: it was not run, or did not end, see `why`.

    `exit` is None when it was ended at its limit.
    """

    passed: bool | None
    why: str = ""
    exit: int | None = None
    tries: int = 1
    ms: int = 0
    output: str = ""
    started: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlace:
    """Where and with what a step is run. `cancelled` ends it at once, with all its children."""

    place: Place
    variables: Mapping[str, str] = field(default_factory=dict)
    cancelled: Callable[[], bool] = bool


def label_variables(alert: str, labels: Mapping[str, Any]) -> dict[str, str]:
    """What an alert said, as variables: names cleaned, values without NUL, and cut."""
    found = {"GAMEDAY_ALERT": _value(alert)}
    for name, value in sorted(labels.items())[:LABELS_MAX]:
        clean = re.sub(r"[^A-Z0-9_]", "_", str(name).upper())[:64]
        found[f"GAMEDAY_LABEL_{clean}"] = _value(str(value))
    return found


def run_step(
    step: RunbookStep, at: StepPlace, *, wanted: bool, wait: Callable[[float], Any] = time.sleep
) -> Answer:
    """Run *step*; with `retry` again until it passes (or does not: *wanted*), in its time."""
    begun = time.monotonic()
    until = begun + step.timeout_ms / 1000
    tries = 0
    while True:
        tries += 1
        answer = _once(step, at, max(0.05, until - time.monotonic()))
        left_s = until - time.monotonic() - step.retry_ms / 1000
        again = step.retry_ms and answer.passed is not None and answer.passed is not wanted
        if again and left_s > 0:
            if _waited(step.retry_ms / 1000, at, wait):
                continue
            why = "the run was stopped before it could be tried again"
            answer = replace(answer, passed=None, why=f"{why}: {answer.why or 'it passed'}")
        ms = round((time.monotonic() - begun) * 1000)
        return replace(answer, tries=tries, ms=ms)


def _waited(seconds: float, at: StepPlace, wait: Callable[[float], Any]) -> bool:
    """Wait as long, in slices; False as soon as the step is cancelled."""
    until = time.monotonic() + seconds
    while not at.cancelled() and (left_s := until - time.monotonic()) > 0:
        wait(min(_SLICE_S, left_s))
    return not at.cancelled()


def json_problem(text: str) -> str:
    """Why *text* cannot be an `expect_json`; empty if it can."""
    match = _COMPARED.match(text)
    wrong = problem_of(match["left"] if match else text)
    return wrong.replace("`match: ", "`expect_json: ").replace("`match`", "`expect_json`")


def _once(step: RunbookStep, at: StepPlace, within_s: float) -> Answer:
    try:
        program = at.place.program(step.shell)
    except RefusedError as error:
        return Answer(passed=None, why=str(error), started=False)
    env = {**at.place.environ, **at.variables}
    env.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
    words = (*_WORDS[step.shell], step.text, "gameday-runbook")
    directory = Path(at.place.directory)
    ended = run_program(
        program,
        words,
        env=env,
        cwd=directory,
        within_s=within_s,
        cancelled=at.cancelled,
        whole=True,
    )
    if ended.refused:
        why = f"it could not be started: {ended.refused}"
        return Answer(passed=None, why=why, started=False)
    out = ended.out.decode("utf-8", "replace")
    said = tail(out + ended.err.decode("utf-8", "replace"))
    if ended.code is None:
        why = "it was ended because the run was stopped"
        if not at.cancelled():
            why = f"it did not end within {step.timeout_ms / 1000:g} s"
        return Answer(passed=None if at.cancelled() else False, why=why, output=said)
    why = _wrong(step, ended, out)
    return Answer(passed=not why, why=why, exit=ended.code, output=said)


def _wrong(step: RunbookStep, ended: Ended, out: str) -> str:
    """Why this is not the answer that the step expects."""
    if ended.code != step.expect_exit:
        return f"it ended with exit code {ended.code}, not {step.expect_exit}"
    if step.expect_stdout is not None and not re.search(step.expect_stdout, out, re.MULTILINE):
        return f"it did not print what `expect_stdout={step.expect_stdout}` asks for"
    if step.expect_json is None:
        return ""
    try:
        answer = json.loads(out)
    except (ValueError, RecursionError):
        return "it did not print JSON, which `expect_json` asks about"
    try:
        good = _json_holds(step.expect_json, answer)
    except ValueError as error:
        return str(error).replace("`match: ", "`expect_json: ")
    return "" if good else f"`expect_json={step.expect_json}` does not hold"


def _json_holds(text: str, answer: Any) -> bool:
    match = _COMPARED.match(text)
    if match is None:
        return holds(text, answer)
    right = match["right"].strip()
    try:
        value = json.loads(right)
    except ValueError:
        value = right.strip("'\"")
    # JMESPath compares: a literal of its own, so that numbers and texts are told apart
    literal = json.dumps(value).replace("`", "\\`")
    return holds(f"({match['left']}) {match['op']} `{literal}`", answer)


def _value(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:LABEL_CHARS]
