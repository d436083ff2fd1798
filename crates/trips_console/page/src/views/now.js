// What happens now: a bar for each running load, the queue, what has just ended, the events.

import { h, put, setText } from "../dom.js";
import { post } from "../api.js";
import { listen, live } from "../live.js";
import { link } from "../route.js";
import { age, chip, empty, faultBox, file, section, table } from "../widgets.js";
import * as format from "../format.js";

const PHASES = {
  hashing: "Hashing the file",
  waiting: "Waiting for another load",
  reading: "Reading and checking",
  inserting: "Inserting",
  summarizing: "Updating the roll-ups",
};
const EVENTS_SHOWN = 50;

export const now = {
  title: "Now",
  note: "Loads as they run. Nothing here needs a reload.",
  filters: [],
  mount(root, page) {
    const bars = new Map();
    const running = h("div", { class: "bars" });
    const queue = h("div");
    const queued = section("Queue", queue);
    const recent = h("div");
    const events = h("ol", { class: "events", tabindex: "0", "aria-label": "Events, newest first" });
    root.append(
      section("Running", running),
      queued,
      h("div", { class: "columns" }, section("Ended last", recent), section("Events", events)),
    );
    const show = () => {
      if (!live.now) return;
      showRunning(running, bars, live.now.loads, page);
      queued.hidden = !live.now.queue.length;
      put(queue, queueOf(live.now.queue, page));
      put(recent, recentOf(live.now.recent));
    };
    const showEvents = () => put(events, live.events.length ? live.events.slice(0, EVENTS_SHOWN).map(eventLine) : h("li", { class: "nothing" }, "Each change of a load appears here."));
    show();
    if (!live.now) running.append(h("p", { class: "loading" }, "Loading…"));
    showEvents();
    const stop = listen((kind) => {
      if (kind === "now") show();
      if (kind === "load" || kind === "begin") showEvents();
    });
    // Ages grow by themselves.
    const timer = setInterval(() => live.now && put(recent, recentOf(live.now.recent)), 30_000);
    return { update: show, end: () => { stop(); clearInterval(timer); } };
  },
};

// A bar stays the same element while its load runs: it moves, and the focus stays on its button.
function showRunning(place, bars, loads, page) {
  const ids = new Set(loads.map((load) => load.load_id));
  for (const [id, bar] of bars) {
    if (ids.has(id)) continue;
    bar.element.remove();
    bars.delete(id);
  }
  if (!loads.length) {
    const first = !live.now.recent.length && !live.now.queue.length;
    put(place, first
      ? empty("No loads yet", "Load a file of the server; this page shows how it goes on:", "SELECT * FROM trips.ingest('/data/trips.csv');")
      : empty("No load runs", "The next one appears here by itself."));
    return;
  }
  if (!bars.size) place.replaceChildren();
  for (const load of loads) {
    if (!bars.has(load.load_id)) {
      bars.set(load.load_id, makeBar(load.load_id, page));
      place.append(bars.get(load.load_id).element);
    }
    bars.get(load.load_id).show(load);
  }
}

