"""The network of a container made late, lossy or slow: a queueing discipline on its interfaces.

`netem` where the kernel has it, which is tried in a network namespace of a helper first; a `rate`
alone is done by `tbf`, which every kernel has. The discipline has a handle made of run and fault:
the kernel deletes by handle, so another one that stands there by then is never taken away. Only
what leaves the container is touched. A restart of the container takes it away with the interface.
"""

from __future__ import annotations

import re
import shlex
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gameday.adapters.docker.actions import Mark
from gameday.adapters.docker.actions.network import refuse_other_network
from gameday.adapters.docker.engine import Answer, Engine, Found
from gameday.adapters.docker.helper_container import (
    Place,
    image_of,
    last_words,
    run_beside,
    run_script,
    sweep,
)
from gameday.errors import AdapterError, CannotSeeError, NoEffectError

_LINE = re.compile(r"^qdisc (\S+) (\S+:) dev (\S+?)(?:@\S+)? root\b")
_SENT = re.compile(r"^Sent (\d+) bytes (\d+) pkt \(dropped (\d+),")
#: A bucket of tbf: enough for the timer of a slow kernel, and for one packet at least.
_BURST = 32 * 1024
_BURSTS_PER_S = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Discipline:
    """The root queueing discipline of one interface, as `tc -s qdisc show` says it."""

    device: str
    kind: str
    handle: str
    packets: int = 0
    bytes: int = 0
    dropped: int = 0

    @property
    def default(self) -> bool:
        """Whether the kernel put it there: what people add has a handle other than 0."""
        return self.handle == "0:"


def handle_of(run: str, fault: str) -> str:
    """A handle of our own for this fault: between 1000 and efff, the same whenever it is asked."""
    return f"{0x1000 + zlib.crc32(f'gameday:{run}:{fault}'.encode()) % 0xE000:x}:"


