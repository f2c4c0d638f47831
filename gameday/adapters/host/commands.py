"""Commands of the project: only programs that its file allows, without a shell, bounded.

A service that is started here lives in a session of its own and outlives whoever started it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from gameday.errors import AdapterError, NoEffectError
from gameday.secrets import masked

_PASSED_ON = ("HOME", "USER", "LOGNAME", "TZ", "XDG_RUNTIME_DIR", "TMPDIR")
_QUOTED = 600


def allowed(
    command: Sequence[str], directory: Path, commands: Sequence[str], what: str
) -> list[str]:
    """*command* with the full path of its program. Raises `NoEffectError` if it may not be run.

    A program with a `/` is looked for from the project's *directory*, any other on PATH.
    """
    if not command:
        raise NoEffectError(f"{what} is empty")
    program = _found(command[0], directory)
    if program is None:
        raise NoEffectError(f"{what}: there is no program `{command[0]}` that could be run")
    if program not in {_found(name, directory) for name in commands}:
        listed = ", ".join(f"`{name}`" for name in commands) or "none"
        raise NoEffectError(
            f"{what} runs `{command[0]}`, which is not allowed; allowed are: {listed}; "
            "list it under `commands` of the environment in the project file"
        )
    return [program, *command[1:]]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a command sees: little, so that no secret of ours leaks into it."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    path = os.environ.get("PATH", os.defpath)
    return {"PATH": path, "LANG": "C.UTF-8", **kept, **(extra or {})}


def launch(
    command: Sequence[str], *, directory: Path, log: Path, extra: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program that goes on by itself; what it says is appended to *log*, if that can be.

    Raises `NoEffectError` if it cannot be started.
    """
    try:
        with _log(log) as output:
            process = subprocess.Popen(  # noqa: S603 - allowed by the project file, no shell
                list(command),
                cwd=directory,
                env=environment(extra),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
    except OSError as error:
        raise NoEffectError(f"`{command[0]}` cannot be started: {error.strerror}") from error
    threading.Thread(target=process.wait, name=f"reaper-{process.pid}", daemon=True).start()
    return process


def run(command: Sequence[str], *, directory: Path, within_s: float) -> None:
    """Run a command that ends. Raises `AdapterError` when it fails or takes too long."""
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(  # noqa: S603 - allowed by the project file, no shell
                list(command),
                cwd=directory,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError as error:
            raise AdapterError(f"`{command[0]}` cannot be started: {error.strerror}") from error
        try:
            code = process.wait(within_s)
        except subprocess.TimeoutExpired:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)  # its own group: it is not waited for yet
            process.wait()
            raise AdapterError(
                f"`{command[0]}` took longer than {within_s:.0f} s and was ended"
            ) from None
        if code:
            output.seek(max(0, output.seek(0, os.SEEK_END) - _QUOTED))
            raise AdapterError(f"`{command[0]}` ended with {code}{_said(output.read())}")


def _log(path: Path) -> BinaryIO:
    try:
        return path.open("ab")
    except OSError:  # no room, no folder: bringing a service back goes first
        return Path(os.devnull).open("ab")


def size_of(log: Path) -> int:
    """How long a log is now; 0 if there is none. What follows is said by the next program."""
    try:
        return log.stat().st_size
    except OSError:
        return 0


def last_words(log: Path, since: int) -> str:
    """The end of what a log says from byte *since* on, for a message; empty if that is nothing."""
    try:
        with log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(since if since <= end else 0, end - _QUOTED))
            return _said(file.read())
    except OSError:
        return ""


def _said(data: bytes) -> str:
    text = masked(" ".join(data.decode(errors="replace").split()))
    return f": {text}" if text else ""


def _found(word: str, directory: Path) -> str | None:
    """The absolute path of a program. Its last part stays as it is: it may be one link of many."""
    if "/" not in word:
        return shutil.which(word)
    path = directory / word
    path = path.parent.resolve() / path.name
    return str(path) if path.is_file() and os.access(path, os.X_OK) else None
