"""The commands of a day: `gameday day …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gameday.cli.options import (
    Env,
    Json,
    Project,
    Reports,
    RunRunbooks,
    ServiceVersion,
    Toxiproxy,
)
from gameday.cli.running import Findings

day_app = typer.Typer(
    help="A GameDay, a tabletop or a drill: begun, run item by item, written up.",
    no_args_is_help=True,
)

Plan = Annotated[Path, typer.Argument(help="The plan of the day, a YAML file.")]
By = Annotated[str, typer.Option("--by", help="Who says so: a role.")]


@day_app.command("start")
def start(
    plan: Plan,
    take: Annotated[
        list[str] | None, typer.Option("--take", help="A role that is taken; may be repeated.")
    ] = None,
    project: Project = None,
    env: Env = None,
    reports: Reports = Path("reports"),
) -> int:
    """Begin a day: its journal is opened, nothing is broken."""
    from gameday.app.day import DayRequest, start_command

    request = DayRequest(plan=plan, project=project, reports=reports, environment=env)
    return int(start_command(request, take=take or []))


@day_app.command("take")
def take(
    plan: Plan,
    roles: Annotated[list[str], typer.Argument(help="The roles.")],
    back: Annotated[bool, typer.Option("--back", help="Give them back instead.")] = False,
    project: Project = None,
    reports: Reports = Path("reports"),
) -> int:
    """Take roles: say that somebody is there for each."""
    from gameday.app.day import DayRequest, take_command

    request = DayRequest(plan=plan, project=project, reports=reports)
    return int(take_command(request, roles, back=back))


@day_app.command("next")
def next_(
    plan: Plan,
    item: Annotated[
        str | None, typer.Option("--item", help="This item, not the one that comes next.")
    ] = None,
    go: Annotated[
        bool | None, typer.Option("--go/--no-go", help="The answer; asked for unless given.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the answer of the page (`gameday console`).")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the journal.")] = "",
    by: By = "owner",
    project: Project = None,
    env: Env = None,
    toxiproxy: Toxiproxy = None,
    operator: Annotated[
        str | None, typer.Option("--operator", help="Who runs it, where people have to differ.")
    ] = None,
    service_version: ServiceVersion = None,
    run_runbooks: RunRunbooks = False,
    findings: Findings = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the verdict.")] = False,
    reports: Reports = Path("reports"),
) -> int:
    """Run the next item, after a go; it ends with the exit code of the item."""
    from gameday.app.day import DayRequest
    from gameday.app.day_next import NextOptions, next_command

    request = DayRequest(plan=plan, project=project, reports=reports, environment=env)
    options = NextOptions(
        item=item,
        go=go,
        wait=wait,
        reason=reason,
        by=by,
        toxiproxy=toxiproxy,
        operator=operator,
        service_version=service_version,
        run_runbooks=run_runbooks,
        findings=findings,
        quiet=quiet,
    )
    return int(next_command(request, options))


@day_app.command("stop")
def stop(
    plan: Plan,
    reason: Annotated[str, typer.Argument(help="Why.")] = "somebody said so",
    by: By = "owner",
    project: Project = None,
    reports: Reports = Path("reports"),
) -> int:
    """End the day, and the run that is under way: faults out first."""
    from gameday.app.day import DayRequest
    from gameday.app.day_next import stop_command

    request = DayRequest(plan=plan, project=project, reports=reports)
    return int(stop_command(request, reason, by=by))


@day_app.command("status")
def status(
    plan: Plan,
    project: Project = None,
    json: Json = False,
    reports: Reports = Path("reports"),
) -> int:
    """Say how far the day is."""
    from gameday.app.day import DayRequest, status_command

    request = DayRequest(plan=plan, project=project, reports=reports)
    return int(status_command(request, as_json=json))


@day_app.command("text")
def text(
    plan: Plan,
    moment: Annotated[
        str, typer.Argument(help="`announce`, `start`, `update`, `abort` or `all-clear`.")
    ] = "announce",
    project: Project = None,
    reports: Reports = Path("reports"),
) -> int:
    """Print what is told to others, to be sent."""
    from gameday.app.day import DayRequest, text_command

    request = DayRequest(plan=plan, project=project, reports=reports)
    return int(text_command(request, moment))


@day_app.command("debrief")
def debrief(
    plan: Plan,
    published: Annotated[
        bool, typer.Option("--published", help="It is published now: the clock stops.")
    ] = False,
    project: Project = None,
    reports: Reports = Path("reports"),
) -> int:
    """Write the hotwash and the debrief, as drafts, and say until when they are due."""
    from gameday.app.day import DayRequest
    from gameday.app.day_debrief import debrief_command

    request = DayRequest(plan=plan, project=project, reports=reports)
    return int(debrief_command(request, published=published))
