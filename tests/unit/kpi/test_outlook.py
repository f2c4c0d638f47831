"""What is said of an expected alert before a run, by what the servers say."""

from __future__ import annotations

from typing import Any

import pytest

from gameday.kpi.foresee import Interval
from gameday.kpi.outlook import (
    Ahead,
    Live,
    LivePrometheus,
    Outlook,
    Record,
    SeriesNow,
    look_ahead,
    rehearsed_otherwise,
)
from gameday.kpi.outlook_words import Level
from gameday.kpi.routed_ahead import LiveAlertmanager
from gameday.kpi.routing import routing_of
from gameday.model.effect import parse_effect
from gameday.model.scenario import AlertExpectation

BAD, ALL = 'requests_total{code="500"}', "requests_total"
RATIO = "sum(rate({bad}[{w}])) / sum(rate({all}[{w}])) > 0.05"
HOUR_MS = 3_600_000


def row(**more: Any) -> dict[str, Any]:
    base = {
        "group": "g",
        "name": "Errors",
        "query": RATIO.format(bad=BAD, all=ALL, w="5m"),
        "duration": 60.0,
        "interval": 15.0,
        "labels": {"severity": "page"},
        "health": "ok",
        "lastError": "",
    }
    return base | more


def prometheus(*rows: dict[str, Any], **more: Any) -> LivePrometheus:
    base: dict[str, Any] = {
        "rows": rows or (row(),),
        "series": {text: SeriesNow(count=1, scrape_ms=15_000.0) for text in (BAD, ALL)},
        "started_wall_ms": 0.0,
        "now_wall_ms": 10.0 * HOUR_MS,
    }
    return LivePrometheus(**base | more)


def look(
    *, within_s: int = 120, fault_s: int = 300, live: LivePrometheus | None = None, **more: Any
) -> Outlook:
    there = more.pop("alertmanager", None)
    alert = AlertExpectation(alert="Errors", fires_within_ms=within_s * 1000, **more)
    ahead = Ahead(fault_ms=fault_s * 1000, before_ms=60_000, per_s=100.0, run_ms=60_000)
    return look_ahead(alert, ahead, Live(prometheus=live or prometheus(), alertmanager=there))


def codes(seen: Outlook) -> dict[str, Level]:
    return {finding.code: finding.level for finding in seen.findings}


def text(seen: Outlook, code: str) -> str:
    (finding,) = (f for f in seen.findings if f.code == code)
    return finding.text


def alertmanager(*routes: dict[str, Any], **more: Any) -> LiveAlertmanager:
    root = {"receiver": "pager", "group_wait": "20s", "routes": list(routes)}
    config = {"route": root, "receivers": [{"name": "pager"}, {"name": "tap"}]}
    return LiveAlertmanager(routing=routing_of(config | more.pop("config", {})), **more)


def test_in_time() -> None:
    seen = look()
    assert codes(seen) == {}
    assert seen.firing is not None
    assert 74_000 < seen.firing.earliest_ms < seen.firing.latest_ms < 106_000


def test_the_floor_in_words() -> None:
    seen = look(within_s=60, receiver="pager", alertmanager=alertmanager())
    (finding,) = seen.findings
    assert finding.certain
    said = text(seen, "too-slow")
    assert said.startswith("cannot be faster than")
    for part in ("scrape and window", "1 min `for`", "20 s group wait", "expected within 1 min"):
        assert part in said


def test_only_settings_are_certain() -> None:
    # 60 s `for` are within 65 s; that a window needs more is only foreseen
    (foreseen,) = look(within_s=65).findings
    assert (foreseen.code, foreseen.certain) == ("too-slow", False)
    unread = look(live=prometheus(row(query="absent(up)")), within_s=50)
    assert codes(unread)["unforeseen"] is Level.NOTE
    assert [f.certain for f in unread.findings if f.code == "too-slow"] == [True]


