"""The error budget, asked of a real Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alerts_support import prometheus_in
from ports_support import free_port

from gameday.adapters.budget import read_budget
from gameday.errors import CannotSeeError
from gameday.model.policy import BudgetSource

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def prometheus(
    tmp_path_factory: pytest.TempPathFactory, real_server: Callable[..., str]
) -> Iterator[str]:
    program = real_server("prometheus")
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    (folder / "prometheus.yml").write_text("{}\n")
    server = prometheus_in(folder, program, port)
    try:
        server.start()
        yield server.url
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("vector(0.42)", 0.42),
        ("0.42", 0.42),
        ("1 - (vector(0.004) / (1 - 0.999))", -3.0),
        ("min(vector(0.1) or vector(0.2))", 0.1),
    ],
)
def test_what_is_left(prometheus: str, query: str, left: float) -> None:
    found, where = read_budget(BudgetSource(floor=0.25, query=query), prometheus, Path())

    assert found == pytest.approx(left)
    assert where == f"prometheus at {prometheus}"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("no_such_metric", "gives 0 values"),
        (
            'vector(1) or label_replace(vector(1), "a", "2", "", "")',
            "gives 2 values",
        ),
        ("vector(0) / 0", "gives nan"),
        ("vector(1) / 0", "gives inf"),
        ("vector(42)", "divide percent by 100"),
        ("no_such_metric[5m]", "gives a matrix"),
        ('"text"', "gives a string"),
        ("sum(", "answered 400: .*parse error"),
    ],
)
def test_what_is_no_budget(prometheus: str, query: str, words: str) -> None:
    with pytest.raises(CannotSeeError, match=words):
        read_budget(BudgetSource(floor=0.25, query=query), prometheus, Path())
