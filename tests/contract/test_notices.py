"""Notices through Apprise: to loopback servers, in the process that really sends them."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from notice_fakes import Sink, mail_server, sink

from gameday import telling
from gameday.adapters.notices import apprise_sender
from gameday.errors import CannotSeeError, RefusedError
from gameday.model.notices import Exercise, NoticeMoment, NoticeSpec, Told
from gameday.model.secret import SecretRef
from gameday.telling import Sending, Sent, begin

TOLD = Told(moment=NoticeMoment.STOP, reason="errors > 50%: 62 % of 320 requests")
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"


@pytest.fixture(autouse=True)
def _loaded() -> None:
    """The library warns of itself when it is loaded; that is no news."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        apprise_sender.warm()


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine takes its time; what is too long is tested where it is meant."""
    monkeypatch.setattr(telling, "LIMIT_S", 60.0)
    monkeypatch.setattr(telling, "WAIT_S", 240.0)


@pytest.fixture
def hook() -> Iterator[Sink]:
    with sink() as made:
        yield made


def exercise(
    *names: str, detail: str = "brief", directory: Path = Path("/nonexistent")
) -> Exercise:
    return Exercise(
        run="20260314T150000Z-payments-slow-1a2b",
        scenario="payments-slow",
        title="Payments answers 800 ms late",
        service="shop",
        environment="staging",
        length_ms=90_000,
        faults=("slow on payments",),
        directory=str(directory),
        notices=tuple(
            NoticeSpec(name=name, url=SecretRef(env=f"NOTICE_{name}"), detail=detail)
            for name in names
        ),
    )


def told(monkeypatch: pytest.MonkeyPatch, **urls: str) -> dict[str, Sent]:
    for name, url in urls.items():
        monkeypatch.setenv(f"NOTICE_{name}", url)
    return {one.to: one for one in begin(exercise(*urls), TOLD).results(240)}


def test_a_message_is_marked_as_an_exercise(hook: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    found = told(monkeypatch, chat=hook.url)

    assert (found["chat"].error, found["chat"].scheme) == ("", "json")
    ((path, body),) = hook.posts
    assert path == "/hook-token-1234"
    assert body["title"] == "[EXERCISE] gameday on shop (staging) was stopped"
    assert "errors > 50%: 62 % of 320 requests" in body["message"]
    assert body["type"] == "warning"


def test_mail_has_the_mark_in_its_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server() as box:
        url = f"mailto://127.0.0.1:{box.port}?from=gameday@example.org&to=team@example.org"
        found = told(monkeypatch, mail=f"{url}&mode=insecure")

    assert found["mail"].error == ""
    (mail,) = box.mail
    assert str(mail["Subject"]).startswith("[EXERCISE] gameday on shop (staging)")
    text = "".join(
        str(part.get_payload(decode=True)) for part in mail.walk() if not part.is_multipart()
    )
    assert "This is an exercise" in text


def test_one_that_fails_does_not_keep_the_others(
    hook: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = told(
        monkeypatch,
        chat=hook.url,
        gone="json://gone-user:gone-password@127.0.0.1:9/gone-token",
        unknown="nonsense://unknown-token",
    )
    missing = begin(exercise("missing"), TOLD).results(240)[0]

    assert found["chat"].error == ""
    assert "could not be reached" in found["gone"].error
    assert "Apprise does not know such an address" in found["unknown"].error
    assert (
        missing.error == "the secret in `NOTICE_missing` is missing: set that environment variable"
    )
    assert not any("token" in one.error or "gone-" in one.error for one in found.values())


@pytest.mark.parametrize(("status", "hint"), [(500, ""), (401, " (is its token right?)")])
def test_a_refusal_is_told_with_its_status_and_no_secret(
    status: int, hint: str, hook: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook.status = status
    found = told(monkeypatch, chat=hook.url)

    assert found["chat"].error == f"its server answered {status}{hint}"
    assert len(hook.posts) == 1, "it is tried once"


def test_a_server_that_hangs_is_given_up(hook: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "LIMIT_S", 0.5)
    hook.open.clear()
    monkeypatch.setenv("NOTICE_chat", f"{hook.url}?rto=60")
    sending = begin(exercise("chat"), TOLD)

    assert sending.wait(240), "the process ends by itself"
    assert "it may have been sent" in sending.results()[0].error
    assert sending._process is not None
    assert sending._process.returncode is not None


def test_who_waits_no_longer_says_that_it_is_not_known(
    hook: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook.open.clear()
    monkeypatch.setenv("NOTICE_chat", hook.url)
    sending = begin(exercise("chat"), TOLD)

    early = sending.results(0.0)[0]
    assert early.error.startswith("no answer within")
    assert early.error.endswith("it may have been sent")
    hook.open.set()
    assert sending.wait(240)
    assert sending.results()[0].error == "", "it goes on by itself"


def test_a_secret_may_be_in_a_file_of_the_project(hook: Sink, tmp_path: Path) -> None:
    (tmp_path / "chat.url").write_text(f"{hook.url}\nmore\n")
    one = NoticeSpec(name="chat", url=SecretRef(file="chat.url"))
    message = exercise().message(TOLD, "brief")
    found = Sending([one], [message], "stop", base=str(tmp_path)).results(240)

    assert found[0].error == ""
    assert len(hook.posts) == 1


def test_no_process_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert begin(exercise("chat"), TOLD).results()[0].error == "no process could be started for it"


def test_what_the_process_says_is_not_trusted() -> None:
    for line in ("", "[]", "{}", "null", '{"to": "x", "ms": "many"}', "\x00", "[" * 10_000):
        assert telling._sent(line) is None
    long = json.dumps({"to": "x", "error": "y" * 5_000})
    found = telling._sent(long)
    assert found is not None
    assert len(found.error) == 300


def test_slack_gets_the_mark_first(hook: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real plug-in of Apprise, its address turned to loopback."""
    from apprise.plugins import slack

    monkeypatch.setattr(slack.NotifySlack, "webhook_url", f"http://127.0.0.1:{hook.port}/services")
    apprise_sender.send(SLACK, exercise().message(TOLD, "brief"), "stop")

    ((path, body),) = hook.posts
    assert path == "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    assert first_text(body).startswith("[EXERCISE] gameday on shop")


