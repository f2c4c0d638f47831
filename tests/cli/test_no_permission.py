"""Files in a folder that this user may not enter, as in a container: that is no bug of ours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gameday.cli.main import run

NOBODY = 65_534
COMMANDS = ("check", "plan", "run")


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A folder with a scenario, which this process may not enter until the test is over."""
    folder = tmp_path / "closed"
    folder.mkdir()
    (folder / "scenario.yaml").write_text("gameday: 1\n")
    (folder / "scenario.yaml").chmod(0o600)
    root = os.geteuid() == 0
    for command in COMMANDS:  # all modules are there before
        run([command, str(tmp_path / "none.yaml")])
    folder.chmod(0)
    if root:
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("named", ["closed/scenario.yaml", "closed"])
def test_it_is_said_without_a_traceback(
    closed: Path, capsys: pytest.CaptureFixture[str], command: str, named: str
) -> None:
    code = run([command, str(closed.parent / named)])
    said = "".join(capsys.readouterr())

    assert code == 2, said
    assert "Traceback" not in said
    assert "closed" in said
