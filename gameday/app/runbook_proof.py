"""Runbooks that are to be proven, read for a plan: each step with its text, and what is against it.

Only files of the project are read. Nothing is run here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gameday.adapters.runbook_document import load_document
from gameday.adapters.runbook_run import json_problem
from gameday.adapters.runbook_shell import read_script
from gameday.model.project import Environment, Project
from gameday.model.proof import (
    BEGIN_MS,
    MANUAL_MS,
    STEP_MS,
    WITHIN_MS,
    RunbookProof,
    RunbookStep,
)
from gameday.model.runbook import Block, Document
from gameday.model.scenario import RunbookExpectation, Scenario
from gameday.model.units import UnitError, duration_ms
from gameday.runbooks.seal import content_sha256
from gameday.runbooks.words import Act, changes

#: What a block has to be written in to be run, and with which shell.
SHELLS: Mapping[str, str] = {"bash": "bash", "sh": "sh", "shell": "sh"}
#: The most that a step for people, or anything else in a runbook, may take.
LONGEST_MS = 3_600_000
STEPS_MAX = 50
#: The longest text that Linux passes to a shell as one word.
TEXT_BYTES_MAX = 128 * 1024 - 1
_PARAM = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
#: Names that change what a shell or a linker does, or that are ours.
_RESERVED = re.compile(
    r"(?:PATH|HOME|USER|LOGNAME|SHELL|ENV|IFS|PS4|SHELLOPTS|BASHOPTS|TMPDIR|CDPATH|LANG|TZ"
    r"|(?:LD|BASH|LC|DYLD|PYTHON|PERL|RUBY|NODE|GIT|GAMEDAY|CURL)_?.*)"
)


def proofs_for(
    scenario: Scenario, project: Project, environment: Environment
) -> tuple[RunbookProof, ...]:
    """A proof for each runbook of *scenario* that says `prove`, each path once."""
    wanted = {r.path: r for r in reversed(scenario.expect.runbooks) if r.prove}
    ordered = [r for r in scenario.expect.runbooks if wanted.get(r.path) is r]
    return tuple(_proof(r, scenario, project, environment) for r in ordered)


def runbook_file(directory: Path, folders: tuple[str, ...], path: str) -> Path | None:
    """The file that *path* names: in the project's folder or a runbook folder, never outside."""
    if Path(path).is_absolute() or "\0" in path:
        return None
    root = directory.resolve()
    for base in (root, *(root / folder for folder in folders)):
        found = (base / path.partition("#")[0]).resolve()
        if found.is_file():
            return found if found.is_relative_to(root) else None
    return None


def _proof(
    wanted: RunbookExpectation, scenario: Scenario, project: Project, environment: Environment
) -> RunbookProof:
    fault = wanted.fault or (scenario.faults[0].id if scenario.faults else "")
    linked = [
        a
        for a in scenario.expect.alerts
        if (a.fault or fault) == fault and a.runbook in (None, wanted.path)
    ]
    begin_ms = max((a.fires_within_ms for a in linked), default=BEGIN_MS)
    bare = RunbookProof(
        path=wanted.path,
        fault=fault,
        alerts=tuple(dict.fromkeys(a.alert for a in linked)),
        within_ms=wanted.restores_within_ms or WITHIN_MS,
        begin_ms=begin_ms,
    )
    file = runbook_file(Path(project.directory), project.runbooks, wanted.path)
    if file is None:
        return _with(bare, problem=f"there is no file `{wanted.path}` in the project")
    body = file.read_bytes()
    document = load_document(file, wanted.path)
    steps, problems = _steps(document)
    params, wrong = _params(document, wanted.params)
    problems += wrong
    needed = sorted({s.shell for s in steps if s.shell} - set(environment.commands))
    names = ", ".join(f"`{name}`" for name in needed)
    return _with(
        bare,
        sha256=hashlib.sha256(body).hexdigest(),
        content_sha256=content_sha256(body.decode("utf-8", "replace")),
        steps=steps,
        params=params,
        escalate_after_ms=_escalation_ms(document),
        problem=document.problem or "; ".join(problems),
        unsafe="; ".join(_unsafe(document)),
        blocked=f"{names} is not in the `commands` of this environment" if needed else "",
    )


def _with(proof: RunbookProof, **changed: Any) -> RunbookProof:
    return replace(proof, **changed)


