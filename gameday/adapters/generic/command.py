"""`command`: a program of the project's allow-list puts the fault in and takes it out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gameday.adapters.generic.child import Ended, run_program
from gameday.adapters.generic.outcome import Outcome, not_started, too_late
from gameday.adapters.generic.place import Call, Place, tail
from gameday.errors import RefusedError


def shown(call: Call) -> str:
    """The call in one line, for messages."""
    return " ".join(str(word) for word in call.get("run", ()))


def problems(calls: Mapping[str, Call], place: Place, _within_s: float) -> list[str]:
    """Everything that is wrong with *calls*, found without running anything."""
    return [f"`{name}`: {text}" for name, call in calls.items() for text in _wrong(call, place)]


def ask(name: str, call: Call, place: Place, within_s: float) -> Outcome:
    """Run it, for at most *within_s*."""
    try:
        program, env = place.program(call["run"][0]), place.variables(call)
    except RefusedError as error:
        return not_started(str(error))
    cwd = place.inside(call.get("cwd") or ".")
    if cwd is None or not cwd.is_dir():
        return not_started(f"there is no folder `{call.get('cwd') or '.'}` in the project")
    ended = run_program(program, call["run"], env=env, cwd=cwd, within_s=within_s)
    if ended.refused:
        return not_started(f"it could not be started: {ended.refused}")
    if ended.code is None:
        return too_late(within_s)
    return _judged(name, call, ended)


def _judged(name: str, call: Call, ended: Ended) -> Outcome:
    present = name == "present"
    out = ended.out.decode("utf-8", "replace")
    allowed = _codes(call, "exit", (0,))
    said = tail(out + ended.err.decode("utf-8", "replace"))
    last = f"; its last words: {said}" if said else ""
    if ended.code not in allowed:
        gone = present and ended.code in gone_codes(call)
        codes = ", ".join(map(str, allowed))
        return Outcome(gone=gone, why=f"ended with exit code {ended.code}, not {codes}{last}")
    wanted = call.get("stdout")
    if wanted is None or re.search(wanted, out, re.MULTILINE):
        return Outcome(ok=True)
    if ended.cut:
        return Outcome(why=f"wrote more than is kept, and `stdout: {wanted}` is not in the end")
    return Outcome(gone=present, why=f"did not write what `stdout: {wanted}` asks for{last}")


def gone_codes(call: Call) -> tuple[int, ...]:
    """Exit codes of `present` that say gone. With `stdout` none, unless they are named."""
    return _codes(call, "gone_exit", () if call.get("stdout") is not None else (1,))


def _codes(call: Call, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    codes = call.get(name)
    return default if codes is None else tuple(codes)


def _wrong(call: Call, place: Place) -> list[str]:
    words: Any = call.get("run")
    if (
        not isinstance(words, list | tuple)
        or not words
        or not all(isinstance(w, str) for w in words)
    ):
        return ["`run` has to be a list of words, the program first"]
    found = []
    for look in (lambda: place.program(words[0]), lambda: place.variables(call)):
        try:
            look()
        except RefusedError as error:
            found.append(str(error))
    cwd = place.inside(call.get("cwd") or ".")
    if cwd is None or not cwd.is_dir():
        found.append(f"`cwd: {call.get('cwd')}` is no folder in the project")
    try:
        re.compile(call.get("stdout") or "")
    except (re.error, TypeError) as error:
        found.append(f"`stdout: {call.get('stdout')}` is not a regular expression: {error}")
    if both := set(_codes(call, "exit", (0,))) & set(call.get("gone_exit") or ()):
        code = min(both)
        found.append(f"exit code {code} cannot stand in both `exit` and `gone_exit`")
    return found
