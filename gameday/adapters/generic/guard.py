"""Runs one program, and ends it with all its children when the process that asked for it is gone.

A script of its own (standard library only, started by path, quick to start), leader of a process
group of its own. Its standard input is the lifeline: whoever asked for the program holds the other
end, writes nothing, and when that process dies, however it dies, the group is killed. So no inject
goes on after its runner, to land when somebody has taken the fault out already.

    guard.py STATUS_FD PROGRAM WORD...

On STATUS_FD comes the error number when the program could not be started, and nothing otherwise.
The exit code is that of the program, 128 + the signal if a signal ended it.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from types import FrameType

NOT_STARTED = 127


def main(arguments: list[str]) -> int:
    """Start the program unless the asker is gone already, and stay with it."""
    status, program, words = int(arguments[0]), arguments[1], arguments[2:]
    os.set_inheritable(status, False)
    lifeline = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    signal.signal(signal.SIGTERM, _stay)  # the program gets it too, and its code is what counts
    poller = select.poll()
    poller.register(lifeline, select.POLLIN | select.POLLHUP)
    if poller.poll(0):
        return NOT_STARTED
    try:
        child = os.posix_spawn(
            program, words, os.environ, setsigdef=[signal.SIGPIPE, signal.SIGXFSZ]
        )
    except OSError as error:
        os.write(status, str(error.errno).encode())
        return NOT_STARTED
    ended = os.pidfd_open(child)
    poller.register(ended, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poller.poll()}
        if ended in ready:
            return _code(os.waitpid(child, 0)[1])
        os.killpg(0, signal.SIGKILL)


def _stay(_number: int, _frame: FrameType | None) -> None:
    """Outlive a SIGTERM to the group."""


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
