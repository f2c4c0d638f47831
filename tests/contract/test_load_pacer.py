"""The pacer against gevent, in a process of its own: gevent has no place in the test process."""

from __future__ import annotations

import pytest
from load_support import said_by

PRELUDE = """
import json, sys, gevent
from time import monotonic_ns
from gameday.adapters.locust import agent_pacer
from gameday.adapters.locust.agent_book import Book
from gameday.adapters.locust.agent_pacer import Arrival, Pacer
from gameday.adapters.locust.pacing import Schedule
from gameday.model.histogram import count
from gameday.model.shape import constant
book, grown = Book(), []
pacer = Pacer(book=book, labels=[("browse", "/a"), ("buy", "/b")], lanes=["V", "V"],
              weights=[3, 1], grow=grown.append)
"""


def run(code: str) -> object:
    return said_by(PRELUDE + code)


def test_the_last_idle_user_comes_first_and_the_first_arrival_is_served_first() -> None:
    found = run("""
order = []
def user(name, visits):
    for _ in range(visits):
        order.append([name, pacer.take("V").journey])
        gevent.sleep(0.01)
users = [gevent.spawn(user, name, 2) for name in "abc"]
gevent.sleep(0.01)
pacer.put(Arrival(monotonic_ns(), 0))
gevent.sleep(0.05)          # c serves it and is idle again, as the last one
pacer.put(Arrival(monotonic_ns(), 1))
gevent.sleep(0.05)
for journey in (0, 1, 0, 1, 0):   # b and a are left, with two visits each
    pacer.put(Arrival(monotonic_ns(), journey))
gevent.joinall(users)
print(json.dumps([order[:2], sorted(order[2:4]), [j for _, j in order[4:]], pacer.queued]))
""")
    assert found == [[["c", 0], ["c", 1]], [["a", 1], ["b", 0]], [0, 1], 1]


def test_what_nobody_takes_up_is_unserved_and_asks_for_more_users() -> None:
    found = run("""
agent_pacer.MAX_QUEUED = 3
for journey in (0, 1, 0, 1, 0):
    pacer.put(Arrival(0, journey))
waiting = sorted(set((j, n) for j, n, _ in pacer.waiting()))
pacer.give_up(2_000_000_000)
cells = book.cut(second=0, now_ns=0).cells
print(json.dumps([
    grown, waiting, book.asked, book.started, book.unserved, pacer.queued,
    [[c.journey, c.name, c.outcome, count(c.response), count(c.service)] for c in cells],
]))
""")
    assert found == [
        ["V"] * 3, [["browse", "/a"], ["buy", "/b"]], 5, 0, 5, 0,
        [["browse", "/a", "unserved", 3, 0], ["buy", "/b", "unserved", 2, 0]],
    ]  # fmt: skip


def test_an_arrival_handed_to_a_user_that_is_killed_is_not_lost() -> None:
    found = run("""
victim = gevent.spawn(pacer.take, "V")
gevent.sleep(0)
other = gevent.spawn(pacer.take, "V")
gevent.sleep(0)
other.kill(block=False)          # about to be killed, but still the last idle one
pacer.put(Arrival(monotonic_ns(), 1))
gevent.joinall([victim, other], timeout=1)
print(json.dumps([victim.value.journey, repr(other.value), book.asked, book.started,
                  pacer.queued]))
""")
    assert found == [1, "GreenletExit()", 1, 1, 0]


@pytest.mark.parametrize("stall_ms", [0, 300])
def test_a_busy_loop_delays_arrivals_and_drops_none(stall_ms: int) -> None:
    found = run(f"""
import time
begin = monotonic_ns()
gevent.spawn(pacer.issue, Schedule(constant(200), start_ns=begin))
gevent.sleep(0.1)
time.sleep({stall_ms / 1000})
caught_up = False
while not caught_up and monotonic_ns() < begin + 30_000_000_000:
    gevent.sleep(0.003)
    caught_up = pacer.queued >= (monotonic_ns() - begin) / 5e6 >= 200
pacer.end()
ended = (monotonic_ns() - begin) / 5e6
dues = sorted(round((due - begin) / 5e6) for _, _, due in pacer.waiting())
print(json.dumps([caught_up, dues == list(range(len(dues))), len(dues) <= ended + 1]))
""")
    assert found == [True, True, True], "all that were due, none left out, none too early"
