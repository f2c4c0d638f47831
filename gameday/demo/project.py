"""The shop's project file: where each part is, what is promised, which alerts exist."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from gameday.demo.engine import IMAGE
from gameday.demo.topology import BOXES, CLOCKED, HOST, Topology, container_name
from gameday.demo.yamltext import dump

_PROBES = {
    "shop": "http:/products",
    **dict.fromkeys(("gateway-1", "gateway-2", "gateway-3"), "http:/healthz"),
    "payments": "http:/healthz",
    "inventory": "http:/healthz",
    "postgres": "postgres",
    "redis": "redis",
}
#: Where the shop keeps its state, from the folder of the project file.
STATE = ".shop"
#: An interpreter that has gameday: the one on PATH, in an environment that is active.
PYTHON = "python3"
#: Parts that a scenario may stop or kill: they can be started again while the others go on.
ENDABLE = ("gateway-1", "gateway-2", "gateway-3", "payments", "inventory", "postgres")
_HEAD = """\
# The sample shop: where its parts are, what it promises, which alerts watch it.
# Load goes to the proxy of `shop`; every part reaches every other through a proxy.
"""


def project_yaml(
    topology: Topology,
    *,
    toxiproxy_url: str | None,
    prometheus_url: str | None = None,
    alertmanager_url: str | None = None,
    receiver: str = "127.0.0.1:0",
    receiver_token: str | None = None,
    runbooks: str = "runbooks",
) -> str:
    """The text of a `gameday.yaml` with one environment, `local`.

    Without *toxiproxy_url* gameday brings the proxy server itself, without *prometheus_url* it
    evaluates the alerts below itself. *receiver* is where our webhook receiver listens, with
    *receiver_token* in its address if somebody else must know that; *runbooks* is the folder of
    the runbooks, relative to the file.
    """
    environment: dict[str, Any] = {
        "targets": {name: _target(topology, name) for name in topology.dependencies},
        "commands": [PYTHON],
        "docker": {"helper_image": IMAGE},
    }
    if toxiproxy_url:
        environment["toxiproxy"] = {"url": toxiproxy_url}
    alerts: dict[str, Any] = {}
    if prometheus_url:
        alerts["prometheus"] = {"url": prometheus_url}
    if alertmanager_url:
        alerts["alertmanager"] = {"url": alertmanager_url}
    if alerts:
        environment["alerts"] = {"sources": list(alerts), **alerts}
    token = {"token": receiver_token} if receiver_token else {}
    environment["receiver"] = {"listen": receiver, **token}
    head = {"gameday": 1, "environments": {"local": environment}}
    services = files("gameday.demo").joinpath("files", "services.yml").read_text("utf-8")
    tail = services.replace("runbooks/", f"{runbooks}/").replace("[runbooks]", f"[{runbooks}]")
    return f"{_HEAD}{dump(head, flow=True)}\n{tail}"


def _target(topology: Topology, name: str) -> dict[str, Any]:
    place: dict[str, Any] = {
        "proxy": name,
        "listen": topology.via(name),
        "upstream": topology.direct(name),
        "probe": _PROBES[name],
    }
    if name in ENDABLE:
        restart = [PYTHON, "-m", "gameday.demo", "restart", name, "--state", STATE]
        place["process"] = {"pidfile": f"{STATE}/run/{name}.pid", "restart": restart}
    if name == CLOCKED:
        place["process"]["clock_file"] = f"{STATE}/run/{name}.faketime"
    if name in BOXES:
        place["container"] = container_name(topology, name)
    if name == "shop":
        return {"url": f"http://{topology.via(name)}", **place, "certificate": _tls(topology)}
    return place


def _tls(topology: Topology) -> dict[str, Any]:
    """The TLS endpoint of the edge, and the authority with which it may be given another one."""
    folder = f"{STATE}/tls"
    return {
        "cert": f"{folder}/shop.pem",
        "key": f"{folder}/shop.key",
        "ca": f"{folder}/ca.pem",
        "ca_key": f"{folder}/ca.key",
        "endpoint": f"{HOST}:{topology.tls_port}",
        "pidfile": f"{STATE}/run/shop.pid",
    }
