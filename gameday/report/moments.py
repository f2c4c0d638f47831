"""The timeline of a report: what happened, one line each, in order, for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from gameday.kpi import seen
from gameday.model.event import Event, Phase, Timeline
from gameday.model.plan import Plan
from gameday.model.report import Moment
from gameday.model.units import format_ratio

#: Samples, and what is told from the sources' raw samples instead.
_LEFT_OUT = frozenset(
    {
        "load.window", "load.edge", "probe.sample", "proxy.health", "clock.offset", "run.parts",
        "signal.sample", "pipeline.proven", "notice.asked",
        "alert.pending", "alert.firing", "alert.resolved", "alert.delivered",
    }
)  # fmt: skip
_ACTIONS = {
    "pipeline.prove": ("pipeline proven", "pipeline not proven"),
    "target.open": ("proxy for `{}` is up", "proxy for `{}` could not be opened"),
    "target.close": ("proxy for `{}` is put back", "proxy for `{}` could not be closed"),
    "fault.inject": ("fault `{}` confirmed on", "fault `{}` could not be injected"),
    "fault.revert": ("fault `{}` confirmed off", "fault `{}` not confirmed off"),
    "load.start": ("load started", "load could not be started"),
    "load.rate": ("load is back where it began to rise", "the rate could not be changed"),
    "load.stop": ("load stopped", "load did not stop as asked"),
    "check.baseline": ("baseline held", "baseline did not hold"),
    "alert.read": ("alerts of `{}` read", "alerts of `{}` could not be read"),
    "runbook.step": ("runbook `{}` went on", "a step of runbook `{}` was not done"),
    "runbook.watch": ("runbook `{}` went on", "what runbook `{}` did was not seen"),
    "answer.ask": ("answer `{}` asked for", "answer `{}` was not to be had"),
    "runbook.read": ("runbook `{}` read", "runbook `{}` could not be read"),
}
#: An action whose success is no news.
_QUIET_WHEN_OK = frozenset({"fault.prepare"})
_NOTES: Mapping[str, Callable[[Event], str]] = {
    "run.opened": lambda e: f"run {e.subject} opened",
    "run.phase": lambda e: f"phase: {e.subject}",
    "run.closed": lambda e: f"run closed: {e.data.get('status', '')}",
    "run.error": lambda e: f"our own error: {e.data.get('error', e.subject)}",
    "sentinel.started": lambda _: "sentinel watches over the run",
    "sentinel.lost": lambda _: "sentinel lost",
    "sentinel.took_over": lambda e: f"sentinel took over: {e.data.get('why', '')}",
    "load.lost": lambda e: f"load lost: {e.data.get('why', '')}",
    "load.capped": lambda e: f"load rises no more: {e.data.get('reason', '')}",
    "load.worker": lambda e: f"worker {e.subject} of the load: {_worker(e)}",
    "alert.source.up": lambda e: f"`{e.subject}` can be read",
    "alert.source.down": lambda e: f"`{e.subject}` cannot be read: {e.data.get('error', '')}",
    "stop.tripped": lambda e: f"stop: `{e.subject}`: {e.data.get('reason', '')}",
    "stop.blind": lambda e: f"stop signal of `{e.subject}` cannot be read{_because(e)}",
    "budget.read": lambda e: f"error budget of {e.subject}: {_budget(e)}",
    "preflight.passed": lambda _: "everything was looked at before anything was touched",
    "gate.opened": lambda e: f"gate `{e.subject}` opened by {e.data.get('by', 'somebody')}",
    "runbook.asked": lambda e: (
        f"{e.data.get('what', 'step')} `{e.subject}` waits for a person: see it with `gameday step`"
    ),
    "runbook.opened": lambda e: f"{e.data.get('role', '')} has runbook `{e.subject}` open",
    "alert.acknowledged": lambda e: (
        f"{e.subject} is acknowledged, as `{e.data.get('receiver', '')}` was told"
    ),
    "runbook.mitigated": lambda e: f"fault `{e.subject}` is mitigated: {e.data.get('runbook', '')}",
    "human.step": lambda e: (
        f"{e.data.get('role', '')} says `{e.subject}` is {e.data.get('answer', '')}"
    ),
    "export.failed": lambda e: f"warning: {e.subject} was not told: {e.data.get('error', '')}",
    "notice.sent": lambda e: f"`{e.data.get('to', '')}` was told: {e.subject}",
    "notice.failed": lambda e: (
        f"warning: `{e.data.get('to', '')}` was not told ({e.subject}): {e.data.get('error', '')}"
    ),
    "human.note": lambda e: f"{e.subject} notes: {e.data.get('text', '')}",
    "human.ack": lambda e: f"{e.subject} acknowledges: {e.data.get('text', '')}",
    "human.decide": lambda e: f"{e.subject} decides: {e.data.get('text', '')}",
    "human.handoff": lambda e: f"{e.subject} hands over: {e.data.get('text', '')}",
    "human.todo": lambda e: f"{e.subject} asks for: {e.data.get('text', '')}",
    "human.update": lambda e: f"{e.subject} tells: {e.data.get('text', '')}",
}


def _is_clock(event: Event) -> bool:
    """Whether it is one of many measurements of a worker's clock."""
    return event.kind == "load.worker" and event.data.get("state") == "clock"


