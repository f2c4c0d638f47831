"""The part of the project file about tickets, and what can be wrong in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import Annotated, Any
from urllib.parse import urlsplit

from gameday.model.diagnostics import Diagnostic
from gameday.model.tickets import JIRA_KINDS, JiraSpec, ServiceNowSpec, TicketSpec
from gameday.scenario import fields as f
from gameday.scenario import fields_calls as c
from gameday.scenario.call_docs import SecretDoc
from gameday.scenario.node import Marks, Path
from gameday.scenario.secret_rules import secret_ref, unclear
from gameday.scenario.validate import GIVEN, Scalar, about, document

_PROJECT = r"[A-Z][A-Z0-9_]{0,30}"
_TABLE = r"[a-z][a-z0-9_]{0,79}"
#: Keys of a ticket that gameday fills in itself.
_JIRA_OURS = ("project", "issuetype", "summary", "description", "labels")
_SERVICENOW_OURS = (
    "short_description", "description", "correlation_id", "correlation_display", "work_notes",
)  # fmt: skip
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

PROJECT_KEY = Scalar(
    f.matching(_PROJECT, "value/name", "the key of a project", "write it as in `OPS-12`: `OPS`"),
    f.pattern(_PROJECT, examples=["OPS"]),
)
TABLE = Scalar(
    f.matching(_TABLE, "value/name", "a table", "write for example `incident`"),
    f.pattern(_TABLE, examples=["incident", "problem"]),
)


@document
class JiraDoc:
    """A Jira."""

    url: Annotated[str, f.URL, about("its address")]
    project: Annotated[str, PROJECT_KEY, about("the key of the project that gets the issues")]
    token: Annotated[SecretDoc, about("where its token is")]
    kind: Annotated[str, f.choice(JIRA_KINDS), about("`cloud`, or `server` (also Data Center)")] = (
        "cloud"
    )
    user: Annotated[
        str | None, f.TEXT, about("whose token it is; without one it is a bearer token")
    ] = None
    type: Annotated[str, f.TEXT, about("the type of the issues")] = "Bug"
    fields: Annotated[
        dict[str, Any], c.JSON_MAPPING, about("more fields of a new issue, as its API takes them")
    ] = field(default_factory=dict)


@document
class ServiceNowDoc:
    """A ServiceNow."""

    url: Annotated[str, f.URL, about("its address")]
    token: Annotated[SecretDoc, about("where its token, or the password of `user`, is")]
    user: Annotated[
        str | None, f.TEXT, about("whose password it is; without one it is a bearer token")
    ] = None
    table: Annotated[str, TABLE, about("the table that gets the records")] = "incident"
    fields: Annotated[
        dict[str, Any], c.JSON_MAPPING, about("more fields of a new record, as its API takes them")
    ] = field(default_factory=dict)


@document
class TicketsDoc:
    """Where `gameday findings ticket` makes tickets. Exactly one of `jira` and `servicenow`."""

    jira: Annotated[JiraDoc | None, GIVEN, about("issues in a Jira")] = None
    servicenow: Annotated[ServiceNowDoc | None, GIVEN, about("records in a ServiceNow")] = None


def tickets_of(doc: TicketsDoc | None, marks: Marks) -> tuple[TicketSpec | None, list[Diagnostic]]:
    """The value, and what is wrong."""
    if doc is None:
        return None, []
    found = list(_wrong_tickets(doc, marks))
    if doc.jira is not None:
        return JiraSpec(
            url=doc.jira.url,
            project=doc.jira.project,
            token=secret_ref(doc.jira.token),
            kind=doc.jira.kind,
            user=doc.jira.user,
            type=doc.jira.type,
            fields=doc.jira.fields,
        ), found
    if doc.servicenow is not None:
        return ServiceNowSpec(
            url=doc.servicenow.url,
            token=secret_ref(doc.servicenow.token),
            user=doc.servicenow.user,
            table=doc.servicenow.table,
            fields=doc.servicenow.fields,
        ), found
    return None, found


def _wrong_tickets(doc: TicketsDoc, marks: Marks) -> Iterator[Diagnostic]:
    if (doc.jira is None) == (doc.servicenow is None):
        how = "both `jira` and" if doc.jira is not None else "neither `jira` nor"
        yield marks.problem(
            "ticket/system",
            ("tickets",),
            f"`tickets` has {how} `servicenow`",
            "a finding has one ticket; write one of the two",
            key=True,
        )
    systems: tuple[tuple[str, JiraDoc | ServiceNowDoc | None, tuple[str, ...]], ...] = (
        ("jira", doc.jira, _JIRA_OURS),
        ("servicenow", doc.servicenow, _SERVICENOW_OURS),
    )
    for word, system, ours in systems:
        if system is None:
            continue
        at: Path = ("tickets", word)
        yield from unclear(system.token, (*at, "token"), marks)
        if _is_open(system.url):
            yield marks.problem(
                "ticket/address",
                (*at, "url"),
                "the token would go to another machine in the clear, or stands in the address",
                "write `https://…`, without a user",
            )
        for key in system.fields:
            if key in ours:
                yield marks.problem(
                    "ticket/field",
                    (*at, "fields", key),
                    f"`{key}` is filled in by gameday",
                    "remove it",
                    key=True,
                )


def _is_open(url: str) -> bool:
    """Whether a token sent there could be read by others."""
    parts = urlsplit(url)
    clear = parts.scheme != "https" and parts.hostname not in _LOOPBACK
    return clear or bool(parts.username) or bool(parts.query)
