"""`approve`: look at what a run would do, and sign that it may."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gameday.adapters import approval as files
from gameday.adapters.authorship import author_of
from gameday.app.check import PlanRequest, make_plan
from gameday.app.policy_gate import approvals_folder, approved_sha256, signers_of
from gameday.app.stored import without_secrets
from gameday.errors import RefusedError, UsageError
from gameday.model.plan import Plan
from gameday.model.units import UnitError, duration_ms
from gameday.model.verdict import ExitCode
from gameday.policy import Approval, in_force
from gameday.policy.values import is_person

#: An approval is for a run that is about to be, not for a season.
LONGEST_MS = 30 * 86_400_000
_PLAN_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveRequest:
    """One approval that somebody wants to give. The path may be that of a stored plan (.json)."""

    scenario: PlanRequest
    role: str
    approver: str
    key: Path
    change_id: str | None = None
    author: str | None = None
    expires: str = "8h"
    yes: bool = False


def approve_command(request: ApproveRequest) -> int:
    """Show the plan, ask, sign, write; 0 if the approval is written."""
    valid_ms = _checked(request)
    plan = _plan(request.scenario)
    approval = _approval(request, plan, valid_ms)
    folder = _folder(plan)
    _show(plan, approval)
    if not request.yes:
        _ask()
    path = _sign(request, plan, approval, folder)
    sys.stdout.write(f"approved: {path}\ncommit it together with `{path.name}.sig`\n")
    return int(ExitCode.PASS)


def write_plan(request: PlanRequest, out: Path) -> int:
    """Store the plan, without secrets, as a file that can be approved."""
    from gameday.scenario.planfile import dump_plan

    plan = without_secrets(make_plan(request))
    try:
        out.write_text(dump_plan(plan) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"`{out}` cannot be written: {error.strerror}") from None
    sys.stdout.write(f"wrote {out}: plan {approved_sha256(plan)}\n")
    return int(ExitCode.PASS)


def _checked(request: ApproveRequest) -> int:
    """How long the approval is valid. Raises `UsageError` for what cannot stand in one."""
    if not files.ROLE.fullmatch(request.role):
        raise UsageError(
            f"`{request.role}` is no role: write lower-case letters, digits, `-`, such as `safety`"
        )
    for option, name in (("--as", request.approver), ("--author", request.author)):
        if name is not None and not is_person(name):
            raise UsageError(f"`{name}` names no person: write `{option} bo@example.org`")
    if request.change_id is not None and not files.CHANGE.fullmatch(request.change_id):
        raise UsageError(f"`{request.change_id}` is no change: write it like `--change CHG-123`")
    try:
        valid_ms = duration_ms(request.expires)
    except UnitError as error:
        raise UsageError(f"`--expires`: {error}") from None
    if not 0 < valid_ms <= LONGEST_MS:
        raise UsageError(f"`--expires {request.expires}`: an approval is valid for up to `30d`")
    return valid_ms


def _plan(request: PlanRequest) -> Plan:
    if request.path.suffix != ".json":
        return make_plan(request)
    from gameday.scenario.planfile import load_plan

    try:
        with request.path.open("rb") as file:
            text = file.read(_PLAN_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"`{request.path}` cannot be read: {why}") from None
    plan = load_plan(text)
    for option, asked, there in (
        ("--env", request.environment, plan.environment.name),
        ("--profile", request.profile, plan.scenario.profile),
        ("--seed", request.seed or None, plan.seed),
    ):
        if asked is not None and asked != there:
            raise UsageError(
                f"`{request.path}` is a plan with the `{option}` {there or 'none'}, not `{asked}`: "
                "leave the option out, or store another plan"
            )
    return plan


def _approval(request: ApproveRequest, plan: Plan, valid_ms: int) -> Approval:
    policy = in_force(plan.environment)
    roles = policy.approvals.roles
    if roles and request.role not in roles:
        raise UsageError(
            f"`{plan.environment.name}` needs approvals as "
            f"{', '.join(f'`{role}`' for role in roles)}, not as `{request.role}`"
        )
    if policy.change_id and request.change_id is None:
        raise UsageError(f"`{plan.environment.name}` needs a change: add `--change`")
    author = _author(request, plan)
    if policy.apart and author is None:
        raise UsageError(
            "who wrote the scenario is not known: it is not committed as it is here; "
            "commit it, or say who with `--author`"
        )
    if policy.apart and author and author.casefold() == request.approver.casefold():
        raise RefusedError(
            f"policy.apart: `{author}` wrote the scenario and cannot approve it; "
            "somebody else has to"
        )
    now_ms = time.time_ns() // 1_000_000
    return Approval(
        plan_sha256=approved_sha256(plan),
        scenario=plan.scenario.id,
        environment=plan.environment.name,
        role=request.role,
        approver=request.approver,
        author=author,
        change_id=request.change_id,
        not_before_wall_ms=now_ms,
        expires_wall_ms=now_ms + valid_ms,
    )


def _author(request: ApproveRequest, plan: Plan) -> str | None:
    """As git knows it, else as `--author` says. Raises `UsageError` where the two differ."""
    known = author_of(Path(plan.scenario.file)) if plan.scenario.file else None
    said = request.author
    if known and said and known.casefold() != said.casefold():
        raise UsageError(
            f"git says that `{known}` changed the scenario last, not `{said}`: leave `--author` out"
        )
    found = known or said
    return found if found is None or is_person(found) else None


def _folder(plan: Plan) -> Path:
    """Where it will be written: nothing outside the project is. Raises `UsageError`."""
    root, folder = Path(plan.directory), approvals_folder(plan)
    if not root.is_dir():
        raise UsageError(
            f"the project of this plan, `{root}`, is not here: approve the scenario file instead"
        )
    if not folder.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            f"the policy's folder of approvals, `{folder}`, is outside the project; "
            "name one inside it"
        )
    return folder


def _show(plan: Plan, approval: Approval) -> None:
    from gameday.app.planview import show_plan

    until = datetime.fromtimestamp(approval.expires_wall_ms / 1000, UTC)
    sys.stdout.write(
        f"{show_plan(plan)}\n"
        f"plan {approval.plan_sha256}\n"
        f"written by {approval.author or 'nobody knows'}; {approval.approver} approves it as "
        f"{approval.role} for {approval.change_id or 'no change'}, "
        f"until {until:%Y-%m-%d %H:%M} UTC\n"
    )
    sys.stdout.flush()


def _ask() -> None:
    """Ask for a plain yes. Raises `RefusedError` for everything else, also where nobody is."""
    if not sys.stdin.isatty():
        raise RefusedError("nobody can be asked here: look at the plan, then say `--yes`")
    sys.stdout.write("approve exactly this? [y/N] ")
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise RefusedError("not approved: nothing was written")


def _sign(request: ApproveRequest, plan: Plan, approval: Approval, folder: Path) -> Path:
    """Sign and write. Where signers are known, what no run would take is refused."""
    key = request.key.expanduser().absolute()
    signature = files.sign(files.approval_text(approval), key)
    signers = signers_of(plan)
    if signers is not None:
        files.prove(approval, signature, signers=signers)
    elif in_force(plan.environment).approvals.needed:
        sys.stderr.write(
            f"gameday: no run in `{plan.environment.name}` can take this yet: "
            "its policy names no `signers`\n"
        )
    return files.write_approval(folder, approval, signature)
