"""Issues of a Jira, Cloud or Server, through its REST API 2 (in which texts are plain).

The mark of a finding is a label, and so is how far the issue was told: a comment and that label
are changed in one request, so that both are there or neither.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gameday.adapters.tickets.api import TicketApi
from gameday.errors import CannotSeeError
from gameday.model.tickets import JiraSpec, NewTicket, Ticket, entries_told

#: Where each kind of Jira is asked for issues; the Cloud has removed the older one.
_SEARCH = {"cloud": "/rest/api/2/search/jql", "server": "/rest/api/2/search"}
_FIELDS = ["labels", "status", "created"]
_MOST = 20
_MARK = re.compile(r"[a-z0-9-]{1,80}")
_KEY = re.compile(r"[A-Za-z0-9_]+-[0-9]+")


class JiraTickets:
    """The issues of one project."""

    name = "Jira"

    def __init__(self, spec: JiraSpec, api: TicketApi) -> None:
        self._spec, self._api = spec, api

    def find(self, mark: str) -> tuple[Ticket, ...]:
        """Those with the label *mark*, the oldest first. Raises CannotSeeError."""
        if _MARK.fullmatch(mark) is None:
            raise ValueError(f"`{mark}` is no mark")
        jql = f'project = "{self._spec.project}" AND labels = "{mark}" ORDER BY created ASC'
        body = {"jql": jql, "fields": _FIELDS, "maxResults": _MOST}
        raw = self._api.look("POST", _SEARCH[self._spec.kind], body)
        issues = raw.get("issues") if isinstance(raw, Mapping) else None
        if not isinstance(issues, list):
            raise CannotSeeError("Jira answered a search without `issues`")
        return tuple(self._ticket(one) for one in issues)

    def make(self, new: NewTicket) -> Ticket:
        """Make one. Raises `NoEffectError` or `LostAnswerError`."""
        fields = {
            **self._spec.fields,
            "project": {"key": self._spec.project},
            "issuetype": {"name": self._spec.type},
            "summary": new.title,
            "description": _verbatim(new.text),
            "labels": ["gameday", new.mark, new.told],
        }
        raw = self._api.change("POST", "/rest/api/2/issue", {"fields": fields})
        key = self._key(raw)
        return Ticket(id=key, name=key, url=self._url(key), told=new.told)

    def tell(self, ticket: Ticket, text: str, told: str) -> None:
        """Add a comment, and that it was told. Raises `NoEffectError` or `LostAnswerError`."""
        labels: list[dict[str, str]] = [{"remove": ticket.told}] if ticket.told else []
        labels.append({"add": told})
        body = {"update": {"comment": [{"add": {"body": _verbatim(text)}}], "labels": labels}}
        self._api.change("PUT", f"/rest/api/2/issue/{ticket.id}", body)

    def _ticket(self, raw: Any) -> Ticket:
        key = self._key(raw)
        fields = raw.get("fields") or {}
        status = fields.get("status") or {}
        category = status.get("statusCategory") or {}
        labels = [str(one) for one in fields.get("labels") or ()]
        told = [one for one in labels if entries_told(one) is not None]
        return Ticket(
            id=key,
            name=key,
            url=self._url(key),
            told=max(told, key=lambda one: entries_told(one) or 0, default=""),
            status=str(status.get("name") or ""),
            closed=category.get("key") == "done",
        )

    def _key(self, raw: Any) -> str:
        key = raw.get("key") if isinstance(raw, Mapping) else None
        if not isinstance(key, str) or _KEY.fullmatch(key) is None:
            raise CannotSeeError("Jira answered with an issue that has no key")
        return key

    def _url(self, key: str) -> str:
        return f"{self._spec.url.rstrip('/')}/browse/{key}"


def _verbatim(text: str) -> str:
    """*text* as it is: nothing in it is markup."""
    return "{noformat}\n" + text.replace("{noformat}", "(noformat)") + "\n{noformat}"
