"""Where the calls of a generic fault are made: folder, allow-list, environment, secrets."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from gameday.errors import RefusedError
from gameday.ports import Undo
from gameday.secrets import from_json, masked, remember, resolve

#: One call as plain JSON, see `docs/faults/generic.md`.
Call: TypeAlias = Mapping[str, Any]

#: What a program gets of the environment of gameday; everything else has to be named in `env`.
PASSED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR")
#: How much of an output stands in an error.
SHOWN_CHARS = 2_000
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What every call of one fault needs besides itself.

    `environ` is what was passed on when the run looked: an undo from another shell must not speak
    to another cluster because HOME differs there. `programs` are the paths found then.
    """

    directory: Path
    commands: tuple[str, ...]
    run: str
    fault: str
    environ: Mapping[str, str]
    programs: Mapping[str, str]

    @classmethod
    def of(cls, undo: Undo) -> Place:
        """The place in an undo record."""
        return cls(
            directory=Path(undo["directory"]),
            commands=tuple(undo["commands"]),
            run=undo["run"],
            fault=undo["fault"],
            environ=undo["environ"],
            programs=undo["programs"],
        )

    def variables(self, call: Call) -> dict[str, str]:
        """The environment of *call*. Raises `RefusedError` when a secret is not to be had."""
        named = self.resolved(call.get("env") or {})
        ours = {"GAMEDAY_RUN": self.run, "GAMEDAY_FAULT": self.fault}
        return {"PATH": _DEFAULT_PATH, **self.environ, **named, **ours}

    def resolved(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """*values* with the secrets in place of `{"env": …}` and `{"file": …}`, at any depth."""
        return {name: self._resolved(value) for name, value in values.items()}

    def _resolved(self, value: Any) -> Any:
        if is_reference(value):
            secret = resolve(from_json(value), base=self.directory)
            _remember_in_other_spellings(secret)
            return secret
        if isinstance(value, Mapping):
            return self.resolved(value)
        return value

    def inside(self, path: str) -> Path | None:
        """*path* below the project directory; None if it leads out of it."""
        root = self.directory.resolve()
        found = (root / path).resolve()
        return found if found.is_relative_to(root) else None

    def program(self, word: str) -> str:
        """The path of the program *word*. Raises `RefusedError` saying why it may not be run."""
        if word not in self.commands:
            allowed = ", ".join(f"`{c}`" for c in self.commands) or "nothing"
            raise RefusedError(
                f"`{word}` is not in the `commands` of this environment (allowed is {allowed}); "
                "add exactly this word in the project file if faults may run it"
            )
        if "/" in word and not word.startswith("/"):
            path = self.inside(word)
            if path is None:
                raise RefusedError(f"`{word}` leads out of the project directory")
            found = shutil.which(str(path))
        else:
            found = shutil.which(self.programs.get(word, word)) or shutil.which(
                word, path=self.environ.get("PATH", _DEFAULT_PATH)
            )
        if found is None:
            raise RefusedError(f"there is no program `{word}` here that can be run")
        return found


def passed_on() -> dict[str, str]:
    """The part of our own environment that programs get."""
    return {name: os.environ[name] for name in PASSED if name in os.environ}


def is_reference(value: Any) -> bool:
    """Whether *value* says where a secret is."""
    if not isinstance(value, Mapping):
        return False
    names = set(value) - {"prefix"}
    return names in ({"env"}, {"file"}) and all(isinstance(v, str) for v in value.values())


def tail(text: str) -> str:
    """The end of *text*, with secrets masked: fit for an error."""
    text = masked(text).strip()
    return text if len(text) <= SHOWN_CHARS else f"…{text[-SHOWN_CHARS:]}"


def _remember_in_other_spellings(secret: str) -> None:
    """Errors of libraries repeat a secret as part of a URL, of JSON or of a Python text."""
    for spelled in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]):
        remember(spelled)
