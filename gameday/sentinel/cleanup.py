"""Cleaning up after a runner that is gone: pay the debts, tidy up, look again.

The same for the sentinel, which goes on for hours, and for `gameday recover`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from gameday import registry
from gameday.errors import GamedayError
from gameday.model.debts import Ledger
from gameday.model.event import UNDO_OF, Event, Phase
from gameday.model.recovery import RecoveryReport
from gameday.processes import gone_within, kill
from gameday.sentinel import owner as owner_file
from gameday.sentinel.kept import Kept
from gameday.sentinel.outside import Outside
from gameday.sentinel.pay import CALL_S, LONGEST_PAUSE_S, Payer, UndoerOf, attempt
from gameday.sentinel.record import JOURNAL, Record

__all__ = ["JOURNAL", "CleanUp"]

#: A server that was started for the run and does not let its faults be taken out is ended.
PATIENCE_S = 15.0
SERVER = "toxiproxy"
#: How long it is still tried after the run directory was deleted: that is how people give a run up.
GONE_S = 120.0
_SOON_S = 1.0
_GIVE_BACK_S = 10.0  # how long giving a lease back is tried
_SIGHT_S = 10.0  # how long a last look is tried again when the other side does not answer

_Undo: TypeAlias = Mapping[str, Any]
_Act: TypeAlias = tuple[str, str]  # the kind of what was put in place, and its subject


@dataclass(slots=True, kw_only=True)
class CleanUp:
    """One clean-up of one run directory. `run()` does it all; nothing is raised on the way."""

    run_dir: Path
    by: str  # `sentinel` or `recover`, for the journal
    log: Callable[[str], None]
    undoer: UndoerOf = registry.undoer
    died_s_ago: float = 0.0
    kept: Kept | None = None  # what is known without the directory
    lines: list[str] = field(default_factory=list)
    _outside: Outside | None = None
    _gone_since: float | None = None

    def run(self, *, why: str, for_s: float) -> RecoveryReport:
        """Pay for at most *for_s*, then look again when nothing can be on its way any more."""
        began = time.monotonic()
        owner = self._owner()
        record = self._record(owner, until=began + for_s)
        record.open_if_quick()
        if self.by == "sentinel":
            until_wall_ms = round((time.time() + for_s) * 1000)
            data = {"why": why, "until_wall_ms": until_wall_ms}
            record.add("sentinel.took_over", "sentinel", data=data)
        outside = Outside(run_dir=self.run_dir, by=self.by, record=record, say=self._say)
        self._outside = outside
        try:
            under_way = set(_end_calls(record))
            self._pay(record, owner, for_s=for_s)
            self._end_parts(owner, but=SERVER)
            self._look_again(record, owner, under_way=under_way, began=began, for_s=for_s)
            dirty = self._finish(record, owner)
            outside.tell(dirty)
            outside.finish()
        finally:
            record.open_now()
            record.close()
        return RecoveryReport(lines=tuple(self.lines), dirty=dirty)

    def _record(self, owner: owner_file.Owner, *, until: float) -> Record:
        """What is owed; the sentinel waits for a journal that cannot be read, for so long."""
        kept = self.kept.journal if self.kept is not None else None
        pause_s = _SOON_S
        while True:
            record = Record.of(self.run_dir / JOURNAL, log=self.log, kept=kept)
            if not record.unread or self.by != "sentinel" or time.monotonic() >= until:
                return record
            self._end_parts(owner, but=SERVER)
            time.sleep(min(pause_s, max(0.0, until - time.monotonic())))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _pay(self, record: Record, owner: owner_file.Owner, *, for_s: float) -> None:
        owed = [f"{d.subject} ({d.kind.partition('.')[0]})" for d in record.ledger.owed]
        if not owed:
            return
        self._say(f"taking out: {', '.join(owed)}")
        call_s = max(CALL_S, 1.5 * owner.call_ms / 1000)  # the adapters end their calls earlier
        payer = Payer(record, by=self.by, undoer=self.undoer, call_s=call_s, over=self._given_up)
        paid = payer.pay(for_s=min(for_s, PATIENCE_S))
        record.open_now()
        if not paid and self._end_stubborn_server(record, owner):
            paid = payer.pay(for_s=PATIENCE_S)
        if not paid:
            self._end_parts(owner, but=SERVER)
            self._say_until(record, for_s - PATIENCE_S)
            if self._outside is not None:
                self._outside.tell(record.ledger.dirty)
            paid = payer.pay(for_s=for_s - PATIENCE_S)
        self._say("all of it is out, read back" if paid else _why_not(record))

    def _say_until(self, record: Record, for_s: float) -> None:
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + for_s))
        self.log(
            f"{_why_not(record)}; trying on until {until}, "
            f"`gameday recover {self.run_dir.name}` takes over"
        )

    def _given_up(self) -> bool:
        """Whether the run directory was deleted so long ago that nobody waits any more."""
        if not _deleted(self.run_dir / JOURNAL):
            self._gone_since = None
            return False
        now = time.monotonic()
        if self._gone_since is None:
            self._gone_since = now
            self.log(f"the run directory is gone: trying for another {GONE_S:.0f} s")
        return now - self._gone_since > GONE_S

    def _end_stubborn_server(self, record: Record, owner: owner_file.Owner) -> bool:
        """End a server of the run's own that hangs; its faults end with it."""
        servers = [d.undo.get("server") for d in record.ledger.owed]
        hanging = [p for p in owner.parts if p.role == SERVER and p.process in servers]
        for part in hanging:
            self._say("the Toxiproxy started for the run does not answer; ending it")
            kill(part.process, group=part.group)
        return all(gone_within(part.process, 5.0) for part in hanging) and bool(hanging)

    def _look_again(
        self,
        record: Record,
        owner: owner_file.Owner,
        *,
        under_way: set[_Act],
        began: float,
        for_s: float,
    ) -> None:
        """Look when a call that was on its way at the end of the runner must have landed.

        What was on its way, and cannot be seen then, may have landed: it is owed.
        """
        undos = _undos(record.events)
        ours = all(undo.get("server") for undo in undos.values())
        if not undos or (ours and not under_way):
            return  # nothing can land late, or its server ends with the run
        last_s = 2 * owner.call_ms / 1000 - self.died_s_ago
        for after_s in (min(_SOON_S, last_s), last_s):
            time.sleep(max(0.0, began + after_s - time.monotonic()))
            owed = {(d.kind, d.subject) for d in record.ledger.owed}  # known to be there
            seen = {act: self._there(undo) for act, undo in undos.items() if act not in owed}
            doubt = under_way if after_s == last_s > 0 else set()  # else it was read back later
            found = {
                a: there for a, there in seen.items() if there or (there is None and a in doubt)
            }
            for act, there in found.items():
                words = "is there again: a call" if there else "may be there again: a call may have"
                self._say(f"`{act[1]}` {words} landed late")
                _owe_again(record, act, undos[act])
            if found:
                self._pay(record, owner, for_s=for_s)

    def _there(self, undo: Mapping[str, Any]) -> bool | None:
        """Whether a fault is there; None where that cannot be seen."""
        deadline = time.monotonic() + _SIGHT_S
        while True:
            try:
                return self.undoer(str(undo["kind"])).present(undo)
            except Exception as error:  # noqa: BLE001 - what comes after it has to be done
                ours = isinstance(error, GamedayError)
                if time.monotonic() > deadline or not ours:
                    said = str(error) if ours else f"{type(error).__name__}: {error}"
                    self._say(f"could not look again: {said}")
                    return None
            time.sleep(0.5)

    def _finish(self, record: Record, owner: owner_file.Owner) -> tuple[str, ...]:
        dirty = (*record.ledger.dirty, *([record.unread] if record.unread else []))
        if dirty:
            return dirty
        left = self._give_back(owner.after)
        self._end_parts(owner)
        left = self._give_back(left, for_s=_GIVE_BACK_S)  # what lay on the run's own is gone
        if not left:
            self._note_tidied()
        return tuple(_named(undo) for undo in left)

    def give_leases_back(self) -> bool:
        """Of a run that ended clean: revert what its runner could not; whether nothing is left."""
        owner = self._owner()
        left = self._give_back(owner.after, for_s=_GIVE_BACK_S)
        if owner.after and not left:
            self._note_tidied()
        return not left

    def _owner(self) -> owner_file.Owner:
        owner = owner_file.read(self.run_dir)
        return self.kept.owner() if owner.runner is None and self.kept is not None else owner

    def _note_tidied(self) -> None:
        try:
            owner_file.tidied(self.run_dir)
        except OSError as error:  # a full disk, or no directory: it is done all the same
            self.log(f"it cannot be noted that nothing is left: {error}")

    def _give_back(self, undos: Sequence[_Undo], *, for_s: float = 0.0) -> Sequence[_Undo]:
        """Revert the leases, with *for_s* again and again; returns those that are still there."""
        deadline = time.monotonic() + for_s
        while True:
            done = [(undo, *attempt(undo, self.undoer)) for undo in undos]
            errors = [(undo, said.get("error")) for undo, phase, said in done if phase != Phase.OK]
            undos = [undo for undo, _ in errors]
            if not undos or time.monotonic() >= deadline:
                break
            time.sleep(_SOON_S)
        for undo, error in errors if for_s else ():
            self._say(f"{_named(undo)} is still there: {error}")
        return undos

    def _end_parts(self, owner: owner_file.Owner, *, but: str | None = None) -> None:
        for part in owner.parts:
            if part.role != but and kill(part.process, group=part.group):
                gone_within(part.process, 2.0)
                self._say(f"ended {part.role} (process {part.process['pid']})")

    def _say(self, text: str) -> None:
        self.lines.append(text)
        self.log(text)


