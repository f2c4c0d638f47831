"""What `gameday demo` writes works also where no environment is active."""

from __future__ import annotations

import subprocess
import sys

import yaml

from gameday.app.demo import with_own_python
from gameday.app.library import scenario_folder
from gameday.demo.project import project_yaml
from gameday.demo.topology import default_topology


def commands_of(value: object) -> list[list[str]]:
    """Every list of words that calls the shop's own commands."""
    if isinstance(value, dict):
        return [found for one in value.values() for found in commands_of(one)]
    if isinstance(value, list):
        if len(value) > 2 and value[1] == "-m":
            return [value]
        return [found for one in value for found in commands_of(one)]
    return []


def written() -> list[object]:
    files = [f for f in scenario_folder().rglob("*.yaml") if f.name != "gameday.yaml"]
    texts = [project_yaml(default_topology(), toxiproxy_url=None)]
    texts += [file.read_text("utf-8") for file in files]
    return [yaml.safe_load(with_own_python(text)) for text in texts]


def test_every_command_of_the_shop_finds_gameday_without_an_active_environment() -> None:
    commands = [command for one in written() for command in commands_of(one)]

    assert len(commands) > 10
    assert {command[0] for command in commands} == {sys.executable}
    subprocess.run(
        [commands[0][0], "-c", "import gameday.demo"], env={"PATH": "/usr/bin:/bin"}, check=True
    )


def test_the_environment_permits_the_interpreter_that_its_commands_name() -> None:
    environment = written()[0]["environments"]["local"]  # type: ignore[index]

    assert environment["commands"] == [sys.executable]
