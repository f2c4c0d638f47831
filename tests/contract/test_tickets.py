"""Tickets in a Jira (Cloud and Server) and a ServiceNow that keep state, and that have troubles."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ticket_fakes import TOKEN, USER, Jira, Server, ServiceNow, Trouble, serving

from gameday.adapters.findings_files import FindingFiles
from gameday.adapters.tickets.api import TicketApi
from gameday.adapters.tickets.jira import JiraTickets
from gameday.adapters.tickets.servicenow import ServiceNowTickets
from gameday.app.finding_ticket import Desk
from gameday.cli.main import run
from gameday.errors import CannotSeeError, NoEffectError, UsageError
from gameday.model.finding_record import (
    EntryKind,
    FindingClass,
    FindingRecord,
    FindingSeverity,
    FindingsPolicy,
    FindingState,
)
from gameday.model.secret import SecretRef
from gameday.model.tickets import JiraSpec, ServiceNowSpec, mark_of
from gameday.ports import TicketSystem
from gameday.programme import findings
from gameday.programme.finding_entry import with_entry
from gameday.programme.finding_raise import ByHand, added

NOW = datetime.datetime(2026, 3, 14, 15, tzinfo=datetime.UTC)
POLICY = FindingsPolicy()
KINDS = ("cloud", "server", "servicenow")
Fake = Jira | ServiceNow


def finding() -> FindingRecord:
    given = ByHand(
        title="Checkout has no time-out on payments\nand so it hangs",
        service="shop",
        failure_mode="payments.latency",
        expectation="fault: errors < 1%",
        kind=FindingClass.RESILIENCE_DEFECT,
        severity=FindingSeverity.HIGH,
        owner_team="team-checkout",
        scenario="payments-slow",
        environment_kind="staging",
    )
    return added(given, role="facilitator", why="seen on the day", now=NOW, policy=POLICY)


def assigned(record: FindingRecord) -> FindingRecord:
    return findings.assigned(
        record, role="facilitator", team="team-checkout", severity=None, why="theirs", now=NOW,
        policy=POLICY,
    )  # fmt: skip


def moved(
    record: FindingRecord, what: EntryKind, state: FindingState, run: str = ""
) -> FindingRecord:
    return with_entry(record, what, state, at=NOW, run=run, why="as told")


class Naps:
    """Waiting that takes no time, and what was waited for."""

    def __init__(self) -> None:
        self.s: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.s.append(seconds)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def fake(kind: str) -> Iterator[Fake]:
    made: Fake = ServiceNow() if kind == "servicenow" else Jira(kind=kind)
    with serving(made):
        yield made


@pytest.fixture
def naps() -> Naps:
    return Naps()


Open = Callable[..., TicketSystem]


@pytest.fixture
def opened(kind: str, fake: Fake, naps: Naps) -> Iterator[Open]:
    """Makes the adapter; each with a session of its own."""
    apis: list[TicketApi] = []

    def make(*, token: str = TOKEN, user: str | None = USER, **more: object) -> TicketSystem:
        api = TicketApi(fake.url, what=kind, user=user, token=token, sleep=naps, total_s=60.0)
        apis.append(api)
        secret = SecretRef(env="TOKEN")
        if kind == "servicenow":
            return ServiceNowTickets(ServiceNowSpec(url=fake.url, token=secret, **more), api)  # type: ignore[arg-type]
        spec = JiraSpec(url=fake.url, project="OPS", kind=kind, token=secret, **more)  # type: ignore[arg-type]
        return JiraTickets(spec, api)

    yield make
    for api in apis:
        api.close()


def serve(system: TicketSystem, record: FindingRecord, naps: Naps) -> list[str]:
    return list(Desk(system=system, record=record, sleep=naps).serve())


def test_a_finding_gets_one_ticket(opened: Open, fake: Fake, naps: Naps) -> None:
    record = finding()
    first = serve(opened(), record, naps)
    second = serve(opened(user=None), record, naps)

    assert len(fake.records) == 1
    assert first[0].startswith("made ")
    assert second[0].startswith("nothing new for ")
    text = str(fake.records[0])
    assert "[EXERCISE] shop: Checkout has no time-out on payments and so it hangs" in text
    for said in ("payments.latency", "fault: errors < 1%", "team-checkout", record.id, "high"):
        assert said in text
    assert mark_of(record) in fake.marks(0)
    assert mark_of(record) == f"gameday-{record.id.lower()}"
    assert fake.url in first[0]


def test_two_findings_have_two_tickets(opened: Open, fake: Fake, naps: Naps) -> None:
    one = finding()
    other = replace(one, id="F-0123456789ab")
    for record in (one, other, one, other):
        serve(opened(), record, naps)
    assert len(fake.records) == 2


def test_a_change_of_state_is_told_once(opened: Open, fake: Fake, naps: Naps) -> None:
    record = finding()
    serve(opened(), record, naps)
    record = assigned(record)
    for _ in range(2):
        serve(opened(), record, naps)
    (said,) = fake.said(0)
    assert "is assigned now" in said
    assert "assigned by facilitator: theirs" in said

    record = moved(record, EntryKind.SEEN_AGAIN, FindingState.ASSIGNED, run="r9")
    assert serve(opened(), record, naps)[0].startswith("nothing new")
    record = moved(record, EntryKind.CLAIMED, FindingState.FIX_CLAIMED)
    record = moved(record, EntryKind.VERIFIED, FindingState.VERIFIED, run="r10")
    record = moved(record, EntryKind.REGRESSED, FindingState.OPEN, run="r11")
    serve(opened(), record, naps)
    assert len(fake.said(0)) == 2
    assert "is open now" in fake.said(0)[1]
    for word in ("claimed by", "verified by gameday (run r10)", "regressed by gameday (run r11)"):
        assert word in fake.said(0)[1]
    assert fake.writes()[0] == "POST"
    assert len(fake.writes()) == 3


def test_a_ticket_that_was_closed_by_hand_verifies_nothing(
    opened: Open, fake: Fake, naps: Naps
) -> None:
    record = moved(finding(), EntryKind.CLAIMED, FindingState.FIX_CLAIMED)
    serve(opened(), record, naps)
    fake.close(0)
    lines = serve(opened(), record, naps)

    assert lines[-1] == (
        "it is closed there; the finding is fix claimed all the same: only a run, or the "
        "observer of a drill, verifies it"
    )
    assert record.state is FindingState.FIX_CLAIMED
    assert len(fake.records) == 1, "a closed one is still the ticket of the finding"
    record = moved(record, EntryKind.REFUTED, FindingState.OPEN, run="r7")
    serve(opened(), record, naps)
    assert "is open now" in fake.said(0)[0]


@pytest.mark.parametrize("lost", [Trouble(done=True), Trouble(status=500, done=True)])
def test_a_lost_answer_is_looked_for_even_if_the_search_lags(
    lost: Trouble, kind: str, fake: Fake, naps: Naps, opened: Open
) -> None:
    system = LoseTheNext(opened(), fake, lost)
    fake.lag = 3
    lines = serve(system, finding(), naps)

    assert len(fake.records) == 1
    assert "the answer was lost, and it is there" in lines[0]
    assert naps.s[:2] == [1.0, 2.0]


def test_what_cannot_be_known_is_said_and_made_by_nobody(
    opened: Open, fake: Fake, naps: Naps
) -> None:
    system = LoseTheNext(opened(), fake, Trouble())
    with pytest.raises(CannotSeeError, match="whether the ticket was made is not known"):
        serve(system, finding(), naps)
    assert fake.records == []
    assert len([m for m in fake.writes() if m == "POST"]) == 1, "it is not tried again blindly"
    assert serve(opened(), finding(), naps)[0].startswith("made ")


@pytest.mark.parametrize("done", [True, False])
def test_a_lost_comment_is_told_once(done: bool, opened: Open, fake: Fake, naps: Naps) -> None:
    record = finding()
    serve(opened(), record, naps)
    record = assigned(record)
    fake.troubles.append(
        Trouble(status=503, done=done, only="PATCH" if isinstance(fake, ServiceNow) else "PUT")
    )
    if done:
        assert serve(opened(), record, naps)[0].startswith("told ")
    else:
        with pytest.raises(CannotSeeError, match=r"whether .* was told is not known"):
            serve(opened(), record, naps)
    serve(opened(), record, naps)
    assert len(fake.said(0)) == 1


class LoseTheNext:
    """A system whose next `make` runs into *trouble*."""

    def __init__(self, system: TicketSystem, fake: Server, trouble: Trouble) -> None:
        self.name = system.name
        self._system, self._fake, self._trouble = system, fake, trouble
        self.find, self.tell = system.find, system.tell

    def make(self, new: object) -> object:
        self._fake.troubles.append(self._trouble)
        return self._system.make(new)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_question_is_asked_again(status: int, opened: Open, fake: Fake, naps: Naps) -> None:
    fake.troubles.append(Trouble(status=status, retry_after="7" if status == 429 else None))
    assert opened().find("gameday-f-1") == ()
    assert naps.s == [7.0 if status == 429 else 1.0]


def test_it_is_asked_again_only_so_often(opened: Open, fake: Fake, naps: Naps) -> None:
    fake.troubles.extend([Trouble(status=500)] * 9)
    with pytest.raises(CannotSeeError, match="answered 500"):
        opened().find("gameday-f-1")
    assert len(fake.calls) == 4
    assert naps.s == [1.0, 2.0, 4.0]


def test_who_wants_to_be_left_alone_for_long_is(opened: Open, fake: Fake, naps: Naps) -> None:
    fake.troubles.append(Trouble(status=429, retry_after="3600"))
    with pytest.raises(CannotSeeError, match="it wants to be left alone for 3600 s"):
        opened().find("gameday-f-1")
    assert naps.s == []


def test_a_change_that_was_put_off_is_made_later(opened: Open, fake: Fake, naps: Naps) -> None:
    system = LoseTheNext(opened(), fake, Trouble(status=429, retry_after="2"))
    assert serve(system, finding(), naps)[0].startswith("made ")
    assert naps.s == [2.0]
    assert len(fake.records) == 1


def test_a_wrong_token_is_said_and_not_shown(opened: Open, fake: Fake, naps: Naps) -> None:
    with pytest.raises(CannotSeeError, match="401: the token is missing or wrong") as error:
        serve(opened(token="tkt-wrong-token"), finding(), naps)
    assert "tkt-wrong" not in str(error.value)
    assert naps.s == []
    assert len(fake.calls) == 1


def test_the_own_words_of_a_refusal_are_told(naps: Naps) -> None:
    fake = Jira(required="customfield_1")
    with serving(fake), TicketApi(
        fake.url, what="Jira", user=None, token=TOKEN, sleep=naps, total_s=60.0
    ) as api:  # fmt: skip
        spec = JiraSpec(url=fake.url, project="OPS", token=SecretRef(env="T"))
        with pytest.raises(NoEffectError, match="400: customfield_1: It is required"):
            serve(JiraTickets(spec, api), finding(), naps)
        more = replace(spec, fields={"customfield_1": {"value": "A"}})
        serve(JiraTickets(more, api), finding(), naps)
    assert fake.records[0]["fields"]["customfield_1"] == {"value": "A"}


def test_records_that_were_not_asked_for_are_not_touched(naps: Naps) -> None:
    fake = ServiceNow(ignores_queries=True)
    fake.records.append({"sys_id": "a" * 32, "number": "INC1", "correlation_id": ""})
    with serving(fake), TicketApi(
        fake.url, what="ServiceNow", user=USER, token=TOKEN, sleep=naps, total_s=60.0
    ) as api:  # fmt: skip
        system = ServiceNowTickets(ServiceNowSpec(url=fake.url, token=SecretRef(env="T")), api)
        with pytest.raises(CannotSeeError, match="records that were not asked for"):
            serve(system, finding(), naps)
    assert len(fake.records) == 1


def test_an_old_copy_of_the_register_tells_nothing(opened: Open, fake: Fake, naps: Naps) -> None:
    old = finding()
    serve(opened(), moved(old, EntryKind.CLAIMED, FindingState.FIX_CLAIMED), naps)
    with pytest.raises(UsageError, match="is it an old copy"):
        serve(opened(), old, naps)
    assert fake.said(0) == []


def test_a_mark_that_people_took_off_is_put_back(opened: Open, fake: Fake, naps: Naps) -> None:
    record = finding()
    serve(opened(), record, naps)
    if isinstance(fake, Jira):
        fake.records[0]["fields"]["labels"] = [mark_of(record)]
    else:
        fake.records[0]["correlation_display"] = "mine"
    serve(opened(), record, naps)
    serve(opened(), record, naps)
    assert len(fake.said(0)) == 1


PROJECT = """\
gameday: 1
environments: {{local: {{targets: {{shop: {{url: "http://127.0.0.1:1"}}}}}}}}
tickets:
  {tickets}
