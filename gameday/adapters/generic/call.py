"""Calls one Python function in a process of its own, as Chaos Toolkit calls its actions.

A script of its own (standard library only): the extension that it imports never comes near the
runner. One JSON line on standard input says what to call; the same pipe is the lifeline: when its
other end goes away, this process and whatever it started in its group are killed. One JSON line on
standard output is the answer; what the function prints goes to standard error.

Request: `directory` (looked into last for modules), and either `check`, a list of `{module, func,
arguments}`, answered by `{"problems": [text or null …]}`; or `module`, `func`, `arguments`,
`configuration`, `secrets`, answered by `{"result": …}`, `{"odd": type}` for a result that is no
JSON, or `{"error": text, "called": bool}`.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any


class _NotCallableError(Exception):
    """There is nothing to call: nothing has happened."""


def main() -> None:
    """Answer the request; ends the process, whatever threads the function has left."""
    lifeline, answers = os.dup(0), os.dup(1)
    request = json.loads(_line(lifeline))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    sys.path.append(request["directory"])
    if "check" in request:
        answer: dict[str, Any] = {"problems": [_problem(call) for call in request["check"]]}
    else:
        answer = _answer(request)
    data = memoryview(json.dumps(answer).encode() + b"\n")
    while data:
        data = data[os.write(answers, data) :]
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)


def _line(fd: int) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n"):
        part = os.read(fd, 65_536)
        if not part:
            os._exit(1)
        data += part
    return bytes(data)


def _end_with(lifeline: int) -> None:
    """Nobody waits for us any more: end at once."""
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    try:
        func = _function(request)
        arguments = _arguments(func, request)
    except _NotCallableError as error:
        return {"error": str(error), "called": False}
    try:
        result = func(**arguments)
    except BaseException as error:  # noqa: BLE001 - also SystemExit: an extension must not end us silently
        return {"error": _told(error), "called": True}
    try:
        json.dumps(result)
    except (TypeError, ValueError, RecursionError):
        return {"odd": type(result).__name__}
    return {"result": result}


def _problem(call: Mapping[str, Any]) -> str | None:
    try:
        func = _function(call)
        inspect.signature(func).bind(**_arguments(func, call))
    except _NotCallableError as error:
        return str(error)
    except TypeError as error:
        return f"`{call['func']}` of `{call['module']}` cannot be called like this: {error}"
    except ValueError:  # a function of C that does not tell its parameters
        return None
    return None


def _function(call: Mapping[str, Any]) -> Callable[..., Any]:
    module, name = call["module"], call["func"]
    try:
        found = importlib.import_module(module)
    except BaseException as error:  # noqa: BLE001 - importing runs somebody else's code
        raise _NotCallableError(f"`{module}` cannot be imported: {_told(error)}") from None
    func: Any = getattr(found, name, None)
    if not callable(func):
        raise _NotCallableError(f"`{module}` has no function `{name}`")
    if inspect.iscoroutinefunction(func):
        raise _NotCallableError(f"`{name}` of `{module}` is asynchronous, which is not supported")
    return func  # type: ignore[no-any-return]


def _arguments(func: Callable[..., Any], call: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with `configuration` and `secrets` where the function takes them."""
    arguments = dict(call.get("arguments") or {})
    try:
        takes = inspect.signature(func).parameters
    except (TypeError, ValueError):
        return arguments
    for name in ("configuration", "secrets"):
        if name in takes:
            arguments[name] = dict(call.get(name) or {})
    return arguments


def _told(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(type(error), error)).strip()[-4_000:]


if __name__ == "__main__":
    main()
