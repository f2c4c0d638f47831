"""Asking one source: the request filled in, authenticated, and page after page until the end.

Bounded in time, size, pages and rows. An answer that is not whole is no answer: a list of alerts
of which the last page is missing would look like quiet.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from gameday.adapters.clock import NowWallMs, wall_ms
from gameday.adapters.http import Answer, Http, shown
from gameday.adapters.polling import settled
from gameday.adapters.sources.rows import Row, picked, rows_of, rules_of
from gameday.adapters.sources.sigv4 import Keys, signed
from gameday.errors import CannotSeeError
from gameday.model.secret import SecretRef
from gameday.model.sources import SourceSpec
from gameday.model.template import filled
from gameday.secrets import basic_credentials, masked, remember, resolve

#: One answer has to be whole within this time.
TOTAL_S = 8.0
#: All pages together have to be there within this time.
ALL_S = 20.0
MAX_PAGES = 50
MAX_ROWS = 5_000
MAX_BYTES = 16 * 1024 * 1024
#: Answers that say "later" are waited for this often in one read, within `ALL_S`.
TRIES = 3
#: Where the answer does not say when to come back.
LATER_S = 2.0


class BusyError(CannotSeeError):
    """The source asks to come back later (429, 503). `after_s` is when."""

    def __init__(self, text: str, after_s: float) -> None:
        self.after_s = after_s
        super().__init__(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """All pages of one question. The offset (ms) is how far its clock is ahead of ours."""

    rows: tuple[Row, ...]
    rules: tuple[Mapping[str, Any], ...]
    pages: int
    offset_ms: float | None
    error_ms: float | None
    answered_wall_ms: int


class Asker:
    """Asks one source, from one thread at a time. Close it."""

    def __init__(self, spec: SourceSpec, *, base: Path, now_wall_ms: NowWallMs = wall_ms) -> None:
        self._spec, self._base, self._now = spec, base, now_wall_ms
        self._ended = threading.Event()
        parts = urlsplit(spec.url)
        self._origin, self._prefix = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
        self._host = parts.netloc.rpartition("@")[2]
        self._http = Http(
            self._origin,
            what=f"`{spec.name}`",
            total_s=TOTAL_S,
            max_bytes=MAX_BYTES,
            now_wall_ms=now_wall_ms,
        )

    def close(self) -> None:
        """End, and what is being waited for."""
        self._ended.set()
        self._http.close()

    def ask(self, since_wall_ms: int, until_wall_ms: int, *, patient: bool = False) -> Told:
        """All alerts of that time (its clock). *patient* waits where it is asked to come back.

        Raises CannotSeeError, BusyError when it should be asked later.
        """
        deadline = time.monotonic() + ALL_S
        values = {**self._spec.options, **_window(since_wall_ms, until_wall_ms)}
        rows: list[Row] = []
        rules: list[Mapping[str, Any]] = []
        page = _Page(self._spec, values, self._origin, self._prefix)
        offset: tuple[float | None, float | None] = (None, None)
        while True:
            answer = self._once(page, deadline, patient)
            raw = self._json(answer, page)
            found = rows_of(self._spec, raw)
            rows += [row for row in found if self._meant(row, since_wall_ms)]
            rules += rules_of(self._spec, raw)
            if offset[0] is None:
                offset = offset_of(answer)
            if len(rows) > MAX_ROWS:
                raise CannotSeeError(
                    f"{self._where(page)} lists more than {MAX_ROWS} alerts; ask for fewer: a "
                    "shorter `lookback`, or a filter in its `query`"
                )
            if not page.turn(raw, len(found)):
                break
        return Told(
            rows=tuple(rows),
            rules=tuple(rules),
            pages=page.number,
            offset_ms=offset[0],
            error_ms=offset[1],
            answered_wall_ms=answer.answered_wall_ms,
        )

    def _meant(self, row: Row, since_wall_ms: int) -> bool:
        """Alerts that never end there count only if they are of the time that was asked for."""
        begun = row.started_wall_ms
        return "ended" in self._spec.can or begun is None or begun >= since_wall_ms

    def _once(self, page: _Page, deadline: float, patient: bool) -> Answer:
        """One page, asked for again a few times where it is asked to come back and may wait."""
        tries = TRIES if patient else 1
        while True:
            if time.monotonic() > deadline:
                raise CannotSeeError(
                    f"{self._where(page)} did not give all pages within {ALL_S:g} s"
                )
            answer = self._send(page)
            if answer.status not in (429, 503):
                return answer
            after_s, tries = retry_after_s(answer), tries - 1
            if tries < 1 or time.monotonic() + after_s > deadline:
                raise BusyError(
                    f"{self._where(page)} answered {answer.status}: it is asked too often "
                    f"(rate limit), and wants to be asked again in {after_s:g} s",
                    after_s,
                )
            if self._ended.wait(after_s):
                raise CannotSeeError(f"{self._where(page)} was not waited for: the run has ended")

    def _send(self, page: _Page) -> Answer:
        request = self._spec.request
        body = None if page.body is None else json.dumps(page.body).encode()
        headers = {"Accept": "application/json", **filled(request.headers, page.values)}
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        return self._http.ask(
            request.method,
            page.target,
            headers=self._authenticated(headers, page, body or b""),
            data=body,
        )

    def _authenticated(self, headers: dict[str, str], page: _Page, body: bytes) -> dict[str, str]:
        auth = self._spec.auth

        def secret(value: SecretRef | str) -> str:
            return resolve(value, base=self._base)

        sent = {**headers, **{name: secret(value) for name, value in auth.headers.items()}}
        if auth.bearer is not None:
            sent["Authorization"] = f"Bearer {secret(auth.bearer)}"
        if auth.password is not None:
            known = basic_credentials(auth.user or "", secret(auth.password))
            remember(known)
            sent["Authorization"] = f"Basic {known}"
        if auth.access_key is None or auth.secret_key is None:
            return sent
        keys = Keys(
            access_key=secret(auth.access_key),
            secret_key=secret(auth.secret_key),
            session_token=secret(auth.session_token) if auth.session_token else None,
        )
        return signed(
            keys,
            host=self._host,
            path=page.target.partition("?")[0],
            headers=sent,
            body=body,
            region=self._spec.options.get("region", ""),
            service=self._spec.options.get("service", ""),
            now_wall_ms=self._now(),
        )

    def _json(self, answer: Answer, page: _Page) -> Any:
        where = self._where(page)
        if answer.status != 200:
            raise CannotSeeError(f"{where} answered {answer.status}: {_why(answer)}")
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            raise CannotSeeError(
                f"{where} did not answer with JSON; is this the address of its API, and not of a "
                "page for people?"
            ) from None

    def _where(self, page: _Page) -> str:
        return f"`{self._spec.name}` at {shown(self._origin + page.target)}"


class _Page:
    """The next request: where it goes and what it carries."""

    def __init__(
        self, spec: SourceSpec, values: Mapping[str, Any], origin: str, prefix: str
    ) -> None:
        self.values = values
        self.number = 0
        self._spec, self._origin = spec, origin
        self._seen: set[str] = set()
        request = spec.request
        self._path: str = prefix + filled(request.path, values)
        query = {k: list(v) if isinstance(v, tuple) else v for k, v in request.query.items()}
        self._query: dict[str, Any] = filled(query, values)
        self.body = filled(request.body, values)
        if spec.paging.kind in ("offset", "page"):
            self._put(spec.paging.first)
        self.target = self._made()

    def turn(self, raw: Any, count: int) -> bool:
        """Turn to the next page; False when *raw*, with *count* alerts, was the last one."""
        self.number += 1
        paging = self._spec.paging
        if paging.kind == "none":
            return False
        mark = picked(paging.read, raw, "paging.read") if paging.read else None
        said = picked(paging.more, raw, "paging.more") if paging.more else None
        more = None if said is None else bool(said)  # unknown: a full page asks on
        if paging.kind in ("next", "cursor"):
            if not mark or more is False:
                return False
            self._once(json.dumps(mark, default=str))
            if paging.kind == "next":
                self.target = self._same_server(str(mark))
            else:
                self._put(mark)
                self.target = self._made()
            return self._bounded()
        if more is False or (more is None and count < paging.size):
            return False
        step = paging.size if paging.kind == "offset" else 1
        self._put(paging.first + self.number * step)
        self.target = self._made()
        return self._bounded()

    def _bounded(self) -> bool:
        if self.number >= MAX_PAGES:
            raise CannotSeeError(
                f"`{self._spec.name}` has more than {MAX_PAGES} pages of alerts; ask for fewer: a "
                "shorter `lookback`, or a filter in its `query`"
            )
        return True

    def _once(self, mark: str) -> None:
        if mark in self._seen:
            raise CannotSeeError(f"`{self._spec.name}` leads from page to page in a circle")
        self._seen.add(mark)

    def _same_server(self, url: str) -> str:
        """The next page is on the server that was named: no credentials go anywhere else."""
        found = urlsplit(url)
        there = f"{found.scheme}://{found.netloc}"
        if found.netloc and there != self._origin:
            raise CannotSeeError(
                f"the next page of `{self._spec.name}` is said to be on another server "
                f"({shown(there)}); it is not asked"
            )
        if not found.path.startswith("/"):
            raise CannotSeeError(f"`{masked(url)[:80]}` is not the address of a next page")
        return found.path + (f"?{found.query}" if found.query else "")

    def _put(self, value: Any) -> None:
        paging = self._spec.paging
        if not paging.in_body:
            self._query[paging.param] = str(value)
            return
        into = self.body
        *way, last = paging.param.split(".")
        for part in way:
            into = into.setdefault(part, {})
        into[last] = value

    def _made(self) -> str:
        pairs = [
            (name, str(one))
            for name, value in self._query.items()
            for one in (value if isinstance(value, list) else (value,))
        ]
        return self._path + (f"?{urlencode(pairs)}" if pairs else "")


def _window(since_ms: int, until_ms: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, ms in (("since", since_ms), ("until", until_ms)):
        at = datetime.fromtimestamp(ms / 1000, UTC)
        found[f"{name}_ms"], found[f"{name}_s"] = ms, ms // 1000
        found[f"{name}_iso"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return found


def retry_after_s(answer: Answer) -> float:
    """When an answer wants to be asked again: seconds, a date, or a few seconds if it is silent."""
    said = next((v for k, v in answer.headers.items() if k.lower() == "retry-after"), "")
    try:
        return max(0.1, float(said))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(said).timestamp()
    except (ValueError, TypeError):
        return LATER_S
    return max(0.1, at - answer.answered_wall_ms / 1000)


def offset_of(answer: Answer) -> tuple[float | None, float | None]:
    """How far its clock is ahead of ours by its `Date` header (whole seconds), and the error."""
    middle = (answer.asked_wall_ms + answer.answered_wall_ms) / 2
    half = (answer.answered_wall_ms - answer.asked_wall_ms) / 2
    said = next((v for k, v in answer.headers.items() if k.lower() == "date"), "")
    try:
        date = parsedate_to_datetime(said)
    except (ValueError, TypeError):
        return None, None
    return settled(date.timestamp() * 1000 + 500 - middle, 500 + half)


_WHY = {
    401: "the credentials are missing or wrong",
    403: "these credentials may not read this, or the server forbids it",
    404: "there is nothing at this address: is the `url` right, and is it the one of the API?",
    405: "this address cannot be asked in this way: is the `url` right?",
    407: "a proxy on the way wants credentials; gameday uses no proxy",
}


def _why(answer: Answer) -> str:
    """What a status means, and the server's own words if they are short."""
    if 300 <= answer.status < 400:
        return "it redirects, and gameday follows no redirect: write the final address as `url`"
    said = ""
    try:
        raw = json.loads(answer.body[:8192])
        said = _words(raw)
    except (ValueError, RecursionError):
        pass
    why = _WHY.get(answer.status, "" if said else "no reason given")
    return masked("; ".join(part for part in (why, said) if part))


def _words(raw: Any) -> str:
    """The message in an answer that is an error, wherever vendors put it."""
    if isinstance(raw, str):
        return " ".join(raw.split())[:200]
    if isinstance(raw, list):
        return _words(raw[0]) if raw else ""
    if isinstance(raw, dict):
        keys = ("error", "message", "Message", "errors", "messages", "reason", "text", "title")
        said = (_words(raw[key]) for key in keys if key in raw)
        return next((words for words in said if words), "")
    return ""
