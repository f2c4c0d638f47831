"""The picture of the live view: what it says at any size, and what is cut first."""

from __future__ import annotations

import fcntl
import io
import os
import struct
import termios
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from checks_support import (
    FAULT_S,
    LATENCY,
    RECOVERY_S,
    cell,
    criteria,
    expectations,
    good_run,
    plan,
    tick,
)

from gameday.model.event import Event, Phase
from gameday.model.plan import Plan
from gameday.model.scenario import AlertExpectation
from gameday.model.window import Tick
from gameday.report import livetty
from gameday.report.live import LiveView
from gameday.report.livejson import status_of
from gameday.report.livenext import coming
from gameday.report.livescreen import picture
from gameday.report.livestate import LiveState
from gameday.report.livetty import TtyFace, painted

SIZES = [(80, 24), (40, 12), (200, 60)]
MOMENTS = [0, 5, FAULT_S + 7, RECOVERY_S + 6, 60]


def crowded() -> Plan:
    """More of everything than a small screen can hold, with names in wide letters."""
    one = plan()
    faults = tuple(replace(LATENCY, id=f"slow-{n}-支払いが遅い") for n in range(7))
    alerts = tuple(
        AlertExpectation(alert=f"Payments{n}IsSlowForEverybodyInTheShop", fires_within_ms=10_000)
        for n in range(7)
    )
    stops = [c for n in range(7) for c in criteria(f"errors > {50 + n}% for 10s")]
    expect = expectations(alerts=alerts, fault=criteria(*(f"p95 < {n}s" for n in range(1, 8))))
    scenario = replace(one.scenario, faults=faults, expect=expect, stop_when=tuple(stops))
    return replace(one, scenario=replace(scenario, title="支払いが遅い " * 20))


def seen(at_s: int, of: Plan | None = None, **how: Any) -> LiveState:
    state = LiveState(of or plan())
    for event in good_run(**how).events():
        if event.at_ms <= at_s * 1000:
            state.see(event)
    state.now_ms = max(state.now_ms, at_s * 1000)
    return state


def shown(state: LiveState, size: tuple[int, int] = (80, 24), news: int = 0) -> list[str]:
    told = [(n * 1000, f"news {n} " + "w" * 300) for n in range(news)]
    return [line.plain for line in picture(state, told, width=size[0], height=size[1])]


@pytest.mark.parametrize("size", [*SIZES, (20, 5), (1, 1)])
@pytest.mark.parametrize("at_s", MOMENTS)
@pytest.mark.parametrize("of", [plan, crowded])
def test_no_line_is_too_long_and_none_too_many(
    at_s: int, size: tuple[int, int], of: Callable[[], Plan]
) -> None:
    state = seen(at_s, of())
    state.hints = {"a": "x" * 300, "b": "遅" * 100, "c": "\x1b[2Jz"}
    state.stopped = "errors > 50% for 10s: errors were 83 %"
    lines = picture(state, [(0, "w" * 300)] * 40, width=size[0], height=size[1])

    assert 0 < len(lines) <= size[1]
    assert max(line.cell_len for line in lines) <= size[0]
    assert not [line for line in lines if "\x1b" in line.plain or "\n" in line.plain]


@pytest.mark.parametrize("size", SIZES)
def test_what_is_important_is_there_at_every_size(size: tuple[int, int]) -> None:
    state = seen(FAULT_S + 7, crowded())
    state.see(fault_event("slow-6-支払いが遅い", "fault.revert", Phase.UNKNOWN))
    state.see(Event(at_ms=state.now_ms, kind="alert.firing", subject="Payments5IsSlowForEverybody"))
    state.stopped = "errors > 50% for 10s"
    lines = shown(state, size, news=40)

    def one(start: str) -> str:
        return next(line for line in lines if line.startswith(start))

    assert "fault" in one("phase")
    assert "UNKNOWN" in one("fault"), "what is in doubt comes first"
    assert "Payments5" in one("alert")
    assert "errors > 5" in one("stop")
    assert "STOPPED errors > 50%" in one("STOPPED")
    assert "of 100/s served" in one("load")


def fault_event(fault: str, kind: str, phase: Phase) -> Event:
    return Event(at_ms=(FAULT_S + 7) * 1000, kind=kind, subject=fault, phase=phase)


def test_a_section_that_is_cut_says_how_much_is_missing() -> None:
    lines = shown(seen(FAULT_S + 7, crowded()), (80, 24), news=40)

    cut = [line for line in lines if line.startswith(("fault+", "alert+", "stop+", "goal+"))]
    of = ("fault", "alert", "stop", "goal", " " * 8)
    rows = sum(line.startswith(of) for line in lines)
    missing = sum(int(line[:8].partition("+")[2]) for line in cut)
    assert cut
    assert missing + rows == 8 + 8 + 7 + 7, "8: those of the run are none of the plan"
    assert sum("news" in line for line in lines) == 1, "of news the last one is left"


def test_a_roomy_screen_shows_everything() -> None:
    lines = shown(seen(FAULT_S + 7, crowded()), (200, 60), news=5)

    assert not [line for line in lines if "+" in line[:8]]
    assert sum("news" in line for line in lines) == 5


def test_all_lanes_share_one_timeline() -> None:
    lines = shown(seen(FAULT_S + 7))
    rows = [line for line in lines if line.startswith(("phase", "fault", "alert"))]
    now = {line.index("┃") for line in rows}
    phase, fault, alert = rows

    assert len(now) == 1, "now is at the same place in each of them"
    (at,) = now
    assert fault.index("━") < alert.index("╌") < alert.index("━") < at
    assert "recov" in phase[at:]


