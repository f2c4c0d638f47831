"""The watch over requests that take too long, in a process of its own: gevent stays out of ours."""

from __future__ import annotations

from typing import Any

from load_support import said_by

PRELUDE = """
import json, gevent
from time import monotonic
from gameday.adapters.locust.agent_deadline import Deadlines, Late
deadlines = Deadlines(0.3)
gevent.spawn(deadlines.watch)

def request(takes_s):
    begun, begin = deadlines.begin(), monotonic()
    try:
        gevent.sleep(takes_s)
        how = "ok"
    except Late:
        how = "late"
    return how, round(monotonic() - begin, 3), deadlines.end(begun)
"""


def run(code: str) -> Any:
    return said_by(PRELUDE + code)


def test_each_request_has_its_own_whole_limit_and_those_in_time_are_left_alone() -> None:
    found = run("""
def one(begin_s, takes_s):
    gevent.sleep(begin_s)
    return request(takes_s)
asked = [(0, 9), (0.05, 0.1), (0.1, 9), (0.15, 0.01), (0.2, 9), (0.9, 9)]
jobs = [gevent.spawn(one, *one_asked) for one_asked in asked]
gevent.joinall(jobs)
print(json.dumps([job.value for job in jobs]))
""")
    assert [how for how, _, _ in found] == ["late", "ok", "late", "ok", "late", "late"]
    assert [ended for _, _, ended in found] == [True, False, True, False, True, True]
    assert all(took >= 0.3 for how, took, _ in found if how == "late")


def test_after_its_request_a_greenlet_is_never_interrupted() -> None:
    found = run("""
def visitor():
    first = request(0.25)
    gevent.sleep(0.4)           # thinking: no request, no limit
    second = request(0.25)      # and a whole limit for the next one
    return first[0], second[0], deadlines.begin() is not None
print(json.dumps(gevent.spawn(visitor).get(timeout=10)))
""")
    assert found == ["ok", "ok", True]


def test_a_request_within_a_request_keeps_the_limit_of_the_outer_one() -> None:
    found = run("""
def outer():
    begun, begin = deadlines.begin(), monotonic()
    try:
        inner = [request(0.1)[0] for _ in range(2)]
        inner.append(request(9)[0])   # thrown at the limit of the outer one
    finally:
        ended = deadlines.end(begun)
    return inner, monotonic() - begin < 5, ended
print(json.dumps(gevent.spawn(outer).get(timeout=10)))
""")
    assert found == [["ok", "ok", "late"], True, True]


def test_hundreds_that_are_due_at_once_are_all_ended() -> None:
    found = run("""
jobs = [gevent.spawn(request, 9) for _ in range(500)]
gevent.joinall(jobs, timeout=20)
print(json.dumps([sum(job.value[0] == "late" for job in jobs), len(deadlines._due_ns)]))
""")
    assert found == [500, 0]
