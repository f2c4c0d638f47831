"""The reports of a run as files in its directory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from gameday.model.report import Report
from gameday.report import json_, junit, markdown, postmortem, summary

#: File name -> writer. `gameday report` makes all of them again, byte for byte.
WRITERS = {
    "result.json": json_.render,
    "report.md": markdown.render,
    "junit.xml": junit.render,
    "summary.txt": summary.render,
}

DRAFT = "postmortem.md"


def render_all(report: Report, draft: postmortem.Postmortem | None = None) -> Mapping[str, str]:
    """Name of each file -> its whole text; the postmortem where there is a *draft* of it."""
    texts = {name: render(report) for name, render in WRITERS.items()}
    if draft is not None:
        texts[DRAFT] = postmortem.render(draft)
    return texts


def write_all(
    run_dir: Path, report: Report, draft: postmortem.Postmortem | None = None
) -> list[Path]:
    """Write every report into *run_dir*, each in one step. Raises `OSError` if it cannot.

    A postmortem whose heading is no longer that of a draft belongs to people, and stays.
    """
    paths = []
    for name, text in render_all(report, draft).items():
        path = run_dir / name
        if name == DRAFT and _is_finished(path):
            continue
        new = run_dir / f".{name}.new"
        new.write_text(text, encoding="utf-8", newline="\n")
        os.replace(new, path)  # noqa: PTH105 - a reader never sees half a report
        paths.append(path)
    return paths


def _is_finished(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return not file.readline(200).startswith(postmortem.HEADING)
    except FileNotFoundError:
        return False
