"""A Jira and a ServiceNow that keep what they are told: as much of their API as is used, as strict.

Written after the vendors' pages; not the vendors' own servers.
"""

from __future__ import annotations

import base64
import json
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from http_fake import FakeHandler, served

TOKEN = "tkt-right-token"
USER = "bot@example.org"
_BASIC = "Basic " + base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()


@dataclass
class Trouble:
    """What happens to one request instead of its answer. `done`: it was done all the same."""

    status: int = 0  # 0: the connection ends without an answer
    retry_after: str | None = None
    done: bool = False
    only: str = ""  # of this method only


@dataclass
class Server:
    """What both have. `lag` searches do not see what was made last."""

    url: str = ""
    troubles: deque[Trouble] = field(default_factory=deque)
    calls: list[tuple[str, str, int]] = field(default_factory=list)
    lag: int = 0
    records: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, method: str, path: str, login: str, body: Any) -> tuple[int, Any]:
        raise NotImplementedError

    def visible(self) -> list[dict[str, Any]]:
        if self.lag > 0:
            self.lag -= 1
            return self.records[:-1]
        return self.records

    def writes(self) -> list[str]:
        return [
            method for method, path, _ in self.calls if method != "GET" and "search" not in path
        ]


@dataclass
class Jira(Server):
    """One project, `OPS`. The Cloud has no `/search`, the Server no `/search/jql`."""

    kind: str = "cloud"
    required: str = ""  # a field without which no issue is made

    def answer(self, method: str, path: str, login: str, body: Any) -> tuple[int, Any]:
        if login not in (_BASIC, f"Bearer {TOKEN}"):
            return 401, {"errorMessages": ["You are not authenticated"], "errors": {}}
        search = {"cloud": "/rest/api/2/search/jql", "server": "/rest/api/2/search"}[self.kind]
        if (method, path) == ("POST", search):
            return self._search(body)
        if (method, path) == ("POST", "/rest/api/2/issue"):
            return self._make(body["fields"])
        if method == "PUT" and path.startswith("/rest/api/2/issue/"):
            return self._edit(path.rpartition("/")[2], body["update"])
        return 404, {"errorMessages": ["no such resource"], "errors": {}}

    def _search(self, body: Any) -> tuple[int, Any]:
        asked = re.fullmatch(
            r'project = "(\w+)" AND labels = "([^" ]+)" ORDER BY created ASC', body["jql"]
        )
        if asked is None or asked[1] != "OPS":
            return 400, {"errorMessages": ["The value does not exist for the field 'project'"]}
        found = [one for one in self.visible() if asked[2] in one["fields"]["labels"]]
        shown = [
            {"key": one["key"], "fields": {k: one["fields"].get(k) for k in body["fields"]}}
            for one in found
        ]
        return 200, {"issues": shown, "isLast": True}

    def _make(self, fields: Any) -> tuple[int, Any]:
        if self.required and self.required not in fields:
            return 400, {"errorMessages": [], "errors": {self.required: "It is required."}}
        if any(" " in label for label in fields["labels"]) or "\n" in fields["summary"]:
            return 400, {"errorMessages": ["a label with a blank"], "errors": {}}
        key = f"OPS-{len(self.records) + 1}"
        status = {"name": "To Do", "statusCategory": {"key": "new"}}
        made = {**fields, "status": status, "comments": []}
        self.records.append({"key": key, "fields": made})
        return 201, {"id": str(10_000 + len(self.records)), "key": key}

    def _edit(self, key: str, update: Any) -> tuple[int, Any]:
        issue = next((one for one in self.records if one["key"] == key), None)
        if issue is None:
            return 404, {"errorMessages": ["Issue does not exist"], "errors": {}}
        fields = issue["fields"]
        for act in update.get("labels", ()):
            if "remove" in act:
                fields["labels"] = [one for one in fields["labels"] if one != act["remove"]]
            if "add" in act:
                fields["labels"] = [*fields["labels"], act["add"]]
        fields["comments"] += [act["add"]["body"] for act in update.get("comment", ())]
        return 204, None

    def close(self, number: int) -> None:
        done = {"name": "Done", "statusCategory": {"key": "done"}}
        self.records[number]["fields"]["status"] = done

    def said(self, number: int) -> list[str]:
        return list(self.records[number]["fields"]["comments"])

    def marks(self, number: int) -> list[str]:
        return list(self.records[number]["fields"]["labels"])


