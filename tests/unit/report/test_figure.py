"""The figure: what it draws of a run, how it is cut down, and that the library takes it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import vl_convert
from checks_support import (
    END_S,
    FAULT_S,
    alert,
    cell,
    cut,
    drop,
    good_run,
    plan,
    tick,
    timeline,
)

from gameday.model.event import Timeline
from gameday.model.project import Service, Slo
from gameday.model.window import Tick, tick_to_json
from gameday.report import drawing, figure_series
from gameday.report.figure import Figure, figure_of
from gameday.report.figure_series import series_of, width_s

SHOP = replace(
    plan(),
    service=Service(
        name="shop",
        slos=(
            Slo(name="availability", share=0.99),
            Slo(name="latency", share=0.95, latency_ms=300),
        ),
    ),
)
EVIL = "</script><img src=x onerror=alert(1)> datum['x'] \u2028"


def made(run: Timeline, setup: Any = SHOP) -> Figure:
    found = figure_of(setup, run)
    assert found is not None
    return found


def views(spec: dict[str, Any]) -> list[str]:
    return [panel["layer"][0]["name"] for panel in spec["vconcat"]]


def failing(second: int) -> Tick:
    if FAULT_S < second < 20:
        lost = cell(second, "checkout", 25, 5000, "timeout")
        return tick(second, [cell(second, "browse", 75, 12), lost])
    return tick(second)


def test_every_panel_stands_on_one_axis_and_zooms_with_all_others() -> None:
    spec = made(timeline(good_run())).spec
    zoom = next(p for p in spec["params"] if p["name"] == "zoom")
    expected = ["view_lanes", "view_latency", "view_rates", "view_under_way", "view_oldest"]

    assert views(spec) == zoom["views"] == [*expected, "view_burn"]
    assert spec["resolve"]["scale"]["x"] == "shared"
    for panel in spec["vconcat"]:
        marks = [layer["data"]["name"] for layer in panel["layer"] if "name" in layer["data"]]
        assert {"shade", "stops", "one"} <= set(marks), "shading, stops and cursor on every panel"


def test_a_fault_is_drawn_with_its_calls_and_an_alert_pending_then_firing() -> None:
    bars = made(timeline(good_run())).spec["datasets"]["bars"]
    found = [(b["style"], b["t"], b["over"]) for b in bars if b["lane"] != "phase"]

    assert found == [
        ("call", 13_005, 13_127),  # wide enough to be seen: 1/400 of the run
        ("fault", 13_040, 33_005),
        ("call", 33_005, 33_127),
        ("pending", 15_000, 19_000),
        ("expected", 19_000, 37_000),
    ]


def test_a_fault_that_was_never_shown_to_be_gone_runs_to_the_end() -> None:
    found = made(timeline(good_run(), drop("fault.revert")))
    (bar,) = found.lanes.faults

    assert bar.open
    assert bar.end_ms == found.series.end_ms
    assert "not shown to be gone" in bar.text


def test_an_alert_that_nobody_expected_has_a_mark_of_its_own() -> None:
    journal = good_run()
    alert(journal, "alert.firing", 20_000, "DiskFull", {"severity": "page"})
    bars = made(timeline(journal)).spec["datasets"]["bars"]
    (odd,) = [b for b in bars if b["lane"] == "DiskFull"]

    assert odd["style"] == "other"
    assert odd["label"].startswith("!")
    assert odd["label"].endswith("→"), "it had not ended"


def test_more_alerts_than_fit_share_a_lane_and_none_is_lost() -> None:
    journal = good_run()
    for number in range(20):
        alert(journal, "alert.firing", 20_000 + number, f"Noise{number:02}", {})
    found = made(timeline(journal))

    assert "9 more alerts" in found.lanes.names
    assert found.lanes.names.index("PaymentsSlow") < found.lanes.names.index("Noise00")
    assert sum(bar.style in {"known", "other"} for bar in found.lanes.bars) == 20
    assert any("9 alerts share one lane" in caption for caption in found.captions)


def test_every_request_is_in_a_cell_and_failures_are_never_latency() -> None:
    series = series_of(SHOP, timeline(good_run(ticks=failing)))
    ended = {kind: sum(c.n for c in series.heat if c.kind == kind) for kind in ("ok", "failed")}

    assert ended["failed"] == 6 * 25
    assert series.n == END_S * 100
    slow = [w for w in series.quantiles if w.value_ms is not None and w.value_ms > 1000]
    assert not slow, "a timeout of 5 s is no latency"


def test_a_percentile_is_drawn_only_where_enough_answers_carry_it() -> None:
    series = series_of(SHOP, timeline(good_run()))

    assert series.window_ms == {"p50": 1000, "p95": 2000}  # p99 needs 10 s: too coarse for 48 s
    caption = " ".join(made(timeline(good_run())).captions)
    assert "p95 over 2 s" in caption
    assert "Too few good answers to draw p99." in caption
    assert any(w.value_ms is None for w in series.quantiles), "cut at a phase's edge: too few"


def test_a_gap_of_the_load_is_a_gap_of_every_line() -> None:
    run = timeline(good_run(ticks=lambda s: None if 20 <= s < 25 else tick(s)))
    found = made(run)
    empty = [b.at_ms for b in found.series.bins if b.ended is None]

    assert found.series.gaps == ((20_000, 25_000),)
    assert empty == [20_000, 21_000, 22_000, 23_000, 24_000]
    assert all(
        b.asked is None and b.in_flight is None for b in found.series.bins if b.ended is None
    )
    assert {p.at_ms for p in found.series.burn if p.rate is None} >= {21_000, 25_000}
    assert found.spec["datasets"]["gaps"] == [{"t": 20_000, "over": 25_000}]
    assert any("drawn as gaps" in caption for caption in found.captions)


def test_what_two_workers_asked_for_adds_up() -> None:
    journal = good_run()
    for second in range(END_S):
        more = tick(second, [], worker="1", asked=(second + 1) * 7)
        journal.note((second + 1) * 1000 + 30, "load.window", "1", **tick_to_json(more))
    rates = [b.asked for b in series_of(SHOP, timeline(journal)).bins if b.asked is not None]

    assert set(rates) == {107}


def test_a_longer_run_has_wider_bins_and_not_more_of_them() -> None:
    assert width_s(240, 240) == 1
    assert width_s(241, 240) == 2
    assert width_s(3600, 240) == 15
    assert width_s(86_400, 240) == 600


def test_cells_are_coarser_where_there_would_be_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    fine = series_of(SHOP, timeline(good_run()))
    monkeypatch.setattr(figure_series, "CELLS_MAX", 90)
    coarse = series_of(SHOP, timeline(good_run()))

    assert fine.per_decade == 16
    assert coarse.per_decade < fine.per_decade
    assert coarse.n == fine.n, "coarser, and nothing left out"


def test_text_from_outside_is_data_and_never_an_expression() -> None:
    journal = good_run()
    alert(journal, "alert.firing", 20_000, EVIL, {})
    journal.note(21_000, "human.note", "scribe", text=EVIL)
    spec = made(timeline(journal)).spec
    rest = {key: value for key, value in spec.items() if key != "datasets"}
    scales = [
        layer["encoding"]["y"]["scale"]
        for layer in spec["vconcat"][0]["layer"]
        if "y" in layer["encoding"]
    ]

    assert all("</script>" in str(scale) for scale in scales), "names of lanes, in a domain"
    for scale in scales:
        scale.clear()
    assert "onerror" not in json.dumps(rest)


def test_an_empty_or_short_journal_has_a_figure_of_what_there_is() -> None:
    assert figure_of(SHOP, Timeline([])) is None
    assert figure_of(SHOP, timeline(good_run(), drop("run.opened"))) is None
    begun = made(timeline(good_run(), cut(2_000)))
    assert begun.lanes.names == ("phase",)
    quiet = made(timeline(good_run(ticks=lambda _: None)))
    assert views(quiet.spec) == ["view_lanes"]


@pytest.mark.parametrize("run", [
    lambda: timeline(good_run()),
    lambda: timeline(good_run(ticks=failing, alerts=False)),
    lambda: timeline(good_run(ticks=lambda _: None)),
    lambda: timeline(good_run(), cut(2_000)),
])  # fmt: skip
def test_the_library_takes_the_definition(run: Any) -> None:
    compiled = vl_convert.vegalite_to_vega(made(run()).spec)

    assert any(signal["name"] == "zoom_t" for signal in compiled["signals"]), "buttons set it"
    assert any(scale["name"] == "x" for scale in compiled["scales"]), "one time scale for all"
    assert [mark["type"] for mark in compiled["marks"]] == ["group"] * len(compiled["marks"])


def test_a_picture_is_the_same_each_time_and_hostile_text_stays_text_in_it() -> None:
    journal = good_run(ticks=failing)
    alert(journal, "alert.firing", 20_000, EVIL, {})
    spec = made(timeline(journal)).spec
    first, again = drawing.drawn(spec), drawing.drawn(spec)

    assert first == again
    assert first.png.startswith(b"\x89PNG")
    for word in ("What happened", "PaymentsSlow", "fault slow", "p95", "onerror"):
        assert word in first.svg
    assert "<img" not in first.svg
    assert "<script" not in first.svg
    assert "vegaEmbed" in first.script
    assert "</script" not in first.script.lower()


def test_ids_do_not_tell_how_many_pictures_were_drawn_before() -> None:
    svg = '<clipPath id="clip7"/><g clip-path="url(#clip7)"/><path fill="url(#gradient_3)"/>'
    later = svg.replace("clip7", "clip41").replace("gradient_3", "gradient_9")

    assert drawing.with_own_ids(svg) == drawing.with_own_ids(later)
    assert drawing.with_own_ids(svg).count("gd0") == 2


def test_what_cannot_be_drawn_says_why_on_one_line() -> None:
    with pytest.raises(drawing.DrawingError, match=r"^[^\n]+$"):
        drawing.drawn({"$schema": "nonsense", "mark": 7})
    with pytest.raises(drawing.DrawingError, match=r"longer than 0.01 s"):
        drawing.drawn({}, limit_s=0.01)
