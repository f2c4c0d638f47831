"""What every fault adapter keeps to, as checks that you run on your own.

You write a `Case`: how the fault is made, and how the world is looked at without the adapter. The
checks do the rest, and raise `AssertionError` with what is wrong:

    def test_my_fault_keeps_the_contract(tmp_path):
        check_all(Case(make=lambda: MyFault(tmp_path), snapshot=..., broken=..., limit_s=5))

`docs/writing-a-fault.md` has a whole example.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

from gameday.errors import CannotSeeError, GamedayError, NoEffectError
from gameday.ports import Fault, Undo, Undoer
from gameday.registry import undoer

T = TypeVar("T")
#: A call may take so much longer than its limit: the machine may be busy with other things.
SLACK_S = 5.0
#: How long a new process may take to start, beside what its calls may take.
START_S = 30.0
_POLL_S = 0.05
_ELSEWHERE = """
import json, sys
from gameday import registry
undo = json.load(sys.stdin)
undoer = registry.undoer(undo["kind"])
before = undoer.present(undo)
undoer.revert(undo)
print(json.dumps([before, undoer.present(undo)]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A fault that can be put in now, and how to look at what it breaks without its adapter.

    `make` makes the fault; called more than once. `snapshot` is all that has to be as before when
    the fault is out: plain data that is compared with `==`. `untouched` is all that has to stay as
    it is while nothing was put in; the same unless given. `broken` says whether the effect of the
    fault is to be felt. It is asked again for `felt_s` seconds until it answers as it should.

    One inject may take `limit_s`, and so may one revert together with its look. `hang` is a block
    in which the other side takes requests and answers none; None where there is no other side.
    `lasts` is False for what happens once and is over, as a restart: nobody can feel its end.
    """

    make: Callable[[], Fault]
    snapshot: Callable[[], Any]
    broken: Callable[[], bool]
    limit_s: float = 10.0
    untouched: Callable[[], Any] | None = None
    hang: Callable[[], AbstractContextManager[object]] | None = None
    felt_s: float = 15.0
    lasts: bool = True


def check_all(case: Case) -> None:
    """Everything, one after the other."""
    check_nothing_put_in(case)
    check_in_and_out(case)
    check_hanging(case)


def check_nothing_put_in(case: Case) -> None:
    """Prepare changes nothing, its record is plain JSON, and its revert has nothing to do."""
    before = _untouched(case)
    undo = plain(case.make().prepare())
    _same(before, _untouched(case), "prepare changed something")
    mender = undoer(undo["kind"])
    _says(mender.present(undo), False, "before the inject")
    mender.revert(undo)
    _same(before, _untouched(case), "a revert without an inject changed something")
    _says(mender.present(undo), False, "after a revert without an inject")
    _becomes(case, False, "nothing was put in")


def check_in_and_out(case: Case) -> None:
    """It is put in and felt, and taken out by a new process that knows its record alone."""
    before = case.snapshot()
    _felt_no_more(case, "nothing was put in yet")
    fault = case.make()
    undo = plain(fault.prepare())
    mender = undoer(undo["kind"])
    facts = _in_time("inject", case.limit_s, lambda: fault.inject(undo))
    plain_data(facts, "the facts of inject")
    _becomes(case, True, "inject came back, so it is in")
    _says(mender.present(undo), True, "with the fault in")
    there, still = revert_elsewhere(undo, case.limit_s)
    _says(there, True, "with the fault in, in a new process")
    _says(still, False, "after the revert, in the new process")
    _out(case, mender, undo, before, "the revert in a new process")
    again = _in_time("the second revert", case.limit_s, lambda: mender.revert(undo))
    plain_data(again, "the facts of revert")
    _out(case, mender, undo, before, "the second revert")


def check_hanging(case: Case) -> None:
    """While the other side answers nothing, every call ends in time, and none says what it cannot.

    That is asked for once with the fault out and once with it in. When the other side goes on
    again, the fault can be taken out. Nothing is checked for a case without `hang`.
    """
    if case.hang is None:
        return
    before = case.snapshot()
    _hanging_while_out(case, case.hang)
    _same(before, case.snapshot(), "after a hang, and a revert, something is not as it was")
    _hanging_while_in(case, case.hang, before)


def plain(undo: Undo) -> dict[str, Any]:
    """The undo record as it comes out of a file. It has to be the same, with `kind`, `target`."""
    stored = plain_data(undo, "the undo record")
    for key in ("kind", "target"):
        if not isinstance(stored.get(key), str) or not stored[key]:
            raise AssertionError(f"the undo record has no text under `{key}`: {stored}")
    return dict(stored)


def plain_data(data: Mapping[str, Any], what: str) -> dict[str, Any]:
    """*data* through JSON and back; it has to be the same after it."""
    try:
        stored = json.loads(json.dumps(data, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise AssertionError(f"{what} cannot be stored as JSON: {error}") from error
    _same(stored, dict(data), f"{what} is not plain JSON: it is different when read again")
    return dict(stored)


def revert_elsewhere(undo: Undo, limit_s: float) -> tuple[bool, bool]:
    """Revert in a new process, in another folder, from JSON alone.

    Returns what `present` says there before and after it.
    """
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(  # noqa: S603 - this Python, with the program above
        [sys.executable, "-W", "ignore::ResourceWarning", "-c", _ELSEWHERE],
        input=json.dumps(undo),
        env={**os.environ, "PYTHONPATH": path},
        cwd=os.sep,
        capture_output=True,
        text=True,
        timeout=START_S + 2 * limit_s,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"it cannot be taken out in a new process:\n{done.stderr}")
    before, after = json.loads(done.stdout.splitlines()[-1])
    return before, after


def _hanging_while_out(case: Case, hang: Callable[[], AbstractContextManager[object]]) -> None:
    untouched = _untouched(case)
    fault = case.make()
    undo = plain(fault.prepare())
    mender = undoer(undo["kind"])
    with hang():
        _fails_in_time("prepare", case.limit_s, lambda: case.make().prepare())
        error = _fails_in_time("inject", case.limit_s, lambda: fault.inject(undo))
        certain = isinstance(error, NoEffectError)
        seen = _looks_in_time(mender, undo, case.limit_s)
        if not certain:
            _cannot_say_out(seen, "inject left its effect in doubt")
    if certain:
        _felt_no_more(case, f"inject raised NoEffectError ({error})")
        _same(untouched, _untouched(case), f"inject raised NoEffectError ({error}), but")
    _mended(mender, undo, case.limit_s)
    _says(mender.present(undo), False, "after the hang and a revert")
    _felt_no_more(case, "it was taken out after the hang")


def _hanging_while_in(
    case: Case, hang: Callable[[], AbstractContextManager[object]], before: Any
) -> None:
    fault = case.make()
    undo = plain(fault.prepare())
    mender = undoer(undo["kind"])
    fault.inject(undo)
    with hang():
        _cannot_say_out(_looks_in_time(mender, undo, case.limit_s), "with the fault in")
        began = time.monotonic()
        _fails_in_time("revert", case.limit_s, lambda: mender.revert(undo))
        _cannot_say_out(_looks_in_time(mender, undo, case.limit_s), "after a revert that failed")
        took_s = time.monotonic() - began
        if took_s > case.limit_s + SLACK_S:
            raise AssertionError(f"a revert and its look took {took_s:.1f} s together")
    _mended(mender, undo, case.limit_s)
    _out(case, mender, undo, before, "the revert after the hang")


def _out(case: Case, mender: Undoer, undo: Undo, before: Any, what: str) -> None:
    _says(mender.present(undo), False, f"after {what}")
    _felt_no_more(case, f"{what} came back, so it is out")
    _same(before, case.snapshot(), f"after {what}, something is not as it was")


def _mended(mender: Undoer, undo: Undo, limit_s: float) -> None:
    """Revert until it works, as a run does."""
    deadline = time.monotonic() + 3 * limit_s + SLACK_S
    while True:
        try:
            mender.revert(undo)
        except GamedayError as error:
            if time.monotonic() > deadline:
                raise AssertionError(f"after the hang, it cannot be taken out: {error}") from error
            time.sleep(_POLL_S)
        else:
            return


def _untouched(case: Case) -> Any:
    return (case.untouched or case.snapshot)()


def _felt_no_more(case: Case, why: str) -> None:
    """Nothing is to be felt. What happened once may have happened in a check before this one."""
    if case.lasts:
        _becomes(case, False, why)


def _becomes(case: Case, wanted: bool, why: str) -> None:
    deadline = time.monotonic() + case.felt_s
    while case.broken() is not wanted:
        if time.monotonic() > deadline:
            felt = "is not to be felt" if wanted else "is to be felt"
            raise AssertionError(f"{why}, but its effect {felt} after {case.felt_s:g} s")
        time.sleep(_POLL_S)


def _says(said: object, wanted: bool, when: str) -> None:
    if said is not wanted:
        raise AssertionError(f"{when}, `present` says {said!r}, not {wanted}")


def _same(before: Any, now: Any, what: str) -> None:
    if before != now:
        raise AssertionError(f"{what}\nbefore: {before!r}\n   now: {now!r}")


def _in_time(what: str, limit_s: float, call: Callable[[], T]) -> T:
    """What the call returns or raises; it has to end in time, and is left behind otherwise."""
    said: list[T] = []
    raised: list[BaseException] = []

    def make() -> None:
        try:
            said.append(call())
        except BaseException as error:  # noqa: BLE001 - it is raised again where it was asked for
            raised.append(error)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    thread.join(limit_s + SLACK_S)
    if thread.is_alive():
        raise AssertionError(f"{what} has not ended after {limit_s + SLACK_S:g} s")
    if raised:
        raise raised[0]
    return said[0]


def _fails_in_time(what: str, limit_s: float, call: Callable[[], object]) -> GamedayError:
    """The error of a call while nothing answers."""
    try:
        said = _in_time(what, limit_s, call)
    except GamedayError as error:
        return error
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(
            f"while nothing answers, {what} raises {type(error).__name__}, which is no "
            f"GamedayError: {error}"
        ) from error
    raise AssertionError(f"nothing answers, but {what} says that all is well: {said!r}")


def _looks_in_time(mender: Undoer, undo: Undo, limit_s: float) -> bool | None:
    """What `present` says while nothing answers; None when it says that it cannot see."""
    try:
        return _in_time("present", limit_s, lambda: mender.present(undo))
    except CannotSeeError:
        return None
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(
            f"while nothing answers, present raises {type(error).__name__}, which is no "
            f"CannotSeeError: {error}"
        ) from error


def _cannot_say_out(seen: bool | None, when: str) -> None:
    if seen is False:
        raise AssertionError(f"{when}, and nothing answers, but `present` says False")
