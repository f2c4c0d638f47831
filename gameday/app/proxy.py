"""`proxy serve`: the embedded server as a program of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def proxy_serve_command(*, host: str, port: int, seed: int, config: Path | None) -> int:
    """Become the embedded server: this process is replaced, so signals reach it directly."""
    command = [sys.executable, "-m", "gameday.proxy", "--host", host, "--port", str(port)]
    command += ["--seed", str(seed)]
    if config is not None:
        command += ["--config", str(config)]
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606 - our own interpreter, fixed arguments
