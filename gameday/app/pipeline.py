"""The proof, before anything is touched, that an alert which fires is told to us."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from gameday.adapters.clock import wall_ms
from gameday.adapters.live_servers import ask_alertmanager
from gameday.adapters.pipeline import alert_there, labels_of_firing, send_alert
from gameday.adapters.receiver import Receiver
from gameday.app.memory import Memory
from gameday.errors import CannotSeeError, NoEffectError
from gameday.kpi.pipeline import proof_labels, way_of
from gameday.model.event import Event
from gameday.model.pipeline import MARGIN_MS, PROOF_ALERT, RUN_LABEL, WATCHDOG_WITHIN_MS
from gameday.model.plan import Plan
from gameday.model.units import format_ms
from gameday.ports import Emit

#: How often an always firing alert is looked for.
_EVERY_S = 0.5
#: For how long the alert of the proof outlives the wait for it, should nobody resolve it.
_LEFT_MS = 30_000


class _NotProvenError(Exception):
    """Why not, for people."""


class PipelineProof:
    """The act `pipeline.prove`."""

    def __init__(self, plan: Plan, run_id: str, receiver: Receiver, memory: Memory) -> None:
        self._alerting = plan.environment.alerting
        self._run_id, self._receiver, self._memory = run_id, receiver, memory

    def prove(self, emit: Emit) -> Mapping[str, Any]:
        """Tell `pipeline.proven`, and return its data. Raises NoEffectError if it is not."""
        began = time.monotonic()
        how = self._alerting.proof
        alert = self._alerting.watchdog if how == "watchdog" else PROOF_ALERT
        data: dict[str, Any] = {"how": how, "alert": alert, "ok": True, "reason": ""}
        try:
            data["shown"] = self._watchdog(alert) if how == "watchdog" else self._synthetic()
        except (_NotProvenError, CannotSeeError) as error:
            data |= {"ok": False, "reason": str(error)}
        data["ms"] = round((time.monotonic() - began) * 1000)
        emit(Event(kind="pipeline.proven", subject="pipeline", data=data))
        if not data["ok"]:
            raise NoEffectError(f"pipeline not proven: {data['reason']}")
        return data

    def _watchdog(self, alert: str) -> str:
        deadline = time.monotonic() + WATCHDOG_WITHIN_MS / 1000
        while (why := self._missing(alert)) and time.monotonic() < deadline:
            if self._memory.wait_for_event(lambda e: e.kind == "stop.tripped", _EVERY_S):
                raise _NotProvenError(f"{why}, and the run was stopped")
        if why:
            raise _NotProvenError(f"{why}, looked for {format_ms(WATCHDOG_WITHIN_MS)}")
        places = "Prometheus and Alertmanager" if self._alerting.alertmanager_url else "Prometheus"
        return f"`{alert}` is firing at {places}"

    def _missing(self, alert: str) -> str:
        """Where the always firing alert is not; empty if it is everywhere."""
        try:
            return self._not_at(alert)
        except CannotSeeError as error:
            return str(error)

    def _not_at(self, alert: str) -> str:
        prometheus, alertmanager = self._alerting.prometheus_url, self._alerting.alertmanager_url
        sent = labels_of_firing(prometheus, alert) if prometheus is not None else ()
        if not sent:
            return f"`{alert}` is not firing at Prometheus"
        if alertmanager is None:
            return ""
        there = alert_there(alertmanager, alert, sent)
        if "active" in there.states:
            return ""
        held = f" ({', '.join(sorted(there.states))})" if there.states else ""
        other = "; one with other labels is there, of another Prometheus" if there.others else ""
        return f"`{alert}` is firing at Prometheus and is not active at Alertmanager{held}{other}"

    def _synthetic(self) -> str:
        url = self._alerting.alertmanager_url or ""
        labels = proof_labels(self._run_id)
        way = way_of(labels, ask_alertmanager(url), self._receiver.url)
        if way.why_not:
            raise _NotProvenError(f"no alert was sent: {way.why_not}")
        within_ms = way.wait_ms + MARGIN_MS
        start = wall_ms()
        ends = start + within_ms + _LEFT_MS
        try:
            send_alert(url, labels, starts_wall_ms=start, ends_wall_ms=ends)
            there = self._memory.wait_for_event(self._is_news, within_ms / 1000)
        finally:
            with contextlib.suppress(CannotSeeError):  # it ends by itself
                send_alert(url, labels, starts_wall_ms=start, ends_wall_ms=wall_ms())
        if there is None:
            raise _NotProvenError(
                f"Alertmanager took an alert for `{way.receivers[0]}`, "
                f"and it did not arrive here within {format_ms(within_ms)}"
            )
        if there.kind == "stop.tripped":
            raise _NotProvenError("the run was stopped before the alert arrived")
        return f"an alert sent to Alertmanager arrived through `{way.receivers[0]}`"

    def _is_news(self, event: Event) -> bool:
        if event.kind == "stop.tripped":
            return True
        if event.kind != "alert.delivered" or event.subject != PROOF_ALERT:
            return False
        ours = event.data["labels"].get(RUN_LABEL) == self._run_id
        return bool(ours and event.data["status"] == "firing")
