"""Requests of setup and teardown: once in each load process, and in no number."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic_ns
from typing import Any

import gevent
from locust.contrib.fasthttp import FastHttpSession

import gameday
from gameday.adapters.locust.agent_answers import text_of
from gameday.adapters.locust.agent_hooks import WANTED
from gameday.adapters.locust.agent_steps import Prepared
from gameday.model.scenario import LoadSpec, RequestStep

#: How much of a wrong answer is told.
_SHOWN = 200


class Aside:
    """Does steps one after the other, with cookies; `values` are those captured so far."""

    def __init__(self, spec: LoadSpec, base_url: str) -> None:
        self._auth, self._timeout_s = spec.auth, spec.timeout_ms / 1000
        self._session = FastHttpSession(
            base_url,
            None,
            None,
            connection_timeout=self._timeout_s,
            network_timeout=self._timeout_s,
            headers={"User-Agent": f"gameday/{gameday.__version__}"},
        )
        client: Any = self._session.client
        client.redirect_response_codes = frozenset()
        self.values: dict[str, Any] = {}

    def do(self, steps: Iterable[RequestStep], where: str) -> str:
        """What went wrong with the first step that did, in a sentence; empty if none did."""
        for step in steps:
            problem = self._one(step)
            if problem:
                return f"the {where} step `{step.name}` failed: {problem}"
        return ""

    def _one(self, step: RequestStep) -> str:
        asked = Prepared(step, self._auth).arguments(self.values)
        wanted = asked["context"][WANTED]
        begun_ns = monotonic_ns()
        try:
            with gevent.Timeout(self._timeout_s):
                # not `request`, which is counted
                answer: Any = self._session._send_request_safe_mode(
                    asked["method"],
                    self._session._build_url(asked["url"]),
                    payload=asked["data"],
                    headers=asked["headers"],
                )
                error: BaseException | None = getattr(answer, "error", None)
                shown = text_of(answer)
        except gevent.Timeout:
            return f"no answer within {self._timeout_s:g} s"
        except Exception as unknown:  # noqa: BLE001 - whatever the client raises is no answer
            return f"no answer: {type(unknown).__name__}: {unknown}"
        judged = wanted.judge(error, answer, (monotonic_ns() - begun_ns) // 1000)
        if judged.outcome == "ok":
            self.values.update(judged.captured)
            return ""
        status = getattr(answer, "status_code", 0)
        if not status:
            return f"no answer: {error or judged.outcome}"
        problem = judged.problem or judged.outcome
        said = problem if f"status {status}" in problem else f"{problem} (status {status})"
        body = " ".join(shown.split())[:_SHOWN]
        return (
            f"{said}, and the answer was: {body}" if body else f"{said}, and the answer was empty"
        )
