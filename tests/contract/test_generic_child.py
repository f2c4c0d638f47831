"""Child processes: how they are told apart, and that they leave nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gameday.adapters.generic.child import Ended, run_program

ENV = {"PATH": os.environ["PATH"]}


def sh(text: str, cwd: Path) -> Ended:
    return run_program("/bin/sh", ["sh", "-c", text], env=ENV, cwd=cwd, within_s=20)


@pytest.mark.parametrize(
    ("text", "code"),
    [("exit 0", 0), ("exit 127", 127), ("kill -9 $$", 137), ("kill -TERM $$", 143)],
)
def test_the_exit_code_is_that_of_the_program(tmp_path: Path, text: str, code: int) -> None:
    assert sh(text, tmp_path) == Ended(code=code)


def test_what_was_never_started_is_told_from_what_failed(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    for program, cwd in ((nowhere, tmp_path), ("/bin/sh", tmp_path / "away")):
        ended = run_program(program, ["x"], env=ENV, cwd=cwd, within_s=20)
        assert (ended.refused, ended.code) == ("no such file or directory", None)


def test_streams_are_told_apart(tmp_path: Path) -> None:
    ended = sh("echo out; echo err >&2", tmp_path)
    assert (ended.out, ended.err) == (b"out\n", b"err\n")


def test_broken_pipes_end_a_program_as_in_a_shell(tmp_path: Path) -> None:
    assert sh("yes | head -n 1", tmp_path).out == b"y\n"


def test_no_descriptor_is_left(tmp_path: Path) -> None:
    sh("exit 0", tmp_path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for text in ("exit 0", "exit 3", "sleep 0.01 & exit 0"):
        sh(text, tmp_path)
    run_program("/no/such", ["x"], env=ENV, cwd=tmp_path, within_s=20)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
