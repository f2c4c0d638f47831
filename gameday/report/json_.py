"""`result.json`: the report field by field, for machines. Versioned; see docs/result-schema.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from gameday.model.report import Report
from gameday.report.text import encodable


def render(report: Report) -> str:
    """The whole file. Keys in the order of the document, numbers as short as they are exact."""
    return as_text(report)


def as_text(value: Any) -> str:
    """A whole document of ours as a file."""
    return json.dumps(plain(value), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """Plain JSON data of a value of the model."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {encodable(str(key)): plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, str):
        return encodable(value)
    return value


def _number(value: float) -> float | int | None:
    """Six decimals are finer than anything we measure; infinities are not JSON."""
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN
        return None
    short = round(value, 6)
    return int(short) if short == int(short) and abs(short) < 1e15 else short


def result_line(report: Report) -> str:
    """The last line of `gameday run --json`: the verdict alone, on one line."""
    value = {"t": "result", "run_id": report.run_id, **plain(report.verdict)}
    return json.dumps(value, ensure_ascii=False) + "\n"
