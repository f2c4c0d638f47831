"""Whom the balancer asks."""

from __future__ import annotations

from gameday.demo.balancer import Pool, Upstream


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def three(clock: Clock) -> tuple[Upstream, Upstream, Upstream]:
    return (
        Upstream("one", "http://1", clock),
        Upstream("two", "http://2", clock),
        Upstream("three", "http://3", clock),
    )


def test_requests_go_round() -> None:
    pool = Pool(three(Clock()))
    names = [pool.next().name for _ in range(6)]
    assert names[:3] == names[3:]
    assert sorted(names[:3]) == ["one", "three", "two"]


def test_two_failed_checks_take_it_out_and_one_good_one_brings_it_back() -> None:
    upstreams = three(Clock())
    pool = Pool(upstreams)
    upstreams[0].checked(ok=False)
    assert upstreams[0].available
    upstreams[0].checked(ok=False)
    assert not upstreams[0].available
    assert {pool.next().name for _ in range(6)} == {"two", "three"}
    upstreams[0].checked(ok=True)
    assert upstreams[0].available


def test_five_failures_in_a_row_are_too_many() -> None:
    upstream = three(Clock())[0]
    assert [upstream.answered(ok=False) for _ in range(4)] == [False] * 4
    assert not upstream.answered(ok=True)
    assert [upstream.answered(ok=False) for _ in range(5)] == [False] * 4 + [True]


def test_an_outlier_is_out_for_longer_each_time() -> None:
    clock = Clock()
    upstream = three(clock)[0]
    for out_s in (5, 10, 15, 20, 25, 30, 30):
        upstream.eject()
        clock.now += out_s - 0.1
        assert not upstream.available
        clock.now += 0.1
        assert upstream.available


def test_with_none_available_all_are_asked() -> None:
    upstreams = three(Clock())
    for upstream in upstreams:
        upstream.checked(ok=False)
        upstream.checked(ok=False)
    pool = Pool(upstreams)
    assert {pool.next().name for _ in range(3)} == {"one", "two", "three"}


def test_a_second_try_goes_elsewhere() -> None:
    upstreams = three(Clock())
    pool = Pool(upstreams)
    assert all(pool.next(not_this=upstreams[1]).name != "two" for _ in range(10))
