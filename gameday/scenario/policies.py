"""From the document of a policy to its value, with what the kind of environment asks for."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.model.diagnostics import Diagnostic
from gameday.model.faults import FAMILIES, GENERIC
from gameday.model.policy import Approvals, BudgetSource, Freeze, Hours, Policy
from gameday.model.toxics import TOXICS
from gameday.scenario.fields_places import DAYS
from gameday.scenario.node import Marks, Path
from gameday.scenario.place_docs import EnvironmentDoc
from gameday.scenario.policy_docs import BudgetDoc, FreezeDoc, HoursDoc, PolicyDoc
from gameday.scenario.suggest import did_you_mean

#: Switches that cannot be off in production.
SWITCHES = ("go", "change_id", "apart")
_PRODUCTION = "production"


def policy_defaults(kind: str) -> Policy:
    """What holds in an environment of this kind whose policy says nothing.

    `local` and `ci`: no limits. `staging`: nothing without `--go`. `production`: that, a change id,
    people apart, and at least one approval; these four cannot be switched off there.
    """
    production = kind == _PRODUCTION
    return Policy(
        go=production or kind == "staging",
        change_id=production,
        apart=production,
        approvals=Approvals(needed=1 if production else 0),
    )


def fault_kinds() -> tuple[str, ...]:
    """The kinds of faults that a policy can name, without those that stand for a whole family."""
    actions = (
        family if family in GENERIC else f"{family}.{type_}"
        for family, kinds in FAMILIES.items()
        for type_ in kinds
    )
    return (*TOXICS, "down", *actions)


def policy_of(
    environment: EnvironmentDoc, kind: str, path: Path, marks: Marks
) -> tuple[Policy, list[Diagnostic]]:
    """The policy of an environment of this kind, and what is wrong with it."""
    doc, default = environment.policy, policy_defaults(kind)
    asked = doc.approvals
    policy = Policy(
        targets=None if doc.targets is None else tuple(doc.targets),
        faults=None if doc.faults is None else tuple(doc.faults),
        max_share=doc.max_share,
        max_duration_ms=doc.max_duration,
        max_faults=doc.max_faults,
        hours=_hours(doc.hours),
        freeze=tuple(Freeze(first=one.from_, last=one.to, why=one.why) for one in doc.freeze),
        budget=_budget(doc.budget),
        approvals=Approvals(
            needed=default.approvals.needed if asked.needed is None else asked.needed,
            signers=asked.signers,
            roles=tuple(asked.roles),
            folder=asked.folder,
        ),
        go=default.go if doc.go is None else doc.go,
        change_id=default.change_id if doc.change_id is None else doc.change_id,
        apart=default.apart if doc.apart is None else doc.apart,
    )
    found = [
        *_unknown_names(environment, path, marks),
        *_wrong_times(doc, path, marks),
        *_wrong_budget(environment, path, marks),
    ]
    if kind == _PRODUCTION:
        found.extend(_weaker(doc, path, marks))
        found.extend(_nobody(policy, path, marks))
    return policy, found


def _hours(doc: HoursDoc | None) -> Hours | None:
    if doc is None:
        return None
    days = {DAYS.index(day) if isinstance(day, str) else day for day in doc.days}
    return Hours(
        days=tuple(sorted(days)),
        from_minute=doc.from_,
        to_minute=doc.to,
        timezone=doc.timezone,
    )


def _budget(doc: BudgetDoc | None) -> BudgetSource | None:
    if doc is None:
        return None
    return BudgetSource(floor=doc.floor, query=doc.query, file=doc.file)


def _unknown_names(doc: EnvironmentDoc, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    for position, name in enumerate(doc.policy.targets or ()):
        if name not in doc.targets:
            yield marks.problem(
                "policy/target",
                (*path, "targets", position),
                f"there is no target `{name}` in this environment",
                did_you_mean(name, doc.targets),
            )
    known = fault_kinds()
    families = tuple(f"{family}.*" for family in FAMILIES if family not in GENERIC)
    for position, name in enumerate(doc.policy.faults or ()):
        if name not in (*known, *families):
            yield marks.problem(
                "policy/fault",
                (*path, "faults", position),
                f"`{name}` is not a kind of fault",
                did_you_mean(name, (*known, *families)),
            )


def _wrong_times(doc: PolicyDoc, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    if doc.hours is not None and doc.hours.from_ >= doc.hours.to:
        yield marks.problem(
            "policy/hours",
            (*path, "hours", "to"),
            "`to` is not later than `from`",
            "write hours of one day, such as `from: 09:00` and `to: 16:30`",
        )
    if doc.hours is not None and not doc.hours.days:
        yield marks.problem(
            "value/empty",
            (*path, "hours", "days"),
            "`days` has no day at all",
            "write for example `mon-fri`",
        )
    for position, freeze in enumerate(doc.freeze):
        yield from _wrong_freeze(freeze, (*path, "freeze", position), marks)


def _wrong_freeze(doc: FreezeDoc, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    if doc.from_ > doc.to:
        yield marks.problem(
            "policy/freeze",
            (*path, "to"),
            f"`{doc.to}` is before `{doc.from_}`",
            "write the last day, or the same day again",
        )


def _wrong_budget(doc: EnvironmentDoc, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    budget = doc.policy.budget
    if budget is None:
        return
    at = (*path, "budget")
    if (budget.query is None) == (budget.file is None):
        how = "both `query` and" if budget.query is not None else "neither `query` nor"
        yield marks.problem(
            "policy/budget",
            at,
            f"the budget has {how} `file`",
            "write the query, or the file, that gives the share that is left",
            key=True,
        )
    elif budget.query is not None and doc.alerts.prometheus is None:
        yield marks.problem(
            "policy/budget",
            (*at, "query"),
            "a `query` needs a Prometheus, and this environment has none",
            'add `alerts: {prometheus: {url: "http://…"}}`, or name a `file`',
        )


def _weaker(doc: PolicyDoc, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    for name in SWITCHES:
        if getattr(doc, name) is False:
            yield marks.problem(
                "policy/production",
                (*path, name),
                f"`{name}` cannot be switched off in production",
                "remove the key",
            )
    if doc.approvals.needed == 0:
        yield marks.problem(
            "policy/production",
            (*path, "approvals", "needed"),
            "`needed: 0` is not enough: production needs at least one approval",
            "write `needed: 1`, or more",
        )


def _nobody(policy: Policy, path: Path, marks: Marks) -> Iterator[Diagnostic]:
    if policy.approvals.signers is None:
        yield marks.problem(
            "policy/no-signers",
            (*path, "approvals"),
            "nobody can approve a run here: there is no `signers`",
            "add `policy: {approvals: {signers: allowed_signers}}`, "
            "a file for `ssh-keygen -Y verify`",
            key=True,
        )
