"""What a run knows of itself while it goes on."""

from __future__ import annotations

from gameday.app.memory import Memory
from gameday.model.event import Event
from gameday.model.window import Tick, tick_to_json


def window(second: int, worker: str) -> Event:
    return Event(
        kind="load.window", subject=worker, data=tick_to_json(Tick(second=second, worker=worker))
    )


def test_a_second_is_told_when_all_workers_have_told_of_it() -> None:
    memory = Memory()
    assert not memory.wait_for_second(3, 0)
    for event in (window(3, "0"), window(2, "1"), window(4, "0")):
        memory.see(event)
    assert not memory.wait_for_second(3, 0)
    memory.see(window(3, "1"))
    assert memory.wait_for_second(3, 0)
    assert not memory.wait_for_second(4, 0)


def test_a_lost_worker_is_not_waited_for() -> None:
    memory = Memory()
    for event in (window(3, "0"), window(1, "1")):
        memory.see(event)
    memory.see(Event(kind="load.worker", subject="1", data={"state": "lost", "why": "x"}))
    assert memory.wait_for_second(3, 0)
