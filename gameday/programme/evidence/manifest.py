"""The manifest of a bundle: each file with size and SHA-256, and how files differ. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gameday.errors import RefusedError

SCHEMA = 1
MANIFEST = "manifest.json"
SIGNATURE = "manifest.json.sig"
ABOUT = "about.json"
SERIES = "series.csv"
DRILLS = "drills.json"
NOTE = "redactions.json"
RUN = "run/"
JOURNAL = "run/journal.jsonl"
PLAN = "run/plan.json"
RESULT = "run/result.json"
APPROVALS = "approvals/"
FINDINGS = "findings/"
#: Files of a bundle, and bytes of all of them: what is more is no evidence of one run.
FILES_MAX = 2_000
BYTES_MAX = 512 * 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME_MAX = 200
_DEPTH_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of a bundle. `size` is in bytes."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What a bundle should have and has not, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a bundle holds. `gameday` is the version that wrote it."""

    run_id: str
    gameday: str
    files: tuple[Entry, ...]
    missing: tuple[Missing, ...] = ()
    signed: bool = False
    redacted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is not as it was written: in which file, and of a journal in which event."""

    file: str
    text: str
    line: int | None = None
    seq: int | None = None

    def __str__(self) -> str:
        """One line for people."""
        where = self.file
        where += f" line {self.line}" if self.line is not None else ""
        where += f" (event {self.seq})" if self.seq is not None else ""
        return f"{where}: {self.text}"


def manifest_of(
    run_id: str,
    files: Mapping[str, bytes],
    *,
    gameday: str,
    missing: tuple[Missing, ...] = (),
    signed: bool = False,
    redacted: bool = False,
) -> Manifest:
    """The manifest of these files."""
    entries = tuple(
        Entry(path=path, size=len(raw), sha256=hashlib.sha256(raw).hexdigest())
        for path, raw in sorted(files.items())
    )
    return Manifest(
        run_id=run_id,
        gameday=gameday,
        files=entries,
        missing=missing,
        signed=signed,
        redacted=redacted,
    )


def manifest_text(manifest: Manifest) -> bytes:
    """The file: the same manifest gives the same bytes. `own_sha256` is of all the rest of it."""
    body = {"schema": SCHEMA, **asdict(manifest)}
    own = hashlib.sha256(json_text(body)).hexdigest()
    return json_text({**body, "own_sha256": own})


def json_text(value: object) -> bytes:
    """Sorted, indented JSON in ASCII with a line end; the same value gives the same bytes."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return text.encode("ascii") + b"\n"


def parse_manifest(raw: bytes) -> Manifest:
    """Read a manifest.

    Raises ValueError with a sentence if it is not as `manifest_text` wrote it, `RefusedError` if it
    is of a version that is not known here.
    """
    try:
        data = json.loads(raw.decode("utf-8"))
        own = data.pop("own_sha256")
        whole = own == hashlib.sha256(json_text(data)).hexdigest()
        whole = whole and json_text({**data, "own_sha256": own}) == raw
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("is no manifest of gameday, or was damaged") from None
    if not whole:
        raise ValueError("was changed after it was written")
    if data.get("schema") != SCHEMA:
        raise RefusedError(
            f"`{MANIFEST}` is of another version of gameday; this one reads version {SCHEMA}"
        )
    return _manifest(data)


def _manifest(data: Mapping[str, Any]) -> Manifest:
    try:
        manifest = Manifest(
            run_id=_text(data["run_id"]),
            gameday=_text(data["gameday"]),
            files=tuple(_entry(row) for row in data["files"]),
            missing=tuple(_missing(row) for row in data["missing"]),
            signed=data["signed"] is True,
            redacted=data["redacted"] is True,
        )
    except (ValueError, KeyError, TypeError):
        raise ValueError("is no manifest of gameday") from None
    paths = [entry.path for entry in manifest.files]
    wrong = next((why for path in paths if (why := name_problem(path))), None)
    if wrong or paths != sorted(set(paths)):
        raise ValueError(f"is not as gameday writes it: {wrong or 'a file twice'}")
    return manifest


def name_problem(path: str) -> str | None:
    """Why a file of this name is in no bundle; None if it can be."""
    shown = path.encode("unicode_escape").decode("ascii")[:_NAME_MAX]
    parts = path.split("/")
    if not path.isprintable() or "\\" in path or ":" in path:
        return f"the name `{shown}` has characters that no file of a bundle has"
    if path.startswith("/") or any(part in ("", ".", "..") for part in parts):
        return f"the name `{shown}` leads out of the bundle"
    if len(path.encode("utf-8", "replace")) > _NAME_MAX or len(parts) > _DEPTH_MAX:
        return f"the name `{shown}` is too long"
    return None


def differences(manifest: Manifest, files: Mapping[str, bytes]) -> list[Problem]:
    """How *files* (without the manifest and its signature) differ from the manifest, by name."""
    digests = {path: hashlib.sha256(raw).hexdigest() for path, raw in files.items()}
    owner_of = {entry.sha256: entry.path for entry in reversed(manifest.files)}
    found = []
    for entry in manifest.files:
        if entry.path not in files:
            found.append(Problem(file=entry.path, text=f"is missing{_elsewhere(entry, digests)}"))
        elif digests[entry.path] != entry.sha256:
            other = owner_of.get(digests[entry.path])
            found.append(Problem(file=entry.path, text=_changed(entry, files[entry.path], other)))
    known = {entry.path for entry in manifest.files}
    for path in sorted(files.keys() - known):
        found.append(Problem(file=path, text="is not in the manifest: it was added"))
    return found


def _elsewhere(entry: Entry, digests: Mapping[str, str]) -> str:
    there = next((path for path, digest in digests.items() if digest == entry.sha256), None)
    return f"; what was in it is in `{there}`" if there and entry.size else ""


def _changed(entry: Entry, raw: bytes, other: str | None) -> str:
    if other is not None and raw:
        return f"was exchanged: it holds what belongs to `{other}`"
    if len(raw) < entry.size:
        return f"was changed or cut: it has {len(raw)} of {entry.size} bytes"
    if len(raw) > entry.size:
        return f"was changed: it has {len(raw)} bytes instead of {entry.size}"
    return "was changed: its SHA-256 is another"


def _entry(row: Any) -> Entry:
    path, size, sha256 = _text(row["path"]), row["size"], _text(row["sha256"])
    if type(size) is not int or not 0 <= size <= BYTES_MAX or not _SHA256.fullmatch(sha256):
        raise ValueError(path)
    return Entry(path=path, size=size, sha256=sha256)


def _missing(row: Any) -> Missing:
    return Missing(what=_text(row["what"]), why=_text(row["why"]))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
