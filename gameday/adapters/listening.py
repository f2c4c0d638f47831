"""Whether somebody listens at an address: only connected to, and all of them at the same time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable

#: What each connection may take.
CONNECT_S = 2.0
#: What all of them may take together: a name server that is silent is waited for no longer.
ALL_S = 10.0


def unheard(addresses: Iterable[str], *, within_s: float = CONNECT_S) -> dict[str, str]:
    """Those of *addresses* (`host:port`) at which nobody listens, each with what happened.

    Nothing is sent. A listener that closes at once listens.
    """
    found: dict[str, str] = {}
    asking = {
        address: threading.Thread(
            target=_connect, args=(address, within_s, found), name=f"look-{address}", daemon=True
        )
        for address in dict.fromkeys(addresses)
    }
    for thread in asking.values():
        thread.start()
    deadline = time.monotonic() + max(ALL_S, 2 * within_s)
    for thread in asking.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    told = dict(found)  # a thread that is late must not change what is told
    late = {a: "no answer in time" for a, thread in asking.items() if thread.is_alive()}
    return {address: why for address in asking if (why := told.get(address) or late.get(address))}


def _connect(address: str, within_s: float, found: dict[str, str]) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=within_s).close()
    except ConnectionRefusedError:
        found[address] = "the connection is refused"
    except TimeoutError:
        found[address] = f"no answer within {within_s:g} s"
    except socket.gaierror:
        found[address] = "its name cannot be resolved"
    except (OSError, UnicodeError) as error:
        found[address] = f"it cannot be reached: {getattr(error, 'strerror', None) or error}"
