"""The tutorial on one's own Prometheus: its files, its commands and what it shows, as printed.

What is taken from the page, and how it is compared, is in `page_support`. Nothing is changed but
the ports.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alerts_support import get, until
from page_support import FENCE, assert_shown, environment
from ports_support import free_port

pytestmark = pytest.mark.real

PAGE = Path(__file__).parents[2] / "docs" / "tutorial-alert.md"
PORTS = ("8001", "8002", "18002", "8474", "9090", "9093", "9099")


def with_free_ports(text: str) -> tuple[str, dict[str, int]]:
    free = {port: free_port() for port in PORTS}
    return re.sub(rf"\b({'|'.join(PORTS)})\b", lambda found: str(free[found[1]]), text), free


@contextmanager
def servers(folder: Path, env: dict[str, str]) -> Iterator[Callable[[str], None]]:
    """Starts programs that end with the block, or with the test."""
    running: list[subprocess.Popen[bytes]] = []
    leash = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []

    def start(command: str) -> None:
        with (folder / f"server-{len(running)}.log").open("wb") as log:
            argv = [*leash, "bash", "-c", f"exec env {command}"]
            running.append(
                subprocess.Popen(
                    argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            )

    try:
        yield start
    finally:
        for child in running:
            child.send_signal(signal.SIGKILL)
            child.wait(10)


def known_to_prometheus(port: int) -> bool:
    query = "rate(http_requests_total%5B5s%5D)"
    try:
        answer = get(f"http://127.0.0.1:{port}/api/v1/query?query={query}")
    except OSError:
        return False
    return bool(answer["data"]["result"])


def test_the_page_as_printed(tmp_path: Path, real_server: Callable[..., str]) -> None:
    for program in ("prometheus", "prometheus-alertmanager", "promtool"):
        real_server(program)
    text, ports = with_free_ports(PAGE.read_text(encoding="utf-8"))
    env = environment()
    printed: str | None = None
    compared = 0
    with servers(tmp_path, env) as start:
        for name, language, block in FENCE.findall(text):
            if name:
                (tmp_path / name).write_text(block, encoding="utf-8")
            elif language == "console":
                for command in block.splitlines():
                    if command.endswith(" &"):
                        start(command.removesuffix(" &"))
                        continue
                    until(
                        "Prometheus knows the shop",
                        lambda: known_to_prometheus(ports["9090"]),
                        40,
                    )
                    ended = subprocess.run(
                        ["bash", "-c", command],
                        cwd=tmp_path,
                        env=env,
                        stdin=subprocess.DEVNULL,
                        capture_output=True,
                        text=True,
                        timeout=120,
                        check=False,
                    )
                    printed = ended.stdout + ended.stderr
                    assert ended.returncode == 0, f"{command}\n{printed}"
            elif language == "text":
                assert printed is not None
                assert_shown(block, printed)
                compared += 1
                if "caught" in block:
                    assert "caught: ShopErrors{severity=page}" in printed
    assert compared == 5
    assert (tmp_path / "reports").is_dir()


def test_what_was_not_printed_is_noticed() -> None:
    assert_shown("a 3 s\nexit code 0", "a 400 ms\nb\nexit code 0\n")
    assert_shown("a 3 s and\n  b", "a 400 ms\n  and b\n")
    for shown, printed in (
        ("exit code 2", "exit code 0"),
        ("a\nb", "b\na"),
        ("caught", "late"),
        ("a", "ab"),
    ):
        with pytest.raises(AssertionError, match="not printed"):
            assert_shown(shown, printed)