function makeBar(id, page) {
  const name = h("div", { class: "bar-name" });
  const percent = h("span", { class: "bar-percent" });
  const done = h("span", { class: "bar-done" });
  const track = h("div", { class: "track", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100", "aria-label": `Load ${id}` }, done);
  const facts = ["phase", "bytes", "rows", "rate", "left", "by"].map((key) => h("span", { class: `fact fact-${key}` }));
  const action = h("div", { class: "bar-action" });
  const element = h("article", { class: "bar", "data-load": id }, h("div", { class: "bar-head" }, name, percent), track, h("div", { class: "facts" }, facts, action));
  let shown;
  function show(load) {
    const share = load.bytes_total > 0 ? Math.min(1, load.bytes_done / load.bytes_total) : 0;
    if (shown !== load.path) put(name, h("a", { href: link("loads", { load: id }) }, `Load ${id}`), file(load.path ?? ""));
    shown = load.path;
    setText(percent, `${Math.floor(share * 100)} %`);
    done.style.setProperty("--share", String(share));
    track.setAttribute("aria-valuenow", String(Math.floor(share * 100)));
    element.dataset.phase = load.phase ?? "";
    const texts = factTexts(load);
    facts.forEach((fact, i) => setText(fact, texts[i]));
    if (!action.hasChildNodes()) action.append(cancelButton(id, load, page));
  }
  return { element, show };
}

function factTexts(load) {
  const left = (new Date(load.estimated_end).getTime() - Date.now()) / 1000;
  const byteRate = load.bytes_per_second ? `, ${format.bytes(load.bytes_per_second)}/s` : "";
  return [
    PHASES[load.phase] ?? load.phase ?? "",
    load.bytes_total > 0 ? `${format.bytes(load.bytes_done)} of ${format.bytes(load.bytes_total)}` : "",
    format.plural(load.rows_read, "row"),
    load.rows_per_second ? `${format.count(load.rows_per_second)} rows/s${byteRate}` : "",
    load.estimated_end && load.phase !== "waiting" ? `${format.duration(Math.max(1, Math.round(left)))} left` : "",
    `by ${load.requested_by ?? "?"}, ${format.ago(load.started_at)}`,
  ];
}

function cancelButton(id, load, page) {
  const call = `SELECT trips.cancel(${id});`;
  if (!page.status()?.actions) return h("span", { class: "bar-hint" }, "To cancel: ", h("code", null, call));
  if (!load.cancel) return h("span", { class: "bar-hint" }, "Another role's load");
  return actionButton("Cancel", `Cancel load ${id}?`, "cancel", { load_id: id });
}

/** A button that asks once more, then does it, and shows the error in its place. */
export function actionButton(text, question, action, body, after = () => {}) {
  const place = h("span", { class: "action" });
  const button = h("button", { type: "button", class: "small", "data-key": `${action}-${body.load_id}`, on: { click: ask } }, text);
  function reset() {
    put(place, button);
  }
  function ask() {
    const yes = h("button", { type: "button", class: "small danger", on: { click: run } }, `Yes, ${text.toLowerCase()}`);
    put(place, h("span", null, question), yes, h("button", { type: "button", class: "small quiet", on: { click: () => { reset(); button.focus(); } } }, "No"));
    yes.focus();
  }
  async function run() {
    put(place, h("span", { class: "loading" }, "…"));
    try {
      const answer = await post(`actions/${action}`, body);
      put(place, h("span", { class: "done" }, "Done"));
      after(answer);
    } catch (fault) {
      put(place, faultBox(fault, reset));
    }
  }
  reset();
  return place;
}

function queueOf(queue, page) {
  const columns = [
    { name: "Place", number: true, value: (row) => format.count(row.position) },
    { name: "Load", number: true, value: (row) => row.load_id },
    { name: "File", value: (row) => file(row.path) },
    { name: "By", value: (row) => row.requested_by },
    { name: "Submitted", value: (row) => age(row.submitted_at) },
    { name: "", value: (row) => (page.status()?.actions && row.cancel ? actionButton("Cancel", `Cancel load ${row.load_id}?`, "cancel", { load_id: row.load_id }) : null) },
  ];
  return table("Loads that wait", columns, queue);
}

function recentOf(recent) {
  if (!recent.length) return h("p", { class: "nothing" }, "No load has ended yet.");
  return h("ul", { class: "recent" }, recent.map((load) =>
    h("li", { "data-load": load.load_id },
      chip(load.state),
      h("a", { href: link("loads", { load: load.load_id }), "data-key": `recent-${load.load_id}`, title: load.source }, format.path(load.source)[1] || `Load ${load.load_id}`),
      h("span", { class: "recent-facts" }, summary(load)),
      age(load.ended_at))));
}

function summary(load) {
  if (load.state === "failed") return format.firstLine(load.error);
  if (load.state === "skipped") return load.same_as ? `same bytes as load ${load.same_as}` : "";
  const staged = load.rows_staged ? `, ${format.count(load.rows_staged)} staged` : "";
  return `${format.count(load.rows_inserted)} of ${format.plural(load.rows_read, "row")} inserted${staged}, ${format.duration(load.seconds)}`;
}

function eventLine(event) {
  const share = event.bytes_total > 0 ? ` ${Math.floor((100 * event.bytes_done) / event.bytes_total)} %` : "";
  const text = event.state === "running" ? `${share}, ${format.plural(event.rows_read, "row")}` : format.firstLine(event.error);
  return h("li", { "data-seq": event.seq, "data-load": event.load_id, "data-state": event.state },
    h("time", { datetime: event.published_at }, format.clock(event.published_at)),
    h("span", null, `Load ${event.load_id} `), chip(event.state), h("span", { class: "event-text" }, text));
}
