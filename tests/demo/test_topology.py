"""Ports, and the project file that names them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from gameday.demo.project import project_yaml
from gameday.demo.topology import NAMES, Topology, default_topology, free_topology

ROOT = Path(__file__).parents[2]


def test_default_ports_are_fixed() -> None:
    topology = default_topology()
    assert topology.dependencies == NAMES
    assert topology.via("shop") == "127.0.0.1:18801"
    assert topology.direct("payments") == "127.0.0.1:18705"
    assert topology.part("shop").kind == "balancer"


def test_free_ports_are_all_different_and_survive_json() -> None:
    topology = free_topology()
    ports = [p.port for p in topology.parts] + [p.via_port for p in topology.parts]
    assert len({*ports, topology.tls_port}) == 17
    assert Topology.from_json(json.loads(json.dumps(topology.to_json()))) == topology


def test_an_unknown_part_is_named_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match="no part `db`; there are shop, gateway-1"):
        default_topology().direct("db")


def test_the_project_file_in_the_repository_is_the_rendered_one() -> None:
    stored = (ROOT / "scenarios" / "gameday.yaml").read_text("utf-8")
    assert stored == project_yaml(default_topology(), toxiproxy_url=None)


def test_every_part_is_a_target_behind_its_own_proxy() -> None:
    topology = free_topology()
    text = project_yaml(
        topology,
        toxiproxy_url="http://127.0.0.1:1",
        prometheus_url="http://127.0.0.1:2",
        alertmanager_url="http://127.0.0.1:3",
        receiver="127.0.0.1:4",
        receiver_token="abc",
        runbooks="../runbooks",
    )
    data = yaml.safe_load(text)
    local = data["environments"]["local"]
    assert set(local["targets"]) == set(NAMES)
    for name, target in local["targets"].items():
        assert target["listen"] == topology.via(name)
        assert target["upstream"] == topology.direct(name)
    assert local["targets"]["shop"]["url"] == f"http://{topology.via('shop')}"
    assert local["toxiproxy"] == {"url": "http://127.0.0.1:1"}
    assert local["alerts"]["sources"] == ["prometheus", "alertmanager"]
    assert local["receiver"] == {"listen": "127.0.0.1:4", "token": "abc"}
    assert data["runbooks"] == ["../runbooks"]
    assert re.findall(r"runbook: (\S+)/", text) == ["../runbooks"] * len(data["alerts"])
