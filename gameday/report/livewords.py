"""Numbers of the live view in words, the most important first: a narrow screen cuts at the end."""

from __future__ import annotations

from rich.text import Text

from gameday.model.criteria import Criterion, CriterionError, parse_criterion
from gameday.model.units import format_ms, format_ratio
from gameday.report.liveload import Generator, Margin, Numbers, Objective


def seconds(ms: int) -> str:
    """Whole seconds."""
    return f"{max(0, ms) / 1000:.0f} s"


def since(ms: int) -> str:
    """For how long."""
    return f"for {seconds(ms)}"


def load_text(numbers: Numbers) -> Text:
    """What is asked for and what comes back."""
    if numbers.good_per_s is None:
        return Text("waiting for the first seconds", style="dim")
    text = Text("", style="not dim")
    if numbers.asked_per_s is not None:
        served = 0.0 if numbers.served_per_s is None else numbers.served_per_s
        behind = served < 0.95 * numbers.asked_per_s
        text.append(f"{served:.0f} of {numbers.asked_per_s:.0f}/s", "bold red" if behind else "")
        text.append(" served, ")
    text.append(f"{numbers.in_flight} in flight, oldest {format_ms(numbers.oldest_ms)}")
    return text


def latency_text(numbers: Numbers) -> Text:
    """How long the good ones took."""
    found = (("p50", numbers.p50_ms), ("p95", numbers.p95_ms), ("p99", numbers.p99_ms))
    said = ", ".join(f"{name} {format_ms(ms)}" for name, ms in found if ms is not None)
    return Text(said, style="not dim") if said else Text("not known yet", style="dim")


def generator_text(generator: Generator) -> Text:
    """How the generator of the load is."""
    if not generator.workers:
        return Text("not started yet", style="dim")
    style = "bold yellow" if generator.late else "green"
    text = Text("late" if generator.late else "on time", style=style)
    lag = "" if generator.lag_p99_ms is None else f", start p99 +{format_ms(generator.lag_p99_ms)}"
    processes = f", {generator.workers} processes" if generator.workers > 1 else ""
    text.append(
        f"{lag}, loop +{format_ms(generator.loop_lag_ms)}, "
        f"cpu {generator.cpu_share * 100:.0f} %{processes}, {generator.users} users",
        style="not bold",
    )
    return text


def margin_text(margin: Margin) -> Text:
    """How far a stop condition is from stopping the run."""
    if margin.value is None:
        return Text("not known yet", style="dim")
    one = margin.criterion
    if margin.held_ms:
        limit = f" of {seconds(one.for_ms)}" if one.for_ms else ""
        said = f"now {one.show(margin.value)}, TRUE for {seconds(margin.held_ms)}{limit}"
        return Text(said, style="bold red")
    left = abs(one.limit - margin.value)
    unit = f"{left * 100:.0f} points" if one.metric in ("errors", "goodput") else format_ms(left)
    near = margin.used is not None and margin.used > 0.8
    said = f"now {one.show(margin.value)}, {unit} left"
    return Text(said, style="bold yellow" if near else "green")


def objective_text(one: Objective) -> Text:
    """What an expectation of the phase is so far, and its limit."""
    style = {True: "green", False: "bold red", None: "dim"}[one.holds]
    if one.value is None:
        return Text(one.said or "not known yet", style=style)
    try:
        criterion = parse_criterion(one.text)
    except CriterionError:
        return Text(f"{one.value:g}", style=style)
    shown = (
        criterion.show(one.value) if isinstance(criterion, Criterion) else format_ratio(one.value)
    )
    word = {True: "holds", False: "BROKEN", None: one.said}[one.holds]
    return Text(f"{word}, {shown} so far" if one.holds is not None else f"{shown}, {word}", style)
