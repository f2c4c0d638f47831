"""Which series a PromQL expression asks for: its vector selectors, as they are written. Pure."""

from __future__ import annotations

import re

#: Words that are followed by a list of labels in brackets.
_BEFORE_LABELS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_WORDS = frozenset({"and", "or", "unless", "bool", "offset", "inf", "nan", "start", "end", "atan2"})
_AGGREGATIONS = frozenset(
    {
        "sum", "min", "max", "avg", "group", "stddev", "stdvar", "count", "count_values",
        "bottomk", "topk", "quantile", "limitk", "limit_ratio",
    }
)  # fmt: skip
_STRING = r""" "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | `[^`]*` """.strip()
_TOKEN = re.compile(
    rf"""
    (?P<comment>\#[^\n]*)
    | (?P<braces>\{{(?:{_STRING}|[^}}"'`])*\}})
    | (?P<range>\[[^\]]*\])
    | (?P<string>{_STRING})
    | (?P<number>\d[\w.]*)
    | (?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
    | (?P<open>\()
    | (?P<other>[^\s])
    """,
    re.VERBOSE,
)


def selectors_of(query: str) -> tuple[str, ...]:
    """The vector selectors of *query*, each once, in order: `up{job="x"}`, without any range."""
    tokens = [
        (str(m.lastgroup), m.group()) for m in _TOKEN.finditer(query) if m.lastgroup != "comment"
    ]
    found: list[str] = []
    index = 0
    while index < len(tokens):
        kind, text = tokens[index]
        after = tokens[index + 1] if index + 1 < len(tokens) else ("", "")
        index += 1
        if kind == "braces":
            found.append(text)
        elif kind == "name" and text.lower() in _BEFORE_LABELS:
            index = _past_labels(tokens, index)
        elif kind == "name" and _is_metric(text, after):
            braces = after[0] == "braces"
            found.append(text + after[1] if braces else text)
            index += braces
    return tuple(dict.fromkeys(found))


def _is_metric(text: str, after: tuple[str, str]) -> bool:
    if after[0] == "open" or text.lower() in _WORDS:
        return False
    aggregates = after[0] == "name" and after[1].lower() in ("by", "without")
    return not (text.lower() in _AGGREGATIONS and aggregates)


def _past_labels(tokens: list[tuple[str, str]], index: int) -> int:
    """The index after a list of labels in brackets, if there is one at *index*."""
    if index >= len(tokens) or tokens[index][0] != "open":
        return index
    while index < len(tokens) and tokens[index][1] != ")":
        index += 1
    return index + 1
