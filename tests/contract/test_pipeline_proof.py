"""The proof of the pipeline against servers that answer as told, and a receiver of our own."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from alert_fakes import FakeAlertmanager, FakePrometheus

from gameday.adapters.alertmanager import AlertmanagerSource
from gameday.adapters.live_servers import ask_alertmanager
from gameday.adapters.receiver import Receiver
from gameday.app import pipeline
from gameday.app.memory import Memory
from gameday.app.pipeline import PipelineProof
from gameday.errors import NoEffectError
from gameday.kpi.routed_ahead import routes_ahead
from gameday.model.event import Event
from gameday.model.pipeline import PROOF_ALERT
from gameday.model.project import AlertingSpec

RUN = "20260314-150000-slow"


class Told:
    """What was emitted, which the run's memory sees."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.all: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.all.append(event)
        self.memory.see(event)

    def proven(self) -> dict[str, Any]:
        return dict(next(e for e in self.all if e.kind == "pipeline.proven").data)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def receiver(tmp_path: Path, told: Told) -> Iterator[Receiver]:
    made = Receiver(evidence_dir=tmp_path)
    made.start(told)
    yield made
    made.stop()


@pytest.fixture
def prometheus() -> Iterator[FakePrometheus]:
    fake = FakePrometheus()
    yield fake
    fake.close()


@pytest.fixture
def alertmanager(receiver: Receiver) -> Iterator[FakeAlertmanager]:
    """Routes everything to our receiver, and tells it of nothing unless made to."""
    fake = FakeAlertmanager()
    config(fake, receiver.url)
    fake.routes["/api/v2/silences"] = (200, b"[]", {})
    fake.routes["/api/v2/alerts/groups"] = (200, b"[]", {})
    yield fake
    fake.close()


def config(fake: FakeAlertmanager, url: str, group_wait: str = "0s") -> None:
    written = {
        "route": {"receiver": "gameday", "group_by": ["alertname"], "group_wait": group_wait},
        "receivers": [{"name": "gameday", "webhook_configs": [{"url": url}]}],
    }
    fake.routes["/api/v2/status"] = {"config": {"original": json.dumps(written)}}


def prover(told: Told, receiver: Receiver, **alerting: Any) -> PipelineProof:
    plan: Any = SimpleNamespace(environment=SimpleNamespace(alerting=AlertingSpec(**alerting)))
    return PipelineProof(plan, RUN, receiver, told.memory)


def refused(proof: PipelineProof, told: Told) -> str:
    with pytest.raises(NoEffectError, match="pipeline not proven: ") as error:
        proof.prove(told)
    data = told.proven()
    assert data["ok"] is False
    assert str(error.value) == f"pipeline not proven: {data['reason']}"
    return str(data["reason"])


def delivering(fake: FakeAlertmanager, url: str, run: str = RUN) -> None:
    """From now on the first alert that is posted there is told to *url*, some time later."""

    def answer(_query: object) -> tuple[int, bytes, dict[str, str]]:
        if len(fake.posted) == 1:
            threading.Thread(target=deliver, daemon=True).start()
        return 200, b"[]", {}

    def deliver() -> None:
        row = fake.posted[0][1][0]
        alert = {**row, "status": "firing", "fingerprint": "f"}
        alert["labels"] = {**row["labels"], "gameday_run": run}
        body = {
            "version": "4", "status": "firing", "receiver": "gameday", "groupKey": "g",
            "alerts": [alert], "groupLabels": {}, "commonLabels": {}, "externalURL": "",
        }  # fmt: skip
        request = urllib.request.Request(
            url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=5).close()

    fake.routes["/api/v2/alerts"] = answer


def ends_of(fake: FakeAlertmanager) -> list[float]:
    """When the posted alerts end, seconds since 1970."""
    return [
        datetime.fromisoformat(body[0]["endsAt"].replace("Z", "+00:00")).timestamp()
        for _, body in fake.posted
    ]


def test_an_alert_that_comes_back_proves_it_and_is_resolved(
    told: Told, receiver: Receiver, alertmanager: FakeAlertmanager
) -> None:
    delivering(alertmanager, receiver.url)
    before = time.time()

    data = prover(told, receiver, alertmanager_url=alertmanager.url, proof="synthetic").prove(told)

    assert data == told.proven()
    assert data["ok"] is True
    assert data["shown"] == "an alert sent to Alertmanager arrived through `gameday`"
    bodies = [body for path, body in alertmanager.posted if path == "/api/v2/alerts"]
    assert [body[0]["labels"] for body in bodies] == [
        {"alertname": PROOF_ALERT, "gameday_run": RUN, "exercise": "true", "severity": "none"}
    ] * 2
    assert bodies[0][0]["startsAt"] == bodies[1][0]["startsAt"]
    first, second = ends_of(alertmanager)
    assert before + 30 < first < time.time() + 40, "it ends by itself"
    assert second <= time.time() + 0.001, "it is resolved"


