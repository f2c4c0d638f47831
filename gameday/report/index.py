"""The page of all runs of a reports directory: newest first, coloured by verdict. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from gameday.model.units import format_ms
from gameday.report.html import render_index

#: Name of the directory, its `result.json` (None if there is none), its page (empty if none).
Run = tuple[str, Mapping[str, Any] | None, str]


def render_runs(runs: Sequence[Run]) -> str:
    """The whole page of *runs*, given oldest first or in any order."""
    rows = [_row(*run) for run in runs]
    rows.sort(key=lambda row: (row["started"], row["run"]), reverse=True)
    return render_index(rows, sorted({row["scenario"] for row in rows if row["scenario"]}))


def _row(name: str, result: Mapping[str, Any] | None, page: str) -> dict[str, str]:
    row = {
        "run": name,
        "link": f"{quote(name)}/{page}" if page else "",
        "started": _stamp(name),
        "scenario": "",
        "title": "",
        "environment": "",
        "took": "",
        "tone": "unknown",
        "word": "no result",
        "reason": "it goes on, or it ended before it was judged: `gameday report` judges it",
    }
    try:
        return row if result is None else {**row, **_told(result)}
    except (KeyError, TypeError, ValueError):
        return {**row, "reason": "its result.json cannot be read"}


def _told(result: Mapping[str, Any]) -> dict[str, str]:
    verdict, scenario = result["verdict"], result["scenario"]
    outcome, status, clean = str(verdict["outcome"]), str(verdict["status"]), bool(verdict["clean"])
    tone = "unknown"
    if not clean:
        tone = "dirty"
    elif outcome == "fail" or (outcome == "pass" and status == "completed"):
        tone = outcome
    word = outcome if status == "completed" else f"{outcome} ({status})"
    if result.get("control"):
        word = f"control run: {word}"
    profile = f" ({scenario['profile']})" if scenario["profile"] else ""
    told = {
        "scenario": str(scenario["id"]),
        "title": f"{scenario['title']}{profile}",
        "environment": str(result["environment"]),
        "took": format_ms(int(result["duration_ms"])),
        "tone": tone,
        "word": word if clean else f"not clean, {word}",
        "reason": str(verdict["reason"]),
    }
    return {**told, "started": str(result["started"])} if result["started"] else told


def _stamp(name: str) -> str:
    """`2026-11-22T23:26:38Z` of a directory's name; empty if it has none."""
    head = name.partition("-")[0]
    if len(head) != 16 or not (head[:8] + head[9:15]).isdigit():
        return ""
    return f"{head[:4]}-{head[4:6]}-{head[6:8]}T{head[9:11]}:{head[11:13]}:{head[13:15]}Z"
