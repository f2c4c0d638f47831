"""A source of a preset against a fake: made as a project file makes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from alert_fakes import Events

from gameday.adapters.sources.source import HttpJsonSource
from gameday.model.diagnostics import has_errors
from gameday.model.sources import SourceSpec
from gameday.scenario.api import check
from gameday.scenario.build import read_project
from gameday.scenario.render import render


def spec_of(name: str, source: Mapping[str, Any]) -> SourceSpec:
    """The source as the project reader understands it; fails with its diagnostics."""
    project = {
        "gameday": 1,
        "environments": {
            "local": {
                "targets": {"front": {"url": "http://127.0.0.1:8000"}},
                "alerts": {"http_json": {name: dict(source)}},
            }
        },
    }
    return read_spec(yaml.safe_dump(project, sort_keys=False))


def read_spec(text: str) -> SourceSpec:
    """The first source over HTTP of the first environment of a project file."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "gameday.yaml"
        path.write_text(text)
        found = check([path])
        assert not has_errors(found.diagnostics), render(found.diagnostics)
        project, _, _ = read_project(path)
    assert project is not None
    environment = next(iter(project.environments.values()))
    return environment.alerting.http_json[0]


def watching(spec: SourceSpec, **more: Any) -> tuple[HttpJsonSource, Events]:
    """The source, polling."""
    events = Events()
    source = HttpJsonSource(spec, **more)
    source.start(events)
    return source, events
