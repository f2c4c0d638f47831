"""libfaketime: where it is, how a process is started under it, and how its file is written.

The offset is relative, since an absolute time in the file of a running process does not begin anew.
The monotonic clock is left true: a real clock that is set does not move it either, and where
libfaketime 0.9.10 fakes it, a wait with a timeout (`sem_clockwait`) never ends. The price: programs
that sleep with `clock_nanosleep` until a moment of the monotonic clock (`time.sleep` of CPython
from 3.11 on) need libfaketime 0.9.11; with an older one that call fails with EINVAL.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from gameday.adapters.host.notes import checked, folder
from gameday.adapters.host.proc import environment_of, has_mapped
from gameday.errors import NoEffectError
from gameday.model.project import Target

LIBRARY = "libfaketime"
FILE, NO_CACHE = "FAKETIME_TIMESTAMP_FILE", "FAKETIME_NO_CACHE"
TRUE_TIME = b"+0\n"
_PLACES = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/opt/homebrew/lib")
_PATTERNS = ("faketime/libfaketime.so.1", "*/faketime/libfaketime.so.1")
_ZERO = re.compile(rb"[+-]0+(\.0*)?[smhdy]?\s*")
_PROBE = "import time; time.sleep(0.001)"
_PROBE_S = 2.5


def library() -> Path | None:
    """The library on this machine; None if it is not installed."""
    found = (path for place in _PLACES for p in _PATTERNS for path in Path(place).glob(p))
    return next(iter(sorted(found)), None)


def clock_file(directory: Path, run: str, target: Target) -> Path | None:
    """The timestamp file of a target that the run starts with `clock`; None for others."""
    ref = target.process
    if ref is None or not ref.start or not ref.clock:
        return None
    name = f"{checked(run, 'run')}-{checked(target.name, 'target')}.faketime"
    return folder(directory) / name


def clock_environment(directory: Path, run: str, target: Target) -> dict[str, str]:
    """With which environment the run starts a target; empty unless it asks for `clock`.

    Raises `NoEffectError` when libfaketime is not installed.
    """
    path = clock_file(directory, run, target)
    if path is None:
        return {}
    preload = library()
    if preload is None:
        raise NoEffectError(
            f"target `{target.name}` asks for `clock`, but {LIBRARY} is not installed; install it "
            "(Debian: `apt-get install libfaketime`)"
        )
    return {
        "LD_PRELOAD": str(preload),
        FILE: str(path),
        NO_CACHE: "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def sleeps(environment: dict[str, str]) -> bool | None:
    """Whether a program can sleep until a moment of the monotonic clock; None if not found out."""
    try:
        ended = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-I", "-c", _PROBE],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.returncode == 0


def offset_text(offset_ms: int) -> bytes:
    """What the file has to hold for a clock that is *offset_ms* ahead (behind, if negative)."""
    return f"{offset_ms / 1000:+.3f}\n".encode()


def is_true_time(data: bytes) -> bool:
    """Whether the file says that the process sees the true time."""
    return _ZERO.fullmatch(data) is not None


def why_not_under(pid: int, path: Path) -> str | None:
    """Why the clock of a process does not follow the file; None if it does."""
    if not has_mapped(pid, LIBRARY):
        return f"it was not started with {LIBRARY} (LD_PRELOAD), or does not use the C library"
    environment = environment_of(pid)
    named = environment.get(FILE)
    if named is None:
        return f"it was started without {FILE}"
    if (Path(f"/proc/{pid}/cwd").resolve() / named).resolve() != path:
        return f"its {FILE} is `{named}`"
    if environment.get(NO_CACHE) != "1":
        return f"it was started without {NO_CACHE}=1, and would notice late"
    return None
