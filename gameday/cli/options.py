"""Options that commands of several groups have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Reports = Annotated[Path, typer.Option("--reports", help="Where run directories lie.")]
Project = Annotated[
    Path | None, typer.Option("--project", help="The gameday.yaml; found upwards unless given.")
]
Env = Annotated[
    str | None, typer.Option("--env", "-e", help="The environment; `local` unless given.")
]
Profile = Annotated[
    str | None, typer.Option("--profile", "-p", help="A profile of the scenario, e.g. `smoke`.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Toxiproxy = Annotated[
    str | None,
    typer.Option("--toxiproxy", help="`embedded`, `started` (from PATH), or the URL of a server."),
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of everything random.")]
RunRunbooks = Annotated[
    bool,
    typer.Option("--run-runbooks", help="Steps of runbooks may change something (docs/proof.md)."),
]
Control = Annotated[
    bool, typer.Option("--control", help="The same without its faults: no alert may fire.")
]
OtlpEndpoint = Annotated[
    str | None,
    typer.Option(
        "--otlp-endpoint",
        metavar="URL",
        help="Send the run as a trace there (OTLP over HTTP), once it is over.",
    ),
]
ServiceVersion = Annotated[
    str | None,
    typer.Option(
        "--service-version",
        envvar="GAMEDAY_SERVICE_VERSION",
        show_envvar=False,
        help="Which version of the service is tested; GAMEDAY_SERVICE_VERSION unless given.",
    ),
]
Change = Annotated[
    str | None, typer.Option("--change", help="The change under which this is, e.g. `CHG-123`.")
]
