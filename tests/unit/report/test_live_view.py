"""The live view: what it says, that it fits, and that nothing ever waits for it."""

from __future__ import annotations

import io
import json
import sys
import threading
import time
from typing import Any

import pytest
from checks_support import FAULT_S, RECOVERY_S, cell, good_run, plan, tick

from gameday.model.event import Event, Phase
from gameday.model.window import Tick
from gameday.report import livetty
from gameday.report.live import LiveFollower, LiveView
from gameday.report.livescreen import picture
from gameday.report.livestate import LiveState


def seen_until(at_ms: int, **how: Any) -> LiveState:
    state = LiveState(plan())
    for event in good_run(**how).events():
        if event.at_ms <= at_ms:
            state.see(event)
    return state


def test_the_numbers_are_those_of_the_last_five_seconds() -> None:
    state = seen_until((FAULT_S + 10) * 1000 + 100)
    numbers = state.numbers

    assert (state.phase, state.left_ms) == ("fault", 9_982)
    assert state.run_left_ms == 9_982 + 15_000
    assert numbers.asked_per_s == 100
    assert numbers.good_per_s == 100
    assert numbers.error_ratio == 0
    assert numbers.p95_ms == pytest.approx(612, rel=0.01)
    assert numbers.in_flight == 3


def test_faults_and_alerts_are_shown_as_confirmed() -> None:
    during = seen_until((FAULT_S + 10) * 1000)
    after = seen_until((RECOVERY_S + 10) * 1000)

    assert during.faults["slow"].state == "ON"
    assert during.alerts["PaymentsSlow"].state == "delivered to pager"
    assert after.faults["slow"].state == "off, read back"
    assert after.alerts["PaymentsSlow"].state == "resolved"


def test_a_fault_in_doubt_is_never_shown_as_off() -> None:
    state = LiveState(plan())
    state.see(Event(at_ms=5, kind="fault.revert", subject="slow", phase=Phase.UNKNOWN))

    assert state.faults["slow"].state == "UNKNOWN"


@pytest.mark.parametrize(("first", "shown"), [(Phase.OK, "ON"), (Phase.UNKNOWN, "UNKNOWN")])
def test_a_strength_that_cannot_be_put_in_leaves_the_one_before_it_in(
    first: Phase, shown: str
) -> None:
    state = LiveState(plan())
    for at_ms, phase in ((1, Phase.STARTED), (2, first), (3, Phase.STARTED), (4, Phase.FAILED)):
        state.see(Event(kind="fault.inject", subject="slow", phase=phase, at_ms=at_ms))

    assert state.faults["slow"].state == shown
    assert state.lanes["fault/slow"][-1].to_ms is None

    state.see(Event(kind="fault.revert", subject="slow", phase=Phase.OK, at_ms=5))
    assert state.faults["slow"].state == "off, read back"


def test_pending_that_goes_away_is_not_called_resolved() -> None:
    view = LiveView(plan(), mode="plain", stream=(out := io.StringIO()))
    for kind, data in (("alert.pending", {}), ("alert.resolved", {"was": "pending"})):
        view.see(Event(at_ms=5, kind=kind, subject="PaymentsSlow", data=data))

    assert view.state.alerts["PaymentsSlow"].state == "quiet"
    assert "PaymentsSlow no longer pending" in out.getvalue()


def test_the_alert_of_the_proof_is_no_light() -> None:
    state = seen_until(0)
    data = {"status": "firing", "receiver": "pager"}

    for name in ("GamedayPipelineProof", "PaymentsSlow"):
        state.see(Event(seq=9, at_ms=5, kind="alert.delivered", subject=name, data=data))

    assert list(state.alerts) == ["PaymentsSlow"]


def burning(second: int) -> Tick:
    bad = cell(second, "checkout", 80, 5, "connection")
    return tick(second, [cell(second, "browse", 20, 12), bad] if second > FAULT_S else None)


def test_the_margin_of_a_stop_condition_is_its_live_reading() -> None:
    state = seen_until((FAULT_S + 10) * 1000, ticks=burning)

    (margin,) = state.margins
    assert margin.value is not None
    assert margin.value > 0.5
    assert margin.held_ms >= 3_000


