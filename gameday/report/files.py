"""The reports of a run as files in its directory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from gameday.model.report import Report
from gameday.report import json_, junit, markdown, summary

#: File name -> writer. `gameday report` makes all of them again, byte for byte.
WRITERS = {
    "result.json": json_.render,
    "report.md": markdown.render,
    "junit.xml": junit.render,
    "summary.txt": summary.render,
}


def render_all(report: Report) -> Mapping[str, str]:
    """Name of each file -> its whole text."""
    return {name: render(report) for name, render in WRITERS.items()}


def write_all(run_dir: Path, report: Report) -> list[Path]:
    """Write every report into *run_dir*, each in one step. Raises `OSError` if it cannot."""
    paths = []
    for name, text in render_all(report).items():
        path = run_dir / name
        draft = run_dir / f".{name}.new"
        draft.write_text(text, encoding="utf-8", newline="\n")
        os.replace(draft, path)  # noqa: PTH105 - a reader never sees half a report
        paths.append(path)
    return paths
