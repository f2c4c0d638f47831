"""The clock of a gateway: how far it is off is seen, and customers do not depend on it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker_support import missing
from shop_support import Customer, running, wait_until

from gameday.demo.clock import ahead_s, library
from gameday.demo.dependency import ANSWER_BY
from gameday.demo.gateway import wanted
from gameday.demo.shop import Shop, ShopError
from gameday.demo.topology import CLOCKED, free_topology
from gameday.demo.web import BadRequest, Call, Reply

NOON = 1_767_268_800.0  # Thu, 01 Jan 2026 12:00:00 GMT


@pytest.mark.parametrize(
    ("date", "ahead"),
    [
        ("Thu, 01 Jan 2026 12:00:00 GMT", 0.5),
        ("Thu, 01 Jan 2026 12:05:00 GMT", 300.5),
        ("Thu, 01 Jan 2026 11:00:00 GMT", -3599.5),
        (None, 0.0),
        ("", 0.0),
        ("soon", 0.0),
        ("Thu, 41 Jan 2026 12:00:00 GMT", 0.0),
    ],
)
def test_a_date_says_how_far_a_clock_is_ahead(date: str | None, ahead: float) -> None:
    assert ahead_s(date, NOON) == pytest.approx(ahead)


def call(headers: dict[str, str]) -> Call:
    return Call(method="GET", target="/products", params={}, headers=headers, body=b"")


def answer_to(headers: dict[str, str]) -> int:
    async def handler(_: Call) -> Reply:
        return Reply(status=204)

    async def ask() -> int:
        return (await wanted(handler)(call(headers))).status

    return asyncio.run(ask())


def test_what_comes_too_late_for_the_edge_is_refused() -> None:
    assert answer_to({}) == 204
    assert answer_to({ANSWER_BY: "9999999999"}) == 204
    assert answer_to({ANSWER_BY: f"{NOON}"}) == 503
    with pytest.raises(BadRequest, match="must be a Unix time"):
        answer_to({ANSWER_BY: "noon"})


def set_clock(customer: Customer, text: str) -> None:
    file = customer.shop.settings.clock_file(CLOCKED)
    draft = file.with_suffix(".next")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)


@pytest.fixture(scope="module", params=[False, True], ids=["careful", "naive"])
def clocked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Customer]:
    if library() is None:
        missing("libfaketime is not installed: this was NOT tested with another time")
    where = tmp_path_factory.mktemp("clocked")
    with running(where, naive=request.param, clock=True) as customer:
        yield customer


def pages(customer: Customer) -> list[int]:
    return [customer.get("/products").status_code for _ in range(9)]


@pytest.mark.demo
@pytest.mark.real
def test_another_time_is_seen_and_hurts_the_naive_shop_alone(clocked: Customer) -> None:
    careful = not clocked.shop.settings.naive
    assert clocked.get("/status/clocks").status_code == 200
    assert pages(clocked) == [200] * 9

    set_clock(clocked, "+300\n")
    wait_until("it follows", lambda: "off" in clocked.get("/status/clocks").text or not careful)
    if careful:
        assert CLOCKED in clocked.get("/status/clocks").text
        assert 290 < clocked.metric("shop", "gateway_clock_ahead_seconds") < 310
        assert pages(clocked) == [200] * 9
        assert clocked.buy().json()["status"] == "paid"
    else:
        assert clocked.get("/status/clocks").status_code == 200, "nobody looks"
        assert sorted(pages(clocked)) == [200] * 6 + [503] * 3

    set_clock(clocked, "+0\n")
    wait_until("all is right", lambda: clocked.get("/status/clocks").status_code == 200)
    assert pages(clocked) == [200] * 9


def test_without_libfaketime_it_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gameday.demo.shop.library", lambda: None)

    with pytest.raises(ShopError, match=r"libfaketime is not installed .*; start the shop without"):
        Shop(free_topology(), tmp_path, proxied=False, clock=True).start()