def signal(at_ms: int, **data: Any) -> Event:
    usual = {"ok": True, "bad": False, "value": 2.0, "ms": 3.0, "error": None}
    return Event(at_ms=at_ms, kind="signal.sample", subject="lag > 3", data={**usual, **data})


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({}, "now 2, good for 3 s"),
        ({"bad": True, "value": 4.5}, "now 4.5, BAD for 1 s"),
        ({"ok": False, "value": None}, "cannot be read for 1 s"),
    ],
)
def test_a_signal_shows_its_state_and_since_when(data: dict[str, Any], text: str) -> None:
    out = io.StringIO()
    view = LiveView(plan(), mode="json", stream=out)
    for event in (signal(1_000), signal(2_000), signal(3_000, **data)):
        view.see(event)
    view.tick(4_000)
    lines = [line.plain for line in picture(view.state, [], width=80, height=24)]

    assert any("lag > 3" in line and text in line for line in lines)
    values = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [v["t"] for v in values] == ["status"] * 4, "samples are no news"
    assert values[-1]["signals"]["lag > 3"]["state"] in text


def test_no_load_is_no_zero() -> None:
    numbers = LiveState(plan()).numbers

    assert numbers.error_ratio is None
    assert numbers.good_per_s is None


def test_plain_lines_come_every_five_seconds_and_on_each_change() -> None:
    out = io.StringIO()
    view = LiveView(plan(), mode="plain", stream=out)
    for event in good_run().events():
        view.see(event)
    view.close()
    lines = out.getvalue().splitlines()

    assert "   13.0 s  fault `slow` confirmed on" in lines
    assert "   19.0 s  PaymentsSlow firing, 5.97 s after the fault" in lines
    status = [line for line in lines if "in flight" in line]
    assert len(status) == 9
    assert "\x1b" not in out.getvalue()


def test_json_is_one_object_a_line() -> None:
    out = io.StringIO()
    view = LiveView(plan(), mode="json", stream=out)
    for event in good_run().events():
        view.see(event)
    view.close()
    values = [json.loads(line) for line in out.getvalue().splitlines()]

    assert {value["t"] for value in values} == {"event", "status"}
    last = [value for value in values if value["t"] == "status"][-1]
    assert last["faults"] == {"slow": "off, read back"}
    assert last["stop_when"]["errors > 50% for 10s"]["value"] == 0


def test_the_terminal_is_left_as_it_was() -> None:
    class Tty(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Tty()
    view = LiveView(plan(), mode="tty", stream=out)
    for event in good_run().events()[:40]:
        view.see(event)
    view.close()
    view.close()

    assert out.getvalue().count("\x1b[?25l") == out.getvalue().count("\x1b[?25h")


def test_what_others_write_to_the_terminal_is_news_and_is_there_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Tty(io.StringIO):
        def isatty(self) -> bool:
            return True

    out, stderr = Tty(), Tty()
    monkeypatch.setattr(sys, "stderr", stderr)
    view = LiveView(plan(), mode="tty", stream=out)
    view.see(good_run().events()[0])

    sys.stderr.write("gameday: taking out slow\n")

    assert stderr.getvalue() == "", "it would be drawn over"
    time.sleep(livetty.REFRESH_S)
    view.tick(100)
    assert "gameday: taking out slow" in out.getvalue()
    view.close()
    assert stderr.getvalue() == "gameday: taking out slow\n"
    assert sys.stderr is stderr


class Stuck(io.StringIO):
    """A terminal that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.blocked = threading.Event()

    def write(self, text: str) -> int:
        self.blocked.set()
        self.go.wait(10)
        return super().write(text)


def test_a_stuck_terminal_holds_nobody_up_and_drops_are_counted() -> None:
    out = Stuck()
    follower = LiveFollower(LiveView(plan(), mode="plain", stream=out), size=10)
    note = Event(at_ms=1, kind="human.note", subject="scribe", data={"text": "hello"})
    follower.emit(note)
    assert out.blocked.wait(10)
    for _ in range(50):
        follower.emit(note)
    dropped = follower.dropped
    out.go.set()
    follower.close(timeout_s=10)

    assert dropped == 40
    assert out.getvalue().count("hello") == 11


def test_a_view_that_breaks_does_not_touch_the_run() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError("the pager was closed")

    follower = LiveFollower(LiveView(plan(), mode="plain", stream=Gone()))
    for event in good_run().events():
        follower.emit(event)
    follower.close(timeout_s=10)

    assert isinstance(follower.error, BrokenPipeError)


def test_all_that_was_emitted_is_shown_before_it_ends() -> None:
    out = io.StringIO()
    follower = LiveFollower(LiveView(plan(), mode="plain", stream=out))
    for event in good_run().events():
        follower.emit(event)
    follower.close(timeout_s=10)

    assert out.getvalue().splitlines()[-1].endswith("run closed: completed")
    assert (follower.dropped, follower.error) == (0, None)
