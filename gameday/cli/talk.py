"""The commands for people in a run that is under way: notes, the stop, gates, steps of runbooks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gameday.cli.options import Reports

Run = Annotated[str, typer.Option("--run", help="The run; the latest unless given.")]


def _say(do: str, role: str, text: str, run: str, reports: Path) -> int:
    from gameday.app.control import say

    return say(run, {"do": do, "role": role, "text": text}, reports=reports)


def note(
    text: Annotated[str, typer.Argument(help="What to write down.")],
    run: Run = "last",
    role: Annotated[str, typer.Option("--role", help="Who speaks: a role.")] = "scribe",
    reports: Reports = Path("reports"),
) -> int:
    """Put a note on the timeline of a run that is under way, or of the day."""
    return _say("note", role, text, run, reports)


def ack(
    text: Annotated[str, typer.Argument(help="What is acknowledged: the name of the alert.")],
    run: Run = "last",
    role: Annotated[str, typer.Option("--role", help="Who speaks: a role.")] = "responder",
    reports: Reports = Path("reports"),
) -> int:
    """Acknowledge an alert of a run that is under way, by hand."""
    return _say("ack", role, text, run, reports)


def decide(
    text: Annotated[str, typer.Argument(help="What was decided, and why.")],
    run: Run = "last",
    role: Annotated[str, typer.Option("--role", help="Who decides: a role.")] = "commander",
    reports: Reports = Path("reports"),
) -> int:
    """Put a decision on the timeline of a run that is under way, or of the day."""
    return _say("decide", role, text, run, reports)


def handoff(
    text: Annotated[str, typer.Argument(help="To whom, and what they have to know.")],
    run: Run = "last",
    role: Annotated[str, typer.Option("--role", help="The role that is handed over.")] = (
        "commander"
    ),
    reports: Reports = Path("reports"),
) -> int:
    """Put the hand-over of a role on the timeline of a run that is under way, or of the day."""
    return _say("handoff", role, text, run, reports)


def stop(
    reason: Annotated[str, typer.Argument(help="Why.")] = "the operator said so",
    run: Run = "last",
    reports: Reports = Path("reports"),
) -> int:
    """Stop a run that is under way: faults out first, then a verdict."""
    from gameday.app.control import talk

    return talk(run, {"do": "stop", "reason": reason}, reports=reports)


def gate(
    name: Annotated[str, typer.Argument(help="The gate to open.")],
    run: Run = "last",
    role: Annotated[str, typer.Option("--role", help="Who opens it: a role.")] = "operator",
    reports: Reports = Path("reports"),
) -> int:
    """Open a gate that a run waits for."""
    from gameday.app.control import talk

    return talk(run, {"do": "gate", "name": name, "role": role}, reports=reports)


def opened(
    runbook: Annotated[str, typer.Argument(help="The runbook: its path, or the file's name.")],
    run: Run = "last",
    role: Annotated[str, typer.Option("--role", help="Who speaks: a role.")] = "responder",
    reports: Reports = Path("reports"),
) -> int:
    """Say that you have a runbook of a run that is under way open: the ladder counts from it."""
    from gameday.app.control import talk

    return talk(run, {"do": "opened", "role": role, "runbook": runbook}, reports=reports)


def step(
    answer: Annotated[
        str | None, typer.Argument(help="`done`, `changed` or `failed`; without, it is shown.")
    ] = None,
    note: Annotated[str, typer.Option("--note", help="What there is to say of it.")] = "",
    name: Annotated[
        str, typer.Option("--step", help="The step that is meant; an approval has to name it.")
    ] = "",
    run: Run = "last",
    role: Annotated[str, typer.Option("--role", help="Who speaks: a role.")] = "responder",
    reports: Reports = Path("reports"),
) -> int:
    """Show, or answer, the step of a runbook that waits for a person."""
    from gameday.app.control import talk, waiting_step

    if answer is None:
        return waiting_step(run, role=role, reports=reports)
    request = {"do": "step", "answer": answer, "role": role, "text": note, "name": name}
    return talk(run, request, reports=reports)
