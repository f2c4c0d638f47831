"""Paying debts: revert, read back, try again; targets side by side, each newest first."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from gameday import registry
from gameday.errors import CannotSeeError, GamedayError, NoEffectError
from gameday.model.debts import Debt
from gameday.model.event import Phase
from gameday.ports import Undo, Undoer
from gameday.sentinel.record import Record

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 60.0
#: How often it is asked, between two tries, whether it is over.
LOOK_S = 5.0
#: A call that takes longer is given up. The adapters end theirs earlier.
CALL_S = 20.0

UndoerOf: TypeAlias = Callable[[str], Undoer]
_Result: TypeAlias = tuple[Phase, Mapping[str, Any]]


@dataclass(slots=True, kw_only=True)
class _Lane:
    """One target: its newest debt is paid first, and the next only when that is paid."""

    key: str
    due: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    attempt: int = 0
    seq: int | None = None  # of the revert under way, which is paying:
    debt: Debt | None = None
    began: float = 0.0


class Payer:
    """Pays what the record says is owed. *over* ends it before its time: nobody waits any more."""

    def __init__(
        self,
        record: Record,
        *,
        by: str,
        undoer: UndoerOf = registry.undoer,
        call_s: float = CALL_S,
        longest_pause_s: float = LONGEST_PAUSE_S,
        over: Callable[[], bool] = bool,
    ) -> None:
        self._record, self._by, self._undoer = record, by, undoer
        self._call_s, self._longest_pause_s, self._over = call_s, longest_pause_s, over
        self._lanes: dict[str, _Lane] = {}
        self._given_up: dict[int, Debt] = {}
        self._results: queue.Queue[tuple[str, int, _Result]] = queue.Queue()

    def pay(self, *, for_s: float) -> bool:
        """Try until nothing is owed, at most *for_s*; whether nothing is."""
        deadline = time.monotonic() + for_s
        while self._record.ledger.owed:
            now = time.monotonic()
            if now >= deadline or self._over():
                return False
            waits = [self._step(key, debt, now) for key, debt in self._heads().items()]
            try:
                result = self._results.get(timeout=max(0.01, min([deadline - now, LOOK_S, *waits])))
            except queue.Empty:
                continue
            self._take(*result)
        return True

    def _heads(self) -> dict[str, Debt]:
        """The newest debt of each target."""
        return {target_of(debt): debt for debt in self._record.ledger.owed}

    def _step(self, key: str, debt: Debt, now: float) -> float:
        """Start what is due in a lane; returns how long nothing more is to be done there."""
        lane = self._lanes.setdefault(key, _Lane(key=key))
        if lane.seq is not None:
            left = lane.began + self._call_s - now
            if left <= 0:
                data = {"error": f"no answer within {self._call_s:.0f} s", "given_up": True}
                self._take(key, lane.seq, (Phase.UNKNOWN, data))
            return max(left, 0.01)
        if lane.due > now:
            return lane.due - now
        lane.attempt += 1
        lane.began, lane.debt = now, debt
        lane.seq = self._record.add(
            debt.closer,
            debt.subject,
            Phase.STARTED,
            data={"attempt": lane.attempt, "by": self._by},
        )
        threading.Thread(
            target=self._work, args=(key, lane.seq, debt.undo), name=f"undo-{key}", daemon=True
        ).start()
        return self._call_s

    def _work(self, key: str, seq: int, undo: Undo) -> None:
        self._results.put((key, seq, attempt(undo, self._undoer)))

    def _take(self, key: str, seq: int, result: _Result) -> None:
        lane = self._lanes[key]
        phase, data = result
        if seq in self._given_up:  # heard from at last; the debts decide what that means
            late = self._given_up.pop(seq)
            self._record.add(late.closer, late.subject, phase, cause=seq, data=data)
            return
        debt = lane.debt
        if lane.seq != seq or debt is None:
            return
        lane.seq = lane.debt = None
        if data.get("given_up"):
            self._given_up[seq] = debt
        if phase is Phase.OK:
            data = {**data, "confirmed_ms": self._record.now_ms}
            lane.pause_s, lane.attempt, lane.due = FIRST_PAUSE_S, 0, 0.0
        else:
            lane.due = time.monotonic() + lane.pause_s
            lane.pause_s = min(lane.pause_s * 2, self._longest_pause_s)
        self._record.add(debt.closer, debt.subject, phase, cause=seq, data={**data, "by": self._by})


def target_of(debt: Debt) -> str:
    """What a debt is on: debts on one target are paid one after the other."""
    return str(debt.undo.get("target") or debt.subject)


def attempt(undo: Undo, undoer_of: UndoerOf) -> _Result:
    """Revert and read back once. Never raises."""
    try:
        undoer = undoer_of(str(undo.get("kind", "")))
        facts = undoer.revert(undo)
        if undoer.present(undo):
            return Phase.FAILED, {"error": "still in place after the revert"}
    except NoEffectError as error:
        return Phase.FAILED, {"error": str(error)}
    except (CannotSeeError, GamedayError) as error:
        return Phase.UNKNOWN, {"error": str(error)}
    except Exception as error:  # noqa: BLE001 - an undoer may fail in any way; it is tried again
        return Phase.UNKNOWN, {"error": f"{type(error).__name__}: {error}"}
    return Phase.OK, {**facts, "read_back": True}
