"""A drill: programs of the project bring something back, and its times are measured.

RTO is from the moment at which the loss is declared to the moment at which every check has passed;
RPO from the newest record that came back to the moment of the loss. Nothing here knows what is
brought back: programs do it, and the project's `commands` say which may run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gameday.adapters.generic.child import run_program
from gameday.adapters.generic.place import Place, passed_on, tail
from gameday.app.day_tabletop import Ended, Note
from gameday.errors import RefusedError
from gameday.kpi.day import DECLARED, MEASURED, STEP
from gameday.model.day import Command, Drill
from gameday.model.units import format_ms
from gameday.model.verdict import ExitCode, Outcome

#: A newest record that is so much younger than the loss is one of another clock.
_CLOCK_ERROR_MS = 2_000
_SAID_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How one program ended; `line` is the last line that it wrote."""

    ok: bool
    why: str = ""
    line: str = ""


@dataclass(slots=True, kw_only=True)
class _Measured:
    declared_ms: int
    usable_ms: int | None = None
    newest_ms: int | None = None
    damaged: bool = False  # a step or a check failed: it is not back, or not whole
    failed: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


class DrillRun:
    """One drill under way. `now` is wall time in milliseconds."""

    def __init__(
        self,
        item: str,
        drill: Drill,
        call: Callable[[Command, bool], Done],
        *,
        note: Note,
        now: Callable[[], int],
        say: Callable[[str], Any],
        stopped: Callable[[], bool],
    ) -> None:
        self._item, self._drill, self._call = item, drill, call
        self._note, self._now, self._say, self._stopped = note, now, say, stopped

    def play(self) -> Ended:
        """Everything, in order; what the drill made is taken away whatever happens."""
        drill = self._drill
        try:
            for command in drill.prepare:
                done = self._run("prepare", command)
                if not done.ok:
                    why = f"the ground was not ready: `{command.name}` {done.why}"
                    seen = _Measured(declared_ms=self._now(), unknown=[why])
                    break
            else:
                seen = self._measured()
        finally:
            dirty = [c.name for c in drill.clean_up if not self._run("clean up", c).ok]
        seen.failed += [f"not cleaned up: `{name}` failed" for name in dirty]
        return self._judged(seen, clean=not dirty)

    def _measured(self) -> _Measured:
        drill, seen = self._drill, _Measured(declared_ms=self._now())
        self._note(DECLARED, self._item, item=self._item)
        self._say(f"  the loss is declared: back within {format_ms(drill.rto_ms)}\n")
        for command in drill.steps:
            if not self._asked("step", command, seen):
                return seen
        whole = [self._asked("check", command, seen) for command in drill.checks]
        if all(whole):
            seen.usable_ms = self._now()
        if drill.newest is not None:
            self._newest(drill.newest, seen)
        return seen

    def _asked(self, part: str, command: Command, seen: _Measured) -> bool:
        """Whether one program did what it is for; a day that was stopped is no failure of it."""
        if self._stopped():
            seen.unknown.append("the day was stopped")
            return False
        done = self._run(part, command)
        if not done.ok and self._stopped():
            seen.unknown.append("the day was stopped")
        elif not done.ok:
            seen.damaged = True
            seen.failed.append(f"{part} `{command.name}` {done.why}")
        return done.ok

    def _newest(self, command: Command, seen: _Measured) -> None:
        done = self._run("newest", command)
        moment = moment_ms(done.line) if done.ok else None
        if moment is None:
            why = done.why or f"wrote no moment: `{done.line}`"
            seen.unknown.append(f"what was lost is not known: `{command.name}` {why}")
        elif moment > seen.declared_ms + _CLOCK_ERROR_MS:
            seen.unknown.append(
                "what was lost is not known: the newest record is younger than the loss, "
                "so it is not from before it, or clocks differ"
            )
        else:
            seen.newest_ms = min(moment, seen.declared_ms)

    def _run(self, part: str, command: Command) -> Done:
        began = self._now()
        self._say(f"  {part}: {command.name} … ")
        done = self._call(command, part != "clean up")
        took = self._now() - began
        said = f" ({done.line})" if done.line else ""
        word = "ok" if done.ok else f"failed: {done.why}"
        self._say(f"{word}, {format_ms(took)}{said}\n")
        self._note(
            STEP,
            command.name,
            item=self._item,
            part=part,
            ok=done.ok,
            why=done.why,
            ms=took,
            line=done.line,
        )
        return done

    def _judged(self, seen: _Measured, *, clean: bool) -> Ended:
        drill = self._drill
        rto_ms = None if seen.usable_ms is None else seen.usable_ms - seen.declared_ms
        rpo_ms = None if seen.newest_ms is None else seen.declared_ms - seen.newest_ms
        for name, got, most in (("RTO", rto_ms, drill.rto_ms), ("RPO", rpo_ms, drill.rpo_ms)):
            if got is not None and most is not None and got > most:
                seen.failed.append(f"{name} was {format_ms(got)}, and {format_ms(most)} is allowed")
        facts = {
            "what": drill.kind.value,
            "rto_ms": rto_ms,
            "rto_allowed_ms": drill.rto_ms,
            "rpo_ms": rpo_ms,
            "rpo_allowed_ms": drill.rpo_ms,
            "declared_wall_ms": seen.declared_ms,
            "newest_wall_ms": seen.newest_ms,
            "whole": True if rto_ms is not None else False if seen.damaged else None,
            "cleaned_up": clean,
        }
        self._note(MEASURED, self._item, **facts, item=self._item)
        return _ended(seen, facts)


