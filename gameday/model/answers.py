"""What a service is asked once the load has stopped: the things that speed cannot show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from json import dumps
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerExpectation:
    """A question that is asked when the load has stopped: GET `path` of `target`.

    `json` are JMESPath expressions on the JSON of the answer, each with the value that it must
    give. It is asked again until the answer is right, at most for `within_ms`.
    """

    name: str
    target: str
    path: str
    json: Mapping[str, Any]
    within_ms: int

    @property
    def wanted(self) -> str:
        """What must be so, in one line: `lost is 0, duplicate is 0`."""
        return ", ".join(f"{what} is {dumps(value)}" for what, value in self.json.items())
