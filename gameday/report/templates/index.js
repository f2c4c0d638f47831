"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const root = document.documentElement;
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  const button = byId("theme-switch");
  const pressed = () => button.setAttribute("aria-pressed", String(dark()));
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    pressed();
  });
  pressed();
  const tools = byId("runs-tools");
  if (!tools) return;
  tools.hidden = false;
  const rows = [...byId("table-runs").tBodies[0].rows];
  const show = () => {
    const scenario = byId("runs-scenario").value;
    const tone = byId("runs-verdict").value;
    let n = 0;
    for (const row of rows) {
      const fits = (!scenario || row.dataset.scenario === scenario) && (!tone || row.dataset.tone === tone);
      row.hidden = !fits;
      n += fits;
    }
    byId("runs-count").textContent = `${n} of ${rows.length} runs`;
  };
  byId("runs-scenario").addEventListener("change", show);
  byId("runs-verdict").addEventListener("change", show);
  show();
})();
