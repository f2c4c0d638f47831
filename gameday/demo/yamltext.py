"""YAML as people write it. The only module of the shop that knows `yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml


def dump(data: Mapping[str, Any], *, flow: bool = False) -> str:
    """*data* as YAML, keys in order; with *flow*, innermost mappings on one line."""
    style = None if flow else False
    text: str = yaml.safe_dump(dict(data), sort_keys=False, width=200, default_flow_style=style)
    return text
