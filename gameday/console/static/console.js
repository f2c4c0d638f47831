"use strict";
import { byId, clock, fill, h, number, ofDay, share } from "/static/words.js";
import { figure, redraw } from "/static/figure.js";

const KINDS = [
  ["note", "Note"], ["decide", "Decision"], ["todo", "To do"], ["handoff", "Hand-over"], ["update", "Update"],
];
const FILTERS = [
  ["all", "All", () => true],
  ["people", "People", (e) => e.kind.startsWith("human.")],
  ["decide", "Decisions", (e) => e.kind === "human.decide" || e.kind === "human.handoff"],
  ["todo", "To do", (e) => e.kind === "human.todo"],
  ["alerts", "Alerts", (e) => e.kind.startsWith("alert.") || e.kind === "human.ack"],
];
const SHOWN_MAX = 400;
const QUIET_MS = 25000;
let me = null;
let state = null;
let entries = [];
let source = null;
let last = "";
let heard = 0;
let offset = 0;
let kind = "note";
let filter = "all";

const now = () => Date.now() + offset;
const run = () => state && state.run;
const day = () => state && state.day;
const alive = () => run() && run().runner === "alive";
// run time: it stands still once the runner is not there any more
const at = () => (alive() ? now() - run().origin_wall_ms : run() ? run().at_ms : 0);
const may = (what) => me.may[what] === null;

async function ask(path, body, withinMs = 30000) {
  const answer = await fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    signal: AbortSignal.timeout(withinMs),
  });
  const told = await answer.json().catch(() => ({ ok: false, error: `the page answered ${answer.status}` }));
  if (answer.status === 401) enter();
  return told;
}
let toastTimer = 0;
function toast(text, stays = false) {
  byId("toast").textContent = text;
  byId("toast").hidden = false;
  byId("toast").dataset.tone = stays ? "fail" : "";
  clearTimeout(toastTimer);
  if (!stays) toastTimer = setTimeout(() => { byId("toast").hidden = true; }, 6000);
}
async function act(request, said) {
  try {
    const told = await ask("/api/do", request);
    toast(told.ok ? said || told.text || "done" : told.error);
    return told;
  } catch {
    toast("not sent: the page cannot be reached; try again, or use the terminal");
    return { ok: false };
  }
}
// A stop is sent again until somebody has it, and a stop that nobody has is not forgotten.
async function stop(request) {
  for (let tries = 1; ; tries += 1) {
    try {
      const told = await ask("/api/do", request, 10000);
      toast(told.ok ? told.text : `NOT STOPPED: ${told.error}`, !told.ok);
      return;
    } catch {
      const word = day() ? `say ${day().abort.word}, or ` : "";
      toast(`NOT STOPPED YET: the page cannot be reached, tried ${tries} times; ${word}use gameday stop in a terminal`, true);
      await new Promise((done) => { setTimeout(done, 1000); });
    }
  }
}
function doer(what, label, request, more) {
  const why = me.may[what];
  const said = Object.values(request).join("/");
  return h("button", {
    type: "button", disabled: why !== null, title: why, "data-key": `${what}/${said}/${label}`,
    onclick: () => act({ do: what, ...request, ...(more ? more() : {}) }), class: label === "Go" ? "go" : null,
  }, label);
}

// --- the stream ---------------------------------------------------------------------------------
function listen() {
  if (source) source.close();
  source = new EventSource(last ? `/events?after=${encodeURIComponent(last)}` : "/events");
  heard = Date.now();
  source.addEventListener("open", () => linked("yes"));
  source.addEventListener("reset", () => { heard = Date.now(); entries = []; last = ""; log(); });
  source.addEventListener("beat", (e) => { heard = Date.now(); offset = JSON.parse(e.data).now - Date.now(); linked("yes"); });
  source.addEventListener("entry", (e) => {
    heard = Date.now();
    last = e.lastEventId;
    entries.push(JSON.parse(e.data));
    later();
  });
  source.addEventListener("state", (e) => {
    heard = Date.now();
    const known = about();
    state = JSON.parse(e.data);
    if (about() !== known || (state.view === "blind") !== me.blind) rights();
    later();
  });
  source.addEventListener("error", () => { linked("no"); if (source.readyState === EventSource.CLOSED) source = null; });
}
function linked(on) {
  const dot = byId("link-state");
  dot.dataset.on = on;
  dot.textContent = on === "yes" ? "live" : "connection lost";
}
// Who may what depends on the day; a page that must not know any more shows nothing until it is told.
const about = () => JSON.stringify([state && state.blind_roles, day() && [day().name, day().over, day().abort]]);
async function rights() {
  try {
    const known = await (await fetch("/api/me")).json();
    if (!known.role) return enter(known);
    me = known;
    room();
    later();
  } catch { /* the next state asks again */ }
}
async function watch() {
  if (!me || !me.role) return;
  if (source && Date.now() - heard < QUIET_MS) return;
  linked("no");
  try {
    const answer = await fetch("/api/me");
    const known = await answer.json();
    if (!known.role) return enter(known);
    if (known.blind !== me.blind) Object.assign(me, known), room();
    listen();
  } catch { /* it is tried again */ }
}
let due = 0;
function later() {
  if (due) return;
  due = requestAnimationFrame(() => { due = 0; render(); });
}

