"""Foreign documents that journeys are made from: read with limits, and walked with their places.

The only errors are `UsageError`s that say where: line and column, or the way from the top.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote

from gameday.errors import UsageError
from gameday.scenario.load import load_file

MAX_JSON = 64 * 1024 * 1024
MAX_DEPTH = 100
_REFS = 20  # that lead to one another


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A value of a foreign document and the way to it. `value` is None where there is none."""

    value: Any
    file: str
    where: str = ""

    def wrong(self, problem: str) -> NoReturn:
        """Say what is wrong here."""
        raise UsageError(f"{self.file}: {f'`{self.where}` ' if self.where else ''}{problem}")

    def __bool__(self) -> bool:
        return self.value is not None

    def child(self, key: str) -> Part:
        """The value at a key of a mapping; nothing if there is none."""
        return self._below(key, self._mapping().get(key))

    def items(self) -> Iterator[tuple[str, Part]]:
        """All of a mapping; nothing is an empty one."""
        for key, value in self._mapping().items():
            yield key, self._below(key, value)

    def parts(self) -> Iterator[Part]:
        """All of a list; nothing is an empty one."""
        if self.value is None:
            return
        if not isinstance(self.value, list):
            self.wrong(f"is {_kind(self.value)}; it must be a list")
        for position, value in enumerate(self.value):
            yield Part(value=value, file=self.file, where=f"{self.where}[{position}]")

    def text(self, default: str = "") -> str:
        """A text; a number or a truth value is the text that it is written as."""
        if self.value is None:
            return default
        if isinstance(self.value, bool | int | float):
            return json.dumps(self.value)
        if not isinstance(self.value, str):
            self.wrong(f"is {_kind(self.value)}; it must be text")
        return self.value

    def number(self, default: float = 0.0) -> float:
        """A finite number."""
        if self.value is None:
            return float(default)
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            self.wrong(f"is {_kind(self.value)}; it must be a number")
        return float(self.value) if abs(self.value) < 1e18 else float(default)

    def resolved(self, root: Part) -> Part:
        """The same, or what its `$ref` leads to, in this file."""
        part = self
        for _ in range(_REFS):
            ref = part.value.get("$ref") if isinstance(part.value, Mapping) else None
            if not isinstance(ref, str):
                return part
            part = part._led(ref, root)
        return self.wrong("has a `$ref` that leads round in a circle")

    def _led(self, ref: str, root: Part) -> Part:
        if not ref.startswith("#"):
            self.wrong(f"refers to `{ref[:80]}`; put all into one file first")
        value: Any = root.value
        for key in map(_unquoted, ref[1:].split("/")[1:]):
            if isinstance(value, list) and key.isascii() and key.isdigit() and len(key) < 9:
                value = value[int(key)] if int(key) < len(value) else None
            else:
                value = value.get(key) if isinstance(value, Mapping) else None
        if value is None:
            self.wrong(f"refers to `{ref[:80]}`, which is not there")
        return Part(value=value, file=self.file, where=ref)

    def _mapping(self) -> Mapping[str, Any]:
        if self.value is None:
            return {}
        if not isinstance(self.value, Mapping):
            self.wrong(f"is {_kind(self.value)}; it must be a mapping")
        return self.value

    def _below(self, key: str, value: Any) -> Part:
        return Part(value=value, file=self.file, where=f"{self.where}.{key}" if self.where else key)


def read_document(path: Path, *, json_only: bool = False) -> Part:
    """A document in JSON, or in YAML without anchors. Raises `UsageError`."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_JSON + 1)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise UsageError(f"`{path}` cannot be read: {reason}") from None
    if len(raw) > MAX_JSON:
        raise UsageError(f"`{path}` is larger than {MAX_JSON // 2**20} MiB; import a part of it")
    if json_only or raw.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        value = _json(raw, str(path))
    else:
        value = _yaml(path)
    root = Part(value=value, file=str(path))
    if not isinstance(value, Mapping):
        root.wrong(f"is {_kind(value)}; it must be a mapping")
    if _too_deep(value):
        root.wrong(f"is more than {MAX_DEPTH} levels deep")
    return root


def _json(raw: bytes, file: str) -> Any:
    try:
        return json.loads(raw.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise UsageError(f"{file}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{file}:{line}: not UTF-8; save the file as UTF-8") from None
    except RecursionError:
        raise UsageError(f"{file}: more than {MAX_DEPTH} levels deep") from None
    except ValueError as error:
        raise UsageError(f"{file}: not JSON: {error}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"`{name}` is no number in JSON")


def _yaml(path: Path) -> Any:
    document = load_file(path)
    if document.root is None or document.diagnostics:
        for found in document.diagnostics:
            raise UsageError(f"{found.where}: {found.summary}; {found.hint}")
        raise UsageError(f"`{path}` is empty")
    return document.root.plain()


def _too_deep(value: Any) -> bool:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            return True
        below: list[Any] = []
        for one in level:
            if isinstance(one, Mapping):
                below += one.values()
            elif isinstance(one, list):
                below += one
        level = [one for one in below if isinstance(one, Mapping | list)]
    return False


def _unquoted(key: str) -> str:
    return unquote(key).replace("~1", "/").replace("~0", "~")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, float) and not math.isfinite(value):
        return "no number"
    kinds = {str: "text", int: "a number", float: "a number", list: "a list", dict: "a mapping"}
    return kinds.get(type(value), "nothing")
