"""The shop's runbooks against the rules that a real Prometheus has loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from alerts_support import prometheus_in
from ports_support import free_port

from gameday.app.runbook_lint import LintRequest, run_lint
from gameday.model.runbook import Finding, Level

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 6, 1)


@pytest.fixture(name="prometheus", scope="module")
def _prometheus(
    tmp_path_factory: pytest.TempPathFactory, real_server: Callable[..., str]
) -> Iterator[str]:
    """With the shop's rules, and one more without a runbook, and one whose link is dead."""
    program = real_server("prometheus")
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    shop = ROOT / "gameday" / "demo" / "files" / "rules.yml"
    (folder / "more.yml").write_text(
        "groups:\n  - name: more\n    rules:\n"
        "      - {alert: NobodyKnows, expr: vector(1)}\n"
        "      - {alert: LeadsAstray, expr: vector(1),"
        " annotations: {runbook_url: runbooks/gone.md}}\n"
        "      - alert: ByName\n        expr: vector(1)\n"
        "        annotations: {runbook_url: 'https://wiki.example.org/payments-slow'}\n"
    )
    (folder / "prometheus.yml").write_text(f"rule_files: ['{shop}', '{folder / 'more.yml'}']\n")
    server = prometheus_in(folder, program, port)
    try:
        server.start()
        yield server.url
    finally:
        server.kill()


def alert_findings(prometheus: str) -> list[Finding]:
    request = LintRequest(prometheus=prometheus, select=["alert"], level="note")
    return [f for f in run_lint(request, today=TODAY).findings if f.level is not Level.NOTE]


def test_both_directions(prometheus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "scenarios")

    found = alert_findings(prometheus)

    assert [(f.rule, f.file, f.message.partition("`")[2].partition("`")[0]) for f in found] == [
        ("alert/dead-runbook", prometheus, "runbook_url"),
        ("alert/no-runbook", prometheus, "NobodyKnows"),
    ]


def test_a_runbook_that_the_rules_do_not_know(
    prometheus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runbooks").mkdir()
    text = "---\nalerts: [PaymentsSlow, PaymentSlow]\n---\n# T\n"
    (tmp_path / "runbooks" / "other.md").write_text(text)
    monkeypatch.chdir(tmp_path)

    found = [f for f in alert_findings(prometheus) if f.file != prometheus]

    assert [(f.rule, f.line) for f in found] == [("alert/not-linked", 2), ("alert/unknown", 2)]
    assert found[1].hint == "did you mean `PaymentsSlow`?"
