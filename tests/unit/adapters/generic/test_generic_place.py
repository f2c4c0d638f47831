"""Allow-list, paths, environment and secrets of a call."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gameday.adapters.generic.place import SHOWN_CHARS, Place, is_reference, tail
from gameday.errors import RefusedError
from gameday.secrets import masked


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(
        directory=tmp_path,
        commands=("./run", "sh", "sub/../run", "/bin/sh", "./out", "../x"),
        run="r",
        fault="f",
        environ={"PATH": "/usr/bin:/bin", "HOME": "/h"},
        programs={},
    )


def test_programs(place: Place, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("#!/bin/sh\n")
    (tmp_path / "run").chmod(0o755)
    (tmp_path / "sub").mkdir()
    (tmp_path / "out").symlink_to("/bin/sh")
    assert Path(place.program("./run")) == tmp_path / "run"
    assert Path(place.program("sub/../run")) == tmp_path / "run"
    assert place.program("/bin/sh") == "/bin/sh"
    assert place.program("sh").endswith("/sh")
    for word in ("./out", "../x"):
        with pytest.raises(RefusedError, match="leads out of the project"):
            place.program(word)
    for word in ("run", "bash", "/bin/../bin/sh", "", "./run "):
        with pytest.raises(RefusedError, match="not in the `commands`"):
            place.program(word)
    with pytest.raises(RefusedError, match="allowed is nothing"):
        replace(place, commands=()).program("sh")


def test_a_program_that_was_found_before_is_used_first(place: Place, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("#!/bin/sh\n")
    (tmp_path / "mine").chmod(0o755)
    assert replace(place, programs={"sh": str(tmp_path / "mine")}).program("sh").endswith("mine")
    assert replace(place, programs={"sh": str(tmp_path / "away")}).program("sh").endswith("/sh")


def test_variables_are_few_and_ours_win(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "pa55 w/ord")
    call = {"env": {"X": "1", "T": {"env": "A_SECRET"}, "GAMEDAY_RUN": "forged"}}
    assert place.variables(call) == {
        "PATH": "/usr/bin:/bin", "HOME": "/h", "X": "1", "T": "pa55 w/ord",
        "GAMEDAY_RUN": "r", "GAMEDAY_FAULT": "f",
    }  # fmt: skip
    assert masked("x=pa55%20w%2Ford") == "x=***"


def test_secrets_are_found_at_any_depth(place: Place, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abcdef\n")
    values = {"k8s": {"token": {"file": "token", "prefix": "Bearer "}}, "n": 1, "e": {"a": 1}}
    assert place.resolved(values) == {"k8s": {"token": "Bearer abcdef"}, "n": 1, "e": {"a": 1}}


@pytest.mark.parametrize(
    ("value", "yes"),
    [
        ({"env": "X"}, True),
        ({"file": "x", "prefix": "B "}, True),
        ({"env": "X", "file": "x"}, False),
        ({"env": {"X": "1"}}, False),
        ({"env": "X", "other": "y"}, False),
        ({}, False),
        ("env", False),
    ],
)
def test_what_is_a_reference(value: object, yes: bool) -> None:
    assert is_reference(value) is yes


def test_only_the_end_of_an_output_is_shown() -> None:
    assert tail(" short \n") == "short"
    assert tail("a" * SHOWN_CHARS + "b") == "…" + "a" * (SHOWN_CHARS - 1) + "b"