@dataclass
class ServiceNow(Server):
    """The table `incident`."""

    ignores_queries: bool = False

    def answer(self, method: str, path: str, login: str, body: Any) -> tuple[int, Any]:
        if login not in (_BASIC, f"Bearer {TOKEN}"):
            return 401, {"error": {"message": "User Not Authenticated", "detail": "Required"}}
        parts = urlsplit(path)
        table, _, number = parts.path.removeprefix("/api/now/table/").partition("/")
        if table != "incident":
            return 400, {"error": {"message": f"Invalid table {table}", "detail": None}}
        if method == "GET":
            return self._query(parse_qs(parts.query))
        if method == "POST":
            return self._make(body)
        return self._change(number, body)

    def _query(self, query: dict[str, list[str]]) -> tuple[int, Any]:
        condition, _, order = query["sysparm_query"][0].partition("^")
        name, _, value = condition.partition("=")
        assert order == "ORDERBYsys_created_on"
        found = [r for r in self.visible() if self.ignores_queries or r.get(name) == value]
        fields = query["sysparm_fields"][0].split(",")
        return 200, {"result": [{name: row.get(name, "") for name in fields} for row in found]}

    def _make(self, body: Any) -> tuple[int, Any]:
        number = len(self.records) + 1
        made = {
            "sys_id": f"{number:032x}", "number": f"INC{number:07}", "state": "1",
            "active": "true", "notes": [], **body,
        }  # fmt: skip
        self.records.append(made)
        return 201, {"result": {k: v for k, v in made.items() if k != "notes"}}

    def _change(self, number: str, body: Any) -> tuple[int, Any]:
        row = next((one for one in self.records if one["sys_id"] == number), None)
        if row is None:
            return 404, {"error": {"message": "No Record found", "detail": ""}}
        if "work_notes" in body:
            row["notes"].append(body["work_notes"])
        row.update({k: v for k, v in body.items() if k != "work_notes"})
        return 200, {"result": {k: v for k, v in row.items() if k != "notes"}}

    def close(self, number: int) -> None:
        self.records[number].update(active="false", state="7")

    def said(self, number: int) -> list[str]:
        return list(self.records[number]["notes"])

    def marks(self, number: int) -> list[str]:
        row = self.records[number]
        return [row["correlation_id"], row["correlation_display"]]


@contextmanager
def serving(state: Server) -> Iterator[None]:
    """*state* on loopback."""

    class Handler(FakeHandler):
        def _do(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            trouble = None
            if state.troubles and state.troubles[0].only in ("", self.command):
                trouble = state.troubles.popleft()
            status, answer = 0, None
            if trouble is None or trouble.done:
                body = json.loads(raw) if raw else None
                login = self.headers.get("Authorization", "")
                status, answer = state.answer(self.command, self.path, login, body)
            if trouble is not None:
                status, answer = trouble.status, {"error": {"message": "trouble"}}
            state.calls.append((self.command, self.path, status))
            if not status:
                self.close_connection = True
                return
            data = b"" if answer is None else json.dumps(answer).encode()
            waits = trouble.retry_after if trouble is not None else None
            self.reply(status, data, **({} if waits is None else {"Retry_After": waits}))

        do_GET = do_POST = do_PUT = do_PATCH = _do  # noqa: N815 - the names that http.server calls

    with served(Handler) as port:
        state.url = f"http://127.0.0.1:{port}"
        yield
