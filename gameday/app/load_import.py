"""`load import`: journeys from an OpenAPI file or a recording, as YAML for a scenario."""

from __future__ import annotations

import sys
from pathlib import Path

from gameday.app.load_eject import write_new
from gameday.errors import UsageError
from gameday.model.verdict import ExitCode
from gameday.scenario.import_yaml import Imported, written


def import_openapi_command(
    path: Path, out: Path | None, *, force: bool, target: str, writes: bool, by: str
) -> ExitCode:
    """Journeys from an OpenAPI file. Nothing is sent."""
    from gameday.scenario.import_openapi import from_openapi

    if by not in ("tag", "path"):
        raise UsageError(f"`{by}` is no way to group operations; write `tag` or `path`")
    return _write(from_openapi(path, writes=writes, by=by), out, force=force, target=target)


def import_har_command(
    path: Path, out: Path | None, *, force: bool, target: str, host: str | None, everything: bool
) -> ExitCode:
    """A journey from a recording. Nothing is sent."""
    from gameday.scenario.import_har import from_har

    made = from_har(path, host=host, everything=everything)
    return _write(made, out, force=force, target=target)


def _write(made: Imported, out: Path | None, *, force: bool, target: str) -> ExitCode:
    text = written(made, target=target)
    if out is None:
        sys.stdout.write(text)
        return ExitCode.PASS
    write_new(out, text, force=force)
    journeys, steps = len(made.journeys), made.size
    sys.stdout.write(
        f"wrote {out}: {journeys} {'journey' if journeys == 1 else 'journeys'}, "
        f"{steps} {'step' if steps == 1 else 'steps'}; put it into a scenario, then "
        "`gameday check` says what is missing\n"
    )
    for note in made.notes:
        sys.stdout.write(f"- {note}\n")
    return ExitCode.PASS
