"""Whether the upstreams answer to which a proxy that gameday starts would send the traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from gameday.adapters.listening import unheard
from gameday.adapters.toxiproxy.server import is_given
from gameday.errors import UsageError
from gameday.model.plan import Plan
from gameday.model.project import Target
from gameday.scenario.compile import opened_targets, proxied_targets


def own_proxy(plan: Plan, toxiproxy: str | None = None) -> bool:
    """Whether gameday starts the Toxiproxy of the run, here; not whether the run needs one.

    *toxiproxy* is the option of the command line. A server that is given may be in another network.
    """
    try:
        return not is_given(plan.environment.toxiproxy_url, toxiproxy)
    except UsageError:
        return False  # whoever chooses it says what is wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstreams:
    """What listens, as lines for people; and where nothing does: target -> what is wrong.

    With `certain` False something that the run starts itself may yet listen there.
    """

    there: tuple[str, ...] = ()
    silent: Mapping[str, str]
    certain: bool = True


def look_upstream(plan: Plan, toxiproxy: str | None = None) -> Upstreams:
    """Connect to the upstream of every proxied target of *plan*, all at the same time.

    Nothing is asked where the proxy is not ours, nor of what the run itself opens.
    """
    if not own_proxy(plan, toxiproxy):
        return Upstreams(silent={})
    targets = plan.environment.targets
    opened = [targets[name] for name in opened_targets(plan.scenario, plan.environment)]
    names = proxied_targets(plan.scenario, plan.environment)
    ours = _opened_by_the_run(opened)
    asked = {n: up for n in names if (up := targets[n].upstream) and _place(up) not in ours}
    found = unheard(asked.values())
    certain = not any(target.is_started for target in opened)
    hint, end = _hint(plan), "" if certain else ", unless the run itself starts it"
    return Upstreams(
        there=tuple(f"target {n}: `{up}` listens" for n, up in asked.items() if up not in found),
        silent={
            name: f"nothing listens at its upstream `{upstream}`: {found[upstream]}; "
            f"start it{hint}, or correct `upstream` of `{name}` in the project file{end}"
            for name, upstream in asked.items()
            if upstream in found
        },
        certain=certain,
    )


def _opened_by_the_run(opened: list[Target]) -> set[str]:
    """Where something listens only once the run has begun: proxies, and processes it starts."""
    started = [target for target in opened if target.is_started]
    urls = (urlsplit(target.url).netloc for target in started if target.url)
    places = (*(t.listen for t in opened), *(t.address for t in started), *urls)
    return {_place(p) for p in (*places, *(t.upstream for t in started)) if p}


def _place(address: str) -> str:
    """One name for an address on this machine."""
    host, _, port = address.rpartition(":")
    local = host.lower() in ("", "localhost", "[::1]", "0.0.0.0", "[::]")  # noqa: S104 - comparing
    return f"127.0.0.1:{port}" if local else address.lower()


def _hint(plan: Plan) -> str:
    """How the sample shop is started, where all of its parts are where it has them.

    Elsewhere and with a project file of its own: its parts have to reach each other through proxies
    from their start on.
    """
    from gameday.demo.topology import default_topology

    topology, targets = default_topology(), plan.environment.targets
    if any(
        name not in targets or targets[name].upstream != topology.direct(name)
        for name in topology.dependencies
    ):
        return ""
    return " (the sample shop: `gameday demo --serve`, which says what to run)"
