"""Which controls a run's evidence supports, and what is missing for each. Pure.

The table of controls is data (`controls.json`). It never says that a control is fulfilled: whether
it is, is for an auditor to say, and rests on more than a run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from gameday.programme.evidence.items import ITEMS, Item

#: Said wherever the table is shown.
LIMITS = (
    "The evidence of one run supports a control, or a part of it. Whether a control is in place is "
    "for an auditor to say, and rests on more than one run."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One control: its number in the framework, what it is about in our words, what supports it."""

    framework: str
    framework_name: str
    ref: str
    about: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Supported:
    """What of a control a run supports: `supports`, `supports in part`, or `supports nothing`."""

    control: Control
    present: tuple[Item, ...]
    missing: tuple[Item, ...]

    @property
    def word(self) -> str:
        """How far it goes."""
        if not self.missing:
            return "supports"
        return "supports in part" if self.present else "supports nothing"


def read_controls(text: str) -> tuple[Control, ...]:
    """The table. Raises ValueError if it names an item that nobody looks for."""
    found = []
    for framework in json.loads(text)["frameworks"]:
        for row in framework["controls"]:
            unknown = set(row["items"]) - ITEMS
            if unknown or not row["items"]:
                raise ValueError(f"{row['ref']}: no such item: {sorted(unknown)}")
            found.append(
                Control(
                    framework=framework["id"],
                    framework_name=framework["name"],
                    ref=row["ref"],
                    about=row["about"],
                    items=tuple(row["items"]),
                )
            )
    return tuple(found)


def supported(controls: tuple[Control, ...], items: Mapping[str, Item]) -> tuple[Supported, ...]:
    """Each control with what is there and what is missing."""
    found = []
    for control in controls:
        mine = [items[name] for name in control.items]
        found.append(
            Supported(
                control=control,
                present=tuple(item for item in mine if item.there),
                missing=tuple(item for item in mine if not item.there),
            )
        )
    return tuple(found)


def controls_markdown(run_id: str, rows: tuple[Supported, ...]) -> str:
    """The tables for people: one section a framework, then what each item of evidence is."""
    lines = [f"# Controls that run {_cell(run_id)} supports", "", LIMITS]
    framework = ""
    for row in rows:
        control = row.control
        if control.framework != framework:
            framework = control.framework
            lines += ["", f"## {control.framework_name}", ""]
            lines += ["| control | about | this run | by | missing |", "|---|---|---|---|---|"]
        sides = (_names(row.present), _names(row.missing))
        cells = (control.ref, control.about, f"**{row.word}**", *sides)
        lines.append(f"| {' | '.join(cells)} |")
    present = {item.name: item for row in rows for item in row.present}
    missing = {item.name: item for row in rows for item in row.missing}
    lines += ["", "## What is there", "", "| evidence | what | events |", "|---|---|---|"]
    lines += [f"| {i.name} | {_cell(i.text)} | {_events(i)} |" for i in present.values()]
    lines += ["", "## What is missing", "", "| evidence | why |", "|---|---|"]
    lines += [f"| {i.name} | {_cell(i.text)} |" for i in missing.values()]
    return "\n".join(lines) + "\n"


def controls_json(run_id: str, rows: tuple[Supported, ...]) -> str:
    """The same for machines: one object a line."""
    objects = [{"t": "about", "run_id": run_id, "limits": LIMITS}]
    return "".join(json.dumps(o) + "\n" for o in [*objects, *map(_row, rows)])


def _row(row: Supported) -> dict[str, object]:
    control = row.control
    return {
        "t": "control",
        "framework": control.framework,
        "control": control.ref,
        "about": control.about,
        "word": row.word,
        "by": [
            {"item": item.name, "text": item.text, "events": list(item.events)}
            for item in row.present
        ],
        "missing": [{"item": item.name, "text": item.text} for item in row.missing],
    }


def _names(items: tuple[Item, ...]) -> str:
    return ", ".join(item.name for item in items) or "-"


def _events(item: Item) -> str:
    return ", ".join(map(str, item.events)) or "-"


def _cell(text: str) -> str:
    """In one cell of a table, whatever people called their things."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
