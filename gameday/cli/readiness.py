"""`gameday readiness`: whether one version of a service may be launched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gameday.cli.findings import Store
from gameday.cli.options import Env, Project


def readiness(
    service: Annotated[str, typer.Argument(help="Which service.")],
    version: Annotated[str, typer.Option("--version", help="Which version of it.")],
    project: Project = None,
    env: Env = None,
    reports: Annotated[
        list[Path] | None,
        typer.Option("--reports", help="Where run directories lie; may be given several times."),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", help="The policy; readiness/policy.yaml, if any.")
    ] = None,
    service_file: Annotated[
        Path | None,
        typer.Option("--service-file", help="readiness/services/SERVICE.yaml unless given."),
    ] = None,
    waivers: Annotated[
        Path | None, typer.Option("--waivers", help="Waivers; readiness/waivers.yaml, if any.")
    ] = None,
    store: Store = None,
    html: Annotated[Path | None, typer.Option("--html", help="Also write a page.")] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Also write Markdown.")
    ] = None,
    fail_from: Annotated[
        str | None,
        typer.Option(
            "--fail-from",
            help="The answer from which on it does not end with 0: `conditions`, `evidence`, "
            "`no-go` or `never`; as the policy says unless given.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The whole answer as JSON.")] = False,
) -> int:
    """Say GO, GO WITH CONDITIONS, NO-GO or NOT ENOUGH EVIDENCE, from dated evidence."""
    from gameday.app.readiness import ReadinessRequest, readiness_command

    request = ReadinessRequest(
        service=service,
        version=version,
        project=project,
        environment=env,
        reports=tuple(reports or [Path("reports")]),
        policy=policy,
        service_file=service_file,
        waivers=waivers,
        store=store,
        html=html,
        markdown=markdown,
        fail_from=fail_from,
        as_json=json,
    )
    return int(readiness_command(request))
