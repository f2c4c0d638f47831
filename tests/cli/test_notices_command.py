"""`gameday notices test`: what would be sent where; one message to each only when asked for."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from gameday import telling
from gameday.adapters.notices import apprise_sender
from gameday.cli.main import run

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))
from notice_fakes import Sink, sink

PROJECT = """\
gameday: 1
environments:
  local:
    targets: {shop: {url: "http://127.0.0.1:18801"}}
notices:
  chat:
    url: {env: NOTICE_CHAT}
    environments: [local]
    at: [dirty, clear]
"""


@pytest.fixture
def chat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        apprise_sender.warm()
    (tmp_path / "gameday.yaml").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(telling, "LIMIT_S", 60.0)  # a busy machine takes its time
    monkeypatch.setattr(telling, "WAIT_S", 240.0)
    with sink() as made:
        monkeypatch.setenv("NOTICE_CHAT", made.url)
        yield made


def test_nothing_is_sent_unless_asked_for(chat: Sink, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["notices", "test"]) == 0
    said = capsys.readouterr().out
    assert chat.posts == []
    assert "chat (json, from environment variable NOTICE_CHAT): would be sent" in said
    assert "told of dirty, clear in local; brief" in said
    assert "[EXERCISE] gameday: a test message" in said
    assert "nothing was sent" in said
    assert "hook-token-1234" not in said


def test_one_message_is_really_sent(chat: Sink, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["notices", "test", "chat", "--send", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["name"], row["scheme"], row["sent"], row["error"]) == ("chat", "json", True, "")
    assert chat.titles == ["[EXERCISE] gameday: a test message"]


def test_what_was_not_taken_ends_with_3(chat: Sink, capsys: pytest.CaptureFixture[str]) -> None:
    chat.status = 500
    assert run(["notices", "test", "--send"]) == 3
    assert "NOT SENT: its server answered 500" in capsys.readouterr().out


def test_a_missing_address_is_said(
    chat: Sink, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NOTICE_CHAT")
    assert run(["notices", "test", "--send"]) == 3
    assert "the secret in `NOTICE_CHAT` is missing" in capsys.readouterr().out
    assert chat.posts == []


@pytest.mark.parametrize(
    ("project", "arguments", "said"),
    [
        (PROJECT, ["other"], "there is no notice `other`; there are chat"),
        (PROJECT.partition("notices:")[0], [], "has no `notices`"),
        (PROJECT.replace("[local]", "[]"), [], "`environments` is empty"),
        (PROJECT.replace("{env: NOTICE_CHAT}", "slack://A/B/secret99"), [], "stands in the file"),
        (None, [], "no `gameday.yaml` here or above"),
    ],
)
def test_what_is_wrong_with_the_project_is_said(
    project: str | None, arguments: list[str], said: str, chat: Sink,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    Path("gameday.yaml").unlink()
    if project is not None:
        Path("gameday.yaml").write_text(project)
    assert run(["notices", "test", *arguments]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "secret99" not in err


def test_a_check_shows_no_address_that_stands_in_the_file(
    chat: Sink, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("gameday.yaml").write_text(PROJECT.replace("{env: NOTICE_CHAT}", "slack://A/B/secret99"))
    assert run(["check", "gameday.yaml"]) == 2
    out = capsys.readouterr()
    assert "notice/url" in out.out + out.err
    assert "secret99" not in out.out + out.err
