"""Each journey once, with what came back: does the load do what it should, where it should."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gameday.adapters.locust.driver import READY_S, aside_s, resolved
from gameday.adapters.locust.process import LoadProcess
from gameday.adapters.locust.protocol import (
    AGENT,
    Answer,
    Bye,
    Message,
    Once,
    Prepare,
    Ready,
    spec_to_json,
)
from gameday.model.scenario import LoadSpec


def once(
    spec: LoadSpec,
    base_url: str,
    *,
    limit_s: float = 30.0,
    python: str = sys.executable,
    told: Callable[[Answer], None] | None = None,
) -> tuple[Answer, ...]:
    """Run each journey (or each task of the locustfile's classes) once, one after the other.

    Visitors of journeys do not think. Returns what came back, one answer a request; *told* hears
    each as soon as it came, in another thread. Raises `NoEffectError` where the load cannot run.
    """
    answers: list[Answer] = []

    def heard(message: Message) -> None:
        if isinstance(message, Answer):
            answers.append(message)
            if told is not None:
                told(message)

    with tempfile.TemporaryDirectory(prefix="gameday-once-") as directory:
        process = LoadProcess(
            command=(python, "-m", AGENT),
            directory=Path(directory, "load"),
            heard=heard,
            lost=lambda _: None,
        )
        try:
            process.start(READY_S)
            # one arrival each, so the open model in any case
            calm = replace(_hasty(resolved(spec)), arrivals_per_s=1.0, shape=(), users=None)
            process.send(Prepare(base_url=base_url.rstrip("/"), seed=0, spec=spec_to_json(calm)))
            process.wait_for(Ready, READY_S + aside_s(spec.setup, spec))
            process.send(Once(limit_ms=int(limit_s * 1000)))
            process.wait_for(Bye, limit_s + 10 + aside_s(spec.teardown, spec))
        finally:
            process.join(3)
    return tuple(answers)


def _hasty(spec: LoadSpec) -> LoadSpec:
    """The same load by visitors who do not think between two steps."""
    return replace(spec, journeys=tuple(replace(j, think_ms=(0, 0)) for j in spec.journeys))
