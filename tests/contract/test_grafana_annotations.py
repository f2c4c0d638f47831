"""Annotations of a run in a Grafana that keeps them, refuses them, or does not answer."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from grafana_fake import TOKEN, Grafana, grafana

from gameday.adapters import grafana_annotations
from gameday.adapters.grafana_annotations import GrafanaAnnotations
from gameday.app.exports import Exports, exporting
from gameday.errors import RefusedError, UsageError
from gameday.model.event import Event, Phase

sys.path.insert(0, str(Path(__file__).parents[1] / "checks"))
from checks_support import FAULT_S, ORIGIN, RECOVERY_S, good_run, plan


@pytest.fixture
def fake() -> Iterator[Grafana]:
    with grafana() as found:
        yield found


def told(fake: Grafana, *, token: str = TOKEN, until_s: int = 60) -> list[Event]:
    """A run that ends at *until_s*, and what was said of what could not be written."""
    said: list[Event] = []
    notes = GrafanaAnnotations(fake.url, token, tags=("scenario:payments-slow",))
    notes.start(said.append)
    for event in good_run().events():
        if event.at_ms <= until_s * 1000:
            notes.see(event)
    notes.stop()
    notes.stop()
    return said


def test_phases_and_faults_become_stretches_of_time(fake: Grafana) -> None:
    assert told(fake) == []

    found = fake.by_text()
    assert set(found) == {
        "phase warmup", "phase baseline", "phase fault", "phase recovery",
        "fault slow confirmed on",
    }  # fmt: skip
    fault = found["fault slow confirmed on"]
    assert fault["time"] == ORIGIN + FAULT_S * 1000 + 40, "as it was read back"
    assert fault["timeEnd"] == ORIGIN + RECOVERY_S * 1000 + 40
    assert fault["tags"] == ["gameday", "scenario:payments-slow", "run:r1", "fault:slow"]
    phase = found["phase fault"]
    assert (phase["time"], phase["timeEnd"]) == (ORIGIN + 13_002, ORIGIN + 33_080)


def test_a_fault_is_there_while_it_is_in(fake: Grafana) -> None:
    assert told(fake, until_s=FAULT_S + 5) == []

    fault = fake.by_text()["fault slow confirmed on"]
    assert fault["timeEnd"] == fault["time"], "its end is not known"


def test_a_stop_is_a_moment(fake: Grafana) -> None:
    notes = GrafanaAnnotations(fake.url, TOKEN)
    notes.start(lambda _: None)
    notes.see(good_run().events()[0])
    data = {"reason": "errors were 83 %"}
    notes.see(Event(at_ms=20_000, kind="stop.tripped", subject="errors > 50%", data=data))
    notes.stop()

    (one,) = fake.annotations.values()
    assert one["text"] == "stopped by errors > 50%: errors were 83 %"
    assert one["time"] == one["timeEnd"] == ORIGIN + 20_000


def test_what_was_refused_is_tried_again(fake: Grafana) -> None:
    fake.refuse = 1
    said = told(fake)

    assert [(e.kind, e.subject, e.phase) for e in said] == [
        ("export.failed", "grafana", Phase.NOTED)
    ]
    assert "answered 503" in said[0].data["error"]
    assert len(fake.annotations) == 5
    fault = fake.by_text()["fault slow confirmed on"]
    assert fault["timeEnd"] > fault["time"]


def test_a_wrong_token_is_told_and_tried_once(fake: Grafana) -> None:
    said = told(fake, token="glsa_wrong")

    assert [status for _, _, status in fake.calls] == [401]
    assert "is the token right" in said[0].data["error"]
    assert "5 of 5 annotations are missing" in said[-1].data["error"]
    assert "glsa_wrong" not in str(said)


def test_a_grafana_that_hangs_holds_nobody_up(
    fake: Grafana, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grafana_annotations, "TOTAL_S", 0.3)
    fake.hang.clear()
    began = time.monotonic()
    said = told(fake)

    assert time.monotonic() - began < 8
    assert said[0].kind == "export.failed"
    fake.hang.set()


@pytest.mark.parametrize("url", ["grafana", "ftp://x", "http://", "http://me:secret@grafana"])
def test_what_is_no_address_is_said_before_the_run(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAMEDAY_GRAFANA_TOKEN", TOKEN)
    with (
        pytest.raises(UsageError, match="its token stands in GAMEDAY_GRAFANA_TOKEN") as error,
        exporting(plan(), Exports(grafana=url)),
    ):
        pass
    assert "secret" not in str(error.value)


def test_without_a_token_no_run_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GAMEDAY_GRAFANA_TOKEN", raising=False)
    with (
        pytest.raises(RefusedError, match="GAMEDAY_GRAFANA_TOKEN"),
        exporting(plan(), Exports(grafana="http://127.0.0.1:1")),
    ):
        pass
