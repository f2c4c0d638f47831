"""Files of the project: inside its folder only, replaced whole, flushed before anything goes on."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gameday.errors import AdapterError, NoEffectError

MAX_BYTES = 1024 * 1024
_TURN_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A file as it is: what is in it, whose it is and who may read it."""

    data: bytes
    uid: int
    gid: int
    mode: int

    @property
    def sha256(self) -> str:
        """Of the content, as hex."""
        return hashlib.sha256(self.data).hexdigest()


def inside(directory: Path, name: str | Path, what: str) -> Path:
    """The real path of *name*, which must lie in the project's *directory*, links resolved.

    Raises `NoEffectError` naming *what* it is for.
    """
    root = directory.resolve()
    path = (root / name).resolve()
    if root not in path.parents:
        raise NoEffectError(
            f"{what} `{name}` leads to `{path}`, outside of the project's folder `{root}`; "
            "only files inside of it are changed"
        )
    return path


def keep(path: Path) -> Kept:
    """Read a file with its owner and mode. Raises OSError, and `AdapterError` if it is too big."""
    with path.open("rb") as file:
        state = os.fstat(file.fileno())
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise AdapterError(f"`{path}` is longer than {MAX_BYTES} bytes")
    return Kept(data=data, uid=state.st_uid, gid=state.st_gid, mode=state.st_mode & 0o7777)


def replace(path: Path, data: bytes, *, like: Kept | None = None, mode: int = 0o600) -> None:
    """Put *data* in the place of *path* in one go, on disk when this returns.

    With *like* it gets that owner and mode. Whoever reads the file sees the old or the new one.
    """
    draft = _draft(path, data, like=like, mode=mode)
    try:
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def create(path: Path, data: bytes, *, like: Kept | None = None, mode: int = 0o600) -> bool:
    """Make *path* with *data* in one go; False if something is there already."""
    draft = _draft(path, data, like=like, mode=mode)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    flush_folder(path.parent)
    return True


def overwrite(path: Path, data: bytes) -> None:
    """Put *data* into the file that is there: needs no room on a disk that is full."""
    with path.open("r+b") as file:
        file.write(data)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def remove(path: Path) -> bool:
    """Take a file away, on disk when this returns; False if it was not there."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    flush_folder(path.parent)
    return True


@contextmanager
def locked(path: Path, *, within_s: float) -> Iterator[None]:
    """Hold the lock file *path*: two calls that change the same thing do it one after the other.

    Raises `NoEffectError` when another one holds it for longer than *within_s*.
    """
    deadline = time.monotonic() + within_s
    with path.open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise NoEffectError(
                        f"another call has been changing the same thing for {within_s:.0f} s "
                        f"(`{path.name}`)"
                    ) from None
                time.sleep(_TURN_S)
        yield


def _draft(path: Path, data: bytes, *, like: Kept | None, mode: int) -> Path:
    draft = path.with_name(f".{path.name}.{os.getpid()}-{time.monotonic_ns()}.gameday-draft")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    fd = os.open(draft, flags, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            if like is not None and (like.uid, like.gid) != (os.geteuid(), os.getegid()):
                os.fchown(fd, like.uid, like.gid)
            os.fchmod(fd, like.mode if like is not None else mode)
            file.write(data)
            file.flush()
            os.fsync(fd)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    return draft


def flush_folder(folder: Path) -> None:
    """Have what was renamed or removed in a folder on disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
