"""`gameday compare`: two runs over each other, what is worse, and what cannot be said."""

from __future__ import annotations

import json
import re
import sys
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "checks"))
from checks_support import (
    cell,
    change,
    criteria,
    cut,
    ends,
    expectations,
    good_run,
    plan,
    tick,
    timeline,
)
from test_history import slower, write_run

from gameday.app.compare_runs import compare_command
from gameday.errors import UsageError
from gameday.kpi.compare import FALSE_ALARMS
from gameday.kpi.student import normal_quantile, share_difference
from gameday.kpi.two_runs import compare_two, stretches_of
from gameday.model.event import Phase, Timeline
from gameday.model.plan import Plan
from gameday.model.report import Change
from gameday.model.window import Tick
from gameday.report import compared_page
from gameday.report.compared_figure import figure_of_two
from gameday.report.compared_runs import Side
from gameday.report.drawing import Drawing, DrawingError

EVIL = '<script>alert(1)</script> "x" `y` \x1b[31m'


def failing(second: int) -> Tick:
    """One checkout in five fails while the fault is in."""
    if 13 < second < 33:
        slow = cell(second, "checkout", 20, 1620)
        lost = cell(second, "checkout", 5, 5000, "timeout")
        return tick(second, [cell(second, "browse", 75, 12), slow, lost])
    return tick(second)


BAD = timeline(good_run(ticks=failing, alerts=False))


def compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *runs: tuple[Plan | None, Timeline | None]
) -> tuple[int, dict[str, Any]]:
    for number, (made, run) in enumerate(runs):
        write_run(tmp_path, number, made, run)
    code = command(tmp_path, as_json=True)
    return code, json.loads(capsys.readouterr().out)


def command(reports: Path, *, as_json: bool = False, html: Path | None = None) -> int:
    first, second = sorted(p.name for p in reports.iterdir() if p.is_dir())
    return int(compare_command(first, second, reports=reports, as_json=as_json, html=html))


def test_alike_runs_show_no_change_and_end_with_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = compared(tmp_path, capsys, (None, None), (None, None))

    assert code == found["exit_code"] == 0
    assert found["change"] == "no_change_shown"
    assert found["differences"] == []
    assert {pair["change"] for pair in found["expectations"]} == {"same"}
    assert {pair["by_ms"] for pair in found["ladders"]} == {0, None}
    assert {pair["by_ms"] for pair in found["faults"]} == {0}
    metrics = {(n["phase"], n["subject"], n["metric"]) for n in found["numbers"]}
    assert len(metrics) == 3 * 3 * 4


def test_an_expectation_that_held_and_does_not_is_worse_and_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = compared(tmp_path, capsys, (None, None), (None, BAD))

    assert code == 1
    assert found["change"] == "worse"
    assert any("errors < 1%” held and does not hold any more" in r for r in found["reasons"])
    assert any("worse by more than chance" in reason for reason in found["reasons"])
    firing = next(pair for pair in found["ladders"] if pair["name"] == "firing")
    assert firing["now"].startswith("not within")
    assert firing["by_ms"] is None, "a lower bound is no measurement"


def test_the_other_way_round_it_is_better_and_ends_with_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = compared(tmp_path, capsys, (None, BAD), (None, None))

    assert (code, found["change"]) == (0, "better")


def test_a_number_alone_can_be_worse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = compared(tmp_path, capsys, (None, None), (None, timeline(good_run(ticks=slower))))

    assert code == 1
    assert {pair["change"] for pair in found["expectations"]} == {"same"}
    rows = [n for n in found["numbers"] if n["change"] == "worse"]
    assert {row["metric"] for row in rows} >= {"p50", "p95"}
    assert all(0 < row["by_low"] <= row["by"] <= row["by_high"] for row in rows)


def test_a_run_that_proves_nothing_is_not_compared_and_ends_with_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = compared(
        tmp_path, capsys, (None, None), (None, timeline(good_run(), cut(20_000)))
    )

    assert (code, found["change"]) == (3, "not_compared"), "it may still go on"
    assert any("the run after proves nothing" in reason for reason in found["reasons"])


def test_a_run_that_was_stopped_or_left_something_is_worse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left = timeline(
        good_run(),
        ends("fault.revert", Phase.UNKNOWN, error="no answer"),
        change("run.closed", status="stopped", dirty=["slow"]),
    )
    code, found = compared(tmp_path, capsys, (None, None), (None, left))

    assert (code, found["change"]) == (1, "worse")
    assert "the run after left something that was not shown to be gone" in found["reasons"]
    assert any("was stopped" in reason for reason in found["reasons"])


