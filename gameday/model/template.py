"""Values in texts: `{{ order }}` in a path, a header or a body of a step. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from gameday.model.scenario import RequestStep

#: What a value may be called.
VALUE_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,62}"
_HOLE = re.compile(rf"\{{\{{\s*({VALUE_NAME})\s*\}}\}}")
_LIKE_A_HOLE = re.compile(r"\{\{\s*[\w.|\[\] -]+\s*\}\}")


def names_in(value: Any) -> Iterator[str]:
    """The names of all values that are needed to fill *value*: text, or JSON with texts in it."""
    for text in _texts(value):
        yield from _HOLE.findall(text)


def malformed_in(value: Any) -> Iterator[str]:
    """What looks like the place of a value and is none, such as `{{ order.id }}`."""
    for text in _texts(value):
        yield from _LIKE_A_HOLE.findall(_HOLE.sub("", text))


def filled(value: Any, values: Mapping[str, Any]) -> Any:
    """*value* with its places filled, keys of mappings left as they are.

    A text that is nothing but one place becomes the value itself, a number for example. Raises
    KeyError when a value is missing.
    """
    if isinstance(value, str):
        whole = _HOLE.fullmatch(value)
        return filled_text(value, values) if whole is None else values[whole[1]]
    if isinstance(value, Mapping):
        return {key: filled(part, values) for key, part in value.items()}
    if isinstance(value, list):
        return [filled(part, values) for part in value]
    return value


def filled_text(text: str, values: Mapping[str, Any]) -> str:
    """*text* with its places filled by the texts of the values. Raises KeyError."""
    return _HOLE.sub(lambda found: as_text(values[found[1]]), text)


def as_text(value: Any) -> str:
    """A value as it stands in a text: text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def names_of(step: RequestStep) -> frozenset[str]:
    """The names of all values that a step uses."""
    expect = step.expect
    parts = [step.path, step.json, step.body, step.form, step.headers]
    return frozenset(names_in([*parts, expect.text, expect.headers, expect.json]))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
