"""Approvals as files: canonical JSON, and beside it a signature of `ssh-keygen -Y`.

The signature proves which of the allowed signers approved; everything that the file says is covered
by it. `ssh-keygen` is called without a shell and bounded in time; nothing but regular files of a
bounded size is read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gameday.adapters.ssh_keygen import VERIFY_S, regular, sign_text, ssh_keygen
from gameday.errors import RefusedError, UsageError
from gameday.policy import Approval
from gameday.policy.values import is_person

NAMESPACE = "gameday-approval"
VERSION = 1
MAX_BYTES = 64 * 1024
#: A role, in a file name and on a command line.
ROLE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
CHANGE = re.compile(r"[!-~]{1,100}")
#: Approvals of one plan that are looked at; more are no record, but a mistake.
MOST = 50
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LATEST_MS = 253_402_300_799_000  # the end of the year 9999
_LONGEST_SHOWN = 100


def approval_text(approval: Approval) -> bytes:
    """The file: canonical JSON of what is approved, by whom, and until when."""
    data = {"version": VERSION, **asdict(approval)}
    del data["file"], data["sha256"]
    return _canonical(data)


def parse_approval(raw: bytes, *, file: str) -> Approval:
    """Read an approval file. Raises `RefusedError` for anything that `approve` does not write."""
    try:
        data = json.loads(raw.decode("utf-8"))
        canonical = _canonical(data)
    except (ValueError, RecursionError):
        raise RefusedError(f"`{file}` is not JSON: ask for a new approval") from None
    if not isinstance(data, dict):
        raise RefusedError(f"`{file}` is no approval: ask for a new one")
    version = data.get("version")
    if type(version) is not int or version != VERSION:
        raise RefusedError(
            f"`{file}` has the version `{_shown(version)}`, and this gameday reads {VERSION}"
        )
    wrong = [name for name, fits in _FIELDS.items() if name not in data or not fits(data[name])]
    unknown = [_shown(name) for name in data if name not in _FIELDS and name != "version"]
    if wrong or unknown:
        fields = ", ".join(f"`{name}`" for name in (wrong + unknown)[:5])
        raise RefusedError(f"`{file}` is no approval: wrong or unknown are {fields}")
    if canonical != raw:
        raise RefusedError(f"`{file}` was altered after it was written: ask for a new approval")
    fields_ = {name: data[name] for name in _FIELDS}
    return Approval(**fields_, file=file, sha256=hashlib.sha256(raw).hexdigest())


def sign(text: bytes, key: Path) -> bytes:
    """The signature of *text* by the private *key* (or by the agent, given a public one).

    May ask for a passphrase on the terminal. Raises `RefusedError` with what ssh-keygen said.
    """
    return sign_text(text, key, namespace=NAMESPACE)


def verify(text: bytes, signature: Path, *, approver: str, signers: Path) -> None:
    """Prove that *approver* signed *text* with a key that *signers* allows now.

    Raises `RefusedError`: altered, another namespace, an unknown signer, an expired key.
    """
    name = _shown(signature.name)
    signers = signers.absolute()
    regular(signers, f"the file of allowed signers `{signers.name}`")
    regular(signature, f"the signature `{name}`")
    base = ["-n", NAMESPACE, "-s", str(signature.absolute())]
    code, _, said = ssh_keygen(["-Y", "check-novalidate", *base], text, within_s=VERIFY_S)
    if code != 0:
        raise RefusedError(f"`{name}` is no signature of this approval: {said or 'it is altered'}")
    command = ["-Y", "verify", "-f", str(signers), "-I", approver, *base]
    code, _, said = ssh_keygen(command, text, within_s=VERIFY_S)
    if code != 0:
        why = said.replace(str(signers), signers.name)
        raise RefusedError(
            f"`{name}` is not by a key that `{signers.name}` allows for `{approver}`"
            + (f": {why}" if why else "")
        )


def prove(approval: Approval, signature: bytes, *, signers: Path) -> None:
    """Verify a signature that is not in a file yet. Raises `RefusedError`."""
    with tempfile.TemporaryDirectory(prefix="gameday-") as folder:
        path = Path(folder, "signature")
        path.write_bytes(signature)
        verify(approval_text(approval), path, approver=approval.approver, signers=signers)


def read_approvals(
    folder: Path, plan_sha256: str, *, signers: Path
) -> tuple[tuple[Approval, ...], tuple[str, ...]]:
    """The proven approvals in *folder* whose name begins with the plan's hash, and why not others.

    Whether they are valid for this run is for the policy to say. Raises nothing.
    """
    proven: list[Approval] = []
    problems: list[str] = []
    found = _named(folder, plan_sha256)
    if len(found) > MOST:
        problems.append(f"only {MOST} of {len(found)} approvals of this plan were looked at")
    for path in found[:MOST]:
        try:
            proven.append(_read(path, signers))
        except RefusedError as error:
            problems.append(str(error))
    return tuple(proven), tuple(problems)


def write_approval(folder: Path, approval: Approval, signature: bytes) -> Path:
    """Write approval and signature into *folder*; the same person's in the same role is replaced.

    Raises `UsageError` where it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = _free_name(folder, approval)
        _replace(path.with_suffix(".json.sig"), signature)
        _replace(path, approval_text(approval))
    except OSError as error:
        raise UsageError(f"`{folder}` cannot be written: {error.strerror}") from None
    return path