def _worker(event: Event) -> str:
    """What happened to a worker of the load, in its first line."""
    why = str(event.data.get("why", "")).partition("\n")[0]
    return f"{event.data.get('state', '')}{': ' if why else ''}{why}"


def _of_runbook(event: Event) -> str:
    """One step of a runbook, or the look at what it did; nothing about one that was left out."""
    data = event.data
    if data.get("skipped"):
        return ""
    if event.kind == "runbook.watch":
        did = "helped" if data.get("mitigated") else "did not help in its time"
        return f"runbook `{event.subject}` {did}"
    answer = {True: "yes", False: "no"}.get(data.get("passed"), "no answer")  # type: ignore[arg-type]
    if data.get("phase") != "diagnose":
        answer = {"yes": "ok", "no": "failed"}.get(answer, answer)
    return f"runbook `{event.subject}`: {data.get('arm')}: `{data.get('name')}`: {answer}"


def _because(event: Event) -> str:
    error = event.data.get("error")
    return f": {error}" if error else ""


def _budget(event: Event) -> str:
    left = event.data.get("left")
    if isinstance(left, (int, float)):
        return f"{format_ratio(float(left))} left"
    return f"could not be read{_because(event)}"


def moments_of(plan: Plan, timeline: Timeline) -> tuple[Moment, ...]:
    """All moments, in order of run time."""
    expected = {e.alert for e in plan.scenario.expect.alerts}
    found = [m for event in timeline if (m := moment_of(event)) is not None]
    found.extend(_alerts(timeline, expected))
    return tuple(sorted(found, key=lambda m: (m.at_ms, m.seq if m.seq is not None else 1 << 60)))


def moment_of(event: Event) -> Moment | None:
    """One event for people; None for one that is no news by itself."""
    if event.kind in _LEFT_OUT or event.phase is Phase.STARTED or _is_clock(event):
        return None
    if event.kind in _NOTES:
        return _moment(event, _NOTES[event.kind](event))
    if event.kind in ("runbook.step", "runbook.watch") and event.phase is Phase.OK:
        text = _of_runbook(event)
        return _moment(event, text) if text else None
    good, bad = _ACTIONS.get(event.kind, (event.kind + " `{}`", event.kind + " `{}` failed"))
    if event.phase is Phase.OK:
        if event.kind in _QUIET_WHEN_OK:
            return None
        return _moment(event, good.format(event.subject))
    why = event.data.get("error") or event.data.get("reason") or "no answer in time"
    return _moment(event, f"{bad.format(event.subject)}: {why}")


def _alerts(timeline: Timeline, expected: set[str]) -> Iterable[Moment]:
    for episode in seen.sightings_of(timeline):
        word = "expected" if episode.alert in expected else "not expected"
        fired = f"{episode.alert} fires ({episode.source}, {word})"
        seq = episode.evidence[0] if episode.source == "builtin" and episode.evidence else None
        yield Moment(at_ms=episode.firing_ms, what="alert.firing", text=fired, seq=seq)
        if episode.ended_ms is not None:
            text = f"{episode.alert} resolves ({episode.source})"
            yield Moment(at_ms=episode.ended_ms, what="alert.resolved", text=text, seq=None)
    for delivery in seen.deliveries_of(timeline):
        text = f"{delivery.alert} ({delivery.status}) delivered to `{delivery.receiver}`"
        yield Moment(at_ms=delivery.at_ms, what="alert.delivered", text=text, seq=delivery.seq)


def _moment(event: Event, text: str) -> Moment:
    at_ms = int(event.data.get("confirmed_ms", event.at_ms))
    return Moment(at_ms=at_ms, what=event.kind, text=text.rstrip(": "), seq=event.seq)
