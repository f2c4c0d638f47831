"""Of the reference of the scenario file: toxics, and the faults of the other families."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gameday.model.faults import FAMILIES, GENERIC
from gameday.model.toxics import KINDS, TOXICS
from gameday.model.units import format_ratio

_FAULTS = Path(__file__).parents[2] / "docs" / "faults"
#: The largest number of the table of faults, where it sets no limit of its own.
_UNLIMITED = 2**40
_UNIT_WORDS = {
    "ms": "duration", "us": "duration", "signed ms": "shift of time", "bytes": "size",
    "KB/s": "bandwidth", "share": "share", "count": "whole number", "status": "HTTP status",
    "text": "text", "number": "number", "choice": "text",
}  # fmt: skip


def fault_sections() -> list[str]:
    """What stands under `toxic`, and under the keys of the other families."""
    made = [
        "## Toxics",
        "",
        "Under `toxic`, with `type`. Where the table says so, `stream` is `downstream`,",
        "unless `upstream` is given,",
        "and `toxicity` is a share of the connections (`100%` unless given).",
        "",
        "| type | beside its own keys | what |",
        "|---|---|---|",
    ]
    for name, kind in KINDS.items():
        also = [
            key for key, there in (("stream", kind.streams), ("toxicity", kind.toxicity)) if there
        ]
        where = "; embedded server only" if kind.embedded else ""
        link = f"[`{name}`](../faults/{_page(name)}.md)"
        made.append(f"| {link} | {listed(also) or 'none'} | {kind.help}{where} |")
    made += [
        "",
        "| type | key | type of value | default | allowed | what |",
        "|---|---|---|---|---|---|",
    ]
    for name, attributes in TOXICS.items():
        for key, spec in attributes.items():
            made.append(_option(name, key, spec))
    made += [
        "",
        "## Faults of families",
        "",
        f"Under {listed([x for x in FAMILIES if x not in GENERIC])}, with `type`.",
        "",
        "| key | type | what |",
        "|---|---|---|",
    ]
    plain = [
        (x, t, k) for x, kinds in FAMILIES.items() if x not in GENERIC for t, k in kinds.items()
    ]
    made += [
        f"| `{x}` | `{t}` | {k.help}{'; can grow in `stages`' if k.staged else ''} |"
        for x, t, k in plain
    ]
    made += [
        "",
        "| type | key | type of value | default | allowed | what |",
        "|---|---|---|---|---|---|",
    ]
    made += [_option(f"{x}.{t}", key, o) for x, t, k in plain for key, o in k.options.items()]
    return ["\n".join([*made, ""])]


def listed(names: Sequence[str]) -> str:
    """Names as a list of code."""
    return ", ".join(f"`{name}`" for name in names)


def _page(toxic: str) -> str:
    name = toxic.replace("_", "-")
    return name if (_FAULTS / f"{name}.md").exists() else "http"


def _option(of: str, key: str, spec: Any) -> str:
    default = "*needed*" if spec.required else _quantity(spec.unit, spec.default)
    cells = (f"`{of}`", f"`{key}`", _UNIT_WORDS[spec.unit], default, _bounds(spec), spec.help)
    return f"| {' | '.join(cells)} |"


def _bounds(spec: Any) -> str:
    if getattr(spec, "choices", ()):
        return ", ".join(f"`{one}`" for one in spec.choices)
    if spec.unit == "text":
        limit = f"at most {spec.maximum:g} characters" if spec.maximum < _UNLIMITED else "not empty"
        return f"such as `{spec.example}`" if getattr(spec, "example", "") else limit
    least = _quantity(spec.unit, spec.minimum)
    if spec.maximum >= _UNLIMITED and spec.unit != "bytes":
        return f"at least {least}"
    return f"{least} to {_quantity(spec.unit, spec.maximum)}"


def _quantity(unit: str, value: Any) -> str:
    """A value of a table in the words of the files."""
    if value is None or value == "":
        return "none"
    match unit:
        case "ms" | "us" | "signed ms":
            return f"`{span(value / 1000 if unit == 'us' else value)}`"
        case "share":
            return f"`{format_ratio(value).replace(' ', '')}`"
        case "bytes":
            return f"`{_size(int(value))}`"
        case "KB/s":
            return f"`{_size(int(value) * 1000)}/s`"
        case _:
            return f"`{value:g}`" if isinstance(value, (int, float)) else f"`{value}`"


def span(ms: float) -> str:
    """A duration as it is written in the files."""
    sign = "-" if ms < 0 else ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)):
        if ms and abs(ms) >= size and abs(ms) % size == 0:
            return f"{sign}{abs(ms) / size:.0f}{unit}"
    return f"{ms:g}ms" if ms else "0s"


def _size(value: int) -> str:
    for unit, size in (
        ("GiB", 2**30), ("GB", 10**9), ("MiB", 2**20), ("MB", 10**6), ("KiB", 2**10), ("KB", 1000),
    ):  # fmt: skip
        if value >= size and value % size == 0:
            return f"{value // size}{unit}"
    return f"{value}B"
