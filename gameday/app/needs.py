"""Whether what a scenario `needs` is there. Where it is not, the scenario is skipped."""

from __future__ import annotations

from collections.abc import Sequence

from gameday.errors import AdapterError
from gameday.model.needs import CONTAINERS, DOCKER, LIBFAKETIME
from gameday.model.plan import Plan
from gameday.model.project import Target

_WITHIN_S = 5.0


def missing_need(plan: Plan) -> str:
    """Why the scenario has to be skipped, in one line; empty where all that it needs is there.

    Absent is what certainly is not there. An engine that hangs, or answers with an error, is
    there: the run is tried, and says what is wrong. Changes nothing, and ends within seconds.
    """
    needs, environment = plan.scenario.needs, plan.environment
    faults = plan.scenario.faults if CONTAINERS in needs else ()
    broken = {f.target for f in faults if f.action and f.action.family == "container"}
    targets = [environment.targets[name] for name in sorted(broken)]
    return missing_on_host(needs, environment.docker.url, targets)


def missing_on_host(
    needs: Sequence[str], url: str | None = None, targets: Sequence[Target] = ()
) -> str:
    """The same of a Docker engine at *url* (the usual one unless given) and these containers."""
    why = _docker(url, targets) if DOCKER in needs or CONTAINERS in needs else ""
    return _libfaketime() if not why and LIBFAKETIME in needs else why


def _docker(url: str | None, targets: Sequence[Target]) -> str:
    from gameday.adapters.docker.engine import Engine
    from gameday.adapters.docker.errors import AbsentError
    from gameday.adapters.docker.resolve import absent

    try:
        with Engine(url, within_s=_WITHIN_S) as engine:
            engine.info()
            missing = [why for target in targets if (why := absent(engine, target))]
    except AbsentError as error:
        return f"it needs Docker: {error}"
    except AdapterError:
        return ""  # it is there, and in trouble
    return f"it needs its containers: {missing[0]}" if missing else ""


def _libfaketime() -> str:
    from gameday.adapters.host.faketime import LIBRARY, library

    if library() is not None:
        return ""
    return f"it needs {LIBRARY}, which is not installed (Debian: `apt-get install libfaketime`)"
