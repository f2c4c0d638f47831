"""A tick survives the journey from the load process into the journal and out again."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.model.window import OUTCOMES, Cell, OpenCell, Tick, tick_from_json, tick_to_json
from gameday.plain import canonical, plain

HISTOGRAMS = st.dictionaries(st.integers(0, 6000), st.integers(1, 99), max_size=4)
COUNTS = st.integers(0, 10**6)
TICKS = st.builds(
    Tick,
    second=st.integers(0, 4000),
    worker=st.text(max_size=5),
    cells=st.lists(
        st.builds(
            Cell,
            second=st.integers(0, 4000), journey=st.text(), name=st.text(),
            outcome=st.sampled_from(OUTCOMES), edge=st.booleans(),
            response=HISTOGRAMS, service=HISTOGRAMS,
        ),
        max_size=3,
    ).map(tuple),
    open=st.lists(st.builds(OpenCell, journey=st.text(), name=st.text(), ages=HISTOGRAMS)).map(
        tuple
    ),
    in_flight=COUNTS, oldest_ms=COUNTS, users=COUNTS, asked=COUNTS, started=COUNTS, queued=COUNTS,
    start_lag=HISTOGRAMS,
    loop_lag_ms=st.floats(0, 1e6), cpu_share=st.floats(0, 4),
)  # fmt: skip


@given(tick=TICKS)
def test_a_tick_survives(tick: Tick) -> None:
    line = canonical(plain(tick_to_json(tick)))

    assert tick_from_json(json.loads(line)) == tick


def test_only_ok_is_good() -> None:
    good = [o for o in OUTCOMES if Cell(second=0, journey="a", name="b", outcome=o).good]

    assert good == ["ok"]


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {**tick_to_json(Tick(second=1)), "cells": [[1, "a"]]},
        {**tick_to_json(Tick(second=1)), "second": "x"},
        {**tick_to_json(Tick(second=1)), "open": 3},
        {**tick_to_json(Tick(second=1)), "start_lag": [[1]]},
    ],
)
def test_what_is_no_tick_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        tick_from_json(broken)