def _named(undo: _Undo) -> str:
    """What a record of something that is no fault is of, for people."""
    place = undo.get("container") or undo.get("target") or undo.get("url")
    return f"{undo.get('mode', 'leftover')}{f' of `{place}`' if place else ''}"


def _deleted(path: Path) -> bool:
    """Whether a file is surely not there; a disk that does not answer is no proof."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _end_calls(record: Record) -> Iterator[_Act]:
    """Note that calls under way or given up will not be heard from; which there were.

    Their caller is gone. What they did is in doubt, so it is owed (again).
    """
    ledger: Ledger = record.ledger
    open_ = (*ledger.started, *ledger.lost, *ledger.astray)
    for event in open_:
        data = {"error": "the runner ended before it was heard from"}
        record.add(event.kind, event.subject, Phase.UNKNOWN, cause=event.seq, data=data)
        yield event.kind, event.subject


def _undos(events: tuple[Event, ...]) -> dict[_Act, _Undo]:
    """The last undo record of everything that was ever put in place."""
    return {
        (e.kind, e.subject): e.data["undo"]
        for e in events
        if e.kind in UNDO_OF and e.phase is Phase.STARTED and e.data.get("undo")
    }


def _owe_again(record: Record, act: _Act, undo: _Undo) -> None:
    seq = record.add(*act, Phase.STARTED, data={"undo": undo, "found": True})
    error = {"error": "a call that was under way may have landed after it was taken out"}
    record.add(*act, Phase.UNKNOWN, cause=seq, data=error)


def _why_not(record: Record) -> str:
    """The last errors of what is still owed."""
    words = []
    for debt in record.ledger.owed:
        errors = [
            str(e.data.get("error"))
            for e in record.events
            if e.kind == debt.closer and e.subject == debt.subject and e.data.get("error")
        ]
        words.append(f"{debt.subject}: {errors[-1] if errors else 'not tried'}")
    return "still owed: " + "; ".join(words)
