from __future__ import annotations

from pathlib import Path

import pytest

from gameday import secrets
from gameday.errors import RefusedError
from gameday.model.secret import SecretRef


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "t0p-secret")
    assert secrets.resolve(SecretRef(env="SOME_TOKEN", prefix="Bearer ")) == "Bearer t0p-secret"
    assert secrets.masked("got 401 for Bearer t0p-secret") == "got 401 for Bearer ***"


def test_a_secret_comes_from_the_first_line_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\nrest\n")
    assert secrets.resolve(SecretRef(file="token"), base=tmp_path) == "from-a-file"
    assert "from-a-file" not in secrets.masked("x from-a-file y")


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_file_without_a_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(RefusedError, match="token"):
        secrets.resolve(SecretRef(file="token"), base=tmp_path)


def test_a_missing_secret_is_refused_by_the_name_of_its_place(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="NOT_SET_ANYWHERE"):
        secrets.resolve(SecretRef(env="NOT_SET_ANYWHERE"))
    with pytest.raises(RefusedError, match="No such file"):
        secrets.resolve(SecretRef(file="missing"), base=tmp_path)


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    secrets.remember("abcd")
    secrets.remember("abcd-efgh")
    assert secrets.masked("abcd-efgh abcd") == "*** ***"


def test_what_is_too_short_is_not_masked() -> None:
    secrets.remember("a")
    assert secrets.masked("a cat") == "a cat"


def test_a_reference_is_read_back_from_json() -> None:
    assert secrets.from_json("plain") == "plain"
    assert secrets.from_json({"env": "X", "prefix": "P "}) == SecretRef(env="X", prefix="P ")
