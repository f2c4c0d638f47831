"""Alerting rules and their runbooks: from rule files of Prometheus, or from a Prometheus itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from gameday.adapters.http import Http, shown
from gameday.adapters.prometheus_answers import rule_rows
from gameday.errors import UsageError
from gameday.model.runbook import AlertLink

MAX_BYTES = 8 * 1024 * 1024
#: Annotations that hold the link, the usual one first.
ANNOTATIONS = ("runbook_url", "runbook", "runbookURL", "runbook_uri")


def rules_in_file(path: Path, shown_as: str) -> tuple[AlertLink, ...]:
    """The alerting rules of a rule file (or a PrometheusRule), with the line of each.

    Raises `UsageError` when it is none.
    """
    try:
        with path.open("rb") as file:
            body = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"the rules `{shown_as}` cannot be read: {error.strerror}") from None
    if len(body) > MAX_BYTES:
        raise UsageError(f"the rules `{shown_as}` are larger than {MAX_BYTES} bytes")
    try:
        text = body.decode("utf-8-sig")
        nodes = [n for n in yaml.compose_all(text, Loader=yaml.SafeLoader) if n is not None]
    except (yaml.YAMLError, ValueError, RecursionError):
        raise UsageError(f"the rules `{shown_as}` are not YAML") from None
    groups = [group for node in nodes for group in _groups(node)]
    if not groups:
        raise UsageError(f"`{shown_as}` has no `groups` of rules; it should be a rule file")
    return tuple(link for group in groups for link in _of_group(group, shown_as))


def rules_of_server(url: str) -> tuple[AlertLink, ...]:
    """The alerting rules that a Prometheus has loaded. Raises CannotSeeError."""
    with Http(url, what="Prometheus") as http:
        rows = rule_rows(http.get_json("/api/v1/rules", {"type": "alert"})[0])
    return tuple(
        AlertLink(name=row["name"], runbook=_runbook(row["annotations"]), file=shown(url))
        for row in rows
    )


def _groups(node: Any) -> Iterator[yaml.MappingNode]:
    spec = _child(node, "spec")
    found = _child(spec if spec is not None else node, "groups")
    for group in found.value if isinstance(found, yaml.SequenceNode) else ():
        if isinstance(group, yaml.MappingNode):
            yield group


def _of_group(group: yaml.MappingNode, file: str) -> Iterator[AlertLink]:
    rules = _child(group, "rules")
    for rule in rules.value if isinstance(rules, yaml.SequenceNode) else ():
        name = _child(rule, "alert")
        if not isinstance(name, yaml.ScalarNode):
            continue
        texts = {}
        annotations = _child(rule, "annotations")
        for key, value in annotations.value if isinstance(annotations, yaml.MappingNode) else ():
            if isinstance(value, yaml.ScalarNode):
                texts[str(key.value)] = value.value
        yield AlertLink(
            name=name.value,
            runbook=_runbook(texts),
            file=file,
            line=name.start_mark.line + 1,
        )


def _child(node: Any, name: str) -> Any:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if key.value == name), None)


def _runbook(annotations: dict[str, str]) -> str:
    return next((annotations[a].strip() for a in ANNOTATIONS if annotations.get(a)), "")
