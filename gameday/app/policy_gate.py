"""What a policy needs from outside its plan, gathered; and its answer for one run."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gameday.adapters.authorship import author_of, configured_email
from gameday.app.stored import without_secrets
from gameday.errors import CannotSeeError
from gameday.model.plan import Plan
from gameday.model.scenario import LoadSpec, RequestStep
from gameday.policy import Approval, Asked, Refusal, in_force, refusals
from gameday.policy.people import accepted
from gameday.scenario.planfile import plan_sha256

OPERATOR_ENV = "GAMEDAY_OPERATOR"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRequest:
    """What the command line says. `beside_plan` names options given that the plan does not have.

    `service_version` is a fact about the place, of which no rule asks.
    """

    go: bool = False
    change_id: str | None = None
    operator: str | None = None
    service_version: str | None = None
    beside_plan: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The policy's answer. `opened` and `budget` are data for the journal, without any name.

    `opened` goes into `run.opened`: `change_id`, and `approvals` with the `role`, `at_wall_ms`,
    `expires_wall_ms`, `sha256` of the file and `plan_sha256` (the `approved_sha256`) of each that
    counted. `budget` is the data of `budget.read`, None where the policy names no source.
    """

    refusals: tuple[Refusal, ...]
    opened: dict[str, Any]
    budget: dict[str, Any] | None

    @property
    def lines(self) -> tuple[str, ...]:
        """Every refusal as a line for people."""
        return tuple(str(refusal) for refusal in self.refusals)


def approved_sha256(plan: Plan) -> str:
    """The hash that an approval is bound to: of the plan without secrets, wherever it lies.

    The seed, the profile, the environment with its policy and every step are part of it. The folder
    of the project and the path of the scenario are not: who approves and who runs it have checkouts
    of their own. Files that the load is made of (a locustfile, CSV data, uploads) are bound by
    their content, read here, since they are part of what is run; no secret is needed for that.
    So the hash is the same for a plan and for its `plan.json`, beside the same project.
    """
    stored = without_secrets(plan)
    load = _with_contents(stored.scenario.load, Path(plan.directory))
    scenario = replace(stored.scenario, file="", load=load)
    return plan_sha256(replace(stored, directory="", scenario=scenario))


def _with_contents(load: LoadSpec, directory: Path) -> LoadSpec:
    """The load with the hash of each file that it names beside its name."""

    def bound(name: str) -> str:
        return f"{name} sha256:{_content_sha256(directory / name)}"

    def sent(step: RequestStep) -> RequestStep:
        files = {name: replace(one, path=bound(one.path)) for name, one in step.files.items()}
        return replace(step, files=files)

    return replace(
        load.with_steps(sent),
        locustfile=None if load.locustfile is None else bound(load.locustfile),
        data={name: replace(one, csv=bound(one.csv)) for name, one in load.data.items()},
    )


def check_policy(plan: Plan, request: PolicyRequest, *, now: datetime | None = None) -> Gate:
    """Ask every rule of the plan's environment about this run. Touches nothing, raises nothing.

    Reads approvals, git and the source of the error budget; each is bounded in time.
    """
    now = now or datetime.now(UTC)
    sha256 = approved_sha256(plan)
    approvals, unproven = _approvals(plan, sha256)
    left, budget = _budget(plan)
    asked = Asked(
        plan_sha256=sha256,
        go=request.go,
        change_id=request.change_id,
        operator=_operator(plan, request),
        author=_author(plan),
        approvals=approvals,
        unproven=unproven,
        budget_left=left,
        budget_error=str(budget.get("error", "")) if budget else "",
        beside_plan=request.beside_plan,
    )
    counted = accepted(plan, now=now, request=asked)
    opened = {"change_id": request.change_id, "approvals": [_row(a) for a in counted]}
    return Gate(refusals=refusals(plan, now=now, request=asked), opened=opened, budget=budget)


def read_budget_again(plan: Plan, *, when: str) -> dict[str, Any] | None:
    """The data of `budget.read`, read now; None where the policy names no source. Never raises."""
    return _budget(plan, when=when)[1]


def signers_of(plan: Plan) -> Path | None:
    """The file of allowed signers, if the policy names one."""
    named = plan.environment.policy.approvals.signers
    return None if named is None else Path(plan.directory, named)


def approvals_folder(plan: Plan) -> Path:
    """Where approvals of the plan lie."""
    return Path(plan.directory, plan.environment.policy.approvals.folder)


def _row(approval: Approval) -> dict[str, Any]:
    return {
        "role": approval.role,
        "at_wall_ms": approval.not_before_wall_ms,
        "expires_wall_ms": approval.expires_wall_ms,
        "sha256": approval.sha256,
        "plan_sha256": approval.plan_sha256,
    }


def _content_sha256(path: Path) -> str:
    """Of a file; of one that cannot be read, a word: a run with it fails anyway."""
    try:
        if not path.is_file():
            return "missing"
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "unreadable"


def _approvals(plan: Plan, sha256: str) -> tuple[tuple[Approval, ...], tuple[str, ...]]:
    from gameday.adapters.approval import read_approvals

    if not in_force(plan.environment).approvals.needed:
        return (), ()
    signers = signers_of(plan)
    if signers is None:
        return (), ("the policy names no `signers`, the file of those who may approve",)
    if not signers.is_file():
        return (), (f"the file of allowed signers `{signers.name}` is missing",)
    proven, problems = read_approvals(approvals_folder(plan), sha256, signers=signers)
    if not proven and not problems:
        problems = (f"none is in `{approvals_folder(plan).name}` for the plan {sha256[:12]}",)
    return proven, problems


def _operator(plan: Plan, request: PolicyRequest) -> str | None:
    """Who runs it, as they say; nothing proves it."""
    if not in_force(plan.environment).apart:
        return request.operator
    said = request.operator or os.environ.get(OPERATOR_ENV)
    return said or configured_email(Path(plan.directory))


def _author(plan: Plan) -> str | None:
    if not in_force(plan.environment).apart:
        return None
    return author_of(Path(plan.scenario.file)) if plan.scenario.file else None


def _budget(plan: Plan, *, when: str = "start") -> tuple[float | None, dict[str, Any] | None]:
    from gameday.adapters.budget import read_budget

    source = plan.environment.policy.budget
    if source is None:
        return None, None
    data: dict[str, Any] = {"floor": source.floor, "when": when}
    url = plan.environment.alerting.prometheus_url
    try:
        left, where = read_budget(source, url, Path(plan.directory))
    except CannotSeeError as error:
        return None, {**data, "left": None, "error": str(error)}
    return left, {**data, "left": left, "source": where}
