"""`gameday load worker`: its questions are answered before anything is connected."""

from __future__ import annotations

from pathlib import Path

import pytest

from gameday.cli.main import run


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GAMEDAY_LOAD_TOKEN", raising=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--master", "here"], "`here` is no address; write `HOST:PORT`"),
        (["--master", "127.0.0.1:5557"], "put it into `GAMEDAY_LOAD_TOKEN`"),
        (["--master", "127.0.0.1:5557", "--token-env", "NO_SUCH"], "put it into `NO_SUCH`"),
        (["--master", "127.0.0.1:5557", "--token", "t", "--locustfile", "none.py"],
         "there is no locustfile `none.py`"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run(["load", "worker", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_file_for_locusts_own_command_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["load", "worker", "--plugin"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.name == "agent_worker.py"
    assert "events" in path.read_text()
