"""`gameday check --online` against a real Prometheus and a real Alertmanager."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from alerts_support import Stack, post, until

from gameday.cli.main import run

pytestmark = pytest.mark.real

SCENARIO = """\
gameday: 1
id: {id}
title: Checkout fails
service: shop
owner: team-checkout
hypothesis: The alert catches it.
load:
  target: shop
  arrivals: 100/s
  journeys:
    checkout: {{steps: [{{post: /checkout, json: {{sku: A1}}}}]}}
phases: {{warmup: 10s, baseline: 30s, fault: 60s, recovery: 30s}}
faults:
  - {{id: down, target: payments, down: true}}
expect:
  baseline: [errors < 1%]
  fault: [errors < 90%]
  alerts:
    - {alert}
stop_when: [errors > 95% for 10s]
"""
PROJECT = """\
gameday: 1
environments:
  local:
    targets:
      shop: {{url: "http://127.0.0.1:18801"}}
      payments: {{proxy: payments, listen: "127.0.0.1:18805", upstream: "{upstream}"}}
    alerts:
      prometheus: {{url: "{prometheus}"}}
      alertmanager: {{url: "{alertmanager}"}}
services:
  shop: {{tier: 1, slos: {{availability: 99.9%}}}}
"""


@pytest.fixture(name="stack", scope="module")
def _stack(
    tmp_path_factory: pytest.TempPathFactory, real_server: Callable[..., str]
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    prometheus = real_server("prometheus")
    alertmanager = real_server("prometheus-alertmanager", "alertmanager")
    stack = Stack(folder, prometheus, alertmanager, ["http://127.0.0.1:9/hook"])
    try:
        stack.start()
        until("a scrape", lambda: stack.values("up"))
        yield stack
    finally:
        stack.close()


def urls_of(stack: Stack) -> dict[str, str]:
    """What the project file names; its `payments` is whatever listens."""
    prometheus = stack.prometheus.url
    upstream = urlsplit(prometheus).netloc
    alertmanager = stack.alertmanager.url
    return {"prometheus": prometheus, "alertmanager": alertmanager, "upstream": upstream}


@pytest.fixture(name="asked")
def _asked(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, dict[str, Any]]]:
    def ask(alert: str, **more: str) -> tuple[int, dict[str, Any]]:
        urls = urls_of(stack) | more
        (tmp_path / "gameday.yaml").write_text(PROJECT.format(**urls))
        scenario = tmp_path / "down.yaml"
        scenario.write_text(SCENARIO.format(id="down", alert=alert))
        code = run(["check", "--online", "--json", str(scenario)])
        lines = capsys.readouterr().out.splitlines()
        assert set(json.loads(lines[0])) == {"diagnostics"}
        assert len(lines) == 2
        return code, json.loads(lines[-1])

    return ask


def found(answer: dict[str, Any], code: str) -> dict[str, Any]:
    (alert,) = answer["alerts"]
    (finding,) = (f for f in alert["findings"] if f["code"] == code)
    assert isinstance(finding, dict)
    return finding


def test_the_example_of_the_page(
    stack: Stack,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    real_server: Callable[..., str],
) -> None:
    real_server("promtool")
    page = Path(__file__).parents[2] / "docs" / "check-online.md"
    example = page.read_text().split("```text\n")[1].split("```")[0]
    (tmp_path / "gameday.yaml").write_text(PROJECT.format(**urls_of(stack)))
    alerts = (
        "{alert: HighErrorRate, fires_within: 30s, receiver: pager, effect: errors 50%}\n"
        "    - {alert: NeverLong, fires_within: 50s}"
    )
    (tmp_path / "down.yaml").write_text(SCENARIO.format(id="checkout-down", alert=alerts))
    assert run(["check", "--online", str(tmp_path / "down.yaml")]) == 2
    said = capsys.readouterr().out
    assert example in said, said


def test_an_alert_that_can_catch_it(asked: Callable[..., Any]) -> None:
    expected = "{alert: HighErrorRate, fires_within: 30s, receiver: pager, effect: errors 50%}"
    code, answer = asked(expected)
    assert code == 0, answer
    (alert,) = answer["alerts"]
    assert alert["receivers"] == ["pager"]
    earliest, latest = alert["firing_ms"]
    assert 2_000 < earliest < latest <= earliest + 2_000.01  # `for: 2s`, a scrape, an evaluation
    assert alert["delivered_ms"] == [earliest, latest]  # no group wait
    assert not [f for f in alert["findings"] if f["level"] == "error"]


@pytest.mark.parametrize(
    ("expected", "code", "words", "certain"),
    [
        ("{alert: NeverLong, fires_within: 50s}", "too-slow", "10 min `for`", True),
        ("{alert: NoSuch, fires_within: 50s}", "no-rule", "no alerting rule", False),
        (
            "{alert: HighErrorRate, labels: {severity: ticket}, fires_within: 50s}",
            "wrong-labels",
            "severity=page",
            False,
        ),
        (
            "{alert: HighErrorRate, fires_within: 50s, receiver: nobody}",
            "wrong-receiver",
            "would reach `pager`",
            False,
        ),
        (
            "{alert: HighErrorRate, fires_within: 50s, effect: errors 3%}",
            "no-effect",
            "does not fire under `errors 3 %`",
            False,
        ),
        (
            "{alert: ErrorsAtNight, fires_within: 50s, receiver: pager}",
            "muted",
            "muted by the time interval `any-time` for all of a run that begins now",
            False,
        ),
    ],
)
def test_what_cannot_be_met(
    asked: Callable[..., Any], expected: str, code: str, words: str, certain: bool
) -> None:
    exit_code, answer = asked(expected)
    finding = found(answer, code)
    assert exit_code == 2
    assert words in finding["text"]
    assert (finding["level"], finding["certain"]) == ("error", certain)


def test_a_silence_would_swallow_it(asked: Callable[..., Any], stack: Stack) -> None:
    matcher = {"name": "severity", "value": "tick.*", "isRegex": True, "isEqual": True}
    silence = {
        "matchers": [matcher],
        "startsAt": "2020-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z",
        "createdBy": "test",
        "comment": "test",
    }
    silence_id = post(f"{stack.alertmanager.url}/api/v2/silences", silence)["silenceID"]
    code, answer = asked("{alert: ErrorsTicket, fires_within: 30s}")
    assert code == 2
    assert silence_id in found(answer, "silenced")["text"]
    assert asked("{alert: HighErrorRate, fires_within: 30s}")[0] == 0


def test_leftover_errors_and_what_inhibits(asked: Callable[..., Any], stack: Stack) -> None:
    stack.target.fault(0.5)
    try:
        url = f"{stack.alertmanager.url}/api/v2/alerts"
        from alerts_support import get

        until(
            "it fires", lambda: any(a["labels"]["alertname"] == "HighErrorRate" for a in get(url))
        )
        code, answer = asked(
            "{alert: ErrorsElevated, labels: {service: checkout}, fires_within: 9s}"
        )
    finally:
        stack.target.fault(0.0)
        until("it is over", lambda: not stack.values('ALERTS{alertname="HighErrorRate"}'))
    assert code == 2
    assert "`HighErrorRate`" in found(answer, "inhibited")["text"]
    # the load plays 40 s before the fault, and the window is 3 s: what is in it now does no harm
    assert not [f for f in answer["alerts"][0]["findings"] if f["code"] == "leftover"]


def test_a_server_that_does_not_answer(asked: Callable[..., Any]) -> None:
    code, answer = asked("{alert: A, fires_within: 30s}", prometheus="http://127.0.0.1:9")
    assert code == 3
    assert "refused" in answer["error"]


def test_what_can_certainly_not_be_refuses_a_run_and_what_may_not_is_a_warning(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gameday.yaml").write_text(PROJECT.format(**urls_of(stack)))
    alerts = (
        "{alert: NeverLong, fires_within: 50s}\n"
        "    - {alert: HighErrorRate, fires_within: 50s, effect: errors 3%}"
    )
    scenario = tmp_path / "down.yaml"
    scenario.write_text(SCENARIO.format(id="down", alert=alerts))
    assert run(["plan", str(scenario)]) == 0
    said = capsys.readouterr().out
    refused = said.partition("a run would be refused now:")[2]
    assert "alert: NeverLong: cannot be faster than 10 min" in refused
    assert "HighErrorRate" not in refused
    assert "warning: alert HighErrorRate: does not fire under `errors 3 %`" in said
    assert run(["run", "--reports", str(tmp_path / "reports"), str(scenario)]) == 2
    assert "NeverLong: cannot be faster than 10 min" in capsys.readouterr().err
    assert not list((tmp_path / "reports").glob("*/journal.jsonl"))
