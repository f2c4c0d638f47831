"""`gameday check` and `gameday run`: what people and CI call most."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from gameday.cli.options import (
    Change,
    Control,
    Env,
    Json,
    OtlpEndpoint,
    Profile,
    Project,
    Reports,
    RunRunbooks,
    Seed,
    ServiceVersion,
    Toxiproxy,
)

Tags = Annotated[
    str | None,
    typer.Option("-m", help="Only scenarios with these tags, e.g. `smoke and not docker`."),
]
FailOn = Annotated[
    str, typer.Option("--fail-on", help="From `fail`, `inconclusive` or `warning` on.")
]
Retry = Annotated[
    int, typer.Option("--retry", help="Try again so often; a pass by it is told as flaky.")
]
StepSummary = Annotated[
    Path | None,
    typer.Option("--step-summary", help="Append Markdown; $GITHUB_STEP_SUMMARY unless given."),
]
Metrics = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="[HOST:]PORT",
        help="Serve metrics of the run to Prometheus, on this machine unless HOST is given.",
    ),
]
Grafana = Annotated[
    str | None,
    typer.Option(
        "--grafana",
        metavar="URL",
        help="Annotate phases and faults there; the token is in GAMEDAY_GRAFANA_TOKEN.",
    ),
]
Go = Annotated[bool, typer.Option("--go", help="Really run outside the environments local and ci.")]
Findings = Annotated[
    bool,
    typer.Option("--findings", help="Collect what failed into the register (docs/findings.md)."),
]


def check(
    paths: Annotated[
        list[Path], typer.Argument(help="Files of scenarios, days or readiness, or directories.")
    ],
    project: Project = None,
    env: Env = None,
    profile: Profile = None,
    format_: Annotated[
        str, typer.Option("--format", help="`text`, `json`, `github` or `sarif`.")
    ] = "text",
    json: Json = False,
    online: Annotated[
        bool, typer.Option("--online", help="Also ask the live rules and routes of the alerts.")
    ] = False,
) -> int:
    """Read scenarios, days, projects and files of readiness; report every problem at once."""
    from gameday.app.online import checked

    return checked(
        paths,
        project=project,
        env=env,
        profile=profile,
        form="json" if json else format_,
        online=online,
    )


def run_command(
    paths: Annotated[list[Path], typer.Argument(help="Scenario files or directories.")],
    project: Project = None,
    env: Env = None,
    profile: Profile = None,
    toxiproxy: Toxiproxy = None,
    reports: Reports = Path("reports"),
    seed: Seed = 0,
    go: Go = False,
    change: Change = None,
    operator: Annotated[
        str | None, typer.Option("--operator", help="Who runs it; GAMEDAY_OPERATOR, else git's.")
    ] = None,
    service_version: ServiceVersion = None,
    run_runbooks: RunRunbooks = False,
    control: Control = False,
    tags: Tags = None,
    fail_on: FailOn = "inconclusive",
    retry: Retry = 0,
    step_summary: StepSummary = None,
    metrics: Metrics = None,
    grafana: Grafana = None,
    otlp_endpoint: OtlpEndpoint = None,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the verdict.")] = False,
    findings: Findings = False,
) -> int:
    """Run scenarios: load, faults, alerts, runbooks, a verdict, and the faults gone."""
    from gameday.app.exports import Exports
    from gameday.app.run import RunRequest
    from gameday.app.runset import SetOptions, run_set

    requests = RunRequest.many(
        paths,
        project=project,
        environment=env,
        profile=profile,
        toxiproxy=toxiproxy,
        reports=reports,
        seed=seed,
        go=go,
        change_id=change,
        operator=operator,
        service_version=service_version,
        run_runbooks=run_runbooks,
        control=control,
        findings=findings,
        exports=Exports(metrics=metrics, grafana=grafana, otlp_endpoint=otlp_endpoint),
    )
    options = SetOptions(
        tags=tags,
        fail_on=fail_on,
        retry=retry,
        step_summary=step_summary,
        whole=any(os.path.isdir(path) for path in paths),  # noqa: PTH112 - never raises
        as_json=json,
        quiet=quiet,
    )
    return int(run_set(requests, options))
