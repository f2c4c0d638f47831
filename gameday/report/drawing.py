"""The one module that knows the chart library: a figure's definition as pictures, and its script.

Drawing happens in a process of its own with a limit of time. It starts a JavaScript engine (about
three seconds and 200 MB); whatever goes wrong in there, the run's verdict and its other reports are
not touched. A fresh process and renamed ids also make the picture of the same definition the same,
byte for byte.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LIMIT_S = 60
#: Pixels of the PNG for each unit of the figure.
SCALE = 1.5
_ID = re.compile(r"""(\bid="|url\(#|href="#)((?:clip|gradient_)\d+)""")


class DrawingError(Exception):
    """The figure could not be drawn; the text says why, on one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One figure as SVG text, as the bytes of a PNG, and the script that brings it to life.

    The script is the chart library itself: it sets `vegaEmbed`, and needs no network.
    """

    svg: str
    png: bytes
    script: str


def drawn(spec: Mapping[str, Any], *, limit_s: float = LIMIT_S) -> Drawing:
    """*spec* drawn, in a process of its own. Raises `DrawingError`."""
    answer = _asked(spec, [], limit_s)
    try:
        png = base64.b64decode(answer["png"])
        return Drawing(svg=answer["svg"], png=png, script=answer["script"])
    except (ValueError, KeyError, TypeError):
        raise DrawingError("drawing gave no picture") from None


def pictures(
    specs: Mapping[str, Mapping[str, Any]], *, limit_s: float = LIMIT_S
) -> Mapping[str, str]:
    """Name -> SVG of each of *specs*, to stand in one page; no script. Raises `DrawingError`."""
    answer = _asked(specs, ["--pictures"], limit_s)
    if not isinstance(answer, dict) or answer.keys() != specs.keys():
        raise DrawingError("drawing gave no picture")
    return {name: str(svg) for name, svg in answer.items()}


def _asked(value: Any, arguments: Sequence[str], limit_s: float) -> Any:
    """What the process that draws answers. Raises `DrawingError`."""
    try:
        ended = subprocess.run(  # noqa: S603 - our own module, and arguments of our own
            [sys.executable, "-P", "-m", "gameday.report.drawing", *arguments],
            input=json.dumps(value).encode(),
            capture_output=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DrawingError(f"drawing took longer than {limit_s:g} s") from None
    except OSError as error:
        raise DrawingError(f"drawing could not be started: {error.strerror}") from None
    if ended.returncode != 0:
        told = ended.stderr.decode(errors="replace").strip().splitlines()
        raise DrawingError(told[-1][:300] if told else f"drawing ended with {ended.returncode}")
    try:
        return json.loads(ended.stdout)
    except ValueError:
        raise DrawingError("drawing gave no picture") from None


def with_own_ids(svg: str, prefix: str = "gd") -> str:
    """*svg* with its ids numbered in the order in which they appear, each after *prefix*."""
    known: dict[str, str] = {}
    return _ID.sub(lambda m: m[1] + known.setdefault(m[2], f"{prefix}{len(known)}"), svg)


def _main() -> int:
    """Read a definition from standard input, write what was drawn to standard output."""
    import vl_convert  # noqa: PLC0415 - only in the process that draws

    spec = json.load(sys.stdin)
    try:
        if "--pictures" in sys.argv:
            made = {
                name: with_own_ids(vl_convert.vegalite_to_svg(one), f"{name}-")
                for name, one in spec.items()
            }
            json.dump(made, sys.stdout)
            return 0
        svg = with_own_ids(vl_convert.vegalite_to_svg(spec))
        png = vl_convert.svg_to_png(svg, scale=SCALE)
        script = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its types are too strict
    except ValueError as error:  # what the library raises for every definition it cannot draw
        sys.stderr.write(f"{' '.join(str(error).split())[:280]}\n")
        return 1
    if re.search(r"</script|<!--", script, re.IGNORECASE):
        sys.stderr.write("the script of the chart library cannot stand in a page\n")
        return 1
    picture = {"svg": svg, "png": base64.b64encode(png).decode(), "script": script}
    json.dump(picture, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(_main())