// --- what is shown ------------------------------------------------------------------------------
const TONES = {
  ON: "unknown", UNKNOWN: "dirty", "going in": "unknown", "going out": "unknown", "off, read back": "pass",
  firing: "fail", pending: "unknown", resolved: "pass",
};
const tone = (word) => TONES[word] || (word.startsWith("delivered") ? "fail" : null);
const chip = (text, colour) => h("span", { class: "chip", "data-tone": colour }, text);
const none = (text) => h("p", { class: "none" }, text);

function render() {
  if (state && (state.view === "blind") !== me.blind) return; // what this page may do comes first
  document.body.classList.toggle("no-run", !run());
  banner();
  plan();
  asked();
  header();
  if (run()) { load(); alerts(); steps(); gates(); books(); if (!me.blind) { faults(); stops(); } }
  comms();
  runs();
  log();
  ticks();
}
function banner() {
  const r = run();
  let said = "";
  let colour = "unknown";
  if (r && r.dirty && r.dirty.length) {
    said = `A fault may still be in: ${r.dirty.join(", ")}. Run gameday recover.`;
    colour = "dirty";
  } else if (r && r.runner === "gone") {
    const out = r.restored ? "Its sentinel took the faults out and read back that they are gone."
      : r.took_over ? "Its sentinel takes the faults out." : "If its sentinel does not take over, gameday recover takes the faults out.";
    said = me.blind ? `The exercise was cut short. What was changed is ${r.restored ? "as it was" : "being put back"}.`
      : `The runner is gone. ${out} Nothing that was written is lost.`;
    colour = "fail";
  } else if (r && r.closed) {
    said = me.blind ? "This part of the exercise is over." : `The run is over: ${r.closed}${r.reason ? `, ${r.reason}` : ""}${r.took_over ? ". Its runner was gone; the sentinel took the faults out" : ""}.`;
    // whether it passed is for its verdict to say
    colour = r.took_over ? "fail" : r.closed === "completed" || me.blind ? "info" : "unknown";
  } else if (r && r.stopped) {
    said = me.blind ? "The exercise was stopped." : `Stopped: ${r.stopped}`;
    colour = "fail";
  } else if (r && r.hints && r.hints.length) said = r.hints.join(" · ");
  if (day() && day().over) {
    const bad = colour === "dirty" || (r && r.runner === "gone");
    said = `The day is over${day().stopped ? `: ${day().stopped}` : ""}. ${bad ? said : ""}`.trim();
    if (!bad) colour = day().stopped ? "fail" : "info";
  }
  byId("banner").hidden = !said;
  byId("banner").dataset.tone = colour;
  if (byId("banner").textContent !== said) byId("banner").textContent = said;
}
const STATUS_TONE = { "under way": "unknown", "cut short": "fail", unknown: "fail", "no-go": "unknown", "not started": "fail" };
const OUTCOME_TONE = { pass: "pass", fail: "fail" };
function plan() {
  const d = day();
  byId("day").hidden = !d;
  byId("word").hidden = byId("stop-day").hidden = !d || d.over;
  byId("stop-word").textContent = d ? `Abort word: ${d.abort.word} (${d.abort.who.join(", ") || "anybody"} may say it)` : "";
  if (!d) return;
  byId("word").textContent = d.abort.word;
  byId("word").title = `whoever says this stops the exercise: ${d.abort.who.join(", ") || "anybody"}`;
  byId("stop-day").disabled = me.may.end !== null;
  byId("stop-day").title = me.may.end || "";
  byId("day-title").textContent = d.title;
  byId("day-abort").textContent = [d.environment, d.channel, d.bridge, d.limit ? `limit: ${d.limit}` : ""].filter(Boolean).join(" · ");
  const blind = state.blind_roles.filter((role) => d.roles.some((r) => r.role === role));
  byId("day-what").textContent = [d.objective, blind.length ? `Not told what is broken: ${blind.join(", ")}.` : ""].filter(Boolean).join(" ");
  fill(byId("day-roles"), [d.roles, d.over, me.role], () => d.roles.map((r) => {
    const mine = r.role === me.role || me.role === "coordinator";
    return h("li", {}, chip(`${r.role}: ${r.taken ? "taken" : "nobody yet"}`, r.taken ? "pass" : "unknown"),
      mine && !d.over ? h("button", { type: "button", "data-key": `take/${r.role}`, class: "small",
        onclick: () => act({ do: "take", name: r.role, answer: r.taken ? "back" : "take" }) },
      r.taken ? "Give back" : r.role === me.role ? "I am here" : "Take") : "");
  }));
  fill(byId("day-items"), d.items, () => d.items.map((i) => h("div", { class: "line" },
    h("span", { class: "name" }, i.name, i.title && i.title !== i.name ? `: ${i.title}` : ""),
    h("span", { class: "end" }, i.status === "done" ? chip(i.outcome, OUTCOME_TONE[i.outcome] || "unknown") : chip(i.status, STATUS_TONE[i.status])),
    i.hypothesis ? h("span", { class: "more" }, i.hypothesis) : "",
    i.reason ? h("span", { class: "more" }, i.reason) : "")));
}
function asked() {
  const q = day() && day().asked;
  byId("go-card").hidden = !q;
  if (!q) return;
  const item = day().items.find((i) => i.name === q.name) || {};
  fill(byId("go"), [q.seq, item, me.may.go], () => [h("div", { class: "line" },
    h("span", { class: "name" }, `Shall ${q.name} begin?`),
    h("span", { class: "end" },
      doer("go", "Go", { seq: q.seq, answer: "go" }),
      doer("go", "No-go", { seq: q.seq, answer: "no-go" }, () => ({ text: prompt("Why not?") || "" }))),
    h("span", { class: "more" }, me.may.go || item.hypothesis || ""))]);
}
function header() {
  const r = run();
  byId("title").textContent = !r ? (day() ? day().title : "no run yet") : me.blind ? `Exercise on ${r.service}` : r.title;
  document.title = `${r ? (me.blind ? "exercise" : r.phase) : "no run"} · gameday console`;
  byId("hypothesis").textContent = (r && r.hypothesis) || "";
  byId("stop").disabled = false;
  const bands = (r && r.bands) || [];
  byId("bands").hidden = !bands.length;
  fill(byId("bands"), [bands, r && r.phase, r && r.runner], () => bands.map(([name, from, to]) => {
    const is = r.phase === name && !r.closed && r.runner !== "gone";
    const span = h("span", { class: `${to <= r.at_ms ? "past" : ""}${is ? ` is ${name}` : ""}` }, name);
    span.style.flexGrow = String(Math.max(1, to - from));
    span.style.flexBasis = "0";
    return span;
  }));
}
function load() {
  const r = run();
  const rows = [
    ["asked", number(r.asked_per_s, "/s")], ["good", number(r.good_per_s, "/s")], ["errors", share(r.error_ratio)],
    ["p50", number(r.p50_ms, " ms")], ["p95", number(r.p95_ms, " ms")], ["p99", number(r.p99_ms, " ms")],
    ["under way", number(r.in_flight, "")],
  ];
  fill(byId("load"), rows, () => rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  const next = r.runner === "gone" || r.closed ? [] : (r.next || []).slice(0, 4);
  byId("next").replaceChildren(...next.map((n) => h("li", {}, n.what, n.in_ms === null ? "" : ` in ${clock(n.in_ms)}`)));
}
function alerts() {
  const r = run();
  const found = r.alerts;
  fill(byId("alerts"), [found, r.detection], () => found.length ? found.map((a) => {
    const seen = r.detection && r.detection[a.name];
    const firing = a.state === "firing" || a.state.startsWith("delivered");
    const parts = [];
    if (seen && seen.since_fault_ms !== null) {
      parts.push(seen.fired
        ? h("span", { class: "tick", "data-late": seen.since_fault_ms > seen.limit_ms }, `detected in ${clock(seen.since_fault_ms)}`)
        : h("span", { class: "tick", "data-since": r.at_ms - seen.since_fault_ms, "data-limit": seen.limit_ms, "data-word": "not seen for" }));
    } else if (firing) parts.push(h("span", { class: "tick", "data-since": a.since_ms, "data-word": "for" }));
    if (a.acked) parts.push(chip("acknowledged", "pass"));
    else if (firing) parts.push(doer("ack", "Acknowledge", { text: a.name }));
    const more = [a.severity, a.summary, a.runbook, a.limit_ms ? `must fire within ${clock(a.limit_ms)}` : ""].filter(Boolean).join(" · ");
    return h("div", { class: "line" },
      h("span", { class: "name" }, a.name, " ", chip(a.state, tone(a.state)), a.expected === false ? chip("not expected", "unknown") : ""),
      h("span", { class: "end" }, ...parts), more ? h("span", { class: "more" }, more) : "");
  }) : [none("No alert is active.")]);
}
function faults() {
  const r = run();
  fill(byId("faults"), r.faults, () => r.faults.length ? r.faults.map((f) => h("div", { class: "line" },
    h("span", { class: "name" }, f.name, " ", chip(f.state, tone(f.state))),
    f.state === "ON" ? h("span", { class: "tick", "data-since": f.since_ms, "data-word": "in for" }) : h("span", {}),
    h("span", { class: "more" }, `${f.what} in ${f.target}`))) : [none("This run has no faults.")]);
}
function stops() {
  const r = run();
  const loads = Object.entries(r.stop_when).map(([text, m]) => ({ text, ...m }));
  const signals = Object.entries(r.signals).map(([text, s]) => ({ text, signal: true, ...s }));
  fill(byId("stops"), [loads, signals], () => [...loads, ...signals].map((m) => {
    const held = m.for_ms ? Math.min(1, m.held_ms / m.for_ms) : 0;
    const colour = m.signal ? { good: "pass", BAD: "fail" }[m.state] || "unknown" : held > 0.5 ? "fail" : held > 0 ? "unknown" : "pass";
    const word = m.signal ? m.state : held > 0 ? `true for ${clock(m.held_ms)} of ${clock(m.for_ms)}` : "far";
    const value = m.value === null || m.value === undefined ? "no value yet" : `now ${+(+m.value).toPrecision(3)}`;
    return h("div", { class: "line" }, h("span", { class: "name" }, m.text), chip(word, colour),
      h("progress", { class: "meter", "data-tone": colour, max: 1, value: m.signal ? (m.state === "BAD" ? 1 : 0) : held }),
      h("span", { class: "more" }, m.limit === undefined ? value : `${value}, limit ${m.limit}`));
  }));
}
function steps() {
  const w = run().runner === "gone" ? null : run().waiting;
  byId("step-card").hidden = !w;
  if (!w) return;
  byId("step-name").textContent = w.name;
  byId("step-what").textContent = w.what;
  byId("step-text").textContent = w.text || "See the runbook.";
  byId("step-left").dataset.until = w.until_ms === null ? "" : String(w.until_ms);
  fill(byId("step-do"), [w.name, w.what, me.may.step], () => {
    const words = w.what === "approval" ? ["done", "failed", "note"] : ["done", "changed", "failed", "note"];
    const labels = { done: w.what === "approval" ? "Approve" : "Done", changed: "Changed", failed: w.what === "approval" ? "Refuse" : "Failed", note: "Note" };
    return [
      ...words.map((word) => doer("step", labels[word], { name: w.name, answer: word }, () => ({ text: byId("step-note").value }))),
      me.may.step === null ? "" : h("span", { class: "soft" }, me.may.step),
    ].filter(Boolean);
  });
}
function gates() {
  const found = run().gates || [];
  byId("gates-card").hidden = !found.length;
  fill(byId("gates"), [found, me.may.gate], () => found.map((g) => h("div", { class: "line" },
    h("span", { class: "name" }, g.name, " ", g.by ? chip(`go, by ${g.by}`, "pass") : chip("waits", "unknown")),
    h("span", { class: "end" }, ...(g.by ? [] : [
      doer("gate", "Go", { name: g.name, answer: "go" }),
      doer("gate", "No-go", { name: g.name, answer: "no-go" }, () => ({ text: prompt("Why not?") || "" })),
    ])))));
}
function books() {
  const found = run().runbooks;
  byId("books-card").hidden = !found.length;
  fill(byId("books"), [found, me.may.opened], () => found.map((b) => h("div", { class: "line" },
    h("span", { class: "name" }, b.path),
    h("span", { class: "end" }, b.by ? chip(`open: ${b.by}`, "pass") : doer("opened", "I have it open", { name: b.path })))));
}
function comms() {
  const found = (state && state.comms) || [];
  fill(byId("comms"), [found, me.may.update], () => found.length ? found.map((c) => h("div", { class: "line" },
    h("span", { class: "name" }, c.name),
    h("span", { class: "end" },
      h("button", { type: "button", "data-key": `copy/${c.name}`, onclick: async (e) => {
        try { await navigator.clipboard.writeText(c.text); e.target.textContent = "copied"; } catch { toast("select the text and copy it"); }
      } }, "Copy"),
      /<[a-z ]+>/.test(c.text)
        ? h("button", { type: "button", disabled: me.may.update !== null, title: me.may.update, "data-key": `fill/${c.name}`, onclick: () => write("update", c.text) }, "Fill in")
        : doer("update", "Was sent", { text: c.text })),
    h("span", { class: "more told" }, c.text))) : [none("Texts come with the first run.")]);
}
function runs() {
  const found = (state && state.runs) || [];
  fill(byId("runs"), found, () => found.length
    ? found.map((r) => h("li", {}, h("span", {}, r.run), chip(r.status === "alive" ? "under way" : r.status, r.status === "gone" ? "fail" : null)))
    : [h("li", {}, "none yet")]);
}
const KIND_TONE = (e) => e.kind.startsWith("human.") || e.kind === "gate.opened" ? "person"
  : /firing|delivered|stop\.|gone|error|lost/.test(e.kind) ? "fail"
  : /fault\.|runner/.test(e.kind) ? "unknown" : /resolved/.test(e.kind) ? "pass" : null;
const VERB = { note: "notes", ack: "acknowledges", decide: "decides", todo: "to do", handoff: "hands over", step: "", update: "told people" };
let logged = "";
function log() {
  const fits = FILTERS.find(([name]) => name === filter)[2];
  const found = entries.filter(fits).slice(-SHOWN_MAX);
  const key = `${filter}/${entries.length}/${last}`;
  if (key === logged) return;
  logged = key;
  byId("log").replaceChildren(...found.reverse().map((e) => {
    const verb = e.kind.startsWith("human.") ? VERB[e.kind.slice(6)] ?? "" : "";
    return h("li", { "data-tone": KIND_TONE(e), "data-n": e.n },
      h("time", { datetime: new Date(e.at).toISOString() }, ofDay(e.at)),
      h("p", {}, e.who ? h("span", { class: "who" }, `${e.who} ${verb}: `.replace(" :", ":")) : "", e.text));
  }));
}
function ticks() {
  const r = run();
  const t = at();
  for (const tick of document.querySelectorAll(".tick[data-since]")) {
    const ms = t - Number(tick.dataset.since);
    const limit = Number(tick.dataset.limit || 0);
    tick.textContent = `${tick.dataset.word} ${clock(ms)}${limit ? ` of ${clock(limit)}` : ""}`;
    tick.toggleAttribute("data-late", Boolean(limit && ms > limit));
  }
  byId("clock").textContent = r ? `${clock(t)} · ${ofDay(now())} UTC` : `${ofDay(now())} UTC`;
  if (r) {
    byId("phase").textContent = me.blind ? (r.closed || r.runner === "gone" ? "over" : "exercise under way") : r.closed ? `over: ${r.closed}` : r.runner === "gone" ? "cut short" : r.phase;
    const left = r.phase_left_ms === null || r.phase_left_ms === undefined || !alive() ? null : r.phase_left_ms - (t - r.at_ms);
    byId("phase-left").textContent = left === null ? "" : `${clock(left)} left`;
    const until = byId("step-left").dataset.until;
    byId("step-left").textContent = until && !byId("step-card").hidden ? `${clock(Number(until) - t)} left` : "";
  }
  const u = state && state.updates;
  if (u) {
    const left = u.last_ms + u.every_ms - now();
    const late = u.owed && left < 0;
    byId("overdue").className = late ? "warn" : "soft";
    byId("overdue").textContent = late ? `The update is overdue by ${clock(-left)}.`
      : u.owed ? `Next update in ${clock(left)}.` : r || day() ? "Do not forget the all-clear." : "";
  }
}

// --- what people do -----------------------------------------------------------------------------
function segments(box, options, chosen, choose) {
  box.replaceChildren(...options.map(([name, label]) => h("button", {
    type: "button", role: "radio", "aria-checked": String(name === chosen()), "data-key": name,
    onclick: () => { choose(name); for (const b of box.children) b.setAttribute("aria-checked", String(b.dataset.key === chosen())); },
  }, label)));
}
function room() {
  byId("door").hidden = true;
  byId("room").hidden = false;
  document.body.classList.toggle("blind", me.blind);
  byId("role").textContent = me.role;
  byId("role").title = me.does;
  const kinds = KINDS.filter(([name]) => may(name));
  if (!may(kind)) kind = "note";
  segments(byId("say-kind"), kinds, () => kind, choose);
  const out = KINDS.filter(([name]) => !may(name)).map(([, label]) => label.toLowerCase());
  byId("say-why").textContent = out.length ? `not for this role: ${out.join(", ")}` : "";
  segments(byId("log-filter"), FILTERS, () => filter, (name) => { filter = name; log(); });
  byId("people-card").hidden = !may("invite");
  byId("reveal").hidden = !(may("reveal") && me.hides);
  fill(byId("invite"), Object.keys(me.roles), () => [
    h("span", { class: "soft" }, "A link for one more"),
    ...Object.keys(me.roles).map((role) => h("button", { type: "button", onclick: async () => {
      const told = await act({ do: "invite", name: role }, `a link for one ${role}, good once`);
      if (told.ok) { byId("invite-link").hidden = false; byId("invite-link").replaceChildren(h("code", {}, told.link)); }
    } }, role))]);
}
function choose(name) {
  kind = name;
  byId("say-label").textContent = KINDS.find(([n]) => n === name)[1];
}
// What is not known here yet is filled in by a person before it is said to have been sent.
function write(name, text) {
  choose(name);
  for (const b of byId("say-kind").children) b.setAttribute("aria-checked", String(b.dataset.key === kind));
  byId("say-text").value = text;
  byId("say-text").focus();
}
function wire() {
  byId("say").addEventListener("submit", async (e) => {
    e.preventDefault();
    const told = await act({ do: kind, text: byId("say-text").value }, "written down");
    if (told.ok) byId("say-text").value = "";
  });
  byId("say-text").addEventListener("keydown", (e) => { if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) byId("say").requestSubmit(); });
  byId("stop").addEventListener("click", () => byId("stop-ask").showModal());
  byId("stop-ask").addEventListener("close", () => {
    const how = byId("stop-ask").returnValue;
    if (how === "stop" || how === "end") stop({ do: "stop", text: byId("stop-why").value, ...(how === "end" ? { day: true } : {}) });
    byId("stop-ask").returnValue = "";
  });
  byId("leave").addEventListener("click", async () => { await ask("/api/leave", {}); location.reload(); });
  byId("reveal").addEventListener("click", () => act({ do: "reveal" }));
  byId("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    byId("theme").setAttribute("aria-pressed", String(!dark));
    redraw();
  });
}

