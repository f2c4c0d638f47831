"""Set the clock of one running server forward, as a time daemon would set that of its machine.

`faketime` cannot do that: it replaces functions of the C library, and Prometheus and Alertmanager
ask the kernel's own page (vDSO). So that page, which each process has for itself, is replaced in
the one process: it still asks the kernel, and adds to the time of day. The clock that cannot be set
(monotonic) goes on as it was.
"""

from __future__ import annotations

import os
import platform
import signal
import struct
from pathlib import Path

FUNCTION = b"__vdso_clock_gettime"
_SYMBOLS = (2, 11)  # SHT_SYMTAB, SHT_DYNSYM


class CannotStepError(RuntimeError):
    """Not on this processor, or not with this kernel."""


def step_clock(pid: int, seconds: int) -> None:
    """From now on the time of day of process *pid*, a child of ours, is so much later.

    Raises `CannotStepError` on other processors, and where the kernel forbids it.
    """
    if platform.machine() != "x86_64":
        raise CannotStepError(f"on {platform.machine()} no clock of a server can be set")
    os.kill(pid, signal.SIGSTOP)
    try:
        with Path(f"/proc/{pid}/mem").open("r+b", buffering=0) as memory:
            start, end = _vdso(pid)
            memory.seek(start)
            page = memory.read(end - start)
            memory.seek(start + _offset(page))
            memory.write(_code(seconds))
    except OSError as error:
        raise CannotStepError(f"the clock of a server cannot be set here: {error}") from error
    finally:
        os.kill(pid, signal.SIGCONT)


def _code(seconds: int) -> bytes:
    """The function `clock_gettime(clock, into)`, of which only the clock 0 is the time of day."""
    return (
        b"\xb8\xe4\x00\x00\x00"  # mov eax, 228 (clock_gettime)
        b"\x0f\x05"  # syscall
        b"\x85\xff"  # test edi, edi
        b"\x75\x07"  # jne over the next
        b"\x48\x81\x06" + struct.pack("<i", seconds) +  # add qword [rsi], seconds
        b"\xc3"  # ret
    )  # fmt: skip


def _vdso(pid: int) -> tuple[int, int]:
    """Where the kernel's page lies."""
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    line = next(line for line in maps if line.endswith("[vdso]"))
    first, last = line.split()[0].split("-")
    return int(first, 16), int(last, 16)


def _offset(page: bytes) -> int:
    """Where the function begins in the page, which is a small ELF file."""
    (sections,) = struct.unpack_from("<Q", page, 0x28)
    size, count = struct.unpack_from("<HH", page, 0x3A)
    heads = [struct.unpack_from("<IIQQQQIIQQ", page, sections + i * size) for i in range(count)]
    for head in heads:
        if head[1] not in _SYMBOLS:
            continue
        names = heads[head[6]][4]
        for at in range(head[4], head[4] + head[5], 24):
            name, _, _, _, value, length = struct.unpack_from("<IBBHQQ", page, at)
            end = page.index(b"\0", names + name)
            if page[names + name : end] == FUNCTION:
                if length < len(_code(0)):
                    raise CannotStepError("the function is too short to be replaced")
                return int(value)
    raise CannotStepError(f"the kernel's page has no {FUNCTION.decode()}")
