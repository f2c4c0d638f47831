"""Takes the pictures of docs/report.md and docs/compare.md: `python tests/browser/screenshots.py`.

The runs are made by the builders of the tests, with a seed, so that a picture changes only with
the page. Each is a PNG with a palette: small enough for the repository.
"""

from __future__ import annotations

import base64
import random
import struct
import tempfile
import zlib
from dataclasses import replace
from pathlib import Path

from browser_support import (
    DESKTOP,
    DIRECTORIES,
    PHONE,
    Browser,
    Opened,
    chromium,
    opened,
    write_compared,
    write_run,
    write_runs,
)
from checks_support import (
    FAULT_S,
    RECOVERY_S,
    Journal,
    alert,
    cell,
    delivered,
    good_run,
    plan,
    tick,
    timeline,
)

from gameday.checks import judge
from gameday.model.histogram import bucket_of
from gameday.model.plan import Plan
from gameday.model.project import Service, Slo
from gameday.model.window import Cell, Tick
from gameday.report.build import build

IMAGES = Path(__file__).parents[2] / "docs" / "img"
BYTES_MAX = 150_000
FIRING_S, RESOLVED_S = FAULT_S + 14, RECOVERY_S + 8
#: Pixels and palette of a PNG; the browser reads it, so no library for pictures is needed.
QUANTIZE = """async text => {
  const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], {type: 'image/png'}));
  const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d');
  canvas.drawImage(image, 0, 0);
  const data = canvas.getImageData(0, 0, image.width, image.height).data;
  const counts = new Map();
  for (let i = 0; i < data.length; i += 4) {
    const colour = data[i] << 16 | data[i + 1] << 8 | data[i + 2];
    counts.set(colour, (counts.get(colour) || 0) + 1);
  }
  const parts = colour => [colour >> 16, colour >> 8 & 255, colour & 255];
  const far = (a, b) => (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2;
  const all = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(one => parts(one[0]));
  let palette = [];
  for (let least = 2; ; least *= 1.5) {  // the commonest colours that differ enough
    palette = [];
    for (const one of all) {
      if (palette.every(kept => far(kept, one) >= least)) palette.push(one);
      if (palette.length > 256) break;
    }
    if (palette.length <= 256) break;
  }
  const nearest = new Map();
  const pixels = new Uint8Array(data.length / 4);
  for (let i = 0; i < pixels.length; i++) {
    const one = [data[4 * i], data[4 * i + 1], data[4 * i + 2]];
    const key = one[0] << 16 | one[1] << 8 | one[2];
    if (!nearest.has(key)) {
      let best = 0;
      palette.forEach((kept, n) => { if (far(kept, one) < far(palette[best], one)) best = n; });
      nearest.set(key, best);
    }
    pixels[i] = nearest.get(key);
  }
  let packed = '';
  for (let i = 0; i < pixels.length; i += 8192) {
    packed += String.fromCharCode(...pixels.subarray(i, i + 8192));
  }
  return {width: image.width, height: image.height, palette: palette.flat(), pixels: btoa(packed)};
}"""


