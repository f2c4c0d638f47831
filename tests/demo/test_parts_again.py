"""Parts of a running shop that die come back when somebody wishes it, and a release goes back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from shop_support import Customer, wait_until

from gameday.demo.releases import ReleaseError, release
from gameday.demo.resilience import Recent
from gameday.demo.wishes import restart_part

pytestmark = pytest.mark.demo


def command(customer: Customer, *words: str) -> tuple[int, str]:
    state = str(customer.shop.settings.state_dir)
    done = subprocess.run(
        [sys.executable, "-m", "gameday.demo", *words, "--state", state],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def number_in(customer: Customer, name: str) -> int:
    return int(customer.shop.settings.pidfile(name).read_text())


def test_a_gateway_that_was_killed_is_left_out_and_comes_back(shop: Customer) -> None:
    before = number_in(shop, "gateway-2")
    assert shop.get("/status/gateways").status_code == 200
    os.kill(before, signal.SIGKILL)
    wait_until("it is left out", lambda: shop.get("/status/gateways").status_code == 503)
    assert [shop.buy().status_code for _ in range(6)] == [200] * 6

    code, said = command(shop, "restart", "gateway-2")

    assert code == 0, said
    assert number_in(shop, "gateway-2") != before
    wait_until("it is taken back", lambda: shop.get("/status/gateways").status_code == 200)
    assert command(shop, "restart", "gateway-2") == (0, "")  # it runs: there is nothing to do


def test_a_database_that_was_killed_comes_back_with_all_its_orders(shop: Customer) -> None:
    order = shop.buy().json()["order"]
    os.kill(number_in(shop, "postgres"), signal.SIGKILL)
    wait_until("it is noticed", lambda: shop.get("/status/postgres").status_code == 503)
    assert shop.buy().status_code == 503
    assert shop.get("/products").status_code == 200
    assert shop.get("/ledger").status_code == 503

    assert command(shop, "restart", "postgres")[0] == 0

    wait_until("orders are taken", lambda: shop.buy().status_code == 200)
    assert shop.get(f"/orders/{order}").json()["order"] == order
    books = shop.get("/ledger").json()
    assert (books["lost"], books["duplicate"]) == (0, 0)


def test_a_bad_release_costs_no_order_and_goes_back(shop: Customer) -> None:
    assert command(shop, "released", "gateway-1") == (0, "good\n")
    assert command(shop, "release", "gateway-1", "broken") == (0, "broken\n")
    assert shop.post("/checkout", {"sku": "A1"}, "gateway-1").status_code == 500
    assert command(shop, "buy", "gateway-1") == (0, "500\n")
    assert [shop.buy().status_code for _ in range(15)] == [200] * 15
    assert shop.get("/status/releases").status_code == 503

    assert command(shop, "release", "gateway-1", "good") == (0, "good\n")

    wait_until("nothing fails", lambda: shop.get("/status/releases").status_code == 200)
    assert shop.get("/ledger").json()["duplicate"] == 0


def test_where_there_is_no_shop_that_is_said(tmp_path: Path) -> None:
    assert restart_part(tmp_path, "postgres") == f"no shop keeps its state in `{tmp_path}`"
    with pytest.raises(ReleaseError, match="no shop keeps its state in"):
        release(tmp_path, "gateway-1", None)


def test_the_naive_shop_never_looks_at_its_gateways(naive: Customer) -> None:
    for what in ("gateways", "releases", "pool", "retries", "postgres", "redis"):
        assert naive.get(f"/status/{what}").status_code == 200, what


def test_what_is_recent() -> None:
    now = [0.0]
    recent = Recent(lambda: now[0], window_s=5.0, least=5)
    for failed in (True, True, False, False):
        recent.called()
        recent.attempted(failed=failed)
    assert (recent.failing, recent.amplified) == (0.0, 1.0)  # too few to say
    recent.called()
    for _ in range(6):
        recent.attempted(failed=True)
    assert recent.failing == pytest.approx(0.8)
    assert recent.amplified == pytest.approx(2.0)
    now[0] = 5.1
    assert (recent.failing, recent.amplified) == (0.0, 1.0)
    now[0] = 0.1
    recent.forget()
    assert (recent.failing, recent.amplified) == (0.0, 1.0)