def test_one_of_another_run_proves_nothing(
    told: Told, receiver: Receiver, alertmanager: FakeAlertmanager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "MARGIN_MS", 700)
    delivering(alertmanager, receiver.url, run="another")

    why = refused(
        prover(told, receiver, alertmanager_url=alertmanager.url, proof="synthetic"), told
    )

    assert why == (
        "Alertmanager took an alert for `gameday`, and it did not arrive here within 700 ms"
    )
    assert [e.subject for e in told.all if e.kind == "alert.delivered"] == [PROOF_ALERT]
    assert len(alertmanager.posted) == 2, "it is resolved all the same"


def test_nothing_is_sent_where_it_would_reach_somebody_else(
    told: Told, receiver: Receiver, alertmanager: FakeAlertmanager
) -> None:
    config(alertmanager, "http://pager.example.org/")

    why = refused(
        prover(told, receiver, alertmanager_url=alertmanager.url, proof="synthetic"), told
    )

    assert why.startswith("no alert was sent: `gameday`, which would get it too")
    assert alertmanager.posted == []
    assert receiver.url.rpartition("/")[2] not in json.dumps(told.proven()), "no token is told"


@pytest.mark.parametrize("hook", [{"url": "<secret>"}, {"url_file": "/etc/hook"}])
def test_an_address_that_is_not_shown_is_taken_for_nobodys(
    hook: dict[str, str], told: Told, receiver: Receiver, alertmanager: FakeAlertmanager
) -> None:
    """Since 0.26 Alertmanager hides webhooks: that neither is known is what is said."""
    written = {
        "route": {"receiver": "gameday", "group_by": ["alertname"], "group_wait": "0s"},
        "receivers": [{"name": "gameday", "webhook_configs": [hook]}, {"name": "pager"}],
    }
    alertmanager.routes["/api/v2/status"] = {"config": {"original": json.dumps(written)}}

    why = refused(
        prover(told, receiver, alertmanager_url=alertmanager.url, proof="synthetic"), told
    )

    assert "Alertmanager does not show the address of `gameday`" in why
    assert alertmanager.posted == []
    there = ask_alertmanager(alertmanager.url)
    ahead = routes_ahead("gameday", {"alertname": "Slow"}, there)
    assert (ahead.receivers, ahead.findings) == (("gameday",), ()), "names are not hidden"
    missed = routes_ahead("pager", {"alertname": "Slow"}, there)
    assert [finding.code for finding in missed.findings] == ["wrong-receiver"]
    read = AlertmanagerSource(alertmanager.url).read(0, 1)
    assert read["route"]["receiver"] == "gameday"


@pytest.mark.parametrize("mode", ["401", "500", "html", "null", "deep"])
def test_an_alertmanager_that_does_not_tell_is_sent_nothing(
    mode: str, told: Told, receiver: Receiver, alertmanager: FakeAlertmanager
) -> None:
    alertmanager.mode = mode

    why = refused(
        prover(told, receiver, alertmanager_url=alertmanager.url, proof="synthetic"), told
    )

    assert "Alertmanager" in why
    assert alertmanager.posted == []


def test_one_that_refuses_the_alert_is_no_proof(
    told: Told, receiver: Receiver, alertmanager: FakeAlertmanager
) -> None:
    alertmanager.routes["/api/v2/alerts"] = lambda _: (
        (400, b"{}", {}) if alertmanager.posted else (200, b"[]", {})
    )

    why = refused(
        prover(told, receiver, alertmanager_url=alertmanager.url, proof="synthetic"), told
    )

    assert why == "Alertmanager answered 400 to the alert of the proof"


def test_a_stop_ends_the_wait(
    told: Told, receiver: Receiver, alertmanager: FakeAlertmanager
) -> None:
    config(alertmanager, receiver.url, group_wait="60s")
    stop = Event(kind="stop.tripped", subject="operator", data={})
    alertmanager.routes["/api/v2/alerts"] = lambda _: (
        (told(stop) if len(alertmanager.posted) == 1 else None) or (200, b"[]", {})
    )
    began = time.monotonic()

    why = refused(
        prover(told, receiver, alertmanager_url=alertmanager.url, proof="synthetic"), told
    )

    assert why == "the run was stopped before the alert arrived"
    assert time.monotonic() - began < 30
    assert len(alertmanager.posted) == 2


def firing(name: str = "Watchdog", state: str = "firing") -> dict[str, Any]:
    alert = {"labels": {"alertname": name}, "annotations": {}, "state": state, "value": "1"}
    return {"status": "success", "data": {"alerts": [alert]}}


def active(state: str = "active") -> tuple[int, bytes, dict[str, str]]:
    alert = {"labels": {"alertname": "Watchdog"}, "status": {"state": state}, "fingerprint": "f"}
    return 200, json.dumps([alert]).encode(), {}


