"""Rules about who agreed: approvals, the change, people apart, `--go`, and the budget."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from gameday.model.plan import Plan
from gameday.model.units import format_ratio
from gameday.policy.values import Approval, Asked, Case, Refusal, in_force, is_person, names


def approvals(case: Case) -> Iterator[Refusal]:
    """As many different people as needed have approved exactly this."""
    wanted, asked = case.policy.approvals, case.asked
    if not wanted.needed or breaks_nothing(case.plan):
        return
    counted = accepted(case.plan, now=case.now, request=asked)
    if asked.beside_plan:
        yield Refusal(
            rule="policy.approvals",
            text=f"{names(asked.beside_plan)} changes what is run, and was not approved",
            hint="leave it out, or put it into the project file and have that approved",
        )
    people = {approval.approver.casefold() for approval in counted}
    held = [{a.approver.casefold() for a in counted if a.role == role} for role in wanted.roles]
    if len(people) >= wanted.needed and _one_each(held):
        return
    why = [*asked.unproven, *(w for a in asked.approvals if (w := _why_not(case, a)))]
    roles = f", one each as {names(wanted.roles)}" if wanted.roles else ""
    text = f"{len(people)} of {wanted.needed} approvals by different people{roles}"
    yield Refusal(
        rule="policy.approvals",
        text="; ".join([text, *why]),
        hint="ask for `gameday approve` with this environment, profile, seed and change",
    )


def breaks_nothing(plan: Plan) -> bool:
    """Whether it is a control run where that asks for no approval: not in production.

    There the load of it is put on real users too.
    """
    return plan.scenario.control is not None and plan.environment.kind != "production"


def change_id(case: Case) -> Iterator[Refusal]:
    """A change is named."""
    if case.policy.change_id and not (case.asked.change_id or "").strip():
        yield Refusal(
            rule="policy.change_id",
            text="no change is named",
            hint="name the one under which this is run, such as `--change CHG-123`",
        )


def apart(case: Case) -> Iterator[Refusal]:
    """Author, approver and operator are known, and different people."""
    if not case.policy.apart:
        return
    asked = case.asked
    counted = accepted(case.plan, now=case.now, request=asked)
    named = (asked.operator or "").strip()
    operator = named.casefold() if is_person(named) else ""
    authors = {a.strip().casefold() for a in (asked.author, *(c.author for c in counted)) if a}
    if not operator:
        yield Refusal(
            rule="policy.apart",
            text=f"`{named}` names no person" if named else "the operator is not known",
            hint="say who runs it, such as `--operator bo@example.org`, or set GAMEDAY_OPERATOR",
        )
    if not authors:
        yield Refusal(
            rule="policy.apart",
            text="the author of the scenario is not known",
            hint="commit the scenario, or have it approved with `--author`",
        )
    pairs = [("author", "operator", operator in authors)]
    approvers = {approval.approver.casefold() for approval in counted}
    pairs += [
        ("approver", "author", bool(approvers & authors)),
        ("approver", "operator", operator in approvers),
    ]
    for one, other, same in pairs:
        if same:
            yield Refusal(
                rule="policy.apart",
                text=f"the {one} is also the {other}",
                hint="author, approver and operator have to be different people",
            )


def go(case: Case) -> Iterator[Refusal]:
    """A dry run is the default."""
    if case.policy.go and not case.asked.go:
        yield Refusal(
            rule="policy.go",
            text=f"in the environment `{case.plan.environment.name}` nothing is run without `--go`",
            hint="look at the plan, then add `--go`",
        )


def budget(case: Case) -> Iterator[Refusal]:
    """Enough of the error budget is left; not to know is not enough."""
    source, left = case.policy.budget, case.asked.budget_left
    if source is None:
        return
    hint = f"at least {format_ratio(source.floor)} of it has to be left"
    if left is None:
        why = case.asked.budget_error or "it was not read"
        text = f"how much of the error budget is left is not known: {why}"
        yield Refusal(rule="policy.budget", text=text, hint=hint)
    elif not left >= source.floor:
        text = f"{format_ratio(left)} of the error budget is left"
        yield Refusal(rule="policy.budget", text=text, hint=hint)


def accepted(plan: Plan, *, now: datetime, request: Asked) -> tuple[Approval, ...]:
    """The approvals that are valid for this plan, at *now*, for this change."""
    case = Case(plan=plan, policy=in_force(plan.environment), now=now, asked=request)
    return tuple(a for a in request.approvals if not _why_not(case, a))


def _why_not(case: Case, approval: Approval) -> str:
    """Why it does not count; empty if it does."""
    plan, asked, now_ms = case.plan, case.asked, case.now.timestamp() * 1000
    found = ""
    if approval.plan_sha256 != asked.plan_sha256:
        found = (
            "is for another plan: the scenario, the project file, the profile or the seed differ"
        )
    elif approval.environment != plan.environment.name:
        found = f"is for the environment `{approval.environment}`"
    elif approval.scenario != plan.scenario.id:
        found = f"is for the scenario `{approval.scenario}`"
    elif approval.change_id != asked.change_id:
        found = (
            f"is for {_change(approval.change_id)}, and this run is for {_change(asked.change_id)}"
        )
    elif now_ms < approval.not_before_wall_ms:
        found = f"is valid only from {_utc(approval.not_before_wall_ms)}"
    elif now_ms >= approval.expires_wall_ms:
        found = f"expired at {_utc(approval.expires_wall_ms)}"
    return f"`{approval.file or approval.role}` {found}" if found else ""


def _one_each(held: list[set[str]], taken: frozenset[str] = frozenset()) -> bool:
    """Whether every role can be given to somebody else: nobody approves in two roles."""
    if not held:
        return True
    return any(_one_each(held[1:], taken | {name}) for name in held[0] - taken)


def _change(change_id: str | None) -> str:
    return f"the change `{change_id}`" if change_id else "no change"


def _utc(wall_ms: int) -> str:
    return datetime.fromtimestamp(wall_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
