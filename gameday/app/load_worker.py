"""`gameday load worker`: this process becomes a worker of a run, by Locust's own connection."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from gameday.adapters import locust
from gameday.adapters.locust.child import environment
from gameday.adapters.locust.hosts import FILE_VAR, MASTER_VAR, WORKER, split_address
from gameday.adapters.locust.protocol import TOKEN_VAR
from gameday.errors import UsageError


def plugin_file() -> str:
    """Where our file for Locust's own command is."""
    return str(Path(locust.__file__).with_name(f"{WORKER.rpartition('.')[2]}.py"))


def load_worker_command(
    master: str, *, token_env: str, token: str | None, locustfile: Path | None
) -> NoReturn:
    """Become a worker. Does not return; the exit code is the worker's. Raises `UsageError`."""
    try:
        split_address(master)
    except ValueError as error:
        raise UsageError(str(error)) from None
    known = token or os.environ.get(token_env, "")
    if not known:
        raise UsageError(
            f"a worker needs the token of the run: put it into `{token_env}`, or name another "
            "variable with `--token-env`"
        )
    if locustfile is not None and not locustfile.is_file():
        raise UsageError(f"there is no locustfile `{locustfile}`")
    variables = {
        MASTER_VAR: master,
        TOKEN_VAR: known,
        FILE_VAR: "" if locustfile is None else str(locustfile.resolve()),
    }
    sys.stdout.flush()
    os.execve(  # noqa: S606 - a program of ours, which takes the place of this one
        sys.executable, [sys.executable, "-m", WORKER], {**environment(os.environ), **variables}
    )
