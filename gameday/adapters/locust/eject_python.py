"""Python source for plain values, laid out as a formatter does (88 columns). Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

WIDTH = 88


class Code(str):
    """Source that stands for itself: an expression."""

    __slots__ = ()


def text_literal(text: str) -> str:
    """A text in quotes: double ones, unless single ones need fewer escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    body = "".join(_escaped(c, quote) for c in text)
    return f"{quote}{body}{quote}"


def flat(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Code):
        return str(value)
    if isinstance(value, str):
        return text_literal(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flat(k)}: {flat(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flat(part) for part in value) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value)


def laid_out(value: Any, *, indent: int, used: int, after: int = 0) -> str:
    """A value behind *used* columns and before *after*: on one line, or one part a line."""
    line = flat(value)
    if used + len(line) + after <= WIDTH or not _parts(value):
        return line
    if isinstance(value, Mapping):
        rows = [(f"{flat(key)}: ", part) for key, part in value.items()]
        return _exploded("{", rows, "}", indent)
    return _exploded("[", [("", part) for part in value], "]", indent)


def call(name: str, args: list[Any], kwargs: Mapping[str, Any], *, indent: int) -> str:
    """A call as a statement at *indent*."""
    rows = [("", value) for value in args] + [(f"{key}=", v) for key, v in kwargs.items()]
    line = f"{name}({', '.join(f'{head}{flat(value)}' for head, value in rows)})"
    if indent + len(line) <= WIDTH or not rows:
        return " " * indent + line
    return " " * indent + _exploded(f"{name}(", rows, ")", indent)


def assigned(name: str, value: Any) -> str:
    """An assignment at the top of a module."""
    head = f"{name} = "
    line = flat(value)
    if not _parts(value) and len(head) + len(line) > WIDTH >= len(line) + 4:
        return f"{head}(\n    {line}\n)"
    return head + laid_out(value, indent=0, used=len(head))


def _exploded(opened: str, rows: list[tuple[str, Any]], closed: str, indent: int) -> str:
    inner = indent + 4
    lines = [opened]
    for head, value in rows:
        made = laid_out(value, indent=inner, used=inner + len(head), after=1)
        lines.append(f"{' ' * inner}{head}{made},")
    return "\n".join([*lines, " " * indent + closed])


def _parts(value: Any) -> bool:
    return isinstance(value, Mapping | list) and bool(value)


def _escaped(c: str, quote: str) -> str:
    if c in (quote, "\\"):
        return "\\" + c
    return c if c.isprintable() else c.encode("unicode_escape").decode()
