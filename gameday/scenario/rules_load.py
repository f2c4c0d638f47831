"""Rules about who makes the load: processes of this host, or workers on others."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.model.diagnostics import Diagnostic
from gameday.scenario.scope import Rule, Scope, rule


def workers_alone(scope: Scope) -> Iterator[Diagnostic]:
    """Workers on other hosts make the whole load, and each has something to do."""
    load, path = scope.scenario.load, ("load", "workers")
    if load.workers and load.processes != 1:
        yield scope.marks.problem(
            "load/workers",
            path,
            "`workers` on other hosts, and `processes` on this one",
            "remove one of them; start several workers on a host to use its cores",
            key=True,
        )
    if load.users is not None and load.workers > load.users:
        yield scope.marks.problem(
            "load/workers",
            path,
            f"{load.workers} workers for {load.users} users: some would have none",
            f"write at most {load.users}",
        )


def workers_know_a_token(scope: Scope) -> Iterator[Diagnostic]:
    """Whoever comes as a worker has to know something, so the environment has to say what."""
    environment = scope.environment
    if not scope.scenario.load.workers or environment is None:
        return
    if environment.load.token is None:
        yield scope.marks.problem(
            "load/workers",
            ("load", "workers"),
            f"the environment `{environment.name}` has no token that workers could show",
            "add `load: {token: {env: GAMEDAY_LOAD_TOKEN}}` to it",
        )


RULES: tuple[Rule, ...] = (
    rule(workers_alone, "load/workers", needs=("load",)),
    rule(workers_know_a_token, "load/workers", needs=("load",), linked=True),
)
