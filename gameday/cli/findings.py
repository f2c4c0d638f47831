"""The findings register: `gameday findings …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gameday.cli.options import Json, Project, Reports

findings_app = typer.Typer(
    help="The register of what runs showed to be wrong, and what became of it.",
    no_args_is_help=True,
)

Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="GAMEDAY_FINDINGS",
        help="A folder, `sqlite:FILE` or `postgresql://…`; that of gameday.yaml unless given.",
    ),
]
Id = Annotated[str, typer.Argument(metavar="FINDING", help="Its id, or the beginning of it.")]
Role = Annotated[
    str | None,
    typer.Option(
        "--as", envvar="GAMEDAY_ROLE", help="The role that does it; the owner team unless given."
    ),
]
NeededRole = Annotated[
    str, typer.Option("--as", envvar="GAMEDAY_ROLE", help="The role that does it.")
]
Why = Annotated[str, typer.Option("--why", help="The reason, in one sentence.")]
NeededWhy = Annotated[str, typer.Option("--why", help="The reason, in one sentence. Needed.")]
Severity = Annotated[
    str | None, typer.Option("--severity", help="`critical`, `high`, `medium` or `low`.")
]


@findings_app.command("collect")
def findings_collect(
    runs: Annotated[list[str], typer.Argument(help="Run ids, run directories, or `last`.")],
    reports: Reports = Path("reports"),
    store: Store = None,
    project: Project = None,
) -> int:
    """Raise a finding for each expectation that failed in these runs, or count it once more."""
    from gameday.app.findings import collect_command

    return int(collect_command(runs, reports=reports, store=store, project=project))


@findings_app.command("list")
def findings_list(
    state: Annotated[str | None, typer.Option("--state", help="Only those in this state.")] = None,
    severity: Severity = None,
    kind: Annotated[str | None, typer.Option("--class", help="Only those of this class.")] = None,
    team: Annotated[str | None, typer.Option("--team", help="Only those of this team.")] = None,
    service: Annotated[
        str | None, typer.Option("--service", help="Only those of this service.")
    ] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those past their day.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that are verified or put aside.")
    ] = False,
    store: Store = None,
    project: Project = None,
    json: Json = False,
) -> int:
    """List findings, the most urgent first, with their age and the day on which they are due."""
    from gameday.app.findings import Filters, list_command

    filters = Filters(
        state=state,
        severity=severity,
        kind=kind,
        team=team,
        service=service,
        overdue=overdue,
        everything=everything,
    )
    return int(list_command(filters, store=store, project=project, as_json=json))


@findings_app.command("show")
def findings_show(
    finding: Id, store: Store = None, project: Project = None, json: Json = False
) -> int:
    """Show one finding, with all that happened to it."""
    from gameday.app.findings import show_command

    return int(show_command(finding, store=store, project=project, as_json=json))


@findings_app.command("add")
def findings_add(
    title: Annotated[str, typer.Argument(help="What is wrong, in one sentence.")],
    service: Annotated[str, typer.Option("--service", help="The service that it is about.")],
    kind: Annotated[str, typer.Option("--class", help="Such as `runbook_wrong`.")],
    failure_mode: Annotated[
        str, typer.Option("--failure-mode", help="What was broken, such as `payments.latency`.")
    ],
    expectation: Annotated[
        str, typer.Option("--expectation", help="What should have held; runs call it so.")
    ],
    role: NeededRole,
    severity: Severity = None,
    team: Annotated[str, typer.Option("--team", help="The team that owns it.")] = "",
    scenario: Annotated[
        str, typer.Option("--scenario", help="The scenario whose run can verify it.")
    ] = "",
    env_kind: Annotated[
        str, typer.Option("--env-kind", help="Where that has to be, at least.")
    ] = "local",
    why: Why = "",
    store: Store = None,
    project: Project = None,
) -> int:
    """Raise a finding by hand."""
    from gameday.app.finding_acts import Adding, add_command

    asked = Adding(
        title=title,
        service=service,
        failure_mode=failure_mode,
        expectation=expectation,
        kind=kind,
        severity=severity,
        team=team,
        scenario=scenario,
        environment_kind=env_kind,
        role=role,
        why=why,
    )
    return int(add_command(asked, store=store, project=project))


@findings_app.command("assign")
def findings_assign(
    finding: Id,
    team: Annotated[
        str, typer.Option("--team", help="The team; that which owns it unless given.")
    ] = "",
    severity: Severity = None,
    role: Role = None,
    why: Why = "",
    store: Store = None,
    project: Project = None,
) -> int:
    """Give a finding to a team. Takes up again what was put aside."""
    from gameday.app.finding_acts import Act, assign_command

    act = Act(finding=finding, role=role, why=why, store=store, project=project)
    return int(assign_command(act, team=team, severity=severity))


@findings_app.command("start")
def findings_start(
    finding: Id, role: Role = None, why: Why = "", store: Store = None, project: Project = None
) -> int:
    """Say that work on an assigned finding has begun."""
    from gameday.app.finding_acts import Act, start_command

    act = Act(finding=finding, role=role, why=why, store=store, project=project)
    return int(start_command(act))


@findings_app.command("claim")
def findings_claim(
    finding: Id, why: NeededWhy, role: Role = None, store: Store = None, project: Project = None
) -> int:
    """Say that it is fixed. Only a run or a drill that begins later can verify it."""
    from gameday.app.finding_acts import Act, claim_command

    act = Act(finding=finding, role=role, why=why, store=store, project=project)
    return int(claim_command(act))


@findings_app.command("accept")
def findings_accept(
    finding: Id,
    role: NeededRole,
    until: Annotated[str, typer.Option("--until", help="The last day, such as 2026-12-20.")],
    why: NeededWhy,
    store: Store = None,
    project: Project = None,
) -> int:
    """Accept the risk until a day, after which the finding is open again."""
    from gameday.app.finding_acts import Act, accept_command

    act = Act(finding=finding, role=role, why=why, store=store, project=project)
    return int(accept_command(act, until=until))


@findings_app.command("supersede")
def findings_supersede(
    finding: Id,
    by: Annotated[str, typer.Option("--by", help="The finding that stands for it now.")],
    role: Role = None,
    why: Why = "",
    store: Store = None,
    project: Project = None,
) -> int:
    """Let another finding stand for it."""
    from gameday.app.finding_acts import Act, supersede_command

    act = Act(finding=finding, role=role, why=why, store=store, project=project)
    return int(supersede_command(act, by=by))


@findings_app.command("wont-fix")
def findings_wont_fix(
    finding: Id, why: NeededWhy, role: Role = None, store: Store = None, project: Project = None
) -> int:
    """Say that nothing will be done about it, and why."""
    from gameday.app.finding_acts import Act, wont_fix_command

    act = Act(finding=finding, role=role, why=why, store=store, project=project)
    return int(wont_fix_command(act))


@findings_app.command("verify")
def findings_verify(
    run: Annotated[str, typer.Argument(help="A run id, a run directory, or `last`.")],
    finding: Annotated[
        str | None, typer.Option("--finding", help="Only this one; all that are claimed fixed.")
    ] = None,
    reports: Reports = Path("reports"),
    store: Store = None,
    project: Project = None,
) -> int:
    """Look whether a run verifies what is claimed to be fixed.

    Exit codes: 0 all of it is verified, 1 not all, 3 nothing that is claimed is about this run.
    """
    from gameday.app.findings import verify_command

    return int(verify_command(run, finding, reports=reports, store=store, project=project))


@findings_app.command("observe")
def findings_observe(
    finding: Id,
    drill: Annotated[
        str, typer.Argument(metavar="DAY/ITEM", help="A drill that was held in a day.")
    ],
    why: Annotated[str, typer.Option("--why", help="What the observer saw. Needed.")],
    reports: Reports = Path("reports"),
    store: Store = None,
    project: Project = None,
) -> int:
    """Say as the observer of a drill that a fix that no run can show is there."""
    from gameday.app.finding_observe import Observing, observe_command

    asked = Observing(finding=finding, drill=drill, why=why, reports=reports)
    return int(observe_command(asked, store=store, project=project))


@findings_app.command("export")
def findings_export(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file to write; else it is printed.")
    ] = None,
    store: Store = None,
    project: Project = None,
) -> int:
    """Write the whole register as one JSON document, entries and all."""
    from gameday.app.finding_acts import export_command

    return int(export_command(out, store=store, project=project))


@findings_app.command("import")
def findings_import(
    path: Annotated[Path, typer.Argument(help="What `gameday findings export` wrote.")],
    store: Store = None,
    project: Project = None,
) -> int:
    """Bring an exported register into another store. Nothing is lost, or nothing is imported."""
    from gameday.app.finding_acts import import_command

    return int(import_command(path, store=store, project=project))


@findings_app.command("ticket")
def findings_ticket(
    finding: Id,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only look, and say what would be done.")
    ] = False,
    store: Store = None,
    project: Project = None,
) -> int:
    """Make the ticket of a finding, or tell it what has changed. One finding has one ticket.

    Exit codes: 0 done, or nothing to do; 3 not done, or not known whether.
    """
    from gameday.app.finding_ticket import ticket_command

    return int(ticket_command(finding, store=store, project=project, dry_run=dry_run))
