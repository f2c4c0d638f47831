"""`evidence redact`: a copy of the evidence without some of its fields. The original stays."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gameday.adapters.evidence_archive import write_archive
from gameday.app.evidence import packed, read_bundle
from gameday.app.evidence_files import Places, collect
from gameday.app.evidence_verify import Trust, check_bundle
from gameday.app.rundir import find
from gameday.errors import RefusedError, UsageError
from gameday.model.verdict import ExitCode
from gameday.programme.evidence.manifest import (
    MANIFEST,
    NOTE,
    SIGNATURE,
    Missing,
    json_text,
    parse_manifest,
)
from gameday.programme.evidence.redaction import parse_field, redact


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactRequest:
    """Of which run or bundle, which fields, why, and where the copy goes."""

    what: str
    fields: tuple[str, ...]
    why: str = ""
    reports: Path = Path("reports")
    out: Path | None = None
    key: Path | None = None
    force: bool = False
    places: Places = field(default_factory=Places)


def redact_command(request: RedactRequest, *, as_json: bool = False) -> ExitCode:
    """Write the copy, and say what was taken out of it."""
    fields = tuple(parse_field(text) for text in request.fields)
    if not fields:
        raise UsageError("say what is taken out: `--field labels.instance`")
    run_id, files, missing = _original(request)
    copy = redact(files, fields)
    out = request.out or Path(f"{run_id}.redacted.zip")
    if out.exists() and Path(request.what).exists() and out.samefile(request.what):
        raise UsageError("a redacted copy never takes the place of what it was made from")
    note = {
        "fields": list(request.fields),
        "why": request.why,
        "original": {n: hashlib.sha256(raw).hexdigest() for n, raw in sorted(files.items())},
        "taken": copy.taken,
    }
    whole = packed(
        run_id,
        {**copy.files, NOTE: json_text(note)},
        missing=missing,
        key=request.key,
        redacted=True,
    )
    write_archive(out, whole, overwrite=request.force)
    _say(out, copy.taken, as_json=as_json)
    return ExitCode.PASS


def _original(request: RedactRequest) -> tuple[str, Mapping[str, bytes], tuple[Missing, ...]]:
    path = Path(request.what)
    if not path.is_file() and not (path / MANIFEST).is_file():
        collected = collect(find(request.what, request.reports), request.places)
        return collected.run_id, collected.files, collected.missing
    files, around = read_bundle(path)
    checked = check_bundle(files, Trust(), around=around)
    if checked.problems:
        raise RefusedError(f"`{path.name}` is not whole: {checked.problems[0]}")
    if checked.is_redacted:
        raise RefusedError(
            f"`{path.name}` is redacted already: make the copy from what it was made from"
        )
    manifest = parse_manifest(files[MANIFEST])
    inner = {n: raw for n, raw in files.items() if n not in (MANIFEST, SIGNATURE)}
    return manifest.run_id, inner, manifest.missing


def _say(out: Path, taken: list[dict[str, object]], *, as_json: bool) -> None:
    if as_json:
        row = {"t": "redacted", "file": str(out), "taken": taken}
        sys.stdout.write(json.dumps(row) + "\n")
        return
    fields = [row for row in taken if "whole" not in row]
    files = sorted({str(row["file"]) for row in fields})
    left_out = sorted(str(row["file"]) for row in taken if "whole" in row)
    sys.stdout.write(f"wrote {out}: redacted\n")
    sys.stdout.write(f"  {len(fields)} values were taken out of {', '.join(files)}\n")
    if left_out:
        sys.stdout.write(f"  left out, since they are made from the rest: {', '.join(left_out)}\n")
    sys.stdout.write(f"  {NOTE} in it tells of each by its SHA-256\n")
