"""The runbooks on the live shop: a diagnosis sees the fault and only the fault, a mitigation helps.

Each is followed with the fault still in: what helps only after the fault is gone proves nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
import trustme
from docker_support import missing
from shop_support import Customer, running, wait_until

from gameday.demo.clock import library
from gameday.demo.topology import CLOCKED

pytestmark = pytest.mark.demo

FOLDER = Path(__file__).parents[2] / "scenarios" / "runbooks"
STEP = re.compile(r"^( *)```bash \{([^\n]*)\}\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    name: str
    phase: str
    expect_stdout: str | None
    script: str

    def run(self, customer: Customer, **more: str) -> tuple[bool, str]:
        """Whether it ended well and printed what it should."""
        topology = customer.shop.settings.topology
        env = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "STATE": str(customer.shop.settings.state_dir),
            "EDGE": customer.shop.url,
            "GATEWAYS": " ".join(topology.direct(f"gateway-{n}") for n in (1, 2, 3)),
            **{n.upper(): topology.direct(n) for n in ("shop", "payments", "inventory")},
            **more,
        }
        done = subprocess.run(
            ["bash", "-euc", self.script],
            env=env,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        good = done.returncode == 0
        if self.expect_stdout is not None:
            good = good and re.search(self.expect_stdout, done.stdout) is not None
        return good, done.stdout + done.stderr


def steps(name: str) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for indent, attributes, body in STEP.findall((FOLDER / f"{name}.md").read_text("utf-8")):
        given = dict(part.split("=", 1) for part in shlex.split(attributes))
        script = "\n".join(line.removeprefix(indent) for line in body.splitlines())
        step = Step(
            name=given["name"],
            phase=given["phase"],
            expect_stdout=given.get("expect_stdout"),
            script=script,
        )
        found.setdefault(step.phase, []).append(step)
    return found


@contextlib.contextmanager
def traffic(customer: Customer) -> Iterator[None]:
    """Customers who look and buy, about thirty a second."""
    over = threading.Event()

    def come() -> None:
        while not over.wait(0.1):
            customer.get("/products")
            customer.buy()

    threads = [threading.Thread(target=come) for _ in range(6)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def slow_payments(customer: Customer) -> None:
    customer.relays.delay("payments", 0.8)
    time.sleep(3)


def resetting_payments(customer: Customer) -> None:
    customer.relays.reset("payments")
    wait_until("the circuit is open", lambda: customer.get("/status/payments").status_code == 503)


def no_inventory(customer: Customer) -> None:
    customer.relays.down("inventory")
    wait_until("the circuit is open", lambda: customer.get("/status/inventory").status_code == 503)


def slow_database(customer: Customer) -> None:
    customer.relays.delay("postgres", 2.0)


def no_cache(customer: Customer) -> None:
    customer.relays.down("redis")


def dead_gateway(customer: Customer) -> None:
    os.kill(customer.shop.processes()["gateway-3"], signal.SIGKILL)
    wait_until(
        "the balancer leaves it out",
        lambda: customer.metric("shop", 'balancer_upstream_available{upstream="gateway-3"}') == 0,
    )


def dead_database(customer: Customer) -> None:
    os.kill(customer.shop.processes()["postgres"], signal.SIGKILL)
    wait_until("it is seen", lambda: customer.get("/status/postgres").status_code == 503)


def slow_inventory(customer: Customer) -> None:
    customer.relays.delay("inventory", 0.5)
    time.sleep(3)


def broken_release(customer: Customer) -> None:
    customer.post("/admin/release", {"version": "broken"}, "gateway-3")
    wait_until("it is seen", lambda: customer.get("/status/releases").status_code == 503)


def old_certificate(customer: Customer) -> None:
    """The right one lies in the file again, and what is served is still the other."""
    folder = customer.shop.settings.tls
    before = {name: (folder / name).read_bytes() for name in ("shop.pem", "shop.key")}
    other = trustme.CA().issue_cert("other.test")
    (folder / "shop.pem").write_bytes(other.cert_chain_pems[0].bytes())
    (folder / "shop.key").write_bytes(other.private_key_pem.bytes())
    os.kill(customer.shop.processes()["shop"], signal.SIGHUP)
    wait_until("it is seen", lambda: customer.get("/status/tls").status_code == 503)
    for name, content in before.items():
        (folder / name).write_bytes(content)


def wrong_clock(customer: Customer) -> None:
    if library() is None:
        missing("libfaketime is not installed: the runbook `clock-skew` was NOT followed here")
    customer.shop.settings.clock_file(CLOCKED).write_text("+300\n", encoding="utf-8")
    wait_until("it is seen", lambda: customer.get("/status/clocks").status_code == 503)


def full_database(customer: Customer) -> None:
    """It says to each order what it says when its disk is full."""
    told(
        customer,
        "create function full_disk() returns trigger language plpgsql as $$ begin"
        " raise exception 'No space left on device' using errcode = 'disk_full'; end $$",
        "create trigger full_disk before insert on orders execute function full_disk()",
    )
    wait_until("it is seen", lambda: customer.get("/status/disk").status_code == 503)


def told(customer: Customer, *statements: str) -> None:
    settings = customer.shop.settings

    async def tell() -> None:
        connection = await asyncpg.connect(
            host="127.0.0.1",
            port=settings.topology.part("postgres").port,
            user="shop",
            password=settings.secret,
            database="postgres",
            ssl=False,
        )
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(tell())


def no_watch(customer: Customer) -> None:
    customer.post("/admin/watch", {"on": False}, "shop")
    wait_until("it is seen", lambda: customer.get("/status/watch").status_code == 503)


BREAK: dict[str, Callable[[Customer], None]] = {
    "payments-slow": slow_payments,
    "connection-resets": resetting_payments,
    "inventory-down": no_inventory,
    "pool-saturated": slow_database,
    "cache-cold": no_cache,
    "gateway-out": dead_gateway,
    "shop-unhealthy": slow_database,
    "database-down": dead_database,
    "inventory-slow": slow_inventory,
    "bad-deploy": broken_release,
    "monitoring-down": no_watch,
    "certificate": old_certificate,
    "clock-skew": wrong_clock,
    "database-full": full_database,
}
#: Where the mitigation alone must make things well, with the fault still in.
CURED = (
    "payments-slow",
    "connection-resets",
    "database-down",
    "inventory-slow",
    "bad-deploy",
    "monitoring-down",
    "certificate",
)


@pytest.fixture(scope="module")
def one_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Customer]:
    """As for the others, but that the clock of a gateway can be moved, where that can be had."""
    clock = library() is not None
    with running(tmp_path_factory.mktemp("shop"), naive=False, clock=clock) as customer:
        yield customer


def test_every_runbook_is_followed_here() -> None:
    assert set(BREAK) == {file.stem for file in FOLDER.glob("*.md")}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(BREAK))
def test_a_runbook_sees_the_fault_and_helps(
    name: str, shop: Customer, real_server: Callable[..., str]
) -> None:
    real_server("curl")
    book = steps(name)
    with traffic(shop):
        time.sleep(1)
        for step in book["diagnose"]:
            good, said = step.run(shop)
            assert not good, f"{step.name} sees a fault where there is none: {said}"
        BREAK[name](shop)
        for step in book["diagnose"]:
            good, said = step.run(shop)
            assert good, f"{step.name} does not see the fault: {said}"
        for step in book.get("mitigate", []):
            good, said = step.run(shop, DEPENDENCY="inventory")
            assert good, f"{step.name}: {said}"
        if name not in CURED:
            mend(name, shop)
        for step in book["verify"]:
            wait_until(f"{step.name} says that it is well", lambda s=step: s.run(shop)[0])
        mend(name, shop)
        for step in book.get("rollback", []):
            good, said = step.run(shop, DEPENDENCY="inventory")
            assert good, f"{step.name}: {said}"
    wait_until("it is as before", lambda: shop.buy().json().get("status") == "paid")


def mend(name: str, customer: Customer) -> None:
    """What the runbook leaves to people: repair the dependency, restart the gateway."""
    if name == "gateway-out":
        customer.shop.restart("gateway-3")
    if name == "clock-skew":
        customer.shop.settings.clock_file(CLOCKED).write_text("+0\n", encoding="utf-8")
    if name == "database-full":
        told(customer, "drop function if exists full_disk cascade")
    if name == "inventory-down":  # verified with inventory back in the path
        for n in (1, 2, 3):
            customer.post("/admin/inventory", {"out": False}, f"gateway-{n}")
    for part in ("payments", "inventory", "postgres", "redis"):
        customer.relays.heal(part)