def _ended(seen: _Measured, facts: dict[str, Any]) -> Ended:
    if seen.failed:
        reason = "; ".join([*seen.failed, *seen.unknown])
        return Ended(outcome=Outcome.FAIL, reason=reason, exit_code=ExitCode.FAIL, facts=facts)
    if seen.unknown:
        return Ended(
            outcome=Outcome.INCONCLUSIVE,
            reason="; ".join(dict.fromkeys(seen.unknown)),
            exit_code=ExitCode.INCONCLUSIVE,
            facts=facts,
        )
    lost = "" if facts["rpo_ms"] is None else f", {format_ms(facts['rpo_ms'])} lost"
    reason = f"back after {format_ms(facts['rto_ms'])}{lost}, every check passed, cleaned up"
    return Ended(outcome=Outcome.PASS, reason=reason, exit_code=ExitCode.PASS, facts=facts)


def moment_ms(text: str) -> int | None:
    """Wall milliseconds of `2026-12-01T09:00:00Z`, or of seconds since 1970; None of all else."""
    try:
        return round(float(text) * 1000)
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def _never() -> bool:
    return False


def caller(
    directory: Path, commands: Iterable[str], day: str, item: str, stopped: Callable[[], bool]
) -> Callable[[Command, bool], Done]:
    """What runs a program of a drill, in the folder of the project and nowhere else.

    It is ended with the day only where that is said: what cleans up goes on.
    """
    place = Place(
        directory=directory,
        commands=tuple(commands),
        run=day,
        fault=item,
        environ=passed_on(),
        programs={},
    )

    def call(command: Command, ends_with_day: bool) -> Done:
        try:
            program = place.program(command.run[0])
        except RefusedError as error:
            return Done(ok=False, why=f"was not started: {error}")
        ended = run_program(
            program,
            command.run,
            env=place.variables({}),
            cwd=directory,
            within_s=command.within_ms / 1000,
            cancelled=stopped if ends_with_day else _never,
        )
        out = tail(ended.out.decode("utf-8", "replace"))
        line = out.splitlines()[-1].strip()[:_SAID_MAX] if out else ""
        if ended.refused:
            return Done(ok=False, why=f"was not started: {ended.refused}")
        if ended.code is None:
            limit = format_ms(command.within_ms)
            why = "was ended with the day" if stopped() else f"was not done within {limit}"
            return Done(ok=False, why=why, line=line)
        if ended.code:
            errors = tail(ended.err.decode("utf-8", "replace")).splitlines()
            last = f": {errors[-1][:_SAID_MAX]}" if errors else ""
            return Done(ok=False, why=f"ended with exit code {ended.code}{last}", line=line)
        return Done(ok=True, line=line)

    return call
