"""What stress-ng is told, where its workers have to be, and what is done when they are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from gameday.adapters.docker.actions import Mark
from gameday.adapters.docker.actions.stress import (
    LONGEST_S,
    STRESS,
    group_of,
    inside,
    words_of,
    workers_of,
)
from gameday.adapters.docker.engine import Answer, Engine, Found
from gameday.errors import NoEffectError

BOX = "b" * 64
GROUPS = f"4:memory:/docker/{BOX}\n2:cpuacct,cpu:/docker/{BOX}\n1:name=systemd:/elsewhere\n0::/\n"
FOUND = Found(id=BOX, name="box", attrs={"State": {"Running": True}, "HostConfig": {}})


class FakeEngine:
    """Answers as an engine whose helpers say *said*."""

    url = "unix:///nowhere"
    helper_image = "helper:1"

    def __init__(self, said: str = "", info: Mapping[str, Any] | None = None) -> None:
        self.said, self.removed = said, list[str]()
        self._info = info or {"CgroupVersion": "1", "CgroupDriver": "cgroupfs"}

    def info(self) -> Mapping[str, Any]:
        return self._info

    def has_image(self, name: str) -> bool:
        return name == self.helper_image

    def create(self, name: str | None, config: Mapping[str, Any]) -> str:
        del name, config
        return "made"

    def start(self, container: str) -> None:
        del container

    def left_s(self, at_most_s: float) -> float:
        return at_most_s

    def exec(self, container: str, command: Sequence[str]) -> Answer:
        del container, command
        return Answer(code=0, output=self.said)

    def remove(self, container: str) -> bool:
        self.removed.append(container)
        return True


def test_options_become_words_and_an_end() -> None:
    words = words_of({"cpu": 2, "memory": 50_000_000, "io": 1})

    assert words[:3] == ["stress-ng", "--timeout", f"{LONGEST_S}s"]
    assert " ".join(words).endswith("--cpu 2 --vm 1 --vm-bytes 50000000b --vm-keep --io 1")
    assert "--vm" not in words_of({"cpu": 1, "memory": None, "io": None})
    with pytest.raises(ValueError, match="needs"):
        words_of({"cpu": None})


def test_every_kind_of_worker_is_waited_for() -> None:
    asked = {"cpu": 2, "memory": 50_000_000, "io": 3}

    assert workers_of(asked) == {"stress-ng-cpu": 2, "stress-ng-vm": 1, "stress-ng-io": 3}
    assert workers_of({"cpu": None, "memory": None, "io": 1}) == {"stress-ng-io": 1}


def test_the_group_is_one_for_processor_and_memory_or_unknown() -> None:
    assert group_of(GROUPS) == f"/docker/{BOX}"
    assert group_of(f"4:memory:/other\n1:cpu:/docker/{BOX}\n") is None
    assert group_of("0::/docker\n") is None
    assert group_of("") is None


def test_only_the_very_group_counts() -> None:
    group = f"/docker/{BOX}/made"

    assert inside(f"4:memory:{group} 1:cpu,cpuacct:{group} 0::/", group)
    assert not inside(f"4:memory:{group} 1:cpu:/docker/other", group)
    assert not inside(f"4:memory:{group}x 1:cpu:{group}x", group)
    assert not inside("0::/", group)


@pytest.mark.parametrize(
    ("info", "why"),
    [
        ({"CgroupVersion": "2", "CgroupDriver": "systemd"}, "version 2"),
        ({"CgroupVersion": "1", "CgroupDriver": "systemd"}, "driver `systemd`"),
    ],
)
def test_other_control_groups_are_refused_with_what_can_be_done_instead(
    info: Mapping[str, Any], why: str
) -> None:
    engine = cast("Engine", FakeEngine(info=info))

    with pytest.raises(NoEffectError, match=f"{why}.*`cpu` or `memory`"):
        STRESS.look(engine, FOUND, {"cpu": 1})


def listed(group: str, *more: str) -> str:
    return "".join(f"{line}\n" for line in (f"self 4:memory:{group} 1:cpu:{group}", *more))


BEFORE = {"group": f"/docker/{BOX}", "words": ["stress-ng"]}


def test_workers_that_went_elsewhere_are_ended_at_once() -> None:
    fake = FakeEngine(listed("/x/made", "stress-ng-cpu 4:memory:/x/made 1:cpu:/x/made"))

    with pytest.raises(NoEffectError, match="another one"):
        STRESS.inject(cast("Engine", fake), FOUND, {"cpu": 1}, BEFORE, Mark(run="r", fault="f"))

    assert fake.removed == ["made"]


def test_workers_that_the_container_had_before_are_not_taken_for_ours() -> None:
    own, theirs = f"/docker/{BOX}/made", f"/docker/{BOX}"
    fake = FakeEngine(
        listed(
            own,
            f"stress-ng-cpu 4:memory:{theirs} 1:cpu:{theirs}",
            f"stress-ng-cpu 4:memory:{own} 1:cpu:{own}",
        )
    )

    facts = STRESS.inject(cast("Engine", fake), FOUND, {"cpu": 1}, BEFORE, Mark(run="r", fault="f"))

    assert facts["workers"] == {"stress-ng-cpu": 1}
    assert fake.removed == []