def test_a_refusal_of_slack_does_not_show_its_token(
    hook: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apprise.plugins import slack

    hook.status = 403
    monkeypatch.setattr(slack.NotifySlack, "webhook_url", f"http://127.0.0.1:{hook.port}/services")
    with pytest.raises(CannotSeeError) as error:
        apprise_sender.send(SLACK, exercise().message(TOLD, "brief"), "stop")
    assert str(error.value) == "its server answered 403 (is its token right?)"


def test_teams_gets_the_mark_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workflow of Teams, over TLS, in the process that really sends."""
    authority = trustme.CA()
    both, root = tmp_path / "both.pem", tmp_path / "root.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(both))
    authority.cert_pem.write_to_path(str(root))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(root))
    with sink(certificate=both) as teams:
        teams.status = 202
        found = told(
            monkeypatch, teams=f"workflows://127.0.0.1:{teams.port}/643e69f8/KODuebWbDGYF/"
        )

    assert (found["teams"].error, found["teams"].scheme) == ("", "workflows")
    ((path, body),) = teams.posts
    assert path.startswith("/workflows/643e69f8/triggers/manual/paths/invoke")
    assert first_text(body).startswith("[EXERCISE] gameday on shop")


def first_text(body: Any) -> str:
    """The first title or text that a reader sees."""
    if isinstance(body, dict):
        for key in ("title", "text"):
            if isinstance(body.get(key), str) and body[key].strip():
                return str(body[key])
        body = list(body.values())
    if isinstance(body, list):
        return next((text for one in body if (text := first_text(one))), "")
    return ""


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        (SLACK, "slack"),
        ("https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "slack"),
        ("mailtos://user:password@example.org", "mailtos"),
        ("https://example.org/token", "https"),
        ("no address", "?"),
    ],
)
def test_of_an_address_only_its_kind_is_shown(url: str, scheme: str) -> None:
    assert apprise_sender.scheme_of(url) == scheme


def test_without_apprise_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(RefusedError, match=r"pip install 'gameday\[notices\]'"):
        apprise_sender.check(SLACK)
