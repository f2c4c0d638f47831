"""`gameday findings observe`: the verdict of an observer of a drill."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gameday.app.day_journal import FOLDER, DayFile
from gameday.app.findings import change_command
from gameday.errors import JournalError, UsageError
from gameday.model.verdict import ExitCode
from gameday.programme.finding_observe import Held, held_in, observed


@dataclass(frozen=True, slots=True, kw_only=True)
class Observing:
    """Of which finding, in which drill (`DAY/ITEM`), and what was seen there."""

    finding: str
    drill: str
    why: str
    reports: Path = Path("reports")


def observe_command(asked: Observing, *, store: str | None, project: Path | None) -> ExitCode:
    """A claimed fix that no run can show is verified, or it is refused and why."""
    held = _held(asked.drill, asked.reports)
    return change_command(
        asked.finding,
        lambda record, register, now: observed(
            record, held, why=asked.why, now=now, policy=register.policy
        ),
        store=store,
        project=project,
    )


def _held(drill: str, reports: Path) -> Held:
    """The last try of the item, in the last day that is meant. Raises `UsageError`."""
    day, slash, item = drill.rpartition("/")
    if not slash or not day or not item:
        raise UsageError(f"`{drill}` names no drill; write `DAY/ITEM`, as in `shop-restore/books`")
    file = _day(day, reports)
    try:
        held = held_in(file.name, file.events(), item)
    except (JournalError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"the day `{file.name}` cannot be relied upon: {error}") from None
    if held is None:
        raise UsageError(f"`{item}` did not come to an end in the day `{file.name}`")
    return held


def _day(name: str, reports: Path) -> DayFile:
    """The day whose journal has that name, else the one of that id that was begun last."""
    files = [DayFile(path=p) for p in sorted((reports / FOLDER).glob("*.jsonl"), reverse=True)]
    found = next((one for one in files if one.name == name), None)
    found = found or next((one for one in files if _id(one) == name), None)
    if found is not None:
        return found
    raise UsageError(
        f"there is no day `{name}` in `{reports / FOLDER}`; write the name of its plan's `day`, or "
        "that of its journal"
    )


def _id(file: DayFile) -> str:
    """The `day` of its plan; empty for a journal that cannot be read."""
    try:
        events = file.events()
    except JournalError:
        return ""
    return events[0].subject if events else ""
