"""Problems in files as other programs take them: GitHub's annotations, and SARIF 2.1.0."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from gameday.report.text import encodable

LEVELS = ("error", "warning", "note")
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem. `level` is one of `LEVELS`; without a `file` it has no place."""

    rule: str
    level: str
    message: str
    hint: str = ""
    file: str = ""
    line: int = 1
    column: int = 1
    length: int = 0

    @property
    def text(self) -> str:
        """What is wrong, and what to do."""
        return f"{self.message}: {self.hint}" if self.hint else self.message


def github(problems: Iterable[Problem]) -> Iterator[str]:
    """Workflow commands: each becomes an annotation beside its line in a pull request."""
    for one in problems:
        level = "notice" if one.level == "note" else one.level
        place = f"file={_property(one.file)},line={one.line},col={one.column}," if one.file else ""
        yield f"::{level} {place}title={_property(one.rule)}::{_data(one.text)}"


def sarif(problems: Iterable[Problem], rules: Mapping[str, str], *, tool: str, version: str) -> str:
    """A SARIF log with one run. *rules* says what each rule is about; unused ones are left out."""
    found = list(problems)
    names = sorted({one.rule for one in found})
    shown = [_rule(name, rules.get(name, name)) for name in names]
    results = [_result(one, names.index(one.rule)) for one in found]
    driver = {"name": tool, "version": version, "semanticVersion": version, "rules": shown}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    log = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, ensure_ascii=False, indent=2) + "\n"


def _rule(name: str, what: str) -> Mapping[str, Any]:
    return {"id": name, "shortDescription": {"text": encodable(what)}}


def _result(one: Problem, index: int) -> Mapping[str, Any]:
    result: dict[str, Any] = {
        "ruleId": one.rule,
        "ruleIndex": index,
        "level": one.level,
        "message": {"text": encodable(one.text)},
    }
    if one.file:
        region = {"startLine": one.line, "startColumn": one.column}
        if one.length:
            region["endColumn"] = one.column + one.length
        place = {"artifactLocation": {"uri": _uri(one.file)}, "region": region}
        result["locations"] = [{"physicalLocation": place}]
    return result


def _uri(file: str) -> str:
    """Relative to where the command was called; an absolute path as a file URI."""
    path = quote(encodable(file).removeprefix("./"))
    return f"file://{path}" if path.startswith("/") else path


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
