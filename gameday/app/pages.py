"""What is drawn of runs: the page of one, and the page of all in a reports directory."""

from __future__ import annotations

import sys
from pathlib import Path

from gameday.app.judge import Judged
from gameday.app.run_json import read_json
from gameday.app.rundir import RunDir, all_runs
from gameday.errors import UsageError

INDEX = "index.html"


def write_drawn(where: RunDir, judged: Judged) -> list[Path]:
    """The page and the pictures of a run whose other reports are written.

    It takes seconds, so a person is told. Raises `OSError` if a file cannot be written.
    """
    from gameday.report.pages import write_pages

    told = sys.stderr.isatty()
    if told:
        sys.stderr.write("  drawing the figure …")
        sys.stderr.flush()
    try:
        return write_pages(where.path, judged.plan, judged.timeline, judged.report)
    finally:
        if told:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def finish_pages(where: RunDir, judged: Judged) -> None:
    """The same at the end of a run, and the page of all. The verdict is told already.

    Nothing that goes wrong here may change what the run ends with, so it is only told.
    """
    again = f"`gameday report {where.run_id}` makes it again"
    try:
        write_drawn(where, judged)
        write_index(where.path.parent)
    except OSError as error:
        sys.stderr.write(f"gameday: the page cannot be written: {error.strerror}; {again}\n")
    except KeyboardInterrupt:
        sys.stderr.write(f"gameday: interrupted before the page was written; {again}\n")
    except Exception as error:  # noqa: BLE001 - the run's own answer stands above its page
        what = f"{type(error).__name__}: {error}"
        sys.stderr.write(f"gameday: the page cannot be made, by a bug of ours: {what}; {again}\n")


def write_index(reports: Path) -> Path:
    """The page of all runs below *reports*. Raises `UsageError` if it cannot be written."""
    from gameday.report.index import render_runs
    from gameday.report.pages import put

    found = all_runs(reports)
    runs = [(run.run_id, read_json(run.path / "result.json"), _page(run)) for run in found]
    try:
        return put(reports / INDEX, render_runs(runs).encode())
    except OSError as error:
        raise UsageError(f"`{reports / INDEX}` cannot be written: {error.strerror}") from None


def show(page: Path) -> None:
    """Open *page* in the browser of this machine; say where it is if there is none."""
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        sys.stderr.write(f"gameday: no browser could be opened; the page is {page}\n")


def _page(run: RunDir) -> str:
    """The best report that a run has, as a name beside the page; empty for none."""
    return next((n for n in ("report.html", "report.md") if (run.path / n).exists()), "")
