"""The tutorial on one's own Prometheus: its files, its commands and what it shows, as printed.

What is taken from the page: a fenced block below a line that is a file's name in back-quotes and a
colon is that file; each line of a `console` block is a command, one that ends with ` &` is a server
that stays; a `text` block is what the command before it prints, line by line with others in
between, wrapped elsewhere, and with other numbers. Nothing is changed but the ports.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alerts_support import get, until
from ports_support import free_port

pytestmark = pytest.mark.real

PAGE = Path(__file__).parents[2] / "docs" / "tutorial-alert.md"
PORTS = ("8001", "8002", "18002", "8474", "9090", "9093", "9099")
FENCE = re.compile(r"(?:^`([\w.-]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: A number with its unit; an exit code is no such number.
NUMBER = re.compile(r"(?<!exit code )(?<![\w.])\d+(?:\.\d+)*(?:\+ds)?(?: (?:ms|s)\b)?")


def with_free_ports(text: str) -> tuple[str, dict[str, int]]:
    free = {port: free_port() for port in PORTS}
    return re.sub(rf"\b({'|'.join(PORTS)})\b", lambda found: str(free[found[1]]), text), free


def words_of(text: str) -> str:
    """Without numbers, and without line breaks and spaces, which depend on them."""
    return f" {' '.join(NUMBER.sub('#', text).split())} "


def assert_shown(shown: str, printed: str) -> None:
    """Every line that is *shown* was *printed*, in that order."""
    rest = words_of(printed)
    for line in filter(str.strip, shown.splitlines()):
        _, found, rest = rest.partition(words_of(line))
        assert found, f"not printed: {line}\n\n{printed}"
        rest = f" {rest}"


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
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path}
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
