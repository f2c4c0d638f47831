// Small helpers: elements without markup in text, times, numbers.
export const byId = (id) => document.getElementById(id);

export function h(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "onclick") made.addEventListener("click", value);
    else if (value === true) made.setAttribute(name, "");
    else made.setAttribute(name, String(value));
  }
  made.append(...children.filter((c) => c !== null && c !== undefined && c !== ""));
  return made;
}

// Built again only when what it shows has changed, so that nobody's click meets a new button.
const known = new WeakMap();
export function fill(box, key, make) {
  const text = JSON.stringify(key);
  if (known.get(box) === text) return;
  known.set(box, text);
  const held = document.activeElement && box.contains(document.activeElement)
    ? document.activeElement.dataset.key : null;
  box.replaceChildren(...make());
  if (held) box.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
}

export function clock(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const pair = (n) => String(n).padStart(2, "0");
  return hours ? `${hours}:${pair(minutes)}:${pair(seconds % 60)}` : `${minutes}:${pair(seconds % 60)}`;
}

export const ofDay = (ms) => new Date(ms).toISOString().slice(11, 19);
export const share = (x) => (x === null || x === undefined ? "–" : `${+(100 * x).toPrecision(2)} %`);
export const number = (x, unit) =>
  x === null || x === undefined ? "–" : `${x >= 100 ? Math.round(x) : +x.toPrecision(2)}${unit}`;
