"""From the documents of generic faults to the calls that adapters make, as plain JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from gameday.model.diagnostics import Diagnostic, has_errors
from gameday.model.faults import CALLS
from gameday.model.scenario import ActionSpec
from gameday.scenario.call_docs import (
    CommandCallDoc,
    CommandDoc,
    CommandPresentDoc,
    HttpCallDoc,
    HttpDoc,
    HttpPresentDoc,
    PythonCallDoc,
    PythonDoc,
    SecretDoc,
)
from gameday.scenario.node import Marks, Path
from gameday.scenario.secret_rules import in_file, is_secret, unclear

CALL_METHODS = ("get", "post", "put", "patch", "delete")
Doc: TypeAlias = CommandDoc | HttpDoc | PythonDoc
Call: TypeAlias = CommandCallDoc | HttpCallDoc | PythonCallDoc


def generic_action(
    family: str, doc: Doc, path: Path, marks: Marks
) -> tuple[ActionSpec | None, list[Diagnostic]]:
    """The action with its calls as JSON, or None with everything that is wrong with it."""
    found: list[Diagnostic] = []
    options: dict[str, Any] = {}
    for name in CALLS:
        call = getattr(doc, name)
        if call is None:
            continue
        match call:
            case CommandCallDoc():
                options[name] = _command(call)
            case HttpCallDoc():
                options[name] = _request(call)
            case PythonCallDoc():
                options[name] = _function(call)
        found.extend(_wrong_call(call, (*path, name), marks))
    if has_errors(found):
        return None, found
    return ActionSpec(family=family, type=family, options=options), found


def _wrong_call(call: Call, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    match call:
        case CommandCallDoc():
            yield from _wrong_command(call, path, marks)
        case HttpCallDoc():
            yield from _wrong_request(call, path, marks)
        case PythonCallDoc():
            for name, value in call.secrets.items():
                at = (*path, "secrets", name)
                yield from unclear(value, at, marks)
                if isinstance(value, str):
                    yield in_file(name, value, at, marks)


def _wrong_command(call: CommandCallDoc, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    if not call.run or not call.run[0].strip():
        yield marks.problem(
            "value/empty",
            (*path, "run"),
            "the command `run` is empty",
            'write the program and its arguments, such as `[./bin/flag.sh, "on"]`',
        )
    for name, value in call.env.items():
        yield from unclear(value, (*path, "env", name), marks)
    yield from _empty(call, ("exit",), path, marks)
    if isinstance(call, CommandPresentDoc):
        yield from _empty(call, ("gone_exit",), path, marks)
        usual = [1] if call.stdout is None else []  # without the text the fault is not in
        yes, no = _listed(call.exit) or [0], _listed(call.gone_exit) or usual
        yield from _both(set(yes) & set(no), "exit", path, marks)


def _wrong_request(call: HttpCallDoc, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    given = [method for method in CALL_METHODS if getattr(call, method) is not None]
    if len(given) != 1:
        how = " and ".join(f"`{method}`" for method in given) or "no method, such as `get`"
        yield marks.problem(
            "fault/call",
            path if not given else (*path, given[1]),
            f"this request has {how}",
            "write one of `get`, `post`, `put`, `patch`, `delete` with an address",
            key=True,
        )
    if call.json is not None and call.body is not None:
        yield marks.problem(
            "fault/call", (*path, "body"), "this request has `json` and `body`", "keep one",
            key=True,
        )  # fmt: skip
    for name, value in call.headers.items():
        at = (*path, "headers", name)
        yield from unclear(value, at, marks)
        if isinstance(value, str) and is_secret(name):
            yield in_file(name, value, at, marks)
    yield from _empty(call, ("status",), path, marks)
    if isinstance(call, HttpPresentDoc):
        yield from _empty(call, ("gone_status",), path, marks)
        usual = [404] if call.match is None else []
        yes = _listed(call.status) or list(range(200, 300))
        no = _listed(call.gone_status) or usual
        yield from _both(set(yes) & set(no), "status", path, marks)


def _empty(call: Call, names: tuple[str, ...], path: Path, marks: Marks) -> Iterator[Diagnostic]:
    for name in names:
        if getattr(call, name) == []:
            yield marks.problem(
                "value/empty", (*path, name), f"`{name}` is empty", "write one, or remove the key"
            )


def _both(same: set[int], what: str, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    if same:
        given = [name for name in (f"gone_{what}", what) if marks.has((*path, name))]
        yield marks.problem(
            "fault/call",
            (*path, *given[:1]),
            f"`{what}: {min(same)}` would say that the fault is in, and that it is not",
            f"give `{what}` and `gone_{what}` different values",
            key=True,
        )


def _command(call: CommandCallDoc) -> dict[str, Any]:
    return _given(
        run=list(call.run),
        timeout_ms=call.timeout,
        exit=_listed(call.exit),
        gone_exit=_listed(getattr(call, "gone_exit", None)),
        stdout=call.stdout,
        env={name: secret_json(value) for name, value in call.env.items()} or None,
        cwd=call.cwd,
    )


def _request(call: HttpCallDoc) -> dict[str, Any]:
    method = next((m for m in CALL_METHODS if getattr(call, m) is not None), "get")
    return _given(
        method=method.upper(),
        url=getattr(call, method) or "",
        json=call.json,
        body=call.body,
        headers={name: secret_json(value) for name, value in call.headers.items()} or None,
        timeout_ms=call.timeout,
        status=_listed(call.status),
        match=call.match,
        gone_status=_listed(getattr(call, "gone_status", None)),
    )


def _function(call: PythonCallDoc) -> dict[str, Any]:
    return _given(
        module=call.module,
        func=call.func,
        arguments=call.arguments or None,
        configuration=call.configuration or None,
        secrets={name: secret_json(value) for name, value in call.secrets.items()} or None,
        timeout_ms=call.timeout,
        match=call.match,
    )


def _given(**parts: Any) -> dict[str, Any]:
    """What is there."""
    return {name: value for name, value in parts.items() if value is not None}


def _listed(value: list[int] | int | None) -> list[int] | None:
    return [value] if isinstance(value, int) else value


def secret_json(value: str | SecretDoc) -> str | Mapping[str, str]:
    """Text, or the place of a secret as undo records hold it."""
    if isinstance(value, str):
        return value
    parts = {"env": value.env, "file": value.file, "prefix": value.prefix or None}
    return {name: part for name, part in parts.items() if part is not None}
