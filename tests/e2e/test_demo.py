"""`gameday demo`, as the README has it: it passes, and the naive shop fails for its own reason."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from docker_support import missing
from lab_support import GAMEDAY, run_gameday, wait_until
from set_support import as_wanted

pytestmark = pytest.mark.demo


#: What takes time, and may fail for the machine's sake; nothing else may.
TIMED = {"slo/criterion", "slo/steady", "alert/fired", "alert/delivered", "alert/resolved",
         "alert/quiet"}  # fmt: skip


def demo(directory: Path, *arguments: str) -> tuple[int, str, dict]:
    """Exit code, output and result."""
    ended = run_gameday("demo", *arguments, cwd=directory, within_s=600)
    runs = list((directory / "reports").glob("*/result.json"))
    assert len(runs) == 1, ended.stdout + ended.stderr
    return ended.returncode, ended.stdout + ended.stderr, json.loads(runs[0].read_text())


def failed_checks(result: dict) -> set[str]:
    return {f["check"] for f in result["expectations"] if f["outcome"] == "fail"}


def assert_passed(code: int, output: str, result: dict) -> None:
    """Exit code 0. A loud skip where the run itself found the machine too busy for it.

    Where real parts are required, as in `nox -s full`, what was not shown is a failure.
    """
    if code == 0:
        return
    assert as_wanted(0, result["verdict"]), output
    assert failed_checks(result) <= TIMED, output
    assert result["verdict"]["clean"], output
    not_shown(result)


def assert_failed(wanted: int, code: int, output: str, result: dict, reasons: list[str]) -> None:
    """That exit code, and each of these reasons; or a skip as above."""
    failed = [f["summary"] for f in result["expectations"] if f["outcome"] == "fail"]
    lacks = [reason for reason in reasons if not any(re.search(reason, text) for text in failed)]
    if (code, lacks) == (wanted, []):
        return
    assert code != wanted, f"{lacks} not in {failed}"
    assert as_wanted(wanted, result["verdict"]), output
    not_shown(result)


def not_shown(result: dict) -> None:
    missing(f"this machine had too much else to do: {result['verdict']['reason']}")


def test_the_demo_ends_clean_and_its_books_are_right(tmp_path: Path) -> None:
    """Whatever else runs on this machine. How fast the shop is has no place here: it is below."""
    code, output, result = demo(tmp_path)

    assert code in (0, 1, 3), output
    assert code == result["verdict"]["exit_code"]
    assert result["verdict"]["clean"], output
    assert failed_checks(result) <= TIMED, output
    outcomes = {f["check"]: f["outcome"] for f in result["expectations"]}
    assert (outcomes["answer/right"], outcomes["runbook/linked"]) == ("pass", "pass"), output
    assert str(next((tmp_path / "reports").glob("*/result.json")).parent) in output
    assert "0 lost, 0 duplicate" in output
    assert any("embedded" in part["text"] for part in result["parts"])


def test_the_naive_shop_fails_and_the_reason_names_the_checkouts(tmp_path: Path) -> None:
    """A busy machine makes it no faster; where it could not be loaded, the run says just that."""
    code, output, result = demo(tmp_path, "--naive")

    assert code == result["verdict"]["exit_code"]
    assert as_wanted(1, result["verdict"]), output
    assert result["verdict"]["clean"], output
    if code == 1:
        failed = [f["summary"] for f in result["expectations"] if f["outcome"] == "fail"]
        assert any(text.startswith("checkout p95 was") for text in failed), output


@pytest.mark.slow
def test_the_shop_absorbs_slow_payments_and_says_so(tmp_path: Path) -> None:
    code, output, result = demo(tmp_path)

    assert_passed(code, output, result)
    assert "PaymentsSlow fired after" in output


@pytest.mark.slow
def test_a_shop_without_inventory_sells_and_opens_a_ticket(tmp_path: Path) -> None:
    code, output, result = demo(tmp_path, "--scenario", "inventory-down")

    assert_passed(code, output, result)
    assert "InventoryDown fired after" in output
    books = next(f for f in result["expectations"] if f["check"] == "answer/right")
    assert books["outcome"] == "pass"


@pytest.mark.slow
def test_the_naive_shop_sells_nothing_without_inventory_and_is_stopped(tmp_path: Path) -> None:
    code, output, result = demo(tmp_path, "--naive", "--scenario", "inventory-down")

    assert_failed(4, code, output, result, [])
    assert "stopped by `errors > 50% for 10s`" in result["verdict"]["reason"]


def test_a_demo_that_is_killed_leaves_nothing_and_bars_nobody(tmp_path: Path) -> None:
    """The shop and its Toxiproxy end with it, and the sentinel sees that nothing is left to do."""
    with (tmp_path / "out.txt").open("w") as out:
        killed = subprocess.Popen(
            [*GAMEDAY, "demo"], cwd=tmp_path, stdout=out, stderr=out, start_new_session=True
        )
    try:
        wait_until("the fault is in", lambda: "confirmed_ms" in journal_of(tmp_path), 300)
        guard = next(
            json.loads(line)["data"]["pid"]
            for line in journal_of(tmp_path).splitlines()
            if '"kind":"sentinel.started"' in line
        )
        os.killpg(killed.pid, signal.SIGKILL)
    finally:
        killed.kill()
        killed.wait(60)

    wait_until("the sentinel has ended", lambda: not Path(f"/proc/{guard}").exists(), 120)
    recovered = run_gameday("recover", cwd=tmp_path)
    assert recovered.returncode == 0, recovered.stdout + recovered.stderr
    assert "no run in `reports` left anything in place" in recovered.stdout


def journal_of(directory: Path) -> str:
    found = list((directory / "reports").glob("*/journal.jsonl"))
    return found[0].read_text() if found else ""


@pytest.mark.slow
@pytest.mark.parametrize("real", [False, True], ids=["embedded", "real"])
@pytest.mark.parametrize(
    ("scenario", "naive", "code"),
    [
        ("payments-slow", False, 0),
        ("payments-slow", True, 1),
        ("inventory-down", False, 0),
        ("inventory-down", True, 4),
        ("connection-resets", False, 0),
        ("connection-resets", True, 1),
    ],
)
def test_every_scenario_on_embedded_and_on_real_parts(
    tmp_path: Path, scenario: str, naive: bool, code: int, real: bool
) -> None:
    options = [
        "--scenario",
        scenario,
        *(["--naive"] if naive else []),
        *(["--real"] if real else []),
    ]

    ended, output, result = demo(tmp_path, *options)

    if code == 0:
        assert_passed(ended, output, result)
    else:
        assert_failed(code, ended, output, result, [])


#: What the naive shop fails for: words of the expectations that do not hold, all of them.
REASONS = {
    "payments-slow": (1, ["checkout p95 was"]),
    "inventory-down": (4, ["browse errors were"]),
    "connection-resets": (1, ["checkout errors were 100 %"]),
    "pool-exhausted": (1, ["browse errors were", "ConnPoolSaturated did not fire"]),
    "sliced-packets": (1, ["^errors were 2"]),
    "gateway-killed": (1, ["InstanceOutlier did not fire"]),
    "container-killed": (1, ["InstanceOutlier did not fire"]),
    "inventory-trickles": (1, ["browse (p95 was|errors were)", "InventorySlow did not fire"]),
    "retry-storm": (1, ["checkout errors were 100 %", "RetryRateHigh.* fired too"]),
    "cache-cold": (1, ["browse errors were"]),
    "payments-partial": (1, ["checkout errors were", "PaymentsErrors did not fire"]),
    "database-restart": (1, ["browse errors were"]),
    "gateway-frozen": (1, ["browse errors were", "InstanceOutlier did not fire"]),
    "traffic-spike": (1, ["checkout p95 was|checkout errors were"]),
    "monitoring-down": (1, ["WatchStopped did not fire"]),
    "certificate-expired": (1, ["CertificateRefused did not fire"]),
    "bad-deploy": (1, ["checkout errors were 3", "ReleaseFailing did not fire"]),
    "disk-full": (1, ["lost was [1-9]", "DatabaseFull did not fire"]),
    "clock-skew": (1, ["browse errors were [23]", "ClockSkew did not fire"]),
}


def test_each_scenario_of_the_library_is_among_them() -> None:
    from gameday.app.library import library

    assert {one.name for one in library()} == set(REASONS)


def see_to_needs(name: str, patch: pytest.MonkeyPatch) -> None:
    """What a scenario needs, with the private engine for Docker: a loud skip without it."""
    from gameday.app.demo import needs_of
    from gameday.demo.clock import library

    url, needs = os.environ.get("GAMEDAY_TEST_DOCKER"), needs_of(name)
    if "libfaketime" in needs and library() is None:
        missing("libfaketime is not installed: this was NOT tested with another time")
    if "docker" in needs and not url:
        missing("GAMEDAY_TEST_DOCKER is not set: this was NOT tested against a real engine")
    if url:
        patch.setenv("DOCKER_HOST", url)


@pytest.mark.slow
@pytest.mark.parametrize("name", REASONS)
def test_the_shop_passes(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    see_to_needs(name, monkeypatch)

    code, output, result = demo(tmp_path, "--scenario", name)

    assert_passed(code, output, result)
    books = next(f for f in result["expectations"] if f["check"] == "answer/right")
    assert books["outcome"] == "pass"


@pytest.mark.slow
@pytest.mark.parametrize("name", REASONS)
def test_the_naive_shop_fails_for_a_reason_of_its_own(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    see_to_needs(name, monkeypatch)
    wanted, reasons = REASONS[name]

    code, output, result = demo(tmp_path, "--naive", "--scenario", name)

    assert_failed(wanted, code, output, result, reasons)


def test_a_scenario_that_needs_docker_is_skipped_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")

    done = run_gameday("demo", "--scenario", "container-killed", cwd=tmp_path)

    assert done.returncode == 3, done.stderr
    assert done.stdout.startswith("SKIPPED    container-killed: it needs Docker: no Docker engine")
    assert not list(tmp_path.iterdir()), "nothing was started"
