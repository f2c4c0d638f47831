"""Rules about steps: blocks with attributes are run, blocks without are read by people."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gameday.model.runbook import PHASES, Block, Document, Finding
from gameday.model.units import UnitError, duration_ms
from gameday.runbooks.rules import found
from gameday.runbooks.words import changes

_LOOKING = ("diagnose", "verify")
#: Words with which the text above a command says what it should show.
_SAYS = re.compile(
    r"\b(?:expect\w*|should|must|look for|check (?:that|whether|if)|see (?:if|whether|that)|shows?|"
    r"if|whether|means?|than|above|below|healthy|normal\w*|usual\w*|grows?|rises?)\b|[<>=]\s*\d"
    r"|\d ?%",
    re.IGNORECASE,
)
_HINT = "docs/runbook-lint/step-attribute.md has the attributes of a step"


def step_rules(document: Document) -> Iterator[Finding]:
    """For each block of the page."""
    names: dict[str, int] = {}
    for block in document.blocks:
        if block.attributes is None:
            yield from _plain(document, block)
            continue
        yield from _attributes(document, block, names)
        if block.attributes.get("manual") != "true":
            yield from _step(document, block)


def _plain(document: Document, block: Block) -> Iterator[Finding]:
    """A command for people: somewhere it must say what is to be seen."""
    if block.phase != "diagnose" or block.script is None:
        return
    above = block.before.strip()
    # more than one sentence, and not only what announces the command
    explains = not above.endswith(":") and re.search(r"[.?!]\s+\S.{20,}", above, re.DOTALL)
    if block.shows_output or len(block.after) > 20 or explains or _SAYS.search(above):
        return
    yield found(
        "step/no-observation",
        document,
        block.line,
        "nothing says what this command should show",
        "say below it what is seen when this is the problem, and what when it is not",
    )


def _attributes(document: Document, block: Block, names: dict[str, int]) -> Iterator[Finding]:
    given = block.attributes or {}
    problems = [block.attribute_problem] if block.attribute_problem else []
    problems += [wrong for key, value in given.items() if (wrong := _wrong(key, value))]
    if block.phase is None and not problems:
        problems.append("the step has no `phase`, and stands in no section that gives one")
    name = given.get("name", "")
    if name and name in names:
        problems.append(f"the step `{name}` is there already, in line {names[name]}")
    names.setdefault(name, block.line)
    for problem in problems:
        yield found("step/attribute", document, block.line, problem, _HINT)


def _wrong(key: str, value: str) -> str:
    """What is wrong with the value of an attribute."""
    if key == "phase" and value not in PHASES:
        return f"there is no phase `{value}`; write one of {', '.join(PHASES)}"
    if key in ("timeout", "retry"):
        try:
            if duration_ms(value) > 0:
                return ""
        except UnitError:
            pass
        return f"`{key}={value}` is not a duration; write `{key}=5s`"
    if key == "expect_exit" and not (value.isdigit() and int(value) < 256):
        return f"`expect_exit={value}` is not an exit code; write 0 to 255"
    if key in ("mutates", "manual", "approve") and value not in ("true", "false"):
        return f"`{key}={value}` is neither `true` nor `false`"
    if key == "expect_stdout":
        try:
            re.compile(value)
        except (re.error, RecursionError, OverflowError) as error:
            return f"`expect_stdout` is not a regular expression: {error}"
    return ""


def _step(document: Document, block: Block) -> Iterator[Finding]:
    given = block.attributes or {}
    if block.phase in _LOOKING and not any(key.startswith("expect_") for key in given):
        yield found(
            "step/asserts-nothing",
            document,
            block.line,
            f"this step to {block.phase} does not say what it expects",
            "add `expect_stdout`, `expect_json` or `expect_exit`",
        )
    if "timeout" not in given:
        hint = "add `timeout=10s`"
        yield found("step/no-timeout", document, block.line, "this step has no `timeout`", hint)
    if block.phase in ("mitigate", "rollback") and given.get("mutates") != "true":
        change = next(iter(changes(block)), None)
        if change is not None:
            yield found(
                "step/undeclared-change",
                document,
                change.line,
                f"`{change.what}` changes something, and the step does not say so",
                "add `mutates=true`",
            )
