"""`python`: a function of a Chaos Toolkit extension puts the fault in and takes it out.

It is never imported here: see `call.py`, which runs in a process of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gameday.adapters.generic.child import run_python
from gameday.adapters.generic.match import holds, problem_of
from gameday.adapters.generic.outcome import Outcome, not_started, too_late
from gameday.adapters.generic.place import Call, Place, tail
from gameday.errors import RefusedError

SCRIPT = Path(__file__).with_name("call.py")
#: How an entry of the allow-list says that functions of a module or package may be called.
PREFIX = "python:"


def shown(call: Call) -> str:
    """The call in one line, for messages: no arguments."""
    return f"{call.get('module')}.{call.get('func')}"


def problems(calls: Mapping[str, Call], place: Place, within_s: float) -> list[str]:
    """Everything that is wrong with *calls*; modules are imported, but in another process."""
    found: list[str] = []
    fit: dict[str, Call] = {}
    for name, call in calls.items():
        wrong = _wrong(call, place)
        found += [f"`{name}`: {text}" for text in wrong]
        if not wrong:
            fit[name] = call
    return found + (_unusable(fit, place, within_s) if fit else [])


def ask(name: str, call: Call, place: Place, within_s: float) -> Outcome:
    """Call it, for at most *within_s*."""
    if text := _not_allowed(call, place):
        return not_started(text)
    try:
        secrets, env = place.resolved(call.get("secrets") or {}), place.variables(call)
    except RefusedError as error:
        return not_started(str(error))
    keys = ("module", "func", "arguments", "configuration")
    request = {key: call.get(key) for key in keys} | {"secrets": secrets}
    answer = _said(request, place, env, within_s)
    if isinstance(answer, Outcome):
        return answer
    return _judged(name, call, *answer)


def _judged(name: str, call: Call, answer: Mapping[str, Any], printed: str) -> Outcome:
    last = f"; its last words: {printed}" if printed else ""
    if "error" in answer:
        why = tail(f"{answer['error']}") + last
        return Outcome(started=bool(answer.get("called")), why=why)
    present, expression = name in ("present", "effect"), call.get("match")
    if "odd" in answer:
        if not present and expression is None:
            return Outcome(ok=True)
        return Outcome(why=f"its result is no JSON but a {answer['odd']}{last}")
    result = answer["result"]
    if not present and expression is None:
        return Outcome(ok=True)
    if result is None:  # what most extensions return when they could not look
        return Outcome(why=f"its result is None, which says nothing{last}")
    try:
        found = bool(result) if expression is None else holds(expression, result)
    except ValueError as error:
        return Outcome(why=tail(str(error)))
    why = f"its result is {tail(json.dumps(result))}"
    return Outcome(ok=found, gone=name == "present" and not found, why="" if found else why)


def _said(
    request: Mapping[str, Any], place: Place, env: Mapping[str, str], within_s: float
) -> tuple[Mapping[str, Any], str] | Outcome:
    """The answer of the other process and the end of what was printed there, or why none came."""
    line = json.dumps({**request, "directory": str(place.directory)}).encode() + b"\n"
    ended = run_python(SCRIPT, line, env=env, cwd=place.directory, within_s=within_s)
    if ended.refused:
        return not_started(f"it could not be started: {ended.refused}")
    if ended.code is None:
        return too_late(within_s)
    printed = tail(ended.err.decode("utf-8", "replace"))
    try:
        answer = json.loads(ended.out)
    except ValueError:
        why = f"its process ended with exit code {ended.code} and no answer of at most 1 MiB"
        return Outcome(why=f"{why}; its last words: {printed}" if printed else why)
    return answer, printed


def _unusable(calls: Mapping[str, Call], place: Place, within_s: float) -> list[str]:
    """Calls whose module, function or parameters are not there; one process for all of them."""
    keys = ("module", "func", "arguments")
    request = {"check": [{key: call.get(key) for key in keys} for call in calls.values()]}
    try:
        env: Mapping[str, str] = {}
        for call in calls.values():
            env = {**env, **place.variables(call)}
    except RefusedError as error:  # pragma: no cover - was looked at before
        return [str(error)]
    said = _said(request, place, env, within_s)
    if isinstance(said, Outcome):
        return [f"the functions could not be looked at: {said.why}"]
    texts = said[0].get("problems", ())
    return [f"`{name}`: {tail(t)}" for name, t in zip(calls, texts, strict=False) if t]


def _not_allowed(call: Call, place: Place) -> str:
    """Any function can do anything: modules are allow-listed as programs are."""
    module = str(call.get("module"))
    parts = module.split(".")
    packages = {PREFIX + ".".join(parts[: n + 1]) for n in range(len(parts))}
    if packages & set(place.commands):
        return ""
    return (
        f"`{PREFIX}{module}` is not in the `commands` of this environment; add it, or "
        f"`{PREFIX}{parts[0]}`, in the project file if faults may call its functions"
    )


def _wrong(call: Call, place: Place) -> list[str]:
    names = [key for key in ("module", "func") if not isinstance(call.get(key), str)]
    if names:
        return [f"`{name}` is missing" for name in names]
    found = [_not_allowed(call, place)]
    for key in ("arguments", "configuration", "secrets"):
        if not isinstance(call.get(key) or {}, Mapping):
            return [*filter(None, found), f"`{key}` has to be a mapping"]
    if call.get("match") is not None:
        found.append(problem_of(call["match"]))
    try:
        place.resolved(call.get("secrets") or {})
        place.variables(call)
    except RefusedError as error:
        found.append(str(error))
    return [text for text in found if text]