def test_the_detection_clock_runs_from_the_fault_to_the_alert() -> None:
    def clock(at_s: int) -> str:
        return next(line for line in shown(seen(at_s)) if line.startswith("alert"))

    assert clock(FAULT_S - 1).rstrip().endswith("quiet")
    assert "quiet 1 s of 10 s …" in clock(FAULT_S + 1)
    assert "pending 4 s of 10 s …" in clock(FAULT_S + 4)
    assert "6 s of 10 s, delivered to pager" in clock(FAULT_S + 12), "it stands once it fired"
    state = seen(FAULT_S + 1)
    state.now_ms = (FAULT_S + 12) * 1000
    late = next(line for line in shown(state) if line.startswith("alert"))
    assert "quiet 12 s of 10 s LATE" in late


def failing(second: int) -> Tick:
    kinds = [
        cell(second, "checkout", 30, 5, "timeout"),
        cell(second, "checkout", 10, 5, "http_5xx"),
    ]
    bad = [cell(second, "browse", 60, 12), *kinds]
    return tick(second, bad if FAULT_S < second < RECOVERY_S else None)


def test_errors_come_by_kind_and_objectives_with_value_and_limit() -> None:
    lines = shown(seen(FAULT_S + 9, ticks=failing))

    assert any(x.startswith("errors  40 %  timeout 150, http_5xx 50") for x in lines)
    assert any("errors < 1%" in x and "BROKEN" in x for x in lines)
    assert any("errors > 50% for 10s" in x and "points left" in x for x in lines)
    baseline = shown(seen(10))
    assert any("p95 < 300ms" in x and "holds, 35 ms so far" in x for x in baseline)


def test_steady_again_is_told_from_the_last_fault_off() -> None:
    state = seen(RECOVERY_S + 8)

    (one,) = state.objectives
    assert (one.text, one.holds) == ("steady within 10s", True)
    assert one.said.startswith("steady for")
    broken = seen(RECOVERY_S + 13, ticks=lambda second: tick(second, [cell(second, "x", 9, 900)]))
    (late,) = broken.objectives
    assert late.holds is False
    assert "not steady" in late.said


@pytest.mark.parametrize(
    ("at_s", "text"),
    [
        (1, "baseline begins"),
        (5, "slow goes in"),
        (FAULT_S + 2, "PaymentsSlow must have fired"),
        (FAULT_S + 8, "slow goes out"),
        (RECOVERY_S + 2, "load stops, then the verdict"),
        (60, "alerts and runbooks are read, then the verdict"),
    ],
)
def test_it_says_what_comes_next_and_when(at_s: int, text: str) -> None:
    state = seen(at_s)

    assert text in [one.text for one in coming(state)]
    assert any(line.startswith("next") and text in line for line in shown(state, (120, 40)))
    assert {"what": text} in [{"what": one["what"]} for one in status_of(state)["next"]]


def test_a_stopped_run_plans_nothing_any_more() -> None:
    state = seen(FAULT_S + 7)
    state.see(Event(at_ms=FAULT_S * 1000, kind="stop.tripped", subject="operator"))

    assert [one.text for one in coming(state)] == ["faults are taken out and read back"]
    assert state.left_ms is None
    assert [band.name for band in state.bands] == ["warmup", "baseline", "fault"]


class Terminal(io.StringIO):
    """A terminal of some size, that counts what is written to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.size = (80, 24)
        self.frames: list[str] = []
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setattr(livetty, "_size", lambda _: self.size)

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.frames.append(text)
        return super().write(text)


def test_a_frame_is_one_write_and_there_are_at_most_four_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(livetty.time, "monotonic", lambda: now[0])
    out = Terminal(monkeypatch)
    view = LiveView(plan(), mode="tty", stream=out)
    events = good_run().events()
    for event in events:
        now[0] += 2.0 / len(events)
        view.see(event)
    view.close()

    drawn = [frame for frame in out.frames if "\x1b[?2026h" in frame]
    assert 6 <= len(drawn) <= 9, "two seconds"
    assert len(out.frames) == len(drawn) + 2, "the other screen, and back"


def test_only_lines_that_changed_are_written_until_the_size_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr(livetty.time, "monotonic", lambda: now[0])
    out = Terminal(monkeypatch)
    face, state = TtyFace(out), seen(FAULT_S + 7)
    face.status(state)
    now[0] += 0.3
    state.now_ms += 1_000
    face.status(state)
    small = out.frames[-1]
    for size in ((40, 12), (120, 40)):
        out.size = size
        now[0] += 0.3
        face.status(state)
        assert "\x1b[2J" in out.frames[-1], "nothing of the old size is left"
        assert f"\x1b[{size[1] + 1};1H" not in out.frames[-1]
    face.close()

    assert "\x1b[2J" not in small
    assert "loadgen" not in small
    assert "phase" in small


@pytest.mark.parametrize("colours", [None, "standard", "truecolor"])
def test_what_is_painted_is_not_wider_than_the_screen(colours: str | None) -> None:
    lines = picture(seen(FAULT_S + 7, crowded()), [], width=80, height=24)

    for line, text in zip(painted(lines, 80, colours), lines, strict=True):
        assert line.endswith("\x1b[0m\x1b[K") == (text.cell_len < 80)
        assert "\n" not in line


def test_a_terminal_without_unicode_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal(monkeypatch)
    monkeypatch.setattr(livetty, "_is_unicode", lambda _: False)
    face = TtyFace(out)
    face.status(seen(FAULT_S + 7))
    face.close()

    assert "fault" in out.getvalue()
    assert out.getvalue().isascii()


def test_the_size_of_a_real_terminal_is_asked_for() -> None:
    leader, follower = os.openpty()
    with os.fdopen(follower, "w") as stream:
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 91, 0, 0))
        assert livetty._size(stream) == (91, 30)
    os.close(leader)
