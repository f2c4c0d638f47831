"""The TLS endpoint of the edge: what clients refuse is seen, and mended without a restart."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
import trustme
from shop_support import Customer, wait_until

from gameday.demo.certificates import NAME

pytestmark = pytest.mark.demo


def reread(customer: Customer) -> None:
    os.kill(customer.shop.processes()["shop"], signal.SIGHUP)


@contextmanager
def served(
    customer: Customer, *, name: str = NAME, days: int = 30, own: bool = True
) -> Iterator[Path]:
    """Another certificate than the right one at the endpoint, and the right one again."""
    folder = customer.shop.settings.tls
    files = [folder / "shop.pem", folder / "shop.key"]
    before = [file.read_bytes() for file in files]
    known = trustme.CA.from_pem((folder / "ca.pem").read_bytes(), (folder / "ca.key").read_bytes())
    until = datetime.now(UTC) + timedelta(days=days)
    issued = (known if own else trustme.CA()).issue_cert(name, not_after=until)
    files[0].write_bytes(issued.cert_chain_pems[0].bytes())
    files[1].write_bytes(issued.private_key_pem.bytes())
    try:
        reread(customer)
        yield folder
    finally:
        for file, content in zip(files, before, strict=True):
            file.write_bytes(content)
        reread(customer)


def status(customer: Customer) -> tuple[int, str]:
    answer = customer.get("/status/tls")
    return answer.status_code, answer.text


def test_a_client_with_the_authority_is_served_the_shop(one_shop: Customer) -> None:
    settings = one_shop.shop.settings
    answer = requests.get(
        f"https://127.0.0.1:{settings.topology.tls_port}/products",
        verify=str(settings.tls / "ca.pem"),
        timeout=5,
    )

    assert answer.status_code == 200
    assert answer.json()["products"]
    assert status(one_shop)[0] == 200


@pytest.mark.parametrize(
    ("planted", "why"),
    [
        ({"days": -1}, "certificate has expired"),
        ({"name": "other.test"}, "Hostname mismatch"),
        ({"own": False}, "issuer certificate|self.signed"),
    ],
)
def test_what_clients_refuse_is_told_until_it_is_mended(
    one_shop: Customer, planted: dict[str, object], why: str
) -> None:
    with served(one_shop, **planted):  # type: ignore[arg-type]
        wait_until("it is seen", lambda: status(one_shop)[0] == 503)
        assert any(word in status(one_shop)[1] for word in why.split("|"))
        assert one_shop.metric("shop", "tls_handshake_ok") == 0
        assert one_shop.get("/products").status_code == 200, "the other way in is not touched"
    wait_until("it is mended", lambda: status(one_shop)[0] == 200)
    assert one_shop.metric("shop", "tls_handshake_ok") == 1


def test_files_that_do_not_fit_leave_the_edge_alive(one_shop: Customer) -> None:
    key = one_shop.shop.settings.tls / "shop.key"
    before = key.read_bytes()
    key.write_text("no key\n")
    try:
        reread(one_shop)
        assert one_shop.get("/products").status_code == 200
    finally:
        key.write_bytes(before)
        reread(one_shop)
    wait_until("it is well", lambda: status(one_shop)[0] == 200)
    assert key.stat().st_mode & 0o077 == 0, "a key is for its owner alone"


def test_the_naive_shop_never_looks(naive: Customer) -> None:
    with served(naive, days=-1):
        assert naive.get("/status/tls").status_code == 200
