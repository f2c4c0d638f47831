"""`gameday quarter`: the report of a quarter, and what to test next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gameday.cli.options import Json, Project, Reports

What = Annotated[
    str,
    typer.Argument(help="A quarter such as `2026Q4`, `this`, `last`; `plan`: what to test next."),
]
Out = Annotated[
    Path | None, typer.Option("--out", help="Where to write; `reports/2026Q4` unless given.")
]
Findings = Annotated[
    str | None,
    typer.Option("--findings", help="The register: a folder, `sqlite:FILE`, `postgresql://…`."),
]
Incidents = Annotated[
    Path | None, typer.Option("--incidents", help="Incidents, as CSV (docs/quarter.md).")
]
Deployments = Annotated[Path | None, typer.Option("--deployments", help="Deployments, as CSV.")]
Drills = Annotated[
    Path | None, typer.Option("--drills", help="Restore and fail-over drills, as CSV.")
]
Scope = Annotated[
    Path | None,
    typer.Option("--scope", help="Which failure modes of which services count, as CSV."),
]
Index = Annotated[
    str | None,
    typer.Option(
        "--index", help="Index of runs: `sqlite:FILE`, `postgresql://…`; beside them unless given."
    ),
]
Rebuild = Annotated[
    bool, typer.Option("--rebuild", help="Make the index anew from the run directories.")
]
OnlyIn = Annotated[
    str | None, typer.Option("--env", "-e", help="Of `plan`: in this environment only.")
]
Limit = Annotated[int, typer.Option("--limit", help="Of `plan`: how many lines.")]
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="Count as at the end of this day, not now.")
]


def quarter(
    what: What = "this",
    reports: Reports = Path("reports"),
    project: Project = None,
    out: Out = None,
    findings: Findings = None,
    incidents: Incidents = None,
    deployments: Deployments = None,
    drills: Drills = None,
    scope: Scope = None,
    index: Index = None,
    rebuild: Rebuild = False,
    env: OnlyIn = None,
    limit: Limit = 15,
    as_of: AsOf = None,
    json: Json = False,
) -> int:
    """Report a quarter to those who pay, or rank what to test next (`gameday quarter plan`)."""
    from gameday.app.quarter import QuarterRequest, quarter_command

    request = QuarterRequest(
        what=what,
        reports=reports,
        project=project,
        out=out,
        index=index,
        rebuild=rebuild,
        findings=findings,
        incidents=incidents,
        deployments=deployments,
        drills=drills,
        scope=scope,
        environment=env or "",
        limit=limit,
        as_of=as_of,
        json=json,
    )
    return int(quarter_command(request))
