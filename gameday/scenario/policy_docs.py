"""The policy of an environment as people write it, key by key."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from gameday.scenario import fields as f
from gameday.scenario import fields_places as p
from gameday.scenario.validate import GIVEN, Either, about, document

Text = Annotated[str, f.TEXT]


@document
class HoursDoc:
    """When runs may take place."""

    days: Annotated[
        list[str] | list[int],
        Either(list[Annotated[str, p.DAY]], p.DAY_RANGE),
        about("weekdays: `mon-fri`, or a list; all unless given"),
    ] = field(default_factory=lambda: list(range(7)))
    from_: Annotated[int, p.MINUTE, about("from this time on, such as `09:00`", key="from")]
    to: Annotated[int, p.MINUTE, about("to this time")]
    timezone: Annotated[str, p.ZONE, about("the time zone; UTC unless given")] = "UTC"


@document
class FreezeDoc:
    """Days on which nothing is run, both included."""

    from_: Annotated[str, p.DATE, about("the first day", key="from")]
    to: Annotated[str, p.DATE, about("the last day")]
    why: Annotated[str, f.TEXT, about("the reason, for the refusal")] = ""


@document
class BudgetDoc:
    """The error budget. Exactly one of `query` and `file`."""

    floor: Annotated[float, f.SHARE, about("so much of it must be left")]
    query: Annotated[
        str | None, f.TEXT, about("a PromQL query that gives the share that is left")
    ] = None
    file: Annotated[str | None, f.TEXT, about("a file that holds the share that is left")] = None


@document
class ApprovalsDoc:
    """Approvals of a plan."""

    needed: Annotated[
        int | None, f.whole(0, 20, "a number of approvals"), about("how many are needed")
    ] = None
    signers: Annotated[
        str | None, f.TEXT, about("the allowed-signers file of `ssh-keygen -Y verify`")
    ] = None
    roles: Annotated[list[Text], about("one of each of them is needed")] = field(
        default_factory=list
    )
    folder: Annotated[str, f.TEXT, about("where approvals lie")] = "approvals"


@document
class PolicyDoc:
    """What an environment allows. Without a key there is no limit of that sort."""

    targets: Annotated[
        list[Annotated[str, f.NAME]] | None, GIVEN, about("targets that may be broken or loaded")
    ] = None
    faults: Annotated[
        list[Text] | None,
        GIVEN,
        about("kinds of faults that may be put in, such as `latency` or `container.*`"),
    ] = None
    max_share: Annotated[
        float | None, f.SHARE, about("the largest toxicity, or share, of a fault")
    ] = None
    max_duration: Annotated[
        int | None, f.SECONDS, about("the longest time that a fault may be in")
    ] = None
    max_faults: Annotated[
        int | None, f.whole(1, 1_000, "a number of faults"), about("how many may be in at once")
    ] = None
    hours: Annotated[HoursDoc | None, GIVEN, about("when runs may take place")] = None
    freeze: Annotated[list[FreezeDoc], about("days on which nothing is run")] = field(
        default_factory=list
    )
    budget: Annotated[BudgetDoc | None, GIVEN, about("how much error budget must be left")] = None
    approvals: Annotated[ApprovalsDoc, about("approvals that a plan needs")] = field(
        default_factory=ApprovalsDoc
    )
    go: Annotated[bool | None, p.SWITCH, about("nothing is run without `--go`")] = None
    change_id: Annotated[bool | None, p.SWITCH, about("a change must be named")] = None
    apart: Annotated[
        bool | None, p.SWITCH, about("author, approver and operator are different people")
    ] = None
