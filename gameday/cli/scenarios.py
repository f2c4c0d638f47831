"""The scenarios that come with gameday: `gameday scenarios …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gameday.cli.options import Json

scenarios_app = typer.Typer(
    help="The scenarios that come with gameday, to run on the sample shop or to begin with.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="A scenario by its name or id, as `list` has them.")]


@scenarios_app.command("list")
def scenarios_list(
    tag: Annotated[
        list[str] | None, typer.Option("--tag", "-t", help="Only those with this tag.")
    ] = None,
    json: Json = False,
) -> int:
    """List them: id, name, seconds in the profile `smoke`, tags, and what each needs."""
    from gameday.app.library import list_command

    return int(list_command(tag or [], as_json=json))


@scenarios_app.command("show")
def scenarios_show(name: Name) -> int:
    """Print the file of a scenario."""
    from gameday.app.library import show_command

    return int(show_command(name))


@scenarios_app.command("copy")
def scenarios_copy(
    name: Name,
    directory: Annotated[Path, typer.Argument(help="Where to write.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> int:
    """Copy a scenario with its runbooks, and a project file where there is none."""
    from gameday.app.library import copy_command

    return int(copy_command(name, directory, force=force))