@pytest.mark.parametrize(
    ("at_ms", "words"),
    [
        (None, "it does not fire, foreseen is 10 s to 20 s after the fault"),
        (9_000.0, "it fires 9 s after the fault, foreseen is 10 s to 20 s"),
        (21_000.0, "it fires 21 s after the fault"),
        (10_000.0, None),
        (15_000.0, None),
        (20_000.4, None),
    ],
)
def test_a_rehearsal_that_says_otherwise(at_ms: float | None, words: str | None) -> None:
    finding = rehearsed_otherwise(Interval(earliest_ms=10_000, latest_ms=20_000), at_ms)
    assert (finding is None) == (words is None)
    if finding is not None and words is not None:
        assert (finding.code, finding.level) == ("rehearsed-otherwise", Level.WARNING)
        assert words in finding.text


def test_without_alertmanager_the_way_to_a_receiver_is_not_known() -> None:
    assert codes(look(receiver="pager")) == {"route-unknown": Level.NOTE}
    assert "no Alertmanager is named" in text(look(receiver="pager"), "route-unknown")
    assert codes(look(receiver="pager", alertmanager=alertmanager(), within_s=300)) == {}


def test_between_possible_and_not() -> None:
    assert codes(look(within_s=90)) == {"may-be-late": Level.WARNING}
    assert codes(look(fault_s=30)) == {"fault-too-short": Level.WARNING}


def test_an_effect_that_is_too_weak_is_no_certainty() -> None:
    seen = look(effect=parse_effect("errors 4%"))
    assert codes(seen) == {"no-effect": Level.ERROR}
    assert not seen.findings[0].certain
    slow = look(effect=parse_effect("errors 10%"))
    assert codes(slow) == {"too-slow": Level.ERROR}
    assert not slow.findings[0].certain


@pytest.mark.parametrize(
    ("live", "code"),
    [
        (prometheus(row(name="Other")), "no-rule"),
        (prometheus(row(labels={"severity": "ticket"})), "wrong-labels"),
        (prometheus(row(health="err", lastError="many-to-many")), "rule-error"),
        (prometheus(row(query="absent(up)")), "unforeseen"),
        (prometheus(row(query="sum(")), "unforeseen"),
        (prometheus(series={BAD: SeriesNow(count=0)}), "series-absent"),
        (prometheus(series={}), "scrape-unknown"),
        (prometheus(grown={(BAD, 300_000): 12.0}), "leftover"),
        (prometheus(now_wall_ms=60_000.0), "cold-start"),
    ],
)
def test_what_is_found(live: LivePrometheus, code: str) -> None:
    assert code in codes(look(live=live, labels={"severity": "page"}, within_s=300))


def test_how_long_to_wait() -> None:
    (leftover,) = look(live=prometheus(grown={(BAD, 300_000): 12.0})).findings
    assert leftover.wait_ms == 240_000  # the window, less a minute of load before the fault
    assert "about 12 of" in leftover.text
    (cold,) = look(live=prometheus(now_wall_ms=60_000.0)).findings
    assert cold.wait_ms == 180_000


def test_traffic_in_the_window_is_no_leftover() -> None:
    assert codes(look(live=prometheus(grown={(ALL, 300_000): 9_000.0}))) == {}


def test_one_of_several_rules_of_a_name() -> None:
    slow = row(duration=3600.0, labels={"severity": "page"})
    assert codes(look(live=prometheus(slow, row()))) == {}


def test_recorded_in_another_group() -> None:
    records = {
        "e:5m": Record(
            expr=RATIO.split(" >", maxsplit=1)[0].format(bad=BAD, all=ALL, w="5m"),
            group="other",
            interval_ms=30_000.0,
        )
    }
    seen = look(live=prometheus(row(query="e:5m > 0.05"), records=records), within_s=300)
    plain = look(within_s=300)
    assert seen.firing is not None
    assert plain.firing is not None
    assert seen.firing.latest_ms == plain.firing.latest_ms + 30_000


def test_a_tap_takes_it_from_the_root() -> None:
    tap = {"receiver": "tap", "matchers": ['alertname=~".+"'], "continue": True}
    seen = look(receiver="pager", alertmanager=alertmanager(tap))
    assert codes(seen) == {"wrong-receiver": Level.ERROR}
    assert "repeat `pager` as the last route" in text(seen, "wrong-receiver")
    repaired = look(
        within_s=200, receiver="pager", alertmanager=alertmanager(tap, {"receiver": "pager"})
    )
    assert codes(repaired) == {}
    assert repaired.receivers == ("tap", "pager")
    nobody = look(receiver="nobody", alertmanager=alertmanager())
    assert "has no receiver `nobody`" in text(nobody, "wrong-receiver")


