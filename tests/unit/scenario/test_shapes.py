"""Arrivals that change over time: every form, what it means, and what is wrong with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from gameday.model.scenario import LoadSpec
from gameday.model.shape import Stretch, describe_shape, length_ms, peak_per_s, rate_at
from gameday.scenario.build import read_document
from gameday.scenario.load import load_text
from gameday.scenario.planfile import dump_plan, load_plan
from gameday.scenario.sample import fewest_requests, least_share, requests
from gameday.scenario.schema import scenario_schema
from gameday.scenario.shape_docs import MOST, PRESETS
from gameday.scenario.shapes import LEEWAY_MS
from tests.unit.scenario.samples import SCENARIO, a_scenario, changed, lints, text_of

SCHEMA = jsonschema.Draft202012Validator(scenario_schema())
LIST = ["20/s for 30s", "ramp to 100/s over 30s", "spike 400/s for 20s", "100/s until end"]


def with_arrivals(value: Any) -> dict[str, Any]:
    return changed(SCENARIO, "load.arrivals", value)


def load(value: Any, **phases: str) -> LoadSpec:
    data = with_arrivals(value)
    for name, length in phases.items():
        data = changed(data, f"phases.{name}", length)
    return a_scenario(data).load


def wrong(value: Any, **phases: str) -> list[tuple[str, str]]:
    data = with_arrivals(value)
    for name, length in phases.items():
        data = changed(data, f"phases.{name}", length)
    found = read_document(load_text(text_of(data), "s.yaml")).diagnostics
    return [(one.code, one.summary) for one in found]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (LIST, "20/s for 30 s, ramp to 100/s over 30 s, 400/s for 20 s, 100/s until the end"),
        (["60/m for 500ms"], "1/s for 500 ms, 1/s until the end"),
        (["ramp to 50/s over 1m"], "ramp to 50/s over 1 min, 50/s until the end"),
        (["100/s until end"], "100/s until the end"),
        # a spike returns to the rate before it, and what comes next begins there
        (["9/s for 1s", "spike 50/s for 2s"], "9/s for 1 s, 50/s for 2 s, 9/s until the end"),
        (
            ["9/s for 1s", "spike 50/s for 2s", "spike 70/s for 2s", "ramp to 4/s over 3s"],
            "9/s for 1 s, 50/s for 2 s, 70/s for 2 s, 9/s, ramp to 4/s over 3 s, 4/s until the end",
        ),
        (["  ramp   to 5 / s   over 1m30s "], "ramp to 5/s over 1 min 30 s, 5/s until the end"),
    ],
)
def test_a_list_means_this(written: list[str], meant: str) -> None:
    spec = load(written)
    assert (spec.arrivals_per_s, spec.users) == (None, None)
    assert describe_shape(spec.shape) == meant
    assert spec.rates == spec.shape


def test_a_rate_means_a_rate() -> None:
    spec = load("100/s")
    assert (spec.arrivals_per_s, spec.shape) == (100.0, ())
    assert spec.rates == (Stretch(from_per_s=100, to_per_s=100),)
    closed = a_scenario(changed(with_arrivals(...), "load.users", 3)).load
    assert closed.rates == ()


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ([], "value/empty"),
        (["1/s for 1s"] * (MOST + 1), "load/shape"),
        (["spike 3/s for 1s"], "load/shape"),
        (["spike 3/s for 1s", "spike 4/s for 1s", "1/s for 1s"], "load/shape"),
        (["1/s until end", "2/s for 1s"], "load/shape"),
        (["1/s"], "value/arrivals"),
        (["1/s for"], "value/arrivals"),
        (["1/s over 3s"], "value/arrivals"),
        (["ramp to 1/s for 3s"], "value/arrivals"),
        (["ramp to 1/s until end"], "value/arrivals"),
        (["9/s for 1s", "spike 1/s until end"], "value/arrivals"),
        (["1/s until 30s"], "value/arrivals"),
        (["ramp 1/s over 3s"], "value/arrivals"),
        (["1 for 3s"], "value/rate"),
        (["0/s for 3s"], "value/rate"),
        (["999999/s for 3s"], "value/rate"),
        (["1/s for 3"], "value/duration"),
        (["1/s for 0s"], "value/duration"),
        (["1/s for 8d"], "value/duration"),
        ([3], "document/wrong-type"),
        ([["1/s for 1s"]], "document/wrong-type"),
        ([""], "value/empty"),
        (3, "value/rate"),
        (None, "value/rate"),
        ({}, "document/missing-key"),
        ({"peak": "1/s"}, "document/missing-key"),
        ({"preset": "smoke"}, "document/missing-key"),
        ({"preset": "smokes", "peak": "1/s"}, "value/choice"),
        ({"preset": "smoke", "peak": 3}, "value/rate"),
        ({"preset": "smoke", "peak": "1/s", "from": "0.5/s"}, "load/preset"),
        ({"preset": "soak", "peak": "1/s", "steps": 3}, "load/preset"),
        ({"preset": "stress", "peak": "1/s", "length": "3s"}, "load/preset"),
        ({"preset": "spike", "peak": "1/s", "steps": 3}, "load/preset"),
        ({"preset": "spike", "peak": "1/s", "from": "1/s"}, "load/preset"),
        ({"preset": "spike", "peak": "1/s", "length": "50s"}, "load/preset"),
        ({"preset": "stress", "peak": "1/s", "steps": 56}, "load/preset"),
        ({"preset": "stress", "peak": "1/s", "steps": 1}, "value/number"),
        ({"preset": "stress", "peak": "1/s", "step": 3}, "document/unknown-key"),
        ({"preset": "stress", "peak": "9/s", "expected": "5/s"}, "load/preset"),
        ({"preset": "breakpoint", "peak": "9/s", "length": "3s"}, "load/preset"),
        ({"preset": "breakpoint", "peak": "9/s", "expected": "10/s"}, "load/preset"),
        ({"preset": "breakpoint", "peak": "9/s", "from": "4/s", "expected": "4/s"}, "load/preset"),
        ({"preset": "breakpoint", "peak": "9/s", "steps": 99}, "load/preset"),
    ],
)
def test_what_is_wrong_is_said_once_and_the_schema_agrees(written: Any, code: str) -> None:
    found = wrong(written)
    assert {one for one, _ in found} == {code}, found
    sizes = (
        "value/duration", "value/rate", "load/shape", "load/preset",
    )  # fmt: skip
    assert not SCHEMA.is_valid(with_arrivals(written)) or code in sizes


GOOD: tuple[Any, ...] = (
    "5/s", LIST, ["60 / m for 5s"], [" ramp  to 5/s  over 1m30s "],
    *({"preset": name, "peak": "10/s"} for name in PRESETS if name != "breakpoint"),
    {"preset": "stress", "peak": "10/s", "from": "5/s", "steps": 3},
    {"preset": "spike", "peak": "10/s", "from": "5/s", "length": "9s"},
)  # fmt: skip


@pytest.mark.parametrize("written", GOOD, ids=str)
def test_what_is_right_is_right_for_the_schema_too(written: Any) -> None:
    assert wrong(written) == []
    assert [e.message for e in SCHEMA.iter_errors(with_arrivals(written))] == []


@pytest.mark.parametrize(
    ("over", "meant"),
    [
        ({"arrivals": "5/s"}, "5/s until the end"),
        ({"arrivals": ["5/s for 9s", "6/s until end"]}, "5/s for 9 s, 6/s until the end"),
        ({"arrivals": {"preset": "smoke"}}, "10/s until the end"),  # a tenth of the peak
        (
            {"arrivals": {"preset": "soak", "from": None}},
            "ramp to 100/s over 3 s, 100/s until the end",
        ),
    ],
)
def test_a_profile_may_write_other_arrivals(over: dict[str, Any], meant: str) -> None:
    data = with_arrivals({"preset": "stress", "peak": "100/s", "from": "10/s"})
    if over["arrivals"] == {"preset": "smoke"}:
        data = with_arrivals({"preset": "stress", "peak": "100/s"})
    data = changed(data, "profiles", {"other": {"load": over}})
    reading = read_document(load_text(text_of(data), "s.yaml"), "other")
    assert reading.whole is not None, reading.diagnostics
    assert describe_shape(reading.whole.load.rates) == meant
    assert SCHEMA.is_valid(data)


@pytest.mark.parametrize("fault_s", [6, 15, 16, 60, 61, 3_600])
@pytest.mark.parametrize("preset", ["stress", "spike"])
def test_presets_leave_the_baseline_alone_and_are_back_before_the_fault_ends(
    preset: str, fault_s: int
) -> None:
    written = {"preset": preset, "peak": "100/s"} | ({"steps": 2} if preset == "stress" else {})
    if fault_s == 6:
        assert [code for code, _ in wrong(written, fault="6s")] == ["load/preset"]
        return
    shape = load(written, fault=f"{fault_s}s").shape
    fault_ms = 33_000  # after warm-up and baseline
    end_ms = fault_ms + fault_s * 1_000
    assert peak_per_s(shape, 0, fault_ms + LEEWAY_MS) == 25
    assert peak_per_s(shape, fault_ms, end_ms) == 100
    assert rate_at(shape, end_ms) == 25
    assert length_ms(shape) <= end_ms


def test_a_spike_as_it_is_asked_for() -> None:
    shape = load({"preset": "spike", "peak": "9/s", "from": "2/s", "length": "12s"}).shape
    assert describe_shape(shape) == "2/s for 53 s, 9/s for 12 s, 2/s until the end"


def test_a_soak_without_a_warmup_is_a_plain_rate() -> None:
    spec = load({"preset": "soak", "peak": "9/s"}, warmup="0s")
    assert (spec.arrivals_per_s, spec.shape) == (9.0, ())


def test_nothing_is_concluded_from_phases_that_cannot_be_read() -> None:
    for value in ({"preset": "stress", "peak": "9/s"}, ["9/s for 1h"]):
        data = changed(with_arrivals(value), "phases.fault", "soon")
        codes = [one.code for one in lints(data)]
        assert not {"load/preset", "load/longer-than-run"} & set(codes)


def test_a_list_that_outlives_the_run_is_named_where_the_run_ends() -> None:
    exact = ["100/s for 2m", "200/s for 33s"]  # warm-up, baseline, fault and recovery: 2 min 33 s
    assert "load/longer-than-run" not in [one.code for one in lints(with_arrivals(exact))]
    data = with_arrivals([*exact, "ramp to 100/s over 1ms", "100/s for 1s"])
    (found,) = [one for one in lints(data) if one.code == "load/longer-than-run"]
    reading = read_document(load_text(text_of(data), "s.yaml"))
    assert found.mark == reading.marks.at(("load", "arrivals", 2))


def test_samples_are_counted_where_they_fall() -> None:
    spec = load(["10/s for 30s", "ramp to 100/s over 10s"])
    assert requests(spec, "browse", 30_000) == pytest.approx(300 * 0.75)
    assert requests(spec, "browse", 10_000, from_ms=30_000) == pytest.approx(550 * 0.75)
    assert fewest_requests(spec, "browse", 2_000, from_ms=0, to_ms=60_000) == pytest.approx(15)
    assert fewest_requests(spec, "browse", 2_000, from_ms=40_000, to_ms=60_000) == pytest.approx(
        150
    )
    # 4 s at the lowest rate, of what 40 s bring
    assert least_share(spec, 4_000, 40_000, from_ms=0) == pytest.approx(40 / 850)
    assert least_share(load("10/s"), 4_000, 40_000, from_ms=0) == pytest.approx(0.1)


def test_a_phase_in_which_the_rate_is_low_measures_less() -> None:
    high_later = with_arrivals(["0.5/s for 33s", "100/s until end"])
    said = [one.summary for one in lints(high_later) if one.code == "expect/not-measurable"]
    assert len(said) == 2  # both conditions of the baseline; those of the fault have enough
    assert all("the baseline phase" in one for one in said)
    assert not [one for one in lints(with_arrivals(LIST)) if one.code == "expect/not-measurable"]


def test_a_burst_that_comes_while_the_rate_is_low_is_a_smaller_share() -> None:
    stop = "errors > 50% for 10s"
    data = changed(
        changed(with_arrivals("100/s"), "stop_when", [stop]), "expect.fault", ["errors < 9%"]
    )
    assert "stop/trips-on-a-burst" not in [one.code for one in lints(data)]
    uneven = changed(data, "load.arrivals", ["100/s for 33s", "5/s for 20s", "200/s until end"])
    assert "stop/trips-on-a-burst" in [one.code for one in lints(uneven)]


def test_the_pages_are_true() -> None:
    pages = Path(__file__).parents[3] / "docs"
    text = (pages / "load.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(one) for one in re.findall(r"```yaml\n(arrivals:.*?)```", text, re.S)]
    found, preset, same = (load(b["arrivals"], fault="65s").shape for b in blocks)
    assert describe_shape(found) == describe_shape(load(LIST).shape)
    assert preset == same
    both = text + (pages / "scenario.md").read_text(encoding="utf-8")
    for name in PRESETS:
        assert both.count(f"`{name}`") > 1


def test_a_shape_is_part_of_the_plan(tmp_path: Any) -> None:
    from gameday.scenario.compile import compile_plan
    from tests.unit.scenario.samples import a_project

    scenario = a_scenario(with_arrivals(LIST))
    plan = compile_plan(scenario, a_project(tmp_path), environment="local", seed=1)
    text = dump_plan(plan)
    assert load_plan(text) == plan
    constant = compile_plan(a_scenario(), a_project(tmp_path), environment="local", seed=1)
    older = dump_plan(constant).replace('"shape":[],', "")
    assert '"shape"' not in older
    assert load_plan(older) == constant
