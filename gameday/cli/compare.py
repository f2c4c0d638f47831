"""`gameday compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gameday.cli.options import Json, Reports


def compare(
    before: Annotated[str, typer.Argument(help="The run before: an id, or a directory.")],
    after: Annotated[str, typer.Argument(help="The run after, or `last`.")] = "last",
    reports: Reports = Path("reports"),
    json: Json = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Also write a page with both in one figure.")
    ] = None,
) -> int:
    """Put two runs of a scenario over each other; ends with 1 if the run after is worse."""
    from gameday.app.compare_runs import compare_command

    return int(compare_command(before, after, reports=reports, as_json=json, html=html))
