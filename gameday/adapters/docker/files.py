"""Files on their way into a container and out of it: small tar archives in memory."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping

_MAX_BYTES = 4_000_000


def pack(files: Mapping[str, bytes]) -> bytes:
    """An archive with these files; folders on the way are made where they are missing."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, bytes]:
    """The plain files of an archive of one folder: path below that folder -> content.

    Raises `ValueError` when it is no archive.
    """
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for entry in archive:
                content = archive.extractfile(entry) if entry.isfile() else None
                if content is not None and entry.size <= _MAX_BYTES:
                    found[entry.name.partition("/")[2]] = content.read()
    except tarfile.TarError as error:
        raise ValueError(f"not an archive: {error}") from error
    return found