def test_before_a_run_that_proves_nothing_there_is_nothing_to_be_worse_than(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = compared(tmp_path, capsys, (None, timeline(good_run(), cut(20_000))), (None, BAD))

    assert (code, found["change"]) == (3, "not_compared")


def test_what_differs_in_what_was_done_comes_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = plan(expect=expectations(baseline=criteria("errors < 2%", "p95 < 300ms")))
    load = replace(other.scenario.load, arrivals_per_s=50)
    other = replace(other, scenario=replace(other.scenario, load=load, profile="full"))
    write_run(tmp_path, 0)
    write_run(
        tmp_path,
        1,
        other,
        timeline(good_run(), change("run.parts", load="locust 3.0", receiver="127.0.0.1:4000")),
    )

    command(tmp_path)
    text = capsys.readouterr().out

    for line in (
        "profile: smoke → full",
        "load.arrivals_per_s: 100 → 50",
        "part load: locust 2.47.0 → locust 3.0",
        "expect.baseline `errors < 2%`: - → asked",
    ):
        assert line in text, text
    assert "4000" not in text, "where a part listens is no difference"
    assert text.index("profile: smoke → full") < text.index("expectations: ")
    assert "not the same was done" in " ".join(text.split())
    assert "only after: baseline: errors < 2%: not asked → pass" in text


def test_runs_of_two_scenarios_and_one_run_twice_are_refused(tmp_path: Path) -> None:
    other = plan()
    other = replace(other, scenario=replace(other.scenario, id="inventory-down"))
    write_run(tmp_path, 0)
    write_run(tmp_path, 1, other)

    with pytest.raises(
        UsageError, match=r"is a run of `payments-slow`, .* one of `inventory-down`"
    ):
        command(tmp_path)
    with pytest.raises(UsageError, match="are the same run"):
        compare_command("last", "last", reports=tmp_path, as_json=False, html=None)


def test_the_text_fits_a_terminal_and_hostile_names_do_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path, 0, None, timeline(good_run(), change("run.parts", load=EVIL)))
    write_run(tmp_path, 1, None, BAD)
    command(tmp_path)
    text = capsys.readouterr().out

    assert text.startswith("WORSE  payments-slow\n")
    assert text.endswith("  exit code 1\n")
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= 90


def test_the_page_is_one_file_with_both_runs_and_only_its_own_scripts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path / "r", 0, None, timeline(good_run(), change("run.parts", load=EVIL)))
    write_run(tmp_path / "r", 1, None, BAD)
    svg = Drawing(svg="<svg/>", png=b"", script="/* the chart library */")
    monkeypatch.setattr(compared_page.render_page, "__kwdefaults__", {"draw": lambda _: svg})
    page = tmp_path / "compared.html"

    code = command(tmp_path / "r", html=page)
    text = page.read_text(encoding="utf-8")
    command(tmp_path / "r", html=page)

    assert code == 1
    assert page.read_text(encoding="utf-8") == text, "the same runs, the same bytes"
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == 2
    hashes = {b64encode(sha256(one.encode()).digest()).decode() for one in scripts}
    assert set(re.findall(r"'sha256-([^']+)'", unescape(text))) == hashes
    assert EVIL not in text
    assert not re.search(r'(?:src|href)="(?!data:|#)', text)
    assert "default-src 'none'; script-src 'sha256-" in unescape(text)
    for one in ("differences", "expectations", "numbers", "ladders", "faults"):
        assert f'id="table-{one}"' in text
    spec = json.loads(text.partition('id="figure-spec">')[2].partition("</script>")[0])
    assert spec["usermeta"]["runs"] == ["before", "after"]
    assert '<img id="figure-picture" src="data:image/svg+xml;base64,' in text, "without scripts"
    assert "wrote" in capsys.readouterr().err


def test_a_figure_that_cannot_be_drawn_leaves_the_tables(tmp_path: Path) -> None:
    def cannot(_: Any) -> Drawing:
        raise DrawingError("no engine")

    from gameday.app.judge import judge_run
    from gameday.report.compared_runs import compare_runs

    judged = [judge_run(write_run(tmp_path, n)) for n in range(2)]
    sides = [Side(plan=j.plan, timeline=j.timeline, report=j.report) for j in judged]
    text = compared_page.render_page(compare_runs(*sides), *sides, draw=cannot)

    assert "No engine." in text
    assert "<script" not in text
    assert 'id="table-numbers"' in text


def test_the_figure_puts_the_faults_of_both_at_one_place(tmp_path: Path) -> None:
    from gameday.app.judge import judge_run

    late = timeline(good_run(), change("fault.inject", confirmed_ms=14_040))
    judged = [judge_run(write_run(tmp_path, n, None, run)) for n, run in enumerate((None, late))]
    sides = [Side(plan=j.plan, timeline=j.timeline, report=j.report) for j in judged]
    figure = figure_of_two(*sides)

    assert figure is not None
    shades = figure.spec["datasets"]["shade"]
    assert shades[0]["t"] == shades[1]["t"]
    assert any("1 s later than it was" in caption for caption in figure.captions)
    assert {row["run"] for row in figure.spec["datasets"]["rates"]} == {"before", "after"}
    assert {row["name"] for row in figure.spec["datasets"]["quantiles"]} >= {"p50"}


def test_the_intervals_are_those_of_chance_within_both_runs() -> None:
    rows = compare_two(stretches_of(timeline(good_run())), stretches_of(BAD))
    errors = next(r for r in rows if (r.phase, r.subject, r.metric) == ("fault", "all", "errors"))
    known = sum(not row.why for row in rows)
    z = normal_quantile(FALSE_ALARMS / 2 / known)

    low, high = share_difference((95, 1995), (0, 1995), z)
    assert errors.by == pytest.approx(95 / 1995)
    assert (errors.by_low, errors.by_high) == pytest.approx((low, high))
    assert (errors.n, errors.n_least) == (1995, 1995)
    assert errors.change is Change.WORSE
    few = next(r for r in rows if (r.phase, r.subject, r.metric) == ("baseline", "browse", "p99"))
    assert few.change is Change.NOT_COMPARED
    assert "p99 needs 1000" in few.why


def test_what_was_cut_short_is_not_compared() -> None:
    rows = compare_two(
        stretches_of(timeline(good_run())), stretches_of(timeline(good_run(), cut(20_000)))
    )

    assert {row.why for row in rows if row.phase == "fault"} == {
        "the phase was cut short in the run after"
    }
