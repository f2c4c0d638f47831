"""Rules about runbooks that are to be proven in a run."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.model.diagnostics import Diagnostic
from gameday.scenario.scope import Scope, rule
from gameday.scenario.suggest import did_you_mean


def proven_locally(scope: Scope) -> Iterator[Diagnostic]:
    """Only files of the project are run, never what a link leads to."""
    for position, runbook in enumerate(scope.scenario.expect.runbooks):
        if runbook.prove and runbook.path.startswith(("http://", "https://")):
            yield scope.marks.problem(
                "runbook/not-local",
                ("expect", "runbooks", position, "path"),
                f"`{runbook.path}` is a link, and steps are only run from files of the project",
                "write the path of a file, or remove `prove`",
            )


def proven_against(scope: Scope) -> Iterator[Diagnostic]:
    """A runbook is proven against one fault, and all of a scenario against the same."""
    faults = [fault.id for fault in scope.scenario.faults]
    chosen = ""
    for position, runbook in enumerate(scope.scenario.expect.runbooks):
        if not runbook.prove:
            continue
        path = ("expect", "runbooks", position)
        if not faults:
            yield scope.marks.problem(
                "runbook/fault",
                (*path, "prove"),
                "there is no fault that this runbook could mitigate",
                "add one under `faults`, or remove `prove`",
            )
            continue
        fault = runbook.fault or faults[0]
        chosen = chosen or fault
        if fault not in faults:
            yield scope.marks.problem(
                "runbook/fault",
                (*path, "fault"),
                f"there is no fault `{fault}`",
                did_you_mean(fault, faults),
            )
        elif fault != chosen:
            yield scope.marks.problem(
                "runbook/fault",
                (*path, "fault"),
                f"this runbook is for `{fault}`, and the one before for `{chosen}`",
                "prove runbooks for different faults in scenarios of their own",
            )


RULES = (
    rule(proven_locally, "runbook/not-local", needs=("expect.runbooks",)),
    rule(proven_against, "runbook/fault", needs=("expect.runbooks", "faults")),
)
