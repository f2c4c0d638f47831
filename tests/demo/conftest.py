"""A running shop, shared by the tests of one file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from shop_support import Customer, running, wait_until


@pytest.fixture(scope="module")
def one_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Customer]:
    with running(tmp_path_factory.mktemp("shop"), naive=False) as customer:
        yield customer


@pytest.fixture
def shop(one_shop: Customer) -> Iterator[Customer]:
    """The shared shop, well again after each test: circuits closed, backlog worked off."""
    yield one_shop
    for name in ("payments", "inventory", "redis", "postgres", "shop"):
        one_shop.relays.heal(name)

    def well() -> bool:
        answers = [one_shop.buy().json().get("status") for _ in range(6)]
        return answers == ["paid"] * 6

    wait_until("the shop is well again", well)


@pytest.fixture(scope="module")
def naive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Customer]:
    """A shop without resilience, on the servers that the wheels carry."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "/usr/sbin:/sbin")
        with running(tmp_path_factory.mktemp("naive"), naive=True) as customer:
            yield customer
