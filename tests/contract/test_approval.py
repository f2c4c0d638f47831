"""Approvals with the real ssh-keygen: what proves itself, and every way in which it does not."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.adapters import approval as files
from gameday.adapters.approval import (
    approval_text,
    parse_approval,
    prove,
    read_approvals,
    sign,
    verify,
    write_approval,
)
from gameday.adapters.authorship import author_of
from gameday.errors import RefusedError
from gameday.policy import Approval

HASH = "0123456789ab" + "c" * 52
ALICE = "alice@example.org"
APPROVAL = Approval(
    plan_sha256=HASH, scenario="slow", environment="production", role="safety",
    approver=ALICE, author="carol@example.org", change_id="CHG-1",
    not_before_wall_ms=1_000, expires_wall_ms=2_000,
)  # fmt: skip


def make_key(folder: Path, name: str, passphrase: str = "") -> Path:
    path = folder / name
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", name, "-f", str(path)],
        check=True, timeout=20, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return path


def public(key: Path) -> str:
    return " ".join(key.with_suffix(".pub").read_text().split()[:2])


@dataclass(frozen=True)
class Desk:
    """Where somebody approves: a key that is allowed, one that is not, and the signers."""

    root: Path
    key: Path
    other: Path
    signers: Path

    @property
    def folder(self) -> Path:
        return self.root / "approvals"

    def read(self) -> tuple[tuple[Approval, ...], tuple[str, ...]]:
        return read_approvals(self.folder, HASH, signers=self.signers)

    def write(self, approval: Approval = APPROVAL, key: Path | None = None) -> Path:
        signature = sign(approval_text(approval), key or self.key)
        return write_approval(self.folder, approval, signature)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory, real_server: Callable[..., str]) -> Path:
    real_server("ssh-keygen")
    folder = tmp_path_factory.mktemp("keys")
    make_key(folder, "alice")
    make_key(folder, "other")
    return folder


@pytest.fixture
def desk(keys: Path, tmp_path: Path) -> Desk:
    signers = tmp_path / "allowed_signers"
    signers.write_text(f"{ALICE} {public(keys / 'alice')}\n")
    return Desk(root=tmp_path, key=keys / "alice", other=keys / "other", signers=signers)


def test_what_was_approved_is_read_and_proven(desk: Desk) -> None:
    path = desk.write()

    (found,), problems = desk.read()

    assert problems == ()
    assert path.name == "0123456789ab-safety.json"
    assert path.with_name(path.name + ".sig").is_file()
    assert replace(found, file="", sha256="") == APPROVAL
    assert found.file == path.name
    assert len(found.sha256) == 64
    assert sorted(p.name for p in desk.folder.iterdir()) == [path.name, f"{path.name}.sig"]


def test_the_file_is_canonical_json_without_anything_else(desk: Desk) -> None:
    raw = desk.write().read_bytes()

    assert list(json.loads(raw)) == [
        "approver", "author", "change_id", "environment", "expires_wall_ms", "not_before_wall_ms",
        "plan_sha256", "role", "scenario", "version",
    ]  # fmt: skip
    assert raw == approval_text(APPROVAL)


def rewrite(path: Path, **changed: Any) -> None:
    path.write_bytes(dumped(json.loads(path.read_bytes()) | changed))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"environment": "staging"}, "is no signature of this approval"),
        ({"expires_wall_ms": 99_000_000}, "is no signature of this approval"),
        ({"approver": "bob@example.org"}, "is no signature of this approval"),
        ({"plan_sha256": "d" * 64}, "is no signature of this approval"),
        ({"role": None}, "wrong or unknown are `role`"),
        ({"role": "../../x"}, "wrong or unknown are `role`"),
        ({"approver": "-f/etc/passwd"}, "wrong or unknown are `approver`"),
        ({"approver": "a b"}, "wrong or unknown are `approver`"),
        ({"expires_wall_ms": 1e300}, "wrong or unknown are `expires_wall_ms`"),
        ({"expires_wall_ms": True}, "wrong or unknown are `expires_wall_ms`"),
        ({"version": 2}, "has the version `2`"),
        ({"more": 1}, "wrong or unknown are `more`"),
    ],
)
def test_an_altered_approval_is_refused(desk: Desk, change: dict[str, Any], words: str) -> None:
    rewrite(desk.write(), **change)

    proven, (problem,) = desk.read()

    assert proven == ()
    assert words in problem


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is too long"),
        (b"[" * 60_000, "is not JSON"),
        (b"[]", "is no approval"),
        (b"{}", "has the version `None`"),
        (b'{"version":NaN}', "is not JSON"),
        (approval_text(APPROVAL)[:-1], "was altered after it was written"),
        (approval_text(APPROVAL).replace(b":", b": "), "was altered after it was written"),
        (approval_text(APPROVAL)[:-2] + b',"version":1}\n', "was altered after it was written"),
    ],
)
def test_what_is_no_approval_is_refused(desk: Desk, content: bytes, words: str) -> None:
    desk.write().write_bytes(content)

    proven, (problem,) = desk.read()

    assert proven == ()
    assert words in problem


def test_another_namespace_is_refused(desk: Desk) -> None:
    path = desk.write()
    ended = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-f", str(desk.key), "-n", "git"],
        input=path.read_bytes(), capture_output=True, check=True, timeout=20,
    )  # fmt: skip
    path.with_name(path.name + ".sig").write_bytes(ended.stdout)

    proven, (problem,) = desk.read()

    assert proven == ()
    assert "namespace does not match" in problem


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("bob@example.org {key}", "is not by a key that `allowed_signers` allows for"),
        (ALICE + " {other}", "is not by a key that `allowed_signers` allows for"),
        (ALICE + ' valid-before="20200101" {key}', "key has expired"),
        (ALICE + ' valid-after="29990101" {key}', "not yet valid"),
        (ALICE + ' namespaces="git" {key}', "not permitted for use in signature namespace"),
        ("", "is not by a key that"),
        ("garbage", "is not by a key that"),
    ],
)
def test_whoever_is_no_allowed_signer_now_is_refused(desk: Desk, line: str, words: str) -> None:
    desk.write()
    text = line.format(key=public(desk.key), other=public(desk.other))
    desk.signers.write_text(text + "\n")

    proven, (problem,) = desk.read()

    assert proven == ()
    assert words in problem
    assert str(desk.root) not in problem


def test_a_key_that_is_valid_for_a_while_is_taken_meanwhile(desk: Desk) -> None:
    desk.signers.write_text(
        f'{ALICE} namespaces="{files.NAMESPACE}",valid-before="29990101" {public(desk.key)}\n'
    )
    desk.write()

    assert len(desk.read()[0]) == 1


def test_without_a_signature_or_with_junk_it_is_refused(desk: Desk) -> None:
    signature = desk.write().with_name("0123456789ab-safety.json.sig")
    signature.write_text("junk")
    junk = desk.read()
    signature.unlink()
    none = desk.read()

    assert junk[0] == none[0] == ()
    assert "is no signature of this approval" in junk[1][0]
    assert "is not signed: there is no `0123456789ab-safety.json.sig`" in none[1][0]


def test_without_signers_nothing_is_proven(desk: Desk) -> None:
    desk.write()
    desk.signers.unlink()

    proven, (problem,) = desk.read()

    assert proven == ()
    assert "the file of allowed signers `allowed_signers` cannot be read" in problem


def test_a_pipe_is_not_waited_for(desk: Desk) -> None:
    path = desk.write()
    path.unlink()
    os.mkfifo(path)

    proven, (problem,) = desk.read()

    assert proven == ()
    assert "no file of a sensible size" in problem


def test_only_approvals_named_for_the_plan_are_looked_at(desk: Desk) -> None:
    path = desk.write()
    path.rename(path.with_name("ffffffffffff-safety.json"))
    (desk.folder / "README.md").write_text("x")

    assert desk.read() == ((), ())
    assert read_approvals(desk.root / "none", HASH, signers=desk.signers) == ((), ())


def test_the_same_person_in_the_same_role_replaces_somebody_else_does_not(desk: Desk) -> None:
    bob = replace(APPROVAL, approver="bob@example.org")
    desk.signers.write_text(f"{ALICE} {public(desk.key)}\nbob@example.org {public(desk.other)}\n")

    paths = [
        desk.write(),
        desk.write(bob, desk.other),
        desk.write(replace(APPROVAL, expires_wall_ms=3_000)),
    ]
    proven, problems = desk.read()

    assert [p.name[13:] for p in paths] == ["safety.json", "safety-2.json", "safety.json"]
    assert problems == ()
    assert {(a.approver, a.expires_wall_ms) for a in proven} == {
        (ALICE, 3_000),
        ("bob@example.org", 2_000),
    }


def test_a_key_that_cannot_sign_says_why(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"nothing was signed with `.*nokey`: .*No such file"):
        sign(b"x", tmp_path / "nokey")


def test_a_signature_can_be_proven_before_it_is_written(desk: Desk) -> None:
    prove(APPROVAL, sign(approval_text(APPROVAL), desk.key), signers=desk.signers)
    with pytest.raises(RefusedError, match="is not by a key"):
        prove(APPROVAL, sign(approval_text(APPROVAL), desk.other), signers=desk.signers)


def fake_ssh_keygen(folder: Path, script: str) -> str:
    path = folder / "ssh-keygen"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(folder)


def test_an_ssh_keygen_that_hangs_or_is_missing_is_a_refusal(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = desk.write()
    signature = path.with_name(path.name + ".sig")
    monkeypatch.setattr(files, "VERIFY_S", 0.2)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", fake_ssh_keygen(folder, "exec /bin/sleep 20"))
    with pytest.raises(RefusedError, match=r"did not end within 0\.2 s"):
        verify(path.read_bytes(), signature, approver=ALICE, signers=desk.signers)

    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    _, (problem,) = desk.read()
    assert "which is not on PATH" in problem


def dumped(data: Any) -> bytes:
    return (json.dumps(data, sort_keys=True, separators=(",", ":")) + "\n").encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_DATA = json.loads(approval_text(APPROVAL))


@given(
    st.binary(max_size=200)
    | JSON.map(lambda v: json.dumps(v).encode())
    | st.dictionaries(st.sampled_from([*_DATA, "more"]), JSON, max_size=3).map(
        lambda changed: dumped(_DATA | changed)
    )
)  # fmt: skip
def test_any_file_is_an_approval_or_a_refusal_that_names_it(raw: bytes) -> None:
    try:
        found = parse_approval(raw, file="x.json")
    except RefusedError as error:
        refusal = str(error)
    else:
        refusal = ""
        assert approval_text(found) == raw
    assert not refusal or refusal.startswith("`x.json` ")


# Who wrote the scenario


def git(folder: Path, *arguments: str, **env: str) -> None:
    subprocess.run(
        ["git", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false", *arguments],
        cwd=folder, check=True, capture_output=True, timeout=20,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **env},
    )  # fmt: skip


def commit(folder: Path, who: str, *, by: str | None = None) -> None:
    git(folder, "add", "-A")
    git(
        folder, "commit", "-q", "-m", "x",
        GIT_AUTHOR_NAME="x", GIT_AUTHOR_EMAIL=who,
        GIT_COMMITTER_NAME="y", GIT_COMMITTER_EMAIL=by or who,
    )  # fmt: skip


@pytest.fixture
def repository(tmp_path: Path, real_server: Callable[..., str]) -> Path:
    real_server("git")
    root = tmp_path / "repository"
    (root / "scenarios").mkdir(parents=True)
    git(root, "init", "-q")
    (root / "scenarios" / "one.yaml").write_text("one")
    commit(root, "carol@example.org", by="merger@example.org")
    (root / "two.yaml").write_text("two")
    commit(root, "dave@example.org")
    return root


def test_the_author_is_who_changed_the_file_last(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = repository / "scenarios" / "one.yaml"
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # must not lead git astray

    assert author_of(one) == "carol@example.org"
    assert author_of(repository / "two.yaml") == "dave@example.org"
    monkeypatch.chdir(repository / "scenarios")
    assert author_of(Path("one.yaml")) == "carol@example.org"


def test_the_author_of_what_is_not_committed_is_not_known(repository: Path, tmp_path: Path) -> None:
    changed, fresh, staged = (repository / n for n in ("two.yaml", "fresh.yaml", "staged.yaml"))
    changed.write_text("changed")
    fresh.write_text("x")
    staged.write_text("x")
    git(repository, "add", "staged.yaml")
    (tmp_path / "outside.yaml").write_text("x")

    assert [author_of(f) for f in (changed, fresh, staged)] == [None] * 3
    assert author_of(tmp_path / "outside.yaml") is None
    assert author_of(tmp_path / "no" / "where.yaml") is None


def test_a_shallow_clone_does_not_know_the_author(repository: Path, tmp_path: Path) -> None:
    """Its only commit, by Dave, looks as if it had written every file."""
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", "shallow")

    assert author_of(tmp_path / "shallow" / "scenarios" / "one.yaml") is None
