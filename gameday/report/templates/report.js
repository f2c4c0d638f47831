"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const root = document.documentElement;
  const dark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const onTheme = [];

  function themes() {
    const button = byId("theme-switch");
    const show = () => {
      button.setAttribute("aria-pressed", String(dark()));
      onTheme.forEach((change) => change());
    };
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      show();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
    show();
  }

  function copies() {
    if (!navigator.clipboard) return;
    for (const button of document.querySelectorAll("button.copy")) {
      button.hidden = false;
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(button.dataset.copy);
          button.textContent = "copied";
        } catch {
          button.textContent = "not copied";
        }
      });
    }
  }

  function timeline() {
    const tools = byId("timeline-tools");
    if (!tools) return;
    tools.hidden = false;
    const rows = [...byId("table-timeline").tBodies[0].rows];
    const show = () => {
      const words = byId("timeline-filter").value.toLowerCase().split(/\s+/).filter(Boolean);
      const source = byId("timeline-source").value;
      let n = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        const fits = (!source || row.dataset.source === source) && words.every((w) => text.includes(w));
        row.hidden = !fits;
        n += fits;
      }
      byId("timeline-count").textContent = `${n} of ${rows.length}`;
    };
    byId("timeline-filter").addEventListener("input", show);
    byId("timeline-source").addEventListener("change", show);
    show();
  }

  const clock = (ms) => {
    const tenths = Math.round(Math.abs(ms) / 100);
    const seconds = (tenths % 600) / 10;
    return `${ms < 0 && tenths ? "-" : ""}${Math.floor(tenths / 600)}:${seconds < 10 ? "0" : ""}${seconds.toFixed(1)}`;
  };
  const short = (ms) => (ms >= 1000 ? `${+(ms / 1000).toPrecision(3)} s` : `${+ms.toPrecision(3)} ms`);
  const plain = (x) => String(+(+x).toPrecision(3));

  function readout(data, at) {
    const parts = [clock(at)];
    const on = data.bars.filter((b) => b.t <= at && at < b.over);
    const phase = on.find((b) => b.style === "phase");
    if (phase) parts.push(phase.text);
    const bin = data.load.reduce((best, b) => (!best || Math.abs(b.t - at) < Math.abs(best.t - at) ? b : best), null);
    if (bin && bin.ended !== null && Math.abs(bin.t - at) <= data.bin) {
      const asked = bin.asked === null ? "" : `${plain(bin.asked)}/s asked, `;
      parts.push(`${asked}${plain(bin.ended)}/s finished, ${plain(bin.good)}/s good`);
      parts.push(`${bin.under_way} under way, oldest ${short(bin.oldest)}`);
    } else if (data.load.length) parts.push("no data of the load");
    for (const name of data.names) {
      const rows = data.quantiles.filter((r) => r.q === name);
      for (let i = 0; i + 1 < rows.length; i += 2) {
        if (rows[i].t <= at && at < rows[i + 1].t) {
          parts.push(rows[i].ms === null ? `${name} withheld` : `${name} ${short(rows[i].ms)}`);
        }
      }
    }
    for (const slo of data.slos) {
      const point = data.burn.filter((p) => p.slo === slo && p.t <= at).pop();
      if (point && point.x !== null) parts.push(`${slo} burns ${plain(point.x)}×`);
    }
    for (const b of on) if (b.style !== "phase") parts.push(b.text);
    return parts.join(" · ");
  }

  // the figure of two runs over each other
  function readoutOfTwo(data, at) {
    const parts = [clock(at)];
    for (const run of data.runs) {
      const said = [];
      for (const name of ["asked", "good", "failed"]) {
        const rows = data.rates.filter((r) => r.run === run && r.name === name && Math.abs(r.t - at) <= data.bin);
        const row = rows.reduce((best, r) => (!best || Math.abs(r.t - at) < Math.abs(best.t - at) ? r : best), null);
        if (row && row.y !== null) said.push(`${plain(row.y)}/s ${name}`);
      }
      for (const name of data.names) {
        const rows = data.quantiles.filter((r) => r.run === run && r.name === name);
        for (let i = 0; i + 1 < rows.length; i += 2) {
          if (rows[i].t <= at && at < rows[i + 1].t && rows[i].y !== null) said.push(`${name} ${short(rows[i].y)}`);
        }
      }
      parts.push(`${run}: ${said.length ? said.join(", ") : "no data of the load"}`);
    }
    return parts.join(" · ");
  }

  async function figure() {
    const box = byId("figure-view");
    if (!box) return;
    const spec = JSON.parse(byId("figure-spec").textContent);
    const sets = spec.datasets;
    const end = spec.usermeta.end_ms;
    const data = {
      ...sets,
      bin: spec.usermeta.bin_ms,
      names: [...new Set(sets.quantiles.map((r) => r.q || r.name))],
      slos: [...new Set((sets.burn || []).map((p) => p.slo))],
      runs: spec.usermeta.runs || [],
    };
    const read = data.runs.length ? readoutOfTwo : readout;
    // the library gives the box another role and name; it keeps its own
    const own = ["role", "aria-label", "aria-roledescription"].map((name) => [name, box.getAttribute(name)]);
    let view = null;
    let origin = [0, 0];
    let cursor = -1;
    let shown = null;

    const colours = () => {
      const style = getComputedStyle(root);
      return ["ink", "soft", "faint", "ground"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]);
    };
    const sized = () => {
      const made = structuredClone(spec);
      const narrow = box.clientWidth < 560;
      const labels = narrow ? 92 : spec.config.axisY.minExtent;
      made.config.axisY.minExtent = made.config.axisY.maxExtent = labels;
      if (narrow) Object.assign(made.config.title, { frame: "bounds", fontSize: 11.5 });
      for (const panel of made.vconcat) {
        panel.width = Math.max(160, box.clientWidth - labels - 26);
        if (narrow) delete panel.title.subtitle;
        for (const layer of panel.layer) {
          const axis = layer.encoding.y && layer.encoding.y.axis;
          if (axis && axis.labelLimit) axis.labelLimit = labels - 6;
        }
      }
      for (const param of made.params) {
        const found = colours().find(([name]) => name === param.name);
        if (found) param.value = found[1];
      }
      return made;
    };
    const draw = async () => {
      const result = await vegaEmbed(box, sized(), {
        ast: true, actions: false, renderer: "canvas", defaultStyle: false, hover: false,
      });
      if (view) view.finalize();
      view = result.view;
      const first = view.scenegraph().root.items[0].items.find((m) => m.marktype === "group");
      origin = [view.origin()[0] + (first ? first.items[0].x || 0 : 0), 0];
      const canvas = box.querySelector("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", spec.description);
      for (const [name, value] of own) value === null ? box.removeAttribute(name) : box.setAttribute(name, value);
      view.addSignalListener("zoom_t", (_, range) => tell(range));
      view.addEventListener("pointermove", (event) => {
        const place = canvas.getBoundingClientRect();
        point(+view.scale("x").invert(event.clientX - place.left - origin[0]));
      });
      if (shown) zoom(shown[0], shown[1]);
      if (cursor >= 0) point(cursor);
    };
    const tell = (range) => {
      shown = range ? [+range[0], +range[1]] : null;
      byId("zoom-range").textContent = shown ? `${clock(shown[0])} to ${clock(shown[1])}` : "";
    };
    const zoom = (from, to) => {
      const least = Math.min(end, 5000);
      const width = Math.min(end, Math.max(least, to - from));
      const middle = (from + to) / 2;
      const start = Math.min(end - width, Math.max(0, middle - width / 2));
      view.signal("zoom_t", width >= end ? null : [start, start + width]).runAsync();
    };
    const now = () => shown || [0, end];
    const by = (factor) => {
      const [from, to] = now();
      const middle = cursor >= from && cursor <= to ? cursor : (from + to) / 2;
      zoom(middle - (middle - from) * factor, middle + (to - middle) * factor);
    };
    const move = (share) => {
      const [from, to] = now();
      const step = (to - from) * share;
      zoom(from + step, to + step);
    };
    const point = (at) => {
      if (!(at >= 0 && at <= end)) return;
      cursor = at;
      view.signal("cursor", at).runAsync();
      byId("figure-readout").textContent = read(data, at);
    };
    const keys = {
      "+": () => by(0.5), "=": () => by(0.5), "-": () => by(2), "0": () => zoom(0, end),
      ArrowLeft: () => point(Math.max(0, (cursor < 0 ? end : cursor) - data.bin)),
      ArrowRight: () => point(Math.min(end, cursor < 0 ? 0 : cursor + data.bin)),
    };

    try {
      await draw();
    } catch (error) {
      byId("figure-readout").textContent = `The figure could not be drawn: ${error.message}. The tables below say the same.`;
      return;
    }
    byId("figure-tools").hidden = false;
    byId("zoom-in").addEventListener("click", () => by(0.5));
    byId("zoom-out").addEventListener("click", () => by(2));
    byId("zoom-left").addEventListener("click", () => move(-0.5));
    byId("zoom-right").addEventListener("click", () => move(0.5));
    byId("zoom-reset").addEventListener("click", () => zoom(0, end));
    box.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
    });
    onTheme.push(() => {
      for (const [name, value] of colours()) view.signal(name, value);
      view.runAsync();
    });
    const paper = { ink: "#000000", soft: "#333333", faint: "#bbbbbb", ground: "#ffffff" };
    addEventListener("beforeprint", () => {
      for (const name of Object.keys(paper)) view.signal(name, paper[name]);
      view.run();
    });
    addEventListener("afterprint", () => {
      for (const [name, value] of colours()) view.signal(name, value);
      view.runAsync();
    });
    let width = box.clientWidth;
    let timer = 0;
    new ResizeObserver(() => {
      if (box.clientWidth === width) return;
      width = box.clientWidth;
      clearTimeout(timer);
      timer = setTimeout(draw, 150);
    }).observe(box);
    root.dataset.figure = "drawn";
  }

  themes();
  copies();
  timeline();
  figure();
})();
