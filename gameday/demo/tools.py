"""A few programs of this machine for helper containers, so that no registry is asked.

A fault that fills a volume or changes packets looks from a container of its own, in which there has
to be a shell. The programs are copied with the libraries that they load, under their own paths.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

SHELL = Path("/bin/sh")
#: What filling a volume needs. Without `fallocate` it is written in pieces, which takes longer.
PROGRAMS = ("timeout", "stat", "dd", "fallocate", "truncate", "rm", "date", "sleep")
_LIBRARY = re.compile(r"(/\S+) \(0x")
_WITHIN_S = 10


def tools() -> dict[str, bytes]:
    """Path without its first slash -> content, of the programs here and their libraries."""
    found = [SHELL, *(Path(p) for name in PROGRAMS if (p := shutil.which(name)))]
    files = {file for program in found for file in (program, *_libraries(program))}
    # The links in the root are in the image, so what lies behind them is named by its real folder.
    return {
        str(file.parent.resolve() / file.name).lstrip("/"): file.read_bytes()
        for file in sorted(files)
    }


def _libraries(program: Path) -> Iterator[Path]:
    """Those that the loader takes, itself included; none of a static program."""
    done = subprocess.run(  # noqa: S603 - programs that we looked up ourselves
        ["ldd", str(program)],  # noqa: S607 - part of every C library
        capture_output=True,
        text=True,
        timeout=_WITHIN_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    yield from (Path(name) for name in _LIBRARY.findall(done.stdout))
