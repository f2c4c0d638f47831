"""Reading PromQL: enough of the language to see what a rule counts, over which windows.

Prometheus writes its rules in one canonical form, and that is what is read here. What a tree means
for a fault is decided in `gameday.kpi.foresee`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from gameday.kpi.durations import prometheus_ms


class PromqlError(ValueError):
    """An expression that cannot be read; the message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A literal number."""

    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A literal string."""

    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Series: a metric and matchers `(label, op, value)`, over `range_ms` if that is given."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...] = ()
    range_ms: int | None = None
    shifted: bool = False  # has an `offset` or an `@`

    def value_of(self, label: str) -> str | None:
        """What *label* must equal, if it must equal something."""
        return next((v for name, op, v in self.matchers if name == label and op == "="), None)

    @property
    def text(self) -> str:
        """It in PromQL, without its range."""
        inner = ", ".join(f"{_label(name)}{op}{_quoted(v)}" for name, op, v in self.matchers)
        return f"{self.metric}{{{inner}}}" if inner else self.metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function."""

    name: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """An aggregation over series, such as `sum by (service) (…)`."""

    op: str
    expr: Node
    param: Node | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """Two sides and an operator. `as_bool`: a comparison that gives 0 or 1."""

    op: str
    left: Node
    right: Node
    as_bool: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Subquery:
    """An expression evaluated over a range."""

    expr: Node
    range_ms: int


Node: TypeAlias = Number | Text | Selector | Call | Aggregate | Binary | Subquery

_TOKEN = re.compile(
    r"""\s*(?:\#[^\n]*\n\s*)*(?:
    (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)
  | (?P<duration>(?:\d+(?:ms|[smhdwy]))+(?![\w.]))
  | (?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
  | (?P<op>=~|!~|==|!=|>=|<=|[-+*/%^(){}\[\],=<>@:])
  )""",
    re.VERBOSE,
)
_LEVEL = {
    "or": 1, "and": 2, "unless": 2,
    "==": 3, "!=": 3, "<": 3, ">": 3, "<=": 3, ">=": 3,
    "+": 4, "-": 4, "*": 5, "/": 5, "%": 5, "atan2": 5, "^": 6,
}  # fmt: skip
_UNARY_LEVEL = 6
_AGGREGATES = frozenset(
    {
        "sum", "avg", "min", "max", "count", "stddev", "stdvar", "group",
        "topk", "bottomk", "quantile", "count_values", "limitk", "limit_ratio",
    }
)  # fmt: skip
_ESCAPES = {"n": "\n", "t": "\t"}
_COMMENT = re.compile(r"#[^\n]*")
#: Names that need no quotes.
_PLAIN_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
#: Deeper than any rule is written; a text that goes deeper is no rule.
_DEEPEST = 100


def parse(text: str) -> Node:
    """The tree of an expression. Raises `PromqlError`."""
    reader = _Reader(text)
    try:
        node = reader.expression(0)
    except RecursionError:
        raise PromqlError("it is nested too deeply") from None
    if reader.kind != "end":
        raise PromqlError(f"`{reader.word}` was not expected")
    return node


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def children(node: Node) -> tuple[Node, ...]:
    """What is directly below a node."""
    match node:
        case Call():
            return node.args
        case Aggregate():
            return (node.expr,) if node.param is None else (node.param, node.expr)
        case Binary():
            return (node.left, node.right)
        case Subquery():
            return (node.expr,)
        case _:
            return ()


def selectors(expr: Node) -> tuple[Selector, ...]:
    """The series that an expression reads, each once."""
    return tuple(dict.fromkeys(n for n in walk(expr) if isinstance(n, Selector)))


def longest_range_ms(node: Node) -> int:
    """The longest range that the expression looks back over; 0 if none."""
    ranges = [n.range_ms or 0 for n in walk(node) if isinstance(n, Selector | Subquery)]
    return max(ranges, default=0)


class _Reader:
    """One pass over the text, one token ahead."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth = text, 0, 0
        self.kind, self.word = "", ""
        self._next()

    def _next(self) -> str:
        """The word that was read; the one after it becomes the current one."""
        word = self.word
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            rest = _COMMENT.sub("", self._text[self._at :]).strip()
            if rest:
                raise PromqlError(f"`{rest[:20]}` cannot be read")
            self.kind, self.word = "end", "the end"
            return word
        self._at = found.end()
        self.kind = found.lastgroup or ""
        self.word = found[self.kind]
        return word

    def _is(self, *words: str) -> bool:
        return self.kind in ("op", "name") and self.word in words

    def _take(self, word: str) -> None:
        if not self._is(word):
            raise PromqlError(f"`{word}` was expected where `{self.word}` is")
        self._next()

    def expression(self, level: int) -> Node:
        """Everything that binds more tightly than *level*."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise PromqlError("it is nested too deeply")
        left = self._unary()
        while self.kind in ("op", "name") and _LEVEL.get(self.word.lower(), 0) > level:
            op = self._next().lower()
            as_bool = self._modifiers()
            right = self.expression(_LEVEL[op] - (op == "^"))
            left = Binary(op=op, left=left, right=right, as_bool=as_bool)
        self._depth -= 1
        return left

    def _modifiers(self) -> bool:
        """`bool`, and how series are matched, which does not matter for one of each."""
        as_bool = self._is("bool")
        if as_bool:
            self._next()
        for words in (("on", "ignoring"), ("group_left", "group_right")):
            if self._is(*words):
                self._next()
                if self._is("("):
                    self._labels()
        return as_bool

    def _labels(self) -> None:
        self._take("(")
        while not self._is(")"):
            if self.kind == "end":
                raise PromqlError("a list of labels does not end")
            self._next()
        self._take(")")

    def _unary(self) -> Node:
        if self._is("-", "+"):
            sign = -1.0 if self._next() == "-" else 1.0
            inner = self.expression(_UNARY_LEVEL - 1)
            if isinstance(inner, Number):
                return Number(value=sign * inner.value)
            return Binary(op="*", left=Number(value=sign), right=inner)
        return self._suffixes(self._primary())

    def _primary(self) -> Node:
        if self._is("("):
            self._next()
            inner = self.expression(0)
            self._take(")")
            return inner
        if self.kind == "number":
            word = self._next()
            return Number(value=float(int(word, 16)) if word[:2].lower() == "0x" else float(word))
        if self.kind == "text":
            return Text(value=_unquoted(self._next()))
        if self._is("{"):
            return self._selector("")
        if self.kind == "name":
            return self._named(self._next())
        raise PromqlError(f"`{self.word}` was not expected")

    def _named(self, name: str) -> Node:
        lower = name.lower()
        if lower in ("inf", "nan") and not self._is("{"):
            return Number(value=float(lower))
        if lower in _AGGREGATES and self._is("(", "by", "without"):
            return self._aggregate(lower)
        if self._is("("):
            return Call(name=lower, args=self._arguments())
        return self._selector(name)

    def _arguments(self) -> tuple[Node, ...]:
        self._take("(")
        found: list[Node] = []
        while not self._is(")"):
            found.append(self.expression(0))
            if not self._is(")"):
                self._take(",")
        self._take(")")
        return tuple(found)

    def _aggregate(self, op: str) -> Node:
        self._grouping()
        args = self._arguments()
        self._grouping()
        if not 1 <= len(args) <= 2:
            raise PromqlError(f"`{op}` takes one expression")
        return Aggregate(op=op, expr=args[-1], param=args[0] if len(args) == 2 else None)

    def _grouping(self) -> None:
        if self._is("by", "without"):
            self._next()
            self._labels()

    def _selector(self, metric: str) -> Node:
        matchers: list[tuple[str, str, str]] = []
        if self._is("{"):
            self._next()
            while not self._is("}"):
                matchers.append(self._matcher())
                if not self._is("}"):
                    self._take(",")
            self._take("}")
        named = next((m for m in matchers if m[:2] == ("__name__", "=")), None)
        if named is not None and not metric and _PLAIN_NAME.fullmatch(named[2]):
            metric = named[2]
            matchers.remove(named)
        return Selector(metric=metric, matchers=tuple(matchers))

    def _matcher(self) -> tuple[str, str, str]:
        quoted = self.kind == "text"
        label = _unquoted(self._next()) if quoted else self._next()
        if quoted and self._is(",", "}"):  # the metric, in quotes because of what is in its name
            return ("__name__", "=", label)
        op = self._next()
        if op not in ("=", "!=", "=~", "!~") or self.kind != "text":
            raise PromqlError(f"the matcher of `{label}` cannot be read")
        return (label, op, _unquoted(self._next()))

    def _suffixes(self, node: Node) -> Node:
        while True:
            if self._is("["):
                node = self._ranged(node)
            elif self._is("offset", "@"):
                node = self._moved(node)
            else:
                return node

    def _ranged(self, node: Node) -> Node:
        self._take("[")
        range_ms = self._duration()
        if self.word.startswith(":"):  # its step; a name may begin with a colon too
            while not self._is("]") and self.kind != "end":
                self._next()
            self._take("]")
            return Subquery(expr=node, range_ms=range_ms)
        self._take("]")
        if not isinstance(node, Selector):
            raise PromqlError("a range stands behind something that is no series")
        return Selector(
            metric=node.metric, matchers=node.matchers, range_ms=range_ms, shifted=node.shifted
        )

    def _moved(self, node: Node) -> Node:
        if self._next() == "offset":
            if self._is("-"):
                self._next()
            self._duration()
        else:
            self._next()
            if self._is("("):
                self._arguments()
        if isinstance(node, Selector):
            return Selector(
                metric=node.metric, matchers=node.matchers, range_ms=node.range_ms, shifted=True
            )
        return node

    def _duration(self) -> int:
        if self.kind == "number":  # seconds
            return round(float(self._next()) * 1000)
        found = prometheus_ms(self.word)
        if found is None:
            raise PromqlError(f"a duration was expected where `{self.word}` is")
        self._next()
        return found


def _unquoted(text: str) -> str:
    if text.startswith("`"):
        return text[1:-1]
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text[1:-1])


def _label(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
