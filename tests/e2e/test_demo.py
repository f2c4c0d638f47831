"""`gameday demo`, as the README has it: it passes, and the naive shop fails for its own reason."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from lab_support import GAMEDAY, run_gameday, wait_until

pytestmark = pytest.mark.demo


def demo(directory: Path, *arguments: str) -> tuple[int, str, dict]:
    ended = run_gameday("demo", *arguments, cwd=directory, within_s=240)
    runs = list((directory / "reports").glob("*/result.json"))
    assert len(runs) == 1, ended.stdout + ended.stderr
    return ended.returncode, ended.stdout + ended.stderr, json.loads(runs[0].read_text())


def test_the_shop_absorbs_slow_payments_and_says_so(tmp_path: Path) -> None:
    code, output, result = demo(tmp_path)

    assert code == 0, output
    assert result["verdict"]["outcome"] == "pass"
    assert "PaymentsSlow fired after" in output
    assert str(next((tmp_path / "reports").glob("*/result.json")).parent) in output
    assert "0 lost, 0 duplicate" in output
    assert any("embedded" in part["text"] for part in result["parts"])


def test_the_naive_shop_fails_and_the_reason_names_the_checkouts(tmp_path: Path) -> None:
    code, output, result = demo(tmp_path, "--naive")

    assert code == 1, output
    assert "checkout p95 was" in result["verdict"]["reason"]


def test_a_demo_that_is_killed_leaves_nothing_and_bars_nobody(tmp_path: Path) -> None:
    """The shop and its Toxiproxy end with it, and the sentinel sees that nothing is left to do."""
    with (tmp_path / "out.txt").open("w") as out:
        killed = subprocess.Popen(
            [*GAMEDAY, "demo"], cwd=tmp_path, stdout=out, stderr=out, start_new_session=True
        )
    try:
        wait_until("the fault is in", lambda: "confirmed_ms" in journal_of(tmp_path), 90)
        guard = next(
            json.loads(line)["data"]["pid"]
            for line in journal_of(tmp_path).splitlines()
            if '"kind":"sentinel.started"' in line
        )
        os.killpg(killed.pid, signal.SIGKILL)
    finally:
        killed.kill()
        killed.wait(10)

    wait_until("the sentinel has ended", lambda: not Path(f"/proc/{guard}").exists(), 40)
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

    ended, output, _ = demo(tmp_path, *options)

    assert ended == code, output
