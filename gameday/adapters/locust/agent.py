"""Entry of the load process: `python -m gameday.adapters.locust.agent`.

Started by `driver`; not imported by anything else. Importing Locust comes second here, so that the
runner gets a sentence and not a traceback where Locust cannot be imported.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import time

from gameday.adapters.locust.protocol import (
    PARENT_VAR,
    SOCKET_VAR,
    TOKEN_VAR,
    VERSION,
    WORKER_VAR,
    Failed,
    Hello,
    write,
)

_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Run until the runner says stop, or is gone. Returns the exit code."""
    path, token = os.environ.pop(SOCKET_VAR, ""), os.environ.pop(TOKEN_VAR, "")
    if not path or not token:
        sys.stderr.write("gameday: this process is started by gameday, not by hand\n")
        return 2
    worker = os.environ.pop(WORKER_VAR, "0")
    die_with(int(os.environ.pop(PARENT_VAR, "0")))
    try:
        from gameday.adapters.locust.agent_run import run  # noqa: PLC0415 - see the module
    except Exception as error:  # noqa: BLE001 - whatever it is, the runner should hear it
        cannot(path, token, worker, f"Locust cannot be imported: {type(error).__name__}: {error}")
        return 2
    run(path, token, worker)
    return 0


def die_with(parent: int) -> None:
    """Have the kernel end this process with the runner (Linux), besides the end of the socket."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent and os.getppid() != parent:
        sys.exit(3)


def cannot(path: str, token: str, worker: str, why: str, *, generator: str = "locust") -> None:
    """Say why there will be no load."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.connect(path)
        hello = Hello(
            v=VERSION,
            token=token,
            pid=os.getpid(),
            worker=worker,
            generator=generator,
            mono_ns=time.monotonic_ns(),
        )
        link.sendall(write(hello) + write(Failed(message=why)))


if __name__ == "__main__":
    sys.exit(main())
