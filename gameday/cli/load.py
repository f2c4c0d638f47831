"""The commands about the load: `gameday load …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gameday.cli.options import Env, Json, Profile, Project, Toxiproxy

load_app = typer.Typer(
    help="The load of a scenario: looked at, written out, carried by other hosts.",
    no_args_is_help=True,
)

import_app = typer.Typer(
    help="Journeys from an OpenAPI file, or from what a browser recorded.", no_args_is_help=True
)
load_app.add_typer(import_app, name="import")

Scenario = Annotated[Path, typer.Argument(help="A scenario file.")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="The file to write; else it is printed.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")]
Target = Annotated[str, typer.Option("--target", help="The target of gameday.yaml that is meant.")]


@load_app.command("check")
def load_check(
    path: Scenario,
    project: Project = None,
    env: Env = None,
    profile: Profile = None,
    toxiproxy: Toxiproxy = None,
    body: Annotated[
        bool, typer.Option("--body", help="Whole bodies, up to 2048 characters.")
    ] = False,
    json: Json = False,
) -> int:
    """Send each journey once, and print every answer. Nothing is injected."""
    from gameday.app.check import PlanRequest
    from gameday.app.load_check import load_check_command

    request = PlanRequest(path=path, project=project, environment=env, profile=profile)
    return int(load_check_command(request, toxiproxy=toxiproxy, whole=body, as_json=json))


@load_app.command("eject")
def load_eject(
    path: Scenario,
    out: Out = None,
    force: Force = False,
    project: Project = None,
    env: Env = None,
    profile: Profile = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of pauses and random data.")] = 0,
) -> int:
    """Write the journeys as a Locust file that sends the same requests."""
    from gameday.app.check import PlanRequest
    from gameday.app.load_eject import load_eject_command

    request = PlanRequest(path=path, project=project, environment=env, profile=profile, seed=seed)
    return int(load_eject_command(request, out, force=force))


@import_app.command("openapi")
def import_openapi(
    path: Annotated[Path, typer.Argument(help="OpenAPI 3.0 or 3.1, or Swagger 2.0.")],
    out: Out = None,
    force: Force = False,
    target: Target = "api",
    writes: Annotated[
        bool, typer.Option("--writes", help="Also POST, PUT, PATCH and DELETE.")
    ] = False,
    by: Annotated[
        str, typer.Option("--by", help="A journey for each `tag`, or first part of the `path`.")
    ] = "tag",
) -> int:
    """Write journeys for the operations of an OpenAPI file, as the `load` of a scenario."""
    from gameday.app.load_import import import_openapi_command

    return int(import_openapi_command(path, out, force=force, target=target, writes=writes, by=by))


@import_app.command("har")
def import_har(
    path: Annotated[Path, typer.Argument(help="HAR 1.2, as browsers save it.")],
    out: Out = None,
    force: Force = False,
    target: Target = "shop",
    host: Annotated[
        str | None, typer.Option("--host", help="Requests to this host; else to the most frequent.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also pictures, styles, fonts and scripts.")
    ] = False,
) -> int:
    """Write a journey for what a browser recorded, as the `load` of a scenario."""
    from gameday.app.load_import import import_har_command

    return int(
        import_har_command(path, out, force=force, target=target, host=host, everything=everything)
    )


@load_app.command("worker")
def load_worker(
    master: Annotated[
        str, typer.Option("--master", help="HOST:PORT where the run listens for workers.")
    ] = "127.0.0.1:5557",
    token_env: Annotated[
        str, typer.Option("--token-env", help="The variable in which the run's token is.")
    ] = "GAMEDAY_LOAD_TOKEN",  # noqa: S107 - the name of a variable
    token: Annotated[
        str | None,
        typer.Option("--token", help="The token itself; others on this host can see it."),
    ] = None,
    locustfile: Annotated[
        Path | None, typer.Option("--locustfile", help="This host's copy of the run's locustfile.")
    ] = None,
    plugin: Annotated[
        bool, typer.Option("--plugin", help="Print our file for `locust --worker -f`, and end.")
    ] = False,
) -> int:
    """Make a part of the load of a run on this host: wait for it, serve it, and end."""
    from gameday.app.load_worker import load_worker_command, plugin_file

    if plugin:
        typer.echo(plugin_file())
        return 0
    return int(load_worker_command(master, token_env=token_env, token=token, locustfile=locustfile))
