"""What a promtool says that does not say what ours does: it is no silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gameday.adapters.rehearsal import rehearse
from gameday.kpi.outlook import LivePrometheus, rule_of
from gameday.kpi.shares import UnpredictableError
from gameday.model.effect import Effect

QUERY = 'sum(rate(r_total{code="500"}[5s])) / sum(rate(r_total[5s])) > 0.05'
ROW: dict[str, Any] = {"name": "A", "group": "g", "query": QUERY, "interval": 1.0, "duration": 0.0}
FIRES = """  FAILED:
    alertname: A, time: 1m10s,
        exp:[],
        got:[
            0:
              Labels:{alertname="A"}
              Annotations:{}
            ]
"""


def rehearsed(folder: Path, said: str, code: int) -> float | None:
    promtool = folder / "promtool"
    promtool.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\nexit {code}\n")
    promtool.chmod(0o755)
    live = LivePrometheus(rows=[ROW], scrape_ms=1_000.0)
    rule, _ = rule_of(ROW, live, per_s=100.0)
    felt = Effect(kind="errors", share=0.5)
    return rehearse(str(promtool), ROW, {}, rule, felt, within_ms=90_000)


def test_when_it_fires(tmp_path: Path) -> None:
    at = rehearsed(tmp_path, FIRES, 1)
    assert at is not None
    assert 50_000 < at < 70_000  # what it played before the fault is not counted


def test_that_it_never_fires(tmp_path: Path) -> None:
    assert rehearsed(tmp_path, "Unit Testing: tests.json\n  SUCCESS", 0) is None


@pytest.mark.parametrize(
    "said",
    [
        FIRES.replace("alertname: A, time:", "A fired at"),
        FIRES.replace("exp:[],", "expected nothing"),
        "got: something else",
        "flag provided but not defined",
    ],
)
def test_what_it_says_in_other_words_is_not_taken_for_never(tmp_path: Path, said: str) -> None:
    with pytest.raises(UnpredictableError, match="could not rehearse it"):
        rehearsed(tmp_path, said, 1)
