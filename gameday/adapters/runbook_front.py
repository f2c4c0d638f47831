"""The front matter of a runbook, with the line of each key. Never raises for what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import yaml

from gameday.adapters.runbook_text import FRONT, MAX_FRONT_MATTER
from gameday.model.runbook import FrontMatter

_DEPTH = 6


def read_front(text: str) -> FrontMatter:
    """What stands between the `---` on top of *text*."""
    match = FRONT.match(text)
    if match is None:
        return FrontMatter()
    last = text[: match.end()].count("\n") + (0 if text[: match.end()].endswith("\n") else 1)
    raw = match[1]
    if len(raw) > MAX_FRONT_MATTER:
        return _wrong(last, f"it is longer than {MAX_FRONT_MATTER} characters")
    try:
        if any(isinstance(e, yaml.AliasEvent) for e in yaml.parse(raw, Loader=yaml.SafeLoader)):
            return _wrong(last, "it uses YAML aliases")
        node = yaml.compose(raw, Loader=yaml.SafeLoader)
        values = yaml.safe_load(raw)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        said = str(getattr(error, "problem", None) or "it is not YAML")
        return _wrong(last, said, 2 + mark.line if mark is not None else 1)
    if values is None:
        return FrontMatter(present=True, last_line=last)
    if not isinstance(values, dict) or not isinstance(node, yaml.MappingNode):
        return _wrong(last, "it is not a mapping of keys to values", 2)
    lines: dict[str, int] = {}
    for key, _ in node.value:
        name = str(key.value)
        if name in lines:
            return _wrong(last, f"the key `{name}` is there twice", 2 + key.start_mark.line)
        lines[name] = 2 + key.start_mark.line
    return FrontMatter(present=True, last_line=last, values=_plain(values), lines=lines)


def _wrong(last_line: int, problem: str, line: int = 1) -> FrontMatter:
    return FrontMatter(present=True, last_line=last_line, problem=problem, problem_line=line)


def _plain(value: Any, depth: int = 0) -> Any:
    """Plain data; a date stays one, a time of day is cut off."""
    if isinstance(value, datetime):
        return value.date()
    if value is None or isinstance(value, (str, int, float, bool, date)):
        return value
    if depth < _DEPTH and isinstance(value, Mapping):
        return {str(key): _plain(inner, depth + 1) for key, inner in value.items()}
    if depth < _DEPTH and isinstance(value, (list, tuple)):
        return [_plain(inner, depth + 1) for inner in value]
    return str(value)
