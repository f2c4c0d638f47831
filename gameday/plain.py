"""Values as plain JSON data, and as data that may be shown: with the secrets masked.

What a decision or a revert is made from is never masked: a password may well be the name of a
container too, and an undo record that says `***` in its place finds nothing to undo.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from gameday.secrets import masked

_DEPTH_MAX = 60
#: Keys that are names of fields, ours or of somebody's API; anything else may hold what was sent.
_FIELD_NAME = re.compile("[a-z][a-z0-9_]*")
#: A short secret can be part of a digest by accident, and a masked digest fits nothing any more.
_DIGEST = re.compile("(sha256:)?[0-9a-f]{32,128}")


def canonical(value: object) -> str:
    """Canonical JSON: sorted keys, no spaces, characters as they are."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def plain(value: object) -> Any:
    """*value* as plain JSON data. What JSON does not know (nan, an exception) becomes text."""
    return _plain(value, _same, 0)


def public(value: object) -> Any:
    """*value* as plain JSON data in which every known secret is masked."""
    return _plain(value, _shown, 0)


def _plain(value: object, text: Callable[[str], str], depth: int) -> Any:
    if value is None or isinstance(value, bool) or type(value) is int:
        return value
    if isinstance(value, Enum):
        return _plain(value.value, text, depth)
    if isinstance(value, str):
        return text(value.encode("utf-8", "backslashreplace").decode("utf-8"))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if depth < _DEPTH_MAX:
        if isinstance(value, Mapping):
            return {_key(str(k), text): _plain(v, text, depth + 1) for k, v in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [_plain(v, text, depth + 1) for v in value]
    return _plain(repr(value) if isinstance(value, BaseException) else str(value), text, depth)


def _key(key: str, text: Callable[[str], str]) -> str:
    return key if _FIELD_NAME.fullmatch(key) else str(_plain(key, text, 0))


def _same(text: str) -> str:
    return text


def _shown(text: str) -> str:
    return masked(text, whole=_DIGEST.fullmatch(text) is not None)