def test_external_labels_are_on_its_way() -> None:
    route = {"receiver": "tap", "matchers": ['env="test"']}
    live = prometheus(external_labels={"env": "test"})
    assert look(live=live, alertmanager=alertmanager(route)).receivers == ("tap",)
    without = look(alertmanager=alertmanager(route))
    assert without.receivers == ("pager",)
    assert codes(without) == {"label-unknown": Level.NOTE}


def test_what_swallows_it() -> None:
    matcher = {"name": "alertname", "value": "Errors", "isRegex": False, "isEqual": True}
    silence = {"id": "s1", "status": {"state": "active"}, "matchers": [matcher]}
    assert codes(look(alertmanager=alertmanager(silences=[silence]))) == {"silenced": Level.ERROR}
    rule = {"source_matchers": ["alertname=Down"], "target_matchers": ["severity=page"]}
    there = alertmanager(config={"inhibit_rules": [rule]}, active=[{"alertname": "Down"}])
    assert codes(look(alertmanager=there)) == {"inhibited": Level.ERROR}


def test_a_group_that_is_there_is_not_waited_for() -> None:
    there = alertmanager(
        {"receiver": "tap", "group_by": ["alertname"], "group_interval": "40s"},
        groups=[("tap", {"alertname": "Errors"})],
    )
    seen = look(alertmanager=there, within_s=300)
    assert seen.firing is not None
    assert seen.delivered is not None
    assert seen.delivered.earliest_ms == seen.firing.earliest_ms
    assert seen.delivered.latest_ms >= seen.firing.latest_ms + 40_000


#: A Sunday, 21:59:30 UTC; the run of these tests takes a minute.
SUNDAY_NIGHT_MS = 1_795_384_770_000.0
NIGHTS = {
    "name": "nights",
    "time_intervals": [{"times": [{"start_time": "22:00", "end_time": "24:00"}]}],
}
SUNDAYS = {"name": "sundays", "time_intervals": [{"weekdays": ["sunday"]}]}


@pytest.mark.parametrize(
    ("route", "code", "level", "words"),
    [
        ({"mute_time_intervals": ["sundays"]}, "muted", Level.ERROR,
         "to `tap` is muted by the time interval `sundays` for all of a run that begins now"),
        ({"active_time_intervals": ["saturdays"]}, "muted", Level.ERROR,
         "muted outside of its active time interval `saturdays`"),
        ({"mute_time_intervals": ["nights"]}, "muted-partly", Level.WARNING,
         "for a part of a run that begins now: 22:00:00 to 22:00:30 UTC"),
        ({"mute_time_intervals": ["gone"]}, "muted-unknown", Level.NOTE, "`gone`"),
        ({"mute_time_intervals": ["there"]}, "muted-unknown", Level.NOTE, "`Local`"),
    ],
)  # fmt: skip
def test_what_time_intervals_mute_now_or_before_the_end(
    route: dict[str, Any], code: str, level: Level, words: str
) -> None:
    saturdays = {"name": "saturdays", "time_intervals": [{"weekdays": ["saturday"]}]}
    there = {"name": "there", "time_intervals": [{"location": "Local"}]}
    times = {"time_intervals": [NIGHTS, SUNDAYS, saturdays], "mute_time_intervals": [there]}
    seen = look(
        alertmanager=alertmanager(
            {"receiver": "tap", **route}, times=times, now_wall_ms=SUNDAY_NIGHT_MS
        )
    )
    assert codes(seen) == {code: level}
    assert words in text(seen, code)


def test_a_route_that_is_muted_at_other_times_is_not() -> None:
    route = {
        "receiver": "tap", "mute_time_intervals": ["nights"], "active_time_intervals": ["sundays"],
    }  # fmt: skip
    noon = SUNDAY_NIGHT_MS - 10 * 3_600_000
    there = alertmanager(route, times={"time_intervals": [NIGHTS, SUNDAYS]}, now_wall_ms=noon)
    assert codes(look(alertmanager=there)) == {}
