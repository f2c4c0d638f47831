"""A page of the docs as somebody follows it: its files, its commands, and what it shows.

A fenced block below a line that is a file's name in back-quotes and a colon is that file. Each line
of a `console` block is a command; one that ends with ` &` is a server that stays. A `text` block is
what the commands of the block before it print, line by line with others in between, wrapped
elsewhere, and with other numbers.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

FENCE = re.compile(r"(?:^`([\w.-]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: A number with its unit; an exit code is no such number.
NUMBER = re.compile(r"(?<!exit code )(?<![\w.])\d+(?:\.\d+)*(?:\+ds)?(?: (?:ms|s)\b)?")
#: The folder of a run: its name is a time.
RUN = re.compile(r"reports/\d{8}T\S+?/")


def words_of(text: str) -> str:
    """Without numbers, and without line breaks and spaces, which depend on them."""
    return f" {' '.join(NUMBER.sub('#', RUN.sub('reports/RUN/', text)).split())} "


def assert_shown(shown: str, printed: str) -> None:
    """Every line that is *shown* was *printed*, in that order."""
    rest = words_of(printed)
    for line in filter(str.strip, shown.splitlines()):
        _, found, rest = rest.partition(words_of(line))
        assert found, f"not printed: {line}\n\n{printed}"
        rest = f" {rest}"


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a command, with this `gameday` first on the PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, **(more or {}), "PATH": path}


def printed_by(command: str, folder: Path, within_s: float = 120) -> str:
    """What *command* prints, run by a shell in *folder*; it has to end with 0."""
    ended = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # in the order in which people see it
        text=True,
        timeout=within_s,
        check=False,
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout}"
    return ended.stdout
