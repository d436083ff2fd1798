// The ledger: all loads, newest first. A click shows one of them whole.

import { debounce, h, put } from "../dom.js";
import { get } from "../api.js";
import { listen } from "../live.js";
import { change, filters, route } from "../route.js";
import { age, answerPlace, chip, empty, field, table } from "../widgets.js";
import * as format from "../format.js";
import { loadDetail } from "./load.js";

const STATES = ["queued", "running", "loaded", "skipped", "failed", "retracted"];
const PAGE = 50;

export const loads = {
  title: "Loads",
  note: "The ledger: each load, what it read and what became of it.",
  filters: ["period", "feed"],
  mount(root, page) {
    const state = { rows: [], next: null, shown: null };
    const bar = h("form", { class: "local-filters", "aria-label": "Filters of loads", on: { submit: (event) => event.preventDefault() } });
    const list = answerPlace(async (signal, more) => {
      const answer = await get("loads", { ...question(), limit: PAGE, before: more ? state.next : undefined }, signal);
      state.rows = more ? [...state.rows, ...answer.loads] : answer.loads;
      state.next = answer.next;
      return state;
    }, () => ledger(state, () => list.refresh(true)));
    const detail = loadDetail(page, () => list.refresh());
    root.append(bar, h("div", { class: "ledger" }, list.place, detail.place));
    let asked;
    const update = (why) => {
      put(bar, localFilters());
      const now = JSON.stringify(question());
      if (now !== asked || why === "status") list.refresh();
      asked = now;
      detail.show(route().params.load);
      mark(list.place);
    };
    // Only the first page follows by itself: a longer list would jump away.
    const follow = debounce(300, () => state.rows.length <= PAGE && list.refresh());
    const stop = listen((kind, event) => {
      if (kind !== "load") return;
      if (event.state !== "running") follow();
      if (String(event.load_id) === route().params.load && event.state !== "running") detail.show(route().params.load, true);
    });
    update();
    return { update, end: stop };
  },
};

function question() {
  const { state, path, requested_by } = route().params;
  const { since, until, feed } = filters();
  return { state, path, requested_by, since, until, feed };
}

function localFilters() {
  const now = route().params;
  const set = (name) => (event) => change({ [name]: event.target.value.trim() });
  const typed = (name, label, hint) => field(label, h("input", { type: "search", "data-key": name, placeholder: hint, value: now[name] ?? "", on: { change: set(name) } }));
  const states = [["", "All"], ...STATES.map((each) => [each, each])].map(([value, text]) => h("option", { value, selected: value === (now.state ?? "") }, text));
  return [
    field("State", h("select", { "data-key": "state", on: { change: set("state") } }, states)),
    typed("path", "File", "part of its name"),
    typed("requested_by", "Requested by", "role"),
  ];
}

function ledger(state, more) {
  if (!state.rows.length) {
    const filtered = Object.values(question()).some(Boolean);
    if (filtered) return empty("No load is like that", "Take a filter away to see others.");
    return empty("No loads yet", "Load a file of the server:", "SELECT * FROM trips.ingest('/data/trips.csv');");
  }
  const open = (load) => change({ load: String(load.load_id) === route().params.load ? "" : load.load_id });
  const columns = [
    { name: "Load", number: true, value: (load) => h("button", { type: "button", class: "row-button", "data-key": `load-${load.load_id}`, "aria-expanded": String(String(load.load_id) === route().params.load), on: { click: () => open(load) } }, load.load_id) },
    { name: "State", value: (load) => chip(load.state) },
    { name: "At", class: "when extra", value: (load) => age(load.ended_at ?? load.started_at ?? load.requested_at) },
    { name: "File", class: "wide", value: (load) => h("span", null, fileLines(load.source), load.state === "failed" && h("span", { class: "row-error" }, format.firstLine(load.error))) },
    { name: "Size", class: "extra", number: true, value: (load) => format.bytes(load.bytes) },
    { name: "Read", number: true, value: (load) => rows(load.rows_read) },
    { name: "Inserted", number: true, value: (load) => rows(load.rows_inserted) },
    { name: "Duplicate", class: "extra", number: true, value: (load) => rows(load.rows_duplicate) },
    { name: "Staged", number: true, class: "staged", value: (load) => (load.rows_staged ? h("strong", null, format.count(load.rows_staged)) : rows(0)) },
    { name: "Time", class: "extra", number: true, value: (load) => format.duration(load.seconds) },
    { name: "Rows/s", class: "extra rate", number: true, value: (load) => format.short(load.rows_per_second) },
    { name: "By", class: "extra", value: (load) => load.requested_by },
  ];
  const rowProps = (load) => ({
    "data-load": load.load_id,
    class: String(load.load_id) === route().params.load ? "chosen" : null,
    on: { click: (event) => !event.target.closest("button, a") && !String(getSelection()) && open(load) },
  });
  return [
    table("Loads", columns, state.rows, rowProps),
    h("p", { class: "more" }, h("span", null, format.plural(state.rows.length, "load")), state.next && h("button", { type: "button", "data-key": "more", on: { click: more } }, "Load more")),
  ];
}

// Zeros are pale: one looks for what is not.
function rows(number) {
  return number ? format.count(number) : h("span", { class: "zero" }, "0");
}

function fileLines(source) {
  const [directory, name] = format.path(source);
  return h("span", { class: "file two", title: source }, h("span", { class: "name" }, name || "(no file)"), directory && h("span", { class: "directory" }, directory));
}

function mark(place) {
  for (const row of place.querySelectorAll("tr[data-load]")) {
    const chosen = row.dataset.load === route().params.load;
    row.classList.toggle("chosen", chosen);
    row.querySelector("button.row-button").setAttribute("aria-expanded", String(chosen));
  }
}
