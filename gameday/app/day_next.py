"""`gameday day next` and `stop`: one item of a day, and the end of all."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gameday.app.check import PlanRequest, error_text, make_plan
from gameday.app.day import DayRequest, Held, hold, settle
from gameday.app.day_drill import DrillRun, caller
from gameday.app.day_go import asked
from gameday.app.day_journal import DayFile, end_day, now_ms, still_open
from gameday.app.day_tabletop import Ended, StandardInput, Table
from gameday.app.run import RunRequest, run_one
from gameday.app.rundir import RunDir
from gameday.errors import GamedayError, RefusedError, UsageError
from gameday.kpi.day import CLOSED, GO, ITEM, RUN, ItemStatus
from gameday.kpi.day_rules import not_now
from gameday.model.day import DayItem
from gameday.model.event import Event, Phase
from gameday.model.plan import Plan
from gameday.model.verdict import ExitCode
from gameday.processes import Life
from gameday.recovery import find_dirty_runs

#: How long `stop` waits until what is under way has ended. A revert is tried for a minute.
STOP_WITHIN_S = 180.0
_POLL_S = 0.2
#: How often a run looks whether its day is over, and how long it waits for who looks.
_LOOK_S, _JOIN_S = 0.5, 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NextOptions:
    """How the next item is run. `go`: None asks, at the terminal and on the page.

    With `wait` the page alone is asked where nobody is at the terminal.
    """

    item: str | None = None
    go: bool | None = None
    wait: bool = False
    reason: str = ""
    by: str = "owner"
    toxiproxy: str | None = None
    operator: str | None = None
    service_version: str | None = None
    run_runbooks: bool = False
    findings: bool = False
    quiet: bool = False


def next_command(request: DayRequest, options: NextOptions) -> ExitCode:
    """Run the next item, or the one that is named, and end as it ends."""
    held = hold(request)
    with held.file.turn():
        held = settle(held.again())
        item = _item(held, options.item)
        if item is None:
            how = f"`gameday day debrief {request.plan}` writes it up"
            sys.stdout.write(f"nothing is left; {how}\n")
            return ExitCode.PASS
        plan = _plan(held, item, request, options)
        _refuse_unless_now(held, item, plan, request)
        if not _agreed(held, item, plan, options):
            sys.stdout.write(f"no-go for `{item.id}`: nothing was begun\n")
            return ExitCode.PASS
        held = held.again()  # hours may have passed since it was asked
        _refuse_unless_now(held, item, plan, request)
        return _do(held, item, plan, request, options)


def stop_command(request: DayRequest, reason: str, *, by: str) -> ExitCode:
    """End the day: first the record, then whatever is under way; wait until that has ended."""
    held = hold(request, changed_is_fine=True)
    end_day(held.file, reason, by=by)
    held = held.again()
    deadline = time.monotonic() + STOP_WITHIN_S
    told = False
    while (open_ := held.state.under_way) is not None and held.file.runner() is not Life.GONE:
        if open_.run is not None and not told:  # its own look at the day may be slower
            told = _told(request.reports / open_.run, reason)
        if time.monotonic() > deadline:
            raise RefusedError(
                f"the day is over, but `{open_.id}` has not ended yet; look at its terminal"
            )
        time.sleep(_POLL_S)
        held = held.again()
    if held.state.under_way is not None:
        with held.file.turn():
            held = settle(held.again())
    worst = [i for i in held.state.items.values() if i.left == "dirty"]
    sys.stdout.write(f"the day `{held.file.name}` is over\n")
    for item in worst:
        sys.stdout.write(f"MAY STILL BE BROKEN: `{item.id}`: {item.reason}\n")
    ran = {event.subject for event in held.events if event.kind == RUN}
    left = [run for run in find_dirty_runs(request.reports) if run.run in ran]
    for run in left:
        sys.stdout.write(f"MAY STILL BE BROKEN: {', '.join(run.dirty)}; try `{run.how}`\n")
    return ExitCode.DIRTY if worst or left else ExitCode.PASS


@contextlib.contextmanager
def _ended_with_its_day(file: DayFile, where: Callable[[], RunDir | None]) -> Iterator[None]:
    """Within: the run in *where* is told to stop once somebody has ended the day, whoever it was.

    It is told again until it listens: its door opens a while after its directory is made.
    """
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_LOOK_S):
            run = where()
            with contextlib.suppress(GamedayError, OSError):  # it is looked at again
                over = _over(file)
                if run is not None and over and _told(run.path, str(over.data.get("reason"))):
                    return

    watcher = threading.Thread(target=watch, name="gameday-day", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join(_JOIN_S)


def _told(where: Path, reason: str) -> bool:
    """Tell a run to stop; whether it was told. It may not be listening yet, or no more."""
    from gameday.engine.control import send

    try:
        send(where, {"do": "stop", "reason": reason})
    except UsageError:
        return False
    return True


def _item(held: Held, name: str | None) -> DayItem | None:
    if name is None:
        name = held.state.next_id
        return None if name is None else held.day.item(name)
    found = held.day.item(name)
    if found is None:
        known = ", ".join(f"`{one.id}`" for one in held.day.items)
        raise UsageError(f"the day has no item `{name}`; it has {known}")
    return found


def _plan(
    held: Held, item: DayItem, request: DayRequest, options: NextOptions
) -> tuple[PlanRequest, Plan] | None:
    if item.scenario is None:
        return None
    wanted = PlanRequest(
        path=Path(held.day.directory, item.scenario),
        project=request.project,
        environment=held.day.environment,
        profile=item.profile,
        seed=item.seed,
        run_runbooks=options.run_runbooks,
    )
    return wanted, make_plan(wanted)


def _takes_ms(item: DayItem, plan: tuple[PlanRequest, Plan] | None) -> int:
    if plan is not None:
        return plan[1].scenario.phases.played_ms
    if item.drill is not None:
        return item.drill.rto_ms
    return item.tabletop.cards[-1].at_ms if item.tabletop is not None else 0


def _refuse_unless_now(
    held: Held, item: DayItem, plan: tuple[PlanRequest, Plan] | None, request: DayRequest
) -> None:
    why = not_now(
        held.day,
        held.state,
        item,
        now=datetime.now(UTC),
        takes_ms=_takes_ms(item, plan),
        environment=request.environment,
    )
    if why:
        raise RefusedError(f"`{item.id}` is not begun: {'; '.join(why)}")


def _agreed(
    held: Held, item: DayItem, plan: tuple[PlanRequest, Plan] | None, options: NextOptions
) -> bool:
    """Whether people want it now; their answer is in the journal before anything is begun."""
    from gameday.report.day_text import briefing

    sys.stdout.write(briefing(held.day, item, plan[1].scenario if plan else None))
    if options.go is None:
        return asked(held, item, by=options.by, wait=options.wait)
    held.file.append(GO, item.id, go=options.go, by=options.by, text=options.reason, item=item.id)
    return options.go


def _do(
    held: Held,
    item: DayItem,
    plan: tuple[PlanRequest, Plan] | None,
    request: DayRequest,
    options: NextOptions,
) -> ExitCode:
    """The item between its two events."""
    began = held.file.append(
        ITEM, item.id, phase=Phase.STARTED, look=still_open, item_kind=item.kind.value
    )
    try:
        if plan is not None:
            ended = _run(held, item, plan, request, options)
        elif item.drill is not None:
            ended = _drill(held, item)
        else:
            ended = _talk(held, item, began)
    except GamedayError as error:
        text = error_text(error).removeprefix("gameday: ").strip()
        code, kept = int(error.exit_code), _kept(held.file, began, request.reports)
        _end(held.file, item, began, Phase.FAILED, error=text, exit_code=code, **kept)
        raise
    except KeyboardInterrupt:
        code = int(ExitCode.INTERRUPTED)
        _end(held.file, item, began, Phase.UNKNOWN, error="interrupted", exit_code=code)
        raise
    _end(
        held.file,
        item,
        began,
        Phase.OK,
        outcome=ended.outcome.value,
        reason=ended.reason,
        exit_code=int(ended.exit_code),
        **ended.facts,
    )
    _tell(held, item, ended, request.plan)
    return ended.exit_code


def _kept(file: DayFile, began: Event, reports: Path) -> dict[str, str]:
    """The run of an item that failed, if its directory is still there: something was touched."""
    for one in file.events():
        if one.kind == RUN and one.seq > began.seq and (reports / one.subject).exists():
            return {"run": one.subject}
    return {}


def _end(file: DayFile, item: DayItem, began: Event, phase: Phase, **data: Any) -> None:
    file.append(ITEM, item.id, phase=phase, cause=began.seq, **data)


def _tell(held: Held, item: DayItem, ended: Ended, plan: Path) -> None:
    state = held.again().state
    left = [one.id for one in state.items.values() if one.status is ItemStatus.WAITING]
    more = f"next: `{left[0]}`, `gameday day next {plan}`" if left else ""
    if state.closed is not None or not left:
        more = f"`gameday day debrief {plan}` writes the day up"
    sys.stdout.write(f"\n{item.id}: {ended.outcome.value}: {ended.reason}\n{more}\n")


def _run(
    held: Held,
    item: DayItem,
    plan: tuple[PlanRequest, Plan],
    request: DayRequest,
    options: NextOptions,
) -> Ended:
    file = held.file
    made: list[RunDir] = []

    def created(where: RunDir) -> None:
        file.append(RUN, where.run_id, item=item.id)
        made.append(where)
        if _over(file):
            raise RefusedError("the day was stopped before the run began")

    wanted = RunRequest(
        scenario=plan[0],
        toxiproxy=options.toxiproxy,
        reports=request.reports,
        go=True,
        change_id=held.day.change_id,
        operator=options.operator,
        service_version=options.service_version,
        findings=options.findings,
        created=created,
    )
    with _ended_with_its_day(file, lambda: made[-1] if made else None):
        result = run_one(wanted, plan[1], quiet=options.quiet)
    verdict = result.judged.report.verdict
    facts = {"run": result.where.run_id, "status": verdict.status.value}
    return Ended(
        outcome=verdict.outcome,
        reason=verdict.reason,
        exit_code=result.exit_code,
        facts=facts,
    )


def _drill(held: Held, item: DayItem) -> Ended:
    assert item.drill is not None  # noqa: S101 - for the type checker
    environment = held.project.environments[held.day.environment]
    call = caller(
        Path(held.day.directory), environment.commands, held.file.name, item.id, _stopped(held.file)
    )
    run = DrillRun(
        item.id,
        item.drill,
        call,
        note=held.file.note,
        now=now_ms,
        say=_say,
        stopped=_stopped(held.file),
    )
    return run.play()


def _talk(held: Held, item: DayItem, began: Event) -> Ended:
    assert item.tabletop is not None  # noqa: S101 - for the type checker
    origin = held.state.origin_wall_ms + began.at_ms
    table = Table(item.id, item.tabletop, held.file.note, _say)
    return table.play(StandardInput(), lambda: max(0, now_ms() - origin), _stopped(held.file))


def _say(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(text)
        sys.stdout.flush()


def _over(file: DayFile) -> Event | None:
    return next((event for event in file.events() if event.kind == CLOSED), None)


def _stopped(file: DayFile) -> Callable[[], bool]:
    """Whether somebody has ended the day; it is looked at twice a second, not more."""
    seen = {"at": 0.0, "over": False}

    def stopped() -> bool:
        if not seen["over"] and time.monotonic() - seen["at"] > 0.5:
            seen.update(at=time.monotonic(), over=_over(file) is not None)
        return bool(seen["over"])

    return stopped
