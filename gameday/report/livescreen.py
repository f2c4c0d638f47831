"""The picture of the live view as lines of text for a screen of any size. No terminal, no clock.

What does not fit is left out from the least important on, and a section that is cut says how many
of its lines are missing. No line is wider than the screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from gameday.model.units import format_ratio
from gameday.report.livenext import coming, on_of
from gameday.report.livestate import Light, LiveState, Stretch, Watched
from gameday.report.livewords import (
    generator_text,
    latency_text,
    load_text,
    margin_text,
    objective_text,
    seconds,
    since,
)
from gameday.report.text import printable

#: Of what is said at the left of a line.
LABEL = 8
#: From this width on, faults and alerts have their lane beside them.
WIDE = 70
_STYLES = {
    "ON": "bold red",
    "UNKNOWN": "bold white on red",
    "not injected": "bold red",
    "going in": "yellow",
    "going out": "yellow",
    "off, read back": "green",
    "pending": "yellow",
    "firing": "bold magenta",
    "resolved": "green",
}
_BANDS = {"warmup": "white", "baseline": "green", "fault": "red", "recovery": "cyan"}
_LANES = {
    "on": ("━", "bold red"),
    "unknown": ("?", "bold white on red"),
    "pending": ("╌", "yellow"),
    "firing": ("━", "bold magenta"),
}
#: What wants to be seen first where not everything can be.
_URGENT = ("UNKNOWN", "ON", "going out", "going in", "not injected", "firing", "delivered")


@dataclass(slots=True, kw_only=True)
class _Section:
    """Lines that belong together. A lower `rank` is cut later; of news the `newest` stay."""

    rank: int
    label: str = ""
    newest: bool = False
    lines: list[Text] = field(default_factory=list)
    shown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """Where the columns are, in a width."""

    width: int

    @property
    def wide(self) -> bool:
        return self.width >= WIDE

    @property
    def name(self) -> int:
        """Of the name of a fault or an alert."""
        room = self.width - LABEL
        return min(32, room // 4) if self.wide else room // 2

    @property
    def lane(self) -> int:
        """Of the timeline that all lanes share."""
        room = self.width - LABEL - self.name - 2
        return room * 2 // 5 if self.wide else 0


def picture(
    state: LiveState, news: Sequence[tuple[int, str]], *, width: int, height: int
) -> list[Text]:
    """The screen, at most *height* lines, none wider than *width*."""
    shape = _Shape(width=max(1, width))
    sections = [
        _Section(rank=11, lines=[_head(state, shape)]),
        _Section(rank=1, lines=_phases(state, shape)),
        _Section(rank=5, lines=[_plain("next", _next(state))]),
        _Section(rank=6, lines=[_plain("load", load_text(state.numbers))]),
        _Section(rank=9, lines=[_plain("errors", _errors(state))]),
        _Section(rank=10, lines=[_plain("latency", latency_text(state.numbers))]),
        _Section(rank=12, lines=[_plain("loadgen", generator_text(state.generator))]),
        _Section(rank=8, label="goal", lines=_goals(state, shape)),
        _Section(rank=2, label="fault", lines=_faults(state, shape)),
        _Section(rank=3, label="alert", lines=_alerts(state, shape)),
        _Section(rank=4, label="stop if", lines=_stops(state, shape)),
        _Section(rank=0, lines=[_stopped(state)] if state.stopped else []),
        _Section(rank=7, lines=[_alarm(hint) for hint in state.hints.values()]),
        _Section(rank=13, newest=True, lines=[_told(at_ms, text) for at_ms, text in news]),
    ]
    _share(sections, max(1, height))
    found = [line for section in sections for line in _cut(section)]
    for line in found:
        line.truncate(shape.width, overflow="ellipsis")
    return found


def _share(sections: list[_Section], height: int) -> None:
    """One line for each first, in order of rank; then as many as it wants, again in that order."""
    order = sorted((s for s in sections if s.lines), key=lambda s: s.rank)
    for section in order:
        section.shown = min(1, height)
        height -= section.shown
    for section in order:
        more = min(height, len(section.lines) - section.shown)
        section.shown += more
        height -= more


def _cut(section: _Section) -> list[Text]:
    """Its lines that are shown, the label at the first one."""
    if not section.shown:
        return []
    missing = len(section.lines) - section.shown
    if section.newest:
        return section.lines[-section.shown :]
    if not section.label:
        return section.lines[: section.shown]
    label = f"{section.label.partition(' ')[0]}+{missing}" if missing else section.label
    found = section.lines[: section.shown]
    first = Text(set_cell_size(label, LABEL - 1) + " ", style="dim")
    return [first + found[0], *(Text(" " * LABEL) + line for line in found[1:])]


def _head(state: LiveState, shape: _Shape) -> Text:
    scenario = state.plan.scenario
    clock = f" {state.now_ms // 60_000}:{state.now_ms // 1000 % 60:02d}" if state.now_ms > 0 else ""
    text = Text(printable(scenario.id), style="bold")
    text.append(f"  {printable(scenario.title)}", style="not bold")
    text.truncate(max(1, shape.width - cell_len(clock)), overflow="ellipsis", pad=True)
    text.append(clock, style="bold")
    return text


def _phases(state: LiveState, shape: _Shape) -> list[Text]:
    """The phase, and all of them as bands of the timeline that the lanes below share."""
    style = _BANDS.get(state.phase, "white")
    left, run_left = state.left_ms, state.run_left_ms
    words = "" if left is None else f"{seconds(left)} left"
    words += "" if run_left is None else f", run {seconds(run_left)}"
    name = Text(printable(state.phase), style=f"bold {style}")
    line = Text("phase".ljust(LABEL), style="dim")
    if not shape.wide:
        line += name
        line.append(f"  {words}", style="not dim")
        return [line, _bands(state, shape.width)]
    name.truncate(shape.name, pad=True)
    for part in (name, Text(" "), _bands(state, shape.lane), Text(f" {words}", style="not dim")):
        line += part
    return [line]


def _axis(state: LiveState) -> tuple[int, int]:
    bands = state.bands
    start = bands[0].from_ms if bands else 0
    return start, max(start + 1, state.now_ms, *(band.to_ms for band in bands))


def _column(state: LiveState, at_ms: int, columns: int) -> int:
    start, end = _axis(state)
    return min(columns - 1, max(0, (at_ms - start) * columns // (end - start)))


def _bands(state: LiveState, columns: int) -> Text:
    text, bands = Text("─" * columns, style="dim"), state.bands
    for band in bands:
        first, end = (_column(state, at, columns) for at in (band.from_ms, band.to_ms))
        last = columns - 1 if band is bands[-1] else max(first, end - 1)
        room = last - first + 1
        name = printable(band.name)[: room - 1] if room > 2 else ""
        dash = "━" if band.from_ms <= state.now_ms else "─"
        drawn = Text((name + dash * room)[:room], style=_BANDS.get(band.name, "white"))
        if band.from_ms > state.now_ms:
            drawn.stylize("dim")
        text = text[:first] + drawn + text[last + 1 :]
    return _now(state, text)


def _lane(state: LiveState, name: str, columns: int) -> Text:
    text = Text(" " * columns)
    for stretch in state.lanes.get(name, ()):
        text = _stretched(state, text, stretch)
    return _now(state, text)


def _stretched(state: LiveState, text: Text, stretch: Stretch) -> Text:
    end = state.now_ms if stretch.to_ms is None else stretch.to_ms
    first, last = (_column(state, at, len(text)) for at in (stretch.from_ms, end))
    sign, style = _LANES.get(stretch.what, ("━", "white"))
    return text[:first] + Text(sign * (last - first + 1), style=style) + text[last + 1 :]


def _now(state: LiveState, text: Text) -> Text:
    """With a line through all lanes at the moment that it is."""
    if not state.marks or not len(text):
        return text
    at = _column(state, state.now_ms, len(text))
    return text[:at] + Text("┃", style="bold") + text[at + 1 :]


def _next(state: LiveState) -> Text:
    said = []
    for one in coming(state):
        when = "" if one.in_ms is None else f"in {seconds(one.in_ms)} " if one.in_ms else "now "
        said.append(f"{when}{printable(one.text)}")
    return Text(" · ".join(said[:4]))


def _errors(state: LiveState) -> Text:
    numbers = state.numbers
    if numbers.error_ratio is None:
        return Text("not known yet", style="dim")
    style = "bold red" if numbers.error_ratio >= 0.01 else "not dim"
    kinds = ", ".join(f"{kind} {n}" for kind, n in numbers.errors.items())
    text = Text(format_ratio(numbers.error_ratio), style=style)
    text.append(f"  {kinds}" if kinds else "", style=style)
    return text


def _goals(state: LiveState, shape: _Shape) -> list[Text]:
    found = sorted(state.objectives, key=lambda one: {False: 0, None: 1, True: 2}[one.holds])
    return _pairs([(one.text, objective_text(one)) for one in found], shape)


def _stops(state: LiveState, shape: _Shape) -> list[Text]:
    near = sorted(state.margins, key=lambda one: -1.0 if one.used is None else -one.used)
    found = [(one.criterion.text, margin_text(one)) for one in near]
    order = {"BAD": 0, "cannot be read": 1}
    watched = sorted(state.signals.items(), key=lambda one: order.get(one[1].state, 2))
    told = [(name, _signal(state, name, one)) for name, one in watched]
    bad = sum(one.state != "good" for _, one in watched)
    return _pairs([*told[:bad], *found, *told[bad:]], shape)


def _signal(state: LiveState, name: str, found: Watched) -> Text:
    limits = {one.text: one.for_ms for one in state.plan.scenario.stop_signals}
    of = f" of {seconds(limits[name])}" if limits.get(name) and found.state == "BAD" else ""
    value = "" if found.value is None else f"now {found.value:g}, "
    style = {"good": "green", "BAD": "bold red"}.get(found.state, "bold yellow")
    return Text(f"{value}{found.state} {since(state.now_ms - found.since_ms)}{of}", style=style)


def _faults(state: LiveState, shape: _Shape) -> list[Text]:
    targets = {spec.id: spec.target for spec in state.plan.scenario.faults}
    found = []
    for fault, light in _first(state.faults):
        name = f"{fault} on {targets[fault]}" if fault in targets else fault
        said = f"{light.state} {since(state.now_ms - light.since_ms)}".strip()
        text = Text(said if light.since_ms else light.state, style=_STYLES.get(light.state, "dim"))
        found.append(_laned(state, f"fault/{fault}", name, text, shape))
    return found


def _alerts(state: LiveState, shape: _Shape) -> list[Text]:
    found = []
    for alert, light in _first(state.alerts):
        style = _STYLES.get(light.state, "bold magenta" if light.since_ms else "dim")
        text = Text(printable(_clock(state, alert, light)), style=style)
        found.append(_laned(state, f"alert/{alert}", alert, text, shape))
    return found


def _first(lights: dict[str, Light]) -> list[tuple[str, Light]]:
    """Those that are in a state which somebody has to know first."""

    def urgent(light: Light) -> int:
        found = [n for n, word in enumerate(_URGENT) if light.state.startswith(word)]
        return found[0] if found else len(_URGENT)

    return sorted(lights.items(), key=lambda one: urgent(one[1]))


def _clock(state: LiveState, alert: str, light: Light) -> str:
    """The state and the detection clock: from the fault confirmed on until the alert fires."""
    expected = next((e for e in state.plan.scenario.expect.alerts if e.alert == alert), None)
    on_ms = on_of(state, None if expected is None else expected.fault)
    if on_ms is None or light.state == "resolved":
        return (
            f"{light.state} {since(state.now_ms - light.since_ms)}" if light.since_ms else "quiet"
        )
    limit = "" if expected is None else f" of {seconds(expected.fires_within_ms)}"
    if light.state in ("quiet", "pending"):
        passed = state.now_ms - on_ms
        late = expected is not None and passed > expected.fires_within_ms
        return f"{light.state} {seconds(passed)}{limit}{' LATE' if late else ' …'}"
    return f"{seconds(light.since_ms - on_ms)}{limit}, {light.state}"


def _laned(state: LiveState, key: str, name: str, words: Text, shape: _Shape) -> Text:
    line = Text(set_cell_size(_short(name, shape.name), shape.name) + " ")
    if shape.wide:
        line += _lane(state, key, shape.lane)
        line += Text(" ")
    return line + words


def _pairs(found: Sequence[tuple[str, Text]], shape: _Shape) -> list[Text]:
    """Conditions and their values: both can be read, whatever the width."""
    longest = max((cell_len(printable(name)) for name, _ in found), default=0)
    room = min((shape.width - LABEL) // 2, max(shape.name, longest))
    return [Text(set_cell_size(_short(name, room), room) + " ") + words for name, words in found]


def _short(name: str, room: int) -> str:
    text = Text(printable(name))
    text.truncate(room, overflow="ellipsis")
    return text.plain


def _plain(label: str, words: Text) -> Text:
    return Text(label.ljust(LABEL), style="dim") + words


def _stopped(state: LiveState) -> Text:
    return Text(printable(f"STOPPED {state.stopped}"), style="bold white on red")


def _alarm(hint: str) -> Text:
    return Text(printable(f"! {hint}"), style="yellow")


def _told(at_ms: int, text: str) -> Text:
    return Text(printable(f"{at_ms / 1000:7.1f} s  {text}"), style="dim")
