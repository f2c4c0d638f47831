"""The commands about runbooks: `gameday runbook …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gameday.cli.options import Json, Project, Reports

runbook_app = typer.Typer(
    help="Runbooks: whether they say what is needed, and whether it can be followed.",
    no_args_is_help=True,
)


@runbook_app.command("lint")
def runbook_lint(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Runbooks, or folders of them; the project's unless given."),
    ] = None,
    project: Project = None,
    prometheus: Annotated[
        str | None, typer.Option("--prometheus", help="Compare with the rules that it has loaded.")
    ] = None,
    rules: Annotated[
        list[Path] | None, typer.Option("--rules", help="Compare with the rules in this file.")
    ] = None,
    select: Annotated[
        list[str] | None, typer.Option("--select", help="Only this rule, or group of rules.")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", help="Not this rule, or group of rules.")
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", help="A program that exists where the runbook is followed."),
    ] = None,
    format_: Annotated[
        str, typer.Option("--format", help="`text`, `json`, `github` or `sarif`.")
    ] = "text",
    json: Json = False,
    level: Annotated[
        str, typer.Option("--level", help="Show `error`, `warning` or `note` and what is above.")
    ] = "note",
    fail_on: Annotated[
        str,
        typer.Option(
            "--fail-on", help="End with 1 from `error`, `warning`, `note` on, or `never`."
        ),
    ] = "error",
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no host, not even those in `runbook_hosts`.")
    ] = False,
) -> int:
    """Say what is wrong with runbooks, line by line, and grade them. Nothing in them is run."""
    from gameday.app.runbook_lint import LintRequest, runbook_lint_command

    request = LintRequest(
        paths=tuple(paths or ()),
        project=project,
        prometheus=prometheus,
        rules=tuple(rules or ()),
        select=_split(select),
        ignore=_split(ignore),
        allow=_split(allow),
        format="json" if json else format_,
        level=level,
        fail_on=fail_on,
        offline=offline,
    )
    return int(runbook_lint_command(request))


def _split(given: list[str] | None) -> tuple[str, ...]:
    """`--select a,b --select c` is three."""
    names = (name.strip() for text in given or () for name in text.split(","))
    return tuple(name for name in names if name)


@runbook_app.command("certify")
def runbook_certify(
    run: Annotated[str, typer.Argument(help="The run that proved it: an id, a directory, `last`.")],
    runbook: Annotated[Path, typer.Argument(help="The runbook, a file.")],
    reports: Reports = Path("reports"),
) -> int:
    """Write into a runbook's front matter that a run has proven it, when, and which text."""
    from gameday.app.runbook_certify import certify_command

    return certify_command(run, runbook, reports=reports)
