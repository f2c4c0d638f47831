"""Whatever is in a file, reading it gives diagnostics or a plan, never an exception."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gameday.model.diagnostics import has_errors
from gameday.scenario.build import read_document, read_project_document
from gameday.scenario.codes import CODES
from gameday.scenario.compile import compile_plan
from gameday.scenario.lint import lint, scope_of
from gameday.scenario.load import load_text
from gameday.scenario.planfile import dump_plan, load_plan
from gameday.scenario.render import render, to_json
from gameday.scenario.scope import Scope
from tests.unit.scenario.forms import FORMS, PLACES
from tests.unit.scenario.samples import PROJECT, SCENARIO, a_project, changed, text_of
from tests.unit.scenario.test_schema import VALUES, paths_of

SCALARS = st.one_of(
    st.sampled_from(VALUES),
    st.text(max_size=20),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["`", "\u200b", "\x1b[31m", "9" * 400 + "s", "9" * 400 + "%", "1e999", "; "]),
)
KEYS = st.one_of(
    st.sampled_from([*SCENARIO, *PROJECT, "type", "toxic", "steps", "run", "env", "container"]),
    st.text(max_size=9),
)
DATA = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


def told(text: str, profile: str | None = None) -> None:
    """Read *text* as both files; everything said has a code of the table, a place and one line."""
    document = load_text(text, "x.yaml")
    reading = read_document(document, profile)
    found = [*reading.diagnostics, *read_project_document(document, Path("x.yaml"))[2]]
    if reading.scenario is not None:
        scope = Scope(scenario=reading.scenario, marks=reading.marks, broken=reading.broken)
        found.extend(lint(scope))
    for diagnostic in found:
        assert diagnostic.code in CODES
        assert diagnostic.mark is not None
        assert 1 <= diagnostic.mark.line <= text.count("\n") + text.count("\r") + 99
        assert diagnostic.summary.isprintable()
        assert diagnostic.hint.isprintable()
    if reading.scenario is None:
        assert has_errors(reading.diagnostics)
    to_json(found)
    shown = render(found)
    assert shown.replace("\n", "").replace("\t", "").isprintable()


@given(st.text(max_size=200))
@example("\x00")
@example("a: \ud800")
@example("? ? ?")
@example("- - -\n\t")
@example("{a: b, <<: {c: d}}")
def test_any_text(text: str) -> None:
    told(text)


@settings(max_examples=150)
@given(st.text(alphabet="ab:-[]{}?&*!|>'\"%@`#, \n\t~<0", max_size=60))
def test_text_that_looks_like_yaml(text: str) -> None:
    told(text)


@given(DATA)
def test_any_data(data: Any) -> None:
    told(text_of(data))


@given(st.sampled_from([*paths_of(SCENARIO)]), DATA, st.sampled_from([None, "smoke"]))
def test_a_scenario_with_something_else_in_it(path: str, value: Any, profile: str | None) -> None:
    told(text_of(changed(SCENARIO, path, value)), profile)


@given(st.sampled_from([*paths_of(PROJECT)]), DATA)
def test_a_project_with_something_else_in_it(path: str, value: Any) -> None:
    told(text_of(changed(PROJECT, path, value)))


@given(st.sampled_from([*paths_of(FORMS)]), DATA)
def test_any_form_with_something_else_in_it(path: str, value: Any) -> None:
    told(text_of(changed(FORMS, path, value)))


@given(st.sampled_from([*paths_of(PLACES)]), DATA)
def test_any_place_with_something_else_in_it(path: str, value: Any) -> None:
    told(text_of(changed(PLACES, path, value)))


@given(st.data())
def test_a_scenario_whose_text_was_damaged(data: st.DataObject) -> None:
    text = text_of(SCENARIO)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    told(text[:start] + data.draw(st.text(max_size=5)) + text[end:])


SECONDS = st.integers(1, 600).map(lambda n: f"{n}s")
TOXICS = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("latency"), "latency": st.integers(0, 5000).map(lambda n: f"{n}ms")},
        optional={"jitter": SECONDS, "stream": st.sampled_from(["upstream", "downstream"])},
    ),
    st.fixed_dictionaries({"type": st.just("reset_peer")}),
    st.fixed_dictionaries(
        {"type": st.just("bandwidth"), "rate": st.integers(1, 999).map(lambda n: f"{n}KB/s")},
        optional={"toxicity": st.integers(0, 100).map(lambda n: f"{n}%")},
    ),
)
FAULTS = st.lists(
    st.builds(
        lambda target, what, timing: {"target": target, **what, **timing},
        st.sampled_from(["payments", "redis", "shop"]),
        st.one_of(st.just({"down": True}), TOXICS.map(lambda toxic: {"toxic": toxic})),
        st.fixed_dictionaries({}, optional={"start": SECONDS, "length": SECONDS}),
    ),
    min_size=1,
    max_size=4,
).map(lambda faults: [{"id": f"f{n}", **fault} for n, fault in enumerate(faults)])
GOOD = st.fixed_dictionaries(
    {
        "load.arrivals": st.integers(1, 500).map(lambda n: f"{n}/s"),
        "phases": st.fixed_dictionaries(
            {"baseline": SECONDS, "fault": SECONDS, "recovery": SECONDS},
            optional={"warmup": st.sampled_from(["0s", "3s"])},
        ),
        "faults": FAULTS,
        "expect.fault": st.lists(
            st.sampled_from(["errors < 5%", "p50 < 2s", "checkout errors < 9%"]), max_size=3
        ),
        "expect.alerts.0.fault": st.just("f0"),
    }
)


@settings(max_examples=150)
@given(GOOD, st.integers(0, 2**63 - 1))
def test_what_the_rules_let_pass_becomes_a_plan_that_comes_back(
    values: dict[str, Any], seed: int
) -> None:
    data = SCENARIO
    for path, value in values.items():
        data = changed(data, path, value)
    reading = read_document(load_text(text_of(data), "x.yaml"))
    with tempfile.TemporaryDirectory() as folder:
        project = a_project(Path(folder))
        scenario = reading.whole
        assert scenario is not None, reading.diagnostics
        scope = scope_of(scenario, project, project.environments["local"], reading.marks)
        if has_errors(lint(scope)):
            return
        plan = compile_plan(scenario, project, environment="local", seed=seed)
    assert load_plan(dump_plan(plan)) == plan
    assert plan.schedule.limits.deadline_ms > sum(
        (scenario.phases.baseline_ms, scenario.phases.fault_ms, scenario.phases.recovery_ms)
    )