def words_of(options: Mapping[str, Any]) -> list[str]:
    """What `tc qdisc add … root handle …` is given, pure. Raises `ValueError` when it says nothing.

    Delays in ms, `rate` in KB/s (1000 bytes), `loss` a share.
    """
    delay, jitter = options.get("delay"), options.get("jitter")
    loss, rate = options.get("loss"), options.get("rate")
    if not any((delay, loss, rate)):
        raise ValueError("`netem` needs `delay`, `loss` or `rate` above 0")
    if jitter and not delay:
        raise ValueError("`jitter` needs a `delay` that it varies")
    if jitter and int(jitter) > int(delay or 0):
        raise ValueError(f"`jitter: {jitter}ms` is above `delay: {delay}ms`")
    if rate and not delay and not loss:
        burst = max(_BURST, int(rate) * 1000 // _BURSTS_PER_S)
        return ["tbf", "rate", f"{int(rate) * 8}kbit", "burst", str(burst), "latency", "1000ms"]
    words = ["netem", "limit", "10000"]
    if delay:
        words += ["delay", f"{int(delay)}ms", *([f"{int(jitter)}ms"] if jitter else [])]
    if loss:
        words += ["loss", "random", f"{float(loss) * 100:.6f}%"]
    if rate:
        words += ["rate", f"{int(rate) * 8}kbit"]
    return words


def disciplines(listing: str) -> list[Discipline]:
    """The root disciplines of all interfaces but the loopback and those that are down."""
    found: list[Discipline] = []
    current: Discipline | None = None
    for line in (text.strip() for text in listing.splitlines()):
        if line.startswith("qdisc "):
            match = _LINE.match(line)
            current = None
            if match and match[3] != "lo" and match[1] != "noop":
                current = Discipline(device=match[3], kind=match[1], handle=match[2])
                found.append(current)
        elif current and (sent := _SENT.match(line)):
            found[-1] = Discipline(
                device=current.device,
                kind=current.kind,
                handle=current.handle,
                bytes=int(sent[1]),
                packets=int(sent[2]),
                dropped=int(sent[3]),
            )
    return found


_KERNEL_SAYS_NO = 2  # how tc ends then
#: Lists with counters.
LIST_SCRIPT = "tc -s qdisc show || exit 4"


def probe_script(words: Sequence[str]) -> str:
    """Whether the kernel can: tried on the loopback of a namespace that nobody else is in."""
    return f"tc qdisc add dev lo root handle 1: {shlex.join(words)}"


def _problem(found: Iterable[Discipline]) -> str | None:
    """Why this network must be left alone: somebody shapes it already, or there is nothing."""
    found = list(found)
    if not found:
        return "has no network interface that is up"
    for one in found:
        if not one.default:
            return (
                f"has the queueing discipline `{one.kind} {one.handle}` on `{one.device}`, which "
                "somebody put there; take it out first"
            )
    return None


def add_script(devices: Sequence[str], handle: str, words: Sequence[str]) -> str:
    """Put it on every device, or on none; `add` refuses to replace what somebody else put there."""
    lines = ["undo() {", *_deletions(devices, handle), LIST_SCRIPT, "exit 3", "}"]
    for device in devices:
        where = shlex.join(["dev", device, "root", "handle", handle])
        lines.append(f"tc qdisc add {where} {shlex.join(words)} || undo")
    return "\n".join([*lines, LIST_SCRIPT])


def delete_script(devices: Iterable[str], handle: str) -> str:
    """List with counters, delete by handle, list again."""
    return "\n".join([LIST_SCRIPT, "echo ==", *_deletions(devices, handle), LIST_SCRIPT])


def _deletions(devices: Iterable[str], handle: str) -> list[str]:
    quiet = "2>/dev/null || true"
    return [
        f"tc qdisc del {shlex.join(['dev', device, 'root', 'handle', handle])} {quiet}"
        for device in devices
    ]


class Netem:
    """The action."""

    def look(
        self, engine: Engine, container: Found, options: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Try whether the kernel can, and that nobody else shapes the traffic."""
        image = image_of(engine)
        refuse_other_network(container, "netem")
        try:
            words = words_of(options)
        except ValueError as error:
            raise NoEffectError(str(error)) from None
        mark = Mark(run="look", fault="netem")
        alone = Place(target=container.id, capabilities=("NET_ADMIN",))
        probe = run_script(engine, probe_script(words), image=image, mark=mark, place=alone)
        if probe.code != 0:
            raise NoEffectError(_cannot(engine, image, words[0], probe))
        said = run_script(engine, LIST_SCRIPT, image=image, mark=mark, place=_place(container))
        found = disciplines(said.output)
        problem = f"says {last_words(said.output)}" if said.code else _problem(found)
        if problem:
            raise NoEffectError(f"the network of container `{container.name}` {problem}")
        return {
            "image": image,
            "words": words,
            "devices": [one.device for one in found],
            "disciplines": {one.device: f"{one.kind} {one.handle}" for one in found},
            "started_at": container.state.get("StartedAt"),
        }

    def inject(
        self,
        engine: Engine,
        container: Found,
        options: Mapping[str, Any],
        before: Mapping[str, Any],
        mark: Mark,
    ) -> Mapping[str, Any]:
        """Put the discipline on every interface, or on none, and list it."""
        del options  # the words were made of them when it was looked at
        devices, handle = list(before["devices"]), handle_of(mark.run, mark.fault)
        script = add_script(devices, handle, before["words"])
        said = run_script(
            engine, script, image=image_of(engine), mark=mark, place=_place(container)
        )
        there = {one.device for one in _ours(said.output, handle)}
        if said.code == 0 and there == set(devices):
            return {"handle": handle, "devices": devices, "discipline": " ".join(before["words"])}
        text = (
            f"`{before['words'][0]}` is on {len(there)} of {len(devices)} interfaces of container "
            f"`{container.name}`: {_complaints(said.output)}"
        )
        raise NoEffectError(text) if said.code == 3 and not there else AdapterError(text)

    def revert(
        self, engine: Engine, container: Found, part: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Take it out wherever it has our handle; says what went through it until then."""
        mark, before = Mark.of(part), part["before"]
        handle = handle_of(mark.run, mark.fault)
        sweep(engine, mark, container.id)  # a call that was given up ends here
        said = self._listed(engine, container, part, delete_script(before["devices"], handle))
        if said is None:
            return {"interfaces": 0, "stopped": True}
        first, _, last = said.partition("\n==\n")
        was, left = _ours(first, handle), _ours(last, handle)
        if left:
            raise AdapterError(
                f"the queueing discipline `{left[0].kind} {handle}` is still on `{left[0].device}` "
                f"of container `{container.name}`: {_complaints(said)}"
            )
        restarted = container.state.get("StartedAt") != before.get("started_at")
        return {
            "interfaces": len(was),
            "matched_packets": sum(one.packets + one.dropped for one in was),
            "matched_bytes": sum(one.bytes for one in was),
            "dropped_packets": sum(one.dropped for one in was),
            **({"restarted": True} if restarted else {}),
        }

    def present(self, engine: Engine, container: Found, part: Mapping[str, Any]) -> bool:
        """Whether a discipline with our handle is on any interface."""
        mark = Mark.of(part)
        said = self._listed(engine, container, part, LIST_SCRIPT)
        return said is not None and bool(_ours(said, handle_of(mark.run, mark.fault)))

    def _listed(
        self, engine: Engine, container: Found, part: Mapping[str, Any], script: str
    ) -> str | None:
        """What a script says in the container's network; None when that network is gone."""
        said = run_beside(engine, container, part, script, _place(container))
        if said is None:
            return None
        if said.code != 0:
            raise CannotSeeError(
                f"the queueing disciplines of container `{container.name}` cannot be listed: "
                f"{_complaints(said.output)}"
            )
        return said.output


NETEM = Netem()


def _cannot(engine: Engine, image: str, kind: str, probe: Answer) -> str:
    said = last_words(probe.output)
    if probe.code != _KERNEL_SAYS_NO:
        return f"the `tc` of the helper image `{image}` cannot be used: {said}"
    other = "; a `rate` alone can be done without" if kind == "netem" else ""
    return (
        f"the kernel under the Docker engine at {engine.url} cannot do `{kind}`: {said}; load its "
        f"module with `modprobe sch_{kind}`, or use a kernel that has it{other}"
    )


def _place(container: Found) -> Place:
    return Place(target=container.id, network=True, capabilities=("NET_ADMIN",))


def _ours(listing: str, handle: str) -> list[Discipline]:
    return [one for one in disciplines(listing) if one.handle == handle]


def _complaints(output: str) -> str:
    """What was said beside the listing."""
    noise = ("qdisc ", "Sent ", "backlog ", "==")
    lines = (line.strip() for line in output.splitlines())
    return last_words("\n".join(line for line in lines if not line.startswith(noise)))
