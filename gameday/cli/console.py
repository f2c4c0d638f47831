"""The command of the web page for the day of a GameDay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def console(
    what: Annotated[
        str, typer.Argument(metavar="RUN|REPORTS", help="A run, or where runs lie.")
    ] = "reports",
    port: Annotated[int, typer.Option("--port", help="The port; 0 for a free one.")] = 8300,
    bind: Annotated[
        str, typer.Option("--bind", help="The address; any but loopback needs a secret.")
    ] = "127.0.0.1",
    secret_file: Annotated[
        Path | None,
        typer.Option("--secret-file", help="One secret for all, or lines `role: secret`."),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option("--origin", metavar="URL", help="A further URL under which it is reached."),
    ] = None,
    blind: Annotated[
        bool,
        typer.Option(
            "--blind",
            help="Hide the fault from responders and commander, without a plan.",
        ),
    ] = False,
    update_every: Annotated[
        str | None,
        typer.Option("--update-every", help="How often people outside are told; else by the plan."),
    ] = None,
) -> int:
    """Serve a web page for a GameDay: what happens, who does what, and the stop."""
    from gameday.app.console import console_command

    arguments = [what, "--port", str(port), "--bind", bind]
    if update_every is not None:
        arguments += ["--update-every", update_every]
    if secret_file is not None:
        arguments += ["--secret-file", str(secret_file)]
    for url in origin or ():
        arguments += ["--origin", url]
    if blind:
        arguments.append("--blind")
    return console_command(arguments)
