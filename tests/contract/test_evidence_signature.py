"""Signed bundles with the real ssh-keygen: what proves itself, and what does not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from evidence_support import write_run

from gameday import __version__
from gameday.adapters.evidence_archive import write_archive
from gameday.adapters.ssh_keygen import sign_text
from gameday.app.evidence import BundleRequest, bundle_command, read_bundle
from gameday.app.evidence_verify import Checked, Trust, check_bundle
from gameday.cli.main import run as cli
from gameday.programme.evidence.manifest import (
    JOURNAL,
    MANIFEST,
    SIGNATURE,
    manifest_of,
    manifest_text,
)

ALICE = "alice@example.org"


def make_key(folder: Path, name: str) -> Path:
    path = folder / name
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)],
        check=True, timeout=20, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return path


def public(key: Path) -> str:
    return " ".join(key.with_suffix(".pub").read_text().split()[:2])


@dataclass(frozen=True)
class Desk:
    key: Path
    other: Path
    signers: Path
    bundle: Path

    @property
    def trust(self) -> Trust:
        return Trust(signers=self.signers)

    def files(self) -> dict[str, bytes]:
        return read_bundle(self.bundle)[0]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, real_server: Callable[..., str]) -> Desk:
    real_server("ssh-keygen")
    root = tmp_path_factory.mktemp("desk")
    key, other = make_key(root, "alice"), make_key(root, "other")
    signers = root / "signers"
    signers.write_text(
        f'{ALICE} namespaces="gameday-evidence" {public(key)}\n'
        f'bob@example.org namespaces="gameday-approval" {public(other)}\n'
    )
    where = write_run(root / "reports")
    bundle = root / "signed.zip"
    assert bundle_command(BundleRequest(run=str(where.path), out=bundle, key=key)) == 0
    return Desk(key=key, other=other, signers=signers, bundle=bundle)


def texts(found: Checked) -> list[str]:
    return [str(problem) for problem in found.problems]


def test_a_signed_bundle_proves_who_signed_it(desk: Desk) -> None:
    found = check_bundle(desk.files(), desk.trust)

    assert texts(found) == []
    assert (found.signature, found.signer) == ("proven", ALICE)
    assert int(found.exit_code) == 0


def test_without_signers_it_is_not_known_by_whom_and_that_is_no_pass(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(["evidence", "verify", str(desk.bundle)]) == 3
    assert "not shown by whom" in capsys.readouterr().out
    assert cli(["evidence", "verify", str(desk.bundle), "--signers", str(desk.signers)]) == 0
    assert f"signed by {ALICE}" in capsys.readouterr().out


def test_another_signer_than_the_one_who_must_have_is_found(desk: Desk) -> None:
    trust = Trust(signers=desk.signers, signer="bob@example.org")

    assert "for `bob@example.org`" in texts(check_bundle(desk.files(), trust))[0]


def recomputed(files: dict[str, bytes], *, signed: bool = True) -> dict[str, bytes]:
    """A bundle whose journal and manifest somebody wrote anew; the signature is the old one."""
    inner = {n: raw for n, raw in files.items() if n not in (MANIFEST, SIGNATURE)}
    result = json.loads(inner["run/result.json"])
    inner["run/result.json"] = json.dumps({**result, "duration_ms": 1}).encode()
    manifest = manifest_of("r", inner, gameday=__version__, signed=signed)
    return {**files, **inner, MANIFEST: manifest_text(manifest)}


def test_a_bundle_computed_anew_is_found_by_its_signature(desk: Desk) -> None:
    found = check_bundle(recomputed(desk.files()), desk.trust)

    assert [problem.file for problem in found.problems] == [SIGNATURE]
    assert "does not fit the manifest" in found.problems[0].text
    assert int(found.exit_code) == 1


@pytest.mark.parametrize("whose", ["other", "stranger"])
def test_a_bundle_signed_with_a_wrong_key_is_found(desk: Desk, whose: str, tmp_path: Path) -> None:
    key = desk.other if whose == "other" else make_key(tmp_path, "stranger")
    files = recomputed(desk.files())
    files[SIGNATURE] = sign_text(files[MANIFEST], key, namespace="gameday-evidence")

    found = check_bundle(files, desk.trust)

    assert "not by a key that `signers` allows" in texts(found)[0]
    assert int(found.exit_code) == 1


def test_a_signature_made_for_another_purpose_does_not_count(desk: Desk) -> None:
    files = desk.files()
    files[SIGNATURE] = sign_text(files[MANIFEST], desk.key, namespace="gameday-approval")

    assert "does not fit the manifest" in texts(check_bundle(files, desk.trust))[0]


def test_a_signature_that_was_taken_off_is_missed(desk: Desk) -> None:
    bare = {n: raw for n, raw in desk.files().items() if n != SIGNATURE}
    assert "this bundle was signed" in texts(check_bundle(bare, Trust()))[0]

    unsigned = {n: raw for n, raw in recomputed(bare, signed=False).items() if n != SIGNATURE}
    assert texts(check_bundle(unsigned, Trust())) == []  # and it says that this shows nothing
    assert "none of the signers vouches" in texts(check_bundle(unsigned, desk.trust))[0]


def test_a_signature_that_was_added_or_is_none_is_named(desk: Desk) -> None:
    files = recomputed(desk.files(), signed=False)
    assert "was added" in texts(check_bundle(files, Trust()))[0]
    assert (
        "no signature of `ssh-keygen`"
        in texts(check_bundle({**desk.files(), SIGNATURE: b"-"}, Trust()))[0]
    )


def test_a_changed_event_of_a_signed_bundle_is_named_too(desk: Desk, tmp_path: Path) -> None:
    files = desk.files()
    raw = bytearray(files[JOURNAL])
    raw[len(raw) // 3] ^= 1
    line = raw.count(b"\n", 0, len(raw) // 3) + 1
    path = tmp_path / "changed.zip"
    write_archive(path, {**files, JOURNAL: bytes(raw)})

    found = check_bundle(*read_bundle(path)[:1], desk.trust)

    assert (found.problems[1].line, found.problems[1].seq) == (line, line - 1)
    assert found.signature == "proven"  # the manifest is the one that was signed


def test_signers_that_are_missing_are_a_usage_error(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli(["evidence", "verify", str(desk.bundle), "--signers", str(tmp_path / "no")]) == 2
    assert "there is no file" in capsys.readouterr().err
    assert cli(["evidence", "verify", str(desk.bundle), "--signer", ALICE]) == 2
    assert "`--signers`" in capsys.readouterr().err


def test_a_key_that_is_none_signs_nothing(desk: Desk, tmp_path: Path) -> None:
    run = str(desk.bundle.parent / "reports" / "last")
    out = tmp_path / "b.zip"
    arguments = ["evidence", "bundle", "last", "--reports", str(Path(run).parent), "-o", str(out)]
    assert cli([*arguments, "--sign", str(tmp_path / "nothing")]) == 2
    assert not out.exists()
