"""The page of all commands, made from the command line itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gameday.model.verdict import ExitCode

_HEAD = """\
# Commands

Every command with its arguments and options, made from the command line itself
(`python -m tests.docs.reference_pages`).
`gameday COMMAND --help` prints the same. What the exit codes mean: [exit codes](../exit-codes.md).
"""
_KINDS: Mapping[Any, str] = {
    str: "text", int: "whole number", float: "number", bool: "switch", Path: "path",
    "text": "text", "integer": "whole number", "float": "number", "boolean": "switch",
    "path": "path", "file": "path", "directory": "path",
}  # fmt: skip


def commands_page() -> str:
    """The page."""
    from typer.main import get_command

    from gameday.cli.main import app

    found = list(_commands(get_command(app), "gameday"))
    rows = [f"| [`{name}`](#{_anchor(name)}) | {_first(command)} |" for name, command in found]
    codes = ", ".join(f"{int(code)} {code.name.lower()}" for code in ExitCode)
    parts = [_section(name, command) for name, command in found]
    return "\n".join(
        [_HEAD, f"Exit codes: {codes}.", "", "| command | what |", "|---|---|", *rows, "", *parts]
    )


def _commands(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    for word, command in sorted(group.commands.items()):
        if getattr(command, "commands", None):
            yield from _commands(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


def _anchor(name: str) -> str:
    return name.replace(" ", "-")


def _first(command: Any) -> str:
    return " ".join((command.help or "").split("\n\n")[0].split())


def _section(name: str, command: Any) -> str:
    text = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    usage = " ".join([name, *(["[OPTIONS]"] if options else []), *map(_placed, arguments)])
    made = [f"## {name}", "", *(line for part in text for line in (part, "")), f"`{usage}`", ""]
    if command.params:
        made += ["| | type | default | what |", "|---|---|---|---|"]
        made += [_row(param) for param in (*arguments, *options)]
        made += [""]
    return "\n".join(made)


def _placed(argument: Any) -> str:
    word = argument.name.upper() + ("..." if argument.nargs == -1 else "")
    return word if argument.required else f"[{word}]"


def _row(param: Any) -> str:
    is_argument = param.param_type_name == "argument"
    names = [param.name.upper()] if is_argument else [*param.opts, *param.secondary_opts]
    shown = ", ".join(f"`{name}`" for name in sorted(names, key=len))
    what = " ".join((param.help or "").split())
    return f"| {shown} | {kind_of(param)} | {_default(param)} | {what} |"


def kind_of(param: Any) -> str:
    """What its value is; typer keeps that in different places in different versions."""
    descriptor = getattr(param, "type_descriptor", None)
    kind = descriptor.annotation if descriptor is not None else param.type.name
    inner = getattr(kind, "__args__", (kind,))[0]
    several = " (several)" if param.nargs == -1 or getattr(param, "multiple", False) else ""
    return _KINDS[inner] + several


def _default(param: Any) -> str:
    if param.required:
        return "*needed*"
    if param.default is None or param.default is False or param.default in ("", (), []):
        return "none"
    return "`.`" if str(param.default) == "." else f"`{param.default}`"
