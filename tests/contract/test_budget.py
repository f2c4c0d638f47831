"""The error budget: what is left, from Prometheus or a file, and what a run spent of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alert_fakes import FakePrometheus

from gameday.adapters import budget
from gameday.adapters.budget import read_budget
from gameday.errors import CannotSeeError
from gameday.kpi.budget import budget_spent
from gameday.model.histogram import bucket_of
from gameday.model.policy import BudgetSource
from gameday.model.project import Slo
from gameday.model.window import Cell, Tick

QUERY = BudgetSource(floor=0.25, query="slo:budget_left")
FILE = BudgetSource(floor=0.25, file="left")


@pytest.fixture(name="fake")
def _fake() -> Iterator[FakePrometheus]:
    fake = FakePrometheus()
    yield fake
    fake.close()


def answer(kind: str, result: Any, **more: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": kind, "result": result}, **more}


def sample(value: Any) -> dict[str, Any]:
    return {"metric": {}, "value": [1_700_000_000.0, value]}


@pytest.mark.parametrize(
    ("raw", "left"),
    [
        (answer("vector", [sample("0.42")]), 0.42),
        (answer("vector", [sample("-1.5")]), -1.5),
        (answer("vector", [sample("1")]), 1.0),
        (answer("scalar", [1_700_000_000.0, "0.5"]), 0.5),
    ],
)
def test_the_answer_of_a_query(fake: FakePrometheus, raw: Any, left: float) -> None:
    fake.routes["/api/v1/query"] = raw

    assert read_budget(QUERY, fake.url, Path()) == (left, f"prometheus at {fake.url}")
    assert fake.asked == [("/api/v1/query", {"query": ["slo:budget_left"]})]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (answer("vector", []), "gives 0 values; it has to give one"),
        (answer("vector", [sample("0.4"), sample("0.5")]), "gives 2 values"),
        (answer("vector", [sample("NaN")]), "gives nan, which is no share"),
        (answer("vector", [sample("+Inf")]), "gives inf"),
        (answer("vector", [sample("42")]), "a share is at most 1: divide percent by 100"),
        (answer("vector", [sample(None)]), "no number"),
        (answer("vector", [sample("x")]), "no number"),
        (answer("vector", [{"metric": {}, "histogram": [1, {}]}]), "no number"),
        (answer("vector", ["x"]), "no number"),
        (answer("matrix", []), "gives a matrix"),
        (answer("string", [1, "0.4"]), "gives a string"),
        (answer("vector", [sample("0.4")], warnings=["partial response"]), "partial response"),
        ({"status": "success", "data": None}, "gave no result"),
        ([], "gave no result"),
    ],
)
def test_an_answer_that_is_no_budget(fake: FakePrometheus, raw: Any, words: str) -> None:
    fake.routes["/api/v1/query"] = raw

    with pytest.raises(CannotSeeError, match=words):
        read_budget(QUERY, fake.url, Path())


@pytest.mark.parametrize("mode", ["hang", "drip", "500", "401", "302", "null", "html", "deep"])
def test_a_prometheus_that_fails(
    fake: FakePrometheus, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "WITHIN_S", 0.3)
    fake.mode = mode

    with pytest.raises(CannotSeeError, match="Prometheus"):
        read_budget(QUERY, fake.url, Path())


def test_a_prometheus_that_is_not_there_and_none_at_all() -> None:
    with pytest.raises(CannotSeeError, match=r"Prometheus at .*: the connection was refused"):
        read_budget(QUERY, "http://127.0.0.1:9", Path())
    with pytest.raises(CannotSeeError, match="the environment has no Prometheus"):
        read_budget(QUERY, None, Path())
    with pytest.raises(CannotSeeError, match="neither a `query` nor a `file`"):
        read_budget(BudgetSource(floor=0.1), None, Path())


@pytest.mark.parametrize(
    ("text", "left"),
    [("0.42", 0.42), ("42 %\n", 0.42), ("42%", 0.42), ("-3.5 %", -0.035), ("1", 1.0), ("0", 0.0)],
)
def test_a_file(tmp_path: Path, text: str, left: float) -> None:
    (tmp_path / "left").write_text(text)

    assert read_budget(FILE, None, tmp_path) == (pytest.approx(left), "file left")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "should hold what is left"),
        ("42", "a share is at most 1"),
        ("101 %", "a share is at most 1"),
        ("nan", "should hold"),
        ("0.4\n0.5", "should hold"),
        ("0,4", "should hold"),
        ("1e-1", "should hold"),
        ("9" * 400, "which is no share"),
        ("x" * 9_000, "should hold"),
    ],
)
def test_a_file_without_a_budget(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "left").write_text(text)

    with pytest.raises(CannotSeeError, match=words):
        read_budget(FILE, None, tmp_path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CannotSeeError, match="`left` cannot be read: No such file"):
        read_budget(FILE, None, tmp_path)
    os.mkfifo(tmp_path / "left")
    with pytest.raises(CannotSeeError, match="no regular file"):
        read_budget(FILE, None, tmp_path)


# What a run spent


def cell(second: int, outcome: str, n: int, ms: int = 10, *, edge: bool = False) -> Cell:
    return Cell(
        second=second, journey="j", name="n", outcome=outcome, edge=edge,
        response={bucket_of(ms * 1000): n},
    )  # fmt: skip


def ticks(*cells: Cell) -> list[Tick]:
    return [Tick(second=c.second, cells=(c,)) for c in cells]


def test_five_minutes_of_full_outage_are_11_6_percent_of_a_month_at_three_nines() -> None:
    """Worked by hand: 300 s / (0.001 * 2,592,000 s) = 11.57 %."""
    load = ticks(*(cell(s, "http_5xx", 10) for s in range(300)))

    (found,) = budget_spent(
        [Slo(name="availability", share=0.999)], load, window_ms=30 * 86_400_000
    )

    assert (found.n, found.bad, found.outage_ms) == (3_000, 3_000, 300_000)
    assert found.spent == pytest.approx(1_000)
    assert found.of_window == pytest.approx(0.1157, abs=0.0001)
    assert "as much harm as 5 min of full outage, 11.57 % of the budget" in found.text


def test_bad_over_allowed_and_outage_by_second() -> None:
    """200 requests, 99 % good wanted: 2 bad ones allowed. 3 bad of 100, then 1 of 100."""
    load = ticks(
        cell(0, "ok", 97), cell(0, "timeout", 3), cell(1, "ok", 99), cell(1, "connection", 1),
        cell(1, "connection", 50, edge=True), cell(1, "ok", 7, edge=True),
    )  # fmt: skip

    (found,) = budget_spent([Slo(name="availability", share=0.99)], load)

    assert (found.n, found.bad, found.edge) == (200, 4, 57)
    assert found.spent == pytest.approx(2.0)
    assert found.outage_ms == 40
    assert found.of_window is None


def test_late_answers_are_bad_for_an_objective_with_a_latency() -> None:
    slow = Slo(name="latency", share=0.9, latency_ms=500)
    load = ticks(cell(0, "ok", 80, 100), cell(0, "ok", 15, 900), cell(0, "timeout", 5, 100))

    latency, availability = budget_spent([slow, Slo(name="availability", share=0.9)], load)

    assert (latency.bad, availability.bad) == (20, 5)
    assert latency.spent == pytest.approx(2.0)
    assert availability.spent == pytest.approx(0.5)


def test_without_requests_nothing_is_known_and_an_objective_of_all_is_no_division_by_zero() -> None:
    (nothing,) = budget_spent([Slo(name="a", share=0.99)], [], window_ms=1_000)
    (all_,) = budget_spent([Slo(name="a", share=1.0)], ticks(cell(0, "timeout", 1)))

    assert (nothing.spent, nothing.of_window, nothing.outage_ms) == (None, None, 0)
    assert "nothing is known" in nothing.text
    assert all_.spent == pytest.approx(1e6)