def main() -> None:
    """Write every picture, and say how large it is."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        reports = Path(folder) / "reports"
        files = write_runs(reports)
        shown = plan_with_objectives()
        run = timeline(late_alert())
        report = replace(
            build(shown, run, judge(shown, run)),
            run_id=DIRECTORIES["failed"],
            started="2026-11-22T11:00:00Z",
        )
        failed = write_run(Path(folder) / "failed", shown, run, report)
        with opened(browser, failed, DESKTOP) as one:
            save(browser, "report-failed", one.page.screenshot())
            save(browser, "report-figure", figure(one))
        with opened(browser, failed, PHONE, scale=2) as one:
            save(browser, "report-phone", one.page.screenshot())
        with opened(browser, files["dirty"], DESKTOP, dark=True) as one:
            save(browser, "report-dark", one.page.screenshot())
        with opened(browser, files["index"], (1280, 700)) as one:
            save(browser, "report-index", one.page.screenshot())
        with opened(browser, write_compared(Path(folder) / "compared.html"), (1280, 700)) as one:
            save(browser, "compared", one.page.screenshot())
            one.redraws(lambda: one.page.click("#zoom-in"))
            one.page.locator("#zoom-range").click()  # no ring of focus in the picture
            save(browser, "compared-figure", one.page.locator("#figure").screenshot())


def figure(one: Opened) -> bytes:
    """The figure alone, read off at the moment in which the alert fired."""
    view = one.page.locator("#figure-view")
    view.focus()
    one.page.keyboard.press("ArrowRight")
    for _ in range(FIRING_S):
        one.redraws(lambda: one.page.keyboard.press("ArrowRight"))
    one.page.locator("#figure-readout").click()  # no ring of focus in the picture
    top = one.page.locator("#figure-tools").bounding_box()
    end = one.page.locator("#figure-readout").bounding_box()
    assert top is not None
    assert end is not None
    scrolled = one.page.evaluate("() => scrollY")
    clip = {
        "x": top["x"] - 10,
        "y": top["y"] + scrolled - 8,
        "width": end["width"] + 20,
        "height": end["y"] + end["height"] - top["y"] + 16,
    }
    return one.page.screenshot(clip=clip, full_page=True)  # type: ignore[arg-type]


def save(browser: Browser, name: str, png: bytes) -> None:
    """*png* with a palette of its commonest colours."""
    page = browser.new_page()
    try:
        found = page.evaluate(QUANTIZE, base64.b64encode(png).decode())
    finally:
        page.close()
    small = with_palette(found["width"], found["palette"], base64.b64decode(found["pixels"]))
    assert len(small) <= BYTES_MAX, f"{name}: {len(small)} bytes"
    (IMAGES / f"{name}.png").write_bytes(small)
    print(f"{name}.png: {len(small)} bytes, {len(found['palette']) // 3} colours")


def with_palette(width: int, palette: list[int], pixels: bytes) -> bytes:
    """A PNG of one byte a pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = [pixels[at : at + width] for at in range(0, len(pixels), width)]
    head = struct.pack(">IIBBBBB", width, len(rows), 8, 3, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, data)
        for kind, data in (
            (b"IHDR", head),
            (b"PLTE", bytes(palette)),
            (b"IDAT", packed),
            (b"IEND", b""),
        )
    )


def plan_with_objectives() -> Plan:
    """The plan of the tests; its service has two objectives, so that budgets burn."""
    slos = (
        Slo(name="good", share=0.99),
        Slo(name="fast", share=0.95, latency_ms=500),
    )
    return replace(plan(), service=Service(name="shop", slos=slos))


def late_alert() -> Journal:
    """A shop without a timeout of its own meets a slow payments service; the alert comes late."""
    chance = random.Random(7)
    journal = good_run(ticks=lambda second: shop(second, chance), alerts=False)
    labels = {"severity": "page"}
    story = (("pending", FAULT_S + 4), ("firing", FIRING_S), ("resolved", RESOLVED_S))
    for kind, second in story:
        alert(journal, f"alert.{kind}", second * 1000, "PaymentsSlow", labels)
    delivered(journal, FIRING_S * 1000 + 900, "PaymentsSlow", labels)
    delivered(journal, RESOLVED_S * 1000 + 900, "PaymentsSlow", labels, status="resolved")
    return journal


def shop(second: int, chance: random.Random) -> Tick:
    """One second of load: browsing goes on, checkouts wait for payments, and pile up."""
    left = min(1.0, max(0.0, 1 - (second - RECOVERY_S) / 4))
    waits = max(0, min(second, RECOVERY_S) - FAULT_S) * left
    edge = 4 if second in (FAULT_S, RECOVERY_S) else 0
    lost = round(chance.uniform(0.2, 0.4) * waits)
    made = [
        spread(chance, second, "browse", 75, 11 + 0.3 * waits),
        spread(chance, second, "checkout", 25 - edge - lost, 860 + 45 * waits if waits else 28),
    ]
    if edge:
        made.append(cell(second, "checkout", edge, 30, "connection", edge=True))
    if lost:
        made.append(cell(second, "checkout", lost, chance.uniform(2900, 3100), "timeout"))
    under_way = 3 + round(chance.uniform(0, 3) + 2.4 * waits)
    oldest = 60 + chance.uniform(0, 40) + min(3000, 420 * waits)
    return tick(second, made, in_flight=under_way, oldest_ms=round(oldest))


def spread(chance: random.Random, second: int, journey: str, n: int, ms: float) -> Cell:
    """*n* good answers around *ms*, as wide as real ones."""
    found: dict[int, int] = {}
    for _ in range(n):
        bucket = bucket_of(round(1000 * ms * chance.lognormvariate(0, 0.28)))
        found[bucket] = found.get(bucket, 0) + 1
    made = dict(sorted(found.items()))
    return replace(cell(second, journey, n, ms), response=made, service=made)


if __name__ == "__main__":
    main()
