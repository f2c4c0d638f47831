"""The live view as a screen of a terminal. The only module that imports rich."""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gameday.model.criteria import MetricKind
from gameday.model.event import Event
from gameday.model.units import format_ms, format_ratio
from gameday.report.livestate import LiveState, Margin, Watched
from gameday.report.text import printable

#: Often enough for a clock that runs, seldom enough not to flicker over a slow line.
REFRESH_S = 0.25
NEWS = 6
#: Rows of each kind at most, so that everything fits into 24 lines.
ROWS = 4
_STYLES = {
    "ON": "bold red",
    "UNKNOWN": "bold white on red",
    "going in": "yellow",
    "going out": "yellow",
    "off, read back": "green",
    "pending": "yellow",
    "firing": "bold magenta",
    "resolved": "green",
}


class TtyFace:
    """Draws at most four times a second; the last picture goes when the view is closed."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream)
        self._live = Live(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=False,
            redirect_stderr=_is_terminal(sys.stderr),
        )  # fmt: skip
        self._news: deque[tuple[int, str]] = deque(maxlen=NEWS)
        self._drawn = 0.0
        self._open = False

    def change(self, event: Event, text: str) -> None:
        """Add a line to the news and draw at once."""
        self._news.append((event.at_ms, printable(text)))
        self._drawn = 0.0

    def status(self, state: LiveState) -> None:
        """Draw, unless it was drawn just now."""
        if not self._open:
            self._live.start()
            self._open = True
        now = time.monotonic()
        if now - self._drawn < REFRESH_S:
            return
        self._drawn = now
        self._live.update(screen(state, list(self._news)), refresh=True)

    def close(self) -> None:
        """Take the picture away and give the cursor back. Idempotent."""
        if self._open:
            self._live.stop()
            self._open = False


def screen(state: LiveState, news: list[tuple[int, str]]) -> RenderableType:
    """The whole picture, at most 22 lines."""
    blocks: list[RenderableType] = [_head(state), _bar(state), _load(state), _lights(state)]
    if state.margins or state.signals:
        blocks.append(_margins(state))
    if state.stopped:
        blocks.append(_line(f"STOPPED {state.stopped}", "bold white on red"))
    blocks.extend(_line(f"! {hint}", "yellow") for hint in list(state.hints.values())[:2])
    blocks.extend(_line(f"{at_ms / 1000:7.1f} s  {text}", "dim") for at_ms, text in news)
    return Group(*blocks)


def _head(state: LiveState) -> Text:
    scenario = state.plan.scenario
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{scenario.id}", style="bold")
    text.append(f"  {scenario.title}")
    return text


def _bar(state: LiveState) -> RenderableType:
    row = Table.grid(padding=(0, 1), expand=True)
    row.add_column(width=10)
    row.add_column(ratio=1)
    row.add_column(justify="right", no_wrap=True)
    left, run_left = state.left_ms, state.run_left_ms
    if left is None or run_left is None:
        row.add_row(Text(state.phase, style="bold"), "", "")
        return row
    spent = state.now_ms - state.phase_since_ms
    style = "red" if state.phase == "fault" else "green"
    bar = ProgressBar(total=max(1, spent + left), completed=max(0, spent), complete_style=style)
    clock = f"{_seconds(left)} left, run {_seconds(run_left)}"
    row.add_row(Text(state.phase, style=f"bold {style}"), bar, clock)
    return row


def _load(state: LiveState) -> Text:
    numbers = state.numbers
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append("load      ", style="dim")
    if numbers.good_per_s is None:
        text.append("waiting for the first seconds")
        return text
    asked = "" if numbers.asked_per_s is None else f" of {numbers.asked_per_s:.0f}"
    text.append(f"{numbers.good_per_s:.0f}{asked}/s good")
    if numbers.error_ratio is not None:
        style = "bold red" if numbers.error_ratio >= 0.01 else ""
        text.append(f"  errors {format_ratio(numbers.error_ratio)}", style=style)
    if numbers.p95_ms is not None:
        text.append(f"  p95 {format_ms(numbers.p95_ms)}")
    text.append(f"  in flight {numbers.in_flight} (oldest {format_ms(numbers.oldest_ms)})")
    return text


def _lights(state: LiveState) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=9, style="dim")
    table.add_column(no_wrap=True, max_width=32, overflow="ellipsis")
    table.add_column(no_wrap=True, max_width=24, overflow="ellipsis")
    table.add_column(no_wrap=True)
    targets = {spec.id: spec.target for spec in state.plan.scenario.faults}
    for index, (fault, light) in enumerate(list(state.faults.items())[:ROWS]):
        name = f"{fault} on {targets[fault]}" if fault in targets else fault
        since = _since(state.now_ms - light.since_ms) if light.since_ms else ""
        state_text = Text(light.state, style=_STYLES.get(light.state, "dim"))
        table.add_row("" if index else "fault", name, state_text, since)
    for index, (name, light) in enumerate(list(state.alerts.items())[:ROWS]):
        style = _STYLES.get(light.state, "bold magenta" if light.since_ms else "dim")
        table.add_row(
            "" if index else "alert", name, Text(light.state, style=style), _clock(state, name)
        )
    return table


def _clock(state: LiveState, alert: str) -> str:
    """The detection clock: it runs from the fault confirmed on until the alert fires."""
    on_ms, light = state.fault_on_ms, state.alerts[alert]
    if on_ms is None:
        return ""
    expected = next((e for e in state.plan.scenario.expect.alerts if e.alert == alert), None)
    limit = "" if expected is None else f" of {_seconds(expected.fires_within_ms)}"
    if light.state in ("quiet", "pending"):
        return f"{_seconds(state.now_ms - on_ms)}{limit} …"
    if light.state == "resolved":
        return f"{_since(state.now_ms - light.since_ms)}"
    return f"{_seconds(light.since_ms - on_ms)}{limit} after the fault"


def _margins(state: LiveState) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=9, style="dim")
    table.add_column(no_wrap=True, max_width=40, overflow="ellipsis")
    table.add_column(no_wrap=True)
    rows = [(margin.criterion.text, _margin(margin)) for margin in state.margins]
    rows += [(name, _signal(state, found)) for name, found in state.signals.items()]
    for index, (name, text) in enumerate(rows[:ROWS]):
        table.add_row("" if index else "stops if", name, text)
    return table


def _signal(state: LiveState, found: Watched) -> Text:
    since = _since(state.now_ms - found.since_ms)
    value = "" if found.value is None else f"now {found.value:g}, "
    style = {"good": "green", "BAD": "bold red"}.get(found.state, "bold yellow")
    return Text(f"{value}{found.state} {since}", style=style)


def _margin(margin: Margin) -> Text:
    if margin.value is None:
        return Text("not known yet", style="dim")
    ratio = margin.criterion.kind is MetricKind.RATIO
    value = format_ratio(margin.value) if ratio else format_ms(margin.value)
    if margin.held_ms:
        style, said = "bold red", f"now {value}, true for {_seconds(margin.held_ms)}"
    else:
        style, said = "green", f"now {value}"
    return Text(said, style=style)


def _line(text: str, style: str) -> Text:
    return Text(printable(text), style=style, no_wrap=True, overflow="ellipsis")


def _since(ms: int) -> str:
    return f"for {_seconds(ms)}"


def _is_terminal(stream: TextIO | None) -> bool:
    """Whether what is written there has to be kept out of the picture."""
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError):
        return False


def _seconds(ms: int) -> str:
    return f"{max(0, ms) / 1000:.0f} s"
