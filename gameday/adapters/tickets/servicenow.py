"""Records of a ServiceNow, through its Table API.

The mark of a finding is the `correlation_id`, and how far the record was told the
`correlation_display`: that and a work note are changed in one request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from gameday.adapters.tickets.api import TicketApi
from gameday.errors import CannotSeeError
from gameday.model.tickets import NewTicket, ServiceNowSpec, Ticket

_FIELDS = "sys_id,number,state,active,correlation_id,correlation_display"
_MOST = "20"
_MARK = re.compile(r"[a-z0-9-]{1,80}")
_ID = re.compile(r"[0-9a-f]{32}")


class ServiceNowTickets:
    """The records of one table."""

    name = "ServiceNow"

    def __init__(self, spec: ServiceNowSpec, api: TicketApi) -> None:
        self._spec, self._api = spec, api
        self._table = f"/api/now/table/{spec.table}"

    def find(self, mark: str) -> tuple[Ticket, ...]:
        """Those with the correlation id *mark*, the oldest first. Raises CannotSeeError."""
        if _MARK.fullmatch(mark) is None:
            raise ValueError(f"`{mark}` is no mark")
        query = {
            "sysparm_query": f"correlation_id={mark}^ORDERBYsys_created_on",
            "sysparm_fields": _FIELDS,
            "sysparm_limit": _MOST,
        }
        raw = self._api.look("GET", f"{self._table}?{urlencode(query)}")
        rows = raw.get("result") if isinstance(raw, Mapping) else None
        if not isinstance(rows, list):
            raise CannotSeeError("ServiceNow answered a search without `result`")
        found = [one for one in rows if self._text(one, "correlation_id") == mark]
        if len(found) != len(rows):  # it drops a condition that it does not know
            raise CannotSeeError(
                "ServiceNow answered with records that were not asked for: may the account read "
                f"`correlation_id` of `{self._spec.table}`?"
            )
        return tuple(self._ticket(one) for one in found)

    def make(self, new: NewTicket) -> Ticket:
        """Make one. Raises `NoEffectError` or `LostAnswerError`."""
        body = {
            **self._spec.fields,
            "short_description": new.title,
            "description": new.text,
            "correlation_id": new.mark,
            "correlation_display": new.told,
        }
        raw = self._api.change("POST", self._table, body)
        made = raw.get("result") if isinstance(raw, Mapping) else None
        return self._ticket(made)

    def tell(self, ticket: Ticket, text: str, told: str) -> None:
        """Add a work note, and that it was told. Raises `NoEffectError` or `LostAnswerError`."""
        body = {"work_notes": text, "correlation_display": told}
        self._api.change("PATCH", f"{self._table}/{ticket.id}", body)

    def _ticket(self, raw: Any) -> Ticket:
        number = self._text(raw, "sys_id")
        if _ID.fullmatch(number) is None:
            raise CannotSeeError("ServiceNow answered with a record that has no sys_id")
        closed = self._text(raw, "active") == "false"
        return Ticket(
            id=number,
            name=self._text(raw, "number") or number,
            url=f"{self._spec.url.rstrip('/')}/{self._spec.table}.do?sys_id={number}",
            told=self._text(raw, "correlation_display"),
            status="closed" if closed else "active",
            closed=closed,
        )

    @staticmethod
    def _text(raw: Any, name: str) -> str:
        value = raw.get(name) if isinstance(raw, Mapping) else None
        return value if isinstance(value, str) else ""
