"""A proof that was asked for and failed makes the run, and every alert verdict, inconclusive."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from checks_support import NO_SERVER, also, good_run, plan, timeline

from gameday.checks import judge
from gameday.kpi.alert_verdict import alert_verdicts, run_of
from gameday.model.alerting import AlertWord
from gameday.model.verdict import Outcome, RunStatus

ASKED = plan(alerting=replace(NO_SERVER, proof="synthetic"))


def proven(**data: Any) -> Any:
    told = {"how": "synthetic", "alert": "GamedayPipelineProof", "ok": True, "ms": 12, **data}
    return also((100, "pipeline.proven", "pipeline", told))


def test_nothing_is_said_where_no_proof_is_asked() -> None:
    verdict = judge(plan(), timeline(good_run()))

    assert "alerts/pipeline" not in {f.check for f in verdict.findings}
    assert verdict.outcome is Outcome.PASS


def test_a_proof_that_worked_lets_the_run_pass() -> None:
    seen = timeline(good_run(), proven(shown="it arrived"))
    verdict = judge(ASKED, seen)

    found = next(f for f in verdict.findings if f.check == "alerts/pipeline")
    assert found.outcome is Outcome.PASS
    assert found.validity
    assert found.summary == "pipeline proven in 12 ms: it arrived"
    assert [e.kind for e in seen if e.seq in found.evidence] == ["pipeline.proven"]
    assert verdict.outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("spoils", "said"),
    [
        ((proven(ok=False, reason="it did not arrive"),), "it did not arrive"),
        ((), "the proof was not finished"),
    ],
)
def test_without_it_nothing_is_concluded(spoils: tuple[Any, ...], said: str) -> None:
    seen = timeline(good_run(), *spoils)

    verdict = judge(ASKED, seen)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.status is RunStatus.INVALID
    assert verdict.reason == f"pipeline not proven: {said}"
    words = alert_verdicts(run_of(ASKED, seen, verdict.findings))
    assert [(w.verdict, w.reason) for w in words] == [
        (AlertWord.INCONCLUSIVE, f"pipeline not proven: {said}")
    ]
