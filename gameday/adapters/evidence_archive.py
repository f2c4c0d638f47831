"""Bundles as archives: written byte for byte the same, read as if somebody hostile made them.

A bundle is a zip archive whose files are stored, not compressed: the same files give the same bytes
on every machine, nothing can grow when it is read, and a damaged byte damages one file. Nothing is
ever unpacked to a disk here.
"""

from __future__ import annotations

import os
import stat
import struct
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from gameday.errors import RefusedError, UsageError

_TIME = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644
_SPOOL = 32 * 1024 * 1024
_CHUNK = 1024 * 1024


def write_archive(path: Path, files: Mapping[str, bytes], *, overwrite: bool = False) -> bool:
    """Write *files* as an archive, in one step; whether anything had to be written.

    Raises `UsageError` where another file is there already, or it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            with part.open("wb") as out:
                _pack(out, files)
            if path.exists():
                if path.is_file() and _same(part, path):
                    return False
                if not overwrite or not path.is_file():
                    raise UsageError(
                        f"`{path}` exists and holds something else: name another file with "
                        "`--out`, or say `--force`"
                    )
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"`{path}` cannot be written: {error.strerror}") from None
    return True


def read_archive(
    path: Path, *, files_max: int, bytes_max: int
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The files of an archive, and what is wrong with the archive around them.

    Raises `RefusedError` for what no bundle is, or what may be meant to harm: links, folders,
    compressed or encrypted files, a name twice, too many or too big, a table that was cut off.
    Names are not judged here, and nothing is written.
    """
    regular_size(path, bytes_max + bytes_max // 8)
    try:
        with path.open("rb") as raw, zipfile.ZipFile(raw) as archive:
            infos = archive.infolist()
            _refuse(path, archive, infos, files_max=files_max, bytes_max=bytes_max)
            files, wrong = {}, []
            for info in infos:
                content, why = _content(archive, raw, info)
                files[info.filename] = content
                wrong += [why] if why else []
            if not wrong and not _as_written(raw, infos, files):
                wrong.append("the archive around the files is not as gameday writes it")
            return files, tuple(wrong)
    except (
        zipfile.BadZipFile, struct.error, NotImplementedError, ValueError, EOFError, RuntimeError,
    ) as error:  # fmt: skip
        raise RefusedError(
            f"`{path.name}` is no bundle, or it is cut short or damaged: "
            f"{str(error)[:120] or 'it cannot be read as a zip archive'}"
        ) from None
    except OSError as error:
        raise RefusedError(f"`{path.name}` cannot be read: {error.strerror or error}") from None


def read_folder(folder: Path, *, files_max: int, bytes_max: int) -> dict[str, bytes]:
    """The files of a bundle that somebody unpacked. Raises `RefusedError` for links and devices."""
    found: dict[str, bytes] = {}
    left = bytes_max
    for path in sorted(folder.rglob("*")):
        info = path.lstat()
        name = path.relative_to(folder).as_posix()
        if stat.S_ISDIR(info.st_mode):
            continue
        if not stat.S_ISREG(info.st_mode):
            raise RefusedError(f"`{name}` is a link or a device: a bundle has plain files only")
        left -= info.st_size
        if left < 0 or len(found) >= files_max:
            raise RefusedError(f"`{folder.name}` is too big for a bundle")
        found[name] = read_bytes(path, info.st_size)
    return found


def read_bytes(path: Path, most: int) -> bytes:
    """A regular file that is no link, up to *most* bytes. Raises `RefusedError`."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(number, "rb") as file:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise RefusedError(f"`{path.name}` is no file")
            raw = file.read(most + 1)
    except OSError as error:
        raise RefusedError(f"`{path.name}` cannot be read: {error.strerror}") from None
    if len(raw) > most:
        raise RefusedError(f"`{path.name}` has more than {most} bytes, or grows while it is read")
    return raw


def regular_size(path: Path, most: int) -> int:
    """The size of a plain file. Raises `RefusedError` for a device, or one that is too big."""
    try:
        found = path.stat()
    except OSError as error:
        raise RefusedError(f"`{path}` cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise RefusedError(f"`{path}` is no file")
    if found.st_size > most:
        raise RefusedError(f"`{path.name}` is too big for a bundle: {found.st_size} bytes")
    return found.st_size


def _pack(out: IO[bytes], files: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _TIME)
            info.create_system = 3  # wherever it is written
            info.external_attr = _MODE << 16
            archive.writestr(info, files[name])


def _refuse(
    path: Path,
    archive: zipfile.ZipFile,
    infos: list[zipfile.ZipInfo],
    *,
    files_max: int,
    bytes_max: int,
) -> None:
    name = path.name
    if len(infos) > files_max or sum(i.file_size for i in infos) > bytes_max:
        raise RefusedError(f"`{name}` has too many files, or they are too big for a bundle")
    if archive.comment:
        raise RefusedError(f"`{name}` is not as gameday writes it: it has a comment")
    seen: set[str] = set()
    for info in infos:
        shown = info.orig_filename.encode("unicode_escape").decode("ascii")[:100]
        mode = info.external_attr >> 16
        if info.is_dir() or stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise RefusedError(f"`{name}` holds `{shown}`, which is a link or a folder: refused")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1:
            raise RefusedError(f"`{name}` holds `{shown}` compressed or encrypted: refused")
        if info.file_size != info.compress_size:
            raise RefusedError(f"`{name}` holds `{shown}` with two sizes: refused")
        if info.orig_filename != info.filename or info.filename.casefold() in seen:
            raise RefusedError(f"`{name}` holds `{shown}` twice, or under two names: refused")
        seen.add(info.filename.casefold())


def _content(
    archive: zipfile.ZipFile, raw: IO[bytes], info: zipfile.ZipInfo
) -> tuple[bytes, str | None]:
    """The bytes of one file even where their checksum does not fit; and what is wrong with them."""
    try:
        return archive.read(info), None
    except (zipfile.BadZipFile, EOFError):
        pass
    # zipfile gives nothing of a file with a wrong checksum; which part of it is wrong is our answer
    raw.seek(info.header_offset)
    header = raw.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        return b"", f"{info.filename}: its place in the archive is damaged"
    name_size, extra_size = struct.unpack("<HH", header[26:30])
    raw.seek(info.header_offset + 30 + name_size + extra_size)
    return raw.read(info.file_size), f"{info.filename}: its checksum in the archive does not fit"


def _as_written(raw: IO[bytes], infos: list[zipfile.ZipInfo], files: Mapping[str, bytes]) -> bool:
    """Whether the archive is, byte for byte, what these files give: nothing hides around them."""
    if [info.filename for info in infos] != sorted(files):
        return False
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL) as again:
        _pack(again, files)
        again.seek(0)
        raw.seek(0)
        return _equal(again, raw)


def _same(one: Path, other: Path) -> bool:
    with one.open("rb") as a, other.open("rb") as b:
        return _equal(a, b)


def _equal(one: IO[bytes], other: IO[bytes]) -> bool:
    while True:
        a, b = one.read(_CHUNK), other.read(_CHUNK)
        if a != b:
            return False
        if not a:
            return True
