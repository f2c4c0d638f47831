"""`gameday doctor --source`: what a person sees with right and wrong credentials."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from source_fakes import FakeGrafana

from gameday.cli.main import run


@pytest.fixture(name="fake")
def _fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeGrafana]:
    monkeypatch.setenv("GRAFANA_TOKEN", "glsa_right")
    monkeypatch.chdir(tmp_path)
    with FakeGrafana() as fake:
        project(fake.url)
        yield fake


def project(url: str, **more: object) -> None:
    auth = {"bearer": {"env": "GRAFANA_TOKEN"}}
    source = {"preset": "grafana", "url": url, "auth": auth, **more}
    place = {"targets": {}, "alerts": {"http_json": {"grafana": source}}}
    data = {"gameday": 1, "environments": {"staging": place, "local": {"targets": {}}}}
    Path("gameday.yaml").write_text(yaml.safe_dump(data))


def doctor(*arguments: str) -> tuple[int, str]:
    """Exit code and all that is said, as `gameday doctor --source`."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = run(["doctor", "--source", *arguments])
    return code, out.getvalue()


def test_it_says_what_it_sees_and_what_it_cannot_judge(fake: FakeGrafana) -> None:
    fake.fire(at_ms=fake.clock_ms() - 60_000)
    code, text = doctor("grafana")
    assert code == 0, text
    assert "1 alerts in the last 1 d (1 firing, newest 1 min" in text
    assert "rules" in text
    assert "cannot judge           that it reached people, when it is acknowledged" in text
    assert {asked.method for asked in fake.asked} == {"GET"}
    assert "glsa_right" not in text


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "the credentials are missing or wrong"),
        (403, "these credentials may not read this"),
        (404, "is the `url` right"),
        (302, "follows no redirect"),
        (500, "no reason given"),
    ],
)
def test_it_says_what_is_wrong(fake: FakeGrafana, status: int, said: str) -> None:
    fake.down = (status, {})
    code, text = doctor("grafana")
    assert code == 3, text
    assert text.startswith("NO  grafana")
    assert f"answered {status}: " in text
    assert said in text


def test_a_clock_that_is_off(fake: FakeGrafana) -> None:
    fake.skew_ms = 40_000
    code, text = doctor("grafana")
    assert (code, "NO  clock" in text) == (3, True), text


def test_a_page_for_people_is_no_api(fake: FakeGrafana) -> None:
    fake.down = (200, b"<html>sign in</html>")
    code, text = doctor("grafana")
    assert (code, "is this the address of its API" in text) == (3, True), text


def test_a_rate_limit(fake: FakeGrafana) -> None:
    fake.limited, fake.retry_after = 9, "3600"
    code, text = doctor("grafana")
    assert (code, "asked again in 3600 s" in text) == (3, True), text


def test_nobody_there_and_a_proxy_that_is_not_used(
    fake: FakeGrafana, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.close()
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")
    code, text = doctor("grafana")
    assert code == 3, text
    assert "the connection was refused" in text
    assert "`HTTPS_PROXY` is set, and gameday asks its sources without a proxy" in text


def test_no_tls_there(fake: FakeGrafana) -> None:
    project(fake.url.replace("http://", "https://"))
    code, text = doctor("grafana")
    assert (code, "TLS" in text) == (3, True), text


def test_a_missing_secret(fake: FakeGrafana, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAFANA_TOKEN")
    code, text = doctor("grafana")
    assert (code, "the secret in `GRAFANA_TOKEN` is missing" in text) == (3, True), text


def test_a_source_that_is_not_there(fake: FakeGrafana) -> None:
    code, text = doctor("grafanna")
    assert (code, "did you mean `grafana`?" in text) == (2, True), text
    code, text = doctor("grafana", "--env", "local")
    assert (code, "there is no alert source `grafana`" in text) == (2, True), text