def test_a_watchdog_that_is_everywhere_proves_it(
    told: Told, receiver: Receiver, prometheus: FakePrometheus, alertmanager: FakeAlertmanager
) -> None:
    prometheus.routes["/api/v1/alerts"] = firing()
    alertmanager.routes["/api/v2/alerts"] = active()

    data = prover(
        told,
        receiver,
        prometheus_url=prometheus.url,
        alertmanager_url=alertmanager.url,
        proof="watchdog",
    ).prove(told)

    assert (data["ok"], data["alert"]) == (True, "Watchdog")
    assert data["shown"] == "`Watchdog` is firing at Prometheus and Alertmanager"
    assert alertmanager.posted == []


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "WATCHDOG_WITHIN_MS", 600)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((firing("Other"), active()), "`Watchdog` is not firing at Prometheus"),
        ((firing(state="pending"), active()), "`Watchdog` is not firing at Prometheus"),
        ((firing(), (200, b"[]", {})), "is not active at Alertmanager, looked"),
        ((firing(), active("suppressed")), "is not active at Alertmanager (suppressed)"),
        (((500, b"", {}), active()), "Prometheus at "),
    ],
)
def test_one_that_is_missing_somewhere_does_not(
    answers: tuple[Any, Any], said: str, told: Told, receiver: Receiver, prometheus: FakePrometheus
) -> None:
    alertmanager = FakeAlertmanager()
    prometheus.routes["/api/v1/alerts"], alertmanager.routes["/api/v2/alerts"] = answers
    asked = {"prometheus_url": prometheus.url, "alertmanager_url": alertmanager.url}
    try:
        why = refused(prover(told, receiver, **asked, proof="watchdog"), told)
    finally:
        alertmanager.close()

    assert said in why


def labelled(**labels: str) -> dict[str, Any]:
    """`Watchdog` as Alertmanager lists it."""
    named = {"alertname": "Watchdog", **labels}
    return {"labels": named, "status": {"state": "active"}, "fingerprint": str(labels)}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "row",
    [
        ({"cluster": "a"}, [labelled(cluster="a")], True),
        ({"cluster": "a"}, [labelled(cluster="b")], False),
        ({"cluster": "a"}, [labelled(cluster="b"), labelled(cluster="a", more="x")], True),
        # Prometheus may drop labels on the way, as is usual for those of replicas
        ({"cluster": "a", "replica": "0"}, [labelled(cluster="a")], True),
        # the labels of the alert itself go before
        ({"severity": "b"}, [labelled(severity="none")], True),
        ({"cluster": "a"}, [labelled(cluster="a", severity="page")], False),
        (None, [labelled(cluster="b")], True),  # it does not tell: the names are all there is
    ],
)
def test_the_watchdog_of_another_prometheus_proves_nothing(
    row: tuple[dict[str, str] | None, list[dict[str, Any]], bool],
    told: Told,
    receiver: Receiver,
    prometheus: FakePrometheus,
    alertmanager: FakeAlertmanager,
) -> None:
    external, there, proven = row
    rows = firing()
    rows["data"]["alerts"][0]["labels"]["severity"] = "none"
    prometheus.routes["/api/v1/alerts"] = rows
    if external is not None:
        text = json.dumps({"global": {"external_labels": external}})
        prometheus.routes["/api/v1/status/config"] = {"status": "success", "data": {"yaml": text}}
    alertmanager.routes["/api/v2/alerts"] = (200, json.dumps(there).encode(), {})
    asked = {"prometheus_url": prometheus.url, "alertmanager_url": alertmanager.url}
    proof = prover(told, receiver, **asked, proof="watchdog")
    if proven:
        assert proof.prove(told)["ok"] is True
    else:
        assert "one with other labels is there, of another Prometheus" in refused(proof, told)


def test_one_that_comes_a_little_later_proves_it(
    told: Told, receiver: Receiver, prometheus: FakePrometheus
) -> None:
    looks: list[int] = []

    def later(_query: object) -> dict[str, Any]:
        looks.append(1)
        return firing(state="firing" if len(looks) > 2 else "pending")

    prometheus.routes["/api/v1/alerts"] = later

    data = prover(told, receiver, prometheus_url=prometheus.url, proof="watchdog").prove(told)

    assert data["shown"] == "`Watchdog` is firing at Prometheus"
    assert len(looks) == 3


def test_a_stop_ends_looking_for_a_watchdog(
    told: Told, receiver: Receiver, prometheus: FakePrometheus
) -> None:
    told(Event(kind="stop.tripped", subject="operator", data={}))

    why = refused(prover(told, receiver, prometheus_url=prometheus.url, proof="watchdog"), told)

    assert why == "`Watchdog` is not firing at Prometheus, and the run was stopped"
