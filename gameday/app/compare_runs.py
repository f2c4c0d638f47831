"""`gameday compare`: two runs of a scenario over each other, from their directories alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from gameday.app.judge import Judged, judge_run
from gameday.app.rundir import RunDir, find
from gameday.errors import UsageError
from gameday.model.verdict import ExitCode


def compare_command(
    before: str, now: str, *, reports: Path, as_json: bool, html: Path | None
) -> ExitCode:
    """Print the comparison, and write the page to *html*. Raises `UsageError`."""
    from gameday.report.compared_runs import Side, compare_runs
    from gameday.report.compared_text import render
    from gameday.report.json_ import plain

    places = (find(before, reports), find(now, reports))
    if places[0].path == places[1].path:
        raise UsageError(f"`{before}` and `{now}` are the same run; give two")
    sides = []
    for where in places:
        judged = judge_run(where)
        side = Side(plan=judged.plan, timeline=judged.timeline, report=judged.report)
        sides.append(side)
        _same_scenario(places, sides[0].plan.scenario.id, judged)
    found = compare_runs(sides[0], sides[1])
    if html is not None:
        from gameday.report.compared_page import render_page

        _write(html, render_page(found, sides[0], sides[1]))
        sys.stderr.write(f"wrote {html}\n")
    text = json.dumps(plain(found), ensure_ascii=False) + "\n" if as_json else render(found)
    sys.stdout.write(text)
    return found.exit_code


def _same_scenario(places: tuple[RunDir, RunDir], first: str, judged: Judged) -> None:
    other = judged.plan.scenario.id
    if first != other:
        raise UsageError(
            f"`{places[0].run_id}` is a run of `{first}`, `{places[1].run_id}` one of `{other}`: "
            "their numbers answer different questions; give two runs of one scenario"
        )


def _write(path: Path, text: str) -> None:
    from gameday.report.pages import put

    try:
        put(path, text.encode())
    except OSError as error:
        raise UsageError(f"`{path}` cannot be written: {error.strerror}") from None
