"""Asking a ticket system: with patience where it is asked to look, with care where it changes.

A question is asked again after an answer that was lost, a 429 or a 5xx. A change is made again
only after a 429, which says that nothing was done; any other answer that did not come leaves it in
doubt (`LostAnswerError`), and whoever made it has to look.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from gameday.adapters.http import Answer, Http, shown
from gameday.errors import AdapterError, CannotSeeError, NoEffectError
from gameday.secrets import basic_credentials, masked, remember

TOTAL_S = 15.0
MAX_BYTES = 4 * 1024 * 1024
TRIES = 4
FIRST_PAUSE_S = 1.0
#: A server that wants to be left alone for longer is left alone for good.
LONGEST_PAUSE_S = 30.0
_WORDS_MAX = 300


class LostAnswerError(CannotSeeError):
    """A change was asked for, and whether it was made is not known."""


class TicketApi:
    """One ticket system. *sleep* waits between two tries. Close it, or use it in a `with`."""

    def __init__(
        self,
        url: str,
        *,
        what: str,
        user: str | None,
        token: str,
        sleep: Callable[[float], None] = time.sleep,
        total_s: float = TOTAL_S,
    ) -> None:
        self._http = Http(url, what=what, total_s=total_s, max_bytes=MAX_BYTES, quiet=True)
        self._where = f"{what} at {shown(url)}"
        self._sleep = sleep
        login = f"Bearer {token}" if user is None else f"Basic {basic_credentials(user, token)}"
        remember(login.partition(" ")[2])
        self._headers = {
            "Authorization": login,
            "Content-Type": "application/json",
            "Accept": "application/json",
        }

    def __enter__(self) -> TicketApi:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def look(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer to a question. Raises CannotSeeError."""
        pause_s = FIRST_PAUSE_S
        for left in reversed(range(TRIES)):
            try:
                answer = self._ask(method, path, body)
                problem = CannotSeeError(self._problem(answer))
            except CannotSeeError as error:
                answer, problem = None, error
            if answer is not None and answer.status == 200:
                return self._json(answer)
            if not left or (answer is not None and not _may_pass(answer.status)):
                raise problem
            self._sleep(self._pause(answer, pause_s, problem))
            pause_s *= 2
        raise CannotSeeError(f"{self._where} did not answer")

    def change(self, method: str, path: str, body: Any) -> Any:
        """The JSON of the answer to a change (None if it has none).

        Raises `NoEffectError` when it was surely not made, `LostAnswerError` when nobody knows.
        """
        pause_s = FIRST_PAUSE_S
        for left in reversed(range(TRIES)):
            try:
                answer = self._ask(method, path, body)
            except CannotSeeError as error:
                raise LostAnswerError(str(error)) from None
            if answer.status < 300:
                return self._changed(answer)
            problem = self._problem(answer)
            if answer.status >= 500:
                raise LostAnswerError(problem)
            if answer.status != 429 or not left:
                raise NoEffectError(problem)
            self._sleep(self._pause(answer, pause_s, NoEffectError(problem)))
            pause_s *= 2
        raise NoEffectError(f"{self._where} takes nothing now")

    def _ask(self, method: str, path: str, body: Any) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        return self._http.ask(method, path, headers=self._headers, data=data)

    def _changed(self, answer: Answer) -> Any:
        """What was made; an answer that says nothing leaves open what it is called."""
        try:
            return self._json(answer) if answer.body.strip() else None
        except CannotSeeError as error:
            raise LostAnswerError(str(error)) from None

    def _json(self, answer: Answer) -> Any:
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            raise CannotSeeError(f"{self._where} did not answer with JSON") from None

    def _pause(self, answer: Answer | None, usual_s: float, problem: AdapterError) -> float:
        """How long to wait before the next try. Raises *problem* where that is too long."""
        if answer is None:
            return usual_s
        asked = {name.lower(): value for name, value in answer.headers.items()}.get("retry-after")
        if asked is None:
            return usual_s
        try:
            wanted_s = max(0.0, float(asked))
        except ValueError:
            return usual_s  # a date: the usual pause is as good a guess
        if wanted_s > LONGEST_PAUSE_S:
            raise type(problem)(f"{problem}; it wants to be left alone for {wanted_s:.0f} s")
        return wanted_s

    def _problem(self, answer: Answer) -> str:
        hints = {
            401: ": the token is missing or wrong",
            403: ": the token may not do this",
            404: ": there is no such thing, or the token may not see it",
        }
        text = hints.get(answer.status, _words(answer))
        return masked(f"{self._where} answered {answer.status}{text}")


def _may_pass(status: int) -> bool:
    return status == 429 or status >= 500


def _words(answer: Answer) -> str:
    """The system's own words about a request that it refused."""
    try:
        raw = json.loads(answer.body[:65536])
    except (ValueError, RecursionError):
        return ""
    if not isinstance(raw, Mapping):
        return ""
    said = [str(one) for one in raw.get("errorMessages") or () if one]
    errors, error = raw.get("errors"), raw.get("error")
    if isinstance(errors, Mapping):
        said += [f"{name}: {why}" for name, why in errors.items()]
    if isinstance(error, Mapping):
        said += [str(error[name]) for name in ("message", "detail") if error.get(name)]
    text = " ".join("; ".join(said).split())
    return f": {text[:_WORDS_MAX]}" if text else ""
