// The report's figure of the run so far, drawn again every few seconds while somebody can see it.
import { byId } from "/static/words.js";

const EVERY_MS = 5000;
const COLOURS = ["ink", "soft", "faint", "ground"];
let view = null;
let shown = null;
let busy = false;
let tag = "";
let library = null;
let usual = "";

function load() {
  library = library || new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = "/chart.js";
    script.addEventListener("load", done);
    script.addEventListener("error", () => { library = null; failed(new Error("the chart library is not to be had")); });
    document.head.append(script);
  });
  return library;
}

function sized(spec, width) {
  const narrow = width < 560;
  const labels = narrow ? 92 : spec.config.axisY.minExtent;
  spec.config.axisY.minExtent = spec.config.axisY.maxExtent = labels;
  for (const panel of spec.vconcat) {
    panel.width = Math.max(160, width - labels - 26);
    if (narrow) delete panel.title.subtitle;
    for (const layer of panel.layer) {
      const axis = layer.encoding.y && layer.encoding.y.axis;
      if (axis && axis.labelLimit) axis.labelLimit = labels - 6;
    }
  }
  const style = getComputedStyle(document.documentElement);
  for (const param of spec.params) {
    if (COLOURS.includes(param.name)) param.value = style.getPropertyValue(`--${param.name}`).trim();
  }
  return spec;
}

async function draw(spec) {
  const box = byId("figure");
  const fresh = document.createElement("div");
  fresh.className = "coming";
  box.append(fresh);
  try {
    const result = await window.vegaEmbed(fresh, sized(spec, box.clientWidth), {
      ast: true, actions: false, renderer: "canvas", defaultStyle: false, hover: false,
      tooltip: { disableDefaultStyle: true },
    });
    if (shown) await result.view.signal("zoom_t", shown).runAsync();
    result.view.addSignalListener("zoom_t", (_, range) => { shown = range ? [+range[0], +range[1]] : null; });
    const canvas = fresh.querySelector("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", spec.description);
    if (view) view.finalize();
    view = result.view;
    fresh.className = "";
    for (const old of [...box.children]) if (old !== fresh) old.remove();
  } catch (error) {
    fresh.remove();
    throw error;
  }
}

function told(text) {
  byId("figure-told").textContent = text;
  byId("figure-told").hidden = !text;
}
async function again() {
  const box = byId("figure");
  const place = box.getBoundingClientRect();
  const seen = place.top < innerHeight + 200 && place.bottom > -200;
  if (busy || document.hidden || !seen || byId("room").hidden || box.matches(":active")) return;
  busy = true;
  try {
    const answer = await fetch("/figure.json");
    if (!answer.ok) return;
    const text = await answer.text();
    const key = `${text.length}/${box.clientWidth}/${document.documentElement.dataset.theme || ""}/${text.slice(-4000)}`;
    if (key === tag) return told(usual);
    const made = JSON.parse(text);
    if (!made) return;
    if (!view) told("The figure is being drawn.");
    await load();
    await draw(made.spec);
    tag = key;
    usual = made.captions.length ? "" : "Load and answers; drawn again every few seconds.";
    told(usual);
    document.documentElement.dataset.figure = "drawn";
  } catch (error) {
    told(`The figure could not be drawn: ${error.message}. The numbers above say the same.`);
  } finally {
    busy = false;
  }
}

export function figure() {
  setInterval(again, EVERY_MS);
  addEventListener("scroll", again, { passive: true });
  setTimeout(again, 300);
}
export const redraw = () => { tag = ""; again(); };
