"""Writes `docs/diagnostics.md` from the table of codes and the golden cases, so that it is true.

python -m tests.unit.scenario.diagnostics_page > docs/diagnostics.md
"""

from __future__ import annotations

import re

from gameday.model.diagnostics import Severity
from gameday.scenario.codes import CODES
from tests.unit.scenario.golden import expected

_HEAD = """\
# Diagnostics

What `gameday check`, `plan` and `run` say about a scenario or project file before anything is
touched. Every problem of every file is told at once: place, what is wrong, and what to do.
An **error** refuses the file (exit code 2); a **warning** does not. `--json` gives it as data.

Each profile of a scenario is checked as well; a problem that only a profile has ends with its name.
Where a part cannot be read, nothing is concluded from it: repair it and check again.

The first part of a code says what it is about: the file, the YAML, the document, a value, a
condition (`criterion`), a profile, the scenario, load, fault, stage of a fault, command, secret,
expectation (`expect`), stop condition, alert, source of alerts (`alerting`), the project, service,
target, Docker engine, a path, the policy, a notice, the tickets, runbook, or the plan of a day.

This page is made from the table of codes and the golden cases of the tests
(`python -m tests.unit.scenario.diagnostics_page`). Each example is one of the cases.
"""
_ORDER = (
    "file", "yaml", "document", "value", "criterion", "profile", "scenario", "load", "fault",
    "stage", "command", "secret", "expect", "stop", "alert", "alerting", "project", "service",
    "target", "docker", "path", "policy", "notice", "ticket", "runbook", "day",
)  # fmt: skip
_HINT = re.compile(r"^ {6}(?:\| *\^+| =) (?P<hint>.*)$", re.MULTILINE)


def page() -> str:
    """The whole page."""
    codes = sorted(
        CODES, key=lambda code: (_ORDER.index(code.split("/")[0]), list(CODES).index(code))
    )
    index = ["| code | | what |", "|---|---|---|"]
    index += [
        f"| [`{code}`](#{code.replace('/', '')}) | {row.severity.value} | {row.what} |"
        for code, row in ((code, CODES[code]) for code in codes)
    ]
    parts = [part(code) for code in codes]
    return "\n".join([_HEAD, *index, "", *parts])


def part(code: str) -> str:
    """One code: what it says, an example, what to do."""
    example = example_of(code)
    hint = _HINT.search(example)
    kind = "" if CODES[code].severity is Severity.ERROR else " A warning."
    return (
        f"## {code}\n\n{sentence(CODES[code].what)}.{kind}\n\n```text\n{example}\n```\n\n"
        f"**What to do:** {hint['hint'] if hint else ''}.\n"
    )


def example_of(code: str) -> str:
    """The first problem of a golden case that has the code."""
    lines = expected(code).splitlines()
    start = next(n for n, line in enumerate(lines) if line.endswith(f"({code})"))
    shown = [line for line in lines[start + 1 : start + 3] if line.startswith("   ")]
    return "\n".join([lines[start], *shown])


def sentence(text: str) -> str:
    """With a capital, unless it begins with code."""
    return text if text.startswith("`") else text[0].upper() + text[1:]


if __name__ == "__main__":
    print(page(), end="")
