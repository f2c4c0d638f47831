"""The forms in which arrivals are written: a rate, a list of stretches, or a preset."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from gameday.scenario import fields as f
from gameday.scenario.validate import FieldError, Forms, Scalar, about, document

#: A limit on everything: so many stretches a list may have.
MOST = 500

_LINE = re.compile(
    r"(?:(?P<kind>ramp to|spike) )?(?P<rate>[0-9.+-].*?) (?P<word>for|over|until) (?P<time>.+)"
)
_WORDS = {None: ("for", "until"), "ramp to": ("over",), "spike": ("for",)}
HINT = "write `20/s for 30s`, `ramp to 100/s over 30s`, `spike 400/s for 20s` or `100/s until end`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One stretch as it is written. `kind` is None, `ramp to` or `spike`; no length: to the end."""

    kind: str | None
    per_s: float
    length_ms: int | None


def _line(value: Any) -> Line:
    text = " ".join(str(f.TEXT.parse(value)).split())
    found = _LINE.fullmatch(text)
    if found is None or found["word"] not in _WORDS[found["kind"]]:
        raise FieldError("value/arrivals", f"`{text}` is not a stretch of arrivals", HINT)
    per_s = float(f.RATE.parse(found["rate"]))
    if found["word"] != "until":
        ms = int(f.DURATION.parse(found["time"]))
        if ms > 0:
            return Line(kind=found["kind"], per_s=per_s, length_ms=ms)
        raise FieldError("value/duration", f"`{text}` lasts no time", "write for example `30s`")
    if found["time"] == "end":
        return Line(kind=None, per_s=per_s, length_ms=None)
    raise FieldError("value/arrivals", f"`{text}` is not a stretch of arrivals", HINT)


def _line_schema() -> dict[str, Any]:
    rate = str(f.RATE.schema["pattern"]).removeprefix(r"^\s*").removesuffix(r"\s*$")
    rate = rate.replace(" ?", r"\s*")  # as blanks are read here: any number of them is one
    time = str(f.DURATION.schema["anyOf"][0]["pattern"])
    time = time.removeprefix(r"^\s*").removesuffix(r"\s*$")
    forms = (
        rf"(?:spike\s+)?{rate}\s+for\s+{time}",
        rf"ramp\s+to\s+{rate}\s+over\s+{time}",
        rf"{rate}\s+until\s+end",
    )
    return f.pattern("|".join(forms), examples=["20/s for 30s", "ramp to 100/s over 30s"])


LINE = Scalar(_line, _line_schema())
#: Preset -> the parameters that it takes beside `peak`.
PRESETS: dict[str, tuple[str, ...]] = {
    "smoke": (),
    "soak": (),
    "stress": ("from", "steps"),
    "spike": ("from", "length"),
    "breakpoint": ("from", "steps", "expected"),
}


@document
class PresetDoc:
    """A shape by name, made to the lengths of the phases."""

    preset: Annotated[str, f.choice(PRESETS), about("what it is for")]
    peak: Annotated[float, f.RATE, about("the highest rate that the service has to bear")]
    from_: Annotated[
        float | None, f.RATE, about("the rate before and after; not of smoke and soak", key="from")
    ] = None
    steps: Annotated[
        int | None,
        f.whole(2, 100, "a number of steps"),
        about("stress and breakpoint: steps up to the peak"),
    ] = None
    expected: Annotated[
        float | None, f.RATE, about("breakpoint: the rate that has to be borne; one step is at it")
    ] = None
    length: Annotated[int | None, f.SECONDS, about("spike: how long it is at the peak")] = None


#: What `arrivals` may be: a rate, a list, or a preset.
ARRIVALS = Forms(
    mapping=PresetDoc,
    entries=list[Annotated[Line, LINE]],
    short=f.RATE,
    entries_schema={"minItems": 1, "maxItems": MOST},
)
Written = float | list[Line] | PresetDoc
