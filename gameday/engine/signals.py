"""Stop conditions on something else than the load: an endpoint, a PromQL query, an alert.

A pure fold over `signal.sample`, `alert.firing`, `alert.resolved` and `alert.source.*`. What cannot
be read is never taken for good: it stops the run, or is noted where the environment is lenient.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gameday.kpi.seen import label_match
from gameday.model.event import Event
from gameday.model.scenario import StopSignal
from gameday.model.units import format_ms
from gameday.model.verdict import RunStatus

#: A signal that has not been read for so long, or for three questions, means that nobody watches.
SILENCE_MS = 5_000
_QUESTIONS = 3


def silence_ms(every_ms: int) -> int:
    """For how long a signal that is asked every *every_ms* may go without being read."""
    return max(SILENCE_MS, _QUESTIONS * every_ms)


@dataclass(slots=True, kw_only=True)
class _Sight:
    """When something was last read. It counts as read when the watch begins."""

    limit_ms: int
    heard_ms: int | None = None
    blind: bool = False
    error: str = ""

    def heard(self, at_ms: int) -> None:
        self.heard_ms, self.blind, self.error = at_ms, False, ""

    def lost(self, now_ms: int) -> bool:
        """Whether it has just become clear that nobody can see it. Once a gap."""
        if self.heard_ms is None:
            self.heard_ms = now_ms
        if self.blind or now_ms - self.heard_ms < self.limit_ms:
            return False
        self.blind = True
        return True


class _Asked:
    """One `http` or `promql` signal."""

    def __init__(self, signal: StopSignal) -> None:
        self.signal = signal
        self.sight = _Sight(limit_ms=silence_ms(signal.every_ms))
        self._bad_since: int | None = None
        self._tripped = False

    def sample(self, event: Event) -> Iterator[Event]:
        data = event.data
        bad = bool(data.get("bad"))
        if not bad and not data.get("ok"):
            self.sight.error = str(data.get("error") or "")
            return  # neither good nor bad: `lost` says when that is too long
        self.sight.heard(event.at_ms)
        if not bad:
            self._bad_since = None
            return
        if self._bad_since is None:  # it was so at the latest when the answer was asked for
            self._bad_since = event.at_ms - round(float(data.get("ms") or 0))
        held_ms = event.at_ms - self._bad_since
        if held_ms < self.signal.for_ms or self._tripped:
            return
        self._tripped = True
        what = _what(self.signal, data)
        held = f", for {format_ms(held_ms)}" if self.signal.for_ms else ""
        facts = {"value": data.get("value"), "held_ms": held_ms}
        yield _trip(
            self.signal.text, RunStatus.STOPPED, f"`{self.signal.text}`: {what}{held}", facts
        )

    def blinded(self) -> None:
        """Nothing is known of what was bad before a gap."""
        self._bad_since = None


class _Alert:
    """One `alert` signal."""

    def __init__(self, signal: StopSignal) -> None:
        self.signal = signal
        for name, wanted in signal.labels.items():  # a pattern that is none is told now, not later
            label_match({}, {name: wanted})
        self._firing: dict[tuple[Any, ...], int] = {}  # since when, by source and labels
        self._tripped = False

    def see(self, event: Event) -> Iterator[Event]:
        labels = event.data.get("labels", {})
        if event.subject != self.signal.name or not label_match(labels, self.signal.labels):
            return
        key = (event.data.get("source", ""), *sorted(labels.items()))
        if event.kind == "alert.resolved":
            self._firing.pop(key, None)
            return
        self._firing.setdefault(key, event.at_ms)
        yield from self.tick(event.at_ms)

    def tick(self, now_ms: int) -> Iterator[Event]:
        held_ms = now_ms - min(self._firing.values(), default=now_ms)
        if not self._firing or self._tripped or held_ms < self.signal.for_ms:
            return
        self._tripped = True
        named = ", ".join(f"{k}={v}" for k, v in sorted(self.signal.labels.items()))
        name = f"{self.signal.name}{{{named}}}" if named else f"{self.signal.name}"
        held = f", for {format_ms(held_ms)}" if self.signal.for_ms else ""
        reason = f"`{self.signal.text}`: {name} fires{held}"
        yield _trip(self.signal.text, RunStatus.STOPPED, reason, {"held_ms": held_ms})


class SignalConditions:
    """Folds all stop signals of a run. Owned by `StopConditions`.

    *alert_sources* are the sources that have to be read for the `alert` signals to mean anything.
    """

    def __init__(
        self, signals: Sequence[StopSignal], *, alert_sources: Sequence[str] = (), lenient: bool
    ) -> None:
        self._asked = {s.text: _Asked(s) for s in signals if s.kind != "alert"}
        self._alerts = tuple(_Alert(s) for s in signals if s.kind == "alert")
        self._lenient = lenient
        named = alert_sources if self._alerts else ()
        self._sources = {name: _Sight(limit_ms=SILENCE_MS) for name in named}
        self._up = dict.fromkeys(self._sources, False)
        self._ended = False

    def see(self, event: Event) -> list[Event]:
        """React to one event."""
        if self._ended:
            return []
        match event.kind:
            case "signal.sample" if event.subject in self._asked:
                return list(self._asked[event.subject].sample(event))
            case "alert.firing" | "alert.resolved":
                return [answer for alert in self._alerts for answer in alert.see(event)]
            case "alert.source.up" if event.subject in self._sources:
                self._up[event.subject] = True
                self._sources[event.subject].heard(event.at_ms)
            case "alert.source.down" if event.subject in self._sources:
                if self._up[event.subject]:  # it was well until now
                    self._sources[event.subject].heard(event.at_ms)
                self._up[event.subject] = False
                self._sources[event.subject].error = str(event.data.get("error") or "")
        return []

    def tick(self, now_ms: int) -> list[Event]:
        """Notice what has held for long enough, and what could not be read for too long."""
        if self._ended:
            return []
        found = [answer for alert in self._alerts for answer in alert.tick(now_ms)]
        for asked in self._asked.values():
            if asked.sight.lost(now_ms):
                asked.blinded()
                found += self._blind(asked.signal.text, asked.sight, now_ms)
        for name, sight in self._sources.items():
            if not self._up[name] and sight.lost(now_ms):
                found += self._blind(name, sight, now_ms, alerts=True)
        return found

    def end(self) -> None:
        """The load is being stopped: from now on nothing is to be stopped any more."""
        self._ended = True

    def _blind(
        self, subject: str, sight: _Sight, now_ms: int, *, alerts: bool = False
    ) -> Iterable[Event]:
        since_ms = now_ms if sight.heard_ms is None else sight.heard_ms
        if self._lenient:
            data = {"since_ms": since_ms, "error": sight.error}
            return [Event(kind="stop.blind", subject=subject, data=data)]
        what = f"the alerts of `{subject}`" if alerts else f"`{subject}`"
        why = f" ({sight.error})" if sight.error else ""
        reason = f"{what} could not be read for {format_ms(now_ms - since_ms)}{why}"
        facts = {"since_ms": since_ms, "error": sight.error}
        reason += ", so nothing could stop the run"
        return [_trip(subject, RunStatus.INVALID, reason, facts)]


def _what(signal: StopSignal, data: Mapping[str, Any]) -> str:
    """What a bad sample says, in words."""
    if signal.kind == "http":
        if data.get("error"):
            return str(data["error"])
        return f"answered {data.get('value')}"
    side = "above" if signal.op.startswith(">") else "below"
    return f"{_number(data.get('value'))} is {side} {signal.limit:g}"


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else f"{value}"


def _trip(subject: str, status: RunStatus, reason: str, facts: Mapping[str, Any]) -> Event:
    data = {"reason": reason, "status": status.value, **facts}
    return Event(kind="stop.tripped", subject=subject, data=data)
