"""`gameday findings ticket`: one ticket for a finding, told what has changed since.

Looked for first, made only if there is none; whatever became of an answer that was lost is looked
at before anything is done again. A ticket never changes a finding: only a run, or the
observer of a drill, verifies it.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gameday.app.finding_store import found, register_of
from gameday.app.findings import now_utc
from gameday.app.projects import project_here
from gameday.app.scenario_run import locked
from gameday.errors import CannotSeeError, UsageError
from gameday.model.finding_record import FindingRecord
from gameday.model.tickets import (
    JiraSpec,
    NewTicket,
    Ticket,
    TicketSpec,
    entries_told,
    mark_of,
    new_ticket,
    news_for,
    told_mark,
    words,
)
from gameday.model.verdict import ExitCode
from gameday.ports import TicketSystem
from gameday.programme.finding_entry import as_of
from gameday.secrets import masked, resolve

#: After an answer that was lost it is looked again and again: a search may lag behind.
LOOK_AGAIN_S = (1.0, 2.0, 4.0, 8.0)
_LOCK_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One finding at one ticket system. *sleep* waits before it is looked again."""

    system: TicketSystem
    record: FindingRecord
    sleep: Callable[[float], None] = time.sleep

    def serve(self) -> Iterator[str]:
        """Do what there is to do; yields what was done. Raises `AdapterError`."""
        tickets = self.system.find(mark_of(self.record))
        if not tickets:
            yield from self._make(new_ticket(self.record))
            return
        yield from _several(tickets)
        yield from self._tell(tickets[0])

    def plan(self) -> Iterator[str]:
        """What `serve` would do; only looks. Raises `AdapterError`."""
        tickets = self.system.find(mark_of(self.record))
        if not tickets:
            new = new_ticket(self.record)
            yield f"would make a ticket in {self.system.name}: {new.title}"
            yield from new.text.splitlines()
            return
        yield from _several(tickets)
        news = self._news(tickets[0])
        yield (
            f"would tell {_shown(tickets[0])}:" if news else f"nothing new for {_shown(tickets[0])}"
        )
        yield from news.splitlines()
        yield from self._closed(tickets[0])

    def _make(self, new: NewTicket) -> Iterator[str]:
        try:
            made = self.system.make(_masked(new))
        except CannotSeeError as error:
            there = self._seen(lambda one: True)
            if there is None:
                raise CannotSeeError(
                    f"{error}; whether the ticket was made is not known, and none can be seen: "
                    "look there, then call this again"
                ) from None
            yield f"made {_shown(there)} (the answer was lost, and it is there)"
            return
        yield f"made {_shown(made)}"
        if self._seen(lambda one: one.id == made.id) is None:
            yield f"{self.system.name} does not find it yet: wait before you call this again"

    def _tell(self, ticket: Ticket) -> Iterator[str]:
        news, told = self._news(ticket), told_mark(self.record)
        if not news:
            yield f"nothing new for {_shown(ticket)}"
        else:
            try:
                self.system.tell(ticket, masked(news), told)
            except CannotSeeError as error:
                if self._seen(lambda one: one.id == ticket.id and one.told == told) is None:
                    raise CannotSeeError(
                        f"{error}; whether {ticket.name} was told is not known: call this again"
                    ) from None
            yield f"told {_shown(ticket)}: {words(self.record.state)}"
        yield from self._closed(ticket)

    def _news(self, ticket: Ticket) -> str:
        known = entries_told(ticket.told)
        if known is not None and known > len(self.record.entries):
            raise UsageError(
                f"{ticket.name} was told more of `{self.record.id}` than this register knows; "
                "is it an old copy?"
            )
        return news_for(self.record, ticket)

    def _closed(self, ticket: Ticket) -> Iterator[str]:
        if ticket.closed:
            state = words(self.record.state)
            yield (
                f"it is closed there; the finding is {state} all the same: only a run, or the "
                "observer of a drill, verifies it"
            )

    def _seen(self, fits: Callable[[Ticket], bool]) -> Ticket | None:
        """The ticket as the system finds it by now; None if it does not."""
        for pause_s in (*LOOK_AGAIN_S, None):
            with contextlib.suppress(CannotSeeError):
                for one in self.system.find(mark_of(self.record)):
                    if fits(one):
                        return one
            if pause_s is not None:
                self.sleep(pause_s)
        return None


def ticket_command(
    finding: str, *, store: str | None, project: Path | None, dry_run: bool
) -> ExitCode:
    """Make or tell the ticket of a finding; with *dry_run* only say what would be done."""
    path, where = project_here(project)
    spec = where.tickets
    if spec is None:
        raise UsageError(
            f"`{path}` has no `tickets`, so there is nowhere to make one (docs/tickets.md)"
        )
    register = register_of(store=store, project=path)
    record = as_of(found(register.store, finding), now_utc(), register.policy)
    with locked([f"ticket {record.id}"], _LOCK_S), ticket_system(spec, where.directory) as system:
        desk = Desk(system=system, record=record)
        for line in desk.plan() if dry_run else desk.serve():
            sys.stdout.write(f"{record.id}  {masked(line)}\n")
    if dry_run:
        sys.stdout.write("nothing was written\n")
    return ExitCode.PASS


@contextlib.contextmanager
def ticket_system(spec: TicketSpec, directory: str) -> Iterator[TicketSystem]:
    """The system of the project. Raises `RefusedError` where its token is missing."""
    from gameday.adapters.tickets.api import TicketApi
    from gameday.adapters.tickets.jira import JiraTickets
    from gameday.adapters.tickets.servicenow import ServiceNowTickets

    token = resolve(spec.token, base=Path(directory))
    what = "Jira" if isinstance(spec, JiraSpec) else "ServiceNow"
    with TicketApi(spec.url, what=what, user=spec.user, token=token) as api:
        yield JiraTickets(spec, api) if isinstance(spec, JiraSpec) else ServiceNowTickets(spec, api)


def _several(tickets: tuple[Ticket, ...]) -> Iterator[str]:
    if len(tickets) > 1:
        names = ", ".join(one.name for one in tickets[1:])
        yield f"there is more than one: {tickets[0].name} is used, close {names}"


def _masked(new: NewTicket) -> NewTicket:
    return NewTicket(mark=new.mark, title=masked(new.title), text=masked(new.text), told=new.told)


def _shown(ticket: Ticket) -> str:
    status = f" ({ticket.status})" if ticket.status else ""
    return f"{ticket.name}{status}: {ticket.url}"
