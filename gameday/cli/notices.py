"""Who is told of exercises: `gameday notices …`."""

from __future__ import annotations

from typing import Annotated

import typer

from gameday.cli.options import Json, Project

notices_app = typer.Typer(
    help="Who is told when exercises begin, are stopped, are dirty, and are over.",
    no_args_is_help=True,
)


@notices_app.callback()
def _notices() -> None:
    """Who is told when exercises begin, are stopped, are dirty, and are over."""


@notices_app.command("test")
def notices_test(
    name: Annotated[
        str | None, typer.Argument(help="Only this one of `notices` in gameday.yaml.")
    ] = None,
    send: Annotated[bool, typer.Option("--send", help="Really send one message to each.")] = False,
    project: Project = None,
    json: Json = False,
) -> int:
    """Say what would be sent where. Nothing is sent unless asked for.

    Exit codes: 0 all of it is right, 3 something would not be sent, or was not.
    """
    from gameday.app.notices_trial import trial_command

    return int(trial_command(name, project=project, send=send, as_json=json))
