"""A YAML document as a tree in which every key and every value knows its place.

Plain values: mappings with text keys, lists, and the scalars of the YAML 1.2 core schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from gameday.model.diagnostics import Diagnostic, Mark
from gameday.scenario.codes import problem

#: How to get to a value from the top: keys and list positions.
Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Line and column, both counted from 1, and how many characters it is long."""

    line: int = 1
    column: int = 1
    length: int = 1


TOP = Place()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Node:
    """One value: a scalar, a list of nodes, or a mapping of nodes with the places of its keys."""

    value: Any
    place: Place
    keys: Mapping[str, Place] = field(default_factory=dict)

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def child(self, step: str | int) -> Node | None:
        """The value at a key or a list position, None if there is none."""
        if isinstance(self.value, dict) and isinstance(step, str):
            found: Node | None = self.value.get(step)
            return found
        if isinstance(self.value, list) and isinstance(step, int) and step < len(self.value):
            item: Node = self.value[step]
            return item
        return None


def merged(base: Node, over: Node) -> Node:
    """*base* with *over* laid on top: mappings merge, anything else replaces, null takes away."""
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    value, keys = dict(base.value), dict(base.keys)
    for key, node in over.value.items():
        if node.value is None:
            value.pop(key, None)
            keys.pop(key, None)
            continue
        value[key] = merged(value[key], node) if key in value else node
        keys[key] = over.keys[key]
    return Node(value=value, place=base.place, keys=keys)


def without(node: Node, *names: str) -> Node:
    """A mapping node without some of its keys."""
    value = {key: child for key, child in node.value.items() if key not in names}
    return Node(value=value, place=node.place, keys=node.keys)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Marks:
    """The places of one document, and its lines for showing them."""

    file: str
    lines: Sequence[str] = ()
    root: Node | None = None

    def at(self, path: Iterable[str | int]) -> Mark:
        """Where the value at *path* stands; the nearest value around it if there is none."""
        return self._mark(self._walk(tuple(path))[0])

    def has(self, path: Iterable[str | int]) -> bool:
        """Whether there is a value at *path*."""
        node = self.root
        for step in path:
            node = node.child(step) if node is not None else None
        return node is not None

    def key(self, path: Iterable[str | int]) -> Mark:
        """Where the key of the last step of *path* stands; like `at` in a list."""
        return self._mark(self._walk(tuple(path))[1])

    def problem(
        self,
        code: str,
        path: Iterable[str | int],
        summary: str,
        hint: str = "",
        *,
        key: bool = False,
    ) -> Diagnostic:
        """A diagnostic at the value (or with *key* at the key) of *path*."""
        mark = self.key(path) if key else self.at(path)
        return problem(code, summary, hint, mark=mark, source_line=self.line(mark.line))

    def line(self, number: int) -> str:
        """The text of one line, counted from 1."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def _walk(self, path: Path) -> tuple[Place, Place]:
        """The place of the value and of its key."""
        node = self.root
        if node is None:
            return TOP, TOP
        value, key = node.place, node.place
        for step in path:
            below = node.child(step)
            if below is None:
                return value, key
            value = below.place
            key = node.keys.get(step, value) if isinstance(step, str) else value
            node = below
        return value, key

    def _mark(self, place: Place) -> Mark:
        return Mark(
            file=self.file, line=place.line, column=place.column, length=max(1, place.length)
        )