// --- the door -----------------------------------------------------------------------------------
async function enter(known) {
  if (source) source.close();
  source = null;
  me = known || await (await fetch("/api/me")).json();
  byId("room").hidden = true;
  byId("door").hidden = false;
  byId("enter-how").textContent = me.by_secret ? "Take your role." : "Open one of the links that the terminal printed, or ask the coordinator for one.";
  byId("enter-fields").hidden = !me.by_secret;
  byId("enter-role").replaceChildren(...Object.entries(me.roles).map(([role, does]) => h("option", { value: role }, `${role}: ${does}`)));
}
async function begin(body) {
  const told = await ask("/api/enter", body);
  if (!told.ok) { byId("enter-error").textContent = told.error; return; }
  byId("enter-error").textContent = "";
  byId("enter-secret").value = "";
  start();
}
async function start() {
  const known = await (await fetch("/api/me")).json();
  if (!known.role) return enter(known);
  me = known;
  last = "";
  room();
  render();
  listen();
}
async function main() {
  wire();
  byId("enter").addEventListener("submit", (e) => {
    e.preventDefault();
    begin({ role: byId("enter-role").value, secret: byId("enter-secret").value });
  });
  const token = location.hash.slice(1);
  if (token) {
    history.replaceState(null, "", "/");
    await enter();
    await begin({ token });
  } else await start();
  setInterval(() => { if (me && me.role) ticks(); }, 500);
  setInterval(watch, 2000);
  figure();
}
main();