def _steps(document: Document) -> tuple[tuple[RunbookStep, ...], list[str]]:
    """The blocks that are steps, and what keeps the runbook from being followed."""
    steps: list[RunbookStep] = []
    problems: list[str] = []
    for block in document.blocks:
        if block.attributes is None:
            continue
        problem = _problem(block)
        if problem:
            problems.append(f"line {block.line}: {problem}")
            continue
        steps.append(_step(block, block.attributes))
    names = [step.name for step in steps]
    problems += [
        f"two steps are called `{n}`" for n in sorted({n for n in names if names.count(n) > 1})
    ]
    if len(steps) > STEPS_MAX:
        problems.append(f"it has more than {STEPS_MAX} steps")
    if not problems and not any(step.phase == "diagnose" for step in steps):
        problems.append("no block of its diagnosis has attributes, so none can be run")
    return tuple(steps), problems


def _problem(block: Block) -> str:
    """Why a block with attributes cannot be a step."""
    given = block.attributes or {}
    if block.attribute_problem:
        return block.attribute_problem
    if block.phase is None:
        return "the step has no `phase`, and stands in no section that gives one"
    for key in ("timeout", "retry"):
        value = _ms(given, key)
        if value is not None and not 0 < value <= LONGEST_MS:
            return f"`{key}={given[key]}` is not a duration up to 1h"
    if not re.fullmatch(r"\d{1,3}", given.get("expect_exit", "0")):
        return f"`expect_exit={given['expect_exit']}` is not an exit code"
    try:
        re.compile(given.get("expect_stdout", ""), re.MULTILINE)
    except (re.error, RecursionError, OverflowError):
        return "`expect_stdout` is not a regular expression"
    wrong = json_problem(given["expect_json"]) if "expect_json" in given else ""
    if wrong:
        return wrong
    return "" if given.get("manual") == "true" else _not_runnable(block)


def _not_runnable(block: Block) -> str:
    """Why no shell can run a block."""
    if block.language not in SHELLS:
        named = f"`{block.language}`" if block.language else "no language"
        return f"a step in {named} cannot be run; write it in bash, or as `manual=true`"
    if len(block.body.encode()) > TEXT_BYTES_MAX:
        return f"the step is longer than {TEXT_BYTES_MAX} bytes; call a script of the project"
    return ""


def _step(block: Block, given: Mapping[str, str]) -> RunbookStep:
    manual = given.get("manual") == "true"
    text = block.body
    return RunbookStep(
        name=given.get("name") or f"line-{block.line}",
        phase=block.phase or "",
        line=block.line,
        text=text,
        shell="" if manual else SHELLS[block.language],
        timeout_ms=_ms(given, "timeout") or (MANUAL_MS if manual else STEP_MS),
        retry_ms=_ms(given, "retry") or 0,
        expect_exit=int(given.get("expect_exit", "0")),
        expect_stdout=given.get("expect_stdout"),
        expect_json=given.get("expect_json"),
        mutates=given.get("mutates") == "true",
        manual=manual,
        approve=given.get("approve") == "true",
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )


def _ms(given: Mapping[str, str], key: str) -> int | None:
    if key not in given:
        return None
    try:
        return duration_ms(given[key])
    except UnitError:
        return 0


def _unsafe(document: Document) -> Iterator[str]:
    """What changes something and does not say so, or where nothing may be changed."""
    for block in document.blocks:
        given = block.attributes
        if given is None or given.get("manual") == "true":
            continue
        declared = given.get("mutates") == "true"
        act = next(_acts(block), None)
        if block.phase == "diagnose" and (declared or act is not None):
            what, line = (f"`{act.what}`", act.line) if act else ("the step", block.line)
            yield f"line {line}: {what} changes something, in the diagnosis"
        elif act is not None and not declared:
            yield f"line {act.line}: `{act.what}` changes something, and the step does not say so"


def _acts(block: Block) -> Iterator[Act]:
    """What changes something in all that is run; the lint leaves out what looks like output."""
    if block.language in SHELLS and not _not_runnable(block):
        whole = replace(block, script=read_script(block.body, block.body_line))
        yield from changes(whole)
    yield from changes(block)


def _params(document: Document, given: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The values of the parameters that the front matter declares."""
    declared = document.front.values.get("params")
    declared = declared if isinstance(declared, Mapping) else {}
    problems = [f"`{name}` is not one of its `params`" for name in given if name not in declared]
    values: dict[str, str] = {}
    for name, about in declared.items():
        default = about.get("default") if isinstance(about, Mapping) else None
        if not _PARAM.fullmatch(name) or _RESERVED.fullmatch(name):
            problems.append(f"`{name}` cannot be the name of a parameter")
        elif name in given or default is not None:
            values[name] = given.get(name, str(default))
        else:
            problems.append(f"its parameter `{name}` has no value; write it under `params`")
    return values, problems


def _escalation_ms(document: Document) -> int | None:
    escalation = document.front.values.get("escalation")
    after = escalation.get("after") if isinstance(escalation, Mapping) else None
    try:
        return None if after is None else duration_ms(str(after))
    except UnitError:
        return None
