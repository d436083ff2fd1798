// Whether all is well, in a few numbers.

import { debounce, h } from "../dom.js";
import { get, post } from "../api.js";
import { listen } from "../live.js";
import { link } from "../route.js";
import { age, answerPlace, chip, section, table } from "../widgets.js";
import * as format from "../format.js";

const OLD = 2 * 86400;

export const health = {
  title: "Health",
  note: "Numbers of now. Those in colour want a look.",
  filters: [],
  mount(root) {
    const tiles = answerPlace((signal) => get("health", {}, signal), (answer) => [
      h("div", { class: "tiles" }, tilesOf(answer).map(tile)),
      section("Schedules", schedules(answer.schedules)),
    ]);
    root.append(tiles.place, checks());
    tiles.refresh();
    const soon = debounce(500, () => tiles.refresh());
    const stop = listen((kind, event) => kind === "load" && event.state !== "running" && soon());
    const timer = setInterval(() => tiles.refresh(), 60_000);
    return { update: () => tiles.refresh(), end: () => { stop(); clearInterval(timer); } };
  },
};

function tilesOf(answer) {
  const seconds = answer.newest_load ? (Date.now() - new Date(answer.newest_load).getTime()) / 1000 : null;
  return [
    { name: "Loaded today", value: format.count(answer.loaded_today), note: "files", href: link("loads") },
    { name: "Failed in 24 hours", value: format.count(answer.failed_24h), bad: answer.failed_24h > 0, note: answer.failed_24h ? "Look at the reasons" : "None", href: link("loads", { state: "failed" }) },
    { name: "Staged rows", value: format.count(answer.staged), warn: answer.staged > 0, note: answer.staged ? "They wait for a decision" : "None waits", href: link("staging") },
    { name: "Duplicates", value: answer.duplicates_percent === null ? "–" : `${format.decimal(answer.duplicates_percent)} %`, note: "of the rows that were read" },
    { name: "Newest load", value: format.ago(answer.newest_load), warn: seconds > OLD, note: format.time(answer.newest_load), href: link("loads") },
    { name: "Newest trip", value: String(answer.newest_trip ?? "–").slice(0, 10), note: answer.newest_trip ? `at ${String(answer.newest_trip).slice(11, 16)}, local time` : "The history is empty", href: link("trips") },
    { name: "Queue", value: format.count(answer.queue), note: answer.running ? format.plural(answer.running, "running load") : "No load runs", href: link("now") },
    { name: "Loads", value: format.count(answer.loads), note: "in the ledger", href: link("loads") },
  ];
}

function tile({ name, value, note, bad, warn, href }) {
  const mark = bad ? "tile bad" : warn ? "tile warn" : "tile";
  const content = [h("span", { class: "tile-name" }, name), h("span", { class: "tile-value" }, value), note && h("span", { class: "tile-note" }, note)];
  return href ? h("a", { class: mark, href, "data-key": name }, content) : h("div", { class: mark }, content);
}

function schedules(list) {
  if (list === null) return h("p", { class: "nothing" }, "No jobs to show: pg_cron is not installed in this database, or this role has no USAGE on schema cron.");
  if (!list.length) {
    return h("p", { class: "nothing" }, "No schedule. trips.schedule('/data/inbox', '1 minute') loads new files of a folder by itself.");
  }
  const columns = [
    { name: "Job", value: (row) => row.jobname },
    { name: "Schedule", value: (row) => h("code", null, row.schedule) },
    { name: "Last run", value: (row) => age(row.last_run) },
    { name: "Result", value: (row) => (row.status ? chip(row.status === "succeeded" ? "loaded" : row.status === "failed" ? "failed" : "running", row.status) : "–") },
    { name: "Message", class: "wide", value: (row) => row.message ?? "" },
  ];
  return table("Schedules", columns, list);
}

function checks() {
  const result = h("div", { role: "status" });
  const button = h("button", { type: "button", class: "main", on: { click: run } }, "Verify now");
  const answer = answerPlace((signal) => post("verify", {}, signal), showChecks, {}, "Checking…");
  async function run() {
    button.disabled = true;
    result.replaceChildren(answer.place);
    await answer.refresh();
    button.disabled = false;
    button.focus();
  }
  return section("Checks", h("p", { class: "nothing" }, "trips.verify() compares the ledger, the history and the roll-ups. It reads the whole history, so it may take minutes."), button, result);
}

function showChecks(list) {
  const failed = list.filter((check) => !check.passed).length;
  return [
    h("p", { class: failed ? "verdict bad" : "verdict good" }, failed ? `${failed} of ${list.length} checks failed` : `All ${list.length} checks passed`),
    h("ul", { class: "checks" }, list.map((check) => h("li", null, chip(check.passed ? "loaded" : "failed", check.passed ? "passed" : "failed"), h("strong", null, check.check_name), h("span", null, check.detail ?? "")))),
  ];
}
