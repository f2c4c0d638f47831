"""`cpu` and `memory`: how much of the machine a container may use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gameday.adapters.docker.actions import Mark
from gameday.adapters.docker.actions.common import read_until, refuse_unless_running
from gameday.adapters.docker.engine import Engine, Found
from gameday.errors import NoEffectError

#: The period of the kernel where none is set, and the least quota it takes, in microseconds.
_PERIOD_US, _LEAST_QUOTA_US = 100_000, 1_000
_CPU = ("NanoCpus", "CpuQuota", "CpuPeriod")
_MEMORY = ("Memory", "MemorySwap", "MemoryReservation")


def processors(limits: Mapping[str, Any]) -> float | None:
    """How many processors these limits allow, None without a limit."""
    if int(limits.get("NanoCpus") or 0) > 0:
        return int(limits["NanoCpus"]) / 1e9
    quota = int(limits.get("CpuQuota") or 0)
    return quota / (int(limits.get("CpuPeriod") or 0) or _PERIOD_US) if quota > 0 else None


def cpu_update(before: Mapping[str, Any], cpus: float | None) -> dict[str, int]:
    """What to send for that many processors, None for no limit.

    A container that was started with `--cpus` takes only NanoCpus, any other only a quota.
    """
    if int(before.get("NanoCpus") or 0) > 0:
        wanted = processors(before) if cpus is None else cpus
        return {"NanoCpus": round((wanted or 0) * 1e9)}
    period = int(before.get("CpuPeriod") or 0) or _PERIOD_US
    return {"CpuQuota": -1 if cpus is None else round(cpus * period)}


class _Cpu:
    """A limit on processor time."""

    def look(
        self, engine: Engine, container: Found, options: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Record the limits; refuse one that would not be felt."""
        refuse_unless_running(container, paused_is_fine=True)
        before = {key: int(container.host.get(key) or 0) for key in _CPU}
        cpus, info = float(options["cpus"]), engine.info()
        if info.get("CpuCfsQuota") is False:
            raise NoEffectError(
                f"the Docker engine at {engine.url} cannot limit processor time on this kernel"
            )
        most = processors(before) or float(info.get("NCPU") or 0)
        if most and cpus >= most:
            raise NoEffectError(
                f"container `{container.name}` has {most:g} processors already; `cpus: {cpus:g}` "
                "has to be less than that"
            )
        quota = cpu_update(before, cpus).get("CpuQuota", _LEAST_QUOTA_US)
        if quota < _LEAST_QUOTA_US:
            raise NoEffectError(
                f"`cpus: {cpus:g}` is too little for container `{container.name}`, whose period is "
                f"{before['CpuPeriod']} us: a quota has to be {_LEAST_QUOTA_US} us at least"
            )
        return before

    def inject(
        self,
        engine: Engine,
        container: Found,
        options: Mapping[str, Any],
        before: Mapping[str, Any],
        mark: Mark,
    ) -> Mapping[str, Any]:
        """Set the limit and read it back."""
        update = cpu_update(before, float(options["cpus"]))
        engine.update(container.id, update)
        read_until(
            engine,
            container.id,
            "did not take its processor limit",
            lambda c: all(c.host.get(k) == v for k, v in update.items()),
        )
        return {"cpus": float(options["cpus"]), "cpus_before": processors(before)}

    def revert(
        self, engine: Engine, container: Found, part: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Set the limit that was there before."""
        before = part["before"]
        changed = processors(container.host) != processors(before)
        if changed:
            engine.update(container.id, cpu_update(before, processors(before)))
            read_until(
                engine,
                container.id,
                "did not take its former processor limit",
                lambda c: processors(c.host) == processors(before),
            )
        return {"changed": changed, "cpus": processors(before)}

    def present(self, engine: Engine, container: Found, part: Mapping[str, Any]) -> bool:
        """Whether its limit is another one than before."""
        return processors(container.host) != processors(part["before"])


class _Memory:
    """A limit on memory and swap together."""

    def look(
        self, engine: Engine, container: Found, options: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Record the limits; refuse one that would not be felt, or not be taken."""
        refuse_unless_running(container, paused_is_fine=True)
        before = {key: int(container.host.get(key) or 0) for key in _MEMORY}
        limit, info = int(options["limit"]), engine.info()
        if info.get("MemoryLimit") is False:
            raise NoEffectError(
                f"the Docker engine at {engine.url} cannot limit memory on this kernel"
            )
        total = int(info.get("MemTotal") or 0)
        if limit >= (before["Memory"] or total):
            raise NoEffectError(
                f"container `{container.name}` has {before['Memory'] or total} bytes of memory "
                f"already; `limit: {limit}` has to be less than that"
            )
        if limit < before["MemoryReservation"]:
            raise NoEffectError(
                f"container `{container.name}` has {before['MemoryReservation']} bytes of memory "
                f"reserved; `limit: {limit}` must not be less than that"
            )
        return {**before, "total": total, "swap": bool(info.get("SwapLimit", True))}

    def inject(
        self,
        engine: Engine,
        container: Found,
        options: Mapping[str, Any],
        before: Mapping[str, Any],
        mark: Mark,
    ) -> Mapping[str, Any]:
        """Set the limit and read it back."""
        limit = int(options["limit"])
        engine.update(container.id, {"Memory": limit, "MemorySwap": limit})
        read_until(
            engine,
            container.id,
            "did not take its memory limit",
            lambda c: c.host.get("Memory") == limit,
        )
        return {"limit": limit, "limit_before": before["Memory"] or None, "swap": before["swap"]}

    def revert(
        self, engine: Engine, container: Found, part: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Set the limit that was there before; start it when it ended for want of memory.

        An engine cannot take a limit away again. Where there was none, all memory of the machine is
        the limit afterwards, and the facts say so.
        """
        before = part["before"]
        changed = not as_before(container, before)
        # An update that failed may have reached the kernel without being on the engine's record.
        if changed or before["Memory"]:
            for update in memory_back(before):
                engine.update(container.id, update)
            read_until(
                engine,
                container.id,
                "did not take its former memory limit",
                lambda c: as_before(c, before),
            )
        started = _out_of_memory(container)
        if started:
            engine.start(container.id)
            read_until(engine, container.id, "does not run after it was started", _runs)
        facts: dict[str, Any] = {"changed": changed, "started": started}
        if not before["Memory"]:
            facts |= {"exact": False, "limit": int(before["total"]), "limit_before": None}
        return facts

    def present(self, engine: Engine, container: Found, part: Mapping[str, Any]) -> bool:
        """Whether its limit is another one than before, or it ended for want of memory."""
        return not as_before(container, part["before"]) or _out_of_memory(container)


def as_before(container: Found, before: Mapping[str, Any]) -> bool:
    """Whether its limits are the former ones; where there were none, whether none is felt."""
    memory = int(container.host.get("Memory") or 0)
    if not before["Memory"]:
        return memory == 0 or memory >= int(before["total"])
    swap = int(container.host.get("MemorySwap") or 0)
    return memory == before["Memory"] and (not before["swap"] or swap == before["MemorySwap"])


def memory_back(before: Mapping[str, Any]) -> list[dict[str, int]]:
    """What to send, one after the other, to get the former limits."""
    memory, swap = int(before["Memory"]), int(before["MemorySwap"])
    if not memory:
        total = int(before["total"])
        return [{"Memory": total, "MemorySwap": 2 * total}]
    if swap != -1:
        return [{"Memory": memory, "MemorySwap": swap or 2 * memory}]
    # Memory must never be more than both together, and runc takes a swap without limit only after
    # it has set the memory: so first one that is high enough.
    return [
        {"Memory": memory, "MemorySwap": 2 * memory},
        {"Memory": memory, "MemorySwap": -1},
    ]


def _out_of_memory(container: Found) -> bool:
    return not container.running and bool(container.state.get("OOMKilled"))


def _runs(container: Found) -> bool:
    return container.running


CPU, MEMORY = _Cpu(), _Memory()