"""


@pytest.fixture
def project(
    kind: str, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> FindingRecord:
    """A project with one finding in its register."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TICKET_TOKEN", TOKEN)
    monkeypatch.setattr("gameday.app.finding_ticket.LOOK_AGAIN_S", (0.01,) * 3)
    more = "" if kind == "servicenow" else f", project: OPS, kind: {kind}"
    word = "servicenow" if kind == "servicenow" else "jira"
    text = f'{word}: {{url: "{fake.url}", token: {{env: TICKET_TOKEN}}{more}}}'
    Path("gameday.yaml").write_text(PROJECT.format(tickets=text))
    record = finding()
    FindingFiles(tmp_path / "findings").change([record.id], lambda _: [record])
    return record


def test_from_the_command_line(
    project: FindingRecord, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["findings", "ticket", project.id, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "would make a ticket in" in said
    assert "nothing was written" in said
    assert fake.records == []
    assert fake.writes() == []

    assert run(["findings", "ticket", project.id[:8]]) == 0
    assert f"{project.id}  made " in capsys.readouterr().out
    assert run(["findings", "ticket", project.id]) == 0
    assert "nothing new" in capsys.readouterr().out
    assert run(["findings", "assign", project.id]) == 0
    assert run(["findings", "start", project.id]) == 0
    assert run(["findings", "claim", project.id, "--why", "time-out of 600 ms"]) == 0
    capsys.readouterr()
    assert run(["findings", "ticket", project.id, "--dry-run"]) == 0
    assert "would tell" in capsys.readouterr().out
    assert fake.said(0) == []
    assert run(["findings", "ticket", project.id]) == 0
    assert "time-out of 600 ms" in fake.said(0)[0]
    assert len(fake.records) == 1


def test_what_is_wrong_is_said_without_the_token(
    project: FindingRecord, fake: Fake, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("TICKET_TOKEN", "tkt-wrong-token")
    assert run(["findings", "ticket", project.id]) == 3
    said = capsys.readouterr()
    assert "answered 401" in said.err
    assert "tkt-wrong-token" not in said.err + said.out
    monkeypatch.delenv("TICKET_TOKEN")
    assert run(["findings", "ticket", project.id]) == 2
    assert "the secret in `TICKET_TOKEN` is missing" in capsys.readouterr().err
    Path("gameday.yaml").write_text(PROJECT.format(tickets="").rpartition("tickets:")[0])
    assert run(["findings", "ticket", project.id]) == 2
    assert "has no `tickets`" in capsys.readouterr().err