def _read(path: Path, signers: Path) -> Approval:
    raw = _bytes(path)
    approval = parse_approval(raw, file=_shown(path.name))
    signature = path.with_suffix(".json.sig")
    if not os.path.lexists(signature):  # also where the name is too long for a file
        name = _shown(path.name)
        raise RefusedError(f"`{name}` is not signed: there is no `{name}.sig`")
    verify(raw, signature, approver=approval.approver, signers=signers)
    return approval


def _named(folder: Path, plan_sha256: str) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.suffix == ".json" and _is(p, plan_sha256))
    except OSError:
        return []


def _is(path: Path, plan_sha256: str) -> bool:
    return path.name.startswith(f"{plan_sha256[:12]}-")


def _free_name(folder: Path, approval: Approval) -> Path:
    """`<hash>-<role>.json`, numbered where somebody else has approved in the same role."""
    for n in range(1, MOST + 1):
        end = "" if n == 1 else f"-{n}"
        path = folder / f"{approval.plan_sha256[:12]}-{approval.role}{end}.json"
        if not path.exists():
            return path
        try:
            there = parse_approval(_bytes(path), file=path.name)
        except RefusedError:
            return path  # it counts for nothing
        if (
            there.approver.casefold() == approval.approver.casefold()
            and there.role == approval.role
        ):
            return path
    raise UsageError(f"there are {MOST} approvals of this plan in `{folder}`: remove old ones")


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _bytes(path: Path) -> bytes:
    name = _shown(path.name)
    regular(path, f"`{name}`")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RefusedError(f"`{name}` cannot be read: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise RefusedError(f"`{name}` is too long to be an approval")
    return raw


def _shown(value: object) -> str:
    """What somebody else wrote, on one line that does nothing to a terminal, and cut."""
    text = str(value)
    if not text.isprintable():
        text = text.encode("unicode_escape").decode("ascii")
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _canonical(data: Any) -> bytes:
    text = json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return text.encode("ascii") + b"\n"


def _is_ms(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LATEST_MS


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable()


def _is_name(value: object) -> bool:
    return isinstance(value, str) and is_person(value)


_FIELDS = {
    "plan_sha256": lambda v: isinstance(v, str) and _SHA256.fullmatch(v) is not None,
    "scenario": _is_text,
    "environment": _is_text,
    "role": lambda v: isinstance(v, str) and ROLE.fullmatch(v) is not None,
    "approver": _is_name,
    "author": lambda v: v is None or _is_name(v),
    "change_id": lambda v: v is None or (isinstance(v, str) and CHANGE.fullmatch(v) is not None),
    "not_before_wall_ms": _is_ms,
    "expires_wall_ms": _is_ms,
}
