"""Episodes from recorded Prometheus answers, and from events of the built-in alerts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gameday.kpi.episodes import (
    Episode,
    episodes_of,
    from_builtin,
    from_prometheus,
    pending_from_prometheus,
    pending_only_of,
)
from gameday.model.event import Event, Phase, Timeline

SAMPLES = Path(__file__).parents[2] / "fixtures" / "samples"
T0 = 1_795_345_000_000


def recorded(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text())["data"]["result"]


def series(state: str, *seconds: float, **labels: str) -> dict[str, Any]:
    metric = {"__name__": "ALERTS", "alertstate": state, "alertname": "A", **labels}
    return {"metric": metric, "values": [[T0 / 1000 + s, "1"] for s in seconds]}


def read(*matrix: dict[str, Any], until_s: float = 100, **more: Any) -> dict[str, Any]:
    rule = {"name": "A", "interval": 1, "labels": {}, "annotations": {"runbook_url": "a.md"}}
    until = T0 + round(until_s * 1000)
    return {"matrix": list(matrix), "rules": [rule], "until_wall_ms": until, "gaps": []} | more


def one(data: dict[str, Any]) -> Episode:
    (found,) = from_prometheus(data)
    return found


def test_recorded_raw_samples_give_the_exact_evaluations() -> None:
    matrix = recorded("query_ALERTS_raw_samples.json")
    rules = [{"name": "HighErrorRate", "interval": 1, "labels": {"severity": "critical"}}]
    episode = one({"matrix": matrix, "rules": rules, "until_wall_ms": 1_795_345_353_900})
    assert episode.alert == "HighErrorRate"
    assert episode.labels["service"] == "checkout"
    assert "alertstate" not in episode.labels
    assert "__name__" not in episode.labels
    assert episode.pending_wall_ms == 1_795_345_339_674
    assert episode.firing_wall_ms == 1_795_345_342_674
    assert episode.ended_wall_ms is None
    assert episode.error_ms == 1000


def test_a_recorded_flap_is_four_episodes() -> None:
    matrix = recorded("query_ALERTS_flap.json")
    found = from_prometheus({"matrix": matrix, "rules": [], "until_wall_ms": 1_795_345_600_000})
    flaps = [e for e in found if e.alert == "HighErrorRate" and e.labels["service"] == "checkout"]
    assert len(flaps) == 4
    assert all(e.ended_wall_ms and e.pending_wall_ms < e.firing_wall_ms for e in flaps)
    assert len([e for e in found if e.alert == "ErrorsKeepFiring"]) == 2  # one for each service
    assert list(found) == sorted(found, key=lambda e: e.firing_wall_ms)


@pytest.mark.parametrize(
    ("firing", "until_s", "ended_s"),
    [
        ((5, 6, 7), 20, 8),  # the evaluation after the last firing one saw it end
        ((5, 6, 7), 8.4, None),  # the last sample is fresh: still firing
        ((5, 6, 7), 8.6, 8),
    ],
)
def test_the_end(firing: tuple[int, ...], until_s: float, ended_s: int | None) -> None:
    episode = one(read(series("firing", *firing), until_s=until_s))
    assert episode.firing_wall_ms == T0 + 5000
    assert episode.ended_wall_ms == (None if ended_s is None else T0 + ended_s * 1000)
    assert episode.pending_wall_ms == episode.firing_wall_ms  # a rule without `for`


@pytest.mark.parametrize(
    ("looked_s", "until_s", "ended"),
    [
        (8.004, 8.1, True),  # evaluated once more, and no sample: it has ended
        (7.004, 8.3, False),  # not evaluated since
        (9.004, 7.9, False),  # evaluated, but after the time that was asked for
    ],
)
def test_the_last_evaluation_tells_whether_it_ended(
    looked_s: float, until_s: float, ended: bool
) -> None:
    rules = [{"name": "A", "interval": 1, "last_evaluation_wall_ms": T0 + round(looked_s * 1000)}]
    episode = one(read(series("firing", 5, 6, 7), until_s=until_s, rules=rules))
    assert episode.ended_wall_ms == (T0 + 8000 if ended else None)


@pytest.mark.parametrize(("step", "episodes"), [(1.4, 1), (1.6, 2)])
def test_a_break_of_more_than_one_and_a_half_intervals_ends_it(step: float, episodes: int) -> None:
    found = from_prometheus(read(series("firing", 5, 6, 6 + step, 7 + step)))
    assert len(found) == episodes


def test_the_interval_is_that_of_the_rule_with_the_labels() -> None:
    rules = [
        {"name": "A", "interval": 1, "labels": {"severity": "warning"}},
        {"name": "A", "interval": 5, "labels": {"severity": "page", "who": "{{ $labels.who }}"}},
    ]
    data = read(series("firing", 5, 10, 15, severity="page", who="x"), rules=rules)
    assert one(data).error_ms == 5000


def test_without_a_rule_the_samples_tell_the_interval() -> None:
    assert one(read(series("firing", 5, 10, 15), rules=[])).error_ms == 5000
    assert one(read(series("firing", 5), rules=[])).error_ms == 60_000


def test_a_quarter_of_a_second_between_evaluations() -> None:
    rules = [{"name": "A", "interval": 0.25}]
    data = read(series("pending", 4, 4.25), series("firing", 4.5, 4.75), rules=rules)
    episode = one(data)
    assert episode.pending_wall_ms == T0 + 4000
    assert episode.firing_wall_ms == T0 + 4500
    assert episode.ended_wall_ms == T0 + 5000
    assert episode.error_ms == 250


def test_only_the_pending_that_adjoins_belongs_to_an_episode() -> None:
    data = read(series("pending", 1, 2, 8, 9), series("firing", 10, 11))
    assert one(data).pending_wall_ms == T0 + 8000
    (only,) = pending_from_prometheus(data)
    assert (only.pending_wall_ms, only.ended_wall_ms) == (T0 + 1000, T0 + 3000)


def test_a_gap_widens_the_error_of_what_happened_in_it() -> None:
    gaps = [[T0 + 7_200, T0 + 20_000]]
    before, after = from_prometheus(read(series("firing", 5, 6, 7, 21, 22), gaps=gaps))
    assert before.end_error_ms == 13_000
    assert before.error_ms == 1000
    assert after.error_ms == 13_800
    assert after.end_error_ms == 1000


def test_gaps_and_the_end_are_compared_on_the_clock_of_the_source() -> None:
    late = {"offset_ms": 60_000, "gaps": [[T0 - 60_000 + 7_200, T0 - 40_000]]}
    episode = one(read(series("firing", 5, 6, 7), until_s=-40, **late))
    assert episode.ended_wall_ms == T0 + 8000
    assert episode.end_error_ms == 13_000
    assert one(read(series("firing", 5, 6, 7), until_s=-52, **late)).ended_wall_ms is None


def test_annotations_as_rendered_else_as_the_rule_has_them() -> None:
    assert one(read(series("firing", 5))).annotations == {"runbook_url": "a.md"}
    seen = [{"labels": {"alertname": "A"}, "annotations": {"summary": "50 %"}}]
    assert one(read(series("firing", 5), seen=seen)).annotations == {"summary": "50 %"}


def test_prometheus_is_preferred_and_a_failed_read_is_no_read() -> None:
    event = builtin("alert.firing", 5_000)
    ok = Event(kind="alert.read", subject="prometheus", phase=Phase.OK, data=read())
    assert episodes_of(Timeline([event, ok])) == ()
    failed = Event(kind="alert.read", subject="prometheus", phase=Phase.FAILED, data={"error": "x"})
    assert [e.source for e in episodes_of(Timeline([event, failed]))] == ["builtin"]
    am = Event(kind="alert.read", subject="alertmanager", phase=Phase.OK, data={"alerts": []})
    assert [e.source for e in episodes_of(Timeline([event, am]))] == ["builtin"]


def builtin(kind: str, at_ms: int, source: str = "builtin", **labels: str) -> Event:
    data = {"source": source, "labels": {"alertname": "A", **labels}, "at_wall_ms": T0 + at_ms}
    return Event(kind=kind, subject="A", data=data | {"annotations": {"runbook_url": "a.md"}})


def test_builtin_episodes() -> None:
    timeline = Timeline(
        [
            builtin("alert.pending", 1_000),
            builtin("alert.resolved", 2_000),
            builtin("alert.pending", 3_000),
            builtin("alert.pending", 3_000, service="b"),
            builtin("alert.firing", 5_000),
            builtin("alert.firing", 5_500, source="prometheus"),
            builtin("alert.resolved", 9_000),
            builtin("alert.firing", 20_000),
        ]
    )
    first, second = from_builtin(timeline)
    assert (first.pending_wall_ms, first.firing_wall_ms) == (T0 + 3_000, T0 + 5_000)
    assert first.ended_wall_ms == T0 + 9_000
    assert first.error_ms == 1000
    assert first.annotations == {"runbook_url": "a.md"}
    assert (second.pending_wall_ms, second.ended_wall_ms) == (T0 + 20_000, None)
    pending = pending_only_of(timeline)
    assert [(p.labels.get("service"), p.ended_wall_ms) for p in pending] == [
        (None, T0 + 2_000),
        ("b", None),
    ]
