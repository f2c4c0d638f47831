"""`evidence bundle` and `evidence verify`."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gameday import __version__
from gameday.adapters.evidence_archive import read_archive, read_folder, write_archive
from gameday.app.evidence_files import Collected, Places, collect
from gameday.app.evidence_verify import UNSIGNED, Checked, Trust, check_bundle, check_run
from gameday.app.rundir import RunDir, find
from gameday.errors import RefusedError, UsageError
from gameday.model.verdict import ExitCode
from gameday.programme.evidence.manifest import (
    BYTES_MAX,
    FILES_MAX,
    MANIFEST,
    SIGNATURE,
    Missing,
    manifest_of,
    manifest_text,
)

_NOTES_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleRequest:
    """One bundle that somebody wants. Without `out` it is written here, named after the run."""

    run: str
    reports: Path = Path("reports")
    out: Path | None = None
    key: Path | None = None
    force: bool = False
    places: Places = field(default_factory=Places)


def bundle_command(request: BundleRequest, *, as_json: bool = False) -> ExitCode:
    """Write the evidence of a run as one archive, and say its SHA-256."""
    where = find(request.run, request.reports)
    collected = collect(where, request.places)
    _refuse_stale(where, collected)
    out = request.out or Path(f"{where.run_id}.zip")
    files = packed(collected.run_id, collected.files, missing=collected.missing, key=request.key)
    written = write_archive(out, files, overwrite=request.force)
    sha256 = hashlib.sha256(out.read_bytes()).hexdigest()
    if as_json:
        row = {
            "t": "bundle",
            "run_id": where.run_id,
            "file": str(out),
            "sha256": sha256,
            "files": len(files),
            "signed": request.key is not None,
            "written": written,
            "missing": [asdict(m) for m in collected.missing],
        }
        sys.stdout.write(json.dumps(row) + "\n")
        return ExitCode.PASS
    sys.stdout.write(
        f"{'wrote' if written else 'there already, the same:'} {out}\n"
        f"  {len(files)} files, sha256 {sha256}\n"
        f"  {'signed' if request.key else UNSIGNED}\n"
    )
    for missing in collected.missing:
        sys.stdout.write(f"  not in it: {missing.what}: {missing.why}\n")
    return ExitCode.PASS


def packed(
    run_id: str,
    files: dict[str, bytes],
    *,
    missing: tuple[Missing, ...] = (),
    key: Path | None = None,
    redacted: bool = False,
) -> dict[str, bytes]:
    """*files* with their manifest, signed if a key is given."""
    manifest = manifest_of(
        run_id,
        files,
        gameday=__version__,
        missing=missing,
        signed=key is not None,
        redacted=redacted,
    )
    text = manifest_text(manifest)
    whole = {**files, MANIFEST: text}
    if key is not None:
        from gameday.adapters.evidence_signature import sign_manifest

        whole[SIGNATURE] = sign_manifest(text, key.expanduser().absolute())
    return whole


def verify_command(what: str, *, reports: Path, trust: Trust, as_json: bool = False) -> ExitCode:
    """Check a bundle, a bundle that was unpacked, or a run; say what is not as it was written."""
    if trust.signers is not None and not trust.signers.is_file():
        raise UsageError(
            f"there is no file `{trust.signers}`: `--signers` names the allowed signers"
        )
    if trust.signer is not None and trust.signers is None:
        raise UsageError("`--signer` needs `--signers`, the file in which that name stands")
    checked = _check(what, reports, trust)
    if as_json:
        row = {"t": "verify", "exit_code": int(checked.exit_code), **asdict(checked)}
        sys.stdout.write(json.dumps(row) + "\n")
    else:
        sys.stdout.write(_text(checked))
    return checked.exit_code


def read_bundle(path: Path) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The files of an archive, or of a folder into which one was unpacked; what is wrong around."""
    if path.is_file():
        return read_archive(path, files_max=FILES_MAX, bytes_max=BYTES_MAX)
    return read_folder(path, files_max=FILES_MAX, bytes_max=BYTES_MAX), ()


def _check(what: str, reports: Path, trust: Trust) -> Checked:
    path = Path(what)
    if path.is_file() or (path / MANIFEST).is_file():
        files, around = read_bundle(path)
        return check_bundle(files, trust, around=around)
    where = find(what, reports)
    if trust.signers is not None:
        raise RefusedError(
            f"`{where.run_id}` is a run directory, which nobody signs: "
            "`gameday evidence bundle --sign KEY` makes a bundle that can be proven"
        )
    names = ("journal.jsonl", "plan.json", "history.json", "result.json")
    there = [name for name in names if (where.path / name).is_file()]
    return check_run(where.run_id, {f"run/{n}": (where.path / n).read_bytes() for n in there})


def _refuse_stale(where: RunDir, collected: Collected) -> None:
    """A bundle that cannot be verified is no evidence. Raises `RefusedError`."""
    problems = check_run(where.run_id, collected.files).problems
    if problems:
        raise RefusedError(f"`{where.run_id}` is not whole, so it is not bundled: {problems[0]}")


def _text(checked: Checked) -> str:
    what = "bundle of run" if checked.bundle else "run"
    lines = [f"{what} {checked.run_id}: {checked.files} files, {checked.events} events"]
    lines.append(_signed(checked))
    if checked.is_redacted:
        events = ", ".join(map(str, checked.redacted[:_NOTES_SHOWN])) or "none"
        more = len(checked.redacted) - _NOTES_SHOWN
        events += f" and {more} more" if more > 0 else ""
        lines.append(
            "redacted: something was taken out of it, as redactions.json says; the hashes of the "
            f"events that were touched ({events}) cannot be computed again, all others can"
        )
    lines += [f"  note: {note}" for note in checked.notes[:_NOTES_SHOWN]]
    if checked.unjudged:
        why = "so it is not known whether the result is what the journal gives"
        lines.append(f"UNJUDGED: the journal could not be judged again, {why}")
        lines.append(f"  {checked.unjudged}")
    if checked.problems:
        lines.append(f"NOT WHOLE: {len(checked.problems)} found")
        lines += [f"  {problem}" for problem in checked.problems]
    else:
        lines.append("nothing is damaged: every file and every event that was checked fits")
        lines.append(f"last hash {checked.last_hash}")
    return "\n".join(lines) + "\n"


def _signed(checked: Checked) -> str:
    if checked.signature == "proven":
        return f"signed by {checked.signer}"
    if checked.signature == "unproven":
        return "signed, but it is not shown by whom: name those who may with `--signers`"
    return UNSIGNED
